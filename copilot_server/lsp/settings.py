"""The settings of one editor: the file's and the flags', with the editor's own between them."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve

from copilot_server.config import Settings, apply_flags, merge_client_settings

#: Many editors let a project's own files say what they send while they run: eglot takes it from
#: ``.dir-locals.el`` without a question. A repository must not send the source of who opens it elsewhere.
_NOT_NOW = (
    "`engine` and `remote` are taken from the settings file, from flags, and from initializationOptions, "
    "not from a configuration that the editor sends later: that may be a project's own."
)


class ClientSettings:
    """What holds now. Flags win over the editor, whenever it speaks; a newer word of its replaces an older.

    What ``initialize`` brings stays: many editors follow it with a didChangeConfiguration that is empty.
    Where source is sent is settled then.
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
        if (changed.engine, changed.remote) != (self._base.engine, self._base.remote):
            changed = evolve(changed, engine=self._base.engine, remote=self._base.remote)
            problems.append(_NOT_NOW)
        self.current = apply_flags(changed, self._flags)
        return problems
