"""The bench: what it reports about the user's machine, and the replay that compares engines.

No test here measures time.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.bench import venvs
from benchmarks.bench.corpus import Passage, Position, choose_passages
from benchmarks.bench.editing import Answer, Pending
from benchmarks.bench.engines import Speed, Subject, Worker, in_turns, median_speed
from benchmarks.bench.ours import LspServer
from benchmarks.bench.prompts import PromptBook, cursor_at
from benchmarks.bench.recording import Recording
from benchmarks.bench.replay import Hurried, Step, Timed, hurry, record, repeat
from benchmarks.bench.report import json_line, plot, table
from benchmarks.bench.results import Results, figures_of, percentile_ms
from benchmarks.bench.targets import targets
from benchmarks.bench.typist import Typist
from benchmarks.home import temporary_home
from copilot_server.bench.figures import Figures, measure
from copilot_server.bench.screen import run
from copilot_server.bench.stopwatch import StopwatchEngine
from copilot_server.catalog import resolve
from copilot_server.config import Settings, SpeedSettings
from copilot_server.engine.backends.cpu import library
from copilot_server.engine.base import GenerationRequest, Prompt, Sampling
from copilot_server.engine.loader import load_engine
from copilot_server.fetch.store import HOME_VARIABLE
from copilot_server.provenance import hardware
from tests.support.paths import REPOSITORY

TEXT = (
    "import os\n\n\ndef first(x):\n    if x:\n        return 1\n\n    return [x]\n\n\ndef last():\n    pass\n"
)
PASSAGE = Passage("small", "first", TEXT, TEXT.index("def first"), TEXT.index("\n\n\ndef last") + 1)


@pytest.fixture
def tiny_settings(tiny_model_dir: Path) -> Settings:
    return Settings(model=str(tiny_model_dir), device="cpu", dtype="float32")


@dataclass(frozen=True)
class Home:
    """An empty home of a user, and the environment that points to it."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name != HOME_VARIABLE}
        folders = {
            f"XDG_{kind}_HOME": str(self.folder / kind) for kind in ("CACHE", "CONFIG", "DATA", "STATE")
        }
        return kept | folders | {"HOME": str(self.folder)}

    def files(self) -> list[str]:
        """The files that this project wrote; matplotlib also keeps a cache of fonts."""
        found = [path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file()]
        return [str(path) for path in found if "copilot-server" in path.parts]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    folder = tmp_path / "home"
    folder.mkdir()
    return Home(folder)


class TestStopwatch:
    REQUEST = GenerationRequest(Prompt(("def add(a, b):\n    return",)), Sampling(max_new_tokens=12))

    def test_it_generates_what_the_engine_does_and_counts_its_tokens(self, tiny_model_dir: Path):
        engine = load_engine(tiny_model_dir, device="cpu", dtype="float32")
        stopwatch = StopwatchEngine(engine)
        plain = engine.generate(self.REQUEST, threading.Event())
        assert stopwatch.generate(self.REQUEST, threading.Event()) == plain
        (timing,) = stopwatch.timings
        assert timing.text == plain[0].text
        assert timing.prompt_tokens == engine.count_tokens("def add(a, b):\n    return")
        assert 0 < timing.tokens <= len(plain[0].token_ids)
        assert timing.first_token_s > 0

    def test_what_stops_the_engine_stops_it_too(self, tiny_model_dir: Path):
        stopwatch = StopwatchEngine(load_engine(tiny_model_dir, device="cpu", dtype="float32"))
        whole = stopwatch.time(self.REQUEST)
        stopped = stopwatch.time(
            GenerationRequest(self.REQUEST.prompt, self.REQUEST.sampling, until=lambda text: len(text) > 3)
        )
        assert whole is not None
        assert stopped is not None
        assert stopped.tokens < whole.tokens

    def test_a_generation_without_a_token_has_no_times(self, tiny_model_dir: Path):
        stopwatch = StopwatchEngine(load_engine(tiny_model_dir, device="cpu", dtype="float32"))
        cancelled = threading.Event()
        cancelled.set()
        stopwatch.generate(self.REQUEST, cancelled)
        assert stopwatch.timings == []


class TestFigures:
    def test_a_tiny_model_is_measured(self, tiny_settings: Settings):
        figures = measure(tiny_settings)
        assert figures.model == tiny_settings.model
        assert figures.device == "cpu"
        numbers = (figures.load_s, figures.prefill_tok_s, figures.decode_tok_s, figures.line_ms)
        assert all(number > 0 for number in (*numbers, figures.function_s, figures.rss_mb))
        assert figures.decode_drafts_tok_s is not None

    def test_drafts_that_are_off_are_not_measured(self, tiny_model_dir: Path):
        speed = SpeedSettings(drafts=False)
        figures = measure(Settings(model=str(tiny_model_dir), device="cpu", dtype="float32", speed=speed))
        assert figures.decode_drafts_tok_s is None

    def test_it_names_the_machine_and_what_the_engine_uses(self, tiny_model_dir: Path):
        figures = measure(Settings(model=str(tiny_model_dir), device="cpu", dtype="int8"))
        assert figures.instruction_set == library.load_library().decoder_isa().decode()
        assert figures.instruction_set in library.INSTRUCTION_SETS
        assert figures.threads is not None
        assert figures.threads >= 1
        assert figures.hardware == hardware()

    def test_missing_kernels_are_reported(
        self, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ):
        settings = Settings(model=str(tiny_model_dir), device="cpu")
        library.load_library.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(library, "FILE", "_none.so")
            run(settings, as_json=True)
        without = json.loads(capsys.readouterr().out)
        library.load_library.cache_clear()
        run(settings, as_json=True)
        compiled = json.loads(capsys.readouterr().out)
        assert ["C compiler" in notice for notice in without["notices"]] == [True]
        assert without["instruction_set"] == ""
        assert compiled["notices"] == []
        assert compiled["instruction_set"]

    def test_json_has_every_figure(self, tiny_settings: Settings, capsys: pytest.CaptureFixture[str]):
        run(tiny_settings, as_json=True)
        assert json.loads(capsys.readouterr().out).keys() == set(Figures.__dataclass_fields__)


class TestCorpus:
    def test_the_same_seed_chooses_the_same_functions(self):
        chosen = choose_passages(6, seed=3)
        assert chosen == choose_passages(6, seed=3)
        assert chosen != choose_passages(6, seed=4)
        assert len({passage.module for passage in chosen}) == 6

    def test_a_passage_is_a_whole_function_of_a_file_of_the_right_length(self):
        for passage in choose_passages(6, seed=3):
            assert 100 <= passage.text.count("\n") <= 2000
            name = passage.function.rpartition(".")[2]
            assert f"def {name}(" in passage.source
            indent = len(passage.source) - len(passage.source.lstrip())
            ast.parse("if True:\n" + passage.source if indent else passage.source)

    def test_typing_all_of_it_makes_the_file_whole_again(self):
        assert PASSAGE.document(len(PASSAGE.source)) == TEXT
        assert "first" not in PASSAGE.document(0)
        assert Position(PASSAGE, 3).document[: Position(PASSAGE, 3).offset].endswith("\n\ndef")


class TestTypist:
    def keys(self, seed: int) -> list[tuple[str, float]]:
        typist, typed, keys = Typist(PASSAGE, seed), 0, []
        while (key := typist.key(typed)) is not None:
            keys.append((key.text, key.pause_s))
            typed += len(key.text)
        return keys

    def test_the_keys_are_the_function(self):
        texts = [text for text, _ in self.keys(1)]
        assert "".join(texts) == PASSAGE.source.rstrip()
        assert "\n        " in texts  # Enter, and the editor's indentation
        assert all(len(text) == 1 for text in texts if not text.startswith("\n"))

    def test_pauses_are_drawn_with_the_seed(self):
        assert self.keys(1) == self.keys(1)
        assert self.keys(1) != self.keys(2)
        assert all(0 < pause_s <= 1.5 for _, pause_s in self.keys(1))

    def test_only_what_comes_next_is_accepted(self):
        typed = PASSAGE.source.index("return 1")
        taken = {Typist(PASSAGE, seed).accepts(typed, "return 1\n\n    return 2") for seed in range(30)}
        assert taken == {"return 1", ""}  # by four of five typists
        for wrong in ("return 2", "return", "", "\n\n    return [x]"):
            assert {Typist(PASSAGE, seed).accepts(typed, wrong) for seed in range(30)} == {""}
        whole = "return 1\n\n    return [x]"
        assert whole in {Typist(PASSAGE, seed).accepts(typed, whole) for seed in range(30)}

    def test_typing_begins_at_a_line_with_enough_after_it(self):
        for seed in range(10):
            start = Typist(PASSAGE, seed).first_position(10)
            assert PASSAGE.source[:start].endswith(("\n    ", "\n        "))


class TestPrompts:
    @pytest.fixture
    def book(self, tiny_model_dir: Path) -> PromptBook:
        return PromptBook(resolve(str(tiny_model_dir)), tiny_model_dir)

    def test_an_infilling_prompt_is_the_document_around_the_cursor(self, book: PromptBook):
        position = Position(PASSAGE, PASSAGE.source.index("turn 1"))
        infill = book.infill(position)
        assert infill.before + infill.line == position.document[: position.offset]
        assert infill.line == "        re"
        assert infill.after == position.document[position.offset :]
        assert sorted(
            name for name in ("prefix", "suffix", "middle") if f"<|fim_{name}|>" in infill.whole
        ) == [
            "middle",
            "prefix",
            "suffix",
        ]

    def test_the_tokens_of_a_text_spell_it(self, book: PromptBook):
        assert book.decode(book.encode(TEXT)) == TEXT
        assert book.count_tokens(TEXT) == len(book.encode(TEXT))

    def test_the_cursor_is_where_the_typist_is(self):
        cursor = cursor_at(Position(PASSAGE, 9))
        assert cursor.prefix.endswith("def first")


class TestReplay:
    """On a real server process with a tiny model."""

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, tiny_model_dir: Path) -> Iterator[LspServer]:
        server = LspServer(["--model", str(tiny_model_dir), "--device", "cpu", "--max-new-tokens", "4"])
        yield server
        server.close()

    def test_every_key_has_an_answer_and_follows_the_one_before(self, server: LspServer):
        timed = record(server, PASSAGE, seed=1, keys=4)
        assert len(timed) == 4
        assert all(one.answer.latency_s > 0 for one in timed)
        assert all(one.step.position.typed < two.step.position.typed for one, two in pairwise(timed))
        assert timed[0].answer.by_model

    def test_the_same_position_again_needs_no_model(self, server: LspServer):
        steps = [Step(Position(PASSAGE, typed), 0.0) for typed in (20, 21, 21)]
        twice = repeat(server, steps)
        if twice[1].answer.text:
            assert [one.answer.by_model for one in twice][2] is False
            assert twice[1].answer.text == twice[2].answer.text

    def test_the_server_has_the_document_that_the_editor_has(self, server: LspServer):
        # A cursor past the end of a shorter line would be moved to it, and what is typed there with it.
        repeat(server, [Step(Position(PASSAGE, typed), 0.0) for typed in (5, 30, 45)])
        assert server.ask(Position(PASSAGE, 46)).wait() is not None

    def test_in_a_hurry_every_key_is_followed_by_an_answer(self, server: LspServer):
        steps = [Step(Position(PASSAGE, typed), 0.001) for typed in range(30, 40)]
        keys = hurry(server, steps)
        assert len(keys) == 10
        assert keys[-1].in_time  # nothing comes after the last
        assert all(key.wait_s > 0 for key in keys)

    def test_a_server_that_cannot_load_is_reported(self, tmp_path: Path):
        (tmp_path / "config.json").write_text("{}")
        with pytest.raises(RuntimeError, match="did not load"):
            LspServer(["--model", str(tmp_path)])

    def test_a_refused_request_is_reported(self):
        pending = Pending(lambda: None)
        assert pending.wait(0) is None
        pending.fail("no")
        with pytest.raises(RuntimeError, match="no"):
            pending.wait()


class TestEngines:
    def test_a_worker_measures_ours(self, tiny_model_dir: Path):
        with Worker("drafts", str(tiny_model_dir)) as worker:
            speed = worker.speed_twice("def add(a, b):\n    return", 8)
            assert speed.prefill_tok_s > 0
            assert speed.next_key_s is not None
            streams = worker.ask("streams", texts=["import os", "import re"], new_tokens=4)
            assert 0 < streams["tokens"] <= 8
            position = Position(PASSAGE, 30)
            asked = worker.ask("position", uri="file:///a.py", text=position.document, offset=position.offset)
            assert asked["tokens"] > 0
            with pytest.raises(RuntimeError, match="has ended"):
                worker.ask("nothing")

    def test_a_worker_measures_transformers(self, tiny_model_dir: Path):
        with Worker("float32", str(tiny_model_dir)) as worker:
            assert worker.ask("text", text="def add(a, b):", new_tokens=5)["tokens"] == 5

    def test_subjects_take_turns(self):
        asked: list[tuple[str, str]] = []

        def subject(name: str, speed: float) -> Subject:
            def speed_of(text: str, _new_tokens: int) -> Speed:
                asked.append((name, text))
                return Speed(speed * len(text), speed, 1.0)

            return speed_of

        speeds = in_turns({"a": subject("a", 1.0), "b": subject("b", 2.0)}, ["x", "xx", "xxx"], 8)
        assert asked[:4] == [("a", "x"), ("b", "x"), ("a", "xx"), ("b", "xx")]
        assert (speeds["a"].prefill_tok_s, speeds["b"].prefill_tok_s) == (2.0, 4.0)

    def test_a_median_knows_what_was_not_measured(self):
        assert median_speed([Speed(1, 1, 1)]).next_key_s is None
        assert median_speed([Speed(1, 1, 1, 5.0), Speed(1, 1, 1)]).next_key_s == 5.0


def timed(*latencies_s: float, by_model: bool = True) -> list[Timed]:
    step = Step(Position(PASSAGE, 1), 0.1)
    return [Timed(step, Answer("x", latency_s, by_model)) for latency_s in latencies_s]


#: What the JSON line must have.
KEYS = (
    *("prefill_x_llamacpp", "decode_x_llamacpp", "decode_drafts_x_llamacpp", "keystroke_p50_x_llamacpp"),
    *("keystroke_p50_ms", "keystroke_p90_ms", "keystroke_p99_ms", "answered_without_model"),
    *("decode_x_transformers", "prefill_x_transformers", "humaneval_wall_s", "humaneval_x_vllm"),
    *("rss_mb", "ready_s", "machine", "versions"),
)


class TestReport:
    @pytest.fixture
    def results(self) -> Results:
        ours = [timed(0.1, 0.2, 0.3), timed(0.4, by_model=False)]
        theirs = {"/infill": timed(1.0, 2.0, 3.0), "/completion": timed(0.1, 0.1, 0.1)}
        results = Results(Recording(ours, theirs))
        results.engines = {
            "ours": Speed(600.0, 60.0, 2.0, 0.05),
            "llama.cpp": Speed(100.0, 30.0, 10.0, 0.2),
            "bfloat16": Speed(300.0, 10.0, 4.0),
            "float32": Speed(150.0, 20.0, 8.0),
        }
        results.hurried = {"copilot-server": [Hurried(in_time=True, wait_s=0.1)]}
        results.single |= {"rss_mb": 1400.0, "ready_s": 4.0}
        return results

    def test_ratios_are_ours_over_theirs(self, results: Results):
        figures = figures_of(results)
        assert figures["prefill_x_llamacpp"] == 6.0
        assert figures["decode_x_llamacpp"] == 2.0
        assert figures["prefill_x_transformers"] == 2.0  # the faster dtype, measure by measure
        assert figures["decode_x_transformers"] == 3.0
        assert figures["keystroke_p50_x_llamacpp"] == pytest.approx(0.1)
        assert figures["keystroke_p50_x_llamacpp_completion"] == pytest.approx(2.0)
        assert figures["answered_without_model"] == 0.25
        assert figures["humaneval_x_vllm"] is None

    def test_percentiles_are_nearest_ranks(self):
        many = timed(*[n / 1000 for n in range(100)])
        assert [percentile_ms(many, percent) for percent in (50, 90, 99)] == [50.0, 90.0, 99.0]
        assert percentile_ms([], 50) is None

    def test_the_table_says_what_is_met(self, results: Results):
        lines = table(figures_of(results), targets("qwen2.5-coder-0.5b", "avx2")).splitlines()
        rows = {line[:48].strip(): line[48:].split() for line in lines if line}
        assert rows["reading 1,100 tokens, tok/s : llama.cpp"] == ["600", "100", "6", ">=", "4", "met"]
        assert rows["resident memory while serving, MB"] == ["1,400", "<=", "1300", "not", "met"]
        assert rows["32 streams, tok/s : vLLM"] == ["-", "-", "-", ">=", "1.5"]
        assert max(map(len, lines)) <= 110

    @pytest.mark.parametrize("measured", [True, False])
    def test_the_json_line_has_every_key(self, results: Results, *, measured: bool):
        figures = figures_of(results if measured else Results())
        line = json.loads(json_line(figures, {"machine": {}, "versions": {}}))
        assert set(KEYS) <= line.keys()

    @pytest.mark.parametrize("measured", [True, False])
    def test_the_plot_is_a_small_picture(self, results: Results, tmp_path: Path, *, measured: bool):
        shown = results if measured else Results()
        plot(figures_of(shown), shown.recording, tmp_path / "new" / "plot.png")
        data = (tmp_path / "new" / "plot.png").read_bytes()
        assert data.startswith(b"\x89PNG")
        assert len(data) < 200_000


class TestCommand:
    def test_it_runs_with_a_tiny_model_and_leaves_the_users_home_alone(
        self, tiny_model_dir: Path, tmp_path: Path, home: Home
    ):
        command = [sys.executable, "-m", "benchmarks.bench", "--quick", "--model", str(tiny_model_dir)]
        command += ["--parts", "typing", "hurry", "--plot", str(tmp_path / "plot.png")]
        done = subprocess.run(
            command, cwd=REPOSITORY, env=home.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert home.files() == []
        line = json.loads(done.stdout.splitlines()[-1])
        assert set(KEYS) <= line.keys()
        assert line["keystroke_p50_ms"] > 0
        assert line["prefill_x_llamacpp"] is None  # llama.cpp has no file to run
        assert line["versions"]["torch"]
        assert (tmp_path / "plot.png").is_file()

    def test_without_a_home_of_its_own_it_would_leave_statistics(
        self, tiny_model_dir: Path, home: Home, monkeypatch: pytest.MonkeyPatch
    ):
        for name, value in home.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv(HOME_VARIABLE, raising=False)

        def replay() -> None:
            server = LspServer(["--model", str(tiny_model_dir), "--device", "cpu", "--max-new-tokens", "4"])
            record(server, PASSAGE, seed=1, keys=4)
            server.close()

        with temporary_home() as folder:
            replay()
            assert [path.name for path in folder.rglob("*.sqlite3")] == ["suggestions.sqlite3"]
        assert home.files() == []
        replay()
        assert any(name.endswith("suggestions.sqlite3") for name in home.files())

    def test_users_have_a_command(self, tiny_model_dir: Path):
        command = [sys.executable, "-m", "copilot_server", "bench", "--json", "--device", "cpu"]
        command += ["--model", str(tiny_model_dir)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["prefill_tok_s"] > 0

    def test_an_unknown_model_is_reported(self, tmp_path: Path):
        command = [sys.executable, "-m", "copilot_server", "bench", "--model", str(tmp_path / "none.gguf")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 3
        assert "Traceback" not in done.stderr


class TestVenvs:
    def test_requirements_of_a_wheel_without_extras_and_torch(self, tmp_path: Path):
        wheel = tmp_path / "some-1.0-py3-none-any.whl"
        required = [
            "torch==2.0",
            "torchvision",
            "numpy<3",
            'ray>=2; extra == "more"',
            "six; python_version>'3'",
        ]
        with zipfile.ZipFile(wheel, "w") as archive:
            lines = [f"Requires-Dist: {one}" for one in required]
            archive.writestr("some-1.0.dist-info/METADATA", "\n".join(["Name: some", *lines, ""]))
        assert venvs._requirements(wheel) == ["numpy<3", "six; python_version>'3'"]
