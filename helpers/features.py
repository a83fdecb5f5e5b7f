"""From maps on one grid to a table: a row a pixel, a column a feature, with errors and flags.

Every feature here is a product of powers of sums of maps. A line ratio is one sum over another;
PAH light is a band minus a share of starlight; the dust-corrected Hα is a power law of Hα and
Hβ. So one rule of error propagation serves them all, and pixels that enter twice (F200W in both
PAH bands, Hα in the flux and in its dust correction) are counted as what they are: correlated.
"""

import numbers
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import astropy.constants as const
import astropy.units as u
import numpy as np
import pandas as pd
from astropy.nddata import CCDData
from astropy.table import QTable, Table
from astropy.wcs.utils import proj_plane_pixel_area

from helpers import survey
from helpers.galaxies import Galaxy, get_galaxy
from helpers.maps import errors, require_maps, valid
from helpers.survey import CO_MAPS, COMMON_MAPS, JWST_BANDS, MUSE_LINES

DETECTED, UPPER_LIMIT, MISSING = 0, 1, 2
"""The flags. An upper limit's value is the limit; a missing value is NaN."""

CASE_B = 2.86
"""Hα/Hβ without dust: case B, 1e4 K, low density (Osterbrock & Ferland 2006)."""

STARLIGHT = {"F770W": 0.13, "F1130W": 0.06}
"""Starlight in a MIRI band as a share of F200W, as attributed to Sutter et al. 2024; the paper
itself was not at hand, only its abstract."""

CONTINUUM_335 = (0.35, 0.65)
PAH_SLOPE = 1.6
"""Starlight in F335M is 0.35 F300M + 0.65 F360M (Lai et al. 2020), and PAH light enters F335M
1.6 times as much as F360M (Sandstrom et al. 2023, ApJL 944, L7). Read in published code that
applies their prescription, not in the papers."""


def _pah33() -> dict[str, float]:
    """Solve F335M = star + PAH, F360M = star + PAH / 1.6 for the PAH light; linear in the bands."""
    blue, red = CONTINUUM_335
    boost = PAH_SLOPE / (PAH_SLOPE - red)
    return {"F335M": boost, "F300M": -boost * blue, "F360M": -boost * red}


_PAH77 = {"F770W": 1.0, "F200W": -STARLIGHT["F770W"]}
_PAH113 = {"F1130W": 1.0, "F200W": -STARLIGHT["F1130W"]}

SUMS: dict[str, dict[str, float]] = {
    "sii": {"SII6716": 1.0, "SII6730": 1.0},
    "pah33": _pah33(),
    "pah77": _PAH77,
    "pah113": _PAH113,
    "pah": {"F1130W": 1.0, "F770W": 1.0, "F200W": -sum(STARLIGHT.values())},
}
"""Weighted sums of maps that features are made of; any map alone is such a sum too."""

_LINE_FLUX = u.erg / u.s / u.cm**2
_BAND = u.MJy / u.sr
_WAVELENGTH = {"pah77": 7.7 * u.um, "F2100W": 21 * u.um}  # to make a flux of a band's brightness
_SURFACE = _LINE_FLUX / u.arcsec**2


@dataclass(frozen=True)
class Feature:
    """One column of the table: what it is called, what it is made of, what it means."""

    label: str
    """For the axis of a figure."""
    recipe: str
    """A map or a sum of `SUMS`, or one over another; ``ha`` is Hα corrected for dust."""
    meaning: str
    unit: u.UnitBase = u.dimensionless_unscaled
    log: bool = True
    """Whether its logarithm enters scikit-learn."""
    seen_in: str | None = None
    """The map whose S/N says whether it is detected, where that is not its own."""

    @property
    def powers(self) -> dict[str, float]:
        """The power of each sum of maps; the dust correction is one (see `dust_power`)."""
        above, _, below = self.recipe.partition(" / ")
        powers = {below: -1.0} if below else {}
        if above == "ha":
            return {"HA6562": 1 + dust_power(), "HB4861": -dust_power()} | powers
        return {above: 1.0} | powers

    @property
    def inputs(self) -> list[str]:
        """Names of the maps it needs."""
        return list(dict.fromkeys(m for s in self.powers for m in _weights(s)))

    @property
    def telescope(self) -> str:
        """Who has seen them."""
        telescopes = {"ALMA": CO_MAPS, "MUSE": MUSE_LINES, "JWST": JWST_BANDS}
        return ", ".join(t for t, maps in telescopes.items() if set(maps) & set(self.inputs))


FEATURES: dict[str, Feature] = {
    "co_flux": Feature("CO(2-1)", "co_mom0", "CO(2-1) intensity: molecular gas", u.K * u.km / u.s),
    "co_width": Feature(
        "CO width", "co_ew", "effective width of CO: motion of gas", u.km / u.s, seen_in="co_mom0"
    ),
    "ha": Feature("Hα", "ha", "Hα surface brightness, corrected for dust", _SURFACE),
    "ebv": Feature("E(B-V)", "HA6562 / HB4861", "reddening by dust, from Hα/Hβ", u.mag, log=False),
    "oiii_hb": Feature("[OIII]/Hβ", "OIII5006 / HB4861", "ionisation"),
    "nii_ha": Feature("[NII]/Hα", "NII6583 / HA6562", "metals, hard radiation, shocks"),
    "sii_ha": Feature("[SII]/Hα", "sii / HA6562", "diffuse gas, hard radiation, shocks"),
    "oi_ha": Feature("[OI]/Hα", "OI6300 / HA6562", "partly ionised gas, shocks; faint"),
    "pah33": Feature("PAH 3.3", "pah33", "F335M less starlight: smallest PAHs; faint", _BAND),
    "pah77": Feature("PAH 7.7", "pah77", "F770W less starlight: charged PAHs", _BAND),
    "pah113": Feature("PAH 11.3", "pah113", "F1130W less starlight: neutral PAHs", _BAND),
    "pah113_77": Feature("PAH 11.3/7.7", "pah113 / pah77", "PAH charge and heating"),
    "pah33_113": Feature("PAH 3.3/11.3", "pah33 / pah113", "PAH size and heating; faint"),
    "r_pah": Feature("R(PAH)", "pah / F2100W", "PAH 11.3 + PAH 7.7 over warm dust"),
    "f200w": Feature("F200W", "F200W", "starlight", _BAND),
    "f2100w": Feature("F2100W", "F2100W", "warm dust", _BAND),
    "f2100w_770w": Feature("F2100W/F770W", "F2100W / F770W", "warm dust over PAHs"),
    "f200w_770w": Feature("F200W/F770W", "F200W / F770W", "starlight over PAHs"),
    "f200w_2100w": Feature("F200W/F2100W", "F200W / F2100W", "starlight over warm dust"),
    "f1130w_1000w": Feature("F1130W/F1000W", "F1130W / F1000W", "PAH 11.3 over continuum"),
    "ha_pah77": Feature("Hα/PAH 7.7", "ha / pah77", "corrected Hα over νIν of PAH 7.7"),
    "ha_f2100w": Feature("Hα/F2100W", "ha / F2100W", "corrected Hα over νIν of warm dust"),
}
"""Every feature by its column name."""

ADOPTED = (
    "co_flux",
    "co_width",
    "ha",
    "ebv",
    "oiii_hb",
    "nii_ha",
    "sii_ha",
    "pah113_77",
    "r_pah",
    "f2100w_770w",
    "f200w_770w",
    "f200w_2100w",
    "f1130w_1000w",
    "ha_pah77",
)
"""The course's set: highly correlated and even redundant on purpose; notebook 03 asks you to
find out how. [OI] stays out because it is faint: a third of the pixels
would go with it. PAH 3.3 stays out because its starlight is the hardest to take off."""


@cache
def extinction() -> tuple[float, float]:
    """A(Hα)/E(B-V) and A(Hβ)/E(B-V): O'Donnell (1994), R_V = 3.1, from dust_extinction."""
    from dust_extinction.parameter_averages import O94

    curve = O94(Rv=3.1)
    k_ha, k_hb = curve.Rv * curve([6562.8, 4861.3] * u.AA)
    return float(k_ha), float(k_hb)


def dust_power() -> float:
    """The power of Hα/Hβ in the dust correction of Hα, k(Hα) / (k(Hβ) - k(Hα)), about 2.2.

    With E(B-V) = 2.5 / (k_Hb - k_Ha) log10[(Ha/Hb) / 2.86], the corrected flux
    Ha 10^(0.4 k_Ha E) is Ha [(Ha/Hb) / 2.86]^p: an error in Hα enters 1 + p times, one in Hβ p
    times. Reddening that noise made negative is used as it is: cutting it at zero would bias
    the mean and make the errors wrong.
    """
    k_ha, k_hb = extinction()
    return k_ha / (k_hb - k_ha)


def feature_table(
    galaxy: str | Galaxy,
    maps: Mapping[str, CCDData] | None = None,
    *,
    co: str = "detected",
    snr: float = 3,
) -> QTable:
    """Make the table of pixels and features of one galaxy.

    Parameters
    ----------
    galaxy : str or Galaxy
        A galaxy of the course, or with ``maps`` any label. The radius of a galaxy that the
        course does not know is missing (NaN).
    maps : dict of str to CCDData, optional
        Maps on one grid, with uncertainties, by the names in `survey.COMMON_MAPS`; by
        default the course's maps of that galaxy. Any may be absent: what needs them is
        missing, and ``meta["absent"]`` says so.
    co : {"detected", "all"}
        Keep only pixels where CO is detected, as the lecture does, or all.
    snr : float
        The signal-to-noise ratio from which on a flux counts as detected.

    Returns
    -------
    QTable
        Columns galaxy, pixel_id, x, y, ra and dec (deg), radius (kpc), and for every feature f
        of `FEATURES`: f, f_error (1 sigma, first order) and f_flag (`DETECTED`, `UPPER_LIMIT`,
        `MISSING`). A feature is detected where every line or band that it adds up, the
        result, and its denominator have S/N >= snr. Where only the numerator has not, the
        value is an upper limit made of snr times its error. All else is NaN. The width of CO
        is known where its flux is detected.
        ``meta["cuts"]`` tells how many pixels each cut left (see `cut_summary`).

    Raises
    ------
    ValueError
        If maps are unknown, without errors, empty, in other units or on other grids, or if no
        pixel is left.
    """
    if co not in ("detected", "all"):
        raise ValueError(f'co={co!r} is not known. Choose co="detected" or co="all".')
    if not (isinstance(snr, numbers.Real) and snr > 0):
        raise ValueError(f"snr={snr!r} is no signal-to-noise ratio. Give a number above 0, as 3.")
    known, name, key = _identify(galaxy, needed=maps is None)
    if maps is None:
        maps = survey.common_maps(known)
    require_maps(maps)
    if co == "detected" and "co_mom0" not in maps:
        raise ValueError(
            f"There is no CO map (co_mom0) of {name}, so no pixel can be chosen by its CO. "
            'Ask for all pixels with co="all".'
        )
    flux, error, unit = _arrays(maps)
    wcs = _one_grid(maps)

    keep, cuts = _select(flux, error, name, co, snr)
    y, x = np.nonzero(keep)
    sky = wcs.pixel_to_world(x, y).icrs
    if known is not None and np.min(sky.separation(known.center)) > known.width:
        apart = np.min(sky.separation(known.center)).deg
        raise ValueError(
            f"These maps are {apart:.2f} deg away from {name}. Check the galaxy's name and the "
            "maps' WCS (are its axes swapped?)."
        )

    table = QTable()
    table["galaxy"] = np.full(x.size, name)
    table["pixel_id"] = [f"{key}-{row:04d}-{column:04d}" for row, column in zip(y, x, strict=True)]
    table["x"], table["y"] = x, y
    table["ra"], table["dec"] = sky.ra.to(u.deg), sky.dec.to(u.deg)
    table["radius"] = known.radius(sky) if known else np.full(x.size, np.nan) * u.kpc
    flux = {m: values[keep] for m, values in flux.items()}
    error = {m: values[keep] for m, values in error.items()}
    for f, feature in FEATURES.items():
        if not {*feature.inputs, feature.seen_in or feature.inputs[0]} <= set(flux):
            nothing = np.full(x.size, np.nan) * feature.unit
            table[f], table[f"{f}_error"] = nothing, nothing.copy()
            table[f"{f}_flag"] = np.full(x.size, MISSING, dtype=np.int8)
            continue
        value, relative_error, flag = _measure(feature, flux, error, snr)
        value = _physical(feature, value, unit, wcs)
        table[f], table[f"{f}_error"] = value, np.abs(value) * relative_error
        if f == "ebv":
            table[f], table[f"{f}_error"] = _reddening(value, relative_error)
        table[f"{f}_flag"] = flag
    table.meta["cuts"] = cuts
    table.meta["absent"] = [(name, m) for m in COMMON_MAPS if m not in maps]
    return table


def _identify(galaxy: str | Galaxy, needed: bool) -> tuple[Galaxy | None, str, str]:
    if not isinstance(galaxy, Galaxy):
        try:
            galaxy = get_galaxy(galaxy)
        except ValueError:
            if needed:
                raise
            return None, galaxy, galaxy.replace(" ", "").lower()
    return galaxy, galaxy.name, galaxy.key


def _arrays(maps: Mapping[str, CCDData]):
    """Plain arrays of flux and error (NaN where either is unknown), and the lines' unit."""
    strange = sorted(set(maps) - set(COMMON_MAPS))
    if strange:
        raise ValueError(
            f"Unknown map name(s): {', '.join(strange)}. The names are {', '.join(COMMON_MAPS)}."
        )
    if not set(maps) - {"co_tpeak"}:
        raise ValueError("No map that a feature is made of was given. Give a dictionary of maps.")
    lines = [m for m in MUSE_LINES if m in maps]
    line_unit = _line_unit(lines[0], maps[lines[0]]) if lines else _LINE_FLUX
    expected = {"co_mom0": FEATURES["co_flux"].unit, "co_ew": FEATURES["co_width"].unit}
    expected |= dict.fromkeys(MUSE_LINES, line_unit) | dict.fromkeys(JWST_BANDS, _BAND)
    flux, error = {}, {}
    for m, unit in expected.items():
        if m not in maps:
            continue
        try:
            factor = maps[m].unit.to(unit)
        except u.UnitConversionError:
            raise ValueError(
                f"Map {m} is in {maps[m].unit}, but {unit} was expected. "
                "If its header is wrong, read it with read_map(..., unit=...)."
            ) from None
        sigma = errors(maps[m])
        if sigma is None:
            raise ValueError(
                f"Map {m} has no uncertainty, so nothing can be said of its S/N. "
                "Read it with read_map(..., error=...)."
            )
        flux[m] = np.array(maps[m].data, dtype=float) * factor
        error[m] = np.array(sigma, dtype=float) * factor
        unknown = ~valid(maps[m])
        if unknown.all():
            raise ValueError(
                f"Map {m} has no pixel with a finite value and an error above 0. "
                "Check its file, or leave the map out."
            )
        flux[m][unknown] = error[m][unknown] = np.nan
    return flux, error, line_unit


def _line_unit(name: str, line: CCDData) -> u.UnitBase:
    """The unit without its power of ten; surveys give it per pixel, angle, wavelength."""
    allowed = [_LINE_FLUX / area / w for area in (u.pix, u.sr) for w in (1, u.AA)]
    if not any(line.unit.is_equivalent(unit) for unit in allowed):
        raise ValueError(
            f"Map {name} is in {line.unit}, but the flux of a line was expected, such as "
            "1e-20 erg / (s cm2 pix). If its header is wrong, read it with read_map(..., unit=...)."
        )
    return u.CompositeUnit(1, line.unit.bases, line.unit.powers)


def _one_grid(maps: Mapping[str, CCDData]):
    """The common WCS of all maps, or a refusal that names the map that differs."""
    first, reference = next(iter(maps.items()))
    for m, image in maps.items():
        if image.wcs is None or not image.wcs.has_celestial:
            raise ValueError(f"Map {m} has no WCS of the sky. Read it with read_map(..., wcs=...).")
        if image.shape != reference.shape:
            raise ValueError(
                f"Maps {first} {reference.shape} and {m} {image.shape} have different shapes. "
                "Bring all maps to one grid first: resolution.to_grid."
            )
        rows, columns = image.shape
        corners = [0, columns - 1, 0], [0, 0, rows - 1]
        there = reference.wcs.world_to_pixel(image.wcs.pixel_to_world(*corners))
        off = np.max(np.abs(np.array(there) - corners))
        if not off < 0.1:
            raise ValueError(
                f"Maps {first} and {m} are not on one grid: they differ by {off:.1f} pixels. "
                "Bring all maps to one grid first: resolution.to_grid."
            )
    return reference.wcs


def _select(flux, error, name, co, snr):
    """The pixels to keep, and how many each cut left."""
    keep = np.ones(next(iter(flux.values())).shape, dtype=bool)
    cuts = [(name, "pixels of the grid", int(keep.sum()))]

    def cut(label, condition):
        keep[~condition] = False
        cuts.append((name, label, int(keep.sum())))
        if not keep.any():
            raise ValueError(
                f"No pixel of {name} is left after the cut '{label}'. "
                f"Before it there were {cuts[-2][2]}. Check the maps, or loosen the cut."
            )

    for label, names in (
        ("inside the MUSE maps", MUSE_LINES),
        ("inside the JWST maps", JWST_BANDS),
    ):
        given = [np.isfinite(flux[m]) for m in names if m in flux]
        if given:
            cut(label, np.any(given, axis=0))
    if co == "detected":
        cut(f"CO detected (S/N >= {snr:g})", _at_least(flux["co_mom0"], error["co_mom0"], snr))
    elif len(cuts) == 1:
        cut("inside the CO maps", np.any([np.isfinite(values) for values in flux.values()], axis=0))
    return keep, cuts


def _at_least(flux, error, snr):
    return flux >= snr * error  # False where NaN


def _measure(feature: Feature, flux, error, snr):
    """A product of powers of sums: its value, its relative error to first order, and its flag."""
    if feature.seen_in:  # a width is known where its line is, however uncertain it is
        return _where_seen(feature, flux, error, snr)
    detected, possible = True, True
    sums = {}
    for s, power in feature.powers.items():
        weights = _weights(s)
        total = sum(w * flux[m] for m, w in weights.items())
        sigma = np.sqrt(sum((w * error[m]) ** 2 for m, w in weights.items()))
        positive = _at_least(total, sigma, snr)
        seen = positive & np.all(
            [_at_least(flux[m], error[m], snr) for m, w in weights.items() if w > 0], axis=0
        )
        detected = detected & seen
        # above the fraction line a limit still says something, below it only a detection does
        possible = possible & (np.isfinite(total) if power > 0 else seen)
        # a sum with one line undetected can be positive: its limit lies above what is there
        limit = snr * sigma + np.where(positive, total, 0.0)
        sums[s] = np.where(seen, total, limit)
    flag = np.select([detected, possible], [DETECTED, UPPER_LIMIT], MISSING).astype(np.int8)
    value = np.where(flag == MISSING, np.nan, 1.0)
    slopes: dict[str, np.ndarray] = {}  # d ln(value) / d flux, of each map
    for s, power in feature.powers.items():
        value = value * sums[s] ** power
        for m, w in _weights(s).items():
            slopes[m] = slopes.get(m, 0.0) + power * w / sums[s]
    return value, np.sqrt(sum((slope * error[m]) ** 2 for m, slope in slopes.items())), flag


def _where_seen(feature: Feature, flux, error, snr):
    value, sigma = flux[feature.recipe], error[feature.recipe]
    seen = _at_least(flux[feature.seen_in], error[feature.seen_in], snr) & (value > 0)
    value = np.where(seen, value, np.nan)
    return value, sigma / value, np.where(seen, DETECTED, MISSING).astype(np.int8)


def _weights(name: str) -> dict[str, float]:
    return SUMS.get(name, {name: 1.0})


def _physical(feature: Feature, value, line_unit, wcs) -> u.Quantity:
    """Give the product its constant and unit; flux per pixel becomes surface brightness."""
    corrected, _, band = feature.recipe.partition(" / ")
    if corrected != "ha":
        return value * feature.unit
    flux = value * CASE_B ** -dust_power() * line_unit
    if u.pix in line_unit.bases:
        area = proj_plane_pixel_area(wcs) * u.deg**2 / u.pix
        flux = flux * (1 / area).to(u.pix / u.arcsec**2)
    if not band:
        return flux
    return (flux / (_BAND * const.c / _WAVELENGTH[band])).to(u.one)


def _reddening(ratio: u.Quantity, relative_error: np.ndarray) -> tuple[u.Quantity, u.Quantity]:
    """E(B-V) and its error (mag) from Hα/Hβ."""
    k_ha, k_hb = extinction()
    scale = 2.5 / (k_hb - k_ha) * u.mag
    return scale * np.log10(ratio.value / CASE_B), scale / np.log(10) * relative_error


def feature_snr(table: Table, feature: str) -> np.ndarray:
    """S/N of a detected feature, value over error; NaN where it is a limit or missing."""
    _check(table, [feature], "_error", "_flag")
    ratio = u.Quantity(table[feature] / table[f"{feature}_error"]).to_value(u.one)
    return np.where(np.asarray(table[f"{feature}_flag"]) == DETECTED, ratio, np.nan)


def learning_frame(
    table: Table, features: Sequence[str] | None = None, *, missing: str = "drop"
) -> pd.DataFrame:
    """What enters scikit-learn: logarithms of detected values, a row a pixel.

    Parameters
    ----------
    table : Table
        From `feature_table`, or several of those stacked.
    features : sequence of str, optional
        Names from `FEATURES`; by default `ADOPTED`, without those that a galaxy has no maps for
        (``meta["absent"]``), which is said in a warning.
    missing : {"drop", "nan"}
        Drop a pixel in which any feature is not detected, or keep it with NaN there. Upper
        limits are not values: they count as not detected.

    Returns
    -------
    pandas.DataFrame
        Indexed by pixel_id; columns ``log_<f>`` (log10 of the value in the table's unit), or
        ``<f>`` where no logarithm is due (E(B-V)). ``attrs["cuts"]`` tells what each feature
        cost (see `cut_summary`).

    Raises
    ------
    ValueError
        If a feature is unknown, is nowhere detected, or has no logarithm where it is flagged
        detected; if a pixel stands in the table twice, or if no pixel has all features.
    TypeError
        If the table is no table, such as a frame or an array.
    """
    if missing not in ("drop", "nan"):
        raise ValueError(f'missing={missing!r} is not known. Choose missing="drop" or "nan".')
    if features is None:
        features = _adopted(table)
    features = [features] if isinstance(features, str) else list(features)
    if not features:
        raise ValueError("No feature was chosen. Give at least one name, as in features.ADOPTED.")
    _check(table, features, "_flag")
    pixels = pd.Index(np.asarray(table["pixel_id"]), name="pixel_id")
    if not pixels.is_unique:
        raise ValueError(
            f"Pixel {pixels[pixels.duplicated()][0]} stands in this table more than once "
            f"({pixels.duplicated().sum()} rows too many). Was a galaxy stacked twice?"
        )
    keep = np.ones(len(table), dtype=bool)
    cuts = [("", "pixels of the table", len(table))]
    columns = {}
    for f in features:
        detected = np.asarray(table[f"{f}_flag"]) == DETECTED
        if not detected.any():
            raise ValueError(
                f"Feature {f} is detected in no pixel of this table; it needs the maps "
                f"{', '.join(FEATURES[f].inputs)}. Leave it out of `features`."
            )
        value = np.where(detected, u.Quantity(table[f]).value, np.nan)
        allowed = np.isfinite(value) & ((value > 0) | (not FEATURES[f].log))
        if np.any(detected & ~allowed):
            raise ValueError(
                f"Feature {f} is said to be detected in {np.sum(detected & ~allowed)} pixel(s) "
                "where it is not finite, or not above 0 and has no logarithm. Was the table "
                "changed? Flag those pixels as MISSING, or make it anew with feature_table."
            )
        columns[f"log_{f}" if FEATURES[f].log else f] = (
            np.log10(value) if FEATURES[f].log else value
        )
        keep &= detected
        cuts.append(("", f"{f} detected", int(keep.sum())))
    frame = pd.DataFrame(columns, index=pixels)
    if missing == "nan":
        return frame
    if not keep.any():
        raise ValueError(
            f"No pixel has all of the features {', '.join(features)} detected. "
            'Choose fewer, or keep incomplete pixels with missing="nan".'
        )
    frame = frame[keep]
    frame.attrs["cuts"] = cuts
    return frame


def _adopted(table: Table) -> list[str]:
    absent = {name for _, name in getattr(table, "meta", {}).get("absent", [])}
    lacking = {f: {*FEATURES[f].inputs} & absent for f in ADOPTED}
    for f, names in lacking.items():
        if names:
            warnings.warn(
                f"There is no {' and no '.join(sorted(names))} of every galaxy in this table: "
                f"{f} is left out.",
                stacklevel=3,
            )
    return [f for f in ADOPTED if not lacking[f]]


def _check(table: Table, features: Sequence[str], *columns: str) -> None:
    if not isinstance(table, Table):
        raise TypeError(f"A table from feature_table was expected, not a {type(table).__name__}.")
    unknown = [f for f in features if not isinstance(f, str) or f not in FEATURES]
    if unknown:
        raise ValueError(
            f"Unknown feature(s): {', '.join(map(str, unknown))}. "
            f"Choose among {', '.join(FEATURES)}."
        )
    needed = ["pixel_id", *(f + more for f in features for more in ("", *columns))]
    absent = [column for column in needed if column not in table.colnames]
    if absent:
        raise ValueError(
            f"This table lacks the column(s) {', '.join(absent)}. Make it with feature_table."
        )


def cut_summary(table: Table | pd.DataFrame) -> Table:
    """How many pixels each cut left and removed, in the order of the cuts.

    Parameters
    ----------
    table : Table or DataFrame
        From `feature_table` or `learning_frame`.

    Returns
    -------
    Table
        Columns galaxy, cut, left, removed.
    """
    kept = getattr(table, "attrs" if isinstance(table, pd.DataFrame) else "meta", {}).get("cuts")
    if not kept:
        raise ValueError(
            "This table does not tell its cuts. Give the one that feature_table or "
            'learning_frame(..., missing="drop") returned.'
        )
    summary = Table(rows=kept, names=("galaxy", "cut", "left"))
    first = np.char.startswith(np.asarray(summary["cut"], dtype=str), "pixels of")
    before = np.append(0, summary["left"][:-1])
    summary["removed"] = np.where(first, 0, before - summary["left"])
    return summary


def describe_features() -> Table:
    """The columns of the table: name, unit, meaning, recipe, telescope, and whether adopted.

    Every feature f has two columns more: f_error, its 1-sigma error in the same unit, and
    f_flag (0 detected, 1 upper limit, 2 missing).
    """
    rows = [
        ("galaxy", "", "name of the galaxy", "", "", ""),
        ("pixel_id", "", "galaxy, row and column of the pixel", "", "", ""),
        ("x, y", "", "column and row of the pixel on the galaxy's grid", "", "", ""),
        ("ra, dec", "deg", "sky position, ICRS", "", "", ""),
        ("radius", "kpc", "galactocentric radius in the plane of the disc", "", "", ""),
    ]
    for f, feature in FEATURES.items():
        adopted = "yes" if f in ADOPTED else ""
        unit = str(feature.unit)
        rows.append((f, unit, feature.meaning, feature.recipe, feature.telescope, adopted))
    return Table(rows=rows, names=("column", "unit", "meaning", "recipe", "telescope", "adopted"))
