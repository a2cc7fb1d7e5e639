"""How untrusted text is shown: model folders, served names, paths and messages that quote them.

Such a text may hold escape codes, which a terminal would obey, and line breaks, after which it could pretend
to be a line of ours.
"""

from __future__ import annotations

import logging
import re

#: A line break after which our own messages list something.
_INDENTED = re.compile(r"\n(?=  )")


def shown(text: str) -> str:
    """Return ``text`` in one line, with what is not printable as Python escapes it.

    That includes control characters, characters that change the direction of writing, and blanks other than
    the space.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown_lines(text: str) -> str:
    """Return ``text`` as ``shown`` does, except that indented lines, as in a list, stay lines."""
    return "\n".join(map(shown, _INDENTED.split(text.rstrip("\n"))))


class ShownFormatter(logging.Formatter):
    """Formats each record as one line, and below it each line of a traceback."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """See ``logging.Formatter.formatMessage``."""
        return shown(super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802 - the library's name
        """See ``logging.Formatter.formatException``."""
        text = super().formatException(ei)  # type: ignore[arg-type]  # as the caller gives it
        return "\n".join(map(shown, text.split("\n")))
