"""The flags that change settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from copilot_server.cli.settings import SettingsFlags, load, overrides
from copilot_server.errors import ConfigError

NOTHING = dict.fromkeys(SettingsFlags.__dataclass_fields__) | {"log_level": "warning"}


def test_flags_that_are_not_given_change_nothing(tmp_path: Path):
    (tmp_path / "config.toml").write_text('model = "mine"\n[completion]\nprotocol = "causal"\n')
    given = NOTHING | {"config": tmp_path / "config.toml"}
    assert overrides(given) == {}
    assert (load(given).model, load(given).completion.protocol) == ("mine", "causal")


def test_flags_win_over_the_settings_file(tmp_path: Path):
    (tmp_path / "config.toml").write_text('model = "mine"\n[completion]\nprotocol = "causal"\n')
    given = NOTHING | {"config": tmp_path / "config.toml", "model": "other", "protocol": "fim"}
    given |= {"max_new_tokens": 7, "offline": True}
    settings = load(given)
    assert (settings.model, settings.offline) == ("other", True)
    assert (settings.completion.protocol, settings.completion.max_new_tokens) == ("fim", 7)


def test_settings_have_the_names_of_the_settings_file():
    given = NOTHING | {"protocol": "fim", "engine": ["http://a"], "config": Path("x"), "log_level": "debug"}
    assert overrides(given) == {"completion.protocol": "fim", "engine": ["http://a"]}
    assert overrides(NOTHING | {"engine": []}) == {}


def test_a_wrong_value_is_refused(tmp_path: Path):
    (tmp_path / "config.toml").touch()
    with pytest.raises(ConfigError, match="abacus"):
        load(NOTHING | {"config": tmp_path / "config.toml", "device": "abacus"})
