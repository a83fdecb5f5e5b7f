"""Null tables keep what they say, and have lost what groups are made of."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs

from helpers.clusters import cluster
from helpers.null import one_gaussian, shuffle_columns

BOTH = pytest.mark.parametrize("make", [shuffle_columns, one_gaussian])


@pytest.fixture(scope="module")
def frame():
    """Two groups in a plane, and a third column that follows the first."""
    points, _ = make_blobs([400, 200], centers=[[0, 0], [12, 8]], random_state=0)
    values = np.column_stack([points, 2 * points[:, 0] + 1])
    return pd.DataFrame(values, [f"p{i}" for i in range(600)], ["a", "b", "c"])


@BOTH
def test_a_null_table_looks_like_its_model_and_names_no_pixel(make, frame):
    before = frame.copy()
    made = make(frame, random_state=0)
    assert made.shape == frame.shape and list(made.columns) == list(frame.columns)
    assert list(made.index) == list(range(600)), "no row is a pixel any more"
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(made, make(frame, random_state=0))
    assert not np.allclose(made, make(frame, random_state=1))
    pd.testing.assert_frame_equal(made, make(frame))


def test_shuffled_columns_keep_their_values_and_lose_their_relations(frame):
    made = shuffle_columns(frame)
    for name in frame:
        np.testing.assert_array_equal(np.sort(made[name]), np.sort(frame[name]))
    assert np.abs(frame.corr().to_numpy()).min() > 0.8
    assert np.abs(np.triu(made.corr().to_numpy(), 1)).max() < 0.15


def test_the_gaussian_keeps_mean_and_covariance_and_has_no_groups(frame):
    made = one_gaussian(frame)
    spread = frame.std()
    assert (np.abs(made.mean() - frame.mean()) < 0.2 * spread).all()
    np.testing.assert_allclose(made.corr(), frame.corr(), atol=0.05)
    np.testing.assert_allclose(made.std(), spread, rtol=0.15)
    groups = cluster(frame[["a", "b"]], min_cluster_size=100)
    assert groups.max() + 1 == 2
    assert cluster(made[["a", "b"]], min_cluster_size=100).max() + 1 < 2
    # In the middle between the two groups, where few were, now most are.
    middle, width = frame.mean(), frame.std() / 2
    few, most = (((table - middle).abs() < width).all(axis=1).mean() for table in (frame, made))
    assert most > 2 * few


def test_one_column_is_enough():
    frame = pd.DataFrame({"a": np.arange(50.0)})
    assert one_gaussian(frame).shape == shuffle_columns(frame).shape == (50, 1)


@BOTH
def test_other_tables_end_in_a_sentence(make, frame):
    for wrong, words in [
        (frame.to_numpy(), "not of ndarray with 600 rows"),
        (None, "not of NoneType with no rows"),
        (frame[:1], "two rows or more, not of DataFrame with 1 rows"),
        (frame.where(frame.a < 5), "points are not finite"),
        (frame.astype(str), "rows of a table of numbers"),
    ]:
        with pytest.raises(ValueError, match=words):
            make(wrong)
