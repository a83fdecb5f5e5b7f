"""What the forest's settings do to its time and to the neighbours it finds.

    python benchmarks/forest_defaults.py            # about 6 minutes on 2 cores
    python benchmarks/forest_defaults.py --write    # the same, into docs/forest-defaults.md
    python benchmarks/forest_defaults.py --seeds 3  # medians over three seeds
    python benchmarks/forest_defaults.py --quick    # few trees: does it run?

On the whole embedded table (simulated galaxies, every pixel with all adopted features), prints a
Markdown table with, for each setting (otherwise the published recipe), the median over the
seeds of

- the seconds of the fit, with two threads;
- the overlap of the 25 nearest with those of the published recipe (500 trees, all rows for each
  tree) under another seed: the recipe's own row is what overlap can be had at all;
- the purity: the share of the 25 nearest that are of the pixel's own true class (its largest
  component), over all pixels and as the mean over the five classes;
- the largest number of leaves of a tree that count, and the share of pixel pairs in one leaf.
"""

import argparse
import functools
import platform
import time
from datetime import date
from pathlib import Path
from unittest import mock

import numpy as np
from astropy.table import vstack
from sklearn.ensemble import ExtraTreesClassifier

from helpers.features import feature_table, learning_frame
from helpers.forest import UnsupervisedForest
from helpers.galaxies import GALAXIES
from helpers.survey import true_classes

N_JOBS = 2
K = 25
RECIPE = {"n_estimators": 500, "max_samples": None}
DOCS = Path(__file__).resolve().parents[1] / "docs"
SETTINGS = [
    ("recipe", {}),
    ("1000 trees", {"n_estimators": 1000}),
    ("200 trees", {"n_estimators": 200}),
    ("100 trees", {"n_estimators": 100}),
    ("50 trees", {"n_estimators": 50}),
    ("half the rows", {"max_samples": 0.5}),
    ("a quarter of the rows", {"max_samples": 0.25}),
    ("a tenth of the rows", {"max_samples": 0.1}),
    ("200 trees, half the rows", {"n_estimators": 200, "max_samples": 0.5}),
    ("200 trees, a quarter of the rows", {"n_estimators": 200, "max_samples": 0.25}),
    ("leaves of 2 and more", {"min_samples_leaf": 2}),
    ("leaves of 5 and more", {"min_samples_leaf": 5}),
    ("leaves of 20 and more", {"min_samples_leaf": 20}),
    ("log2 features a split", {"max_features": "log2"}),
    ("half the features a split", {"max_features": 0.5}),
    ("rule all", {"leaf_rule": "all"}),
    ("ExtraTrees", {"extra": True}),
    ("ExtraTrees, leaves of 20", {"extra": True, "min_samples_leaf": 20}),
]


def embedded_table():
    """The adopted features of every pixel that has them all, and each pixel's true class."""
    table = vstack([feature_table(name) for name in GALAXIES])
    frame = learning_frame(table)
    return frame, true_classes(frame.index)


def fitted(frame, seed, extra=False, **settings):
    kind = mock.DEFAULT
    if extra:
        kind = functools.partial(ExtraTreesClassifier, bootstrap=True)
    forest = UnsupervisedForest(**RECIPE | settings, random_state=seed, n_jobs=N_JOBS)
    if not extra:
        return forest.fit(frame)
    with mock.patch("helpers.forest.RandomForestClassifier", kind):
        return forest.fit(frame)


def overlap(some, others):
    """The mean share of neighbours that two lists have in common; the object itself is none."""
    shared = [len(np.intersect1d(a[1:], b[1:])) for a, b in zip(some, others, strict=True)]
    return np.mean(shared) / (some.shape[1] - 1)


def sharing(leaves):
    """The share of pairs of objects that a tree puts into one leaf."""
    shares = []
    for column in leaves.T:
        sizes = np.bincount(column[column != np.iinfo(leaves.dtype).max])
        shares.append(np.sum(sizes.astype(float) ** 2) / len(column) ** 2)
    return np.mean(shares)


def measure(frame, classes, reference, seed, settings):
    start = time.perf_counter()
    forest = fitted(frame, seed, **settings)
    fit = time.perf_counter() - start
    _, near = forest.kneighbors(K)
    same = np.mean(classes[near[:, 1:]] == classes[:, None], axis=1)
    purity = [same[classes == c].mean() for c in np.unique(classes)]
    none = np.iinfo(forest.leaves_.dtype).max
    most = int(forest.leaves_.max(where=forest.leaves_ != none, initial=0)) + 1
    return (
        fit,
        overlap(near, reference),
        same.mean(),
        np.mean(purity),
        most,
        sharing(forest.leaves_),
        forest.oob_score_,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few trees")
    parser.add_argument("--seeds", type=int, default=1, help="forests of each setting")
    parser.add_argument("--write", action="store_true", help="keep the table in docs/")
    choice = parser.parse_args()
    frame, classes = embedded_table()
    trees = {"n_estimators": 10} if choice.quick else {}
    _, reference = fitted(frame, 100, **trees).kneighbors(K)
    lines = [
        f"{len(frame):,} pixels, {frame.shape[1]} features, forests a setting: {choice.seeds}",
        "",
        "| setting | fit (s) | overlap | purity | purity, mean of classes "
        "| leaves | pairs in one leaf | out-of-bag |",
        "|---|---|---|---|---|---|---|---|",
    ]
    print(*lines, sep="\n")
    for name, settings in SETTINGS[:1] if choice.quick else SETTINGS:
        runs = [
            measure(frame, classes, reference, seed, settings | trees)
            for seed in range(choice.seeds)
        ]
        fit, common, purity, by_class, most, shared, oob = np.median(runs, axis=0)
        lines.append(
            f"| {name} | {fit:.1f} | {common:.3f} | {purity:.3f} | {by_class:.3f} "
            f"| {most:.0f} | {100 * shared:.1f} % | {oob:.3f} |"
        )
        print(lines[-1], flush=True)
    if choice.write:
        DOCS.mkdir(exist_ok=True)
        head = [
            "# What the forest's settings do",
            "",
            f"Made by `python benchmarks/forest_defaults.py --write` on {date.today()}, Python "
            f"{platform.python_version()} on {platform.system()} {platform.machine()}, "
            f"{N_JOBS} cores. What the columns mean stands in the program.",
            "",
        ]
        (DOCS / "forest-defaults.md").write_text("\n".join([*head, *lines, ""]), "utf-8")


if __name__ == "__main__":
    main()
