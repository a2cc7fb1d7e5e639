"""The files of a workspace together with what is known of an environment."""

from __future__ import annotations

from copilot_server.workspace.environment.known import EnvironmentFiles, Known
from copilot_server.workspace.languages import summarize
from tests.support.memory_files import MemoryFiles

SITE = "/w/.venv/lib/python3.11/site-packages"
API = f"{SITE}/requests/api.py"
SUMMARY = summarize(API, "def get(url): ...")


class Workspace(MemoryFiles):
    """A workspace with a package of its own, of which the environment has a copy."""

    def __init__(self) -> None:
        super().__init__({"own/__init__.py": "def new(): ..."})
        self.hidden: set[str] = set()

    def is_hidden(self, path: str) -> bool:
        return path in self.hidden


def files(known: Known | None = None, site: str | None = SITE) -> EnvironmentFiles:
    return EnvironmentFiles(Workspace(), site, known or Known())


def test_what_is_not_known_yet_is_absent_and_was_asked_for():
    one = files()
    assert one.existing((API,)) == frozenset()
    assert one.is_incomplete
    known = files(Known(sources={API: ""}))
    assert known.existing((API,)) == frozenset()
    assert not known.is_incomplete


def test_what_is_known_is_given():
    one = files(Known(sources={API: API}, summaries={API: SUMMARY}, folders={f"{SITE}/requests": True}))
    assert one.existing((API,)) == {API}
    assert one.summary(API) == SUMMARY
    assert one.has_folder(f"{SITE}/requests")
    assert not one.is_incomplete


def test_a_file_that_was_not_read_is_asked_for():
    one = files(Known(sources={API: API}))
    assert one.existing((API,)) == {API}
    assert not one.is_incomplete
    assert one.summary(API) is None
    assert one.is_incomplete


def test_the_workspace_is_asked_for_its_own_files():
    one = files()
    assert one.existing(("/w/own/__init__.py",)) == {"/w/own/__init__.py"}
    assert one.summary("/w/own/__init__.py") is not None
    assert one.has_folder("/w/own")
    assert not one.is_incomplete
    assert (one.is_outside("/w/own/__init__.py"), one.is_outside(API)) == (False, True)


def test_copies_of_the_workspaces_packages_and_the_standard_library_are_not_looked_for():
    for name in ("own", "json", "src"):
        path = f"{SITE}/{name}/__init__.py"
        one = files(Known(sources={path: path}, folders={f"{SITE}/{name}": True}))
        assert one.existing((path,)) == frozenset()
        assert one.summary(path) is None
        assert not one.has_folder(f"{SITE}/{name}")
        assert not one.is_incomplete
    path = f"{SITE}/other/__init__.py"
    assert files(Known(sources={path: path})).existing((path,)) == {path}


def test_a_hidden_file_is_unknown():
    workspace = Workspace()
    one = EnvironmentFiles(workspace, SITE, Known(sources={API: API}))
    assert one.existing((API,)) == {API}
    workspace.hidden.add(API)
    assert one.existing((API,)) == frozenset()


def test_until_the_environment_is_known_it_is_asked_for_and_without_one_nothing_is():
    assert files(site=None).is_incomplete
    assert not files(site="").is_incomplete
    assert (files(site=None).has_site, files(site="").has_site, files().has_site) == (False, False, True)
    assert files(site="").folders == ("/w",)
    assert files().folders == ("/w", SITE)


def test_a_workspace_within_an_environment_keeps_its_files():
    class Inner(Workspace):
        folders = (f"{SITE}/requests",)

    one = EnvironmentFiles(Inner(), SITE, Known(sources={API: API}))
    assert not one.is_outside(API)
    assert one.existing((API,)) == frozenset()
    assert one.is_outside(f"{SITE}/other.py")
