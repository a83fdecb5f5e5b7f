"""Observing the simulated galaxies: from a scene to files like those of the archives.

Every telescope blurs the scene, samples it in its own pixels, sees its own part of the sky and
adds its own noise. The files have the names, extensions, units and headers of the PHANGS
releases, so that everything that reads them reads the real ones too. All of it is simulated, and
each header says so. `simulate` writes the files of one galaxy; `truth` is what they hide;
`random_table` draws tables of the same kind, of any length.

Modelling choices that a reader of the maps should know:

* Pixels are coarser than the archives' (JWST 0.031-0.11 arcsec, MUSE 0.2 arcsec); ``pixels``
  takes the real sizes.
* Noise is independent from pixel to pixel in MUSE and JWST maps (a simplification: drizzling and
  the common PSF of a mosaic correlate neighbours) and correlated like the beam in ALMA maps.
* The error maps are the true standard deviation of a pixel. The scatter of about 0.025 dex around
  the relation of PAH 11.3/7.7 with [SII]/Ha is mostly intrinsic (`scene.emission`, and the mixing
  of components within 150 pc): noise alone makes 0.005 (NGC 628) to 0.007 dex (NGC 1365).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import astropy.units as u
import numpy as np
import scipy.sparse
from astropy.io import fits

from helpers.galaxies import RESOLUTION, Galaxy, get_galaxy
from helpers.onezone import random_table
from helpers.scene import (
    BANDS,
    COMPONENTS,
    COURSE,
    STARLIGHT,
    WAVELENGTHS,
    Artefact,
    Scene,
    Universe,
    backward,
    forward,
    gaussian,
    scene,
    sealed,
    survey_side,
)

__all__ = ["COURSE", "PIXELS", "Universe", "random_table", "sealed", "simulate", "truth"]

PIXELS = {
    "NGC 628": {"alma": 0.5, "muse": 0.4, "jwst": 0.4},
    "NGC 1365": {"alma": 0.5, "muse": 0.4, "jwst": 0.3},
    "NGC 7496": {"alma": 0.5, "muse": 0.4, "jwst": 0.25},
}
"""Sides of the simulated pixels, arcsec: 19 to 28 pc for JWST."""

JWST_FWHM = {
    "F200W": 0.066, "F300M": 0.100, "F335M": 0.111, "F360M": 0.120,
    "F770W": 0.269, "F1000W": 0.328, "F1130W": 0.375, "F2100W": 0.674,
}  # fmt: skip
"""PSF of each band, arcsec."""

JWST_NOISE = {
    "F200W": 0.030, "F300M": 0.022, "F335M": 0.026, "F360M": 0.026,
    "F770W": 0.075, "F1000W": 0.09, "F1130W": 0.11, "F2100W": 0.16,
}  # fmt: skip
"""Of the darkest sky in a pixel, MJy/sr."""

JWST_OFFSET = {
    "F200W": 0.008, "F300M": -0.004, "F335M": 0.004, "F360M": -0.004,
    "F770W": -0.03, "F1000W": 0.03, "F1130W": -0.03, "F2100W": -0.04,
}  # fmt: skip
"""Background left over, or taken off too much, MJy/sr (the sky beyond the galaxy is never seen)."""

NUCLEUS = {
    "F200W": 25, "F300M": 60, "F335M": 80, "F360M": 100,
    "F770W": 700, "F1000W": 900, "F1130W": 1300, "F2100W": 5000,
}  # fmt: skip
"""Hot dust around the nucleus of NGC 1365, a point source: MJy/sr arcsec2."""

MUSE_NOISE = {
    "HB4861": 40.0, "OIII5006": 38.0, "OI6300": 34.0, "HA6562": 34.0,
    "NII6583": 34.0, "SII6716": 32.0, "SII6730": 32.0,
}  # fmt: skip
"""Of the darkest sky in a spaxel of 0.4 arcsec, 1e-20 erg/s/cm2."""

MUSE_UNIT = "1e-20 erg / (s cm2 spaxel)"
DITHER_SEED = 628


@dataclass(frozen=True)
class _Sky:
    """What the telescopes see of one galaxy: tiles as (east, north, side) in arcsec."""

    tiles: tuple[tuple[float, float, float], ...]
    """Of the MUSE mosaic."""
    jwst_angle: float
    """By how many degrees the square of the JWST map is turned on the sky."""
    alma_angle: float
    channel: float
    """Of the CO cube, km/s."""
    half_band: float
    """Largest velocity of the cube, km/s."""
    alma_noise: float
    """K per channel."""
    depth: float
    """Noise of the MUSE map relative to `MUSE_NOISE`."""
    stars: int


def _mosaic(columns, side):
    """Tiles from columns: (east, (north, north, ...)); the pointings are never in a tidy row."""
    return tuple((east, north, side) for east, norths in columns for north in norths)


SKIES = {
    "NGC 628": _Sky(
        _mosaic([(82, (-77, -24, 29)), (27, (-81, -29, 21, 71)), (-28, (-70, -20, 30, 80)),
                 (-83, (-84, -30, 23, 77))], 55.4),
        8.0, -6.0, 2.5, 62.5, 0.080, 1.7, 24,
    ),
    "NGC 1365": _Sky(
        _mosaic([(86, (-86, -26, 34)), (29, (-88, -31, 26, 83)), (-29, (-84, -27, 30, 88)),
                 (-86, (-36, 25, 86))], 62.0),
        -7.0, 9.0, 5.0, 340.0, 0.024, 0.7, 30,
    ),
    "NGC 7496": _Sky(
        _mosaic([(26.3, (-33, 20)), (-26.3, (-20, 33))], 53.0),
        5.0, -8.0, 5.0, 200.0, 0.022, 0.75, 9,
    ),
}  # fmt: skip


# ----------------------------------------------------------------------- grids and blurring


def _rebin(image: np.ndarray, pixel: float, to_pixel: float, to_n: int) -> np.ndarray:
    """Mean of a square map in the pixels of another square map with the same centre.

    Exact for aligned, centred grids: each new pixel averages what it covers of the old ones.
    """
    n = len(image)
    edges = (np.arange(n + 1) - n / 2) * pixel
    to_edges = (np.arange(to_n + 1) - to_n / 2) * to_pixel
    rows, columns, parts = [], [], []
    first = np.clip(np.searchsorted(edges, to_edges[:-1] + 1e-9, "right") - 1, 0, n - 1)
    for k in range(int(np.ceil(to_pixel / pixel)) + 2):
        old = np.clip(first + k, 0, n - 1)
        part = np.minimum(edges[old + 1], to_edges[1:]) - np.maximum(edges[old], to_edges[:-1])
        keep = (part > 1e-9 * pixel) & (first + k < n)
        rows.append(np.flatnonzero(keep))
        columns.append(old[keep])
        parts.append(part[keep])
    weights = scipy.sparse.csr_matrix(
        (np.concatenate(parts) / to_pixel, (np.concatenate(rows), np.concatenate(columns))),
        shape=(to_n, n),
        dtype=np.float32,
    )
    half = weights @ np.asarray(image, np.float32)
    return np.ascontiguousarray((weights @ half.T).T)


def _observe(image: np.ndarray, pixel: float, fwhm: float, to_pixel: float, to_n: int):
    """Blur with a Gaussian PSF (arcsec) and sample; whichever pixel is finer carries the blur."""
    if to_pixel < pixel:
        to_side = int(len(image) * pixel / to_pixel)
        to_side -= (to_side - to_n) % 2
        image, pixel = _rebin(image, pixel, to_pixel, to_side), to_pixel
    n = len(image)
    if fwhm > 0.4 * pixel:  # else the pixel hides the PSF
        image = backward(forward(image) * gaussian(n, fwhm / pixel), n)
    return _rebin(image, pixel, to_pixel, to_n)


def _norm(n: int, fwhm: float) -> np.float32:
    """Standard deviation of white unit noise after a Gaussian of unit sum."""
    both_sides = np.exp(-((np.pi * fwhm) ** 2) / (2 * np.log(2)) * np.fft.fftfreq(n) ** 2)
    return np.float32(both_sides.mean())


def _offsets(n: int, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """East and north of the centre, arcsec, of an n x n map."""
    offset = (np.arange(n, dtype=np.float32) - np.float32((n - 1) / 2)) * np.float32(pixel)
    return -offset[None, :], offset[:, None]


def _exposure(sky: _Sky, n: int, pixel: float) -> np.ndarray:
    """How many MUSE pointings saw each pixel, each with its own depth (0: none)."""
    east, north = _offsets(n, pixel)
    time = np.zeros((n, n), np.float32)
    for i, (x, y, side) in enumerate(sky.tiles):
        inside = (np.abs(east - x) < side / 2) & (np.abs(north - y) < side / 2)
        time += inside * np.float32(0.8 + 0.1 * (i * 7 % 5))
    return time


def _square(n: int, pixel: float, side: float, angle: float) -> np.ndarray:
    """A square of that side, turned on the sky by that angle (degrees)."""
    east, north = _offsets(n, pixel)
    turn = np.deg2rad(angle)
    x = east * np.cos(turn) + north * np.sin(turn)
    y = north * np.cos(turn) - east * np.sin(turn)
    return (np.abs(x) < side / 2) & (np.abs(y) < side / 2)


def _grid(galaxy: Galaxy, pixel: float):
    wcs, (n, _) = galaxy.grid(pixel * u.arcsec)
    return wcs, n


def _random(universe: Universe, galaxy: Galaxy, random_state: int, *what: int):
    return np.random.default_rng([universe.seed, int(galaxy.key[3:]), 100 + random_state, *what])


# ------------------------------------------------------------------------------- foreground


def _foreground(universe: Universe, galaxy: Galaxy) -> np.ndarray:
    """Stars of the Milky Way: columns east, north (arcsec) and F200W flux (MJy/sr arcsec2)."""
    rng = _random(universe, galaxy, 0, 1)
    number = SKIES[galaxy.name].stars
    place = rng.uniform(-0.5, 0.5, (number, 2)) * survey_side(galaxy)
    place *= np.maximum(1, 12 / np.hypot(*place.T))[:, None]  # none upon the nucleus
    flux = 6.0 * (rng.pareto(0.75, number) + 1)
    return np.column_stack([place, np.minimum(flux, 6000)])


def _add_point(image, pixel, fwhm, east, north, flux):
    """Draw a star with the core, the halo and the six spikes of the JWST PSF, in place."""
    n = len(image)
    reach = int(min(15 + 35 * np.log10(1 + flux), 110) * max(fwhm, 0.1) / pixel) + 3
    row, column = north / pixel + (n - 1) / 2, -east / pixel + (n - 1) / 2
    rows = slice(max(int(row) - reach, 0), max(min(int(row) + reach + 1, n), 0))
    columns = slice(max(int(column) - reach, 0), max(min(int(column) + reach + 1, n), 0))
    y = np.float32(pixel) * (np.arange(n, dtype=np.float32)[rows] - np.float32(row))[:, None]
    x = np.float32(pixel) * (np.arange(n, dtype=np.float32)[columns] - np.float32(column))
    if not y.size or not x.size:
        return
    r = np.hypot(x, y)
    core = (fwhm / 2.355) ** 2 + pixel**2 / 12
    psf = 0.60 * np.exp(-0.5 * r**2 / core) / (2 * np.pi * core)
    # rings and wings fall as the cube of the radius
    psf += 0.10 * fwhm / (2 * np.pi) / (r**2 + fwhm**2) / np.sqrt(r**2 + fwhm**2)
    angle = np.arctan2(y, x)
    width = np.maximum(0.35 * fwhm, 0.6 * pixel)
    for spike in np.deg2rad([30, 90, 150]):
        across = np.exp(-0.5 * (r * np.sin(angle - spike) / width) ** 2) / (2.5 * width)
        psf += 0.10 * across * np.exp(-r / (8 * fwhm)) / (16 * fwhm)
    image[rows, columns] += (flux * psf).astype(np.float32)


# ------------------------------------------------------------------------------------- JWST


def _jwst(galaxy: Galaxy, view: Scene, universe: Universe, pixel: float, random_state: int):
    """Yield band, wcs, image and error of the eight JWST maps."""
    sky = SKIES[galaxy.name]
    wcs, n = _grid(galaxy, pixel)
    seen = _square(n, pixel, 1.04 * survey_side(galaxy), sky.jwst_angle)
    stars = _foreground(universe, galaxy)
    for i, band in enumerate(BANDS):
        rng = _random(universe, galaxy, random_state, 2, i)
        fwhm = JWST_FWHM[band]
        image = _observe(view.bands[band], view.pixel, fwhm, pixel, n)
        # the spectrum of a star: the Rayleigh-Jeans tail
        for east, north, flux in stars:
            _add_point(image, pixel, fwhm, east, north, flux * STARLIGHT[band] ** 1.3)
        if view.nucleus:
            _add_point(image, pixel, fwhm, 0.0, 0.0, NUCLEUS[band] * view.nucleus)
        image += JWST_OFFSET[band]
        image *= _gain(universe, galaxy, band, n, pixel)
        dark = JWST_NOISE[band]
        photons = 0.02 * dark * np.clip(image, 0, None)
        error = np.sqrt(dark**2 + photons).astype(np.float32)
        image += error * rng.standard_normal((n, n), dtype=np.float32)
        full = 1500.0 if band in BANDS[:4] else 900.0
        image[(image > full) | ~seen] = np.nan
        error[np.isnan(image)] = np.nan
        yield band, wcs, image, error


def _gain(universe: Universe, galaxy: Galaxy, name: str, n: int, pixel: float) -> np.ndarray:
    """The planted artefact, if this map has it: a gain that should have been one."""
    planted: Artefact | None = universe.artefact
    if planted is None or (planted.galaxy, planted.map) != (galaxy.name, name):
        return np.ones((1, 1), np.float32)
    if planted.kind == "scale":
        return np.full((1, 1), 1 + planted.size, np.float32)
    east, north = _offsets(n, pixel)
    if planted.kind == "drift":
        return (1 - planted.size * 2 * east / survey_side(galaxy)).astype(np.float32)
    gain = np.ones((n, n), np.float32)
    rng = _random(universe, galaxy, 0, 3)
    for x, y, side in SKIES[galaxy.name].tiles:
        inside = (np.abs(east - x) < side / 2) & (np.abs(north - y) < side / 2)
        gain[inside] = np.exp(planted.size * rng.standard_normal())
    return gain


# ------------------------------------------------------------------------------------- MUSE


def _muse(galaxy: Galaxy, view: Scene, universe: Universe, pixel: float, random_state: int):
    """Yield name, wcs, image, error and unit of the MUSE maps."""
    sky = SKIES[galaxy.name]
    wcs, n = _grid(galaxy, pixel)
    fwhm = galaxy.muse_fwhm.to_value(u.arcsec)
    exposure = _exposure(sky, n, pixel)
    seen = exposure > 0
    for east, north, flux in _foreground(universe, galaxy):
        x, y = _offsets(n, pixel)
        seen &= np.hypot(x - east, y - north) > 1.2 + 0.9 * np.log10(flux / 6)
    depth = sky.depth / np.sqrt(np.where(seen, exposure, 1))
    # a spaxel of another size holds another flux and another noise
    area, size = pixel**2, pixel / 0.4
    starlight = _observe(view.bands["F200W"], view.pixel, fwhm, pixel, n)
    first = {}
    for i, line in enumerate(WAVELENGTHS):
        rng = _random(universe, galaxy, random_state, 4, i)
        image = _observe(view.lines[line], view.pixel, fwhm, pixel, n) * np.float32(area)
        image *= _gain(universe, galaxy, line, n, pixel)
        dark = MUSE_NOISE[line] * size
        error = depth * np.sqrt(
            dark**2 * (1 + 0.12 * starlight) + 0.35 * size**2 * np.clip(image, 0, None)
        )
        image += error * rng.standard_normal((n, n), dtype=np.float32)
        image[~seen] = error[~seen] = np.nan
        first[line] = image, error
        yield f"{line}_FLUX", wcs, image, error.astype(np.float32), MUSE_UNIT
    ha, ha_error = first["HA6562"]
    signal = np.clip(np.nan_to_num(ha / ha_error), 0.3, None)
    light = _observe(view.lines["HA6562"], view.pixel, fwhm, pixel, n)
    momentum = _observe(view.lines["HA6562"] * view.velocity, view.pixel, fwhm, pixel, n)
    velocity = momentum / light
    square = view.lines["HA6562"] * (view.velocity**2 + view.dispersion**2)
    square = _observe(square, view.pixel, fwhm, pixel, n) / light
    # as measured, with the width of the spectrograph's own profile in it
    sigma = np.sqrt(np.clip(square - velocity**2, 0, None) + 49.0**2)
    for i, (name, image) in enumerate((("VEL", velocity), ("SIGMA", sigma))):
        rng = _random(universe, galaxy, random_state, 5, i)
        error = np.clip(sigma / signal, 0.3, 200).astype(np.float32)
        image = image + error * rng.standard_normal((n, n), dtype=np.float32)
        image[~seen] = error[~seen] = np.nan
        yield f"HA6562_{name}", wcs, image, error, "km / s"


# ------------------------------------------------------------------------------------- ALMA


def _alma(galaxy: Galaxy, view: Scene, universe: Universe, pixel: float, random_state: int):
    """Make the CO cube, at the native beam and at 150 pc, and yield its maps.

    Yields file-name part, beam (arcsec), unit, wcs and image. The width and the peak at 150 pc
    are measured on the convolved cube: they may not be convolved themselves.
    """
    sky = SKIES[galaxy.name]
    wcs, n = _grid(galaxy, pixel)
    # as wide as the scene, which has a margin, and quick to transform
    widest = int(len(view.velocity) * view.pixel / pixel)
    wide = max(
        (i for i in range(n + 8, widest + 1, 2) if scipy.fft.next_fast_len(i, real=True) == i),
        default=widest - (widest - n) % 2,
    )
    edge = (wide - n) // 2
    inner = slice(edge, edge + n)
    beam = galaxy.alma_fwhm.to_value(u.arcsec)
    common = galaxy.angle(RESOLUTION).to_value(u.arcsec)
    layers = []
    for intensity, velocity, sigma in view.gas:
        intensity = intensity + np.float32(1e-6)  # a velocity where there is no gas, too
        total = _rebin(intensity, view.pixel, pixel, wide)
        mean = _rebin(intensity * velocity, view.pixel, pixel, wide) / total
        layers.append((total, mean, _rebin(intensity * sigma, view.pixel, pixel, wide) / total))
    # noise rises towards the edge of the mosaic
    east, north = _offsets(wide, pixel)
    rim = np.maximum(np.abs(east), np.abs(north)) / (survey_side(galaxy) / 2)
    rms = (sky.alma_noise * (1 + 0.5 * np.clip(rim, 0, 1.2) ** 8)).astype(np.float32)
    beams = {"native": beam}
    if common > 1.02 * beam:
        beams["150pc"] = common
    response = gaussian(wide, beam / pixel)
    white = rms / _norm(wide, beam / pixel)
    blur = {
        name: gaussian(wide, np.sqrt(fwhm**2 - beam**2) / pixel) for name, fwhm in beams.items()
    }
    channels = np.arange(-sky.half_band, sky.half_band + 1, sky.channel, dtype=np.float32)
    cubes = {name: np.empty((len(channels), n, n), np.float32) for name in beams}
    for k, channel in enumerate(channels):
        rng = _random(universe, galaxy, random_state, 6, k)
        brightness = white * rng.standard_normal((wide, wide), dtype=np.float32)
        for total, mean, sigma in layers:
            brightness += (
                total
                / (np.float32(2.5066) * sigma)
                * np.exp(-0.5 * ((channel - mean) / sigma) ** 2)
            )
        spectrum = forward(brightness) * response
        for name in beams:
            cubes[name][k] = backward(spectrum * blur[name], wide)[inner, inner]
    rms = rms[inner, inner]
    # the noise of a map with a wider beam: 1 / width, for noise that is correlated like the beam
    noise = {name: rms * np.float32(beam / fwhm) for name, fwhm in beams.items()}
    strict = {name: _mask(cube, noise[name]) for name, cube in cubes.items()}
    last = name
    broad = strict["native"] | strict[last]
    broad |= _faint(cubes[last], noise[last], beams[last] / pixel)
    seen = _square(n, pixel, 1.06 * survey_side(galaxy), sky.alma_angle)
    for name in strict:
        part = "" if name == "native" else f"{name}_"
        maps = _moments(cubes[name], broad & seen, noise[name], sky.channel)
        for quantity, (image, unit) in maps.items():
            yield f"{part}broad_{quantity}", beams[name], unit, wcs, image
        if name == "native":
            maps = _moments(cubes[name], strict[name] & seen, noise[name], sky.channel)
            for quantity in ("mom0", "emom0"):
                image, unit = maps[quantity]
                yield f"strict_{quantity}", beams[name], unit, wcs, image


def _mask(cube: np.ndarray, rms: np.ndarray) -> np.ndarray:
    """Where a cube surely holds emission.

    Cores above 4 sigma in two neighbouring channels, grown into what is above 2 sigma next to
    them, on the sky and in velocity.
    """
    core = cube > 4 * rms
    mask = np.zeros(cube.shape, bool)
    mask[1:] = core[1:] & core[:-1]
    mask[:-1] |= mask[1:]
    for axis in range(3):
        grown = np.moveaxis(mask, axis, 0)
        before = grown.copy()
        grown[1:] |= before[:-1]
        grown[:-1] |= before[1:]
    mask &= cube > 2 * rms
    return mask | _spread(core & mask, 1)


def _spread(mask: np.ndarray, channels: int) -> np.ndarray:
    """A mask with that many more channels on either side."""
    out = mask.copy()
    for k in range(1, channels + 1):
        out[k:] |= mask[:-k]
        out[:-k] |= mask[k:]
    return out


def _faint(cube: np.ndarray, rms: np.ndarray, beam: float) -> np.ndarray:
    """Where a cube holds emission once blocks of two beams are averaged.

    This is what makes a broad mask complete, and its maps noisy. ``beam`` is in pixels.
    """
    _, n, _ = cube.shape
    side = int(np.ceil(2 * beam))
    starts = np.arange(0, n, side)
    counts = np.diff(np.append(starts, n)).astype(np.float32)
    blocks = np.add.reduceat(np.add.reduceat(cube, starts, axis=1), starts, axis=2)
    blocks /= counts[:, None] * counts
    # the noise of a block of beam-correlated noise: as many samples as it holds beams
    samples = np.maximum(counts[:, None] * counts / (2.27 * beam**2), 1)
    mask = _spread(_mask(blocks, rms[np.ix_(starts, starts)] / np.sqrt(samples)), 3)
    # between the centres of the blocks, interpolate: no square edges on the sky
    centres = starts + (counts - 1) / 2
    between = np.array([np.interp(np.arange(n), centres, row) for row in np.eye(len(starts))])
    between = between.astype(np.float32)
    out = np.empty(cube.shape, bool)
    for k, plane in enumerate(mask):
        out[k] = between.T @ plane.astype(np.float32) @ between > 0.3517
    return out


def _moments(cube: np.ndarray, mask: np.ndarray, rms: np.ndarray, channel: float):
    """Moment 0, effective width and peak, each with its error; NaN outside the mask."""
    number = mask.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mom0 = np.einsum("kyx,kyx->yx", cube, mask) * np.float32(channel)
        emom0 = rms * np.sqrt(number) * np.float32(channel)
        tpeak = np.where(mask, cube, -np.inf).max(axis=0)
        ew = mom0 / (np.sqrt(2 * np.pi) * tpeak)
        eew = np.abs(ew) * np.hypot(emom0 / mom0, rms / tpeak)
    maps = {
        "mom0": (mom0, "K km/s"), "emom0": (emom0, "K km/s"), "ew": (ew, "km/s"),
        "eew": (eew, "km/s"), "tpeak": (tpeak, "K"), "etpeak": (rms.copy(), "K"),
    }  # fmt: skip
    for image, _ in maps.values():
        image[number == 0] = np.nan
    return {name: (image.astype(np.float32), unit) for name, (image, unit) in maps.items()}


# ------------------------------------------------------------------------------------ truth


def truth(view: Scene) -> dict[str, np.ndarray]:
    """What each 150-pc pixel of a scene is made of.

    The scene itself, without noise or telescopes, is convolved to 150 pc and sampled on
    ``galaxy.grid()``. A component's fraction is the mean of two fractions: that of the Ha light
    before reddening, and that of the F770W light, starlight included. It is a statement about
    light, not mass or area.

    Returns
    -------
    dict of ndarray
        ``HII``, ``DIFFUSE``, ``AGN``, ``STARBURST``, ``OLD`` (sum 1); ``CLASS``, the number of
        the largest in that order; ``SHAPE``, log of intrinsic [SII]/Ha, Ha-weighted; ``EBV``
        (mag) and ``METALLICITY`` (12 + log O/H), Ha-weighted; ``PAH_RATIO``, log of the
        noiseless PAH 11.3/7.7; ``HA``, unreddened, 1e-20 erg/s/cm2/arcsec2; ``CO``, K km/s.
    """
    galaxy = view.galaxy
    wcs, (n, _) = galaxy.grid()
    pixel = abs(wcs.wcs.cdelt[1]) * 3600
    fwhm = galaxy.angle(RESOLUTION).to_value(u.arcsec)

    def seen(image):
        return _observe(image, view.pixel, fwhm, pixel, n).astype(float)

    ha = {name: seen(view.light[name][0]) for name in COMPONENTS}
    warm = {name: seen(view.light[name][1]) for name in COMPONENTS}
    all_ha, all_warm = sum(ha.values()), sum(warm.values())
    maps = {
        name: np.clip(0.5 * (ha[name] / all_ha + warm[name] / all_warm), 0, 1)
        for name in COMPONENTS
    }
    total = sum(maps.values())
    maps = {name: part / total for name, part in maps.items()}
    maps["CLASS"] = np.argmax([maps[name] for name in COMPONENTS], axis=0).astype(np.int16)
    intrinsic = view.physics["HA"]
    maps["HA"] = seen(intrinsic)
    maps["SHAPE"] = np.log10(seen(view.physics["SHAPE"]) / maps["HA"])
    for name in ("EBV", "METALLICITY"):
        maps[name] = seen(intrinsic * view.physics[name]) / maps["HA"]
    stars = seen(view.bands["F200W"])
    pah77 = seen(view.bands["F770W"]) - STARLIGHT["F770W"] * stars
    pah113 = seen(view.bands["F1130W"]) - STARLIGHT["F1130W"] * stars
    maps["PAH_RATIO"] = np.log10(pah113 / pah77)
    maps["CO"] = seen(sum(intensity for intensity, _, _ in view.gas))
    return maps


# ------------------------------------------------------------------------------------ files


def _header(galaxy: Galaxy, wcs, unit: str, **cards) -> fits.Header:
    header = wcs.to_header()
    header["BUNIT"] = unit
    header["OBJECT"] = galaxy.key.upper()
    for name, value in cards.items():
        header[name] = value
    header["SIMULATE"] = (True, "not an observation")
    header["COMMENT"] = "Simulated for a course; not an observation."
    header["COMMENT"] = "Pixels are coarser than the archive's own, unless asked for."
    return header


def _packed(image: np.ndarray, header: fits.Header, name: str, step: float) -> fits.CompImageHDU:
    """A tile-compressed image whose values are kept to a given step."""
    return fits.CompImageHDU(
        image.astype(np.float32),
        header,
        name=name,
        compression_type="RICE_1",
        tile_shape=(min(64, image.shape[0]), image.shape[1]),
        quantize_level=-step,
        quantize_method=2,  # packs the edges of missing parts three times tighter
        dither_seed=DITHER_SEED,
    )


def _write(path: Path, hdus: list) -> Path:
    """Write under another name first, so that a broken run leaves no half file."""
    partial = path.with_name(path.name + ".part")
    fits.HDUList(hdus).writeto(partial, overwrite=True)
    os.replace(partial, path)
    return path


def _step(error: np.ndarray, share: float) -> float:
    """A round step that is a share of the smallest error."""
    return float(f"{share * np.nanmin(error):.2g}")


def simulate(
    galaxy: Galaxy | str,
    folder: str | os.PathLike,
    universe: Universe = COURSE,
    pixels: Mapping[str, float] | None = None,
    random_state: int = 0,
) -> list[Path]:
    """Simulate one galaxy and write its files.

    Parameters
    ----------
    galaxy : Galaxy or str
    folder : path
        Is made if missing; the files go into ``folder/<key>/``, the truth into ``folder``.
    universe : Universe
        `COURSE`, or what `sealed` draws.
    pixels : mapping, optional
        Sides of the pixels in arcsec: ``alma``, ``muse``, ``jwst``. By default `PIXELS`.
        JWST's is also the grain of the scene, unless it is finer than 15 pc.
    random_state : int
        Of the noise; the galaxy itself belongs to the universe.

    Returns
    -------
    list of Path
        The files written.
    """
    if isinstance(galaxy, str):
        galaxy = get_galaxy(galaxy)
    pixels = {**PIXELS[galaxy.name], **(pixels or {})}
    grain = max(pixels["jwst"], galaxy.angle(15 * u.pc).to_value(u.arcsec))
    root = Path(folder)
    own = root / galaxy.key
    own.mkdir(parents=True, exist_ok=True)
    view = scene(galaxy, universe, grain * u.arcsec)
    written = [_write_truth(root / f"{galaxy.key}_truth.fits", view)]

    for band, wcs, image, error in _jwst(galaxy, view, universe, pixels["jwst"], random_state):
        header = _header(
            galaxy, wcs, "MJy/sr", TELESCOP="JWST", FILTER=band, PSFFWHM=JWST_FWHM[band]
        )
        camera = "nircam" if band in BANDS[:4] else "miri"
        name = f"hlsp_phangs-jwst_jwst_{camera}_{galaxy.key}_{band.lower()}_v1p1_img.fits"
        step = JWST_NOISE[band] / 2  # adds 1 % to the noise
        hdus = [
            fits.PrimaryHDU(),
            _packed(image, header, "SCI", step),
            _packed(error, header, "ERR", step / 8),
        ]
        written.append(_write(own / name, hdus))

    fwhm = galaxy.muse_fwhm.to_value(u.arcsec)
    hdus = [fits.PrimaryHDU()]
    for name, wcs, image, error, unit in _muse(
        galaxy, view, universe, pixels["muse"], random_state
    ):
        header = _header(galaxy, wcs, unit, TELESCOP="ESO-VLT-U4", INSTRUME="MUSE", PSFFWHM=fwhm)
        # a velocity's error spans three decades, a flux's does not
        step = 0.25 if unit == "km / s" else _step(error, 1 / 2)
        hdus.append(_packed(image, header, name, step))
        hdus.append(_packed(error, header, f"{name}_ERR", step if unit == "km / s" else step / 8))
    written.append(_write(own / f"{galaxy.key.upper()}_MAPS_copt_{fwhm:.2f}asec.fits", hdus))

    for part, beam, unit, wcs, image in _alma(galaxy, view, universe, pixels["alma"], random_state):
        header = _header(
            galaxy, wcs, unit, TELESCOP="ALMA", LINE="CO(2-1)", RESTFRQ=230.538e9,
            BMAJ=beam / 3600, BMIN=beam / 3600, BPA=0.0,
        )  # fmt: skip
        sky = SKIES[galaxy.name]
        finest = {
            "K": sky.alma_noise * galaxy.alma_fwhm.to_value(u.arcsec) / beam / 4,
            "km/s": 0.25,
        }
        finest["K km/s"] = 2 * finest["K"] * sky.channel  # a line fills several channels
        step = finest[unit] / (4 if part.split("_")[-1] in ("emom0", "etpeak") else 1)
        name = f"{galaxy.key}_12m+7m+tp_co21_{part}.fits"
        written.append(_write(own / name, [fits.PrimaryHDU(), _packed(image, header, "", step)]))
    return written


def _write_truth(path: Path, view: Scene) -> Path:
    galaxy = view.galaxy
    wcs, _ = galaxy.grid()
    primary = fits.PrimaryHDU()
    primary.header["OBJECT"] = galaxy.key.upper()
    primary.header["SIMULATE"] = (True, "not an observation")
    primary.header["UNIVERSE"] = view.universe.name
    primary.header["SLOPE"] = (round(view.universe.slope, 4), "log 11.3/7.7 against log [SII]/Ha")
    planted = view.universe.artefact
    if planted is not None:
        primary.header["ARTGAL"] = (planted.galaxy, "galaxy with the planted artefact")
        primary.header["ARTMAP"] = (planted.map, "map with the planted artefact")
        primary.header["ARTKIND"] = (planted.kind, "scale, drift or tiles")
        primary.header["ARTSIZE"] = (round(planted.size, 4), "its size")
    units = {"EBV": "mag", "HA": "1e-20 erg / (s cm2 arcsec2)", "CO": "K km/s"}
    steps = {"HA": 5.0, "CO": 0.05}
    hdus = [primary]
    for name, image in truth(view).items():
        header = _header(galaxy, wcs, units.get(name, ""))
        if name == "CLASS":
            hdus.append(fits.CompImageHDU(image, header, name=name, compression_type="RICE_1"))
        else:
            hdus.append(_packed(image, header, name, steps.get(name, 0.004)))
    return _write(path, hdus)
