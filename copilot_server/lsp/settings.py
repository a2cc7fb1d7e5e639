"""The settings of one session: the settings file's, then the editor's, then the flags', which win."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve

from copilot_server.config import Settings, apply_flags, merge_client_settings

#: Many editors let a project's own files decide what they send while they run: eglot takes it from
#: ``.dir-locals.el`` without asking. A repository must not be able to send the user's source to another host.
_ENGINE_IS_FIXED = (
    "`engine` and `remote` are taken from the settings file, from flags, and from initializationOptions, "
    "not from a configuration that the editor sends later: that may be a project's own."
)


class ClientSettings:
    """The current settings. Flags win over whatever the editor sends; what it sends later counts.

    What ``initialize`` brings stays, because many editors send an empty didChangeConfiguration after it. The
    engines that receive source are fixed from then on.
    """

    def __init__(self, settings: Settings, flags: Mapping[str, object]) -> None:
        self._base = settings
        self._flags = flags
        self.current = settings

    def initialize(self, options: object) -> list[str]:
        """Take initializationOptions; return a message for each invalid one."""
        self._base, problems = merge_client_settings(self._base, options)
        self.current = apply_flags(self._base, self._flags)
        return problems

    def change(self, options: object) -> list[str]:
        """Take the settings of a didChangeConfiguration; return a message for each invalid one."""
        changed, problems = merge_client_settings(self._base, options)
        if (changed.engine, changed.remote) != (self._base.engine, self._base.remote):
            changed = evolve(changed, engine=self._base.engine, remote=self._base.remote)
            problems.append(_ENGINE_IS_FIXED)
        self.current = apply_flags(changed, self._flags)
        return problems
