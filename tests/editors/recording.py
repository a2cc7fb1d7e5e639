"""Recordings of an editor: pictures of its screen, one after the other, in one animated image."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from PIL import Image

#: The largest file, in bytes: a README loads several of them.
MOST_BYTES = 400_000
#: How long a key, a line end, the suggestion and what became of it are shown, in milliseconds. Somebody who
#: types fast presses keys at such distances.
KEY_MS, LINE_MS, SUGGESTION_MS, END_MS = 60, 250, 1600, 3200

_PAIRS = re.compile(r"[^\n]{1,2}|\n")


class Recording:
    """A film of what ``take`` gives as PNG. How long a picture is shown does not depend on the machine."""

    def __init__(self, take: Callable[[], bytes]) -> None:
        self._take = take
        self._images: list[Image.Image] = []
        self._shown_ms: list[int] = []

    def frame(self, shown_ms: int) -> None:
        """Take a picture. One that is the same as the one before makes that last longer."""
        image = Image.open(BytesIO(self._take())).convert("RGB")
        if self._images and image.tobytes() == self._images[-1].tobytes():
            self._shown_ms[-1] += shown_ms
        else:
            self._images.append(image)
            self._shown_ms.append(shown_ms)

    def type(self, text: str, type_one: Callable[[str], None]) -> None:
        """Type a text, key by key, with a picture after every other one and at the end of each line."""
        for keys in _PAIRS.findall(text):
            for key in keys:
                type_one(key)
            self.frame(LINE_MS if keys == "\n" else KEY_MS * len(keys))

    def write(self, path: Path) -> None:
        """Write an animated WebP without loss, which browsers show again and again.

        Raises:
            ValueError: it is larger than ``MOST_BYTES``.
        """
        first, *others = self._images
        buffer = BytesIO()
        first.save(
            buffer,
            "WEBP",
            save_all=True,
            append_images=others,
            duration=self._shown_ms,
            loop=0,
            lossless=True,
            quality=50,
            method=4,
        )
        if len(buffer.getvalue()) > MOST_BYTES:
            raise ValueError(f"{path.name} takes {len(buffer.getvalue())} bytes, and {MOST_BYTES} at most")
        path.write_bytes(buffer.getvalue())
