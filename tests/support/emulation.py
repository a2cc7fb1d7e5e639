"""The kernels in another program: those of another processor, which an emulator runs.

An emulator shows that the numbers are right. It shows no speed, and nothing of the order in which the other
processor's threads see each other's writes.
"""

from __future__ import annotations

import ctypes
import struct
import subprocess
from collections.abc import Sequence
from ctypes import POINTER, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from copilot_server.engine.backends.cpu import library as cpu_library
from tests.support.kernels import PROBES, Array, Probes, build_kernels, compile_kernels


@dataclass(frozen=True)
class Target:
    """How to compile for a processor, and what runs a program for it: nothing on this one."""

    compiler: str
    flags: Sequence[str] = ()
    runner: Sequence[str] = ()

    def start(self, folder: Path) -> Emulator:
        """The kernels, and the program that calls them, which is compiled into ``folder``."""
        return Emulator(self.command(folder))

    def command(self, folder: Path) -> Sequence[str | Path]:
        """What ``start`` starts."""
        program = folder / "emulated"
        compile_kernels(self.compiler, self.flags, [PROBES / "emulated.c"], program)
        return [*self.runner, program, build_kernels(self.compiler, self.flags)]


def aarch64(compiler: str, processor: str = "max") -> Target:
    """ARM with 64 bits, by Debian's cross compiler or by clang, which uses that one's C library.

    ``processor``: as QEMU names it; ``max`` has every instruction.
    """
    flags = ["-march=armv8-a"] if compiler.startswith("aarch64") else ["--target=aarch64-linux-gnu"]
    return Target(compiler, flags, ("qemu-aarch64", "-cpu", processor, "-L", "/usr/aarch64-linux-gnu"))


#: The compilers for ``aarch64``.
AARCH64_COMPILERS = ("aarch64-linux-gnu-gcc", "clang")


class Emulator:
    """Runs ``kernel_probes/emulated.c``, and calls functions of the library that it has opened."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        self._program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    @property
    def is_open(self) -> bool:
        """Whether it can be called."""
        return self._program.poll() is None

    def call(self, name: str, *arguments: Array | float) -> int:
        """Call a function with the addresses of arrays, which then have what it wrote into them."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        called = struct.pack("<q", len(name)) + name.encode() + struct.pack("<q", len(arguments))
        self._program.stdin.write(b"".join([called, *map(_as_bytes, arguments)]))
        self._program.stdin.flush()
        result = int.from_bytes(self._read(8), "little", signed=True)
        for array in arguments:
            if isinstance(array, np.ndarray):
                array.reshape(-1)[:] = np.frombuffer(self._read(array.nbytes), array.dtype)
        return result

    def put(self, data: bytes) -> int:
        """Copy bytes there; returns their address."""
        address = self.call("aligned_alloc", 64, len(data) // 64 * 64 + 64)
        self.call("memcpy", address, np.frombuffer(bytearray(data), np.uint8), len(data))
        return address

    def get(self, address: int, size: int) -> bytes:
        """Copy bytes from there."""
        room = np.empty(size, np.uint8)
        self.call("memcpy", room, address, size)
        return room.tobytes()

    def close(self) -> None:
        """End the program."""
        self._program.communicate()

    def _read(self, size: int) -> bytes:
        assert self._program.stdout is not None
        answer = self._program.stdout.read(size)
        assert len(answer) == size, f"the program has ended: {self._program.wait()}"
        return answer


def _as_bytes(argument: Array | float) -> bytes:
    if isinstance(argument, np.ndarray):
        assert argument.flags.c_contiguous
        return b"a" + struct.pack("<q", argument.nbytes) + argument.tobytes()
    if isinstance(argument, float):
        return struct.pack("<cf", b"f", argument)
    return struct.pack("<cq", b"i", argument)


class EmulatedProbes(Probes):
    """The inlined functions of an instruction set, called in an emulator."""

    def __init__(self, emulator: Emulator, instruction_set: str) -> None:
        self._emulator = emulator
        self._suffix = instruction_set

    def _call(self, name: str, *arguments: Array | float) -> None:
        self._emulator.call(f"probe_{name}_{self._suffix}", *arguments)


class EmulatedLibrary:
    """What ``load_library`` returns, computed in an emulator.

    The first use of a model copies it there, with its KV cache, which stays there.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        # By the structure's identity; holding it keeps that from being another's.
        self._models: dict[int, tuple[ctypes.Structure, int]] = {}

    def decoder_isa(self) -> bytes:
        """As decoder.h describes it, like the functions below."""
        return self._emulator.get(self._emulator.call("decoder_isa"), 16).split(b"\0")[0]

    def decoder_use_isa(self, name: bytes) -> int:
        used = self._emulator.call("decoder_use_isa", np.frombuffer(bytearray(name + b"\0"), np.uint8))
        return used & 0xFFFFFFFF  # the other half of the register is not the result's

    def pool_open(self, threads: int) -> int:
        return self._emulator.call("pool_open", threads)

    def pool_close(self, pool: int) -> None:
        if self._emulator.is_open:
            self._emulator.call("pool_close", pool)

    def decoder_pack(self, rows: Any, pool: int) -> int:  # noqa: ANN401 - of ctypes.byref
        here, there = rows._obj, self._copied(rows._obj)
        address = self._emulator.put(bytes(there))
        result = self._checked("decoder_pack", address, pool)
        self._fetch_arrays(here, there, unchanged="rows")  # a file's, which may not be written to
        self._emulator.call("free", address)
        return result

    def decoder_scratch_bytes(self, model: Any, tokens: int) -> int:  # noqa: ANN401 - of ctypes.byref
        return self._checked("decoder_scratch_bytes", self._model(model), tokens)

    def decoder_copy_page(self, model: Any, source: int, target: int) -> int:  # noqa: ANN401
        return self._checked("decoder_copy_page", self._model(model), source, target)

    def decoder_step(self, model: Any, step: Any, _scratch: int, size: int, pool: int) -> int:  # noqa: ANN401
        here, there = step._obj, self._copied(step._obj)
        address, scratch = self._emulator.put(bytes(there)), self._emulator.call("aligned_alloc", 64, size)
        result = self._checked("decoder_step", self._model(model), address, scratch, size, pool)
        self._fetch_arrays(here, there)
        self._emulator.call("free", address)
        self._emulator.call("free", scratch)
        return result

    def _fetch_arrays(self, here: Any, there: Any, unchanged: str = "") -> None:  # noqa: ANN401 - mirrors
        """Copy what a structure's arrays hold now back from the emulator, and free them there."""
        for name, size in zip(_pointers(here), here.bytes, strict=True):
            copy = getattr(there, name)
            if not copy:
                continue
            if name != unchanged:
                ctypes.memmove(getattr(here, name), self._emulator.get(copy, size), size)
            self._emulator.call("free", copy)

    def _checked(self, name: str, *arguments: int) -> int:
        result = self._emulator.call(name, *arguments)
        assert result >= 0, cpu_library.REFUSALS[result]
        return result

    def _model(self, reference: Any) -> int:  # noqa: ANN401 - of ctypes.byref
        model = reference._obj
        if id(model) not in self._models:
            self._models[id(model)] = model, self._emulator.put(bytes(self._copied(model)))
        return self._models[id(model)][1]

    def _copied(self, structure: Any) -> Any:  # noqa: ANN401 - one of the mirrors
        """The structure with the addresses of copies there of all that it points to."""
        copy = type(structure).from_buffer_copy(structure)
        sizes = dict(zip(_pointers(structure), structure.bytes, strict=True))
        for name, kind in structure._fields_:
            value = getattr(structure, name)
            if kind is POINTER(cpu_library.Layer):
                count = sizes[name] // ctypes.sizeof(cpu_library.Layer)
                layers = b"".join(bytes(self._copied(layer)) for layer in value[:count])
                setattr(copy, name, ctypes.cast(self._emulator.put(layers), kind))
            elif name in sizes and value:
                setattr(copy, name, self._emulator.put(ctypes.string_at(value, sizes[name])))
            elif isinstance(value, ctypes.Structure):
                setattr(copy, name, self._copied(value))
        return copy


def _pointers(structure: Any) -> list[str]:  # noqa: ANN401 - one of the mirrors
    """The fields that point to arrays, whose sizes ``bytes`` has in this order."""
    kinds = (c_void_p, POINTER(cpu_library.Layer))
    return [name for name, kind in structure._fields_ if kind in kinds]
