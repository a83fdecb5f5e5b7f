"""How fast the forest's distances and neighbours are, beside other ways to the same numbers.

    python benchmarks/forest.py                  # the embedded table, 2,000 to 10,000 rows
    python benchmarks/forest.py --rows 50000     # another number of rows; can be repeated
    python benchmarks/forest.py --quick          # one small table: does it run?

Prints a Markdown table: the median seconds of each way in this one run, and how many times as
long as ours it took. Ways that would take a matrix of more than half the free memory are left
out. The rule is ``all`` (the trees in which two objects share a leaf over all trees), because
that is what the other ways measure; ours in ``both_real`` stands beside it. Every way may use
`N_JOBS` threads; most use one. Compiling does not count. An exact way must give our distances, or
the run stops.
"""

import argparse
import time
import warnings

import numpy as np
from astropy.table import vstack
from scipy.sparse import csr_matrix
from scipy.spatial.distance import pdist, squareform
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import OneHotEncoder

from helpers.features import feature_table, learning_frame
from helpers.forest import UnsupervisedForest
from helpers.galaxies import GALAXIES
from helpers.memory import free_memory
from helpers.simulate import random_table

N_JOBS = 2
NEIGHBOURS = (25, 200)
REPEATS = 3
SLOW = 30.0
"""A way that took longer than this (s) is not timed again."""


def embedded_table():
    tables = [feature_table(name) for name in GALAXIES]
    return learning_frame(vstack(tables, metadata_conflicts="silent"))


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


def clock(way):
    """The median seconds of a call, and what the first one gave."""
    start = time.perf_counter()
    result = way()
    if (seconds := time.perf_counter() - start) > SLOW:
        return seconds, result
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        way()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken)), result


def line(name, n_rows, n_trees, task, way, seconds, ours, remark=""):
    print(
        f"| {name} | {n_rows} | {n_trees} | {task} | {way} | {seconds:.3f} "
        f"| {seconds / ours:.1f} | {remark} |",
        flush=True,
    )


def compare(name, table, n_trees):
    forests = {
        rule: UnsupervisedForest(n_trees, leaf_rule=rule, random_state=0, n_jobs=N_JOBS).fit(table)
        for rule in ("all", "both_real")
    }
    forest = forests["all"]
    leaves = forest.leaves_
    n_rows = len(leaves)
    room = free_memory() or np.inf

    if 8 * n_rows**2 < room / 2:
        ours, distance = clock(forest.distances)
        line(name, n_rows, n_trees, "matrix", "ours", ours, ours)
        seconds, _ = clock(forests["both_real"].distances)
        line(name, n_rows, n_trees, "matrix", "ours, both_real", seconds, ours)
        for way in (row_loop, hamming_pairs, sparse_product):
            seconds, theirs = clock(lambda way=way: way(leaves))
            theirs = squareform(theirs, checks=False) if theirs.ndim == 1 else theirs
            np.testing.assert_allclose(theirs, distance, atol=1e-5)
            line(name, n_rows, n_trees, "matrix", way.__name__, seconds, ours)
            del theirs
        del distance

    for k in NEIGHBOURS:
        task = f"{k} neighbours"
        ours, (near, _) = clock(lambda k=k: forest.kneighbors(k))
        line(name, n_rows, n_trees, task, "ours", ours, ours)
        seconds, _ = clock(lambda k=k: forests["both_real"].kneighbors(k))
        line(name, n_rows, n_trees, task, "ours, both_real", seconds, ours)
        for way in (brute_neighbours, descent_neighbours, sparse_top_neighbours):
            if way is brute_neighbours and 16 * n_rows**2 > room / 2:
                continue
            try:
                seconds, theirs = clock(lambda way=way, k=k: way(leaves, k))
            except ModuleNotFoundError as missing:
                print(f"| {name} | {n_rows} | {n_trees} | {task} | {missing} | | | |")
                continue
            remark = ""
            if way is not sparse_top_neighbours:
                # Among ties any neighbour is right: what counts is its distance.
                recall = np.mean(theirs[0] <= near[:, -1:] + 1e-6)
                remark = f"recall {recall:.4f}"
            line(name, n_rows, n_trees, task, way.__name__, seconds, ours, remark)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, action="append", help="rows of a random table")
    parser.add_argument("--trees", type=int, action="append", help="100 and 500 by default")
    parser.add_argument("--quick", action="store_true", help="one small table")
    choice = parser.parse_args()
    trees = choice.trees or ([20] if choice.quick else [100, 500])
    tables = {}
    if not (choice.rows or choice.quick):
        tables["embedded"] = embedded_table()
    for n_rows in choice.rows or ([500] if choice.quick else [2000, 5000, 10000]):
        tables[f"random {n_rows}"] = random_table(n_rows)
    # pynndescent misses a few neighbours and says so: the table says how many.
    warnings.filterwarnings("ignore", message="Failed to correctly find n_neighbors")
    descent_neighbours(np.arange(200).reshape(100, 2), 5)  # compiles for a minute, not timed
    print("| table | rows | trees | task | way | seconds | times ours | |")
    print("|---|---|---|---|---|---|---|---|")
    for name, table in tables.items():
        for n_trees in trees:
            compare(name, table, n_trees)


if __name__ == "__main__":
    main()
