"""The pixels that explorers show: features, places, and images of them on the sky."""

from functools import cache

import numpy as np
import pandas as pd
from astropy.table import QTable, vstack

from helpers.features import FEATURES, feature_table, learning_frame
from helpers.galaxies import GALAXIES

LOAD = """\
table = vstack([feature_table(galaxy) for galaxy in GALAXIES])
frame = learning_frame(table)
place = table[pd.Index(table["pixel_id"]).isin(frame.index)]
galaxy_of = np.asarray(place["galaxy"])
"""
"""The lines of a code panel that make the same names as `pixels` returns.

An index of pandas looks names up; `numpy.isin` compares each with each, in three seconds.
"""


@cache
def pixels() -> tuple[pd.DataFrame, QTable, np.ndarray]:
    """The features (a row a pixel), where the pixels are, and the galaxy of each."""
    table = vstack([feature_table(galaxy) for galaxy in GALAXIES])
    frame = learning_frame(table)
    place = table[pd.Index(table["pixel_id"]).isin(frame.index)]
    return frame, place, np.asarray(place["galaxy"])


def label(column: str) -> str:
    """What a column of the frame is called on an axis."""
    name = column.removeprefix("log_")
    return f"log {FEATURES[name].label}" if column != name else FEATURES[name].label


def on_sky(values: np.ndarray, galaxy: str) -> np.ndarray:
    """An image of one galaxy, NaN where there is no pixel."""
    _, place, galaxy_of = pixels()
    here = galaxy_of == galaxy
    image = np.full(GALAXIES[galaxy].grid()[1], np.nan)
    image[place["y"][here], place["x"][here]] = np.asarray(values)[here]
    return image


def next_pixel(sky: np.ndarray, at: int, key: str) -> int:
    """The row of the pixel that an arrow key leads to, or the same at the edge."""
    step = {"Left": (-1, 0), "Right": (1, 0), "Up": (0, 1), "Down": (0, -1)}
    way = np.array(step[key.removeprefix("Arrow")])
    ahead = (sky - sky[at]) @ way
    apart = np.linalg.norm(sky - sky[at] - way, axis=1)
    return int(np.where(ahead > 0, apart, np.inf).argmin()) if np.any(ahead > 0) else at
