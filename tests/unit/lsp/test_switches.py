"""Where suggestions are switched off."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types

from copilot_server.config import PROSE, Settings, merge_client_settings
from copilot_server.lsp.documents import Documents
from copilot_server.lsp.settings import ClientSettings
from copilot_server.lsp.snooze import Snooze
from copilot_server.lsp.switches import Switches

URI, SECRET = "file:///w/a.py", "file:///w/.env"


def switches(
    settings: Settings,
    *uris: str,
    folders: tuple[str, ...] = (),
    snooze: Snooze | None = None,
    language: str = "python",
) -> Switches:
    documents = Documents()
    for uri in uris or (URI, SECRET):
        documents.open(types.TextDocumentItem(uri, language, 1, "x = "))
    snooze = snooze or Snooze(lambda: None)
    found = Switches(ClientSettings(settings, {}), documents, snooze, lambda uri: uri)
    found.apply(folders)
    return found


def codes(of: Switches, uri: str = URI) -> tuple[str | None, str | None]:
    """Why there is never a suggestion, and why there is none while the user types."""
    never, silent = of.why_never(uri), of.why_silent(uri)
    return never and never.code, silent and silent.code


def test_by_default_only_secrets_are_left_alone() -> None:
    found = switches(Settings())
    assert codes(found) == (None, None)
    assert codes(found, SECRET) == ("excluded", "excluded")


@pytest.mark.parametrize("language", PROSE)
def test_prose_is_off_until_the_user_names_it(language: str) -> None:
    assert codes(switches(Settings(), language=language)) == (None, "language")
    named, _ = merge_client_settings(Settings(), {"languages": {language: True}})
    assert codes(switches(named, language=language)) == (None, None)


def test_a_language_that_is_off_is_only_silent() -> None:
    assert codes(switches(Settings(languages={"python": False}))) == (None, "language")
    assert codes(switches(Settings(languages={"*": False}))) == (None, "language")
    assert codes(switches(Settings(languages={"*": False, "python": True}))) == (None, None)
    assert codes(switches(Settings(languages={}))) == (None, None)


def test_an_excluded_document_in_a_language_that_is_off_is_excluded() -> None:
    assert codes(switches(Settings(languages={"python": False})), SECRET) == ("excluded", "excluded")


def test_what_is_off_is_off_for_every_document() -> None:
    found = switches(Settings(enabled=False))
    assert codes(found) == codes(found, SECRET) == ("off", "off")
    assert codes(found, "file:///w/closed.py") == ("off", "off")


def test_without_automatic_suggestions_only_explicit_requests_are_answered() -> None:
    assert codes(switches(Settings(automatic=False))) == (None, "manual")
    assert codes(switches(Settings(automatic=False, languages={"*": False}))) == (None, "language")
    assert codes(switches(Settings(automatic=False)), SECRET) == ("excluded", "excluded")


async def test_what_is_snoozed_is_silent_for_a_time() -> None:
    snooze = Snooze(lambda: None)
    found = switches(Settings(automatic=False), snooze=snooze)
    snooze.start(60)
    assert codes(found) == (None, "snoozed")
    assert codes(found, SECRET) == ("excluded", "excluded")
    snooze.start(0)
    assert codes(found) == (None, "manual")


def test_nothing_is_known_of_a_document_that_is_not_open() -> None:
    assert codes(switches(Settings(languages={"python": False}), SECRET)) == (None, None)


def test_patterns_begin_in_the_folders_and_an_ignore_file_names_itself_where_it_cannot_be_read(
    tmp_path: Path,
) -> None:
    hidden = (tmp_path / "hidden.py").as_uri()
    settings = Settings(exclude=("/hidden.py",))
    assert codes(switches(settings, hidden), hidden) == (None, None)
    in_folder = switches(settings, hidden, folders=(tmp_path.as_uri(),))
    assert codes(in_folder, hidden) == ("excluded", "excluded")
    (tmp_path / ".copilotignore").mkdir()
    why = switches(Settings(), hidden).why_never(hidden)
    assert why is not None
    assert "it is not a regular file" in why.message
