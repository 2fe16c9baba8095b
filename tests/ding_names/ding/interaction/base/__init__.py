"""What both sides stand on."""

from syncio.interaction import *  # noqa: F403
