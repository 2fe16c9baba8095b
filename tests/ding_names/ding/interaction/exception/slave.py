"""A slave's answers."""

from syncio.interaction import *  # noqa: F403
