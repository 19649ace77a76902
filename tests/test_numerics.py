"""Brackets, Newton's method and upper envelopes against closed forms, brute force and SciPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

from agora.numerics import bisected, damped_newton, descended, falling_roots, reached, upper_envelope


def test_a_bracket_ends_at_neighbouring_numbers_on_the_sides_where_the_statement_was_seen() -> None:
    low, high = bisected(lambda x: x * x < 2, 0.0, 2.0)
    assert low**2 < 2 <= high**2
    assert high == math.nextafter(low, 2.0)
    assert bisected(lambda x: x > 0.3, 1.0, 0.0, 20) == pytest.approx((0.3, 0.3), abs=1e-6), "from above"
    assert bisected(lambda x: x < 0.3, 0.0, 1.0, 2) == (0.25, 0.5)


def test_the_first_place_that_will_do_is_reached() -> None:
    assert reached(lambda x: x > 9, 2.0 ** np.arange(7)) == 16.0
    with pytest.raises(ArithmeticError, match="further out"):
        reached(lambda x: x > 99, 2.0 ** np.arange(7))


def rosenbrock(x: Any) -> Any:
    return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def rosenbrock_step(x: Any, gap: Any) -> Any:
    return np.linalg.solve(np.array([[-20 * x[0], 10.0], [-1.0, 0.0]]), -gap)


def test_newtons_method_is_shortened_until_the_largest_gap_falls() -> None:
    point, gap, steps = damped_newton(rosenbrock, rosenbrock_step, np.array([-1.2, 1.0]), tolerance=1e-12)
    np.testing.assert_allclose(point, 1.0, atol=1e-12)
    assert gap <= 1e-12
    assert 2 < steps < 20, "whole steps would be two"

    def arc(x: Any) -> Any:
        return np.arctan(x)

    whole, _, _ = damped_newton(arc, lambda x, g: -g * (1 + x**2), np.array([3.0]), tolerance=1e-12)
    np.testing.assert_allclose(whole, 0.0, atol=1e-12)  # undamped it runs away


def test_newtons_method_says_how_far_it_came() -> None:
    def singular(x: Any, gap: Any) -> Any:
        return np.linalg.solve(np.zeros((2, 2)), gap)

    start = np.array([-1.2, 1.0])
    for step in (singular, lambda x, gap: np.zeros(2)):
        point, gap, steps = damped_newton(rosenbrock, step, start, tolerance=1e-12)
        np.testing.assert_array_equal(point, start)
        assert (gap, steps) == (np.abs(rosenbrock(start)).max(), 0)
    _, gap, steps = damped_newton(rosenbrock, rosenbrock_step, start, tolerance=1e-12, limit=1)
    assert steps == 1
    assert gap < np.abs(rosenbrock(start)).max()


def test_every_row_descends_as_far_as_armijos_rule_allows() -> None:
    points = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1e-3]])

    def cost(x: Any) -> Any:
        return (x**2).sum(axis=1)

    steps = -np.array([[1.0], [5.0], [1.0]]) * points  # the minimum, far beyond it, the minimum
    slopes = (2 * points * steps).sum(axis=1)
    moved = descended(cost, points, steps, slopes, 0.0)
    np.testing.assert_allclose(moved, np.array([[0.0], [-0.25], [0.0]]) * points, atol=1e-15)


def test_falling_roots_are_those_of_one_function_after_the_other() -> None:
    levels = np.array([[0.1, 0.5, 0.9], [1e-6, 0.3, 0.999]])

    def function(x: Any) -> Any:
        return np.exp(-(x**3)) - levels, -3 * x**2 * np.exp(-(x**3))

    found = falling_roots(function, np.zeros((2, 3)), np.full((2, 3), 9.0), np.full((2, 3), 4.0))
    for root, level in zip(found.ravel(), levels.ravel(), strict=True):
        assert root == pytest.approx(brentq(lambda x, y=level: math.exp(-(x**3)) - y, 0, 9), rel=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_the_upper_envelope_is_the_highest_line_everywhere(seed: int) -> None:
    random = np.random.default_rng(seed)
    slope, intercept = random.integers(-6, 7, 40).astype(float), random.integers(-20, 21, 40).astype(float)
    lines, kinks = upper_envelope(slope, intercept, -5.0, 5.0)
    assert (np.diff(slope[lines]) > 0).all()
    assert (np.diff(kinks) > 0).all()
    for x in np.linspace(-5, 5, 401):
        highest = (intercept + slope * x).max()
        assert (intercept + slope * x)[lines].max() == pytest.approx(highest, abs=1e-12)
        of = lines[np.searchsorted(kinks, x)]
        assert intercept[of] + slope[of] * x == pytest.approx(highest, abs=1e-12)


def test_ties_and_narrow_pieces_of_an_envelope() -> None:
    lines, kinks = upper_envelope(np.array([1.0, 0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, -1.0]))
    assert lines.tolist() == [1, 0], "of equal lines the first"
    assert kinks.tolist() == [1.0]
    meeting = np.array([-1.0, 0.0, 1.0]), np.array([0.0, 1e-13, 0.0])
    assert upper_envelope(*meeting)[0].tolist() == [0, 1, 2]
    assert upper_envelope(*meeting, narrow=1e-12)[0].tolist() == [0, 2]
    assert upper_envelope(*meeting, 0.0, 1.0, narrow=1e-12)[0].tolist() == [2], "seen in the range only"
    assert upper_envelope(np.array([2.0]), np.array([3.0]))[0].tolist() == [0]
