"""Neighbouring pixels are not independent: blocks of sky are drawn whole, galaxy by galaxy."""

import numpy as np
import pytest

from helpers.blocks import draw_blocks, sky_blocks


def pixels(galaxy="ngc0628", side=40):
    return [f"{galaxy}-{row:04d}-{column:04d}" for row in range(side) for column in range(side)]


def test_a_block_is_a_square_of_one_galaxy():
    ids = pixels(side=20) + pixels("ngc7496", 20)
    names, sizes = np.unique(sky_blocks(ids, 10), return_counts=True)
    assert len(names) == 8 and set(sizes) == {100}
    blocks = dict(zip(ids, sky_blocks(ids, 10), strict=True))
    assert blocks["ngc0628-0009-0009"] == blocks["ngc0628-0000-0000"]
    assert blocks["ngc0628-0009-0010"] != blocks["ngc0628-0009-0009"]
    assert blocks["ngc0628-0003-0003"] != blocks["ngc7496-0003-0003"]


def test_blocks_of_one_pixel_are_pixels():
    assert len(set(sky_blocks(pixels(side=7), 1))) == 49


def test_pixels_of_a_block_are_drawn_together_and_each_galaxy_keeps_its_blocks():
    ids = pixels(side=40) + pixels("ngc7496", 20)
    draws, blocks = draw_blocks(ids, 50), sky_blocks(ids)
    assert draws.shape == (50, 2000)
    for block in np.unique(blocks):
        assert np.all(np.ptp(draws[:, blocks == block], axis=1) == 0)
    assert np.all(draws[:, :1600].sum(axis=1) == 1600), "blocks of equal size: as many pixels"
    assert np.all(draws[:, 1600:].sum(axis=1) == 400)
    assert np.ptp(draws[:, 0]) > 0
    np.testing.assert_array_equal(draws, draw_blocks(ids, 50))
    assert np.any(draws != draw_blocks(ids, 50, random_state=1))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"pixel_ids": ["ngc0628-0001-0001"] * 2}, "1 of 2 pixels are copies of another row"),
        ({"pixel_ids": ["M 51"]}, "'M 51' is no name of a pixel"),
        ({"side": 0}, "side=0 is no side of a block"),
        ({"side": 100}, "All pixels of ngc0628 lie in one block of 100 x 100 pixels"),
        ({"n_runs": 1}, "ask for two runs or more"),
    ],
)
def test_what_cannot_be_drawn_is_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        draw_blocks(**{"pixel_ids": pixels(), **change})
