"""Drawing tokens: what a ``Choice`` means, against its definition spelled out slowly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from copilot_server.engine.base import Sampling
from copilot_server.engine.decoding.sampling import Uniforms, choose_token, sample_token
from copilot_server.engine.runner import Choice

#: Numbers far apart, and some that are equal.
LOGITS = arrays(
    np.float32,
    st.integers(1, 40),
    elements=st.one_of(st.sampled_from([0.0, 1.5, 20.0]), st.floats(-60, 60, width=32)),
)
UNIFORM = st.floats(0, 1, exclude_max=True)


def likely_ids(logits: np.ndarray, choice: Choice) -> list[int]:
    """The token that the definition gives, and its neighbours in mass where rounding could decide."""
    probs = np.exp((logits.astype(np.float64) - logits.max()) / choice.temperature)
    probs /= probs.sum()
    order = sorted(range(len(probs)), key=lambda rank: (-probs[rank], rank))
    mass = np.cumsum(probs[order])
    found = []
    for slack in (-1e-5, 0.0, 1e-5):
        inside = [rank for rank in range(len(order)) if rank == 0 or mass[rank - 1] < choice.top_p + slack]
        target = choice.uniform * mass[inside[-1]] + slack
        found.append(next((order[rank] for rank in inside if mass[rank] > target), order[inside[-1]]))
    return found


@given(LOGITS, st.sampled_from([0.1, 0.4, 1.0, 5.0]), st.sampled_from([1e-6, 0.5, 0.95, 1.0]), UNIFORM)
def test_a_draw_is_what_the_definition_gives(
    logits: np.ndarray, temperature: float, top_p: float, uniform: float
):
    choice = Choice(temperature, top_p, uniform)
    token_id = choose_token(logits, choice)
    assert any(np.isclose(logits[token_id], logits[likely]) for likely in likely_ids(logits, choice))


def test_equally_likely_tokens_come_in_order_of_id():
    logits = np.array([0.0, 3.0, 3.0, 3.0, 3.0], np.float32)
    assert choose_token(logits, Choice()) == 1
    drawn = [choose_token(logits, Choice(0.1, 1.0, uniform)) for uniform in (0.0, 0.2, 0.3, 0.6, 0.99)]
    assert drawn == [1, 1, 2, 3, 4]


def test_the_nucleus_is_cut_off_and_shares_out_its_mass():
    logits = np.log(np.array([0.05, 0.5, 0.3, 0.15], np.float32))
    assert [choose_token(logits, Choice(1.0, 0.8, uniform)) for uniform in (0.0, 0.62, 0.63, 0.9999)] == [
        1,
        1,
        2,
        2,
    ]
    assert [choose_token(logits, Choice(1.0, 1.0, uniform)) for uniform in (0.49, 0.51, 0.81, 0.96)] == [
        1,
        2,
        3,
        0,
    ]


def test_only_what_is_allowed_is_drawn_and_the_probability_is_over_all():
    logits = np.log(np.array([0.4, 0.3, 0.2, 0.1], np.float32))
    drawn = sample_token(logits, Choice(allowed=[3, 2]))
    assert drawn.token_id == 2
    assert drawn.logprob == pytest.approx(np.log(0.2), abs=1e-6)
    assert sample_token(logits, Choice()).token_id == 0
    assert {choose_token(logits, Choice(1.0, 1.0, uniform / 9, [3, 2])) for uniform in range(9)} == {2, 3}


def test_a_vocabulary_of_real_size_with_mass_in_its_tail():
    """152,000 tokens, of which the likeliest few have half the mass: the rest is drawn too."""
    logits = np.full(152_000, -10.0, np.float32)
    logits[[7, 70_000]] = 0.0
    tail = np.exp(-10.0) * (152_000 - 2)
    assert choose_token(logits, Choice(1.0, 1.0, 1.9 / (2 + tail))) == 70_000
    assert choose_token(logits, Choice(1.0, 1.0, (2 + tail / 2) / (2 + tail))) == pytest.approx(
        76_000, abs=100
    )
    assert choose_token(logits, Choice(1.0, 2 / (2 + tail), 0.9999)) == 70_000


def test_uniforms_are_the_same_in_whichever_order_they_are_asked_for():
    sampling = Sampling(temperature=1.0, seed=3)
    forwards, backwards = Uniforms(sampling, 0), Uniforms(sampling, 0)
    in_order = [forwards[rank] for rank in range(5)]
    assert [backwards[rank] for rank in reversed(range(5))] == in_order[::-1]
    assert all(0.0 <= uniform < 1.0 for uniform in in_order)
    assert Uniforms(sampling, 1)[0] != in_order[0]
    assert Uniforms(Sampling(seed=4), 0)[0] != in_order[0]
    # Candidates of neighbouring seeds have nothing in common either.
    assert Uniforms(Sampling(seed=2), 1)[0] != in_order[0]


def test_without_a_seed_no_two_candidates_are_alike():
    drawn = {Uniforms(Sampling(temperature=1.0), 0)[0] for _ in range(20)}
    assert len(drawn) == 20


def test_draws_follow_the_probabilities():
    logits = np.log(np.array([0.5, 0.3, 0.2], np.float32))
    uniforms = Uniforms(Sampling(seed=1), 0)
    drawn = [choose_token(logits, Choice(1.0, 1.0, uniforms[rank])) for rank in range(4000)]
    assert np.bincount(drawn) / 4000 == pytest.approx([0.5, 0.3, 0.2], abs=0.03)
