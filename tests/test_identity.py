"""A galaxy is a kind of its own, unless its pixels are measured against itself."""

import numpy as np
import pandas as pd
import pytest

from helpers.blocks import sky_blocks
from helpers.identity import galaxy_identity, predict_galaxy, standardise_per_galaxy


@pytest.fixture(scope="module")
def sky():
    """Three galaxies of 1600, 900 and 900 pixels: the same physics, offsets of their own."""
    rng = np.random.default_rng(0)
    ids, galaxies, rows = [], [], []
    for galaxy, side, offset in (("a", 40, 0.0), ("b", 30, 1.5), ("c", 30, -2.0)):
        ids += [f"{galaxy}-{y:04d}-{x:04d}" for y in range(side) for x in range(side)]
        galaxies += [galaxy] * side**2
        physics = rng.normal(size=(side**2, 1)) * [1.0, 0.8]
        rows.append((1 + abs(offset)) * (physics + offset + rng.normal(0, 0.3, (side**2, 2))))
    return pd.DataFrame(np.vstack(rows), index=ids, columns=["log_a", "b"]), np.array(galaxies)


def test_offsets_betray_the_galaxy_until_each_is_standardised(sky):
    frame, galaxies = sky
    before = predict_galaxy(frame, galaxies, frame.index)
    own = standardise_per_galaxy(frame, galaxies)
    after = predict_galaxy(own, galaxies, frame.index)
    assert before.chance == after.chance == pytest.approx(1 / 3)
    assert before.accuracy > 0.85
    assert abs(after.accuracy - after.chance) < 0.06
    assert after.low < after.accuracy < after.high < 0.5


def test_a_large_galaxy_does_not_make_a_guess_look_good(sky):
    """Who always says "the largest" is right for 89 % of these pixels, and for a third of the
    galaxies."""
    frame, galaxies = sky
    noise = np.random.default_rng(1).normal(size=(3400, 2))
    few = np.r_[np.arange(1600), 1600:2500:9, 2500:3400:9]
    guess = predict_galaxy(noise[few], galaxies[few], frame.index[few])
    assert abs(guess.accuracy - guess.chance) < 0.12
    shifted = noise[few] + 1.5 * np.searchsorted(["b", "c"], galaxies[few], side="right")[:, None]
    small = predict_galaxy(shifted, galaxies[few], frame.index[few])
    assert small.accuracy > 0.7, "small galaxies are guessed where they are, by likelihood"


def test_a_place_on_the_sky_alone_does_not_betray_the_galaxy():
    """A smooth map gives each neighbourhood its own values; whole blocks are held out, so what
    is learned in one place says nothing of another."""
    rng = np.random.default_rng(2)
    ids = [f"{g}-{y:04d}-{x:04d}" for g in "ab" for y in range(40) for x in range(40)]
    value = {block: rng.normal(size=2) for block in np.unique(sky_blocks(ids))}
    points = np.array([value[block] for block in sky_blocks(ids)])
    points += rng.normal(0, 0.02, (3200, 2))
    galaxies = np.array([i[0] for i in ids])
    scores = predict_galaxy(points, galaxies, ids)
    assert scores.accuracy < 0.75, "neighbours in the same block would give 1.0"


def test_standardised_galaxies_have_mean_0_and_spread_1(sky):
    frame, galaxies = sky
    own = standardise_per_galaxy(frame, galaxies)
    assert list(own.index) == list(frame.index) and list(own.columns) == list(frame.columns)
    for galaxy in "abc":
        part = own[galaxies == galaxy]
        np.testing.assert_allclose(part.mean(), 0, atol=1e-12)
        np.testing.assert_allclose(part.std(ddof=0), 1)
    assert own["log_a"].corr(own["b"]) > 0.8, "what holds within a galaxy stays"


def test_groups_that_are_galaxies_know_the_galaxy_and_others_do_not():
    galaxies = np.repeat(["a", "b", "c"], [500, 300, 200])
    same = galaxy_identity(np.repeat([4, 0, 2], [500, 300, 200]), galaxies)
    assert same.information == pytest.approx(1) and same.cramer == pytest.approx(1)
    rng = np.random.default_rng(0)
    other = galaxy_identity(rng.permutation(np.repeat([0, 1, -1], [500, 400, 100])), galaxies)
    assert abs(other.information) < 0.02 and other.cramer < 0.1


def test_bad_input_is_answered_in_a_sentence(sky):
    frame, galaxies = sky
    with pytest.raises(ValueError, match="3400 pixels, but galaxies has the shape"):
        predict_galaxy(frame, galaxies[1:], frame.index)
    with pytest.raises(ValueError, match="3400 pixels, but pixel_ids has the shape"):
        predict_galaxy(frame, galaxies, frame.index[1:])
    with pytest.raises(ValueError, match="All pixels are of a: with one galaxy"):
        predict_galaxy(frame[:1600], galaxies[:1600], frame.index[:1600])
    near = np.r_[0:1600, 1600:1604]
    with pytest.raises(ValueError, match="b lies in fewer than five blocks of 10 x 10 pixels"):
        predict_galaxy(frame.iloc[near], galaxies[near], frame.index[near])
    with pytest.raises(ValueError, match="1 of 3400 points are not finite"):
        standardise_per_galaxy(frame.where(frame["b"] < frame["b"].max()), galaxies)
    with pytest.raises(ValueError, match="Column b has the same value in all pixels of c"):
        standardise_per_galaxy(frame.assign(b=frame["b"].where(galaxies != "c", 0.0)), galaxies)
    with pytest.raises(ValueError, match=r"All 3400 pixels are in one group \(0\)"):
        galaxy_identity(np.zeros(3400, int), galaxies)
    with pytest.raises(ValueError, match=r"All 3400 pixels are in one group \(-1\)"):
        galaxy_identity(np.full(3400, -1), galaxies)
    with pytest.raises(ValueError, match="5 pixels, but galaxies has the shape"):
        galaxy_identity([0, 0, 1, 1, 1], galaxies)
