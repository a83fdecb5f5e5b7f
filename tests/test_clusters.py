"""Every method finds groups that are there, on points or on neighbours, in any order of rows."""

import numpy as np
import pandas as pd
import pytest
from scipy.cluster.hierarchy import fcluster
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.spatial.distance import pdist
from sklearn.cluster import AgglomerativeClustering
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score, pairwise_distances

from helpers.clusters import METHODS, cluster, describe
from helpers.distances import nearest
from helpers.forest import UnsupervisedForest
from helpers.linkage import average_linkage, link

SETTINGS = {
    "kmeans": {"n_clusters": 3},
    "gaussian_mixture": {"n_components": 3},
    "agglomerative": {"n_clusters": 3},
    "dbscan": {"eps": 1.0},
    "hdbscan": {"min_cluster_size": 20},
    "spectral": {"n_clusters": 3, "n_neighbors": 40},
}
ON_NEIGHBOURS = [name for name, method in METHODS.items() if method.on_neighbours]


@pytest.fixture(scope="module")
def groups():
    sizes = [60, 150, 90]
    centers = [[0, 0], [5, 0], [2, 5]]
    return make_blobs(sizes, centers=centers, cluster_std=0.7, random_state=0)


@pytest.fixture(scope="module")
def continuum():
    """One smooth cloud: any cut is arbitrary, so an answer that can jump will jump."""
    return np.random.default_rng(1).normal(size=(400, 3)) * [3, 2, 1]


def known(points, n_neighbors=60):
    return nearest(points, "euclidean", n_neighbors)


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


@pytest.mark.parametrize("method", ON_NEIGHBOURS)
def test_neighbours_are_enough_to_find_them(method, groups):
    points, truth = groups
    distances, indices = known(points)
    before = distances.copy(), indices.copy()
    labels = cluster((distances, indices), method, **SETTINGS[method])
    assert adjusted_rand_score(truth, labels) > 0.8
    for now, then in zip((distances, indices), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_forest_gives_such_neighbours(groups):
    points, truth = groups
    rng = np.random.default_rng(0)
    mixed = points @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(300, 5))
    neighbours = UnsupervisedForest(200, random_state=0).fit(mixed).kneighbors(60)
    for method in ON_NEIGHBOURS:
        setting = {**SETTINGS[method], **({"eps": 0.2} if method == "dbscan" else {})}
        labels = cluster(neighbours, method, **setting)
        kept = labels >= 0
        assert kept.sum() > 150 and labels.max() > 0
        if method != "hdbscan":  # to it, two of the groups are one, in most forests
            assert adjusted_rand_score(truth[kept], labels[kept]) > 0.5, method


@pytest.mark.parametrize("data", ["groups", "continuum"])
@pytest.mark.parametrize("named", [True, False], ids=["named", "nameless"])
@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_rows_means_nothing(method, named, data, request):
    points = request.getfixturevalue(data)
    points = points[0] if data == "groups" else points
    ids = np.array([f"ngc0628-{i:04}" for i in range(len(points))]) if named else None
    labels = cluster(points, method, ids=ids, **SETTINGS[method])
    for seed in (0, 1):
        order = np.random.default_rng(seed).permutation(len(points))
        again = cluster(
            points[order], method, ids=None if ids is None else ids[order], **SETTINGS[method]
        )
        assert adjusted_rand_score(labels[order], again) >= 0.99
        np.testing.assert_array_equal(labels[order], again)


@pytest.mark.parametrize("method", ON_NEIGHBOURS)
def test_the_order_of_named_neighbours_means_nothing(method, continuum):
    """Many distances are equal, as the forest's are: ties must not be broken by the row."""
    distances, indices = known(continuum)
    distances = distances.round(1)
    ids = np.arange(400)
    order = np.random.default_rng(0).permutation(400)
    labels = cluster((distances, indices), method, ids=ids, **SETTINGS[method])
    permuted = distances[order], np.argsort(order)[indices[order]]
    again = cluster(permuted, method, ids=ids[order], **SETTINGS[method])
    assert adjusted_rand_score(labels[order], again) >= 0.99
    np.testing.assert_array_equal(labels[order], again)


def test_a_frame_brings_its_names(continuum):
    frame = pd.DataFrame(continuum, index=[f"p{i}" for i in range(400)])
    shuffled = frame.sample(frac=1, random_state=0)
    labels = pd.Series(cluster(frame, "kmeans"), frame.index)
    again = pd.Series(cluster(shuffled, "kmeans"), shuffled.index)
    assert labels.equals(again[frame.index])
    by_hand = cluster(continuum, "kmeans", ids=frame.index)
    np.testing.assert_array_equal(labels, by_hand)


def test_kmeans_and_mixtures_start_more_than_once():
    assert METHODS["kmeans"].defaults["n_init"] >= 5
    assert METHODS["gaussian_mixture"].defaults["n_init"] >= 3


@pytest.mark.parametrize("method", ["dbscan", "hdbscan"])
def test_all_neighbours_say_the_same_as_the_matrix(method, continuum):
    some = continuum[:150]
    setting = {"dbscan": {"eps": 1.0}, "hdbscan": {"min_cluster_size": 8}}[method]
    matrix = cluster(pairwise_distances(some), method, metric="precomputed", **setting)
    assert len(set(matrix)) > 2
    sparse = cluster(known(some, 150), method, **setting)
    assert adjusted_rand_score(matrix, sparse) >= 0.99


def test_a_distance_matrix_is_not_overwritten(groups):
    matrix = pairwise_distances(groups[0])
    before = matrix.copy()
    labels = cluster(matrix, "hdbscan", metric="precomputed", min_cluster_size=20)
    assert labels.max() == 2
    np.testing.assert_array_equal(matrix, before)
    reordered = cluster(
        matrix, "hdbscan", metric="precomputed", min_cluster_size=20, ids=-np.arange(300)
    )
    assert adjusted_rand_score(labels, reordered) >= 0.99


def test_a_distance_matrix_is_not_taken_for_points(continuum):
    matrix = pairwise_distances(continuum)
    setting = {"metric": "precomputed", "linkage": "average", "n_clusters": 5}
    alone = AgglomerativeClustering(**setting).fit_predict(matrix)
    assert adjusted_rand_score(alone, cluster(matrix, "agglomerative", **setting)) == 1


@pytest.mark.parametrize("method", METHODS)
def test_no_method_changes_its_points(method, groups):
    points = groups[0].copy()
    cluster(points, method, **SETTINGS[method])
    np.testing.assert_array_equal(points, groups[0])


def test_pieces_of_a_graph_are_groups_but_are_never_joined_by_chance():
    sizes, centers = [60, 90, 30, 40], [[0, 0], [50, 0], [20, 50], [80, 80]]
    points, truth = make_blobs(sizes, centers=centers, random_state=0)
    assert adjusted_rand_score(truth, cluster(points, "spectral", n_clusters=4)) == 1
    finer = cluster(points, "spectral", n_clusters=6)
    for piece in range(4):  # each group lies in one piece
        assert not set(finer[truth == piece]) & set(finer[truth != piece])
    with pytest.raises(
        ValueError, match=r"4 pieces, more than the 3 .* raise n_neighbors \(now 25"
    ):
        cluster(points, "spectral", n_clusters=3)
    neighbours = known(points, 20)
    assert adjusted_rand_score(truth, cluster(neighbours, "agglomerative", n_clusters=4)) == 1
    assert adjusted_rand_score(truth, cluster(neighbours, "spectral", n_clusters=4)) == 1
    assert adjusted_rand_score(truth, cluster(neighbours, "dbscan", eps=3)) > 0.9
    for method, setting in {
        "agglomerative": {"n_clusters": 3},
        "spectral": {"n_clusters": 3},
        "hdbscan": {"min_cluster_size": 10},
    }.items():
        with pytest.raises(ValueError, match=r"4 pieces, more than the .* more neighbours"):
            cluster(neighbours, method, **setting)


def test_duplicated_rows_are_objects_like_others(groups):
    """Their distance is 0, which in a sparse matrix means that there is no link."""
    points, truth = groups
    doubled, both = np.repeat(points, 3, axis=0), np.repeat(truth, 3)
    for method in METHODS:
        labels = cluster(doubled, method, **SETTINGS[method])
        assert adjusted_rand_score(both, labels) > 0.8, method
        if method in ON_NEIGHBOURS:
            labels = cluster(known(doubled, 150), method, **SETTINGS[method])
            assert adjusted_rand_score(both, labels) > 0.8, method


def test_a_graph_links_both_ways_and_forgets_no_copy(groups):
    points = np.repeat(groups[0][:50], 2, axis=0)
    distances, indices = known(points, 5)
    graph = link(distances, indices)
    assert abs(graph - graph.T).max() == 0
    assert graph.data.min() > 0, "a link of the length 0 would be no link"
    linked = graph.toarray() > 0
    near = np.zeros((100, 100), dtype=bool)
    near[np.arange(100)[:, None], indices[:, 1:]] = True
    np.testing.assert_array_equal(linked, near | near.T)


def test_joining_in_a_graph_of_all_pairs_is_average_linkage(continuum):
    some = continuum[:120]
    joined = scipy_linkage(pdist(some), "average")
    for n_clusters in (2, 5, 11, 40):
        theirs = fcluster(joined, n_clusters, "maxclust")
        ours = average_linkage(link(*known(some, 120)), n_clusters)
        assert adjusted_rand_score(theirs, ours) == 1


def test_the_quick_solver_of_a_graph_cuts_where_the_slow_one_does(continuum):
    neighbours = known(continuum)
    quick, slow = (
        cluster(neighbours, "spectral", n_clusters=5, **solver)
        for solver in ({}, {"eigen_solver": "arpack"})
    )
    assert adjusted_rand_score(quick, slow) > 0.99


def test_each_method_says_what_it_assumes():
    table = describe()
    assert list(table.index) == list(METHODS)
    assert set(table.index[table["leaves objects out"] == "yes"]) == {"dbscan", "hdbscan"}
    assert all(len(text) < 90 for text in table["assumes"])


def test_only_density_leaves_objects_out(groups):
    far = np.vstack([groups[0], [[40, 40], [-40, 40]]])
    for method, about in METHODS.items():
        labels = cluster(far, method, **{**SETTINGS[method], **_more(method)})
        assert np.any(labels == -1) == about.leaves_out, method


def _more(method):
    return {"n_neighbors": 150} if method == "spectral" else {}


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
    with pytest.raises(ValueError, match=r"e\+155, and the squares of such numbers are infinite"):
        cluster(1e155 * points, "kmeans")  # hdbscan would take all memory
    for wrong in (points[:, 0], points[:0], points.astype(str), None):
        with pytest.raises(ValueError, match="rows of a table of numbers"):
            cluster(wrong)
    with pytest.raises(ValueError, match=r"is not known\. Choose one of: kmeans"):
        cluster("kmeans", points)


def test_bad_tables_end_in_a_sentence(groups):
    points, _ = groups
    for method, name in {
        "kmeans": "n_clusters=6",
        "gaussian_mixture": "n_components=6",
        "agglomerative": "n_clusters=6",
        "dbscan": "min_samples=10",
        "hdbscan": "min_cluster_size=50",
        "spectral": "n_clusters=6",
    }.items():
        with pytest.raises(ValueError, match=f"{name}, but there are only 5 objects"):
            cluster(points[:5], method)
    few = points[np.arange(300) % 4]
    with pytest.raises(ValueError, match="6 groups were asked for, but only 4 of the 300 rows"):
        cluster(few, "kmeans")
    with pytest.raises(ValueError, match=r"Column 1 .* same value in all 300 rows"):
        cluster(np.column_stack([points[:, 0], np.full(300, 7.0)]))
    for ids in (np.arange(299), np.zeros(300)):
        with pytest.raises(ValueError, match="300 different names, one each"):
            cluster(points, ids=ids)


def test_bad_neighbours_end_in_a_sentence(groups):
    distances, indices = known(groups[0], 15)
    with pytest.raises(
        ValueError, match=r"kmeans needs points, .*: agglomerative, dbscan, hdbscan"
    ):
        cluster((distances, indices), "kmeans")
    with pytest.raises(ValueError, match=r"hdbscan looks at 20 neighbours .* kneighbors for 20"):
        cluster((distances, indices), "hdbscan", min_cluster_size=20)
    with pytest.raises(ValueError, match="takes n_clusters alone, not linkage"):
        cluster((distances, indices), "agglomerative", linkage="single")
    with pytest.raises(ValueError, match="indices of the same shape"):
        cluster((indices, distances), "dbscan")
    with pytest.raises(ValueError, match="NaN or infinite"):
        cluster((np.where(distances > 0.5, np.nan, distances), indices), "dbscan")
    with pytest.raises(ValueError, match="pair"):
        cluster((distances,), "dbscan")
