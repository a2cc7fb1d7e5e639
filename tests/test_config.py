from pathlib import Path

import pytest

from copilot_server import config
from copilot_server.config import (
    CompletionSettings,
    Settings,
    apply_flags,
    load_settings,
    merge_client_settings,
)
from copilot_server.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@pytest.fixture
def default_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(config, "default_config_path", lambda: file)
    return file


def test_without_a_file_or_flags_the_defaults_hold(default_file: Path) -> None:
    assert load_settings(None, {}) == Settings()


def test_the_default_file_is_read_when_it_is_there(default_file: Path) -> None:
    default_file.write_text('model = "gpt-neo"\n[completion]\ncandidates = 5\n')
    assert load_settings(None, {}) == Settings(model="gpt-neo", completion=CompletionSettings(candidates=5))


def test_flags_win_over_the_file(file: Path) -> None:
    file.write_text('model = "file"\ndevice = "cpu"\n')
    settings = load_settings(file, {"model": "flag", "device": None, "completion.max_new_tokens": 9})
    assert settings == Settings(model="flag", device="cpu", completion=CompletionSettings(max_new_tokens=9))


def test_a_named_file_must_exist(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml does not exist"):
        load_settings(file, {})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model = \n", "is not TOML"),
        ("modle = 'a'\n", "There is no setting `modle`. Did you mean `model`?"),
        ("[completion]\nmax_tokens = 4\n", "There is no setting `completion.max_tokens`."),
        (
            "[completion]\ncandidates = 0\n",
            "`completion.candidates` must be a whole number from 1 to 10, not 0.",
        ),
        ("[completion]\ncandidates = true\n", "a whole number from 1 to 10, not True."),
        ("[completion]\ntop_p = 0.0\n", "a number above 0 and up to 1, not 0.0."),
        ("device = 'tpu'\n", '`device` must be one of "auto", "cuda", "mps", "cpu", not \'tpu\'.'),
        ("offline = 'yes'\n", "`offline` must be true or false, not 'yes'."),
        ("model = ''\n", "`model` must be text that is not empty, not ''."),
        ("completion = 3\n", "`completion` must be a table of settings, not 3."),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_what_is_allowed(file: Path, text: str, told: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(file, {})
    assert str(file) in caught.value.message
    assert told in caught.value.message


def test_a_file_that_is_no_text_is_told(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(file, {})


def test_every_problem_of_a_source_is_told_at_once(file: Path) -> None:
    file.write_text("colour = 1\ndevice = 'tpu'\n")
    with pytest.raises(ConfigError, match=r"`colour`.*`device`"):
        load_settings(file, {})


def test_a_wrong_flag_is_told(default_file: Path) -> None:
    with pytest.raises(ConfigError, match=r"The command line: `completion\.max_new_tokens`"):
        load_settings(None, {"completion.max_new_tokens": -1})


@pytest.mark.parametrize(
    "options",
    [
        {"model": "m", "completion": {"maxNewTokens": 7, "topP": 1}},
        {"model": "m", "completion": {"max_new_tokens": 7, "top_p": 1.0}},
        {"model": "m", "completion.maxNewTokens": 7, "completion.topP": 1},
        {"copilot-server": {"model": "m", "completion": {"maxNewTokens": 7, "topP": 1}}},
        {"copilotServer": {"model": "m", "completion": {"maxNewTokens": 7, "topP": 1}}, "python": {}},
    ],
)
def test_an_editor_may_write_settings_its_own_way(options: object) -> None:
    wanted = Settings(model="m", completion=CompletionSettings(max_new_tokens=7, top_p=1.0))
    assert merge_client_settings(Settings(), options) == (wanted, [])


def test_a_wrong_option_of_an_editor_leaves_the_right_ones() -> None:
    options = {"device": "cpu", "completion": {"candidates": "2", "temperature": 1.5}, "modle": "m"}
    settings, problems = merge_client_settings(Settings(), options)
    assert settings == Settings(device="cpu", completion=CompletionSettings(temperature=1.5))
    assert problems == [
        "`completion.candidates` must be a whole number from 1 to 10, not '2'.",
        "There is no setting `modle`. Did you mean `model`?",
    ]


def test_what_copilots_clients_send_is_no_mistake() -> None:
    options = {
        "editorInfo": {"name": "Neovim", "version": "0.12"},
        "editorPluginInfo": {"name": "a", "version": "1"},
        "github": {"copilot": {"selectedCompletionModel": ""}},
        "github.copilot": {},
        "telemetry": {"telemetryLevel": "off"},
    }
    assert merge_client_settings(Settings(), options) == (Settings(), [])
    assert merge_client_settings(Settings(), {"editor": {}})[1]


@pytest.mark.parametrize("options", [None, {}, {"model": None}, {"copilot-server": None}])
def test_nothing_set_is_nothing_wrong(options: object) -> None:
    assert merge_client_settings(Settings(), options) == (Settings(), [])


@pytest.mark.parametrize("options", [[], "model", 3, {"copilot-server": [1]}])
def test_settings_that_are_no_object_are_told(options: object) -> None:
    settings, problems = merge_client_settings(Settings(), options)
    assert settings == Settings()
    assert len(problems) == 1


def test_flags_win_over_what_an_editor_sets() -> None:
    changed, _ = merge_client_settings(Settings(), {"model": "editor", "device": "cpu"})
    assert apply_flags(changed, {"model": "flag", "device": None}) == Settings(model="flag", device="cpu")


def test_a_long_value_is_not_told_whole() -> None:
    _, (problem,) = merge_client_settings(Settings(), {"device": "x" * 10_000})
    assert len(problem) < 200
