"""Published curves, no further than they hold."""

import numpy as np
import pytest

from helpers import bpt


def test_the_curves_pass_where_they_were_published():
    """Each at the abscissa where its denominator is -1: offset less numerator."""
    assert bpt.kauffmann(0.05 - 1) == pytest.approx(1.30 - 0.61)
    assert bpt.kewley(0.47 - 1) == pytest.approx(1.19 - 0.61)
    assert bpt.kewley(0.32 - 1, "sii_ha") == pytest.approx(1.30 - 0.72)
    assert bpt.kewley(-0.59 - 1, "oi_ha") == pytest.approx(1.33 - 0.73)
    assert bpt.seyfert_liner(0.2) == pytest.approx(1.89 * 0.2 + 0.76)
    assert bpt.seyfert_liner(-0.8, "oi_ha") == pytest.approx(1.18 * -0.8 + 1.30)


def test_a_curve_ends_at_its_asymptote():
    """Right of it the formula has another branch, high above, below which all would seem young."""
    x = np.linspace(-2, 1, 602)
    for curve, end in (
        (bpt.kauffmann(x), 0.05),
        (bpt.kewley(x), 0.47),
        (bpt.kewley(x, "sii_ha"), 0.32),
        (bpt.kewley(x, "oi_ha"), -0.59),
    ):
        np.testing.assert_array_equal(np.isnan(curve), x >= end)
        assert np.all(np.diff(curve[x < end]) < 0)


def test_pure_star_formation_lies_below_the_most_that_stars_can_do():
    x = np.linspace(-1.2, 0.04, 100)  # far left of all galaxies, the formulae cross
    assert np.all(bpt.kauffmann(x) < bpt.kewley(x))


def test_the_border_of_seyferts_divides_only_what_is_above_the_curve():
    border = bpt.seyfert_liner(np.array([-1.0, 0.0, 0.5]))
    assert np.isnan(border[0]) and np.all(np.isfinite(border[1:]))


def test_textbook_pixels_get_their_class():
    pixels = {
        "star formation": (-0.5, -0.5, -0.6),
        "composite": (-0.1, -0.1, -0.4),
        "Seyfert": (0.9, 0.1, -0.1),
        "LINER-like": (0.3, 0.2, 0.2),
        "ambiguous": (-0.3, -0.3, 0.25),
    }
    np.testing.assert_array_equal(bpt.classify(*np.array(list(pixels.values())).T), list(pixels))


def test_where_the_formulae_cross_both_curves_count():
    """Left of -1.3, the empirical border runs above the most that stars can do."""
    between = (bpt.kauffmann(-1.6) + bpt.kewley(-1.6)) / 2
    assert bpt.kewley(-1.6) < between < bpt.kauffmann(-1.6)
    assert bpt.classify([between], [-1.6], [-2.5]) == ["ambiguous"]


def test_right_of_the_asymptotes_nothing_is_star_formation():
    rng = np.random.default_rng(0)
    y, nii, sii = rng.uniform(-1, 2, 500), rng.uniform(0.47, 1, 500), rng.uniform(0.32, 1, 500)
    assert set(bpt.classify(y, nii, sii)) == {"Seyfert", "LINER-like"}


def test_every_pixel_has_one_of_the_classes():
    ratios = np.random.default_rng(0).uniform(-1.5, 1, (3, 4000))
    assert set(bpt.classify(*ratios)) == set(bpt.CLASSES)


def test_bad_input_is_answered_in_a_sentence():
    with pytest.raises(ValueError, match=r"must be finite numbers, one each a pixel"):
        bpt.classify([0.1], [np.nan], [0.1])
    with pytest.raises(ValueError, match=r"their shapes are \(1,\), \(1,\), \(2,\)"):
        bpt.classify([0.1], [0.1], [0.1, 0.2])
    with pytest.raises(ValueError, match="no curve for 'oiii_hb'"):
        bpt.kewley(0.1, "oiii_hb")
    with pytest.raises(ValueError, match="no border for 'nii_ha'"):
        bpt.seyfert_liner(0.1, "nii_ha")
