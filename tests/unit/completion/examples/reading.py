"""How these tests read the examples of a document with a cursor in it."""

from __future__ import annotations

from copilot_server.completion.examples import Examples, read_examples
from copilot_server.completion.examples.types import Step


def read(document: str, name: str = "f") -> Examples:
    """The examples of a function, read with the cursor where its body begins."""
    lines = document.split("\n")
    start = next(number for number, line in enumerate(lines) if f"def {name}(" in line)
    indent = len(lines[start]) - len(lines[start].lstrip())
    end = next(
        (
            number
            for number, line in enumerate(lines[start + 1 :], start + 1)
            if line.strip() and len(line) - len(line.lstrip()) <= indent
        ),
        len(lines),
    )
    return read_examples(document, min(len("\n".join(lines[:end])), len(document)))


def documented(docstring: str, signature: str = "def f(x):", before: str = "") -> str:
    """A function without a body, with lines of a docstring."""
    lines = "".join(f"    {line}\n" if line else "\n" for line in docstring.split("\n"))
    return f'{before}{signature}\n    """\n{lines}    """\n'


def claims(examples: Examples) -> list[tuple[str, str]]:
    """The source of each example, and what it must give as text."""
    return [(step.source, step.wanted.text) for step in steps(examples) if step.wanted]


def steps(examples: Examples) -> list[Step]:
    """The step of each example."""
    return [examples.sessions[one.session].steps[one.step] for one in examples]
