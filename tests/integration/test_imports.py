"""What importing the server's dependencies does: it opens no sockets, starts nothing and writes nothing."""

from __future__ import annotations

import importlib.util
import json
import os
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

import copilot_server
from scripts import lock
from tests.support.paths import REPOSITORY, TESTS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, which only Linux has")

#: What some package does at its import all the same, by its name, the event, and what its arguments say.
EXCEPTIONS = {
    # To learn whether the machine has IPv6 it binds a socket to ::1, which sends nothing, and closes it.
    ("urllib3", "socket.__new__", "<socket.socket fd=-1"),
    ("urllib3", "socket.bind", "'::1', 0"),
    # torch.nn.attention, for GPUs, makes the folder of torch.compile's cache, and first tries whether it may.
    # Nothing of ours is compiled by torch.compile, so that nothing in it is read.
    ("torch", "os.mkdir", "torchinductor_"),
    ("torch", "open", "/tmp/"),
    ("torch", "os.remove", "/tmp/"),
}
#: The files that stay: that folder, and a log that hf_xet begins in native code. It is imported only to fetch
#: from the hub, and knows no source.
LEFT = ("tmp/torchinductor_", "home/.cache/huggingface/xet/logs/xet_")
#: Opens a socket, writes a file and starts a process without Python's own functions.
NATIVE = """
import ctypes
c = ctypes.CDLL(None)
c.socket(1, 1, 0)
c.creat(b"written", 0o600)
if c.fork() == 0:
    [c.close(one) for one in (0, 1, 2)]
    c.pause()
"""
#: A program, and the library of kernels, which pkgutil takes for a module by the end of its name.
NOT_IMPORTED = {"copilot_server.__main__", "copilot_server.engine.backends.cpu._kernels"}


@dataclass(frozen=True)
class Report:
    """What importing modules did: by whom, which event of the audit hook, with which arguments."""

    seen: list[tuple[str, str, str]]
    failed: dict[str, str]
    sockets: list[str]
    children: list[str]
    files: list[str]

    def unexpected(self) -> list[tuple[str, str, str]]:
        return [
            one
            for one in self.seen
            if not any(one[:2] == (who, what) and detail in one[2] for who, what, detail in EXCEPTIONS)
        ]


def watch(names: Iterable[str], folder: Path, *, path: Path | None = None) -> Report:
    """Import modules in a fresh process whose folders for files are empty."""
    folders = {name: folder / name for name in ("home", "tmp", "work")}
    for one in folders.values():
        one.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    found = os.pathsep.join(str(one) for one in (path, REPOSITORY) if one)
    environment = kept | {"HOME": str(folders["home"]), "TMPDIR": str(folders["tmp"]), "PYTHONPATH": found}
    # Without -B it is Python that writes, namely what it has compiled.
    command = [sys.executable, "-B", "-P", str(TESTS / "support/import_watch.py"), *names]
    done = subprocess.run(
        command,
        cwd=folders["work"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout.splitlines()[-1])
    return Report([tuple(one) for one in said["seen"]], said["failed"], **said["after"])


def unexpected_files(report: Report, folder: Path) -> list[str]:
    files = [str(Path(one).relative_to(folder)) for one in report.files if not Path(one).is_dir()]
    folders = [str(Path(one).relative_to(folder)) for one in report.files if Path(one).is_dir()]
    return [one for one in files if not one.startswith(LEFT)] + [
        one for one in folders if not any(left.startswith(one) or one.startswith(left) for left in LEFT)
    ]


def modules_of_dependencies() -> list[str]:
    """The modules of all packages that are installed for a user, as far as they are installed here."""
    locked = {one.name for one in lock.read((REPOSITORY / "requirements.lock").read_text("utf-8"))}
    return sorted(
        module
        for module, packages in packages_distributions().items()
        if module.isidentifier() and {canonicalize_name(one) for one in packages} & locked
        if importlib.util.find_spec(module)
    )


def test_importing_the_dependencies_opens_no_socket_starts_nothing_and_writes_nothing(tmp_path: Path):
    modules = modules_of_dependencies()
    assert {"torch", "transformers", "pygls", "huggingface_hub", "tree_sitter_go", "yaml"} <= set(modules)
    report = watch(modules, tmp_path)
    assert not report.failed
    assert not report.unexpected()
    assert (report.sockets, report.children) == ([], [])
    assert not unexpected_files(report, tmp_path)


def test_importing_the_server_does_none_of_it_either(tmp_path: Path):
    packages = pkgutil.walk_packages(copilot_server.__path__, "copilot_server.")
    modules = sorted({one.name for one in packages} - NOT_IMPORTED)
    assert len(modules) > 200
    report = watch(modules, tmp_path)
    assert not report.failed
    assert not report.unexpected()
    assert (report.sockets, report.children) == ([], [])
    assert not unexpected_files(report, tmp_path)


@pytest.mark.parametrize(
    ("code", "event"),
    [
        ("import socket; socket.socket()", "socket.__new__"),
        ("import socket; socket.getaddrinfo('localhost', 80)", "socket.getaddrinfo"),
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
        ("import os; os.system('true')", "os.system"),
        ("import os; os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)", "os.posix_spawn"),
        ("import os; os.fork() or os._exit(0)", "os.fork"),
        ("open('written', 'w').close()", "open"),
        ("import os; os.close(os.open('written', os.O_WRONLY | os.O_CREAT))", "open"),
        ("from pathlib import Path; Path.home().joinpath('x').mkdir()", "os.mkdir"),
        ("import tempfile; tempfile.mkdtemp()", "tempfile.mkdtemp"),
        ("import sqlite3; sqlite3.connect('written')", "sqlite3.connect"),
    ],
)
def test_a_module_that_does_one_is_seen(tmp_path: Path, code: str, event: str):
    (tmp_path / "hostile.py").write_text(code, "utf-8")
    report = watch(["hostile"], tmp_path, path=tmp_path)
    assert ("hostile", event) in {(who, what) for who, what, _ in report.unexpected()}


def test_what_native_code_does_is_seen_afterwards(tmp_path: Path):
    (tmp_path / "native.py").write_text(NATIVE, "utf-8")
    report = watch(["native"], tmp_path, path=tmp_path)
    assert not report.unexpected()
    assert len(report.sockets) == 1
    assert len(report.children) == 1
    assert report.files == [str(tmp_path / "work" / "written")]
    os.kill(int(report.children[0]), signal.SIGKILL)


def test_what_only_reads_and_computes_is_not_seen(tmp_path: Path):
    (tmp_path / "benign.py").write_text(
        "import json, pathlib; TEXT = pathlib.Path(__file__).read_text()", "utf-8"
    )
    report = watch(["benign"], tmp_path, path=tmp_path)
    assert report == Report([], {}, [], [], [])
