"""A picture of the neighbours: UMAP on a graph that is already known.

UMAP (McInnes, Healy & Melville 2018, arXiv 1802.03426) needs of the data only who is near whom
and how far. It takes that here from any distance: the forest's, or any of scikit-learn's.
A grid of pictures, one for each choice of the hyper-parameters, is shipped with the course.

Reading the shipped grid needs numpy alone: what takes seconds to import is imported where it is
needed.
"""

import functools
import hashlib
import itertools
import numbers
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path

import numpy as np

N_NEIGHBORS = (5, 10, 25, 50, 100, 200)
MIN_DIST = (0.0, 0.1, 0.25, 0.5, 0.99)
SEEDS = (0, 1, 2)
ADOPTED = (25, 0.0)
"""The lecture's choice of ``n_neighbors`` and ``min_dist``."""


class Progress:
    """Print on one line how far a run is and how long it still takes.

    Parameters
    ----------
    label : str
        What the line begins with.

    Examples
    --------
    >>> embed(neighbours, progress=Progress("embedding"))  # doctest: +SKIP
    embedding 120 of 300, 3 s left
    """

    def __init__(self, label: str = "embedding"):
        self.label = label
        self._began = None

    def __call__(self, done: int, total: int) -> None:
        """Say that some of all steps are done; the first call starts the clock."""
        now = time.monotonic()
        if self._began is None or done <= self._began[0]:
            self._began, self._said = (done, now), -np.inf
        if done < total and now - self._said < 0.5:
            return
        self._said = now
        first, start = self._began
        left = (total - done) * (now - start) / (done - first) if done > first else None
        after = "" if left is None else f", {left:.0f} s left" if done < total else ", done"
        print(f"\r{self.label} {done} of {total}{after}".ljust(60), end="", flush=True)
        if done >= total:
            print()
            self._began = None


def embed(
    neighbours: tuple[np.ndarray, np.ndarray],
    n_neighbors: int = 25,
    min_dist: float = 0.0,
    n_epochs: int = 300,
    random_state: int = 0,
    progress: Callable[[int, int], object] | None = None,
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
    progress : callable, optional
        Called after each step with the steps done and all steps, as `Progress` is. What it
        raises stops the layout.

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
    The steps are umap-learn's own functions and give the numbers of
    ``umap.UMAP(precomputed_knn=...)``. That class warns that new data cannot be added, and below
    4,096 objects it silently uses all the columns it is given (umap-learn 0.5.12); the steps
    taken one by one do neither. An interrupt stops between two of them and leaves nothing behind.
    """
    distances, indices = _checked(neighbours, n_neighbors)
    _check_setting(min_dist, n_epochs)
    from sklearn.utils import check_random_state

    graph = _graph(distances, indices, n_epochs)
    start = _start(graph, check_random_state(random_state))
    return _lay_out(graph, start, min_dist, n_epochs, progress)


def embedding_grid(
    neighbours: tuple[np.ndarray, np.ndarray],
    n_neighbors: Iterable[int] = (5, 10, 25, 50, 100, 200),
    min_dist: Iterable[float] = (0.0, 0.1, 0.25, 0.5, 0.99),
    random_state: Iterable[int] = (0,),
    n_epochs: int = 300,
    folder: str | Path | None = None,
    n_jobs: int = 2,
    progress: Callable[[int, int], object] | None = None,
) -> dict[tuple[int, float, int], np.ndarray]:
    """Lay out the same objects with every combination of the hyper-parameters.

    Parameters
    ----------
    neighbours : tuple of ndarray
        As for `embed`, with as many columns as the largest of ``n_neighbors``.
    n_neighbors, min_dist, random_state : iterables of numbers
        The values to combine.
    n_epochs : int
        As for `embed`.
    folder : str or Path, optional
        Where finished pictures are kept, so that a run that was interrupted or killed goes on
        where it was. The pictures of other neighbours in the same folder are left alone.
    n_jobs : int
        How many pictures are laid out at a time, in threads. The result does not depend on it.
    progress : callable, optional
        Called after each picture with the pictures done and all pictures.

    Returns
    -------
    dict
        From (n_neighbors, min_dist, random_state) to the picture, which is that of `embed` with
        the same numbers. Their axes differ: see `align`.

    Raises
    ------
    ValueError
        As `embed`, before anything is laid out.
    """
    grid = list(itertools.product(random_state, min_dist, n_neighbors))  # slow and fast mixed
    if not grid:
        raise ValueError("A grid needs at least one value of each hyper-parameter.")
    known = {n: _checked(neighbours, n) for n in sorted({n for _, _, n in grid})}
    for setting in {distance for _, distance, _ in grid}:
        _check_setting(setting, n_epochs)
    for seed in {seed for seed, _, _ in grid}:
        if not (isinstance(seed, numbers.Integral) and 0 <= seed < 2**32):
            raise ValueError(f"random_state={seed!r} is no seed: give a whole number from 0 on.")
    files = {}
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        marks = {n: _fingerprint(*known[n], n_epochs) for n in known}
        files = {c: Path(folder, f"{marks[c[2]]}_{c[2]}_{c[1]!r}_{c[0]}.npy") for c in grid}
    done = {cell: _read_cell(files.get(cell), len(known[cell[2]][0])) for cell in grid}
    todo = [cell for cell in grid if done[cell] is None]
    report = progress or (lambda done, total: None)
    report(len(grid) - len(todo), len(grid))
    graphs = {n: _graph(*known[n], n_epochs) for n in {n for _, _, n in todo}}
    starts = {
        (seed, n): _start(graphs[n], np.random.RandomState(seed))
        for seed, n in {(seed, n) for seed, _, n in todo}
    }
    stop = threading.Event()

    def make(cell):
        seed, distance, n = cell
        points = _lay_out(
            graphs[n], starts[seed, n], distance, n_epochs, lambda *_: _raise_if(stop)
        )
        if cell in files:
            _write_cell(files[cell], points)
        return points

    # The compiled steps let go of Python's lock, so that threads are enough.
    with ThreadPoolExecutor(n_jobs) as threads:
        try:
            jobs = {threads.submit(make, cell): cell for cell in todo}
            for count, job in enumerate(as_completed(jobs), len(grid) - len(todo) + 1):
                done[jobs[job]] = job.result()
                report(count, len(grid))
        except BaseException:
            stop.set()
            threads.shutdown(cancel_futures=True)
            raise
    return {(n, distance, seed): done[seed, distance, n] for seed, distance, n in grid}


def align(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Shift, turn and mirror a picture until it lies as near as can be on another.

    The scale is kept: distances within the picture stay as they are. Orthogonal Procrustes
    (`scipy.linalg.orthogonal_procrustes`, after Schoenemann 1966, Psychometrika 31, 1).

    Parameters
    ----------
    points, target : ndarray of shape (n_objects, 2)
        Two pictures of the same objects.

    Returns
    -------
    ndarray of shape (n_objects, 2), float32
    """
    from scipy.linalg import orthogonal_procrustes

    points, target = np.asarray(points, dtype=float), np.asarray(target, dtype=float)
    if points.ndim != 2 or points.shape != target.shape:
        raise ValueError(
            "Only two pictures of the same objects can be aligned; "
            f"these have the shapes {points.shape} and {target.shape}."
        )
    centre, goal = points.mean(axis=0), target.mean(axis=0)
    turn, _ = orthogonal_procrustes(points - centre, target - goal)
    return ((points - centre) @ turn + goal).astype(np.float32)


# --------------------------------------------------------------------- the steps of umap-learn


_NUMBA_THREADS = threading.Lock()
"""Some of numba's ways to run in parallel end the process when two threads enter at once."""


@functools.cache
def _compiled():
    """umap-learn's inner functions, compiled once for all processes, and free of Python's lock.

    umap-learn 0.5.12 compiles these anew in every process, which takes 4 s and more. The first
    keeps its own way of running in parallel, without which its last digits would be others.
    """
    import numba
    from umap import layouts, umap_

    def compiled(function, **options):
        return numba.njit(function, cache=True, nogil=True, **options)

    smooth, strengths = umap_.smooth_knn_dist, umap_.compute_membership_strengths
    return (
        compiled(smooth.py_func, locals=dict(smooth.locals), parallel=True),
        compiled(strengths.py_func, locals=dict(strengths.locals)),
        compiled(layouts._optimize_layout_euclidean_single_epoch, fastmath=True),
    )


def _graph(distances: np.ndarray, indices: np.ndarray, n_epochs: int):
    """Weigh the links between neighbours, and drop those too weak to be drawn in any step."""
    from scipy.sparse import coo_matrix

    smooth, strengths, _ = _compiled()
    n_objects, n_neighbors = indices.shape
    with _NUMBA_THREADS:
        widths, nearest = smooth(distances, float(n_neighbors))
    rows, columns, strength, _ = strengths(indices, distances, widths, nearest)
    directed = coo_matrix((strength, (rows, columns)), shape=(n_objects, n_objects))
    directed.eliminate_zeros()
    either = directed + directed.T - directed.multiply(directed.T)
    graph = either.tocoo()
    graph.sum_duplicates()
    # For a handful of steps umap-learn counts as if there were many.
    graph.data[graph.data < graph.data.max() / (n_epochs if n_epochs > 10 else 500)] = 0
    graph.eliminate_zeros()
    return graph


def _start(graph, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Where the points begin, and what the layout's own random numbers begin with.

    Spectral, unless the graph falls into pieces that are many or tiny: umap-learn lays out up
    to four pieces one by one; more of them it would place by the data, which a graph does not
    have, and its eigensolver needs more than seven objects.
    """
    from scipy.sparse.csgraph import connected_components
    from umap.spectral import spectral_layout
    from umap.umap_ import INT32_MAX, INT32_MIN, noisy_scale_coords

    count, piece = connected_components(graph)
    if count <= 4 and np.bincount(piece).min() > 7:
        points = spectral_layout(None, graph, 2, rng, metric="precomputed")
        points = noisy_scale_coords(points, rng, max_coord=10, noise=0.0001)
    else:
        points = rng.uniform(-10, 10, (graph.shape[0], 2)).astype(np.float32)
    seeds = rng.randint(INT32_MIN, INT32_MAX, 3).astype(np.int64)
    low, high = points.min(axis=0), points.max(axis=0)
    return (10 * (points - low) / (high - low)).astype(np.float32, order="C"), seeds


def _lay_out(graph, start, min_dist: float, n_epochs: int, progress) -> np.ndarray:
    """Pull linked points together and push others apart, as ``optimize_layout_euclidean``."""
    from umap.umap_ import find_ab_params, make_epochs_per_sample

    _, _, step = _compiled()
    a, b = find_ab_params(1.0, min_dist)
    points, seeds = start[0].copy(), start[1]
    every = make_epochs_per_sample(graph.data, n_epochs)
    every_push = every / 5.0
    next_pull, next_push = every.copy(), every_push.copy()
    random = seeds + points[:, :1].astype(np.float64).view(np.int64)
    no_density = (False, *[np.zeros(1, np.float32)] * 2, 0, 0, 0, 0)
    no_density += (*[np.zeros(1, np.float32)] * 2, 0)
    rate = 1.0
    for epoch in range(n_epochs):
        step(
            *(points, points, graph.row, graph.col, len(points), every, a, b, random, 1.0, 2),
            *(True, rate, every_push, next_push, next_pull, epoch, *no_density),
        )
        rate = 1.0 - epoch / n_epochs
        if progress is not None:
            progress(epoch + 1, n_epochs)
    return points


def _raise_if(stop: threading.Event) -> None:
    if stop.is_set():
        raise InterruptedError("The grid was stopped.")


def _fingerprint(distances: np.ndarray, indices: np.ndarray, n_epochs: int) -> str:
    """What a picture depends on besides its setting, in 12 letters."""
    about = f"{n_epochs} {version('umap-learn')} {indices.shape}".encode()
    return hashlib.sha256(about + distances.tobytes() + indices.tobytes()).hexdigest()[:12]


def _write_cell(path: Path, points: np.ndarray) -> None:
    """Write all of it or nothing: a run may be killed at any time."""
    unfinished = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    with open(unfinished, "wb") as file:
        np.save(file, points)
    os.replace(unfinished, path)


def _read_cell(path: Path | None, n_objects: int) -> np.ndarray | None:
    """A finished picture; None if there is none, or it is damaged and must be made anew."""
    if path is None:
        return None
    try:
        points = np.load(path)
    except (OSError, ValueError, EOFError):
        return None
    return points if points.shape == (n_objects, 2) and np.isfinite(points).all() else None


def _check_setting(min_dist: float, n_epochs: int) -> None:
    if not (isinstance(min_dist, numbers.Real) and 0 <= min_dist <= 1):
        raise ValueError(f"min_dist={min_dist!r} is no distance: give a number from 0 to 1.")
    if not (isinstance(n_epochs, numbers.Integral) and n_epochs > 0):
        raise ValueError(f"n_epochs={n_epochs!r} is no number of steps: give 1 or more, as 300.")


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
