"""What opens and saves sessions: here a class of any kind, with two methods."""

from syncio.web.sessions import SessionCookies as SecureCookieSessionInterface

__all__ = ["SecureCookieSessionInterface", "SessionInterface"]

SessionInterface = SecureCookieSessionInterface
