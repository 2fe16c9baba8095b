"""What tests of an application need: a client without a network, and a clock. The pytest fixtures are in `plugin`."""

from .client import TestClient
from .clock import Clock

__all__ = ["Clock", "TestClient"]
