"""The API key: read again for each request, and never shown."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from copilot_server.engine.backends.remote.api_key import VARIABLE, ApiKey
from copilot_server.errors import ConfigError


def signed(key: ApiKey) -> str | None:
    request = httpx.Request("GET", "https://example.com")
    next(key.auth_flow(request))
    return request.headers.get("Authorization")


def test_a_key_is_read_anew_for_each_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "other")
    file = tmp_path / "key"
    file.write_text("first\n")
    key = ApiKey(str(file))
    assert signed(key) == "Bearer first"
    file.write_text("second")
    assert signed(key) == "Bearer second"
    assert "second" not in repr(key)


def test_the_environment_has_the_key_where_no_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "mine")
    assert signed(ApiKey("")) == "Bearer mine"
    monkeypatch.delenv(VARIABLE)
    assert signed(ApiKey("")) is None


@pytest.mark.parametrize("text", ["", "two\nlines", "schlüssel", None])
def test_a_file_without_a_key_is_an_error_that_shows_nothing_of_it(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "key"
    if text is not None:
        file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as raised:
        ApiKey(str(file))
    assert str(file) in str(raised.value)
    assert not text or text not in str(raised.value)
