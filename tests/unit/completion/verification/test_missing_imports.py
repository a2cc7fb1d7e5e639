"""Imports that a candidate lacks. What the examples say is decided by the sandbox elsewhere."""

from __future__ import annotations

import importlib
import sys

import pytest

from copilot_server.completion.examples import Candidate, Example, Verdict, Verdicts
from copilot_server.completion.verification.missing_imports import (
    MOST_IMPORTS,
    STATEMENTS,
    check_with_imports,
    with_missing_import,
)

HEAD = "def root(x):\n"
EXAMPLE = Example(line=0, text="root(4) == 2", kind="comparison", session=0, step=0)


def failing(detail: str) -> Verdicts:
    return Verdicts((Verdict(EXAMPLE, "failed", detail),))


def undefined(name: str) -> Verdicts:
    return failing(f"raised NameError: name '{name}' is not defined")


PASSING = Verdicts((Verdict(EXAMPLE, "passed"),))


@pytest.mark.parametrize(
    ("document", "text", "name", "wanted"),
    [
        (HEAD, "    return math.sqrt(x)\n", "math", "    import math\n    return math.sqrt(x)\n"),
        # The cursor stands in the line's indentation, or at the end of the line above.
        (f"{HEAD}    ", "return sqrt(x)", "sqrt", "from math import sqrt\n    return sqrt(x)"),
        (HEAD[:-1], "\n\n\treturn sqrt(x)", "sqrt", "\n\n\tfrom math import sqrt\n\treturn sqrt(x)"),
        ("def root(x):\r\n    ", "return math.sqrt(x)", "math", "import math\r\n    return math.sqrt(x)"),
        # None of these is certain to be an import that the candidate lacks.
        (HEAD, "    return matrix.sqrt(x)\n", "matrix", None),
        (HEAD, "    return half(x)\n", "math", None),
        (HEAD, "    import math\n    return math.sqrt(x)\n", "math", None),
        (f"{HEAD}    return ", "math.sqrt(x)", "math", None),
        (HEAD, '    """The root."""\n    return math.sqrt(x)\n', "math", None),
    ],
)
def test_where_an_import_goes(document: str, text: str, name: str, wanted: str | None):
    found = with_missing_import(Candidate(document, len(document), text), undefined(name))
    assert (found.text if found else None) == wanted


@pytest.mark.parametrize("detail", ["got 3", "raised NameError: free variable 'math' referenced", ""])
def test_another_failure_gets_no_import(detail: str):
    candidate = Candidate(HEAD, len(HEAD), "    return math.sqrt(x)\n")
    assert with_missing_import(candidate, failing(detail)) is None


def checked_with(
    text: str, verdicts: dict[str, Verdicts], other: Verdicts
) -> tuple[Candidate, Verdicts, list[str]]:
    """Check a candidate by a table: what the examples say of the texts that have a line."""
    asked: list[str] = []

    def check(candidate: Candidate) -> Verdicts:
        asked.append(candidate.text)
        return next((its for line, its in verdicts.items() if line not in candidate.text), other)

    return *check_with_imports(check, Candidate(HEAD, len(HEAD), text)), asked


def test_imports_are_added_until_none_is_missing():
    text = "    return math.sqrt(reduce(max, [x]))\n"
    lacking = {"import math": undefined("math"), "import reduce": undefined("reduce")}
    candidate, verdicts, asked = checked_with(text, lacking, PASSING)
    assert candidate.text == f"    from functools import reduce\n    import math\n{text}"
    assert verdicts == PASSING
    assert len(asked) == 3


def test_a_candidate_that_an_import_does_not_help_stays_as_it_was():
    text = "    return math.sqrt(x) + 1\n"
    candidate, verdicts, asked = checked_with(text, {"import math": undefined("math")}, failing("got 3"))
    assert candidate.text == text
    assert verdicts == undefined("math")
    assert len(asked) == 2


def test_a_candidate_that_passes_is_checked_once():
    candidate, verdicts, asked = checked_with("    return math.sqrt(x)\n", {}, PASSING)
    assert (candidate.text, verdicts, len(asked)) == ("    return math.sqrt(x)\n", PASSING, 1)


def test_the_imports_come_to_an_end():
    names = ["math", "re", "json", "copy", "time"]
    text = f"    return {' + '.join(names)}\n"
    lacking = {f"import {name}": undefined(name) for name in names}
    *_, asked = checked_with(text, lacking, PASSING)
    assert len(asked) == 1 + MOST_IMPORTS


@pytest.mark.parametrize(("name", "statement"), STATEMENTS.items())
def test_the_standard_library_has_each_name(name: str, statement: str):
    module = statement.split()[1]
    assert module in sys.stdlib_module_names
    imported = importlib.import_module(module)
    assert statement == f"import {name}" or hasattr(imported, name)
