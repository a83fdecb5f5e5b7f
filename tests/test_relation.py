"""A slope that is not flattened by noise, a scatter that is not noise, and error bars that hold."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from helpers.blocks import draw_blocks
from helpers.relation import PUBLISHED_SCATTER, PUBLISHED_SLOPE, fit_relation


def sample(rng, n=3000, slope=0.2, scatter=0.025, x_noise=(0.02, 0.15), y_noise=(0.002, 0.03)):
    """x and y with known errors, different for each, as a table of bright and faint pixels has."""
    x_error, y_error = rng.uniform(*x_noise, n), rng.uniform(*y_noise, n)
    x = rng.normal(-0.4, 0.13, n)
    y = slope * x + 0.3 + rng.normal(0, scatter, n)
    return x + rng.normal(0, x_error), y + rng.normal(0, y_error), x_error, y_error


def test_the_slope_is_found_where_least_squares_is_too_flat():
    rng = np.random.default_rng(0)
    fits, plain = [], []
    for _ in range(20):
        x, y, x_error, y_error = sample(rng)
        fits.append(fit_relation(x, y, x_error, y_error)[:3])
        plain.append(np.polyfit(x, y, 1)[0])
    slope, intercept, scatter = np.mean(fits, axis=0)
    assert np.mean(plain) < 0.15
    assert slope == pytest.approx(0.2, abs=0.006)
    assert intercept == pytest.approx(0.3, abs=0.006)
    assert scatter == pytest.approx(0.025, abs=0.002)


@pytest.mark.parametrize("slope", [0.0, -0.25, 0.4])
def test_any_slope_is_found_also_none(slope):
    x, y, x_error, y_error = sample(np.random.default_rng(1), 8000, slope)
    fit = fit_relation(x, y, x_error, y_error)
    assert fit.slope == pytest.approx(slope, abs=0.03)
    assert np.mean(fit.offset(x, y)) == pytest.approx(0, abs=0.002)


def test_noise_is_not_taken_for_scatter():
    x, y, x_error, y_error = sample(np.random.default_rng(2), scatter=0.0, y_noise=(0.02, 0.04))
    assert fit_relation(x, y, x_error, y_error).scatter < 0.008
    assert np.std(y - np.polyval(np.polyfit(x, y, 1), x)) > 0.03


def test_without_errors_it_is_least_squares():
    rng = np.random.default_rng(3)
    x = rng.normal(size=500)
    y = 0.7 * x - 2 + rng.normal(0, 0.3, 500)
    fit = fit_relation(x, y, np.zeros(500), np.zeros(500))
    slope, intercept = np.polyfit(x, y, 1)
    assert fit.slope == pytest.approx(slope, abs=1e-5)
    assert fit.intercept == pytest.approx(intercept, abs=1e-5)
    assert fit.scatter == pytest.approx(np.std(y - slope * x - intercept), rel=1e-4)
    assert np.isnan(fit.slope_error) and len(fit.slopes) == 0


def test_the_slope_changes_with_the_unit_as_it_must():
    x, y, x_error, y_error = sample(np.random.default_rng(4))
    one = fit_relation(x, y, x_error, y_error)
    other = fit_relation(1000 * x + 7, 0.01 * y, 1000 * x_error, 0.01 * y_error)
    assert other.slope == pytest.approx(1e-5 * one.slope, rel=1e-3)
    assert other.scatter == pytest.approx(0.01 * one.scatter, rel=1e-3)


def test_error_bars_hold_where_neighbours_scatter_together():
    """The relation's own scatter is smooth on the sky, as metals are: of 40 skies, two thirds
    should lie within one error of the truth. Pixels one by one promise twice too much."""
    side, rng = 60, np.random.default_rng(5)
    ids = [f"ngc0628-{y:04d}-{x:04d}" for y in range(side) for x in range(side)]
    draws = {b: draw_blocks(ids, 40, side=b) for b in (1, 10)}
    off = {b: [] for b in draws}
    for _ in range(40):
        fields = [gaussian_filter(rng.normal(size=(side, side)), 2, mode="wrap") for _ in "xy"]
        x, scatter = ((f / f.std()).ravel() for f in fields)
        y = 0.2 * x + 0.1 * scatter
        small = np.full(side**2, 0.001)
        for b in draws:
            fit = fit_relation(x, y, small, small, draws[b])
            off[b].append((fit.slope - 0.2) / fit.slope_error)
    assert 0.6 < np.std(off[10]) < 1.8
    assert np.std(off[1]) > 2.5


def test_the_published_numbers_stand_for_themselves():
    assert (PUBLISHED_SLOPE, PUBLISHED_SCATTER) == (0.2, 0.025)


def test_bad_input_is_answered_in_a_sentence():
    x, y, x_error, y_error = sample(np.random.default_rng(0), 50)
    with pytest.raises(ValueError, match=r"shapes are \(50,\), \(49,\), \(50,\), \(50,\)"):
        fit_relation(x, y[1:], x_error, y_error)
    with pytest.raises(ValueError, match="the same 10 objects or more"):
        fit_relation(x[:9], y[:9], x_error[:9], y_error[:9])
    with pytest.raises(ValueError, match="1 of 50 objects have a value that is not finite"):
        fit_relation(np.r_[np.nan, x[1:]], y, x_error, y_error)
    with pytest.raises(ValueError, match=r"50 of 50 objects .* or an error below 0"):
        fit_relation(x, y, x_error, -y_error)
    with pytest.raises(ValueError, match="x does not vary by more than its errors"):
        fit_relation(x, y, 10 * x_error, y_error)
    with pytest.raises(ValueError, match=r"draws have the shape \(3, 49\), but there are 50"):
        fit_relation(x, y, x_error, y_error, np.ones((3, 49)))
