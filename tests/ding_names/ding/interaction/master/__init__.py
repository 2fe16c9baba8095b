"""The side that hands out tasks."""

from syncio.interaction import *  # noqa: F403
