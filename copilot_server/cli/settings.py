"""The flags that change settings: which model runs, where, and how it is prompted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from copilot_server.flags import flag

if TYPE_CHECKING:
    from copilot_server.cli.flags import Given
    from copilot_server.config import Settings

#: The setting that a flag changes, where it has another name.
_SETTINGS = {"protocol": "completion.protocol", "max_new_tokens": "completion.max_new_tokens"}
#: These flags are no settings.
_NOT_SETTINGS = ("config", "log_level")


@dataclass(frozen=True, slots=True)
class SettingsFlags:
    """The flags that a server and a self-test share. None stands for what the settings file says."""

    model: str | None = flag(
        default=None,
        help="A model's id, a hub's org/name, a folder or .gguf file as /path, ./path or ~/path, or auto: "
        "the largest model on this machine that is fast enough here.",
        name="--model",
        metavar="NAME",
    )
    engine: list[str] | None = flag(
        default=None,
        help="The URL of a remote engine that runs the model. Can be given more than once.",
        name="--engine",
        metavar="URL",
    )
    device: str | None = flag(
        default=None, help="The device that runs the model.", name="--device", metavar="auto|cuda|mps|cpu"
    )
    dtype: str | None = flag(
        default=None,
        help="The number format of the model's weights.",
        name="--dtype",
        metavar="auto|gguf|int8|bfloat16|...",
    )
    offline: bool | None = flag(
        default=None, help="Download nothing: the model must be on this machine.", name="--offline"
    )
    fetch: str | None = flag(
        default=None,
        help="Whether a server asks its editor before it fetches a model.",
        name="--fetch",
        metavar="ask|always",
    )
    protocol: str | None = flag(
        default=None,
        help="How the model is prompted.",
        name="--protocol",
        metavar="auto|fim|causal|chat-prefill",
    )
    max_new_tokens: int | None = flag(
        default=None, help="The maximum length of a suggestion.", name="--max-new-tokens", metavar="TOKENS"
    )
    config: Path | None = flag(
        default=None,
        help="Read this settings file instead of the usual one.",
        name="--config",
        metavar="FILE",
    )
    log_level: Literal["debug", "info", "warning", "error"] = flag(
        default="warning", help="The least severe messages that are logged to stderr.", name="--log-level"
    )


def overrides(given: Given) -> dict[str, Any]:
    """Return the settings that the user gave as flags, by their names in a settings file."""
    names = [name for name in SettingsFlags.__dataclass_fields__ if name not in _NOT_SETTINGS]
    changed = {_SETTINGS.get(name, name): given.get(name) for name in names}
    return {name: value for name, value in changed.items() if value is not None and value != []}


def load(given: Given) -> Settings:
    """Return the settings of the file, changed by the flags.

    Raises:
        ConfigError: the file or a flag is wrong.
    """
    from copilot_server.config import load_settings  # noqa: PLC0415

    return load_settings(given["config"], overrides(given))
