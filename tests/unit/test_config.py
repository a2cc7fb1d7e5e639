from pathlib import Path

import pytest
from attrs import evolve

from copilot_server import config
from copilot_server.config import (
    CompletionSettings,
    RemoteSettings,
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


@pytest.mark.parametrize(
    ("given", "on", "off"),
    [
        ({}, ("python", "yaml"), ("markdown", "plaintext", "text", "gitcommit", "git-commit", "scminput")),
        ({"*": True}, ("python",), ("markdown", "text")),
        ({"markdown": True}, ("python", "markdown"), ("text",)),
        ({"*": False}, (), ("python", "markdown")),
        ({"*": False, "text": True}, ("text",), ("python", "markdown")),
        ({"python": False}, ("go",), ("python", "markdown")),
    ],
)
def test_languages_are_put_over_the_defaults_one_by_one(
    given: dict[str, bool], on: tuple[str, ...], off: tuple[str, ...]
) -> None:
    settings, problems = merge_client_settings(Settings(), {"languages": given})
    assert problems == []
    languages = settings.languages
    found = {name: languages.get(name, languages["*"]) for name in (*on, *off)}
    assert found == {**dict.fromkeys(on, True), **dict.fromkeys(off, False)}


def test_flags_win_over_the_file(file: Path) -> None:
    file.write_text('model = "file"\ndevice = "cpu"\n')
    settings = load_settings(file, {"model": "flag", "device": None, "completion.max_new_tokens": 9})
    assert settings == Settings(model="flag", device="cpu", completion=CompletionSettings(max_new_tokens=9))


def test_a_named_file_must_exist(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml does not exist"):
        load_settings(file, {})


@pytest.mark.parametrize(
    ("text", "message"),
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
        (
            "[completion]\nmax_prompt_tokens = 'most'\n",
            '`completion.max_prompt_tokens` must be a whole number from 64 to 131072, or "auto", not',
        ),
        ("[completion]\nmax_prompt_tokens = 63\n", 'from 64 to 131072, or "auto", not 63.'),
        ("[completion]\nmax_prompt_tokens = true\n", 'from 64 to 131072, or "auto", not True.'),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_what_is_allowed(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(file, {})
    assert str(file) in caught.value.message
    assert message in caught.value.message


def test_a_file_that_is_not_text_is_reported(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(file, {})


def test_every_problem_of_a_source_is_reported_at_once(file: Path) -> None:
    file.write_text("colour = 1\ndevice = 'tpu'\n")
    with pytest.raises(ConfigError, match=r"`colour`.*`device`"):
        load_settings(file, {})


def test_a_wrong_flag_is_reported(default_file: Path) -> None:
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


@pytest.mark.parametrize("tokens", ["auto", 64, 131072])
def test_the_size_of_a_prompt_is_a_number_or_auto(tokens: object) -> None:
    settings, problems = merge_client_settings(Settings(), {"completion": {"maxPromptTokens": tokens}})
    assert (settings.completion.max_prompt_tokens, problems) == (tokens, [])


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
def test_settings_that_are_not_an_object_are_reported(options: object) -> None:
    settings, problems = merge_client_settings(Settings(), options)
    assert settings == Settings()
    assert len(problems) == 1


def test_flags_win_over_what_an_editor_sets() -> None:
    changed, _ = merge_client_settings(Settings(), {"model": "editor", "device": "cpu"})
    assert apply_flags(changed, {"model": "flag", "device": None}) == Settings(model="flag", device="cpu")


def test_a_long_value_is_shortened() -> None:
    _, (problem,) = merge_client_settings(Settings(), {"device": "x" * 10_000})
    assert len(problem) < 200


# A remote engine.


@pytest.mark.parametrize(
    ("given", "hosts"),
    [
        ([], ""),
        ("https://gpu.example.com", "gpu.example.com"),
        ("http://127.0.0.1:8000/v1/", "127.0.0.1:8000"),
        (["http://[::1]:8000", "https://b:2/x"], "[::1]:8000, b:2"),
        (["https://a/one", "https://a/two"], "a"),
    ],
)
def test_engines_are_named_by_one_url_or_by_several(given: object, hosts: str) -> None:
    settings, problems = merge_client_settings(Settings(), {"engine": given})
    assert problems == []
    assert settings.engine == ((given,) if isinstance(given, str) else tuple(given))  # type: ignore[arg-type]
    assert settings.engine_hosts == hosts


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "gpu.example.com",
            "gpu.example.com:8000",
            "ftp://gpu",
            "file:///etc/passwd",
            "https://",
            "https:///v1",
        ),
        *("http://gpu:port", "http://gpu:99999", "http://[::1", "http://gpu.example.com\\x", "http://a b/"),
        *(
            "https://gpu/v1?key=1",
            "https://gpu/v1#key",
            "https://key@gpu",
            "https://user:key@gpu",
            "https://@gpu",
        ),
    ],
)
def test_what_is_no_url_of_an_engine_is_refused_with_what_is(url: str) -> None:
    settings, (problem,) = merge_client_settings(Settings(), {"engine": ["https://good", url]})
    assert settings.engine == ()
    assert problem.startswith("`engine` must be an http or https URL")
    assert "COPILOT_SERVER_API_KEY or remote.api_key_file" in problem


@pytest.mark.parametrize("url", ["https://user:s3cret@gpu", "https://gpu/?key=s3cret", "s3cret"])
def test_a_secret_in_a_url_is_not_shown(default_file: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="`engine` must be") as caught:
        load_settings(None, {"engine": [url]})
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ConfigError, match="s3cret"):  # as other values are
        load_settings(None, {"device": "s3cret"})


@pytest.mark.parametrize("engine", [3, True, {"url": "https://gpu"}, [3], [["https://gpu"]]])
def test_an_engine_is_text(engine: object) -> None:
    assert len(merge_client_settings(Settings(), {"engine": engine})[1]) == 1


def test_how_an_engine_is_asked_is_read_from_a_file(file: Path) -> None:
    file.write_text('engine = "https://gpu"\n[remote]\nmodel = "coder"\nfim = "suffix"\ndeadline_s = 5\n')
    wanted = RemoteSettings(model="coder", fim="suffix", deadline_s=5.0)
    assert load_settings(file, {}) == Settings(engine=("https://gpu",), remote=wanted)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("read_timeout_s = 0", "`remote.read_timeout_s` must be a number of seconds from 0.1 to 600, not 0."),
        (
            "connect_timeout_s = nan",
            "`remote.connect_timeout_s` must be a number of seconds from 0.1 to 60, not nan.",
        ),
        ("deadline_s = '9'", "`remote.deadline_s` must be a number of seconds from 1 to 3600, not '9'."),
        ("fim = 'infill'", '`remote.fim` must be one of "auto", "prompt", "suffix", not \'infill\'.'),
        ("api_key_hosts = 'gpu'", "`remote.api_key_hosts` must be a list of hosts"),
        ("api_key_hosts = ['me@gpu']", "`remote.api_key_hosts` must be a list of hosts"),
        ("allow_http = 1", "`remote.allow_http` must be true or false, not 1."),
        ("api_key = 's3cret'", "There is no setting `remote.api_key`. Did you mean `remote.api_key_file`?"),
    ],
)
def test_wrong_settings_of_a_remote_engine_are_reported(file: Path, text: str, message: str) -> None:
    file.write_text(f"[remote]\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(file, {})
    assert message in caught.value.message
    assert "s3cret" not in caught.value.message


def test_an_engine_and_how_it_is_asked_hold_when_a_model_is_loaded() -> None:
    here = Settings()
    elsewhere = evolve(here, engine=("https://gpu",))
    assert (
        len({here.loading, elsewhere.loading, evolve(elsewhere, remote=RemoteSettings(model="m")).loading})
        == 3
    )
    assert evolve(here, statistics=False).loading == here.loading
