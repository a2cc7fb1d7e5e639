"""Describes a program's failure in a few words.

This module runs inside the sandbox and imports only the standard library.
"""

from __future__ import annotations

import ast
import traceback
from collections.abc import Iterable
from types import FrameType

MAX_CHARACTERS = 500


def describe(error: BaseException, sources: dict[str, str]) -> str:
    """Return the error's type and message; for an assert without a message, the assert itself.

    ``sources``: the program's texts, by the file names under which they were compiled.
    """
    name = type(error).__name__
    try:
        message = str(error) or (_failed_line(error, sources) if isinstance(error, AssertionError) else "")
    except BaseException:  # noqa: BLE001 - the program's own __str__ can do anything
        message = ""
    # A class may have an empty name, and an empty description would mean that the program passed.
    return (f"{name}: {message}" if message else name or "an error without a name")[:MAX_CHARACTERS]


def _failed_line(error: BaseException, sources: dict[str, str]) -> str:
    """Return the innermost line of the program that the error came through."""
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        if frame.f_code.co_filename in sources:
            return sources[frame.f_code.co_filename].splitlines()[number - 1].strip()
    return ""


def statement(frames: Iterable[tuple[FrameType, int]], name: str, source: str) -> str:
    """Return the statement at which the first frame of ``source``, compiled as ``name``, stands."""
    line = next((number for frame, number in frames if frame.f_code.co_filename == name), 0)
    around = [
        node
        for node in (ast.walk(ast.parse(source)) if line else ())
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    innermost = max(around, key=lambda node: (node.lineno, node.col_offset), default=None)
    return (ast.get_source_segment(source, innermost) or "")[:MAX_CHARACTERS] if innermost else ""
