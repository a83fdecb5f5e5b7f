"""The quality of a picture: scikit-learn's numbers where it has them, and known extremes."""

import tracemalloc

import numpy as np
import pytest
from scipy.spatial.distance import squareform
from sklearn import manifold
from sklearn.datasets import make_blobs
from sklearn.metrics import pairwise_distances
from sklearn.preprocessing import StandardScaler

from helpers.distances import METRICS, nearest
from helpers.forest import UnsupervisedForest
from helpers.quality import (
    continuity,
    distance_correlation,
    neighbour_overlap,
    stability,
    trustworthiness,
)


@pytest.fixture(scope="module")
def table():
    return make_blobs(300, 5, centers=3, cluster_std=2.0, random_state=0)[0]


@pytest.fixture(scope="module")
def picture(table):
    return table[:, :2] + np.random.default_rng(0).normal(0, 0.5, (300, 2))


@pytest.fixture(scope="module")
def forest(table):
    return UnsupervisedForest(n_estimators=50, random_state=0).fit(table)


@pytest.mark.parametrize("k", [1, 15, 100])
@pytest.mark.parametrize("distance", METRICS)
def test_trustworthiness_is_scikit_learns(table, picture, distance, k):
    same = table if distance == "euclidean" else StandardScaler().fit_transform(table)
    metric = "euclidean" if distance == "standardised" else distance
    theirs = manifold.trustworthiness(same, picture, n_neighbors=k, metric=metric)
    assert trustworthiness(table, picture, k, distance) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("k", [1, 15, 100])
def test_continuity_is_trustworthiness_with_both_sides_exchanged(table, picture, k):
    neighbours = nearest(table, "euclidean", k + 1)
    theirs = manifold.trustworthiness(picture, table, n_neighbors=k)
    assert continuity(neighbours, picture, k) == pytest.approx(theirs, abs=1e-12)


def test_the_forests_own_distance_is_ranked_with_ties_in_favour(forest, picture):
    """Written out by brute force."""
    matrix = forest.distances().astype(float)
    np.fill_diagonal(matrix, -1)
    apart = pairwise_distances(picture)
    np.fill_diagonal(apart, np.inf)
    beyond = 0
    for i in range(300):
        for j in np.argsort(apart[i])[:15]:
            beyond += max(np.sum(matrix[i] < matrix[i, j]) - 15, 0)
    expected = 1 - beyond * 2 / (300 * 15 * (2 * 300 - 3 * 15 - 1))
    assert trustworthiness(forest, picture) == pytest.approx(expected, abs=1e-12)


def test_a_picture_of_itself_is_perfect_and_random_points_are_not(table):
    flat = table[:, :2]
    neighbours = nearest(flat, "euclidean", 16)
    assert trustworthiness(flat, flat, distance="euclidean") == 1
    assert continuity(neighbours, flat) == 1
    assert neighbour_overlap(neighbours, flat) == 1
    assert distance_correlation(flat, flat, "euclidean") == pytest.approx(1)
    random = np.random.default_rng(1).random((300, 2))
    assert trustworthiness(flat, random) == pytest.approx(0.5, abs=0.05)
    assert continuity(neighbours, random) == pytest.approx(0.5, abs=0.05)
    assert neighbour_overlap(neighbours, random) == pytest.approx(15 / 299, abs=0.02)
    assert abs(distance_correlation(flat, random, "euclidean")) < 0.05


def test_several_pictures_are_judged_as_each_alone(table, picture, forest):
    several = np.stack([picture, picture[:, ::-1] ** 3, np.random.default_rng(2).random((300, 2))])
    neighbours = forest.kneighbors(16)
    alone = [trustworthiness(forest, one) for one in several]
    np.testing.assert_allclose(trustworthiness(forest, several), alone, rtol=1e-12)
    alone = [continuity(neighbours, one) for one in several]
    np.testing.assert_allclose(continuity(neighbours, several), alone, rtol=1e-12)


def test_overlap_counts_the_neighbours_in_common(table, picture):
    first, second = nearest(table, "euclidean", 31), nearest(picture, "euclidean", 31)
    values = neighbour_overlap(first, picture, [5, 30])
    for value, k in zip(values, [5, 30], strict=True):
        pairs = zip(first[1][:, 1 : k + 1], second[1][:, 1 : k + 1], strict=True)
        shared = [len(np.intersect1d(a, b)) / k for a, b in pairs]
        assert value == pytest.approx(np.mean(shared))
        assert neighbour_overlap(picture, first, k) == pytest.approx(value)


def test_all_pairs_of_a_small_table_give_spearmans_rho(table, picture, forest):
    from scipy.stats import spearmanr

    apart = squareform(pairwise_distances(picture), checks=False)
    forests = squareform(forest.distances(), checks=False)
    every = distance_correlation(forest, picture)
    assert every == pytest.approx(spearmanr(forests, apart).statistic)
    drawn = distance_correlation(forest, picture, n_objects=200)
    assert drawn == distance_correlation(forest, picture, n_objects=200)
    assert drawn == pytest.approx(every, abs=0.05)
    assert drawn != distance_correlation(forest, picture, n_objects=200, random_state=1)


def test_pictures_that_are_only_turned_are_the_same(picture):
    turned = 3 * picture @ np.array([[0.6, -0.8], [0.8, 0.6]]) + 5
    same = stability([picture, turned, picture[:, ::-1]])
    assert same.overlap == pytest.approx(1) and same.disparity == pytest.approx(0, abs=1e-12)
    other = stability([picture, np.random.default_rng(3).random((300, 2))])
    assert other.overlap < 0.1 and other.disparity > 0.9


def test_no_matrix_of_all_pairs_is_made():
    """3,000 objects: one such matrix of whole numbers, as scikit-learn makes, is 72 MB."""
    table = np.random.default_rng(0).standard_normal((3000, 4))
    neighbours = nearest(table, "euclidean", 16)
    tracemalloc.start()
    try:
        trustworthiness(table, table[:, :2])
        continuity(neighbours, table[:, :2])
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()


def test_twins_are_neighbours_of_rank_one():
    twins = np.repeat(np.random.default_rng(0).standard_normal((30, 2)), 2, axis=0)
    assert trustworthiness(twins, twins, 1, "euclidean") == 1
    assert np.isfinite(continuity(nearest(twins, "euclidean", 4), twins, 3))


def test_bad_input_ends_in_a_sentence(table, picture, forest):
    neighbours = nearest(table, "euclidean", 16)
    with pytest.raises(ValueError, match="300 on one side, 299 on the other"):
        trustworthiness(table, picture[:299])
    with pytest.raises(ValueError, match="300 on one side, 299 on the other"):
        continuity(neighbours, picture[:299])
    with pytest.raises(ValueError, match="299 on one side, 300 on the other"):
        neighbour_overlap(picture[:299], neighbours)
    with pytest.raises(ValueError, match="Choose one of: euclidean"):
        trustworthiness(table, picture, distance="forest")
    with pytest.raises(ValueError, match=r"call its fit\(frame\) first"):
        trustworthiness(UnsupervisedForest(), picture)
    for k in (0, 150, 2.5, None):
        with pytest.raises(ValueError, match="give 1 to 149"):
            trustworthiness(forest, picture, k)
    with pytest.raises(ValueError, match="Ask kneighbors for 17"):
        continuity(neighbours, picture, 16)
    with pytest.raises(ValueError, match="must be a pair"):
        continuity(table, picture)
    with pytest.raises(ValueError, match="is NaN or infinite"):
        trustworthiness(table, np.where(picture > 0, picture, np.nan))
    with pytest.raises(ValueError, match="without NaN"):
        trustworthiness(np.where(table > 0, table, np.nan), picture)
    with pytest.raises(ValueError, match=r"this has \(300, 5\)"):
        trustworthiness(table, table)
    with pytest.raises(ValueError, match="All distances are equal"):
        distance_correlation(np.ones((300, 2)), picture, "euclidean")
    with pytest.raises(ValueError, match="give two or more"):
        stability([picture])
    for k in (0, "5", [], [5, 0]):
        with pytest.raises(ValueError, match="is no number of neighbours"):
            neighbour_overlap(picture, neighbours, k)
