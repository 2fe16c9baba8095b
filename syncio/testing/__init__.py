"""What tests of an application need: a client without a network. The pytest fixtures are in `plugin`."""

from .client import TestClient

__all__ = ["TestClient"]
