"""JSON of an app."""

from syncio.web.json import *  # noqa: F403
