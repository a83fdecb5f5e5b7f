"""The embedding keeps neighbours, is umap-learn's own, and says what it cannot draw."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from astropy.table import vstack
from sklearn.datasets import make_blobs
from sklearn.manifold import trustworthiness
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

from helpers import layout, pictures, remake
from helpers.distances import METRICS, nearest
from helpers.embedding import GRID, Progress, align, embed, embedding_grid, read_grid, write_grid
from helpers.features import feature_table, learning_frame
from helpers.forest import UnsupervisedForest
from helpers.galaxies import GALAXIES
from helpers.null import one_gaussian, shuffle_columns
from helpers.quality import neighbour_overlap, stability


def neighbours_of(X, n_neighbors):
    return NearestNeighbors(n_neighbors=n_neighbors).fit(X).kneighbors(X)


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(400, 6, centers=3, cluster_std=2.0, random_state=0)


@pytest.fixture(scope="module")
def wide(blobs):
    return neighbours_of(blobs[0], 60)


@pytest.fixture(scope="module")
def points(wide):
    return embed(wide, n_neighbors=15, n_epochs=200)


def test_neighbours_stay_neighbours(blobs, points):
    X, group = blobs
    assert points.shape == (400, 2) and np.all(np.isfinite(points))
    assert trustworthiness(X, points, n_neighbors=10) > 0.9
    assert silhouette_score(points, group) > 0.5


@pytest.mark.parametrize("n_neighbors", [5, 15])
def test_it_is_the_embedding_that_umap_makes_of_the_same_graph(wide, n_neighbors):
    """UMAP itself warns, and of a wider graph it would use every column, so it gets a slice."""
    import umap

    distances, indices = (part[:, :n_neighbors] for part in wide)
    with pytest.warns(UserWarning, match="transforming new data with transform"):
        theirs = umap.UMAP(
            n_neighbors=n_neighbors,
            min_dist=0.0,
            n_epochs=50,
            random_state=3,
            n_jobs=1,
            precomputed_knn=(indices, distances.astype(np.float32), None),
        ).fit_transform(np.zeros((len(indices), 1), dtype=np.float32))
    ours = embed(wide, n_neighbors=n_neighbors, n_epochs=50, random_state=3)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_umap_itself_links_every_known_neighbour_of_a_small_table(wide):
    """umap-learn 0.5.12, fewer than 4,096 objects: why `embed` cuts the graph itself."""
    import umap

    def links(width):
        distances, indices = (part[:, :width] for part in wide)
        model = umap.UMAP(
            n_neighbors=5,
            n_epochs=11,
            random_state=3,
            n_jobs=1,
            precomputed_knn=(indices, distances.astype(np.float32), None),
        )
        with pytest.warns(UserWarning, match="transforming new data with transform"):
            model.fit(np.zeros((len(indices), 1), dtype=np.float32))
        return model.graph_.nnz

    assert links(5) < 2 * 5 * 400
    assert links(60) > 5 * links(5)
    distances, indices = (part.astype(kind) for part, kind in zip(wide, "fi", strict=True))
    cut = (np.ascontiguousarray(part[:, :5]) for part in (distances, indices))
    assert layout.link(*cut, n_epochs=10**6).nnz == links(5)


def test_only_the_neighbours_asked_for_are_used(wide, points):
    narrow = tuple(part[:, :15] for part in wide)
    np.testing.assert_array_equal(embed(narrow, n_neighbors=15, n_epochs=200), points)
    assert not np.allclose(embed(wide, n_neighbors=60, n_epochs=200), points, atol=1.0)


def test_the_same_seed_draws_the_same_picture_and_another_seed_another(wide, points):
    np.testing.assert_array_equal(embed(wide, n_neighbors=15, n_epochs=200), points)
    other = embed(wide, n_neighbors=15, n_epochs=200, random_state=1)
    assert np.abs(other - points).max() > 0.1


def test_min_dist_keeps_points_apart(wide, points):
    apart = embed(wide, n_neighbors=15, min_dist=0.8, n_epochs=200)
    nearest = [neighbours_of(p, 2)[0][:, 1].mean() for p in (points, apart)]
    assert nearest[1] > 2 * nearest[0]


@pytest.mark.parametrize("groups", [2, 4, 7])
def test_graphs_in_pieces_are_drawn_too(groups):
    X, group = make_blobs(40 * groups, 3, centers=groups, cluster_std=0.01, random_state=1)
    points = embed(neighbours_of(X, 8), n_neighbors=8, n_epochs=200)
    again = embed(neighbours_of(X, 8), n_neighbors=8, n_epochs=200)
    np.testing.assert_array_equal(points, again)
    assert silhouette_score(points, group) > 0.2


def test_a_handful_of_points_and_duplicates_are_drawn():
    few = np.arange(5.0)[:, None]
    assert np.all(np.isfinite(embed(neighbours_of(few, 3), n_neighbors=3, n_epochs=20)))
    twins = np.repeat(np.random.default_rng(0).standard_normal((30, 2)), 2, axis=0)
    distances, indices = neighbours_of(twins, 6)
    for i, row in enumerate(indices):  # oneself first, also among equals
        row[: np.flatnonzero(row == i)[0] + 1] = np.roll(row[: np.flatnonzero(row == i)[0] + 1], 1)
    assert np.all(np.isfinite(embed((distances, indices), n_neighbors=6, n_epochs=50)))


def test_progress_is_told_after_each_step_and_can_stop_the_layout(wide, capsys):
    told = []
    embed(wide, n_epochs=20, progress=lambda done, total: told.append((done, total)))
    assert told == [(step, 20) for step in range(1, 21)]
    before = [part.copy() for part in wide]

    def stop(done, total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(wide, n_epochs=20, progress=stop)
    for part, old in zip(wide, before, strict=True):
        np.testing.assert_array_equal(part, old)
    embed(wide, n_epochs=20, progress=Progress("the blobs:"))
    assert capsys.readouterr().out.rstrip().endswith("the blobs: 20 of 20, done")


def test_the_time_left_is_told(capsys):
    progress = Progress("cells")
    progress(10, 30)
    time.sleep(0.6)
    progress(20, 30)
    assert capsys.readouterr().out.rstrip().endswith("cells 20 of 30, 1 s left")


SLOW = """
import signal
import sys
import numpy as np
from helpers import layout
from helpers.distances import nearest
from helpers.embedding import embed, embedding_grid
table = np.random.default_rng(0).standard_normal((600, 4))
neighbours = nearest(table, "euclidean", 31)
say = lambda done, total: print(done, flush=True)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
"""


@pytest.mark.skipif(os.name != "posix", reason="an interrupt is sent as a signal")
@pytest.mark.parametrize(
    "run",
    [
        "embed(neighbours, n_epochs=10**6, progress=say)",
        "embedding_grid(neighbours, (5, 10), range(2), n_epochs=10**6, progress=say)",
    ],
    ids=["one", "grid"],
)
def test_an_interrupted_kernel_stops_at_once_and_can_go_on(run):
    code = (
        SLOW
        + f"""
first = embed(neighbours, n_epochs=30)
try:
    {run}
except KeyboardInterrupt:
    print("stopped", flush=True)
assert (embed(neighbours, n_epochs=30) == first).all()
"""
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        child.stdout.readline()
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        try:
            rest, _ = child.communicate(timeout=120)
        finally:
            child.kill()
    assert child.returncode == 0 and rest.endswith("stopped\n")


# ------------------------------------------------------------------------------ the grid


def test_each_cell_of_a_grid_is_the_embedding_of_its_setting(wide):
    told = []
    cells = embedding_grid(
        wide,
        n_neighbors=(5, 30),
        min_dist=(0.0, 0.5),
        random_state=(0, 7),
        n_epochs=30,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(done, 8) for done in range(9)]
    assert set(cells) == set(itertools.product((5, 30), (0.0, 0.5), (0, 7)))
    for (n_neighbors, min_dist, seed), points in cells.items():
        alone = embed(wide, n_neighbors, min_dist, n_epochs=30, random_state=seed)
        np.testing.assert_array_equal(points, alone)


@pytest.mark.skipif(os.name != "posix", reason="the run is killed by a signal")
def test_a_killed_grid_goes_on_where_it_was(tmp_path):
    """A real process, killed after its third picture; the half-written file is no picture."""
    grid = {"n_neighbors": (5, 10, 30), "min_dist": (0.0, 0.2, 0.9), "n_epochs": 200}
    code = SLOW + f"embedding_grid(neighbours, **{grid}, folder=sys.argv[1], progress=say)"
    command = [sys.executable, "-c", code, tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        while int(child.stdout.readline()) < 3:
            pass
        os.kill(child.pid, signal.SIGKILL)
    finished = sorted(tmp_path.glob("*.npy"))
    assert 3 <= len(finished) < 9
    finished[0].write_bytes(finished[0].read_bytes()[:1000])
    written = {path: path.stat().st_mtime_ns for path in finished}

    table = np.random.default_rng(0).standard_normal((600, 4))
    neighbours = nearest(table, "euclidean", 31)
    told = []
    cells = embedding_grid(
        neighbours, **grid, folder=tmp_path, progress=lambda *counts: told.append(counts)
    )
    assert told[0] == (len(finished) - 1, 9) and told[-1] == (9, 9)
    kept = [path for path in finished if path.stat().st_mtime_ns == written[path]]
    assert kept == finished[1:]
    for (n, distance, seed), points in cells.items():
        alone = embed(neighbours, n, distance, n_epochs=200, random_state=seed)
        np.testing.assert_array_equal(points, alone)
    # Of other neighbours nothing is taken from there.
    told.clear()
    embedding_grid(
        nearest(-table[::-1], "euclidean", 31),
        **grid | {"n_epochs": 2},
        folder=tmp_path,
        progress=lambda *counts: told.append(counts),
    )
    assert told[0] == (0, 9)


def test_a_grid_that_cannot_be_made_is_refused_before_any_work(wide, tmp_path):
    for wrong, words in [
        ({"n_neighbors": (5, 61)}, "n_neighbors=61, but 60 neighbours"),
        ({"min_dist": (0.0, 2.0)}, "min_dist=2.0 is no distance"),
        ({"random_state": (0, -1)}, "random_state=-1 is no seed"),
        ({"n_neighbors": ()}, "at least one value"),
        ({"n_epochs": 0}, "is no number of steps"),
    ]:
        with pytest.raises(ValueError, match=words):
            embedding_grid(wide, **{"n_neighbors": (5,), "folder": tmp_path / "new"} | wrong)
    assert not (tmp_path / "new").exists()


def test_a_failing_cell_stops_the_grid(wide, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        embedding_grid(wide, (5,), (0.0,), n_epochs=5, folder=tmp_path / "file")


def test_pictures_are_aligned_by_turning_and_mirroring_alone(points):
    turned = points @ np.array([[0.6, 0.8], [0.8, -0.6]]) + [3, -40]
    np.testing.assert_allclose(align(turned, points), points, atol=1e-4)
    larger = align(2 * turned, points)
    np.testing.assert_allclose(larger - larger.mean(0), 2 * (points - points.mean(0)), atol=1e-3)
    with pytest.raises(ValueError, match="Only two pictures of the same objects"):
        align(points, points[:-1])


# ------------------------------------------------------------------------ files of a grid


@pytest.fixture
def made(tmp_path, wide, blobs):
    """A small file, the table and the pictures in it."""
    frame = pd.DataFrame(blobs[0], columns=list("abcdef"))
    frame.index = [f"ngc0628-0001-{i:04d}" for i in range(len(frame))]
    cells = embedding_grid(wide, (5, 25), (0.0, 0.5), n_epochs=20)
    pictures = {("forest", *setting): points for setting, points in cells.items()}
    pictures["cosine", 25, 0.0, 0] = points = embed(wide, n_epochs=20, random_state=5)
    assert points.shape == (400, 2)
    write_grid(tmp_path / "made.npz", frame, pictures, {"n_epochs": 20})
    return tmp_path / "made.npz", frame, pictures


def test_a_file_gives_back_the_pictures_and_the_table(made):
    path, frame, pictures = made
    grid = read_grid(path)
    assert (grid.n_neighbors, grid.min_dist, grid.seeds) == ((5, 25), (0.0, 0.5), (0,))
    assert grid.distances == ("forest", "cosine") and grid.cells == tuple(pictures)
    assert list(grid.pixel_id) == list(frame.index) and grid.features == tuple("abcdef")
    assert grid.made_with == {"n_epochs": 20}
    grid.check(frame)
    for (distance, n, min_dist, seed), picture in pictures.items():
        points = grid.points(n, min_dist, seed, distance)
        assert points.dtype == np.float32
        step = np.ptp(picture, axis=0).max() * np.sqrt(2) / 65535
        aligned = align(picture, pictures["forest", 25, 0.0, 0])
        np.testing.assert_allclose(points, aligned, atol=step)
        assert neighbour_overlap(points, picture) > 0.97


def test_the_same_pictures_are_the_same_bytes(made):
    path, frame, pictures = made
    first = path.read_bytes()
    time.sleep(2.1)  # the time in a zip file goes in steps of 2 s
    write_grid(path, frame, pictures, {"n_epochs": 20})
    assert path.read_bytes() == first
    assert [file.name for file in path.parent.iterdir()] == ["made.npz"]


def test_a_picture_that_is_not_there_is_refused_with_those_that_are(made):
    grid = read_grid(made[0])
    for wrong in ({"n_neighbors": 7}, {"min_dist": 0.3}, {"random_state": 9}, {"distance": "x"}):
        with pytest.raises(ValueError, match=r"n_neighbors 5, 25, min_dist 0.0, 0.5 .* embed"):
            grid.points(**wrong)
    with pytest.raises(ValueError, match="for cosine n_neighbors 25"):
        grid.points(n_neighbors=5, distance="cosine")


def test_another_table_is_refused_with_what_is_other(made):
    path, frame, _ = made
    grid = read_grid(path)
    grid.check(frame + 1e-12)
    for other, words in [
        (frame + 1e-5, "same pixels, but other values"),
        (frame[:-1], "has 399 pixels, the pictures 400"),
        (frame[::-1], "Row 0 of the table is pixel ngc0628-0001-0399"),
        (frame.rename(columns={"f": "g"}), "differ in f, g"),
        (frame[list("bacdef")], "differ in their order"),
        (frame.to_numpy(), "not a ndarray"),
    ]:
        with pytest.raises(ValueError, match=words):
            grid.check(other)


def test_a_damaged_or_foreign_file_is_said_to_be_one(made, tmp_path):
    path = made[0]
    whole = path.read_bytes()
    bad = tmp_path / "bad.npz"
    with pytest.raises(FileNotFoundError, match=r"bad.npz is missing: .*data --grid"):
        read_grid(bad)
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    np.save(tmp_path / "other.npy", np.ones(3))
    foreign = [b"", b"hello", (tmp_path / "other.npz").read_bytes()]
    foreign += [(tmp_path / "other.npy").read_bytes()]
    for content in [*foreign, *[whole[: len(whole) * n // 10] for n in range(1, 10)]]:
        bad.write_bytes(content)
        with pytest.raises(ValueError, match=r"bad.npz is damaged, or no file of embeddings"):
            read_grid(bad)


def test_a_flipped_bit_is_noticed_or_changes_nothing(made, tmp_path):
    path, frame, pictures = made
    good, whole = read_grid(path), path.read_bytes()
    noticed = 0
    for at in np.random.default_rng(0).integers(0, len(whole), 300):
        content = bytearray(whole)
        content[at] ^= 1 << at % 8
        (tmp_path / "bad.npz").write_bytes(content)
        try:
            grid = read_grid(tmp_path / "bad.npz")
        except ValueError as error:
            assert "is damaged" in str(error) or "is of version" in str(error)
            noticed += 1
        else:
            grid.check(frame)
            for cell in pictures:
                setting = {"n_neighbors": cell[1], "min_dist": cell[2], "distance": cell[0]}
                np.testing.assert_array_equal(grid.points(**setting), good.points(**setting))
    assert noticed > 200


def test_a_file_of_another_version_is_refused(made):
    path = made[0]
    with np.load(path) as file:
        parts = dict(file)
    about = json.loads(str(parts["about"]))
    np.savez_compressed(path, **parts | {"about": json.dumps(about | {"format": 0})})
    with pytest.raises(ValueError, match=r"of version 0, and this course reads version 1: "):
        read_grid(path)
    cut = {name: parts[name][:, :, :-1] for name in ("coarse", "fine")}
    np.savez_compressed(path, **parts | cut)
    with pytest.raises(ValueError, match="is damaged"):
        read_grid(path)


def test_umap_is_not_imported_before_it_is_needed():
    code = "import sys, helpers.embedding; print('umap' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert output.stdout.strip() == "False", output.stderr


def test_bad_neighbours_end_in_a_sentence(wide):
    distances, indices = wide
    with pytest.raises(ValueError, match="in this order"):
        embed((indices, distances))
    with pytest.raises(ValueError, match="must be a pair"):
        embed(distances)
    with pytest.raises(ValueError, match="n_neighbors=61, but 60 neighbours"):
        embed(wide, n_neighbors=61)
    with pytest.raises(ValueError, match="NaN or infinite"):
        embed((np.full_like(distances, np.nan), indices))
    with pytest.raises(ValueError, match="among the objects themselves"):
        embed((distances[:50], indices[:50]))
    for wrong in (5.0, "5", None):
        with pytest.raises(ValueError, match="Choose 2 to 60"):
            embed(wide, n_neighbors=wrong)
    for wrong in (-0.1, 1.5, np.nan, "0", None):
        with pytest.raises(ValueError, match="is no distance: give a number from 0 to 1"):
            embed(wide, min_dist=wrong)
    for wrong in (0, -5, 2.5, None):
        with pytest.raises(ValueError, match="is no number of steps"):
            embed(wide, n_epochs=wrong)
    with pytest.raises(ValueError, match="0 objects with 60 neighbours each are too few"):
        embed((distances[:0], indices[:0]))
    with pytest.raises(ValueError, match="in this order"):
        embed((distances.astype(str), indices))
    back = np.r_[0, 59:0:-1]
    with pytest.raises(ValueError, match="from near to far, each of them once"):
        embed((distances[:, back], indices[:, back]))
    with pytest.raises(ValueError, match="from near to far, each of them once"):
        embed((distances, np.repeat(indices[:, :1], 60, axis=1)))
    with pytest.raises(ValueError, match="cannot be used to seed"):
        embed(wide, random_state="a")
    with pytest.raises(ValueError, match="first of its own neighbours"):
        embed((distances[:, 1:], indices[:, 1:]))


# --------------------------------------------------------------------- the shipped grid


OTHER_FORESTS = ("forest 1", "forest 2", "shuffled", "gaussian")


def promised(grid):
    """The cells that a grid of the course has."""
    forest = itertools.product(["forest"], grid.n_neighbors, grid.min_dist, grid.seeds)
    others = itertools.product((*METRICS, *OTHER_FORESTS), [25], [0.0], grid.seeds)
    return {*forest, *others}


@pytest.fixture(scope="module")
def shipped():
    return read_grid()


@pytest.fixture(scope="module")
def frame():
    """The course's table."""
    return learning_frame(vstack([feature_table(name) for name in GALAXIES]))


def test_the_shipped_grid_is_that_of_the_embedded_table(shipped, frame):
    shipped.check(frame)
    with pytest.raises(ValueError, match="pixels, the pictures"):
        shipped.check(frame[frame.index.str.startswith("ngc0628")])
    assert shipped.made_with["forest"] == {
        name: value
        for name, value in UnsupervisedForest(random_state=0).get_params().items()
        if name != "n_jobs"
    }


def test_the_shipped_grid_holds_what_the_course_promises(shipped):
    assert shipped.n_neighbors == (5, 10, 25, 50, 100, 200)
    assert shipped.min_dist == (0.0, 0.1, 0.25, 0.5, 0.99)
    assert shipped.seeds == (0, 1, 2)
    assert shipped.distances == ("forest", *METRICS, *OTHER_FORESTS)
    assert set(shipped.cells) == promised(shipped)
    for distance, n_neighbors, min_dist, seed in shipped.cells:
        points = shipped.points(n_neighbors, min_dist, seed, distance)
        assert points.shape == (len(shipped.pixel_id), 2)
        assert np.all(np.isfinite(points)) and np.ptp(points, axis=0).min() > 5
    assert sum(path.stat().st_size for path in GRID.parent.iterdir()) < 5e6


def test_the_command_makes_what_the_course_promises(tmp_path, monkeypatch, blobs):
    """With a small table, small forests and unfinished layouts."""
    table = pd.DataFrame(blobs[0], [f"p{i}" for i in range(400)], list("abcdef"))
    fitted, linked = [], []

    class Small(UnsupervisedForest):
        def fit(self, X):
            fitted.append((self.random_state, X))
            self.set_params(n_estimators=20)
            return super().fit(X)

    def quick(neighbours, *grid, **settings):
        linked.append(neighbours[1])
        return embedding_grid(neighbours, *grid, **settings, n_epochs=11)

    monkeypatch.setattr(remake, "learning_frame", lambda _: table)
    monkeypatch.setattr(pictures, "UnsupervisedForest", Small)
    monkeypatch.setattr(remake, "embedding_grid", quick)
    remake.remake_grid(tmp_path)
    grid = read_grid(tmp_path / GRID.name)
    assert set(grid.cells) == promised(grid) and grid.seeds == (0, 1, 2)
    assert grid.distances == ("forest", *METRICS, *OTHER_FORESTS)
    grid.check(table)
    assert [seed for seed, _ in fitted] == [0, 1, 2, 0, 0]
    assert all(X is table for _, X in fitted[:3])
    pd.testing.assert_frame_equal(fitted[3][1], shuffle_columns(table, random_state=0))
    pd.testing.assert_frame_equal(fitted[4][1], one_gaussian(table, random_state=0))
    for one, other in itertools.combinations(linked, 2):  # no two distances are the same
        assert one.shape != other.shape or np.any(one != other)
    assert {path.name for path in tmp_path.iterdir()} == {GRID.name, "SHA256SUMS"}


def test_a_slider_does_not_turn_the_picture(shipped):
    adopted = shipped.points()
    for distance, n_neighbors, min_dist, seed in shipped.cells:
        points = shipped.points(n_neighbors, min_dist, seed, distance)
        np.testing.assert_allclose(align(points, adopted), points, atol=0.01)


def test_the_shipped_grid_is_read_without_what_makes_it():
    """umap-learn, numba and scikit-learn take seconds to import."""
    code = (
        "import sys; from helpers import dataset, exercises; print(dataset.grid().points().shape); "
        "print({'umap', 'numba', 'sklearn', 'pynndescent'} & set(sys.modules))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert output.stdout.splitlines() == ["(8870, 2)", "set()"], output.stderr


def test_a_remade_picture_has_the_shipped_ones_neighbours(shipped, frame):
    """Another processor draws another picture, but no more so than another seed does."""
    forest = UnsupervisedForest(random_state=0, n_jobs=2).fit(frame).kneighbors(50)
    for distance, neighbours, n_neighbors, min_dist in [
        ("forest", forest, 50, 0.25),
        ("standardised", nearest(frame, "standardised", 25), 25, 0.0),
    ]:
        cell = n_neighbors, min_dist, 0, distance
        remade = embed(neighbours, n_neighbors, min_dist)
        seeds = [shipped.points(n_neighbors, min_dist, seed, distance) for seed in shipped.seeds]
        band = stability(seeds).overlap - 0.02
        assert neighbour_overlap(remade, shipped.points(*cell)) > band > 0.2
        other = "manhattan" if distance == "standardised" else "standardised"
        assert neighbour_overlap(remade, shipped.points(distance=other)) < band
