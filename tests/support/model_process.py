"""A process of its own that loads a model as the server does and completes with it.

A model that somebody made to attack the server may end the process, fill its memory or never end.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

#: Seconds until a model that neither is served nor refused counts as one that hangs.
DEADLINE_S = 120
#: Address space of the process, in bytes; torch takes a few gigabytes of it without using them.
MOST_MEMORY = 12 << 30


def load_and_complete(model: Path, dtype: str = "auto", **environment: str) -> str:
    """Return ``served`` with what the model wrote, or ``refused`` with message and remedy.

    Raises:
        AssertionError: the process ended in another way, or not at all.
    """
    command = [sys.executable, "-m", "tests.support.model_process", str(model), dtype]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            env=os.environ | environment,
            input="y\n" * 8,
            text=True,
            timeout=DEADLINE_S,
        )
    except subprocess.TimeoutExpired:
        raise AssertionError("the process hangs") from None
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-2000:]}"
    return done.stdout.strip()


def main(model: Path, dtype: str) -> str:
    """Load and complete in this process."""
    from copilot_server.engine.base import GenerationRequest, Prompt, Sampling  # noqa: PLC0415
    from copilot_server.engine.loader import load_engine  # noqa: PLC0415
    from copilot_server.errors import CopilotServerError  # noqa: PLC0415

    parts = ("def double(x):\n    return 2 * x\n\n\ndef halve(x):\n    retur",)
    request = GenerationRequest(Prompt(parts, forced="n"), Sampling(max_new_tokens=8))
    try:
        engine = load_engine(model, device="cpu", dtype=dtype)
        engine.stable_length(parts[0])
        written = engine.generate(request, threading.Event())[0]
    except CopilotServerError as error:
        return f"refused: {error.message} | {error.remedy}"
    return f"served: {json.dumps([written.text, written.token_ids])}"


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    sys.stdout.write(main(Path(sys.argv[1]), sys.argv[2]))
