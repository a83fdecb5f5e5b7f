"""How far a picture can be believed: what it keeps of the neighbours, and what of the distances.

The space that a picture was made from is given as a fitted `UnsupervisedForest`, or as a table
of features with the name of one of `helpers.distances.METRICS`. No matrix of all distances is
made: some rows at a time are enough.
"""

import copy
import itertools
import numbers
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.spatial import procrustes
from scipy.stats import spearmanr
from sklearn.metrics import pairwise_distances, pairwise_distances_chunked
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from helpers.distances import METRICS
from helpers.forest import UnsupervisedForest

_ROOM = 16
"""Megabytes for the rows of distances that are made at a time."""


class Stability(NamedTuple):
    """What pictures of the same objects have in common, as the mean over all pairs of them."""

    overlap: float
    """The share of the nearest neighbours in common, 0 to 1."""
    disparity: float
    """What is left between them after shift, turn, mirror and scaling, 0 (same) to 1."""


def trustworthiness(space, points, k: int = 15, distance: str = "standardised"):
    """Whether neighbours in the picture are neighbours in the data.

    Of the k nearest in the picture, those count against it than which k objects or more are
    nearer in the data, by their rank there (Venna & Kaski 2001, ICANN, 485): as scikit-learn's
    `trustworthiness`, which makes several matrices of all pairs. Of objects at the same
    distance in the data each has the best rank, so that ties are held against no picture.

    Parameters
    ----------
    space : UnsupervisedForest or table of shape (n_objects, n_features)
        What the picture was made from; the forest must be fitted.
    points : ndarray of shape (n_objects, 2) or (n_pictures, n_objects, 2)
        One picture, or several of the same objects for nearly the price of one.
    k : int
        Neighbours, the object itself not among them (as in scikit-learn).
    distance : str
        For a table, one of `helpers.distances.METRICS`.

    Returns
    -------
    float, or ndarray of shape (n_pictures,)
        1 when no picture's neighbour is an intruder; about 0.5 for points thrown at random.

    Raises
    ------
    ValueError
        If picture and space do not hold the same objects, or k is half of them or more.
    """
    pictures = _pictures(points)
    n_objects = _check_k(k, pictures.shape[1])
    _check_space(space, n_objects, distance)
    targets = np.hstack([_picture_neighbours(picture, k) for picture in pictures])
    values = _ranked(lambda keep: _for_rows(space, distance, keep), targets, k, len(pictures))
    return values if np.ndim(points) == 3 else float(values[0])


def continuity(neighbours, points, k: int = 15):
    """Whether neighbours in the data are still neighbours in the picture.

    `trustworthiness` with data and picture exchanged (Venna & Kaski 2001).

    Parameters
    ----------
    neighbours : tuple of ndarray
        Distances and indices as for `helpers.embedding.embed`, of at least k + 1 columns.
    points, k
        As for `trustworthiness`.

    Returns
    -------
    float, or ndarray of shape (n_pictures,)
        1 when none of the k nearest in the data is torn away in the picture.
    """
    pictures = _pictures(points)
    n_objects = _check_k(k, pictures.shape[1])
    targets = _known_neighbours(neighbours, k)
    _check_count(len(targets), n_objects)
    values = np.array(
        [
            _ranked(lambda keep, p=picture: _for_rows(p, "euclidean", keep), targets, k, 1)[0]
            for picture in pictures
        ]
    )
    return values if np.ndim(points) == 3 else float(values[0])


def neighbour_overlap(some, others, k: int | Sequence[int] = 15):
    """The share of the k nearest that two pictures, or data and picture, have in common.

    Parameters
    ----------
    some, others : picture of shape (n_objects, 2) or neighbours
        Neighbours are distances and indices as for `helpers.embedding.embed`.
    k : int or sequence of int
        Neighbours, the object itself not among them.

    Returns
    -------
    float, or ndarray with one value for each k
        The mean over all objects, 0 to 1; for two random orders k / (n_objects - 1).
    """
    ks = np.atleast_1d(k)
    if ks.ndim != 1 or ks.dtype.kind not in "iu" or ks.size == 0 or ks.min() < 1:
        raise ValueError(f"k={k!r} is no number of neighbours: give 1 or more, or several such.")
    first, second = (_neighbours_of(side, int(ks.max())) for side in (some, others))
    _check_count(len(first), len(second))
    shares = []
    for n in ks:
        both = np.sort(np.hstack([first[:, :n], second[:, :n]]), axis=1)
        shares.append(np.mean(np.sum(both[:, 1:] == both[:, :-1], axis=1)) / n)
    return np.array(shares) if np.ndim(k) else float(shares[0])


def distance_correlation(
    space, points, distance: str = "standardised", n_objects: int = 1000, random_state: int = 0
) -> float:
    """Spearman's rank correlation between the distances in the data and those in the picture.

    Parameters
    ----------
    space, points, distance
        As for `trustworthiness`; one picture.
    n_objects : int
        How many objects are drawn (all, if there are fewer); all pairs of them are compared.
    random_state : int

    Returns
    -------
    float
        1 when the picture keeps the order of all distances; a UMAP does not.
    """
    points = _pictures(points)[0]
    _check_space(space, len(points), distance)
    if not (isinstance(n_objects, numbers.Integral) and n_objects >= 3):
        raise ValueError(f"n_objects={n_objects!r}: 3 objects or more must be drawn.")
    rng = np.random.default_rng(random_state)
    drawn = np.sort(rng.choice(len(points), min(n_objects, len(points)), replace=False))
    pairs = np.triu_indices(len(drawn), 1)
    if isinstance(space, UnsupervisedForest):
        part = copy.copy(space)
        part.leaves_ = space.leaves_[drawn]
        data = part.distances()[pairs]
    else:
        metric, table = _scaled(space, distance)
        data = pairwise_distances(table[drawn], metric=metric)[pairs]
    drawn_apart = pairwise_distances(points[drawn])[pairs]
    if np.ptp(data) == 0 or np.ptp(drawn_apart) == 0:
        raise ValueError("All distances are equal, in the data or in the picture: no correlation.")
    return float(spearmanr(data, drawn_apart).statistic)


def stability(pictures: Sequence[np.ndarray], k: int = 15) -> Stability:
    """What stays when only the random seed changes.

    Parameters
    ----------
    pictures : sequence of ndarray of shape (n_objects, 2)
        Two or more pictures of the same objects.
    k : int
        Neighbours, the object itself not among them.

    Returns
    -------
    Stability
        `neighbour_overlap` and the disparity of `scipy.spatial.procrustes`.
    """
    pictures = [_pictures(picture)[0] for picture in pictures]
    if len(pictures) < 2:
        raise ValueError("One picture has nothing to agree with: give two or more.")
    for picture in pictures:
        _check_count(len(picture), len(pictures[0]))
    _check_k(k, len(pictures[0]))
    near = [_picture_neighbours(picture, k) for picture in pictures]
    own = np.arange(len(near[0]))[:, None]
    near = [(None, np.hstack([own, indices])) for indices in near]
    pairs = list(itertools.combinations(range(len(pictures)), 2))
    return Stability(
        float(np.mean([neighbour_overlap(near[a], near[b], k) for a, b in pairs])),
        float(np.mean([procrustes(pictures[a], pictures[b])[2] for a, b in pairs])),
    )


# ------------------------------------------------------------------------- rows of distances


def _for_rows(space, distance: str, keep: Callable[[int, np.ndarray], None]) -> None:
    """Call ``keep(start, block)`` for some rows of the matrix of distances at a time."""
    if isinstance(space, UnsupervisedForest):
        space._for_blocks(keep)
        return
    metric, table = _scaled(space, distance)
    start = 0
    for block in pairwise_distances_chunked(table, metric=metric, working_memory=_ROOM):
        keep(start, block)
        start += len(block)


def _ranked(for_rows, targets: np.ndarray, k: int, n_pictures: int) -> np.ndarray:
    """1 minus the scaled sum of how far beyond rank k each target lies from its row's object."""
    n_objects = len(targets)
    beyond = np.empty((n_objects, n_pictures))

    def keep(start, block):
        wanted = np.take_along_axis(block, targets[start : start + len(block)], axis=1)
        block.sort(axis=1)
        for row, (own, there) in enumerate(zip(block, wanted, strict=True), start):
            ranks = np.searchsorted(own, there)  # how many are nearer, the object included
            beyond[row] = np.maximum(ranks - k, 0).reshape(n_pictures, k).sum(axis=1)

    for_rows(keep)
    return 1 - beyond.sum(axis=0) * 2 / (n_objects * k * (2 * n_objects - 3 * k - 1))


def _scaled(table, distance: str) -> tuple[str, np.ndarray]:
    """scikit-learn's name of the metric, and the table as it is measured with it."""
    table = np.asarray(table, dtype=float)
    if distance == "euclidean":
        return distance, table
    metric = "euclidean" if distance == "standardised" else distance
    return metric, StandardScaler().fit_transform(table)


def _picture_neighbours(picture: np.ndarray, k: int) -> np.ndarray:
    # Without an argument, scikit-learn leaves each object out of its own neighbours.
    return NearestNeighbors(n_neighbors=k).fit(picture).kneighbors(return_distance=False)


def _known_neighbours(neighbours, k: int) -> np.ndarray:
    try:
        _, indices = neighbours
        indices = np.asarray(indices)
        known = indices.shape[1] - 1
    except (TypeError, ValueError, IndexError):
        raise ValueError(
            "The neighbours must be a pair (distances, indices), as `nearest` returns, or "
            "`kneighbors` of a forest."
        ) from None
    if k > known:
        raise ValueError(
            f"{k} neighbours of each object are to be compared, but {known} others are known. "
            f"Ask kneighbors for {k + 1}."
        )
    return indices[:, 1 : k + 1]


def _neighbours_of(side, k: int) -> np.ndarray:
    """The k nearest of each object in a picture, or those that are known already."""
    if isinstance(side, tuple):
        return _known_neighbours(side, k)
    picture = _pictures(side)[0]
    if k >= len(picture):
        raise ValueError(f"k={k}, but each of {len(picture)} objects has fewer others.")
    return _picture_neighbours(picture, k)


def _pictures(points) -> np.ndarray:
    """One or several pictures as an array of shape (n_pictures, n_objects, 2)."""
    pictures = np.asarray(points, dtype=float)
    if pictures.ndim not in (2, 3) or pictures.shape[-1] != 2 or not pictures.size:
        raise ValueError(
            "A picture has the shape (n_objects, 2), several have (n_pictures, n_objects, 2); "
            f"this has {pictures.shape}."
        )
    if not np.isfinite(pictures).all():
        raise ValueError("A point of the picture is NaN or infinite: lay it out anew.")
    return pictures.reshape(-1, *pictures.shape[-2:])


def _check_space(space, n_objects: int, distance: str) -> None:
    if isinstance(space, UnsupervisedForest):
        if not hasattr(space, "leaves_"):
            raise ValueError("The forest has not been trained: call its fit(frame) first.")
        _check_count(len(space.leaves_), n_objects)
        return
    if not isinstance(distance, str) or distance not in METRICS:
        raise ValueError(
            f"The distance {distance!r:.40} is not known. Choose one of: {', '.join(METRICS)}; "
            "for the forest's, give the fitted forest instead of the table."
        )
    table = np.asarray(space, dtype=float)
    if table.ndim != 2 or not np.isfinite(table).all():
        raise ValueError(
            "The data must be a fitted UnsupervisedForest, or a table of rows and columns "
            "without NaN."
        )
    _check_count(len(table), n_objects)


def _check_count(some: int, others: int) -> None:
    if some != others:
        raise ValueError(
            f"These are not the same objects: there are {some} on one side, {others} on the other."
        )


def _check_k(k: int, n_objects: int) -> int:
    if not (isinstance(k, numbers.Integral) and 1 <= k < n_objects / 2):
        raise ValueError(
            f"k={k!r} is no number of neighbours for {n_objects} objects: give 1 to "
            f"{(n_objects - 1) // 2}."
        )
    return n_objects
