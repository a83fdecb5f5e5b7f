"""Notebook 01 and its map explorer, in a browser."""

import numpy as np
import pytest

NAME = "01_inspect_maps"


@pytest.fixture(scope="module")
def notebook(open_notebook):
    return open_notebook(NAME)


@pytest.fixture(scope="module")
def explorer(notebook):
    return notebook.explorer()


def test_it_runs_from_top_to_bottom_without_a_complaint(notebook, explorer, screenshots):
    notebook.page.screenshot(path=screenshots / "01.png")
    assert notebook.errors() == []
    assert notebook.complaints == []
    assert notebook.outside == []


def test_it_fits_beside_the_file_browser(notebook, explorer):
    box = explorer.frame.bounding_box()
    assert box["x"] > 250 and box["x"] + box["width"] <= 1280
    assert explorer.pixels().shape[1] <= 1.15 * box["width"], "it is scaled down too far"


@pytest.mark.parametrize("label", ["galaxy", "map", "scale"])
def test_a_menu_answers_to_the_keyboard(explorer, label):
    menu = explorer.box.get_by_label(label, exact=True)
    before = explorer.pixels()
    menu.focus()
    explorer.after(lambda: menu.press("ArrowUp"))
    assert not np.array_equal(explorer.pixels(), before)
    explorer.after(lambda: menu.press("ArrowDown"))
    assert label != "scale" or np.array_equal(explorer.pixels(), before)


@pytest.mark.parametrize("label", ["S/N at least", "bins"])
def test_a_slider_answers_to_the_keyboard(explorer, label):
    handle = explorer.box.locator(".widget-hslider", has_text=label).locator(".noUi-handle")
    before = explorer.pixels()
    explorer.after(lambda: handle.press("ArrowRight"))
    assert not np.array_equal(explorer.pixels(), before)
    explorer.after(lambda: handle.press("ArrowLeft"))
    assert np.array_equal(explorer.pixels(), before)


def test_a_box_answers_to_the_keyboard_and_to_the_mouse(explorer):
    box = explorer.box.get_by_label("log counts")
    before = explorer.pixels()
    explorer.after(lambda: box.press("Space"))
    assert not np.array_equal(explorer.pixels(), before)
    explorer.after(lambda: box.click())
    assert np.array_equal(explorer.pixels(), before)


def test_the_limits_answer_to_keys_on_the_picture(explorer):
    before, words = explorer.pixels(), explorer.words
    explorer.after(lambda: explorer.frame.press("ArrowRight"))
    assert not np.array_equal(explorer.pixels(), before) and explorer.words != words
    explorer.after(lambda: explorer.frame.press("ArrowLeft"))
    assert np.array_equal(explorer.pixels(), before)
    explorer.after(lambda: explorer.frame.press("Shift+ArrowLeft"))
    assert not np.array_equal(explorer.pixels(), before)


def test_a_limit_can_be_pulled_on_the_histogram(explorer):
    explorer.frame.scroll_into_view_if_needed()
    box, mouse, before = explorer.frame.bounding_box(), explorer.page.mouse, explorer.words
    drawn = explorer.drawn
    height = box["y"] + box["height"] / 2

    def pull():
        mouse.move(box["x"] + 0.7 * box["width"], height)
        mouse.down()
        for step in range(40):
            mouse.move(box["x"] + (0.7 + 0.005 * step) * box["width"], height)
        mouse.up()

    explorer.after(pull)
    explorer.page.wait_for_timeout(800)
    assert explorer.words != before
    assert explorer.drawn - drawn <= 42, "a movement was drawn more than once"


def test_the_focus_can_be_seen(explorer):
    explorer.frame.focus()
    explorer.page.keyboard.press("ArrowRight")  # the keyboard makes focus visible
    outline = explorer.frame.evaluate("(frame) => getComputedStyle(frame).outlineStyle")
    assert outline == "solid"


def test_the_code_of_the_picture_draws_it_again(notebook, explorer):
    explorer.page.wait_for_timeout(500)
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
