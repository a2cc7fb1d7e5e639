"""What shared libraries of Linux, macOS and Windows export and need, read from their files on any system.

Sources: the System V ABI's chapter on object files; ``mach-o/loader.h``; Microsoft's "PE Format".
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

_ELF_MACHINES = {62: "x86_64", 183: "aarch64"}
_MACH_MACHINES = {0x01000007: "x86_64", 0x0100000C: "aarch64"}
_PE_MACHINES = {0x8664: "x86_64", 0xAA64: "aarch64"}


@dataclass(frozen=True)
class SharedLibrary:
    """A library: its file's format, the processor, the functions and variables that it exports.

    ``needs``: the libraries that it names. ``system``: the oldest version of glibc or macOS that it runs on;
    none is written into a library for Windows. ``signed``: whether it has a signature, of which macOS wants
    at least the kind that needs no certificate on ARM.
    """

    format: str
    machine: str
    exports: frozenset[str]
    needs: frozenset[str]
    system: tuple[int, ...] = ()
    signed: bool = False


def read_library(data: bytes) -> SharedLibrary:
    """Read a library of any of the three systems."""
    if data.startswith(b"\x7fELF"):
        return _read_elf(data)
    return _read_pe(data) if data.startswith(b"MZ") else _read_mach(data)


def _text(data: bytes, offset: int) -> str:
    return data[offset : data.index(b"\0", offset)].decode()


def _read_elf(data: bytes) -> SharedLibrary:
    start, size, count = struct.unpack_from("<Q", data, 40)[0], *struct.unpack_from("<HH", data, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, start + i * size) for i in range(count)]
    dynamic = next(one for one in sections if one[1] == 6)
    symbols = next(one for one in sections if one[1] == 11)
    names = sections[symbols[6]][4]
    exports, needs = set(), set()
    for offset in range(symbols[4], symbols[4] + symbols[5], 24):
        name, info, _, section = struct.unpack_from("<IBBH", data, offset)
        if section and info >> 4:
            exports.add(_text(data, names + name))
    for offset in range(dynamic[4], dynamic[4] + dynamic[5], 16):
        tag, value = struct.unpack_from("<QQ", data, offset)
        if tag == 1:
            needs.add(_text(data, names + value))
    table = data[names : names + sections[symbols[6]][5]]
    versions = [tuple(map(int, one.split(b"."))) for one in re.findall(rb"\0GLIBC_([\d.]+)", table)]
    machine = _ELF_MACHINES[struct.unpack_from("<H", data, 18)[0]]
    return SharedLibrary("ELF", machine, frozenset(exports), frozenset(needs), max(versions))


def _read_mach(data: bytes) -> SharedLibrary:
    magic, machine, _, kind, count = struct.unpack_from("<IIIII", data)
    assert (magic, kind) == (0xFEEDFACF, 6), "it is no dynamic library"
    exports, needs, system, signed, offset = set(), set(), (), False, 32
    for _ in range(count):
        command, size = struct.unpack_from("<II", data, offset)
        if command == 0x2:  # LC_SYMTAB
            symbols, number, names = struct.unpack_from("<III", data, offset + 8)
            for i in range(number):
                name, type_ = struct.unpack_from("<IB", data, symbols + 16 * i)
                if type_ & 0x0F == 0x0F:  # defined in a section, and external
                    exports.add(_text(data, names + name).removeprefix("_"))
        elif command == 0xC:  # LC_LOAD_DYLIB
            needs.add(_text(data, offset + struct.unpack_from("<I", data, offset + 8)[0]))
        elif command == 0x32:  # LC_BUILD_VERSION
            oldest = struct.unpack_from("<I", data, offset + 12)[0]
            system = (oldest >> 16, oldest >> 8 & 0xFF)
        signed = signed or command == 0x1D  # LC_CODE_SIGNATURE
        offset += size
    return SharedLibrary(
        "Mach-O", _MACH_MACHINES[machine], frozenset(exports), frozenset(needs), system, signed
    )


def _read_pe(data: bytes) -> SharedLibrary:
    header = struct.unpack_from("<I", data, 60)[0]
    machine, count = struct.unpack_from("<HH", data, header + 4)
    optional = struct.unpack_from("<H", data, header + 20)[0]
    sections = [struct.unpack_from("<IIII", data, header + 24 + optional + 40 * i + 8) for i in range(count)]

    def at(address: int) -> int:
        for size, start, _, raw in sections:
            if start <= address < start + size:
                return address - start + raw
        raise ValueError("an address is in no section")

    exported, _, imported = struct.unpack_from("<III", data, header + 24 + 112)
    table = at(exported)
    number, names = struct.unpack_from("<I4xI", data, table + 24)
    pointers = struct.unpack_from(f"<{number}I", data, at(names))
    exports = {_text(data, at(one)) for one in pointers}
    needs, entry = set(), at(imported)
    while name := struct.unpack_from("<I", data, entry + 12)[0]:
        needs.add(_text(data, at(name)))
        entry += 20
    return SharedLibrary("PE", _PE_MACHINES[machine], frozenset(exports), frozenset(needs))
