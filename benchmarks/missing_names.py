"""How often code that exists would be said to use names that do not: it must be never.

Each line of a repository's Python files is taken for a suggestion, in its file as it stands otherwise, and
every attribute, keyword and imported name in it is judged. Usage:

    python -m benchmarks.missing_names FOLDER ... [--every N] [--limit FILES] [--json PATH]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from copilot_server.context.document import Cursor, Document
from copilot_server.context.exclusion import Exclusions
from copilot_server.workspace.files import list_files
from copilot_server.workspace.workspace import Workspace

INDEXING_S = 600.0


def judge(folder: Path, every: int, limit: int) -> tuple[Counter[str], list[str], list[float]]:
    """Judge every ``every``-th line of up to ``limit`` files.

    Returns:
        How many names exist, do not exist, and are not certain; where those are that do not; the time that
        each line took, in seconds.
    """
    counts: Counter[str] = Counter()
    wrong, times = [], []
    exclusions = Exclusions((), [folder.as_uri()])
    with tempfile.TemporaryDirectory() as cache:
        workspace = Workspace([folder], exclusions, Path(cache))
        workspace.start()
        try:
            if not workspace.wait(INDEXING_S):
                raise SystemExit(f"{folder} was not indexed")
            paths = [Path(one.path) for one in list_files(folder, exclusions) if one.path.endswith(".py")]
            random.Random(0).shuffle(paths)
            for path in paths[:limit]:
                for cursor, text in _lines(path, every):
                    start = time.perf_counter()
                    found = list(workspace.judged_names(cursor, text, 0))
                    times.append(time.perf_counter() - start)
                    counts.update({True: "exist", False: "missing", None: "unknown"}[one] for _, one in found)
                    line = cursor.document.text.count("\n", 0, cursor.offset) + 1
                    wrong += [
                        f"{path.relative_to(folder)}:{line}: {one.name}: {text.strip()}"
                        for one, exists in found
                        if exists is False
                    ]
        finally:
            workspace.close()
    return counts, wrong, times


def _lines(path: Path, every: int) -> list[tuple[Cursor, str]]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    found, at = [], 0
    for number, line in enumerate(text.split("\n")):
        code = line.strip()
        if code and not code.startswith("#") and number % every == 0:
            start = at + len(line) - len(line.lstrip())
            without = text[:start] + text[at + len(line) :]
            found.append((Cursor(Document(path.as_uri(), "python", without), start), code))
        at += len(line) + 1
    return found


def main() -> int:
    """Print the counts of each folder, and JSON at the end; 1 if a name is wrongly said not to exist."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--limit", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = {}
    for folder in options.folders:
        counts, wrong, times = judge(folder.resolve(), options.every, options.limit)
        for one in wrong:
            print(f"  {one}")
        times.sort()
        certain = counts["exist"] + counts["missing"]
        results[folder.name] = {
            **counts,
            "certain": certain / max(1, certain + counts["unknown"]),
            "p50_ms": 1000 * times[len(times) // 2] if times else 0.0,
            "p99_ms": 1000 * times[len(times) * 99 // 100] if times else 0.0,
        }
        print(folder.name, results[folder.name])
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    return int(any(one.get("missing") for one in results.values()))


if __name__ == "__main__":
    sys.exit(main())
