"""The classes of the standard library that are known as bases of the workspace's classes."""

from __future__ import annotations

import builtins
import enum
from functools import cache

#: Modules whose classes may be known.
KNOWN_MODULES = frozenset({"abc", "typing", "typing_extensions", "enum"})
#: Classes without any names beside those of ``object``.
WITHOUT_NAMES = frozenset({"ABC", "Generic", "Protocol", "object"})
_RECORD = frozenset({"_asdict", "_replace", "_make", "_fields", "_field_defaults", *dir(tuple)})


@cache
def known_names(name: str) -> frozenset[str] | None:
    """Return the names of a class of the standard library that may be a base; None if it is not known."""
    if name in WITHOUT_NAMES:
        return frozenset(dir(object))
    if name == "NamedTuple":
        return _RECORD
    if name == "TypedDict":
        return frozenset(dir(dict))
    found = getattr(enum, name, None) if name in enum.__all__ else getattr(builtins, name, None)
    if not isinstance(found, type):
        return None
    meta = dir(enum.EnumMeta) if issubclass(found, enum.Enum) else ()
    more = ("name", "value", "_name_", "_value_", "_ignore_", "_missing_", "_sunder_") if meta else ()
    return frozenset({*dir(found), *meta, *more})
