"""Clients."""

from syncio.web.testing import AppClient as FlaskClient
from syncio.web.testing import AppEnvironBuilder as EnvironBuilder

__all__ = ["EnvironBuilder", "FlaskCliRunner", "FlaskClient"]


class FlaskCliRunner:
    """Left out, as commands are. Only the name is here."""
