"""The user's session: a dict in a cookie that only the server can write, by a signature (itsdangerous, HMAC)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.datastructures import CallbackDict

from .tagged import TaggedJSON

if TYPE_CHECKING:
    from .app import App
    from .wrappers import Request, Response

__all__ = ["LockedSession", "Session", "SessionCookies"]


class Session(CallbackDict[str, Any]):
    """A dict that knows whether it was looked at and changed. Of a change inside of a value it has to be told:
    ``session.modified = True``."""

    accessed = False
    """Whether somebody looked, so that the response depends on the cookie."""
    modified = False
    """Whether it has to be sent again."""
    new = False
    """Whether the client had none."""

    def __init__(self, initial: Any = None, new: bool = False) -> None:
        super().__init__(initial, _changed)
        self.new = new

    @property
    def permanent(self) -> bool:
        """Whether it outlives the browser: for `PERMANENT_SESSION_LIFETIME` after the last change."""
        return bool(self.get("_permanent", False))

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self["_permanent"] = bool(value)


def _changed(session: Any) -> None:
    session.modified = session.accessed = True


class LockedSession(Session):
    """The session of an app without a key: empty, and it says so when somebody writes."""

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            "the session is unavailable because no secret key was set: app.secret_key = secrets.token_hex(), "
            "once, and the same in all processes"
        )

    __setitem__ = __delitem__ = clear = pop = popitem = update = setdefault = __ior__ = _refuse
    del _refuse


class SessionCookies:
    """Opens sessions from cookies, and saves them there."""

    salt = "cookie-session"
    """Keeps what the same key signs for other purposes from being taken for a session."""
    digest_method: Callable[..., Any] = staticmethod(hashlib.sha256)
    key_derivation = "hmac"
    serializer: Any = TaggedJSON()
    session_class = Session

    def get_cookie_name(self, app: App) -> str:
        """What the cookie is called."""
        name: str = app.config["SESSION_COOKIE_NAME"]
        return name

    def cookie_place(self, app: App) -> dict[str, Any]:
        """Where the cookie goes, and who sees it."""
        config = app.config
        return {
            "domain": config["SESSION_COOKIE_DOMAIN"],
            "path": config["SESSION_COOKIE_PATH"] or config["APPLICATION_ROOT"],
            "secure": config["SESSION_COOKIE_SECURE"],
            "httponly": config["SESSION_COOKIE_HTTPONLY"],
            "samesite": config["SESSION_COOKIE_SAMESITE"],
            "partitioned": config["SESSION_COOKIE_PARTITIONED"],
        }

    def get_signing_serializer(self, app: App) -> URLSafeTimedSerializer | None:
        """What signs for an app; None if it has no key. Old keys (`SECRET_KEY_FALLBACKS`) are read, and not written."""
        if not app.secret_key:
            return None
        keys = [*(app.config["SECRET_KEY_FALLBACKS"] or ()), app.secret_key]
        return URLSafeTimedSerializer(
            keys,
            salt=self.salt,
            serializer=self.serializer,
            signer_kwargs={"key_derivation": self.key_derivation, "digest_method": self.digest_method},
        )

    def open_session(self, app: App, request: Request) -> Session:
        """The session of a request: a new one if its cookie is missing, too old, or not ours."""
        signer = self.get_signing_serializer(app)
        if signer is None:
            return LockedSession()
        cookie = request.cookies.get(self.get_cookie_name(app))
        if not cookie:
            return self.session_class(new=True)
        try:
            age = int(app.permanent_session_lifetime.total_seconds())
            return self.session_class(signer.loads(cookie, max_age=age))
        except BadData:
            return self.session_class(new=True)

    def should_set_cookie(self, app: App, session: Session) -> bool:
        """Whether the cookie has to be sent: after a change, or to live longer."""
        return session.modified or (session.permanent and bool(app.config["SESSION_REFRESH_EACH_REQUEST"]))

    def save_session(self, app: App, session: Session, response: Response) -> None:
        """Add the cookie to a response, if it has to be sent."""
        name = self.get_cookie_name(app)
        if session.accessed:
            response.vary.add("Cookie")
        if not session:
            if session.modified:
                response.delete_cookie(name, **self.cookie_place(app))
                response.vary.add("Cookie")
            return
        if not self.should_set_cookie(app, session):
            return
        signer = self.get_signing_serializer(app)
        assert signer is not None, "without a key nothing can be written into it"
        expires = datetime.now(timezone.utc) + app.permanent_session_lifetime if session.permanent else None
        response.set_cookie(name, signer.dumps(dict(session)), expires=expires, **self.cookie_place(app))
        response.vary.add("Cookie")
