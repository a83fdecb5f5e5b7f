"""Figures: maps on the sky, table pixels on the sky, and words for those who cannot see them."""

import base64
import gc
import html
from collections.abc import Mapping
from io import BytesIO

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
from astropy.nddata import CCDData
from astropy.table import QTable
from astropy.visualization.wcsaxes import WCSAxes, add_scalebar
from astropy.wcs import WCS
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import AsinhNorm, Normalize, to_rgb
from matplotlib.figure import Figure

from helpers import bpt, survey
from helpers.features import FEATURES
from helpers.galaxies import GALAXIES, Galaxy, get_galaxy
from helpers.maps import require_map, valid

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#606060")
"""Colours that colour-blind readers can tell apart (Okabe & Ito 2008), and a grey."""

NO_GROUP = "0.75"
"""The grey of what belongs to no group."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""A marker for each colour, so that colour is never the only cue."""


def set_style() -> None:
    """Make matplotlib's text legible from the last row, its colours safe, and drawing quicker.

    Drawing makes many small objects that hold one another. Python's search for those that nobody
    needs takes a tenth of a notebook's time as often as it is done by default; here it is done
    less often, and not among what has been imported (`gc.freeze`).
    """
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    plt.rcParams.update(
        {
            "figure.figsize": (7.0, 4.5),
            "figure.dpi": 100,
            "figure.constrained_layout.use": True,
            "font.size": 12,
            "axes.titlesize": 13,
            "axes.labelsize": 12,
            "legend.frameon": False,
            "image.origin": "lower",
            "image.cmap": "viridis",
            "image.interpolation": "nearest",
            "axes.prop_cycle": plt.cycler(color=PALETTE),
        }
    )


def show(alt: str, figure: Figure | None = None) -> None:
    """Show a figure with a text that says what it shows, and close it.

    JupyterLab gives a plain matplotlib figure no alternative text, so a screen reader meets
    silence. This shows the figure as an HTML image that has one (and as PNG and plain text for
    front ends that prefer those).

    Parameters
    ----------
    alt : str
        What the figure shows, in a sentence or two.
    figure : Figure, optional
        By default the current one.

    Raises
    ------
    ValueError
        If the text is empty.
    """
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError("There is no text. Say in a sentence what the figure shows.")
    if not survey.is_embedded():
        alt = f"{', '.join(GALAXIES)}. Of the simulated galaxies this figure shows: {alt}"
    figure = plt.gcf() if figure is None else figure
    buffer = BytesIO()
    options = {"metadata": {"Description": alt}, "pil_kwargs": {"compress_level": 1}}  # quick
    # savefig would draw twice: first to lay out, then to show. The picture is the same.
    FigureCanvasAgg(figure).print_png(buffer, **options)
    plt.close(figure)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    page = f'<img src="data:image/png;base64,{encoded}" alt="{html.escape(alt, quote=True)}">'
    display({"text/html": page, "image/png": encoded, "text/plain": alt}, raw=True)


def sky_axes(
    wcs: WCS, figure: Figure | None = None, position: tuple[int, int, int] = (1, 1, 1)
) -> Axes:
    """Add axes with right ascension and declination to a figure.

    Raises
    ------
    ValueError
        If the WCS is none of the sky.
    """
    if not isinstance(wcs, WCS) or not wcs.has_celestial:
        raise ValueError("Axes of the sky need a celestial WCS: give a map's, as in map.wcs.")
    figure = plt.figure() if figure is None else figure
    axes = figure.add_subplot(*position, projection=wcs)
    axes.coords[0].set_axislabel("right ascension")
    axes.coords[1].set_axislabel("declination")
    for coordinate in axes.coords:
        coordinate.set_ticks(number=4)
        coordinate.set_ticklabel(exclude_overlapping=True)
    return axes


def scale_bar(
    axes: WCSAxes,
    galaxy: Galaxy | str,
    length: u.Quantity = 1 * u.kpc,
    color: str = "white",
    corner: str = "bottom right",
) -> None:
    """Draw a bar as long as `length` (kpc or pc) at the galaxy's distance, and label it."""
    galaxy = get_galaxy(galaxy)
    options = {"color": color, "corner": corner, "frame": False}
    add_scalebar(axes, galaxy.angle(length), label=f"{length:g}", **options)


def blend(layers: Mapping[str, np.ndarray], faint: float = 40, bright: float = 99.8) -> np.ndarray:
    """Blend maps on one grid into one picture, each map in a colour of its own.

    Each map is stretched by an inverse hyperbolic sine between two of its percentiles, tinted,
    and laid over the others as light on a screen: 1 minus the product of what each leaves dark.
    The picture is for the eye; nothing can be measured in it.

    Parameters
    ----------
    layers : mapping of str to (rows, columns) array
        The maps by their matplotlib colours. What is NaN stays dark.
    faint, bright : float
        The percentiles of each map that become black and the full colour.

    Returns
    -------
    (rows, columns, 3) array
        Red, green and blue from 0 to 1, for `Axes.imshow`.

    Raises
    ------
    ValueError
        If there is no map, or the maps are not on one grid.
    """
    shapes = sorted({np.shape(layer) for layer in layers.values()})
    if len(shapes) != 1:
        raise ValueError(
            f"The maps have shapes {shapes}; give one or more maps, all on the same grid."
        )
    dark = np.ones((*shapes[0], 3))
    for colour, layer in layers.items():
        layer = np.ma.filled(np.ma.masked_invalid(np.ma.asarray(layer, dtype=float)), np.nan)
        if layer.ndim != 2 or not np.isfinite(layer).any():
            raise ValueError(
                f"The {colour} layer has the shape {layer.shape} and "
                f"{np.isfinite(layer).sum()} finite values; give a map that shows something."
            )
        low, high = np.nanpercentile(layer, [faint, bright])
        scaled = np.clip(np.nan_to_num((layer - low) / ((high - low) or 1)), 0, 1)
        light = np.arcsinh(20 * scaled) / np.arcsinh(20)
        dark *= 1 - light[..., np.newaxis] * np.array(to_rgb(colour))
    return 1 - dark


def draw_map(
    sky_map: CCDData,
    axes: Axes | None = None,
    norm: Normalize | None = None,
    label: str | None = None,
    **options,
) -> Axes:
    """Draw a map on the sky with a colour bar that names its unit; masked pixels stay grey.

    Parameters
    ----------
    sky_map : CCDData
        Two dimensions, with a celestial WCS.
    axes : Axes, optional
        From `sky_axes`; new by default.
    norm : Normalize, optional
        The scale of the colours.
    label : str, optional
        What the map shows; the unit is added.
    options
        For `Axes.imshow`.

    Returns
    -------
    Axes
        With the image in ``axes.images[-1]``.
    """
    axes = sky_axes(require_map(sky_map).wcs) if axes is None else axes
    axes.set_facecolor("0.85")
    shown = np.ma.array(sky_map.data, mask=~valid(sky_map))
    image = axes.imshow(shown, norm=norm, origin="lower", **options)
    unit = f"{sky_map.unit:unicode}" if sky_map.unit else ""
    text = " ".join(part for part in (label, f"[{unit}]" if unit else "") if part)
    bar = axes.figure.colorbar(image, ax=axes, label=text, shrink=0.85)
    if isinstance(norm, AsinhNorm):
        ticks = _decades(norm)
        bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        bar.minorticks_off()
    return axes


def _decades(norm: AsinhNorm) -> list[float]:
    """Zero and the powers of ten where an asinh scale is not linear: those that do not crowd."""
    first = np.ceil(np.log10(2 * norm.linear_width))
    last = np.floor(np.log10(max(norm.vmax, 10**first)))
    return [0.0, *10.0 ** np.arange(first, last + 1)]


def draw_pixels(
    table: QTable,
    values: np.ndarray,
    galaxy: Galaxy | str,
    axes: Axes | None = None,
    label: str | None = None,
    **options,
) -> Axes:
    """Put one number a table row back on the sky: each row is a pixel of 150 pc.

    Parameters
    ----------
    table : QTable
        From `features.feature_table`, of one or more galaxies, N rows.
    values : (N,) array
        What to draw; pixels that are not in the table, or NaN, stay grey.
    galaxy : Galaxy or str
        Which galaxy to draw.
    axes, label, options
        As in `draw_map`; options go to `Axes.imshow`.

    Raises
    ------
    ValueError
        If there is not one value a row, or no row of that galaxy, or one beside its grid.
    """
    galaxy = get_galaxy(galaxy)
    lacking = {"galaxy", "x", "y"} - set(getattr(table, "colnames", ()))
    if lacking:
        raise ValueError(
            f"The table lacks {', '.join(sorted(lacking))}: give one from feature_table first, "
            "then one value a row."
        )
    if np.shape(values) != (len(table),):
        raise ValueError(
            f"There are {' x '.join(map(str, np.shape(values))) or 'no'} values for {len(table)} "
            "table rows; give one value a row."
        )
    wcs, shape = galaxy.grid()
    image = np.full(shape, np.nan)
    here = np.asarray(table["galaxy"] == galaxy.name)
    rows = table[here]
    if not (len(rows) and np.max(rows["y"]) < shape[0] and np.max(rows["x"]) < shape[1]):
        raise ValueError(
            f"The table has {len(rows)} pixels of {galaxy.name}, whose grid has {shape[0]} rows "
            f"and {shape[1]} columns. Its galaxies: "
            f"{', '.join(sorted(set(map(str, table['galaxy']))))}."
        )
    image[rows["y"], rows["x"]] = np.asarray(values, dtype=float)[here]
    axes = sky_axes(wcs) if axes is None else axes
    axes.set_facecolor("0.85")
    drawn = axes.imshow(image, origin="lower", **options)
    if label is not None:
        axes.figure.colorbar(drawn, ax=axes, label=label, shrink=0.85)
    axes.set_title(galaxy.name)
    return axes


def draw_groups(
    x, y, labels: np.ndarray, axes: Axes | None = None, legend: bool = True, **options
) -> Axes:
    """Scatter objects, each group in a colour and a marker of its own.

    Parameters
    ----------
    x, y : array of shape (n_objects,)
    labels : array of int of shape (n_objects,)
        Groups; those left out (-1) are small grey dots.
    axes : Axes, optional
        By default the current ones.
    legend : bool
        Whether to name the groups beside the axes.
    options
        For `Axes.scatter`.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If there is not one label an object, or there are more groups than colours.
    """
    labels = np.asarray(labels)
    if not np.shape(x) == np.shape(y) == labels.shape:
        raise ValueError(
            f"x, y and labels have the shapes {np.shape(x)}, {np.shape(y)} and {labels.shape}; "
            "give one of each for every object."
        )
    if labels.max() >= len(PALETTE):
        raise ValueError(
            f"There is a group {labels.max()}, but only {len(PALETTE)} colours that all readers "
            "can tell apart (groups 0 to 7). Ask for fewer groups, or draw each by itself."
        )
    axes = plt.gca() if axes is None else axes
    x, y = np.asarray(x), np.asarray(y)
    for group in np.unique(labels):
        here = labels == group
        style = {"color": NO_GROUP, "marker": "."}
        if group >= 0:
            style = {"color": PALETTE[group], "marker": MARKERS[group]}
        name = f"group {group}" if group >= 0 else "left out"
        drawn = axes.scatter(x[here], y[here], label=name, **{"s": 6, "lw": 0, **style, **options})
        drawn.set_rasterized(True)
    if legend:
        shown = axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0.3)
        for handle in shown.legend_handles:
            handle.set(sizes=[60], alpha=1)
    return axes


def draw_bpt(axes: Axes | None = None, line: str = "nii_ha") -> Axes:
    """Draw the published curves of a BPT diagram, each as far as it holds, and label the axes.

    Parameters
    ----------
    axes : Axes, optional
        With the pixels drawn and the limits set; by default the current ones.
    line : str
        One of `bpt.LINES`.

    Returns
    -------
    Axes
    """
    axes = plt.gca() if axes is None else axes
    limits = axes.get_xlim(), axes.get_ylim()
    x = np.linspace(*limits[0], 400)
    axes.plot(x, bpt.kewley(x, line), "k-", lw=2, label="Kewley et al. 2001")
    if line == "nii_ha":
        axes.plot(x, bpt.kauffmann(x), "k--", lw=2, label="Kauffmann et al. 2003")
    else:
        axes.plot(x, bpt.seyfert_liner(x, line), "k:", lw=2, label="Kewley et al. 2006")
    axes.set(xlim=limits[0], ylim=limits[1], ylabel="log [OIII]/Hβ")
    axes.set_xlabel(f"log {FEATURES[line].label}")
    return axes
