"""Golden cases of the filters: reading them, and checking a filter against one."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from copilot_server.completion.filters.draft import Draft, Filter
from copilot_server.completion.filters.order import FILTERS, QUIET_FILTERS, apply_filters
from copilot_server.completion.scope.scope import situation_at
from copilot_server.context.document import Cursor
from tests.support.cursor_text import cursor_in, drawn
from tests.support.paths import TESTS

GOLDEN = TESTS / "golden" / "filters"
LANGUAGES = GOLDEN / "languages"
BY_NAME: dict[str, Filter] = {apply.__name__: apply for apply in (*FILTERS, *QUIET_FILTERS)}


def cases_of(path: Path) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))["case"]
    return cases


def golden(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Call a test with each ``case`` of the filter ``name``."""
    cases = [pytest.param(case, id=case["name"]) for case in cases_of(GOLDEN / f"{name}.toml")]
    return pytest.mark.parametrize("case", cases)


def check(name: str, case: dict[str, Any], language: str = "python") -> None:
    """Assert that the filter ``name``, or all filters in order for "all", give what the case expects."""
    cursor = cursor_in(case["document"], case.get("language", language))
    start = len(case.get("cell_starts_after", ""))
    cursor = replace(cursor, document=replace(cursor.document, start=start))
    situation, finish_reason = situation_at(cursor), case.get("finish_reason", "stop")
    if name == "all":
        draft = apply_filters(case["model"], situation, finish_reason)
    else:
        draft = BY_NAME[name](Draft(case["model"], case.get("replaced", 0), finish_reason), situation)
    assert (draft is None) == case.get("dropped", False)
    if draft is not None:
        assert accepted(cursor, draft) == case["shows"]
        is_unchanged = (draft.text, draft.replaced) == (case["model"], case.get("replaced", 0))
        assert is_unchanged == case.get("unchanged", False)


def accepted(cursor: Cursor, draft: Draft) -> str:
    """Draw the document as it is after the draft is accepted."""
    text = cursor.prefix + draft.text + cursor.suffix[draft.replaced :]
    return drawn(text, cursor.offset + len(draft.text))
