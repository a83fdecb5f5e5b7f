"""The table of features: what each means, how errors reach it, and what is refused."""

import time

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData, StdDevUncertainty, VarianceUncertainty
from astropy.table import vstack
from astropy.wcs import WCS

from helpers import features
from helpers.features import (
    ADOPTED,
    DETECTED,
    FEATURES,
    MISSING,
    UPPER_LIMIT,
    cut_summary,
    describe_features,
    feature_snr,
    feature_table,
    learning_frame,
)
from helpers.galaxies import get_galaxy
from helpers.survey import JWST_BANDS, MUSE_LINES

LINE_UNIT = 1e-20 * u.erg / u.s / u.cm**2 / u.pix
UNITS = {"co_mom0": u.K * u.km / u.s, "co_ew": u.km / u.s}
UNITS |= dict.fromkeys(MUSE_LINES, LINE_UNIT) | dict.fromkeys(JWST_BANDS, u.MJy / u.sr)
FLUX = {
    "co_mom0": 20.0,
    "co_ew": 12.0,
    "HB4861": 1000.0,
    "OIII5006": 700.0,
    "OI6300": 120.0,
    "HA6562": 3500.0,
    "NII6583": 1100.0,
    "SII6716": 500.0,
    "SII6730": 400.0,
    "F200W": 0.8,
    "F300M": 0.5,
    "F335M": 0.9,
    "F360M": 0.55,
    "F770W": 5.0,
    "F1000W": 2.0,
    "F1130W": 6.5,
    "F2100W": 3.2,
}


def small_wcs(galaxy="NGC 628", pixel=150 * u.pc):
    return get_galaxy(galaxy).grid(pixel)[0]


def make_maps(shape=(4, 5), snr=30.0, names=tuple(FLUX), wcs=None, rng=None, **changed):
    """Maps of one and the same pixel, or noisy ones; ``changed`` gives a map other fluxes."""
    maps = {}
    for m in names:
        flux = np.broadcast_to(np.asarray(changed.get(m, FLUX[m]), dtype=float), shape).copy()
        error = np.full(shape, FLUX[m] / snr)
        if rng is not None:
            flux += error * rng.standard_normal(shape)
        maps[m] = CCDData(flux, unit=UNITS[m], uncertainty=StdDevUncertainty(error))
        maps[m].wcs = small_wcs() if wcs is None else wcs
    return maps


@pytest.fixture
def table():
    return feature_table("NGC 628", make_maps())


def test_every_feature_has_value_error_and_flag_and_is_described(table):
    described = describe_features()
    for f, feature in FEATURES.items():
        assert table[f].unit == feature.unit == table[f"{f}_error"].unit
        assert table[f"{f}_flag"].dtype == np.int8
        assert f in described["column"]
        assert feature.telescope and feature.meaning
    assert set(ADOPTED) < set(FEATURES)
    assert table["pixel_id"][0] == "ngc0628-0000-0000"
    assert table["pixel_id"][6] == "ngc0628-0001-0001"
    assert len(set(table["pixel_id"])) == len(table) == 20
    assert table["radius"].unit == u.kpc


def test_ratios_are_what_their_names_say(table):
    first = {f: table[f][0].value for f in FEATURES}
    assert first["oiii_hb"] == pytest.approx(0.7)
    assert first["sii_ha"] == pytest.approx(900 / 3500)
    assert first["pah77"] == pytest.approx(5 - 0.13 * 0.8)
    assert first["pah113_77"] == pytest.approx((6.5 - 0.06 * 0.8) / (5 - 0.13 * 0.8))
    assert first["r_pah"] == pytest.approx((6.5 + 5 - 0.19 * 0.8) / 3.2)
    assert first["f200w_2100w"] == pytest.approx(first["f200w_770w"] / first["f2100w_770w"])


def test_extinction_comes_from_odonnell():
    k_ha, k_hb = features.extinction()
    assert (k_ha, k_hb) == pytest.approx((2.52, 3.66), abs=0.01)


def test_reddening_that_is_put_in_comes_out():
    k_ha, k_hb = features.extinction()
    ebv = 0.35
    ha, hb = 2.86e4 * 10 ** (-0.4 * k_ha * ebv), 1e4 * 10 ** (-0.4 * k_hb * ebv)
    wcs = small_wcs()
    table = feature_table("NGC 628", make_maps(HA6562=ha, HB4861=hb, wcs=wcs))
    np.testing.assert_allclose(table["ebv"].to_value(u.mag), ebv)
    area = (get_galaxy("NGC 628").angle(150 * u.pc).to_value(u.arcsec)) ** 2
    np.testing.assert_allclose(table["ha"].value, 2.86e4 * 1e-20 / area, rtol=1e-6)


def test_noise_may_make_reddening_negative_and_is_not_cut():
    table = feature_table("NGC 628", make_maps(HA6562=2500.0))
    assert np.all(table["ebv"] < 0)
    assert np.all(table["ebv_flag"] == DETECTED)


def test_pah_33_is_free_of_starlight_and_blind_to_its_slope():
    """Starlight of any slope plus PAH light, mixed as the prescription says, gives the PAH back."""
    pah, blue, red = 0.4, np.array([0.5, 0.9, 2.0, 4.0]), np.array([0.4, 0.9, 1.3, 3.9])
    shape = (4, 1)
    maps = make_maps(
        shape,
        F300M=blue[:, None],
        F335M=(0.35 * blue + 0.65 * red + pah)[:, None],
        F360M=(red + pah / 1.6)[:, None],
        snr=1e3,
    )
    table = feature_table("NGC 628", maps)
    np.testing.assert_allclose(table["pah33"].value, pah)


@pytest.mark.parametrize("feature", FEATURES)
def test_errors_agree_with_monte_carlo(feature):
    """Scatter of noisy repetitions against the error that the table states, at S/N of 40."""
    shape = (80, 80)
    inputs = [m for m in FLUX if m in FEATURES[feature].inputs]
    inputs += [FEATURES[feature].seen_in] if FEATURES[feature].seen_in else []
    maps = make_maps(shape, 40.0, inputs, rng=np.random.default_rng(1))
    table = feature_table("NGC 628", maps, co="all")
    assert np.all(table[f"{feature}_flag"] == DETECTED)
    scatter = np.std(table[feature].value)
    stated = np.median(table[f"{feature}_error"].value)
    assert stated == pytest.approx(scatter, rel=0.05)


def test_shared_inputs_are_correlated_inputs():
    """Taken as independent, Hα and its correction would seem less uncertain than they are."""
    table = feature_table("NGC 628", make_maps(snr=20.0))
    relative = (table["ha_error"] / table["ha"])[0].value
    p = features.dust_power()
    assert relative == pytest.approx(np.hypot(1 + p, p) / 20)
    assert relative > np.sqrt(1 + 2 * p**2) / 20 * 1.1


def test_starlight_in_both_bands_of_a_ratio_is_counted_once():
    """Where starlight is as bright as PAHs, its error moves both bands together."""
    bright = {"F200W": 20.0}
    names = ("F200W", "F770W", "F1130W")
    maps = make_maps((80, 80), 200.0, names, **bright)
    error = np.full((80, 80), 1.0)
    maps["F200W"].uncertainty = StdDevUncertainty(error)
    maps["F200W"].data += np.random.default_rng(2).standard_normal((80, 80))
    table = feature_table("NGC 628", maps, co="all")
    scatter = np.std(table["pah113_77"].value)
    value, sigma = table["pah113_77"].value, table["pah113_77_error"].value
    others = np.median(value) / 200 * np.sqrt((5 / 2.4) ** 2 + (6.5 / 5.3) ** 2)
    assert np.median(sigma) ** 2 == pytest.approx(scatter**2 + others**2, rel=0.1)


def test_flags_tell_limits_from_gaps():
    oi = np.array([[120.0, 2.0, -5.0, np.nan]])
    hb = np.array([[1000.0, 1000.0, 1.0, 1000.0]])
    maps = make_maps((1, 4), OI6300=oi, HB4861=hb)
    table = feature_table("NGC 628", maps)
    assert list(table["oi_ha_flag"]) == [DETECTED, UPPER_LIMIT, UPPER_LIMIT, MISSING]
    limit = 3 * (120 / 30) / 3500
    np.testing.assert_allclose(table["oi_ha"][1:3].value, limit)
    assert np.isnan(table["oi_ha"][3]) and np.isnan(table["oi_ha_error"][3])
    # an undetected denominator would be a lower limit: not a value, not an upper limit
    assert list(table["ebv_flag"]) == [DETECTED, DETECTED, MISSING, DETECTED]
    assert list(table["ha_flag"]) == [DETECTED, DETECTED, MISSING, DETECTED]
    assert np.isnan(table["oiii_hb"][2])
    np.testing.assert_array_equal(
        np.isfinite(feature_snr(table, "oi_ha")), [True, False, False, False]
    )


def test_a_sum_counts_as_detected_when_all_its_lines_are():
    table = feature_table("NGC 628", make_maps((1, 1), SII6730=[[20.0]]))
    assert table["sii_ha_flag"][0] == UPPER_LIMIT
    assert table["sii_ha"][0] > (500 + 20) / 3500  # never below what was seen


def test_the_width_of_co_is_known_where_its_flux_is_detected():
    """The width's own S/N is no detection: a narrow line may be bright and badly resolved."""
    mom0, width = np.array([[20.0, 0.5, 20.0]]), np.array([[0.5, 12.0, -1.0]])
    table = feature_table("NGC 628", make_maps((1, 3), co_mom0=mom0, co_ew=width), co="all")
    assert list(table["co_width_flag"]) == [DETECTED, MISSING, MISSING]
    assert list(table["co_flux_flag"]) == [DETECTED, UPPER_LIMIT, DETECTED]
    assert table["co_width_error"][0] == 12 / 30 * u.km / u.s


def test_more_starlight_than_light_is_an_upper_limit():
    table = feature_table("NGC 628", make_maps((1, 1), F770W=[[0.5]], F200W=[[8.0]]))
    assert table["pah77_flag"][0] == UPPER_LIMIT
    assert table["pah77"][0] > 0
    assert table["pah113_77_flag"][0] == MISSING


def test_signal_to_noise_is_value_over_error():
    table = feature_table("NGC 628", make_maps(snr=25.0))
    np.testing.assert_allclose(feature_snr(table, "f2100w"), 25.0)
    with pytest.raises(ValueError, match="Unknown feature"):
        feature_snr(table, "f2100")


def test_cuts_add_up():
    mom0 = np.full((4, 5), 20.0)
    mom0[0] = 0.1
    mom0[1, 0] = np.nan
    maps = make_maps(co_mom0=mom0)
    for m in MUSE_LINES:
        maps[m].data[3, 3:] = np.nan
    table = feature_table("NGC 628", maps)
    cuts = cut_summary(table)
    assert list(cuts["left"]) == [20, 18, 18, 12]
    assert list(cuts["removed"]) == [0, 2, 0, 6]
    assert len(table) == 12
    assert len(feature_table("NGC 628", maps, co="all")) == 18


def test_tables_of_galaxies_stack_without_a_warning():
    wcs = small_wcs("NGC 7496")
    both = vstack(
        [
            feature_table("NGC 628", make_maps()),
            feature_table("ngc7496", make_maps(wcs=wcs)),
        ]
    )
    cuts = cut_summary(both)
    assert list(cuts["galaxy"]) == ["NGC 628"] * 4 + ["NGC 7496"] * 4
    assert np.all(cuts["removed"] == 0)
    assert cut_summary(learning_frame(both))["left"][-1] == 40


def test_without_co_or_without_jwst_what_needs_them_is_missing():
    table = feature_table("NGC 628", make_maps(names=MUSE_LINES), co="all")
    assert np.all(table["co_flux_flag"] == MISSING) and np.all(table["r_pah_flag"] == MISSING)
    assert np.all(table["nii_ha_flag"] == DETECTED)
    assert ("NGC 628", "F770W") in table.meta["absent"]
    assert len(feature_table("NGC 628", make_maps(names=("co_mom0", "co_ew")))) == 20
    with pytest.raises(ValueError, match='co="all"'):
        feature_table("NGC 628", make_maps(names=MUSE_LINES))
    with pytest.raises(ValueError, match=r"detected in no pixel.*F2100W"):
        learning_frame(table, ["nii_ha", "r_pah"])


def test_a_galaxy_of_your_own_has_no_radius():
    wcs = small_wcs()
    table = feature_table("56140", make_maps(names=MUSE_LINES, wcs=wcs), co="all")
    assert table["pixel_id"][0] == "56140-0000-0000"
    assert np.all(np.isnan(table["radius"]))
    assert np.all(np.isfinite(table["ra"]))


def test_the_learning_frame_holds_logarithms_of_detections_alone():
    nii = np.full((4, 5), 1100.0)
    nii[0, 0] = -3.0
    table = feature_table("NGC 628", make_maps(NII6583=nii))
    frame = learning_frame(table)
    assert frame.shape == (19, len(ADOPTED))
    assert "ebv" in frame and "log_ebv" not in frame
    np.testing.assert_allclose(frame["log_nii_ha"], np.log10(1100 / 3500))
    assert np.all(np.isfinite(frame))
    cuts = cut_summary(frame)
    assert cuts["removed"][list(cuts["cut"]).index("nii_ha detected")] == 1
    whole = learning_frame(table, ["nii_ha", "ebv"], missing="nan")
    assert len(whole) == 20 and np.isnan(whole.loc["ngc0628-0000-0000", "log_nii_ha"])


def test_a_unit_is_understood_whatever_its_power_of_ten():
    maps = make_maps()
    other = {m: image.copy() for m, image in maps.items()}
    for m in MUSE_LINES:
        other[m] = CCDData(
            maps[m].data * 1e-4,
            unit=1e-16 * u.erg / u.s / u.cm**2 / u.pix,
            uncertainty=StdDevUncertainty(maps[m].uncertainty.array * 1e-4),
            wcs=maps[m].wcs,
        )
    ours, theirs = feature_table("NGC 628", maps), feature_table("NGC 628", other)
    for f in ("ha", "ebv", "nii_ha", "ha_pah77"):
        np.testing.assert_allclose(ours[f].value, theirs[f].value)


def _off_grid(maps):
    maps["F770W"].wcs = small_wcs(pixel=170 * u.pc)


def _other_shape(maps):
    maps["F770W"] = make_maps((3, 5))["F770W"]


def _no_error(maps):
    maps["F770W"].uncertainty = None


def _all_nan(maps):
    maps["F770W"].data[:] = np.nan


def _wrong_unit(maps):
    maps["F770W"].unit = u.Jy


def _velocity_as_flux(maps):
    maps["HB4861"].unit = u.km / u.s


def _no_wcs(maps):
    maps["F770W"].wcs = None


def _no_sky(maps):
    maps["F770W"].wcs = WCS(naxis=2)


def _strange_name(maps):
    maps["Halpha"] = maps.pop("HA6562")


def _dark(maps):
    maps["co_mom0"].data[:] = 0.0


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_off_grid, "F770W are not on one grid.*to_grid"),
        (_other_shape, "F770W .3, 5. have different shapes"),
        (_no_error, "F770W has no uncertainty"),
        (_all_nan, "F770W has no pixel with a finite value"),
        (_wrong_unit, "F770W is in Jy, but MJy / sr was expected"),
        (_velocity_as_flux, "HB4861 is in km / s, but the flux of a line"),
        (_no_wcs, "F770W has no WCS"),
        (_no_sky, "F770W has no WCS of the sky"),
        (_strange_name, "Unknown map name.*Halpha.*HA6562"),
        (_dark, "No pixel of NGC 628 is left.*CO detected"),
    ],
)
def test_bad_maps_end_in_a_sentence(spoil, sentence):
    maps = make_maps()
    spoil(maps)
    with pytest.raises(ValueError, match=sentence):
        feature_table("NGC 628", maps)


def test_bad_questions_end_in_a_sentence(table):
    with pytest.raises(ValueError, match="no galaxy 'NGC 629'"):
        feature_table("NGC 629")
    with pytest.raises(ValueError, match="co='yes'"):
        feature_table("NGC 628", make_maps(), co="yes")
    with pytest.raises(ValueError, match="snr=0"):
        feature_table("NGC 628", make_maps(), snr=0)
    with pytest.raises(ValueError, match="No map that a feature is made of"):
        feature_table("NGC 628", {}, co="all")
    with pytest.raises(ValueError, match="deg away from NGC 1365"):
        feature_table("NGC 1365", make_maps())
    with pytest.raises(ValueError, match="Unknown feature"):
        learning_frame(table, ["log_ha"])
    with pytest.raises(ValueError, match="No feature was chosen"):
        learning_frame(table, [])
    with pytest.raises(ValueError, match="missing='keep'"):
        learning_frame(table, missing="keep")
    with pytest.raises(ValueError, match="does not tell its cuts"):
        cut_summary(table[["ha", "ha_error"]].to_pandas())


@pytest.mark.parametrize("snr", [-3, "3", None, np.nan, [3]])
def test_what_is_no_signal_to_noise_ratio(snr):
    with pytest.raises(ValueError, match=r"is no signal-to-noise ratio\. Give a number above 0"):
        feature_table("NGC 628", make_maps(), snr=snr)


def test_things_that_are_no_maps_and_no_table(table):
    for wrong in (list(make_maps().values()), "maps.fits", make_maps()["HA6562"]):
        with pytest.raises(TypeError, match="dictionary of maps by name"):
            feature_table("NGC 628", wrong)
    with pytest.raises(TypeError, match=r"A map \(CCDData\) was expected"):
        feature_table("NGC 628", {m: image.data for m, image in make_maps().items()})
    with pytest.raises(TypeError, match="A galaxy or its name was expected"):
        feature_table(["NGC 628"], make_maps())
    for wrong in (None, np.ones((3, 3)), learning_frame(table)):
        with pytest.raises(TypeError, match="A table from feature_table was expected"):
            learning_frame(wrong)
    for column in ("ha", "ha_flag", "pixel_id"):
        with pytest.raises(ValueError, match=rf"lacks the column\(s\) {column}\. Make it"):
            learning_frame(table[[name for name in table.colnames if name != column]])
    with pytest.raises(ValueError, match="does not tell its cuts"):
        cut_summary(None)
    with pytest.raises(ValueError, match="Unknown feature"):
        feature_snr(table, ["ha"])


def test_a_galaxy_stacked_twice_is_noticed(table):
    twice = vstack([table, table])
    with pytest.raises(ValueError, match=r"ngc0628-0000-0000 stands .* \(20 rows too many\)"):
        learning_frame(twice)
    assert np.all(cut_summary(twice)["removed"] >= 0)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_only_positive_numbers_have_a_logarithm(table, value):
    table["ha"][3] = value * table["ha"].unit
    with pytest.raises(ValueError, match=r"ha is said to be detected in 1 pixel.* no logarithm"):
        learning_frame(table)


def test_errors_may_be_variances_or_in_another_unit():
    maps, other = make_maps(), make_maps()
    for image in other.values():
        image.uncertainty = VarianceUncertainty(image.uncertainty.array**2)
    band = other["F770W"]
    band.uncertainty = StdDevUncertainty(maps["F770W"].uncertainty.array * 1e6, unit=u.Jy / u.sr)
    ours, theirs = feature_table("NGC 628", maps), feature_table("NGC 628", other)
    for f in ("ha_error", "pah77_error"):
        np.testing.assert_allclose(ours[f].value, theirs[f].value)


def test_no_pixel_with_all_features_is_said():
    nii = np.array([[1100.0, -5.0]])
    oiii = np.array([[-5.0, 700.0]])
    table = feature_table("NGC 628", make_maps((1, 2), NII6583=nii, OIII5006=oiii))
    with pytest.raises(ValueError, match="No pixel has all of the features"):
        learning_frame(table, ["nii_ha", "oiii_hb"])


def test_a_galaxy_takes_well_under_a_second():
    maps = make_maps((95, 95), rng=np.random.default_rng(0))
    feature_table("NGC 628", maps)
    start = time.perf_counter()
    table = feature_table("NGC 628", maps)
    assert time.perf_counter() - start < 1.0
    assert len(table) == 95 * 95
