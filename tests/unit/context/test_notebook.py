"""A cell among the other cells of its notebook."""

from __future__ import annotations

import ast

import pytest

from copilot_server.context.document import Cursor, Document
from copilot_server.context.notebook import among_cells
from copilot_server.context.source.syntax import python_context
from tests.support.cursor_text import cursor_in, drawn

#: Two cells of a notebook before the one with the cursor, and one after it.
LOAD, CLEAN, PLOT = "import pandas as pd\ndf = pd.read_csv('a.csv')\n", "df = df.dropna()", "df.plot()"


def cells(*texts: str, language: str = "python") -> list[Document]:
    return [Document(f"cell:{n}", language, text) for n, text in enumerate(texts)]


def show(cursor: Cursor) -> str:
    return drawn(cursor.document.text, cursor.offset)


def test_the_cells_stand_in_order_around_the_cursors() -> None:
    cursor = among_cells(cursor_in("x = df.‸"), cells(LOAD, CLEAN), cells(PLOT))
    assert show(cursor) == (
        "import pandas as pd\ndf = pd.read_csv('a.csv')\n\n\ndf = df.dropna()\n\n\nx = df.‸\n\n\ndf.plot()"
    )
    assert cursor.document.text[cursor.document.start :].startswith("x = df.")
    assert (cursor.line_prefix, cursor.line_suffix) == ("x = df.", "")


def test_a_cell_alone_is_as_it_was() -> None:
    cursor = cursor_in("x = ‸\n")
    assert among_cells(cursor, [], []) == cursor
    assert among_cells(cursor, cells("", "\n \n"), cells("  ")) == cursor


def test_cells_in_other_languages_are_left_out() -> None:
    others = [*cells("# Title", language="markdown"), *cells("%%bash\nls", "%%time\na = 1")]
    assert show(among_cells(cursor_in("‸"), others, others[:2])) == "# %%time\na = 1\n\n\n‸"
    shell = among_cells(cursor_in("%%bash\ncat ‸"), others, [])
    assert show(shell) == "%%bash\nls\n\n\n%%bash\ncat ‸"
    assert shell.document.language_id == "shellscript"


def test_magics_are_comments_except_on_the_cursors_line() -> None:
    cursor = among_cells(
        cursor_in("%time x = 1\n!ls ‸"), cells("%matplotlib inline\nimport os"), cells("!pwd")
    )
    assert show(cursor) == "# %matplotlib inline\nimport os\n\n\n# %time x = 1\n!ls ‸\n\n\n# !pwd"


@pytest.mark.parametrize(
    "broken",
    ["f(1, [2", 'text = """It', "f(1,  # one", "def f(x):", "class A:  # one", "if x:\n\tfor y in x:"],
)
def test_what_a_cell_leaves_open_ends_with_it(broken: str) -> None:
    cursor = among_cells(cursor_in("x = 1\n‸"), cells(broken), [])
    context = python_context(cursor)
    assert (context.in_string, context.open_brackets, context.enclosing, context.column) == (False, "", (), 0)
    ast.parse(cursor.document.text)
    at_the_top = python_context(among_cells(cursor_in("‸"), cells(broken), []))
    assert (at_the_top.enclosing, at_the_top.column) == ((), 0)


def test_the_function_of_an_earlier_cell_is_not_around_the_cursor() -> None:
    context = python_context(among_cells(cursor_in("‸"), cells("def f():\n    return 1"), []))
    assert (context.function, context.column) == (None, 0)


def test_a_string_that_is_open_is_not_closed_by_the_next_cell() -> None:
    later = cells('y = """text"""')
    assert show(among_cells(cursor_in('def f():\n    """Say ‸'), [], later)) == 'def f():\n    """Say ‸'
    assert show(among_cells(cursor_in('x = """a"""\n‸'), [], later)) == 'x = """a"""\n‸\n\n\ny = """text"""'


def test_other_cells_have_the_line_ends_of_the_cursors() -> None:
    cursor = among_cells(cursor_in("a = 1\r\n‸"), cells("b = 1\nc = 1"), cells("d = 1\r\ne = 1"))
    assert "\n" not in cursor.document.text.replace("\r\n", "")
    cursor = among_cells(cursor_in("a = 1\n‸"), cells("b = 1\r\nc = 1"), [])
    assert "\r" not in cursor.document.text
