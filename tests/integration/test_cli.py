"""The command line as a process: what it prints, where, how fast, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from copilot_server import __version__
from tests.support.hub_server import Hub, running_hub
from tests.support.patience import PATIENCE_S

FLAGS = (
    *("--model", "--engine", "--device", "--dtype", "--offline", "--config", "--log-level", "--protocol"),
    *("--max-new-tokens", "--tcp", "--ws", "--host", "--port", "--version", "--selftest", "--limit"),
    *("--raw", "--json", "--min-pass-at-1", "--allow-unsandboxed", "--batch-size"),
)
ENGINE = ("--engine", "https://gpu.example.com")
SERVER = (sys.executable, "-m", "copilot_server")


def run(
    *arguments: str, environment: dict[str, str] | None = None, stdin: int = subprocess.DEVNULL
) -> subprocess.CompletedProcess[str]:
    # The developer's own settings for the hub must not affect the tests.
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    return subprocess.run(
        [*SERVER, *arguments],
        env=inherited | {"COLUMNS": "100", "NO_COLOR": "1"} | (environment or {}),
        stdin=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"COPILOT_SERVER_HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "config")}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as hub:
        hub.add("team/tiny", "config.json", b"{}")
        hub.add("team/tiny", "model.safetensors", b"weights", large=True)
        yield hub


def assert_error(result: subprocess.CompletedProcess[str], exit_code: int, *words: str) -> None:
    """Assert that an error is one readable line on stderr and never a traceback."""
    assert result.returncode == exit_code, result.stderr
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    for word in words:
        assert word in result.stderr


@pytest.fixture(scope="module")
def help_text() -> str:
    return run("--help").stdout


class TestHelp:
    @pytest.mark.parametrize("flag", FLAGS)
    def test_it_lists_every_flag(self, flag: str, help_text: str):
        assert f" {flag} " in help_text

    def test_it_lists_every_command(self, help_text: str):
        assert "models" in help_text
        assert "pull" in help_text

    def test_it_loads_nothing_heavy(self):
        result = run("--help", environment={"PYTHONPROFILEIMPORTTIME": "1"})
        assert "typer" in result.stderr
        for heavy in ("torch", "transformers", "huggingface_hub", "pygls", "cattrs"):
            assert f" {heavy}\n" not in result.stderr

    def test_the_version(self):
        assert run("--version").stdout == f"copilot-server {__version__}\n"


class TestErrors:
    def test_a_wrong_flag_is_reported(self):
        result = run("--speed", "fast")
        assert result.returncode == 2
        assert "--speed" in result.stderr

    def test_a_wrong_value_is_reported(self):
        assert_error(run("--device", "abacus"), 2, "device", "abacus", "cuda")

    def test_a_key_on_the_command_line_is_refused_and_not_repeated(self):
        result = run("--engine", "https://user:s3cret@gpu.example.com")
        assert_error(result, 2, "`engine`", "COPILOT_SERVER_API_KEY", "remote.api_key_file")
        assert "s3cret" not in result.stderr
        assert run("--api-key", "s3cret").returncode == 2

    def test_the_bench_measures_what_runs_here_and_says_so(self, home: dict[str, str], tmp_path: Path):
        (tmp_path / "config.toml").write_text('engine = "https://gpu.example.com"\nmodel = "nothing"\n')
        result = run("bench", "--config", str(tmp_path / "config.toml"), environment=home)
        assert result.stderr.startswith(
            "The bench measures this machine, not the remote engine at gpu.example.com."
        )
        assert result.returncode == 3  # there is no model of that name; the engine was not asked
        assert run("bench", "--engine", "https://gpu.example.com").returncode == 2

    def test_a_missing_settings_file_is_reported(self, tmp_path: Path):
        missing = tmp_path / "missing.toml"
        assert_error(run("--config", str(missing)), 2, str(missing))

    def test_an_unknown_model_is_reported_with_similar_names(self, home: dict[str, str]):
        result = run("pull", "qwen2.5-coder-05b", environment=home)
        assert_error(result, 3, "qwen2.5-coder-0.5b", "copilot-server models")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--limit", "3"], "--limit needs --selftest"),
            (["--json", "out.json"], "--json needs --selftest"),
            (["--raw"], "--raw needs --selftest"),
            (["--port", "1"], "--port needs --tcp or --ws"),
            (["--tcp", "--ws"], "--tcp and --ws"),
            (["--selftest", "humaneval", "--tcp"], "--tcp is not for --selftest"),
            (["--model", "x", "models"], "--model is not for `models`"),
            ([*ENGINE, "models"], "--engine is not for `models`"),
            ([*ENGINE, "--device", "cpu"], "--device is for a model that runs here, and not for --engine"),
            (["--dtype", "int8", *ENGINE], "--dtype is for a model that runs here, and not for --engine"),
            (
                ["--selftest", "humaneval", "--samples-file", "x", *ENGINE],
                "--engine is not for --samples-file",
            ),
        ],
    )
    def test_a_flag_that_would_do_nothing_is_refused(self, arguments: list[str], message: str):
        assert_error(run(*arguments), 2, message)


class TestModels:
    def test_a_table_for_people(self, home: dict[str, str]):
        result = run("models", environment=home)
        assert result.returncode == 0
        row = next(line for line in result.stdout.splitlines() if "qwen2.5-coder-0.5b" in line)
        for cell in ("0.49 B", "0.49 GB", "Apache-2.0", "no", "61.6 chat"):
            assert cell in row
        assert result.stderr == "Measuring this machine.\n"
        assert "auto: On this machine is none of the models that auto chooses from." in result.stdout

    def test_json_for_programs(self, home: dict[str, str]):
        rows = {row["id"]: row for row in json.loads(run("models", "--json", environment=home).stdout)}
        assert len(rows) == 11
        assert rows["qwen2.5-coder-3b"]["licence"] == "LicenseRef-Qwen-Research"
        assert not any(row["on_disk"] for row in rows.values())
        assert not any(row["auto"] for row in rows.values())
        (suited,) = (row for row in rows.values() if row["suits"])
        assert suited["expected"]["warm_s"] > 0
        assert f"`copilot-server pull {suited['id']}`" in suited["reason"]

    @pytest.mark.model
    def test_models_on_disk_are_reported(self):
        assert run("pull", "qwen2.5-coder-0.5b").returncode == 0
        rows = {row["id"]: row for row in json.loads(run("models", "--json").stdout)}
        assert rows["qwen2.5-coder-0.5b"]["on_disk"]
        (chosen,) = (row for row in rows.values() if row["auto"])
        assert chosen["on_disk"]
        assert chosen["reason"].startswith(f"{chosen['id']} is the ")
        assert Path(rows["qwen2.5-coder-0.5b"]["path"]).is_file()


class TestPull:
    @pytest.fixture
    def online(self, home: dict[str, str], hub: Hub, tmp_path: Path) -> dict[str, str]:
        return home | {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "hf")}

    def test_a_hub_name_is_pulled_and_its_folder_is_printed(self, online: dict[str, str]):
        result = run("pull", "team/tiny", environment=online)
        folder = Path(online["COPILOT_SERVER_HOME"]) / "models" / "team--tiny" / "snapshot"
        assert (result.returncode, result.stdout) == (0, f"team/tiny: {folder}\n")
        assert (folder / "model.safetensors").read_bytes() == b"weights"
        assert "team/tiny" in result.stderr

    def test_several_are_pulled_but_none_when_a_name_is_wrong(self, online: dict[str, str], hub: Hub):
        assert run("pull", "team/tiny", "nothing", environment=online).returncode == 3
        assert not hub.requests
        assert run("pull", "team/tiny", "team/tiny", environment=online).returncode == 0
        assert hub.requests

    def test_a_wrong_hash_is_reported_and_verify_finds_one_later(self, online: dict[str, str], hub: Hub):
        hub.tampered["team/tiny/model.safetensors"] = b"WEIGHTS"
        refused = run("pull", "team/tiny", environment=online)
        assert refused.returncode == 3
        assert "error: model.safetensors is not what it should be" in refused.stderr
        hub.tampered.clear()
        assert run("pull", "team/tiny", "--verify", environment=online).returncode == 0
        folder = Path(online["COPILOT_SERVER_HOME"]) / "models" / "team--tiny" / "snapshot"
        (folder / "model.safetensors").write_bytes(b"WEIGHTS")
        assert run("pull", "team/tiny", "--verify", environment=online).returncode == 3

    def test_a_local_file_needs_no_pull(self, home: dict[str, str], tmp_path: Path):
        path = tmp_path / "mine.gguf"
        path.write_bytes(b"GGUF")
        assert run("pull", str(path), environment=home).stdout == f"{path}: {path}\n"

    def test_an_unreachable_hub_is_reported(self, home: dict[str, str]):
        result = run("pull", "team/tiny", environment=home | {"HF_ENDPOINT": "http://127.0.0.1:9"})
        assert result.returncode == 3
        assert "error: No source could deliver team/tiny: the hub cannot be reached" in result.stderr


class TestServing:
    def test_a_person_at_a_terminal_reads_that_editors_start_it(self, home: dict[str, str]):
        controller, terminal = pty.openpty()
        hint = "An editor starts this"
        process = subprocess.Popen(
            SERVER, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | home
        )
        os.close(terminal)
        try:
            assert process.stderr is not None
            assert hint in process.stderr.readline().decode()
        finally:
            os.close(controller)
            process.kill()
            process.communicate()
        editor = subprocess.run(
            SERVER, input=b"", capture_output=True, env=os.environ | home, check=False, timeout=PATIENCE_S
        )
        assert hint not in editor.stderr.decode()


def loaded_by(statement: str) -> set[str]:
    """The packages of ours that a new Python has loaded after a statement."""
    program = f"import sys\n{statement}\nprint(*(name for name in sys.modules if 'copilot_server.' in name))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_command_line_starts_without_the_sandbox_and_the_readers_of_examples():
    heavy = {"copilot_server.sandbox", "copilot_server.completion.examples"}
    assert loaded_by("import copilot_server.cli").isdisjoint(heavy)
    assert heavy <= loaded_by("import copilot_server.completion.examples")
