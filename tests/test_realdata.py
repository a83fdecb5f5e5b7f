"""The whole chain on measured data: three galaxies of the SAMI survey, from files to groups.

Nothing here is simulated. SAMI (Croom et al. 2021, DR3) has neither CO nor JWST, and its lines
have other names and units than those of PHANGS-MUSE.
"""

import numpy as np
import pandas as pd
import pytest
from astropy.table import vstack
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.metrics import adjusted_rand_score

from helpers import bpt
from helpers.blocks import draw_blocks
from helpers.clusters import cluster
from helpers.embedding import embed
from helpers.features import MISSING, cut_summary, feature_table, learning_frame
from helpers.forest import UnsupervisedForest
from helpers.identity import galaxy_identity, predict_galaxy
from helpers.interpretation import describe_groups, effect_sizes
from helpers.maps import read_map

SPAXELS = {"209807": 394, "56140": 142, "572402": 623}
"""With S/N > 3 in all seven lines."""

LINES = {
    "HA6562": "Halpha",
    "HB4861": "Hbeta",
    "OIII5006": "OIII5007",
    "OI6300": "OI6300",
    "NII6583": "NII6583",
    "SII6716": "SII6716",
    "SII6730": "SII6731",
}
RATIOS = ("oiii_hb", "nii_ha", "sii_ha", "oi_ha")


def sami_maps(folder, galaxy):
    """The seven line maps of one galaxy by the course's names; Hα's plane 0 is its total."""
    return {
        name: read_map(
            folder / "sami" / galaxy / f"{galaxy}_A_{line}_default_recom-comp.fits.gz",
            plane=0 if line == "Halpha" else None,
        )
        for name, line in LINES.items()
    }


@pytest.fixture(scope="module")
def tables(realdata):
    return {g: feature_table(g, sami_maps(realdata, g), co="all") for g in SPAXELS}


@pytest.fixture(scope="module")
def ratios(tables):
    """The learning frame of all three galaxies."""
    return learning_frame(vstack(list(tables.values())), RATIOS)


@pytest.fixture(scope="module")
def forests(ratios):
    return [UnsupervisedForest(500, random_state=seed, n_jobs=2).fit(ratios) for seed in (0, 1)]


@pytest.fixture(scope="module")
def pictures(forests):
    """Two forests, each laid out with two seeds."""
    return {
        (f, seed): embed(forest.kneighbors(25), random_state=seed)
        for f, forest in enumerate(forests)
        for seed in (0, 1)
    }


@pytest.mark.parametrize("galaxy", SPAXELS)
def test_every_spaxel_with_seven_lines_is_in_the_table(realdata, tables, galaxy):
    table = tables[galaxy]
    assert len(learning_frame(table, RATIOS)) == SPAXELS[galaxy]
    maps = sami_maps(realdata, galaxy).values()
    sure = np.all([m.data > 3 * m.uncertainty.array for m in maps], axis=0)
    assert sure.sum() == SPAXELS[galaxy]
    assert cut_summary(table)["left"][0] == 2500


def test_line_ratios_are_those_of_the_maps_and_errors_follow(realdata, tables):
    maps = sami_maps(realdata, "572402")
    table = tables["572402"]
    at = table["y"], table["x"]
    ha, nii = maps["HA6562"], maps["NII6583"]
    detected = table["nii_ha_flag"] == 0
    ratio = (nii.data / ha.data)[at]
    np.testing.assert_allclose(table["nii_ha"][detected].value, ratio[detected], rtol=1e-6)
    relative = np.hypot(*((m.uncertainty.array / m.data)[at] for m in (ha, nii)))
    np.testing.assert_allclose(
        (table["nii_ha_error"] / table["nii_ha"])[detected].value, relative[detected], rtol=1e-6
    )


def test_a_survey_without_co_and_jwst_has_gaps_there_and_its_own_unit(tables):
    table = tables["56140"]
    for f in ("co_flux", "r_pah", "ha_pah77"):
        assert np.all(table[f"{f}_flag"] == MISSING)
    assert "Angstrom" in str(table["ha"].unit)  # as SAMI labels it
    assert np.all(np.isnan(table["radius"]))
    assert abs(np.median(table["ra"].value) - 184.667625) < 0.01


def test_measured_line_ratios_are_as_correlated_as_the_simulation_makes_them(ratios):
    correlation = ratios[["log_nii_ha", "log_sii_ha", "log_oi_ha"]].corr().to_numpy()
    off = correlation[np.triu_indices(3, 1)]
    assert np.all((off > 0.8) & (off < 0.92)), off.round(3)


def test_the_forest_knows_real_from_synthetic_and_its_leaves_are_big(forests):
    """Seeds give 0.89-0.91, and 3.5-4.1 % of the spaxels share a spaxel's leaf."""
    for forest in forests:
        assert 0.85 < forest.oob_score_ < 0.95
        distances, indices = forest.kneighbors(25)
        np.testing.assert_array_equal(indices[:, 0], np.arange(1159))
        assert np.all(np.diff(distances, axis=1) >= 0)
        nothing = np.iinfo(forest.leaves_.dtype).max
        shared = np.mean([np.sum(np.bincount(t[t < nothing]) ** 2.0) for t in forest.leaves_.T])
        assert 0.03 < shared / 1159**2 < 0.11


def test_the_first_axis_of_the_embedding_follows_the_line_ratios(ratios, pictures):
    """The longest direction (first principal axis) of the picture: |Spearman| 0.95-0.97 with
    [NII]/Ha for nine pairs of seeds. The picture's own x and y are arbitrary."""
    for points in pictures.values():
        first = PCA(1).fit_transform(points)[:, 0]
        assert abs(spearmanr(first, ratios["log_nii_ha"])[0]) > 0.9
        assert abs(spearmanr(first, ratios["log_oiii_hb"])[0]) > 0.7
        assert trustworthiness(ratios.rank(), points, n_neighbors=15) > 0.95


def test_shuffled_columns_lose_the_axis(ratios):
    """The same chain on columns that know nothing of one another."""
    rng = np.random.default_rng(0)
    shuffled = pd.DataFrame({c: rng.permutation(ratios[c]) for c in ratios})
    forest = UnsupervisedForest(100, random_state=0, n_jobs=2)
    with pytest.warns(UserWarning, match="little better than by guessing"):
        forest.fit(shuffled)
    assert abs(forest.oob_score_ - 0.5) < 0.05
    first = PCA(1).fit_transform(embed(forest.kneighbors(25), n_epochs=200))[:, 0]
    rho = [abs(spearmanr(first, shuffled[c])[0]) for c in shuffled]
    assert np.sum(np.array(rho) > 0.7) <= 1


def test_groups_are_patches_on_the_sky(ratios, pictures, tables):
    """Positions never enter the chain, yet neighbours on the sky share their group."""
    labels = pd.Series(
        cluster(pictures[0, 0], "gaussian_mixture", n_components=4), index=ratios.index
    )
    for galaxy, table in tables.items():
        rows = table[pd.Index(table["pixel_id"]).isin(ratios.index)]
        sky = np.full((50, 50), np.nan)
        sky[rows["y"], rows["x"]] = labels.loc[np.asarray(rows["pixel_id"])]
        assert np.isfinite(sky).sum() == SPAXELS[galaxy]
        mixed = np.full((50, 50), np.nan)
        mixed[rows["y"], rows["x"]] = np.random.default_rng(0).permutation(
            labels.loc[np.asarray(rows["pixel_id"])]
        )
        assert _alike(sky) > _alike(mixed) + 0.15, galaxy
        assert _alike(sky) > 0.65, galaxy  # four seeds give 0.73 to 0.90


def _alike(sky):
    """How many pairs of adjacent spaxels are of one group."""
    pairs = [(sky[1:], sky[:-1]), (sky[:, 1:], sky[:, :-1])]
    a, b = (np.concatenate([pair[i].ravel() for pair in pairs]) for i in (0, 1))
    both = np.isfinite(a) & np.isfinite(b)
    return np.mean(a[both] == b[both])


def test_the_layout_changes_groups_less_than_the_forest_does(pictures):
    """Four groups cut from a continuum: adjusted Rand 0.7-0.97 between layouts of one forest,
    0.5-0.7 between forests. HDBSCAN finds 2 to 4 groups here, and no two forests agree."""
    labels = {
        key: cluster(points, "gaussian_mixture", n_components=4) for key, points in pictures.items()
    }
    layouts = [adjusted_rand_score(labels[f, 0], labels[f, 1]) for f in (0, 1)]
    others = [adjusted_rand_score(labels[0, s], labels[1, t]) for s in (0, 1) for t in (0, 1)]
    assert np.mean(layouts) > 0.6
    assert 0.3 < np.mean(others) < np.mean(layouts)


def test_from_files_to_described_groups(ratios, pictures, tables):
    """Features, forest, picture, clustering, effect sizes, a line about each group. Two of the
    galaxies have high [NII]/Hα and [OIII]/Hβ, the third forms stars: of the groups that stand
    out, the low ones are that galaxy's. Three forests give 2.7 to 4.0 for the growth of the
    error bars, 0.55 to 0.64 for Cramér's V, 0.69 to 0.72 for the guesses."""
    every = vstack(list(tables.values()))
    place = every[pd.Index(every["pixel_id"]).isin(ratios.index)]
    galaxies = np.asarray(place["galaxy"])
    labels = cluster(pictures[0, 0], "gaussian_mixture", n_components=4, ids=ratios.index)
    effects = effect_sizes(ratios, labels)
    lines = describe_groups(ratios, labels, place, effects)
    assert len(lines) == 4 and effects["low"].notna().all()
    assert np.all((effects["low"] <= effects["effect"]) & (effects["effect"] <= effects["high"]))
    assert np.sum(effects["effect"].xs("log_nii_ha", level="feature").abs() > 0.8) >= 2
    assert any("; high [" in line and "572402" not in line for line in lines), list(lines)
    assert any("; low [" in line and line.endswith("parts of 572402") for line in lines)

    single = effect_sizes(ratios, labels, draw_blocks(ratios.index, side=1))
    grown = (effects["high"] - effects["low"]) / (single["high"] - single["low"])
    assert 2 < grown.median() < 8
    assert 0.4 < galaxy_identity(labels, galaxies).cramer < 0.8
    guess = predict_galaxy(pictures[0, 0], galaxies, ratios.index)
    assert 0.5 < guess.low < guess.accuracy < guess.high < 0.95
    kind = bpt.classify(*(ratios[f"log_{name}"] for name in RATIOS[:3]))
    young = {galaxy: np.mean(kind[galaxies == galaxy] == "star formation") for galaxy in SPAXELS}
    assert young["572402"] > 0.8 and young["209807"] < 0.05 and young["56140"] < 0.05
