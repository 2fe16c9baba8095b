"""What encodes and decodes."""

from syncio.web.json import JSONProvider as DefaultJSONProvider

__all__ = ["DefaultJSONProvider"]
