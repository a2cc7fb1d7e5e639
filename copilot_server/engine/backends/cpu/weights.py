"""A model's weights as the kernels read them: packed once into a file, mapped from it at each start."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from copilot_server.engine.backends.cpu.gguf_tensors import formats_of, map_gguf
from copilot_server.engine.backends.cpu.layout import (
    Dtype,
    Formats,
    Layout,
    Tensors,
    check_sources,
    has_bias,
    matches_layout,
    matrix_shapes,
    packed_layout,
    uniform,
)
from copilot_server.engine.backends.cpu.packer import Packer
from copilot_server.engine.backends.cpu.packing import parts
from copilot_server.engine.backends.cpu.tensors import Array, map_tensors, metadata, write_tensors
from copilot_server.engine.models.architecture import Architecture
from copilot_server.engine.models.gguf_header import UNREADABLE
from copilot_server.errors import DiskSpaceError, ModelError
from copilot_server.fetch.derived import derived_folder, is_ours, seal

_LOG = logging.getLogger(__name__)

#: Increase this when layout.py or packing.py changes, so that older files are packed again.
FORMAT = 2


@dataclass(frozen=True, slots=True)
class Weights:
    """Packed tensors by name, such as ``layers.0.qkv.data``, mapped from the file; each matrix's format."""

    architecture: Architecture
    dtype: Dtype
    tensors: Mapping[str, Array]
    formats: Formats


def open_weights(folder: Path, architecture: Architecture, dtype: Dtype, gguf: Path | None = None) -> Weights:
    """Map the packed weights of the model in ``folder``, and pack them first if no file holds them yet.

    Packing takes seconds, and about as much disk as the weights take memory. The file lies beside the weights
    of a model that was pulled, and among the cached models for any other: what came with a folder is not
    believed. A packed file that others may write to, or with other tensors than the architecture's, is
    written again.

    Args:
        folder: The model in transformers' format.
        architecture: What its config.json says.
        dtype: The number format to pack; ``gguf`` keeps those of the GGUF file.
        gguf: The GGUF file that ``folder`` describes, and that has the weights then.

    Raises:
        DiskSpaceError: there is too little room for it.
        ModelError: the model's files lack a tensor, hold one of another shape, or cannot be read.
    """
    sources = [gguf] if gguf else sorted(folder.glob("model*.safetensors"))
    about = {
        "format": str(FORMAT),
        "architecture": json.dumps(asdict(architecture)),
        "sources": json.dumps(
            [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sources]
        ),
    }
    # The suffix differs, since engines that read every *.safetensors of a folder would read this one too.
    path = derived_folder(folder) / f"packed-{dtype}.weights"
    with FileLock(f"{path}.lock"):
        weights = _map_current(path, about, architecture, dtype)
        if weights is None:
            _LOG.info("packing the weights of %s in %s, once", (gguf or folder).name, dtype)
            weights = _pack(sources, architecture, dtype, path, about)
    return weights


def _map_current(
    path: Path, about: Mapping[str, str], architecture: Architecture, dtype: Dtype
) -> Weights | None:
    """What the packed file holds; None where it has to be written (again)."""
    try:
        if not is_ours(path):
            return None
        found = metadata(path)
        formats = json.loads(found.pop("formats")) if dtype == "gguf" else uniform(architecture, dtype)
        if found != about:
            return None
        tensors = map_tensors(path)
        if not matches_layout(tensors, architecture, formats):
            return None
    except (OSError, ValueError, LookupError):
        return None
    return Weights(architecture, dtype, _arrays(tensors), formats)


def _arrays(tensors: Tensors) -> Mapping[str, Array]:
    return {name: array for name, (_, array) in tensors.items()}


def _pack(
    sources: Sequence[Path], architecture: Architecture, dtype: Dtype, path: Path, about: Mapping[str, str]
) -> Weights:
    try:
        # A GGUF file's weights are packed into the folder that describes it.
        tensors = _map_sources(sources, architecture, path.parent)
        formats = formats_of(tensors, architecture) if dtype == "gguf" else uniform(architecture, dtype)
    except UNREADABLE as error:
        msg = f"The weights in {path.parent} cannot be read ({error})."
        raise ModelError(msg, remedy="Fetch the model again, or name another folder.") from error
    if dtype == "gguf":
        about = {**about, "formats": json.dumps(formats)}
    layout = packed_layout(architecture, formats, bias=has_bias(tensors))
    _check_disk_space(layout, path.parent)
    inputs = {name: shape[1] for name, shape in matrix_shapes(architecture, formats).items()}
    handle, scratch = tempfile.mkstemp(prefix=".packing-", dir=path.parent)
    os.close(handle)
    try:
        with Packer() as packer:
            pieces = parts(tensors, formats, layout, inputs, packer)
            digest = write_tensors(Path(scratch), layout, pieces, about)
        Path(scratch).replace(path)
        seal(path, digest)
    finally:
        Path(scratch).unlink(missing_ok=True)
    return Weights(architecture, dtype, _arrays(map_tensors(path)), formats)


def _map_sources(sources: Sequence[Path], architecture: Architecture, folder: Path) -> Tensors:
    """The tensors of one GGUF file, or of safetensors files; they are as the architecture has them."""
    if [source.suffix for source in sources] == [".gguf"]:
        return map_gguf(sources[0], architecture, folder)
    tensors = {name: tensor for file in sources for name, tensor in map_tensors(file).items()}
    check_sources(tensors, architecture)
    return tensors


def _check_disk_space(layout: Layout, folder: Path) -> None:
    needed = sum(math.prod(shape) * np.dtype(dtype).itemsize for dtype, shape in layout.values())
    free = shutil.disk_usage(folder).free
    if free < needed:
        msg = f"Packing the weights needs {needed / 1e9:.1f} GB in {folder}; {free / 1e9:.1f} GB are free."
        raise DiskSpaceError(msg, remedy="Free some space, or set COPILOT_SERVER_HOME to another disk.")
