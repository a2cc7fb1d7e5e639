"""Reads as much of Markdown, as GitHub renders it, as the tests of the guides need."""

from __future__ import annotations

import re

_FENCED = re.compile(r"^[ \t]*```(\w*)\n(.*?)^[ \t]*```[ \t]*$", re.MULTILINE | re.DOTALL)


def code_blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of ``language``."""
    return [block for found, block in _FENCED.findall(text) if found == language]


def without_code(text: str) -> str:
    """Return the text without code, whether in fences or within a line."""
    return re.sub(r"`[^`\n]*`", "", _FENCED.sub("", text))


def links(text: str) -> list[str]:
    """Return the targets of links and images."""
    return re.findall(r"\]\(([^)\s]+)\)", without_code(text))


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", _FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
