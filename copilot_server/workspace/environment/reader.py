"""The process that reads files of an environment, so that the server reads keys meanwhile.

For each line of standard input, the path of a file as JSON, it prints a line: the summary of the file. It
ends when standard input is closed. Usage: ``python -P -m copilot_server.workspace.environment.reader``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from copilot_server.workspace.background import end_after, lower_priority
from copilot_server.workspace.python.heads import summarize
from copilot_server.workspace.reading import text_of
from copilot_server.workspace.summary import FileSummary

#: How much processor time a file may take; the process ends if one takes more. The largest
#: files of the common packages take a quarter of a second.
FILE_CPU_S = 5.0


def summary_of(path: str) -> FileSummary:
    """Return the summary of a Python file; an empty one if it cannot be read, or is no text."""
    text = text_of(path)
    return summarize(text) if text else FileSummary()


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the files that standard input names, until it is closed."""
    del arguments
    lower_priority()
    for line in sys.stdin:
        end_after(FILE_CPU_S)
        summary = summary_of(json.loads(line))
        end_after(0.0)
        sys.stdout.buffer.write(f"{summary.to_json()}\n".encode("utf-8", "replace"))
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
