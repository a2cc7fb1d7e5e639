"""What a document says that a function gives, and whether a candidate for its body gives it.

``read_examples`` reads the document alone. ``check`` runs a candidate in the sandbox; ``prepare`` makes the
program for those who run it themselves.
"""

from copilot_server.completion.examples.checking import Check, check, prepare
from copilot_server.completion.examples.reader import read_examples
from copilot_server.completion.examples.types import Candidate, Example, Examples, Verdict, Verdicts

__all__ = [
    "Candidate",
    "Check",
    "Example",
    "Examples",
    "Verdict",
    "Verdicts",
    "check",
    "prepare",
    "read_examples",
]
