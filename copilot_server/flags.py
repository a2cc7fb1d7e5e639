"""Command-line flags that are declared on the fields of a dataclass, each in one place.

A field declared with ``flag`` has its name, type, default and help text there. ``copilot_server.cli.flags``
turns the fields into flags of the command line, and what the user gave into an instance of the dataclass.
Nothing slow is imported here, so that ``--help`` stays fast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from typing import Any

_KEY = "flag"
_SAME: Any = object()


@dataclass(frozen=True, slots=True)
class Flag:
    """How a field appears on the command line.

    Attributes:
        help: the text that ``--help`` shows.
        name: such as ``--json``.
        default: the value if the flag is absent from the command line.
        panel: the heading under which ``--help`` shows it.
        metavar: the placeholder for its value in ``--help``.
        minimum: the smallest number that is accepted.
        maximum: the largest number that is accepted.
        kind: the type of the value on the command line; None if it is the field's.
        convert: converts the value on the command line to the field's.
    """

    help: str
    name: str
    default: Any
    panel: str | None
    metavar: str | None
    minimum: float | None
    maximum: float | None
    kind: Any
    convert: Callable[[Any], Any] | None


def flag(  # noqa: PLR0913 - one argument for each property of a flag
    *,
    default: Any,  # noqa: ANN401 - of the field's type
    help: str,  # noqa: A002 - as argparse and typer call it
    name: str,
    panel: str | None = None,
    metavar: str | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    kind: Any = None,  # noqa: ANN401 - a type
    absent: Any = _SAME,  # noqa: ANN401 - of the type ``kind``
    convert: Callable[[Any], Any] | None = None,
) -> Any:  # noqa: ANN401 - as dataclasses.field
    """Declare a field of a dataclass that is also a flag.

    ``default`` is the field's. The flag has the same default, unless ``absent`` says otherwise.
    """
    shown = default if absent is _SAME else absent
    details = Flag(help, name, shown, panel, metavar, minimum, maximum, kind, convert)
    return field(default=default, metadata={_KEY: details})


def flags_of(declared: type) -> list[tuple[Field[Any], Flag]]:
    """Return the fields of a dataclass that were declared with ``flag``, in order."""
    return [(one, one.metadata[_KEY]) for one in fields(declared) if _KEY in one.metadata]
