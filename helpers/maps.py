"""Maps: one telescope's picture of one quantity, with its error, its unit and its place on the sky.

Every map of the course, real or simulated, is an `astropy.nddata.CCDData`: a 2-D array with a
``unit``, a celestial ``wcs``, a 1-sigma ``uncertainty`` and a ``mask`` (True where nothing was
measured). `read_map` makes one from the FITS files of any of the telescopes. What a file does
not say, it asks for by name; it never guesses.
"""

import numbers
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.wcs import WCS

from helpers import fitsfile

JWST_FWHM = {
    name: fwhm * u.arcsec
    for name, fwhm in {
        "F200W": 0.066,
        "F300M": 0.100,
        "F335M": 0.111,
        "F360M": 0.120,
        "F770W": 0.269,
        "F1000W": 0.328,
        "F1130W": 0.375,
        "F2100W": 0.674,
    }.items()
}
"""Width (FWHM) of the point spread function in each JWST filter of the survey."""


def read_map(
    path: str | Path,
    hdu: str | int | None = None,
    *,
    error: str | Path | None = None,
    unit: str | u.UnitBase | None = None,
    wcs: WCS | None = None,
    plane: int | None = None,
) -> CCDData:
    """Read one map from a FITS file, plain, compressed or gzipped.

    Parameters
    ----------
    path : str or Path
        The file.
    hdu : str or int, optional
        The HDU that holds the map, such as ``"HA6562_FLUX"``. Needed only when the file
        holds several maps.
    error : str or Path, optional
        Where the 1-sigma error is: the name of an HDU of the same file, or another file. By
        default it is found by the archives' habits: ``X`` and ``X_ERR``, ``SCI`` and ``ERR``,
        the only ``..._ERR`` beside an unnamed map, or a file ``..._emom0.fits`` beside
        ``..._mom0.fits``. Without any of these the map has no uncertainty.
    unit : str or unit, optional
        Unit of the values and their error; needed when the header's BUNIT is missing or
        unreadable, and believed instead of it when given.
    wcs : WCS, optional
        Where the pixels are on the sky; needed when the header does not say.
    plane : int, optional
        Which plane of a cube, counted from 0; needed when the image has three axes.

    Returns
    -------
    CCDData
        2-D (rows, columns), first axis of the sky (right ascension) along the columns. The
        mask is True where the value is not finite or its error is not positive. ``meta``
        keeps the header, with the file's name as ``MAPFILE``.

    Raises
    ------
    FileNotFoundError
        If there is no such file; the message names those that are nearly called so.
    ValueError
        If the file is no FITS file or damaged, holds no such map, or leaves something open
        that must be asked for.
    """
    path = fitsfile.existing(path)
    with fitsfile.opened(path) as hdus:
        return _map(hdus, path, hdu, error, unit, wcs, plane)


def read_maps(path: str | Path) -> dict[str, CCDData]:
    """Read all the maps of a file made by `write_maps`, by name and in the file's order."""
    path = fitsfile.existing(path)
    with fitsfile.opened(path) as hdus:
        names = [
            name
            for name in fitsfile.image_names(hdus)
            if name and not name.upper().endswith("_ERR")
        ]
        if not names:
            raise ValueError(f"{path.name} holds no named maps; read it with read_map instead.")
        return {name: _map(hdus, path, name) for name in names}


def write_maps(
    path: str | Path,
    maps: Mapping[str, CCDData],
    *,
    bits: tuple[int, int] = (14, 14),
    overwrite: bool = False,
) -> None:
    """Write maps to one FITS file: an HDU for each, and ``<name>_ERR`` for its error.

    The compression is lossless, but gains nothing unless values are rounded first. The same
    maps give the same values and headers; only the time in the compressed stream differs.

    Parameters
    ----------
    path : str or Path
        The file to make.
    maps : mapping of str to CCDData
        As from `helpers.resolution.common_maps`.
    bits : tuple of int
        Binary digits that values and errors keep; 14 are a part in 16,000.
    overwrite : bool
        Whether an existing file is replaced. It is whole at every moment: the old one until the
        new one is complete.

    Raises
    ------
    FileExistsError
        If the file exists and is not to be replaced.
    FileNotFoundError
        If its folder does not exist.
    ValueError
        If there is no map, or one without a place on the sky.
    """
    path = Path(path)
    if not require_maps(maps):
        raise ValueError(f"No map was given, so there is nothing to write to {path.name}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to write {path.name} into.")
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} already exists: choose another name, or say overwrite=True to replace it."
        )
    hdus = fits.HDUList([fits.PrimaryHDU()])
    for name, image in maps.items():
        if image.wcs is None:
            raise ValueError(f"Map {name} does not know where it is on the sky: set its wcs.")
        value = np.where(valid(image), image.data, np.nan)
        hdus.append(_image_hdu(name, value, image, bits[0]))
        if image.uncertainty is not None:
            hdus.append(_image_hdu(f"{name}_ERR", errors(image), image, bits[1]))
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as scratch:
        whole = Path(scratch) / path.name
        hdus.writeto(whole)
        whole.replace(path)


def signal_to_noise(image: CCDData) -> np.ndarray:
    """Value over 1-sigma error of every pixel; NaN where the map is masked.

    Raises
    ------
    ValueError
        If the map has no errors.
    """
    error = errors(image)
    if error is None:
        raise ValueError(
            f"{_label(image)} has no errors, so it has no signal-to-noise ratio. "
            "Read it with read_map(..., error=<HDU or file of the 1-sigma error>)."
        )
    return np.divide(image.data, error, out=np.full(image.shape, np.nan), where=valid(image))


def valid(image: CCDData) -> np.ndarray:
    """True where the map holds a measurement: not masked, finite, its error (if any) above 0.

    Parameters
    ----------
    image : CCDData
        A map.

    Returns
    -------
    (rows, columns) array of bool
    """
    error = errors(image)
    good = np.isfinite(image.data)
    if image.mask is not None:
        good &= ~np.asarray(image.mask, dtype=bool)
    return good if error is None else good & np.isfinite(error) & (error > 0)


def errors(image: CCDData) -> np.ndarray | None:
    """The 1-sigma errors of a map in its unit, or None.

    Parameters
    ----------
    image : CCDData
        A map. Its uncertainty may be a standard deviation, a variance or an inverse variance,
        and in a unit of its own.

    Returns
    -------
    (rows, columns) array or None

    Raises
    ------
    TypeError
        If it is no map.
    ValueError
        If the uncertainty is none of these, or its unit is not one of the map's values.
    """
    given = require_map(image).uncertainty
    if given is None:
        return None
    try:
        if not isinstance(given, StdDevUncertainty):
            with np.errstate(divide="ignore", invalid="ignore"):  # not measured, not wrong
                exact = type(given)(np.asarray(given.array, dtype=float), unit=given.unit)
                given = exact.represent_as(StdDevUncertainty)
        factor = 1 if given.unit is None else given.unit.to(image.unit)
    except (TypeError, u.UnitConversionError) as fault:
        raise ValueError(
            f"{_label(image)} is in {image.unit}, and its uncertainty ({type(given).__name__}, "
            f"unit {given.unit}) gives no errors in that unit. Set it anew: "
            "map.uncertainty = StdDevUncertainty(<1-sigma errors>)."
        ) from fault
    return given.array if factor == 1 else given.array * factor


def require_map(image: CCDData) -> CCDData:
    """The map itself, if it is one.

    Raises
    ------
    TypeError
        If it is something else, such as a plain array.
    ValueError
        If it has not two axes.
    """
    if not isinstance(image, CCDData):
        raise TypeError(
            f"A map (CCDData) was expected, but {_kind(image)} was given. Take one from "
            "survey.native_map or maps.read_map, or make one with maps.make_map."
        )
    if image.data.ndim != 2:
        raise ValueError(
            f"{_label(image)} has the shape {image.shape}; a map has rows and columns. "
            "Of a cube, give one plane."
        )
    return image


def require_maps(maps: Mapping[str, CCDData]) -> Mapping[str, CCDData]:
    """The maps themselves, if they are maps by name.

    Raises
    ------
    TypeError
        If they are something else, such as a list.
    """
    if not isinstance(maps, Mapping):
        raise TypeError(
            'A dictionary of maps by name was expected, such as {"F770W": map}, but '
            f"{_kind(maps)} was given."
        )
    for image in maps.values():
        require_map(image)
    return maps


def fwhm(image: CCDData) -> u.Quantity:
    """Resolution of a map (arcsec): the full width at half maximum of its PSF or beam.

    It is looked for in the header (PSFFWHM in arcsec, then the beam's longer axis BMAJ in deg),
    then in the file's name (``copt_0.92asec`` of PHANGS-MUSE), then by the JWST filter in
    `JWST_FWHM`.

    Raises
    ------
    ValueError
        If none of these says it.
    """
    meta = require_map(image).meta
    for card, unit in (("PSFFWHM", u.arcsec), ("BMAJ", u.deg)):
        if card in meta:
            width = meta[card]
            if isinstance(width, numbers.Real) and 0 < width < np.inf:
                return (float(width) * unit).to(u.arcsec)
            raise ValueError(
                f"{_label(image)} says {card} = {width!r}, which is no width. "
                f"Set it to a number above 0 in {unit}: map.meta[{card!r}] = ..."
            )
    file = str(meta.get("MAPFILE", ""))
    if found := re.search(r"copt_(\d+\.\d+)asec", file):
        return float(found[1]) * u.arcsec
    band = str(meta.get("FILTER", "")).upper()
    if band in JWST_FWHM:
        return JWST_FWHM[band]
    raise ValueError(
        f"{_label(image)} does not say how sharp it is: no PSFFWHM or BMAJ card, no known file "
        'name, no JWST filter. Set it, e.g. map.meta["PSFFWHM"] = 0.9 (arcsec).'
    )


def read_cube(
    path: str | Path, *, unit: str | u.UnitBase | None = None
) -> tuple[list[CCDData], u.Quantity]:
    """Read a radio cube as one map a channel.

    Parameters
    ----------
    path : str or Path
        A FITS file with a third axis in radio velocity.
    unit : str or unit, optional
        As in `read_map`.

    Returns
    -------
    channels : list of CCDData
        Without errors, which `cube_moments` measures.
    velocity : Quantity
        Of each channel (km/s).
    """
    path = fitsfile.existing(path)
    with fitsfile.opened(path) as hdus:
        header = hdus[fitsfile.choose_hdu(hdus, None, path)].header
        count = header.get("NAXIS3", 0)
        if header["NAXIS"] != 3 or str(header.get("CTYPE3", ""))[:4] not in ("VRAD", "VELO"):
            raise ValueError(f"{path.name} is no cube with a third axis in velocity (VRAD).")
        channels = [_map(hdus, path, None, unit=unit, plane=plane) for plane in range(count)]
    step = header.get("CDELT3", header.get("CD3_3"))
    velocity = header["CRVAL3"] + (np.arange(count) + 1 - header["CRPIX3"]) * step
    return channels, (velocity * u.Unit(header.get("CUNIT3", "m/s"))).to(u.km / u.s)


def cube_moments(
    channels: Sequence[CCDData], velocity: u.Quantity, line_free: np.ndarray
) -> dict[str, CCDData]:
    """Integrated intensity, peak temperature and effective width of the line in each pixel.

    The effective width is mom0 / (sqrt(2 pi) Tpeak), the dispersion of a Gaussian line of that
    area and height (Heyer et al. 2001; Leroy et al. 2021). The noise of a pixel is the scatter
    of its line-free channels; channels are taken as independent.

    Parameters
    ----------
    channels : sequence of CCDData
        Brightness temperature (K), one map a channel.
    velocity : Quantity
        Of each channel, evenly spaced.
    line_free : ndarray of bool
        True for channels that hold no line; the others are integrated.

    Returns
    -------
    dict of CCDData
        ``co_mom0`` (K km/s), ``co_tpeak`` (K) and ``co_ew`` (km/s), with errors.
    """
    cube = np.stack([channel.data for channel in channels]).astype(float)
    line_free = np.asarray(line_free, dtype=bool)
    if line_free.shape != velocity.shape or line_free.sum() < 5 or line_free.all():
        raise ValueError(
            f"line_free must mark, among the {len(velocity)} channels, at least 5 without the "
            f"line and leave at least one with it; it marks {line_free.sum()}."
        )
    noise = np.std(cube[line_free], axis=0, ddof=1)
    line = cube[~line_free]
    step = abs(np.diff(velocity)[0].to_value(u.km / u.s))
    mom0, mom0_error = line.sum(axis=0) * step, noise * step * np.sqrt(len(line))
    tpeak = line.max(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        width = mom0 / (np.sqrt(2 * np.pi) * tpeak)
        width_error = abs(width) * np.hypot(mom0_error / mom0, noise / tpeak)
    made = {
        "co_mom0": (mom0, mom0_error, u.K * u.km / u.s),
        "co_tpeak": (tpeak, noise, u.K),
        "co_ew": (width, width_error, u.km / u.s),
    }
    first = channels[0]
    return {
        name: make_map(values, unit, first.wcs, error=error, meta=first.meta)
        for name, (values, error, unit) in made.items()
    }


def make_map(
    values: np.ndarray,
    unit: u.UnitBase,
    wcs: WCS,
    *,
    error: np.ndarray | None = None,
    meta: Mapping | None = None,
) -> CCDData:
    """Put a map together.

    Parameters
    ----------
    values : (rows, columns) array
        Plain numbers in the unit below.
    unit : unit
        Of the values and their errors.
    wcs : WCS
        Where the pixels are on the sky.
    error : (rows, columns) array, optional
        The 1-sigma errors.
    meta : mapping, optional
        Header cards, such as ``{"PSFFWHM": 0.9}``.

    Returns
    -------
    CCDData
        Masked where a value is masked or not finite, or its error is not finite or not above 0.

    Raises
    ------
    ValueError
        If values and errors are not two arrays of the same rows and columns.
    """
    hidden, values = np.ma.getmaskarray(values), np.ma.getdata(values)
    if values.ndim != 2 or (error is not None and np.shape(error) != values.shape):
        other = "" if error is None else f" and errors of shape {np.shape(error)}"
        raise ValueError(
            f"A map was to be made of values of shape {values.shape}{other}: "
            "give rows and columns, the same for both."
        )
    uncertainty = None
    if error is not None:
        hidden, error = hidden | np.ma.getmaskarray(error), np.ma.getdata(error)
        hidden |= ~(np.isfinite(error) & (error > 0))
        uncertainty = StdDevUncertainty(error)
    mask = hidden | ~np.isfinite(values)
    meta = _as_header(meta)
    return CCDData(values, unit=unit, uncertainty=uncertainty, mask=mask, wcs=wcs, meta=meta)


def _as_header(meta: Mapping | None) -> fits.Header:
    return meta.copy() if isinstance(meta, fits.Header) else fits.Header(dict(meta or {}))


def _map(hdus, path, hdu, error=None, unit=None, wcs=None, plane=None) -> CCDData:
    index = fitsfile.choose_hdu(hdus, hdu, path)
    name = fitsfile.hdu_name(hdus[index])
    what = f"{path.name}[{name}]" if name else path.name
    header = hdus[index].header
    if wcs is not None and not isinstance(wcs, WCS):
        raise TypeError(f"wcs= must be an astropy.wcs.WCS, but {_kind(wcs)} was given for {what}.")
    values = fitsfile.plane_of(hdus[index], plane, what)
    if plane is None:
        del hdus[index].data  # the file's own copy, for which large maps have no room
    sky, swapped = fitsfile.celestial_wcs(header, what) if wcs is None else (wcs.deepcopy(), False)
    values = values.T if swapped else values
    if not np.isfinite(values).any():
        raise ValueError(f"{what} has not one finite value: there is nothing to see in it.")
    if sky.naxis != 2 or not sky.has_celestial:
        raise ValueError(f"The wcs= given for {what} must have two axes, both celestial.")
    if sky.array_shape not in (None, values.shape):
        raise ValueError(
            f"{what} has {values.shape} rows and columns, the wcs= given {sky.array_shape}: "
            "it belongs to another map, or its axes are swapped."
        )
    sky.array_shape = values.shape
    unit = fitsfile.unit_of(header, unit, what)
    sigma = fitsfile.errors_of(hdus, index, path, error, unit, plane)
    if sigma is not None:
        sigma = sigma.T if swapped else sigma
        if sigma.shape != values.shape:
            raise ValueError(
                f"{what} has {values.shape} rows and columns, its errors {sigma.shape}: they do "
                "not belong together. Name the right ones with error=."
            )
    meta = fitsfile.header_without_wcs(hdus, index)
    meta["MAPFILE"] = re.sub("[^ -~]", "?", path.name)  # a header takes ASCII alone
    return make_map(values, unit, sky, error=sigma, meta=meta)


_KEPT = (
    *("OBJECT", "TELESCOP", "INSTRUME", "FILTER", "SIMULATE"),
    *("PSFFWHM", "NOISEFWH", "RESNOTE", "BMAJ", "BMIN", "BPA"),
)


def _image_hdu(name: str, values: np.ndarray, image: CCDData, bits: int) -> fits.CompImageHDU:
    header, meta = image.wcs.to_header(), _as_header(image.meta)
    header.remove("MJDREF", ignore_missing=True)
    for keyword in _KEPT:
        if keyword in meta:
            header[keyword] = meta[keyword], meta.comments[keyword]
    if meta.get("SIMULATE"):
        header["COMMENT"] = "Simulated for a course; not an observation."
    header["BUNIT"] = image.unit.to_string("fits")
    mantissa, exponent = np.frexp(np.asarray(values, dtype=np.float32))
    rounded = np.ldexp(np.round(mantissa * 2**bits) / 2**bits, exponent).astype(np.float32)
    hdu = fits.CompImageHDU(
        rounded, header, compression_type="GZIP_2", quantize_level=0, tile_shape=values.shape
    )
    hdu.header["EXTNAME"] = name
    return hdu


def _kind(thing) -> str:
    return "nothing (None)" if thing is None else f"a {type(thing).__name__}"


def _label(image: CCDData) -> str:
    return f"The map from {image.meta['MAPFILE']}" if "MAPFILE" in image.meta else "The map"
