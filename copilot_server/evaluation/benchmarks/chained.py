"""Chained building blocks: a docstring that asks for a sequence of manipulations of a string.

The thirteen blocks and the wording of the prompt follow Chen et al. 2021 (arXiv 2107.03374, section 5 and
appendix C; figure 11 has the curve). A seed determines the chains and the inputs of the tests. The paper
finds that each added block divides the pass rate by 2 to 3.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import numpy.typing as npt

from copilot_server.evaluation.benchmarks.seeding import seeded
from copilot_server.evaluation.scores import grouped
from copilot_server.evaluation.types import Checked, Score, Task

#: The most blocks in a chain, and the number of chains of each length.
LENGTHS, CHAINS = 5, 26
INPUTS = 8
ENTRY_POINT = "string_manipulation"
_RESAMPLES = 2_000

_WORDS = (
    *("apple", "Bridge", "candle", "DEEP", "eleven", "Eve", "Forest", "green", "hammer", "I", "Island"),
    *("jelly", "kettle", "Lemon", "middle", "never", "Orange", "people", "quick", "River", "seven"),
    *("sleeve", "tree", "umbrella", "Village", "where", "xylophone", "Yellow", "zebra"),
)
_ENDINGS = ("", "", "", "!", "?", ".", "!?")


@dataclass(frozen=True, slots=True)
class Block:
    """A manipulation: how the prompt describes it, and the expression that computes it from ``s``."""

    words: str
    expression: str


BLOCKS = (
    Block("remove all instances of the letter e from the string", 's.replace("e", "")'),
    Block("replace all spaces with exclamation points in the string", 's.replace(" ", "!")'),
    Block("convert the string s to lowercase", "s.lower()"),
    Block("remove the first and last two characters of the string", "s[2:-2]"),
    Block("removes all vowels from the string", '"".join(c for c in s if c not in "aeiouAEIOU")'),
    Block(
        "remove every third character from the string",
        '"".join(c for i, c in enumerate(s, start=1) if i % 3)',
    ),
    Block("drop the last half of the string, as computed by characters", "s[: len(s) // 2]"),
    Block("replace spaces with triple spaces", 's.replace(" ", "   ")'),
    Block("reverse the order of words in the string", '" ".join(reversed(s.split()))'),
    Block(
        "drop the first half of the string, as computed by number of words",
        '" ".join(s.split()[len(s.split()) // 2 :])',
    ),
    Block(
        "add the word apples after every word in the string",
        '" ".join(f"{word} apples" for word in s.split())',
    ),
    Block(
        "make every other character in the string uppercase",
        '"".join(c if i % 2 else c.upper() for i, c in enumerate(s))',
    ),
    Block(
        "delete all exclamation points, question marks, and periods from the string",
        '"".join(c for c in s if c not in "!?.")',
    ),
)


def tasks(*, seed: int = 0, lengths: int = LENGTHS, chains: int = CHAINS) -> list[Task]:
    """Return chains of 1 to ``lengths`` different blocks, ``chains`` of each length.

    There are only thirteen chains of one block. Every block of a chain changes the results of its tests.
    """
    return [
        _task(number, chain, _inputs(seeded(seed, "inputs", length, number)))
        for length in range(1, lengths + 1)
        for number, chain in enumerate(_chains(seed, length, chains))
    ]


def scores(tasks: Sequence[Task], checked: Sequence[Checked]) -> list[Score]:
    """Return the factor by which each added block changes pass@1, fitted over all lengths."""
    by_temperature: dict[float | None, dict[int, list[float]]] = {}
    for (variant, temperature), groups in grouped(tasks, checked).items():
        rates = [group.pass_at(1) for group in groups]
        by_temperature.setdefault(temperature, {})[int(variant.split()[0])] = rates
    found = [_factor(rates, temperature) for temperature, rates in by_temperature.items()]
    return [score for score in found if score is not None]


def result(chain: Sequence[Block], text: str) -> str:
    """Return ``text`` after the manipulations of a chain."""
    for block in chain:
        text = eval(block.expression, {"s": text})  # noqa: S307 - an expression of this module
    return text


def _chains(seed: int, length: int, chains: int) -> list[tuple[Block, ...]]:
    """Return up to ``chains`` different chains in which every block matters."""
    rng = seeded(seed, "chains", length)
    wanted = min(chains, math.perm(len(BLOCKS), length))
    found: dict[tuple[Block, ...], None] = {}
    for _ in range(100 * chains):
        chain = tuple(rng.sample(BLOCKS, length))
        if len(found) < wanted and _all_matter(chain, _inputs(seeded(seed, "inputs", length, len(found)))):
            found[chain] = None
    return list(found)


def _all_matter(chain: tuple[Block, ...], inputs: Sequence[str]) -> bool:
    """Whether the result changes if any one block is left out."""
    wanted = [result(chain, text) for text in inputs]
    shorter = itertools.combinations(chain, len(chain) - 1)
    return all([result(rest, text) for text in inputs] != wanted for rest in shorter)


def _inputs(rng: Random) -> list[str]:
    """Return sentences that are long enough for something to be left after five blocks."""
    return [_sentence(rng, words) for words in range(5, 5 + 2 * INPUTS, 2)]


def _sentence(rng: Random, words: int) -> str:
    return " ".join(rng.choice(_WORDS) + rng.choice(_ENDINGS) for _ in range(words))


def _task(number: int, chain: tuple[Block, ...], inputs: Sequence[str]) -> Task:
    steps = "".join(f"    -{block.words}\n" for block in chain)
    prompt = (
        f"def {ENTRY_POINT}(s: str):\n"
        '    """\n'
        "    This function takes a string as input, then returns the result of performing\n"
        "    the following sequence of manipulations on that string:\n"
        f'{steps}    """\n'
    )
    asserts = "".join(f"    assert candidate({text!r}) == {result(chain, text)!r}\n" for text in inputs)
    name = f"Chained/{len(chain)}/{number}"
    return Task(
        task_id=name,
        problem_id=name,
        prefix=prompt,
        suffix="",
        canonical="".join(f"    s = {block.expression}\n" for block in chain) + "    return s\n",
        entry_point=ENTRY_POINT,
        test=f"def check(candidate):\n{asserts}",
        setup=prompt,
        variant="1 block" if len(chain) == 1 else f"{len(chain)} blocks",
    )


def _factor(rates: dict[int, list[float]], temperature: float | None) -> Score | None:
    """Fit pass@1 = a * f**(blocks - 1), and return f with a bootstrap interval over the tasks.

    Return None unless there are several lengths and a sample that passed.
    """
    lengths = np.array(sorted(rates))
    tasks = np.array([len(rates[length]) for length in lengths])
    if len(lengths) < 2 or not any(map(any, rates.values())):
        return None
    rng = np.random.default_rng(0)
    resampled = np.stack(
        [rng.choice(rates[length], (_RESAMPLES, len(rates[length]))).mean(axis=1) for length in lengths],
        axis=1,
    )
    means = np.array([np.mean(rates[length]) for length in lengths])
    value = float(_fitted(means[None], lengths, tasks)[0])
    low, high = np.percentile(_fitted(resampled, lengths, tasks), [2.5, 97.5])
    note = f"each added block divides the pass rate by {1 / value:.1f}; in the Codex paper by 2 to 3"
    return Score(
        name="left by each added block",
        value=value,
        low=float(low),
        high=float(high),
        tasks=int(tasks.sum()),
        temperature=temperature,
        note=note,
    )


def _fitted(
    rates: npt.NDArray[np.float64], lengths: npt.NDArray[np.int_], tasks: npt.NDArray[np.int_]
) -> npt.NDArray[np.float64]:
    """Return the factors, from 0.001 to 1, of the least-squares fits; ``rates``: (fits, lengths) -> (fits,).

    The squares are weighted by the number of tasks.
    """
    factors = np.linspace(0.001, 1, 1000)
    curves = factors[:, None] ** (lengths - lengths[0])  # (factors, lengths)
    # For a given factor the best ``a`` has a closed form, so the residuals need not be computed.
    explained = (rates * tasks) @ curves.T / np.sqrt((tasks * curves**2).sum(axis=1))  # (fits, factors)
    best: npt.NDArray[np.float64] = factors[explained.argmax(axis=1)]
    return best
