"""A straight relation between two measured quantities: errors on both axes, and its own scatter."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

PUBLISHED_SLOPE, PUBLISHED_SCATTER = 0.2, 0.025
"""Of log PAH(11.3/7.7) against log([SII]/Hα), both "about": Baron et al. 2025 (arXiv 2410.02864);
the scatter is in dex."""

_FEWEST = 10


class Relation(NamedTuple):
    """y = slope x + intercept, with a normal scatter of its own around it.

    Attributes
    ----------
    slope, intercept, scatter : float
        The scatter is what the errors do not explain: a standard deviation along y.
    slope_error, scatter_error : float
        Standard deviation over the draws; NaN without draws.
    slopes, scatters : ndarray of shape (n_runs,)
        Of each draw.
    """

    slope: float
    intercept: float
    scatter: float
    slope_error: float
    scatter_error: float
    slopes: np.ndarray
    scatters: np.ndarray

    def offset(self, x, y) -> np.ndarray:
        """How far above the relation each object lies, along y."""
        return np.asarray(y, dtype=float) - self.slope * np.asarray(x, dtype=float) - self.intercept


def fit_relation(x, y, x_error, y_error, draws: np.ndarray | None = None) -> Relation:
    """Fit a straight line with errors on both axes and intrinsic scatter.

    Parameters
    ----------
    x, y, x_error, y_error : array of shape (n_objects,)
        Values and their 1-sigma errors, independent of each other.
    draws : ndarray of shape (n_runs, n_objects), optional
        How often each object takes part in each run, as from `blocks.draw_blocks`.

    Returns
    -------
    Relation

    Raises
    ------
    ValueError
        If values are not finite, an error is negative, there are fewer than ten objects, the
        lengths differ, or x does not vary by more than its errors.

    Notes
    -----
    Maximum likelihood after Kelly 2007 (ApJ 665, 1489) with one Gaussian for the true x: noise
    in x makes a plain least-squares line too flat, because a large x is, on average, large by
    chance. So each x is first drawn towards the mean as much as its error asks for; the Gaussian
    is known by the mean and the variance of x less that of its errors. The rest is the
    likelihood of y, which `scipy.optimize.minimize` maximises over slope, intercept and
    scatter. (`scipy.odr` knows no intrinsic scatter: it would
    believe in the small errors of bright pixels, which scatter like all others.)
    """
    columns = [np.asarray(column, dtype=float) for column in (x, y, x_error, y_error)]
    shapes = {column.shape for column in columns}
    if len(shapes) > 1 or columns[0].ndim != 1 or len(columns[0]) < _FEWEST:
        raise ValueError(
            f"x, y and their errors must be lists of the same {_FEWEST} objects or more; their "
            f"shapes are {', '.join(str(column.shape) for column in columns)}."
        )
    unfit = sum(~np.isfinite(column) for column in columns) > 0
    unfit |= (columns[2] < 0) | (columns[3] < 0)
    if unfit.any():
        raise ValueError(
            f"{unfit.sum()} of {len(unfit)} objects have a value that is not finite (NaN or "
            "infinite) or an error below 0. Leave them out."
        )
    weights = np.ones((1, len(unfit)))
    if draws is not None:
        draws = np.asarray(draws, dtype=float)
        if draws.ndim != 2 or draws.shape[1] != len(unfit):
            raise ValueError(
                f"The draws have the shape {draws.shape}, but there are {len(unfit)} objects."
            )
        weights = np.vstack([weights, draws])
    fits = [_fit(*columns, weight / weight.sum()) for weight in weights]
    slopes, intercepts, scatters = np.array(fits).T
    drawn = slopes[1:], scatters[1:]
    errors = [float(np.std(each)) if len(each) else np.nan for each in drawn]
    return Relation(slopes[0], intercepts[0], scatters[0], *errors, *drawn)


def _fit(x, y, x_error, y_error, weight) -> tuple[float, float, float]:
    """Slope, intercept and scatter; the weights add up to 1."""
    x_mean, y_mean = weight @ x, weight @ y
    width = weight @ (x - x_mean) ** 2 - weight @ x_error**2
    if width <= 0:
        raise ValueError(
            "x does not vary by more than its errors: there is no relation to be fitted. "
            "Look at the errors, or take objects over a wider range."
        )
    # In units of the spreads, so that all parameters are of order one.
    wide, high = np.sqrt(width), np.sqrt(weight @ (y - y_mean) ** 2) or 1.0
    trust = width / (width + x_error**2)
    expected = trust * (x - x_mean) / wide
    unknown = 1 - trust  # variance of the true x, its measurement given
    y, noise = (y - y_mean) / high, (y_error / high) ** 2

    def cost(parameters):
        slope, intercept, log_scatter = parameters
        own = np.exp(2 * log_scatter)
        variance = own + noise + slope**2 * unknown
        residual = y - slope * expected - intercept
        by_residual = -2 * weight * residual / variance
        by_variance = weight / variance - weight * (residual / variance) ** 2
        gradient = (
            by_residual @ expected + 2 * slope * (by_variance @ unknown),
            by_residual.sum(),
            2 * own * by_variance.sum(),
        )
        return weight @ (residual**2 / variance + np.log(variance)), np.array(gradient)

    slope = (weight * expected) @ y / (weight @ expected**2)
    start = slope, 0.0, np.log(max(np.sqrt(weight @ (y - slope * expected) ** 2), 1e-3))
    floor = np.log(1e-4)  # no scatter at all has no logarithm
    limits = [(None, None), (None, None), (floor, None)]
    slope, intercept, log_scatter = minimize(
        cost, start, jac=True, method="L-BFGS-B", bounds=limits
    ).x
    slope *= high / wide
    return slope, y_mean + high * intercept - slope * x_mean, high * np.exp(log_scatter)
