"""MBPP's problems in HumanEval's format, for ``copilot-server --selftest humaneval --data``.

MBPP (Austin et al. 2021, "Program Synthesis with Large Language Models", arXiv 2108.07732) is ``mbpp.jsonl``
in the folder ``mbpp`` of github.com/google-research/google-research; its licence is CC BY 4.0. The prompt has
the imports and the signature of the reference solution, and in the docstring the task's text with the first
of its assertions, as ``f(2) == 4``. The hidden test has the others. The problems are those of the paper's
test split, the ids 11 to 510; one with setup code or a single assertion is left out.

Usage: python -m benchmarks.mbpp mbpp.jsonl problems.jsonl
"""

from __future__ import annotations

import argparse
import ast
import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: The ids of the paper's test split.
TEST_SPLIT = range(11, 511)
_INDENT = "    "


def converted(row: Mapping[str, Any]) -> dict[str, str] | None:
    """Return a line of ``mbpp.jsonl`` as a problem of HumanEval's; None if it cannot be one.

    What the solution defines beside the function goes below it, since it is no part of the task.
    """
    claims = [str(one).strip().removeprefix("assert ").strip() for one in row["test_list"]]
    if row["test_setup_code"].strip() or len(claims) < 2:
        return None
    name = claims[0].partition("(")[0].strip()
    module = ast.parse(str(row["code"]).replace("\r\n", "\n")).body
    function = next((one for one in module if isinstance(one, ast.FunctionDef) and one.name == name), None)
    if function is None:
        return None
    imports = [one for one in module if isinstance(one, ast.Import | ast.ImportFrom)]
    others = [one for one in module if one is not function and one not in imports]
    return {
        "task_id": f"MBPP/{row['task_id']}",
        "prompt": _prompt(imports, function, f"{row['text'].strip()}\n\n{claims[0]}"),
        "entry_point": name,
        "canonical_solution": f"{_indented(_source(function.body))}\n\n\n{_source(others)}".rstrip() + "\n",
        "test": f"def check(candidate):\n{_indented(_checks(name, claims[1:]))}\n",
    }


def _prompt(imports: Sequence[ast.stmt], function: ast.FunctionDef, text: str) -> str:
    head = f"{_source(imports)}\n\n\n" if imports else ""
    # A docstring that is no raw one has each backslash twice.
    docstring = '"""{}\n"""'.format(text.replace("\\", "\\\\").replace('"""', "'''"))
    return f"{head}def {function.name}({ast.unparse(function.args)}):\n{_indented(docstring)}\n"


def _checks(name: str, claims: Sequence[str]) -> str:
    """Return assertions about the function, which calls it by its name."""
    return "\n".join([f"{name} = candidate", *(f"assert {one}" for one in claims)])


def _source(statements: Sequence[ast.stmt]) -> str:
    return ast.unparse(ast.Module([*statements], [])).strip("\n")


def _indented(text: str) -> str:
    return textwrap.indent(text, _INDENT)


def main() -> None:
    """Convert a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("source", type=Path, help="mbpp.jsonl")
    parser.add_argument("target", type=Path, help="the file to write")
    given = parser.parse_args()
    rows = [json.loads(line) for line in given.source.read_text("utf-8").splitlines()]
    asked = [row for row in rows if row["task_id"] in TEST_SPLIT]
    problems = [problem for row in asked if (problem := converted(row)) is not None]
    given.target.write_text("".join(f"{json.dumps(one)}\n" for one in problems), "utf-8")
    print(f"{len(problems)} of {len(asked)} problems are in {given.target}.")


if __name__ == "__main__":
    main()
