"""The hostile programs as candidates that examples check: none passes, and none leaves anything behind.

Each stands in the body of the function that is asked for, and runs when an example calls that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest

from copilot_server.completion.examples import Candidate, Verdicts, check, read_examples
from copilot_server.sandbox import Limits, Sandbox, open_sandbox
from tests.hostile.outside import PROGRAMS, Outside, marked
from tests.support.patience import PATIENCE_S

HOSTILE = sorted(path.stem.removesuffix("_twin") for path in PROGRAMS.glob("*_twin.py"))
HURRIED, PATIENT = Limits(timeout_s=1.0), Limits(timeout_s=PATIENCE_S)
#: The third sum is in no program's text.
DOCUMENT = '''
def add(a, b):
    """Add two numbers.

    >>> add(2, 3)
    5
    >>> add(-5, 7) == 2

    add(88417, 1) == 88418
    """
'''
BODY = """
    scope = globals().setdefault("scope", {{"__name__": "__program__"}})
    if "add" not in scope:
        exec({solution!r}, scope)
    return scope["add"](a, b)
"""

pytestmark = [
    pytest.mark.serial,  # short time limits, and counts of processes
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is for Linux"),
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox(limits=PATIENT, workers=1) as opened:
        yield opened


def verdicts(sandbox: Sandbox, solution: str, limits: Limits) -> Verdicts:
    examples = read_examples(DOCUMENT, len(DOCUMENT))
    assert len(examples) == 3
    body = BODY.format(solution=solution)
    return check(sandbox, examples, Candidate(DOCUMENT, len(DOCUMENT), body), limits=limits)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_candidate_does_not_pass(
    sandbox: Sandbox, outside: Outside, name: str, record_property: Callable[[str, object], None]
):
    record_property("tries", f"candidate: {outside.tries(name)}")
    found = verdicts(sandbox, outside.solution(name), HURRIED)
    record_property("met", found.summary())
    assert len(found.passed) < 3
    assert marked() == []
    assert outside.touched() == set()
    assert verdicts(sandbox, "def add(a, b): return a + b", PATIENT).summary() == "3 of 3 examples pass"


@pytest.mark.parametrize("name", HOSTILE)
def test_benign_twin_passes(sandbox: Sandbox, outside: Outside, name: str):
    assert verdicts(sandbox, outside.solution(f"{name}_twin"), PATIENT).summary() == "3 of 3 examples pass"
