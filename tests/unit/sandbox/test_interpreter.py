"""The interpreter and its libraries, as they lie on this machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from copilot_server.sandbox.interpreter import base_python, installed_packages, library_folders


def test_the_interpreter_is_not_the_virtual_environments():
    python = base_python()
    assert python.is_file()
    assert not python.is_symlink()
    assert not python.is_relative_to(sys.prefix) or sys.prefix == sys.base_prefix


def test_the_standard_library_is_in_one_of_the_folders():
    library = Path(json.__file__).resolve()
    assert any(library.is_relative_to(folder.resolve()) for folder in library_folders())
    assert all(folder.is_dir() for folder in library_folders())


def test_installed_packages_are_found(tmp_path: Path):
    for folder in ("python3/site-packages", "python3/dist-packages", "python3/json"):
        (tmp_path / folder).mkdir(parents=True)
    assert {path.name for path in installed_packages(tmp_path)} == {"site-packages", "dist-packages"}
