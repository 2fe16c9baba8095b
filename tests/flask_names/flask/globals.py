"""What is current, under the names that Flask's tests look at."""

from werkzeug.local import LocalProxy

from syncio.web.context import _current as _cv_request
from syncio.web.context import current_context

__all__ = ["_cv_request", "request_ctx"]

request_ctx = LocalProxy(lambda: current_context(request=True))
"""False where there is no request."""
