"""Tables like those of the survey, of any length, without maps: every row is one mixed zone.

For benchmarks, where a million rows are wanted. The spectra are those of the scenes; how much of
each component a row holds is drawn from medians and scatters that were read off the simulated
galaxies at 150 pc. Neighbouring pixels, galaxies and instruments are left out.
"""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from helpers.scene import ATTENUATION, COMPONENTS, REDDENING, STARLIGHT, WAVELENGTHS, emission

SHARES = (0.28, 0.63, 0.005, 0.03, 0.055)
"""How many rows have each of `COMPONENTS` as their main one."""

# Rows: the main component of a pixel. Columns, all logarithmic: Ha of HII, DIFFUSE, AGN,
# STARBURST (1e-20 erg/s/cm2/arcsec2); PAH 7.7 of the same (MJy/sr); starlight; CO; E(B-V).
MEDIANS = np.array(
    [
        [4.50, 3.85, -1.0, -3.0, 0.28, 0.40, -4.0, -4.0, 0.15, 0.62, -0.58],
        [3.20, 3.35, -1.0, -3.0, -1.0, 0.05, -4.0, -4.0, 0.15, 0.28, -0.72],
        [2.20, 3.10, 3.40, 0.50, -2.0, 0.00, 0.40, -3.0, 0.60, 0.20, -0.74],
        [3.70, 4.10, 3.50, 5.10, -0.3, 1.10, 0.20, 1.20, 1.30, 1.42, -0.22],
        [2.30, 3.10, 1.50, 1.50, -1.8, 0.00, -1.2, -2.0, 0.95, 0.15, -0.77],
    ]
)

# How the same columns follow star formation, gas, starlight, and chance.
LOADINGS = np.array(
    [
        [0.55, 0.38, 0.10, 0.45, 0.55, 0.20, 0.10, 0.45, 0.10, 0.10, 0.02],
        [0.00, 0.10, 0.05, 0.15, 0.10, 0.30, 0.05, 0.20, 0.05, 0.38, 0.14],
        [0.00, 0.15, 0.15, 0.05, 0.00, 0.05, 0.15, 0.05, 0.30, 0.05, 0.02],
        [0.20, 0.12, 0.30, 0.10, 0.12, 0.08, 0.25, 0.10, 0.10, 0.15, 0.05],
    ]
)


def random_table(
    n_rows: int, random_state: int = 0, *, return_component: bool = False
) -> pd.DataFrame | tuple[pd.DataFrame, np.ndarray]:
    """Draw a table of features like the learning frame of the simulated survey.

    Parameters
    ----------
    n_rows : int
        Any number; a million take a few seconds and 0.5 GB.
    random_state : int
        The same state gives the same table.
    return_component : bool
        Also return the main component of each row, as a number in the order of `COMPONENTS`.

    Returns
    -------
    table : DataFrame, (n_rows, 22), float32
        Every feature of the course, ``log_<feature>`` in decimal logarithms and ``ebv`` in mag;
        indexed by ``pixel_id``, here a plain number. No value is missing.
    component : ndarray of int, (n_rows,)
        Only with ``return_component``.

    Raises
    ------
    ValueError
        If ``n_rows`` is not a positive whole number.
    """
    if int(n_rows) != n_rows or n_rows < 1:
        raise ValueError(f"n_rows={n_rows} is no number of rows: give a whole number above 0.")
    n_rows = int(n_rows)
    rng = np.random.default_rng(random_state)
    component = rng.choice(len(COMPONENTS), n_rows, p=SHARES)
    common = rng.standard_normal((n_rows, 3)).astype(np.float32)
    drawn = MEDIANS[component].astype(np.float32)
    drawn += common @ LOADINGS[:3].astype(np.float32)
    drawn += rng.standard_normal(drawn.shape, dtype=np.float32) * LOADINGS[3].astype(np.float32)
    amounts = 10**drawn
    stars, co = amounts[:, 8], amounts[:, 9]
    ebv = np.minimum(amounts[:, 10], 2)
    light = {name: (amounts[:, i], amounts[:, 4 + i]) for i, name in enumerate(COMPONENTS) if i < 4}
    light["OLD"] = (100 * stars, 0.05 * stars)
    fields = {name: _normal(rng, n_rows) for name in ("oxygen", "nitrogen", "pah", "hot")}
    scatter = SimpleNamespace(**{name: 0.7 * value for name, value in fields.items()})
    metals = 8.55 + 0.06 * _normal(rng, n_rows)
    shape = 0.06 * _normal(rng, n_rows)
    lines = dict.fromkeys(WAVELENGTHS, 0)
    bands = {band: share * stars for band, share in STARLIGHT.items()}
    for name, (ha, pah77) in light.items():
        leaning = -0.14 * common[:, 0] if name == "DIFFUSE" else 0
        spectrum = emission(name, ha, pah77, shape + leaning, metals, scatter, 0.17, True)
        for line in lines:
            dimming = -0.4 * ATTENUATION[line] * REDDENING[name]
            lines[line] = lines[line] + spectrum[line] * np.exp(2.3026 * dimming * ebv)
        for band in spectrum.keys() & bands.keys():
            bands[band] = bands[band] + spectrum[band]
    width = 7.5 * co**0.12 * 10 ** (0.09 * _normal(rng, n_rows)) * (1 + 0.6 * (component == 3))
    for maps, error in ((lines, 0.01), (bands, 0.003)):
        for name in maps:
            maps[name] = maps[name] * (1 + error * _normal(rng, n_rows))
    table = _features(lines, bands, co, width)
    table.index.name = "pixel_id"
    return (table, component) if return_component else table


def _normal(rng: np.random.Generator, number: int) -> np.ndarray:
    return rng.standard_normal(number, dtype=np.float32)


def _features(lines: dict, bands: dict, co: np.ndarray, width: np.ndarray) -> pd.DataFrame:
    """The course's features of one zone each."""
    decrement = lines["HA6562"] / lines["HB4861"]
    ebv = 2.5 / (ATTENUATION["HB4861"] - ATTENUATION["HA6562"]) * np.log10(decrement / 2.86)
    ha = 1e-20 * lines["HA6562"] * 10 ** (0.4 * ATTENUATION["HA6562"] * ebv)
    pah77 = bands["F770W"] - STARLIGHT["F770W"] * bands["F200W"]
    pah113 = bands["F1130W"] - STARLIGHT["F1130W"] * bands["F200W"]
    # F300M, F335M, F360M: a straight line under the 3.3 micron feature
    pah33 = bands["F335M"] - 0.42 * bands["F300M"] - 0.58 * bands["F360M"]
    # nu I_nu of 1 MJy/sr, in erg/s/cm2/arcsec2
    nu = {band: 2.998e14 / micron * 2.35e-28 for band, micron in _MICRON.items()}
    positive = {
        "co_flux": co,
        "co_width": width,
        "ha": ha,
        "oiii_hb": lines["OIII5006"] / lines["HB4861"],
        "nii_ha": lines["NII6583"] / lines["HA6562"],
        "sii_ha": (lines["SII6716"] + lines["SII6730"]) / lines["HA6562"],
        "oi_ha": lines["OI6300"] / lines["HA6562"],
        "pah33": pah33,
        "pah77": pah77,
        "pah113": pah113,
        "pah113_77": pah113 / pah77,
        "pah33_113": pah33 / pah113,
        "r_pah": (pah113 + pah77) / bands["F2100W"],
        "f200w": bands["F200W"],
        "f2100w": bands["F2100W"],
        "f2100w_770w": bands["F2100W"] / bands["F770W"],
        "f200w_770w": bands["F200W"] / bands["F770W"],
        "f200w_2100w": bands["F200W"] / bands["F2100W"],
        "f1130w_1000w": bands["F1130W"] / bands["F1000W"],
        "ha_pah77": ha / (pah77 * nu["F770W"]),
        "ha_f2100w": ha / (bands["F2100W"] * nu["F2100W"]),
    }
    columns = {}
    for name, values in positive.items():
        # noise can take a faint difference of bands below zero: keep the row, at its floor
        columns[f"log_{name}"] = np.log10(np.maximum(values, np.float32(1e-25)))
        if name == "ha":
            columns["ebv"] = ebv
    return pd.DataFrame({name: values.astype(np.float32) for name, values in columns.items()})


_MICRON = {"F770W": 7.7, "F2100W": 21.0}
