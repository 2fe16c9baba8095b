"""Tasks."""

from syncio.interaction import *  # noqa: F403
