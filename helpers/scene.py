"""The forward model of the simulated survey: what a galaxy truly looks like, before any telescope.

Everything here is this course's own modelling choice unless a source is named. A galaxy is built
in the order of cause: a disc with bar, arms and centre; a turbulent gas in it; clouds, and young
HII regions beside them; the light that leaks from these and makes diffuse gas; starlight; an
active nucleus. Five components (`COMPONENTS`) shine in seven lines and eight bands. In each, one
hidden number - the *shape* of the radiation field, on the scale of log [SII]/Ha - sets the ratios
of the lines and of the PAH bands together. That is the relation the course looks for.
"""

import math
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import scipy.fft
from dust_extinction.parameter_averages import O94
from scipy import ndimage

from helpers.galaxies import GALAXIES, Galaxy

COMPONENTS = ("HII", "DIFFUSE", "AGN", "STARBURST", "OLD")
"""What shines: HII regions, diffuse gas, the active nucleus, the starburst, old stars."""

WAVELENGTHS = {
    "HB4861": 4861.3,
    "OIII5006": 5006.8,
    "OI6300": 6300.3,
    "HA6562": 6562.8,
    "NII6583": 6583.5,
    "SII6716": 6716.4,
    "SII6730": 6730.8,
}
"""Of the lines, in Angstrom."""

BANDS = ("F200W", "F300M", "F335M", "F360M", "F770W", "F1000W", "F1130W", "F2100W")

ATTENUATION = {
    line: float(O94(Rv=3.1)(wavelength * u.AA) * 3.1) for line, wavelength in WAVELENGTHS.items()
}
"""Magnitudes per magnitude of E(B-V): O'Donnell 1994, R_V = 3.1."""

STARLIGHT = {
    "F200W": 1.0,
    "F300M": 0.47,
    "F335M": 0.382,
    "F360M": 0.33,
    "F770W": 0.13,
    "F1000W": 0.08,
    "F1130W": 0.06,
    "F2100W": 0.02,
}
"""The spectrum of old stars, over F200W; 0.13 and 0.06 as attributed to Sutter et al. 2024."""


@dataclass(frozen=True)
class Artefact:
    """A planted error of calibration: one map of one galaxy, multiplied by what it should not be.

    ``kind`` is ``scale`` (the whole map times ``1 + size``), ``drift`` (a gain that runs from
    ``1 - size`` to ``1 + size`` across the map, from east to west) or ``tiles`` (each pointing
    of the mosaic has a gain of its own, ``size`` in the standard deviation).
    """

    galaxy: str
    map: str
    kind: str
    size: float


@dataclass(frozen=True)
class Universe:
    """What is the same in all galaxies of one simulated survey."""

    name: str
    seed: int
    slope: float = field(repr=False)
    """Of log PAH(11.3/7.7) against log([SII]/Ha), imposed on each component's gas (times
    `Portrait.tilt`); components have PAH ratios of their own besides (old stars, diffuse gas of an
    AGN's host), so what maps of 150 pc show is off by some hundredths, even without noise."""
    artefact: Artefact | None = field(default=None, repr=False)


COURSE = Universe("course", seed=628, slope=0.20)
"""The universe of the notebooks: slope 0.20 as in Baron et al. 2025, and calibrated well."""


def sealed(seed: int = 1365) -> Universe:
    """Draw a universe whose slope and whose planted artefact nobody chose.

    The slope may be none at all. Reading this source does not give it away; the truth files of
    the sealed universe do, and notebook 07 opens them.
    """
    draw = np.random.default_rng([seed, 7496])
    slope = draw.choice([0.0, draw.uniform(-0.30, 0.05), draw.uniform(0.32, 0.45)])
    artefact = Artefact(
        galaxy=str(draw.choice(list(GALAXIES))),
        map=str(draw.choice(["F770W", "F1130W", "F2100W", "NII6583", "SII6716", "OIII5006"])),
        kind=str(draw.choice(["scale", "drift", "tiles"])),
        size=float(draw.uniform(0.15, 0.25)),
    )
    return Universe("sealed", seed, float(slope), artefact)


@dataclass(frozen=True)
class Portrait:
    """The free parameters of one simulated galaxy: lengths in kpc in the plane of the disc."""

    disc: float
    """Exponential scale length of the stars; that of the gas is 1.2 times it."""
    stars: float
    """Starlight of the disc at its centre, F200W, MJy/sr."""
    bulge: tuple[float, float]
    """Central F200W and scale length."""
    arms: int
    pitch: float
    """Degrees; positive when the arm winds counterclockwise going outwards, on the sky."""
    phase: float
    """Degrees in the disc, from the receding major axis, where the first arm begins."""
    start: float
    width: float
    contrast: float
    between: float
    """Gas between the arms, as `contrast` is that of the arms."""
    bar: tuple[float, float] | None
    """Semi-major axis, and its angle in the disc (degrees)."""
    ring: float
    """Radius of the circumnuclear ring, 0 for none."""
    starburst: float
    """Ha surface brightness of the starburst, in units of the disc's."""
    nucleus: float
    """Brightness of the active nucleus, 0 for none."""
    cone: float
    """Position angle (degrees, on the sky) of the ionisation cone."""
    metals: tuple[float, float]
    """12 + log O/H at the centre, and its gradient in dex/kpc."""
    rotation: tuple[float, float]
    """Circular velocity (km/s), and the radius over which it rises."""
    gas: float
    """Dust and diffuse light of the disc."""
    molecular: float
    """CO brightness of the disc."""
    regions: int
    """How many HII regions are drawn."""
    ionised: float
    """Ha brightness of the disc."""
    tilt: float
    """What the slope imposed on each cloud is, relative to the slope seen at 150 pc."""


PORTRAITS = {
    "NGC 628": Portrait(
        disc=3.0, stars=4.0, bulge=(60.0, 0.45), arms=2, pitch=17.0, phase=40.0, start=0.8,
        width=0.42, contrast=4.0, between=0.9, bar=None, ring=0.0, starburst=0.0, nucleus=0.0,
        cone=0.0, metals=(8.62, -0.017), rotation=(190.0, 0.9), gas=1.0, molecular=1.5,
        regions=2200, ionised=1.0, tilt=1.0,
    ),
    "NGC 1365": Portrait(
        disc=6.5, stars=4.5, bulge=(220.0, 0.55), arms=2, pitch=32.0, phase=-102.0, start=12.0,
        width=0.9, contrast=8.0, between=1.5, bar=(12.6, -102.0), ring=0.85, starburst=30.0,
        nucleus=1.0, cone=130.0, metals=(8.68, -0.010), rotation=(290.0, 0.8), gas=1.0,
        molecular=1.53, regions=3600, ionised=1.0, tilt=1.09,
    ),
    "NGC 7496": Portrait(
        disc=2.6, stars=3.0, bulge=(60.0, 0.30), arms=2, pitch=27.0, phase=-52.0, start=2.9,
        width=0.5, contrast=5.0, between=1.5, bar=(3.2, -52.0), ring=0.40, starburst=20.0,
        nucleus=0.5, cone=60.0, metals=(8.58, -0.020), rotation=(150.0, 0.5), gas=1.0,
        molecular=1.5, regions=1100, ionised=1.0, tilt=1.09,
    ),
}  # fmt: skip


# ---------------------------------------------------------------------------- spectra


def emission(
    component: str,
    ha: np.ndarray,
    pah77: np.ndarray,
    shape: np.ndarray,
    metals: np.ndarray,
    scatter: SimpleNamespace,
    slope: float,
    host: bool,
) -> dict[str, np.ndarray]:
    """What one component emits in every line and band.

    Parameters
    ----------
    component : str
        One of `COMPONENTS`.
    ha, pah77 : ndarray
        Its Ha and PAH 7.7 surface brightness, before any dust reddens it.
    shape : ndarray
        Deviation of the radiation field's shape from the component's mean, in dex of [SII]/Ha.
    metals : ndarray
        12 + log O/H.
    scatter : SimpleNamespace
        Fields ``oxygen``, ``nitrogen``, ``pah``, ``hot`` of unit variance: what shape does not fix.
    slope : float
        Of log PAH(11.3/7.7) against log [SII]/Ha.
    host : bool
        Whether the galaxy has an active nucleus: then 11.3/7.7 of diffuse gas is 10 % higher
        (Baron et al. 2025).

    Returns
    -------
    dict of ndarray
        Lines in the unit of ``ha``, bands in the unit of ``pah77``, without starlight.
    """
    #         [SII]  [NII]  [OI]  [OIII]/Hb  11.3/7.7  3.3/11.3  R_PAH
    means = {
        "HII": (-0.72, -0.47, -1.80, -0.55, 0.0, -1.18, 1.5),
        "DIFFUSE": (-0.32, -0.24, -1.18, -0.25, 0.0, -1.36, 4.3),
        "AGN": (-0.22, 0.02, -0.90, 0.85, 0.02, -1.50, 1.2),
        "STARBURST": (-0.62, -0.28, -1.60, -0.50, 0.0, -1.22, 1.9),
        "OLD": (-0.08, 0.08, -0.88, 0.25, 0.15, -1.50, 3.0),
    }
    sii, nii, oi, oiii, offset, ratio33, r_pah = means[component]
    metals = metals - 8.55
    sii = sii + shape
    nii = nii + 0.75 * shape + 0.9 * metals + 0.055 * scatter.nitrogen
    oi = oi + 1.3 * shape + 0.185 * scatter.oxygen + 0.095 * scatter.nitrogen
    oiii = oiii - 2.0 * metals + 0.12 * scatter.nitrogen + 0.2 * shape
    if host and component == "DIFFUSE":
        offset = offset + 0.05
    band_ratio = 0.10 + offset + slope * (sii + 0.45) + 0.034 * scatter.pah
    pah113 = pah77 * _ten(band_ratio)
    pah33 = pah113 * _ten(ratio33 - 0.25 * shape + 0.04 * scatter.oxygen)
    f2100w = (pah77 + pah113) / (r_pah * _ten(0.06 * scatter.hot + 0.15 * shape))
    both_sii = ha * _ten(sii)
    hb = ha / 2.86
    return {
        "HB4861": hb,
        "OIII5006": hb * _ten(oiii),
        "OI6300": ha * _ten(oi),
        "HA6562": ha,
        "NII6583": ha * _ten(nii),
        "SII6716": both_sii * 0.58,
        "SII6730": both_sii * 0.42,
        "F300M": 0.05 * pah33 + 0.004 * f2100w,
        "F335M": pah33 + 0.006 * f2100w,
        "F360M": 0.55 * pah33 + 0.008 * f2100w,
        "F770W": pah77,
        "F1000W": 0.24 * pah77 + 0.16 * f2100w,
        "F1130W": pah113,
        "F2100W": f2100w,
    }


def _ten(exponent: np.ndarray) -> np.ndarray:
    return np.exp(np.float32(np.log(10)) * exponent)


REDDENING = {"HII": 1.15, "DIFFUSE": 0.75, "AGN": 1.0, "STARBURST": 1.25, "OLD": 0.5}
"""E(B-V) of each component, relative to that of the gas it lies in."""


# ------------------------------------------------------------------------- random fields


@lru_cache(maxsize=4)
def wave_numbers(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Squared wave number, and the wave number itself, in cycles per pixel of an n x n map."""
    ky = scipy.fft.fftfreq(n).astype(np.float32)[:, None]
    kx = scipy.fft.rfftfreq(n).astype(np.float32)[None, :]
    square = ky**2 + kx**2
    return square, np.sqrt(square)


def forward(image: np.ndarray) -> np.ndarray:
    """Fourier transform of a real map, in single precision on two cores."""
    return scipy.fft.rfft2(np.asarray(image, np.float32), workers=2)


def backward(spectrum: np.ndarray, n: int) -> np.ndarray:
    """Back from `forward`: the n x n map."""
    return scipy.fft.irfft2(spectrum, s=(n, n), workers=2)


def gaussian(n: int, fwhm: float) -> np.ndarray:
    """Transform of a Gaussian of unit sum, its FWHM in pixels."""
    square, _ = wave_numbers(n)
    return np.exp(np.float32(-(np.pi**2) * fwhm**2 / (4 * np.log(2))) * square)


def smooth(image: np.ndarray, fwhm: float) -> np.ndarray:
    """Convolve a square map with a Gaussian of that FWHM (pixels); edges wrap around."""
    n = len(image)
    return backward(forward(image) * gaussian(n, fwhm), n)


def turbulence(rng: np.random.Generator, n: int, outer: float, power: float = 2.8) -> np.ndarray:
    """A Gaussian field of zero mean and unit variance with a power-law spectrum.

    ``power`` is the slope of the two-dimensional power spectrum below the ``outer`` scale
    (pixels), above which the spectrum is flat.
    """
    _, k = wave_numbers(n)
    noise = forward(rng.standard_normal((n, n), dtype=np.float32))
    noise *= (1 / outer**2 + k**2) ** np.float32(-power / 4)
    noise[0, 0] = 0
    out = backward(noise, n)
    return out / out.std()


def _stream(universe: Universe, galaxy: Galaxy, what: int) -> np.random.Generator:
    return np.random.default_rng([universe.seed, int(galaxy.key[3:]), what])


# ------------------------------------------------------------------------------ a galaxy


@dataclass
class Scene:
    """One simulated galaxy on a fine, square grid, north up, centred on the galaxy."""

    galaxy: Galaxy
    universe: Universe
    pixel: float
    """Side of a pixel, arcsec."""
    lines: dict[str, np.ndarray]
    """Reddened; 1e-20 erg/s/cm2/arcsec2."""
    bands: dict[str, np.ndarray]
    """MJy/sr, without the point source of an active nucleus."""
    gas: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    """Layers of CO: integrated intensity (K km/s), velocity and dispersion (km/s)."""
    velocity: np.ndarray
    dispersion: np.ndarray
    """Of the ionised gas, km/s; velocities are relative to the galaxy's."""
    light: dict[str, tuple[np.ndarray, np.ndarray]]
    """Of each component: its unreddened Ha, and its part of F770W, starlight included."""
    physics: dict[str, np.ndarray]
    """Shape, E(B-V) and metallicity."""
    nucleus: float


def survey_side(galaxy: Galaxy) -> float:
    """Side of the survey's square, arcsec: that of `Galaxy.grid`."""
    wcs, (n, _) = galaxy.grid()
    return n * abs(wcs.wcs.cdelt[1]) * 3600


def scene(galaxy: Galaxy, universe: Universe = COURSE, pixel: u.Quantity = 19 * u.pc) -> Scene:
    """Build one galaxy.

    Parameters
    ----------
    galaxy : Galaxy
        One of `galaxies.GALAXIES`.
    universe : Universe
        Its seed and its slope.
    pixel : Quantity
        Grain of the model, as an angle or a length.
    """
    model = PORTRAITS[galaxy.name]
    if pixel.unit.is_equivalent(u.pc):
        pixel = galaxy.angle(pixel)
    pixel = float(pixel.to_value(u.arcsec))
    kpc = float(galaxy.length(pixel * u.arcsec).to_value(u.kpc))
    # 0.3 kpc beyond the survey on every side, so that no beam looks over the edge
    n = scipy.fft.next_fast_len(int(survey_side(galaxy) / pixel + 0.6 / kpc), real=True)
    place = _place(galaxy, model, n, kpc)
    layout = _layout(galaxy, universe, model, place, n, kpc)
    medium = _medium(galaxy, universe, model, place, layout, n, kpc)
    return _shine(galaxy, universe, model, place, layout, medium, n, kpc, pixel)


def _place(galaxy: Galaxy, model: Portrait, n: int, kpc: float) -> SimpleNamespace:
    """Where each pixel is: on the sky, in the disc, along the bar."""
    offset = ((np.arange(n) - (n - 1) / 2) * kpc).astype(np.float32)
    east, north = -offset[None, :], offset[:, None]
    angle = galaxy.position_angle.to_value(u.rad)
    tilt = galaxy.inclination.to_value(u.rad)
    along = (east * math.sin(angle) + north * math.cos(angle)).astype(np.float32)
    across = ((east * math.cos(angle) - north * math.sin(angle)) / math.cos(tilt)).astype(
        np.float32
    )
    r = np.hypot(along, across) + np.float32(1e-3)
    theta = np.arctan2(across, along)
    place = SimpleNamespace(r=r, theta=theta, sky=np.hypot(east, north))
    place.position_angle = np.arctan2(east, north) + np.zeros_like(r)
    if model.bar:
        turn = math.radians(model.bar[1])
        place.bar_x = (along * math.cos(turn) + across * math.sin(turn)) / model.bar[0]
        place.bar_y = (across * math.cos(turn) - along * math.sin(turn)) / model.bar[0]
    return place


def _arms(model: Portrait, place: SimpleNamespace, wander: np.ndarray, ahead: float):
    """Logarithmic spiral arms, of unit height; ``ahead`` kpc downstream of the gas."""
    sine = math.sin(math.radians(abs(model.pitch)))
    winding = np.log(place.r / model.start) / math.tan(math.radians(model.pitch))
    phase = place.theta - math.radians(model.phase) - winding + wander
    turn = np.float32(2 * np.pi / model.arms)
    phase = phase - turn * np.round(phase / turn)
    distance = (phase * place.r - ahead * np.sign(model.pitch)) * sine
    # gas piles up steeply on the inner side of an arm and thins out on the other
    width = model.width * (0.55 + 0.45 * (place.r / (place.r + model.start))) * np.float32(1)
    width = width * np.where(distance * np.sign(model.pitch) > 0, 0.75, 1.25).astype(np.float32)
    onset = 1 / (1 + np.exp(-(place.r - model.start) / (0.12 * model.start + 0.1)))
    return (np.exp(-0.5 * (distance / width) ** 2) * onset).astype(np.float32)


def _layout(galaxy, universe, model, place, n, kpc) -> SimpleNamespace:
    """Disc, arms, bar and centre: smooth maps, and the feathers that shear draws out of arms."""
    rng = _stream(universe, galaxy, 1)
    wander = 0.22 * turbulence(rng, n, 2.5 / kpc, 4.0)
    out = SimpleNamespace()
    out.arms = _arms(model, place, wander, 0.0)
    out.young = _arms(model, place, wander, 0.15)
    out.disc = np.exp(-place.r / (1.2 * model.disc))
    out.ring = np.zeros_like(place.r)
    out.lanes = np.zeros_like(place.r)
    out.bar = np.zeros_like(place.r)
    out.desert = np.ones_like(place.r)
    if model.ring:
        clumps = np.exp(0.8 * turbulence(rng, n, 0.4 / kpc))
        out.ring = np.exp(-0.5 * ((place.r - model.ring) / (0.38 * model.ring)) ** 2) * clumps
        out.ring += 0.35 * np.exp(-0.5 * (place.r / (0.8 * model.ring)) ** 2)
    if model.bar:
        x, y = place.bar_x, place.bar_y + 0.012 * wander
        side = np.sign(x) * np.sign(model.pitch)
        lane = 0.10 * np.clip(1 - np.abs(x), 0, 1) ** 0.6 * np.clip(np.abs(x) / 0.12, 0, 1)
        taper = 1 / (1 + np.exp((np.abs(x) - 1.05) / 0.06))
        out.lanes = np.exp(-0.5 * ((y + side * lane) / 0.035) ** 2) * taper
        ends = np.exp(-0.5 * ((np.abs(x) - 0.95) ** 2 + (y / 1.2) ** 2) / 0.11**2)
        out.lanes = out.lanes * (0.55 + 0.9 * np.exp(-np.abs(x) / 0.25)) + 0.9 * ends
        oval = (np.abs(x / 0.60) ** 2.5 + np.abs(y / 0.19) ** 2.5) ** 0.4
        out.bar = np.exp(-0.7 * oval**2)
        inside = 1 / (1 + np.exp((np.hypot(x, 1.5 * y) - 0.85) / 0.08))
        out.desert = 1 - 0.5 * inside
    # feathers: noise on a grid of (log radius, angle) that is wound up like the arms, but tighter
    size = 512
    noise = turbulence(rng, size, 60, 2.6)
    wound = place.theta - np.log(place.r / model.start) / math.tan(math.radians(0.8 * model.pitch))
    across = np.log(place.r) * (size / 3.5)
    feathers = ndimage.map_coordinates(
        noise, [across % size, (wound * (size / (2 * np.pi))) % size], order=1, mode="grid-wrap"
    )
    out.feathers = feathers.astype(np.float32)
    return out


def _points(rng, weight: np.ndarray, number: int) -> np.ndarray:
    """Draw flat pixel numbers with a probability proportional to a map."""
    total = np.cumsum(weight, axis=None, dtype=np.float64)
    return np.searchsorted(total, rng.random(number) * total[-1])


def _luminosities(rng, number: int, power: float, low: float, high: float) -> np.ndarray:
    """Draw from dN/dL ~ L**-power between two limits."""
    a = 1 - power
    return (low**a + rng.random(number) * (high**a - low**a)) ** (1 / a)


def _medium(galaxy, universe, model, place, layout, n, kpc) -> SimpleNamespace:
    """The gas: turbulent, filamentary, blown through by bubbles; and the young regions in it."""
    rng = _stream(universe, galaxy, 2)
    turb = turbulence(rng, n, 1.2 / kpc, 2.7)
    web = np.exp(-np.abs(turbulence(rng, n, 0.5 / kpc, 3.2)) / 0.16)
    web *= np.exp(0.7 * turbulence(rng, n, 0.8 / kpc, 2.8))
    base = layout.disc * layout.desert
    smooth_gas = base * (model.between + model.contrast * layout.arms)
    if model.bar:
        smooth_gas = smooth_gas + model.contrast * 1.3 * layout.lanes * layout.disc
    if model.ring:
        smooth_gas = smooth_gas + 6.0 * layout.ring
    if model.ring == 0:
        smooth_gas = smooth_gas * (1 - 0.65 * np.exp(-0.5 * (place.r / 0.45) ** 2))
    gas = smooth_gas * np.exp(0.65 * turb - 0.21 + 0.38 * layout.feathers - 0.07)
    fine = np.exp(-np.abs(turbulence(rng, n, 0.2 / kpc, 3.4)) / 0.2)
    gas = gas * (0.42 + 1.2 * web + 0.95 * fine * (0.3 + web))

    # young regions: beside the gas that made them, not in it - 150 pc downstream and scattered
    young = layout.young * layout.disc * layout.desert * model.contrast + 0.22 * base
    if model.bar:
        young = young + 0.5 * model.contrast * layout.lanes * layout.disc
    young = young * np.exp(0.8 * turb + 0.3 * layout.feathers)
    spot = _points(rng, young, model.regions)
    row, column = np.divmod(spot, n)
    step = 0.09 / kpc
    row = np.clip(row + rng.normal(0, step, len(row)), 2, n - 3).astype(int)
    column = np.clip(column + rng.normal(0, step, len(column)), 2, n - 3).astype(int)
    luminosity = _luminosities(rng, model.regions, 1.75, 0.4, 400.0)
    # the largest regions sit in the densest surroundings
    luminosity *= (smooth_gas[row, column] / np.median(smooth_gas[row, column])) ** 0.3
    # the nucleus keeps its gas
    free = place.r[row, column] > 2 * model.ring
    gas = _blow_bubbles(rng, gas, n, kpc, row, column, luminosity, free)
    dust = smooth(gas, 0.03 / kpc) if kpc < 0.03 else gas

    spot = _points(rng, gas**1.3, 3 * model.regions)
    mass = _luminosities(rng, len(spot), 1.7, 1.0, 300.0)
    clouds = np.zeros((n, n), np.float32)
    for low, high, size in ((0, 6, 0.045), (6, 40, 0.065), (40, 1e9, 0.095)):
        chosen = (mass >= low) & (mass < high)
        point = np.bincount(spot[chosen], mass[chosen], n * n).reshape(n, n)
        clouds += smooth(point, size / kpc)
    clouds = np.clip(clouds, 0, None)
    clouds *= np.exp(0.5 * turb) / kpc**2 * 1e-3
    return SimpleNamespace(
        gas=gas.astype(np.float32), dust=np.clip(dust, 0, None), clouds=clouds,
        row=row, column=column, luminosity=luminosity, turb=turb,
    )  # fmt: skip


def _blow_bubbles(rng, gas, n, kpc, row, column, luminosity, free):
    """Holes with a swept-up rim around a part of the young regions, 30 to 400 pc in radius."""
    chosen = np.flatnonzero(free & (rng.random(len(row)) < 0.5))
    radii = 0.045 * luminosity[chosen] ** 0.3 * rng.lognormal(0.3, 0.6, len(chosen))
    radii = np.clip(radii, 0.03, 0.5)
    gas = gas.copy()
    for i, radius in zip(chosen, radii / kpc, strict=True):
        reach = int(1.6 * radius) + 1
        rows = slice(max(row[i] - reach, 0), row[i] + reach + 1)
        columns = slice(max(column[i] - reach, 0), column[i] + reach + 1)
        y = np.arange(rows.start, min(rows.stop, n))[:, None] - row[i]
        x = np.arange(columns.start, min(columns.stop, n))[None, :] - column[i]
        q = np.hypot(y, x) / radius
        gas[rows, columns] *= (
            1 - 0.75 * np.exp(-((q / 0.85) ** 6)) + 0.9 * np.exp(-(((q - 1.05) / 0.18) ** 2))
        )
    return gas


def _regions(rng, medium, n, kpc) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ha of the HII regions, the halo of dust each heats, and their shape of radiation field."""
    luminosity = medium.luminosity
    # brighter regions are harder to leave: lower [SII]/Ha
    shape = -0.10 * np.log10(luminosity / 5) + np.random.Generator.normal(
        rng, 0, 0.10, len(luminosity)
    )
    spot = medium.row * n + medium.column
    size = 0.045 * (luminosity / 5) ** 0.25
    ha = np.zeros((n, n), np.float32)
    halo = np.zeros((n, n), np.float32)
    weighted = np.zeros((n, n), np.float32)
    edges = np.quantile(size, [0, 0.5, 0.8, 0.95, 1])
    for low, high in pairwise(edges):
        chosen = (size >= low) & ((size < high) | (high == edges[-1]))
        width = np.average(size[chosen], weights=luminosity[chosen]) / kpc
        point = np.bincount(spot[chosen], luminosity[chosen], n * n).reshape(n, n)
        tilted = np.bincount(spot[chosen], (luminosity * shape)[chosen], n * n).reshape(n, n)
        transform = forward(point)
        # a core and a skirt
        psf = 0.75 * gaussian(n, width) + 0.25 * gaussian(n, 2.2 * width)
        ha += backward(transform * psf, n)
        halo += backward(transform * gaussian(n, np.hypot(1.6 * width, 0.06 / kpc)), n)
        weighted += backward(forward(tilted) * psf, n)
    # nothing in the sky is round: shift every pixel by a random flow of some 40 pc
    grid = np.mgrid[:n, :n].astype(np.float32)
    for axis in (0, 1):
        grid[axis] += np.float32(0.04 / kpc) * turbulence(rng, n, 0.15 / kpc, 3.6)
    ha, halo, weighted = (
        ndimage.map_coordinates(image, grid, order=1, mode="nearest")
        for image in (ha, halo, weighted)
    )
    ha = np.clip(ha, 0, None)
    floor = 1e-3 * ha.mean()
    shape = np.where(ha > floor, weighted / (ha + floor), 0)
    return ha / kpc**2, np.clip(halo, 0, None) / kpc**2, np.clip(shape, -0.5, 0.4)


def _shine(galaxy, universe, model, place, layout, medium, n, kpc, pixel) -> Scene:
    """Turn the gas and the stars into light."""
    rng = _stream(universe, galaxy, 3)
    host = model.nucleus > 0
    fields = SimpleNamespace(
        oxygen=turbulence(rng, n, 0.5 / kpc), nitrogen=turbulence(rng, n, 1.0 / kpc),
        pah=turbulence(rng, n, 0.5 / kpc), hot=turbulence(rng, n, 0.5 / kpc),
    )  # fmt: skip
    wander = turbulence(rng, n, 0.6 / kpc)
    grain = np.exp(0.06 * rng.standard_normal((n, n), dtype=np.float32))

    stars = model.stars * np.exp(-place.r / model.disc) * (1 + 0.5 * layout.arms)
    stars += model.bulge[0] * np.exp(-((place.r / model.bulge[1]) ** 0.8))
    stars += 2.2 * model.stars * layout.bar
    metals = model.metals[0] + model.metals[1] * place.r + 0.03 * fields.nitrogen

    ha, halo, region_shape = _regions(rng, medium, n, kpc)
    texture = np.exp(0.5 * medium.turb + 0.35 * turbulence(rng, n, 0.2 / kpc))
    ionised = 120.0 * model.ionised
    hii = ionised * ha * texture
    # photons that leak from the regions ionise the gas around them, out to a kpc
    leak = 0.55 * smooth(ha, 0.35 / kpc) + 0.45 * smooth(ha, 0.9 / kpc)
    diffuse = ionised * (0.30 * leak + 6.0 * layout.disc * layout.desert) * np.exp(0.45 * wander)
    diffuse = np.clip(diffuse, 1.0, None)
    mean_diffuse = np.median(diffuse)
    old = 100.0 * stars

    field_strength = 0.55 + 0.45 * (diffuse / mean_diffuse) ** 0.5
    pah_diffuse = 1.7 * model.gas * medium.dust**0.85 * field_strength
    pah_hii = 7.0e-3 * model.ionised * halo * texture**0.5 * (medium.dust + 0.2) ** 0.5
    burst = model.starburst * layout.ring
    burst_ha = 9000.0 * burst * texture
    burst_pah = 1.3 * burst
    cone = _cone(model, place, kpc) * np.exp(0.5 * wander) if host else np.zeros_like(hii)

    ebv = 0.30 * (medium.dust / 1.0) ** 0.55 * _ten(0.6 * (metals - 8.55))
    ebv = np.clip(ebv, 0.01, 2.0).astype(np.float32)
    shapes = {
        "HII": region_shape + 0.06 * wander,
        "DIFFUSE": -0.16 * np.log10(diffuse / mean_diffuse) + 0.09 * wander,
        "AGN": 0.08 * wander,
        "STARBURST": 0.06 * wander,
        "OLD": 0.06 * wander,
    }
    parts = {
        "HII": (hii, pah_hii),
        "DIFFUSE": (diffuse, pah_diffuse),
        "AGN": (cone, cone * 0.0010),
        "STARBURST": (burst_ha, burst_pah),
        "OLD": (old, 0.05 * stars),
    }
    slope = universe.slope * model.tilt
    lines = {line: np.zeros((n, n), np.float32) for line in WAVELENGTHS}
    bands = {band: STARLIGHT[band] * stars * grain for band in BANDS}
    light, shape_sum, ha_sum = {}, np.zeros((n, n), np.float32), np.zeros((n, n), np.float32)
    for name in COMPONENTS:
        own_ha, own_pah = parts[name]
        if not own_ha.any():
            light[name] = (own_ha, own_ha)
            continue
        spectrum = emission(name, own_ha, own_pah, shapes[name], metals, fields, slope, host)
        for line in WAVELENGTHS:
            dimming = ATTENUATION[line] * REDDENING[name]
            lines[line] += spectrum[line] * _ten(np.float32(-0.4 * dimming) * ebv)
        for band in BANDS[1:]:
            bands[band] += spectrum[band]
        warm = STARLIGHT["F770W"] * stars * grain if name == "OLD" else 0
        light[name] = (own_ha, own_pah + warm)
        shape_sum += spectrum["SII6716"] + spectrum["SII6730"]
        ha_sum += own_ha
    physics = {"SHAPE": shape_sum, "EBV": ebv, "METALLICITY": metals, "HA": ha_sum}
    velocity, dispersion, gas = _motion(galaxy, model, place, layout, medium, rng, n, kpc)
    return Scene(
        galaxy, universe, pixel, lines, bands, gas, velocity, dispersion, light, physics,
        model.nucleus,
    )  # fmt: skip


def _cone(model, place, kpc):
    """Ha of the gas that the active nucleus ionises: two cones, the nearer one brighter."""
    angle = place.position_angle - math.radians(model.cone)
    angle = np.abs((angle + np.pi) % (2 * np.pi) - np.pi)
    near = np.exp(-((angle / 0.45) ** 4))
    far = 0.4 * np.exp(-(((np.pi - angle) / 0.45) ** 4))
    radial = np.exp(-place.sky / 0.7) + 6 * np.exp(-place.sky / 0.15)
    return (3e4 * model.nucleus * (near + far + 0.02) * radial).astype(np.float32)


def _motion(galaxy, model, place, layout, medium, rng, n, kpc):
    """Rotation, streaming along the bar, turbulence; and the layers of CO that move so."""
    top, turnover = model.rotation
    sine = math.sin(galaxy.inclination.to_value(u.rad))
    circular = top * np.float32(2 / np.pi) * np.arctan(place.r / turnover * 2)
    velocity = circular * np.cos(place.theta) * sine
    stir = turbulence(rng, n, 0.4 / kpc, 3.2)
    velocity = velocity + 6.0 * stir
    centre = np.exp(-place.r / 0.5)
    if model.bar:
        stream = 60 * layout.bar * np.tanh(place.bar_x / 0.1) * np.tanh(place.bar_y / 0.06)
        velocity = velocity + stream * sine
    active = 1.0 if model.nucleus else 0.15
    broad = 45 * active * centre
    diffuse_co = 2.0 * model.molecular * medium.gas**1.4
    cloud_co = 1.1 * model.molecular * medium.clouds
    narrow = np.hypot(4.0 + 1.5 * np.clip(medium.gas, 0, 6) ** 0.4, 0.7 * broad)
    wide = np.hypot(10.0, broad)
    gas = [
        (cloud_co.astype(np.float32), velocity + 2.0 * medium.turb, narrow.astype(np.float32)),
        (diffuse_co.astype(np.float32), velocity, wide.astype(np.float32)),
    ]
    dispersion = np.hypot(22.0, 1.3 * broad)
    return velocity.astype(np.float32), dispersion.astype(np.float32), gas
