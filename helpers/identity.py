"""Galaxy identity as a confounder: groups may be galaxies rather than kinds of gas.

Galaxies differ as wholes: in metals, in gas, in how deeply they were observed, or by an error of
calibration. Each of these makes the pixels of one galaxy alike for reasons that no cloud knows.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats.contingency import association, crosstab
from sklearn.metrics import adjusted_mutual_info_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.blocks import SIDE, draw_blocks, sky_blocks
from helpers.clusters import check_table
from helpers.comparison import groupings


class Prediction(NamedTuple):
    """How well the galaxy of a pixel is guessed, as a mean over galaxies of the share right."""

    accuracy: float
    low: float
    high: float
    """The range that holds 95 % of the draws of `blocks.draw_blocks`."""
    chance: float
    """One over the number of galaxies: what guessing achieves."""


def predict_galaxy(points, galaxies, pixel_ids: Iterable[str], random_state: int = 0) -> Prediction:
    """Guess each pixel's galaxy from its place in a picture or a table.

    Parameters
    ----------
    points : array or frame of shape (n_pixels, any)
        An embedding, or a table of features.
    galaxies : sequence of str of length n_pixels
    pixel_ids : iterable of str of length n_pixels
        Their blocks of sky (`sky_blocks`) stay whole: none is partly learned from and partly
        guessed, or the neighbours on the sky would give the answer away.
    random_state : int

    Returns
    -------
    Prediction
        By the 25 nearest pixels of other blocks (five-fold cross-validation), features
        standardised; each galaxy's votes are divided by its number of pixels. The accuracy is
        the balanced one: the mean of the galaxies' own, so that a large galaxy does not count
        more.

    Raises
    ------
    ValueError
        If the points are not finite, there is one galaxy only or one of fewer than five blocks,
        or the lengths differ.
    """
    points, pixel_ids = check_table(points), list(pixel_ids)
    galaxies = one_each("galaxies", galaxies, len(points))
    one_each("pixel_ids", pixel_ids, len(points))
    names, blocks = _several(galaxies), sky_blocks(pixel_ids)
    few = [name for name in names if len(np.unique(blocks[galaxies == name])) < 5]
    if few:
        raise ValueError(
            f"{few[0]} lies in fewer than five blocks of {SIDE} x {SIDE} pixels: too few to learn "
            "from some and guess the others. Leave it out."
        )
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=random_state)
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(25))
    right = np.empty(len(points))
    for learn, guess in folds.split(points, galaxies, blocks):
        votes = model.fit(points[learn], galaxies[learn]).predict_proba(points[guess])
        usual = np.array([np.mean(galaxies[learn] == name) for name in model.classes_])
        guessed = model.classes_[np.argmax(votes / usual, axis=1)]
        right[guess] = guessed == galaxies[guess]
    member = (galaxies[:, None] == names).astype(float)
    draws = draw_blocks(pixel_ids, random_state=random_state)
    drawn = np.mean((draws * right) @ member / (draws @ member), axis=1)
    accuracy = np.mean(right @ member / member.sum(axis=0))
    return Prediction(float(accuracy), *np.percentile(drawn, [2.5, 97.5]), 1 / len(names))


class Identity(NamedTuple):
    """How much groups know of the galaxy: 0 for nothing, 1 for all."""

    information: float
    """Adjusted mutual information (Vinh, Epps & Bailey 2010, JMLR 11, 2837)."""
    cramer: float
    """Cramér's V: the chi-squared statistic of the counts, scaled to 0-1."""


def galaxy_identity(labels, galaxies) -> Identity:
    """How much the groups know of the galaxy; a pixel without group counts as one group more.

    Parameters
    ----------
    labels : sequence of int of length n_pixels
    galaxies : sequence of str of length n_pixels

    Raises
    ------
    ValueError
        If there is one galaxy, or one group, only, or the lengths differ.
    """
    labels = groupings({"labels": labels})["labels"]
    galaxies = one_each("galaxies", galaxies, len(labels))
    _several(galaxies)
    if len(np.unique(labels)) < 2:
        raise ValueError(
            f"All {len(labels)} pixels are in one group ({labels[0]}): it cannot tell galaxies "
            "apart. Ask for more groups."
        )
    counts = crosstab(labels, galaxies).count
    return Identity(
        float(adjusted_mutual_info_score(labels, galaxies)), float(association(counts, "cramer"))
    )


def standardise_per_galaxy(frame: pd.DataFrame, galaxies) -> pd.DataFrame:
    """Bring each feature of each galaxy to mean 0 and standard deviation 1.

    What makes a galaxy as a whole different (its metals, its distance, an error of calibration)
    is taken away, and with it what is truly different between galaxies: a galaxy with an active
    nucleus and one without have the same mean afterwards.

    Parameters
    ----------
    frame : pandas.DataFrame of shape (n_pixels, n_features)
    galaxies : sequence of str of length n_pixels

    Returns
    -------
    pandas.DataFrame
        Of the same pixels and columns.

    Raises
    ------
    ValueError
        If values are not finite, a feature is constant within a galaxy, or the lengths differ.
    """
    galaxies = one_each("galaxies", galaxies, len(frame))
    values = pd.DataFrame(check_table(frame), index=frame.index, columns=frame.columns)
    grouped = values.groupby(galaxies)
    mean, spread = grouped.transform("mean"), grouped.transform("std", ddof=0)
    flat = [(galaxy, c) for c in values for galaxy in np.unique(galaxies[spread[c] == 0])]
    if flat:
        galaxy, column = flat[0]
        raise ValueError(
            f"Column {column} has the same value in all pixels of {galaxy}: it cannot be "
            "standardised there. Leave the column or the galaxy out."
        )
    return (values - mean) / spread


def one_each(what: str, given, n_pixels: int) -> np.ndarray:
    """What was given as an array of one for each pixel, or a ValueError."""
    given = np.asarray(given)
    if given.shape != (n_pixels,):
        raise ValueError(
            f"There are {n_pixels} pixels, but {what} has the shape {given.shape}: give one for "
            "each pixel, in the same order."
        )
    return given


def _several(galaxies: np.ndarray) -> np.ndarray:
    names = np.unique(galaxies)
    if len(names) < 2:
        raise ValueError(
            f"All pixels are of {names[0]}: with one galaxy there is no other to take it for."
        )
    return names
