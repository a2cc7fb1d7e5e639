"""Which files are excluded, by patterns and by the ignore files that lie above them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from copilot_server.context import exclusion
from copilot_server.context.exclusion import MAX_BYTES, Exclusions, check_pattern


def folder(path: Path) -> str:
    return path.as_uri()


@pytest.mark.parametrize(
    ("uri", "excluded"),
    [
        ("file:///w/.env", True),
        ("file:///w/.env.production", True),
        ("file:///w/.ENV", True),
        ("file:///w/%2Eenv", True),
        ("file:///w/.env.example", False),
        ("file:///w/environment.py", False),
        ("file:///w/server.pem", True),
        ("file:///home/me/.ssh/config", True),
        ("file:///w/node_modules/a/index.js", True),
        ("file:///w/node_modules.py", False),
        ("file:///w/secrets.py", False),
        ("file:///w/secrets.yaml", True),
        ("file:///c%3A/Users/me/.env", True),
        ("vscode-notebook-cell:/w/.env#a", True),
        ("untitled:Untitled-1", False),
        ("untitled:.env", True),
        ("", False),
        ("no uri at all", False),
        ("file:///w/a.py", False),
    ],
)
def test_secrets_and_other_peoples_code_are_excluded(uri: str, excluded: bool) -> None:
    assert Exclusions(folders=["file:///w"]).excludes(uri) is excluded


@pytest.mark.parametrize(
    ("patterns", "excluded"),
    [
        (["*.py"], True),
        (["*.PY"], True),
        (["/src/"], True),
        (["/a.py"], False),
        (["src/*", "!a.py"], False),
        (["**/deep/**"], False),
    ],
)
def test_the_users_own_patterns_begin_in_the_workspace(patterns: list[str], excluded: bool) -> None:
    assert Exclusions(patterns, ["file:///home/me/w"]).excludes("file:///home/me/w/src/a.py") is excluded


def test_a_built_in_pattern_can_be_taken_back() -> None:
    assert Exclusions().excludes("file:///w/.npmrc")
    assert not Exclusions(["!.npmrc"]).excludes("file:///w/.npmrc")


def test_a_secret_folder_that_is_opened_stays_secret() -> None:
    assert Exclusions(folders=["file:///home/me/.ssh"]).excludes("file:///home/me/.ssh/config")


def test_ignore_files_count_for_what_is_beneath_them(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / ".copilotignore").write_text("*.txt\n/closed/\n# a remark\n\n")
    (tmp_path / "a" / ".copilotignore").write_text("!open.txt\n")
    exclusions = Exclusions()
    names = ("x.txt", "x.py", "open.txt", "a/open.txt", "a/b/open.txt", "a/x.txt")
    found = {
        name: exclusions.excludes((tmp_path / name).as_uri())
        for name in (*names, "closed/x.py", "a/closed/x.py")
    }
    assert found == {
        "x.txt": True,
        "x.py": False,
        "open.txt": True,
        "a/open.txt": False,
        "a/b/open.txt": False,
        "a/x.txt": True,
        "closed/x.py": True,
        "a/closed/x.py": False,
    }


def test_what_lies_in_an_excluded_folder_cannot_be_taken_back(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / ".copilotignore").write_text("closed/\n")
    (tmp_path / "closed" / ".copilotignore").write_text("!*\n")
    assert Exclusions().excludes((tmp_path / "closed" / "a.py").as_uri())


def test_an_ignore_file_that_changes_is_read_again(tmp_path: Path) -> None:
    exclusions, uri = Exclusions(), (tmp_path / "a.py").as_uri()
    assert not exclusions.excludes(uri)
    (tmp_path / ".copilotignore").write_text("a.py\n")
    assert exclusions.excludes(uri)
    (tmp_path / ".copilotignore").write_text("other.py\n")
    assert not exclusions.excludes(uri)
    (tmp_path / ".copilotignore").unlink()
    assert not exclusions.excludes(uri)


def test_a_link_is_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1")
    (tmp_path / "settings.txt").symlink_to(tmp_path / ".env")
    (tmp_path / "other.txt").symlink_to(tmp_path / "settings.py")
    assert Exclusions().excludes((tmp_path / "settings.txt").as_uri())
    assert not Exclusions().excludes((tmp_path / "other.txt").as_uri())


def test_an_ignore_file_that_cannot_be_read_excludes_everything(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".copilotignore").mkdir()
    uri = (tmp_path / "a.py").as_uri()
    assert Exclusions().excludes(uri)
    assert "cannot be read" in caplog.text
    assert str(Exclusions().reason(uri)).endswith("cannot be read (it is not a regular file).")


@pytest.mark.parametrize("more", [0, 1])
def test_an_ignore_file_that_is_too_large_excludes_everything(more: int, tmp_path: Path) -> None:
    pattern = b"secret.py\n"
    blank = b"\n" * (MAX_BYTES + more - len(pattern))
    (tmp_path / ".copilotignore").write_bytes(blank + pattern)
    exclusions, uri = Exclusions(), (tmp_path / "deep" / "a.py").as_uri()
    assert exclusions.excludes((tmp_path / "secret.py").as_uri())
    assert exclusions.excludes(uri) == bool(more)
    reason = ".copilotignore cannot be read (it is larger than 64 KiB)"
    assert (reason in (exclusions.reason(uri) or "")) == bool(more)


def test_an_ignore_file_that_is_too_large_is_read_once_it_is_not(tmp_path: Path) -> None:
    ignore, exclusions = tmp_path / ".copilotignore", Exclusions()
    ignore.write_bytes(b"#" * (MAX_BYTES + 1))
    assert exclusions.excludes((tmp_path / "a.py").as_uri())
    ignore.write_bytes(b"#")
    assert not exclusions.excludes((tmp_path / "a.py").as_uri())


def test_a_pipe_by_the_name_of_an_ignore_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".copilotignore")
    assert Exclusions().excludes((tmp_path / "a.py").as_uri())


def test_a_line_that_is_not_a_pattern_is_reported_and_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".copilotignore").write_bytes(b"\xef\xbb\xbf*.txt\n!\n\xff\xfe\n*.md\n")
    exclusions = Exclusions()
    assert [exclusions.excludes((tmp_path / name).as_uri()) for name in ("a.txt", "a.md", "a.py")] == [
        True,
        True,
        False,
    ]
    assert "line 2" in caplog.text


def test_patterns_are_checked() -> None:
    check_pattern("*.py")
    with pytest.raises(ValueError, match="!"):
        check_pattern("!")


# What a hostile repository may bring.


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the file had been replaced between looking at it and opening it."""
    (tmp_path / "regular").write_text("a.py")
    regular = (tmp_path / "regular").stat()
    os.mkfifo(tmp_path / ".copilotignore")
    exclusions, uri = Exclusions(), (tmp_path / "a.txt").as_uri()
    monkeypatch.setattr(exclusion.os, "stat", lambda _path: regular)
    assert "not a regular file" in (exclusions.reason(uri) or "")


@pytest.mark.parametrize("name", ["a" * 250, "a/" * 100 + "a" * 50])
@pytest.mark.parametrize(
    "pattern", ["*a" * 8 + "*b", "**/a*" * 40 + "/b", "*" * 500 + "b", "[a-c]*" * 40 + "d"]
)
def test_no_pattern_makes_matching_hang(tmp_path: Path, pattern: str, name: str) -> None:
    """Tried one way after the other, eight stars take centuries for such a name."""
    (tmp_path / ".copilotignore").write_text(f"{pattern}\nsecret.txt\n")
    exclusions = Exclusions([pattern], [tmp_path.as_uri()], [pattern])
    assert not exclusions.excludes((tmp_path / name).as_uri())
    assert exclusions.excludes((tmp_path / "secret.txt").as_uri())


def test_too_many_patterns_for_too_deep_a_path_exclude_the_file(tmp_path: Path) -> None:
    (tmp_path / ".copilotignore").write_text("*ab\n" * 5_000)
    exclusions = Exclusions()
    deep = exclusions.reason((tmp_path / ("d/" * 60) / "x.py").as_uri())
    assert "too many patterns" in (deep or "")
    assert exclusions.reason((tmp_path / "x.py").as_uri()) is None


def test_a_line_that_is_too_long_excludes_everything(tmp_path: Path) -> None:
    (tmp_path / ".copilotignore").write_text("a" * 1025)
    assert "a line of more than 1024" in (Exclusions().reason((tmp_path / "x.py").as_uri()) or "")
    (tmp_path / ".copilotignore").write_text("a" * 1024)
    assert Exclusions().reason((tmp_path / "x.py").as_uri()) is None


def test_what_a_project_adds_takes_nothing_back() -> None:
    exclusions = Exclusions(["own.py"], ["file:///w"], ["!.env", "!own.py", "!*", "*.txt", "!open.txt"])
    names = (".env", "own.py", "a.txt", "open.txt", "a.py")
    found = [exclusions.excludes(f"file:///w/{name}") for name in names]
    assert found == [True, True, True, False, False]
    assert Exclusions(["a", "b"]).described != Exclusions(["a"], added=["b"]).described
