"""Names with escape codes and line breaks, where a person reads them: a terminal, a log, an editor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hostile_engine import HostileEngine, models, whole
from tests.support.lsp_client import Message, running_server
from tests.support.patience import PATIENCE_S

HOSTILE = "m\x1b]0;title\x07\x1b[2J\rerror\nWARNING forged\x9b31m\u202egpj\u2028x"
IN_ONE_LINE = r"m\x1b]0;title\x07\x1b[2J\rerror\nWARNING forged\x9b31m\u202egpj\u2028x"
ORDINARY = "a model, zoë's"


def is_harmless(output: str) -> bool:
    """Whether a terminal shows it as it is, and no line is forged."""
    lines = output.split("\n")
    forged = any(line.startswith("WARNING forged") for line in lines)
    return all(line.isprintable() for line in lines) and not forged


def is_ready(message: Message) -> bool:
    return message.get("method") == "didChangeStatus" and message["params"]["state"] == "ready"


@pytest.mark.skipif(sys.platform == "win32", reason="no such folder names")
@pytest.mark.parametrize("command", [["bench"], ["pull"], ["--selftest", "humaneval"]])
def test_hostile_folder_name_on_the_terminal(tmp_path: Path, command: list[str]) -> None:
    check_terminal(tmp_path, command, HOSTILE, IN_ONE_LINE)


@pytest.mark.parametrize("command", [["bench"], ["pull"], ["--selftest", "humaneval"]])
def test_benign_folder_name_on_the_terminal(tmp_path: Path, command: list[str]) -> None:
    check_terminal(tmp_path, command, ORDINARY, ORDINARY)


def check_terminal(tmp_path: Path, command: list[str], name: str, as_shown: str) -> None:
    (tmp_path / name).mkdir()
    flags = ["--model", f"{tmp_path}/{name}"] if command != ["pull"] else [f"{tmp_path}/{name}"]
    run = [sys.executable, "-m", "copilot_server", *command, *flags]
    found = subprocess.run(run, capture_output=True, check=False, text=True, timeout=PATIENCE_S)
    assert found.returncode == 3
    assert as_shown in found.stderr
    assert is_harmless(found.stdout + found.stderr)


async def test_hostile_served_name_in_the_log_and_in_the_editors_status() -> None:
    await check_editor(HOSTILE, IN_ONE_LINE)


async def test_benign_served_name_in_the_log_and_in_the_editors_status() -> None:
    await check_editor(ORDINARY, ORDINARY)


async def check_editor(name: str, as_shown: str) -> None:
    with HostileEngine({"v1/models": whole(models(name))}) as engine:
        async with running_server("--engine", engine.url, "--log-level", "info") as client:
            await client.initialize()
            found = await client.wait_for(is_ready)
            assert is_harmless(str(found["params"]["model"]) + str(found["params"]["message"]))
            assert await client.shut_down() == 0
        log = client.stderr.decode()
    assert as_shown in log
    assert is_harmless(log)
