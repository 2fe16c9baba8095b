"""A small web framework on Werkzeug, in which HTTP routes and realtime events are one app."""

from markupsafe import Markup, escape

from .app import App
from .blueprint import Blueprint
from .config import Config
from .context import (
    after_this_request,
    copy_current_request_context,
    current_app,
    g,
    has_app_context,
    has_request_context,
    request,
    session,
)
from .files import send_file, send_from_directory
from .flashing import flash, get_flashed_messages
from .json import jsonify
from .responses import abort, make_response, redirect
from .streaming import stream_with_context
from .templating import (
    get_template_attribute,
    render_template,
    render_template_string,
    stream_template,
    stream_template_string,
)
from .urls import url_for
from .views import MethodView, View
from .wrappers import Request, Response

# As the original called them in its first weeks; see first_weeks.py.
Flask = App
FlaskRequest = Request
FlaskResponse = Response

__all__ = [
    "App",
    "Blueprint",
    "Config",
    "Markup",
    "MethodView",
    "Request",
    "Response",
    "View",
    "abort",
    "after_this_request",
    "copy_current_request_context",
    "current_app",
    "escape",
    "flash",
    "g",
    "get_flashed_messages",
    "get_template_attribute",
    "has_app_context",
    "has_request_context",
    "jsonify",
    "make_response",
    "redirect",
    "render_template",
    "render_template_string",
    "request",
    "send_file",
    "send_from_directory",
    "session",
    "stream_template",
    "stream_template_string",
    "stream_with_context",
    "url_for",
]
