"""What ``model = "auto"`` chooses, for commands that show it or fetch it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from copilot_server.config import Settings
    from copilot_server.engine.model_choice.choice import ModelChoice


def choose_here(settings: Settings | None = None) -> ModelChoice:
    """Choose for the settings, by default those of the file; the machine may first be measured, in seconds.

    Raises:
        ConfigError: the settings file is wrong.
        DeviceError: the device that the settings name is not available.
    """
    from copilot_server.config import load_settings  # noqa: PLC0415
    from copilot_server.engine.model_choice import auto  # noqa: PLC0415

    return auto.choose_here(settings or load_settings(None, {}), _Notes())


class _Notes:
    """Progress of which only the notes are shown, on stderr."""

    def start(self, description: str, total_bytes: int) -> None:
        """Show nothing."""

    def advance(self, count_bytes: int) -> None:
        """Show nothing."""

    def note(self, message: str) -> None:
        """Print a line."""
        typer.echo(message, err=True)
