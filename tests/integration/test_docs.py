"""README, docs/ and the other guides show what is shipped."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
import subprocess
import sys
import tomllib
from datetime import date
from functools import cache
from pathlib import Path

import pytest
import yaml
from attrs import fields

from copilot_server import __version__
from copilot_server.bench import figures as bench_figures
from copilot_server.config import (
    CompletionSettings,
    RemoteSettings,
    Settings,
    SpeedSettings,
    load_settings,
)
from copilot_server.errors import CopilotServerError
from copilot_server.evaluation.types import Report, RunSettings, Score, Timing, Verification
from copilot_server.lsp.examples import Note
from copilot_server.lsp.status import Status
from copilot_server.statistics import figures as statistics_figures
from tests.support.markdown import anchors, code_blocks, links, without_code
from tests.support.paths import REPOSITORY

GUIDES = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for path in (
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").glob("*.md"),
        *REPOSITORY.glob("editors/*/*.md"),
    )
)
SUBCOMMANDS = ("bench", "pull", "models", "compare", "stats", "serve", "status", "stop")
#: Folders and files of the repository, as prose names them.
_PATH = re.compile(r"`((?:copilot_server|tests|benchmarks|scripts|models|docs|editors|\.github)/[\w./-]*)`")
#: Copilot's methods and our own, as they are written in the server's source.
_METHOD = re.compile(
    r"(?:textDocument|copilotServer)/\w+|(?:get|notify|check|sign|set|did)[A-Z]\w+|[\w.]+\.didAcceptCompletionItem"
)


def read(guide: str) -> str:
    return (REPOSITORY / guide).read_text("utf-8")


@cache
def output_of(*words: str) -> str:
    command = [sys.executable, "-m", "copilot_server", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def commands(guide: str, program: str) -> list[str]:
    """Return the lines of ``guide``'s shell blocks that run ``program``, without their comments."""
    lines = "\n".join(code_blocks(read(guide), "sh")).splitlines()
    pattern = re.compile(rf"^(?:\.venv/bin/)?{re.escape(program)}\b.*$")
    return [line.partition(" #")[0].strip() for line in lines if pattern.match(line)]


def test_the_settings_shown_are_all_of_them_with_their_defaults(tmp_path: Path):
    (shown,) = [block for block in code_blocks(read("docs/settings.md"), "toml") if "[completion]" in block]
    (tmp_path / "config.toml").write_text(shown, "utf-8")
    assert load_settings(tmp_path / "config.toml", {}) == Settings()
    for section in (Settings, CompletionSettings, SpeedSettings, RemoteSettings):
        for setting in fields(section):
            assert re.search(rf"^(?:\[{setting.name}\]|{setting.name} = )", shown, re.MULTILINE), setting.name


def test_the_guides_show_commands_and_flags_of_ours():
    shown = [command for guide in GUIDES for command in commands(guide, "copilot-server")]
    assert len(shown) > 20


@pytest.mark.parametrize("guide", GUIDES)
def test_every_subcommand_and_flag_shown_exists(guide: str):
    for command in commands(guide, "copilot-server"):
        words = command.split()[1:]
        subcommand = [word for word in words[:1] if not word.startswith("-") and word != "copilot_server"]
        assert set(subcommand) <= set(SUBCOMMANDS), command
        for flag in re.findall(r"(?<!\S)--[a-z][a-z0-9-]+", command):
            assert re.search(rf"{flag}\b(?!-)", output_of(*subcommand, "--help")), command


@pytest.mark.parametrize("guide", GUIDES)
def test_every_target_of_make_that_is_named_exists(guide: str):
    targets = set(re.findall(r"^([a-z][a-z-]+):", read("Makefile"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z][a-z-]+)", read(guide)))
    named |= {command.split()[1] for command in commands(guide, "make")}
    assert named - targets == set()


@pytest.mark.parametrize("guide", GUIDES)
def test_every_module_and_script_that_is_named_exists(guide: str):
    for module in re.findall(r"python -m (benchmarks[\w.]*|tests[\w.]*)", read(guide)):
        path = REPOSITORY.joinpath(*module.split("."))
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
    for script in re.findall(r"python ((?:benchmarks|scripts)/[\w/]+\.py)", read(guide)):
        assert (REPOSITORY / script).exists(), script
    for test_file in re.findall(r"tests/[\w/]+\.py", read(guide)):
        assert (REPOSITORY / test_file).exists(), test_file


@pytest.mark.parametrize("guide", GUIDES)
def test_every_path_that_is_named_exists(guide: str):
    named = [path for path in _PATH.findall(read(guide)) if "ID" not in path]
    assert [path for path in named if not (REPOSITORY / path).exists()] == []


@pytest.mark.parametrize("guide", GUIDES)
def test_every_link_leads_to_a_file_and_its_heading(guide: str):
    folder = (REPOSITORY / guide).parent
    for link in links(read(guide)):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (folder / path).resolve() if path else REPOSITORY / guide
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), link


def test_a_heading_that_is_not_there_would_be_noticed():
    text = (
        "# The self-test's report\n[a](b.md#nowhere), `[not](a-link)`\n## A & B\n```\n[no](link)\n# no\n```\n"
    )
    assert anchors(text) == {"the-self-tests-report", "a--b"}
    assert links(text) == ["b.md#nowhere"]
    assert "no" not in without_code(text).split()


@pytest.mark.parametrize("guide", [guide for guide in GUIDES if guide.startswith("docs/")])
def test_readme_leads_to_every_guide(guide: str):
    assert guide in links(read("README.md"))


def test_every_message_of_copilots_and_of_ours_is_documented():
    written = {
        node.value
        for path in (REPOSITORY / "copilot_server" / "lsp").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _METHOD.fullmatch(node.value)
    }
    assert len(written) > 15
    documented = set(re.findall(r"`([^`\n]+)`", read("docs/protocol.md")))
    assert written - documented == set()


@pytest.mark.parametrize(
    "kind", [bench_figures.Figures, Status, Score, Timing, RunSettings, Verification, Note]
)
def test_every_field_of_a_json_format_is_documented(kind: type):
    documented = read("docs/protocol.md")
    for field in dataclasses.fields(kind):
        assert re.search(rf"[`\"]{field.name}[`\"]", documented), field.name


def test_every_key_of_the_reports_of_statistics_and_models_is_documented():
    statistics = statistics_figures.as_json(statistics_figures.nothing(days=1, today=date(2026, 1, 1)))
    report = {"format", "benchmark", "model", "pass_at_k", *(one.name for one in dataclasses.fields(Report))}
    row = json.loads(output_of("models", "--json"))[0]
    documented = read("docs/protocol.md")
    for key in (*statistics, *statistics["totals"], *report, *row):
        assert f"`{key}`" in documented, key


def test_every_exit_code_is_documented():
    kinds = [CopilotServerError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    for kind in kinds:
        assert f"\n| {kind.exit_code} | " in read("docs/protocol.md"), kind


def test_every_block_of_toml_parses():
    blocks = [block for guide in GUIDES for block in code_blocks(read(guide), "toml")]
    assert blocks
    for block in blocks:
        tomllib.loads(block)


def test_every_block_of_json_for_an_editor_parses():
    blocks = code_blocks(read("docs/editors.md"), "json")
    assert len(blocks) > 4
    for block in blocks:
        json.loads(block)


def test_the_template_for_lsp4ij_names_files_and_their_languages():
    template = json.loads(read("editors/jetbrains/template.json"))
    assert template["programArgs"]["default"] == "sh -c copilot-server"
    patterns = {one["languageId"]: one["fileType"]["patterns"] for one in template["fileTypeMappings"]}
    assert patterns["python"] == ["*.py", "*.pyi"]
    every = [pattern for some in patterns.values() for pattern in some]
    assert len(every) == len(set(every))


def test_the_figures_of_the_readme_stand_in_the_guides_with_their_protocol():
    table = re.search(r"^\| what \|.*?\n\n", read("README.md"), re.MULTILINE | re.DOTALL)
    assert table
    figures = re.findall(r"\d+(?:\.\d+)? (?:ms|s|%|MB|tokens/s)", table.group())
    assert len(figures) > 8
    known = " ".join(read(guide) for guide in ("docs/speed.md", "docs/self-test.md"))
    for figure in figures:
        assert figure in known or f"{figure.split()[0]} (" in known, figure


def workflows() -> list[Path]:
    return sorted((REPOSITORY / ".github").rglob("*.yml"))


@pytest.mark.parametrize(
    "path", [*workflows(), REPOSITORY / ".pre-commit-config.yaml"], ids=lambda path: path.name
)
def test_yaml_parses(path: Path):
    assert yaml.safe_load(path.read_text("utf-8"))


def test_workflows_run_targets_of_make_that_exist():
    targets = set(re.findall(r"^([a-z][a-z-]+):", read("Makefile"), re.MULTILINE))
    named = {
        target for path in workflows() for target in re.findall(r"run:.*?\bmake ([a-z-]+)", path.read_text())
    }
    assert named
    assert named <= targets


def test_the_versions_agree():
    assert f"\n## {__version__} - " in read("CHANGELOG.md")
    assert f'"version": "{__version__}"' in read("editors/vscode/package.json")
    assert f"\n## {__version__}\n" in read("editors/vscode/CHANGELOG.md")
