"""The CPU kernels for tests: builds by each compiler, each instruction set, and engines without a tuning."""

from __future__ import annotations

import ast
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from copilot_server.config import SpeedSettings
from copilot_server.engine.backends.cpu import library as cpu_library
from copilot_server.engine.backends.cpu.layout import Dtype
from copilot_server.engine.decoding.engine import DecodingEngine
from copilot_server.engine.models.tokenizer import load_tokenizer
from tests.support.cpu_runner import folder_of, open_runner

Array: TypeAlias = npt.NDArray[Any]

#: The compilers that the kernels must compile with, as Debian and Ubuntu name them.
COMPILERS = ("gcc-11", "gcc-12", "clang")
ROOT = Path(__file__).parents[2]
KERNELS = ROOT / "copilot_server" / "engine" / "backends" / "cpu" / "kernels"
PROBES = Path(__file__).parent / "kernel_probes"
BUILDS = ROOT / ".cache" / "kernels"

X86_INSTRUCTION_SETS = tuple(name for name in cpu_library.INSTRUCTION_SETS if name.startswith(("amx", "avx")))


@contextmanager
def use_instruction_set(name: str) -> Iterator[bool]:
    """Force the kernels to use an instruction set; yields False where the processor lacks it."""
    library = cpu_library.load_library()
    before = library.decoder_isa()
    try:
        yield bool(library.decoder_use_isa(name.encode()))
    finally:
        library.decoder_use_isa(before)


def available_instruction_sets() -> tuple[str, ...]:
    """The instruction sets that this processor can be forced to; ``portable`` is always among them."""
    found = []
    for name in cpu_library.INSTRUCTION_SETS:
        with use_instruction_set(name) as available:
            found += [name] if available else []
    return tuple(found)


def emulated_instruction_sets() -> tuple[str, ...]:
    """The instruction sets that this processor lacks, and that a library of ``build_emulation`` has.

    The emulation computes with AVX2. Where ``LIBRARY_VARIABLE`` says what to test, nothing is emulated.
    """
    available = available_instruction_sets()
    if "avx2" not in available or LIBRARY_VARIABLE in os.environ:
        return ()
    return tuple(name for name in X86_INSTRUCTION_SETS if name not in available)


def open_untuned_engine(model: Path, dtype: Dtype, speed: SpeedSettings) -> DecodingEngine:
    """An engine with two threads and drafts of up to 7 tokens, whatever was measured on this machine.

    ``model``: a folder, or a GGUF file that the kernels read themselves.
    """
    runner = open_runner(model, dtype, cache_tokens=65536, max_sequences=64, draft_length=7)
    return DecodingEngine(runner, load_tokenizer(folder_of(model)), speed)


def available_compilers() -> tuple[str, ...]:
    """The compilers that this machine has: at least the one that the kernels were installed with."""
    if LIBRARY_VARIABLE in os.environ:
        return ("given",)
    return tuple(name for name in COMPILERS if shutil.which(name)) or ("cc",)


#: Names a library of ``build_kernels`` that the kernels' tests use instead of the installed one.
LIBRARY_VARIABLE = "COPILOT_SERVER_TEST_KERNELS"
#: Builds that stop at the first access out of bounds and at the first undefined behaviour.
SANITIZE = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")

#: The build of ``build_emulation``. Optimizing less, it takes seconds, not minutes.
EMULATE = ("-O1", "-mavx2", "-mfma", "-mf16c", "-Wno-psabi", "-include", f"{PROBES / 'x86_emulation.h'}")


def first_gcc() -> str:
    """The gcc for builds with sanitizers; gcc itself says where its runtime libraries are."""
    return next((name for name in ("gcc", "gcc-12", "gcc-11") if shutil.which(name)), "cc")


def sanitizer_environment(compiler: str) -> dict[str, str]:
    """What a Python process needs to load a library that was built with ``SANITIZE``."""
    runtimes = []
    for name in ("libasan.so", "libubsan.so"):
        found = subprocess.run([compiler, f"-print-file-name={name}"], check=True, capture_output=True)
        runtimes.append(found.stdout.decode().strip())
    # Python frees little before it exits, which is not a leak of the kernels.
    return {"LD_PRELOAD": ":".join(runtimes), "ASAN_OPTIONS": "detect_leaks=0", "OMP_NUM_THREADS": "1"}


def build_kernels(compiler: str, extra: Sequence[str] = ()) -> Path:
    """Compile the kernels, with the probes of their inlined functions, into a shared library.

    A build takes half a minute, so it is kept until its sources change.

    ``extra``: compiler flags beside those of setup.py, such as ``SANITIZE``. Without them, the library that
    ``LIBRARY_VARIABLE`` names, if it names one, is used instead.
    """
    given = os.environ.get(LIBRARY_VARIABLE)
    if given and not extra:
        return Path(given)
    return _build(compiler, extra, _sources())


def build_emulation() -> Path:
    """Compile the same functions so that this processor can be forced to every instruction set of x86-64.

    In place of the instructions that it may lack, the kernels call functions that use AVX2 (``can_emulate``).
    """
    sources = [source for source in _sources() if source.name != "processor.c"]
    return _build(first_gcc(), EMULATE, [*sources, PROBES / "x86_emulation.c"])


def builds() -> list[tuple[str, str]]:
    """Each compiler with each instruction set of this processor, and "emulation" with those that it lacks."""
    native = [(compiler, isa) for compiler in available_compilers() for isa in available_instruction_sets()]
    return [*native, *(("emulation", isa) for isa in emulated_instruction_sets())]


@cache
def can_emulate() -> bool:
    """Whether SIMD Everywhere is there: Debian's libsimde-dev, which ``make compilers`` installs."""
    command = [first_gcc(), "-E", "-include", "simde/x86/avx512.h", "-x", "c", os.devnull]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _sources() -> list[Path]:
    """The kernels and the probes."""
    return [*KERNELS.glob("*.c"), *PROBES.glob("probes_*.c")]


def _build(compiler: str, extra: Sequence[str], sources: Sequence[Path]) -> Path:
    flags = [*extra, "-shared", "-fPIC"]
    path = BUILDS / f"{compiler}-{_fingerprint(compiler, flags)}.so"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if not path.exists():
            compile_kernels(compiler, flags, sources, path.with_suffix(".new"))
            path.with_suffix(".new").replace(path)
    return path


def _fingerprint(compiler: str, flags: Sequence[str]) -> str:
    """A hash of everything that a build depends on."""
    files = sorted((*KERNELS.glob("*.[ch]"), *PROBES.glob("*.[ch]")))
    parts = [
        _version(compiler),
        *(flag.encode() for flag in (*_setup_flags(), *flags)),
        *map(Path.read_bytes, files),
    ]
    return sha256(b"\0".join(parts)).hexdigest()[:16]


@cache
def _version(compiler: str) -> bytes:
    return subprocess.run([compiler, "--version"], check=True, capture_output=True).stdout


def compile_kernels(compiler: str, flags: Sequence[str], sources: Sequence[Path], output: Path) -> None:
    """Run the compiler; any warning is an error."""
    strict = ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"]
    command = [compiler, *_setup_flags(), *strict, *flags, f"-I{KERNELS}", *map(str, sources)]
    subprocess.run([*command, "-o", str(output), "-lm"], check=True)


class Probes:
    """The inlined functions of one instruction set, in a library of ``build_kernels``, on numpy arrays."""

    def __init__(self, path: Path, instruction_set: str) -> None:
        self._library = ctypes.CDLL(str(path))
        self._suffix = instruction_set

    @property
    def instruction_set(self) -> str:
        """Its name."""
        return self._suffix

    def _call(self, name: str, *arguments: Array | float) -> None:
        function = getattr(self._library, f"probe_{name}_{self._suffix}")
        function.restype = None
        function(*map(_as_c, arguments))

    def map(self, name: str, out: npt.DTypeLike, *inputs: Array) -> Array:
        """Apply a function of one or two numbers to arrays of any length; ``out`` is its result's dtype."""
        padded = [np.pad(array, (0, -len(array) % 16)) for array in inputs]
        result = np.empty(len(padded[0]), out)
        self._call(name, *padded, result, len(result))
        return result[: len(inputs[0])]

    def rms_norm(self, x: Array, weight: Array, epsilon: float) -> Array:
        """RMSNorm of one row, whose length is a multiple of 16."""
        result = np.empty_like(x)
        self._call("rms_norm", x, weight, epsilon, len(x), len(x), result)
        return result

    def quantize(self, x: Array) -> tuple[Array, float, Array]:
        """A group of 64 numbers as int8, with its scale and the sums of 16 values each."""
        values, scale, sums = np.empty(64, np.int8), np.empty(1, np.float32), np.empty(4, np.int16)
        self._call("quantize", x, values, scale, sums)
        return values, float(scale[0]), sums

    def product(self, packed: Array, kind: str, inputs: int, x: Array, scales: Array | None = None) -> Array:
        """The products of rows of ``x``, (rows, inputs), with a packed matrix.

        ``kind``: its number format; of int8, ``scales`` are those of its groups.
        """
        outputs = len(packed) * cpu_library.BLOCK
        result = np.empty((len(x), outputs), np.float32)
        type_ = cpu_library.WEIGHT_TYPES[kind]
        given = scales if scales is not None else np.empty(0, np.uint16)
        scratch = np.empty(2 * (len(x) + 15) * inputs, np.int8)
        self._call("product", packed, given, type_, outputs, inputs, x, len(x), scratch, result)
        return result

    def attend(self, queries: Array, keys: Array, values: Array) -> Array:
        """The attention of one token's queries, (heads, size), to keys and values, (tokens, size)."""
        tokens, size = keys.shape
        pages = -(-tokens // cpu_library.PAGE_TOKENS)
        cache = np.zeros(2 * (pages + 1) * cpu_library.PAGE_TOKENS * size, np.uint16)
        result = np.zeros_like(queries)
        shape = (np.zeros(pages, np.int32), len(queries), size, tokens)
        self._call("attend", queries, keys, values, cache, *shape, result)
        return result

    def rotate(self, x: Array, rope: Array) -> Array:
        """Rotate one head: ``rope`` holds cosines, then sines."""
        result = x.copy()
        self._call("rotate", result, rope, len(x))
        return result

    def soften(self, scores: Array) -> tuple[Array, float, float]:
        """Scores as softmax weights that are not yet normalized, the largest score, and the weights' sum."""
        weights, most, total = scores.copy(), np.empty(1, np.float32), np.empty(1, np.float32)
        self._call("soften", weights, len(weights), most, total)
        return weights, float(most[0]), float(total[0])


def _as_c(argument: Array | float) -> Any:  # noqa: ANN401 - passed on to ctypes
    if isinstance(argument, np.ndarray):
        return ctypes.c_void_p(argument.ctypes.data)
    return ctypes.c_int32(argument) if isinstance(argument, int) else ctypes.c_float(argument)


def _setup_flags() -> list[str]:
    """The compiler flags that setup.py passes."""
    for node in ast.parse((ROOT / "setup.py").read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "COMPILE_ARGS":
            return list(ast.literal_eval(node.value))
    raise AssertionError("setup.py does not assign COMPILE_ARGS")
