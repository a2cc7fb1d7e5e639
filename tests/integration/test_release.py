"""What the release script must not let pass; that it lets the real thing pass is shown by `make release`."""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from copilot_server import __version__
from scripts import release
from scripts.checks import CheckError, require
from tests.support.paths import REPOSITORY


def sdist(files: dict[str, bytes], mtime: int = 0) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), mtime
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def extension(path: Path, files: dict[str, bytes]) -> zipfile.ZipFile:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"extension/{name}", content)
    return zipfile.ZipFile(path)


def test_an_archive_that_lacks_a_file_is_not_fit() -> None:
    require(["setup.py", "LICENSE"], ["LICENSE"], "the sdist")
    with pytest.raises(CheckError, match=r"the sdist lacks LICENSE, README\.md"):
        require(["setup.py"], ["LICENSE", "README.md"], "the sdist")


def test_the_repository_is_not_taken_for_the_installed_package(tmp_path: Path) -> None:
    python = Path(sys.executable)
    with pytest.raises(CheckError, match="the repository was imported"):
        release.check_installed(python, python.with_name("copilot-server"), tmp_path)


LOCK = (REPOSITORY / "requirements.lock").read_bytes()
BUILT = {f"copilot_server-{__version__}/copilot_server/__init__.py": b"new"}
OTHER = {f"copilot_server-{__version__}/copilot_server/__init__.py": b"old"}


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({release.SERVER: sdist(OTHER), release.LOCK: LOCK}, "not that of the sdist"),
        ({release.SERVER: sdist(BUILT), release.LOCK: LOCK + b"\n"}, "another requirements.lock"),
        ({release.SERVER: sdist(BUILT)}, "lacks server/requirements.lock"),
        ({"server/copilot_server-0.0.1.tar.gz": sdist(BUILT), release.LOCK: LOCK}, "lacks server/copilot"),
    ],
)
def test_an_extension_with_another_server_is_not_fit(
    tmp_path: Path, files: dict[str, bytes], problem: str
) -> None:
    built = tmp_path / "built.tar.gz"
    built.write_bytes(sdist(BUILT))
    with extension(tmp_path / "wrong.vsix", files) as wrong, pytest.raises(CheckError, match=problem):
        release.check_bundled(wrong, built)
    # That of the same files is fit, whenever it was packed.
    same = {release.SERVER: sdist(BUILT, mtime=1), release.LOCK: LOCK}
    with extension(tmp_path / "right.vsix", same) as right:
        release.check_bundled(right, built)
