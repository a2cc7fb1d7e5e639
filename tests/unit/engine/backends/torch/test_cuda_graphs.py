"""Which functions are captured and for how long, with a capture that needs no GPU."""

from __future__ import annotations

from collections.abc import Callable

from copilot_server.engine.backends.torch.cuda_graphs import CAPTURED_AT, BoundedGraphs, Eager


class Captures:
    """Notes what is captured; a replay gives what the function gave when it was captured."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, function: Callable[[], object]) -> Callable[[], object]:
        self.count += 1
        result = function()
        return lambda: result


def test_while_warming_up_everything_is_captured_at_once():
    captures = Captures()
    graphs = BoundedGraphs(captures)
    assert [graphs.run("a", lambda i=i: i) for i in range(3)] == [0, 0, 0]  # type: ignore[misc]
    assert captures.count == len(graphs) == 1


def test_after_the_warm_up_only_what_comes_up_again_and_again():
    captures = Captures()
    graphs = BoundedGraphs(captures)
    graphs.run("warm", lambda: 0)
    graphs.finish_warm_up()
    seen = [graphs.run("typed", lambda i=i: i) for i in range(CAPTURED_AT + 2)]  # type: ignore[misc]
    assert seen == [0, 1, 2, 2, 2]
    assert graphs.run("warm", lambda: 1) == 0
    assert captures.count == 2


def test_the_least_recently_used_makes_room():
    captures = Captures()
    graphs = BoundedGraphs(captures, most=2)
    for key in ("a", "b", "a", "c"):  # c takes the place of b
        graphs.run(key, lambda: None)
    assert (captures.count, len(graphs)) == (3, 2)
    graphs.run("a", lambda: None)
    assert captures.count == 3
    graphs.run("b", lambda: None)
    assert captures.count == 4


def test_what_is_cleared_is_captured_anew():
    captures = Captures()
    graphs = BoundedGraphs(captures)
    graphs.run("a", lambda: 1)
    graphs.clear()
    assert len(graphs) == 0
    assert graphs.run("a", lambda: 2) == 2
    assert captures.count == 2


def test_without_graphs_every_function_runs():
    graphs = Eager()
    graphs.finish_warm_up()
    graphs.clear()
    assert [graphs.run("a", lambda i=i: i) for i in range(3)] == [0, 1, 2]  # type: ignore[misc]
