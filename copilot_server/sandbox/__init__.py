"""Runs programs that nobody has read in a sandbox, and reports whether they passed."""

from copilot_server.sandbox.host import Sandbox, open_sandbox
from copilot_server.sandbox.types import Check, Limits, Program, ProgramResult, Refusal

__all__ = ["Check", "Limits", "Program", "ProgramResult", "Refusal", "Sandbox", "open_sandbox"]
