"""Which pieces of other files go into a prompt, in which order, and how long they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from copilot_server.workspace.summary import Definition
from copilot_server.workspace.types import Snippet


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is selected, in code points.

    ``total``: all definitions together. ``stable``: those that do not depend on the cursor's line. ``one``: a
    snippet. ``minor``: one with a score under ``major_score``. ``part``: one of which the cursor's line names
    a part. ``reserve``: kept free for what the line calls. ``threshold``: the least score of a snippet.
    ``similar``: code that is like that around the cursor, on top of the total; 0 for none.
    ``edited``: what was edited last, on top of that too.

    As comments, 950 code points of Python have about 300 tokens (Qwen2.5), which is the room in a prompt of
    1,024. More would push out what comes last, and that is what the line calls.
    """

    total: int = 950
    stable: int = 500
    one: int = 350
    minor: int = 180
    part: int = 250
    reserve: int = 200
    similar: int = 400
    edited: int = 250
    threshold: float = 1.0
    major_score: float = 1.5


@dataclass(slots=True)
class Use:
    """What is known of the uses of a definition: their highest worth, and the members that are named."""

    definition: Definition
    position: int
    worth: float = 0.0
    members: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A piece of a file that may be selected.

    ``key``: what it is, so that nothing is selected twice. ``order``: where it stands among the others.
    ``render``: returns its text with at most the given length; "" if it cannot be so short. ``is_called``:
    the cursor's line names just this, and not only what it is a part of. ``is_outside``: it is not of the
    workspace, and comes after what is worth as much and is.
    """

    key: tuple[str, ...]
    path: str
    score: float
    order: tuple[str, int]
    render: Callable[[int], str]
    is_called: bool = False
    is_outside: bool = False


def select(candidates: Iterable[Candidate], limits: Limits) -> tuple[Snippet, ...]:
    """Choose the candidates with the highest scores that fit, in the order of their files.

    A small change of the text around the cursor changes the scores more often than the choice, and the order
    of the files never.
    """
    ranked = sorted(candidates, key=lambda one: (-one.score, one.is_outside, one.order))
    chosen, left, seen = [], limits.stable, set()
    for one in ranked:
        if one.score < limits.threshold or one.key in seen:
            continue
        seen.add(one.key)
        text = one.render(min(left, limits.one if one.score >= limits.major_score else limits.minor))
        if text:
            left -= len(text)
            chosen.append((one.order, Snippet(one.path, text, one.score)))
    return tuple(snippet for _, snippet in sorted(chosen, key=lambda pair: pair[0]))


def append(chosen: Sequence[Snippet], candidates: Iterable[Candidate], limits: Limits) -> tuple[Snippet, ...]:
    """Return what the cursor's line adds to the ``chosen`` snippets, in the order of the line."""
    left = limits.total - sum(len(one.text) for one in chosen)
    shown = {(one.path, one.text) for one in chosen}
    added: list[Snippet] = []
    for one in candidates:
        room = left if one.is_called and not one.is_outside else left - limits.reserve
        text = one.render(min(room, limits.one if one.is_called else limits.minor))
        if text and one.score >= limits.threshold and (one.path, text) not in shown:
            shown.add((one.path, text))
            left -= len(text)
            added.append(Snippet(one.path, text, one.score, is_stable=False))
    return tuple(added)
