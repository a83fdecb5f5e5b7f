"""The galaxies of the survey: where they are, how far, how tilted, and the grid of each."""

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
    ApJS 257, 43). ``muse_fwhm`` is the resolution of the PHANGS-MUSE mosaics that the archives
    call ``copt``, as it stands in the names of their files; ``alma_fwhm`` that of the PHANGS-ALMA
    maps, where the course needs it before it has opened one. The width is the course's own
    choice: of its three galaxies wide enough for the part that all telescopes have seen, of the
    others twice R25, but not more than 300 arcsec.
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
    """``none``, ``Sy1.8``, ``Sy2``, or ``?`` where the course does not say."""
    width: u.Quantity
    """Side of the square on the sky that the course's maps cover."""
    alma_fwhm: u.Quantity
    """NaN where it is left to the map's header."""
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
IC_5332   353.6145 -36.1011   9.01  26.9   74.4   699.3  182.0  82.6   9.67   0.41  ?      -      -     0.87
NGC_1087  41.6049   -0.4987  15.85  42.9  359.1  1501.5   89.1  42.1   9.93   1.31  ?      -      -     0.92
NGC_1300  49.9208  -19.4111  18.99  31.8  278.0  1545.4  178.3  70.9  10.62   1.17  ?      -      -     0.89
NGC_1385  54.3690  -24.5012  17.22  44.0  181.3  1476.8  102.1  40.4   9.98   2.09  ?      -      -     0.77
NGC_1433  55.5062  -47.2219  18.63  28.6  199.7  1057.4  185.8  47.7  10.87   1.13  ?      -      -     0.91
NGC_1512  60.9756  -43.3487  18.83  42.5  261.9   871.4  253.0  52.1  10.71   1.28  ?      -      -     1.25
NGC_1566  65.0016  -54.9380  17.69  29.5  214.7  1483.3  216.8  37.0  10.78   4.54  ?      -      -     0.80
NGC_1672  71.4270  -59.2473  19.40  42.6  134.3  1318.3  184.6  36.1  10.73   7.60  ?      -      -     0.96
NGC_2835  139.4704 -22.3547  12.22  41.3    1.0   867.3  192.4  55.7  10.00   1.24  ?      -      -     1.15
NGC_3351  160.9906  11.7037   9.96  45.1  193.2   774.7  216.8  63.0  10.36   1.32  ?      -      -     1.05
NGC_3627  170.0625  12.9915  11.32  57.3  173.1   715.4  308.4  66.3  10.83   3.84  ?      -      -     1.05
NGC_4254  184.7068  14.4164  13.10  34.4   68.1  2388.2  151.1  37.9  10.42   3.07  ?      -      -     0.89
NGC_4303  185.4789   4.4737  16.99  23.5  312.4  1559.8  206.6  41.6  10.52   5.33  ?      -      -     0.78
NGC_4321  185.7289  15.8223  15.21  38.5  156.2  1572.3  182.9  74.6  10.75   3.56  ?      -      -     1.16
NGC_4535  188.5846   8.1980  15.77  44.7  179.7  1953.6  244.4  81.8  10.53   2.16  ?      -      -     0.56
NGC_5068  199.7281 -21.0387   5.20  35.7  342.4   667.2  224.5  78.0   9.40   0.28  ?      -      -     1.04
"""  # noqa: E501
# The MUSE widths of NGC 2835 and NGC 4303 are from memory; the others were read in public code
# that opens the files. `helpers.maps.fwhm` reads the width in the name of the file that is there.


def _galaxy(row: str) -> Galaxy:
    name, *facts, nucleus, width, alma, muse = row.split()
    ra, dec, mpc, inclination, angle, velocity, r25, re, log_mass, sfr = map(float, facts)
    letters, number = name.split("_")
    return Galaxy(
        name=name.replace("_", " "),
        key=f"{letters.lower()}{int(number):04d}",
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
        width=(min(2 * r25, 300.0) if width == "-" else float(width)) * u.arcsec,
        alma_fwhm=float(alma.replace("-", "nan")) * u.arcsec,
        muse_fwhm=float(muse) * u.arcsec,
    )


SAMPLE = {galaxy.name: galaxy for galaxy in map(_galaxy, _SAMPLE.strip().splitlines()[1:])}
"""The 19 galaxies that ALMA, MUSE and JWST have seen, by name: first those of the course."""

EMBEDDED = ("NGC 628", "NGC 1365", "NGC 7496")
"""The galaxies of the survey that comes with the course, in its order."""

GALAXIES = {name: SAMPLE[name] for name in EMBEDDED}
"""The galaxies that the notebooks look at, by name: of the embedded survey, unless
`helpers.dataset.choose` chose others."""


def one_of_them(usual: str) -> Galaxy:
    """The galaxy that a notebook usually takes, where it is among `GALAXIES`; else the first."""
    return GALAXIES.get(usual) or next(iter(GALAXIES.values()))


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
    if usual in SAMPLE:
        return SAMPLE[usual]
    others = ", ".join(name for name in SAMPLE if name not in EMBEDDED)
    raise ValueError(
        f"The course has no galaxy {name!r}. Choose one of: {', '.join(EMBEDDED)}; with files "
        f"from the archives also {others}."
    )
