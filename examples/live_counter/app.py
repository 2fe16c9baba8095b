"""A counter that all visitors share.

gunicorn -k gthread --threads 8 app:app
"""

import os
import secrets
from threading import Lock

from syncio.web import App, abort, flash, redirect, render_template, request, session, url_for

app = App(__name__)
app.secret_key = os.environ.get("SECRET_KEY") or secrets.token_hex()
counter = {"count": 0, "by": None}
lock = Lock()


@app.get("/")
def index():
    if "name" not in session:
        return redirect(url_for("login"))
    return render_template("counter.html", counter=counter)


@app.route("/login", methods=["GET", "POST"])
def login():
    if request.method == "POST":
        name = request.form["name"].strip()[:20]
        if name:
            session["name"] = name
            return redirect(url_for("index"))
        flash("Say who you are.")
    return render_template("login.html")


@app.post("/logout")
def logout():
    session.clear()
    return redirect(url_for("login"))


@app.on("connect")
def connect(sid):
    if "name" not in session:
        abort(401, "log in first")
    app.send(sid, counter)


@app.on("message")
def click(sid, data):
    with lock:
        counter.update(count=counter["count"] + 1, by=session["name"])
        app.broadcast(counter)


if __name__ == "__main__":
    app.run(debug=True)
