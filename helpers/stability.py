"""How sure groups are: found again with other seeds, or had other objects been drawn."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from helpers.comparison import groupings

NOT_DRAWN = -2
"""The label of an object that did not take part in a run."""


def bootstrap(
    run: Callable[[np.ndarray], np.ndarray],
    n_objects: int,
    n_runs: int = 20,
    random_state: int = 0,
) -> list[np.ndarray]:
    """Group again and again what a bootstrap draws.

    Parameters
    ----------
    run : callable
        From rows (ndarray of int, ascending) to the groups of those rows: the whole chain or a
        part of it, as ``lambda rows: cluster(points[rows], "kmeans")``.
    n_objects, n_runs, random_state : int

    Returns
    -------
    list of ndarray of shape (n_objects,), int
        One for each run; `NOT_DRAWN` for objects that did not take part.

    Notes
    -----
    Of n objects drawn with replacement 63 % are different. Each of these takes part once: its
    copies, at the distance 0, would be dense groups of their own to ``dbscan`` and ``hdbscan``
    (Hennig 2007, Comput. Stat. Data Anal. 52, 258, discusses this). The points are thinner than
    all of them are: smallest sizes and numbers of neighbours mean more.
    """
    if n_objects < 2 or n_runs < 1:
        raise ValueError(
            f"{n_objects} objects and {n_runs} runs: there must be 2 objects or more, and 1 run."
        )
    rng = np.random.default_rng(random_state)
    runs = []
    for _ in range(n_runs):
        rows = np.unique(rng.integers(n_objects, size=n_objects))
        found = np.asarray(run(rows))
        if found.shape != rows.shape:
            raise ValueError(
                f"run(rows) was given {len(rows)} rows and returned labels of the shape "
                f"{found.shape}: it must return one label for each row."
            )
        labels = np.full(n_objects, NOT_DRAWN)
        labels[rows] = found
        runs.append(labels)
    return runs


class Stability(NamedTuple):
    """How well groups are found again.

    Attributes
    ----------
    groups : DataFrame
        A row for each group: ``size``; ``jaccard``, the mean over the runs of the largest
        Jaccard index (objects in both over objects in either) with a group of the run;
        ``dissolved``, the share of runs in which that was 0.5 or less. Hennig (2007) calls
        groups with a mean above 0.75 stable, and does not trust those below 0.6.
    together : DataFrame of shape (n_groups, n_groups)
        How often a pair of objects, one from each group, is together in a run: near 1 on the
        diagonal and near 0 off it for groups that stay; two that merge show off it.
    objects : ndarray of shape (n_objects,)
        For each object, how often it is together with the others of its group, from 0 to 1: low
        where groups touch. NaN if it is in none, or never was drawn.
    """

    groups: pd.DataFrame
    together: pd.DataFrame
    objects: np.ndarray


def stability(reference, runs: Iterable[np.ndarray]) -> Stability:
    """Follow the groups of one run through others: of a bootstrap, or with other seeds.

    Parameters
    ----------
    reference : sequence of int of length n_objects
        The groups to follow; -1 for none.
    runs : iterable of ndarray of the same length
        Groups of the same objects, as from `bootstrap`; -1 for none, which is together with
        nobody, `NOT_DRAWN` for objects that do not count in that run.

    Returns
    -------
    Stability

    Raises
    ------
    ValueError
        If the reference has no group, there is no run, or the lengths differ.

    Notes
    -----
    Pairs of objects are counted by group, never one by one: no matrix of objects is made.
    Hennig 2007, Comput. Stat. Data Anal. 52, 258; co-assignment as in consensus clustering
    (Monti et al. 2003, Mach. Learn. 52, 91).
    """
    reference = groupings({"reference": reference})["reference"]
    names = np.unique(reference[reference >= 0])
    if not len(names):
        raise ValueError("The reference has no group: every object is left out (-1).")
    runs = [np.asarray(run) for run in runs]
    if not runs:
        raise ValueError("There is no run to compare with: give one or more, as from bootstrap.")
    group = np.where(reference < 0, -1, np.searchsorted(names, reference))
    jaccard = np.full((len(runs), len(names)), np.nan)
    pairs = np.zeros((2, len(names), len(names)))  # how many are together, of how many
    others = np.zeros((2, len(reference)))  # the same for the others of each object's group
    for r, run in enumerate(runs):
        if run.shape != reference.shape or not np.any(run != NOT_DRAWN):
            raise ValueError(
                f"Run {r} must hold a label for each of the {len(reference)} objects (-1 for "
                f"none, {NOT_DRAWN} for those that did not take part); it has the shape "
                f"{run.shape}."
            )
        groupings({f"run {r}": run[run != NOT_DRAWN]})
        mine, theirs = group[run != NOT_DRAWN], run[run != NOT_DRAWN]
        kinds, theirs = np.unique(theirs, return_inverse=True)
        shared = np.zeros((len(names), len(kinds)))
        np.add.at(shared, (mine[mine >= 0], theirs[mine >= 0]), 1)
        size = shared.sum(axis=1)
        either = size[:, None] + np.bincount(theirs) - shared
        shared[:, kinds < 0] = 0  # left out: together with nobody
        jaccard[r, size > 0] = (shared / np.maximum(either, 1))[size > 0].max(axis=1)
        pairs[0] += shared @ shared.T - np.diag(shared.sum(axis=1))
        pairs[1] += np.outer(size, size) - np.diag(size)
        known = np.flatnonzero(run != NOT_DRAWN)[mine >= 0]
        mine, theirs = mine[mine >= 0], theirs[mine >= 0]
        others[0, known] += np.maximum(shared[mine, theirs] - 1, 0)
        others[1, known] += size[mine] - 1
    seen = np.isfinite(jaccard)
    frame = {
        "size": np.bincount(group[group >= 0]),
        "jaccard": _share(np.nansum(jaccard, axis=0), seen.sum(axis=0)),
        "dissolved": _share((jaccard <= 0.5).sum(axis=0), seen.sum(axis=0)),
    }
    return Stability(
        pd.DataFrame(frame, index=names),
        pd.DataFrame(_share(*pairs), index=names, columns=names),
        _share(*others),
    )


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)
