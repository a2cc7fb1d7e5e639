"""A question to a hub has one deadline, and a hub that never answers keeps no program from ending."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from copilot_server.fetch import hub

ASK_A_HUB_THAT_NEVER_ANSWERS = """
import threading
from copilot_server.fetch import hub
hub.DEADLINE_S = 0.05
try:
    hub._in_time(threading.Event().wait)
except TimeoutError:
    print("gave up")
"""


def test_an_answer_is_returned_and_an_error_raised():
    assert hub._in_time(lambda: 7) == 7

    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        hub._in_time(fail)


def test_a_hub_that_does_not_answer_in_time_is_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hub, "DEADLINE_S", 0.01)
    answered = threading.Event()
    with pytest.raises(TimeoutError):
        hub._in_time(answered.wait)
    answered.set()


def test_a_program_ends_though_the_hub_never_answers():
    """The limit is only reached where the program would never end."""
    command = [sys.executable, "-c", ASK_A_HUB_THAT_NEVER_ANSWERS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout == "gave up\n"
