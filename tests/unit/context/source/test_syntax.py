"""What is read at a cursor: drawn cases, the whole standard library's word for it, and any text at all."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from copilot_server.context.document import Cursor, Document
from copilot_server.context.indentation import indent_unit
from copilot_server.context.source.lexer import LexState
from copilot_server.context.source.syntax import FunctionContext, PythonContext, python_context
from tests.support.cursor_text import cursor_in
from tests.support.human_eval import PROBLEMS
from tests.support.library_sources import MODULES, SOURCES

METHOD = '''\
import os
from re import (
    escape,
    sub as replace,
)


@decorated
class Größe:
    """A class."""

    @property
    @cached(size=lambda n: n)
    async def räume(
        self,
        key=lambda x: x["a"],
        *rest: dict[str, int],
    ) -> dict[str, int]:
        """Say ü.

            def not_me():
        """
        for x in self:
            ‸
'''


def test_everything_about_a_method():
    context = python_context(cursor_in(METHOD))
    function = context.function
    assert function is not None
    assert function.name == "räume"
    assert function.is_async
    assert function.decorators == ("@property", "@cached(size=lambda n: n)")
    assert function.signature.startswith("async def räume(\n        self,\n        key=lambda x:")
    assert function.signature.endswith(") -> dict[str, int]:")
    assert function.docstring == '"""Say ü.\n\n            def not_me():\n        """'
    assert (function.indent, function.body_indent) == ("    ", "        ")
    assert METHOD[function.start :].startswith("async def räume")
    assert METHOD[: function.start].count("\n") == function.start_line
    assert METHOD[function.decorated_start :].startswith("@property")
    assert METHOD[: function.body_start].endswith("dict[str, int]:")
    assert not function.body_is_empty
    assert [(header.kind, header.name, header.text) for header in function.enclosing] == [
        ("class", "Größe", "class Größe:")
    ]
    assert [header.name for header in context.enclosing] == ["Größe", "räume"]
    assert [found.text for found in context.imports] == [
        "import os",
        "from re import (\n    escape,\n    sub as replace,\n)",
    ]
    assert all(METHOD[found.start :].startswith(found.text) for found in context.imports)
    assert (context.position, context.column) == ("body", 12)


# What is drawn, then the function at the cursor, the position, the column there, whether the body is empty.
POSITIONS: list[tuple[str, str | None, str, int, bool | None]] = [
    ("def f(x):\n    ‸", "f", "body", 4, True),
    ("def f(x):\n‸", "f", "body", 4, True),
    ("def f(x):\n\n\n\n‸", "f", "body", 4, True),
    ("def f(x):‸", "f", "body", 4, True),
    ("def f(x): ‸", "f", "body", 4, True),
    ("def f(x): return‸", "f", "body", 4, False),
    ("def f(x): return x\n‸", None, "module", 0, None),
    ('def f(x):\n    """Do."""\n‸', "f", "after_docstring", 4, True),
    ('def f(x):\n    """Do."""\n\n‸', "f", "after_docstring", 4, True),
    ('def f(x):\n    """Do."""\n\n\n‸', None, "module", 0, None),
    ('def f(x):\n    """Do."""\n\n\n    ‸', "f", "after_docstring", 4, True),
    ('def f(x):\n    """Do."""\n\n\n‸\n    return x', "f", "after_docstring", 4, True),
    ('def f(x):\n    """Do."""\n    # Note.\n    ‸', "f", "after_docstring", 4, True),
    ('def f(x):\n    """Do."""\n    import os\n‸', "f", "after_docstring", 4, True),
    ('def f(x):\n    import os\n    """Do."""\n‸', "f", "after_docstring", 4, True),
    ('def f(x):\n    y = 1\n    """Do."""\n‸', None, "module", 0, None),
    ("def f(x):\n    '''Do.\n\n    More.'''\n    ‸", "f", "after_docstring", 4, True),
    ('def f(x):\n    r"""Do \\."""\n    ‸', "f", "after_docstring", 4, True),
    ('def f(x):\n    f"""Do {x!r:>{x}}."""\n    ‸', "f", "after_docstring", 4, True),
    ("def f(x):\n    'Do.'\n    ‸", "f", "after_docstring", 4, True),
    ('def f(x):\n    "a".join(x)\n    ‸', "f", "body", 4, False),
    ('def f(x):\n    """Do ‸', "f", "docstring", 4, True),
    ('def f(x):\n    """Do ‸it."""\n    return x', "f", "docstring", 4, True),
    ('def f(x):\n    """Do ‸\n\n\ndef g(x):\n    """Go."""\n', "f", "docstring", 4, True),
    ('def f(x):\n    """Do.\n‸\n    """', "f", "docstring", 4, True),
    ("def f(‸", "f", "signature", 0, True),
    ("def f(a,\n      ‸", "f", "signature", 0, True),
    ("def f(a, ‸b):\n    return a", "f", "signature", 0, True),
    ("def f(a) -> ‸", "f", "signature", 0, True),
    ("def f(a‸\n\n\ndef g():\n    return 1\n", "f", "signature", 0, True),
    ("def f‸", "f", "signature", 0, True),
    ("def f(a='‸", "f", "signature", 0, True),
    ("def f[T: (int, str)](a: T) -> T:\n    ‸", "f", "body", 4, True),
    ("async def f(x):\n    ‸", "f", "body", 4, True),
    ("def f(x):\n    return x\n‸", None, "module", 0, None),
    ("def f(x):\n    return x\n\n‸", None, "module", 0, None),
    ("def f(x):\n    return x\n    ‸", "f", "body", 4, False),
    ("def f(x):\n    y = 1\n‸\n    return y", "f", "body", 4, False),
    ("def f(x):\n    y = 1\n‸\n\ndef g(x):\n    return y", None, "module", 0, None),
    ("def f(x):\n    for y in x:\n‸", "f", "body", 8, False),
    ("def f(x):\n    for y in x:  # each\n‸", "f", "body", 8, False),
    ("def f(x):\n    if x:\n        pass\n    ‸", "f", "body", 4, False),
    ("def f(x):\n    if x:\n        pass\n‸\n    return x", "f", "body", 4, False),
    ("def f(x):\n    y = g(‸", "f", "body", 4, False),
    ("def f(x):\n    y = g(\nx, ‸", "f", "body", 4, False),
    ("def f(x):\n    y = g(\n\ndef h(x):\n    ‸", "h", "body", 4, True),
    ("def f(x):\n    y = [\n1,\n2,\n]\n    ‸", "f", "body", 4, False),
    ("def f(x):\n    y = '''\ndef g(x):\n'''\n    ‸", "f", "body", 4, False),
    ("def f(x):\n    # it's\n    ‸", "f", "body", 4, True),
    ("def f(x):\n    y = 1 + \\\n2\n    ‸", "f", "body", 4, False),
    ("def f(\n    x,\n):\n    ‸", "f", "body", 4, True),
    ("def f(x):\n    def g(y):\n        ‸", "g", "body", 8, True),
    ("def f(x):\n    def g(y):\n        return y\n    ‸", "f", "body", 4, False),
    ("def f(x):\n    class A:\n        ‸", None, "class", 8, None),
    ("class A:\n    ‸", None, "class", 4, None),
    ("class A:\n    def f(self):\n        ‸", "f", "body", 8, True),
    ("class A:\n    def f(self):\n        return 1\n\n    ‸", None, "class", 4, None),
    (
        "class A:\n    def f(self):\n        return 1\n‸\n    def g(self):\n        return 2",
        None,
        "class",
        4,
        None,
    ),
    ('class A:\n    def f(self):\n        """Do."""\n    ‸', None, "class", 4, None),
    ('class A:\n    def f(self):\n        """Do."""\n‸', "f", "after_docstring", 8, True),
    ("class A:\n\tdef f(self):\n\t\t‸", "f", "body", 16, True),
    ("class A:\n\tdef f(self):\n        x = 1\n\tdef g(self):\n\t\t‸", "g", "body", 16, True),
    ("\x0c\ndef f(x):\n    ‸", "f", "body", 4, True),
    ("class A:\n    x = 1\n\x0cdef f(x):\n    ‸", "f", "body", 4, True),
    ("def f(x):\r\n    ‸", "f", "body", 4, True),
    ('def f(x):\r\n    """Do."""\r\n‸', "f", "after_docstring", 4, True),
    ("def f(x):\r    ‸", "f", "body", 4, True),
    ("def f(x):\r    return x\r‸", None, "module", 0, None),
    ("def f(x):\n    match x:\n        case [1, *_] if x:\n            ‸", "f", "body", 12, False),
    ("def f(x):\n    if x: pass\n    else:\n        ‸", "f", "body", 8, False),
    ("def f(x):\n    y = = 3\n    z(\n    ‸", "f", "body", 4, False),
    ("x = 1\n‸", None, "module", 0, None),
    ("‸", None, "module", 0, None),
    ("‸def f(x):\n    return x", None, "module", 0, None),
    ("def ‸f(x):\n    return x", "f", "signature", 0, True),
    ("x = 1\nif x:\n    ‸", None, "module", 4, None),
    ("default = 1\n    ‸", None, "module", 4, None),
    ("@d\n‸", None, "module", 0, None),
    (
        "def f(x):\n" + "    # # # # # # # # # # # # # # # # # # # # # #\n" * 9 + "    y\n    ‸",
        "f",
        "body",
        4,
        False,
    ),
]


@pytest.mark.parametrize(("drawn", "name", "position", "column", "is_empty"), POSITIONS)
def test_position(drawn: str, name: str | None, position: str, column: int, is_empty: bool | None):
    context = python_context(cursor_in(drawn))
    function = context.function
    assert (function.name if function else None, context.position, context.column) == (name, position, column)
    assert (function.body_is_empty if function else None) == is_empty


@pytest.mark.parametrize(
    ("drawn", "state"),
    [
        ("x = f(a, [‸", LexState(brackets="([")),
        ("x = f(a, [1]‸", LexState(brackets="(")),
        ("x = 'a‸", LexState(quote="'")),
        ("x = 'a'‸", LexState()),
        ("x = 'a\\'‸", LexState(quote="'")),
        ('x = """a"‸', LexState(quote='"""')),
        ("x = 1  # a (‸", LexState(in_comment=True)),
        ("x = 1  # a (\n‸", LexState()),
        ("x = f(  # a\n  ‸", LexState(brackets="(")),
        ("x = '#‸", LexState(quote="'")),
        ("x = f(\ndef g(‸", LexState(brackets="(")),
        ("x = f(\nreturn‸", LexState(brackets="(")),
        ("x = f(\nreturn ‸", LexState()),
        ("x = f(\n    default‸", LexState(brackets="(")),
        ("x = 'broken\ny = (‸", LexState(brackets="(")),
    ],
)
def test_what_is_open(drawn: str, state: LexState):
    context = python_context(cursor_in(drawn))
    assert context.state == state
    assert (context.in_string, context.in_comment) == (bool(state.quote), state.in_comment)
    assert context.open_brackets == state.brackets


@pytest.mark.parametrize(
    ("drawn", "signature", "is_headed"),
    [
        ("def f(a, b‸", "def f(a, b", False),
        ("def f(a, ‸b):\n    pass", "def f(a, b):", True),
        ("def f(a, b) -> ‸\n    pass", "def f(a, b) ->", False),
        ("def f(a={'x': lambda: 1}): return ‸", "def f(a={'x': lambda: 1}):", True),
        ("def f[T: int](a: T = ':') -> 'T':\n    ‸", "def f[T: int](a: T = ':') -> 'T':", True),
        ("def f(  # )\n    a,\n):\n    ‸", "def f(  # )\n    a,\n):", True),
    ],
)
def test_signature(drawn: str, signature: str, is_headed: bool):
    function = python_context(cursor_in(drawn)).function
    assert function is not None
    assert (function.signature, function.is_headed) == (signature, is_headed)


@pytest.mark.parametrize(
    ("drawn", "body_indent"),
    [
        ("def f(x):\n‸", "    "),
        ("def f(x):\n  ‸\n  return x", "  "),
        ("if x:\n\ty\n\ndef f(x):\n‸", "\t"),
        ("if x:\n  y\n\nclass A:\n  def f(x):\n‸", "    "),
        ("class A:\n\tdef f(x):\n‸", "\t\t"),
        ('def f(x):\n   """Do."""\n‸', "   "),
    ],
)
def test_indentation_of_the_body(drawn: str, body_indent: str):
    function = python_context(cursor_in(drawn)).function
    assert function is not None
    assert function.body_indent == body_indent


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("", "    "),
        ("x = 1\n", "    "),
        ("if x:\n  y\n", "  "),
        ("if x:\n\ty\n", "\t"),
        ("if x:\r\n   y\r\n", "   "),
        ("function f() {\n  return 1;\n}\n", "  "),
        ("f(\n        x)\nif x:\n  y\n", "  "),
        ("# Licence.\n" * 5000 + "if x:\n  y\n", "  "),
        ("if x:\n  y\n" + "# Note.\n" * 5000 + "if x:\n\ty\n" * 9, "  "),
    ],
)
def test_indent_unit(text: str, unit: str):
    assert indent_unit(text) == unit


@pytest.mark.parametrize(
    ("text", "imports"),
    [
        ("import os\n\n\ndef f():\n    import re\n", ["import os"]),
        (
            '"""Doc.\n\nimport this\ndef not_me():\n"""\nfrom __future__ import annotations\n',
            ["from __future__ import annotations"],
        ),
        ("x = 1\nimport os; import re\n", ["import os; import re"]),
        ("import os \\\n    .path\nx = 1\n", ["import os \\\n    .path"]),
        ("def f():\n    import re\n", []),
    ],
)
def test_imports(text: str, imports: list[str]):
    context = python_context(Cursor(Document("file:///a.py", "python", text), len(text)))
    assert [found.text for found in context.imports] == imports
    assert all(text[found.start :].startswith(found.text) for found in context.imports)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem["task_id"])
def test_a_humaneval_prompt_ends_where_a_body_begins(problem: dict[str, str]):
    prompt = problem["prompt"]
    function = python_context(Cursor(Document("file:///a.py", "python", prompt), len(prompt))).function
    assert function is not None
    assert function.name == problem["entry_point"]
    assert function.body_is_empty
    assert function.docstring is not None


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def statements(
    node: ast.AST, around: tuple[Definition, ...] = ()
) -> Iterator[tuple[ast.stmt, tuple[Definition, ...]]]:
    """Yield the statements under ``node``, each with the definitions around it, outermost first."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child, around
        inside = (*around, child) if isinstance(child, Definition) else around
        yield from statements(child, inside)


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_same_functions_as_python_sees(module: ModuleType):
    """At the start of a statement, with and without what follows, the same as the ast module says."""
    text = Path(module.__file__ or "").read_text("utf-8")
    lines = [0, *itertools.accumulate(len(line) for line in text.splitlines(keepends=True))]
    every = list(statements(ast.parse(text)))
    for statement, around in every[:: len(every) // 60 + 1]:
        before = len(text.splitlines()[statement.lineno - 1].encode()[: statement.col_offset].decode())
        offset = lines[statement.lineno - 1] + before
        if text[lines[statement.lineno - 1] : offset].strip():
            continue
        for document in (text, text[:offset]):
            context = python_context(Cursor(Document("file:///a.py", "python", document), offset))
            agree(context, around, text)


def agree(context: PythonContext, around: tuple[Definition, ...], text: str) -> None:
    assert [header.name for header in context.enclosing] == [node.name for node in around]
    if around and not isinstance(around[-1], ast.ClassDef):
        assert context.function is not None
        agree_on_function(context.function, around[-1], text)
    else:
        assert context.function is None


def agree_on_function(
    function: FunctionContext, node: ast.FunctionDef | ast.AsyncFunctionDef, text: str
) -> None:
    assert function.start_line == node.lineno - 1
    assert function.is_async == isinstance(node, ast.AsyncFunctionDef)
    assert len(function.decorators) == len(node.decorator_list)
    if ast.get_docstring(node) is not None and function.docstring is not None:
        assert function.docstring == ast.get_source_segment(text, node.body[0].value)
    stub = ast.parse(function.signature + " pass").body[0]
    assert isinstance(stub, type(node))
    assert ast.dump(stub.args) == ast.dump(node.args)


ALPHABET = st.sampled_from(
    [*"\n\n\r\t    fx:()[]{}'\"#\\@=,.é\U0001d4b3\x0c\x00\ud800", '"""', "'''", "def f("]
)


@example("\rdef f(\x00\n", 9)
@given(st.lists(ALPHABET, max_size=80).map("".join), st.integers(-2, 200))
def test_any_text_is_read(text: str, offset: int):
    check_sound(text, offset)


@settings(max_examples=200)
@given(st.data())
def test_any_part_of_a_real_file_is_read(data: st.DataObject):
    text = data.draw(st.sampled_from(SOURCES))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20_000)))
    check_sound(text[start:end], data.draw(st.integers(0, end - start)))


def check_sound(text: str, offset: int) -> None:
    """Whatever was read: offsets lie in the text, and the texts are those at the offsets."""
    context = python_context(Cursor(Document("file:///a.py", "python", text), offset))
    plain = re.sub(r"\r(?!\n)", "\n", text)  # a lone carriage return ends a line as a line feed does
    assert 0 <= context.line_start <= max(0, min(offset, len(text)))
    function = context.function
    assert (function is None) == (context.position in {"module", "class"})
    if function is not None:
        assert 0 <= function.decorated_start <= function.start <= function.body_start <= len(text)
        assert plain[function.start :].startswith(function.signature)
        assert function.signature.startswith(("def", "async"))
        assert context.enclosing[:-1] == function.enclosing
        if function.docstring_span and function.docstring:
            assert plain[slice(*function.docstring_span)] == function.docstring


def test_no_more_blocks_are_looked_for_than_python_reads() -> None:
    for levels, expected in ((30, 30), (200, 100)):
        text = "".join(f"{' ' * depth}class A{depth}:\n" for depth in range(levels)) + " " * levels
        found = python_context(Cursor(Document("", "python", text), len(text))).enclosing
        assert [one.name for one in found] == [f"A{depth}" for depth in range(levels)][-expected:]
