"""Flags that are declared on dataclasses, on a command line of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
import typer
from typer.testing import CliRunner

from copilot_server.cli.flags import Given, build, names_of, refuse, takes_flags
from copilot_server.errors import ConfigError
from copilot_server.flags import flag


@dataclass(frozen=True)
class Paint:
    colour: Literal["red", "blue"] = flag(default="red", help="The colour.", name="--colour")
    coats: int = flag(default=1, help="How often to paint.", name="--coats", minimum=1, maximum=3)
    dry: bool = flag(default=False, help="Let it dry.", name="--dry")
    walls: tuple[str, ...] = flag(
        default=("north",),
        help="The walls.",
        name="--wall",
        kind=list[str] | None,
        absent=None,
        convert=lambda given: tuple(given or ("north",)),
    )
    note: str = "not a flag"


def command_line(*only: str) -> tuple[typer.Typer, list[object]]:
    calls: list[object] = []
    app = typer.Typer()

    @app.command()
    @takes_flags(Paint, only=only)
    def paint(
        context: typer.Context, *, given: Given, loud: Annotated[bool, typer.Option("--loud")] = False
    ) -> None:
        if loud:
            refuse(context, ["dry"], "is not for --loud")
        calls.append(dict(given) if only else build(Paint, given))

    return app, calls


def run(*arguments: str, only: tuple[str, ...] = ()) -> tuple[object, str]:
    app, calls = command_line(*only)
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "100", "NO_COLOR": "1"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return calls[0] if calls else None, result.output


def test_what_is_not_given_has_the_defaults_of_the_dataclass():
    assert run() == (Paint(), "")


def test_what_is_given_is_converted():
    painted, _ = run("--colour", "blue", "--coats", "2", "--dry", "--wall", "east", "--wall", "west")
    assert painted == Paint("blue", 2, True, ("east", "west"))


@pytest.mark.parametrize(
    "arguments", [("--coats", "4"), ("--colour", "grey"), ("--note", "x"), ("--no-dry",)]
)
def test_what_is_wrong_is_refused(arguments: tuple[str, ...]):
    painted, output = run(*arguments)
    assert painted is None
    assert arguments[0] in output


def test_help_shows_the_declarations():
    _, output = run("--help")
    for text in ("--colour", "The colour.", "[default: red]", "1<=x<=3", "--wall", "Let it dry.", "--loud"):
        assert text in output


def test_a_command_can_take_some_of_the_flags():
    assert run("--coats", "3", only=("coats", "dry")) == ({"coats": 3, "dry": False}, "")
    assert run("--wall", "east", only=("coats", "dry"))[0] is None


def test_flags_without_effect_are_refused_if_they_were_given():
    with pytest.raises(ConfigError, match="--dry is not for --loud"):
        run("--dry", "--loud")
    assert run("--loud")[0] == Paint()


def test_names_are_those_of_the_fields_that_are_flags():
    assert names_of(Paint) == ["colour", "coats", "dry", "walls"]
