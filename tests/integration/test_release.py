"""What the release script must not let pass; that it lets the real thing pass is shown by `make release`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts import release


def test_an_archive_that_lacks_a_file_is_not_fit() -> None:
    release.require(["setup.py", "LICENSE"], ["LICENSE"], "the sdist")
    with pytest.raises(release.CheckError, match=r"the sdist lacks LICENSE, README\.md"):
        release.require(["setup.py"], ["LICENSE", "README.md"], "the sdist")


def test_the_repository_is_not_taken_for_the_installed_package(tmp_path: Path) -> None:
    python = Path(sys.executable)
    with pytest.raises(release.CheckError, match="the repository was imported"):
        release.check_installed(python, python.with_name("copilot-server"), tmp_path)
