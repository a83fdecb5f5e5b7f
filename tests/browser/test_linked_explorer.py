"""What the explorers of notebooks 03, 04 and 06 do beyond the others: lasso, click, keep, write."""

import json

import numpy as np
import pytest


@pytest.fixture(scope="module")
def notebook(open_notebook):
    return open_notebook("06_clustering")


@pytest.fixture(scope="module")
def explorer(notebook):
    return notebook.explorer_anew()


def selected(explorer) -> int:
    return int(explorer.words.split(" selected")[0].split()[-1])


def test_a_lasso_on_the_picture_selects_and_shows_on_the_skies(notebook, explorer):
    before = explorer.pixels()
    explorer.after(lambda: explorer.lasso(0.28, 0.3, 0.08))
    assert 50 < selected(explorer) < 9000
    changed = (explorer.pixels() != before).any(axis=2)
    height, width = changed.shape
    for k in range(3):
        sky = changed[round(0.65 * height) :, round(k * width / 3) : round((k + 1) * width / 3)]
        assert sky.any(), "a sky does not show what was selected in the picture"
    assert np.array_equal(notebook.picture_of(explorer.code), explorer.pixels())


def test_a_lasso_on_a_sky_selects_there_and_shows_in_the_picture(notebook, explorer):
    explorer.after(lambda: explorer.frame.press("Escape"))
    assert selected(explorer) == 0
    before = explorer.pixels()
    explorer.after(lambda: explorer.lasso(0.17, 0.81, 0.06))
    assert selected(explorer) > 20 and "NGC 628 100%" in explorer.words
    height, width = before.shape[:2]
    paper = np.s_[: round(0.55 * height), : round(0.55 * width)]
    assert not np.array_equal(explorer.pixels()[paper], before[paper])
    assert np.array_equal(notebook.picture_of(explorer.code), explorer.pixels())


def test_a_click_selects_a_group_and_shift_adds_another(explorer):
    explorer.after(lambda: explorer.click(0.2, 0.25))
    first = selected(explorer)
    assert first > 0
    explorer.page.keyboard.down("Shift")
    explorer.after(lambda: explorer.lasso(0.83, 0.81, 0.07))
    explorer.page.keyboard.up("Shift")
    assert selected(explorer) > first


def test_a_selection_is_named_kept_and_written(notebook, explorer, tmp_path):
    notebook.run(f"import os; os.chdir({json.dumps(str(tmp_path))})")
    box = explorer.box
    box.get_by_role("button", name="Write a table").click()
    box.get_by_text("Nothing is kept yet").wait_for()
    box.get_by_role("textbox", name="name").fill("a field of mine")
    box.get_by_role("button", name="Keep the selection").press("Enter")
    box.get_by_text("Kept: a field of mine").wait_for()
    box.get_by_role("button", name="Write a table").press("Enter")
    box.get_by_text("Written: phangs-course-selections.csv").wait_for()
    (table,) = tmp_path.iterdir()
    rows = table.read_text().splitlines()
    assert rows[0].endswith("group,a field of mine")
    assert sum(row.endswith("True") for row in rows) == selected(explorer)


def test_a_click_in_the_matrix_of_features_takes_its_two_features(open_notebook):
    explorer = open_notebook("03_features").explorer_anew()
    across = explorer.box.locator("select").first
    before = explorer.pixels(), across.input_value()
    explorer.after(lambda: explorer.click(0.16, 0.4))
    assert not np.array_equal(explorer.pixels(), before[0])
    assert across.input_value() != before[1]


def test_a_click_on_another_sky_takes_its_pixel_and_its_galaxy(open_notebook):
    explorer = open_notebook("04_rf_distance").explorer_anew()
    galaxy = explorer.box.locator("select").first
    assert galaxy.evaluate("(menu) => menu.selectedIndex") == 0
    before = explorer.pixels()
    explorer.after(lambda: explorer.click(0.3, 0.85))
    assert not np.array_equal(explorer.pixels(), before)
    assert galaxy.evaluate("(menu) => menu.selectedIndex") == 2
