"""Groupings side by side: the same names, scores on equal terms, agreement of every pair."""

import copy
import itertools
import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    pairwise_distances,
    silhouette_score,
)

from helpers.clusters import check_table, cluster
from helpers.forest import UnsupervisedForest


def match_labels(labels, reference) -> np.ndarray:
    """Rename groups after those of another run, so that a colour means the same in both.

    Parameters
    ----------
    labels, reference : sequence of int of length n_objects
        Two groupings of the same objects; -1 for none.

    Returns
    -------
    ndarray of shape (n_objects,), int
        The same groups. Each has the number of one in the reference, such that as many objects
        as possible keep theirs (Hungarian assignment, `scipy.optimize.linear_sum_assignment`,
        after Kuhn 1955, Nav. Res. Logist. Q. 2, 83); those left over get numbers that the
        reference does not use, the largest first.

    Raises
    ------
    ValueError
        If these are not two groupings of as many objects.
    """
    labels, reference = groupings({"labels": labels, "reference": reference}).values()
    names, olds = (np.unique(some[some >= 0]) for some in (labels, reference))
    shared = np.array([[np.sum((labels == a) & (reference == b)) for b in olds] for a in names])
    number = {}
    if shared.size:
        rows, columns = linear_sum_assignment(shared, maximize=True)
        number = {names[i]: olds[j] for i, j in zip(rows, columns, strict=True) if shared[i, j] > 0}
    left = sorted(set(names) - set(number), key=lambda name: -np.sum(labels == name))
    first = olds.max() + 1 if len(olds) else 0
    number |= {name: first + k for k, name in enumerate(left)}
    return np.array([number.get(label, -1) for label in labels], dtype=int)


class Comparison(NamedTuple):
    """Several groupings of the same objects: a frame of scores, and the groupings by name."""

    scores: pd.DataFrame
    labels: dict[str, np.ndarray]


def compare(points, settings: Mapping[str, Mapping], *, judge=None, ids=None) -> Comparison:
    """Run several methods on the same objects and score them on equal terms.

    Parameters
    ----------
    points : array, frame or pair of neighbours
        As for `cluster`.
    settings : mapping
        From a name to the parameters of `cluster`, ``method`` among them; without one, the
        name is the method: ``{"kmeans": {"n_clusters": 4}, "mixture, 9": {"method":
        "gaussian_mixture", "n_components": 9}}``. A mapping of names to nothing, as
        ``dict.fromkeys(METHODS, {})``, takes the course's parameters.
    judge : array or frame of shape (n_objects, any), or a fitted UnsupervisedForest, optional
        The space in which the groups are scored; by default the points themselves. Groups that
        score well in the picture that they were cut from, and badly in the table or in the
        forest's distances, are groups of the picture.
    ids : sequence, optional
        As for `cluster`.

    Returns
    -------
    Comparison
        ``scores`` has one row a setting: ``groups``, ``left_out`` (share of the objects),
        ``silhouette`` (-1 to 1; of at most 2,000 objects, drawn, the same for all),
        ``calinski_harabasz`` (more is better), ``davies_bouldin`` (less is better) and
        ``seconds``. ``labels`` are matched (`match_labels`) to the first setting's; `score`
        judges them again in another space.

    Raises
    ------
    ValueError
        As `cluster`; or if the judge holds other objects, or there is none for neighbours.

    Notes
    -----
    The three scores reward round, compact, well separated groups: k-means and its kin, which
    seek just that, and few groups more than many; a long bent group, which density methods find
    rightly, scores badly. Calinski-Harabasz grows with the number of objects. Objects left out
    do not count: who leaves out the difficult ones scores better; read it beside ``left_out``.
    With fewer than two groups there is nothing to score (NaN); with a forest as the judge, only
    the silhouette can be had.
    """
    if not isinstance(settings, Mapping) or not settings:
        raise ValueError(
            'Name the settings to compare, as {"kmeans": {"n_clusters": 4}, "hdbscan": {}}.'
        )
    if judge is None and isinstance(points, tuple):
        raise ValueError(
            "Groups of neighbours have no points to be scored on: give the table, the embedding "
            "or the forest as judge=."
        )
    judge, n_judged = _check_judge(points if judge is None else judge)
    n_objects = len(points[0]) if isinstance(points, tuple) else len(points)
    if n_judged != n_objects:
        raise ValueError(_OTHERS.format(n_objects, n_judged))
    labels, seconds = {}, {}
    for name, setting in settings.items():
        start = time.perf_counter()
        found = cluster(points, **{"method": name, **setting}, ids=ids)
        seconds[name] = time.perf_counter() - start
        labels[name] = match_labels(found, next(iter(labels.values()), found))
    return Comparison(score(labels, judge).assign(seconds=seconds), labels)


def score(labelings: Mapping[str, np.ndarray], judge) -> pd.DataFrame:
    """Score groupings that are there, in a space of your choice.

    Parameters
    ----------
    labelings : mapping
        From a name to the groups of the same objects, as ``compare(...).labels``.
    judge : array or frame of shape (n_objects, any), or a fitted UnsupervisedForest
        As for `compare`.

    Returns
    -------
    DataFrame
        A row for each grouping, the columns as those of `compare` without ``seconds``. The
        silhouette is that of the same at most 2,000 objects, drawn, for all groupings.

    Raises
    ------
    ValueError
        If these are not groupings of the objects that the judge holds.
    """
    labelings = groupings(labelings)
    judge, n_judged = _check_judge(judge)
    n_objects = len(next(iter(labelings.values())))
    if n_judged != n_objects:
        raise ValueError(_OTHERS.format(n_objects, n_judged))
    drawn = np.sort(np.random.default_rng(0).permutation(n_objects)[:2000])
    by_forest = isinstance(judge, UnsupervisedForest)
    if by_forest:
        part = copy.copy(judge)
        part.leaves_ = judge.leaves_[drawn]
        apart = part.distances()
    else:
        apart = pairwise_distances(judge[drawn])
        np.fill_diagonal(apart, 0)
    rows = {}
    for name, labels in labelings.items():
        inside, seen = labels >= 0, labels[drawn] >= 0
        scores = dict.fromkeys(("silhouette", "calinski_harabasz", "davies_bouldin"), np.nan)
        if _can_be_scored(labels[drawn][seen]):
            among = apart[np.ix_(seen, seen)]
            scores["silhouette"] = silhouette_score(
                among, labels[drawn][seen], metric="precomputed"
            )
        if not by_forest and _can_be_scored(labels[inside]):
            found = judge[inside], labels[inside]
            scores["calinski_harabasz"] = calinski_harabasz_score(*found)
            scores["davies_bouldin"] = davies_bouldin_score(*found)
        counts = {"groups": len(np.unique(labels[inside])), "left_out": float(np.mean(~inside))}
        rows[name] = counts | scores
    return pd.DataFrame(rows).T.astype({"groups": int})


class Agreement(NamedTuple):
    """Adjusted Rand index and adjusted mutual information of every pair of groupings."""

    rand: pd.DataFrame
    information: pd.DataFrame


def agreement(labelings: Mapping[str, np.ndarray]) -> Agreement:
    """How far every pair of groupings agrees, whatever the groups are called.

    Parameters
    ----------
    labelings : mapping
        From a name to the groups of the same objects, as ``compare(...).labels``. Objects that
        are left out (-1) count as one more group.

    Returns
    -------
    Agreement
        Two frames with a row and a column for each name: 1 for the same groups, about 0 for
        groups that have nothing to do with each other. The Rand index (Hubert & Arabie 1985,
        J. Classif. 2, 193) counts pairs of objects and is ruled by the large groups; mutual
        information (Vinh, Epps & Bailey 2010, JMLR 11, 2837) gives small ones more weight.

    Raises
    ------
    ValueError
        If these are not groupings of as many objects.
    """
    labelings = groupings(labelings)

    def table(index):
        values = np.ones((len(labelings), len(labelings)))
        for (i, a), (j, b) in itertools.combinations(enumerate(labelings.values()), 2):
            values[i, j] = values[j, i] = index(a, b)
        return pd.DataFrame(values, index=list(labelings), columns=list(labelings))

    return Agreement(table(adjusted_rand_score), table(adjusted_mutual_info_score))


def groupings(labelings: Mapping[str, object]) -> dict[str, np.ndarray]:
    """Check that these are groupings of as many objects, and give them as arrays.

    Raises
    ------
    ValueError
        If labels are no whole numbers from -1 on, or of different lengths.
    """
    if not isinstance(labelings, Mapping) or not labelings:
        raise ValueError('Name the groupings, as {"kmeans": labels, "hdbscan": others}.')
    checked = {name: np.asarray(labels) for name, labels in labelings.items()}
    for name, labels in checked.items():
        if (
            labels.ndim != 1
            or not len(labels)
            or labels.dtype.kind not in "iu"
            or labels.min() < -1
        ):
            raise ValueError(
                f"The groups called {name!r} must be a list of whole numbers, -1 for none, as "
                f"cluster returns; these have the shape {labels.shape}, type {labels.dtype}."
            )
    lengths = {name: len(labels) for name, labels in checked.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            "Only groupings of the same objects can be compared; these are of different length: "
            + ", ".join(f"{name} {length}" for name, length in lengths.items())
            + "."
        )
    return checked


_OTHERS = "{} objects are grouped, but the judge holds {}: give the same objects in the same order."


def _check_judge(judge):
    """The judge, a table of it checked, and how many objects it holds."""
    if isinstance(judge, UnsupervisedForest):
        return judge, len(judge.leaves_)
    table = check_table(judge)
    return table, len(table)


def _can_be_scored(labels: np.ndarray) -> bool:
    return 2 <= len(np.unique(labels)) < len(labels)
