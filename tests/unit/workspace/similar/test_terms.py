"""The words of code."""

from __future__ import annotations

import pytest

from copilot_server.workspace.similar.terms import MAX_TERM, terms_of


@pytest.mark.parametrize("name", ["read_file", "readFile", "ReadFile", "READ_FILE", "__read_file"])
def test_a_name_in_any_style_has_the_same_terms(name: str):
    assert terms_of(f"x = {name}(1)") == {"readfile", "read", "file"}


def test_acronyms_digits_and_short_parts():
    assert terms_of("HTTPServer2 to_json utf8") == {
        "httpserver2",
        "http",
        "server",
        "tojson",
        "json",
        "utf8",
        "utf",
    }


def test_words_of_strings_and_comments_count_and_numbers_do_not():
    assert terms_of("f('no host')  # 12 0x1f é_ß") == {"no", "host", "éß"}


def test_long_names_are_cut():
    assert terms_of("a" * 99) == {"a" * MAX_TERM, "a" * 99}
