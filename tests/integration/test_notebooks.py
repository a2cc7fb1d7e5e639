"""Notebooks with a real server and the real model: a cell knows what the cells before it define."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.lsp_client import GHOST_TEXT, LspClient, inline_params, running_server

pytestmark = pytest.mark.model

#: What only another cell can tell: two columns of a class.
DEFINED = '''%matplotlib inline
from dataclasses import dataclass


@dataclass
class Settings:
    """What the user has set."""

    snooze_after_failure_s: float = 1.0
    bucket_prefix: str = ""
'''
USED = '''def pause(settings: Settings, attempt: int) -> float:
    """Return how long to wait before the next attempt."""
    return attempt * settings.'''
NAME = "snooze_after_failure_s"


def uri(number: int) -> str:
    return f"vscode-notebook-cell:/project/a.ipynb#{number}"


def open_notebook(client: LspClient, *texts: str) -> None:
    documents = [
        {"uri": uri(number), "languageId": "python", "version": 1, "text": text}
        for number, text in enumerate(texts)
    ]
    notebook = {
        "uri": "file:///project/a.ipynb",
        "notebookType": "jupyter-notebook",
        "version": 0,
        "cells": [{"kind": 2, "document": one["uri"]} for one in documents],
    }
    client.notify("notebookDocument/didOpen", {"notebookDocument": notebook, "cellTextDocuments": documents})


async def suggested(client: LspClient, number: int, text: str) -> str:
    """Return the best suggestion at the end of a cell; "" for none."""
    line = text.count("\n")
    params = inline_params(uri(number), line, len(text.split("\n")[line]), invoked=True)
    answer = await client.request("textDocument/inlineCompletion", params)
    return answer["items"][0]["insertText"] if answer["items"] else ""


@pytest.fixture
async def client() -> AsyncIterator[LspClient]:
    async with running_server("--offline") as client:
        await client.initialize({**GHOST_TEXT, "notebookDocument": {"synchronization": {}}})
        yield client
        assert await client.shut_down() == 0


async def test_a_cell_completes_a_name_of_an_earlier_cell(client: LspClient) -> None:
    open_notebook(client, DEFINED, USED)
    assert (await suggested(client, 1, USED)).startswith(NAME)
    open_notebook(client, "x = 1", USED)  # the twin: without it nothing tells the name
    assert NAME not in await suggested(client, 1, USED)
