"""The largest model that is fast enough on a machine and fits in its memory; computed, not measured."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from copilot_server.catalog import Manifest
from copilot_server.engine.model_choice.machine import BESIDE_GGUF, BYTES_PER_WEIGHT, Machine, Speeds

#: A prompt with the default budget, of which nothing has been read: 881 tokens in the mean over 120 lines
#: of real repositories (benchmarks/LOG.md, 2026-11-30).
PROMPT_TOKENS = 880
#: What is new of a prompt at a key in a line: 10 tokens in the mean (benchmarks/LOG.md, 2026-11-23 and 29).
NEW_TOKENS = 10
#: What the model writes for a suggestion of one line, as ``copilot-server bench`` counts it.
ANSWER_TOKENS = 11
#: Memory besides the weights: Python, the tokenizer, the index and the KV cache of a day's work. The server
#: took 840 MB with 510 MB of weights (docs/speed.md).
BESIDE_WEIGHTS_BYTES = 350_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What a model may cost.

    Attributes:
        warm_s: from a key to a suggestion in a file that is being edited. After a second without an answer,
            people lose their train of thought (Nielsen, Usability Engineering, 1993, section 5.5).
        cold_s: the same for the first key in a file, of which nothing has been read. It happens once for each
            file, and the server reads ahead while nobody types, so that more is allowed. That it is 3 seconds
            is a judgement, not a measurement.
        shared_memory: the share of memory that a model may take where it is that of all programs.
        device_memory: the share of a GPU's own memory.
    """

    warm_s: float = 1.0
    cold_s: float = 3.0
    shared_memory: float = 0.25
    device_memory: float = 0.8


LIMITS = Limits()
_NONE: Mapping[str, Speeds] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Expected:
    """What a model is expected to cost on a machine: medians in seconds, computed, and bytes.

    ``is_slow``: it does not keep to the limits of time. ``fits``: there is memory for it.
    """

    model: Manifest
    warm_s: float
    cold_s: float
    memory_bytes: int
    is_slow: bool
    fits: bool

    @property
    def times(self) -> str:
        """Both times, for people."""
        return f"about {self.warm_s:.1f} s and {self.cold_s:.1f} s"


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """What ``auto`` has chosen, and why.

    Attributes:
        served: the model to serve, which is on this machine; None if there is none that could be.
        suited: the largest model that keeps to the limits, whether or not it is on this machine; if none
            does, the smallest. None if there is no memory for any.
        expected: what each model costs that was considered, the smallest first; empty if the machine could
            not be measured.
        reason: the choice, its reason, and what the next larger model costs, for people.
    """

    served: Manifest | None
    suited: Manifest | None
    expected: tuple[Expected, ...]
    reason: str

    @property
    def served_id(self) -> str:
        """The id of the model to serve; empty if there is none."""
        return "" if self.served is None else self.served.id


def choose(
    machine: Machine | None,
    models: Iterable[Manifest],
    on_disk: Collection[str],
    limits: Limits = LIMITS,
    measured: Mapping[str, Speeds] = _NONE,
) -> ModelChoice:
    """Choose among the ``models`` that ``auto`` may choose, of which those in ``on_disk`` (ids) are here.

    The largest one here that keeps to the ``limits`` is served; if none does, the smallest one for which
    there is memory. ``machine`` is None if it cannot be measured: the smallest one is served then.
    ``measured``: the speeds of models that have run here, by id; those of others are computed.
    """
    able = sorted((one for one in models if one.automatic), key=lambda one: one.parameters)
    expected = (
        ()
        if machine is None
        else tuple(expect(machine, model, limits, measured.get(model.id)) for model in able)
    )
    fitting = [one.model for one in expected if one.fits] if machine else able
    slow = {one.model.id for one in expected if one.is_slow} if machine else {one.id for one in able[1:]}
    served = _largest([one for one in fitting if one.id in on_disk], slow)
    suited = _largest(fitting, slow)
    return ModelChoice(served, suited, expected, explain(served, suited, expected, limits))


def expect(
    machine: Machine, model: Manifest, limits: Limits = LIMITS, measured: Speeds | None = None
) -> Expected:
    """What ``model`` costs on ``machine``, by its ``measured`` speeds, or as computed without them.

    Reading takes the multiplications of the layers, since the head is needed for the last token only; writing
    takes reading all weights once for each token. A step of few tokens takes as long as the longer of both.
    Drafts, which save some of that, are left out.
    """
    speeds = measured or _computed(machine, model)
    read_s, write_s = 1 / speeds.reading_tok_s, 1 / speeds.writing_tok_s
    rest_s = (ANSWER_TOKENS - 1) * write_s
    warm_s = max(NEW_TOKENS * read_s, write_s) + rest_s
    cold_s = PROMPT_TOKENS * read_s + rest_s
    memory_bytes = int(weights_bytes(machine.dtype, model)) + BESIDE_WEIGHTS_BYTES
    share = limits.shared_memory if machine.shares_memory else limits.device_memory
    return Expected(
        model,
        warm_s=warm_s,
        cold_s=cold_s,
        memory_bytes=memory_bytes,
        is_slow=warm_s > limits.warm_s or cold_s > limits.cold_s,
        fits=memory_bytes <= share * machine.memory_bytes,
    )


def _computed(machine: Machine, model: Manifest) -> Speeds:
    return Speeds(
        machine.multiplications_s / (model.layer_parameters or model.parameters),
        machine.bytes_s / weights_bytes(machine.dtype, model),
    )


def weights_bytes(dtype: str, model: Manifest) -> float:
    """The bytes of a model's weights in a number format, which a step reads."""
    if dtype != "gguf":
        return model.parameters * BYTES_PER_WEIGHT[dtype]
    each = BYTES_PER_WEIGHT[BESIDE_GGUF]
    if model.file is None or not model.file.layer_bytes:
        return model.parameters * each
    return model.file.layer_bytes + (model.parameters - model.layer_parameters) * each


def explain(
    served: Manifest | None, suited: Manifest | None, expected: Sequence[Expected], limits: Limits
) -> str:
    """The reason of a choice in a few sentences."""
    times = {one.model.id: one for one in expected}
    offer = "" if suited is None or suited == served else _offer(suited, times.get(suited.id))
    if served is None:
        why = "There is too little memory for any" if suited is None else "On this machine is none"
        return f"{why} of the models that auto chooses from.{offer}"
    if served.id not in times:
        return f"{served.id} is the smallest model here, and the machine could not be measured.{offer}"
    own = times[served.id]
    aim = f"{limits.warm_s:g} s a suggestion, {limits.cold_s:g} s the first in a file"
    kind = "smallest model here; none keeps" if own.is_slow else "largest model here that keeps"
    larger = next((one for one in expected if one.model.parameters > served.parameters), None)
    further = _cost(larger) if larger is not None and larger.model != suited else ""
    return f"{served.id} is the {kind} to {aim}: it takes {own.times}.{offer}{further}"


def _largest(models: Sequence[Manifest], slow: Collection[str]) -> Manifest | None:
    """The largest that is not slow, or else the smallest; ``models`` are in the order of their sizes."""
    return next((one for one in reversed(models) if one.id not in slow), models[0] if models else None)


def _offer(suited: Manifest, costs: Expected | None) -> str:
    times = "" if costs is None else f", which takes {costs.times}"
    size = f"{suited.size_bytes / 1e9:.1f} GB"
    return f" `copilot-server pull {suited.id}` fetches {suited.title} ({size}, {suited.licence}){times}."


def _cost(larger: Expected) -> str:
    if not larger.fits:
        size = f"{larger.memory_bytes / 1e9:.1f} GB"
        return f" There is too little memory for {larger.model.id}, which takes {size}."
    return f" {larger.model.id} would take {larger.times}."
