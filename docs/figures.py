"""The figures of the README, made from the embedded (simulated) survey.

    python docs/figures.py

writes them into docs/figures. The words for those who cannot see them stand in README.md.
"""

import argparse
from pathlib import Path

import astropy.units as u
import matplotlib

matplotlib.use("agg")  # before pyplot: no window

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from astropy.table import vstack
from matplotlib.colors import ListedColormap, LogNorm, Normalize

from helpers import plots, survey
from helpers.blocks import draw_blocks
from helpers.clusters import cluster
from helpers.embedding import read_grid
from helpers.features import feature_table, learning_frame
from helpers.galaxies import GALAXIES, get_galaxy
from helpers.relation import PUBLISHED_SCATTER, PUBLISHED_SLOPE, fit_relation

FOLDER = Path(__file__).resolve().parent / "figures"


def three_scales():
    """One map as notebook 01 draws it."""
    sky_map = survey.native_map("NGC 7496", "F770W")
    figure = plt.figure(figsize=(12, 4))
    scales = {"linear": Normalize(), "LogNorm()": LogNorm(), "LogNorm(vmin=0.1)": LogNorm(vmin=0.1)}
    for k, (title, norm) in enumerate(scales.items(), 1):
        axes = plots.sky_axes(sky_map.wcs, figure, (1, 3, k))
        image = axes.imshow(sky_map.data, norm=norm)
        figure.colorbar(image, ax=axes, shrink=0.75, label="7.7 µm [MJy/sr]" if k == 3 else "")
        axes.set_title(title)
        axes.coords[1].set_axislabel("declination" if k == 1 else "")
    plots.scale_bar(axes, "NGC 7496", 2 * u.kpc)
    return figure


def embedding(frame, picture, place):
    """The adopted picture, read through a feature and by galaxy."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2))
    sii = frame["log_sii_ha"]
    low, high = np.quantile(sii, [0.02, 0.98])
    drawn = left.scatter(*picture.T, s=2, c=sii, vmin=low, vmax=high, lw=0)
    figure.colorbar(drawn, ax=left, label="log [SII]/Hα", extend="both")
    galaxies = pd.Categorical(place["galaxy"], list(GALAXIES)).codes.astype(int)
    plots.draw_groups(*picture.T, galaxies, right, legend=False, s=3)
    handles = [
        plt.Line2D([], [], ls="", marker=plots.MARKERS[k], color=plots.PALETTE[k], ms=8)
        for k in range(len(GALAXIES))
    ]
    right.legend(handles, GALAXIES, loc="upper left", bbox_to_anchor=(1, 1))
    for axes, title in ((left, "by a feature"), (right, "by galaxy")):
        axes.set(xticks=[], yticks=[], title=f"{title}, N = {len(frame)}")
    return figure


def groups(frame, picture, place):
    """The groups of notebook 07 on the three skies."""
    labels = cluster(picture, "spectral", n_clusters=8, ids=frame.index)
    figure = plt.figure(figsize=(13, 4.6))
    for k, galaxy in enumerate(GALAXIES, 1):
        axes = plots.sky_axes(get_galaxy(galaxy).grid()[0], figure, (1, 3, k))
        options = {"cmap": ListedColormap(plots.PALETTE), "vmin": -0.5, "vmax": 7.5}
        plots.draw_pixels(place, labels, galaxy, axes, **options)
        axes.set(facecolor="0.96", title=f"{galaxy}, N = {np.sum(place['galaxy'] == galaxy)}")
        axes.coords[1].set_axislabel("declination" if k == 1 else "")
        plots.scale_bar(axes, galaxy, 2 * u.kpc, color="k", corner="bottom left")
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in plots.PALETTE]
    figure.legend(handles, [f"group {k}" for k in range(8)], loc="outside right center")
    return figure


def relation(frame, place):
    """PAH 11.3/7.7 against [SII]/Hα with the line that notebook 07 fits."""
    x, y = frame["log_sii_ha"].to_numpy(), frame["log_pah113_77"].to_numpy()
    errors = [
        np.asarray((place[f"{name}_error"] / place[name]).value) / np.log(10)
        for name in ("sii_ha", "pah113_77")
    ]
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), sharex=True, sharey=True)
    for panel, galaxy in zip(axes, GALAXIES, strict=True):
        here = np.asarray(place["galaxy"] == galaxy)
        draws = draw_blocks(frame.index[here], 50)
        fit = fit_relation(x[here], y[here], errors[0][here], errors[1][here], draws)
        panel.hexbin(x[here], y[here], gridsize=45, bins="log", mincnt=1, cmap="Greys")
        ends = np.quantile(x, [0.001, 0.999])
        panel.plot(ends, fit.slope * ends + fit.intercept, "--", color=plots.PALETTE[1], lw=2.5)
        panel.set_title(
            f"{galaxy}, N = {here.sum()}\nslope {fit.slope:.2f} ± {fit.slope_error:.2f}"
        )
        panel.set_xlabel("log [SII]/Hα")
    axes[0].set(ylabel="log PAH 11.3/7.7", xlim=ends, ylim=np.quantile(y, [0.001, 0.999]))
    figure.suptitle(
        f"published: slope about {PUBLISHED_SLOPE}, scatter about {PUBLISHED_SCATTER} dex", size=12
    )
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--to", type=Path, default=FOLDER, help="another folder")
    to = parser.parse_args().to
    to.mkdir(parents=True, exist_ok=True)
    plots.set_style()
    table = vstack([feature_table(galaxy) for galaxy in GALAXIES])
    frame = learning_frame(table)
    place = table[pd.Index(table["pixel_id"]).isin(frame.index)]
    grid = read_grid()
    grid.check(frame)
    picture = grid.points()
    figures = {
        "three-scales": three_scales(),
        "embedding": embedding(frame, picture, place),
        "groups": groups(frame, picture, place),
        "relation": relation(frame, place),
    }
    for name, figure in figures.items():
        figure.savefig(
            to / f"{name}.png", dpi=75, bbox_inches="tight", pil_kwargs={"optimize": True}
        )
        print(f"{name}.png: {(to / f'{name}.png').stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
