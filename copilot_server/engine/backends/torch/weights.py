"""A model's weights: read module by module, fused, and converted to the number format that is wanted."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from copilot_server.engine.backends.torch.matrix import DenseMatrix, Matrix
from copilot_server.engine.models.architecture import Architecture
from copilot_server.engine.models.weight_files import weight_files
from copilot_server.errors import ModelError

#: Gives a tensor by its name in transformers' format, or None where the model has none of that name.
Source = Callable[[str], torch.Tensor | None]

_REMEDY = "Fetch the model again, or set speed.fast to false."

#: Turns a dense matrix, as soon as it is loaded, into one of the format wanted.
Convert = Callable[[DenseMatrix], Matrix]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: ``qkv`` and ``gate_up`` are one matrix each, so that a step reads each of them at once."""

    attention_norm: torch.Tensor  # (hidden,)
    qkv: Matrix  # hidden -> (heads + 2 * kv_heads) * head_dim
    output: Matrix  # heads * head_dim -> hidden
    mlp_norm: torch.Tensor  # (hidden,)
    gate_up: Matrix  # hidden -> 2 * intermediate
    down: Matrix  # intermediate -> hidden

    @property
    def nbytes(self) -> int:
        """Bytes that a step reads of it."""
        return sum(getattr(self, part.name).nbytes for part in fields(self))


@dataclass(frozen=True, slots=True)
class Weights:
    """All of a model's weights. When embedding and head are tied, they are one tensor unless quantized."""

    embedding: torch.Tensor  # (vocab_size, hidden)
    layers: tuple[Layer, ...]
    norm: torch.Tensor  # (hidden,)
    head: Matrix  # hidden -> vocab_size

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        shared = isinstance(self.head, DenseMatrix) and self.head.weight is self.embedding
        return self.bytes_per_step + (0 if shared else self.embedding.nbytes)

    @property
    def bytes_per_step(self) -> int:
        """Bytes that one decoding step reads: everything but the embedding, of which it reads a few rows."""
        return sum(layer.nbytes for layer in self.layers) + self.norm.nbytes + self.head.nbytes


def load_weights(
    source: Source,
    architecture: Architecture,
    *,
    device: torch.device,
    dtype: torch.dtype,
    convert: Convert = lambda matrix: matrix,
) -> Weights:
    """Read every tensor; only one matrix at a time is on the device before it is converted.

    Raises:
        ModelError: a tensor is missing, or has another shape or kind than it must have.
    """
    reader = _Reader(source, device, dtype, convert, dict(_shapes(architecture, qkv_bias=True)))
    embedding = reader.tensor("model.embed_tokens.weight")
    head = DenseMatrix(embedding if architecture.tied else reader.tensor("lm_head.weight"))
    return Weights(
        embedding=embedding,
        layers=tuple(_layer(reader, f"model.layers.{i}") for i in range(architecture.layers)),
        norm=reader.tensor("model.norm.weight"),
        head=convert(head),
    )


def _layer(reader: _Reader, name: str) -> Layer:
    return Layer(
        attention_norm=reader.tensor(f"{name}.input_layernorm.weight"),
        qkv=reader.matrix(*(f"{name}.self_attn.{part}_proj" for part in "qkv")),
        output=reader.matrix(f"{name}.self_attn.o_proj"),
        mlp_norm=reader.tensor(f"{name}.post_attention_layernorm.weight"),
        gate_up=reader.matrix(f"{name}.mlp.gate_proj", f"{name}.mlp.up_proj"),
        down=reader.matrix(f"{name}.mlp.down_proj"),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    source: Source
    device: torch.device
    dtype: torch.dtype
    convert: Convert
    shapes: Mapping[str, tuple[int, ...]]  # of all tensors that the model may have; others are ignored

    def tensor(self, name: str) -> torch.Tensor:
        tensor = self._find(name)
        if tensor is None:
            msg = f"The model's files lack the tensor {name}."
            raise ModelError(msg, remedy=_REMEDY)
        return tensor

    def matrix(self, *names: str) -> Matrix:
        """The matrices of these modules as one, their outputs side by side."""
        weight = torch.cat([self.tensor(f"{name}.weight") for name in names])
        biases = [bias for name in names if (bias := self._find(f"{name}.bias")) is not None]
        if biases and len(biases) < len(names):
            msg = f"The model's files lack some of the biases of {', '.join(names)}."
            raise ModelError(msg, remedy=_REMEDY)
        return self.convert(DenseMatrix(weight, torch.cat(biases) if biases else None))

    def _find(self, name: str) -> torch.Tensor | None:
        """The tensor, if the model has it. Kernels for GPUs read memory by the sizes in config.json alone."""
        shape = self.shapes.get(name)
        tensor = None if shape is None else self.source(name)
        if tensor is None:
            return None
        if tensor.shape != shape or not tensor.is_floating_point():
            found = f"{tuple(tensor.shape)} of {tensor.dtype}"
            msg = f"The tensor {name} of the model has the shape {found}, where {shape} is needed."
            raise ModelError(msg, remedy=_REMEDY)
        return tensor.to(self.device, self.dtype)


def folder_source(folder: Path) -> Source:
    """The tensors of a folder's safetensors files, mapped into memory and read on demand.

    Raises:
        ModelError: there are none, or they cannot be read.
    """
    try:
        files = [safe_open(path, framework="pt") for path in weight_files(folder)]
    except (OSError, SafetensorError, ValueError) as error:
        msg = f"{folder} does not hold weights in safetensors that can be read ({error})."
        raise ModelError(msg, remedy="Fetch the model again.") from error
    by_name = {name: file for file in files for name in file.keys()}  # type: ignore[no-untyped-call] # noqa: SIM118

    def source(name: str) -> torch.Tensor | None:
        file = by_name.get(name)
        return None if file is None else file.get_tensor(name)  # type: ignore[no-untyped-call]

    return source


def random_source(architecture: Architecture, *, device: torch.device, qkv_bias: bool = True) -> Source:
    """Random weights of a shape, the same each time; a product has about the magnitude of its inputs."""
    shapes = dict(_shapes(architecture, qkv_bias=qkv_bias))

    def source(name: str) -> torch.Tensor | None:
        shape = shapes.get(name)
        if shape is None:
            return None
        if len(shape) == 1:
            return torch.full(shape, 0.0 if name.endswith("bias") else 1.0, device=device)
        generator = torch.Generator(device).manual_seed(zlib.crc32(name.encode()))
        weight = torch.randn(shape, generator=generator, device=device, dtype=torch.bfloat16)
        return weight.mul_(shape[1] ** -0.5)

    return source


def _shapes(a: Architecture, *, qkv_bias: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every tensor's name in transformers' format, and its shape."""
    queries, keys = a.heads * a.head_dim, a.kv_heads * a.head_dim
    yield "model.embed_tokens.weight", (a.vocab_size, a.hidden)
    yield "model.norm.weight", (a.hidden,)
    yield "lm_head.weight", (a.vocab_size, a.hidden)
    for name in (f"model.layers.{i}" for i in range(a.layers)):
        for part, size in (("q", queries), ("k", keys), ("v", keys)):
            yield f"{name}.self_attn.{part}_proj.weight", (size, a.hidden)
            if qkv_bias:
                yield f"{name}.self_attn.{part}_proj.bias", (size,)
        yield f"{name}.self_attn.o_proj.weight", (a.hidden, queries)
        yield f"{name}.mlp.gate_proj.weight", (a.intermediate, a.hidden)
        yield f"{name}.mlp.up_proj.weight", (a.intermediate, a.hidden)
        yield f"{name}.mlp.down_proj.weight", (a.hidden, a.intermediate)
        yield f"{name}.input_layernorm.weight", (a.hidden,)
        yield f"{name}.post_attention_layernorm.weight", (a.hidden,)
