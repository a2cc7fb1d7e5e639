"""What the tests write, and how a suggestion for it is awaited."""

from __future__ import annotations

from tests.editors.vscode_window import Window

FILE = "main.py"
FIBONACCI = 'def fibonacci(n: int) -> int:\n"""Return the n-th Fibonacci number."""\n'
#: The same in the document: VS Code indents.
BEFORE = 'def fibonacci(n: int) -> int:\n    """Return the n-th Fibonacci number."""\n    '
TRIANGLE = 'def triangle(n: int) -> int:\n"""Return the sum of the numbers from 1 to n."""\n'
BEFORE_TRIANGLE = 'def triangle(n: int) -> int:\n    """Return the sum of the numbers from 1 to n."""\n    '


def suggested(window: Window) -> str:
    """Type a signature and a docstring; return the suggested body, which has several lines."""
    window.type(FIBONACCI)
    body = window.ghost_shows()
    assert body.count("\n") > 1
    return body


def step_is_done(window: Window, step: str) -> bool:
    """Whether a step of the walkthrough, which is shown, has its tick."""
    button = window.page.locator(f'[data-step-id$="#{step}"].getting-started-step')
    return button.locator(".codicon-getting-started-step-checked").count() > 0
