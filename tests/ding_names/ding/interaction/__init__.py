"""All names."""

from syncio.interaction import *  # noqa: F403
