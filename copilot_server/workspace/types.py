"""The plain values that pass from a workspace to prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from copilot_server.context.document import Cursor

Kind = Literal["definition", "similar", "edited"]


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of another file that helps to complete at a cursor.

    ``path``: the file, relative to its workspace folder, with forward slashes. ``text``: whole lines of code
    with line feeds between them and none at the end. ``score``: how useful it is likely to be. ``is_stable``:
    it does not depend on the cursor's line, so that it stays the same while somebody types there. ``kind``:
    the head of a definition, code that is like that around the cursor, or what was edited last.
    """

    path: str
    text: str
    score: float
    is_stable: bool = True
    kind: Kind = "definition"


class SnippetSource(Protocol):
    """Where the planner of a completion finds the code of other files."""

    def snippets(self, cursor: Cursor) -> tuple[Snippet, ...]:
        """Return what helps at ``cursor``; often nothing.

        The stable snippets come first, in an order that depends on the text outside of the cursor's line
        only. Those that the cursor's line adds follow; a name that is typed there adds some at the end.
        It takes a few milliseconds at most and is safe to call from any thread.
        """
        ...


@dataclass(frozen=True, slots=True)
class MissingName:
    """A name in a suggestion that does not exist, ``offset`` code points from the suggestion's start."""

    name: str
    offset: int


@runtime_checkable
class NameSource(Protocol):
    """Where the pipeline finds out which names do not exist."""

    def missing_name(self, cursor: Cursor, text: str, replaced: int) -> MissingName | None:
        """Return the first name in ``text`` that certainly does not exist where the text uses it.

        ``text`` would be inserted at ``cursor`` in place of the ``replaced`` code points that follow. The
        answer takes a few milliseconds at most. It is safe to ask from any thread.
        """
        ...
