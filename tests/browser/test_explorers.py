"""What every explorer must do in its notebook."""

import numpy as np
import pytest

EXPLORERS = {
    "01_inspect_maps": "ArrowRight",
    "03_features": "ArrowDown",
    "04_rf_distance": "ArrowRight",
    "05_umap": "ArrowRight",
    "06_clustering": "ArrowRight",
    "07_interpretation": "ArrowRight",
}
"""The notebooks with an explorer, and a key that its picture answers to."""


@pytest.fixture(scope="module", params=EXPLORERS)
def notebook(open_notebook, request):
    notebook = open_notebook(request.param)
    notebook.name = request.param
    return notebook


@pytest.fixture(scope="module")
def explorer(notebook):
    return notebook.explorer()


def test_it_runs_from_top_to_bottom_without_a_complaint(notebook, explorer, screenshots):
    notebook.page.screenshot(path=screenshots / f"{notebook.name}.png")
    assert notebook.errors() == []
    assert notebook.complaints == []
    assert notebook.outside == []


def test_it_fits_beside_the_file_browser(notebook, explorer):
    box = explorer.frame.bounding_box()
    assert box["x"] > 250 and box["x"] + box["width"] <= 1280
    assert explorer.pixels().shape[1] <= 1.15 * box["width"], "it is scaled down too far"


def once(explorer, act) -> None:
    """Do something that must be answered by one picture: no half of it may be seen."""
    before = explorer.drawn
    explorer.after(act)
    assert explorer.drawn == before + 1, "it was drawn more than once"


def test_every_menu_answers_to_the_keyboard(explorer):
    menus = explorer.box.locator("select")
    assert menus.count() >= 1
    for number in range(menus.count()):
        menu = menus.nth(number)
        menu.focus()
        before = explorer.pixels()
        first = menu.evaluate("(menu) => menu.selectedIndex === 0")
        there, back = ("ArrowDown", "ArrowUp") if first else ("ArrowUp", "ArrowDown")
        once(explorer, lambda menu=menu, key=there: menu.press(key))
        assert not np.array_equal(explorer.pixels(), before), menu.evaluate("(m) => m.id")
        once(explorer, lambda menu=menu, key=back: menu.press(key))


def test_every_slider_answers_to_the_keyboard_and_to_the_mouse(explorer):
    sliders = explorer.box.locator(".widget-hslider")
    for number in range(sliders.count()):
        handle = sliders.nth(number).locator(".noUi-handle").first
        at_the_end = handle.evaluate("(h) => h.ariaValueNow === h.ariaValueMax")
        there, back = ("ArrowLeft", "ArrowRight") if at_the_end else ("ArrowRight", "ArrowLeft")
        before = explorer.pixels()
        once(explorer, lambda handle=handle, key=there: handle.press(key))
        assert not np.array_equal(explorer.pixels(), before)
        once(explorer, lambda handle=handle, key=back: handle.press(key))
        assert np.array_equal(explorer.pixels(), before)
        box, mouse = explorer.in_sight(handle), explorer.page.mouse
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

        def pull(mouse=mouse, middle=middle, way=-60 if at_the_end else 60):
            mouse.move(*middle)
            mouse.down()
            mouse.move(middle[0] + way, middle[1], steps=8)
            mouse.up()

        explorer.after(pull)
        assert not np.array_equal(explorer.pixels(), before)


def test_the_picture_answers_to_the_keyboard_and_shows_the_focus(notebook, explorer):
    before = explorer.pixels()
    explorer.after(lambda: explorer.frame.press(EXPLORERS[notebook.name]))
    assert not np.array_equal(explorer.pixels(), before)
    assert explorer.frame.evaluate("(f) => getComputedStyle(f).outlineStyle") == "solid"


def test_the_code_of_the_picture_draws_it_again(notebook, explorer):
    assert np.array_equal(notebook.picture_of(explorer.code), explorer.pixels())


def test_a_screen_reader_is_told_what_is_seen(explorer):
    assert explorer.picture.locator("img").get_attribute("alt") == explorer.words
    assert explorer.picture.get_by_role("status").inner_text() == explorer.words
    assert "arrow" in explorer.frame.get_attribute("aria-label")


def test_paper_shows_the_twin_and_the_screen_does_not(notebook, explorer):
    twin = notebook.page.locator("[data-course-twin]").first
    assert not twin.is_visible()
    notebook.page.emulate_media(media="print")
    try:
        assert twin.evaluate("(twin) => getComputedStyle(twin).display") == "block"
    finally:
        notebook.page.emulate_media(media="screen")
