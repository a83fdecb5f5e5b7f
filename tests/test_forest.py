"""The unsupervised forest is what its definition says, tie by tie."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quantile_forest import RandomForestQuantileRegressor
from sklearn.datasets import make_blobs
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from helpers.forest import UnsupervisedForest, _label, _leaf_distance, draw_synthetic


def defined_distance(forest, X, leaf_rule):
    """The definition, word by word, for a trained forest of scikit-learn."""
    n = len(X)
    distance = np.ones((n, n))
    leaf = [tree.apply(X) for tree in forest.estimators_]
    real = [tree.predict(X) == 1 for tree in forest.estimators_]
    for i in range(n):
        for j in range(n):
            good = [leaf_rule == "all" or (r[i] and r[j]) for r in real]
            same = [g and at[i] == at[j] for g, at in zip(good, leaf, strict=True)]
            if i == j or sum(good):
                distance[i, j] = 0 if i == j else 1 - sum(same) / sum(good)
    return distance


def defined_neighbours(distance, n_neighbors):
    """Oneself first, then by distance, then by index."""
    n = len(distance)
    order = [sorted(range(n), key=lambda j: (j != i, distance[i, j], j)) for i in range(n)]
    return np.array(order)[:, :n_neighbors]


def correlated(n=300, features=5, seed=0):
    rng = np.random.default_rng(seed)
    mix = rng.standard_normal((2, features))
    noise = 0.1 * rng.standard_normal((n, features))
    return (rng.standard_normal((n, 2)) @ mix + noise).astype(np.float32)


@pytest.mark.filterwarnings("ignore:A tree takes what varies")
@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(2, 14),
    values=st.integers(2, 8),
    trees=st.integers(1, 6),
    smallest_leaf=st.integers(1, 4),
    leaf_rule=st.sampled_from(["both_real", "all"]),
    seed=st.integers(0, 1000),
)
def test_distances_and_neighbours_are_those_of_the_definition(
    n, values, trees, smallest_leaf, leaf_rule, seed
):
    """Few distinct values make duplicates, few trees make ties and leaves that predict nothing."""
    X = np.random.default_rng(seed).integers(0, values, (n, 3)).astype(np.float32)
    ours = UnsupervisedForest(
        trees, min_samples_leaf=smallest_leaf, leaf_rule=leaf_rule, random_state=seed
    ).fit(X)
    expected = defined_distance(ours.forest_, X, leaf_rule)
    np.testing.assert_allclose(ours.distances(), expected, atol=1e-6)
    distances, indices = ours.kneighbors(n)
    np.testing.assert_array_equal(indices, defined_neighbours(expected, n))
    np.testing.assert_allclose(distances, np.take_along_axis(expected, indices, 1), atol=1e-6)
    np.testing.assert_allclose(ours.weirdness(), expected.sum(axis=1) / (n - 1), atol=1e-6)


def with_leaves(leaves, n_jobs=None):
    """As if a forest had put the objects there."""
    forest = UnsupervisedForest(n_jobs=n_jobs)
    forest.leaves_ = np.asarray(leaves)
    return forest


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(1, 70),
    trees=st.sampled_from([1, 2, 3, 4, 5, 64, 251, 252, 253, 520]),
    largest=st.sampled_from([1, 2, 8, 30, 1000]),
    nothing=st.sampled_from([0, 0.3, 0.95, 1]),
    dtype=st.sampled_from([np.uint16, np.uint32]),
    n_jobs=st.sampled_from([1, 2]),
    seed=st.integers(0, 1000),
)
def test_leaves_are_compared_as_defined(n, trees, largest, nothing, dtype, n_jobs, seed):
    """One tree or more than 8 bits count, one object, one leaf or many, leaves without count."""
    rng = np.random.default_rng(seed)
    none = np.iinfo(dtype).max
    leaves = rng.integers(0, largest, (n, trees)).astype(dtype)
    leaves[rng.random((n, trees)) < nothing] = none
    expected = np.zeros((n, n), dtype=np.float32)
    for i in range(n):
        for j in range(n):
            counted = np.sum((leaves[i] != none) & (leaves[j] != none))
            common = np.sum((leaves[i] == leaves[j]) & (leaves[i] != none))
            if i != j:
                expected[i, j] = 1 - common / counted if counted else 1
    forest = with_leaves(leaves, n_jobs)
    np.testing.assert_allclose(forest.distances(), expected, rtol=1e-6)
    for n_neighbors in {1, (n + 1) // 2, n}:
        distances, indices = forest.kneighbors(n_neighbors)
        np.testing.assert_array_equal(indices, defined_neighbours(expected, n_neighbors))
        np.testing.assert_allclose(
            distances, np.take_along_axis(expected, indices, axis=1), rtol=1e-6
        )


@pytest.mark.parametrize("largest", [100, 252, 253, 254, 506, 507, 1012, 1100])
def test_leaves_are_compared_where_their_numbers_no_longer_fit_into_8_bits(largest):
    """Every leaf holds three objects; in the last tree all are in one. Some leaves do not count."""
    rng = np.random.default_rng(largest)
    leaves = np.array([rng.permutation(np.repeat(np.arange(largest), 3)) for _ in range(5)]).T
    leaves = np.column_stack([leaves, np.zeros(3 * largest)]).astype(np.uint16)
    leaves[rng.random(leaves.shape) < 0.1] = 65535
    counts = leaves != 65535
    both = (counts[:, None] & counts).sum(axis=2)
    common = ((leaves[:, None] == leaves) & counts).sum(axis=2)
    expected = 1 - common / np.maximum(both, 1)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(with_leaves(leaves, 2).distances(), expected, atol=1e-6)
    labels, _ = _label(leaves, None)
    assert labels.dtype == (np.uint8 if largest <= 1012 else np.uint16)
    rows = np.where(counts, leaves, -1.0).astype(np.float32)
    for i, j in rng.integers(0, len(leaves), (50, 2)):
        if i != j:
            assert _leaf_distance(rows[i], rows[j]) == pytest.approx(expected[i, j], abs=1e-6)


def test_the_distance_is_that_of_an_independent_implementation():
    """quantile-forest counts the trees in which an object shares its leaf with each other."""
    X = correlated(400)
    both = np.vstack([X, draw_synthetic(X, 0)])
    theirs = RandomForestQuantileRegressor(
        30, bootstrap=False, max_samples_leaf=None, random_state=0
    ).fit(both, np.repeat([1.0, 0.0], len(X)))
    expected = np.ones((len(X), len(both)))
    for i, counts in enumerate(theirs.proximity_counts(X)):
        for j, count in counts:
            expected[i, j] = 1 - count / 30
    ours = with_leaves(theirs.apply(X).astype(np.uint16)).distances()
    assert 0.1 < np.mean(ours < 1) < 1
    np.testing.assert_allclose(ours, expected[:, : len(X)], atol=1e-6)


@pytest.mark.parametrize("leaf_rule", ["both_real", "all"])
def test_an_approximate_search_finds_nearly_all_neighbours_and_says_how_many(leaf_rule):
    X = correlated(3000)
    X[:40] = X[0]  # more twins than neighbours
    forest = UnsupervisedForest(60, leaf_rule=leaf_rule, random_state=0, n_jobs=2).fit(X)
    exact, _ = forest.kneighbors(15)
    distances, indices = forest.kneighbors(15, method="approximate")
    np.testing.assert_array_equal(indices[:, 0], np.arange(3000))
    assert (np.diff(np.sort(indices, axis=1), axis=1) > 0).all()
    assert (np.diff(distances, axis=1) >= 0).all()
    found = np.mean(distances <= exact[:, -1:] + 1e-6)
    assert found > 0.999 and forest.recall_ == pytest.approx(found, abs=0.003)
    again, _ = forest.kneighbors(15, method="approximate")
    np.testing.assert_array_equal(again, distances)


def test_an_approximate_search_is_exact_where_it_finds_too_few(monkeypatch):
    import pynndescent

    class Blind:
        """As if every second row had found nobody."""

        def __init__(self, points, n_neighbors, **_):
            found = np.tile(np.arange(n_neighbors), (len(points), 1))
            distances = np.array([[_leaf_distance(a, b) for b in points[found[0]]] for a in points])
            found[::2] = -1
            self.neighbor_graph = found, distances.astype(np.float32)

    monkeypatch.setattr(pynndescent, "NNDescent", Blind)
    forest = UnsupervisedForest(20, random_state=0).fit(correlated(300))
    exact, nearest = forest.kneighbors(9)
    distances, indices = forest.kneighbors(9, method="approximate")
    np.testing.assert_array_equal(distances[::2], exact[::2])
    np.testing.assert_array_equal(indices[::2], nearest[::2])
    assert forest.recall_ < 0.7


@pytest.mark.parametrize("leaf_rule", ["both_real", "all"])
def test_new_objects_find_their_neighbours_among_the_old(leaf_rule):
    X = correlated(120)
    old, new = X[:80], X[80:]
    forest = UnsupervisedForest(15, leaf_rule=leaf_rule, random_state=0).fit(old)
    distances, indices = forest.kneighbors(80, new)
    expected = defined_distance(forest.forest_, X, leaf_rule)[80:, :80]
    np.testing.assert_array_equal(indices, np.argsort(expected.round(6), axis=1, kind="stable"))
    np.testing.assert_allclose(distances, np.sort(expected, axis=1), atol=1e-6)
    again, itself = forest.kneighbors(1, old)
    known, _ = forest.kneighbors(80)
    assert np.all(again[:, 0] <= known[:, 0]) and np.all(itself[:, 0] <= np.arange(80))


def test_a_matrix_too_large_for_the_memory_is_refused(monkeypatch):
    forest = with_leaves(np.zeros((1000, 2), dtype=np.uint16))
    monkeypatch.setattr("helpers.forest.free_memory", lambda: 3e6)
    with pytest.raises(MemoryError, match=r"1000 objects take 0.0 GB.*kneighbors\(\)"):
        forest.distances()
    monkeypatch.setattr("helpers.forest.free_memory", lambda: None)
    assert forest.distances().shape == (1000, 1000)


def test_a_feature_that_is_related_to_nothing_is_of_no_importance():
    X = correlated(400)
    X[:, 2] = np.random.default_rng(1).standard_normal(400)
    importances = UnsupervisedForest(50, random_state=0).fit(X).feature_importances_
    assert importances.argmin() == 2 and importances.sum() == pytest.approx(1)


@pytest.mark.parametrize("leaf_rule", ["both_real", "all"])
def test_neighbours_are_the_same_in_blocks_as_in_the_whole_matrix(leaf_rule):
    X = correlated(700)
    forest = UnsupervisedForest(50, leaf_rule=leaf_rule, random_state=3).fit(X)
    distance = forest.distances()
    np.testing.assert_array_equal(distance, distance.T)
    assert np.all(np.diag(distance) == 0) and distance.dtype == np.float32
    assert distance.min() >= 0 and distance.max() <= 1
    distances, indices = forest.kneighbors(25)
    order = np.argsort(np.where(np.eye(700, dtype=bool), -1, distance), axis=1, kind="stable")
    np.testing.assert_array_equal(indices, order[:, :25])
    np.testing.assert_array_equal(distances, np.take_along_axis(distance, indices, axis=1))


def test_leaves_that_predict_synthetic_do_not_count():
    X = correlated(200)
    forest = UnsupervisedForest(20, min_samples_leaf=5, random_state=0).fit(X)
    predicted = np.array([tree.predict(X) for tree in forest.forest_.estimators_]).T
    nothing = np.iinfo(forest.leaves_.dtype).max
    np.testing.assert_array_equal(forest.leaves_ == nothing, predicted == 0)
    assert 0 < np.mean(predicted == 0) < 0.5
    everywhere = UnsupervisedForest(20, min_samples_leaf=5, leaf_rule="all", random_state=0).fit(X)
    assert np.all(everywhere.leaves_ != nothing)
    assert forest.leaves_.dtype == np.uint16


def test_a_synthetic_table_keeps_the_columns_and_loses_their_relations():
    X = correlated(4000)
    X[::10, 0] = np.nan
    synthetic = draw_synthetic(X, 1)
    assert synthetic.shape == X.shape and synthetic.dtype == X.dtype
    for real, drawn in zip(X.T, synthetic.T, strict=True):
        assert set(drawn[np.isfinite(drawn)]) <= set(real)  # from its own column
    assert np.mean(np.isnan(synthetic[:, 0])) == pytest.approx(0.1, abs=0.02)
    different = len(np.unique(synthetic[:, 1])) / len(np.unique(X[:, 1]))
    assert different == pytest.approx(1 - np.exp(-1), abs=0.02)  # drawn with replacement
    np.testing.assert_allclose(synthetic[:, 1].std(), X[:, 1].std(), rtol=0.05)
    before, after = (np.corrcoef(table[:, 1:].T) for table in (X, synthetic))
    off = ~np.eye(4, dtype=bool)
    assert np.abs(before[off]).min() > 0.3 and np.abs(after[off]).max() < 0.06
    np.testing.assert_array_equal(synthetic, draw_synthetic(X, 1))


def test_objects_of_one_group_are_near():
    X, group = make_blobs(200, 4, centers=2, cluster_std=0.5, random_state=0)
    distance = UnsupervisedForest(100, random_state=0).fit(X).distances()
    same = group[:, None] == group
    assert distance[same].mean() < 0.9 < 0.99 < distance[~same].mean()


def test_independent_features_cannot_be_told_from_synthetic_ones():
    noise = np.random.default_rng(0).standard_normal((600, 5))
    forest = UnsupervisedForest(100, random_state=0)
    with pytest.warns(UserWarning, match=r"told apart in \d\d% of the cases, little better"):
        forest.fit(noise)
    assert forest.oob_score_ == pytest.approx(0.5, abs=0.06)
    assert UnsupervisedForest(100, random_state=0).fit(correlated(600)).oob_score_ > 0.9


def test_the_out_of_bag_accuracy_is_that_of_scikit_learn():
    X = correlated(150)
    ours = UnsupervisedForest(60, random_state=5).fit(X)
    both = np.vstack([X, draw_synthetic(X, np.random.RandomState(5))])
    forest = ours.forest_
    theirs = RandomForestClassifier(
        60, max_samples=200, random_state=forest.random_state, oob_score=True
    )
    theirs.fit(both, np.repeat([1, 0], len(X)))
    assert ours.oob_score_ == pytest.approx(theirs.oob_score_)


def test_a_monotonic_transform_of_a_feature_changes_nothing():
    X = correlated(200).astype(float).round(3)
    other = X.copy()
    other[:, 0] = X[:, 0] ** 3
    one, two = (UnsupervisedForest(40, random_state=0).fit(table) for table in (X, other))
    assert np.corrcoef(one.distances().ravel(), two.distances().ravel())[0, 1] > 0.99


def test_the_same_with_one_thread_or_two_and_the_same_again():
    X = correlated(200)
    first = UnsupervisedForest(20, random_state=0).fit(X)
    second = UnsupervisedForest(20, random_state=0, n_jobs=2).fit(X)
    np.testing.assert_array_equal(first.leaves_, second.leaves_)
    for one, two in zip(first.kneighbors(9), second.kneighbors(9), strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(first.distances(), second.distances())
    np.testing.assert_array_equal(first.weirdness(), second.weirdness())
    other = UnsupervisedForest(20, random_state=1).fit(X)
    assert np.any(first.leaves_ != other.leaves_)


def test_missing_values_are_allowed_and_frames_are_read():
    X = correlated(100)
    X[::7, 2] = np.nan
    frame = pd.DataFrame(X, columns=list("abcde"))
    forest = UnsupervisedForest(10, random_state=0).fit(frame)
    assert list(forest.feature_names_in_) == list("abcde")
    assert np.all(np.isfinite(forest.distances()))


def test_a_masked_value_is_a_missing_one():
    X = correlated(100)
    hidden = np.zeros(X.shape, dtype=bool)
    hidden[::7, 2] = True
    masked = UnsupervisedForest(10, random_state=0).fit(np.ma.masked_array(X, hidden))
    missing = UnsupervisedForest(10, random_state=0).fit(np.where(hidden, np.nan, X))
    np.testing.assert_array_equal(masked.distances(), missing.distances())


def test_bad_questions_end_in_a_sentence():
    X = correlated(20)
    forest = UnsupervisedForest(5, random_state=0).fit(X)
    with pytest.raises(ValueError, match="21 neighbours were asked for, but there are 20"):
        forest.kneighbors(21)
    for wrong in (2.5, "5", None):
        with pytest.raises(ValueError, match="Choose a whole number, 1 to 20"):
            forest.kneighbors(wrong)
    for wrong, table in (("approx", None), (None, None), ("approximate", X)):
        with pytest.raises(ValueError, match=r'Choose "exact", or, without X, "approximate"'):
            forest.kneighbors(3, table, method=wrong)
    for wrong in (X[:, 0], X[:0], X[:, :0], [3, 4]):
        with pytest.raises(ValueError, match="a table of rows and columns; this has the shape"):
            draw_synthetic(wrong)
    with pytest.raises(ValueError, match=r"'n_estimators' .* must be an int"):
        UnsupervisedForest(0).fit(X)
    with pytest.raises(ValueError, match="leaf_rule='real' is not known"):
        UnsupervisedForest(leaf_rule="real").fit(X)


def test_what_is_no_table_of_numbers_ends_in_a_sentence():
    forest = UnsupervisedForest(5, random_state=0)
    X = correlated(20)
    infinite = X.copy()
    infinite[3, 1] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        forest.fit(infinite)
    words = pd.DataFrame(X, columns=list("abcde")).assign(galaxy="NGC 628")
    with pytest.raises(ValueError, match="could not convert string to float: 'NGC 628'"):
        forest.fit(words)
    with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
        forest.fit(X[:0])
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        forest.fit(X[:1])
    with pytest.raises(ValueError, match=r"Found array with 0 feature\(s\)"):
        forest.fit(X[:, :0])
    with pytest.raises(ValueError, match="features"):
        forest.fit(X).kneighbors(3, X[:, :2])


def test_a_constant_feature_is_named_and_harmless():
    X = correlated(150)
    constant = pd.DataFrame(X, columns=list("abcde")).assign(f=3.0, flux=X[:, 0] * 1e-9)
    forest = UnsupervisedForest(30, random_state=0)
    with pytest.warns(UserWarning, match=r"1e-07 for constant, .* do not count: f, flux\. Leave"):
        forest.fit(constant)
    assert np.all(forest.feature_importances_[-2:] == 0) and forest.oob_score_ > 0.8
    missing = np.column_stack([X, np.full(150, np.nan)])
    assert UnsupervisedForest(5, random_state=0).fit(missing).feature_importances_[-1] == 0


@pytest.mark.filterwarnings("ignore:A tree takes what varies")
def test_a_table_without_any_difference_is_nothing_to_learn_from():
    forest = UnsupervisedForest(5, random_state=0)
    with pytest.warns(UserWarning, match="told apart in "):
        forest.fit(np.ones((250, 2)))
    assert np.isfinite(forest.distances()).all()


@parametrize_with_checks([UnsupervisedForest(n_estimators=5, random_state=0)])
def test_it_is_an_estimator_as_scikit_learn_understands_one(estimator, check):
    check(estimator)


def test_the_whole_survey_fits_into_a_minute():
    X = correlated(3000, 14)
    start = time.perf_counter()
    forest = UnsupervisedForest(100, random_state=0).fit(X)
    forest.kneighbors(25)
    assert time.perf_counter() - start < 30


def test_a_shuffled_table_is_guessed_a_little_worse_than_half_right():
    """Notebook 04, section 9: each value stands in both tables, under both labels."""
    rng, n = np.random.default_rng(0), 1000
    is_real = np.repeat([1, 0], n)
    right = {"shuffled": [], "fresh": []}
    for seed in range(4):
        table = rng.normal(size=(n, 10))
        others = {
            "shuffled": np.column_stack([rng.permutation(column) for column in table.T]),
            "fresh": rng.normal(size=(n, 10)),
        }
        for name, other in others.items():
            forest = RandomForestClassifier(60, max_samples=0.25, random_state=seed, oob_score=True)
            right[name].append(forest.fit(np.vstack([table, other]), is_real).oob_score_)
    mean = {name: np.mean(scores) for name, scores in right.items()}
    assert mean["shuffled"] < 0.48 < mean["fresh"] < 0.52, mean
