"""What python-socketio and Flask-SocketIO need to run on syncio's engine; nothing here is needed for anything else."""

from .install import install

__all__ = ["install"]
