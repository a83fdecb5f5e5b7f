"""Groups: scikit-learn's clustering methods under one name each."""

import warnings

import numpy as np
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import DBSCAN, HDBSCAN, AgglomerativeClustering, KMeans, SpectralClustering
from sklearn.mixture import GaussianMixture

METHODS = {
    "kmeans": (KMeans, {"n_clusters": 6, "random_state": 0}),
    "gaussian_mixture": (GaussianMixture, {"n_components": 6, "random_state": 0}),
    "agglomerative": (AgglomerativeClustering, {"n_clusters": 6}),
    "dbscan": (DBSCAN, {"eps": 0.3, "min_samples": 10}),
    "hdbscan": (HDBSCAN, {"min_cluster_size": 50, "copy": True}),
    "spectral": (
        SpectralClustering,
        {"n_clusters": 6, "affinity": "nearest_neighbors", "random_state": 0},
    ),
}
"""Each method's class and the parameters the course starts from. HDBSCAN would overwrite a
distance matrix that it is given; hence its copy."""


def cluster(points: np.ndarray, method: str = "hdbscan", **parameters) -> np.ndarray:
    """Group points.

    Parameters
    ----------
    points : array of shape (n_objects, n_features)
        An embedding or a table; a matrix of distances with ``metric="precomputed"``.
    method : str
        A name from `METHODS`.
    **parameters
        Those of the method's class in scikit-learn, in place of the ones in `METHODS`.

    Returns
    -------
    ndarray of shape (n_objects,), int
        The group of each object, from 0, largest group first; -1 for none (only ``dbscan`` and
        ``hdbscan`` leave objects out). The numbers are names: they carry no order in the data.

    Raises
    ------
    ValueError
        If the method is unknown or does not know a parameter, if the points are not finite, or if
        ``spectral`` has to join pieces of its graph of neighbours, about which the graph says
        nothing. (Fewer pieces than groups are in order: each piece is a group, or several.)
    """
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(
            f"The method {method!r:.40} is not known. Choose one of: {', '.join(METHODS)}."
        )
    if np.ma.isMaskedArray(points):
        points = points.astype(float).filled(np.nan)
    points = np.asarray(points)
    if points.ndim != 2 or not len(points) or points.dtype.kind not in "fiu":
        raise ValueError(
            "Points must be rows of a table of numbers; these have the shape "
            f"{points.shape} and the type {points.dtype}."
        )
    if not np.all(np.isfinite(points)):
        rows = int(np.sum(~np.isfinite(points).all(axis=1)))
        raise ValueError(
            f"{rows} of {len(points)} points are not finite (NaN or infinite). Leave them out, "
            'as learning_frame(..., missing="drop") does.'
        )
    kind, defaults = METHODS[method]
    known = kind().get_params()
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise ValueError(
            f"{method} has no parameter {', '.join(unknown)}. It has: {', '.join(known)}."
        )
    model = kind(**{**defaults, **parameters})
    with warnings.catch_warnings():
        # Pieces of a graph are no fault as long as none has to be joined to another.
        warnings.filterwarnings("ignore", "Graph is not fully connected", UserWarning)
        labels = model.fit_predict(points)
    if method == "spectral":
        pieces, _ = connected_components(model.affinity_matrix_)
        if pieces > model.n_clusters:
            raise ValueError(
                f"The graph of neighbours falls into {pieces} pieces, more than the "
                f"{model.n_clusters} groups asked for, and it does not say which pieces belong "
                f"together: raise n_neighbors (now {model.n_neighbors}) or n_clusters."
            )
    return _largest_first(labels)


def _largest_first(labels: np.ndarray) -> np.ndarray:
    """Number groups by their size, so that the same groups get the same numbers and colours."""
    names, sizes = np.unique(labels[labels >= 0], return_counts=True)
    number = {name: i for i, name in enumerate(names[np.argsort(-sizes, kind="stable")])}
    return np.array([number.get(label, -1) for label in labels])
