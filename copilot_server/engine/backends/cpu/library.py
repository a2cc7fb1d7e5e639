"""The compiled kernels, called through ctypes: the structures and functions of ``kernels/decoder.h``."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_float, c_int32, c_int64, c_uint32, c_void_p
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

from copilot_server.errors import EngineError

#: Constants of ``kernels/decoder.h``.
BLOCK, GROUP, PAGE_TOKENS, MAX_HEAD_SIZE = 16, 64, 16, 256
WEIGHT_TYPES = {"float32": 0, "bfloat16": 1, "int8": 2}
CACHE_TYPES = {"float32": 0, "float16": 1}


class Matrix(ctypes.Structure):
    """A weight matrix of ``outputs`` x ``inputs``, packed."""

    _fields_ = (
        ("data", c_void_p),
        ("scales", c_void_p),
        ("bias", c_void_p),
        ("outputs", c_int32),
        ("inputs", c_int32),
        ("type", c_int32),
    )


class Layer(ctypes.Structure):
    """A layer's weights."""

    _fields_ = (
        ("attention_norm", c_void_p),
        ("qkv", Matrix),
        ("output", Matrix),
        ("mlp_norm", c_void_p),
        ("gate_up", Matrix),
        ("down", Matrix),
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
    )


class Step(ctypes.Structure):
    """The tokens of one step, and the arrays that receive its results."""

    _fields_ = (
        ("tokens", c_int32),
        ("table_width", c_int32),
        ("wanted", c_int32),
        ("token_ids", c_void_p),
        ("positions", c_void_p),
        ("tables", c_void_p),
        ("page_tables", c_void_p),
        ("wanted_rows", c_void_p),
        ("logits", c_void_p),
        ("best", c_void_p),
        ("log_total", c_void_p),
    )


@cache
def load_library() -> Any:  # noqa: ANN401 - ctypes generates the functions
    """The library that was compiled when this package was installed.

    Raises:
        EngineError: it was not compiled, it was compiled from other sources, or the system cannot load it.
    """
    folder = Path(__file__).parent
    paths = [path for suffix in EXTENSION_SUFFIXES if (path := folder / f"_kernels{suffix}").is_file()]
    if not paths:
        raise EngineError(
            "The kernels for the CPU were not compiled when copilot-server was installed.",
            remedy="Install a C compiler (gcc or clang) and install copilot-server again.",
        )
    try:
        return open_library(paths[0])
    except OSError as error:
        msg = f"The kernels for the CPU cannot be loaded ({error})."
        raise EngineError(msg, remedy="Install copilot-server again on this machine.") from error
    except AttributeError as error:
        msg = f"The kernels for the CPU were compiled from another version's sources ({error})."
        raise EngineError(msg, remedy="Install copilot-server again.") from error


def open_library(path: Path) -> Any:  # noqa: ANN401 - ctypes generates the functions
    """A library of kernels, with the types of its functions declared."""
    library = ctypes.CDLL(str(path))
    for name, result, *arguments in (
        ("pool_open", c_void_p, c_int32),
        ("pool_close", None, c_void_p),
        ("decoder_isa", c_char_p),
        ("decoder_isa_with", c_char_p, c_uint32),
        ("decoder_use_isa", c_int32, c_char_p),
        ("decoder_scratch", c_int64, POINTER(Model), c_int32),
        ("decoder_step", None, POINTER(Model), POINTER(Step), c_void_p, c_void_p),
        ("decoder_copy_page", None, POINTER(Model), c_int32, c_int32),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
