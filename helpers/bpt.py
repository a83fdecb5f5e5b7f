"""BPT diagrams: line ratios that tell stars from harder radiation, with their published curves.

After Baldwin, Phillips & Terlevich 1981 (PASP 93, 5). All ratios are logarithms to the base 10:
[OIII]5007/Hβ upwards; [NII]6583/Hα, [SII]6716+6731/Hα or [OI]6300/Hα to the right.

The curves were drawn for whole galaxies and their nuclei. In a resolved disc, gas far from any
young star lies above them as well: diffuse gas, lit by leaked and hardened light, old stars or
shocks. *Above the curve* means *not ionised by young stars alone*; it does not mean that there is
an active nucleus.
"""

import numpy as np

LINES = ("nii_ha", "sii_ha", "oi_ha")
"""The ratios for the abscissa, by their names in the feature table."""

_KEWLEY = {"nii_ha": (0.61, 0.47, 1.19), "sii_ha": (0.72, 0.32, 1.30), "oi_ha": (0.73, -0.59, 1.33)}
_SEYFERT = {"sii_ha": (1.89, 0.76), "oi_ha": (1.18, 1.30)}

CLASSES = ("star formation", "composite", "Seyfert", "LINER-like", "ambiguous")


def kauffmann(nii_ha) -> np.ndarray:
    """The border of pure star formation in galaxies: 0.61 / (x - 0.05) + 1.30.

    Kauffmann et al. 2003 (MNRAS 346, 1055), in the diagram of [NII]. It holds left of its
    asymptote x = 0.05; from there on NaN, and nothing is below it.
    """
    return _hyperbola(nii_ha, 0.61, 0.05, 1.30)


def kewley(ratio, line: str = "nii_ha") -> np.ndarray:
    """The most that young stars can do in models: log [OIII]/Hβ at a ratio.

    Kewley et al. 2001 (ApJ 556, 121): 0.61 / (x - 0.47) + 1.19 for [NII], 0.72 / (x - 0.32) +
    1.30 for [SII], 0.73 / (x + 0.59) + 1.33 for [OI]. Each holds left of its asymptote; from
    there on NaN, and nothing is below it.

    Parameters
    ----------
    ratio : array
        log of the line over Hα.
    line : str
        One of `LINES`.
    """
    if line not in _KEWLEY:
        raise ValueError(f"There is no curve for {line!r}. Choose one of: {', '.join(LINES)}.")
    return _hyperbola(ratio, *_KEWLEY[line])


def seyfert_liner(ratio, line: str = "sii_ha") -> np.ndarray:
    """The border between Seyferts (above) and LINERs, among what is above `kewley`.

    Kewley et al. 2006 (MNRAS 372, 961): 1.89 x + 0.76 for [SII], 1.18 x + 1.30 for [OI]. Where it
    lies below the curve of `kewley` it divides nothing: NaN.
    """
    if line not in _SEYFERT:
        raise ValueError(
            f"Seyferts and LINERs have no border for {line!r}. Choose one of: "
            f"{', '.join(_SEYFERT)}."
        )
    slope, offset = _SEYFERT[line]
    border = slope * np.asarray(ratio, dtype=float) + offset
    return np.where(border < kewley(ratio, line), np.nan, border)


def classify(oiii_hb, nii_ha, sii_ha) -> np.ndarray:
    """Class of each pixel, after Kewley et al. 2006, without the faint [OI].

    Parameters
    ----------
    oiii_hb, nii_ha, sii_ha : array of shape (n_pixels,)
        Logarithms of the ratios.

    Returns
    -------
    ndarray of str of shape (n_pixels,)
        ``star formation`` below all curves; ``composite`` above `kauffmann` and below `kewley`;
        above `kewley` for [NII] and for [SII], ``Seyfert`` or ``LINER-like`` by
        `seyfert_liner`; ``ambiguous`` if the two diagrams disagree. The names are those of the
        lines' ratios, and no proof of a nucleus.

    Raises
    ------
    ValueError
        If the ratios are not finite, or not of one length.
    """
    ratios = [np.asarray(ratio, dtype=float) for ratio in (oiii_hb, nii_ha, sii_ha)]
    shapes = {ratio.shape for ratio in ratios}
    if len(shapes) > 1 or not all(np.isfinite(ratio).all() for ratio in ratios):
        raise ValueError(
            "The ratios [OIII]/Hβ, [NII]/Hα and [SII]/Hα must be finite numbers, one each a pixel; "
            f"their shapes are {', '.join(str(ratio.shape) for ratio in ratios)}."
        )
    y, nii, sii = ratios
    below_kauffmann = y < kauffmann(nii)  # comparison with NaN is False: nothing is below
    below_nii, below_sii = y < kewley(nii), y < kewley(sii, "sii_ha")
    slope, offset = _SEYFERT["sii_ha"]
    seyfert = y > slope * sii + offset
    beyond = ~below_nii & ~below_sii
    return np.select(
        [
            below_kauffmann & below_nii & below_sii,
            ~below_kauffmann & below_nii & below_sii,
            beyond & seyfert,
            beyond & ~seyfert,
        ],
        CLASSES[:4],
        CLASSES[4],
    )


def _hyperbola(x, numerator: float, asymptote: float, offset: float) -> np.ndarray:
    x = np.asarray(x, dtype=float)
    valid = x < asymptote
    return np.where(valid, numerator / np.where(valid, x - asymptote, 1) + offset, np.nan)
