"""Settings: their names, defaults and limits, and the sources that they are read from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import attrs
import cattrs
import platformdirs
from attrs import field, frozen, validators
from cattrs.errors import CattrsError

from copilot_server.context.exclusion import check_pattern
from copilot_server.errors import ConfigError

#: The most patterns in a setting; a project may send some.
MAX_PATTERNS = 1000

DEFAULT_MODEL = "qwen2.5-coder-0.5b"
#: Stands for the model on this machine that suits it best.
AUTO_MODEL = "auto"

#: What is written for people to read: Markdown, plain text, and messages of commits. Suggestions there are
#: off unless the user names them. They have the ids that VS Code, Zed, Helix and Sublime (``markdown``,
#: ``plaintext``, ``git-commit``, ``git commit``, ``scminput``), Vim (``text``, ``gitcommit``, ``hgcommit``,
#: ``jjdescription``) and Emacs (``gfm``, ``text``, ``log-edit``) give them.
PROSE = (
    *("markdown", "gfm", "plaintext", "text"),
    *("gitcommit", "git-commit", "git commit", "hgcommit", "jjdescription", "log-edit", "scminput"),
)

Device = Literal["auto", "cuda", "mps", "cpu"]
Dtype = Literal["auto", "float32", "bfloat16", "float16", "gguf", "int8", "int4"]
PromptProtocolSetting = Literal["auto", "fim", "causal", "chat-prefill"]
Debounce = Literal["auto", "off"]
Fetch = Literal["ask", "always"]
Eagerness = Literal["low", "medium", "high"]
Verify = Literal["off", "asked", "idle"]
Infilling = Literal["auto", "prompt", "suffix"]
PromptTokens = int | Literal["auto"]

_Section = TypeVar("_Section", bound=attrs.AttrsInstance)

#: What may stand between ``//`` and the path of an engine's URL: no user, nothing that is read in two ways.
_HOST_AND_PORT = re.compile(r"[^\s@\\]+")


def _whole(default: int, *, low: int, high: int) -> Any:  # noqa: ANN401 - what attrs.field is typed as
    return field(
        default=default,
        validator=[validators.ge(low), validators.le(high)],
        metadata={"allowed": f"a whole number from {low} to {high}"},
    )


def _seconds(default: float, *, low: float, high: float) -> Any:  # noqa: ANN401 - as above
    return field(
        default=default,
        validator=[validators.ge(low), validators.le(high)],
        metadata={"allowed": f"a number of seconds from {low:g} to {high:g}"},
    )


def _pattern(_section: object, _attribute: object, pattern: str) -> None:
    """Raise ValueError if ``pattern`` is not a .gitignore pattern."""
    check_pattern(pattern)


@frozen
class CompletionSettings:
    """What the model is asked to write for one suggestion."""

    #: The most tokens of the document that the model reads; fewer make a first suggestion faster. ``auto``
    #: takes as many as this machine reads in about a second, from 256 to 1024.
    max_prompt_tokens: PromptTokens = field(
        default=1024,
        validator=validators.or_(
            validators.in_(("auto",)), validators.and_(validators.ge(64), validators.le(131072))
        ),
        metadata={"allowed": 'a whole number from 64 to 131072, or "auto"'},
    )
    #: The most tokens that the model writes for one suggestion.
    max_new_tokens: int = _whole(256, low=1, high=4096)
    #: Candidates offered when completion is invoked explicitly; while typing, a single one is offered.
    candidates: int = _whole(3, low=1, high=10)
    #: Temperature of the candidates after the first, which is greedy.
    temperature: float = field(
        default=0.8,
        validator=[validators.ge(0.0), validators.le(2.0)],
        metadata={"allowed": "a number from 0 to 2"},
    )
    #: Nucleus of the candidates after the first.
    top_p: float = field(
        default=0.95,
        validator=[validators.gt(0.0), validators.le(1.0)],
        metadata={"allowed": "a number above 0 and up to 1"},
    )
    #: The prompt protocol; ``auto`` takes the one measured best for the model and the position.
    protocol: PromptProtocolSetting = "auto"
    #: How likely to be right a suggestion must be to be shown while the user types; ``high`` shows every one.
    eagerness: Eagerness = "medium"


@frozen
class SpeedSettings:
    """What makes completions fast. None of it changes what is suggested; each part can be switched off."""

    #: Decode with this project's own kernels; otherwise with transformers.
    fast: bool = True
    #: Keep the KV cache of earlier prompts, and read only the part of a prompt that none of them begins with.
    prefix_cache: bool = True
    #: Guess the next tokens from the document and verify several at a time.
    drafts: bool = True
    #: Replay a captured graph for each decoding step on a CUDA device.
    cuda_graphs: bool = True
    #: With no request in flight, complete at the position that accepting the suggestion leads to (prefetch),
    #: and read the prompt of the position where the cursor rests.
    ahead: bool = True
    #: The number of threads on a CPU; 0 takes the number measured fastest here.
    threads: int = _whole(0, low=0, high=1024)


@frozen
class RemoteSettings:
    """How to ask the remote engine that ``engine`` names."""

    #: The engine's own name for the model; if empty, the engine is asked.
    model: str = ""
    #: Who makes infilling prompts: this server, as text, or the engine, from ``prompt`` and ``suffix``.
    fim: Infilling = "auto"
    #: A file that holds the API key; if empty, the variable COPILOT_SERVER_API_KEY may hold it.
    api_key_file: str = ""
    #: The hosts that get the API key, each with or without a port. If empty, the engines must have one host.
    api_key_hosts: tuple[str, ...] = field(
        default=(),
        metadata={"allowed": "a list of hosts, as in gpu.example.com or gpu.example.com:8000"},
        validator=validators.deep_iterable(validators.matches_re(_HOST_AND_PORT)),
    )
    #: Send the API key unencrypted, also within this machine.
    api_key_over_http: bool = False
    #: Allow source to be sent unencrypted to other machines.
    allow_http: bool = False
    #: The longest wait for a connection.
    connect_timeout_s: float = _seconds(3.0, low=0.1, high=60.0)
    #: The longest silence of the engine while an editor waits.
    read_timeout_s: float = _seconds(20.0, low=0.1, high=600.0)
    #: The longest time that the answer to an editor may take.
    deadline_s: float = _seconds(60.0, low=1.0, high=3600.0)


def _check_url(_section: object, _attribute: object, url: str) -> None:
    """Raise ValueError if ``url`` is not the URL of an engine, without quoting it: it may hold a password."""
    parts = urlsplit(url)
    _ = parts.port  # raises ValueError for an invalid port
    is_bare = not (parts.query or parts.fragment) and _HOST_AND_PORT.fullmatch(parts.netloc)
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_bare:
        raise ValueError("not the URL of an engine")


@frozen
class Settings:
    """Everything a user can set. The order of precedence: flags, the editor, the file, these defaults."""

    #: A model's id, a hub's ``org/name``, or the path of a folder or a ``.gguf`` file, which is absolute or
    #: begins with ``./``, ``../`` or ``~``. ``auto`` takes the largest model on this machine that is fast
    #: enough here.
    model: str = field(default=DEFAULT_MODEL, validator=validators.min_len(1))
    device: Device = "auto"
    dtype: Dtype = "auto"
    #: Never fetch anything: a model that is not on this machine is an error.
    offline: bool = False
    #: Whether the server asks before it fetches a model. Commands that fetch do not ask.
    fetch: Fetch = "ask"
    #: Whether to offer suggestions at all.
    enabled: bool = True
    #: Whether to offer suggestions while the user types; otherwise only to a user who asks for one.
    automatic: bool = True
    #: When suggestions for a function are checked against the examples in its docstring, in a sandbox: never,
    #: when the user asks for some, or also while nobody types.
    verify: Verify = "asked"
    #: Whether to offer suggestions in a language while the user types, by its id; ``*`` stands for those that
    #: are named neither here nor by the user, whose own table is put over this one.
    languages: dict[str, bool] = field(
        factory=lambda: {"*": True, **dict.fromkeys(PROSE, False)},
        metadata={"allowed": "a table of language ids, each true or false"},
    )
    #: Files that are neither completed nor read for context, as patterns of .gitignore. They come after the
    #: built-in ones (``context.exclusion.BUILT_IN``), so that ``!name`` revokes one of those.
    exclude: tuple[str, ...] = field(
        default=(),
        metadata={"allowed": f"a list of patterns as in .gitignore, at most {MAX_PATTERNS}"},
        validator=[validators.max_len(MAX_PATTERNS), validators.deep_iterable(_pattern)],
    )
    #: Wait for a pause in the typing if the model is slower than the typing; ``off`` never waits.
    debounce: Debounce = "auto"
    #: Read the other files of the workspace for what they define.
    workspace: bool = True
    #: Count on this machine what was shown, accepted and kept, for ``copilot-server stats``.
    statistics: bool = True
    #: Run the model in a process of its own that all servers of this user share, on Linux and macOS.
    share: bool = False
    #: URLs of remote engines that run the model; without any, it runs in the server process.
    engine: tuple[str, ...] = field(
        default=(),
        metadata={
            "allowed": "an http or https URL without user, password and query, or a list of them "
            "(an API key goes into COPILOT_SERVER_API_KEY or remote.api_key_file)",
            "alone": True,  # a single one may be given without a list around it
            "secret": True,
        },
        validator=validators.deep_iterable(_check_url),
    )
    completion: CompletionSettings = field(factory=CompletionSettings)
    speed: SpeedSettings = field(factory=SpeedSettings)
    remote: RemoteSettings = field(factory=RemoteSettings)

    @property
    def loading(self) -> tuple[object, ...]:
        """The settings that only take effect when the model is loaded."""
        local = self.model, self.device, self.dtype, self.offline, self.speed, self.share
        return *local, self.engine, self.remote

    @property
    def engine_hosts(self) -> str:
        """The hosts of the engines, with their ports, for people; empty if there are none."""
        return ", ".join(dict.fromkeys(urlsplit(url).netloc for url in self.engine))


#: The names under which an editor may wrap our settings.
EDITOR_SECTIONS = ("copilot-server", "copilotServer", "copilot_server")

#: What Copilot's own clients send besides settings. They work here unchanged, so these keys are accepted.
COPILOT_KEYS = frozenset(
    {
        "copilotCapabilities",
        "copilotIntegrationId",
        "editorConfiguration",
        "editorInfo",
        "editorPluginInfo",
        "github",
        "github-enterprise",
        "http",
        "networkProxy",
        "telemetry",
    }
)


def default_config_path() -> Path:
    """Return the settings file that is read if no other is named."""
    return platformdirs.user_config_path("copilot-server") / "config.toml"


def load_settings(config_path: Path | None, flags: Mapping[str, object]) -> Settings:
    """Read the settings file, then put the command line's ``flags`` over it.

    ``config_path``: the file to read, which must then exist; None takes the default one if it is there.
    ``flags``: by dotted name, as ``completion.candidates``; one that is None was not given.

    Raises:
        ConfigError: a file cannot be read, or a source is wrong; the message names each wrong key and value.
    """
    path = config_path or default_config_path()
    options = _read_toml(path) if config_path or path.is_file() else {}
    settings = _checked(Settings(), options, where=str(path))
    return apply_flags(settings, flags)


def apply_flags(settings: Settings, flags: Mapping[str, object]) -> Settings:
    """Put the command line's ``flags`` over ``settings``, as ``load_settings`` does.

    Raises:
        ConfigError: a flag's value is wrong.
    """
    given = {key: value for key, value in flags.items() if value is not None}
    return _checked(settings, given, where="The command line")


def merge_client_settings(base: Settings, options: object) -> tuple[Settings, list[str]]:
    """Put an editor's ``options`` over ``base``, as far as they are valid.

    Keys may be camelCase or snake_case, nested or dotted, and wrapped in one of ``EDITOR_SECTIONS``.

    Returns:
        The settings, and for each wrong option a message saying what is allowed.
    """
    options = _unwrapped(options)
    if options is None:
        return base, []
    if not isinstance(options, Mapping):
        return base, [f"The settings must be an object with keys, not {_shown(options)}."]
    ours = {key: value for key, value in options.items() if not _is_copilots(key)}
    return _merge(base, ours, path="")


def _unwrapped(options: object) -> object:
    if isinstance(options, Mapping):
        for section in EDITOR_SECTIONS:
            if section in options:
                return options[section]
    return options


def _is_copilots(key: object) -> bool:
    return isinstance(key, str) and key.split(".", 1)[0] in COPILOT_KEYS


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"The settings file {path} does not exist.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The settings file {path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The settings file {path} is not TOML: {error}.") from error


def _checked(base: Settings, options: Mapping[str, object], *, where: str) -> Settings:
    settings, problems = _merge(base, options, path="")
    if problems:
        raise ConfigError(f"{where}: {' '.join(problems)}")
    return settings


def _merge(base: _Section, options: Mapping[Any, object], path: str) -> tuple[_Section, list[str]]:
    """Put ``options`` over ``base``, key by key, so that a wrong option leaves the others in effect.

    An editor sends null for a setting that nobody has set, so null counts as absent.
    """
    problems: list[str] = []
    for name, rest, value in _split_keys(options):
        attribute = _attributes(type(base)).get(_snake(name))
        if attribute is None:
            problems.append(_unknown(type(base), path, name))
            continue
        base, more = _set(base, attribute, {rest: value} if rest else value, path)
        problems += more
    return base, problems


def _split_keys(options: Mapping[Any, object]) -> Iterator[tuple[str, str, object]]:
    """Each option as its key's first part, what follows the dot, and the value."""
    for key, value in options.items():
        name, _, rest = str(key).partition(".")
        if value is not None:
            yield name, rest, value


def _set(
    base: _Section, attribute: attrs.Attribute[Any], value: object, path: str
) -> tuple[_Section, list[str]]:
    """Set one attribute of ``base``, or leave it and report what is wrong with ``value``."""
    key = f"{path}{attribute.name}"
    kind = get_type_hints(type(base))[attribute.name]
    problems: list[str] = []
    try:
        if attrs.has(kind) and isinstance(value, Mapping):
            value, problems = _merge(getattr(base, attribute.name), value, f"{key}.")
        elif isinstance(value, Mapping):
            value = {**getattr(base, attribute.name), **_structured(value, kind)}
        else:
            alone = isinstance(value, str) and attribute.metadata.get("alone")
            value = _structured([value] if alone else value, kind)
        return attrs.evolve(cast("Any", base), **{attribute.name: value}), problems
    except (ValueError, TypeError, CattrsError, cattrs.BaseValidationError):
        shown = "what was given" if attribute.metadata.get("secret") else _shown(value)
        return base, [f"`{key}` must be {_allowed(attribute, kind)}, not {shown}."]


def _structured(value: object, kind: Any) -> Any:  # noqa: ANN401 - by kind
    """Convert a plain value to ``kind``. By itself, cattrs makes a list of anything that can be iterated."""
    wanted: type = {tuple: list, dict: dict}.get(get_origin(kind), object)
    if not isinstance(value, wanted):
        raise TypeError(f"expected a {wanted.__name__}")
    return _CONVERTER.structure(value, kind)


def _attributes(section: type[attrs.AttrsInstance]) -> dict[str, attrs.Attribute[Any]]:
    return {attribute.name: attribute for attribute in attrs.fields(section)}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _unknown(section: type[attrs.AttrsInstance], path: str, name: str) -> str:
    # Only a mistyped name has to wait for this import.
    from rapidfuzz import process  # noqa: PLC0415

    near = process.extractOne(_snake(name), list(_attributes(section)), score_cutoff=60)
    names = ", ".join(f"`{path}{known}`" for known in _attributes(section))
    hint = f"Did you mean `{path}{near[0]}`?" if near else f"There are {names}."
    return f"There is no setting `{path}{name}`. {hint}"


def _allowed(attribute: attrs.Attribute[Any], kind: object) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in get_args(kind))
    if "allowed" in attribute.metadata:
        return str(attribute.metadata["allowed"])
    kinds: dict[object, str] = {bool: "true or false", str: "text that is not empty"}
    return kinds.get(kind, "a table of settings")


def _shown(value: object) -> str:
    """``value`` for a message: short, whatever it is."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _exactly(*kinds: type) -> Any:  # noqa: ANN401 - cattrs's own hooks are untyped
    """Make a cattrs hook that accepts only these types: no "5" for 5, and no "false" for False."""

    def structure(value: object, target: type) -> object:
        if type(value) not in kinds:
            raise TypeError(f"expected {target.__name__}")
        return target(value)

    return structure


def strict_converter() -> cattrs.Converter:
    """Make a converter that accepts plain values of exactly the types that a class names."""
    converter = cattrs.Converter()
    converter.register_structure_hook(bool, _exactly(bool))
    converter.register_structure_hook(int, _exactly(int))
    converter.register_structure_hook(float, _exactly(int, float))
    converter.register_structure_hook(str, _exactly(str))
    return converter


def _prompt_tokens(value: object, _kind: object) -> object:
    if value != "auto" and type(value) is not int:
        raise TypeError("expected a whole number or auto")
    return value


_CONVERTER = strict_converter()
_CONVERTER.register_structure_hook_func(lambda kind: kind == PromptTokens, _prompt_tokens)
