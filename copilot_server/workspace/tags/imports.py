"""What a text imports, in every language by regular expressions: they read unfinished code as well."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from copilot_server.workspace.summary import Import

#: Imports stand at the beginning of a file, so much is read of it, in code points; and how many are kept.
MAX_TEXT, MAX_IMPORTS = 40_000, 300
#: How deep the braces of an import of Rust are read.
_MAX_BRACES = 6

_SCRIPT = re.compile(
    r"^[ \t]*(?P<word>import|export)\b[ \t]*(?:type\b[ \t]*)?(?P<what>[^'\"\n;()=]*?(?:\{[^{}'\"]*\})?)\s*"
    r"(?:\bfrom[ \t]*)?['\"](?P<module>[^'\"\n]+)['\"]",
    re.MULTILINE,
)
_REQUIRE = re.compile(
    r"^[ \t]*(?:const|let|var)[ \t]+(?P<what>\{[^{}]*\}|[\w$]+)[ \t]*=[ \t]*"
    r"require\([ \t]*['\"](?P<module>[^'\"\n]+)['\"]",
    re.MULTILINE,
)
_NAMED = re.compile(r"(?:\btype[ \t]+)?(?P<name>[\w$]+|\*)(?:\s*(?:\bas\b|:)\s*(?P<bound>[\w$]+))?")
_GO = re.compile(r"^import[ \t]*(?:\((?P<block>[^)]*)\)|(?P<one>[^\n(]*))", re.MULTILINE)
_GO_SPEC = re.compile(r"(?P<bound>[\w.]+)?[ \t]*\"(?P<module>[^\"\n]+)\"")
_RUST = re.compile(r"^[ \t]*(?:pub(?:\([^)]*\))?[ \t]+)?use[ \t]+(?P<tree>[^;]{1,2000});", re.MULTILINE)
_RUST_TREE = re.compile(r"[{},]|[^{},]+")
_JAVA = re.compile(r"^import[ \t]+(?:static[ \t]+)?(?P<module>[\w.]+)\.(?P<name>\w+|\*)[ \t]*;", re.MULTILINE)
_INCLUDE = re.compile(r"^[ \t]*#[ \t]*(?:include|import)[ \t]*\"(?P<module>[^\"\n]+)\"", re.MULTILINE)
_USING = re.compile(r"^[ \t]*using[ \t]+(?P<module>\w+(?:::\w+)*)::(?P<name>\w+)[ \t]*;", re.MULTILINE)


def read_imports(text: str, family: str) -> tuple[Import, ...]:
    """Return the imports at the beginning of a text; ``family`` is a group of languages."""
    return _read(text[:MAX_TEXT], family)


@lru_cache(maxsize=16)
def _read(text: str, family: str) -> tuple[Import, ...]:
    return tuple(dict.fromkeys(_READERS[family](text)))[:MAX_IMPORTS]


def _script(text: str) -> Iterator[Import]:
    for one in _SCRIPT.finditer(text):
        outside, brace, inside = one["what"].partition("{")
        for name in _NAMED.finditer(inside):
            yield Import(one["module"], name["name"], name["bound"] or name["name"])
        for name in _NAMED.finditer(outside):
            if one["word"] == "export":
                yield Import(one["module"], "*", name["bound"] or "")
            elif name["name"] == "*":
                yield Import(one["module"], "", name["bound"] or "")
            else:
                yield Import(one["module"], "default", name["name"])
        del brace
    for one in _REQUIRE.finditer(text):
        if one["what"].startswith("{"):
            for name in _NAMED.finditer(one["what"]):
                yield Import(one["module"], name["name"], name["bound"] or name["name"])
        else:
            yield Import(one["module"], "", one["what"])


def _go(text: str) -> Iterator[Import]:
    for one in _GO.finditer(text):
        for spec in _GO_SPEC.finditer(one["block"] or one["one"] or ""):
            parts = spec["module"].split("/")
            # The second version of a package has its number at the end of its path.
            last = parts[-2] if len(parts) > 1 and re.fullmatch(r"v\d+", parts[-1]) else parts[-1]
            bound = spec["bound"] or last.removeprefix("go-").partition(".")[0]
            yield Import(spec["module"], "*" if bound == "." else "", "" if bound == "." else bound)


def _rust(text: str) -> Iterator[Import]:
    for one in _RUST.finditer(text):
        yield from _rust_tree(one["tree"])


def _rust_tree(tree: str) -> Iterator[Import]:
    """Yield the names in a tree such as ``crate::a::{self, B, c::{D as E}}``."""
    outer: list[str] = []
    path = ""
    for part in _RUST_TREE.findall(tree):
        if part == "{":
            outer.append(path)
        elif part == "}":
            if outer:
                outer.pop()
        elif part == ",":
            path = outer[-1] if outer else ""
        elif part.strip():
            path = (outer[-1] if outer else "") + "".join(part.split(" as ")[0].split())
            if not path.endswith("::"):
                yield _of_path(path, part.partition(" as ")[2].strip())
        if len(outer) > _MAX_BRACES:
            return


def _of_path(path: str, bound: str) -> Import:
    module, _, name = path.removesuffix("::self").rpartition("::")
    return Import(module, name, "" if name == "*" else bound or name)


def _java(text: str) -> Iterator[Import]:
    for one in _JAVA.finditer(text):
        yield Import(one["module"], one["name"], "" if one["name"] == "*" else one["name"])


def _c(text: str) -> Iterator[Import]:
    for one in _INCLUDE.finditer(text):
        yield Import(one["module"], "*", "")
    for one in _USING.finditer(text):
        yield Import(one["module"], one["name"], one["name"])


_READERS: dict[str, Callable[[str], Iterator[Import]]] = {
    "script": _script,
    "go": _go,
    "rust": _rust,
    "java": _java,
    "c": _c,
}
