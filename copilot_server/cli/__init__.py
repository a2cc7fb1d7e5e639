"""The command line."""

from copilot_server.cli.main import main

__all__ = ["main"]
