"""IPython's lines in cells of Python: what is one, and what stands in its place."""

from __future__ import annotations

import ast
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_server.context.source.magics import cell_language, without_magics


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("%matplotlib inline\nx = 1\n", "# %matplotlib inline\nx = 1\n"),
        ("!pip install it's\nx = 1", "# !pip install it's\nx = 1"),
        ("!pip install \\\n    pandas\nx = 1", "# !pip install \\\n    # pandas\nx = 1"),
        ("x?\ny.z??\n?y", "# x?\n# y.z??\n# ?y"),
        ("x??\r\ny = 1\r\n", "# x??\r\ny = 1\r\n"),
        ("files = !ls *.csv\nfiles", "files = None  # !ls *.csv\nfiles"),
        ("if x:\n    %time f()\n", "if x:\n    pass  # %time f()\n"),
        ("%%time\nx = 1\n", "# %%time\nx = 1\n"),
    ],
)
def test_what_is_ipythons_becomes_a_comment(cell: str, expected: str) -> None:
    assert without_magics(cell) == (expected, -1)
    ast.parse(expected)


@pytest.mark.parametrize(
    "cell",
    [
        "x = 7 \\\n  % 2\n",
        "x = (7\n% 2)\n",
        's = """\n%matplotlib inline\n!ls\nwhat?\n"""\n',
        "# what?\nx != y\nx %= 2\n",
        "print('what?')  # is = !this\n",
    ],
)
def test_python_stays_as_it_is(cell: str) -> None:
    assert without_magics(cell) == (cell, -1)


def test_the_line_of_the_cursor_stays_as_it_is() -> None:
    cell = "%load_ext autoreload\n%autoreload 2\n%time f()"
    at = cell.index(" 2")
    text, moved = without_magics(cell, at)
    assert text == "# %load_ext autoreload\n%autoreload 2\n# %time f()"
    assert text[:moved] == "# %load_ext autoreload\n%autoreload"


@given(st.text("%!?x= \n\r'\"(\\", max_size=40), st.integers(0, 40))
def test_the_cursor_keeps_its_line_and_lines_stay_where_they_are(text: str, at: int) -> None:
    at = min(at, len(text))
    result, moved = without_magics(text, at)
    before, after = (re.search(r"[^\r\n]*\Z", text[:at]), re.match(r"[^\r\n]*", text[at:]))
    assert before is not None
    assert after is not None
    assert result[:moved].endswith(before[0])
    assert result[moved:].startswith(after[0])
    assert (result.count("\n"), result.count("\r")) == (text.count("\n"), text.count("\r"))


@pytest.mark.parametrize(
    ("cell", "language", "expected"),
    [
        ("x = 1", "python", "python"),
        ("%%time\nx = 1", "python", "python"),
        ("%time x = 1", "python", "python"),
        ("\n%%bash\nls", "python", "shellscript"),
        ("%%sql\nselect 1", "python", "sql"),
        ("%%writefile a.txt\na", "python", "plaintext"),
        ("%%bash\nls", "julia", "julia"),
    ],
)
def test_a_magic_may_change_the_language_of_a_cell(cell: str, language: str, expected: str) -> None:
    assert cell_language(cell, language) == expected
