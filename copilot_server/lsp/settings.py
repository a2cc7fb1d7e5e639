"""The settings of one session: the settings file's, then the editor's, then the flags', which win.

Many editors let a project's own files decide what they send while they run: eglot takes it from
``.dir-locals.el`` without asking. So a later configuration may change only what does a user no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from attrs import evolve

from copilot_server.catalog import all_manifests
from copilot_server.config import AUTO_MODEL, Settings, apply_flags, merge_client_settings
from copilot_server.listening.token import KEY as TOKEN

#: What a later configuration may do with a setting: nothing, name a model by its id, add to a list, or switch
#: to the value that gives less away.
Rule = Literal["nothing", "id", "add", "on", "off", "ask", "never"]

#: The settings that only the settings file, flags and initializationOptions may set freely. They decide where
#: source is sent, which weights are loaded, which files are read, what is written to the disk, whether
#: suggestions come unasked, and when what the model wrote is run.
GUARDED: Mapping[str, Rule] = MappingProxyType(
    {
        "engine": "nothing",
        "remote": "nothing",
        "model": "id",
        "exclude": "add",
        "offline": "on",
        "fetch": "ask",
        "statistics": "off",
        "workspace": "off",
        "automatic": "off",
        "verify": "never",
        "share": "off",
    }
)

_ALLOWED: Mapping[Rule, str] = MappingProxyType(
    {
        "nothing": "cannot change it",
        "id": "can only name a model that `copilot-server models` lists, by its id, or `auto`",
        "on": "can only switch it on",
        "off": "can only switch it off",
        "ask": 'can only set it to "ask"',
        "never": 'can only set it to "off"',
    }
)

#: Who is at the other end: what started this process, someone who knows its token, or anybody.
Trust = Literal["parent", "token", "nobody"]

#: The key of initializationOptions under which a plugin passes on what it knows to be a project's.
PROJECT_SETTINGS = "projectSettings"


class ClientSettings:
    """The current settings. Flags win over whatever the editor sends; what it sends later counts.

    What ``initialize`` brings stays, because many editors send an empty didChangeConfiguration after it.
    """

    def __init__(self, settings: Settings, flags: Mapping[str, object], trust: Trust = "parent") -> None:
        self._trust = trust
        self._base = settings
        self._flags = flags
        self._base_exclude: tuple[str, ...] = ()
        self.current = settings
        #: What a project excludes besides the user's ``exclude``. It takes nothing of that back.
        self.added_exclude: tuple[str, ...] = ()

    def initialize(self, options: object) -> list[str]:
        """Take initializationOptions; return a message for each invalid one."""
        own, project = _split(options)
        if self._trust == "nobody":
            self._base, self._base_exclude, problems = self._guarded(own)
        else:
            self._base, problems = self._initialized(own)
        self._base, added, refused = self._guarded(project)
        self.added_exclude = self._base_exclude = (*self._base_exclude, *added)
        self.current = apply_flags(self._base, self._flags)
        return problems + refused

    def _initialized(self, options: object) -> tuple[Settings, list[str]]:
        """Put the user's own ``options`` over the base; a file to send away is named by the parent alone."""
        wanted, problems = merge_client_settings(self._base, options)
        file = self._base.remote.api_key_file
        if self._trust != "parent" and wanted.remote.api_key_file != file:
            wanted = evolve(wanted, remote=evolve(wanted.remote, api_key_file=file))
            problems.append(
                "A server that listens on a port takes `remote.api_key_file` from the settings file only."
            )
        return wanted, problems

    def change(self, options: object) -> list[str]:
        """Take the settings of a didChangeConfiguration; return a message for each invalid one."""
        changed, added, problems = self._guarded(options)
        self.added_exclude = (*self._base_exclude, *added)
        self.current = apply_flags(changed, self._flags)
        return problems

    def _guarded(self, options: object) -> tuple[Settings, tuple[str, ...], list[str]]:
        """Put ``options``, which may be a project's, over the base.

        Returns:
            The settings, what is excluded besides, and a message for each option that does not hold.
        """
        wanted, problems = merge_client_settings(self._base, options)
        kept: dict[str, Any] = {}
        for name, rule in GUARDED.items():
            before, after = getattr(self._base, name), getattr(wanted, name)
            if before != after and not _is_allowed(rule, after):
                kept[name] = before
                if rule != "add":
                    problems.append(_refusal(name, rule))
        added = wanted.exclude if "exclude" in kept else ()
        return evolve(wanted, **kept), added, problems


def _split(options: object) -> tuple[object, object]:
    """Split initializationOptions into the user's and the project's."""
    if not isinstance(options, Mapping):
        return options, None
    own = {key: value for key, value in options.items() if key not in (PROJECT_SETTINGS, TOKEN)}
    return own, options.get(PROJECT_SETTINGS)


def _is_allowed(rule: Rule, value: object) -> bool:
    if rule == "id":
        return value == AUTO_MODEL or any(one.id == value for one in all_manifests())
    return {"on": True, "off": False, "ask": "ask", "never": "off"}.get(rule) == value


def _refusal(name: str, rule: Rule) -> str:
    return (
        f"`{name}` is taken from the settings file, from flags, and from initializationOptions. "
        f"A configuration that the editor sends later {_ALLOWED[rule]}: it may be a project's own."
    )
