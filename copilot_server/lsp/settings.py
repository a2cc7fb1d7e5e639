"""The settings of one editor: the file's and the flags', with the editor's own between them."""

from __future__ import annotations

from collections.abc import Mapping

from copilot_server.config import Settings, apply_flags, merge_client_settings


class ClientSettings:
    """What holds now. Flags win over the editor, whenever it speaks; a newer word of its replaces an older.

    What ``initialize`` brings stays: many editors follow it with a didChangeConfiguration that is empty.
    """

    def __init__(self, settings: Settings, flags: Mapping[str, object]) -> None:
        self._base = settings
        self._flags = flags
        self.current = settings

    def initialize(self, options: object) -> list[str]:
        """Take initializationOptions; returns a message for each that is wrong."""
        self._base, problems = merge_client_settings(self._base, options)
        self.current = apply_flags(self._base, self._flags)
        return problems

    def change(self, options: object) -> list[str]:
        """Take the settings of a didChangeConfiguration; returns a message for each that is wrong."""
        changed, problems = merge_client_settings(self._base, options)
        self.current = apply_flags(changed, self._flags)
        return problems
