"""Groupings are compared on equal terms: same names, same objects, same space."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics import silhouette_score

from helpers import comparison
from helpers.comparison import agreement, compare, match_labels, score
from helpers.distances import nearest
from helpers.forest import UnsupervisedForest


@pytest.fixture(scope="module")
def groups():
    centers = [[0, 0], [6, 0], [2, 6]]
    return make_blobs([60, 150, 90], centers=centers, cluster_std=0.7, random_state=0)


# ------------------------------------------------------------------------- names


def test_the_same_groups_get_the_same_names():
    reference = np.repeat([0, 1, 2, -1], [50, 30, 20, 5])
    renamed = np.array([2, 0, 1, -1])[reference]
    np.testing.assert_array_equal(match_labels(renamed, reference), reference)


def test_as_many_objects_as_possible_keep_their_name():
    """Taking the largest overlap first would leave 40 + 0; the best pairing keeps 39 + 30."""
    reference = np.repeat([0, 1], [79, 30])
    labels = np.concatenate([np.repeat([0, 1], [40, 39]), np.repeat(0, 30)])
    kept = np.sum(match_labels(labels, reference) == reference)
    assert kept == 69


def test_groups_without_a_partner_get_new_names():
    reference = np.repeat([0, 1], [60, 40])
    finer = np.repeat([3, 0, 1, 2], [50, 10, 28, 12])
    matched = match_labels(finer, reference)
    assert set(matched[finer == 3]) == {0} and set(matched[finer == 1]) == {1}
    assert set(matched[finer == 2]) == {2}, "the larger of those left over comes first"
    assert set(matched[finer == 0]) == {3}
    coarser = match_labels(np.zeros(100, int), finer)
    assert set(coarser) == {3}
    apart = match_labels(np.repeat([0, 1], [6, 2]), np.repeat([0, 1, -1], [3, 3, 2]))
    assert set(apart[6:]) == {2}, "no object in common with the group 1"
    nothing = np.full(100, -1)
    np.testing.assert_array_equal(match_labels(nothing, reference), nothing)
    np.testing.assert_array_equal(match_labels(reference, nothing), reference)


# ------------------------------------------------------------------------- scores


SETTINGS = {
    "kmeans": {"n_clusters": 3},
    "too many": {"method": "kmeans", "n_clusters": 12},
    "dbscan": {"eps": 0.6},
}


def test_scores_stand_beside_what_was_left_out(groups):
    scores, labels = compare(groups[0], SETTINGS)
    assert list(scores.index) == list(labels) == list(SETTINGS)
    assert scores.loc["kmeans", "groups"] == 3 and scores.loc["too many", "groups"] == 12
    assert scores.loc["kmeans", "left_out"] == 0
    assert scores.loc["dbscan", "left_out"] == np.mean(labels["dbscan"] == -1) > 0
    kept = labels["dbscan"] >= 0
    alone = silhouette_score(groups[0][kept], labels["dbscan"][kept])
    assert scores.loc["dbscan", "silhouette"] == pytest.approx(alone)
    assert scores.loc["kmeans", "silhouette"] > 0.7 > 0.5 > scores.loc["too many", "silhouette"]
    assert scores.loc["kmeans", "davies_bouldin"] < scores.loc["too many", "davies_bouldin"]
    assert (scores["calinski_harabasz"] > 0).all() and (scores["seconds"] > 0).all()


def test_groups_bear_the_names_of_the_first(groups, monkeypatch):
    first = groups[1]
    answers = iter([first, np.array([1, 2, 0])[first]])
    monkeypatch.setattr(comparison, "cluster", lambda *_, **__: next(answers))
    _, labels = compare(groups[0], {"some": {}, "others": {}})
    np.testing.assert_array_equal(labels["some"], first)
    np.testing.assert_array_equal(labels["others"], first)


def test_all_groupings_are_judged_in_the_same_space(groups):
    """Groups that lie in the points alone score well there and badly in another table."""
    points, _ = groups
    other = np.random.default_rng(0).normal(size=(300, 4))
    setting = {"kmeans": {"n_clusters": 3}}
    own, foreign = (compare(points, setting, judge=judge).scores for judge in (None, other))
    assert own.loc["kmeans", "silhouette"] > 0.7
    assert abs(foreign.loc["kmeans", "silhouette"]) < 0.05


def test_neighbours_are_judged_in_a_table_or_by_the_forest(groups):
    points, _ = groups
    rng = np.random.default_rng(0)
    table = points @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(300, 5))
    forest = UnsupervisedForest(100, random_state=0).fit(table)
    leaves = forest.leaves_.copy()
    setting = {"spectral": {"n_clusters": 3}}
    by_table = compare(forest.kneighbors(30), setting, judge=table).scores
    by_forest = compare(forest.kneighbors(30), setting, judge=forest).scores
    assert by_table.loc["spectral", "silhouette"] > 0.5
    assert 0.1 < by_forest.loc["spectral", "silhouette"] < 1
    assert np.isnan(by_forest.loc["spectral", "davies_bouldin"])
    np.testing.assert_array_equal(forest.leaves_, leaves)
    with pytest.raises(ValueError, match="no points to be scored on"):
        compare(nearest(points, n_neighbors=30), setting)


def test_groupings_that_are_there_are_judged_without_being_made_again(groups, monkeypatch):
    points, truth = groups
    scores, labels = compare(points, SETTINGS)
    monkeypatch.setattr(comparison, "cluster", None)
    again = score(labels, points)
    pd.testing.assert_frame_equal(again, scores.drop(columns="seconds"))
    halves = {"truth": truth, "halves": np.where(truth == 0, 0, -1) + (truth == 1) * 2}
    by_truth = score(halves, points)
    assert list(by_truth["groups"]) == [3, 2] and by_truth.loc["halves", "left_out"] == 0.3
    kept = halves["halves"] >= 0
    alone = silhouette_score(points[kept], halves["halves"][kept])
    assert by_truth.loc["halves", "silhouette"] == pytest.approx(alone)
    with pytest.raises(ValueError, match="300 objects are grouped, but the judge holds 299"):
        score(labels, points[1:])
    with pytest.raises(ValueError, match="Name the groupings"):
        score(truth, points)


def test_many_objects_are_judged_by_the_same_sample():
    points, truth = make_blobs(4000, centers=[[0, 0], [6, 0]], random_state=0)
    copies = score({"one": truth, "renamed": 1 - truth}, points)
    pd.testing.assert_frame_equal(copies, score({"one": truth, "renamed": 1 - truth}, points))
    assert copies.loc["one", "silhouette"] == pytest.approx(copies.loc["renamed", "silhouette"])
    assert copies.loc["one", "silhouette"] == pytest.approx(
        silhouette_score(points, truth), abs=0.02
    )


def test_one_group_or_none_has_no_score(groups):
    points, _ = groups
    settings = {
        "one": {"method": "kmeans", "n_clusters": 1},
        "none": {"method": "dbscan", "eps": 1e-6},
    }
    scores, _ = compare(points, settings)
    assert list(scores["groups"]) == [1, 0] and list(scores["left_out"]) == [0, 1]
    assert scores[["silhouette", "calinski_harabasz", "davies_bouldin"]].isna().all(axis=None)


def test_bad_comparisons_end_in_a_sentence(groups):
    points, _ = groups
    with pytest.raises(ValueError, match="300 objects are grouped, but the judge holds 299"):
        compare(points, SETTINGS, judge=points[1:])
    with pytest.raises(ValueError, match="1 of 300 points are not finite"):
        compare(points, SETTINGS, judge=np.where(np.arange(300)[:, None] == 7, np.nan, points))
    for wrong in ({}, ["kmeans"]):
        with pytest.raises(ValueError, match="Name the settings"):
            compare(points, wrong)
    with pytest.raises(ValueError, match="'mine' is not known"):
        compare(points, {"mine": {"n_clusters": 3}})


# ------------------------------------------------------------------------- agreement


def test_agreement_does_not_see_names():
    first = np.repeat([0, 1, 2], 40)
    renamed = np.array([2, 0, 1])[first]
    shuffled = np.random.default_rng(0).permutation(first)
    for table in agreement({"a": first, "b": renamed, "c": shuffled}):
        assert list(table.index) == list(table.columns) == ["a", "b", "c"]
        np.testing.assert_allclose(table, table.T)
        np.testing.assert_allclose(np.diag(table), 1)
        assert table.loc["a", "b"] == pytest.approx(1)
        assert abs(table.loc["a", "c"]) < 0.05


def test_mutual_information_sees_a_rare_group_better():
    truth = np.repeat([0, 1, 2], [950, 30, 20])
    merged = np.minimum(truth, 1)
    large = truth.copy()
    large[:25] = 1
    rand, information = agreement({"truth": truth, "rare lost": merged, "large frayed": large})
    assert rand.loc["truth", "rare lost"] > rand.loc["truth", "large frayed"]
    assert rand.loc["truth", "rare lost"] > 0.95 > information.loc["truth", "rare lost"]


@pytest.mark.parametrize(
    "compared", [match_labels, lambda a, b: agreement({"labels": a, "reference": b})]
)
def test_other_objects_end_in_a_sentence(compared):
    good = np.array([0, 0, 1, -1])
    with pytest.raises(ValueError, match=r"different length: labels 4, reference 3\."):
        compared(good, good[1:])
    for wrong in ([0.0, np.nan, 1, 1], [-2, 0, 0, 1], [[0, 1], [1, 0]], [], ["a", "b", "a", "b"]):
        with pytest.raises(ValueError, match="called 'labels' must be a list of whole numbers"):
            compared(wrong, good)


def test_groupings_need_names():
    with pytest.raises(ValueError, match="Name the groupings"):
        agreement([np.zeros(3, int), np.zeros(3, int)])
    assert isinstance(agreement({"alone": pd.Series([0, 1, 1])}).rand, pd.DataFrame)
