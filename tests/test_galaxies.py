"""What the course knows of its galaxies agrees with itself and with geometry."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from helpers.galaxies import GALAXIES, RESOLUTION, get_galaxy


@pytest.mark.parametrize(
    ("name", "arcsec"), [("NGC 628", 3.14), ("NGC 1365", 1.58), ("NGC 7496", 1.65)]
)
def test_150_pc_span_the_published_angle(name, arcsec):
    assert GALAXIES[name].angle(RESOLUTION).to_value(u.arcsec) == pytest.approx(arcsec, abs=0.005)


@pytest.mark.parametrize("spelling", ["NGC 628", "ngc0628", "NGC0628", "ngc628", " NGC 628 "])
def test_a_galaxy_answers_to_every_usual_spelling(spelling):
    assert get_galaxy(spelling).key == "ngc0628"


def test_an_unknown_galaxy_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no galaxy 'M51'. Choose one of: NGC 628, NGC 1365"):
        get_galaxy("M51")


@pytest.mark.parametrize("thing", [None, 628, ["NGC 628"]])
def test_what_is_no_name_is_called_so(thing):
    with pytest.raises(TypeError, match="A galaxy or its name was expected"):
        get_galaxy(thing)
    assert get_galaxy(GALAXIES["NGC 628"]) is GALAXIES["NGC 628"]


def test_sizes_without_a_unit_or_of_another_kind_are_refused():
    galaxy = GALAXIES["NGC 628"]
    for size in (150, "150 pc", 1 * u.s):
        with pytest.raises(ValueError, match="no length or angle: give it a unit"):
            galaxy.angle(size)
        with pytest.raises(ValueError, match="no length or angle: give it a unit"):
            galaxy.grid(size)
        with pytest.raises(ValueError, match="no angle: give it a unit"):
            galaxy.length(size)
    for side in (0 * u.pc, -1 * u.arcsec, np.nan * u.pc, np.inf * u.pc, [1, 2] * u.pc):
        with pytest.raises(ValueError, match="one length or angle above 0"):
            galaxy.grid(side)
    assert galaxy.angle(2 * u.arcmin) == 120 * u.arcsec


def test_radius_does_not_depend_on_the_frame_of_the_position():
    galaxy = GALAXIES["NGC 1365"]
    place = galaxy.center.directional_offset_by(50 * u.deg, 30 * u.arcsec)
    assert galaxy.radius(place.galactic).value == pytest.approx(galaxy.radius(place).value)
    with pytest.raises(TypeError, match="as a SkyCoord, not a tuple"):
        galaxy.radius((53.4, -36.1))


@pytest.mark.parametrize("galaxy", GALAXIES.values(), ids=lambda galaxy: galaxy.key)
def test_radius_is_plain_along_the_major_axis_and_stretched_along_the_minor(galaxy):
    step = 20 * u.arcsec
    major = galaxy.center.directional_offset_by(galaxy.position_angle, step)
    minor = galaxy.center.directional_offset_by(galaxy.position_angle + 90 * u.deg, step)
    plain = galaxy.length(step).to_value(u.kpc)
    stretch = 1 / np.cos(galaxy.inclination).value
    assert galaxy.radius(major).to_value(u.kpc) == pytest.approx(plain, rel=1e-3)
    assert galaxy.radius(minor).to_value(u.kpc) == pytest.approx(plain * stretch, rel=1e-3)
    along, across = galaxy.disc_plane(major)
    assert along.value == pytest.approx(plain, rel=1e-3)
    assert across.value == pytest.approx(0, abs=1e-3 * plain)


@pytest.mark.parametrize("galaxy", GALAXIES.values(), ids=lambda galaxy: galaxy.key)
def test_the_common_grid_has_150_pc_pixels_and_the_centre_in_its_middle(galaxy):
    wcs, (rows, columns) = galaxy.grid()
    middle = wcs.pixel_to_world((columns - 1) / 2, (rows - 1) / 2)
    assert isinstance(middle, SkyCoord)
    assert middle.separation(galaxy.center) < 0.001 * u.arcsec
    neighbour = wcs.pixel_to_world((columns - 1) / 2, (rows - 1) / 2 + 1)
    assert galaxy.length(middle.separation(neighbour)).to_value(u.pc) == pytest.approx(
        150, rel=1e-3
    )
    assert columns * galaxy.angle(RESOLUTION) >= galaxy.width
