"""Views as classes."""

from syncio.web.views import *  # noqa: F403
