"""How fast the forest's distances and neighbours are, beside other ways to the same numbers.

    python benchmarks/forest.py                     # about 15 minutes on 2 cores
    python benchmarks/forest.py --write             # the same, into docs/forest-speed.md and .png
    python benchmarks/forest.py --rows 50000 --trees 100      # other tables; can be repeated
    python benchmarks/forest.py --quick             # one small table: does it run?

Prints a Markdown table: the median seconds of each way in this one run, and how many times as
long as ours it took. The tables are the embedded survey (simulated galaxies) and random tables of
the same kind. The rule is ``all`` (the trees in which two objects share a leaf over all trees),
because that is what the other ways measure; ours in ``both_real`` stands beside it. Every way may
use `N_JOBS` threads; most use one. Compiling does not count. An exact way must give our
distances, or the run stops. A way that would take `PATIENCE` on a table, judged by its time on a
smaller one, or more than a fifth of the free memory, is left out. sparse_dot_topn takes part if it
is installed; the course does not need it.
"""

import argparse
import copy
import multiprocessing
import os
import platform
import tempfile
import time
import warnings
from datetime import date
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import vstack
from matplotlib.ticker import NullFormatter
from scipy.sparse import csr_matrix
from scipy.spatial.distance import pdist, squareform
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import OneHotEncoder

from helpers.features import feature_table, learning_frame
from helpers.forest import UnsupervisedForest, _number_leaves
from helpers.galaxies import GALAXIES
from helpers.memory import free_memory
from helpers.simulate import random_table

DOCS = Path(__file__).resolve().parents[1] / "docs"
ROWS = (2000, 5000, 10_000, 20_000, 50_000)
TREES = (100, 500)
WITH_MANY_TREES = ("embedded",)
"""The tables on which the larger number of trees is compared too, unless asked otherwise."""
LARGEST = 200_000
"""Rows on which only the approximate search is asked, with 100 trees."""
N_JOBS = 2
NEIGHBOURS = (25, 200)
REPEATS = 3
SLOW = 4.0
"""A way that took longer than this (s) is timed once more only, and the shorter time counts."""
PATIENCE = 25.0


def embedded_table():
    return learning_frame(vstack([feature_table(name) for name in GALAXIES]))


def row_loop(leaves):
    """One row of the matrix after the other, as the method was published."""
    distance = np.empty((len(leaves), len(leaves)), dtype=np.float32)
    for i, row in enumerate(leaves):
        distance[i] = 1 - np.mean(leaves == row, axis=1)
    return distance


def hamming_pairs(leaves):
    return pdist(leaves, "hamming")


def sparse_product(leaves):
    """One column for each leaf: the product of the table with itself counts common leaves."""
    one_hot = csr_matrix(OneHotEncoder(dtype=np.float32).fit_transform(leaves))
    return 1 - (one_hot @ one_hot.T).toarray() / leaves.shape[1]


def brute_neighbours(leaves, k):
    search = NearestNeighbors(n_neighbors=k, algorithm="brute", metric="hamming", n_jobs=N_JOBS)
    return search.fit(leaves).kneighbors(leaves)


def descent_neighbours(leaves, k):
    from pynndescent import NNDescent

    search = NNDescent(
        leaves.astype(np.float32),
        metric="hamming",
        n_neighbors=k,
        random_state=0,
        n_jobs=N_JOBS,
    )
    indices, distances = search.neighbor_graph
    return distances, indices


def sparse_top_neighbours(leaves, k):
    from sparse_dot_topn import sp_matmul_topn

    one_hot = csr_matrix(OneHotEncoder(dtype=np.float32).fit_transform(leaves))
    return sp_matmul_topn(one_hot, one_hot.T.tocsr(), top_n=k, sort=True, n_threads=N_JOBS)


MATRIX_WAYS = (row_loop, hamming_pairs, sparse_product)
NEIGHBOUR_WAYS = (brute_neighbours, descent_neighbours, sparse_top_neighbours)


def clock(way):
    """The median seconds of some calls, and what the first one gave."""

    def timed():
        start = time.perf_counter()
        result = way()
        return time.perf_counter() - start, result

    seconds, result = timed()
    if seconds > SLOW:
        return min(seconds, timed()[0]), result
    return float(np.median([timed()[0] for _ in range(REPEATS)])), result


class Report:
    """Prints each line as it is known, and keeps it."""

    def __init__(self):
        self.lines, self.times = [], {}

    def say(self, text=""):
        print(text, flush=True)
        self.lines.append(text)

    def line(self, name, n_rows, n_trees, task, way, seconds, ours, remark=""):
        self.times[(n_trees, task, way, n_rows)] = seconds
        self.say(
            f"| {name} | {n_rows:,} | {n_trees} | {task} | {way} | {seconds:.3f} "
            f"| {seconds / ours:.1f} | {remark} |"
        )

    def too_slow(self, n_rows, n_trees, task, way):
        """Whether a way that needs time with the square of the rows would need too much."""
        known = [
            seconds * (n_rows / rows) ** 2
            for (trees, what, who, rows), seconds in self.times.items()
            if (trees, what, who) == (n_trees, task, way) and rows < n_rows
        ]
        return bool(known) and known[-1] > PATIENCE


def shared(leaves):
    """The share of pairs of objects that a tree puts into one leaf that counts."""
    none = np.iinfo(leaves.dtype).max
    sizes = [np.bincount(column[column != none]) for column in leaves.T]
    return np.mean([np.sum(size.astype(float) ** 2) for size in sizes]) / len(leaves) ** 2


def compare(report, name, table, n_trees):
    both_real = UnsupervisedForest(n_trees, random_state=0, n_jobs=N_JOBS)
    start = time.perf_counter()
    both_real.fit(table)
    fit = time.perf_counter() - start
    forest = copy.copy(both_real)
    X = np.asarray(table, dtype=np.float32)
    forest.leaves_ = _number_leaves(forest.forest_, forest.forest_.apply(X), only_real=False)
    leaves = forest.leaves_
    n_rows = len(leaves)
    room = (free_memory() or np.inf) / 5
    report.line(
        name, n_rows, n_trees, "fit", "ours", fit, fit,
        f"{100 * shared(both_real.leaves_):.1f} % of pairs share a leaf",
    )  # fmt: skip

    if 8 * n_rows**2 < room:
        ours, distance = clock(forest.distances)
        report.line(name, n_rows, n_trees, "matrix", "ours", ours, ours)
        seconds, _ = clock(both_real.distances)
        report.line(name, n_rows, n_trees, "matrix", "ours, both_real", seconds, ours)
        for way in MATRIX_WAYS:
            if report.too_slow(n_rows, n_trees, "matrix", way.__name__):
                continue
            seconds, theirs = clock(lambda way=way: way(leaves))
            theirs = squareform(theirs, checks=False) if theirs.ndim == 1 else theirs
            np.testing.assert_allclose(theirs, distance, atol=1e-5)
            report.line(name, n_rows, n_trees, "matrix", way.__name__, seconds, ours)
            del theirs
        del distance

    for k in NEIGHBOURS:
        task = f"{k} neighbours"
        ours, (near, _) = clock(lambda k=k: forest.kneighbors(k))
        report.line(name, n_rows, n_trees, task, "ours", ours, ours)
        seconds, _ = clock(lambda k=k: both_real.kneighbors(k))
        report.line(name, n_rows, n_trees, task, "ours, both_real", seconds, ours)
        for way in NEIGHBOUR_WAYS:
            if report.too_slow(n_rows, n_trees, task, way.__name__):
                continue
            if way is brute_neighbours and 16 * n_rows**2 > room:
                continue
            try:
                seconds, theirs = clock(lambda way=way, k=k: way(leaves, k))
            except ModuleNotFoundError:
                continue
            remark = ""
            if way is not sparse_top_neighbours:
                # Among ties any neighbour is right: what counts is its distance.
                recall = np.mean(theirs[0] <= near[:, -1:] + 1e-6)
                remark = f"recall {recall:.4f}"
            report.line(name, n_rows, n_trees, task, way.__name__, seconds, ours, remark)


def approximate(report, n_rows):
    forest = UnsupervisedForest(100, random_state=0, n_jobs=N_JOBS).fit(random_table(n_rows))
    seconds, _ = clock(lambda: forest.kneighbors(NEIGHBOURS[0], method="approximate"))
    report.line(
        f"random {n_rows:,}", n_rows, 100, f"{NEIGHBOURS[0]} neighbours", "ours, approximate",
        seconds, seconds, f"recall {forest.recall_:.4f}",
    )  # fmt: skip


def peak():
    """The largest memory of this process since its start or `forget` (MB); Linux only."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


def forget():
    Path("/proc/self/clear_refs").write_text("5", "ascii")


def remember(n_rows, pipe):
    """In a process of its own: its peak with the fit, and what the search took on top."""
    forest = UnsupervisedForest(100, random_state=0, n_jobs=N_JOBS)
    forest.fit(random_table(500)).kneighbors(2)  # compiles
    forest.fit(random_table(n_rows))
    fitted = peak()
    del forest.forest_
    forget()
    before = peak()
    result = forest.kneighbors(NEIGHBOURS[0])
    pipe.send((fitted, peak() - before - sum(part.nbytes for part in result) / 1e6))


def memory(report, rows):
    report.say(
        "\n| rows | whole process after the fit (MB) | 25 neighbours, beyond the result (MB) |"
    )
    report.say("|---|---|---|")
    spawn = multiprocessing.get_context("spawn")
    for n_rows in rows:
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=remember, args=(n_rows, theirs))
        process.start()
        fitted, beyond = ours.recv()
        process.join()
        report.say(f"| {n_rows:,} | {fitted:.0f} | {max(beyond, 0):.0f} |")


def begin(pipe):
    """In a process of its own: what the first calls of all cost."""
    forest = UnsupervisedForest(100, random_state=0, n_jobs=N_JOBS).fit(random_table(500))
    taken = []
    for way in (lambda: forest.kneighbors(NEIGHBOURS[0]), forest.distances):
        start = time.process_time()
        way()
        taken.append(time.process_time() - start)
    pipe.send(taken)


def first_calls(report):
    """Processor time of the first calls in a process, with nothing compiled and with all of it."""
    report.say("\n| first calls in a process | kneighbors (s) | distances after it (s) |")
    report.say("|---|---|---|")
    spawn = multiprocessing.get_context("spawn")
    before = os.environ.get("NUMBA_CACHE_DIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NUMBA_CACHE_DIR"] = folder
        for state in ("nothing compiled yet", "compiled before"):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=begin, args=(theirs,))
            process.start()
            report.say("| " + " | ".join([state, *(f"{s:.2f}" for s in ours.recv())]) + " |")
            process.join()
    if before is None:
        del os.environ["NUMBA_CACHE_DIR"]
    else:
        os.environ["NUMBA_CACHE_DIR"] = before


def draw(times, n_trees, file):
    """Seconds against the number of rows, for the matrix and for 25 neighbours."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained", sharey=True)
    styles = dict(enumerate("os^DvPX*h"))
    for axis, task in zip(axes, ("matrix", f"{NEIGHBOURS[0]} neighbours"), strict=True):
        times = {key: seconds for key, seconds in times.items() if key[-1] < LARGEST}
        ways = list(dict.fromkeys(w for t, what, w, _ in times if (t, what) == (n_trees, task)))
        for number, way in enumerate(ways):
            points = sorted(
                (n, s)
                for (t, what, w, n), s in times.items()
                if (t, what, w) == (n_trees, task, way)
            )
            axis.plot(
                *zip(*points, strict=True), marker=styles[number], label=way.replace("_", " ")
            )
        axis.set(xscale="log", yscale="log", title=task, xlabel="rows")
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_xticks(ROWS, [f"{rows:,}" for rows in ROWS])
        axis.legend(fontsize=8)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(f"time (s), {n_trees} trees, {N_JOBS} cores")
    figure.savefig(file, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, action="append", help="rows of a random table")
    parser.add_argument("--trees", type=int, action="append", help="100 and 500 by default")
    parser.add_argument("--quick", action="store_true", help="one small table")
    parser.add_argument("--write", action="store_true", help="keep table and plot in docs/")
    choice = parser.parse_args()
    whole = not (choice.rows or choice.quick)
    trees = choice.trees or ((20,) if choice.quick else TREES)
    tables = {"embedded": embedded_table} if whole else {}
    for n_rows in choice.rows or ((500,) if choice.quick else ROWS):
        tables[f"random {n_rows:,}"] = lambda n_rows=n_rows: random_table(n_rows)
    # pynndescent misses a few neighbours and says so: the table says how many.
    warnings.filterwarnings("ignore", message="Failed to correctly find n_neighbors")
    descent_neighbours(np.arange(200).reshape(100, 2), 5)  # compiles for a minute, not timed
    UnsupervisedForest(10, random_state=0).fit(random_table(500)).kneighbors(5)
    report = Report()
    report.say("| table | rows | trees | task | way | seconds | times ours | |")
    report.say("|---|---|---|---|---|---|---|---|")
    for name, table in tables.items():
        for n_trees in trees:
            if not whole or n_trees == TREES[0] or name in WITH_MANY_TREES:
                compare(report, name, table(), n_trees)
    if whole:
        approximate(report, LARGEST)
    if whole or choice.quick:
        memory(report, ROWS[2:] if whole else (2000,))
        first_calls(report)
    if choice.write:
        DOCS.mkdir(exist_ok=True)
        head = [
            "# How fast the forest is",
            "",
            f"Made by `python benchmarks/forest.py --write` on {date.today()}, Python "
            f"{platform.python_version()} on {platform.system()} {platform.machine()}, "
            f"{N_JOBS} cores. Medians of {REPEATS} runs; what took more than {SLOW:.0f} s was run "
            "twice, and the shorter time counts. How each way works stands in the program.",
            "",
            "![Seconds against rows, both axes logarithmic, one line for each way; the numbers "
            "stand in the table.](forest-speed.png)",
            "",
        ]
        (DOCS / "forest-speed.md").write_text("\n".join([*head, *report.lines, ""]), "utf-8")
        draw(report.times, trees[0], DOCS / "forest-speed.png")


if __name__ == "__main__":
    main()
