"""Which files and documents belong together."""

from __future__ import annotations

import pytest

from copilot_server.context.source.lexer import comment_sign
from copilot_server.workspace.similar.families import BY_LANGUAGE, FAMILIES, family_of


@pytest.mark.parametrize(
    ("path", "language"),
    [("/a/b.py", "python"), ("/a/b.test.tsx", "javascript"), ("/a.b/c.hpp", "c"), ("/x.lua", "lua")],
)
def test_a_file_belongs_to_documents_of_its_language(path: str, language: str):
    assert family_of(path) is BY_LANGUAGE[language]


@pytest.mark.parametrize("path", ["/a/py", "/a.py/b", "/a/.env", "/a/secrets.yaml", "/a/data.json", ""])
def test_other_files_belong_to_none(path: str):
    assert family_of(path) is None


def test_no_two_families_have_the_same_code_language_or_suffix():
    for all_of in (
        [one.code for one in FAMILIES],
        [language for one in FAMILIES for language in one.languages],
        [suffix for one in FAMILIES for suffix in one.suffixes],
    ):
        assert len(set(all_of)) == len(all_of)
    assert {len(one.code) for one in FAMILIES} == {2}


def test_prompts_can_show_code_of_every_language():
    assert all(comment_sign(language) for language in BY_LANGUAGE)
