"""Groups: scikit-learn's clustering methods under one name each, on points or on neighbours."""

import numbers
import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, identity
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import DBSCAN, HDBSCAN, AgglomerativeClustering, KMeans, SpectralClustering
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import kneighbors_graph, sort_graph_by_row_values

from helpers.embedding import _checked
from helpers.linkage import average_linkage, link


def _links(points: np.ndarray) -> csr_matrix:
    """Who may be joined with whom: without it, all pairs would be kept in memory.

    With 10 neighbours each, the groups of the course's picture are those of 25, in half the time.
    """
    return kneighbors_graph(points, min(10, len(points) - 1))


class Method(NamedTuple):
    """A way to form groups: what it is in scikit-learn, and what it takes for granted."""

    kind: type
    defaults: dict
    assumes: str
    number: str
    leaves_out: bool
    on_neighbours: bool


METHODS = {
    "kmeans": Method(
        KMeans,
        {"n_clusters": 6, "n_init": 10, "random_state": 0},
        "round groups of about equal width: each object belongs to the nearest centre",
        "asked for",
        leaves_out=False,
        on_neighbours=False,
    ),
    "gaussian_mixture": Method(
        GaussianMixture,
        {"n_components": 6, "n_init": 5, "random_state": 0},
        "each group is a Gaussian ellipsoid, of any shape, size and weight",
        "asked for",
        leaves_out=False,
        on_neighbours=False,
    ),
    "agglomerative": Method(
        AgglomerativeClustering,
        {"n_clusters": 6, "connectivity": _links},
        "groups are made of smaller ones: the two most alike are joined, again and again",
        "asked for",
        leaves_out=False,
        on_neighbours=True,
    ),
    "dbscan": Method(
        DBSCAN,
        {"eps": 0.3, "min_samples": 10},
        "groups of any shape are denser than one limit, the same everywhere",
        "found",
        leaves_out=True,
        on_neighbours=True,
    ),
    "hdbscan": Method(
        HDBSCAN,
        {"min_cluster_size": 50, "copy": True},
        "groups of any shape and density have emptier space around them",
        "found",
        leaves_out=True,
        on_neighbours=True,
    ),
    "spectral": Method(
        SpectralClustering,
        {
            "n_clusters": 6,
            "affinity": "nearest_neighbors",
            "n_neighbors": 25,
            "assign_labels": "cluster_qr",
            "random_state": 0,
        },
        "few links of the graph of neighbours lead from one group to another; like sizes",
        "asked for",
        leaves_out=False,
        on_neighbours=True,
    ),
}
"""Each method with the parameters the course starts from. HDBSCAN would overwrite a distance
matrix that it is given; hence its copy."""


def describe() -> pd.DataFrame:
    """What each method assumes, one a row, as a table to print."""
    return pd.DataFrame(
        {
            name: {
                "assumes": method.assumes,
                "number of groups": method.number,
                "leaves objects out": "yes" if method.leaves_out else "no",
                "works on neighbours": "yes" if method.on_neighbours else "no",
            }
            for name, method in METHODS.items()
        }
    ).T


def cluster(points, method: str = "hdbscan", *, ids=None, **parameters) -> np.ndarray:
    """Group objects.

    Parameters
    ----------
    points : array or frame of shape (n_objects, n_features), or pair of arrays
        An embedding or a table; a matrix of distances with ``metric="precomputed"``; or the
        neighbours of each object, distances and indices as `UnsupervisedForest.kneighbors`
        returns them, for the methods that work on those (`describe`). The matrix of all
        distances is never made from them.
    method : str
        A name from `METHODS`.
    ids : sequence of length n_objects, optional
        Names of the objects, such as ``pixel_id``; a frame brings its index. The objects are
        put in their order first, so that the answer does not hang on that of the rows. Points
        without names are put in the order of their values; neighbours without, are left.
    **parameters
        Those of the method's class in scikit-learn, in place of the ones in `METHODS`.

    Returns
    -------
    ndarray of shape (n_objects,), int
        The group of each object, from 0, largest group first; -1 for none (only ``dbscan`` and
        ``hdbscan`` leave objects out). The numbers are names: they carry no order in the data,
        and `comparison.match_labels` gives the groups of another run the same ones.

    Raises
    ------
    ValueError
        If the method is unknown, does not know a parameter, or cannot work on neighbours; if the
        points are not finite, a feature is constant, or fewer objects differ than groups are
        asked for; or if the graph of neighbours falls into pieces that the method would have to
        join, about which the graph says nothing. (Pieces that become groups are in order.)

    Notes
    -----
    On neighbours, two objects are linked if either is among the neighbours of the other.
    ``dbscan`` counts those links that are shorter than ``eps``. ``hdbscan`` needs at least
    ``min_samples`` neighbours of each object and a graph in one piece. ``spectral`` cuts
    the graph where few links are lost, whatever their length. ``agglomerative`` joins the two
    groups with the largest mean likeness of their pairs (average linkage), where a pair that is
    not linked is not alike at all; likeness falls from 1 at the distance 0 to 0 at the distance
    1, or at the longest link if that is longer. On points, ``agglomerative`` is Ward's, among
    groups that are linked by 10 nearest neighbours.
    """
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(
            f"The method {method!r:.40} is not known. Choose one of: {', '.join(METHODS)}."
        )
    known = METHODS[method].kind().get_params()
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise ValueError(
            f"{method} has no parameter {', '.join(unknown)}. It has: {', '.join(known)}."
        )
    chosen = {**METHODS[method].defaults, **parameters}
    if isinstance(points, pd.DataFrame) and ids is None:
        ids = points.index
    if isinstance(points, tuple):
        if not METHODS[method].on_neighbours:
            able = ", ".join(name for name, other in METHODS.items() if other.on_neighbours)
            raise ValueError(
                f"{method} needs points, and neighbours were given. Give it an embedding, or "
                f"choose one of: {able}."
            )
        distances, indices = _checked(points, np.shape(points[0])[-1])
        _check_enough(chosen, len(indices))
        order = np.arange(len(indices)) if ids is None else _order(ids, len(indices))
        new = np.argsort(order)
        labels = _group_graph(link(distances[order], new[indices[order]]), method, chosen)
    else:
        points = check_table(points)
        _check_enough(chosen, len(points))
        if "precomputed" in (chosen.get("metric"), chosen.get("affinity")):
            if "connectivity" not in parameters:
                chosen.pop("connectivity", None)  # its links would be those of points
            order = np.arange(len(points)) if ids is None else _order(ids, len(points))
            points = points if ids is None else points[np.ix_(order, order)]
        else:
            _check_spread(points, chosen)
            # The last key counts most; equal rows may stand in any order.
            order = np.lexsort(points.T) if ids is None else _order(ids, len(points))
            points = points[order]
        labels = _fit(METHODS[method].kind(**chosen), points)
    restored = np.empty(len(order), dtype=int)
    restored[order] = _largest_first(labels)
    return restored


# ------------------------------------------------------------------------- fitting


def _fit(model, X) -> np.ndarray:
    with warnings.catch_warnings():
        # Pieces of a graph are no fault as long as none has to be joined to another.
        warnings.filterwarnings("ignore", "Graph is not fully connected", UserWarning)
        # Ward's method joins the nearest pieces of its graph, which is what it is for.
        warnings.filterwarnings("ignore", "the number of connected components", UserWarning)
        labels = model.fit_predict(X)
    if isinstance(model, SpectralClustering):
        _check_pieces(model.affinity_matrix_, model.n_clusters, model.n_neighbors)
    return labels


def _group_graph(graph: csr_matrix, method: str, chosen: dict) -> np.ndarray:
    """Group objects by the distances of those that are linked."""
    kind, fewest = METHODS[method].kind, int(np.diff(graph.indptr).min())
    if method == "agglomerative":
        own = set(chosen) - {"n_clusters", "connectivity"}
        if own:
            raise ValueError(
                f"On neighbours, agglomerative takes n_clusters alone, not {', '.join(own)}."
            )
        _check_pieces(graph, chosen["n_clusters"])
        return average_linkage(graph, chosen["n_clusters"])
    if method == "dbscan":
        nearest_first = sort_graph_by_row_values(graph, warn_when_not_sorted=False)
        return _fit(kind(**{**chosen, "metric": "precomputed"}), nearest_first)
    if method == "hdbscan":
        needed = chosen.get("min_samples") or chosen["min_cluster_size"]
        if needed > fewest + 1:
            raise ValueError(
                f"hdbscan looks at {needed} neighbours of each object (min_samples, or else "
                f"min_cluster_size; the object itself counts), and {fewest + 1} are known of "
                f"some: ask kneighbors for {needed}, or lower min_samples."
            )
        _check_pieces(graph, 1)
        with_own = graph + 1e-12 * identity(graph.shape[0])  # 0 would not be stored
        return _fit(kind(**{**chosen, "metric": "precomputed", "copy": True}), with_own.tocsr())
    _check_pieces(graph, chosen["n_clusters"])
    linked = csr_matrix((np.ones(graph.nnz), graph.indices, graph.indptr), graph.shape)
    # The forest's graph is cut in the same places, twenty times faster than by ARPACK.
    return _fit(kind(**{"eigen_solver": "lobpcg", **chosen, "affinity": "precomputed"}), linked)


def _largest_first(labels: np.ndarray) -> np.ndarray:
    """Number groups by their size, so that the same groups get the same numbers and colours."""
    names, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    number = {name: i for i, name in enumerate(name for name in names[order] if name >= 0)}
    return np.array([number.get(label, -1) for label in labels], dtype=int)


# ------------------------------------------------------------------------- checks


def check_table(points) -> np.ndarray:
    """Rows of numbers that can be squared, as an array; a ValueError says what else they are."""
    if np.ma.isMaskedArray(points):
        points = points.astype(float).filled(np.nan)
    points = np.asarray(points)
    if points.ndim != 2 or not points.size or points.dtype.kind not in "fiu":
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
    if max(abs(float(points.min())), abs(float(points.max()))) > 1e100:  # HDBSCAN would never end
        raise ValueError(
            f"The points go from {points.min():.3g} to {points.max():.3g}, and the squares of such "
            "numbers are infinite for the computer. Take other units, or a logarithm."
        )
    return points


def _order(ids, n_objects: int) -> np.ndarray:
    """The rows in the order of their names."""
    ids = np.asarray(ids)
    if ids.shape != (n_objects,) or len(np.unique(ids)) < n_objects:
        raise ValueError(
            f"The {n_objects} objects need {n_objects} different names, one each; ids holds "
            f"{ids.size}, {len(np.unique(ids))} of them different."
        )
    return np.argsort(ids)


def _check_enough(chosen: dict, n_objects: int) -> None:
    for name in ("n_clusters", "n_components", "min_cluster_size", "min_samples", "n_neighbors"):
        value = chosen.get(name)
        if isinstance(value, numbers.Real) and value > n_objects:
            raise ValueError(
                f"{name}={value}, but there are only {n_objects} objects: choose a smaller number."
            )


def _check_spread(points: np.ndarray, chosen: dict) -> None:
    constant = np.flatnonzero(np.ptp(points, axis=0) == 0)
    if len(points) > 1 and len(constant):
        raise ValueError(
            f"Column {', '.join(map(str, constant))} (counted from 0) has the same value in all "
            f"{len(points)} rows: it cannot tell objects apart. Leave it out."
        )
    wanted = chosen.get("n_clusters") or chosen.get("n_components") or 1
    different = len(np.unique(points, axis=0))
    if isinstance(wanted, numbers.Real) and wanted > different:
        raise ValueError(
            f"{wanted} groups were asked for, but only {different} of the {len(points)} rows "
            "differ: the rest are copies. Ask for fewer groups, or look where the copies come from."
        )


def _check_pieces(graph: csr_matrix, n_clusters: int, n_neighbors: int | None = None) -> None:
    pieces, _ = connected_components(graph)
    if pieces > n_clusters:
        more = (
            f"raise n_neighbors (now {n_neighbors})" if n_neighbors else "ask for more neighbours"
        )
        other = "n_clusters" if n_clusters > 1 else "choose dbscan"
        raise ValueError(
            f"The graph of neighbours falls into {pieces} pieces, more than the "
            f"{n_clusters} groups asked for, and it does not say which pieces belong "
            f"together: {more} or {other}."
        )
