"""The repositories with files that are younger than a model, made from files that a test names."""

from __future__ import annotations

from pathlib import Path

from benchmarks.young_repositories import CUTOFF, installed, make_repository
from copilot_server.evaluation.repository.files import open_repository
from copilot_server.evaluation.repository.git import added_since, tracked

LONG = b"".join(b"value_%d = %d\n" % (n, n) for n in range(30))


def test_only_files_of_the_second_release_are_new(tmp_path: Path):
    before = {"pkg/old.py": b"x = 1\n", "pkg/gone.py": b"y = 1\n", "pkg/moved.py": LONG}
    after = {"pkg/old.py": b"x = 2\n", "pkg/renamed.py": LONG, "pkg/sub/new.py": b"def new(): ...\n"}
    folder = tmp_path / "pkg"
    make_repository(folder, before, after)
    assert set(tracked(folder)) == set(after)
    assert added_since(folder, CUTOFF) == {"pkg/sub/new.py"}
    assert open_repository(folder, (), since=CUTOFF, seed=0).drawn == ("pkg/sub/new.py",)
    assert len(open_repository(folder, (), since=None, seed=0).drawn) == 3


def test_the_files_of_an_installed_package():
    files = installed("pygls")
    assert "pygls/__init__.py" in files
    assert all(path.startswith("pygls/") and path.endswith((".py", ".pyi")) for path in files)
