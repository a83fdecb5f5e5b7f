"""A picture of the neighbours: UMAP on a graph that is already known.

UMAP (McInnes, Healy & Melville 2018, arXiv 1802.03426) needs of the data only who is near whom
and how far. It takes that here from any distance: the forest's, or any of scikit-learn's.
A grid of pictures, one for each choice of the hyper-parameters, is shipped with the course.

Reading the shipped grid needs numpy alone: what takes seconds to import is imported where it is
needed.
"""

import hashlib
import io
import itertools
import json
import numbers
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np

N_NEIGHBORS = (5, 10, 25, 50, 100, 200)
MIN_DIST = (0.0, 0.1, 0.25, 0.5, 0.99)
"""The hyper-parameters of the course's grid of pictures."""


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

    from helpers import layout

    graph = layout.link(distances, indices, n_epochs)
    start = layout.place(graph, check_random_state(random_state))
    return layout.lay_out(graph, start, min_dist, n_epochs, progress)


def embedding_grid(
    neighbours: tuple[np.ndarray, np.ndarray],
    n_neighbors: Iterable[int] = N_NEIGHBORS,
    min_dist: Iterable[float] = MIN_DIST,
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
    from helpers import layout

    graphs = {n: layout.link(*known[n], n_epochs) for n in {n for _, _, n in todo}}
    starts = {
        (seed, n): layout.place(graphs[n], np.random.RandomState(seed))
        for seed, n in {(seed, n) for seed, _, n in todo}
    }
    stop = threading.Event()

    def make(cell):
        seed, distance, n = cell
        points = layout.lay_out(
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
            "The neighbours must be a pair (distances, indices), as `nearest` returns, or "
            "`kneighbors` of a forest."
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


# ------------------------------------------------------------------------- the shipped grid

GRID = Path(__file__).resolve().parent.parent / "data" / "embeddings" / "umap_grid.npz"
"""The pictures of the embedded table that are shipped; ``python course.py data --grid``."""

FIRST = ("forest", 25, 0.0, 0)
"""The adopted picture, to which all others are aligned."""
_FORMAT = 1
_STEPS = 2**16 - 1


@dataclass(frozen=True)
class EmbeddingGrid:
    """Pictures of one table, for every choice of the hyper-parameters and some other distances.

    Attributes
    ----------
    pixel_id : ndarray of shape (n_objects,), str
        The pixels of the table, in its order.
    features : tuple of str
        Its columns.
    cells : tuple
        (distance, n_neighbors, min_dist, random_state) of each picture.
    made_with : dict
        How it was made: steps, the forest's parameters, versions of the packages.
    """

    pixel_id: np.ndarray
    features: tuple[str, ...]
    cells: tuple[tuple[str, int, float, int], ...]
    made_with: dict
    _checksum: str = field(repr=False)
    _coordinates: np.ndarray = field(repr=False)
    _low: np.ndarray = field(repr=False)
    _high: np.ndarray = field(repr=False)

    @property
    def distances(self) -> tuple[str, ...]:
        """The distances there are; those besides "forest" at the adopted setting alone."""
        return tuple(dict.fromkeys(cell[0] for cell in self.cells))

    @property
    def n_neighbors(self) -> tuple[int, ...]:
        """The numbers of neighbours there are."""
        return tuple(sorted({cell[1] for cell in self.cells}))

    @property
    def min_dist(self) -> tuple[float, ...]:
        """The smallest distances there are."""
        return tuple(sorted({cell[2] for cell in self.cells}))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The random states there are."""
        return tuple(sorted({cell[3] for cell in self.cells}))

    def points(
        self,
        n_neighbors: int = 25,
        min_dist: float = 0.0,
        random_state: int = 0,
        distance: str = "forest",
    ) -> np.ndarray:
        """One picture.

        Returns
        -------
        ndarray of shape (n_objects, 2), float32
            As `embed` makes it, then aligned to the adopted picture by `align` and rounded to
            1/65535 of its width and height.

        Raises
        ------
        ValueError
            If the picture is not among those shipped.
        """
        cell = (distance, n_neighbors, min_dist, random_state)
        if cell not in self.cells:
            others = [name for name in self.distances if name != "forest"]
            raise ValueError(
                f"There is no picture of distance={distance!r}, n_neighbors={n_neighbors!r}, "
                f'min_dist={min_dist!r}, random_state={random_state!r}. For "forest" there are '
                f"n_neighbors {_list(self.n_neighbors)}, min_dist {_list(self.min_dist)} and "
                f"random_state {_list(self.seeds)}; for {_list(others)} n_neighbors 25 with "
                "min_dist 0.0. Any other is made by embed()."
            )
        at = self.cells.index(cell)
        low, high = self._low[at], self._high[at]
        points = low + (high - low) / _STEPS * self._coordinates[at]
        return np.ascontiguousarray(points.T, dtype=np.float32)

    def check(self, frame) -> None:
        """Make sure that a table is the one that the pictures show.

        Parameters
        ----------
        frame : pandas.DataFrame
            From `helpers.features.learning_frame`.

        Raises
        ------
        ValueError
            If it has other pixels, columns or values, or another order.
        """
        way_on = (
            "The shipped pictures belong to learning_frame of all three embedded galaxies; for "
            "any other table make one with embed()."
        )
        try:
            pixels, features = np.asarray(frame.index, dtype=str), tuple(map(str, frame.columns))
        except AttributeError:
            raise ValueError(
                f"Only a table with pixel ids can be checked, not a {type(frame).__name__}: "
                "give the one that learning_frame returns."
            ) from None
        if features != self.features:
            odd = sorted({*features} ^ {*self.features}) or "their order"
            raise ValueError(f"The table's features differ in {_list(odd)}. {way_on}")
        if len(pixels) != len(self.pixel_id):
            raise ValueError(
                f"The table has {len(pixels)} pixels, the pictures {len(self.pixel_id)}. {way_on}"
            )
        if np.any(pixels != self.pixel_id):
            at = int(np.argmax(pixels != self.pixel_id))
            raise ValueError(
                f"Row {at} of the table is pixel {pixels[at]}, in the pictures it is "
                f"{self.pixel_id[at]}. {way_on}"
            )
        if _table_checksum(frame) != self._checksum:
            raise ValueError(f"The table has the same pixels, but other values. {way_on}")


def read_grid(path: str | Path = GRID) -> EmbeddingGrid:
    """Read the shipped pictures; umap-learn is not imported.

    Parameters
    ----------
    path : str or Path
        Such a file.

    Returns
    -------
    EmbeddingGrid

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, no such file, or of another version of the course.
    """
    mend = "download or clone the course again, or run 'python course.py data --grid'"
    try:
        with np.load(io.BytesIO(Path(path).read_bytes())) as file:
            about = json.loads(str(file["about"]))
            written = about["format"]
            if written == _FORMAT:
                cells = tuple(tuple(cell) for cell in about["cells"])
                pixels = file["pixel_id"].astype(str)
                coordinates = 256 * file["coarse"].astype(np.uint16) + file["fine"]
                grid = EmbeddingGrid(
                    *(pixels, tuple(about["features"]), cells, about["made_with"]),
                    *(about["table"], coordinates, file["low"], file["high"]),
                )
                shape = (len(cells), 2, len(pixels))
                if coordinates.shape != shape or grid._low.shape != (*shape[:2], 1):
                    raise ValueError("its parts do not fit together")
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing: {mend}.") from None
    except Exception as error:  # a damaged file provokes any error
        raise ValueError(
            f"{path} is damaged, or no file of embeddings ({error!s:.80}): {mend}."
        ) from None
    if written != _FORMAT:
        raise ValueError(
            f"{path} is of version {written}, and this course reads version {_FORMAT}: {mend}."
        )
    return grid


def write_grid(path: str | Path, frame, pictures: dict, made_with: dict) -> None:
    """Align pictures to the adopted one, round them to 16 bits, and write them into one file.

    The same pictures give the same bytes, and the file appears only once it is whole.

    Parameters
    ----------
    path : str or Path
    frame : pandas.DataFrame
        The table that the pictures show.
    pictures : dict
        From (distance, n_neighbors, min_dist, random_state) to a picture of shape
        (n_objects, 2); the adopted one is among them.
    made_with : dict
        What else is worth knowing, as numbers and words.
    """
    aligned = np.stack([align(points, pictures[FIRST]).T for points in pictures.values()])
    low, high = (find(aligned, axis=2, keepdims=True) for find in (np.min, np.max))
    wide = np.where(high > low, high - low, 1)
    coordinates = np.rint((aligned - low) / wide * _STEPS).astype(np.uint16)
    about = {
        "format": _FORMAT,
        "table": _table_checksum(frame),
        "features": list(map(str, frame.columns)),
        "cells": list(pictures),
        "made_with": made_with,
    }
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    with open(unfinished, "wb") as file:
        # The upper and the lower bytes apart: so they are squeezed to fewer.
        np.savez_compressed(
            file,
            about=json.dumps(about),
            pixel_id=np.asarray(frame.index, dtype="S"),
            coarse=(coordinates >> 8).astype(np.uint8),
            fine=(coordinates & 255).astype(np.uint8),
            low=low,
            high=high,
        )
    os.replace(unfinished, path)


def _table_checksum(frame) -> str:
    """Of pixels, columns and values, these to six decimals: processors differ in the last."""
    words = "\n".join([*map(str, frame.index), *map(str, frame.columns)])
    values = np.round(np.asarray(frame, dtype="<f8"), 6) + 0.0
    return hashlib.sha256(words.encode() + values.tobytes()).hexdigest()


def _list(values) -> str:
    return values if isinstance(values, str) else ", ".join(map(str, values))
