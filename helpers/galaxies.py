"""The three galaxies of the course: where they are, how far, how tilted, and their common grid."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

RESOLUTION = 150 * u.pc
"""The common resolution of the lecture: the FWHM every map is brought to, and one pixel."""


@dataclass(frozen=True)
class Galaxy:
    """What is known of one galaxy before looking at any map.

    The numbers are those of the PHANGS sample table, version 1.6 (Leroy et al. 2021,
    ApJS 257, 43); the resolutions are those of the PHANGS-ALMA maps and of the PHANGS-MUSE
    mosaics that the archives call ``copt``; the width is the course's own choice, wide enough
    for the part of the galaxy that all telescopes have seen.
    """

    name: str
    key: str
    """The name in archive file names, such as ``ngc0628``."""
    center: SkyCoord
    distance: u.Quantity
    inclination: u.Quantity
    position_angle: u.Quantity
    """Of the receding side of the major axis, from north through east."""
    velocity: u.Quantity
    """Systemic, with respect to the local standard of rest."""
    r25: u.Quantity
    effective_radius: u.Quantity
    stellar_mass: u.Quantity
    star_formation_rate: u.Quantity
    nucleus: str
    """``none``, ``Sy1.8`` or ``Sy2``."""
    width: u.Quantity
    """Side of the square on the sky that the course's maps cover."""
    alma_fwhm: u.Quantity
    muse_fwhm: u.Quantity

    def angle(self, length: u.Quantity) -> u.Quantity:
        """The angle (arcsec) that a length (pc, kpc) spans at the galaxy's distance.

        An angle is returned as it is, in arcsec.

        Raises
        ------
        ValueError
            If it is neither a length nor an angle.
        """
        if isinstance(length, u.Quantity):
            if length.unit.is_equivalent(u.pc):
                return (length / self.distance).to(u.arcsec, u.dimensionless_angles())
            if length.unit.is_equivalent(u.arcsec):
                return length.to(u.arcsec)
        raise ValueError(
            f"{length!r} is no length or angle: give it a unit, as in 150 * u.pc or 1 * u.arcsec."
        )

    def length(self, angle: u.Quantity) -> u.Quantity:
        """The length (pc) that an angle (arcsec) spans at the galaxy's distance.

        Raises
        ------
        ValueError
            If it is no angle.
        """
        if not (isinstance(angle, u.Quantity) and angle.unit.is_equivalent(u.arcsec)):
            raise ValueError(f"{angle!r} is no angle: give it a unit, as in 1 * u.arcsec.")
        return (angle * self.distance).to(u.pc, u.dimensionless_angles())

    def disc_plane(self, sky: SkyCoord) -> tuple[u.Quantity, u.Quantity]:
        """Position in the plane of a thin, tilted disc.

        Parameters
        ----------
        sky : SkyCoord
            Any shape.

        Returns
        -------
        along, across : Quantity
            Deprojected kpc along the receding major axis and along the minor axis.
        """
        if not isinstance(sky, SkyCoord):
            raise TypeError(
                f"Positions on the sky were expected as a SkyCoord, not a {type(sky).__name__}: "
                'SkyCoord(ra, dec, unit="deg").'
            )
        east, north = self.center.spherical_offsets_to(sky.icrs)
        angle = self.position_angle
        along = east * np.sin(angle) + north * np.cos(angle)
        across = (east * np.cos(angle) - north * np.sin(angle)) / np.cos(self.inclination)
        return self.length(along).to(u.kpc), self.length(across).to(u.kpc)

    def radius(self, sky: SkyCoord) -> u.Quantity:
        """Galactocentric radius (kpc) in the plane of the disc, for positions of any shape."""
        return np.hypot(*self.disc_plane(sky))

    def grid(self, pixel: u.Quantity | None = None) -> tuple[WCS, tuple[int, int]]:
        """A square grid of pixels on the sky, north up, centred on the galaxy.

        Parameters
        ----------
        pixel : Quantity, optional
            Side of a pixel, as an angle or a length. By default `RESOLUTION`: one pixel per
            resolution element.

        Returns
        -------
        wcs : WCS
            Gnomonic projection (TAN), ICRS.
        shape : tuple of int
            Rows and columns; both are odd, so that the galaxy's centre is a pixel's centre.

        Raises
        ------
        ValueError
            If the pixel is not one angle or length above 0.
        """
        given = RESOLUTION if pixel is None else pixel
        pixel = self.angle(given)
        if not (pixel.isscalar and 0 < pixel.value < np.inf):
            raise ValueError(
                f"The side of a pixel must be one length or angle above 0, not {given}."
            )
        side = 2 * int(np.ceil((self.width / pixel / 2).to_value(u.one))) + 1
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
        wcs.wcs.cunit = "deg", "deg"
        wcs.wcs.crval = self.center.ra.deg, self.center.dec.deg
        wcs.wcs.crpix = (side + 1) / 2, (side + 1) / 2
        wcs.wcs.cdelt = -pixel.to_value(u.deg), pixel.to_value(u.deg)
        wcs.wcs.radesys = "ICRS"
        return wcs, (side, side)


_SAMPLE = """
name      RA       Dec       Mpc    incl  PA     v_LSR   R25    Re    logM   SFR    AGN    width  ALMA  MUSE
NGC_628   24.1739   15.7836   9.84   8.9   20.7   650.8  296.6  81.8  10.34   1.75  none   220    1.12  0.92
NGC_1365  53.4015  -36.1404  19.57  55.4  201.1  1613.3  360.7  29.3  10.99  16.90  Sy1.8  230    1.40  1.15
NGC_7496  347.4470 -43.4278  18.72  35.9  193.7  1639.2  100.5  41.7  10.00   2.26  Sy2    110    1.68  0.89
"""  # noqa: E501


def _galaxy(row: str) -> Galaxy:
    name, *facts, nucleus, width, alma, muse = row.split()
    ra, dec, mpc, inclination, angle, velocity, r25, re, log_mass, sfr = map(float, facts)
    return Galaxy(
        name=name.replace("_", " "),
        key=f"ngc{int(name.removeprefix('NGC_')):04d}",
        center=SkyCoord(ra, dec, unit="deg"),
        distance=mpc * u.Mpc,
        inclination=inclination * u.deg,
        position_angle=angle * u.deg,
        velocity=velocity * u.km / u.s,
        r25=r25 * u.arcsec,
        effective_radius=re * u.arcsec,
        stellar_mass=10**log_mass * u.Msun,
        star_formation_rate=sfr * u.Msun / u.yr,
        nucleus=nucleus,
        width=float(width) * u.arcsec,
        alma_fwhm=float(alma) * u.arcsec,
        muse_fwhm=float(muse) * u.arcsec,
    )


GALAXIES = {galaxy.name: galaxy for galaxy in map(_galaxy, _SAMPLE.strip().splitlines()[1:])}
"""The galaxies by name, in the order of the course."""


def get_galaxy(name: str | Galaxy) -> Galaxy:
    """Find a galaxy by any usual spelling: ``NGC 628``, ``ngc0628``, ``NGC0628``.

    Parameters
    ----------
    name : str or Galaxy
        A `Galaxy` is returned as it is.

    Raises
    ------
    ValueError
        If the course does not know the galaxy; the message lists those it knows.
    TypeError
        If it is neither a name nor a galaxy.
    """
    if isinstance(name, Galaxy):
        return name
    if not isinstance(name, str):
        raise TypeError(
            f'A galaxy or its name was expected, such as "NGC 628", not a {type(name).__name__}.'
        )
    letters = name.strip().rstrip("0123456789")
    number = name.strip()[len(letters) :].lstrip("0")
    usual = f"{letters.strip().upper()} {number}"
    if usual in GALAXIES:
        return GALAXIES[usual]
    raise ValueError(f"The course has no galaxy {name!r}. Choose one of: {', '.join(GALAXIES)}.")
