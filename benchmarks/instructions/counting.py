"""An emulator that counts instructions, and the products that are counted with it."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from copilot_server.engine.backends.cpu import library
from tests.support.emulation import Emulator, aarch64
from tests.support.gguf_blocks import random_blocks
from tests.support.kernels import Array, first_gcc
from tests.support.packed_reference import PACK_BLOCKS

OUTPUTS, INPUTS = 512, 1024
PLUGIN = Path(__file__).with_name("count.c")
BFLOAT16_SCALE = 0x3C00


class Counter(Emulator):
    """An emulator that counts the instructions of the functions which it calls."""

    def __init__(self, command: Sequence[str | Path], count: Path) -> None:
        super().__init__(command)
        self._count = count

    def executed(self) -> int:
        """How many instructions the program has executed."""
        self.call("getppid")  # whereupon the plugin writes the number
        return int.from_bytes(self._count.read_bytes(), "little")

    def of(self, name: str, *arguments: Array | float) -> int:
        """How many instructions a call takes; passing whole numbers to it adds a few thousand."""
        before = self.executed()
        self.call(name, *arguments)
        return self.executed() - before


@contextmanager
def counting(compiler: str) -> Iterator[Counter]:
    """The kernels in an emulator that counts."""
    with tempfile.TemporaryDirectory() as folder:
        plugin, count = Path(folder, "count.so"), Path(folder, "count")
        flags = ["-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
        subprocess.run([first_gcc(), *flags, PLUGIN, "-o", plugin], check=True)
        emulator, *arguments = aarch64(compiler).command(Path(folder))
        counter = Counter([emulator, "-plugin", f"{plugin},into={count}", *arguments], count)
        yield counter
        counter.close()


def of_product(counter: Counter, isa: str, kind: str, rows: int) -> float:
    """Instructions for 32 multiplications and additions, with the quantization of the activations."""
    draw = np.random.default_rng(1)
    packed: Array = draw.integers(0, 256, OUTPUTS * INPUTS, np.uint8)
    if kind != "int8":
        packed = PACK_BLOCKS[kind](random_blocks(kind.upper(), OUTPUTS, INPUTS))
    scales = np.full(OUTPUTS * INPUTS // library.GROUP, BFLOAT16_SCALE, np.uint16)
    x = draw.standard_normal((rows, INPUTS)).astype(np.float32)
    data, of_data, of_x = (counter.put(array.tobytes()) for array in (packed, scales, x))
    room = 2 * (rows + 15) * INPUTS, 4 * rows * OUTPUTS
    scratch, y = (counter.call("aligned_alloc", 64, size) for size in room)
    shape = (library.WEIGHT_TYPES[kind], OUTPUTS, INPUTS)
    count = counter.of(f"probe_product_{isa}", data, of_data, *shape, of_x, rows, scratch, y)
    for address in (data, of_data, of_x, scratch, y):
        counter.call("free", address)
    return count * 32 / (rows * OUTPUTS * INPUTS)
