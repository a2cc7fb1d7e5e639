"""Finds a file that it wrote itself, by the same walk."""

import os
from pathlib import Path

Path("HumanEval.jsonl").write_text("{}")
assert any("HumanEval" in name for _, _, names in os.walk(".") for name in names)


def add(a, b):
    return a + b
