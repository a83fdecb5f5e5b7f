"""The distances that need no forest, under the names the course uses for them.

They are there to be compared with the forest's: each finds neighbours in the same form as
`UnsupervisedForest.kneighbors`, by scikit-learn.
"""

import numbers

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler, normalize

METRICS = {
    "euclidean": ("euclidean", False),
    "standardised": ("euclidean", True),
    "manhattan": ("manhattan", True),
    "cosine": ("cosine", True),
    "correlation": ("correlation", True),
}
"""scikit-learn's metric of each, and whether each feature is first given mean 0 and variance 1."""


def nearest(X, distance: str = "standardised", n_neighbors: int = 25, n_jobs: int | None = None):
    """The nearest objects to each object, itself the first of them.

    Parameters
    ----------
    X : array or frame of shape (n_objects, n_features)
    distance : str
        A name from `METRICS`.
    n_neighbors : int
        Counting the object itself, as `UnsupervisedForest.kneighbors` and UMAP do.
    n_jobs : int or None
        Threads. The result does not depend on it.

    Returns
    -------
    distances : ndarray of shape (n_objects, n_neighbors), float32
    indices : ndarray of shape (n_objects, n_neighbors), int64
        From near to far.

    Raises
    ------
    ValueError
        If the distance is unknown, there are fewer objects than neighbours asked for, or a
        value is NaN or infinite.
    """
    if not isinstance(distance, str) or distance not in METRICS:
        raise ValueError(
            f"The distance {distance!r:.40} is not known. Choose one of: {', '.join(METRICS)}."
        )
    n_objects = len(X)
    if not (isinstance(n_neighbors, numbers.Integral) and 2 <= n_neighbors <= n_objects):
        raise ValueError(
            f"{n_neighbors} neighbours were asked for, but there are {n_objects} objects (each "
            f"counts as its own first neighbour). Choose a whole number, 2 to {n_objects}."
        )
    metric, standardise = METRICS[distance]
    points = StandardScaler().fit_transform(X) if standardise else np.asarray(X, dtype=float)
    # Of two vectors of length 1, 1 - cosine is half the square of the straight line, which
    # scikit-learn finds fastest. Correlation is the cosine of what is left without the mean.
    angle = metric in ("cosine", "correlation")
    if angle:
        middle = points.mean(axis=1, keepdims=True) if metric == "correlation" else 0
        points, metric = normalize(points - middle), "euclidean"
    # A tree of the points, scikit-learn's own choice, is slower than comparing all pairs in a
    # table like the course's, 14 standardised features. Pictures of two columns come as they are.
    algorithm = "brute" if standardise else "auto"
    search = NearestNeighbors(
        n_neighbors=n_neighbors - 1, algorithm=algorithm, metric=metric, n_jobs=n_jobs
    )
    # Without an argument, scikit-learn leaves each object out of its own neighbours.
    distances, indices = search.fit(points).kneighbors()
    if angle:
        distances = distances**2 / 2
    distances = np.column_stack([np.zeros(n_objects), distances])
    return distances.astype(np.float32), np.column_stack([np.arange(n_objects), indices])
