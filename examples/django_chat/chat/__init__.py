"""The smallest Django project with a chat in it."""
