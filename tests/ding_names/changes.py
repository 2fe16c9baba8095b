"""What is put differently in DI-engine's tests before they run: what, how, and why."""

from __future__ import annotations

from tests.flask_names.changes import Change

__all__ = ["CHANGES"]

ERROR = Change(
    r"from requests import HTTPError",
    "from ...base.network import HTTPError",
    "requests go through http.client, and what they raise is not of the library `requests`",
)

CHANGES = {
    "base/test_network.py": [
        ERROR,
        Change(
            r"app\.run\(host='0\.0\.0\.0', port=_APP_PORT\)",
            "stoppable.serve(app, '0.0.0.0', _APP_PORT)",
            "an app of Flask 3 cannot be stopped by a view of its own, which the test does at its end",
        ),
        Change(r"import responses\n", "import responses\nimport stoppable\n", "it is used above"),
    ],
    "interaction/test_simple.py": [ERROR],
}
"""By the files' names in `ding/interaction/tests`."""
