"""What a function needs of its document."""

from __future__ import annotations

import pytest

from copilot_server.completion.examples.closure import closure

F = "def f(x):\n    return g(x)\n"


def of(document: str, *names: str) -> str:
    found = closure(document, document.index("def f"), names)
    assert found.reason == ""
    return found.text


def reason(document: str, *names: str) -> str:
    found = closure(document, document.index("def f"), names)
    assert found.text == ""
    return found.reason


def test_it_has_what_the_function_refers_to_and_nothing_else():
    before = (
        "import os\nfrom math import pi, tau\n\nLIMIT = 3\nOTHER = 4\n\n"
        "def g(x):\n    return h(x) + LIMIT\n\n"
    )
    after = "\n\ndef h(x):\n    return x * tau\n\n\ndef unused():\n    return OTHER\n\n\nprint(os.getcwd())\n"
    assert of(before + F + after) == (
        "from math import tau\nLIMIT = 3\ndef g(x):\n    return h(x) + LIMIT\n\n"
        f"{F}\n\ndef h(x):\n    return x * tau\n\n\n"
    )


def test_names_of_examples_come_too():
    document = f"from math import pi\n\nN = 3\n{F}"
    assert of(document) == F
    assert of(document, "N", "pi", "len", "unknown") == f"from math import pi\nN = 3\n{F}"


@pytest.mark.parametrize(
    ("before", "why"),
    [
        ("g = connect()\n", "it is neither a definition nor a constant nor an import"),
        ("for g in range(3):\n    pass\n", "it is neither"),
        ("with open('x') as g:\n    pass\n", "it is neither"),
        ("def g(x):\n    return (\n\n", "its definition does not parse"),
        ("from numpy import *\n", "`g` may come from the module numpy"),
        ("g = (y := 3)\n", "it is neither"),
    ],
)
def test_what_is_not_run_is_named(before: str, why: str):
    assert why in reason(before + F)
    assert "def g" in of("def g(x):\n    return 1\n" + F)


@pytest.mark.parametrize(
    "before",
    [
        "import json as g\n",
        "g = 3\n",
        "g: int = 3\n",
        "g = {'a': [1, (2, 3)]}\n",
        "import re\ng = re.compile('x')\n",
        "from typing import TypeVar\ng = TypeVar('g')\n",
        "N = 3\ng = N * 2\n",
        "try:\n    import json as g\nexcept ImportError:\n    g = None\n",
        "import sys\nif sys.version_info > (3, 8):\n    from math import pi as g\nelse:\n    g = 3\n",
        "@decorated\ndef g(x):\n    return 1\n",
        "class g:\n    y = 3\n",
        "from math import *\n",
    ],
)
def test_imports_definitions_and_constants_are_run(before: str):
    assert of(before + F) == before + F


@pytest.mark.parametrize(
    ("change", "twin"),
    [
        ("g[1] = 2\n", "N[1] = 2\n"),
        ("g.update({1: 2})\n", "N.update({1: 2})\n"),
        ("for n in range(3):\n    g[n] = n\n", "for n in range(3):\n    print(n)\n"),
        ("def fill():\n    g[1] = 2\n\n\nfill()\n", "def fill():\n    g[1] = 2\n\n\n"),
        ("def a():\n    b()\n\ndef b():\n    g[1] = 2\n\na()\n", "def a():\n    b()\n\nif x:\n    a()\n"),
        ("g.clear()\n", "if __name__ == '__main__':\n    g.clear()\n"),
    ],
)
def test_constants_that_other_code_may_change_are_not_trusted(change: str, twin: str):
    constants = "g = {}\nN = {}\n"
    assert "may change it" in reason(constants + F + change)
    assert of(constants + F + twin).startswith("g = {}\n")
    assert of(constants.replace("{}", "(1, 2)") + F + change).startswith("g = (1, 2)\n")


def test_a_broken_document_elsewhere_does_not_matter():
    broken = "x = (\n\ndef g(x):\n    return 1\n\n"
    assert of(f"def k(:\n    y\n\n{broken[7:]}{F}\nif x\n  z = [") == f"{broken[7:]}{F}\n"


def test_text_in_strings_and_brackets_is_no_statement():
    document = f'TEXT = """\ndef g(x):\n    nothing\n"""\n\ndef g(x):\n    return 1\n\n{F}'
    assert of(document) == f"def g(x):\n    return 1\n\n{F}"


def test_methods_come_with_their_classes():
    document = (
        "import math\n\nclass C(Base):\n    def f(self):\n        return math.pi\n\nclass Base:\n    pass\n"
    )
    assert of(document) == (
        "import math\nclass C(Base):\n    def f(self):\n        return math.pi\n\nclass Base:\n    pass\n"
    )


def test_a_function_that_does_not_compile_is_told_from_one_that_lacks_something():
    found = closure("def f(x):\n    return (\n", 0)
    assert (found.is_broken, found.reason) == (True, "SyntaxError: '(' was never closed")
    assert not closure("g = connect()\n" + F, len("g = connect()\n")).is_broken


def test_a_function_that_is_defined_again_is_not_the_one_that_would_be_called():
    assert reason(f"{F}\ndef f(x):\n    return 4\n") == "`f` is defined again below"
    overload = "from typing import overload\n@overload\ndef f(x: int) -> int: ...\n"
    found = closure(overload + F, len(overload))
    assert found.text == F


def test_functions_that_are_not_at_the_top_level_are_refused():
    assert "top level" in reason("if True:\n    def f(x):\n        return 1\n")


def test_future_imports_come_first():
    document = f"from __future__ import annotations\n\ndef g(x: Unknown):\n    return 1\n\n{F}"
    assert of(document) == f"from __future__ import annotations\n\ndef g(x: Unknown):\n    return 1\n\n{F}"
