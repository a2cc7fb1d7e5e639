"""Every elementwise function of the kernels against float64, over all of float32, per instruction set."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.kernels import Probes

Floats = npt.NDArray[np.float32]
F32 = np.finfo(np.float32)


def every_exponent(numbers_each: int = 256) -> Floats:
    """Numbers of both signs and of every exponent, from the least subnormal to the largest; no others."""
    significands = np.linspace(0, 2**23 - 1, numbers_each, dtype=np.uint32)
    exponents = np.arange(255, dtype=np.uint32) << np.uint32(23)
    positive = (exponents[:, None] | significands).ravel().view(np.float32)
    return np.concatenate([positive, -positive])


SPECIAL = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0], np.float32)


def exact(x: Floats) -> npt.NDArray[np.float64]:
    return x.astype(np.float64)


def assert_close(
    given: Floats, expected: npt.NDArray[np.float64], *, relative: float, absolute: float
) -> None:
    """Near where finite; the same infinity where float32 overflows; NaN where float64 is NaN."""
    with np.errstate(over="ignore"):
        rounded = expected.astype(np.float32)
    assert np.array_equal(np.isnan(given), np.isnan(rounded))
    infinite = np.isinf(rounded) | np.isinf(given)
    edge = np.abs(expected) > float(F32.max) * (1 - relative)  # either is right where rounding decides
    assert np.array_equal(given[infinite & ~edge], rounded[infinite & ~edge])
    finite = ~infinite & ~np.isnan(rounded)
    error = np.abs(exact(given[finite]) - expected[finite])
    worst = int(np.argmax(error - relative * np.abs(expected[finite])))
    assert error[worst] <= relative * abs(expected[finite][worst]) + absolute, given[finite][worst]


def test_exp(probes: Probes):
    x = np.concatenate([every_exponent(), SPECIAL, np.linspace(-110, 100, 100_003, dtype=np.float32)])
    with np.errstate(over="ignore", under="ignore"):
        expected = np.exp(exact(x))
    y = probes.map("exp", np.float32, x)
    # 2 units in the last place; below -87, where exp(x) is below 1.7e-38, exactly 0.
    assert_close(y, expected, relative=2.5 * float(F32.eps), absolute=1.7e-38)
    assert not y[x < -87].any()
    assert y[x > 88.73].tolist() == [math.inf] * int((x > 88.73).sum())


def test_silu_of_any_gate(probes: Probes):
    gate = np.concatenate([every_exponent(), SPECIAL, np.linspace(-200, 200, 100_003, dtype=np.float32)])
    for up in (1.0, -3.5, 1e-3):
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            expected = exact(gate) / (1 + np.exp(-exact(gate))) * up
        y = probes.map("swiglu", np.float32, gate, np.full_like(gate, up))
        assert_close(y, expected, relative=5 * float(F32.eps), absolute=1e-36)


def test_silu_of_gates_whose_exponential_overflows(probes: Probes):
    """A gate of -100 gave -100, and one of -178 gave +240."""
    gate = np.array([-88.5, -89, -100, -178, -300, -1e30], np.float32)
    assert np.abs(probes.map("swiglu", np.float32, gate, np.ones_like(gate))).max() < 1e-36


EXPONENTS = range(-149, 126, 4)


def test_rms_norm(probes: Probes):
    for exponent in EXPONENTS:
        check_rms_norm(exponent, probes)


def check_rms_norm(exponent: int, probes: Probes) -> None:
    draw = np.random.default_rng(exponent + 149)
    x = np.ldexp(draw.uniform(-2, 2, 896), exponent).astype(np.float32)
    weight = draw.uniform(-3, 3, 896).astype(np.float32)
    expected = exact(x) / np.sqrt(np.mean(exact(x) ** 2) + float(np.float32(1e-6))) * exact(weight)
    assert_close(probes.rms_norm(x, weight, 1e-6), expected, relative=4e-6, absolute=1e-44)


def test_rms_norm_of_the_largest_numbers_and_of_none(probes: Probes):
    ones = np.ones(64, np.float32)
    assert np.allclose(probes.rms_norm(np.full(64, F32.max, np.float32), ones, 1e-6), 1.0)
    assert not probes.rms_norm(np.zeros(64, np.float32), ones, 1e-6).any()
    for special in (np.nan, np.inf):
        x = ones.copy()
        x[5] = special
        assert np.isnan(probes.rms_norm(x, ones, 1e-6)).any()


def test_quantization_is_to_the_nearest(probes: Probes):
    for exponent in EXPONENTS:
        check_quantization(exponent, probes)


def check_quantization(exponent: int, probes: Probes) -> None:
    draw = np.random.default_rng(exponent + 149)
    x = np.ldexp(draw.uniform(-2, 2, 64), exponent).astype(np.float32)
    values, scale, sums = probes.quantize(x)
    largest = float(np.abs(x).max())
    assert np.abs(values.astype(int)).max() <= 127
    error = np.abs(values.astype(np.float64) * scale - exact(x)).max()
    assert error <= largest / 254 * 1.001 if largest > 2.0**-119 else error == largest
    assert (sums == values.reshape(4, 16).sum(axis=1)).all()


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_a_group_with_a_number_that_is_not_finite_has_a_scale_of_nan(special: float, probes: Probes):
    assert np.isfinite(probes.quantize(np.ones(64, np.float32))[1])
    for index in (0, 17, 63):
        x = np.ones(64, np.float32)
        x[index] = special
        values, scale, sums = probes.quantize(x)
        assert math.isnan(scale)
        assert not values.any()
        assert not sums.any()


@pytest.mark.parametrize("size", [2, 64, 128, 256])
def test_rotation(size: int, probes: Probes):
    for exponent in EXPONENTS:
        check_rotation(size, exponent, probes)


def check_rotation(size: int, exponent: int, probes: Probes) -> None:
    draw = np.random.default_rng(size)
    x = np.ldexp(draw.uniform(-1, 1, size), exponent).astype(np.float32)
    angle = draw.uniform(0, 1000, size // 2)
    rope = np.concatenate([np.cos(angle), np.sin(angle)]).astype(np.float32)
    a, b = exact(x[: size // 2]), exact(x[size // 2 :])
    c, s = exact(rope[: size // 2]), exact(rope[size // 2 :])
    expected = np.concatenate([a * c - b * s, b * c + a * s])
    error = np.abs(exact(probes.rotate(x, rope)) - expected)
    assert error.max() <= 2 * float(F32.eps) * float(np.abs(x).max()) + 2.0**-148


def test_every_half_precision_number_is_read_exactly(probes: Probes):
    halves = np.arange(2**16, dtype=np.uint16)
    given = probes.map("load_half", np.float32, halves)
    expected = halves.view(np.float16).astype(np.float32)
    assert np.array_equal(given, expected, equal_nan=True)
    numbers = ~np.isnan(expected)
    assert np.array_equal(np.signbit(given[numbers]), np.signbit(expected[numbers]))
    # And back, in every bit: a NaN keeps what it carries, and is quiet.
    back = probes.map("float_to_half", np.uint16, given)
    assert np.array_equal(back, np.where(numbers, halves, halves | 0x200))


def test_half_precision_rounds_to_the_nearest(probes: Probes):
    halves = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float32)
    between = (halves[1:] + halves[:-1]) / 2  # exact in float32: a tie
    near = [np.nextafter(between, np.float32(way)) for way in (0, np.inf)]
    edges = np.array([65504, 65519.996, 65520, 65536, F32.max], np.float32)
    x = np.concatenate([between, *near, edges, every_exponent(), SPECIAL[:2]])
    with np.errstate(over="ignore"):
        expected = x.astype(np.float16).view(np.uint16)
    assert np.array_equal(probes.map("float_to_half", np.uint16, x), expected)


def test_every_bfloat16_number_is_read_exactly(probes: Probes):
    numbers = np.arange(2**16, dtype=np.uint16)
    given = probes.map("load_bfloat", np.float32, numbers)
    assert np.array_equal(given.view(np.uint32), numbers.astype(np.uint32) << 16)


@pytest.mark.parametrize("spread", [1e-30, 1.0, 50.0, 1e30, float(F32.max)])
def test_softmax_weights(spread: float, probes: Probes):
    scores = (np.random.default_rng(3).uniform(-1, 1, 512) * spread).astype(np.float32)
    scores[100:200] = -np.inf
    with np.errstate(over="ignore", under="ignore"):
        expected = np.exp(exact(scores) - exact(scores).max())
    weights, most, total = probes.soften(scores)
    assert most == scores.max()
    # Scores round to float32 when the largest is subtracted.
    assert np.allclose(weights, expected, rtol=2e-7 * max(spread, 1), atol=1.7e-38)
    assert math.isclose(total, expected.sum(), rel_tol=1e-5)


def test_softmax_of_no_score_at_all(probes: Probes):
    weights, most, total = probes.soften(np.full(16, -np.inf, np.float32))
    assert (most, total) == (-math.inf, 0.0)
    assert not weights.any()
