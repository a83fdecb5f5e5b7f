"""Groups that are there are found again; cuts through a smooth cloud are not."""

import itertools

import numpy as np
import pytest
from sklearn.datasets import make_blobs

from helpers.clusters import cluster
from helpers.stability import NOT_DRAWN, bootstrap, stability


@pytest.fixture(scope="module")
def groups():
    centers = [[0, 0], [6, 0], [2, 6]]
    return make_blobs([60, 150, 90], centers=centers, cluster_std=0.7, random_state=0)


def runs_of(points, n_clusters=3, n_runs=10):
    return bootstrap(
        lambda rows: cluster(points[rows], "kmeans", n_clusters=n_clusters), len(points), n_runs
    )


def test_a_bootstrap_draws_two_thirds_of_the_objects_once_each(groups):
    seen = []
    runs = bootstrap(lambda rows: (seen.append(rows), np.zeros(len(rows)))[1], 3000, n_runs=5)
    for rows, run in zip(seen, runs, strict=True):
        assert np.all(np.diff(rows) > 0)
        np.testing.assert_array_equal(np.flatnonzero(run != NOT_DRAWN), rows)
        assert abs(len(rows) / 3000 - 0.632) < 0.03
    assert not np.array_equal(seen[0], seen[1])
    again = bootstrap(lambda rows: np.zeros(len(rows)), 3000, n_runs=5)
    np.testing.assert_array_equal(runs, again)


def test_groups_that_are_there_stay(groups):
    points, truth = groups
    found = stability(truth, runs_of(points))
    assert list(found.groups["size"]) == [60, 150, 90]
    assert (found.groups["jaccard"] > 0.95).all() and (found.groups["dissolved"] == 0).all()
    together = found.together.to_numpy()
    assert np.all(np.diag(together) > 0.95) and together[~np.eye(3, dtype=bool)].max() < 0.05
    assert np.nanmin(found.objects) >= 0 and np.nanmean(found.objects) > 0.95


def test_cuts_through_a_smooth_cloud_do_not_stay():
    cloud = np.random.default_rng(0).normal(size=(400, 2))
    found = stability(cluster(cloud, "kmeans", n_clusters=7), runs_of(cloud, 7))
    assert found.groups["jaccard"].mean() < 0.75
    assert np.mean(found.objects) < 0.75


def test_two_groups_that_merge_are_named(groups):
    _, truth = groups
    merged = np.where(truth == 2, 0, truth)
    found = stability(truth, [merged])
    assert found.together.loc[0, 2] == 1 and found.together.loc[0, 1] == 0
    np.testing.assert_allclose(found.groups["jaccard"], [60 / 150, 1, 90 / 150])
    np.testing.assert_array_equal(found.groups["dissolved"], [1, 0, 0])
    np.testing.assert_array_equal(found.objects, 1)  # what merges is still together


def test_pairs_are_counted_as_one_by_one():
    rng = np.random.default_rng(0)
    reference = rng.integers(-1, 3, 30)
    runs = [rng.integers(-2, 3, 30) for _ in range(4)]
    found = stability(reference, runs)
    seen, both = np.zeros((2, 30, 30))
    for run in runs:
        for i, j in itertools.permutations(range(30), 2):
            if run[i] != NOT_DRAWN and run[j] != NOT_DRAWN:
                seen[i, j] += 1
                both[i, j] += run[i] == run[j] >= 0
    for a, b in itertools.product(range(3), repeat=2):
        pairs = np.ix_(reference == a, reference == b)
        assert found.together.loc[a, b] == pytest.approx(both[pairs].sum() / seen[pairs].sum())
    for i in np.flatnonzero(reference >= 0):
        own = reference == reference[i]
        assert found.objects[i] == pytest.approx(both[i, own].sum() / seen[i, own].sum())
    assert np.all(np.isnan(found.objects[reference < 0]))
    for a in range(3):
        best = []
        for run in runs:
            mine, drawn = (reference == a), run != NOT_DRAWN
            best.append(
                max(
                    np.sum(mine & (run == k)) / np.sum(drawn & (mine | (run == k)))
                    for k in range(3)
                )
            )
        assert found.groups.loc[a, "jaccard"] == pytest.approx(np.mean(best))


def test_left_out_objects_are_together_with_nobody():
    reference = np.repeat([0, 1], 10)
    found = stability(reference, [np.full(20, -1)])
    assert (found.groups["jaccard"] == 0).all() and (found.groups["dissolved"] == 1).all()
    assert not found.together.to_numpy().any() and not found.objects.any()


def test_what_never_was_drawn_is_not_judged():
    reference = np.repeat([0, 1], 10)
    run = np.where(reference == 1, NOT_DRAWN, 0)
    found = stability(reference, [run])
    assert found.groups.loc[0, "jaccard"] == 1 and np.isnan(found.groups.loc[1, "jaccard"])
    assert np.all(np.isnan(found.objects[10:]))


def test_seeds_are_runs_too(groups):
    points, truth = groups
    runs = [cluster(points, "kmeans", n_clusters=3, random_state=seed) for seed in range(4)]
    assert (stability(truth, runs).groups["jaccard"] > 0.95).all()


def test_one_group_is_followed_as_well():
    found = stability(np.zeros(10, int), [np.repeat([0, 1], [6, 4])])
    assert found.groups.loc[0, "jaccard"] == pytest.approx(0.6)


def test_bad_questions_end_in_a_sentence():
    labels = np.repeat([0, 1], 10)
    with pytest.raises(ValueError, match="The reference has no group"):
        stability(np.full(20, -1), [labels])
    with pytest.raises(ValueError, match="There is no run"):
        stability(labels, [])
    with pytest.raises(ValueError, match=r"Run 1 must hold a label for each of the 20 objects"):
        stability(labels, [labels, labels[1:]])
    with pytest.raises(ValueError, match="Run 0 must hold"):
        stability(labels, [np.full(20, NOT_DRAWN)])
    with pytest.raises(ValueError, match="'run 0' must be a list of whole numbers"):
        stability(labels, [labels + 0.5])
    with pytest.raises(ValueError, match=r"given \d+ rows and returned labels of the shape \(7,\)"):
        bootstrap(lambda rows: np.zeros(7), 20)
    with pytest.raises(ValueError, match="20 objects and 0 runs"):
        bootstrap(lambda rows: rows, 20, n_runs=0)
