"""What the Visual Studio Marketplace and Open VSX ask of an extension, checked before it is uploaded."""

from __future__ import annotations

import json
import re
import struct
import sys
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

from scripts.checks import CheckError

#: Names of others' products, which must not be in that of the extension.
TRADEMARKS = (
    "copilot",
    "github",
    "microsoft",
    "visual studio",
    "vs code",
    "vscode",
    "openai",
    "intellisense",
)
_FIELDS = ("displayName", "description", "publisher", "license", "icon", "categories", "engines", "version")
_PNG = b"\x89PNG\r\n\x1a\n"
_SMALLEST_ICON = 128
_MOST_KEYWORDS = 30
_IMAGE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")


def check(extension: zipfile.ZipFile, *, published: bool) -> None:
    """Check a packed extension; ``published``: whether it must be fit for the galleries in every respect.

    Raises:
        CheckError: naming all that they would reject or show badly.
    """
    found = [*problems(extension)]
    if published:
        found += [*problems_of_publishing(extension)]
    else:
        print(
            "NOT FOR THE GALLERIES: without --repository there are no links and no pictures.", file=sys.stderr
        )
    if found:
        raise CheckError(f"the extension is not fit for the galleries: {'; '.join(found)}")


def problems(extension: zipfile.ZipFile) -> Iterable[str]:
    """Yield what is wrong with any package."""
    manifest = _manifest(extension)
    yield from (f"package.json has no {field}" for field in _FIELDS if not manifest.get(field))
    title = str(manifest.get("displayName", "")).lower()
    words = [title, *map(str.lower, manifest.get("keywords", ()))]
    yield from (f"a name has the trademark {mark!r}" for mark in TRADEMARKS if any(mark in w for w in words))
    if len(manifest.get("keywords", ())) > _MOST_KEYWORDS:
        yield f"there are more than {_MOST_KEYWORDS} keywords"
    yield from _icon_problems(extension, str(manifest.get("icon", "")))
    yield from _capability_problems(manifest)
    names = {name.lower() for name in extension.namelist()}
    wanted = ("readme.md", "changelog.md", "license.txt")
    yield from (f"there is no {name}" for name in wanted if f"extension/{name}" not in names)


def problems_of_publishing(extension: zipfile.ZipFile) -> Iterable[str]:
    """Yield what is wrong with a package that is to be uploaded."""
    manifest = _manifest(extension)
    url = str((manifest.get("repository") or {}).get("url", ""))
    if not url.startswith("https://"):
        yield "package.json names no repository by https"
    images = _IMAGE.findall(extension.read("extension/readme.md").decode())
    if not images:
        yield "the README has no picture"
    yield from (
        f"the README's picture {one} is not by https" for one in images if not one.startswith("https:")
    )
    yield from (f"the README's picture {one} is an SVG" for one in images if one.endswith(".svg"))


def _icon_problems(extension: zipfile.ZipFile, icon: str) -> Iterable[str]:
    content = extension.read(f"extension/{icon}") if f"extension/{icon}" in extension.namelist() else b""
    if not content.startswith(_PNG):
        yield "the icon is no PNG"
    elif min(struct.unpack(">II", content[16:24])) < _SMALLEST_ICON:
        yield f"the icon is smaller than {_SMALLEST_ICON} pixels"


def _capability_problems(manifest: Mapping[str, Any]) -> Iterable[str]:
    for name in ("virtualWorkspaces", "untrustedWorkspaces"):
        stated = manifest.get("capabilities", {}).get(name)
        if not isinstance(stated, dict) or not stated.get("description"):
            yield f"package.json does not say what holds in {name}"
    if "browser" not in manifest:
        yield "nothing says why there are no suggestions in a browser without a machine"


def _manifest(extension: zipfile.ZipFile) -> dict[str, Any]:
    return json.loads(extension.read("extension/package.json"))  # type: ignore[no-any-return]
