"""What is put before the model, and what its answer is checked by, whatever the benchmark."""

from __future__ import annotations

from dataclasses import dataclass

from copilot_server.config import Protocol
from copilot_server.sandbox import Program


@dataclass(frozen=True, slots=True)
class Task:
    """One place to complete: the document is ``prefix + suffix``, the cursor between them.

    ``problem_id``: the problem that it was made from. Tasks of one problem are not independent, so intervals
    are taken over problems.
    ``setup``: trusted text that the test may use beside the solution, such as the helpers in a prompt.
    ``variant``: the part of its benchmark that it belongs to, as ``multi-line`` or ``CRLF``; scores are given
    for each.
    ``protocol``: how the model is asked; ``auto`` is as the settings say.
    """

    task_id: str
    problem_id: str
    prefix: str
    suffix: str
    canonical: str
    entry_point: str
    test: str
    setup: str = ""
    variant: str = ""
    protocol: Protocol = "auto"

    @property
    def uri(self) -> str:
        """The task as a document, ``humaneval:///HumanEval_0.py``."""
        return f"humaneval:///{self.task_id.replace('/', '_')}.py"

    def program(self, completion: str, replaced: int = 0) -> Program:
        """What checks a completion that is put in over the ``replaced`` code points after the cursor."""
        solution = f"{self.prefix}{completion}{self.suffix[replaced:]}"
        return Program(solution, self.test, self.entry_point, self.setup)
