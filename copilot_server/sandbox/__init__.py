"""Runs programs that nobody has read, and says whether they passed."""

from copilot_server.sandbox.host import Sandbox, open_sandbox
from copilot_server.sandbox.types import Check, Limits, Program, ProgramResult, Refusal

__all__ = ["Check", "Limits", "Program", "ProgramResult", "Refusal", "Sandbox", "open_sandbox"]
