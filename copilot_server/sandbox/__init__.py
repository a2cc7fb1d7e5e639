"""Runs programs that nobody has read, and says whether they passed."""

from copilot_server.sandbox.host import Sandbox, open_sandbox
from copilot_server.sandbox.types import Limits, ProgramResult

__all__ = ["Limits", "ProgramResult", "Sandbox", "open_sandbox"]
