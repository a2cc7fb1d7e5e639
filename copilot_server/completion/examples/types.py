"""The values of examples: what a document says that a function gives, and what a candidate gave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

#: Where an example was read: a doctest, a comparison (``f(2) == 4``), a sentence (``f(2) returns 4``), named
#: inputs with their output, or an assertion in the code of the module.
Kind = Literal["doctest", "comparison", "sentence", "input and output", "assertion"]

#: What a step must give: a value, a printed text, or an exception's last line.
Form = Literal["value", "text", "error"]

Outcome = Literal["passed", "failed", "not checked"]


def together(outcomes: Iterable[Outcome]) -> Outcome:
    """Say what several examples say: one that fails decides, and one that passes over those not checked."""
    seen = set(outcomes)
    if "failed" in seen:
        return "failed"
    return "passed" if "passed" in seen else "not checked"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a step must give, as text.

    ``text`` is the source of a plain value, what is printed, or the last lines of a traceback. ``tolerance``
    is how far a number may be from the one in the text, which shows that it is rounded. ``flags`` are
    doctest's option flags.
    """

    form: Form
    text: str
    tolerance: float = 0.0
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a session.

    ``is_expression``: whether the value is taken; otherwise what an interpreter would print. ``calls``:
    whether what it does depends on the function. ``wanted`` is None where it only prepares later steps.
    ``shown`` is how the document shows the example that it is; empty if it is none.
    """

    source: str
    line: int
    calls: bool
    wanted: Wanted | None = None
    is_expression: bool = False
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """Steps that run in their order and share their variables."""

    kind: Kind
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One claim about a function: step ``step`` of session ``session`` gives what it must.

    ``line`` counts from 0. ``text`` is how the document shows it; escape it before showing it.
    """

    line: int
    text: str
    kind: Kind
    session: int
    step: int


@dataclass(frozen=True, slots=True)
class Examples:
    """The examples of the function at a cursor.

    ``function`` is its name, with those of its classes; empty if no function is there. ``start`` is the
    offset of its ``def``.
    """

    function: str = ""
    start: int = 0
    is_async: bool = False
    sessions: tuple[Session, ...] = ()
    examples: tuple[Example, ...] = ()

    def __iter__(self) -> Iterator[Example]:
        return iter(self.examples)

    def __len__(self) -> int:
        return len(self.examples)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text at the cursor of a document, in place of the first ``replaced`` code points after the cursor."""

    document_text: str
    offset: int
    text: str
    replaced: int = 0

    @property
    def document(self) -> str:
        """The document with the candidate in it."""
        return self.document_text[: self.offset] + self.text + self._after

    @property
    def _after(self) -> str:
        return self.document_text[self.offset + self.replaced :]

    @property
    def is_followed(self) -> bool:
        """Whether the function seems to have more lines below the cursor's, which may be unfinished."""
        below = self._after.partition("\n")[2].lstrip("\r\n")
        return below[:1] in {" ", "\t"} and bool(below.strip())


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an example with a candidate. ``detail`` says why it failed or was not checked.

    The detail comes from the program: escape it before showing it.
    """

    example: Example
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A verdict for each example, in their order."""

    verdicts: tuple[Verdict, ...]
    wall_s: float = 0.0

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self.verdicts)

    def of(self, outcome: Outcome) -> tuple[Verdict, ...]:
        """Return those with the outcome."""
        return tuple(one for one in self.verdicts if one.outcome == outcome)

    @property
    def passed(self) -> tuple[Verdict, ...]:
        """The examples that passed."""
        return self.of("passed")

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """The examples that failed."""
        return self.of("failed")

    @property
    def not_checked(self) -> tuple[Verdict, ...]:
        """The examples about which nothing can be said."""
        return self.of("not checked")

    @property
    def outcome(self) -> Outcome:
        """What they say together."""
        return together(one.outcome for one in self.verdicts)

    def summary(self) -> str:
        """Say what became of the examples, in a line; escape it before showing it."""
        total, failed = len(self.verdicts), self.failed
        if failed:
            return f"example `{failed[0].example.text}` fails: {failed[0].detail}"
        if not self.passed:
            reason = f": {self.not_checked[0].detail}" if total else ""
            return f"no example checked{reason}"
        verb = "passes" if total == 1 else "pass"
        left = f", {len(self.not_checked)} not checked" if self.not_checked else ""
        return f"{len(self.passed)} of {total} {'example' if total == 1 else 'examples'} {verb}{left}"
