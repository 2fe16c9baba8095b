"""DI-engine's names for `syncio.interaction`, and what its tests need: this folder is on their path."""
