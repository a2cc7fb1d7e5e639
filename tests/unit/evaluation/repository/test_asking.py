"""Asking for tasks as an editor does, with a tiny random model: what reaches the prompt and the answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from copilot_server.catalog import Manifest
from copilot_server.completion.budget import prompt_budget
from copilot_server.completion.pipeline import open_engine
from copilot_server.config import CompletionSettings, Settings
from copilot_server.context.document import Cursor
from copilot_server.engine.base import Engine, Prompt
from copilot_server.evaluation.repository.asking import Asker, PromptRecorder
from copilot_server.evaluation.repository.context import open_workspace
from copilot_server.evaluation.repository.copies import with_copies
from copilot_server.evaluation.repository.files import Repository, open_repository
from copilot_server.evaluation.repository.tasks import make_task
from copilot_server.evaluation.repository.types import Hole, RepositoryTask
from copilot_server.workspace.types import MissingName, Snippet
from tests.support.repositories import commit

SECRET = "gap * rows"
CODE = f"def f(x):\n    t = {SECRET}\n    return t\n"
SETTINGS = CompletionSettings(max_new_tokens=6, max_prompt_tokens=512)


Opened = tuple[Engine, Manifest]


class WholeFiles:
    """A workspace that puts whole files into prompts, as they are on disk.

    It leaves out the file of the open document and those that it hides, unless a test has it forget to.
    """

    def __init__(self, folder: Path, *, forgets_open: bool = False, forgets_hidden: bool = False) -> None:
        self._folder = folder
        self._forgets_open, self._forgets_hidden = forgets_open, forgets_hidden
        self._open: set[str] = set()
        self._hidden: frozenset[Path] = frozenset()

    def opened(self, uri: str, language_id: str, text: str) -> None:  # noqa: ARG002 - the files count
        self._open.add(uri)

    def changed(self, uri: str, text: str) -> None:  # noqa: ARG002 - the files count
        assert uri in self._open

    def closed(self, uri: str) -> None:
        self._open.remove(uri)

    def missing_name(self, _cursor: Cursor, _text: str, _replaced: int) -> MissingName | None:
        return None

    def hide(self, paths: Iterable[Path]) -> None:
        self._hidden = frozenset(paths)

    def wait(self, timeout_s: float) -> bool:  # noqa: ARG002 - there is no index
        return True

    def snippets(self, cursor: Cursor) -> tuple[Snippet, ...]:  # noqa: ARG002 - the same for all
        files = sorted(self._folder.rglob("*.py"))
        return tuple(Snippet(file.name, file.read_text(), 1.0) for file in files if self._is_read(file))

    def _is_read(self, file: Path) -> bool:
        is_open = file.as_uri() in self._open and not self._forgets_open
        is_hidden = file in self._hidden and not self._forgets_hidden
        return not is_open and not is_hidden

    @property
    def is_anything_open(self) -> bool:
        return bool(self._open)


@pytest.fixture(scope="module")
def tiny(tiny_model_dir: Path) -> Opened:
    return open_engine(Settings(model=str(tiny_model_dir), device="cpu", dtype="float32"))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    commit(tmp_path, {"a.py": CODE, "b.py": CODE.replace("f", "g", 1), "c.py": "def other(): ...\n"})
    return open_repository(tmp_path, (), since=None, seed=0)


@pytest.fixture
def task(repository: Repository) -> RepositoryTask:
    file = repository.source("a.py")
    assert file is not None
    start = CODE.index(SECRET)
    (task,) = with_copies(
        [make_task(file, Hole("any-line", "after a word", start, start + len(SECRET)))], repository
    )
    return task


def asker(tiny: Opened, repository: Repository, *, typing: bool = False) -> Asker:
    return Asker(*tiny, SETTINGS, repository.folder, typing=typing)


class TestLeaks:
    def prompts(
        self,
        tiny: Opened,
        repository: Repository,
        task: RepositoryTask,
        workspace: WholeFiles,
    ) -> tuple[str, bool, int]:
        """Return all the text that reached the engine, whether a leak was noticed, and how many snippets."""
        engine, manifest = tiny
        recorder = PromptRecorder(engine)
        asking = Asker(recorder, manifest, SETTINGS, repository.folder, typing=True)
        answer = asking.ask(task, workspace)
        assert not workspace.is_anything_open
        return "".join(map(text_of, recorder.prompts)), answer.leaked, answer.snippets

    def test_the_answer_never_reaches_a_prompt(
        self, tiny: Opened, repository: Repository, task: RepositoryTask
    ):
        text, leaked, snippets = self.prompts(tiny, repository, task, WholeFiles(repository.folder))
        assert task.hidden == ("b.py",)
        assert "def other" in text, "other files do reach it"
        assert SECRET not in text
        assert not leaked
        assert snippets == 1

    def test_its_own_file_would_give_it_away(
        self, tiny: Opened, repository: Repository, task: RepositoryTask
    ):
        workspace = WholeFiles(repository.folder, forgets_open=True)
        text, leaked, _ = self.prompts(tiny, repository, task, workspace)
        assert SECRET in text
        assert leaked

    def test_a_copy_would_give_it_away(self, tiny: Opened, repository: Repository, task: RepositoryTask):
        workspace = WholeFiles(repository.folder, forgets_hidden=True)
        text, leaked, _ = self.prompts(tiny, repository, task, workspace)
        assert SECRET in text
        assert leaked


class TestRealWorkspace:
    """The index of a folder, in which another file has the definition whose first line was taken out."""

    HEAD = "def area(width, height):"
    COPY = f'{HEAD}\n    """Say."""\n    return width * height\n'
    #: What is imported and not used yet is given; a function that is used already is not.
    OWN = f"from b import area as other\n\n{COPY}"

    @pytest.fixture
    def repository(self, tmp_path: Path) -> Repository:
        commit(tmp_path, {"a.py": self.OWN, "b.py": self.COPY})
        return open_repository(tmp_path, (), since=None, seed=0)

    @pytest.fixture
    def task(self, repository: Repository) -> RepositoryTask:
        file = repository.source("a.py")
        assert file is not None
        start = self.OWN.index(self.HEAD)
        hole = Hole("any-line", "at a line's start", start, start + len(self.HEAD))
        return with_copies([make_task(file, hole)], repository)[0]

    @pytest.mark.parametrize("hides", [True, False])
    def test_it_gives_nothing_of_a_file_that_is_hidden(
        self, tiny: Opened, repository: Repository, task: RepositoryTask, hides: bool
    ):
        assert task.hidden == ("b.py",)
        task = task if hides else replace(task, hidden=())
        with open_workspace(repository.folder, (), ["on"]) as workspace:
            engine, manifest = tiny
            recorder = PromptRecorder(engine)
            Asker(recorder, manifest, SETTINGS, repository.folder, typing=False).ask(task, workspace)
        assert ("width, height" in "".join(map(text_of, recorder.prompts))) != hides


def test_the_first_request_reads_its_whole_prompt_and_the_next_only_what_is_new(
    tiny: Opened, repository: Repository, task: RepositoryTask
):
    asking = asker(tiny, repository, typing=True)
    for _ in range(2):  # a task before it leaves nothing behind
        answer = asking.ask(task, None)
        assert answer.first.source == "model"
        assert answer.first.new_tokens == answer.first.prompt_tokens
        by_model = [one for one in answer.later if one.source == "model"]
        assert by_model
        assert all(one.new_tokens < answer.first.new_tokens for one in by_model)
        assert answer.typed is not None
        assert answer.typed.characters == len(SECRET)


def test_without_the_typist_one_more_key_is_asked_for(
    tiny: Opened, repository: Repository, task: RepositoryTask
):
    answer = asker(tiny, repository).ask(task, None)
    assert answer.typed is None
    assert len(answer.later) == 1


def test_a_position_that_is_not_worthwhile_is_not_asked_about(tiny: Opened, repository: Repository):
    task = make_task(repository.source("c.py") or pytest.fail("no file"), Hole("any-line", "in a word", 4, 5))
    answer = asker(tiny, repository).ask(task, None)
    assert not answer.shown
    assert answer.first.source == "none"
    assert answer.mean_logprob is None


def test_the_budget_is_settled_once(tiny: Opened, repository: Repository):
    settings = CompletionSettings(max_prompt_tokens="auto")
    asking = Asker(*tiny, settings, repository.folder, typing=False)
    assert asking.settings.max_prompt_tokens == prompt_budget("auto", tiny[0])


def test_the_recorder_is_an_engine(tiny: Opened):
    engine, _ = tiny
    recorder = PromptRecorder(engine)
    assert (recorder.device, recorder.dtype) == (engine.device, engine.dtype)
    assert recorder.context_length == engine.context_length
    assert recorder.notices == engine.notices


def text_of(prompt: Prompt) -> str:
    return "".join(part for part in prompt.parts if isinstance(part, str)) + prompt.forced
