"""What the release script must not let pass; that it lets the real thing pass is shown by `make release`."""

from __future__ import annotations

import io
import json
import struct
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from copilot_server import __version__
from scripts import bundle, gallery, release
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


LOCKS = {f"server/{name}": text.encode() for name, text in bundle.lock_files().items()}
LOCK = "server/requirements.lock"
BUILT = {f"copilot_server-{__version__}/copilot_server/__init__.py": b"new"}
OTHER = {f"copilot_server-{__version__}/copilot_server/__init__.py": b"old"}


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (LOCKS | {release.SERVER: sdist(OTHER)}, "not that of the sdist"),
        (LOCKS | {release.SERVER: sdist(BUILT), LOCK: LOCKS[LOCK] + b"\n"}, "another requirements.lock"),
        ({release.SERVER: sdist(BUILT)}, "lacks server/requirements-without-torch.lock"),
        (LOCKS | {"server/copilot_server-0.0.1.tar.gz": sdist(BUILT)}, "lacks server/copilot"),
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
    same = LOCKS | {release.SERVER: sdist(BUILT, mtime=1)}
    with extension(tmp_path / "right.vsix", same) as right:
        release.check_bundled(right, built)


def test_an_extension_with_other_wheels_than_the_release_is_not_fit(tmp_path: Path) -> None:
    wheel = tmp_path / "copilot_server-1-py3-none-any.whl"
    wheel.write_bytes(b"new")
    for files in ({}, {f"server/{wheel.name}": b"old"}):
        with extension(tmp_path / "wrong.vsix", files) as wrong, pytest.raises(CheckError, match="other"):
            release.check_wheels(wrong, [wheel])
    with extension(tmp_path / "right.vsix", {f"server/{wheel.name}": b"new"}) as right:
        release.check_wheels(right, [wheel])


MANIFEST = json.loads((REPOSITORY / "editors/vscode/package.json").read_text("utf-8"))
PUBLISHED = MANIFEST | {"repository": {"url": "https://example.com/me/it.git"}}
PICTURE = "![Ghost text](https://example.com/me/it/raw/HEAD/picture.png)"


def icon(side: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", side, side)


def packed(manifest: dict[str, object], readme: str = PICTURE, side: int = 256) -> dict[str, bytes]:
    texts = {"package.json": json.dumps(manifest), "readme.md": readme, "changelog.md": "", "LICENSE.txt": ""}
    return {name: text.encode() for name, text in texts.items()} | {"media/icon.png": icon(side)}


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (packed(PUBLISHED | {"displayName": "A Copilot for You"}), "trademark 'copilot'"),
        (packed(PUBLISHED | {"keywords": ["GitHub"]}), "trademark 'github'"),
        (packed(PUBLISHED | {"license": ""}), "has no license"),
        (packed(PUBLISHED | {"capabilities": {}}), "does not say what holds in virtualWorkspaces"),
        (packed(PUBLISHED, side=64), "smaller than 128 pixels"),
        (packed(MANIFEST), "names no repository"),
        (packed(PUBLISHED, "no picture"), "has no picture"),
        (packed(PUBLISHED, "![x](media/x.png)"), "not by https"),
        (packed(PUBLISHED, "![x](https://example.com/x.svg)"), "is an SVG"),
    ],
)
def test_what_the_galleries_reject_is_found(tmp_path: Path, files: dict[str, bytes], problem: str) -> None:
    with extension(tmp_path / "wrong.vsix", files) as wrong, pytest.raises(CheckError, match=problem):
        gallery.check(wrong, published=True)
    with extension(tmp_path / "right.vsix", packed(PUBLISHED)) as right:
        gallery.check(right, published=True)
