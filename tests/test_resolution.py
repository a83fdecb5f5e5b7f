"""Bringing maps to one resolution and one grid: what it keeps, what it costs, what it refuses."""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData
from astropy.stats import gaussian_fwhm_to_sigma
from astropy.wcs import WCS
from scipy.ndimage import gaussian_filter
from scipy.special import erf

from helpers.galaxies import get_galaxy
from helpers.maps import errors, make_map, signal_to_noise, valid
from helpers.resolution import TOLERANCE, common_maps, match_resolution, to_grid

INTENSITY = u.Unit("MJy / sr")
PER_PIXEL = u.Unit("1e-20 erg / (s cm2 pix)")
PIXEL = 0.4 * u.arcsec


def sky(side: int, pixel: u.Quantity = PIXEL, center=(24.1739, 15.7836)) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = center
    wcs.wcs.crpix = (side + 1) / 2, (side + 1) / 2
    wcs.wcs.cdelt = -pixel.to_value(u.deg), pixel.to_value(u.deg)
    return wcs


def source(side, fwhm, pixel=PIXEL, offset=(0, 0) * u.arcsec) -> np.ndarray:
    """A star of total 1, blurred to a FWHM, off centre by an angle."""
    s = (fwhm * gaussian_fwhm_to_sigma / pixel).to_value(u.one)
    x0, y0 = (side - 1) / 2 + (offset / pixel).to_value(u.one)
    y, x = np.mgrid[:side, :side]
    return np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * s**2)) / (2 * np.pi * s**2)


def as_map(values, unit=INTENSITY, error=None, pixel=PIXEL, **meta) -> CCDData:
    if np.isscalar(error):
        error = np.full(values.shape, float(error))
    return make_map(values, unit, sky(len(values), pixel), error=error, meta=meta)


def measured_fwhm(image: CCDData, pixel=PIXEL) -> u.Quantity:
    """From the second moment of a lone source."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    x0, y0 = np.average(x, weights=image.data), np.average(y, weights=image.data)
    variance = np.average((x - x0) ** 2 + (y - y0) ** 2, weights=image.data) / 2
    return np.sqrt(variance) / gaussian_fwhm_to_sigma * pixel


# What it does to the sky


@pytest.mark.parametrize("own", [0.9, 1.5, 2.5] * u.arcsec)
def test_a_star_is_as_wide_as_the_target_afterwards_and_as_bright(own):
    target = 3.14 * u.arcsec
    star = as_map(source(101, own))
    matched = match_resolution(star, own, target)
    assert abs(measured_fwhm(matched) / target - 1) < 0.01
    assert matched.data.sum() == pytest.approx(star.data.sum(), rel=0.01)
    assert matched.meta["PSFFWHM"] == pytest.approx(3.14)


def test_flux_is_kept_up_to_the_edge_of_what_was_observed():
    """Emission that fills the map, half of which was never observed."""
    field = 1 + 100 * source(121, 20 * u.arcsec)
    field[:, :50] = np.nan
    matched = match_resolution(as_map(field), 1 * u.arcsec, 4 * u.arcsec)
    assert np.nansum(matched.data) == pytest.approx(np.nansum(field), rel=0.01)
    assert np.array_equal(np.isnan(matched.data), np.isnan(field))


def test_matching_twice_is_matching_once():
    field = np.random.default_rng(0).normal(10, 1, (80, 80))
    once = match_resolution(as_map(field, error=1), 1 * u.arcsec, 3 * u.arcsec)
    twice = match_resolution(once, 3 * u.arcsec, 3 * u.arcsec)
    assert np.array_equal(once.data, twice.data)
    assert np.array_equal(once.uncertainty.array, twice.uncertainty.array)


def test_two_steps_lead_where_one_leads():
    field = gaussian_filter(np.random.default_rng(0).normal(0, 1, (120, 120)), 1.5)
    start = as_map(field, error=1)
    direct = match_resolution(start, 1.4 * u.arcsec, 5 * u.arcsec)
    halfway = match_resolution(start, 1.4 * u.arcsec, 3 * u.arcsec)
    by_steps = match_resolution(halfway, 3 * u.arcsec, 5 * u.arcsec)
    inner = np.s_[25:-25, 25:-25]
    assert by_steps.data[inner] == pytest.approx(direct.data[inner], abs=2e-3)
    assert by_steps.uncertainty.array[inner] == pytest.approx(
        direct.uncertainty.array[inner], rel=0.01
    )


def test_holes_do_not_spread_and_do_not_fill():
    field = np.full((60, 60), 7.0)
    field[30, 30] = field[10:20, 40:45] = np.nan
    matched = match_resolution(as_map(field, error=1), 1 * u.arcsec, 4 * u.arcsec)
    assert np.array_equal(np.isnan(matched.data), np.isnan(field))
    assert matched.data[valid(matched)] == pytest.approx(7)  # a hole is not darkness
    assert np.array_equal(matched.mask, np.isnan(field))


def test_a_masked_star_has_no_say_in_its_neighbours():
    field = np.ones((60, 60))
    field[30, 30] = 1e6
    image = as_map(field)
    image.mask[30, 30] = True
    matched = match_resolution(image, 1 * u.arcsec, 4 * u.arcsec)
    assert matched.data[valid(matched)] == pytest.approx(1)


def test_the_ratio_of_unmatched_maps_is_wrong_and_of_matched_ones_right():
    """The same clouds, twice as bright in one band, seen sharply and less sharply."""
    clouds = np.zeros((121, 121))
    rows, columns = np.random.default_rng(3).integers(20, 101, (2, 60))
    np.add.at(clouds, (rows, columns), 1)
    sharp, soft = 0.9 * u.arcsec, 2.2 * u.arcsec
    blurred = {
        fwhm: 0.001 + gaussian_filter(clouds, float(fwhm * gaussian_fwhm_to_sigma / PIXEL))
        for fwhm in (sharp, soft)
    }
    numerator, denominator = as_map(2 * blurred[sharp]), as_map(blurred[soft])
    unmatched = numerator.data[rows, columns] / denominator.data[rows, columns]
    numerator, denominator = (
        match_resolution(image, own, 3.14 * u.arcsec)
        for image, own in ((numerator, sharp), (denominator, soft))
    )
    matched = numerator.data[rows, columns] / denominator.data[rows, columns]
    assert np.median(unmatched) > 4  # true: 2
    assert matched == pytest.approx(2, rel=0.02)


def test_offset_sources_make_a_false_ratio_gradient_only_where_unmatched():
    """A stellar cluster half a beam from its cloud: unmatched, the ratio swings far more."""
    cloud = source(121, 1.4 * u.arcsec, offset=(0.8, 0) * u.arcsec)
    cluster = source(121, 0.9 * u.arcsec, offset=(-0.8, 0) * u.arcsec)
    apart = np.s_[60, 50:71]
    background = 1e-3
    unmatched = (cluster[apart] + background) / (cloud[apart] + background)
    matched = [
        match_resolution(as_map(values + background), own, 3.14 * u.arcsec).data[apart]
        for values, own in ((cluster, 0.9 * u.arcsec), (cloud, 1.4 * u.arcsec))
    ]
    assert np.ptp(np.log10(unmatched)) > 2 * np.ptp(np.log10(matched[0] / matched[1]))


# What it does to the noise


def noise_maps(count, side, beam, rng):
    """Unit noise, correlated over a beam (FWHM), or independent where it is None."""
    noise = rng.normal(0, 1, (count, side + 60, side + 60))
    if beam is not None:
        s = float(beam * gaussian_fwhm_to_sigma / PIXEL)
        noise = gaussian_filter(noise, (0, s, s)) * np.sqrt(4 * np.pi) * s
    return noise[:, 30:-30, 30:-30]


@pytest.mark.parametrize(
    ("noise", "own", "target"),
    [("beam", 1.2, 3.14), ("beam", 2.0, 2.4), ("pixel", 0.9, 3.14), ("pixel", 1.0, 1.6)],
)
def test_errors_are_the_scatter_of_repeated_observations(noise, own, target):
    """Monte Carlo, with noise that varies over the field, a hole in it, and edges."""
    own, target = own * u.arcsec, target * u.arcsec
    rng = np.random.default_rng(1)
    side, count = 72, 120
    level = np.linspace(1, 3, side) * np.ones((side, 1))
    draws = noise_maps(count, side, own if noise == "beam" else None, rng) * level
    draws[:, 30:40, 10:25] = np.nan
    matched = [match_resolution(as_map(d, error=level), own, target, noise=noise) for d in draws]
    claimed = matched[0].uncertainty.array
    seen = np.std([m.data for m in matched], axis=0)
    inner = np.zeros_like(seen, dtype=bool)
    inner[12:-12, 34:-12] = True
    assert np.median((claimed / seen)[inner]) == pytest.approx(1, abs=0.06)
    rim = valid(matched[0]) & ~inner
    assert 0.97 < np.median((claimed / seen)[rim]) < 1.15

    # ... and so are those of the pixels of the common grid, one per resolution element.
    new = sky(17, target)
    gridded = [to_grid(image, new, (17, 17)) for image in matched]
    claimed = gridded[0].uncertainty.array
    seen = np.std([g.data for g in gridded], axis=0)
    covered = np.isfinite(claimed)
    assert np.nanmedian(claimed[covered] / seen[covered]) == pytest.approx(1, abs=0.06)


def test_independent_pixels_would_make_the_error_eight_times_too_small():
    """The beam and the target of the CO map of NGC 628 (real pixels are 0.2 arcsec)."""
    image = as_map(np.ones((80, 80)), error=0.1, pixel=0.2 * u.arcsec)
    beam, pixel = (
        match_resolution(image, 1.12 * u.arcsec, 3.14 * u.arcsec, noise=noise).uncertainty.array
        for noise in ("beam", "pixel")
    )
    assert beam[40, 40] == pytest.approx(0.1 * 1.12 / 3.14, rel=0.01)
    assert 7 < beam[40, 40] / pixel[40, 40] < 9


def test_no_error_is_averaged_below_that_of_the_beam_it_lies_in():
    """Errors never grow by averaging, not even in a lone pixel amid a hole."""
    field = np.full((60, 60), np.nan)
    field[30, 30], field[5:15, 5:15] = 1, 1
    matched = match_resolution(as_map(field, error=0.5), 1 * u.arcsec, 3 * u.arcsec)
    assert matched.uncertainty.array[30, 30] == pytest.approx(0.5)
    assert np.nanmax(matched.uncertainty.array) <= 0.5 + 1e-9


# What the grid does


def test_a_surface_brightness_is_averaged_and_a_flux_per_pixel_is_summed():
    flat = np.full((90, 90), 5.0)
    new, shape = sky(9, 1.6 * u.arcsec), (9, 9)
    intensity = to_grid(as_map(flat, INTENSITY, error=1), new, shape)
    flux = to_grid(as_map(flat, PER_PIXEL, error=1), new, shape)
    assert intensity.data == pytest.approx(5, rel=1e-3)
    assert flux.data == pytest.approx(5 * 16, rel=1e-3)
    assert flux.unit == PER_PIXEL
    assert np.allclose(signal_to_noise(flux), signal_to_noise(intensity))


@pytest.mark.parametrize("unit", [INTENSITY, PER_PIXEL])
@pytest.mark.parametrize("pixel", [0.2, 0.5, 1.3] * u.arcsec)
def test_total_flux_is_kept(unit, pixel):
    target = 3.14 * u.arcsec
    side = int(60 * u.arcsec / pixel)
    field = source(side, target, pixel, (0.7, -0.4) * u.arcsec)
    field += source(side, target, pixel, (8.2, 5.3) * u.arcsec)
    image = to_grid(as_map(field, unit, pixel=pixel), sky(15, target), (15, 15))
    before, after = field.sum(), np.nansum(image.data)
    if unit is INTENSITY:
        before, after = before * pixel**2, after * target**2
    assert float(after / before) == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("pixel", [0.2, 0.4, 0.5] * u.arcsec)
def test_a_pixel_holds_the_mean_over_its_square_whatever_the_camera(pixel):
    """Else a ratio of two matched maps would show their pixel sizes."""
    target = 1.58 * u.arcsec
    offset = (0.3, -0.5) * u.arcsec
    star = source(int(40 * u.arcsec / pixel) | 1, target, pixel, offset)
    image = as_map(star, PER_PIXEL, pixel=pixel, PSFFWHM=target.value)
    seen = to_grid(image, sky(15, target), (15, 15)).data
    edges = (np.arange(16) - 7.5 - (offset / target).value[:, None]) / gaussian_fwhm_to_sigma
    columns, rows = np.diff(erf(edges / np.sqrt(2)) / 2)
    true = np.outer(rows, columns)
    bright = true > 0.05 * true.max()
    assert seen[bright] == pytest.approx(true[bright], rel=0.01)


def test_pixels_that_are_half_unobserved_are_dropped():
    field = np.ones((80, 80))
    field[:, :33] = np.nan
    image = to_grid(as_map(field, error=1), sky(8, 4 * u.arcsec), (8, 8))
    assert np.isnan(image.data[:, :3]).all()
    assert image.data[:, 4:] == pytest.approx(1)
    assert np.array_equal(image.mask, np.isnan(image.data))


def test_a_turned_map_lands_in_the_right_place():
    angle = np.deg2rad(35)
    wcs = sky(121)
    wcs.wcs.pc = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    star = source(121, 3 * u.arcsec, offset=(8, 4) * u.arcsec)
    turned = make_map(star, INTENSITY, wcs)
    row, column = np.unravel_index(star.argmax(), star.shape)
    there = wcs.pixel_to_world(column, row)
    new = sky(61, 1 * u.arcsec)
    gridded = to_grid(turned, new, (61, 61))
    row, column = np.unravel_index(np.nanargmax(gridded.data), gridded.shape)
    assert there.separation(new.pixel_to_world(column, row)) < 0.8 * u.arcsec


def test_all_maps_of_a_galaxy_end_on_its_grid_at_one_resolution():
    galaxy = get_galaxy("NGC 628")
    side = 281
    maps = {
        "co_mom0": as_map(np.ones((side, side)), u.K * u.km / u.s, 1, BMAJ=1.12 / 3600),
        "co_ew": as_map(np.full((side, side), 9.0), u.km / u.s, 1, BMAJ=3.14 / 3600),
        "HA6562": as_map(np.ones((side, side)), PER_PIXEL, 1, PSFFWHM=0.92),
        "F2100W": as_map(np.ones((side, side)), INTENSITY, 1, FILTER="F2100W"),
    }
    common = common_maps(galaxy, maps)
    wcs, shape = galaxy.grid()
    assert list(common) == list(maps)
    for name, image in common.items():
        assert image.shape == shape
        assert image.wcs.to_header() == wcs.to_header()
        assert image.unit == maps[name].unit
        assert image.uncertainty is not None
    middle = shape[0] // 2, shape[1] // 2
    assert common["co_ew"].data[middle] == pytest.approx(9)
    assert common["HA6562"].data[middle] == pytest.approx((3.144 / 0.4) ** 2, rel=0.01)
    # A beam's noise averages less than a camera's.
    assert common["co_mom0"].uncertainty.array[middle] == pytest.approx(0.29, abs=0.03)
    assert common["F2100W"].uncertainty.array[middle] == pytest.approx(0.07, abs=0.02)


# What it refuses


@pytest.mark.parametrize(
    ("unit", "reason"),
    [
        ("km/s", "a velocity or a width"),
        ("K", "a peak temperature"),
        ("Myr", "an age"),
        ("", "a ratio"),
        ("mag", "a logarithm"),
        ("dex", "a logarithm"),
        ("Jy/beam", "a flux per beam"),
    ],
)
def test_what_is_not_linear_in_brightness_may_not_be_convolved(unit, reason):
    image = as_map(np.ones((40, 40)), u.Unit(unit))
    with pytest.raises(ValueError, match=f"may not be convolved: it is {reason}"):
        match_resolution(image, 1 * u.arcsec, 3 * u.arcsec)


def test_a_map_slightly_coarser_than_the_target_passes_and_says_so():
    """NGC 7496 in CO: a beam of 1.68 arcsec, where 150 pc are 1.65."""
    image = as_map(np.random.default_rng(0).normal(size=(40, 40)), error=1)
    same = match_resolution(image, 1.68 * u.arcsec, 1.65 * u.arcsec)
    assert np.array_equal(same.data, image.data)
    assert "already at 1.68 arcsec" in same.meta["RESNOTE"]
    assert same.meta["PSFFWHM"] == 1.68
    assert "RESNOTE" not in image.meta  # the map given is left as it was
    with pytest.raises(ValueError, match="coarser than the target"):
        match_resolution(image, 1.65 * (1.01 + TOLERANCE) * u.arcsec, 1.65 * u.arcsec)


@pytest.mark.parametrize(
    ("fwhm", "target", "message"),
    [
        (1 * u.arcsec, 150 * u.pc, "target=150.0 pc is no angle"),
        (1, 3 * u.arcsec, "fwhm=1 is no angle"),
        (0 * u.arcsec, 3 * u.arcsec, "larger than 0"),
        (-1 * u.arcsec, 3 * u.arcsec, "larger than 0"),
        (np.nan * u.arcsec, 3 * u.arcsec, "larger than 0"),
        ([1, 2] * u.arcsec, 3 * u.arcsec, "one angle"),
        (1 * u.arcsec, 3 * u.arcmin, "kernel .* is larger than the map"),
        (0.1 * u.arcsec, 0.3 * u.arcsec, "pixels .* are larger than the target"),
    ],
)
def test_widths_that_make_no_sense(fwhm, target, message):
    with pytest.raises(ValueError, match=message):
        match_resolution(as_map(np.ones((40, 40))), fwhm, target)


def test_a_mask_is_kept_where_nothing_is_convolved():
    image = as_map(np.ones((40, 40)), error=1)
    image.mask[4, 4] = True
    same = match_resolution(image, 3 * u.arcsec, 3 * u.arcsec)
    assert np.argwhere(same.mask).tolist() == [[4, 4]]


def test_whole_numbers_are_blurred_like_others():
    counts = np.arange(1600).reshape(40, 40) % 7
    whole = as_map(counts, error=1)
    real = as_map(counts.astype(float), error=1)
    for change in (
        lambda image: match_resolution(image, 1 * u.arcsec, 3 * u.arcsec),
        lambda image: to_grid(image, sky(9), (9, 9)),
    ):
        assert change(whole).data == pytest.approx(change(real).data, nan_ok=True)


def test_errors_of_faint_fluxes_do_not_vanish():
    """1e-25 is a float32, its square is not."""
    image = as_map(np.ones((40, 40), np.float32) * np.float32(1e-25))
    image = make_map(image.data, PER_PIXEL, image.wcs, error=image.data)
    assert errors(to_grid(image, sky(9), (9, 9))) == pytest.approx(1e-25)
    assert np.all(errors(match_resolution(image, 1 * u.arcsec, 2 * u.arcsec)) > 1e-26)


def test_things_that_are_no_map_or_no_grid():
    for thing in (np.ones((40, 40)), None, "map.fits"):
        for change in (
            lambda given: match_resolution(given, 1 * u.arcsec, 3 * u.arcsec),
            lambda given: to_grid(given, sky(9), (9, 9)),
            lambda given: common_maps("NGC 628", {"F770W": given}),
        ):
            with pytest.raises(TypeError, match=r"A map \(CCDData\) was expected"):
                change(thing)
    with pytest.raises(TypeError, match="dictionary of maps by name"):
        common_maps("NGC 628", [as_map(np.ones((40, 40)))])
    image = as_map(np.ones((40, 40)))
    for shape in (9, None, (9.0, 9.0), (0, 9), (-9, 9), (9, 9, 9)):
        with pytest.raises(ValueError, match=r"give \(rows, columns\)"):
            to_grid(image, sky(9), shape)
    with pytest.raises(ValueError, match="The grid does not know where it is"):
        to_grid(image, (9, 9), sky(9))
    with pytest.raises(ValueError, match="too large for the memory"):
        to_grid(image, sky(1_000_000, 0.001 * u.arcsec), (1_000_000, 1_000_000))


def test_unknown_noise_is_named():
    with pytest.raises(ValueError, match='choose "beam" or "pixel"'):
        match_resolution(as_map(np.ones((9, 9))), 1 * u.arcsec, 2 * u.arcsec, noise="white")


def test_an_empty_map_cannot_be_matched_nor_gridded():
    empty = as_map(np.full((40, 40), np.nan))
    with pytest.raises(ValueError, match="Not one pixel of the map is valid"):
        match_resolution(empty, 1 * u.arcsec, 3 * u.arcsec)
    with pytest.raises(ValueError, match="Not one pixel of the map is valid"):
        to_grid(empty, sky(9), (9, 9))


def test_a_map_without_a_place_on_the_sky_is_refused():
    nowhere = CCDData(np.ones((40, 40)), unit=INTENSITY)
    with pytest.raises(ValueError, match="does not know where it is on the sky"):
        match_resolution(nowhere, 1 * u.arcsec, 3 * u.arcsec)


@pytest.mark.parametrize("center", [(24.3, 15.78), (204.0, -15.7), (0.0, 90.0)])
def test_maps_that_do_not_overlap(center):
    with pytest.raises(ValueError, match=r"do not overlap: .* Are they of the same galaxy\?"):
        to_grid(as_map(np.ones((40, 40))), sky(9, center=center), (9, 9))


def test_rows_and_columns_swapped():
    wcs = sky(9)
    wcs.array_shape = (9, 11)
    with pytest.raises(ValueError, match="are rows and columns swapped"):
        to_grid(as_map(np.ones((40, 40))), wcs, (11, 9))


def test_swapped_axes_of_a_map_are_understood():
    """Declination along the rows of the file: the WCS knows, and the grid is the same."""
    star = source(81, 3 * u.arcsec, offset=(6, -3) * u.arcsec)
    straight, swapped = sky(81), sky(81)
    swapped.wcs.ctype = "DEC--TAN", "RA---TAN"
    swapped.wcs.crval = swapped.wcs.crval[::-1]
    swapped.wcs.cdelt = swapped.wcs.cdelt[::-1]
    new = sky(31, 1 * u.arcsec)
    one = to_grid(make_map(star, INTENSITY, straight), new, (31, 31))
    other = to_grid(make_map(star.T, INTENSITY, swapped), new, (31, 31))
    assert other.data == pytest.approx(one.data, abs=1e-9)


def test_a_flux_that_does_not_say_per_what_cannot_be_put_on_other_pixels():
    with pytest.raises(ValueError, match="per pixel or per solid angle"):
        to_grid(as_map(np.ones((40, 40)), u.electron / u.s), sky(9), (9, 9))
    with pytest.raises(ValueError, match='unit="Jy km / \\(pix s\\)"'):
        to_grid(as_map(np.ones((40, 40)), u.Jy * u.km / u.s), sky(9), (9, 9))


def test_widths_and_peaks_must_come_at_the_target_resolution():
    native = as_map(np.ones((281, 281)), u.km / u.s, 1, BMAJ=1.12 / 3600)
    with pytest.raises(ValueError, match=r"NGC 628, co_ew: .* use the archive's product"):
        common_maps("NGC 628", {"co_ew": native})


def test_the_map_that_fails_is_named():
    maps = {"F770W": as_map(np.ones((281, 281)), error=1, PSFFWHM=0.3)}
    with pytest.raises(ValueError, match=r"NGC 1365, F770W: .* do not overlap"):
        common_maps("NGC 1365", maps)
