"""Pictures of any table, laid out when they are asked for: for tables that have no shipped grid.

`helpers.embedding.EmbeddingGrid` holds the pictures of the embedded table; `Pictures` offers the
same for another one.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.distances import METRICS, nearest
from helpers.embedding import FIRST, MIN_DIST, N_NEIGHBORS, align, embedding_grid
from helpers.forest import UnsupervisedForest
from helpers.null import one_gaussian, shuffle_columns

SEEDS = (0, 1, 2)


def other_forests(frame: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, int]]:
    """The names, tables and seeds of the forests beside the adopted one.

    Parameters
    ----------
    frame : DataFrame
        From `helpers.features.learning_frame`.

    Returns
    -------
    dict
        ``forest 1`` and ``forest 2``: the same table, other seeds of the forest. ``shuffled`` and
        ``gaussian``: the same seed, tables without groups (`helpers.null`). Their rows are no
        pixels, so it means nothing that their pictures are turned as near to the adopted one as
        can be; it does no harm either, since distances within a picture stay.
    """
    return {
        "forest 1": (frame, 1),
        "forest 2": (frame, 2),
        "shuffled": (shuffle_columns(frame, random_state=0), 0),
        "gaussian": (one_gaussian(frame, random_state=0), 0),
    }


def near(frame: pd.DataFrame, distance: str, n_neighbors: int, n_jobs: int | None = 2):
    """The nearest of each pixel, by the forest, by another one (`other_forests`), or by a metric.

    Parameters
    ----------
    frame : DataFrame
    distance : str
        "forest", a name of `other_forests`, or of `helpers.distances.METRICS`.
    n_neighbors : int
        Counting the pixel itself.

    Returns
    -------
    distances, indices : ndarray of shape (n_objects, n_neighbors)

    Raises
    ------
    ValueError
        If the distance is unknown or there are too few pixels.
    """
    if distance in METRICS:
        return nearest(frame, distance, n_neighbors, n_jobs=n_jobs)
    tables = {"forest": (frame, 0)} if distance == "forest" else other_forests(frame)
    if distance not in tables:
        known = ", ".join(["forest", *tables, *METRICS])
        raise ValueError(f"The distance {distance!r:.40} is not known. Choose one of: {known}.")
    table, seed = tables[distance]
    with warnings.catch_warnings():
        if distance != "forest":
            # It says that in shuffled columns there is nothing to learn, which they are for.
            warnings.filterwarnings("ignore", "Real and synthetic objects", UserWarning)
        forest = UnsupervisedForest(random_state=seed, n_jobs=n_jobs).fit(table)
    return forest.kneighbors(n_neighbors)


class Pictures:
    """The pictures of one table, as `helpers.embedding.EmbeddingGrid` has those of another.

    Parameters
    ----------
    frame : DataFrame
        From `helpers.features.learning_frame`.
    folder : str or Path, optional
        Where pictures are kept, so that each is laid out but once.

    Attributes
    ----------
    distances : tuple of str
    n_neighbors, min_dist, seeds : tuple of numbers
        What the notebooks ask for; n_neighbors as far as there are pixels.

    Raises
    ------
    ValueError
        If the table has fewer than 26 pixels.
    """

    distances = ("forest", *METRICS, "forest 1", "forest 2", "shuffled", "gaussian")
    min_dist, seeds = MIN_DIST, SEEDS

    def __init__(self, frame: pd.DataFrame, folder: str | Path | None = None):
        if len(frame) < 26:
            raise ValueError(
                f"{len(frame)} pixels have all features: too few for a picture, which looks at "
                "the 25 nearest of each. Choose fewer features, or build with --co all."
            )
        self.frame, self.folder = frame, folder
        self.n_neighbors = tuple(n for n in N_NEIGHBORS if n <= len(frame))
        self._near: dict[str, tuple] = {}
        self._points: dict[tuple, np.ndarray] = {}

    def points(
        self,
        n_neighbors: int = 25,
        min_dist: float = 0.0,
        random_state: int = 0,
        distance: str = "forest",
    ) -> np.ndarray:
        """One picture, laid out now or read from before.

        Returns
        -------
        ndarray of shape (n_objects, 2), float32
            As `helpers.embedding.embed` makes it, aligned to the adopted picture.

        Raises
        ------
        ValueError
            If the distance is unknown, or UMAP refuses the numbers.
        """
        asked = (distance, n_neighbors, min_dist, random_state)
        if asked not in self._points:
            self._points[asked] = self._lay_out(*asked)
        return self._points[asked].copy()

    def _lay_out(self, distance, n_neighbors, min_dist, random_state) -> np.ndarray:
        if distance not in self._near or self._near[distance][0].shape[1] < n_neighbors:
            many = max(n_neighbors, max(self.n_neighbors) if distance == "forest" else 25)
            self._near[distance] = near(self.frame, distance, min(many, len(self.frame)))
        folder = self.folder if self.folder is None or _writable(Path(self.folder)) else None
        setting = (n_neighbors,), (min_dist,), (random_state,)
        (made,) = embedding_grid(self._near[distance], *setting, folder=folder).values()
        if (distance, n_neighbors, min_dist, random_state) == FIRST:
            return made
        return align(made, self.points()).astype(np.float32)

    def check(self, frame: pd.DataFrame) -> None:
        """Make sure that a table is the one that the pictures show.

        Raises
        ------
        ValueError
            If it is another.
        """
        if not self.frame.equals(frame):
            raise ValueError(
                f"The pictures are of learning_frame of all chosen galaxies, {len(self.frame)} "
                f"pixels and {self.frame.shape[1]} features; for another table make one with "
                "embed()."
            )


def _writable(folder: Path) -> bool:
    above = next(path for path in (folder, *folder.parents) if path.exists())
    return os.access(above, os.W_OK)
