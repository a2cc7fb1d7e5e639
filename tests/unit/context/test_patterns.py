"""Patterns as in .gitignore, compared with git's own."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

import pytest

from copilot_server.context.patterns import MAX_PATTERN, Patterns

#: Lists of patterns, and paths that some of them fit.
LISTS = [
    ["*.py", "!keep.py"],
    ["/a.py", "src/*.txt", "doc/**/x.md"],
    ["build/", "!build/keep.py"],
    ["*", "!*/", "!*.py"],
    ["**/logs", "a/**", "!a/b"],
    ["a/**/b", "**/c/**", "**"],
    ["?.py", "[a-c].txt", "[!a-c].md", "[]a].log"],
    ["*a*b*", "x*y?z", "**foo", "foo***bar"],
    ["\\!odd", "\\#odd", "name\\ ", "trail  ", "# a remark", "", "  lead"],
    ["[z-a]", "[", "a[", "\\*", "\\[a]", "[[]x", "[!]", "[]", "[!", "[^]x"],
    ["/", "!/", "/*", "!/src"],
    ["src", "!src/a.py"],
]
PATHS = [
    *(
        "a.py",
        "keep.py",
        "src/a.py",
        "src/x.txt",
        "src/deep/x.txt",
        "doc/x.md",
        "doc/a/b/x.md",
        "build/keep.py",
    ),
    *(
        "logs/a",
        "x/logs/a",
        "a/b",
        "a/x/b",
        "a/x/y/b",
        "c/d",
        "x/c/d",
        "x/c",
        "b.txt",
        "d.txt",
        "b.md",
        "d.md",
    ),
    *("].log", "a.log", "ab", "xaybz", "xy1z", "xyz", "foo", "barfoo", "foo-bar", "foobar/x"),
    *("!odd", "#odd", "name ", "trail", "  lead", "lead", "[", "a[", "*", "[a]", "[x", "src", "build"),
]


def with_parents(path: str) -> list[str]:
    return [*(f"{parent}/" for parent in reversed(PurePosixPath(path).parents[:-1])), path]


@pytest.mark.parametrize("lines", LISTS, ids=" ".join)
def test_the_same_is_excluded_as_in_git(tmp_path: Path, lines: list[str]) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("\n".join(lines) + "\n")
    command = ["git", "-C", str(tmp_path), "check-ignore", "--no-index", "-z", "--stdin"]
    asked = "\0".join(PATHS).encode()
    said = subprocess.run(command, input=asked, capture_output=True, check=False).stdout.decode()
    patterns = Patterns(lines)
    found = [path for path in PATHS if any(map(patterns.excludes, with_parents(path)))]
    assert found == said.split("\0")[:-1]


@pytest.mark.parametrize("pattern", ["!", "a\\", "a" * (MAX_PATTERN + 1)])
def test_what_is_no_pattern_is_an_error(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|backslash"):
        Patterns([pattern])
    Patterns([pattern[:MAX_PATTERN].rstrip("!\\")])


def test_the_last_pattern_that_fits_decides() -> None:
    patterns = Patterns(["*.py", "!a.py"])
    assert [patterns.verdict(path) for path in ("b.py", "a.py", "a.txt")] == [True, False, None]


def test_each_pattern_adds_to_the_steps() -> None:
    assert Patterns([]).steps == Patterns(["", "# remark"]).steps == 0
    assert Patterns(["a", "bb"]).steps > Patterns(["bb"]).steps > Patterns(["a"]).steps > 0
