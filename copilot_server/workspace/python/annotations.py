"""The class that an annotation means."""

from __future__ import annotations

import re

_OPTIONAL = re.compile(r"(?:typing\.|t\.)?(?:Optional|Final|ClassVar|Annotated|Required|NotRequired)\[(.*)\]")
_NAME = re.compile(r"[A-Za-z_][\w.]*")


def class_named(type_: str) -> str:
    """Return the name of the one class that an annotation means, ``None`` aside; "" if there is none."""
    type_ = type_.strip().strip("\"'").strip()
    while found := _OPTIONAL.fullmatch(type_):
        type_ = found[1].strip().strip("\"'")
    parts = [one.strip() for one in type_.split("|") if one.strip() != "None"]
    if len(parts) != 1:
        return ""
    named = _NAME.match(parts[0])
    rest = parts[0][named.end() :] if named else parts[0]
    return named[0] if named and (not rest or rest.startswith("[")) else ""
