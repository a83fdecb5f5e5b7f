"""A distance learned from the data: the unsupervised Random Forest.

A forest is trained to tell the real table from a synthetic one that has the same columns but no
relations between them. Two objects are close when many trees put them into the same leaf: they
are real in the same way. The method is that of Shi & Horvath (2006, J. Comput. Graph. Stat. 15,
118) as used in astronomy by Baron & Poznanski (2017, MNRAS 465, 4530).
"""

import numbers
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from joblib import effective_n_jobs
from numba import njit
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from helpers.memory import free_memory

_ROWS = 32
"""Rows of the matrix that a thread makes at a time."""
_TILE = 2048
"""Columns that are compared at a time: their leaves stay in the processor's cache."""
_MOST_MEMBERS, _BEYOND = 32, 2.0
"""Of a company of distances (`_select`), and a distance that none has."""
_NO_LEAF, _ALONE = 0, 1
"""Labels of leaves that cannot be shared: one that does not count, one that holds one object."""
_IN_8_BITS, _MOST_ROWS = 253, 4
"""Shared leaves that 8 bits can number, and into how many rows a tree with more is divided."""
_SAMPLE, _MORE = 200, 10
"""Rows in which an approximate search is compared with an exact one, and how many neighbours more
than asked for it keeps on the way: 200,000 objects lose one neighbour in a thousand or fewer."""
_CONSTANT = 1e-7
"""What scikit-learn's trees take for the same value (its ``FEATURE_THRESHOLD``)."""
_FEWEST = 200
"""Rows that a tree is grown on if there are as many, however small a part was asked for."""


def draw_synthetic(X: np.ndarray, random_state=None) -> np.ndarray:
    """Draw a table with the same columns and no relation between them.

    Each feature is drawn independently, with replacement, from its own column: the marginal
    distributions stay (and so does the share of missing values), the covariances go.

    Parameters
    ----------
    X : ndarray of shape (n_objects, n_features)
    random_state : int, RandomState or None

    Returns
    -------
    ndarray of the same shape and type

    Raises
    ------
    ValueError
        If X has no rows and columns.
    """
    X = np.asarray(X)
    if X.ndim != 2 or not X.size:
        raise ValueError(f"X must be a table of rows and columns; this has the shape {X.shape}.")
    rng = check_random_state(random_state)
    return np.column_stack([rng.choice(column, column.size) for column in X.T])


class UnsupervisedForest(BaseEstimator):
    """The distance between objects by an unsupervised Random Forest.

    Parameters
    ----------
    n_estimators : int
        Trees. A distance takes at most one value more than there are trees, so few trees mean
        many ties.
    min_samples_leaf : int
    max_features : {"sqrt", "log2"}, int, float or None
    max_samples : int, float or None
        All three as in `sklearn.ensemble.RandomForestClassifier`. The course grows each tree
        on a quarter of the rows, real and synthetic, or on 200 where that would be fewer. The
        published recipe takes as many as there are (None): the same neighbours, in more than
        twice the time (``benchmarks/forest_defaults.py``).
    leaf_rule : {"both_real", "all"}
        ``both_real`` is the rule of Baron & Poznanski (2017): the trees in which both objects
        end in the same leaf and that leaf predicts "real", over the trees in which both are
        predicted real. ``all`` is that of Shi & Horvath (2006): the trees in which both end in
        the same leaf, over all trees.
    random_state : int, RandomState or None
    n_jobs : int or None
        Threads that grow the trees and compare the leaves. The result does not depend on it.

    Attributes
    ----------
    forest_ : RandomForestClassifier
        Trained on the real (class 1) and the synthetic (class 0) table.
    leaves_ : ndarray of shape (n_objects, n_estimators), unsigned integer
        The leaf of each object in each tree, numbered from 0 in each tree. Where the leaf does
        not count (it predicts "synthetic", and the rule is ``both_real``), the largest number
        of the type.
    oob_score_ : float
        How often objects are told real from synthetic by the trees that have not seen them.
        Near 0.5 the features are independent and the distance means nothing. A high value
        shows that they are related, not that there are groups.

    Notes
    -----
    A leaf with equally many real and synthetic objects predicts "synthetic".
    """

    def __init__(
        self,
        n_estimators=500,
        min_samples_leaf=1,
        max_features="sqrt",
        max_samples=0.25,
        leaf_rule="both_real",
        random_state=None,
        n_jobs=None,
    ):
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.max_samples = max_samples
        self.leaf_rule = leaf_rule
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X, y=None):
        """Train real against synthetic, and note every real object's leaves.

        Parameters
        ----------
        X : array or frame of shape (n_objects, n_features)
            NaN is allowed, infinity is not.
        y : ignored

        Returns
        -------
        self

        Warns
        -----
        UserWarning
            If real and synthetic objects can hardly be told apart: there is nothing to learn. If
            a feature is constant, or varies too little for a tree to see it.

        Raises
        ------
        ValueError
            If X is no table of at least two rows of numbers, or a parameter is not known.
        """
        if self.leaf_rule not in ("both_real", "all"):
            raise ValueError(
                f'leaf_rule={self.leaf_rule!r} is not known. Choose "both_real" or "all".'
            )
        if np.ma.isMaskedArray(X):  # scikit-learn would look behind the mask
            X = X.astype(float).filled(np.nan)
        X = validate_data(
            self, X, dtype=np.float32, ensure_all_finite="allow-nan", ensure_min_samples=2
        )
        span = np.fmax.reduce(X) - np.fmin.reduce(X)
        if np.any(span <= _CONSTANT):
            names = getattr(self, "feature_names_in_", np.arange(X.shape[1]))
            flat = ", ".join(str(name) for name in names[span <= _CONSTANT])
            warnings.warn(
                f"A tree takes what varies by less than {_CONSTANT:g} for constant, so these "
                f"features do not count: {flat}. Leave them out, or give them in another unit or "
                "as logarithms.",
                stacklevel=2,
            )
        rng = check_random_state(self.random_state)
        both = np.vstack([X, draw_synthetic(X, rng)])
        is_real = np.repeat([1, 0], len(X))
        max_samples = self.max_samples
        if isinstance(max_samples, float):
            max_samples = max(round(max_samples * len(both)), min(_FEWEST, len(both)))
        self.forest_ = RandomForestClassifier(
            n_estimators=self.n_estimators,
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features,
            max_samples=max_samples,
            random_state=rng.randint(2**31 - 1),
            n_jobs=self.n_jobs,
        ).fit(both, is_real)
        leaves = self.forest_.apply(both)
        self.oob_score_ = _out_of_bag_accuracy(self.forest_, leaves, is_real)
        if self.oob_score_ < 0.55 and len(X) >= 200:
            warnings.warn(
                f"Real and synthetic objects are told apart in {self.oob_score_:.0%} of the cases, "
                "little better than by guessing: the features are nearly independent, and the "
                "distances mean little. Choose features that are related to one another.",
                stacklevel=2,
            )
        self.leaves_ = _number_leaves(
            self.forest_, leaves[: len(X)], only_real=self.leaf_rule == "both_real"
        )
        return self

    @property
    def feature_importances_(self) -> np.ndarray:
        """How much each feature helps to tell real from synthetic, of sum 1, (n_features,)."""
        check_is_fitted(self)
        return self.forest_.feature_importances_

    def distances(self) -> np.ndarray:
        """The distance of every object to every other.

        Returns
        -------
        ndarray of shape (n_objects, n_objects), float32
            Symmetric, 0 on the diagonal; 1 for two objects without a common leaf, or without a
            tree in which both are predicted real.

        Raises
        ------
        MemoryError
            If the matrix does not fit in the memory that is free.
        """
        check_is_fitted(self)
        n_objects = len(self.leaves_)
        size, room = 4 * n_objects**2, free_memory()
        if room is not None and size > room:
            raise MemoryError(
                f"The distances between {n_objects} objects take {size / 1e9:.1f} GB, and "
                f"{room / 1e9:.1f} GB are free. kneighbors() and weirdness() do without the matrix."
            )
        matrix = np.empty((n_objects, n_objects), dtype=np.float32)

        def keep(start, block):
            stop = start + len(block)
            matrix[start:stop, start:] = block
            matrix[stop:, start:stop] = block[:, len(block) :].T

        self._for_blocks(keep, only_later=True)
        return matrix

    def kneighbors(
        self, n_neighbors: int = 25, X=None, *, method: str = "exact"
    ) -> tuple[np.ndarray, np.ndarray]:
        """The nearest objects to each object, itself the first of them.

        The matrix of all distances is never made.

        Parameters
        ----------
        n_neighbors : int
            Counting the object itself, as UMAP does.
        X : array or frame of shape (n_new, n_features), optional
            Other objects, whose neighbours among those of `fit` are looked for instead.
        method : {"exact", "approximate"}
            ``exact`` compares all pairs: its time grows with the square of their number.
            ``approximate`` lets pynndescent (Dong, Moses & Li 2011) look among the neighbours of
            neighbours, for 100,000 objects and more. How many of the true neighbours it found in
            a sample of rows is kept in ``recall_``. Its first call in a process compiles for
            about a minute.

        Returns
        -------
        distances : ndarray of shape (n_objects, n_neighbors), float32
        indices : ndarray of shape (n_objects, n_neighbors), int64
            From near to far; of objects at the same distance the lower index comes first.

        Raises
        ------
        ValueError
            If there are fewer objects than neighbours asked for, X has other features, or the
            method is unknown or cannot look for the neighbours of X.
        """
        check_is_fitted(self)
        n_objects = len(self.leaves_)
        if method not in ("exact", "approximate") or (method != "exact" and X is not None):
            raise ValueError(
                f"method={method!r} is not known, or not for other objects X. Choose "
                '"exact", or, without X, "approximate".'
            )
        if not (isinstance(n_neighbors, numbers.Integral) and 1 <= n_neighbors <= n_objects):
            raise ValueError(
                f"{n_neighbors} neighbours were asked for, but there are {n_objects} objects "
                f"(each counts as its own first neighbour). Choose a whole number, "
                f"1 to {n_objects}."
            )
        if method == "approximate":
            return self._approximate_neighbors(n_neighbors)
        if X is not None:
            X = validate_data(self, X, reset=False, dtype=np.float32, ensure_all_finite="allow-nan")
            leaves = _number_leaves(
                self.forest_, self.forest_.apply(X), only_real=self.leaf_rule == "both_real"
            )
            return self._nearest(n_neighbors, leaves, np.full(len(leaves), -1))
        return self._nearest(n_neighbors, None, np.arange(n_objects))

    def _nearest(self, n_neighbors, leaves, own):
        """``own`` is the index of each row's object among those of the forest, -1 if it is new."""
        nearest = np.empty((len(own), n_neighbors), dtype=np.uint64)
        rows, tiles, counted = self._prepare(leaves)

        def work(part):
            _search(rows(part), tiles, counted, len(self.leaves_), own[part], nearest[part])

        self._in_threads(work, len(own))
        distances = (nearest >> np.uint64(32)).astype(np.uint32).view(np.float32)
        indices = (nearest & np.uint64(0xFFFFFFFF)).astype(np.int64) - 1
        indices[own >= 0, 0] = own[own >= 0]
        return distances, indices

    def _approximate_neighbors(self, n_neighbors):
        from pynndescent import NNDescent  # its import compiles: only who needs it waits

        n_objects = len(self.leaves_)
        leaves = self.leaves_.astype(np.float32)
        leaves[self.leaves_ == np.iinfo(self.leaves_.dtype).max] = -1
        with warnings.catch_warnings():
            # It says when it finds too few neighbours of some rows. Those are mended below.
            warnings.filterwarnings("ignore", "Failed to correctly find n_neighbors")
            indices, distances = NNDescent(
                leaves,
                metric=_leaf_distance,
                n_neighbors=min(n_objects, n_neighbors + _MORE),
                random_state=check_random_state(self.random_state).randint(2**31 - 1),
                n_jobs=effective_n_jobs(self.n_jobs),
            ).neighbor_graph
        own = np.arange(n_objects)[:, None]
        indices = np.hstack([own, np.where(indices == own, -1, indices)])
        distances = np.hstack([np.full_like(own, -1.0, dtype=np.float32), distances])
        distances[indices < 0] = _BEYOND
        order = np.lexsort((indices, distances), axis=1)[:, :n_neighbors]
        distances = np.maximum(np.take_along_axis(distances, order, axis=1), 0)
        indices = np.take_along_axis(indices, order, axis=1)
        few = np.flatnonzero(np.any(indices < 0, axis=1))
        if len(few):
            distances[few], indices[few] = self._nearest(n_neighbors, self.leaves_[few], few)
        sample = np.linspace(0, n_objects - 1, min(n_objects, _SAMPLE)).astype(int)
        exact, _ = self._nearest(n_neighbors, self.leaves_[sample], sample)
        self.recall_ = float(np.mean(distances[sample] <= exact[:, -1:] + 1e-6))
        return distances, indices

    def weirdness(self) -> np.ndarray:
        """The mean distance of each object to all the others (Baron & Poznanski 2017).

        The matrix of all distances is never made.

        Returns
        -------
        ndarray of shape (n_objects,)
            Between 0 and 1. Most are near 1: it is their order that tells.
        """
        check_is_fitted(self)
        mean = np.empty(len(self.leaves_))

        def keep(start, block):
            mean[start : start + len(block)] = block.sum(axis=1, dtype=float) / (len(mean) - 1)

        self._for_blocks(keep)
        return mean

    def _for_blocks(self, keep, only_later=False):
        """Call ``keep(start, block)`` for some rows of the matrix at a time, in threads.

        With ``only_later`` a block begins at its own first object instead of the first of all.
        """
        rows, tiles, counted = self._prepare()
        size = tiles.shape[2]

        def work(part):
            first = part.start if only_later else 0  # column of the block
            labels, tile = rows(part), first // size
            block = np.empty((len(labels), (len(tiles) - tile) * size), dtype=np.float32)
            _fill(labels, tiles[tile:], counted[tile:], block)
            block = block[:, first - tile * size : len(self.leaves_) - tile * size]
            np.fill_diagonal(block[:, part.start - first :], 0)
            keep(part.start, block)

        self._in_threads(work, len(self.leaves_))

    def _prepare(self, leaves=None):
        """Labels of all objects as columns, in tiles, and of those in ``leaves`` as rows.

        Returns
        -------
        rows : callable
            From a slice of the objects to their labels, (n_rows, n_trees or more).
        tiles : ndarray of shape (n_tiles, n_trees or more, at most _TILE)
            The last tile is filled up with what nobody shares.
        counted : ndarray of shape (n_tiles, at most _TILE), float32
            In how many trees the leaf of an object counts.
        """
        columns, others = _label(self.leaves_, leaves)
        n_columns = columns.shape[1]
        n_tiles = -(-n_columns // _TILE)
        size = -(-n_columns // (64 * n_tiles)) * 64
        filled = np.pad(columns, ((0, 0), (0, n_tiles * size - n_columns)), constant_values=_ALONE)
        tiles = filled.reshape(len(columns), n_tiles, -1).swapaxes(0, 1).copy()
        counted = self.leaves_.shape[1] - np.sum(tiles == _NO_LEAF, axis=1, dtype=np.float32)
        return lambda part: others[:, part].T.copy(), tiles, counted

    def _in_threads(self, work, n_rows):
        """Call ``work`` with slices of the rows; a thread takes the next when it has done one."""
        n_threads = effective_n_jobs(self.n_jobs)
        parts = iter([slice(start, start + _ROWS) for start in range(0, n_rows, _ROWS)])
        with ThreadPoolExecutor(n_threads) as threads:
            list(threads.map(lambda parts: [work(part) for part in parts], [parts] * n_threads))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _number_leaves(forest: RandomForestClassifier, leaves: np.ndarray, only_real: bool):
    """Leaves numbered from 0 in each tree, in the smallest type that also holds "none"."""
    largest = max(tree.tree_.n_leaves for tree in forest.estimators_)
    dtype = np.uint16 if largest < np.iinfo(np.uint16).max else np.uint32
    numbered = np.empty(leaves.shape, dtype=dtype)
    for t, estimator in enumerate(forest.estimators_):
        tree = estimator.tree_
        counts = tree.children_left < 0
        if only_real:
            counts = counts & (tree.value[:, 0].argmax(axis=1) == 1)
        number = np.where(counts, np.cumsum(counts) - 1, np.iinfo(dtype).max)
        numbered[:, t] = number[leaves[:, t]]
    return numbered


def _out_of_bag_accuracy(forest: RandomForestClassifier, leaves: np.ndarray, classes: np.ndarray):
    """As scikit-learn's ``oob_score_``, over the objects that some tree has not seen."""
    votes = np.zeros((len(classes), 2))
    samples = forest.estimators_samples_
    for t, (estimator, sample) in enumerate(zip(forest.estimators_, samples, strict=True)):
        unseen = np.ones(len(classes), dtype=bool)
        unseen[sample] = False
        votes[unseen] += estimator.tree_.value[leaves[unseen, t], 0]
    judged = votes.any(axis=1)
    if not judged.any():
        return np.nan
    return float(np.mean(votes[judged].argmax(axis=1) == classes[judged]))


def _label(leaves: np.ndarray, new: np.ndarray | None):
    """Leaves as the comparison takes them: one row a tree, numbered in 8 bits where they can be.

    The leaves that hold two objects or more are numbered from 2 on, others are `_ALONE` or
    `_NO_LEAF`. A processor compares 32 numbers of 8 bits at once; a tree with more leaves than fit
    becomes several rows, and an object is `_ALONE` in all but one of them. Where that would take
    too many rows, the numbers get more bits. ``new`` are other objects, numbered together with
    those of the forest.

    Returns
    -------
    columns, rows : ndarray of shape (n_trees or more, n_objects), unsigned integer
        The labels of ``leaves`` and of ``new``; twice the same if there is no ``new``.
    """
    every = leaves if new is None else np.vstack([leaves, new])
    numbered = np.ascontiguousarray(every.T) + leaves.dtype.type(1)  # wraps around: 0 is none
    sizes = [np.bincount(leaf) for leaf in numbered]
    shared = [np.append(False, size[1:] > 1) for size in sizes]
    most = max(np.sum(leaf) for leaf in shared)
    dtype = np.uint8 if most <= _MOST_ROWS * _IN_8_BITS else np.min_scalar_type(most + 2)
    fit = np.iinfo(dtype).max - _ALONE - 1  # the largest is no leaf's: `_list_trees`
    labels = []
    for leaf, is_shared in zip(numbered, shared, strict=True):
        number = np.cumsum(is_shared) - 1
        for first in range(0, max(number[-1] + 1, 1), fit):
            here = is_shared & (number >= first) & (number < first + fit)
            label = np.where(here, number - first + _ALONE + 1, _ALONE).astype(dtype)
            label[0] = _ALONE if first else _NO_LEAF
            labels.append(label[leaf])
    labels = np.array(labels)
    if new is None:
        return labels, labels
    return np.ascontiguousarray(labels[:, : len(leaves)]), labels[:, len(leaves) :]


@njit(cache=True, nogil=True)
def _list_trees(rows):
    """List for each two rows the trees to look into, and what for.

    Returns
    -------
    trees : ndarray of shape (2, n_pairs, n_trees)
        Those in which one of the two has a leaf that can be shared; and those in which one has
        no leaf that counts.
    labels : ndarray of shape (2, n_pairs, n_trees, 2)
        There, the labels of both, or one that no column has where the tree is only the other's.
    n_listed : ndarray of shape (2, n_pairs)
        How many there are; the rest is empty.
    """
    n_rows, n_trees = rows.shape
    n_pairs, never = (n_rows + 1) // 2, np.iinfo(rows.dtype).max
    trees = np.empty((2, n_pairs, n_trees), np.int64)
    labels = np.full((2, n_pairs, n_trees, 2), never, rows.dtype)
    n_listed = np.zeros((2, n_pairs), np.int64)
    for pair in range(n_pairs):
        two = rows[2 * pair : 2 * pair + 2]
        for t in range(n_trees):
            for kind in range(2):
                n = n_listed[kind, pair]
                for i in range(len(two)):
                    if two[i, t] == _NO_LEAF if kind else two[i, t] > _ALONE:
                        trees[kind, pair, n] = t
                        labels[kind, pair, n, i] = two[i, t]
                        n_listed[kind, pair] = n + 1
    return trees, labels, n_listed


@njit(cache=True, nogil=True)
def _count_equal(trees, labels, columns, few, count):
    """Count for each column in how many of some trees it has the label of each of two rows.

    Two rows at a time, so that a column is read once for both. The sums are kept in 8 bits for
    as long as they fit, to add as many at once as to compare.
    """
    few_a, few_b = few
    count[:] = 0
    for first in range(0, len(trees), 252):
        few[:] = 0
        last = min(first + 252, len(trees))
        for k in range(first, last - 3, 4):
            (a1, b1), (a2, b2) = labels[k], labels[k + 1]
            (a3, b3), (a4, b4) = labels[k + 2], labels[k + 3]
            in_1, in_2 = columns[trees[k]], columns[trees[k + 1]]
            in_3, in_4 = columns[trees[k + 2]], columns[trees[k + 3]]
            for j in range(columns.shape[1]):
                c1, c2, c3, c4 = in_1[j], in_2[j], in_3[j], in_4[j]
                few_a[j] += (
                    np.uint8(c1 == a1)
                    + np.uint8(c2 == a2)
                    + np.uint8(c3 == a3)
                    + np.uint8(c4 == a4)
                )
                few_b[j] += (
                    np.uint8(c1 == b1)
                    + np.uint8(c2 == b2)
                    + np.uint8(c3 == b3)
                    + np.uint8(c4 == b4)
                )
        for k in range(last - (last - first) % 4, last):
            (a1, b1), in_1 = labels[k], columns[trees[k]]
            for j in range(columns.shape[1]):
                few_a[j] += np.uint8(in_1[j] == a1)
                few_b[j] += np.uint8(in_1[j] == b1)
        for i in range(2):
            for j in range(columns.shape[1]):
                count[i, j] += few[i, j]


@njit(cache=True, nogil=True, error_model="numpy")
def _compare(listed, columns, counted, start, block):
    """Fill columns of a block with 1 - trees with a common leaf / trees in which both count.

    A row looks into each tree once: where its own leaf counts, for those in the same leaf;
    where it does not, for those whose leaf does not count either. From these follows in how
    many trees both count. ``counted`` is in how many the columns do, ``start`` where they begin.
    """
    trees, labels, n_listed = listed
    n_columns = columns.shape[1]
    few = np.empty((2, n_columns), np.uint8)
    common = np.empty((2, n_columns), np.uint16)
    neither = np.empty((2, n_columns), np.uint16)
    for pair in range(trees.shape[1]):
        n, m = n_listed[:, pair]
        _count_equal(trees[0, pair, :n], labels[0, pair], columns, few, common)
        _count_equal(trees[1, pair, :m], labels[1, pair], columns, few, neither)
        for i in range(min(2, len(block) - 2 * pair)):
            n_none = np.float32(np.sum(labels[1, pair, :m, i] == _NO_LEAF))
            distance = block[2 * pair + i, start : start + n_columns]
            for j in range(n_columns):
                both = max(counted[j] - n_none + np.float32(neither[i, j]), np.float32(1))
                distance[j] = (both - np.float32(common[i, j])) / both


@njit(cache=True, nogil=True)
def _fill(rows, tiles, counted, block):
    """Fill some rows of the matrix, tile by tile."""
    size = tiles.shape[2]
    listed = _list_trees(rows)
    for tile in range(len(tiles)):
        _compare(listed, tiles[tile], counted[tile], tile * size, block)


@njit(cache=True, nogil=True)
def _search(rows, tiles, counted, n_columns, own, nearest):
    """Find the nearest of some rows, as sorted keys: the distance's bits above the index + 1.

    The bits of a float that is not negative sort as the float does. ``own`` is the index of the
    row's object among the columns, whose key is 0 to make it the first; -1 if it is not there.
    """
    size, members = tiles.shape[2], _MOST_MEMBERS
    while members > 1 and len(tiles) * size < 2 * members * nearest.shape[1]:
        members //= 2
    n_companies = size // members
    listed = _list_trees(rows)
    block = np.empty((len(rows), len(tiles) * size), np.float32)
    smallest = np.empty((len(rows), len(tiles) * n_companies), np.uint32)
    least = np.empty(size, np.uint32)
    for tile in range(len(tiles)):
        _compare(listed, tiles[tile], counted[tile], tile * size, block)
        for i in range(len(rows)):
            distance, stop = block[i], (tile + 1) * size
            if own[i] >= 0:
                distance[own[i]] = _BEYOND
            for j in range(n_columns, stop):
                distance[j] = _BEYOND
            bits = distance.view(np.uint32)
            for n in range(size):
                least[n] = bits[tile * size + n]
            width = size
            while width > n_companies:  # fold it
                width //= 2
                for n in range(width):
                    least[n] = min(least[n], least[width + n])
            for n in range(n_companies):
                smallest[i, tile * n_companies + n] = least[n]
    for i in range(len(rows)):
        heap = nearest[i]
        if own[i] >= 0:
            heap[0] = 0
            heap = heap[1:]
        _select(block[i].view(np.uint32), size, smallest[i], n_companies, heap)


@njit(cache=True, nogil=True)
def _select(bits, size, smallest, n_companies, heap):
    """Sort the smallest of a row, having looked at few of it one by one.

    Each tile of the row is divided into companies, whose smallest are found many at once. The n-th
    of these is not below the n-th smallest of the row, so that a company whose smallest is larger
    can be left out.
    """
    low, limit, n_left = np.uint32(0), np.uint32(0x40000000), len(smallest)  # bits of 0, `_BEYOND`
    while low < limit and n_left > len(heap) + 4:
        middle = np.uint32((low + limit) // 2)
        n_below = np.int32(0)
        for n in range(len(smallest)):
            n_below = np.int32(n_below + (smallest[n] <= middle))
        if n_below < len(heap):
            low = np.uint32(middle + 1)
        else:
            limit, n_left = middle, n_below
    for k in range(len(heap)):
        heap[k] = np.iinfo(np.uint64).max
    for n in range(len(smallest)):
        if smallest[n] <= limit:
            tile = n // n_companies
            first, stop = tile * size + n % n_companies, (tile + 1) * size
            for index in range(first, stop, n_companies):
                if bits[index] <= limit:
                    key = np.uint64(bits[index]) << np.uint64(32) | np.uint64(index + 1)
                    if len(heap) and key < heap[0]:
                        _sink(key, heap)
    for last in range(len(heap) - 1, 0, -1):
        key = heap[last]
        heap[last] = heap[0]
        _sink(key, heap[:last])


@njit(cache=True, nogil=True)
def _sink(key, heap):
    """Take the largest from the top of a heap, and put a key into its place."""
    at, child = 0, 1
    while child < len(heap):
        if child + 1 < len(heap) and heap[child + 1] > heap[child]:
            child += 1
        if heap[child] < key:
            break
        heap[at] = heap[child]
        at, child = child, 2 * child + 1
    heap[at] = key


@njit(cache=True, fastmath=True)
def _leaf_distance(one, other):
    """The distance between two objects by their leaves, -1 for those that do not count."""
    common, both = np.float32(0), np.float32(0)
    for t in range(len(one)):
        counts = (one[t] >= 0) & (other[t] >= 0)
        both += np.float32(counts)
        common += np.float32(counts & (one[t] == other[t]))
    both = max(both, np.float32(1))
    return (both - common) / both
