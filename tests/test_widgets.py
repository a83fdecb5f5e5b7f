"""Explorers without a browser: each scene, each code panel, each event."""

import re
from collections.abc import Iterator

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from helpers import plots, survey
from helpers.distances import nearest
from helpers.embedding import read_grid
from helpers.galaxies import GALAXIES
from helpers.widgets.features import FeatureExplorer, FeatureScene
from helpers.widgets.linked import FILE, SETTINGS, LinkedExplorer, LinkedScene
from helpers.widgets.maps import SCALES, MapExplorer, MapScene, levels
from helpers.widgets.neighbours import NeighbourExplorer, NeighbourScene
from helpers.widgets.table import pixels
from helpers.widgets.umap import UmapExplorer, UmapScene


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    with plt.rc_context():
        plots.set_style()
        yield
    plt.close("all")


def drawn_by(code: str, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The pixels of the figure that code draws and shows."""
    shown = []
    monkeypatch.setattr(plots, "show", lambda alt: shown.append((alt, plt.gcf())))
    exec(code, {})
    ((alt, figure),) = shown
    assert alt.strip()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba()).copy()
    plt.close(figure)
    return pixels


def assert_same_three_ways(changed, fresh, state: dict, monkeypatch) -> None:
    """Changed into a state, drawn in it at once, and drawn by its code: one picture."""
    changed.update(**state)
    fresh.update(**state)
    picture = changed.pixels().copy()
    assert np.array_equal(picture, fresh.pixels()), state
    assert np.array_equal(picture, drawn_by(changed.code(), monkeypatch)), state


# ------------------------------------------------------------------------------- map explorer


def map_state(rng: np.random.Generator) -> dict:
    galaxy = str(rng.choice(list(GALAXIES)))
    name = str(rng.choice(survey.available(galaxy)))
    steps = levels(galaxy, name)
    low, high = sorted(rng.choice(len(steps), 2, replace=False))
    return {
        "galaxy": galaxy,
        "name": name,
        "scale": str(rng.choice(SCALES)),
        "limits": (steps[low], steps[high]),
        "cut": float(rng.choice([0, 0, 2.5, 5])),
        "bins": int(rng.choice([10, 50, 200])),
        "log_counts": bool(rng.random() < 0.5),
        "log_values": bool(rng.random() < 0.5),
    }


def test_a_changed_map_looks_as_if_drawn_at_once_and_as_its_code_draws_it(monkeypatch):
    rng, scene, compared = np.random.default_rng(0), MapScene(), 0
    while compared < 30:
        state = map_state(rng)
        try:
            assert_same_three_ways(scene, MapScene(), state, monkeypatch)
        except ValueError as error:
            assert "comes without errors" in str(error) and state["cut"] > 0
            continue
        compared += 1


def test_the_words_count_what_the_colours_hide():
    scene = MapScene()
    scene.update("NGC 7496", "OI6300", "log", (10.0, 100.0))
    image = np.ma.filled(survey.native_map("NGC 7496", "OI6300").data, np.nan)
    shown = image[np.isfinite(image) & ~survey.native_map("NGC 7496", "OI6300").mask]
    assert f"{shown.size} of {image.size}" in scene.words()
    assert f"{np.mean(shown < 10):.1%} lie below" in scene.words()
    assert "no logarithm" in scene.words()


def test_a_log_scale_with_a_limit_below_zero_begins_at_the_smallest_positive_pixel():
    scene = MapScene()
    scene.update("NGC 7496", "OI6300", "log", (-10.0, 100.0))
    assert 0 < scene.low < 1


def test_keys_move_a_limit_by_one_step_and_stop_at_the_end():
    explorer = MapExplorer()
    slider = explorer.controls["limits"]
    low, high = slider.index
    explorer.act({"kind": "key", "key": "ArrowRight", "more": False})
    assert slider.index == (low + 1, high)
    explorer.act({"kind": "key", "key": "ArrowLeft", "more": True})
    assert slider.index == (low + 1, high - 1)
    slider.index = (0, high)
    explorer.act({"kind": "key", "key": "ArrowLeft", "more": False})
    assert slider.index == (0, high)


def test_a_pull_moves_the_nearer_limit():
    explorer = MapExplorer()
    low, high = explorer.controls["limits"].value
    explorer.act({"kind": "drag", "area": "histogram", "at": (1.1 * high, 5), "first": True})
    assert explorer.controls["limits"].value[0] == low
    assert explorer.controls["limits"].value[1] == pytest.approx(1.1 * high, rel=0.1)


def test_another_map_brings_its_own_limits_and_is_drawn_once():
    explorer = MapExplorer()
    before = explorer.picture.drawn
    explorer.controls["name"].value = "HA6562"
    assert explorer.picture.drawn == before + 1
    low, high = explorer.controls["limits"].value
    assert high > 1000 > low and "HA6562" in explorer.picture.code
    explorer.controls["galaxy"].value = "NGC 628"
    assert explorer.controls["name"].value == "HA6562"


def test_a_cut_where_there_are_no_errors_is_said_and_the_picture_stays():
    explorer = MapExplorer("NGC 628", "co_ew_150pc")
    image = explorer.picture.image
    explorer.controls["cut"].value = 3
    assert "comes without errors" in explorer.picture.words and explorer.picture.image == image


def test_a_cut_that_leaves_nothing_is_said():
    with pytest.raises(ValueError, match="lower the cut"):
        MapScene().update(cut=1e9)


def test_an_unknown_map_or_galaxy_is_named():
    with pytest.raises((KeyError, ValueError), match="F999"):
        MapExplorer(name="F999")


# ------------------------------------------------------------------------------ UMAP explorer


def test_a_changed_embedding_looks_as_if_drawn_at_once_and_as_its_code_draws_it(monkeypatch):
    rng, scene, grid = np.random.default_rng(0), UmapScene(), read_grid()
    frame, _, _ = pixels()
    for number in rng.choice(len(grid.cells), 8, replace=False):
        distance, n_neighbors, min_dist, random_state = grid.cells[number]
        state = {
            "distance": distance,
            "n_neighbors": n_neighbors,
            "min_dist": min_dist,
            "random_state": random_state,
            "colour": str(rng.choice(frame.columns)),
            "galaxy": str(rng.choice(list(GALAXIES))),
            "pixel": None if rng.random() < 0.4 else int(rng.integers(len(frame))),
        }
        assert_same_three_ways(scene, UmapScene(), state, monkeypatch)


def test_the_adopted_picture_shares_all_its_neighbours_with_itself():
    scene = UmapScene()
    scene.update()
    assert "100% are the same as in the adopted picture" in scene.words()
    scene.update(random_state=1)
    assert "100% are the same" not in scene.words()


def test_a_click_marks_the_nearest_point_and_shows_its_galaxy():
    explorer = UmapExplorer()
    frame, _, galaxy_of = pixels()
    row = int(np.flatnonzero(galaxy_of == "NGC 628")[100])
    explorer.act({"kind": "click", "area": "picture", "at": tuple(explorer.scene.points[row])})
    assert explorer.pixel == row and explorer.controls["galaxy"].value == "NGC 628"
    assert frame.index[row] in explorer.picture.words


def test_arrow_keys_walk_over_the_sky():
    explorer = UmapExplorer()
    _, place, galaxy_of = pixels()
    explorer.act({"kind": "key", "key": "ArrowRight", "more": False})
    first = explorer.pixel
    explorer.act({"kind": "key", "key": "ArrowRight", "more": False})
    assert place["x"][explorer.pixel] > place["x"][first]
    assert galaxy_of[explorer.pixel] == explorer.controls["galaxy"].value


def test_a_picture_that_is_not_shipped_is_said_and_the_old_one_stays():
    explorer = UmapExplorer()
    explorer.controls["n_neighbors"].value = 100
    image = explorer.picture.image
    explorer.controls["distance"].value = "cosine"
    assert "There is no picture" in explorer.picture.words and explorer.picture.image == image


def test_a_live_picture_can_be_stopped_and_is_shown_when_it_is_done(monkeypatch):
    explorer = UmapExplorer()
    explorer.controls["distance"].value = "standardised"
    rounds = []

    def quick_embed(neighbours, n_neighbors, min_dist, random_state, progress):
        rounds.append(n_neighbors)
        for done in range(1, 101):
            progress(done, 100)
            if len(rounds) == 1:
                explorer._stop.set()
        return read_grid().points() + np.float32(len(rounds))

    monkeypatch.setattr("helpers.widgets.umap.embed", quick_embed)
    for expected in ("Shipped", "Made live"):
        explorer.compute()
        explorer._thread.join(30)
        assert explorer.picture.words.startswith(expected)
        assert not explorer.go.disabled and explorer.stop.disabled
    explorer.controls["min_dist"].value = 0.1
    explorer.controls["distance"].value = "forest"
    assert explorer.picture.words.startswith("Shipped")


# ------------------------------------------------------------------------- neighbour explorer


@pytest.fixture(scope="module")
def by_forest() -> np.ndarray:
    """Stand-ins for the forest's neighbours: the form is the same, and it takes no ten seconds."""
    return nearest(pixels()[0], "manhattan", 26)[1]


def test_changed_neighbours_look_as_if_drawn_at_once_and_as_their_code_draws_them(
    by_forest, monkeypatch
):
    class Known:
        """In the forest's place when the code panel asks for one."""

        def __init__(self, **settings):
            assert settings == {"random_state": 0, "n_jobs": 2}

        def fit(self, frame):
            return self

        def kneighbors(self, number):
            return None, by_forest

    monkeypatch.setattr("helpers.forest.UnsupervisedForest", Known)
    rng, scene = np.random.default_rng(0), NeighbourScene(by_forest)
    frame, _, _ = pixels()
    for _ in range(5):
        state = {
            "pixel": int(rng.integers(len(frame))),
            "n_neighbors": int(rng.integers(1, 26)),
            "colour": str(rng.choice(frame.columns)),
        }
        assert_same_three_ways(scene, NeighbourScene(by_forest), state, monkeypatch)


def test_the_words_count_the_shared_neighbours(by_forest):
    scene = NeighbourScene(by_forest)
    scene.update(pixel=7)
    assert "manhattan 25" in scene.words()


def test_a_click_in_any_panel_picks_the_pixel_of_that_galaxy(by_forest):
    explorer = NeighbourExplorer(by_forest)
    _, place, galaxy_of = pixels()
    row = int(np.flatnonzero(galaxy_of == "NGC 7496")[50])
    at = (place["x"][row] + 0.2, place["y"][row] - 0.2)
    explorer.act({"kind": "click", "area": "NGC 7496, cosine", "at": at})
    assert explorer.pixel == row and explorer.controls["galaxy"].value == "NGC 7496"


def test_other_neighbours_are_refused():
    with pytest.raises(ValueError, match=r"give forest.kneighbors\(26\)"):
        NeighbourExplorer(np.zeros((10, 5), int))


# --------------------------------------------------------------------------- feature explorer


@pytest.fixture(scope="module")
def losses() -> pd.DataFrame:
    """Losses as section 12 of notebook 03 makes them; here they are drawn by lot."""
    names = [name.removeprefix("log_") for name in pixels()[0] if name != "log_co_flux"]
    rng = np.random.default_rng(0)
    table = {"shuffled": rng.random(len(names)), "dropped": rng.random(len(names)) / 10}
    return pd.DataFrame(table | {"stands in": names[3:] + names[:3]}, index=names)


def test_changed_features_look_as_if_drawn_at_once_and_as_their_code_draws_them(
    losses, monkeypatch
):
    frame, _, _ = pixels()
    explorer, rng = FeatureExplorer(frame, losses), np.random.default_rng(1)
    for number in range(6):
        state = {axis: str(rng.choice(frame.columns)) for axis in ("x", "y", "colour")}
        state["drop"] = "log_sii_ha" if number % 3 else "nothing"
        fresh = FeatureScene(frame, explorer.scene.table)
        assert_same_three_ways(explorer.scene, fresh, state, monkeypatch)


def test_a_click_on_a_correlation_draws_its_two_features(losses):
    explorer = FeatureExplorer(pixels()[0], losses)
    explorer.act({"kind": "click", "area": "matrix", "at": (0.3, 2.2)})
    assert (
        explorer.controls["x"].value == "log_co_flux" and explorer.controls["y"].value == "log_ha"
    )
    explorer.act({"kind": "key", "key": "ArrowUp", "more": False})
    assert explorer.controls["y"].value == "log_co_width"
    r = pixels()[0][["log_co_flux", "log_co_width"]].corr().iloc[0, 1]
    assert f"r = {r:+.2f}" in explorer.picture.words


def test_a_dropped_feature_says_its_loss_and_who_stands_in(losses):
    explorer = FeatureExplorer(pixels()[0], losses)
    explorer.controls["drop"].value = "log_sii_ha"
    row = losses.loc["sii_ha"]
    assert f"falls by {row['dropped']:.3f}" in explorer.picture.words
    assert f"{row['stands in']} stands in" in explorer.picture.words


def test_another_table_of_losses_is_refused(losses):
    with pytest.raises(ValueError, match="losses of section 12"):
        FeatureExplorer(pixels()[0], losses.drop(columns="stands in"))


# ---------------------------------------------------------------------------- linked explorer

SQUARE = [[-1.0, -1.0], [4.0, -1.0], [4.0, 4.0], [-1.0, 4.0]]


def lasso(area: str, path: list, more: bool = False) -> dict:
    return {"kind": "lasso", "area": area, "path": path, "more": more}


def test_a_changed_selection_looks_as_if_drawn_at_once_and_as_its_code_draws_it(monkeypatch):
    explorer = LinkedExplorer()
    middle = explorer.scene.points.mean(axis=0)
    steps = [
        lambda: None,
        lambda: explorer.act(lasso("paper", (np.array(SQUARE) + middle - 1).tolist())),
        lambda: explorer.act(lasso("NGC 1365", [[50, 50], [100, 50], [100, 100]], more=True)),
        lambda: explorer.controls["method"].set_trait("value", "dbscan"),
        lambda: explorer.act({"kind": "key", "key": "ArrowRight", "more": False}),
        lambda: explorer.controls["method"].set_trait("value", "kmeans"),
        lambda: explorer.act({"kind": "click", "area": "NGC 628", "at": (40, 40), "more": False}),
    ]
    for step in steps:
        step()
        assert_same_three_ways(explorer.scene, LinkedScene(), explorer.state(), monkeypatch)


def test_a_lasso_on_paper_selects_what_is_inside():
    explorer = LinkedExplorer()
    x, y = explorer.scene.points.T
    left, right, low, high = np.quantile(x, 0.3), np.quantile(x, 0.6), y.min() - 1, y.max() + 1
    corners = [[left, low], [right, low], [right, high], [left, high]]
    explorer.act(lasso("paper", corners))
    assert abs(explorer.selected.mean() - 0.3) < 0.01
    assert f"{explorer.selected.sum()} selected" in explorer.picture.words


def test_a_lasso_on_a_sky_selects_pixels_of_that_galaxy_alone():
    explorer = LinkedExplorer()
    _, _, galaxy_of = pixels()
    explorer.act(lasso("NGC 7496", [[-1, -1], [500, -1], [500, 500], [-1, 500]]))
    assert np.array_equal(explorer.selected, galaxy_of == "NGC 7496")
    explorer.act(lasso("NGC 628", [[-1, -1], [500, -1], [500, 500], [-1, 500]], more=True))
    assert np.array_equal(explorer.selected, galaxy_of != "NGC 1365")


def test_a_click_on_the_sky_selects_the_group_and_other_groups_forget_it():
    explorer = LinkedExplorer()
    _, place, _ = pixels()
    at = (place["x"][0], place["y"][0])
    explorer.act({"kind": "click", "area": "NGC 628", "at": at, "more": False})
    assert explorer.selected[0] and explorer.how.startswith("labels == ")
    explorer.controls["value"].value = 7
    assert not explorer.selected.any()


def test_more_groups_than_colours_are_said_and_the_picture_stays():
    explorer = LinkedExplorer()
    image = explorer.picture.image
    explorer.scene.update(method="hdbscan", value=100)
    many = {"hdbscan": ("min_cluster_size", (5, 100), 100)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("helpers.widgets.linked.SETTINGS", SETTINGS | many)
        with pytest.raises(ValueError, match="Choose another value"):
            explorer.scene.update(method="hdbscan", value=5)
    assert explorer.picture.image == image


def test_selections_are_named_kept_and_written_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    explorer = LinkedExplorer()
    with pytest.raises(ValueError, match="Nothing is kept"):
        explorer.export()
    with pytest.raises(ValueError, match="Nothing is selected"):
        explorer.keep("arm")
    explorer.act({"kind": "key", "key": "ArrowRight", "more": False})
    for wrong, says in ((" ", "a name first"), ("x", "a column x already")):
        with pytest.raises(ValueError, match=says):
            explorer.keep(wrong)
    assert explorer.keep("arm, northern") == explorer.keep("arm, northern")
    first = explorer.selected
    explorer.act({"kind": "key", "key": "ArrowRight", "more": False})
    with pytest.raises(ValueError, match="Another selection is called arm, northern"):
        explorer.keep("arm, northern")
    explorer.name.value = "<b>arm</b>"
    explorer.keep_it.click()
    assert "&lt;b&gt;arm" in explorer.said.value
    explorer.export()
    read = pd.read_csv(f"{FILE}.csv", index_col="pixel_id")
    assert np.array_equal(read["arm, northern"], first)
    assert np.array_equal(read["<b>arm</b>"], explorer.selected)
    explorer.export_it.click()
    assert f"{FILE}-2.csv" in explorer.said.value
    assert {path.name for path in tmp_path.iterdir()} == {f"{FILE}.csv", f"{FILE}-2.csv"}


def test_a_table_that_cannot_be_written_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    explorer = LinkedExplorer()
    explorer.act({"kind": "key", "key": "ArrowRight", "more": False})
    explorer.keep("arm")
    monkeypatch.chdir(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("helpers.widgets.linked.os.replace", full)
    explorer.export_it.click()
    assert "No space left" in explorer.said.value
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------- what all share


def test_an_event_is_answered_even_if_nothing_changes():
    explorer = MapExplorer()
    before = explorer.picture.drawn
    explorer.picture._receive({"kind": "key", "key": "Escape", "more": False})
    assert explorer.picture.drawn == before + 1


def test_places_on_the_picture_become_data():
    explorer = MapExplorer()
    got = []
    explorer.picture._on_event = got.append
    (area,) = explorer.picture.areas
    left, top, right, bottom = area["box"]
    for at in ([left, bottom], [right, top]):
        explorer.picture._receive({"kind": "click", "area": "histogram", "at": at})
    axes = explorer.scene.right
    corners = [[event["at"][k] for event in got] for k in (0, 1)]
    np.testing.assert_allclose(corners, [axes.get_xlim(), axes.get_ylim()], rtol=1e-6)


TELLS = """
import threading, time
from helpers.widgets.maps import MapExplorer

explorer, busy, told = MapExplorer(), False, []
pixels = explorer.scene.pixels

def tell():
    told.append((threading.current_thread() is threading.main_thread(), busy))
    return pixels()

explorer.scene.pixels = tell
key = {"kind": "key", "key": "ArrowRight", "more": False}
acts = [
    lambda: setattr(explorer.controls["bins"], "value", 150),
    lambda: explorer.picture._handle_custom_msg(key, []),
]
threads = [threading.Thread(target=act) for act in acts]
"""
BUSY = "busy = True; [t.start() for t in threads]; time.sleep(0.5); waited = not told; busy = False"


def test_nothing_is_drawn_while_a_cell_runs():
    """Widgets may be answered on a thread beside the cells; two that draw end the kernel."""
    ends = "[t.join(20) for t in threads]; print(waited, told)"
    cells = [nbformat.v4.new_code_cell(code) for code in (TELLS, BUSY, "pass", ends)]
    book = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(book, timeout=120).execute()
    assert book.cells[-1].outputs[0]["text"] == "True [(True, False), (True, False)]\n"


def test_an_explorer_shows_its_twin_and_then_itself(monkeypatch):
    shown = []
    monkeypatch.setattr("helpers.widgets.explorer.display", lambda data, raw: shown.append(data))
    explorer = MapExplorer()
    explorer._ipython_display_()
    twin, widget = shown
    assert explorer.picture.twin in twin["text/html"] and "alt=" in twin["text/html"]
    assert twin["text/plain"] == explorer.picture.words
    assert "application/vnd.jupyter.widget-view+json" in widget


def test_an_exported_page_shows_the_twin(tmp_path):
    code = "from helpers.widgets.maps import MapExplorer\nMapExplorer()"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(book, timeout=120).execute()
    page, _ = HTMLExporter().from_notebook_node(book)
    assert len(re.findall(r'<div data-course-twin="\w+"><img alt="\d+ of \d+ pixels', page)) == 1
