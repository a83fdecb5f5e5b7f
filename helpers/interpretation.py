"""What groups are: their place in the galaxies, what sets them apart, and a line about each.

The groups are those of `helpers.clusters.cluster`: whole numbers, -1 for none.
"""

from collections.abc import Sequence

import astropy.units as u
import numpy as np
import pandas as pd
from astropy.table import Table
from scipy.stats import rankdata

from helpers.blocks import draw_blocks, sky_blocks
from helpers.clusters import check_table
from helpers.comparison import groupings
from helpers.features import FEATURES
from helpers.identity import one_each

CENTRE = 1.5 * u.kpc
"""What the course calls the centre of a galaxy: all within ten resolution elements."""

CLEAR = 0.33
"""The effect size from which on a feature is worth a word; the course's own limit. With it, a
pixel of the group has the higher value in two of three pairs with a pixel of the rest."""

FEWEST_BLOCKS = 5
"""In fewer blocks of sky than these, a group has no error bar: there is too little to draw."""

_ALIKE = 0.7
"""Features with a larger rank correlation tell one story: one of them is enough for a line."""

# ------------------------------------------------------------------------- where groups are


def environments(place: Table) -> np.ndarray:
    """A simple environment of each pixel, from radius and CO alone.

    ``centre`` is all within `CENTRE`; beyond, a pixel is on a ``ridge`` if its CO is at least
    twice the median of the table's pixels in its ring (rings of 1 kpc, in the plane of the disc),
    and ``between`` ridges otherwise. That is a rough stand-in for the masks of bars and arms
    that the survey publishes; and since it is made from CO, groups made with CO as a feature
    are not independent of it.

    Parameters
    ----------
    place : Table
        Rows of a feature table: columns galaxy, radius and co_flux.

    Returns
    -------
    ndarray of str of shape (n_pixels,)

    Raises
    ------
    ValueError
        If a column is missing, or a radius is not known.
    """
    radius = _radius(place)
    if "co_flux" not in place.colnames or np.isnan(radius).any():
        raise ValueError(
            "Environments need the radius and the CO of every pixel (columns radius, co_flux); "
            "the galaxies must be those of the course."
        )
    ring = pd.Series(radius // 1.0).astype(int).to_numpy()
    co = pd.Series(np.asarray(u.Quantity(place["co_flux"]).value, dtype=float))
    usual = co.groupby([np.asarray(place["galaxy"]), ring]).transform("median")
    named = np.where(co >= 2 * usual, "ridge", "between").astype("<U7")
    named[radius < CENTRE.to_value(u.kpc)] = "centre"
    return named


# ------------------------------------------------------------------------- what sets them apart


def effect_sizes(frame: pd.DataFrame, labels, draws: np.ndarray | None = None) -> pd.DataFrame:
    """Effect size of every feature for every group against the rest of the pixels.

    Parameters
    ----------
    frame : pandas.DataFrame of shape (n_pixels, n_features)
        Indexed by pixel_id, as from `learning_frame`.
    labels : sequence of int of length n_pixels
        The groups. Pixels without group (-1) belong to the rest of each.
    draws : ndarray of shape (n_runs, n_pixels), optional
        From `draw_blocks`, by default of this table.

    Returns
    -------
    pandas.DataFrame
        A row for each (group, feature). ``effect``: Cliff's delta (Cliff 1993, Psychol. Bull.
        114, 494), the chance that a pixel of the group has the higher value than one of the
        rest, minus the chance that it has the lower: 1 if always higher, 0 if neither, -1 if
        always lower; it is 2 AUC - 1, and knows nothing of units or logarithms. ``low``,
        ``high``: the range that holds 95 % of the draws; NaN if the group lies in fewer
        blocks of sky than `FEWEST_BLOCKS`.

    Raises
    ------
    ValueError
        If there is no group, or all pixels are in one, or as many groups as pixels; if values
        are not finite, a feature is constant, a pixel stands there twice, or lengths differ.
    """
    values, labels, names = _grouped(frame, labels)
    draws = _draws(frame.index, draws)
    member = (labels[:, None] == names).astype(np.float32)
    once = np.ones((1, len(labels)), dtype=np.float32)
    found = []
    for column in values.T:
        effect = _cliff(column, member, once)[0]
        low, high = _range(_cliff(column, member, draws))
        found.append((effect, low, high))
    unsure = _few_draws(frame.index, labels, names)
    stacked = np.array(found).transpose(2, 0, 1)  # group, feature, number
    stacked[unsure, :, 1:] = np.nan
    rows = pd.MultiIndex.from_product([names, frame.columns], names=["group", "feature"])
    return pd.DataFrame(stacked.reshape(-1, 3), rows, columns=["effect", "low", "high"])


def group_means(values, labels, pixel_ids, draws: np.ndarray | None = None) -> pd.DataFrame:
    """The mean of one quantity in each group, with the range of 95 % of the draws.

    Parameters
    ----------
    values : array of shape (n_pixels,)
    labels, draws
        As for `effect_sizes`.
    pixel_ids : sequence of str of length n_pixels

    Returns
    -------
    pandas.DataFrame
        A row for each group: ``pixels``, ``mean``, ``low``, ``high``.
    """
    frame = pd.DataFrame({"values": np.asarray(values, dtype=float)}, index=list(pixel_ids))
    column, labels, names = _grouped(frame, labels)
    draws = _draws(frame.index, draws)
    member = (labels[:, None] == names).astype(float)
    drawn = _ratio((draws * column[:, 0]) @ member, draws @ member)
    low, high = _range(drawn)
    unsure = _few_draws(frame.index, labels, names)
    low[unsure] = high[unsure] = np.nan
    size = member.sum(axis=0).astype(int)
    mean = column[:, 0] @ member / size
    table = {"pixels": size, "mean": mean, "low": low, "high": high}
    return pd.DataFrame(table, index=pd.Index(names, name="group"))


def _cliff(column: np.ndarray, member: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Cliff's delta of each run and group; a pixel counts as often as it was drawn.

    The pixels below a pixel, and half of those that tie with it, make its rank. The sum over
    the group of these ranks counts pairs with the rest, and pairs within the group, of which by
    symmetry half are won.
    """
    order = np.argsort(column, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(column[order]) != 0])
    weight = draws[:, order]
    tied = weight if len(starts) == len(column) else np.add.reduceat(weight, starts, axis=1)
    rank = np.cumsum(tied, axis=1) - tied / 2
    if len(starts) < len(column):
        rank = np.repeat(rank, np.diff(np.r_[starts, len(column)]), axis=1)
    member = member[order]
    inside = (weight @ member).astype(float)
    outside = weight.sum(axis=1, keepdims=True) - inside
    won = (weight * rank) @ member - inside**2 / 2
    return 2 * _ratio(won, inside * outside) - 1


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.where(below > 0, above / np.where(below > 0, below, 1), np.nan)


def _range(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middle 95 % of the runs, by group; a run in which a group is not drawn does not count."""
    empty = np.isnan(drawn).all(axis=0)
    low, high = np.nanpercentile(np.where(empty, 0, drawn), [2.5, 97.5], axis=0)
    low[empty] = high[empty] = np.nan
    return low, high


def _few_draws(pixel_ids, labels: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Groups that lie in so few blocks that drawing blocks says nothing of them."""
    blocks = sky_blocks(pixel_ids)
    return np.array([len(np.unique(blocks[labels == name])) < FEWEST_BLOCKS for name in names])


# ------------------------------------------------------------------------- a line about each

_WORDS = {"co_width": ("broad CO", "narrow CO")}


def describe_groups(
    frame: pd.DataFrame, labels, place: Table, effects: pd.DataFrame | None = None
) -> pd.Series:
    """One line about each group, computed from the data.

    Parameters
    ----------
    frame : pandas.DataFrame of shape (n_pixels, n_features)
        Indexed by pixel_id.
    labels : sequence of int of length n_pixels
    place : Table
        The same pixels: columns pixel_id, galaxy and radius, as in a feature table.
    effects : pandas.DataFrame, optional
        From `effect_sizes`, by default of the same table.

    Returns
    -------
    pandas.Series of str, by group
        Such as ``"group 3: 12 % of the pixels; high [OI]/Hα, broad CO; centre of NGC 1365"``.
        The share; up to three features, strongest first, whose effect is at least `CLEAR` and
        whose range leaves zero out, and of features that tell one story the first (a group in
        so few blocks of sky that there is no range is said to be so); the place of most of its
        pixels: within `CENTRE`, or inner or outer disc (by the median over the group of the
        pixels' ranks in radius within their galaxy, below 0.35 or above 0.65); the galaxies that
        hold four fifths of it, largest share first.

    Raises
    ------
    ValueError
        As `effect_sizes`; or if the place is that of other pixels.
    """
    values, labels, names = _grouped(frame, labels)
    radius = _radius(place)
    if list(map(str, place["pixel_id"])) != list(map(str, frame.index)):
        raise ValueError(
            "The place must be that of the same pixels in the same order as the frame: take the "
            "rows of the feature table whose pixel_id is in the frame's index."
        )
    effects = effect_sizes(frame, labels) if effects is None else effects
    alike = np.abs(np.corrcoef(rankdata(values, axis=0).T)).reshape(values.shape[1], -1)
    galaxies = np.asarray(place["galaxy"])
    lines = {}
    for name in names:
        inside = labels == name
        share = f"{100 * inside.mean():.0f} %" if inside.mean() >= 0.01 else "less than 1 %"
        words = _apart(effects.loc[name], list(frame.columns), alike)
        where = f"{_part(radius, galaxies, inside)} of {_whose(galaxies, inside)}"
        told = ", ".join(words) or "like the rest"
        if effects.loc[name, "low"].isna().all():
            told += " (in too few places for an error bar)"
        lines[name] = f"group {name}: {share} of the pixels; {told}; {where}"
    return pd.Series(lines, name="description")


def _apart(effects: pd.DataFrame, columns: Sequence[str], alike: np.ndarray) -> list[str]:
    zero_inside = effects["low"] * effects["high"] <= 0  # never where there is no range
    sure = ~zero_inside & (effects["effect"].abs() >= CLEAR)
    told: list[int] = []
    for column in effects["effect"].abs()[sure].sort_values(ascending=False).index:
        k = columns.index(column)
        if all(alike[k, other] < _ALIKE for other in told):
            told.append(k)
    return [_word(columns[k], effects.loc[columns[k], "effect"] > 0) for k in told[:3]]


def _word(column: str, more: bool) -> str:
    name = column.removeprefix("log_")
    if name in _WORDS:
        return _WORDS[name][0 if more else 1]
    feature = FEATURES.get(name)
    if feature is not None and feature.unit.physical_type != "dimensionless" and feature.log:
        return f"{'bright' if more else 'faint'} {feature.label}"
    return f"{'high' if more else 'low'} {feature.label if feature else column}"


def _part(radius: np.ndarray, galaxies: np.ndarray, inside: np.ndarray) -> str:
    if np.isnan(radius[inside]).all():
        return "parts"
    if np.nanmedian(radius[inside]) < CENTRE.to_value(u.kpc):
        return "centre"
    rank = pd.Series(radius).groupby(galaxies).rank(pct=True).to_numpy()
    middle = np.nanmedian(rank[inside])
    return "inner disc" if middle < 0.35 else "outer disc" if middle > 0.65 else "disc"


def _whose(galaxies: np.ndarray, inside: np.ndarray) -> str:
    shares = pd.Series(galaxies[inside]).value_counts(normalize=True)
    needed = int(np.searchsorted(shares.cumsum().to_numpy(), 0.8)) + 1
    names = list(shares.index[:needed])
    if needed == len(np.unique(galaxies)) > 1:
        return f"all {needed} galaxies"
    return " and ".join([", ".join(names[:-1]), names[-1]] if needed > 1 else names)


# ------------------------------------------------------------------------- checks


def _grouped(frame: pd.DataFrame, labels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The values, the labels and the groups' names, all fit to be compared."""
    labels = groupings({"labels": labels})["labels"]
    one_each("labels", labels, len(frame))
    values = check_table(frame)
    names = np.unique(labels[labels >= 0])
    if not len(names):
        raise ValueError(
            f"All {len(labels)} pixels are left out (-1): there is no group to describe."
        )
    if len(names) == 1 and np.all(labels == names[0]):
        raise ValueError(
            f"All {len(labels)} pixels are in group {names[0]}: there is no rest to compare it "
            "with. Ask for more groups."
        )
    if len(names) >= len(labels):
        raise ValueError(
            f"There are {len(names)} groups among {len(labels)} pixels: a group of one pixel "
            "says nothing. Ask for fewer groups."
        )
    if frame.index.has_duplicates:
        raise ValueError(
            f"{frame.index.duplicated().sum()} of {len(frame)} pixels are copies of another row: "
            "they would count as evidence twice. Was a galaxy stacked twice?"
        )
    constant = frame.columns[np.ptp(values, axis=0) == 0]
    if len(constant):
        raise ValueError(
            f"Column {constant[0]} has the same value in all {len(frame)} rows: it cannot set "
            "groups apart. Leave it out."
        )
    return values, labels, names


def _draws(pixel_ids, draws: np.ndarray | None) -> np.ndarray:
    draws = draw_blocks(pixel_ids) if draws is None else np.asarray(draws)
    if draws.ndim != 2 or draws.shape[1] != len(pixel_ids):
        raise ValueError(
            f"The draws have the shape {draws.shape}, but there are {len(pixel_ids)} pixels: make "
            "them with draw_blocks(frame.index)."
        )
    return draws


def _radius(place: Table) -> np.ndarray:
    lacking = {"galaxy", "radius"} - set(getattr(place, "colnames", ()))
    if lacking:
        raise ValueError(
            f"The place lacks {', '.join(sorted(lacking))}: give rows of a feature table."
        )
    return np.asarray(u.Quantity(place["radius"]).to_value(u.kpc), dtype=float)
