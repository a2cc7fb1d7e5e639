"""The plain values that engines give."""

from __future__ import annotations

import pytest

from copilot_server.engine.base import Generation, Written

TRACE = (Written(0, -9.0), Written(3, -1.0), Written(4, -3.0), Written(9, -5.0))


def generation(trace: tuple[Written, ...]) -> Generation:
    return Generation("abc\ndefgh", (), -4.5, "eos", 4, trace)


@pytest.mark.parametrize(("length", "mean"), [(1, -1.0), (3, -1.0), (4, -2.0), (5, -3.0), (99, -3.0)])
def test_the_mean_of_a_part_is_that_of_the_tokens_that_begin_in_it(length: int, mean: float):
    assert generation(TRACE).mean_logprob_of(length) == pytest.approx(mean)


@pytest.mark.parametrize("trace", [(), TRACE])
def test_where_no_token_is_in_a_part_the_mean_is_that_of_all(trace: tuple[Written, ...]):
    assert generation(trace).mean_logprob_of(0) == -4.5
