"""Measured maps, of M51, NGC 628 and three SAMI galaxies, through the course's own functions."""

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy.io import fits
from matplotlib.colors import AsinhNorm, LogNorm, Normalize

from helpers import plots
from helpers.maps import cube_moments, errors, fwhm, make_map, read_cube, read_map, signal_to_noise
from helpers.resolution import match_resolution, to_grid

NGC628_150PC = 3.14 * u.arcsec
LINE_CHANNELS = slice(5, 30)
"""Of the cutout of NGC 628: where the mean spectrum rises above the noise, with a margin."""

PEAK_REASON = "may not be convolved: it is a peak temperature"


@pytest.fixture(scope="module")
def m51(realdata):
    """Both CO lines of M51, integrated; the files do not say their unit."""
    return {
        line: read_map(realdata / "m51_co" / f"ngc5194_{line}_mom0.fits.gz", unit="K km/s")
        for line in ("12co10", "12co21")
    }


@pytest.fixture(scope="module")
def ngc628(realdata):
    """The channels of the CO cube, their velocities, and which are free of the line."""
    channels, velocity = read_cube(realdata / "ngc0628_co21" / "ngc0628_co21_cutout.fits.gz")
    line_free = np.ones(len(channels), dtype=bool)
    line_free[LINE_CHANNELS] = False
    return channels, velocity, line_free


def convolved(channels, velocity):
    """The cube at 150 pc: a channel times its width is an integrated intensity."""
    step = abs(np.diff(velocity)[0])
    matched = []
    for channel in channels:
        intensity = make_map(
            channel.data * step.value, u.K * step.unit, channel.wcs, meta=channel.meta
        )
        blurred = match_resolution(intensity, fwhm(channel), NGC628_150PC)
        matched.append(make_map(blurred.data / step.value, u.K, blurred.wcs, meta=blurred.meta))
    return matched


# M51


def test_m51_asks_for_the_unit_its_files_leave_out(realdata):
    with pytest.raises(ValueError, match=r"mom0.fits.gz does not say its unit .*: give unit="):
        read_map(realdata / "m51_co" / "ngc5194_12co10_mom0.fits.gz")


def test_m51_has_the_pixels_and_detections_it_should_have(m51):
    for image in m51.values():
        assert image.shape == (54, 55)
        assert np.isfinite(image.data).sum() == 1988
        assert fwhm(image).to_value(u.arcsec) == pytest.approx(27)
        assert image.wcs.celestial.wcs.ctype[0] == "RA---TAN"
        # A quarter of the finite pixels hold the value 0 with the error 0: not measured.
        assert (~image.mask).sum() == 1511
        assert (image.data[np.isfinite(image.data) & image.mask] == 0).all()
    detected = [signal_to_noise(image) > 5 for image in m51.values()]
    assert np.logical_and(*detected).sum() == 1487


def test_m51_line_ratio_is_that_of_cold_gas(m51):
    """In kelvin, the two lines of dense, opaque gas are nearly equally bright."""
    detected = np.logical_and(*(signal_to_noise(image) > 5 for image in m51.values()))
    ratio = m51["12co21"].data[detected] / m51["12co10"].data[detected]
    assert 0.8 < np.median(ratio) < 1


def test_m51_errors_of_the_peak_come_from_the_noise_map(realdata):
    folder = realdata / "m51_co"
    peak = read_map(
        folder / "ngc5194_12co21_tpeak.fits.gz",
        unit="K",
        error=folder / "ngc5194_12co21_rms.fits.gz",
    )
    assert (~peak.mask).sum() == 1988
    assert np.nanmedian(signal_to_noise(peak)) > 5
    with pytest.raises(ValueError, match=PEAK_REASON):
        match_resolution(peak, fwhm(peak), 60 * u.arcsec)


def test_m51_keeps_its_light_at_a_coarser_resolution(m51):
    image = m51["12co21"]
    matched = match_resolution(image, fwhm(image), 40 * u.arcsec)
    measured = ~image.mask
    assert matched.data[measured].sum() == pytest.approx(image.data[measured].sum(), rel=0.02)
    assert np.nanmedian(errors(matched) / errors(image)) == pytest.approx(27 / 40, rel=0.1)


# NGC 628


def test_the_cube_asks_for_a_plane(realdata):
    cube = realdata / "ngc0628_co21" / "ngc0628_co21_cutout.fits.gz"
    with pytest.raises(ValueError, match="a cube of 50 planes: say which with plane="):
        read_map(cube)
    plane = read_map(cube, plane=15)
    assert plane.unit == u.K
    assert plane.wcs.naxis == 2
    middle = plane.wcs.pixel_to_world(63.75, 70.75)
    assert middle.ra.deg == pytest.approx(24.1739, abs=1e-3)
    assert middle.dec.deg == pytest.approx(15.7836, abs=1e-3)


def test_moments_of_the_cube_read_like_archive_maps(ngc628, tmp_path):
    """Written under the archive's names they come back with errors; a third of the field has CO."""
    moments = cube_moments(*ngc628)
    assert np.median(errors(moments["co_tpeak"])) == pytest.approx(0.1, abs=0.02)
    for name, image in moments.items():
        for prefix, values in (("", image.data), ("e", errors(image))):
            header = image.wcs.to_header()
            header["BUNIT"] = image.unit.to_string("fits")
            header["BMAJ"] = image.meta["BMAJ"]
            kind = name.removeprefix("co_")
            file = tmp_path / f"ngc0628_12m+7m+tp_co21_broad_{prefix}{kind}.fits"
            fits.PrimaryHDU(values, header).writeto(file)
    mom0 = read_map(tmp_path / "ngc0628_12m+7m+tp_co21_broad_mom0.fits")
    width = read_map(tmp_path / "ngc0628_12m+7m+tp_co21_broad_ew.fits")
    assert mom0.unit == u.K * u.km / u.s
    detected = signal_to_noise(mom0) > 5
    assert 0.3 < detected.mean() < 0.8
    assert 2 < np.median(width.data[detected]) < 10  # km/s, of cold clouds in a face-on disc


def test_widths_cannot_be_had_by_convolving_their_parts(ngc628):
    """mom0 and tpeak convolved apart give 0.84 of the width of the convolved cube."""
    channels, velocity, line_free = ngc628
    moments = cube_moments(*ngc628)
    truth = cube_moments(convolved(channels, velocity), velocity, line_free)
    with pytest.raises(ValueError, match=PEAK_REASON):
        match_resolution(moments["co_tpeak"], fwhm(channels[0]), NGC628_150PC)
    mom0 = match_resolution(moments["co_mom0"], fwhm(channels[0]), NGC628_150PC)
    assert mom0.data == pytest.approx(truth["co_mom0"].data, abs=1e-3)  # linear: the same
    peak = moments["co_tpeak"]
    disguised = make_map(peak.data, u.K * u.km / u.s, peak.wcs)
    peak = match_resolution(disguised, fwhm(channels[0]), NGC628_150PC)
    width = mom0.data / (np.sqrt(2 * np.pi) * peak.data)
    bright = signal_to_noise(truth["co_mom0"]) > 10
    assert np.median(width[bright] / truth["co_ew"].data[bright]) == pytest.approx(0.84, abs=0.03)


def test_noise_of_the_real_cube_is_that_of_beams_not_of_pixels(ngc628):
    """Measured in line-free channels: eight times what independent pixels would leave."""
    channels, velocity, line_free = ngc628
    free = [channel for channel, is_free in zip(channels, line_free, strict=True) if is_free]
    cube = np.stack([channel.data for channel in free])
    seen = np.std([each.data for each in convolved(free, velocity)], axis=0)
    noise = np.std(cube, axis=0)
    image = make_map(cube[0], u.K * u.km / u.s, free[0].wcs, error=noise)
    claimed = {
        kind: errors(match_resolution(image, fwhm(free[0]), NGC628_150PC, noise=kind))
        for kind in ("beam", "pixel")
    }
    inner = np.s_[20:-20, 20:-20]
    assert np.median(claimed["beam"][inner] / seen[inner]) == pytest.approx(1, abs=0.1)
    assert 6 < np.median(seen[inner] / claimed["pixel"][inner]) < 10


# SAMI


@pytest.mark.parametrize("galaxy", ["209807", "56140", "572402"])
def test_sami_lines_with_planes_odd_units_and_an_error_of_another_name(realdata, galaxy):
    def file(line):
        return realdata / "sami" / galaxy / f"{galaxy}_A_{line}_default_recom-comp.fits.gz"

    with pytest.raises(ValueError, match="a cube of 4 planes"):
        read_map(file("Halpha"))
    halpha = read_map(file("Halpha"), plane=0)
    assert halpha.unit == u.Unit("1e-16 erg / (s cm2 Angstrom pix)")
    oxygen = read_map(file("OII3728"))  # its errors are called OII3726_ERR
    assert oxygen.uncertainty is not None
    for image in (halpha, oxygen):
        assert image.shape == (50, 50)
        assert image.mask.mean() > 0.5
    with pytest.raises(ValueError, match="does not say how sharp it is"):
        fwhm(halpha)


@pytest.mark.parametrize(("galaxy", "spaxels"), [("209807", 394), ("56140", 142), ("572402", 623)])
def test_sami_spaxels_detected_in_seven_lines(realdata, galaxy, spaxels):
    detected = True
    for line in ("Halpha", "Hbeta", "NII6583", "OI6300", "OIII5007", "SII6716", "SII6731"):
        file = f"{galaxy}_A_{line}_default_recom-comp.fits.gz"
        plane = 0 if line == "Halpha" else None
        image = read_map(realdata / "sami" / galaxy / file, plane=plane)
        detected = detected & (signal_to_noise(image) > 3)
    assert detected.sum() == spaxels


def test_sami_flux_survives_a_change_of_grid(realdata):
    """Spaxels of 0.5 arcsec into pixels of 1.5: a flux per pixel is summed."""
    file = "572402_A_Halpha_default_recom-comp.fits.gz"
    image = read_map(realdata / "sami" / "572402" / file, plane=0)
    image.meta["PSFFWHM"] = 2.0
    matched = match_resolution(image, fwhm(image), 3 * u.arcsec, noise="pixel")
    coarse = image.wcs.deepcopy()
    coarse.array_shape = None
    coarse.wcs.cdelt = image.wcs.wcs.cdelt * 3
    coarse.wcs.crpix = 9, 9
    gridded = to_grid(matched, coarse, (17, 17))
    total = np.nansum(matched.data[~matched.mask])
    assert np.nansum(gridded.data) == pytest.approx(total, rel=0.1)


# the figures of notebook 01


def inspected(name, image, tmp_path):
    """The map on three scales, and what a cut at S/N 5 leaves; the pixels each panel draws."""
    plt.switch_backend("agg")
    snr = signal_to_noise(image)
    confident = make_map(
        np.where(snr > 5, image.data, np.nan), image.unit, image.wcs, meta=image.meta
    )
    noise = np.nanmedian(errors(image)[np.isfinite(snr)])
    bright = np.nanpercentile(image.data, 99.5)
    panels = (
        ("linear", image, Normalize(0, bright)),
        ("log", image, LogNorm(noise, bright)),
        ("asinh", image, AsinhNorm(2 * noise, -3 * noise, bright)),
        ("S/N > 5", confident, LogNorm(noise, bright)),
    )
    figure = plt.figure(figsize=(13, 10))
    drawn = {}
    for i, (title, shown, norm) in enumerate(panels, start=1):
        axes = plots.draw_map(
            shown, plots.sky_axes(shown.wcs, figure, (2, 2, i)), norm=norm, label=f"{name}, {title}"
        )
        drawn[title] = np.isfinite(np.ma.filled(axes.images[-1].get_array(), np.nan)).sum()
    figure.savefig(tmp_path / f"{name}.png")
    plt.close(figure)
    assert (tmp_path / f"{name}.png").stat().st_size > 30_000
    return drawn


def test_measured_maps_go_through_the_inspection_figures(m51, ngc628, tmp_path):
    """Nothing is drawn where nothing was measured, and the cut takes most of the outskirts."""
    co = {"M51 CO(1-0)": m51["12co10"], "M51 CO(2-1)": m51["12co21"]}
    co["NGC 628 CO(2-1)"] = cube_moments(*ngc628)["co_mom0"]
    for name, image in co.items():
        drawn = inspected(name, image, tmp_path)
        measured = np.isfinite(signal_to_noise(image)).sum()
        assert drawn["linear"] == drawn["asinh"] == measured > 1000
        assert drawn["S/N > 5"] == (signal_to_noise(image) > 5).sum() < drawn["asinh"]
    assert (
        np.sum(co["NGC 628 CO(2-1)"].data < 0) > 100
    )  # honest noise, which a logarithm would hide
