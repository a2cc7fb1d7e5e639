"""A filter on system calls, which a process puts on itself and its descendants for good.

Every tier uses it: where one tier has a namespace, another has this filter, and a program's verdict does not
depend on the tier. It runs inside the sandbox, in a bare interpreter, so this module imports only the
standard library.

A refused call fails with an error that programs may catch; only a call by another architecture's numbers
kills the process. Calls that the filter does not know are refused as an older kernel would refuse them.
(seccomp(2); classic BPF: Documentation/networking/filter.rst; struct seccomp_data: linux/seccomp.h.)
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
import struct
from dataclasses import dataclass

#: Refused with EPERM whatever the arguments: the call, its number on x86_64, its number on aarch64.
REFUSED = """
sockets: not even those that a network namespace does not hold, as vsock
    socket 41 198, connect 42 203, bind 49 200, listen 50 201, accept 43 202, accept4 288 242
other processes: reading, writing, tracing and signalling them
    ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, process_madvise 440 440
    process_mrelease 448 448, kcmp 312 272, pidfd_open 434 434, pidfd_getfd 438 438
    pidfd_send_signal 424 424, tkill 200 130, rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240
    migrate_pages 256 238, move_pages 279 239, setpriority 141 140, ioprio_set 251 30
leaving the process group, by which a program dies as a whole
    setsid 112 157, setpgid 109 154
namespaces and mounts
    unshare 272 97, setns 308 268, mount 165 40, umount2 166 39, pivot_root 155 41, chroot 161 51
    open_tree 428 428, move_mount 429 429, fsopen 430 430, fsconfig 431 431, fsmount 432 432, fspick 433 433
    mount_setattr 442 442
becoming someone else
    setuid 105 146, setgid 106 144, setreuid 113 145, setregid 114 143, setresuid 117 147, setresgid 119 149
    setfsuid 122 151, setfsgid 123 152, setgroups 116 159, capset 126 91
the metadata of files, which Landlock does not guard
    chmod 90 -, fchmod 91 52, fchmodat 268 53, chown 92 -, lchown 94 -, fchown 93 55, fchownat 260 54
    utime 132 -, utimes 235 -, futimesat 261 -, utimensat 280 88, setxattr 188 5, lsetxattr 189 6
    fsetxattr 190 7, removexattr 197 14, lremovexattr 198 15, fremovexattr 199 16, mknod 133 -, mknodat 259 33
memory that is shared by processes, or outlives them
    shmget 29 194, shmat 30 196, shmctl 31 195, shmdt 67 197, msgget 68 186, msgsnd 69 189, msgrcv 70 188
    msgctl 71 187, semget 64 190, semop 65 193, semtimedop 220 192, semctl 66 191, mq_open 240 180
    mq_unlink 241 181, mq_timedsend 242 182, mq_timedreceive 243 183, mq_notify 244 184, mq_getsetattr 245 185
    memfd_create 319 279, memfd_secret 447 447, add_key 248 217, request_key 249 218, keyctl 250 219
parts of the kernel with a large attack surface
    bpf 321 280, perf_event_open 298 241, userfaultfd 323 282, io_uring_setup 425 425, io_uring_enter 426 426
    io_uring_register 427 427, fanotify_init 300 262, fanotify_mark 301 263, name_to_handle_at 303 264
    open_by_handle_at 304 265, lookup_dcookie 212 18, quotactl 179 60, quotactl_fd 443 443, personality 135 92
    modify_ldt 154 -, iopl 172 -, ioperm 173 -, _sysctl 156 -, uselib 134 -, nfsservctl 180 42
the machine itself
    syslog 103 116, acct 163 89, vhangup 153 58, sethostname 170 161, setdomainname 171 162
    settimeofday 164 170, clock_settime 227 112, clock_adjtime 305 266, adjtimex 159 171, swapon 167 224
    swapoff 168 225, reboot 169 142, kexec_load 246 104, kexec_file_load 320 294, init_module 175 105
    finit_module 313 273, delete_module 176 106
"""

#: Other calls that rules name: their numbers on x86_64 and on aarch64.
_OTHERS = """
    clone 56 220, clone3 435 435, fork 57 -, vfork 58 -, kill 62 129, tgkill 234 131, prlimit64 302 261
    sched_setaffinity 203 122, sched_setscheduler 144 119, sched_setparam 142 118, sched_setattr 314 274
    fcntl 72 25, ioctl 16 29, socketpair 53 199
"""

#: The last call that this module decides on (set_mempolicy_home_node, Linux 5.17); newer calls are refused.
_LAST_CALL = 450

#: Any of CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (linux/sched.h). NEWTIME is
#: clone3's alone: in clone its bit is a signal's.
_NEW_NAMESPACE = 0x7E020000
_CLONE_THREAD = 0x00010000
_ANY = 0xFFFFFFFF
#: How many calls are refused by one part of the filter.
_PART_CALLS = 16
_AF_UNIX, _SOCK_STREAM, _SOCK_TYPE_MASK = 1, 1, 0xF
#: F_DUPFD, GETFD, SETFD, GETFL, SETFL, GETLK, SETLK, SETLKW, DUPFD_CLOEXEC, GETPIPE_SZ. Not F_SETOWN and
#: F_SETSIG, which send any signal to any process of the user.
_FCNTL_COMMANDS = (0, 1, 2, 3, 4, 5, 6, 7, 1030, 1032)
#: TCGETS, TIOCGPGRP, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: what the library asks of files.
_IOCTL_COMMANDS = (0x5401, 0x540F, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)


@dataclass(frozen=True, slots=True)
class _Architecture:
    column: int  # of the numbers in the tables
    audit: int  # AUDIT_ARCH_*, linux/audit.h


_ARCHITECTURES = {"x86_64": _Architecture(0, 0xC000003E), "aarch64": _Architecture(1, 0xC00000B7)}


@dataclass(frozen=True, slots=True)
class _Only:
    """``call`` may be made where ``argument & mask`` is one of ``values``, else it fails with ``error``."""

    call: str
    argument: int
    values: tuple[int, ...]
    mask: int = _ANY
    error: int = errno.EPERM


_RULES = (
    _Only("clone", 0, (0,), _NEW_NAMESPACE),
    _Only("prlimit64", 0, (0,)),
    *(_Only(f"sched_set{what}", 0, (0,)) for what in ("affinity", "scheduler", "param", "attr")),
    _Only("fcntl", 1, _FCNTL_COMMANDS),
    _Only("ioctl", 1, _IOCTL_COMMANDS, error=errno.ENOTTY),
    # asyncio needs a pair. A pair of datagram sockets could be sent to other addresses.
    _Only("socketpair", 0, (_AF_UNIX,)),
    _Only("socketpair", 1, (_SOCK_STREAM,), _SOCK_TYPE_MASK),
)

# struct sock_filter's code: class, size or operation, mode or source (linux/bpf_common.h).
_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_JUMP_EQUAL, _JUMP_GREATER = 0x15, 0x25
# struct seccomp_data: the call's number, the architecture, the instruction's address, six 64-bit arguments.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000  # SECCOMP_RET_*
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _SECCOMP_MODE_FILTER = 22, 38, 2
# Opened before the processes that confine themselves are forked.
_LIBC = ctypes.CDLL(None, use_errno=True)


def confine(*, may_fork: bool = True) -> None:
    """Put the filter on this process, which must still have only one thread, and on all that it starts.

    Args:
        may_fork: whether it may create processes; it may always create threads.

    Raises:
        OSError: the kernel has no such filters, or the numbers of this processor's calls are unknown.
    """
    filter_bytes = bpf(os.getpid(), may_fork=may_fork)
    buffer = ctypes.create_string_buffer(filter_bytes, len(filter_bytes))
    head = _Program(len(filter_bytes) // 8, ctypes.addressof(buffer))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(head))


def bpf(pid: int, *, may_fork: bool = True, machine: str = "") -> bytes:
    """Return the filter of a process that may signal ``pid`` alone, as an array of ``struct sock_filter``.

    Raises:
        OSError: ``machine``, this one unless given, is neither x86_64 nor aarch64.
    """
    machine = machine or platform.machine()
    if machine not in _ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no filter for the processor {machine!r}")
    head, numbers = _common(machine)
    rules = [_Only("kill", 0, (pid,)), _Only("tgkill", 0, (pid,))]
    body = b""
    if not may_fork:
        rules.append(_Only("clone", 0, (_CLONE_THREAD,), _CLONE_THREAD, errno.EAGAIN))
        body = _refuse(numbers, ("fork", "vfork"), errno.EAGAIN)
    return head + body + b"".join(_rule(numbers, rule) for rule in rules) + _instruction(_RETURN, _ALLOW)


@functools.cache
def _common(machine: str) -> tuple[bytes, dict[str, int]]:
    """Return the part of the filter that is the same for every process, and the calls' numbers."""
    architecture = _ARCHITECTURES[machine]
    refused = _numbers(REFUSED, architecture.column)
    numbers = refused | _numbers(_OTHERS, architecture.column)
    head = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_JUMP_EQUAL, architecture.audit, 1, 0),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _NUMBER),
        # The greater ones include x86_64's numbers for 32-bit pointers, a second way to make every call.
        _instruction(_JUMP_GREATER, _LAST_CALL, 0, 1),
        _instruction(_RETURN, _ERROR | errno.ENOSYS),
        _refuse(numbers, tuple(refused), errno.EPERM),
        # Its flags are in memory, which a filter cannot read; the C library falls back to clone.
        _refuse(numbers, ("clone3",), errno.ENOSYS),
        *(_rule(numbers, rule) for rule in _RULES),
    ]
    return b"".join(head), numbers


def _numbers(table: str, column: int) -> dict[str, int]:
    """Return the architecture's calls in a table; lines that are not indented are comments."""
    rows = [row.split() for line in table.splitlines() if line.startswith(" ") for row in line.split(",")]
    return {row[0]: int(row[1 + column]) for row in rows if row[1 + column] != "-"}


def _refuse(numbers: dict[str, int], calls: tuple[str, ...], error: int) -> bytes:
    found = sorted(numbers[call] for call in calls if call in numbers)
    parts = [found[start : start + _PART_CALLS] for start in range(0, len(found), _PART_CALLS)]
    return b"".join(_refuse_part(part, error) for part in parts)


def _refuse_part(found: list[int], error: int) -> bytes:
    """Return the instructions that refuse some calls, in ascending order; a greater number passes them by.

    For each process the kernel runs a new filter once for every call there is, so that its length counts.
    """
    last = len(found) - 1
    checks = [
        _instruction(_JUMP_EQUAL, number, last - position, int(position == last))
        for position, number in enumerate(found)
    ]
    passed_by = _instruction(_JUMP_GREATER, found[last], len(found) + 1, 0)
    return b"".join([passed_by, *checks, _instruction(_RETURN, _ERROR | error)])


def _rule(numbers: dict[str, int], rule: _Only) -> bytes:
    """Return a rule's instructions, which begin and end with the call's number loaded.

    Only the lower half of the argument is compared: the kernel itself takes these as 32-bit values.
    """
    checks = [
        _instruction(_JUMP_EQUAL, value, len(rule.values) - position, 0)
        for position, value in enumerate(rule.values)
    ]
    body = [
        _instruction(_LOAD, _ARGUMENTS + 8 * rule.argument),
        _instruction(_AND, rule.mask),
        *checks,
        _instruction(_RETURN, _ERROR | rule.error),
        _instruction(_LOAD, _NUMBER),
    ]
    return _instruction(_JUMP_EQUAL, numbers[rule.call], 0, len(body)) + b"".join(body)


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def _prctl(option: int, first: int, second: int) -> None:
    if _LIBC.prctl(option, *map(ctypes.c_ulong, (first, second, 0, 0))):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
