"""Hostile problem sets: files for ``--data`` whose tests attack the machine that judges with them.

A test decides its own verdict, so that a lie of it is none of these attacks. It must reach no more than a
solution does: each of ``AS_TESTS`` is a hostile program that stands in a problem's test. Those that reach for
the network stand in a prompt, too, which the judge runs before the test. The twins do the same within bounds.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from copilot_server.errors import DataError, SandboxUnavailableError
from copilot_server.evaluation.problems import Problem, load_problem_file, needs
from copilot_server.sandbox import Limits, Program, Sandbox, open_sandbox, tiers
from tests.hostile.outside import Outside, marked
from tests.hostile.test_programs import EXPECTED_ERRORS, LANDLOCKS_ERRORS, limits_of
from tests.support.patience import PATIENCE_S

pytestmark = [
    pytest.mark.serial,  # short time limits, and counts of processes
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is for Linux"),
]

PATIENT = Limits(timeout_s=PATIENCE_S)
RIGHT = "def add(a, b):\n    return a + b\n"
CHECK = "\n\ndef check(candidate):\n    assert candidate(2, 3) == 5\n"
NETWORK = ["network_other", "network_tcp", "network_udp", "network_unix"]
AS_TESTS = [
    *NETWORK,
    # What else is outside.
    "environment",
    "inherited_descriptors",
    "read_data_set",
    "read_host_files",
    "symbolic_links",
    "write_outside",
    # Other processes.
    "fork_bomb",
    "kill_all",
    "kill_parent",
    "orphan",
    "others_limits",
    "others_memory",
    "signal_by_descriptor",
    "stop_all",
    "thread_bomb",
    "trace_others",
    # Time, memory, disk.
    "closed_folders",
    "endless_loop",
    "fill_disk",
    "flood_stderr",
    "flood_stdout",
    "large_file",
    "many_files",
    "memory_bomb",
    "memory_files",
    "removed_files",
    "system_v_memory",
    # Rights.
    "become_root",
    "change_root",
    "changed_clock",
    "cloned_namespace",
    "closed_filter",
    "io_uring",
    "keyring",
    "mount",
    "raised_limits",
    "terminal",
    "user_namespace",
]
NO_PROCESS = r"BlockingIOError: \[Errno 11\] .*"
#: Twins that start a process, which with Landlock alone no program may.
FORKING_TWINS = {
    "cloned_namespace",
    "fork_bomb",
    "memory_files",
    "orphan",
    "system_v_memory",
}
#: Parts of a test that are meant to break whoever reads them: what they repeat, between which ends.
DEEP = {
    "brackets": ("(", "x = ", "1"),
    "operators": ("-", "x = ", "1"),
    "sums": (" + 1", "x = 1", ""),
    "calls": ("()", "x = lambda: int", ""),
    "attributes": (".real", "x = 1 ", ""),
    "negations": ("not ", "x = ", "1"),
    "functions": ("lambda: ", "x = ", "1"),
    "branches": ("elif 1:\n    pass\n", "if 1:\n    pass\n", ""),
    "digits": ("9", "x = ", ""),
}
#: Fields of a problem that are meant to be more than they are.
FORGED = {
    "code as the name of a function": {"entry_point": "add); import os; (add"},
    "a name that ends the line": {"entry_point": "add\nimport os"},
    "half a surrogate pair": {"task_id": "\ud800"},
    "a list as a test": {"test": [CHECK]},
    "a test that ends early": {"test": f"{CHECK}\0"},
}


@pytest.fixture(scope="module", params=["bubblewrap", "Landlock"])
def sandbox(request: pytest.FixtureRequest, outside: Outside) -> Iterator[Sandbox]:
    assert outside.touched() == set()  # it is made first, so that a sandbox could inherit from it
    with open_tier(request.param) as opened:
        yield opened


def open_tier(name: str) -> Sandbox:
    """Return a sandbox of the tier with this name; bubblewrap's last one works for root and for others."""
    found = [tier for tier in tiers.tiers() if tier.name.startswith(name)]
    if not found or found[-1].unavailable:
        pytest.skip(found[-1].unavailable if found else f"{name} is not installed")
    return Sandbox(found[-1], limits=PATIENT, workers=1)


def is_landlock(sandbox: Sandbox) -> bool:
    return sandbox.tier.startswith("Landlock")


def load(folder: Path, fields: Mapping[str, object]) -> Problem:
    """Write a problem set with one problem that has these fields, and read it as ``--data`` does."""
    file = folder / "problems.jsonl"
    usual = {"task_id": "hostile/0", "prompt": "def add(a, b):\n", "entry_point": "add", "test": CHECK}
    file.write_text(json.dumps({**usual, **fields}) + "\n", encoding="utf-8")
    (problem,) = load_problem_file(file).problems
    return problem


def judged_by(test: str, folder: Path, prompt: str = "def add(a, b):\n") -> Program:
    """Return a right program, to be judged by a test that a problem set in ``folder`` has."""
    return load(folder, {"test": test, "prompt": prompt}).task().program("    return a + b\n", 0)


def nested(name: str, depth: int) -> str:
    part, before, after = DEEP[name]
    if name == "brackets":
        after += ")" * depth
    return f"{before}{part * depth}{after}\n{CHECK}"


def expected(name: str, sandbox: Sandbox) -> str:
    """Return the pattern of the error that the attack meets in the sandbox's tier."""
    return (EXPECTED_ERRORS | (LANDLOCKS_ERRORS if is_landlock(sandbox) else {}))[name]


@pytest.mark.parametrize("name", AS_TESTS)
def test_hostile_test_meets_the_barriers_of_a_program(
    sandbox: Sandbox,
    outside: Outside,
    name: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
):
    record_property("tries", f"problem set, {sandbox.tier.split()[0]}: {outside.tries(name)}")
    result = sandbox.run(judged_by(outside.solution(name) + CHECK, tmp_path), limits_of(name))
    record_property("met", result.error)
    assert re.fullmatch(expected(name, sandbox), result.error)
    assert marked() == []
    assert outside.touched() == set()
    assert sandbox.run(judged_by(CHECK, tmp_path)).error == ""


@pytest.mark.parametrize("name", AS_TESTS)
def test_benign_twin_may_be_a_test(sandbox: Sandbox, outside: Outside, name: str, tmp_path: Path):
    result = sandbox.run(judged_by(outside.solution(f"{name}_twin") + CHECK, tmp_path))
    assert re.fullmatch(NO_PROCESS if is_landlock(sandbox) and name in FORKING_TWINS else "", result.error)


@pytest.mark.parametrize("name", NETWORK)
def test_hostile_prompt_reaches_nothing(
    sandbox: Sandbox,
    outside: Outside,
    name: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
):
    """What a prompt cannot run is left undefined, so that the verdict is the test's."""
    record_property("tries", f"prompt, {sandbox.tier.split()[0]}: {outside.tries(name)}")
    prompt = f"{outside.solution(name)}\nreached = True\n\n\ndef add(a, b):\n"
    seen = CHECK + "    assert 'reached' in globals()\n"
    right = Program(RIGHT, seen, "add", setup=judged_by(CHECK, tmp_path, prompt).setup + "    pass\n")
    result = sandbox.run(right)
    record_property("met", result.error)
    assert result.error == "AssertionError: assert 'reached' in globals()"
    assert outside.touched() == set()


@pytest.mark.parametrize("name", NETWORK)
def test_benign_prompt_is_there_for_the_test(sandbox: Sandbox, outside: Outside, name: str):
    setup = f"{outside.solution(f'{name}_twin')}\nreached = True\n"
    seen = CHECK + "    assert 'reached' in globals()\n"
    assert sandbox.run(Program(RIGHT, seen, "add", setup)).error == ""


@pytest.mark.parametrize("name", DEEP)
def test_hostile_depth_is_a_malformed_line(
    tmp_path: Path, name: str, record_property: Callable[[str, object], None]
):
    record_property("tries", f"problem set: a test with 100,000 {name} in each other")
    with pytest.raises(DataError, match="malformed lines: 1") as caught:
        load(tmp_path, {"test": nested(name, 10**5)})
    record_property("met", caught.value.message.splitlines()[1].strip())


@pytest.mark.parametrize("name", DEEP)
def test_benign_depth_is_read(tmp_path: Path, name: str):
    assert load(tmp_path, {"test": nested(name, 9)}).test == nested(name, 9)


@pytest.mark.parametrize("name", FORGED)
def test_hostile_field_is_a_malformed_line(
    tmp_path: Path, name: str, record_property: Callable[[str, object], None]
):
    record_property("tries", f"problem set: {name}")
    with pytest.raises(DataError, match="malformed lines: 1") as caught:
        load(tmp_path, FORGED[name])
    record_property("met", caught.value.message.splitlines()[1].strip())


def test_hostile_import_of_our_program_does_not_run_it(
    tmp_path: Path, record_property: Callable[[str, object], None]
):
    record_property("tries", "problem set: has the sandbox run this program's own __main__")
    assert needs([load(tmp_path, {"test": f"import __main__{CHECK}"})]) == ()


def test_hostile_import_of_what_is_not_there_is_an_error_with_a_remedy(
    tmp_path: Path, record_property: Callable[[str, object], None]
):
    record_property("tries", "problem set: imports a module that is not there")
    modules = needs([load(tmp_path, {"test": f"import no_such_module{CHECK}"})])
    with pytest.raises(SandboxUnavailableError, match="is not installed") as caught:
        tiers.unsandboxed().launch(0, modules)
    record_property("met", caught.value.message)


@pytest.mark.parametrize("name", ["evil", "evil_package"])
def test_hostile_import_of_a_module_beside_the_problem_set_does_not_run_it(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
):
    """As where Python looks into the current folder, such as with ``python -m``."""
    record_property("tries", f"problem set: imports {name} from the folder that it lies in")
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')\n")
    (tmp_path / "evil_package").mkdir()
    (tmp_path / "evil_package" / "__init__.py").write_text("raise SystemExit('ran')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SandboxUnavailableError, match=f"{name}, .* is not installed") as caught:
        tiers.unsandboxed().launch(0, needs([load(tmp_path, {"test": f"import {name}{CHECK}"})]))
    record_property("met", caught.value.message)


def test_benign_import_is_there_for_the_test(tmp_path: Path):
    right = judged_by(f"import numpy{CHECK}    assert numpy.add(2, 3) == candidate(2, 3)\n", tmp_path)
    modules = needs([load(tmp_path, {"test": right.test})])
    with open_sandbox(limits=PATIENT, workers=1, preload=modules) as opened:
        assert opened.run(right).error == ""


def test_without_the_filter_a_test_reaches_the_network(outside: Outside, tmp_path: Path):
    """Only the sandbox keeps these tests from the targets."""
    with Sandbox(tiers.unsandboxed(), limits=PATIENT, workers=1) as bare:
        result = bare.run(judged_by(outside.solution("network_udp") + CHECK, tmp_path))
    assert result.error == ""
    assert outside.touched() == {"udp"}
