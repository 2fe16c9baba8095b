"""The defaults."""

from syncio.interaction import *  # noqa: F403
