"""A chat inside a Flask app: its routes and its realtime messages share names, and can reach one another.

syncio run examples.flask_chat:app
gunicorn --threads 8 examples.flask_chat:app
"""

from typing import Any

from flask import Flask, request
from flask.typing import ResponseReturnValue

import syncio

app = Flask(__name__)
server = syncio.Server()
app.wsgi_app = syncio.WSGIApp(server, app.wsgi_app)  # type: ignore[method-assign]


@app.get("/")
def index() -> ResponseReturnValue:
    """Who is here."""
    names = [str(server.get_session(sid).get("name")) for sid in list(server.sockets)]
    return {"here": names}


@app.post("/announce")
def announce() -> ResponseReturnValue:
    """Tell everybody something from an ordinary request: ``curl -d text=... localhost:8000/announce``."""
    server.broadcast({"name": "the site", "text": request.form["text"]})
    return "", 204


@server.on("connect")
def connect(sid: str, environ: dict[str, Any]) -> None:
    """Greet a newcomer. Flask's request works here as it does in a route."""
    with app.request_context(environ):
        name = request.args.get("name", "somebody")
    server.save_session(sid, {"name": name})
    server.send(sid, {"name": "the site", "text": f"Welcome, {name}."})


@server.on("message")
def say(sid: str, data: Any) -> None:
    """Pass a message on to everybody."""
    server.broadcast({"name": server.get_session(sid)["name"], "text": str(data)})
