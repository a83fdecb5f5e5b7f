"""A truth tells the found from the merged and the invented; one number does not."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from helpers.truth import grade

CLASSES = np.repeat(["DIFFUSE", "HII", "AGN"], [600, 350, 50])


def test_the_right_groups_score_full_marks_under_any_names():
    found = grade(np.repeat([7, 0, 3], [600, 350, 50]), CLASSES)
    assert found.rand == 1 and found.macro_f1 == 1
    assert np.all(found.classes["f1_one_to_one"] == 1)
    assert set(found.classes["verdict"]) == {"found"} and set(found.groups["verdict"]) == {"real"}
    assert found.groups.loc[3, "class"] == "AGN" and found.groups.loc[3, "pixels"] == 50


def test_a_high_rand_index_does_not_mean_that_rare_classes_were_found():
    """Two groups beat four that find every class, since rare pixels make few pairs."""
    two = grade(np.repeat([0, 1], [600, 400]), CLASSES)
    four = grade(np.repeat([0, 1, 2, 3], [300, 300, 350, 50]), CLASSES)
    assert two.rand > 0.9 > four.rand
    assert two.classes.loc["AGN", "f1"] == 0 and four.classes.loc["AGN", "f1"] == 1
    assert two.macro_f1 < 0.7 < four.macro_f1
    assert two.classes.loc["AGN", "verdict"] == "merged into HII"


def test_an_invented_border_makes_pieces_that_count_once_in_one_to_one():
    found = grade(np.repeat([0, 1, 2, 3], [290, 310, 350, 50]), CLASSES)
    assert found.groups.loc[0, "verdict"] == "a piece"
    assert found.groups.loc[2, "verdict"] == "real"
    assert found.classes.loc["DIFFUSE", "f1"] == 1
    assert found.classes.loc["DIFFUSE", "f1_one_to_one"] == pytest.approx(2 * 310 / (310 + 600))


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    labels = np.where(
        rng.random(1000) < 0.4, rng.integers(0, 6, 1000), np.repeat([0, 1, 2], [600, 350, 50])
    )
    found = grade(labels, CLASSES)
    named = found.groups["class"].loc[labels].to_numpy()
    expected = f1_score(CLASSES, named, labels=found.classes.index, average=None, zero_division=0)
    np.testing.assert_allclose(found.classes["f1"], expected)
    assert found.macro_f1 == pytest.approx(expected.mean())
    assert found.counts.to_numpy().sum() == 1000


def test_a_group_of_many_kinds_is_a_mixture():
    labels = np.repeat([0, 1, 0, 1, 1], [500, 100, 20, 330, 50])
    assert grade(labels, CLASSES).groups["verdict"].to_dict() == {0: "real", 1: "real"}
    even = np.repeat([0, 1, 0, 1, 1], [450, 150, 100, 250, 50])
    assert grade(even, CLASSES).groups.loc[1, "verdict"] == "a mixture"


def test_pixels_without_group_are_never_right():
    labels = np.repeat([0, -1, 1, 2], [300, 300, 350, 50])
    found = grade(labels, CLASSES)
    assert found.classes.loc["DIFFUSE", "f1"] == pytest.approx(2 * 300 / (300 + 600))
    assert -1 in found.counts.index and -1 not in found.groups.index
    hidden = grade(np.repeat([0, 1, -1], [600, 350, 50]), CLASSES)
    assert hidden.classes.loc["AGN", "verdict"] == "left out"


def test_most_of_a_class_in_groups_of_its_name_is_blurred_if_they_hold_much_else():
    labels = np.repeat([0, 2, 1, 2, 2], [590, 10, 300, 50, 50])
    found = grade(np.where(labels == 2, np.repeat([2, 3], [950, 50]), labels), CLASSES)
    assert found.classes.loc["AGN", "verdict"] == "found"
    mixed = np.repeat([0, 2, 1, 2], [560, 40, 310, 40 + 50])
    assert grade(mixed, CLASSES).classes.loc["AGN", "verdict"] == "blurred"


def test_bad_input_is_answered_in_a_sentence():
    with pytest.raises(
        ValueError, match=r"There are 3 labels, but classes has the shape \(1000,\)"
    ):
        grade([0, 1, 1], CLASSES)
    with pytest.raises(ValueError, match=r"All 1000 pixels are left out \(-1\)"):
        grade(np.full(1000, -1), CLASSES)
    with pytest.raises(ValueError, match="must be a list of whole numbers"):
        grade(np.full(1000, 0.5), CLASSES)
    alone = grade(np.zeros(1000, int), CLASSES)
    assert alone.rand == 0 and alone.classes.loc["HII", "verdict"] == "merged into DIFFUSE"
