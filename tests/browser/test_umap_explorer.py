"""What the UMAP explorer of notebook 05 does beyond the others."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def explorer(open_notebook):
    return open_notebook("05_umap").explorer_anew()


def test_a_click_marks_a_pixel_in_the_picture_and_on_the_sky(explorer):
    before = explorer.pixels()
    explorer.after(lambda: explorer.click(0.25, 0.5))
    assert "Marked: ngc" in explorer.words and not np.array_equal(explorer.pixels(), before)
    marked = explorer.words
    explorer.after(lambda: explorer.click(0.7, 0.5))
    assert "Marked: ngc" in explorer.words and explorer.words != marked


def test_it_can_compute_live_and_be_stopped(explorer):
    go, stop = (explorer.box.get_by_role("button", name=name) for name in ("Compute live", "Stop"))
    menu = explorer.box.locator("select").first
    explorer.after(lambda: menu.select_option("standardised"))
    go.click()
    stop.click()  # as soon as it can be clicked; then the layout has begun, or will end at once
    go.click(trial=True, timeout=120_000)  # waits until it can be clicked again
    assert not explorer.words.startswith("Made live")
    go.click()
    explorer.page.wait_for_function(
        "(words) => words.textContent.startsWith('Made live')",
        arg=explorer.picture.locator(".course-words").element_handle(),
        timeout=240_000,
    )
    go.click(trial=True)
