"""WSGI applications that the tests run in real servers."""
