"""Figures say what they show: to eyes, to screen readers, and in the right place on the sky."""

import base64
from io import BytesIO

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy.nddata import CCDData
from astropy.table import QTable
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar
from PIL import Image

from helpers import plots
from helpers.galaxies import GALAXIES


@pytest.fixture(autouse=True)
def drawing_board():
    plt.switch_backend("agg")
    with plt.rc_context():
        plots.set_style()
        yield
    plt.close("all")


def shown(alt):
    InteractiveShell.instance()
    with capture_output() as captured:
        plots.show(alt)
    (output,) = captured.outputs
    return output.data


def test_a_shown_figure_has_alternative_text_and_is_closed():
    plt.plot([1, 2])
    data = shown('a "rising" line <from 1 to 2>')
    assert 'alt="a &quot;rising&quot; line &lt;from 1 to 2&gt;"' in data["text/html"]
    assert data["text/plain"] == 'a "rising" line <from 1 to 2>'
    picture = Image.open(BytesIO(base64.b64decode(data["image/png"])))
    assert picture.text["Description"].startswith("a ")
    assert min(picture.size) > 300
    assert not plt.get_fignums()


def test_a_figure_is_drawn_once_and_as_savefig_would(monkeypatch):
    def panels():
        figure, axes = plt.subplots(1, 2)
        figure.colorbar(axes[0].imshow([[1, 2], [3, 4]]), ax=axes[0], label="a label")
        axes[1].set(title="a title", ylabel="another label")
        return figure

    saved = BytesIO()
    panels().savefig(saved, format="png")
    draw, drawn = Figure.draw, []
    monkeypatch.setattr(Figure, "draw", lambda *given: (drawn.append(given), draw(*given)))
    panels()
    picture = Image.open(BytesIO(base64.b64decode(shown("two panels")["image/png"])))
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(Image.open(saved)))
    assert len(drawn) == 1


def test_a_figure_without_a_text_is_refused():
    plt.plot([1, 2])
    with pytest.raises(ValueError, match="Say in a sentence what the figure shows"):
        plots.show(" ")


def test_a_map_is_drawn_with_its_unit_and_without_its_masked_pixels():
    wcs, shape = GALAXIES["NGC 7496"].grid()
    flux = np.ones(shape)
    flux[0, 0] = np.nan
    mask = np.zeros(shape, bool)
    mask[1, 1] = True
    axes = plots.draw_map(CCDData(flux, unit=u.MJy / u.sr, wcs=wcs, mask=mask), label="F770W")
    drawn = axes.images[-1].get_array()
    assert drawn.mask[0, 0] and drawn.mask[1, 1] and drawn.mask.sum() == 2
    assert axes.figure.axes[-1].get_ylabel() == "F770W [MJy sr⁻¹]"


def test_table_pixels_go_back_to_their_place_on_the_right_galaxy():
    table = QTable({"galaxy": ["NGC 628", "NGC 7496", "NGC 7496"], "x": [0, 3, 5], "y": [0, 2, 4]})
    axes = plots.draw_pixels(table, [1.0, 7.0, 8.0], "NGC 7496")
    image = np.ma.filled(axes.images[-1].get_array(), np.nan)
    assert image[2, 3] == 7 and image[4, 5] == 8
    assert np.isfinite(image).sum() == 2
    assert axes.get_title() == "NGC 7496"


def test_values_of_another_length_are_refused():
    table = QTable({"galaxy": ["NGC 628"], "x": [0], "y": [0]})
    with pytest.raises(ValueError, match="2 values for 1 table rows; give one value a row"):
        plots.draw_pixels(table, [1, 2], "NGC 628")


def test_things_that_are_not_on_the_sky_are_refused():
    table = QTable({"galaxy": ["NGC 628"], "x": [500], "y": [0]})
    with pytest.raises(ValueError, match=r"has 1 pixels of NGC 628, whose grid has .* rows"):
        plots.draw_pixels(table, [1.0], "NGC 628")
    with pytest.raises(ValueError, match=r"has 0 pixels of NGC 1365.* Its galaxies: NGC 628"):
        plots.draw_pixels(table, [1.0], "NGC 1365")
    with pytest.raises(ValueError, match="lacks x, y: give one from feature_table first"):
        plots.draw_pixels(table[["galaxy"]], [1.0], "NGC 628")
    with pytest.raises(TypeError, match=r"A map \(CCDData\) was expected"):
        plots.draw_map(np.ones((3, 3)))
    with pytest.raises(ValueError, match="need a celestial WCS"):
        plots.sky_axes(None)
    with pytest.raises(ValueError, match="Say in a sentence"):
        plots.show(plt.figure())


def test_a_layer_that_shows_nothing_is_refused_and_an_even_one_stays_dark():
    with pytest.raises(ValueError, match=r"red layer has the shape \(3, 3\) and 0 finite values"):
        plots.blend({"red": np.full((3, 3), np.nan)})
    assert np.all(plots.blend({"red": np.ones((3, 3))}) == 0)
    bright = np.arange(16.0).reshape(4, 4)
    bright[0, 0] = np.inf
    assert np.all(np.isfinite(plots.blend({"red": bright})))


def test_a_scale_bar_is_as_long_as_it_says():
    galaxy = GALAXIES["NGC 628"]
    wcs, shape = galaxy.grid()
    axes = plots.sky_axes(wcs)
    axes.imshow(np.zeros(shape))
    plots.scale_bar(axes, galaxy, 3 * u.kpc)
    (bar,) = [artist for artist in axes.artists if isinstance(artist, AnchoredSizeBar)]
    assert bar.size_bar.get_children()[0].get_width() == pytest.approx(3000 / 150, rel=1e-3)
    assert bar.txt_label.get_text() == "3 kpc"


def test_blended_maps_keep_their_colours_and_nothing_is_brighter_than_white():
    ramp = np.linspace(0, 1, 101).reshape(1, -1)
    both = plots.blend({"red": ramp, "blue": ramp[:, ::-1]}, faint=0, bright=100)
    assert both.shape == (1, 101, 3)
    assert both.min() >= 0 and both.max() <= 1
    np.testing.assert_allclose(both[0, -1], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(both[0, 0], [0, 0, 1], atol=1e-12)
    assert np.all(np.diff(both[0, :, 0]) > 0)


def test_a_blended_map_stays_dark_where_it_is_missing():
    layer = np.array([[np.nan, 0.0, 1.0, 2.0]])
    picture = plots.blend({"white": layer}, faint=0, bright=100)
    np.testing.assert_array_equal(picture[0, 0], 0)
    np.testing.assert_allclose(picture[0, -1], 1)


def test_maps_on_different_grids_are_not_blended():
    with pytest.raises(ValueError, match="all on the same grid"):
        plots.blend({"red": np.ones((2, 2)), "blue": np.ones((3, 3))})
    with pytest.raises(ValueError, match="give one or more maps"):
        plots.blend({})


def test_an_asinh_scale_marks_zero_and_decades_that_do_not_crowd():
    wcs, shape = GALAXIES["NGC 7496"].grid()
    flux = np.random.default_rng(0).normal(0, 0.1, shape) + np.linspace(0, 90, shape[1])
    norm = AsinhNorm(0.2, -0.3, 100)
    axes = plots.draw_map(CCDData(flux, unit="K", wcs=wcs), norm=norm)
    axes.figure.canvas.draw()
    labels = [label.get_text() for label in axes.figure.axes[-1].get_yticklabels()]
    assert labels == ["0", "1", "10", "100"]


def test_each_group_has_a_colour_and_a_marker_of_its_own():
    labels = np.array([0, 1, 1, 2, -1])
    axes = plots.draw_groups(np.arange(5), np.arange(5), labels, plt.figure().subplots())
    drawn = axes.collections
    assert [len(c.get_offsets()) for c in drawn] == [1, 1, 2, 1]
    looks = {(tuple(c.get_facecolor()[0]), len(c.get_paths()[0].vertices)) for c in drawn}
    assert len(looks) == 4
    assert len({c.get_paths()[0].vertices.tobytes() for c in drawn}) == 4
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["left out", "group 0", "group 1", "group 2"]


def test_groups_without_a_colour_or_a_place_are_refused():
    with pytest.raises(ValueError, match="There is a group 8, but only 8 colours"):
        plots.draw_groups([1], [1], [8])
    with pytest.raises(ValueError, match=r"shapes \(1,\), \(1,\) and \(2,\)"):
        plots.draw_groups([1], [1], [0, 1])


def test_bpt_curves_end_where_they_stop_to_hold():
    for line, end in (("nii_ha", 0.47), ("sii_ha", 0.32)):
        axes = plt.figure().subplots()
        axes.scatter([-1.2, 1], [-1.5, 1.5])
        limits = axes.get_xlim(), axes.get_ylim()
        plots.draw_bpt(axes, line)
        x, y = axes.lines[0].get_data()
        assert x[np.isfinite(y)].max() < end < x.max()
        assert (axes.get_xlim(), axes.get_ylim()) == limits, "the pixels set the scale"
        assert len(axes.lines) == 2 and "log [OIII]/Hβ" in axes.get_ylabel()
