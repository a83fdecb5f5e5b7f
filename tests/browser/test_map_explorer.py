"""What the map explorer of notebook 01 does beyond the others."""

import numpy as np
import pytest

NAME = "01_inspect_maps"


@pytest.fixture(scope="module")
def notebook(open_notebook):
    return open_notebook(NAME)


@pytest.fixture(scope="module")
def explorer(notebook):
    return notebook.explorer_anew()


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
    box, mouse, before = explorer.in_sight(), explorer.page.mouse, explorer.words
    drawn = explorer.drawn
    height = box["y"] + box["height"] / 2

    def pull():
        mouse.move(box["x"] + 0.7 * box["width"], height)
        mouse.down()
        for step in range(40):
            mouse.move(box["x"] + (0.7 + 0.005 * step) * box["width"], height)
        mouse.up()

    explorer.after(pull)
    assert explorer.words != before
    assert explorer.drawn - drawn <= 42, "a movement was drawn more than once"
