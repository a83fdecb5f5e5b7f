"""What sets a group apart is a number with an honest error bar, and fits into one line."""

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.table import QTable
from scipy.ndimage import gaussian_filter
from scipy.stats import mannwhitneyu

from helpers.blocks import draw_blocks
from helpers.clusters import cluster
from helpers.interpretation import (
    describe_groups,
    effect_sizes,
    environments,
    group_means,
)

SIDE = 60
SKY = [f"ngc0628-{y:04d}-{x:04d}" for y in range(SIDE) for x in range(SIDE)]


def smooth(rng, width=2.5):
    """A random map whose neighbours are alike over some pixels."""
    field = gaussian_filter(rng.normal(size=(SIDE, SIDE)), width, mode="wrap").ravel()
    return (field - field.mean()) / field.std()


@pytest.fixture(scope="module")
def two_galaxies():
    """In the centre of the first galaxy [OI]/Hα is high and CO broad; the second has no such."""
    rng = np.random.default_rng(0)
    ids = SKY + [pixel.replace("0628", "7496") for pixel in SKY]
    y, x = np.array([pixel.split("-")[1:] for pixel in ids], dtype=int).T
    radius = 0.15 * np.hypot(y - SIDE / 2, x - SIDE / 2)
    galaxies = np.repeat(["NGC 628", "NGC 7496"], SIDE**2)
    heart = (radius < 1.4) & (galaxies == "NGC 628")
    columns = ["log_oi_ha", "log_nii_ha", "log_co_width", "ebv", "log_f2100w"]
    frame = pd.DataFrame(rng.normal(size=(len(ids), 5)), ids, columns)
    frame["log_oi_ha"] += 4.0 * heart
    frame["log_nii_ha"] = frame["log_oi_ha"] + rng.normal(0, 0.5, len(ids)) - 0.5 * heart
    frame["log_co_width"] += 1.5 * heart
    labels = np.where(heart, 3, np.where(x < 20, 0, -1))
    frame["log_f2100w"] -= 1.2 * (labels == 0)
    place = QTable({"pixel_id": ids, "galaxy": galaxies, "radius": radius * u.kpc})
    place["co_flux"] = rng.lognormal(0, 1, len(ids)) * u.K * u.km / u.s
    return frame, labels, place


# ------------------------------------------------------------------------- effect sizes


def test_the_effect_is_that_of_scipy_with_and_without_ties(two_galaxies):
    frame, labels, _ = two_galaxies
    frame = frame.assign(ebv=frame["ebv"].round(0))  # full of ties
    effects = effect_sizes(frame, labels)["effect"]
    for group in (0, 3):
        for column in frame:
            inside, outside = frame[column][labels == group], frame[column][labels != group]
            wins = mannwhitneyu(inside, outside).statistic / len(inside) / len(outside)
            assert effects[group, column] == pytest.approx(2 * wins - 1, abs=1e-5)


def test_a_pixel_drawn_twice_counts_twice(two_galaxies):
    frame, labels, _ = two_galaxies
    draws = draw_blocks(frame.index, 20)
    found = effect_sizes(frame, labels, draws)
    column = frame["log_co_width"].to_numpy()
    by_hand = []
    for run in draws.astype(int):
        drawn, groups = np.repeat(column, run), np.repeat(labels, run)
        inside, outside = drawn[groups == 0], drawn[groups != 0]
        wins = mannwhitneyu(inside, outside).statistic / len(inside) / len(outside)
        by_hand.append(2 * wins - 1)
    low, high = np.percentile(by_hand, [2.5, 97.5])
    row = found.loc[(0, "log_co_width")]
    assert row["low"] == pytest.approx(low, abs=1e-4)
    assert row["high"] == pytest.approx(high, abs=1e-4)


def test_always_higher_is_1_and_monotonic_changes_mean_nothing():
    ids = SKY[:600]
    labels = np.repeat([0, 1], 300)
    frame = pd.DataFrame({"a": np.arange(600.0), "b": np.exp(-np.arange(600) / 50)}, index=ids)
    effect = effect_sizes(frame, labels, draw_blocks(ids, 20, side=5))["effect"]
    assert effect[0, "a"] == -1 and effect[1, "a"] == 1
    assert effect[0, "b"] == 1 and effect[1, "b"] == -1


def test_pixels_taken_for_independent_promise_too_much_and_blocks_keep_the_promise():
    """Two smooth maps that know nothing of each other: the high half of one is a group, and in
    the other its true effect is 0. Of 95 % ranges, 19 in 20 should hold it."""
    rng = np.random.default_rng(1)
    draws = {side: draw_blocks(SKY, 150, side=side) for side in (1, 10)}
    covered = dict.fromkeys(draws, 0.0)
    for _ in range(60):
        labels = (smooth(rng) > 0).astype(int)
        frame = pd.DataFrame({"feature": smooth(rng)}, index=SKY)
        for side, drawn in draws.items():
            row = effect_sizes(frame, labels, drawn).iloc[0]
            covered[side] += (row["low"] < 0 < row["high"]) / 60
    assert covered[1] < 0.5, "the usual bootstrap is sure of what is not there"
    assert covered[10] > 0.85


def test_where_pixels_are_independent_blocks_are_no_wider():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"feature": rng.normal(size=SIDE**2)}, index=SKY)
    labels = rng.integers(0, 2, SIDE**2)
    wide = {}
    for side in (1, 10):
        row = effect_sizes(frame, labels, draw_blocks(SKY, 300, side=side)).iloc[0]
        wide[side] = row["high"] - row["low"]
    assert 0.6 < wide[10] / wide[1] < 1.5


def test_a_group_in_one_place_has_an_effect_but_no_error_bar(two_galaxies):
    frame, labels, _ = two_galaxies
    corner = np.where(np.arange(len(frame)) < 8, 1, 0)  # eight pixels of one row
    effects = effect_sizes(frame, corner)
    assert effects.loc[1, ["low", "high"]].isna().all().all()
    assert effects.loc[1, "effect"].notna().all()
    assert effect_sizes(frame, labels).loc[0].notna().all().all()


def test_means_of_groups_come_with_ranges_that_hold_them(two_galaxies):
    frame, labels, _ = two_galaxies
    means = group_means(frame["log_f2100w"], labels, frame.index)
    assert list(means.index) == [0, 3] and list(means["pixels"]) == list(
        np.unique(labels, return_counts=True)[1][1:]
    )
    assert means.loc[0, "mean"] == pytest.approx(frame["log_f2100w"][labels == 0].mean())
    assert means.loc[0, "low"] < means.loc[0, "mean"] < means.loc[0, "high"] < -1
    spread = 4 / np.sqrt(means.loc[0, "pixels"])
    assert 0.5 * spread < means.loc[0, "high"] - means.loc[0, "low"] < 2 * spread


# ------------------------------------------------------------------------- places


def test_a_disc_has_a_centre_ridges_and_what_is_between(two_galaxies):
    _, _, place = two_galaxies
    named = environments(place)
    radius = place["radius"].value
    assert np.all((named == "centre") == (radius < 1.5))
    ring = (radius > 3) & (radius < 4) & (place["galaxy"] == "NGC 628")
    co = place["co_flux"].value[ring]
    on_ridge = named[ring] == "ridge"
    assert co[on_ridge].min() >= 2 * np.median(co) > co[~on_ridge].max()


def test_a_place_without_radius_has_no_environment(two_galaxies):
    _, _, place = two_galaxies
    with pytest.raises(ValueError, match="lacks radius: give rows of a feature table"):
        environments(place[["galaxy", "pixel_id"]])
    with pytest.raises(ValueError, match="need the radius and the CO of every pixel"):
        environments(place[["galaxy", "radius"]])


# ------------------------------------------------------------------------- a line


def test_a_group_is_described_by_what_was_put_in(two_galaxies):
    lines = describe_groups(*two_galaxies)
    size = np.mean(two_galaxies[1] == 3)
    assert 0.03 < size < 0.06
    assert lines[3] == (
        f"group 3: {100 * size:.0f} % of the pixels; high [OI]/Hα, broad CO"
        " (in too few places for an error bar); centre of NGC 628"
    ), "[NII] tells the story of [OI] once more"
    assert lines[0].endswith("% of the pixels; faint F2100W; disc of all 2 galaxies")


def test_noise_has_nothing_to_be_said_about():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(SIDE**2, 4)), index=SKY, columns=list("abcd"))
    place = QTable({"pixel_id": SKY, "galaxy": np.full(SIDE**2, "SAMI 1")})
    place["radius"] = np.full(SIDE**2, np.nan) * u.kpc
    lines = describe_groups(frame, rng.integers(0, 3, SIDE**2), place)
    assert all("; like the rest; parts of SAMI 1" in line for line in lines), lines


def test_an_effect_whose_range_holds_zero_is_not_told(two_galaxies):
    frame, labels, place = two_galaxies
    effects = effect_sizes(frame, labels)
    effects.loc[(0, "log_f2100w"), ["low", "high"]] = -0.9, 0.1
    assert "like the rest" in describe_groups(frame, labels, place, effects)[0]


def test_the_outer_disc_is_told_from_the_inner(two_galaxies):
    frame, _, place = two_galaxies
    labels = np.where(place["radius"].value > 4.5, 1, np.where(place["radius"].value > 3, 0, -1))
    lines = describe_groups(frame, labels, place)
    assert "outer disc of all 2 galaxies" in lines[1]
    assert "; disc of all 2 galaxies" in lines[0]


# ------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda f, g: (f, np.zeros(len(f), int)), "are in group 0: there is no rest to compare"),
        (lambda f, g: (f, np.full(len(f), -1)), r"are left out \(-1\): there is no group"),
        (lambda f, g: (f[:3], np.arange(3)), "3 groups among 3 pixels"),
        (lambda f, g: (f.where(f < 3), g), "points are not finite"),
        (lambda f, g: (f.set_axis([f.index[0], *f.index[:-1]]), g), "1 of .* are copies"),
        (lambda f, g: (f.assign(ebv=0.3), g), "Column ebv has the same value in all 7200 rows"),
        (lambda f, g: (f, g[:-1]), "7200 pixels, but labels has the shape"),
        (lambda f, g: (f, g / 2), "must be a list of whole numbers"),
    ],
    ids=["one group", "noise", "few pixels", "NaN", "copies", "constant", "length", "halves"],
)
def test_bad_input_is_answered_in_a_sentence(two_galaxies, change, complaint):
    frame, labels, place = two_galaxies
    given = change(frame, labels)
    with pytest.raises(ValueError, match=complaint):
        effect_sizes(*given)
    with pytest.raises(ValueError, match=complaint):
        describe_groups(*given, place)


def test_more_groups_than_pixels_are_not_made_in_the_first_place(two_galaxies):
    frame, _, _ = two_galaxies
    with pytest.raises(ValueError, match="n_clusters=8, but there are only 5 objects"):
        cluster(frame[:5], "kmeans", n_clusters=8)


def test_draws_and_places_of_other_pixels_are_refused(two_galaxies):
    frame, labels, place = two_galaxies
    with pytest.raises(ValueError, match="but there are 7200 pixels: make them with draw_blocks"):
        effect_sizes(frame, labels, draw_blocks(frame.index[1:], 3))
    with pytest.raises(ValueError, match="The place must be that of the same pixels"):
        describe_groups(frame, labels, place[::-1])
