"""The side that does them."""

from syncio.interaction import *  # noqa: F403
