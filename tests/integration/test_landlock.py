"""Landlock and the filter on system calls, on real processes.

Each action is tried inside and outside: what is refused inside works outside, so that the check can fail.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from copilot_server.sandbox import landlock, seccomp
from copilot_server.sandbox.bubblewrap import NOBODY
from copilot_server.sandbox.interpreter import base_python
from tests.support.patience import PATIENCE_S
from tests.support.plain_user import plain_user

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Landlock and seccomp exist on Linux only")
needs_landlock = pytest.mark.skipif(
    sys.platform == "linux" and bool(landlock.unavailable()), reason="this kernel has no Landlock"
)
FILTER = Path(seccomp.__file__).read_text()
LIBRARIES = Path(os.__file__).parent


def run(command: list[str], code: str) -> str:
    """Run code in a bare interpreter; return its output and its error."""
    done = subprocess.run(
        [*command, "-S", "-B", "-c", code],
        env={},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    return done.stdout.strip() + done.stderr.strip().rpartition("\n")[2]


def filtered(code: str, *, may_fork: bool = True) -> str:
    """Run code under the filter: all of it, or the part after the comment ``# inside``."""
    head, _, tail = code.rpartition("# inside\n")
    return run(
        [str(base_python())],
        f"import sys, types\nfilter = types.ModuleType('filter')\nsys.modules['filter'] = filter\n"
        f"exec({FILTER!r}, filter.__dict__)\n{head}\nfilter.confine(may_fork={may_fork})\n{tail}",
    )


def unfiltered(code: str) -> str:
    return run([str(base_python())], code)


#: Code that is refused, and that prints ``done`` if it is not. Harmful calls have targets that do not exist.
ACTS = {
    "tcp": "import socket\nsocket.socket()",
    "udp": "import socket\nsocket.socket(type=socket.SOCK_DGRAM)",
    "unix socket": "import socket\nsocket.socket(socket.AF_UNIX)",
    "netlink": "import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "datagram pair": "import socket\nsocket.socketpair(type=socket.SOCK_DGRAM)",
    "signal to the parent": "import os\nos.kill(os.getppid(), 0)",
    "signal to a child": (
        "import os, time\nchild = os.fork() or time.sleep(0.2) or os._exit(0)\nos.kill(child, 9)\nos.wait()"
    ),
    "signal to all": "import os\nos.kill(-1, 0)",
    "signal to the group": "import os\nos.killpg(0, 0)",
    "pidfd": "import os\nos.pidfd_open(os.getppid())",
    "signal by a descriptor": (
        "import fcntl, os\nend, _ = os.pipe()\nfcntl.fcntl(end, fcntl.F_SETOWN, os.getppid())"
    ),
    "another's limits": "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_CPU)",
    "another's processors": "import os\nos.sched_setaffinity(os.getppid(), os.sched_getaffinity(0))",
    "another's priority": (
        "import os\nwho = os.PRIO_PROCESS, os.getppid()\nos.setpriority(*who, os.getpriority(*who))"
    ),
    "own session": "import os\n# inside\nos.fork() and os._exit(0)\nos.setsid()",
    "own group": "import os\nos.setpgid(0, 0)",
    "mode of a file": "import os, tempfile\nos.chmod(tempfile.mkdtemp(), 0o700)",
    "times of a file": "import os, tempfile\nos.utime(tempfile.mkdtemp(), (0, 0))",
    "named pipe": "import os, tempfile\nos.mkfifo(tempfile.mktemp())",
    "memory file": "import os\nos.memfd_create('x')",
    # TIOCSWINSZ
    "terminal": "import fcntl, pty\n_, end = pty.openpty()\n# inside\nfcntl.ioctl(end, 0x5414, bytes(8))",
}
#: The same for system calls without a function in Python: the call and its arguments.
CALLS = {
    "ptrace": "'ptrace', 0, 0, 0, 0",  # PTRACE_TRACEME
    "process_vm_readv": "'process_vm_readv', os.getpid(), 0, 0, 0, 0, 0",
    "unshare": "'unshare', 0x10000000",
    "clone": "'clone', 0x10000000 | 17, 0, 0, 0, 0",
    "keyctl": "'keyctl', 0, -3, 1",
    "shmget": "'shmget', 0, 4096, 0o1600",
    "msgget": "'msgget', 0, 0o1600",
    "semget": "'semget', 0, 1, 0o1600",
    "personality": "'personality', 0xffffffff",
    "io_uring_setup": "'io_uring_setup', 1, ctypes.create_string_buffer(120)",
    "setuid": "'setuid', os.getuid()",
    "setgroups": "'setgroups', 0, 0",
    "chroot": "'chroot', b'/'",
    "mount": "'mount', 0, b'/not-there', 0, 0, 0",
}
#: What only root may try outside.
FOR_ROOT = {"setgroups", "chroot", "mount"}
BY_NUMBER = """
import ctypes, os, platform
column = ("x86_64", "aarch64").index(platform.machine())
numbers = {row.split()[0]: int(row.split()[1 + column]) for row in TABLE}
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    words = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    if libc.syscall(numbers[name], *words) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
"""


def by_number(arguments: str) -> str:
    tables = f"{seccomp.REFUSED}\n clone 56 220"
    rows = [row for line in tables.splitlines() if line.startswith(" ") for row in line.split(",")]
    wanted = [row for row in rows if f"'{row.split()[0]}'" in arguments]
    return f"TABLE = {wanted!r}\n{BY_NUMBER}\ncall({arguments})"


def refused(said: str) -> bool:
    return any(f"[Errno {number}]" in said for number in (errno.EPERM, errno.ENOTTY))


@pytest.mark.parametrize("act", ACTS)
def test_the_filter_refuses(act: str):
    code = f"{ACTS[act]}\nprint('done')"
    assert refused(filtered(code))
    assert unfiltered(code) == "done"


@pytest.mark.parametrize("act", CALLS)
def test_the_filter_refuses_by_number(act: str):
    code = f"{by_number(CALLS[act])}\nprint('done')"
    assert refused(filtered(code))
    if os.geteuid() == 0 or act not in FOR_ROOT:
        assert not refused(unfiltered(code))


@pytest.mark.parametrize(
    "act",
    [
        "import threading\nthread = threading.Thread(target=print)\nthread.start()\nthread.join()",
        "import subprocess, sys\nsubprocess.run([sys.executable, '-S', '-c', ''], check=True)",
        "import os\nos.fork() or os._exit(0)\nos.wait()",
        "import asyncio\nasyncio.run(asyncio.sleep(0))",
        "import os, signal\nsignal.signal(12, print)\nos.kill(os.getpid(), 12)\nsignal.raise_signal(12)",
        "import tempfile\nwith tempfile.TemporaryFile() as file:\n    file.write(b'x' * 9999)",
        "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
        "import ctypes, decimal, hashlib, multiprocessing, random, sqlite3, ssl, zoneinfo",
        "import mmap, time, select, selectors\nmmap.mmap(-1, 4096)\ntime.sleep(0)\nselect.epoll()",
    ],
)
def test_the_filter_lets_ordinary_programs_be(act: str):
    assert filtered(f"{act}\nprint('done')").endswith("done")


def test_the_filter_can_refuse_processes_and_leave_threads():
    fork = "import os\nos.fork() or os._exit(0)\nprint('done')"
    thread = "import threading\nthreading.Thread(target=print, args=('done',)).start()"
    spawn = "import subprocess, sys\nsubprocess.run([sys.executable, '-S', '-c', '1'])\nprint('done')"
    for code in (fork, spawn):
        assert f"[Errno {errno.EAGAIN}]" in filtered(code, may_fork=False)
        assert filtered(code) == "done"
    assert filtered(thread, may_fork=False) == "done"


def test_the_filter_holds_for_children_and_new_programs():
    inner = "import socket\nsocket.socket()"
    code = (
        "import subprocess, sys\n"
        f"print(subprocess.run([sys.executable, '-S', '-c', {inner!r}], stderr=-1).stderr)"
    )
    assert f"[Errno {errno.EPERM}]" in filtered(code)


def test_calls_newer_than_the_filter_do_not_exist():
    code = "import ctypes\nctypes.CDLL(None).syscall(452, -100, b'/not-there', 0, 0) and print('done')"
    numbered = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "libc.syscall(452, -100, b'/not-there', 0, 0)\nprint(ctypes.get_errno())"  # fchmodat2
    )
    assert filtered(code) == unfiltered(code) == "done"
    assert filtered(numbered) == str(errno.ENOSYS)


@pytest.mark.skipif(
    os.uname().machine != "x86_64", reason="32-bit programs have other numbers on x86_64 only"
)
def test_the_other_numbers_of_the_same_calls_are_shut():
    x32 = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "libc.syscall(0x40000000 + 41, 2, 1, 0)\nprint(ctypes.get_errno())"
    )
    assert filtered(x32) == str(errno.ENOSYS)
    # mov eax, 20 (getpid); int 0x80; ret
    i386 = (
        "import ctypes, mmap\nmemory = mmap.mmap(-1, 4096, prot=7)\n"
        "memory.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')\n"
        "address = ctypes.addressof(ctypes.c_char.from_buffer(memory))\n"
        "print('before', flush=True)\nctypes.CFUNCTYPE(ctypes.c_int)(address)()\nprint('after')"
    )
    assert filtered(i386) == "before"


def test_both_processors_have_a_filter_and_no_other():
    for machine in ("x86_64", "aarch64"):
        instructions = len(seccomp.bpf(1, machine=machine)) // 8
        assert 200 < instructions < 4096
    with pytest.raises(OSError, match="no filter for the processor 'vax'"):
        seccomp.bpf(1, machine="vax")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        if os.geteuid() == 0:
            os.chown(name, NOBODY, NOBODY)
        yield Path(name)


@needs_landlock
def test_landlock_gives_the_library_and_one_folder(folder: Path):
    code = (
        "import ctypes, decimal, os, sqlite3, ssl, tempfile\n"
        "assert os.getcwd() == tempfile.gettempdir()\n"
        "os.mkdir('a')\nopen('a/b', 'w').write('x')\nos.rename('a/b', 'c')\nos.symlink('c', 'd')\n"
        "print(open('d').read(), os.getuid(), file=open('e', 'w'))\nos.truncate('c', 0)\n"
        "open('/dev/null', 'w').write('x')\nprint('done')"
    )
    assert run(landlock.command(folder), code) == "done"
    user = NOBODY if os.geteuid() == 0 else os.getuid()
    assert (folder / "e").read_text() == f"x {user}\n"
    assert (folder / "e").stat().st_uid == user


@pytest.fixture
def outside() -> Iterator[Path]:
    """A folder that every user may write to, with a file in it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "file").write_text("secret")
        (folder / "file").chmod(0o666)
        yield folder


@needs_landlock
@pytest.mark.parametrize(
    "act",
    [
        "open('OUTSIDE/file').read()",
        "open('OUTSIDE/file', 'w')",
        "open('OUTSIDE/new', 'w')",
        "os.truncate('OUTSIDE/file', 0)",
        "os.unlink('OUTSIDE/file')",
        "os.rename('OUTSIDE/file', 'OUTSIDE/moved')",
        "os.mkdir('OUTSIDE/folder')",
        "os.symlink('x', 'OUTSIDE/link')",
        "os.listdir('OUTSIDE')",
        "os.listdir('/proc')",
        "open('/etc/passwd').read()",
        "open('/proc/self/mem', 'rb')",
        "import socket\nsocket.create_server(('127.0.0.1', 0))",
        "os.kill(os.getppid(), 0)",
    ],
)
def test_landlock_shuts_out(folder: Path, outside: Path, act: str):
    code = f"import os\n{act.replace('OUTSIDE', str(outside))}\nprint('done')"
    said = run(landlock.command(folder), code)
    assert any(f"[Errno {number}]" in said for number in (errno.EACCES, errno.EPERM, errno.EXDEV)), said
    assert (outside / "file").read_text() == "secret"
    assert run([str(base_python())], code) == "done"


@needs_landlock
def test_landlock_hides_installed_packages(folder: Path):
    """The data set may be one of them, in the interpreter's own library folder."""
    code = (
        "import os\nfrom pathlib import Path\nfound = [path for folder in {folders!r} for path in "
        "Path(folder).glob('*/*-packages/*/*.py')]\n"
        "print(len(found) > 0, sum(os.access(path, os.R_OK) and readable(path) for path in found))"
    )
    head = (
        "def readable(path):\n    try:\n        return bool(path.open().close() or 1)\n"
        "    except OSError:\n        return False\n"
    )
    folders = [str(LIBRARIES.parent), "/usr/lib", "/usr/local/lib"]
    code = head + code.format(folders=folders)
    if not run([str(base_python())], code).startswith("True"):
        pytest.skip("no package is installed there")
    assert not run([str(base_python())], code).endswith(" 0")
    assert run(landlock.command(folder), code) == "True 0"


@needs_landlock
def test_landlock_gives_what_else_is_named(folder: Path, outside: Path):
    code = f"print(open({str(outside / 'file')!r}).read())"
    assert run(landlock.command(folder, [outside]), code) == "secret"
    assert run(landlock.command(folder, [outside / "file"]), code) == "secret"
    assert f"[Errno {errno.EACCES}]" in run(landlock.command(folder), code)


@needs_landlock
def test_landlock_works_as_a_plain_user():
    code = (
        "import subprocess, tempfile\nfrom pathlib import Path\nfrom copilot_server.sandbox import landlock\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    command = [*landlock.command(Path(folder)), '-S', '-c', "
        '\'import os; open("own", "w"); print(os.getuid()); open("/etc/passwd")\']\n'
        "    done = subprocess.run(command, capture_output=True, text=True)\n"
        "    print(done.stdout.strip(), done.stderr.strip().splitlines()[-1])"
    )
    with plain_user() as user:
        done = user.run(code)
    assert done.stdout.startswith(f"{user.uid} PermissionError: [Errno {errno.EACCES}]"), done.stderr


@needs_landlock
def test_landlock_and_the_filter_together(folder: Path):
    """The filter stops what Landlock lets through: changing the permissions of files outside."""
    code = f"import os\nos.chmod({str(folder)!r}, 0o755)\nprint('done')"
    head = (
        "import types, sys\nfilter = types.ModuleType('filter')\nsys.modules['filter'] = filter\n"
        f"exec({FILTER!r}, filter.__dict__)\nfilter.confine(may_fork=False)\n"
    )
    assert run(landlock.command(folder), code) == "done"
    assert f"[Errno {errno.EPERM}]" in run(landlock.command(folder), head + code)


def test_a_missing_library_is_a_reason(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(landlock, "_LIBRARY", "not_installed_anywhere")
    assert landlock.unavailable() == "the library py-landlock is not installed"


@needs_landlock
def test_a_kernel_too_old_is_a_reason(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(landlock.landlock_launcher, "LEAST_ABI", 99)
    assert "not 99" in landlock.unavailable()
