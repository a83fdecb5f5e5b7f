"""Explorers without a browser: each scene, each code panel, each event."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from helpers import plots, survey
from helpers.galaxies import GALAXIES
from helpers.widgets.maps import SCALES, MapExplorer, MapScene, levels


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
            scene.update(**state)
        except ValueError as error:
            assert "comes without errors" in str(error) and state["cut"] > 0
            continue
        changed = scene.pixels().copy()
        fresh = MapScene()
        fresh.update(**state)
        assert np.array_equal(changed, fresh.pixels()), state
        assert np.array_equal(changed, drawn_by(scene.code(), monkeypatch)), state
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


def test_an_explorer_shows_its_twin_and_then_itself(monkeypatch):
    shown = []
    monkeypatch.setattr("helpers.widgets.explorer.display", lambda data, raw: shown.append(data))
    explorer = MapExplorer()
    explorer._ipython_display_()
    twin, widget = shown
    assert explorer.picture.twin in twin["text/html"] and "alt=" in twin["text/html"]
    assert twin["text/plain"] == explorer.picture.words
    assert "application/vnd.jupyter.widget-view+json" in widget
