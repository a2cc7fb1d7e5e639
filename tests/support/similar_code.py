"""Code that is alike, and code that is not."""

from __future__ import annotations

#: What somebody has begun to write, up to the line of the cursor.
BEGUN = """def read_manifest(path):
    with open_archive(path) as archive:
        content = archive.read_member(MANIFEST_NAME)
"""

#: The same in another file, with what follows.
CODE = """def load_manifest(path):
    with open_archive(path) as archive:
        content = archive.read_member(MANIFEST_NAME)
    parsed = parse_manifest(content)
    check_manifest(parsed, path)
    logger.debug("read %s", path)
    for entry in parsed.entries:
        entry.resolve(path.parent)
    return parsed
"""


def filler(number: int) -> str:
    """Return code of a file that is like none of the others."""
    name = f"thing{number}"
    return f"def make_{name}(count):\n    return [{name}_{number}(index) for index in range(count)]\n\n\n" * 4
