"""A local Copilot: a language server that completes code with a model on the user's own machine."""

from importlib.metadata import version

__version__ = version("copilot-server")
