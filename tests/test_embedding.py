"""The embedding keeps neighbours, is umap-learn's own, and says what it cannot draw."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.manifold import trustworthiness
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

from helpers.embedding import embed


def neighbours_of(X, n_neighbors):
    return NearestNeighbors(n_neighbors=n_neighbors).fit(X).kneighbors(X)


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(400, 6, centers=3, cluster_std=2.0, random_state=0)


@pytest.fixture(scope="module")
def wide(blobs):
    return neighbours_of(blobs[0], 60)


@pytest.fixture(scope="module")
def points(wide):
    return embed(wide, n_neighbors=15, n_epochs=200)


def test_neighbours_stay_neighbours(blobs, points):
    X, group = blobs
    assert points.shape == (400, 2) and np.all(np.isfinite(points))
    assert trustworthiness(X, points, n_neighbors=10) > 0.9
    assert silhouette_score(points, group) > 0.5


@pytest.mark.parametrize("n_neighbors", [5, 15])
def test_it_is_the_embedding_that_umap_makes_of_the_same_graph(wide, n_neighbors):
    """UMAP itself warns, and of a wider graph it would use every column, so it gets a slice."""
    import umap

    distances, indices = (part[:, :n_neighbors] for part in wide)
    with pytest.warns(UserWarning, match="transforming new data with transform"):
        theirs = umap.UMAP(
            n_neighbors=n_neighbors,
            min_dist=0.0,
            n_epochs=50,
            random_state=3,
            n_jobs=1,
            precomputed_knn=(indices, distances.astype(np.float32), None),
        ).fit_transform(np.zeros((len(indices), 1), dtype=np.float32))
    ours = embed(wide, n_neighbors=n_neighbors, n_epochs=50, random_state=3)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_only_the_neighbours_asked_for_are_used(wide, points):
    narrow = tuple(part[:, :15] for part in wide)
    np.testing.assert_array_equal(embed(narrow, n_neighbors=15, n_epochs=200), points)
    assert not np.allclose(embed(wide, n_neighbors=60, n_epochs=200), points, atol=1.0)


def test_the_same_seed_draws_the_same_picture_and_another_seed_another(wide, points):
    np.testing.assert_array_equal(embed(wide, n_neighbors=15, n_epochs=200), points)
    other = embed(wide, n_neighbors=15, n_epochs=200, random_state=1)
    assert np.abs(other - points).max() > 0.1


def test_min_dist_keeps_points_apart(wide, points):
    apart = embed(wide, n_neighbors=15, min_dist=0.8, n_epochs=200)
    nearest = [neighbours_of(p, 2)[0][:, 1].mean() for p in (points, apart)]
    assert nearest[1] > 2 * nearest[0]


@pytest.mark.parametrize("groups", [2, 4, 7])
def test_graphs_in_pieces_are_drawn_too(groups):
    X, group = make_blobs(40 * groups, 3, centers=groups, cluster_std=0.01, random_state=1)
    points = embed(neighbours_of(X, 8), n_neighbors=8, n_epochs=200)
    again = embed(neighbours_of(X, 8), n_neighbors=8, n_epochs=200)
    np.testing.assert_array_equal(points, again)
    assert silhouette_score(points, group) > 0.2


def test_a_handful_of_points_and_duplicates_are_drawn():
    few = np.arange(5.0)[:, None]
    assert np.all(np.isfinite(embed(neighbours_of(few, 3), n_neighbors=3, n_epochs=20)))
    twins = np.repeat(np.random.default_rng(0).standard_normal((30, 2)), 2, axis=0)
    distances, indices = neighbours_of(twins, 6)
    for i, row in enumerate(indices):  # oneself first, also among equals
        row[: np.flatnonzero(row == i)[0] + 1] = np.roll(row[: np.flatnonzero(row == i)[0] + 1], 1)
    assert np.all(np.isfinite(embed((distances, indices), n_neighbors=6, n_epochs=50)))


def test_umap_is_not_imported_before_it_is_needed():
    code = "import sys, helpers.embedding; print('umap' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert output.stdout.strip() == "False", output.stderr


def test_bad_neighbours_end_in_a_sentence(wide):
    distances, indices = wide
    with pytest.raises(ValueError, match="in this order"):
        embed((indices, distances))
    with pytest.raises(ValueError, match="must be a pair"):
        embed(distances)
    with pytest.raises(ValueError, match="n_neighbors=61, but 60 neighbours"):
        embed(wide, n_neighbors=61)
    with pytest.raises(ValueError, match="NaN or infinite"):
        embed((np.full_like(distances, np.nan), indices))
    with pytest.raises(ValueError, match="among the objects themselves"):
        embed((distances[:50], indices[:50]))
    for wrong in (5.0, "5", None):
        with pytest.raises(ValueError, match="Choose 2 to 60"):
            embed(wide, n_neighbors=wrong)
    for wrong in (-0.1, 1.5, np.nan, "0", None):
        with pytest.raises(ValueError, match="is no distance: give a number from 0 to 1"):
            embed(wide, min_dist=wrong)
    for wrong in (0, -5, 2.5, None):
        with pytest.raises(ValueError, match="is no number of steps"):
            embed(wide, n_epochs=wrong)
    with pytest.raises(ValueError, match="0 objects with 60 neighbours each are too few"):
        embed((distances[:0], indices[:0]))
    with pytest.raises(ValueError, match="in this order"):
        embed((distances.astype(str), indices))
    back = np.r_[0, 59:0:-1]
    with pytest.raises(ValueError, match="from near to far, each of them once"):
        embed((distances[:, back], indices[:, back]))
    with pytest.raises(ValueError, match="from near to far, each of them once"):
        embed((distances, np.repeat(indices[:, :1], 60, axis=1)))
    with pytest.raises(ValueError, match="cannot be used to seed"):
        embed(wide, random_state="a")
    with pytest.raises(ValueError, match="first of its own neighbours"):
        embed((distances[:, 1:], indices[:, 1:]))
