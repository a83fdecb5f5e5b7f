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
_TILE = 1024
"""Columns that are compared at a time: their leaves stay in the processor's cache."""
_NO_LEAF, _ALONE = 0, 1
"""Labels of leaves that cannot be shared: one that does not count, one that holds one object."""
_IN_8_BITS, _MOST_ROWS = 254, 4
"""Shared leaves that 8 bits can number, and into how many rows a tree with more is divided."""
_SAMPLE = 200
"""Rows in which an approximate search is compared with an exact one."""
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
            ``approximate`` lets pynndescent (Dong, Moses & Li 2011) propose candidates and
            measures those exactly, for 100,000 objects and more. How many of the true
            neighbours it found in a sample of rows is kept in ``recall_``. Its first call in a
            process compiles for about a minute.

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

        def keep(start, block):
            rows = slice(start, start + len(block))
            _select(block.view(np.uint32), own[rows], nearest[rows])

        self._for_blocks(keep, leaves)
        distances = (nearest >> np.uint64(32)).astype(np.uint32).view(np.float32)
        indices = (nearest & np.uint64(0xFFFFFFFF)).astype(np.int64) - 1
        indices[own >= 0, 0] = own[own >= 0]
        return distances, indices

    def _approximate_neighbors(self, n_neighbors):
        from pynndescent import NNDescent  # its import compiles: only who needs it waits

        labels = np.ascontiguousarray(_label(self.leaves_, None)[0].T)
        n_objects = len(labels)
        own = np.arange(n_objects)[:, None]
        unlike = np.where(labels > _ALONE, labels, -1 - own)  # what cannot be shared differs
        with warnings.catch_warnings():
            # It says when it finds too few neighbours of some rows. Those are mended below.
            warnings.filterwarnings("ignore", "Failed to correctly find n_neighbors")
            candidates, _ = NNDescent(
                unlike.astype(np.float32),
                metric="hamming",
                n_neighbors=min(n_objects, 2 * n_neighbors + 40),
                random_state=check_random_state(self.random_state).randint(2**31 - 1),
                n_jobs=effective_n_jobs(self.n_jobs),
            ).neighbor_graph
        candidates = np.hstack([own, np.where(candidates == own, -1, candidates)])
        distances = _measure(labels, candidates, self.leaves_.shape[1])
        order = np.lexsort((candidates, distances), axis=1)[:, :n_neighbors]
        distances = np.maximum(np.take_along_axis(distances, order, axis=1), 0)
        indices = np.take_along_axis(candidates, order, axis=1)
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

    def _for_blocks(self, keep, leaves=None, only_later=False):
        """Call ``keep(start, block)`` for some rows of the matrix at a time, in threads.

        With ``only_later`` a block begins at its own first object instead of the first of all.
        """
        columns, rows = _label(self.leaves_, leaves)
        n_trees = self.leaves_.shape[1]
        counted = n_trees - np.sum(columns == _NO_LEAF, axis=0, dtype=np.float32)

        def work(starts):
            for start in starts:
                part = np.ascontiguousarray(rows[:, start : start + _ROWS].T)
                first = start if only_later else 0
                block = np.empty((len(part), columns.shape[1] - first), dtype=np.float32)
                _compare(part, columns, counted, first, block)
                if leaves is None:
                    each = np.arange(len(part))
                    block[each, start - first + each] = 0
                keep(start, block)

        # Each thread takes the next start when it has done one.
        n_threads, starts = effective_n_jobs(self.n_jobs), iter(range(0, rows.shape[1], _ROWS))
        with ThreadPoolExecutor(n_threads) as threads:
            list(threads.map(work, [starts] * n_threads))

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
    none = np.iinfo(leaves.dtype).max
    every = leaves if new is None else np.vstack([leaves, new])
    numbers = np.full(every.T.shape, -1, dtype=np.int32)  # of the shared leaves, -1 for others
    for leaf, number in zip(every.T, numbers, strict=True):
        counts = leaf != none
        shared = np.bincount(leaf[counts]) > 1
        number[counts] = np.where(shared, np.cumsum(shared) - 1, -1)[leaf[counts]]
    most = numbers.max(axis=1) + 1
    dtype = (
        np.uint8 if most.max() <= _MOST_ROWS * _IN_8_BITS else np.min_scalar_type(most.max() + 1)
    )
    fit = np.iinfo(dtype).max - _ALONE
    labels = []
    for leaf, number, n_shared in zip(every.T, numbers, most, strict=True):
        for first in range(0, max(n_shared, 1), fit):
            here = (number >= first) & (number < first + fit)
            label = np.where(here, number - first + _ALONE + 1, _ALONE).astype(dtype)
            if first == 0:
                label[leaf == none] = _NO_LEAF
            labels.append(label)
    labels = np.array(labels)
    if new is None:
        return labels, labels
    return np.ascontiguousarray(labels[:, : len(leaves)]), labels[:, len(leaves) :]


@njit(cache=True, nogil=True)
def _count_equal(row, trees, columns, few, count):
    """Count for each column in how many of some trees it has the row's label.

    The sums are kept in 8 bits for as long as they fit, to add as many at once as to compare.
    """
    count[:] = 0
    for first in range(0, len(trees), 252):
        few[:] = 0
        last = min(first + 252, len(trees))
        for k in range(first, last - 3, 4):
            a, b, c, d = trees[k], trees[k + 1], trees[k + 2], trees[k + 3]
            label_a, label_b, label_c, label_d = row[a], row[b], row[c], row[d]
            in_a, in_b = columns[a], columns[b]
            in_c, in_d = columns[c], columns[d]
            for j in range(len(few)):
                few[j] += (
                    np.uint8(in_a[j] == label_a)
                    + np.uint8(in_b[j] == label_b)
                    + np.uint8(in_c[j] == label_c)
                    + np.uint8(in_d[j] == label_d)
                )
        for k in range(last - (last - first) % 4, last):
            label, inside = row[trees[k]], columns[trees[k]]
            for j in range(len(few)):
                few[j] += np.uint8(inside[j] == label)
        for j in range(len(few)):
            count[j] += few[j]


@njit(cache=True, nogil=True, error_model="numpy")
def _compare(rows, columns, counted, first, block):
    """Fill a block with 1 - trees with a common leaf / trees in which both leaves count.

    A row looks into each tree once: where its own leaf counts, for those in the same leaf;
    where it does not, for those whose leaf does not count either. From these follows in how
    many trees both count. ``counted`` is in how many the columns do, ``first`` is the first
    column.
    """
    n_rows, n_trees = rows.shape
    n_columns = columns.shape[1]
    trees = np.empty((n_rows, n_trees), np.int64)
    n_shared = np.zeros(n_rows, np.int64)
    n_without = np.zeros(n_rows, np.int64)
    for i in range(n_rows):
        for t in range(n_trees):
            if rows[i, t] > _ALONE:
                trees[i, n_shared[i]] = t
                n_shared[i] += 1
            elif rows[i, t] == _NO_LEAF:
                n_without[i] += 1
                trees[i, -n_without[i]] = t
    few = np.empty(_TILE, np.uint8)
    common = np.empty(_TILE, np.float32)
    neither = np.empty(_TILE, np.float32)
    for start in range(first, n_columns, _TILE):
        stop = min(start + _TILE, n_columns)
        n = stop - start
        tile = columns[:, start:stop].copy()  # in one piece, it stays in the cache
        for i in range(n_rows):
            _count_equal(rows[i], trees[i, : n_shared[i]], tile, few[:n], common[:n])
            without = trees[i, n_trees - n_without[i] :]
            _count_equal(rows[i], without, tile, few[:n], neither[:n])
            n_none, in_columns = np.float32(len(without)), counted[start:stop]
            distance = block[i, start - first : stop - first]
            for j in range(len(distance)):
                both = max(in_columns[j] - n_none + neither[j], np.float32(1))
                distance[j] = (both - common[j]) / both


@njit(cache=True, error_model="numpy")
def _measure(labels, candidates, n_trees):
    """The distance of each row to its candidates; below all others to itself, beyond to none."""
    distances = np.full(candidates.shape, np.float32(2))
    for i in range(len(candidates)):
        for k in range(candidates.shape[1]):
            j = candidates[i, k]
            common, both = 0, n_trees
            for t in range(labels.shape[1]):
                common += labels[i, t] == labels[j, t] and labels[i, t] > _ALONE
                both -= labels[i, t] == _NO_LEAF or labels[j, t] == _NO_LEAF
            if j == i:
                distances[i, k] = -1
            elif j >= 0:
                distances[i, k] = np.float32(max(both, 1) - common) / np.float32(max(both, 1))
    return distances


@njit(cache=True, nogil=True)
def _select(block, own, nearest):
    """The smallest of each row as sorted keys: the distance's bits above the index + 1.

    The bits of a float that is not negative sort as the float does. ``own`` is the index of the
    row's object among the columns, whose key is 0 to make it the first; -1 if it is not there.
    A heap keeps the nearest so far, the farthest of them on top.
    """
    n_nearest = nearest.shape[1]
    for i in range(len(block)):
        heap = nearest[i]
        heap[:] = np.iinfo(np.uint64).max
        if own[i] >= 0:
            heap[-1] = 0
        for j in range(block.shape[1]):
            if block[i, j] < heap[0] >> np.uint64(32) and j != own[i]:
                key = np.uint64(block[i, j]) << np.uint64(32) | np.uint64(j + 1)
                at, child = 0, 1
                while child < n_nearest:
                    if child + 1 < n_nearest and heap[child + 1] > heap[child]:
                        child += 1
                    if heap[child] < key:
                        break
                    heap[at] = heap[child]
                    at, child = child, 2 * child + 1
                heap[at] = key
        heap.sort()
