"""The realtime half: only who has logged in may connect, and everybody else is told who came."""

from typing import Any

from syncio.compat import socketio
from syncio.compat.django import make_request

sio = socketio.Server(async_handlers=False)


@sio.event
def connect(sid: str, environ: dict[str, Any]) -> bool:
    """Let in who has logged in on the site, with what the site knows."""
    request = make_request(environ)
    if not request.user.is_authenticated:
        return False
    with sio.session(sid) as session:
        session["name"] = request.user.get_username()
        session["basket"] = request.session.get("basket", [])
    sio.emit("came", session["name"], skip_sid=sid)
    return True


@sio.event
def basket(sid: str) -> list[str]:
    """What lay in the visitor's basket when the page was opened."""
    with sio.session(sid) as session:
        return list(session["basket"])
