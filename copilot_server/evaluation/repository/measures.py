"""The measures of one answer, and the features of the cursor that a gate may be fitted on."""

from __future__ import annotations

import re
from typing import Any

from rapidfuzz import fuzz

from copilot_server.completion.scope.scope import situation_at
from copilot_server.context.indentation import column_of
from copilot_server.evaluation.repository.lines import resulting_rest
from copilot_server.evaluation.repository.types import Answer, Context, Outcome, RepositoryTask

_OPEN_BRACKET = re.compile(r"[(\[{][ \t]*\Z")
_COMMENT = re.compile(r"\s*(?:#|//|/\*)")


def outcome(task: RepositoryTask, answer: Answer, context: Context) -> Outcome:
    """Compare an answer with what stands in the file."""
    result = resulting_rest(answer.text, answer.replaced, task.cursor.line_suffix)
    wanted = task.rest_of_line
    whole = task.line_prefix + result
    return Outcome(
        context=context,
        answer=answer,
        exact=answer.shown and result == wanted,
        right=bool(answer.text) and result == wanted,
        similarity=_similarity(result, wanted) if answer.shown else 0.0,
        similarity_all=_similarity(_all(task, answer), task.removed.rstrip()) if answer.shown else 0.0,
        comment_in_bracket=answer.shown
        and bool(_OPEN_BRACKET.search(task.line_prefix))
        and bool(_COMMENT.match(answer.text)),
        repeats_line_above=answer.shown and whole.strip() == _line_above(task),
    )


def features(task: RepositoryTask) -> dict[str, Any]:
    """Return what is known of the cursor before the model is asked."""
    cursor = task.cursor
    before, situation = cursor.line_prefix, situation_at(cursor)
    context = situation.context
    last = before[-1:]
    return {
        "scope": situation.scope,
        "position": context.position if context else "",
        "last": last,
        "after_bracket": bool(_OPEN_BRACKET.search(before)),
        "after_dot": last == ".",
        "after_word": bool(last) and (last.isalnum() or last == "_"),
        "after_blank": last.isspace(),
        "at_line_start": not before.strip(),
        "in_string": bool(situation.state.quote),
        "in_comment": situation.state.in_comment,
        "open_brackets": len(situation.state.brackets),
        "line_length": len(before),
        "indentation": column_of(before),
        "closers_after": len(cursor.line_suffix.strip()),
        "document_length": len(cursor.document.text),
        "lines_above": task.line - 1,
    }


def _similarity(one: str, other: str) -> float:
    """Return rapidfuzz's ratio from 0 to 1, as CrossCodeEval's edit similarity (arXiv 2310.11248)."""
    return fuzz.ratio(one, other) / 100


def _all(task: RepositoryTask, answer: Answer) -> str:
    if "\n" in answer.text:
        return answer.text.rstrip()
    return resulting_rest(answer.text, answer.replaced, task.cursor.line_suffix)


def _line_above(task: RepositoryTask) -> str:
    lines = task.prefix[: len(task.prefix) - len(task.line_prefix)].splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
