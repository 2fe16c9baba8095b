"""Answers as exceptions."""

from syncio.interaction import *  # noqa: F403
