"""What a picture of the embedded table costs, and what it is worth.

    python benchmarks/embedding.py            # about 10 minutes on 2 cores
    python benchmarks/embedding.py --quick    # 1,500 pixels, few steps: does it run?

On the whole embedded table (simulated galaxies, every pixel with all adopted features), prints
Markdown tables, each of one run:

- the seconds to the first picture on disk, from the start of a new Python process;
- the seconds for a grid of pictures, by `embedding_grid` and by fitting umap-learn's own UMAP
  class anew for each, on the same neighbours and cores;
- what fewer steps, or a start from the neighbouring picture, save and lose;
- the time and quality of UMAP beside PCA, t-SNE and PaCMAP. PaCMAP is no part of the course:
  it is measured where it is installed.
"""

import argparse
import importlib.util
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from astropy.table import vstack
from joblib import Parallel, delayed
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler

from helpers import layout
from helpers.embedding import GRID, embed, embedding_grid
from helpers.features import feature_table, learning_frame
from helpers.forest import UnsupervisedForest
from helpers.galaxies import GALAXIES
from helpers.quality import continuity, distance_correlation, neighbour_overlap, trustworthiness

WIDTH = 100
"""Neighbours that are known of each pixel: t-SNE of perplexity 30 needs 91."""

DRAW = """
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
plt.scatter(*points.T, s=1)
plt.savefig({picture!r})
"""
SHIPPED = "from helpers.embedding import read_grid\npoints = read_grid().points()\n"
LIVE = (
    "import numpy as np\nfrom helpers.embedding import embed\n"
    "with np.load({neighbours!r}) as file:\n"
    "    neighbours = file['distances'], file['indices']\n"
    "points = embed(neighbours, n_epochs={n_epochs})\n"
)
NAIVE = (
    "import numpy as np, umap\n"
    "with np.load({neighbours!r}) as file:\n"
    "    distances, indices = file['distances'][:, :25], file['indices'][:, :25]\n"
    "points = umap.UMAP(n_neighbors=25, min_dist=0.0, random_state=0, n_jobs=1,\n"
    "    precomputed_knn=(indices, distances)).fit_transform(np.zeros((len(indices), 1)))\n"
)


def seconds(run, *arguments, **options):
    """The result of a call, and how long it took."""
    started = time.perf_counter()
    result = run(*arguments, **options)
    return result, time.perf_counter() - started


def table(*rows):
    """Print a Markdown table, the first row its head."""
    head, *body = rows
    for row in (head, ["---"] * len(head), *body):
        print("| " + " | ".join(str(entry) for entry in row) + " |")
    print(flush=True)


def fitted(neighbours, n_neighbors, min_dist, n_epochs=None):
    """A picture by umap-learn's own class, as its documentation says."""
    import umap

    distances, indices = (part[:, :n_neighbors] for part in neighbours)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "precomputed_knn", UserWarning)
        return umap.UMAP(
            n_neighbors=n_neighbors,
            min_dist=min_dist,
            n_epochs=n_epochs,
            random_state=0,
            n_jobs=1,
            precomputed_knn=(indices, distances),
        ).fit_transform(np.zeros((len(indices), 1), dtype=np.float32))


def first_picture(neighbours, n_epochs, runs):
    """Seconds from the start of a process to a picture on disk."""
    rows = [["First picture, in a new process", "seconds (median)", "of which a core computes"]]
    with tempfile.TemporaryDirectory() as folder:
        places = {"picture": str(Path(folder, "a.png")), "n_epochs": n_epochs}
        places["neighbours"] = str(Path(folder, "neighbours.npz"))
        distances, indices = neighbours
        np.savez(places["neighbours"], distances=distances, indices=indices)
        ways = {
            "read from the shipped grid": SHIPPED if GRID.is_file() else "",
            "computed by `embed`, neighbours given, compiled before": LIVE,
            "computed by umap-learn's UMAP, neighbours given": NAIVE,
        }
        for name, code in ways.items():
            if not code:
                rows.append([name, "no grid", ""])
                continue
            command = [sys.executable, "-W", "ignore", "-c", (code + DRAW).format(**places)]
            subprocess.run(command, check=True)  # what is compiled is kept, files are read
            taken, computed = [], []
            for _ in range(runs):
                before = os.times()
                taken.append(seconds(subprocess.run, command, check=True)[1])
                spent = [b - a for a, b in zip(before, os.times(), strict=True)]
                computed.append(spent[2] + spent[3])  # of processes that have ended
            rows.append([name, *[f"{statistics.median(each):.1f}" for each in (taken, computed)]])
    table(*rows)


def grid(neighbours, forest, values, n_epochs):
    """A grid of pictures against a fit for each of them."""
    cells = list(itertools.product(*values))
    ours, time_ours = seconds(embedding_grid, neighbours, *values, n_epochs=n_epochs)
    trust = trustworthiness(forest, np.stack([ours[(*cell, 0)] for cell in cells]))
    rows = [["Grid", "seconds", "of ours", "trustworthiness above ours, mean (largest)"]]
    rows += [[f"`embedding_grid`, {len(cells)} pictures, {n_epochs} steps", f"{time_ours:.0f}"]]
    rows[-1] += ["1.0", ""]
    usual = None if n_epochs == 300 else n_epochs
    for name, n_jobs, steps in [
        ("UMAP refits, umap-learn's 500 steps", 1, usual),
        ("the same, two processes", 2, usual),
        (f"UMAP refits, {n_epochs} steps, two processes", 2, n_epochs),
    ]:
        with Parallel(n_jobs=n_jobs, max_nbytes=None) as pool:
            jobs = [delayed(fitted)(neighbours, *cell, steps) for cell in cells]
            theirs, taken = seconds(pool, jobs)
        above = trustworthiness(forest, np.stack(theirs)) - trust
        quality = f"{above.mean():+.4f} ({above[np.abs(above).argmax()]:+.4f})"
        rows.append([name, f"{taken:.0f}", f"{taken / time_ours:.1f}", quality])
    table(*rows)
    n_neighbors, min_dist = values[0][1], values[1][-1]
    seeds = [embed(neighbours, n_neighbors, min_dist, n_epochs, random_state=s) for s in range(4)]
    told = ", ".join(f"{value:.4f}" for value in trustworthiness(forest, np.stack(seeds)))
    print(
        f"Trustworthiness of n_neighbors {n_neighbors}, min_dist {min_dist}, four seeds: {told}\n"
    )


def fewer_steps(neighbours, forest, n_epochs):
    """The adopted setting with fewer steps, and from the picture next to it in the grid."""
    embed(neighbours, n_epochs=2)
    next_to_it = embed(neighbours, n_neighbors=50, n_epochs=n_epochs)
    distances, indices = (np.ascontiguousarray(part[:, :25]) for part in neighbours)
    rows = [["Steps", "start", "seconds", "trustworthiness", "continuity"]]
    for steps in (n_epochs * 5 // 3, n_epochs, n_epochs * 2 // 3, n_epochs // 3, n_epochs // 6):
        points, taken = seconds(embed, neighbours, n_epochs=steps)
        rows.append([steps, "spectral", f"{taken:.1f}", *judged(forest, neighbours, points)])
    for steps in (n_epochs // 3, n_epochs // 6):
        low, high = next_to_it.min(axis=0), next_to_it.max(axis=0)

        def from_next(steps, box=(low, high)):
            graph = layout.link(distances, indices.astype(np.int32), steps)
            _, seeds = layout.place(graph, np.random.RandomState(0))
            start = (10 * (next_to_it - box[0]) / (box[1] - box[0])).astype(np.float32)
            return layout.lay_out(graph, (start, seeds), 0.0, steps)

        points, taken = seconds(from_next, steps)
        quality = judged(forest, neighbours, points)
        rows.append([steps, "n_neighbors 50", f"{taken:.1f}", *quality])
    table(*rows)


def judged(forest, neighbours, points):
    """Trustworthiness and continuity under the forest's distance, as text."""
    values = trustworthiness(forest, points), continuity(neighbours, points)
    return [f"{value:.4f}" for value in values]


def beside_others(frame, forest, neighbours, n_epochs):
    """UMAP beside other pictures of the same table."""
    scaled = StandardScaler().fit_transform(frame)
    distances, indices = (part[:, 1:] for part in neighbours)
    starts = np.arange(0, indices.size + 1, indices.shape[1])
    shape = (len(indices),) * 2
    graph = csr_array((distances.ravel(), indices.ravel().astype(np.int32), starts), shape)
    flat = PCA(2).fit_transform(scaled)
    usual = {"random_state": 0, "init": 1e-4 * flat / flat[:, 0].std()}  # as its init="pca"
    if len(frame) < 5000:
        usual["max_iter"] = 250
    methods = {
        "UMAP of the forest's neighbours": lambda: embed(neighbours, n_epochs=n_epochs),
        "t-SNE of the forest's neighbours": lambda: TSNE(
            metric="precomputed", **usual
        ).fit_transform(graph),
        "PCA of the standardised table": lambda: PCA(2).fit_transform(scaled),
        "t-SNE of the standardised table": lambda: TSNE(**usual).fit_transform(scaled),
    }
    if importlib.util.find_spec("pacmap"):
        import pacmap

        methods["PaCMAP of the standardised table"] = lambda: pacmap.PaCMAP(
            random_state=0
        ).fit_transform(scaled.astype(np.float32))
    rows = [["Picture", "seconds", "trust (forest)", "trust (standardised)", "continuity (forest)"]]
    rows[0] += ["overlap of 15 (forest)", "Spearman (forest)", "Spearman (standardised)"]
    for name, make in methods.items():
        points, taken = seconds(make)
        values = [
            trustworthiness(forest, points),
            trustworthiness(frame, points),
            continuity(neighbours, points),
            neighbour_overlap(neighbours, points),
            distance_correlation(forest, points),
            distance_correlation(frame, points),
        ]
        rows.append([name, f"{taken:.1f}", *[f"{value:.3f}" for value in values]])
    if not importlib.util.find_spec("pacmap"):
        rows.append(["PaCMAP of the standardised table", "not installed", *[""] * 6])
    table(*rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="1,500 pixels, few steps")
    quick = parser.parse_args().quick
    frame = learning_frame(vstack([feature_table(name) for name in GALAXIES]))
    frame = frame[:: len(frame) // 1500] if quick else frame
    forest = UnsupervisedForest(random_state=0, n_jobs=2, n_estimators=50 if quick else 500)
    neighbours = forest.fit(frame).kneighbors(WIDTH)
    n_epochs = 30 if quick else 300
    print(f"{len(frame)} pixels, {os.cpu_count()} cores\n")
    first_picture(neighbours, n_epochs, 1 if quick else 3)
    values = ((10, 25), (0.0,)) if quick else ((10, 25, 50), (0.0, 0.5))
    grid(neighbours, forest, values, n_epochs)
    fewer_steps(neighbours, forest, n_epochs)
    beside_others(frame, forest, neighbours, n_epochs)


if __name__ == "__main__":
    main()
