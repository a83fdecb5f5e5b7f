"""Blocks of sky: what to draw instead of pixels, since neighbouring pixels are not independent.

A pixel of one resolution element still shares light with its neighbours, and more: an HII region,
an arm, a galaxy's centre is wider than one pixel. Error bars that count each pixel as a fresh
piece of evidence are too small. The remedy is to draw whole squares of sky (the block bootstrap;
Künsch 1989, Ann. Statist. 17, 1217, in time; Hall 1985, Stoch. Proc. Appl. 20, 231, in space).
"""

import numbers
from collections.abc import Iterable

import numpy as np

SIDE = 10
"""Of a block, in pixels of 150 pc: 1.5 kpc, ten resolution elements."""


def sky_blocks(pixel_ids: Iterable[str], side: int = SIDE) -> np.ndarray:
    """Cut each galaxy into squares.

    Parameters
    ----------
    pixel_ids : iterable of str, of length n_pixels
        As in a feature table: ``"ngc0628-0034-0051"`` is row 34, column 51 of the grid.
    side : int
        Of a square, in pixels. With 1 each pixel is a block of its own.

    Returns
    -------
    ndarray of str, shape (n_pixels,)
        The name of each pixel's block: its galaxy, and which square of it.

    Raises
    ------
    ValueError
        If a name is none of a pixel, or stands there twice, or the side is no whole number
        above 0.
    """
    if not isinstance(side, numbers.Integral) or side < 1:
        raise ValueError(f"side={side!r} is no side of a block: give a whole number of pixels.")
    pixel_ids = [str(pixel) for pixel in pixel_ids]
    if len(set(pixel_ids)) < len(pixel_ids):
        copies = len(pixel_ids) - len(set(pixel_ids))
        raise ValueError(
            f"{copies} of {len(pixel_ids)} pixels are copies of another row: they would count "
            "as evidence twice. Was a galaxy stacked twice?"
        )
    named = []
    for pixel in pixel_ids:
        parts = pixel.rsplit("-", 2)
        if len(parts) < 3 or not (parts[1].isdigit() and parts[2].isdigit()):
            raise ValueError(
                f"{pixel!r} is no name of a pixel: give those of a feature table, as "
                "ngc0628-0034-0051 (galaxy, row, column)."
            )
        named.append(f"{parts[0]}-{int(parts[1]) // side}-{int(parts[2]) // side}")
    return np.array(named, dtype=str)


def draw_blocks(
    pixel_ids: Iterable[str], n_runs: int = 300, side: int = SIDE, random_state: int = 0
) -> np.ndarray:
    """Draw blocks of sky with replacement, in each galaxy as many as it has.

    Parameters
    ----------
    pixel_ids, side
        As for `sky_blocks`. ``side=1`` is the usual bootstrap, which takes pixels for
        independent.
    n_runs, random_state : int

    Returns
    -------
    ndarray of shape (n_runs, n_pixels), float32
        How often each pixel takes part in each run: 0, 1, 2, ... All pixels of a block take
        part together.

    Raises
    ------
    ValueError
        As `sky_blocks`, or if a galaxy has a single block, from which nothing can be drawn.
    """
    if not isinstance(n_runs, numbers.Integral) or n_runs < 2:
        raise ValueError(f"n_runs={n_runs!r}: to see a scatter, ask for two runs or more.")
    names, block = np.unique(sky_blocks(pixel_ids, side), return_inverse=True)
    rng = np.random.default_rng(random_state)
    times = np.zeros((n_runs, len(names)), dtype=np.float32)
    galaxies = np.array([name.rsplit("-", 2)[0] for name in names])
    for galaxy in np.unique(galaxies):
        here = np.flatnonzero(galaxies == galaxy)
        if len(here) < 2:
            raise ValueError(
                f"All pixels of {galaxy} lie in one block of {side} x {side} pixels: nothing "
                "can be drawn. Choose smaller blocks (side=), or leave the galaxy out."
            )
        times[:, here] = rng.multinomial(len(here), np.full(len(here), 1 / len(here)), n_runs)
    return times[:, block]
