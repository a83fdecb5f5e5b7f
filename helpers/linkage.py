"""A graph of neighbours, and groups made by joining the most alike in it.

What `clusters` needs to group objects by their distances without the matrix of all of them.
"""

import heapq

import numpy as np
from scipy.sparse import csr_matrix


def link(distances: np.ndarray, indices: np.ndarray) -> csr_matrix:
    """Link each object to its neighbours, and to those whose neighbour it is.

    Parameters
    ----------
    distances, indices : ndarray of shape (n_objects, n_neighbors)
        As `UnsupervisedForest.kneighbors` returns them, each object first among its own.

    Returns
    -------
    csr_matrix of shape (n_objects, n_objects)
        The distances of linked objects, symmetric (should the two directions differ by
        rounding, the smaller), none of them exactly 0.
    """
    n_objects, width = indices.shape
    row, column = np.repeat(np.arange(n_objects), width - 1), indices[:, 1:].ravel()
    length = distances[:, 1:].ravel().astype(float)
    length = np.maximum(length, 1e-9 * max(1, length.max()))  # 0 would be no link
    key = np.concatenate([row * n_objects + column, column * n_objects + row])
    length = np.tile(length, 2)
    order = np.lexsort((length, key))
    key, first = np.unique(key[order], return_index=True)
    place = key // n_objects, key % n_objects
    return csr_matrix((length[order][first], place), (n_objects, n_objects))


def average_linkage(graph: csr_matrix, n_clusters: int) -> np.ndarray:
    """Join the two groups whose pairs are most alike on average, until few groups are left.

    scikit-learn's average linkage needs all distances; on a graph it averages over the links
    alone and makes one giant group of the course's table. Here a pair without a link counts,
    as not alike at all (likeness 0). Sokal & Michener 1958, Univ. Kansas Sci. Bull. 38, 1409.

    Parameters
    ----------
    graph : csr_matrix of shape (n_objects, n_objects)
        Distances of linked objects, symmetric (`link`), in at most ``n_clusters`` pieces.
    n_clusters : int

    Returns
    -------
    ndarray of shape (n_objects,), int
    """
    # A joined group gets a new number. The heap holds one partner of each group: its best when
    # that was looked for. Joining others makes no pair better than its better half was, so the
    # first of the heap is the best of all, or its partner is gone and another is looked for.
    n_objects, links = graph.shape[0], graph.tocoo()
    alike = 1 - links.data / max(1, links.data.max())
    likeness = [{} for _ in range(n_objects)]
    for a, b, value in zip(links.row.tolist(), links.col.tolist(), alike.tolist(), strict=True):
        likeness[a][b] = value
    size, parent = [1] * n_objects, list(range(n_objects))

    def entry(a):
        value, b = min((-value / size[b], b) for b, value in likeness[a].items())
        return value / size[a], a, b

    heap = [entry(a) for a in range(n_objects) if likeness[a]]
    heapq.heapify(heap)
    while len(size) < 2 * n_objects - n_clusters:
        _, a, b = heapq.heappop(heap)
        if likeness[a] is None:
            continue
        if likeness[b] is None:
            heapq.heappush(heap, entry(a))
            continue
        new, joined, fewer = len(size), likeness[a], likeness[b]
        if len(joined) < len(fewer):
            joined, fewer = fewer, joined
        for c, value in fewer.items():
            joined[c] = joined.get(c, 0) + value
        del joined[a], joined[b]
        likeness[a] = likeness[b] = None
        parent[a] = parent[b] = new
        likeness.append(joined)
        parent.append(new)
        size.append(size[a] + size[b])
        for c, value in joined.items():
            likeness[c].pop(a, None)
            likeness[c].pop(b, None)
            likeness[c][new] = value
        if joined:
            heapq.heappush(heap, entry(new))
    for group in reversed(range(len(parent))):  # the whole of a group has a larger number
        parent[group] = parent[parent[group]]
    return np.unique(parent[:n_objects], return_inverse=True)[1]
