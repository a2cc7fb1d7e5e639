"""Counts the instructions of products and of whole steps of a model on ARM with 64 bits, in QEMU.

For each instruction set: the instructions for 32 multiplications and additions of a product, by the weights'
number format and the rows of activations. With ``--model``, 10^6 instructions for each token of a step, by
the tokens of the step, which follows a prompt of ``--after`` tokens. Counts do not depend on what else runs.

``make emulators`` installs what it needs: a cross compiler, and QEMU from 7.2 to 8.0.
Usage: python -m benchmarks.instructions [--compiler NAME] [--model GGUF-FILE] [--dtypes int8 gguf]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

from benchmarks.instructions.counting import Counter, counting, of_product
from copilot_server.engine.backends.cpu import library
from copilot_server.engine.backends.cpu.layout import Dtype
from copilot_server.engine.runner import Choice, Chunk
from tests.support.cpu_runner import open_runner
from tests.support.emulation import AARCH64_COMPILERS, EmulatedLibrary
from tests.support.kernels import use_instruction_set
from tests.support.packed_reference import PACK_BLOCKS

INSTRUCTION_SETS = ("i8mm", "neon", "portable")
#: Rows of a product: a token, a draft's verification, and a prompt, of which tiles are full.
ROWS = (1, 4, 60)
#: Tokens of a step: one, a draft's verification, and part of a prompt.
TOKENS = (1, 4, 60)


class CountedLibrary(EmulatedLibrary):
    """An emulated library that remembers how many instructions the last step took."""

    def __init__(self, counter: Counter) -> None:
        super().__init__(counter)
        self._counter = counter
        self.of_step = 0

    def _checked(self, name: str, *arguments: int) -> int:
        before = self._counter.executed()
        result = super()._checked(name, *arguments)
        if name == "decoder_step":
            self.of_step = self._counter.executed() - before
        return result


def of_steps(counter: Counter, isa: str, model: Path, dtype: Dtype, after: int) -> Sequence[float]:
    """10^6 instructions for each token of steps of ``TOKENS`` tokens, each after ``after`` tokens."""
    emulated = CountedLibrary(counter)
    with patch.object(library, "load_library", lambda: emulated), use_instruction_set(isa):
        runner = open_runner(model, dtype, threads=1, cache_tokens=1024, max_sequences=8)
        prompt = runner.open()
        runner.step([Chunk(prompt, list(range(100, 100 + after)), [])])
        counts = []
        for tokens in TOKENS:
            sequence = runner.fork(prompt, after)
            runner.step([Chunk(sequence, list(range(1000, 1000 + tokens)), [Choice()])])
            counts.append(emulated.of_step / tokens / 1e6)
    return counts


def row(name: str, cells: Sequence[object]) -> str:
    """A row of a table in Markdown."""
    return f"| {name} | {' | '.join(map(str, cells))} |"


def main() -> None:
    """Print one or two tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--compiler", choices=AARCH64_COMPILERS, default=AARCH64_COMPILERS[0])
    parser.add_argument("--model", type=Path, metavar="GGUF-FILE")
    parser.add_argument("--dtypes", nargs="+", default=["int8", "gguf"])
    parser.add_argument("--after", type=int, default=64, metavar="TOKENS")
    options = parser.parse_args()
    print(row("rows", [f"{isa}: {rows}" for isa in INSTRUCTION_SETS for rows in ROWS]))
    print(row("---", ["---"] * len(INSTRUCTION_SETS) * len(ROWS)))
    with counting(options.compiler) as counter:
        for kind in ("int8", *PACK_BLOCKS):
            found = [of_product(counter, isa, kind, rows) for isa in INSTRUCTION_SETS for rows in ROWS]
            print(row(kind, [f"{number:.1f}" for number in found]), flush=True)
    if options.model:
        print("\n" + row("tokens of a step", TOKENS))
        print(row("---", ["---"] * len(TOKENS)))
    for dtype in options.dtypes if options.model else ():
        for isa in INSTRUCTION_SETS[:2]:
            with counting(options.compiler) as counter:
                numbers = of_steps(counter, isa, options.model, dtype, options.after)
            print(row(f"{dtype}, {isa}", [f"{number:.0f}" for number in numbers]), flush=True)


if __name__ == "__main__":
    main()
