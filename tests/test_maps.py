"""Reading maps: the archives' habits are understood, and what is not known is asked for."""

import gzip
import os
import shutil
import tempfile
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import (
    CCDData,
    InverseVariance,
    StdDevUncertainty,
    UnknownUncertainty,
    VarianceUncertainty,
)
from astropy.wcs import WCS

from helpers.maps import (
    JWST_FWHM,
    cube_moments,
    errors,
    fwhm,
    make_map,
    read_cube,
    read_map,
    read_maps,
    signal_to_noise,
    valid,
    write_maps,
)

SHAPE = 12, 16


def sky() -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = 24.1739, 15.7836
    wcs.wcs.crpix = 8.5, 6.5
    wcs.wcs.cdelt = -1e-4, 1e-4
    return wcs


def cards(**more) -> fits.Header:
    header = sky().to_header()
    header.update({key: value for key, value in more.items() if value is not None})
    return header


@pytest.fixture
def flux() -> np.ndarray:
    return np.random.default_rng(0).normal(5, 1, SHAPE).astype(np.float32)


@pytest.fixture
def archive(tmp_path, flux):
    """One file of each telescope, with names, HDUs and units as the archives have them."""

    def image(name, values, unit, **more):
        return fits.ImageHDU(values, cards(BUNIT=unit, **more), name=name)

    alma = "ngc0628_12m+7m+tp_co21_broad_"
    for name, unit, values in (
        ("mom0", "K.km/s", flux),
        ("emom0", "K.km/s", flux / 10),
        ("tpeak", "K", flux),
        ("strict_mom0", "K km/s", flux),
    ):
        header = cards(BUNIT=unit, BMAJ=1.12 / 3600, BMIN=1.12 / 3600, BPA=0.0, OBJECT="NGC0628")
        fits.PrimaryHDU(values, header).writeto(tmp_path / f"{alma}{name}.fits")

    flux_unit, velocity = "1e-20 erg / (s cm2 spaxel)", "km/s"
    muse = [fits.PrimaryHDU(header=fits.Header({"OBJECT": "NGC0628"}))]
    for line in ("HB4861", "HA6562"):
        muse += [
            image(f"{line}_FLUX", flux, flux_unit),
            image(f"{line}_FLUX_ERR", flux / 20, flux_unit),
            image(f"{line}_VEL", flux, velocity),
            image(f"{line}_VEL_ERR", flux / 5, velocity),
        ]
    fits.HDUList(muse).writeto(tmp_path / "NGC0628_MAPS_copt_0.92asec.fits")

    jwst = [
        fits.PrimaryHDU(header=fits.Header({"FILTER": "F770W", "TELESCOP": "JWST"})),
        image("SCI", flux, "MJy/sr", **{"MJD-BEG": 59778.5}),
        image("ERR", flux / 30, "MJy/sr"),
        image("WHT", flux, "s"),
    ]
    name = "hlsp_phangs-jwst_jwst_miri_ngc0628_f770w_v1p1_img.fits"
    fits.HDUList(jwst).writeto(tmp_path / name)
    return tmp_path


# What the archives have


def test_alma_primary_image_with_its_error_in_the_file_beside_it(archive, flux):
    image = read_map(archive / "ngc0628_12m+7m+tp_co21_broad_mom0.fits")
    assert image.unit == u.K * u.km / u.s
    assert np.array_equal(image.data, flux)
    assert image.data.dtype == np.float32
    assert np.array_equal(errors(image), flux / 10)
    assert fwhm(image).to_value(u.arcsec) == pytest.approx(1.12)
    assert image.meta["OBJECT"] == "NGC0628"
    assert image.wcs.array_shape == SHAPE


def test_a_map_without_any_error_has_none(archive):
    image = read_map(archive / "ngc0628_12m+7m+tp_co21_broad_tpeak.fits")
    assert image.uncertainty is None
    with pytest.raises(ValueError, match=r"tpeak.fits has no errors"):
        signal_to_noise(image)


def test_muse_lines_by_name_with_their_own_errors(archive, flux):
    file = archive / "NGC0628_MAPS_copt_0.92asec.fits"
    line = read_map(file, hdu="HA6562_FLUX")
    assert line.unit == 1e-20 * u.erg / u.s / u.cm**2 / u.pix
    assert np.array_equal(errors(line), flux / 20)
    assert fwhm(line) == 0.92 * u.arcsec
    assert line.meta["OBJECT"] == "NGC0628"  # from the primary header
    velocity = read_map(file, hdu="ha6562_vel")
    assert velocity.unit == u.km / u.s
    assert np.array_equal(errors(velocity), flux / 5)


def test_jwst_science_and_error(archive, flux):
    image = read_map(archive / "hlsp_phangs-jwst_jwst_miri_ngc0628_f770w_v1p1_img.fits")
    assert image.unit == u.MJy / u.sr
    assert np.array_equal(errors(image), flux / 30)
    assert fwhm(image) == JWST_FWHM["F770W"]


@pytest.mark.parametrize("pack", ["rice", "gzip"])
def test_compressed_files_read_like_plain_ones(archive, flux, pack, tmp_path):
    plain = archive / "ngc0628_12m+7m+tp_co21_broad_mom0.fits"
    flux = flux.copy()
    flux[0, 0] = np.nan
    header = fits.getheader(plain)
    if pack == "gzip":
        packed = tmp_path / "packed_mom0.fits.gz"
        fits.PrimaryHDU(flux, header).writeto(packed)
    else:
        packed = tmp_path / "packed_mom0.fits"
        how = {"compression_type": "RICE_1", "quantize_level": -0.001, "dither_seed": 1}
        for file, values in ((packed, flux), (tmp_path / "packed_emom0.fits", flux / 10)):
            fits.CompImageHDU(values, header, **how).writeto(file)
    image = read_map(packed)
    assert image.data[1:] == pytest.approx(flux[1:], abs=0.001)
    assert np.isnan(image.data[0, 0])
    assert image.mask[0, 0]
    assert image.unit == u.K * u.km / u.s
    assert (image.uncertainty is not None) == (pack == "rice")


def test_only_error_beside_an_unnamed_map_is_its_error(tmp_path, flux):
    """SAMI calls the map of [OII] 3728 nothing and its error OII3726_ERR."""
    hdus = [fits.PrimaryHDU(flux, cards(BUNIT="K")), fits.ImageHDU(flux / 4, name="OII3726_ERR")]
    fits.HDUList(hdus).writeto(tmp_path / "line.fits")
    assert np.array_equal(errors(read_map(tmp_path / "line.fits")), flux / 4)


def test_errors_from_another_file_or_hdu_and_in_another_unit(tmp_path, flux):
    fits.HDUList(
        [fits.PrimaryHDU(flux, cards(BUNIT="km/s")), fits.ImageHDU(flux, cards(BUNIT="m/s"), "RMS")]
    ).writeto(tmp_path / "a.fits")
    fits.PrimaryHDU(flux / 2, cards(BUNIT="km/s")).writeto(tmp_path / "b.fits")
    inside = read_map(tmp_path / "a.fits", hdu=0, error="RMS")
    assert errors(inside) == pytest.approx(flux / 1000)
    outside = read_map(tmp_path / "a.fits", hdu=0, error=tmp_path / "b.fits")
    assert errors(outside) == pytest.approx(flux / 2)


def test_what_was_not_measured_is_masked(tmp_path, flux):
    error = np.ones_like(flux)
    flux[0, 0], flux[0, 1] = np.nan, np.inf
    error[1, 0], error[1, 1], error[1, 2] = 0, -1, np.nan
    hdus = [fits.PrimaryHDU(flux, cards(BUNIT="K")), fits.ImageHDU(error, name="K_ERR")]
    fits.HDUList(hdus).writeto(tmp_path / "map.fits")
    image = read_map(tmp_path / "map.fits")
    assert np.argwhere(image.mask).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [1, 2]]
    ratio = signal_to_noise(image)
    assert np.array_equal(np.isnan(ratio), image.mask)
    assert ratio[5, 5] == pytest.approx(flux[5, 5])
    assert np.array_equal(valid(image), ~image.mask)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("K.km/s", "K km / s"),
        ("K km s-1", "K km / s"),
        ("KM/S", "km / s"),
        ("MJY/SR", "MJy / sr"),
        ("10**(-16) erg/s/cm**2/angstrom/pixel", "1e-16 erg / (s cm2 Angstrom pix)"),
        ("10**-20 erg/s/cm**2", "1e-20 erg / (s cm2)"),
        ("1e-20 erg / (s cm2 spaxel)", "1e-20 erg / (s cm2 pix)"),
        ("ELECTRONS/S", "electron / s"),
        ("Jy/beam", "Jy / beam"),
    ],
)
def test_units_as_archives_spell_them(tmp_path, flux, written, meant):
    fits.PrimaryHDU(flux, cards(BUNIT=written)).writeto(tmp_path / "map.fits")
    assert read_map(tmp_path / "map.fits").unit == u.Unit(meant)


def test_old_headers_are_read_without_a_warning(tmp_path, flux):
    header = cards(BUNIT="K", RADECSYS="FK5", EQUINOX=2000.0, CUNIT1="DEG", CUNIT2="DEG")
    header.remove("RADESYS", ignore_missing=True)
    header["DATE-OBS"], header["MJD-OBS"] = "2014-07-01", 56839.1
    fits.PrimaryHDU(flux, header).writeto(tmp_path / "map.fits")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read_map(tmp_path / "map.fits")
    assert image.wcs.wcs.radesys == "FK5"
    assert image.meta["DATE-OBS"] == "2014-07-01"
    assert "CTYPE1" not in image.meta
    assert "BUNIT" not in image.meta


def test_declination_along_the_first_axis_is_turned(tmp_path, flux):
    straight, turned = cards(BUNIT="K"), cards(BUNIT="K")
    for key in ("CTYPE", "CRVAL", "CRPIX", "CDELT", "CUNIT"):
        turned[f"{key}1"], turned[f"{key}2"] = straight[f"{key}2"], straight[f"{key}1"]
    hdus = [fits.PrimaryHDU(flux.T, turned), fits.ImageHDU(flux.T / 9, turned, name="X_ERR")]
    fits.HDUList(hdus).writeto(tmp_path / "turned.fits")
    image = read_map(tmp_path / "turned.fits")
    assert np.array_equal(image.data, flux)
    assert np.array_equal(errors(image), flux / 9)
    assert image.wcs.pixel_to_world(3, 5).separation(sky().pixel_to_world(3, 5)) < 1e-6 * u.arcsec


def test_empty_stokes_axis_is_dropped(tmp_path, flux):
    fits.PrimaryHDU(flux[None, None], cards(BUNIT="K")).writeto(tmp_path / "map.fits")
    assert np.array_equal(read_map(tmp_path / "map.fits").data, flux)


# What it asks for by name


def test_it_asks_which_map(archive):
    with pytest.raises(ValueError, match="say which with hdu=, one of: HB4861_FLUX, HB4861_FLUX_E"):
        read_map(archive / "NGC0628_MAPS_copt_0.92asec.fits")


def test_it_lists_the_maps_there_are(archive):
    with pytest.raises(ValueError, match=r"no image HDU 'HA6563_FLUX'. It has: HB4861_FLUX"):
        read_map(archive / "NGC0628_MAPS_copt_0.92asec.fits", hdu="HA6563_FLUX")


@pytest.mark.parametrize("written", [None, "", "magic"])
def test_it_asks_for_the_unit(tmp_path, flux, written):
    fits.PrimaryHDU(flux, cards(BUNIT=written)).writeto(tmp_path / "map.fits")
    with pytest.raises(ValueError, match=r"unit .*: give unit="):
        read_map(tmp_path / "map.fits")
    assert read_map(tmp_path / "map.fits", unit="MJy/sr").unit == u.MJy / u.sr
    assert read_map(tmp_path / "map.fits", unit=u.K).unit == u.K
    with pytest.raises(ValueError, match=r"The unit 'banana' .* cannot be read"):
        read_map(tmp_path / "map.fits", unit="banana")


def test_it_asks_for_the_sky(tmp_path, flux):
    fits.PrimaryHDU(flux, fits.Header({"BUNIT": "K"})).writeto(tmp_path / "map.fits")
    with pytest.raises(ValueError, match=r"does not say where it is on the sky .*: give wcs="):
        read_map(tmp_path / "map.fits")
    mine = sky()
    image = read_map(tmp_path / "map.fits", wcs=mine)
    assert image.wcs.to_header() == mine.to_header()
    assert mine.array_shape is None  # what was given is left as it was


def test_sky_coordinates_that_make_no_sense(tmp_path, flux):
    fits.PrimaryHDU(flux, cards(BUNIT="K", CDELT1=0.0)).writeto(tmp_path / "map.fits")
    with pytest.raises(ValueError, match=r"make no sense .*: give the right ones with wcs="):
        read_map(tmp_path / "map.fits")


def test_a_wcs_of_another_map_is_noticed(tmp_path, flux):
    fits.PrimaryHDU(flux, fits.Header({"BUNIT": "K"})).writeto(tmp_path / "map.fits")
    wcs = sky()
    wcs.array_shape = SHAPE[::-1]
    with pytest.raises(ValueError, match="or its axes are swapped"):
        read_map(tmp_path / "map.fits", wcs=wcs)
    with pytest.raises(ValueError, match="two axes, both celestial"):
        read_map(tmp_path / "map.fits", wcs=WCS(naxis=3))


def test_it_asks_for_the_plane(tmp_path, flux):
    hdus = [
        fits.PrimaryHDU(np.stack([flux, 2 * flux]), cards(BUNIT="K")),
        fits.ImageHDU(np.stack([flux, 3 * flux]), name="X_ERR"),
    ]
    fits.HDUList(hdus).writeto(tmp_path / "cube.fits")
    with pytest.raises(ValueError, match="a cube of 2 planes: say which with plane="):
        read_map(tmp_path / "cube.fits")
    image = read_map(tmp_path / "cube.fits", plane=1)
    assert np.array_equal(image.data, 2 * flux)
    assert np.array_equal(errors(image), 3 * flux)
    for wrong in (2, -1):
        with pytest.raises(ValueError, match="has planes 0 to 1"):
            read_map(tmp_path / "cube.fits", plane=wrong)
    fits.PrimaryHDU(flux, cards(BUNIT="K")).writeto(tmp_path / "flat.fits")
    with pytest.raises(ValueError, match="leave plane=1 out"):
        read_map(tmp_path / "flat.fits", plane=1)


def test_it_asks_how_sharp_a_map_is(flux):
    image = make_map(flux, u.K, sky())
    with pytest.raises(ValueError, match=r'The map does not say how sharp .* map.meta\["PSFFWHM"'):
        fwhm(image)
    image.meta["PSFFWHM"] = 0.9
    assert fwhm(image) == 0.9 * u.arcsec


def test_errors_that_are_not_there_or_not_of_this_map(tmp_path, flux):
    fits.HDUList(
        [
            fits.PrimaryHDU(flux, cards(BUNIT="K")),
            fits.ImageHDU(flux, cards(BUNIT="km/s"), "VEL"),
            fits.ImageHDU(flux[:5], cards(BUNIT="K"), "PART"),
        ]
    ).writeto(tmp_path / "map.fits")
    with pytest.raises(ValueError, match=r"neither an HDU of map.fits \(VEL, PART\) nor a file"):
        read_map(tmp_path / "map.fits", hdu=0, error="RMS")
    with pytest.raises(ValueError, match="are in km / s, the map in K"):
        read_map(tmp_path / "map.fits", hdu=0, error="VEL")
    with pytest.raises(ValueError, match=r"its errors \(5, 16\): they do not belong together"):
        read_map(tmp_path / "map.fits", hdu=0, error="PART")


# Files that are no maps


def test_a_missing_file_names_its_neighbours(archive, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is: NGC0628_MAPS_copt_0.92asec.fits"):
        read_map(archive / "NGC0628_MAPS_copt_0.89asec.fits")
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        read_map(tmp_path / "ngc0628" / "map.fits")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        read_map(tmp_path)


def test_a_web_page_named_fits(tmp_path):
    file = tmp_path / "map.fits"
    file.write_text("\n<!DOCTYPE html><html><body>503 Service unavailable</body></html>")
    with pytest.raises(ValueError, match=r"map.fits is a web page, not a FITS file"):
        read_map(file)


@pytest.mark.parametrize("content", [b"hello", bytes(5000), b"SIMPLE  =                    T"])
def test_other_things_named_fits(tmp_path, content):
    (tmp_path / "map.fits").write_bytes(content)
    with pytest.raises(ValueError, match=r"map.fits .*is damaged, cut short or not a FITS file"):
        read_map(tmp_path / "map.fits")


def test_an_empty_file(tmp_path):
    (tmp_path / "map.fits").touch()
    with pytest.raises(ValueError, match=r"map.fits is empty"):
        read_map(tmp_path / "map.fits")


@pytest.mark.parametrize("kind", ["plain", "gzip", "rice"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.9])
def test_a_truncated_file_is_called_so_wherever_it_breaks_off(tmp_path, kind, part):
    whole, broken = tmp_path / "whole.fits", tmp_path / "broken.fits"
    values = np.random.default_rng(0).normal(size=(300, 300)).astype(np.float32)
    make = fits.PrimaryHDU if kind != "rice" else fits.CompImageHDU
    make(values, cards(BUNIT="K")).writeto(whole)
    content = whole.read_bytes()
    content = gzip.compress(content) if kind == "gzip" else content
    broken.write_bytes(content[: int(part * len(content))])
    with pytest.raises(ValueError, match=r"broken.fits .*cut short.*download it again"):
        read_map(broken)


def test_a_map_without_a_single_number(tmp_path, flux):
    fits.PrimaryHDU(flux * np.nan, cards(BUNIT="K")).writeto(tmp_path / "map.fits")
    with pytest.raises(ValueError, match="not one finite value"):
        read_map(tmp_path / "map.fits")


def test_files_without_an_image(tmp_path):
    fits.PrimaryHDU().writeto(tmp_path / "none.fits")
    with pytest.raises(ValueError, match=r"none.fits holds no map \(its images: none\)"):
        read_map(tmp_path / "none.fits")
    fits.PrimaryHDU(np.arange(5.0), fits.Header({"BUNIT": "K"})).writeto(tmp_path / "line.fits")
    with pytest.raises(ValueError, match=r"line.fits has 1 axes; a map has two"):
        read_map(tmp_path / "line.fits")


# The file of maps on one grid


def test_maps_come_back_as_they_were_written(tmp_path, flux):
    flux[2, 3] = np.nan
    first = make_map(
        flux, u.K * u.km / u.s, sky(), error=flux / 7, meta={"PSFFWHM": 3.144, "SIMULATE": True}
    )
    second = make_map(-flux, 1e-20 * u.erg / u.s / u.cm**2 / u.pix, sky())
    write_maps(tmp_path / "maps.fits", {"co_mom0": first, "HA6562": second})
    back = read_maps(tmp_path / "maps.fits")
    assert list(back) == ["co_mom0", "HA6562"]
    for name, image in (("co_mom0", first), ("HA6562", second)):
        assert back[name].unit == image.unit
        assert back[name].data == pytest.approx(image.data, rel=7e-5, nan_ok=True)
        assert np.array_equal(back[name].mask, image.mask)
        assert back[name].wcs.to_header() == image.wcs.to_header()
    assert errors(back["co_mom0"]) == pytest.approx(flux / 7, rel=7e-5, nan_ok=True)
    assert back["HA6562"].uncertainty is None
    assert fwhm(back["co_mom0"]) == 3.144 * u.arcsec
    assert back["co_mom0"].meta["SIMULATE"] is True
    assert "Simulated" in str(back["co_mom0"].meta["COMMENT"])
    assert "COMMENT" not in back["HA6562"].meta
    # One map of it, by name, like any other file.
    again = read_map(tmp_path / "maps.fits", hdu="ha6562")
    assert np.array_equal(again.data, back["HA6562"].data, equal_nan=True)


def test_what_a_learner_masked_stays_masked(tmp_path, flux):
    image = make_map(flux, u.K, sky(), error=flux)
    image.mask[4, 4] = True
    write_maps(tmp_path / "maps.fits", {"co_tpeak": image})
    assert np.argwhere(read_maps(tmp_path / "maps.fits")["co_tpeak"].mask).tolist() == [[4, 4]]


def test_the_same_maps_make_the_same_file(tmp_path, flux):
    """But for the time, which a gzip stream carries: it may tick between the two."""
    maps = {"co_mom0": make_map(flux, u.K, sky(), error=flux)}
    for name in ("a.fits", "b.fits"):
        write_maps(tmp_path / name, maps)
    assert fits.FITSDiff(str(tmp_path / "a.fits"), str(tmp_path / "b.fits")).identical
    other = {"co_mom0": make_map(flux + 1, u.K, sky(), error=flux)}
    write_maps(tmp_path / "c.fits", other)
    assert not fits.FITSDiff(str(tmp_path / "a.fits"), str(tmp_path / "c.fits")).identical
    with pytest.raises(OSError, match="already exists"):
        write_maps(tmp_path / "a.fits", maps)
    write_maps(tmp_path / "a.fits", maps, overwrite=True)


def test_a_file_of_no_named_maps(tmp_path, flux):
    fits.PrimaryHDU(flux, cards(BUNIT="K")).writeto(tmp_path / "one.fits")
    with pytest.raises(ValueError, match="no named maps; read it with read_map"):
        read_maps(tmp_path / "one.fits")


def test_errors_given_as_variances_are_understood(flux):
    image = CCDData(flux, unit=u.K, uncertainty=VarianceUncertainty(np.full(SHAPE, 4.0)))
    assert errors(image) == pytest.approx(2)
    assert signal_to_noise(image) == pytest.approx(flux / 2)
    assert isinstance(make_map(flux, u.K, sky(), error=flux).uncertainty, StdDevUncertainty)


def test_errors_have_the_unit_of_the_map_however_small_they_are(flux):
    tiny = 1e-25 * u.erg / u.s / u.cm**2 / u.pix  # squared, no float32 could hold it
    for scale, unit in ((1, u.K), (1e-25, tiny.unit)):
        exact = np.full(SHAPE, 2 * scale, dtype=np.float32)
        for given in (
            StdDevUncertainty(exact),
            StdDevUncertainty(exact * 1000, unit=unit / 1000),
            VarianceUncertainty(exact.astype(float) ** 2),
            InverseVariance(exact.astype(float) ** -2),
        ):
            image = CCDData(flux * np.float32(scale), unit=unit, uncertainty=given)
            assert signal_to_noise(image) == pytest.approx(flux / 2, rel=1e-5)
    image = CCDData(flux, unit=u.K, uncertainty=UnknownUncertainty(flux))
    with pytest.raises(ValueError, match=r"UnknownUncertainty.* gives no errors in that unit"):
        errors(image)
    image = CCDData(flux, unit=u.K, uncertainty=StdDevUncertainty(flux))
    image.unit = u.Jy
    with pytest.raises(ValueError, match=r"unit K.* gives no errors in that unit"):
        errors(image)


def test_a_pixel_without_an_error_above_zero_is_no_measurement(flux):
    sigma = np.ones(SHAPE)
    sigma[0, :4] = 0, -1, np.nan, np.inf
    mask = np.zeros(SHAPE, dtype=int)  # some programs write 0 and 1
    mask[1, 1] = 1
    unmeasured = [[0, 0], [0, 1], [0, 2], [0, 3]]
    image = CCDData(flux, unit=u.K, uncertainty=StdDevUncertainty(sigma), mask=mask)
    assert valid(image).dtype == bool
    assert np.argwhere(~valid(image)).tolist() == [*unmeasured, [1, 1]]
    assert np.argwhere(np.isnan(signal_to_noise(image))).tolist() == [*unmeasured, [1, 1]]
    assert np.argwhere(make_map(flux, u.K, sky(), error=sigma).mask).tolist() == unmeasured
    weights = CCDData(flux, unit=u.K, uncertainty=InverseVariance(sigma))
    assert np.argwhere(~valid(weights)).tolist() == unmeasured


@pytest.mark.parametrize("thing", [np.ones(SHAPE), "map.fits", None, np.ones(SHAPE) * u.K])
@pytest.mark.parametrize("question", [valid, errors, signal_to_noise, fwhm])
def test_what_is_no_map_is_called_so(question, thing):
    with pytest.raises(TypeError, match=r"A map \(CCDData\) was expected, but .* was given"):
        question(thing)


def test_a_cube_is_no_map():
    with pytest.raises(ValueError, match=r"shape \(2, 3, 4\); a map has rows and columns"):
        valid(CCDData(np.ones((2, 3, 4)), unit=u.K))


def test_a_map_is_made_of_two_arrays_of_one_shape(flux):
    for values, error in ((flux, flux[:3]), (flux, 1.0), (flux[0], None), (flux[None], flux[None])):
        with pytest.raises(ValueError, match="give rows and columns, the same for both"):
            make_map(values, u.K, sky(), error=error)
    hidden = make_map(np.ma.masked_greater(flux, 5), u.K, sky())
    assert np.array_equal(hidden.mask, flux > 5)


# Files as they lie on a disk


def test_a_file_may_be_called_anything_and_lie_anywhere(tmp_path, flux):
    folder = tmp_path / "Größe und Länge"
    folder.mkdir()
    fits.PrimaryHDU(flux, cards(BUNIT="K")).writeto(folder / "Süd west.fits")
    (tmp_path / "link.fits").symlink_to(folder / "Süd west.fits")
    for path in (folder / "Süd west.fits", str(folder / "Süd west.fits"), tmp_path / "link.fits"):
        assert np.array_equal(read_map(path).data, flux)
    with pytest.raises(TypeError, match="name of a file was expected, not NoneType"):
        read_map(None)


def test_a_file_that_may_not_be_read_is_not_called_damaged(flux):
    folder = Path(tempfile.mkdtemp())
    path = folder / "locked.fits"
    try:
        fits.PrimaryHDU(flux, cards(BUNIT="K")).writeto(path)
        folder.chmod(0o755)
        path.chmod(0)
        if os.geteuid() == 0:
            os.seteuid(65534)  # root may read everything
        with pytest.raises(PermissionError, match="is there, but you may not read it"):
            read_map(path)
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        shutil.rmtree(folder)


def test_of_two_images_of_one_name_it_asks_for_the_number(tmp_path, flux):
    first, second = (fits.ImageHDU(n * flux, cards(BUNIT="K"), name="SCI") for n in (1, 2))
    fits.HDUList([fits.PrimaryHDU(), first, second]).writeto(tmp_path / "two.fits")
    with pytest.raises(ValueError, match=r"2 images named SCI: .* hdu=1 or 2"):
        read_map(tmp_path / "two.fits", "SCI")
    with pytest.raises(ValueError, match="several maps"):
        read_map(tmp_path / "two.fits")
    assert np.array_equal(read_map(tmp_path / "two.fits", 2).data, 2 * flux)


def test_empty_axes_are_dropped_wherever_they_are(tmp_path, flux):
    cube = np.stack([flux, 2 * flux])[:, None]
    fits.PrimaryHDU(cube, cards(BUNIT="K")).writeto(tmp_path / "cube.fits")
    assert np.array_equal(read_map(tmp_path / "cube.fits", plane=1).data, 2 * flux)
    with pytest.raises(ValueError, match=r"planes 0 to 1; plane=0.5 was asked"):
        read_map(tmp_path / "cube.fits", plane=0.5)
    fits.PrimaryHDU(np.ones((2, 2, *SHAPE)), cards(BUNIT="K")).writeto(tmp_path / "four.fits")
    with pytest.raises(ValueError, match="has 4 axes"):
        read_map(tmp_path / "four.fits", plane=1)


def test_a_cube_that_begins_with_velocity_is_not_cut_along_the_sky(tmp_path, flux):
    header = cards(BUNIT="K", WCSAXES=3, CTYPE1="VRAD", CTYPE2="RA---TAN", CTYPE3="DEC--TAN")
    header.update(CUNIT1="m/s", CUNIT2="deg", CUNIT3="deg", CRVAL1=0.0, CRVAL3=15.8, CDELT3=1e-4)
    fits.PrimaryHDU(np.stack([flux, flux]), header).writeto(tmp_path / "cube.fits")
    with pytest.raises(ValueError, match="first two axes are not those of the sky"):
        read_map(tmp_path / "cube.fits", plane=0)


def test_a_position_that_is_no_number_is_not_taken_for_zero(tmp_path, flux):
    fits.PrimaryHDU(flux, cards(BUNIT="K", CRVAL1="nan")).writeto(tmp_path / "map.fits")
    with pytest.raises(ValueError, match=r"not a number\): give the right ones with wcs="):
        read_map(tmp_path / "map.fits")
    assert read_map(tmp_path / "map.fits", wcs=sky()).wcs.wcs.crval[0] == 24.1739
    with pytest.raises(TypeError, match=r"wcs= must be an astropy.wcs.WCS, but a Header"):
        read_map(tmp_path / "map.fits", wcs=sky().to_header())


@pytest.mark.parametrize("written", ["Jy/beam.km/s", "Jy/beam km/s", "Jy/beam*km/s"])
def test_a_unit_that_reads_two_ways_is_asked_for(tmp_path, flux, written):
    fits.PrimaryHDU(flux, cards(BUNIT=written)).writeto(tmp_path / "map.fits")
    with pytest.raises(ValueError, match=r"can be read in two ways: give unit="):
        read_map(tmp_path / "map.fits")
    given = read_map(tmp_path / "map.fits", unit="Jy km / (s beam)").unit
    assert given == u.Jy * u.km / u.s / u.beam


@pytest.mark.parametrize("width", [0.0, -1.0, np.nan, np.inf, "wide"])
def test_a_width_that_is_none_is_not_believed(flux, width):
    image = CCDData(flux, unit=u.K, meta={"PSFFWHM": width})
    with pytest.raises(ValueError, match=r"says PSFFWHM = .* which is no width"):
        fwhm(image)


def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(tmp_path, flux, monkeypatch):
    image = make_map(flux, u.K, sky())
    path = tmp_path / "maps.fits"
    write_maps(path, {"co_tpeak": image})
    old = path.read_bytes()

    def full(hdus, name, *args, **kwargs):
        Path(name).write_bytes(b"SIMPLE")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fits.HDUList, "writeto", full)
    with pytest.raises(OSError, match="No space left"):
        write_maps(path, {"co_tpeak": image}, overwrite=True)
    assert path.read_bytes() == old
    with pytest.raises(OSError, match="No space left"):
        write_maps(tmp_path / "new.fits", {"co_tpeak": image})
    assert [each.name for each in tmp_path.iterdir()] == ["maps.fits"]


def test_what_cannot_be_written_is_refused(tmp_path, flux):
    image = CCDData(flux, unit=u.K, wcs=sky(), meta={"PSFFWHM": 0.9})
    write_maps(tmp_path / "plain.fits", {"co_tpeak": image})
    assert fwhm(read_maps(tmp_path / "plain.fits")["co_tpeak"]) == 0.9 * u.arcsec
    with pytest.raises(ValueError, match="No map was given"):
        write_maps(tmp_path / "none.fits", {})
    with pytest.raises(TypeError, match="dictionary of maps by name"):
        write_maps(tmp_path / "none.fits", [image])
    with pytest.raises(ValueError, match="Map a does not know where it is"):
        write_maps(tmp_path / "none.fits", {"a": CCDData(flux, unit=u.K)})
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*gone to write"):
        write_maps(tmp_path / "gone" / "maps.fits", {"a": image})
    assert [each.name for each in tmp_path.iterdir()] == ["plain.fits"]


# Cubes


@pytest.fixture
def cube(tmp_path):
    """A Gaussian line of 1 K and a dispersion of 10 km/s in every pixel, and noise of 0.02 K."""
    velocity = 600 + 2.5 * np.arange(60)
    line = np.exp(-0.5 * ((velocity - 660) / 10) ** 2)
    noise = np.random.default_rng(0).normal(0, 0.02, (60, *SHAPE))
    header = cards(BUNIT="K", BMAJ=3e-4)
    header.update(WCSAXES=3, CTYPE3="VRAD", CRVAL3=6e5, CRPIX3=1.0, CDELT3=2500.0, CUNIT3="m/s")
    fits.PrimaryHDU(line[:, None, None] + noise, header).writeto(tmp_path / "cube.fits")
    return tmp_path / "cube.fits"


def test_moments_of_a_cube_give_back_the_line(cube):
    channels, velocity = read_cube(cube)
    assert velocity[[0, -1]].to_value(u.km / u.s) == pytest.approx([600, 747.5])
    moments = cube_moments(channels, velocity, abs(velocity - 660 * u.km / u.s) > 35 * u.km / u.s)
    mean = {name: np.mean(image.data) for name, image in moments.items()}
    assert mean["co_mom0"] == pytest.approx(np.sqrt(2 * np.pi) * 10, rel=0.01)
    assert mean["co_tpeak"] == pytest.approx(1, abs=0.03)
    assert mean["co_ew"] == pytest.approx(10, rel=0.03)
    assert [str(image.unit) for image in moments.values()] == ["K km / s", "K", "km / s"]
    pull = (moments["co_mom0"].data - np.sqrt(2 * np.pi) * 10) / errors(moments["co_mom0"])
    assert np.std(pull) == pytest.approx(1, abs=0.15)
    assert fwhm(moments["co_ew"]).to_value(u.arcsec) == pytest.approx(1.08)


def test_the_noise_needs_channels_without_the_line(cube):
    channels, velocity = read_cube(cube)
    with pytest.raises(ValueError, match="at least 5 without the line"):
        cube_moments(channels, velocity, np.zeros(60, dtype=bool))


def test_a_cube_needs_a_velocity_axis(archive):
    with pytest.raises(ValueError, match="is no cube with a third axis in velocity"):
        read_cube(archive / "ngc0628_12m+7m+tp_co21_broad_mom0.fits")
