"""Flask's names for `syncio.web`, and what its tests need: with this folder on the path, `import flask` is it."""
