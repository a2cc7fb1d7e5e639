"""The check at the first start: whether the fast decoder writes on this device what transformers writes.

No test can cover every GPU, driver and compiler, so each is checked where it is used: once for each model,
number format, device and version, on 64 greedy tokens. The verdict is remembered.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM

from copilot_server import __version__
from copilot_server.engine.backends.torch.loading import computed_dtype, conversion
from copilot_server.engine.backends.torch.matrix import DenseMatrix
from copilot_server.engine.backends.torch.runner import TorchRunner
from copilot_server.engine.models.tokenizer import load_tokenizer
from copilot_server.engine.models.weight_files import weight_files
from copilot_server.engine.runner import Choice, Chunk, Drawn
from copilot_server.fetch import home

_LOG = logging.getLogger(__name__)

#: Greedy tokens that are compared. The last of them are verified at once, as drafts are.
TOKENS, VERIFIED_AT_ONCE = 64, 16

#: The most characters of the prompt, which is the beginning of this module.
PROMPT_CHARACTERS = 1200

#: Stands for a way, with the reason why transformers could not write anything to compare with.
NO_REFERENCE = "no reference"

DRIVER_VERSION = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, slots=True)
class Limit:
    """How far log-probabilities may be apart, in nats: at any one token, and on average over all."""

    worst: float
    mean: float


#: By the number format of the activations. In 16 bits the reference rounds its own logits: two that are near
#: 32 are 1/8 apart in bfloat16, and the rounding of the layers before adds to that. Kernels that are wrong
#: are off by whole nats at most tokens.
LIMITS = {
    torch.float32: Limit(worst=0.01, mean=0.001),
    torch.float16: Limit(worst=0.25, mean=0.03),
    torch.bfloat16: Limit(worst=0.75, mean=0.1),
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What transformers writes: greedy tokens after a prompt, and the log-probabilities they were chosen by.

    ``logprobs``: (TOKENS, vocab_size), float32, on the CPU.
    """

    prompt_ids: Sequence[int]
    token_ids: Sequence[int]
    logprobs: torch.Tensor


def expected_from_transformers(folder: Path, device: torch.device, dtype: str) -> Expected:
    """Let transformers write on the device, with the same weights in the same format.

    For quantized weights, it gets the values that they stand for, so that only the computation differs.

    Raises:
        Exception: anything that transformers and the device may raise, such as torch.OutOfMemoryError.
    """
    number = computed_dtype(dtype, device)
    # Any, since generate() is annotated for some of its results only.
    weight_files(folder)  # raises, since transformers would read pickles that an index names
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder, dtype=number, local_files_only=True, trust_remote_code=False, use_safetensors=True
    )
    nn.Module.to(model, device)
    room = model.config.max_position_embeddings - TOKENS
    text = Path(__file__).read_text("utf-8")[:PROMPT_CHARACTERS]
    prompt_ids = load_tokenizer(folder).encode_text(text)[:room]
    with torch.inference_mode():
        _round_weights(model, dtype)
        return _write(model, prompt_ids)


def _write(model: Any, prompt_ids: list[int]) -> Expected:  # noqa: ANN401 - a model of transformers
    ids = torch.tensor([prompt_ids], device=model.device)
    output = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=TOKENS,
        eos_token_id=None,
        pad_token_id=0,
        output_logits=True,
        return_dict_in_generate=True,
    )
    logits = torch.cat(output.logits).float().cpu()
    return Expected(prompt_ids, output.sequences[0, len(prompt_ids) :].tolist(), logits.log_softmax(-1))


def _round_weights(model: nn.Module, dtype: str) -> None:
    """Replace the weights of every linear layer by what remains of them in the number format."""
    convert = conversion(dtype)
    if convert is None:
        return
    for module in model.modules():
        if isinstance(module, nn.Linear):
            rounded = convert(DenseMatrix(module.weight)).dense(0, module.out_features, module.weight.dtype)
            module.weight = nn.Parameter(rounded, requires_grad=False)  # the head is not tied any more


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far the fast decoder's tokens are from the expected ones, in nats."""

    worst: float
    mean: float

    def exceeds(self, limit: Limit) -> bool:
        """Whether it cannot be explained by rounding."""
        return not (self.worst <= limit.worst and self.mean <= limit.mean)  # NaN exceeds every limit


def measure_deviation(runner: TorchRunner, expected: Expected) -> Deviation:
    """Have the runner choose each token after the expected ones before it, and compare.

    Each token deviates by as much as the one chosen is less likely than the best in the expected
    distribution, or by as much as its log-probability is reported differently, whichever is more.
    """
    drawn = _choose_after(runner, expected)
    ids = torch.tensor([one.token_id for one in drawn])
    reported = torch.tensor([one.logprob for one in drawn])
    own = expected.logprobs.gather(1, ids.unsqueeze(1)).squeeze(1)
    best = expected.logprobs.amax(dim=1)
    deviations = torch.maximum(best - own, (own - reported).abs())
    return Deviation(float(deviations.max()), float(deviations.mean()))


def _choose_after(runner: TorchRunner, expected: Expected) -> list[Drawn]:
    """The greedy choice after the prompt and after each expected token but the last, (TOKENS,)."""
    greedy, single = (Choice(),), TOKENS - VERIFIED_AT_ONCE
    sequence = runner.open()
    chunks = [expected.prompt_ids, *([token] for token in expected.token_ids[: single - 1])]
    drawn = [runner.step([Chunk(sequence, chunk, greedy)])[0][0] for chunk in chunks]
    drawn += runner.step([Chunk(sequence, expected.token_ids[single - 1 : -1], greedy * VERIFIED_AT_ONCE)])[0]
    runner.close(sequence)
    return drawn


@dataclass
class Verdicts:
    """What the check found for one model on one device.

    ``by_way``: for each way to run it (``FallbackChain.way``), what is wrong with it, or an empty text.
    """

    path: Path
    by_way: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, device: torch.device, dtype: str) -> Verdicts:
        """What was remembered for a model, its number format, the device and all versions; often nothing."""
        key = sha256(f"{_fingerprint(folder)} {dtype} {describe_machine(device)}".encode()).hexdigest()
        path = home() / "first-start" / f"{key[:16]}.json"
        try:
            remembered = json.loads(path.read_text("utf-8"))
            by_way = {str(way): str(cause) for way, cause in remembered["ways"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            by_way = {}
        return cls(path, by_way)

    def has(self, way: str) -> bool:
        """Whether the way was compared, or cannot be."""
        return way in self.by_way or NO_REFERENCE in self.by_way

    def remember(self, way: str, cause: str) -> None:
        """Keep a verdict; ``cause`` is empty for a way whose tokens are right."""
        self.by_way[way] = cause
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial = self.path.with_suffix(".partial")
            partial.write_text(json.dumps({"ways": self.by_way}, indent=1), "utf-8")
            partial.replace(self.path)
        except OSError as error:
            _LOG.debug("the verdict cannot be remembered: %s", error)


def _fingerprint(folder: Path) -> str:
    """What distinguishes one model from another without reading its weights."""
    files = sorted(folder.glob("*.safetensors"))
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return f"{(folder / 'config.json').read_text('utf-8')} {stats}"


def describe_machine(device: torch.device) -> str:
    """The device, its driver, and the versions of all that computes on it."""
    parts = [
        str(device.type),
        __version__,
        torch.__version__,
        _version_of("triton"),
        _version_of("transformers"),
    ]
    if device.type == "cuda":
        parts += [torch.cuda.get_device_name(device), str(torch.cuda.get_device_capability(device))]
        parts += [str(torch.version.cuda), _driver_api()]
        if DRIVER_VERSION.exists():
            parts.append(DRIVER_VERSION.read_text("utf-8").splitlines()[0])
    return " ".join(parts)


def _driver_api() -> str:
    """The version of CUDA that the driver implements; torch has no public name for it."""
    ask = getattr(torch._C, "_cuda_getDriverVersion", None)
    return "unknown" if ask is None else str(ask())


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
