"""The original of `syncio.interaction`, which is DI-engine's `ding.interaction`, as a peer in a process of its own."""
