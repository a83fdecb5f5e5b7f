"""Groups against the truth: which true classes were found, which merged, which groups invented."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from helpers.comparison import groupings

FOUND = 0.6
"""From this F1 on a class counts as found; the course's own limit."""

PURE = 0.6
"""From this share of one class on a group counts as that class's; the course's own limit."""


class Grades(NamedTuple):
    """How groups compare with true classes.

    Attributes
    ----------
    rand : float
        Adjusted Rand index (Hubert & Arabie 1985): 1 for the same groups, about 0 for chance.
        It counts pairs of pixels, and most pairs are of the largest classes: rare ones hardly
        enter.
    macro_f1 : float
        Mean over the classes of F1, many-to-one: each class counts the same, however rare.
    counts : DataFrame
        Pixels by group (rows; -1 for none) and true class (columns).
    classes : DataFrame
        A row for each true class: ``pixels``; ``f1``, if each group is named after the class
        that most of its pixels have (many groups may have one name); ``f1_one_to_one``, if each
        class may name one group only (Hungarian assignment that makes the sum of F1 largest);
        ``verdict``: ``found``, ``blurred`` (most of its pixels are in groups of its name, but F1
        is below `FOUND`), ``merged into`` the class whose groups hold most of it, or ``left
        out`` if no group holds any of it.
    groups : DataFrame
        A row for each group: ``pixels``; ``class``, that of most of its pixels; ``purity``,
        their share; ``holds``, the share of that class; ``verdict``: ``real`` (pure, and holds
        most of the class), ``a piece`` (pure, but its border to the rest of the class is
        invented) or ``a mixture`` (no class has a share of `PURE`).
    """

    rand: float
    macro_f1: float
    counts: pd.DataFrame
    classes: pd.DataFrame
    groups: pd.DataFrame


def grade(labels, classes) -> Grades:
    """Compare groups with the true class of each pixel.

    Parameters
    ----------
    labels : sequence of int of length n_pixels
        Groups; -1 for none, which are never right.
    classes : sequence of str of length n_pixels
        As from `survey.true_classes`.

    Returns
    -------
    Grades

    Raises
    ------
    ValueError
        If there is no group, or the lengths differ.
    """
    labels = groupings({"labels": labels})["labels"]
    classes = np.asarray(classes)
    if classes.shape != labels.shape:
        raise ValueError(
            f"There are {len(labels)} labels, but classes has the shape {classes.shape}: give one "
            "for each pixel, in the same order."
        )
    if labels.max() < 0:
        raise ValueError(
            f"All {len(labels)} pixels are left out (-1): there is no group to be compared."
        )
    counts = pd.crosstab(pd.Series(labels, name="group"), pd.Series(classes, name="class"))
    inside = counts[counts.index >= 0]
    size, true = inside.sum(axis=1), counts.sum(axis=0)
    name = inside.idxmax(axis=1)

    named = inside.groupby(name).sum().reindex(counts.columns, fill_value=0)  # by name, by class
    right = pd.Series(np.diag(named), index=counts.columns)
    f1 = 2 * right / (named.sum(axis=1) + true)
    each = 2 * inside / (size.to_numpy()[:, None] + true.to_numpy())
    rows, columns = linear_sum_assignment(each.to_numpy(), maximize=True)
    single = pd.Series(0.0, index=counts.columns)
    single.iloc[columns] = each.to_numpy()[rows, columns]
    verdicts = {}
    for kind in counts.columns:
        best = named[kind].idxmax()
        if named[kind].max() == 0:
            verdicts[kind] = "left out"
        elif best != kind:
            verdicts[kind] = f"merged into {best}"
        else:
            verdicts[kind] = "found" if f1[kind] >= FOUND else "blurred"
    by_class = {"pixels": true, "f1": f1, "f1_one_to_one": single, "verdict": pd.Series(verdicts)}

    most = inside.max(axis=1)
    purity, holds = most / size, most / true[name].to_numpy()
    verdict = np.select([purity < PURE, holds >= 0.5], ["a mixture", "real"], "a piece")
    by_group = {"pixels": size, "class": name, "purity": purity, "holds": holds, "verdict": verdict}
    return Grades(
        float(adjusted_rand_score(classes, labels)),
        float(f1.mean()),
        counts,
        pd.DataFrame(by_class),
        pd.DataFrame(by_group),
    )
