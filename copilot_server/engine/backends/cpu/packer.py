"""Packing rows of a model's file on all threads, by the kernels (``kernels/packing.c``)."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np

from copilot_server.engine.backends.cpu import library as c
from copilot_server.engine.backends.cpu.layout import PIECES, Format, padded
from copilot_server.engine.backends.cpu.tensors import Array, as_float32
from copilot_server.provenance import cores


@dataclass(frozen=True, slots=True)
class Placed:
    """Rows of a tensor, in its number format, and the outputs that they are in a piece of a matrix.

    ``output``: that of the first row. ``stride``: where it is 2, the rows are in every other block of 16.
    """

    kind: str
    rows: Array
    output: int = 0
    stride: int = 1

    @property
    def outputs(self) -> Array:
        """The output of each row."""
        blocks, within = np.divmod(self.output % c.BLOCK + np.arange(len(self.rows)), c.BLOCK)
        return (self.output // c.BLOCK + blocks * self.stride) * c.BLOCK + within


class Packer:
    """Threads that pack; they end with the block of ``with``."""

    def __init__(self) -> None:
        self._library = c.load_library()
        self._workers = self._library.pool_open(cores())

    def __enter__(self) -> Packer:
        """Return the packer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the threads."""
        self._library.pool_close(self._workers)

    def rounded(self, placed: Sequence[Placed], outputs: int, inputs: int) -> tuple[Array, Array]:
        """Rows rounded to int8, as data and scales (``layout.py``); zeros where no row is placed."""
        width = padded(inputs, c.GROUP)
        is_full = sum(len(one.rows) for one in placed) == outputs
        data = np.empty((outputs // c.BLOCK, width // 4, c.BLOCK, 4), np.uint8)
        scales = np.empty((outputs // c.BLOCK, width // c.GROUP, c.BLOCK), np.uint16)
        if not is_full:
            data[:], scales[:] = 0x80, 0
        for one in placed:
            is_known = one.kind in c.SOURCE_TYPES
            known = one if is_known else replace(one, kind="F32", rows=as_float32((one.kind, one.rows)))
            self._pack(known, inputs, c.WEIGHT_TYPES["int8"], data, scales)
        return data, scales

    def arranged(self, placed: Sequence[Placed], outputs: int, inputs: int, kind: Format) -> Array:
        """Rows of a file's blocks as the kernels compute with them; zeros where no row is placed."""
        step, size = PIECES[kind]
        data = np.empty((outputs // c.BLOCK, inputs // step * size), np.uint8)
        for one in placed:
            missing = outputs // one.stride - len(one.rows)
            rows = np.pad(one.rows, ((0, missing), (0, 0))) if missing else one.rows
            self._pack(replace(one, rows=rows), inputs, c.WEIGHT_TYPES[kind], data, None)
        return data

    def _pack(self, placed: Placed, inputs: int, target: int, data: Array, scales: Array | None) -> None:
        rows = np.ascontiguousarray(placed.rows)
        block, first = divmod(placed.output, c.BLOCK)
        arrays = [rows, data[block:], None if scales is None else scales[block:]]
        description = c.Rows(
            *(None if array is None else array.ctypes.data for array in arrays),
            tuple(0 if array is None else array.nbytes for array in arrays),
            len(rows),
            inputs,
            c.SOURCE_TYPES[placed.kind],
            target,
            first,
            placed.stride,
        )
        self._library.decoder_pack(ctypes.byref(description), self._workers)
