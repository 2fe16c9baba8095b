"""Requests, and how they fail: theirs come from `requests`, and they import them from here."""

from syncio.interaction import *  # noqa: F403
