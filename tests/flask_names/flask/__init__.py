"""`syncio.web` as `flask`, for the tests of others: this folder's parent comes first on their path.

There is nothing here but names. What the specification leaves out is missing here too, or is an empty name where a file
of tests could not be imported without it.
"""

from __future__ import annotations

from syncio.web import *  # noqa: F403
from syncio.web import App as Flask

from . import json as json
from . import templating as templating
from .modules import Module as Module
from .modules import json_available as json_available
from .modules import register_module
from .signals import appcontext_popped as appcontext_popped

Flask.register_module = register_module  # type: ignore[attr-defined]
