"""Declaring flags on the fields of a dataclass."""

from __future__ import annotations

from dataclasses import dataclass

from copilot_server.flags import flag, flags_of


@dataclass(frozen=True)
class Options:
    first: int = flag(default=1, help="The first.", name="--first", minimum=0)
    second: tuple[int, ...] = flag(default=(), help="The second.", name="--second", kind=str, absent=None)
    third: str = "not a flag"


def test_a_flag_is_a_field_with_a_default():
    assert Options() == Options(first=1, second=(), third="not a flag")


def test_flags_are_found_in_order():
    first, second = flags_of(Options)
    assert (first[0].name, first[1].name, first[1].help, first[1].minimum) == (
        "first",
        "--first",
        "The first.",
        0,
    )
    assert (second[0].name, second[1].kind) == ("second", str)


def test_the_default_on_the_command_line_is_that_of_the_field_unless_declared():
    first, second = flags_of(Options)
    assert first[1].default == 1
    assert second[1].default is None
