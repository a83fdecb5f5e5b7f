"""The colours of the course, as readers with colour-blindness see them.

Simulated after Machado, Oliveira & Fernandes (2009) in its strongest form, and compared by the
CIEDE2000 difference, of which about 2.3 can just be seen.
"""

import re
import warnings
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from helpers.plots import NO_GROUP, PALETTE

with warnings.catch_warnings():  # it warns of what it cannot draw without optional packages
    warnings.simplefilter("ignore")
    from colour import RGB_to_XYZ, XYZ_to_Lab, delta_E
    from colour.blindness import matrix_cvd_Machado2009
    from colour.models import eotf_sRGB

    SIGHT = {"usual": np.eye(3)} | {
        kind: matrix_cvd_Machado2009(kind, 1.0)
        for kind in ("Protanomaly", "Deuteranomaly", "Tritanomaly")
    }

SEQUENTIAL = ("viridis", "cividis", "magma", "Greys", "Blues", "binary")
DIVERGING = ("RdBu", "PuOr")


def seen(colours, sight: str) -> np.ndarray:
    """Lightness and two colour axes (CIE Lab) of colours, as somebody sees them."""
    linear = np.clip(eotf_sRGB(np.atleast_2d(colours)) @ SIGHT[sight].T, 0, 1)
    return XYZ_to_Lab(RGB_to_XYZ(linear, "sRGB"))


def nearest(colours, sight: str) -> float:
    """The difference of the two colours that are the most alike."""
    lab = seen([to_rgb(colour) for colour in colours], sight)
    return min(delta_E(a, b, method="CIE 2000") for a, b in combinations(lab, 2))


@pytest.mark.parametrize("sight", SIGHT)
def test_the_colours_of_groups_can_be_told_apart(sight):
    assert nearest([*PALETTE, NO_GROUP], sight) > 10


def test_a_red_and_a_green_would_not_have_passed():
    assert nearest(["#d62728", "#6b8e23"], "usual") > 40
    assert nearest(["#b03a2e", "#6b6b00"], "Deuteranomaly") < 10


def lightness(name: str, sight: str) -> np.ndarray:
    return seen(mpl.colormaps[name](np.linspace(0, 1, 33))[:, :3], sight)[:, 0]


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("name", SEQUENTIAL)
def test_more_is_always_lighter_or_always_darker(name, sight):
    steps = np.diff(lightness(name, sight))
    assert (steps > 0).all() or (steps < 0).all()


def test_a_rainbow_would_not_have_passed():
    steps = np.diff(lightness("jet", "usual"))
    assert (steps > 0).any() and (steps < 0).any()


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("name", DIVERGING)
def test_both_ends_are_darker_than_the_middle_and_differ(name, sight):
    light = lightness(name, sight)
    assert light.argmax() in (15, 16, 17) and light[16] - light[[0, -1]].max() > 40
    assert nearest([mpl.colormaps[name](0.0), mpl.colormaps[name](1.0)], sight) > 15


def test_no_other_colour_map_is_used(project):
    known = {*SEQUENTIAL, *DIVERGING, "twilight_shifted"}  # the last one is for angles
    for path in (
        *(project / "helpers").rglob("*.py"),
        *(project / "notebooks").glob("*.ipynb"),
        *(project / "docs").glob("*.py"),
    ):
        text = path.read_text(encoding="utf-8").replace('\\"', '"')
        used = set(re.findall(r"""cmap["']?[=:] ?["'](\w+?)(?:_r)?["']""", text))
        assert used <= known, f"{path.name} draws with {used - known}"
