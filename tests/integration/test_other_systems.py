"""Windows and macOS, as far as they can be had here: what Python lacks there is taken from the package."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.lsp_client import inline_params, running_server

#: What runs inside the sandbox, which is for Linux.
LINUX_MODULES = {"copilot_server.sandbox.zygote"}

IMPORT_ALL = """
import importlib, pkgutil, sys
import copilot_server
from tests.support.other_system import pretend
if len(sys.argv) > 1:
    pretend(sys.argv[1])
for module in pkgutil.walk_packages(copilot_server.__path__, "copilot_server."):
    if module.name.rpartition(".")[2] != "__main__":
        try:
            importlib.import_module(module.name)
        except (ImportError, AttributeError):
            print(module.name)
"""


def not_imported(*platform: str) -> set[str]:
    command = [sys.executable, "-c", IMPORT_ALL, *platform]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize(("platform", "lacking"), [("win32", LINUX_MODULES), ("darwin", set())])
def test_every_module_can_be_imported(platform: str, lacking: set[str]):
    here = not_imported()
    assert not here & LINUX_MODULES
    assert not_imported(platform) - here == lacking


@pytest.mark.parametrize("platform", ["win32", "darwin"])
async def test_the_server_starts_and_completes(platform: str, model_flags: tuple[str, ...]):
    program = ("-m", "tests.support.other_system", platform)
    async with running_server(*model_flags, "--max-new-tokens", "4", program=program) as client:
        await client.initialize()
        uri = client.open("import os\n\nprint(os.path")
        answer = await client.request(
            "textDocument/inlineCompletion", inline_params(uri, 2, 13, invoked=True)
        )
        assert answer["items"]
        assert await client.shut_down() == 0
        assert client.stderr == b""


USE = "from copilot_server.provenance import os; print(os.name, hasattr(os, 'geteuid'))"


def test_the_package_alone_sees_the_other_system():
    def said(before: str) -> str:
        command = [sys.executable, "-c", f"{before}{USE}; import os; print(os.name)"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert said("") == "posix True\nposix\n"
    assert said("from tests.support import other_system as o; o.pretend('win32'); ") == "nt False\nposix\n"
