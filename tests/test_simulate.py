"""The simulated survey keeps the promises of its files, and the sky it shows is the one promised.

What is measured here is measured with plain numpy on the files of the smallest galaxy.
"""

import ast
import time
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy.ndimage import gaussian_filter

from helpers import onezone, scene, simulate
from helpers.galaxies import GALAXIES, RESOLUTION

GALAXY = GALAXIES["NGC 7496"]
KEY = GALAXY.key
CO = f"{KEY}_12m+7m+tp_co21_"
PIXEL = simulate.PIXELS[GALAXY.name]["jwst"]
MUSE = "NGC7496_MAPS_copt_0.89asec.fits"


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("survey")
    simulate.simulate(GALAXY, folder)
    return folder


@pytest.fixture(scope="module")
def view() -> scene.Scene:
    return scene.scene(GALAXY, pixel=PIXEL * u.arcsec)


def jwst(folder: Path, band: str) -> Path:
    (path,) = (folder / KEY).glob(f"hlsp_phangs-jwst_jwst_*_{KEY}_{band.lower()}_v1p1_img.fits")
    return path


def read(path: Path, hdu: str | int = 1) -> tuple[np.ndarray, fits.Header]:
    with fits.open(path) as hdus:
        return np.array(hdus[hdu].data, float), hdus[hdu].header


def truth_of(folder: Path) -> dict[str, np.ndarray]:
    with fits.open(folder / f"{KEY}_truth.fits") as hdus:
        return {hdu.name: np.array(hdu.data, float) for hdu in hdus[1:]}


def at_150pc(image: np.ndarray, header: fits.Header, fwhm: float) -> np.ndarray:
    """Convolve with a Gaussian, ignoring what is missing, and take the nearest pixel."""
    pixel = header["CDELT2"] * 3600
    wcs, (n, _) = GALAXY.grid()
    target = GALAXY.angle(RESOLUTION).to_value(u.arcsec)
    sigma = np.sqrt(max(target**2 - fwhm**2, 0)) / 2.3548 / pixel
    good = np.isfinite(image)
    weight = gaussian_filter(good.astype(float), sigma)
    smooth = gaussian_filter(np.where(good, image, 0), sigma) / np.maximum(weight, 1e-9)
    smooth[~good] = np.nan
    offset = (np.arange(n) - (n - 1) / 2) * wcs.wcs.cdelt[1] * 3600 / pixel
    nearest = np.round(offset + (len(image) - 1) / 2).astype(int)
    nearest = np.clip(nearest, 0, len(image) - 1)
    return smooth[np.ix_(nearest, nearest)]


def common(folder: Path) -> dict[str, np.ndarray]:
    maps = {}
    for band in scene.BANDS:
        image, header = read(jwst(folder, band), "SCI")
        maps[band] = at_150pc(image, header, header["PSFFWHM"])
    for line in scene.WAVELENGTHS:
        image, header = read(folder / KEY / MUSE, f"{line}_FLUX")
        maps[line] = at_150pc(image, header, header["PSFFWHM"])
    for product in ("mom0", "emom0"):
        image, header = read(folder / KEY / f"{CO}broad_{product}.fits")
        maps[product] = at_150pc(image, header, 99)
    return maps


# ------------------------------------------------------------------------------ the files


def test_files_have_the_archives_names(files):
    names = {path.name for path in (files / KEY).iterdir()}
    products = [f"broad_{name}" for name in ("mom0", "emom0", "ew", "eew", "tpeak", "etpeak")]
    products += ["strict_mom0", "strict_emom0"]
    expected = {f"{CO}{product}.fits" for product in products} | {MUSE}
    expected |= {jwst(files, band).name for band in scene.BANDS}
    assert names == expected
    assert "nircam" in jwst(files, "F200W").name
    assert "miri" in jwst(files, "F770W").name


@pytest.mark.parametrize("band", ["F200W", "F2100W"])
def test_jwst_files_look_like_the_archives(files, band):
    with fits.open(jwst(files, band)) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI", "ERR"]
        assert hdus[0].data is None
        assert hdus["SCI"].header["BUNIT"] == "MJy/sr"
        assert hdus["SCI"].header["PSFFWHM"] == simulate.JWST_FWHM[band]


def test_muse_file_looks_like_the_archives(files):
    with fits.open(files / KEY / MUSE) as hdus:
        names = [hdu.name for hdu in hdus]
        for line in scene.WAVELENGTHS:
            assert {f"{line}_FLUX", f"{line}_FLUX_ERR"} <= set(names)
            assert hdus[f"{line}_FLUX"].header["BUNIT"] == "1e-20 erg / (s cm2 spaxel)"
        for name in ("VEL", "VEL_ERR", "SIGMA", "SIGMA_ERR"):
            assert hdus[f"HA6562_{name}"].header["BUNIT"] == "km / s"


@pytest.mark.parametrize(("product", "unit"), [("mom0", "K km/s"), ("eew", "km/s"), ("tpeak", "K")])
def test_alma_files_look_like_the_archives(files, product, unit):
    image, header = read(files / KEY / f"{CO}broad_{product}.fits")
    assert header["BUNIT"] == unit
    assert header["BMAJ"] * 3600 == pytest.approx(GALAXY.alma_fwhm.value)
    assert 0.2 < np.isnan(image).mean() < 0.8, "undetected pixels are NaN, and there are many"


def test_every_header_says_that_it_is_simulated_and_where_it_is(files):
    for path in files.rglob("*.fits"):
        with fits.open(path) as hdus:
            for hdu in hdus[1:]:
                assert hdu.header["SIMULATE"] is True, path.name
                assert hdu.header["OBJECT"] == "NGC7496"
                assert "not an observation" in str(hdu.header["COMMENT"])
                center = WCS(hdu.header).pixel_to_world(*(np.array(hdu.shape[::-1]) - 1) / 2)
                assert center.separation(GALAXY.center) < 0.01 * u.arcsec


def test_same_state_same_files(files, tmp_path):
    simulate.simulate("ngc7496", tmp_path)
    for path in files.rglob("*.fits"):
        assert path.read_bytes() == (tmp_path / path.relative_to(files)).read_bytes(), path.name
    assert not list(tmp_path.rglob("*.part"))


def test_other_noise_other_pixels_but_the_same_galaxy(files, tmp_path, view):
    bands = simulate._jwst(GALAXY, view, simulate.COURSE, PIXEL, random_state=1)
    other = next(image for band, _, image, _ in bands if band == "F770W")
    image, _ = read(jwst(files, "F770W"), "SCI")
    difference = other - image
    assert np.nanstd(difference) > 0.05
    assert abs(np.nanmedian(difference)) < 0.01


def test_real_pixel_sizes_are_taken(view):
    bands = simulate._jwst(GALAXY, view, simulate.COURSE, 0.11, random_state=0)
    _, wcs, image, _ = next(bands)
    assert wcs.wcs.cdelt[1] * 3600 == pytest.approx(0.11)
    coarse = next(simulate._jwst(GALAXY, view, simulate.COURSE, PIXEL, random_state=0))[2]
    assert np.nanmedian(image) == pytest.approx(np.nanmedian(coarse), rel=0.02)


# ----------------------------------------------------------------------------- telescopes


def test_blurring_and_sampling_conserve_flux():
    point = np.zeros((100, 100), np.float32)
    point[48, 55] = 1
    for pixel, n in ((0.4, 45), (0.5, 35), (0.13, 140)):
        image = simulate._observe(point, 0.2, 1.0, pixel, n)
        assert image.sum() * pixel**2 == pytest.approx(0.2**2, rel=1e-3)


def test_psf_has_its_width():
    point = np.zeros((101, 101), np.float32)
    point[50, 50] = 1
    profile = simulate._observe(point, 0.2, 2.0, 0.2, 101)[50]
    half = np.interp(0.5, profile[50:][::-1] / profile[50], np.arange(50, -1, -1) * 0.2)
    assert 2 * half == pytest.approx(2.0, rel=0.03)


def test_alma_noise_is_correlated_like_the_beam():
    fwhm = 3.5
    rng = np.random.default_rng(1)
    white = rng.standard_normal((256, 256), dtype=np.float32)
    beam = scene.gaussian(256, fwhm) / simulate._norm(256, fwhm)
    noise = scene.backward(scene.forward(white) * beam, 256)
    assert noise.std() == pytest.approx(1, rel=0.05)
    for step in (2, 4):
        measured = np.mean(noise[:, step:] * noise[:, :-step])
        assert measured == pytest.approx(np.exp(-2 * np.log(2) * (step / fwhm) ** 2), abs=0.06)


@pytest.mark.parametrize("name", ["OI6300_FLUX", "HB4861_FLUX"])
def test_muse_errors_are_the_scatter(files, view, name):
    image, _ = read(files / KEY / MUSE, name)
    error, _ = read(files / KEY / MUSE, f"{name}_ERR")
    line = name.removesuffix("_FLUX")
    true = simulate._observe(view.lines[line], PIXEL, 0.89, 0.4, len(image)) * 0.4**2
    pull = ((image - true) / error)[np.isfinite(image)]
    assert np.std(pull) == pytest.approx(1, abs=0.02)
    assert np.mean(pull) == pytest.approx(0, abs=0.02)


def test_jwst_errors_are_the_scatter(files):
    image, _ = read(jwst(files, "F2100W"), "SCI")
    error, _ = read(jwst(files, "F2100W"), "ERR")
    difference = (image[:, 1:] - image[:, :-1]) / np.hypot(error[:, 1:], error[:, :-1])
    dark = image[:, 1:] < np.nanpercentile(image, 20)
    spread = 0.7413 * np.subtract(*np.nanpercentile(difference[dark], [75, 25]))
    assert spread == pytest.approx(1, abs=0.15)


def test_an_image_hides_something_from_a_logarithm(files):
    image, _ = read(jwst(files, "F770W"), "SCI")
    assert 0.001 < np.mean(image < 0) < 0.05
    assert 0.5 < np.nanmedian(image) < 3
    assert np.nanmax(image) > 100


def test_stars_are_masked_by_muse_and_shine_for_jwst(files):
    starlight, header = read(jwst(files, "F200W"), "SCI")
    lines, muse_header = read(files / KEY / MUSE, "HA6562_FLUX")
    stars = simulate._foreground(simulate.COURSE, GALAXY)
    brightest = stars[np.argsort(stars[:, 2])[-3:]]
    for east, north, _ in brightest:
        spot = []
        for image, cards in ((starlight, header), (lines, muse_header)):
            pixel = cards["CDELT2"] * 3600
            middle = (len(image) - 1) / 2
            row, column = round(north / pixel + middle), round(-east / pixel + middle)
            spot.append(image[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2])
        assert np.isnan(spot[1]).all()
        assert not np.nanmax(spot[0], initial=99) < 3 * np.nanmedian(starlight)


def test_co_widths_come_from_the_cube(files):
    mom0, width, peak = (
        read(files / KEY / f"{CO}broad_{name}.fits")[0] for name in ("mom0", "ew", "tpeak")
    )
    good = np.isfinite(width) & (peak > 0.2)
    assert np.allclose(mom0[good], (width * peak)[good] * np.sqrt(2 * np.pi), rtol=0.05)
    middle = len(width) // 2
    centre = np.nanmedian(width[middle - 2 : middle + 3, middle - 2 : middle + 3])
    assert centre > 2 * np.nanmedian(width), "broad lines in the centre"
    strict, _ = read(files / KEY / f"{CO}strict_mom0.fits")
    assert np.isfinite(strict).sum() < 0.7 * np.isfinite(mom0).sum()
    assert (mom0 < 0).any()


# ---------------------------------------------------------------------------------- truth


def test_fractions_sum_to_one_and_nothing_shines_negatively(files):
    truth = truth_of(files)
    fractions = np.array([truth[name] for name in scene.COMPONENTS])
    assert np.allclose(fractions.sum(axis=0), 1, atol=0.011)
    assert fractions.min() > -0.003
    largest = fractions.max(axis=0)
    chosen = np.take_along_axis(fractions, truth["CLASS"].astype(int)[None], 0)[0]
    assert np.allclose(chosen, largest, atol=0.005)
    for name in ("HA", "CO", "EBV"):
        assert truth[name].min() > -0.03, name


def test_nothing_in_a_scene_is_negative(view):
    for name, image in {**view.lines, **view.bands}.items():
        assert np.isfinite(image).all(), name
        assert image.min() >= 0, name


def test_the_sky_is_the_one_promised(files):
    maps, truth = common(files), truth_of(files)
    seen = np.isfinite(maps["HA6562"]) & np.isfinite(maps["F770W"])
    assert seen.sum() == pytest.approx(3955, rel=0.03)
    co = seen & (maps["mom0"] > 3 * maps["emom0"])
    # about 1,600 where a pixel averages the noise of its beam; here it is one sample of it
    assert 1200 < co.sum() < 1700

    sizes = [np.mean(truth["CLASS"][co] == i) for i in range(len(scene.COMPONENTS))]
    assert max(sizes) > 0.4
    assert min(sizes) < 0.03

    sii = maps["SII6716"] + maps["SII6730"]
    co &= (sii > 8) & (maps["HA6562"] > 8)
    shape = np.log10(sii[co] / maps["HA6562"][co])
    pah77 = maps["F770W"] - 0.13 * maps["F200W"]
    pah113 = maps["F1130W"] - 0.06 * maps["F200W"]
    ratio = np.log10(pah113[co] / pah77[co])
    slope, offset = np.polyfit(shape, ratio, 1)
    assert 0.19 < slope < 0.28, "an AGN host: 0.2, modestly steeper"
    assert np.std(ratio - slope * shape - offset) == pytest.approx(0.025, abs=0.008)

    r_pah = ((pah77 + pah113) / maps["F2100W"])[co]
    hii = truth["CLASS"][co] == 0
    assert np.median(r_pah[~hii]) == pytest.approx(3.4, abs=0.5)
    assert np.median(r_pah[hii]) < 0.8 * np.median(r_pah[~hii])
    assert np.median(ratio[hii]) < np.median(ratio[~hii]) - 0.03


# ------------------------------------------------------------------------------ universes


def test_another_seed_is_another_galaxy(view):
    other = scene.scene(GALAXY, simulate.sealed(), PIXEL * u.arcsec)
    pair = view.lines["HA6562"].ravel(), other.lines["HA6562"].ravel()
    assert np.corrcoef(pair)[0, 1] < 0.3


def test_the_sealed_universe_keeps_its_secret():
    universe = simulate.sealed()
    assert "slope" not in repr(universe)
    assert "artefact" not in repr(universe)
    assert universe == simulate.sealed()
    assert abs(universe.slope - 0.2) > 0.1
    assert universe.artefact.galaxy in GALAXIES
    source = Path(scene.__file__).read_text(encoding="utf-8")
    numbers = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
    assert universe.slope == 0 or universe.slope not in numbers


@pytest.mark.parametrize("kind", ["scale", "drift", "tiles"])
def test_an_artefact_changes_one_map_of_one_galaxy(kind):
    planted = scene.Artefact("NGC 7496", "F770W", kind, 0.2)
    universe = scene.Universe("test", 1, 0.2, planted)
    gain = simulate._gain(universe, GALAXY, "F770W", 50, 2.0)
    assert np.abs(gain - 1).max() > 0.05
    assert 0.3 < gain.min() <= gain.max() < 2.5
    assert (simulate._gain(universe, GALAXY, "F1130W", 50, 2.0) == 1).all()
    assert (simulate._gain(universe, GALAXIES["NGC 628"], "F770W", 50, 2.0) == 1).all()


# --------------------------------------------------------------------------- a long table


def test_a_long_table_is_quick_and_like_the_survey():
    start = time.perf_counter()
    table, component = onezone.random_table(100_000, random_state=1, return_component=True)
    assert time.perf_counter() - start < 15
    assert table.shape == (100_000, 22)
    assert np.isfinite(table.to_numpy()).all()
    assert {"log_co_flux", "ebv", "log_pah113_77", "log_ha_f2100w"} <= set(table.columns)
    lines = table[["log_sii_ha", "log_oi_ha", "log_nii_ha"]].corr().to_numpy()
    assert lines[np.triu_indices(3, 1)].min() > 0.75
    slope = np.polyfit(table["log_sii_ha"], table["log_pah113_77"], 1)[0]
    assert slope == pytest.approx(0.2, abs=0.05)
    sizes = np.bincount(component) / len(component)
    assert sizes.min() < 0.01
    assert sizes.max() > 0.4
    again = simulate.random_table(1000, random_state=1)
    assert again.equals(simulate.random_table(1000, random_state=1))
    assert not again.equals(simulate.random_table(1000, random_state=2))


@pytest.mark.parametrize("rows", [0, -3, 2.5])
def test_a_table_has_a_number_of_rows(rows):
    with pytest.raises(ValueError, match="whole number"):
        simulate.random_table(rows)
