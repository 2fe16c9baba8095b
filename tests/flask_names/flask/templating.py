"""Templates."""

from syncio.web.templating import Templates as Environment

__all__ = ["Environment"]
