"""Suggestions that use names which the workspace knows not to exist are not shown."""

from __future__ import annotations

from collections.abc import Iterable

from copilot_server.completion.filters.draft import Draft, Filter, lexed
from copilot_server.completion.filters.end_line_of_gap import end_line_of_gap
from copilot_server.completion.filters.fit_gap import fit_gap
from copilot_server.completion.filters.match_line_ends import match_line_ends
from copilot_server.completion.filters.replace_line_suffix import replace_line_suffix
from copilot_server.completion.filters.strip_blank_end import strip_blank_end
from copilot_server.completion.filters.unify_line_ends import unify_line_ends
from copilot_server.completion.scope.scope import Situation
from copilot_server.completion.types import Candidate, CompletionRequest
from copilot_server.workspace.types import NameSource

#: The filters on which the end of a text has a bearing.
_AFTER_CUT: tuple[Filter, ...] = (
    unify_line_ends,
    fit_gap,
    replace_line_suffix,
    strip_blank_end,
    end_line_of_gap,
    match_line_ends,
)


def with_known_names(
    request: CompletionRequest, situation: Situation, candidates: Iterable[Candidate]
) -> tuple[tuple[Candidate, ...], str]:
    """Cut candidates before the line that uses a name which does not exist.

    Returns:
        The candidates, with an empty text where the first line uses such a name; and the first such name for
        which nothing is left of a candidate, "" for none.
    """
    names: object = request.workspace
    missing = ""
    kept: list[Candidate] = []
    if not isinstance(names, NameSource):
        return tuple(candidates), ""
    for candidate in candidates:
        found = (
            names.missing_name(request.cursor, candidate.text, candidate.replaced) if candidate.text else None
        )
        if found is None:
            kept.append(candidate)
            continue
        draft = _cut(candidate, found.offset, situation)
        missing = missing or ("" if draft else found.name)
        kept.append(candidate.rewritten(draft.text, draft.replaced) if draft else candidate.rewritten("", 0))
    return tuple(kept), missing


def _cut(candidate: Candidate, offset: int, situation: Situation) -> Draft | None:
    """Return the whole lines before an offset; None if there are none."""
    starts = [start for start in lexed(candidate.text, situation).lines if start <= offset]
    draft: Draft | None = Draft(candidate.text[: starts[-1]], 0, "length") if starts else None
    for apply in _AFTER_CUT:
        draft = apply(draft, situation) if draft is not None and draft.text.strip() else None
    return draft
