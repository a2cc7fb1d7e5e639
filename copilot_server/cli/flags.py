"""Flags of the command line, made from the fields of dataclasses; see ``copilot_server.flags``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from copilot_server.errors import ConfigError
from copilot_server.flags import Flag, flags_of

#: The flags of a command with what the user gave, by the names of their fields.
Given = Mapping[str, Any]

_T = TypeVar("_T")


def takes_flags(
    *declared: type, only: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the flags of dataclasses, or ``only`` some of them.

    The command gets them as one mapping, its argument ``given``.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        every = [one for group in declared for one in _parameters(group)]
        flags = [one for one in every if not only or one.name in only]
        names = {one.name for one in flags}

        @functools.wraps(command)
        def call(**values: Any) -> None:  # noqa: ANN401 - the command has types for its own
            given = {name: values.pop(name) for name in names}
            command(given=given, **values)

        own = inspect.signature(command, eval_str=True).parameters.values()
        kept = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own if one.name != "given"]
        signature = inspect.Signature([*flags, *kept])
        # Typer reads the flags from the signature.
        vars(call)["__signature__"] = signature
        call.__annotations__ = {one.name: one.annotation for one in signature.parameters.values()}
        return call

    return decorate


def names_of(declared: type) -> list[str]:
    """Return the names of the fields of a dataclass that are flags."""
    return [field.name for field, _ in flags_of(declared)]


def build(declared: type[_T], given: Given) -> _T:
    """Return an instance of a dataclass with what the user gave.

    Raises:
        ConfigError: a value cannot be converted.
    """
    values = {}
    for field, flag in flags_of(declared):
        value = given[field.name]
        values[field.name] = flag.convert(value) if flag.convert else value
    return declared(**values)


def refuse(context: typer.Context, names: Iterable[str], why: str) -> None:
    """Refuse flags that were given and would have no effect.

    Raises:
        ConfigError: names the first of them.
    """
    refused = set(names)
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name in refused and source is not None and source.name == "COMMANDLINE":
            raise ConfigError(f"{option.opts[0]} {why}.", remedy="Leave it out, or see --help.")


def _parameters(declared: type) -> Iterator[inspect.Parameter]:
    kinds = get_type_hints(declared)
    for field, flag in flags_of(declared):
        kind = kinds[field.name] if flag.kind is None else flag.kind
        yield inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=flag.default,
            annotation=Annotated[kind, _option(flag)],
        )


def _option(flag: Flag) -> Any:  # noqa: ANN401 - typer gives no type for it
    return typer.Option(
        flag.name,
        help=flag.help,
        metavar=flag.metavar,
        min=flag.minimum,
        max=flag.maximum,
        rich_help_panel=flag.panel,
    )
