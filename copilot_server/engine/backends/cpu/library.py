"""The compiled kernels, called through ctypes: the structures and functions of ``kernels/decoder.h``."""

from __future__ import annotations

import ctypes
import os
import sys
from ctypes import POINTER, c_char_p, c_float, c_int32, c_int64, c_uint32, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

from copilot_server.errors import EngineError

#: The library, which setup.py compiles for this system, or which came with the wheel.
FILE = "_kernels" + {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
#: Every instruction set that the kernels are written for, as in ``kernels/decoder.c``, the fastest first.
INSTRUCTION_SETS = ("amx", "avx512", "avxvnni", "avx512bw", "avx2", "i8mm", "neon", "portable")
#: Constants of ``kernels/decoder.h``.
BLOCK, GROUP, PAGE_TOKENS, MAX_HEAD_SIZE = 16, 64, 16, 256
WEIGHT_TYPES = {
    "float32": 0,
    "bfloat16": 1,
    "int8": 2,
    "q4_k": 3,
    "q5_0": 4,
    "q6_k": 5,
    "q4_0": 6,
    "q5_k": 7,
    "q8_0": 8,
}
#: The number formats of a model's file that ``decoder_pack`` reads, as safetensors and ggml name them.
SOURCE_TYPES = {
    **{name.upper(): type_ for name, type_ in WEIGHT_TYPES.items() if name.startswith("q")},
    "F32": WEIGHT_TYPES["float32"],
    "BF16": WEIGHT_TYPES["bfloat16"],
    "F16": 9,
}
CACHE_TYPES = {"float32": 0, "float16": 1}
#: What the entry points refuse, by the negative numbers of ``kernels/bounds.h``.
REFUSALS = {
    -1: "a size is impossible",
    -2: "the weights do not fit the model's sizes",
    -3: "the KV cache does not fit the model's sizes",
    -4: "an array is too short",
    -5: "a token is outside the vocabulary",
    -6: "a position is outside the context window",
    -7: "the KV cache has no such page",
    -8: "a wanted row is not one of the step's tokens, in ascending order",
    -9: "there is too little scratch memory, or there are no threads",
}


class Matrix(ctypes.Structure):
    """A weight matrix of ``outputs`` x ``inputs``, packed."""

    _fields_ = (
        ("data", c_void_p),
        ("scales", c_void_p),
        ("bias", c_void_p),
        ("bytes", c_int64 * 3),
        ("outputs", c_int32),
        ("inputs", c_int32),
        ("type", c_int32),
    )


class Layer(ctypes.Structure):
    """A layer's weights."""

    _fields_ = (
        ("attention_norm", c_void_p),
        ("qkv", Matrix),
        ("values", Matrix),
        ("output", Matrix),
        ("mlp_norm", c_void_p),
        ("gate_up", Matrix),
        ("down", Matrix),
        ("bytes", c_int64 * 2),
    )


class Model(ctypes.Structure):
    """A model's weights and its KV cache."""

    _fields_ = (
        ("layers", c_int32),
        ("hidden", c_int32),
        ("intermediate", c_int32),
        ("heads", c_int32),
        ("kv_heads", c_int32),
        ("head_size", c_int32),
        ("vocabulary", c_int32),
        ("norm_epsilon", c_float),
        ("layer", POINTER(Layer)),
        ("final_norm", c_void_p),
        ("embedding", Matrix),
        ("head", Matrix),
        ("rope", c_void_p),
        ("keys", c_void_p),
        ("values", c_void_p),
        ("cache_type", c_int32),
        ("pages", c_int32),
        ("bytes", c_int64 * 5),
    )


class Step(ctypes.Structure):
    """The tokens of one step, and the arrays that receive its results."""

    _fields_ = (
        ("tokens", c_int32),
        ("table_width", c_int32),
        ("wanted", c_int32),
        ("sequences", c_int32),
        ("token_ids", c_void_p),
        ("positions", c_void_p),
        ("tables", c_void_p),
        ("page_tables", c_void_p),
        ("wanted_rows", c_void_p),
        ("logits", c_void_p),
        ("best", c_void_p),
        ("log_total", c_void_p),
        ("bytes", c_int64 * 8),
    )


class Rows(ctypes.Structure):
    """Rows of a matrix as a model's file has them, and where they are packed."""

    _fields_ = (
        ("rows", c_void_p),
        ("data", c_void_p),
        ("scales", c_void_p),
        ("bytes", c_int64 * 3),
        ("count", c_int32),
        ("inputs", c_int32),
        ("source", c_int32),
        ("target", c_int32),
        ("first", c_int32),
        ("stride", c_int32),
    )


@cache
def load_library() -> Any:  # noqa: ANN401 - ctypes generates the functions
    """The library that came with this package, or was compiled when it was installed.

    It computes with the instruction set that ``COPILOT_SERVER_ISA`` names, or with the processor's best.

    Raises:
        EngineError: it was not compiled, it was compiled from other sources, the system cannot load it, or
            the processor lacks the instruction set that is wanted.
    """
    path = Path(__file__).with_name(FILE)
    if not path.is_file():
        raise EngineError(
            "The kernels for the CPU were not compiled when copilot-server was installed.",
            remedy="Install a C compiler (gcc or clang) and install copilot-server again.",
        )
    try:
        library = open_library(path)
    except OSError as error:
        msg = f"The kernels for the CPU cannot be loaded ({error})."
        raise EngineError(msg, remedy="Install copilot-server again on this machine.") from error
    except AttributeError as error:
        msg = f"The kernels for the CPU were compiled from another version's sources ({error})."
        raise EngineError(msg, remedy="Install copilot-server again.") from error
    wanted = os.environ.get("COPILOT_SERVER_ISA")
    if wanted and not library.decoder_use_isa(wanted.encode()):
        best = library.decoder_isa().decode()
        msg = f"COPILOT_SERVER_ISA asks for the instruction set {wanted!r}, which this processor lacks."
        raise EngineError(
            msg, remedy=f"Unset it, and {best} is used. The names: {', '.join(INSTRUCTION_SETS)}."
        )
    return library


def open_library(path: Path) -> Any:  # noqa: ANN401 - ctypes generates the functions
    """A library of kernels, with the types of its functions declared.

    Its functions that read a model raise EngineError where they refuse to (``kernels/bounds.h``).

    Raises:
        OSError: the system cannot load it.
        AttributeError: it lacks a function, or its structures are others than those of this module.
    """
    library = ctypes.CDLL(str(path))
    for name, result, *arguments in (
        ("pool_open", c_void_p, c_int32),
        ("pool_close", None, c_void_p),
        ("decoder_isa", c_char_p),
        ("decoder_isa_with", c_char_p, c_uint32),
        ("decoder_use_isa", c_int32, c_char_p),
        ("decoder_structures", None, POINTER(c_int64)),
        ("decoder_pack", c_int64, POINTER(Rows), c_void_p),
        ("decoder_scratch_bytes", c_int64, POINTER(Model), c_int32),
        ("decoder_step", c_int64, POINTER(Model), POINTER(Step), c_void_p, c_int64, c_void_p),
        ("decoder_copy_page", c_int64, POINTER(Model), c_int32, c_int32),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    for name in ("decoder_pack", "decoder_scratch_bytes", "decoder_step", "decoder_copy_page"):
        getattr(library, name).errcheck = _refuse
    _check_structures(library)
    return library


def _refuse(result: int, function: Any, _arguments: Any) -> int:  # noqa: ANN401 - as ctypes calls it
    if result >= 0:
        return result
    msg = f"The kernels for the CPU refused to compute: {REFUSALS[result]} ({function.__name__})."
    raise EngineError(msg, remedy="This is a defect of copilot-server; please report it.")


def _check_structures(library: Any) -> None:  # noqa: ANN401 - ctypes generates the functions
    sizes = (c_int64 * 5)()
    library.decoder_structures(sizes)
    if list(sizes) != [ctypes.sizeof(mirror) for mirror in (Matrix, Layer, Model, Step, Rows)]:
        raise AttributeError("structures of other sizes")
