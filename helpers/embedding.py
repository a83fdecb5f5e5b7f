"""A picture of the neighbours: UMAP on a graph that is already known.

UMAP (McInnes, Healy & Melville 2018, arXiv 1802.03426) needs of the data only who is near whom
and how far. It takes that here from any distance: the forest's, or any of scikit-learn's.
"""

import numbers

import numpy as np
from scipy.sparse import spmatrix
from scipy.sparse.csgraph import connected_components
from sklearn.utils import check_random_state


def embed(
    neighbours: tuple[np.ndarray, np.ndarray],
    n_neighbors: int = 25,
    min_dist: float = 0.0,
    n_epochs: int = 300,
    random_state: int = 0,
) -> np.ndarray:
    """Lay out objects in two dimensions so that neighbours stay neighbours.

    Parameters
    ----------
    neighbours : tuple of ndarray
        Distances and indices, each of shape (n_objects, at least n_neighbors), near to far,
        each object first among its own neighbours, as `UnsupervisedForest.kneighbors` returns.
    n_neighbors : int
        How many of them to use; the lecture's choice is 25. The object itself counts.
    min_dist : float
        How far apart the nearest points are kept in the picture; the lecture's choice is 0.
    n_epochs : int
        Steps of the layout. Fixed here, because umap-learn's own choice jumps from 500 to 200
        above 10,000 objects; on 10,000 pixels of the simulated survey 500 steps are no more
        trustworthy than 300 (0.952 and 0.951).
    random_state : int
        The same seed gives the same picture on one machine; the layout runs on one thread for
        that. What changes with the seed is not in the data.

    Returns
    -------
    ndarray of shape (n_objects, 2), float32
        Axes, distances between far groups and the sizes of groups have no meaning of their own.

    Raises
    ------
    ValueError
        If the neighbours are no such pair, or are fewer than asked for, or a number is out of
        its range.

    Notes
    -----
    The steps are those of ``umap.UMAP(precomputed_knn=...)`` and give the same numbers. It
    warns that new data cannot be added, and below 4,096 objects it silently uses all the
    columns it is given (umap-learn 0.5.12); the steps taken one by one do neither.
    """
    distances, indices = _checked(neighbours, n_neighbors)
    if not (isinstance(min_dist, numbers.Real) and 0 <= min_dist <= 1):
        raise ValueError(f"min_dist={min_dist!r} is no distance: give a number from 0 to 1.")
    if not (isinstance(n_epochs, numbers.Integral) and n_epochs > 0):
        raise ValueError(f"n_epochs={n_epochs!r} is no number of steps: give 1 or more, as 300.")
    # Its import takes seconds on a new machine: only who lays out anew pays for it.
    from umap.umap_ import find_ab_params, fuzzy_simplicial_set, simplicial_set_embedding

    rng = check_random_state(random_state)
    graph, _, _ = fuzzy_simplicial_set(
        indices,  # only its length is used
        n_neighbors,
        rng,
        metric="precomputed",
        knn_indices=indices,
        knn_dists=distances,
    )
    a, b = find_ab_params(1.0, min_dist)
    points, _ = simplicial_set_embedding(
        None,
        graph,
        n_components=2,
        initial_alpha=1.0,
        a=a,
        b=b,
        gamma=1.0,
        negative_sample_rate=5,
        n_epochs=n_epochs,
        init=_start(graph),
        random_state=rng,
        metric="precomputed",
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
        parallel=False,
    )
    return points


def _start(graph: spmatrix) -> str:
    """Spectral, unless the graph falls into pieces that are many or tiny.

    umap-learn lays out up to four pieces one by one; more of them it would place by the data,
    which a graph does not have, and its eigensolver needs more than seven objects.
    """
    count, piece = connected_components(graph)
    return "spectral" if count <= 4 and np.bincount(piece).min() > 7 else "random"


def _checked(neighbours, n_neighbors: int) -> tuple[np.ndarray, np.ndarray]:
    try:
        distances, indices = (np.asarray(part) for part in neighbours)
    except (TypeError, ValueError):
        raise ValueError(
            "The neighbours must be a pair (distances, indices), as kneighbors returns."
        ) from None
    kinds = distances.dtype.kind in "fiu" and indices.dtype.kind in "iu"
    if not kinds or distances.shape != indices.shape or indices.ndim != 2:
        raise ValueError(
            "The neighbours must be distances and whole-number indices of the same shape, "
            f"in this order; these are {distances.dtype} {distances.shape} and "
            f"{indices.dtype} {indices.shape}."
        )
    n_objects, width = indices.shape
    if width < 2 or n_objects < 2:
        raise ValueError(
            f"{n_objects} objects with {width} neighbours each are too few for a picture: "
            "there must be at least 2 of both."
        )
    if not (isinstance(n_neighbors, numbers.Integral) and 2 <= n_neighbors <= width):
        raise ValueError(
            f"n_neighbors={n_neighbors}, but {width} neighbours of each object are known. "
            f"Choose 2 to {width}, or ask kneighbors for more."
        )
    distances, indices = distances[:, :n_neighbors], indices[:, :n_neighbors]
    if not np.all(np.isfinite(distances)) or np.any(distances < 0):
        raise ValueError("A distance to a neighbour is negative, NaN or infinite. Check them.")
    if indices.min() < 0 or indices.max() >= n_objects:
        raise ValueError(
            f"The neighbours' indices run from {indices.min()} to {indices.max()}, but there "
            f"are {n_objects} objects. Neighbours must be among the objects themselves."
        )
    if not np.array_equal(indices[:, 0], np.arange(n_objects)):
        raise ValueError(
            "Each object must be the first of its own neighbours. scikit-learn leaves it out "
            "unless the data are given again: kneighbors(X)."
        )
    if np.any(np.diff(distances, axis=1) < 0) or not np.all(np.diff(np.sort(indices, axis=1))):
        raise ValueError(
            "The neighbours of each object must stand from near to far, each of them once, as "
            "kneighbors returns them."
        )
    return (
        np.ascontiguousarray(distances, dtype=np.float32),
        np.ascontiguousarray(indices, dtype=np.int32),
    )
