"""The filters in their order, with the reasons for it."""

from __future__ import annotations

from copilot_server.completion.filters.cut_at_scope_end import cut_at_scope_end
from copilot_server.completion.filters.cut_markdown_fences import cut_markdown_fences
from copilot_server.completion.filters.cut_repeated_suffix import cut_repeated_suffix
from copilot_server.completion.filters.cut_repetition import cut_repetition
from copilot_server.completion.filters.cut_unwanted_comments import cut_unwanted_comments
from copilot_server.completion.filters.draft import Draft, Filter
from copilot_server.completion.filters.drop_closers import drop_closers
from copilot_server.completion.filters.drop_repeated_context import drop_repeated_context
from copilot_server.completion.filters.drop_repeated_line import drop_repeated_line
from copilot_server.completion.filters.drop_unfinished_line import drop_unfinished_line
from copilot_server.completion.filters.end_line_of_gap import end_line_of_gap
from copilot_server.completion.filters.fit_cell import fit_cell
from copilot_server.completion.filters.fit_deeper_line import fit_deeper_line
from copilot_server.completion.filters.fit_gap import fit_gap
from copilot_server.completion.filters.match_indentation import match_indentation
from copilot_server.completion.filters.match_line_ends import match_line_ends
from copilot_server.completion.filters.replace_line_suffix import replace_line_suffix
from copilot_server.completion.filters.strip_blank_end import strip_blank_end
from copilot_server.completion.filters.unify_line_ends import unify_line_ends
from copilot_server.completion.scope.scope import Situation
from copilot_server.engine.base import FinishReason

FILTERS: tuple[Filter, ...] = (
    # The other filters split lines at line feeds.
    unify_line_ends,
    # Before the scope is cut: a fence would be the line that ends it.
    cut_markdown_fences,
    # Before anything is compared with the document, which is indented in its own way.
    match_indentation,
    # Before the scope is cut: the first line says where the scope ends.
    fit_cell,
    # Before the scope is cut: what the model wrote after a gap shows whether it saw the gap's end.
    fit_gap,
    # Before the other cuts: what lies outside the scope does not concern them.
    cut_at_scope_end,
    # Before lines are compared: half a line equals none.
    drop_unfinished_line,
    # Before the text is compared with what is around it: one round may be all that is left.
    cut_repetition,
    drop_repeated_context,
    cut_repeated_suffix,
    # After lines that stand below already are cut: the header before them may be what is left.
    fit_deeper_line,
    # After the cuts, once the end of the text is known.
    replace_line_suffix,
    # After the cuts, which may leave blanks.
    strip_blank_end,
    # After blanks are stripped: the line end that this adds is to stay.
    end_line_of_gap,
    # Last: all others look for line feeds.
    match_line_ends,
)

#: What is correct and still not worth an interruption. A user who has asked for a suggestion is shown it if
#: there is no other, and benchmarks score what precedes these filters.
QUIET_FILTERS: tuple[Filter, ...] = (
    # Before lines are compared: a line with a comment at its end equals none.
    cut_unwanted_comments,
    drop_repeated_line,
    # Last: closers may be all that the others leave.
    drop_closers,
)


def apply_filters(text: str, situation: Situation, finish_reason: FinishReason) -> Draft | None:
    """Pass ``text`` through ``FILTERS``; return None if nothing is left to show."""
    return _apply(FILTERS, Draft(text, 0, finish_reason), situation)


def apply_quiet_filters(draft: Draft, situation: Situation) -> Draft | None:
    """Pass what ``apply_filters`` returned through ``QUIET_FILTERS``; return None if nothing is left."""
    return _apply(QUIET_FILTERS, draft, situation)


def _apply(filters: tuple[Filter, ...], draft: Draft | None, situation: Situation) -> Draft | None:
    for apply in filters:
        if draft is None:
            return None
        draft = apply(draft, situation)
    return draft
