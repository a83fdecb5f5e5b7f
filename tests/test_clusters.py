"""Every method finds groups that are there, under one name and one numbering."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score, pairwise_distances

from helpers.clusters import METHODS, cluster

SETTINGS = {
    "kmeans": {"n_clusters": 3},
    "gaussian_mixture": {"n_components": 3},
    "agglomerative": {"n_clusters": 3},
    "dbscan": {"eps": 1.0},
    "hdbscan": {"min_cluster_size": 20},
    "spectral": {"n_clusters": 3, "n_neighbors": 40},
}


@pytest.fixture(scope="module")
def groups():
    sizes = [60, 150, 90]
    centers = [[0, 0], [5, 0], [2, 5]]
    return make_blobs(sizes, centers=centers, cluster_std=0.7, random_state=0)


def test_every_method_is_tried_here():
    assert set(SETTINGS) == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_groups_that_are_there_are_found(method, groups):
    points, truth = groups
    labels = cluster(points, method, **SETTINGS[method])
    assert adjusted_rand_score(truth, labels) > 0.8
    sizes = np.bincount(labels[labels >= 0])
    assert np.all(np.diff(sizes) <= 0), "the largest group comes first"
    np.testing.assert_array_equal(labels, cluster(points, method, **SETTINGS[method]))


def test_the_order_of_the_rows_does_not_name_the_groups(groups):
    points, _ = groups
    shuffled = np.random.default_rng(0).permutation(len(points))
    labels = cluster(points, min_cluster_size=20)
    np.testing.assert_array_equal(cluster(points[shuffled], min_cluster_size=20), labels[shuffled])


def test_a_distance_matrix_is_not_overwritten(groups):
    matrix = pairwise_distances(groups[0])
    before = matrix.copy()
    labels = cluster(matrix, "hdbscan", metric="precomputed", min_cluster_size=20)
    assert labels.max() == 2
    np.testing.assert_array_equal(matrix, before)


def test_pieces_of_a_graph_are_groups_but_are_never_joined_by_chance():
    sizes, centers = [60, 90, 30, 40], [[0, 0], [50, 0], [20, 50], [80, 80]]
    points, truth = make_blobs(sizes, centers=centers, random_state=0)
    assert adjusted_rand_score(truth, cluster(points, "spectral", n_clusters=4)) == 1
    finer = cluster(points, "spectral", n_clusters=6)
    for piece in range(4):  # each group lies in one piece
        assert not set(finer[truth == piece]) & set(finer[truth != piece])
    with pytest.raises(
        ValueError, match=r"4 pieces, more than the 3 .* raise n_neighbors \(now 10"
    ):
        cluster(points, "spectral", n_clusters=3)


def test_a_masked_value_is_not_looked_at(groups):
    points = np.ma.masked_array(groups[0], mask=False)
    points[7, 0] = np.ma.masked
    with pytest.raises(ValueError, match="1 of 300 points are not finite"):
        cluster(points)


def test_bad_questions_end_in_a_sentence(groups):
    points, _ = groups
    with pytest.raises(ValueError, match=r"'k-means' is not known\. Choose one of: kmeans"):
        cluster(points, "k-means")
    with pytest.raises(ValueError, match=r"kmeans has no parameter eps\. It has: .*n_clusters"):
        cluster(points, "kmeans", eps=1)
    with pytest.raises(ValueError, match="1 of 300 points are not finite"):
        cluster(np.where(np.arange(300)[:, None] == 7, np.nan, points))
    for wrong in (points[:, 0], points[:0], points.astype(str), None):
        with pytest.raises(ValueError, match="rows of a table of numbers"):
            cluster(wrong)
    with pytest.raises(ValueError, match=r"is not known\. Choose one of: kmeans"):
        cluster("kmeans", points)
