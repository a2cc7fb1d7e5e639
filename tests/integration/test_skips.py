"""In CI a skipped test is a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY


@pytest.mark.parametrize(
    ("body", "flags", "code"),
    [
        ("pytest.skip('not here')", ["--fail-on-skip"], 1),
        ("pytest.skip('not here')", [], 0),
        ("pass", ["--fail-on-skip"], 0),
    ],
)
def test_a_skip_fails_the_run_where_that_is_asked(tmp_path: Path, body: str, flags: list[str], code: int):
    (tmp_path / "test_one.py").write_text(f"import pytest\n\ndef test_one():\n    {body}\n")
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.support.skips",
        "-c",
        "/dev/null",
        *flags,
        str(tmp_path),
    ]
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(argv, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr


def test_ci_asks_for_it():
    assert "--fail-on-skip" in (REPOSITORY / ".ci" / "run").read_text("utf-8")
