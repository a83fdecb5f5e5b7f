"""A distance learned from the data: the unsupervised Random Forest.

A forest is trained to tell the real table from a synthetic one that has the same columns but no
relations between them. Two objects are close when many trees put them into the same leaf: they
are real in the same way. The method is that of Shi & Horvath (2006, J. Comput. Graph. Stat. 15,
118) as used in astronomy by Baron & Poznanski (2017, MNRAS 465, 4530).
"""

import numbers
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
_TILE = 256
"""Columns that are compared at a time: their leaves stay in the processor's cache."""
_AT_ONCE = 3
"""Binary digits that are compared at a time."""


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
        All three as in `sklearn.ensemble.RandomForestClassifier`; None draws as many rows for
        each tree as there are, real and synthetic together.
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
        max_samples=None,
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
        rng = check_random_state(self.random_state)
        both = np.vstack([X, draw_synthetic(X, rng)])
        is_real = np.repeat([1, 0], len(X))
        self.forest_ = RandomForestClassifier(
            n_estimators=self.n_estimators,
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features,
            max_samples=self.max_samples,
            random_state=rng.randint(2**31 - 1),
            n_jobs=self.n_jobs,
        ).fit(both, is_real)
        leaves = self.forest_.apply(both)
        self.oob_score_ = _out_of_bag_accuracy(self.forest_, leaves, is_real)
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
            matrix[start : start + len(block)] = block

        self._for_blocks(keep)
        return matrix

    def kneighbors(self, n_neighbors: int = 25, X=None) -> tuple[np.ndarray, np.ndarray]:
        """The nearest objects to each object, itself the first of them.

        The matrix of all distances is never made.

        Parameters
        ----------
        n_neighbors : int
            Counting the object itself, as UMAP does.
        X : array or frame of shape (n_new, n_features), optional
            Other objects, whose neighbours among those of `fit` are looked for instead.

        Returns
        -------
        distances : ndarray of shape (n_objects, n_neighbors), float32
        indices : ndarray of shape (n_objects, n_neighbors), int64
            From near to far; of objects at the same distance the lower index comes first.

        Raises
        ------
        ValueError
            If there are fewer objects than neighbours asked for, or X has other features.
        """
        check_is_fitted(self)
        n_objects = len(self.leaves_)
        if not (isinstance(n_neighbors, numbers.Integral) and 1 <= n_neighbors <= n_objects):
            raise ValueError(
                f"{n_neighbors} neighbours were asked for, but there are {n_objects} objects "
                f"(each counts as its own first neighbour). Choose a whole number, "
                f"1 to {n_objects}."
            )
        leaves = None
        if X is not None:
            X = validate_data(self, X, reset=False, dtype=np.float32, ensure_all_finite="allow-nan")
            leaves = _number_leaves(
                self.forest_, self.forest_.apply(X), only_real=self.leaf_rule == "both_real"
            )
        rows = self.leaves_ if leaves is None else leaves
        nearest = np.empty((len(rows), n_neighbors), dtype=np.uint64)

        def keep(start, block):
            own = start if leaves is None else -1
            _select(block.view(np.uint32), own, nearest[start : start + len(block)])

        self._for_blocks(keep, leaves)
        distances = (nearest >> np.uint64(32)).astype(np.uint32).view(np.float32)
        indices = (nearest & np.uint64(0xFFFFFFFF)).astype(np.int64) - 1
        if leaves is None:
            indices[:, 0] = np.arange(n_objects)
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

    def _for_blocks(self, keep, leaves=None):
        """Call ``keep(start, block)`` for some rows of the matrix at a time, in threads."""
        tables = [self.leaves_] if leaves is None else [self.leaves_, leaves]
        none = np.iinfo(self.leaves_.dtype).max
        largest = max(int(table.max(where=table != none, initial=0)) for table in tables)
        planes = [_bit_planes(table, largest.bit_length()) for table in tables]
        columns, rows = planes[0], planes[-1]

        def work(starts):
            block = np.empty((_ROWS, columns.shape[2]), dtype=np.float32)
            for start in starts:
                part = np.ascontiguousarray(rows[:, :, start : start + _ROWS])
                block = block[: part.shape[2]]
                _compare(part, columns, block)
                if leaves is None:
                    block[np.arange(len(block)), start + np.arange(len(block))] = 0
                keep(start, block)

        # Each thread takes the next start when it has done one.
        n_threads, starts = effective_n_jobs(self.n_jobs), iter(range(0, rows.shape[2], _ROWS))
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


def _bit_planes(leaves: np.ndarray, n_bits: int) -> np.ndarray:
    """The leaf numbers of 64 trees at a time, written as the bits of whole numbers.

    Returns
    -------
    ndarray of shape (n_words, 1 + n_bits rounded up, n_objects), uint64
        Bit t of word w is tree 64 w + t: in the first layer whether its leaf counts, in each of
        the others one binary digit of the leaf's number.
    """
    counts = leaves != np.iinfo(leaves.dtype).max
    layers = [counts]
    for bit in range(-(-max(n_bits, 1) // _AT_ONCE) * _AT_ONCE):
        layers.append(counts & (leaves >> bit & 1).astype(bool))
    to_whole_words = ((0, 0), (0, -leaves.shape[1] % 64))
    words = [np.packbits(np.pad(layer, to_whole_words), axis=1).view(np.uint64) for layer in layers]
    return np.ascontiguousarray(np.stack([word.T for word in words], axis=1))


@njit(cache=True, nogil=True)
def _ones(word):
    """How many bits of 64 are 1 (Warren, Hacker's Delight, 2nd ed., section 5-1)."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    pairs = np.uint64(0x3333333333333333)
    word = (word & pairs) + ((word >> np.uint64(2)) & pairs)
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int32((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True, nogil=True, error_model="numpy")
def _compare(rows, columns, block):
    """Fill a block with 1 - trees with a common leaf / trees in which both leaves count.

    Two leaves are the same where no digit of their numbers differs. One XOR compares a digit
    in 64 trees; the inner loops run over objects, so that the processor takes several at once.
    """
    n_words, n_layers, n_columns = columns.shape
    differ = np.empty(_TILE, np.uint64)
    common = np.empty(_TILE, np.int32)
    counted = np.empty(_TILE, np.int32)
    for start in range(0, n_columns, _TILE):
        stop = min(start + _TILE, n_columns)
        for i in range(rows.shape[2]):
            common[:] = 0
            counted[:] = 0
            for w in range(n_words):
                differ[:] = 0
                for b in range(1, n_layers, _AT_ONCE):
                    x, xs = rows[w, b, i], columns[w, b, start:stop]
                    y, ys = rows[w, b + 1, i], columns[w, b + 1, start:stop]
                    z, zs = rows[w, b + 2, i], columns[w, b + 2, start:stop]
                    for j in range(stop - start):
                        differ[j] |= (xs[j] ^ x) | (ys[j] ^ y) | (zs[j] ^ z)
                count, counts = rows[w, 0, i], columns[w, 0, start:stop]
                for j in range(stop - start):
                    both = counts[j] & count
                    counted[j] += _ones(both)
                    common[j] += _ones(both & ~differ[j])
            distance = block[i, start:stop]
            for j in range(stop - start):
                trees = max(counted[j], 1)
                distance[j] = np.float32(trees - common[j]) / np.float32(trees)


@njit(cache=True, nogil=True)
def _select(block, own, nearest):
    """The smallest of each row as sorted keys: the distance's bits above the index + 1.

    The bits of a float that is not negative sort as the float does. ``own + i`` is the index of
    row i's object among the columns, whose key is 0 to make it the first; -1 if it is not there.
    A heap keeps the nearest so far, the farthest of them on top.
    """
    n_nearest = nearest.shape[1]
    for i in range(len(block)):
        heap = nearest[i]
        heap[:] = np.iinfo(np.uint64).max
        me = own + i if own >= 0 else -1
        if me >= 0:
            heap[-1] = 0
        for j in range(block.shape[1]):
            if block[i, j] < heap[0] >> np.uint64(32) and j != me:
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
