"""A distance learned from the data: the unsupervised Random Forest.

A forest is trained to tell the real table from a synthetic one that has the same columns but no
relations between them. Two objects are close when many trees put them into the same leaf: they
are real in the same way. The method is that of Shi & Horvath (2006, J. Comput. Graph. Stat. 15,
118) as used in astronomy by Baron & Poznanski (2017, MNRAS 465, 4530).
"""

import numbers

import numpy as np
from numba import njit
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

_ROWS = 256
"""Rows of the matrix that are made at a time."""


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
        Both as in `sklearn.ensemble.RandomForestClassifier`.
    leaf_rule : {"both_real", "all"}
        ``both_real`` is the rule of Baron & Poznanski (2017): the trees in which both objects
        end in the same leaf and that leaf predicts "real", over the trees in which both are
        predicted real. ``all`` is that of Shi & Horvath (2006): the trees in which both end in
        the same leaf, over all trees.
    random_state : int, RandomState or None
    n_jobs : int or None
        Threads that grow the trees. The result does not depend on it.

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
        leaf_rule="both_real",
        random_state=None,
        n_jobs=None,
    ):
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
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
            random_state=rng.randint(2**31 - 1),
            n_jobs=self.n_jobs,
        ).fit(both, is_real)
        leaves = self.forest_.apply(both)
        self.oob_score_ = _out_of_bag_accuracy(self.forest_, leaves, is_real)
        self.leaves_ = _number_leaves(
            self.forest_, leaves[: len(X)], only_real=self.leaf_rule == "both_real"
        )
        return self

    def distances(self) -> np.ndarray:
        """The distance of every object to every other.

        Returns
        -------
        ndarray of shape (n_objects, n_objects), float32
            Symmetric, 0 on the diagonal; 1 for two objects without a common leaf, or without a
            tree in which both are predicted real.
        """
        check_is_fitted(self)
        matrix = np.empty((len(self.leaves_), len(self.leaves_)), dtype=np.float32)
        for start, block in self._blocks():
            matrix[start : start + len(block)] = block
        return matrix

    def kneighbors(self, n_neighbors: int = 25) -> tuple[np.ndarray, np.ndarray]:
        """The nearest objects to each object, itself the first of them.

        Parameters
        ----------
        n_neighbors : int
            Counting the object itself, as UMAP does.

        Returns
        -------
        distances : ndarray of shape (n_objects, n_neighbors), float32
        indices : ndarray of shape (n_objects, n_neighbors), int64
            From near to far; of objects at the same distance the lower index comes first.

        Raises
        ------
        ValueError
            If there are fewer objects than neighbours asked for.
        """
        check_is_fitted(self)
        n_objects = len(self.leaves_)
        if not (isinstance(n_neighbors, numbers.Integral) and 1 <= n_neighbors <= n_objects):
            raise ValueError(
                f"{n_neighbors} neighbours were asked for, but there are {n_objects} objects "
                f"(each counts as its own first neighbour). Choose a whole number, "
                f"1 to {n_objects}."
            )
        nearest = np.empty((n_objects, n_neighbors), dtype=np.uint64)
        order = np.arange(1, n_objects + 1, dtype=np.uint64)
        for start, block in self._blocks():
            # The bits of a float that is not negative sort as the float does. Above the index
            # they make one number to sort by: distance first, index next, and 0 for oneself.
            key = block.view(np.uint32).astype(np.uint64) << np.uint64(32) | order
            rows = np.arange(len(block))
            key[rows, start + rows] = 0
            key.partition(n_neighbors - 1, axis=1)
            nearest[start : start + len(block)] = np.sort(key[:, :n_neighbors], axis=1)
        distances = (nearest >> np.uint64(32)).astype(np.uint32).view(np.float32)
        indices = (nearest & np.uint64(0xFFFFFFFF)).astype(np.int64) - 1
        indices[:, 0] = np.arange(n_objects)
        return distances, indices

    def _blocks(self):
        for start in range(0, len(self.leaves_), _ROWS):
            rows = self.leaves_[start : start + _ROWS]
            block = _distances(rows, self.leaves_, rows.dtype.type(np.iinfo(rows.dtype).max))
            block[np.arange(len(rows)), start + np.arange(len(rows))] = 0
            yield start, block

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


@njit(cache=True)
def _distances(rows, columns, none):
    """1 - trees with a common leaf / trees in which both leaves count, for each pair."""
    n_trees = columns.shape[1]
    block = np.empty((len(rows), len(columns)), dtype=np.float32)
    for j in range(len(columns)):
        for i in range(len(rows)):
            common = 0
            counted = 0
            for t in range(n_trees):
                a, b = rows[i, t], columns[j, t]
                both = (a != none) & (b != none)
                counted += both
                common += both & (a == b)
            block[i, j] = 1.0 - common / counted if counted else 1.0
    return block
