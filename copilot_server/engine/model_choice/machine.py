"""What a machine can do for a model: how fast it multiplies, reads weights, and how much memory it has."""

from __future__ import annotations

from dataclasses import dataclass

#: The bytes that each number format takes for a weight, with its scales.
BYTES_PER_WEIGHT = {
    "float32": 4.0,
    "bfloat16": 2.0,
    "float16": 2.0,
    "int8": 1.0 + 2 / 64,
    "int4": 0.5 + 2 / 32,
}
#: The number format of what has none in a GGUF file's own: the embedding and the head.
BESIDE_GGUF = "int8"


@dataclass(frozen=True, slots=True)
class Speeds:
    """How fast a model is, in tokens per second, without drafts."""

    reading_tok_s: float
    writing_tok_s: float


@dataclass(frozen=True, slots=True)
class Machine:
    """A processor or a GPU that runs a model in one number format.

    Attributes:
        device: ``cpu``, ``cuda`` or ``mps``.
        dtype: the number format of the weights, such as ``int8``; ``gguf`` is a file's own.
        multiplications_s: how many multiplications and additions it does in a second while it reads a prompt.
        bytes_s: how many bytes of weights it reads from memory in a second while it writes.
        memory_bytes: all memory that it has, of which other programs use some.
    """

    device: str
    dtype: str
    multiplications_s: float
    bytes_s: float
    memory_bytes: int

    @property
    def shares_memory(self) -> bool:
        """Whether a model's memory is taken from that of the programs that its user runs."""
        return self.device != "cuda"
