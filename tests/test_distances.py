"""Every named distance finds the neighbours that its formula says."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from helpers.distances import METRICS, nearest


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 4)) * [1, 10, 0.1, 3] + [0, 50, 1, 0]


@pytest.mark.parametrize("distance", METRICS)
def test_neighbours_are_those_of_the_formula(table, distance):
    points = table if distance == "euclidean" else (table - table.mean(0)) / table.std(0)
    name = {"standardised": "euclidean", "manhattan": "cityblock"}.get(distance, distance)
    expected = cdist(points, points, name)
    np.fill_diagonal(expected, -1)
    order = np.argsort(expected, axis=1)[:, :10]
    distances, indices = nearest(table, distance, 10)
    np.testing.assert_array_equal(indices, order)
    near = np.take_along_axis(expected, order, axis=1)
    near[:, 0] = 0
    np.testing.assert_allclose(distances, near, rtol=1e-5, atol=1e-6)
    assert distances.dtype == np.float32


@pytest.mark.parametrize("distance", METRICS)
def test_each_object_is_the_first_even_among_duplicates(distance):
    twins = np.repeat(np.random.default_rng(0).normal(size=(10, 4)), 5, axis=0)
    distances, indices = nearest(twins, distance, 4)
    np.testing.assert_array_equal(indices[:, 0], np.arange(50))
    assert (np.diff(np.sort(indices, axis=1)) > 0).all()
    assert (distances >= 0).all()
    assert (np.diff(distances, axis=1) >= 0).all()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("euclid",), "The distance 'euclid' is not known. Choose one of: euclidean, "),
        ((None,), "The distance None is not known"),
        (("cosine", 201), "201 neighbours were asked for, but there are 200 objects"),
        (("cosine", 1), "Choose a whole number, 2 to 200"),
        (("cosine", 2.5), "Choose a whole number, 2 to 200"),
    ],
)
def test_what_is_no_distance_is_refused_in_one_sentence(table, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        nearest(table, *arguments)


def test_a_missing_value_is_refused(table):
    table[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        nearest(table)
