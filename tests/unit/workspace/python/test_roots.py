"""Where top-level modules and packages are, in any layout."""

from __future__ import annotations

from copilot_server.workspace.python.roots import top_level_modules


def roots(*paths: str) -> set[tuple[str, str]]:
    return set(top_level_modules([f"/w/{path}" for path in paths], {"/w"}))


def test_packages_beside_the_projects_file_or_in_src():
    found = roots(
        "pkg/__init__.py", "pkg/sub/__init__.py", "pkg/sub/a.py", "src/other/__init__.py", "setup.py"
    )
    assert found == {("pkg", "/w"), ("other", "/w/src"), ("setup", "/w")}


def test_scripts_and_namespace_packages():
    assert roots("scripts/a.py", "ns/sub/b.pyi") == {("a", "/w/scripts"), ("b", "/w/ns/sub")}


def test_a_workspace_that_is_a_package_itself():
    assert roots("__init__.py", "sub/__init__.py") == set()
    assert roots("sub/__init__.py") == {("sub", "/w")}
