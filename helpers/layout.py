"""The steps of umap-learn one by one: link the neighbours, place the points, lay them out.

Only `helpers.embedding` takes them, and only when a picture must be made: importing umap-learn
takes seconds on a new machine.
"""

import threading

import numba
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from umap import layouts, umap_
from umap.spectral import spectral_layout


def _compiled(function, **options):
    """A function of umap-learn, compiled once for all processes, and free of Python's lock.

    umap-learn 0.5.12 compiles it anew in every process, which takes seconds.
    """
    return numba.njit(function, cache=True, nogil=True, **options)


_widths = _compiled(  # in parallel as in umap-learn: else its last digits would be others
    umap_.smooth_knn_dist.py_func, locals=dict(umap_.smooth_knn_dist.locals), parallel=True
)
_strengths = _compiled(
    umap_.compute_membership_strengths.py_func,
    locals=dict(umap_.compute_membership_strengths.locals),
)
_step = _compiled(layouts._optimize_layout_euclidean_single_epoch, fastmath=True)

_ONE_AT_A_TIME = threading.Lock()
"""Some of numba's ways to run in parallel end the process when two threads enter at once."""


def link(distances: np.ndarray, indices: np.ndarray, n_epochs: int) -> coo_matrix:
    """Weigh the links between neighbours, and drop those too weak for any of the steps.

    As ``umap.umap_.fuzzy_simplicial_set`` (McInnes et al. 2018, section 3.1).

    Parameters
    ----------
    distances, indices : ndarray of shape (n_objects, n_neighbors), float32 and int32
    n_epochs : int

    Returns
    -------
    coo_matrix of shape (n_objects, n_objects)
    """
    n_objects, n_neighbors = indices.shape
    with _ONE_AT_A_TIME:
        widths, nearest = _widths(distances, float(n_neighbors))
    rows, columns, strength, _ = _strengths(indices, distances, widths, nearest)
    directed = coo_matrix((strength, (rows, columns)), shape=(n_objects, n_objects))
    directed.eliminate_zeros()
    either = directed + directed.T - directed.multiply(directed.T)
    graph = either.tocoo()
    graph.sum_duplicates()
    # For a handful of steps umap-learn counts as if there were many.
    graph.data[graph.data < graph.data.max() / (n_epochs if n_epochs > 10 else 500)] = 0
    graph.eliminate_zeros()
    return graph


def place(graph: coo_matrix, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Where the points begin, (n_objects, 2), and what the layout's random numbers begin with.

    Spectral, unless the graph falls into pieces that are many or tiny: umap-learn lays out up
    to four pieces one by one; more of them it would place by the data, which a graph does not
    have, and its eigensolver needs more than seven objects.
    """
    count, piece = connected_components(graph)
    if count <= 4 and np.bincount(piece).min() > 7:
        points = spectral_layout(None, graph, 2, rng, metric="precomputed")
        points = umap_.noisy_scale_coords(points, rng, max_coord=10, noise=0.0001)
    else:
        points = rng.uniform(-10, 10, (graph.shape[0], 2)).astype(np.float32)
    seeds = rng.randint(umap_.INT32_MIN, umap_.INT32_MAX, 3).astype(np.int64)
    low, high = points.min(axis=0), points.max(axis=0)
    return (10 * (points - low) / (high - low)).astype(np.float32, order="C"), seeds


def lay_out(graph: coo_matrix, start, min_dist: float, n_epochs: int, progress=None) -> np.ndarray:
    """Pull linked points together and push others apart, step by step.

    As ``umap.layouts.optimize_layout_euclidean`` (McInnes et al. 2018, section 3.2).

    Parameters
    ----------
    graph
        From `link`, of the same number of steps.
    start
        From `place`; it is not changed.
    progress : callable, optional
        Called with the steps done and all steps after each.

    Returns
    -------
    ndarray of shape (n_objects, 2), float32
    """
    a, b = umap_.find_ab_params(1.0, min_dist)
    points, seeds = start[0].copy(), start[1]
    every = umap_.make_epochs_per_sample(graph.data, n_epochs)
    every_push = every / 5.0
    next_pull, next_push = every.copy(), every_push.copy()
    random = seeds + points[:, :1].astype(np.float64).view(np.int64)
    no_density = (False, *[np.zeros(1, np.float32)] * 2, 0, 0, 0, 0)
    no_density += (*[np.zeros(1, np.float32)] * 2, 0)
    rate = 1.0
    for epoch in range(n_epochs):
        _step(
            *(points, points, graph.row, graph.col, len(points), every, a, b, random, 1.0, 2),
            *(True, rate, every_push, next_push, next_pull, epoch, *no_density),
        )
        rate = 1.0 - epoch / n_epochs
        if progress is not None:
            progress(epoch + 1, n_epochs)
    return points
