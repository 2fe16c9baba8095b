"""A login, a page, and messages that everybody on the page sees at once."""

import json

from syncio.web import App, abort, flash, redirect, render_template, request, session, url_for

app = App(__name__)
app.config.from_file("secret.json", json.load, silent=True)  # not in git; elsewhere it is SYNCIO_SECRET_KEY
app.config.from_prefixed_env()


@app.get("/")
def index():
    """The page, for those who have said who they are."""
    if "name" not in session:
        return redirect(url_for("login"))
    return render_template("index.html")


@app.route("/login", methods=["GET", "POST"])
def login():
    """Ask for a name."""
    if request.method == "POST":
        name = request.form["name"].strip()[:20]
        if name:
            session["name"] = name
            return redirect(url_for("index"))
        flash("Say who you are.")
    return render_template("login.html")


@app.post("/logout")
def logout():
    """Forget who it was."""
    session.clear()
    return redirect(url_for("login"))


@app.on("connect")
def connect(sid):
    """Let in who has logged in."""
    if "name" not in session:
        abort(401, "log in first")


@app.on("message")
def say(sid, data):
    """Tell everybody what somebody has said."""
    app.broadcast({"from": session["name"], "text": str(data)[:500]})
