"""Maps: one telescope's picture of one quantity, with its error, its unit and its place on the sky.

Every map of the course, real or simulated, is an `astropy.nddata.CCDData`: a 2-D array with a
``unit``, a celestial ``wcs``, a 1-sigma ``uncertainty`` and a ``mask`` (True where nothing was
measured). `read_map` makes one from the FITS files of any of the telescopes. What a file does
not say, it asks for by name; it never guesses.
"""

import difflib
import re
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS, FITSFixedWarning, WcsError

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

_WCS_CARD = re.compile(
    r"(WCSAXES|CTYPE\d|CRVAL\d|CRPIX\d|CDELT\d|CUNIT\d|CROTA\d|CD\d_\d|PC\d_\d|PV\d_\d+"
    r"|[AB]P?_(ORDER|DMAX|\d_\d)|LONPOLE|LATPOLE|RADE(SYS|CSYS)|EQUINOX)"
)
_FILE_CARD = re.compile(r"BUNIT|BSCALE|BZERO|EXTNAME|EXTVER|CHECKSUM|DATASUM|INHERIT")


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
    path = _existing(path)
    with _opened(path) as hdus:
        return _map(hdus, path, hdu, error, unit, wcs, plane)


def read_maps(path: str | Path) -> dict[str, CCDData]:
    """Read all the maps of a file made by `write_maps`, by name and in the file's order."""
    path = _existing(path)
    with _opened(path) as hdus:
        names = [name for name in _names(hdus) if name and not name.upper().endswith("_ERR")]
        if not names:
            raise ValueError(f"{path.name} holds no named maps; read it with read_map instead.")
        return {name: _map(hdus, path, name, None, None, None, None) for name in names}


def write_maps(path: str | Path, maps: Mapping[str, CCDData], *, overwrite: bool = False) -> None:
    """Write maps to one FITS file: an HDU for each, and ``<name>_ERR`` for its error.

    Values are rounded to 13 binary digits (a part in 16,000, far below any error here), so that
    the lossless compression has something to gain. The same maps give the same bytes.

    Parameters
    ----------
    path : str or Path
        The file to make.
    maps : mapping of str to CCDData
        As from `helpers.resolution.common_maps`.
    overwrite : bool
        Whether an existing file is replaced.
    """
    hdus = fits.HDUList([fits.PrimaryHDU()])
    for name, image in maps.items():
        hdus.append(_image_hdu(name, image.data, image))
        if image.uncertainty is not None:
            hdus.append(_image_hdu(f"{name}_ERR", image.uncertainty.array, image))
    hdus.writeto(path, overwrite=overwrite)


def signal_to_noise(image: CCDData) -> np.ndarray:
    """Value over 1-sigma error of every pixel; NaN where the map is masked.

    Raises
    ------
    ValueError
        If the map has no errors.
    """
    if image.uncertainty is None:
        raise ValueError(
            f"{_label(image)} has no errors, so it has no signal-to-noise ratio. "
            "Read it with read_map(..., error=<HDU or file of the 1-sigma error>)."
        )
    ratio = np.full(image.shape, np.nan)
    good = ~image.mask
    ratio[good] = image.data[good] / image.uncertainty.array[good]
    return ratio


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
    meta = image.meta
    if "PSFFWHM" in meta:
        return float(meta["PSFFWHM"]) * u.arcsec
    if "BMAJ" in meta:
        return (float(meta["BMAJ"]) * u.deg).to(u.arcsec)
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
    path = _existing(path)
    with _opened(path) as hdus:
        header = hdus[_choose(hdus, None, path)].header
        count = header.get("NAXIS3", 0)
        if header["NAXIS"] != 3 or str(header.get("CTYPE3", ""))[:4] not in ("VRAD", "VELO"):
            raise ValueError(f"{path.name} is no cube with a third axis in velocity (VRAD).")
        channels = [_map(hdus, path, None, None, unit, None, plane) for plane in range(count)]
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
        name: make_map(values, unit, first.wcs, error=errors, meta=first.meta)
        for name, (values, errors, unit) in made.items()
    }


def make_map(
    values: np.ndarray,
    unit: u.UnitBase,
    wcs: WCS,
    *,
    error: np.ndarray | None = None,
    meta: Mapping | None = None,
) -> CCDData:
    """Put a map together; it is masked where a value is not finite or an error not positive."""
    mask = ~np.isfinite(values)
    uncertainty = None
    if error is not None:
        mask |= ~(error > 0)
        uncertainty = StdDevUncertainty(error)
    meta = fits.Header() if meta is None else meta.copy()
    return CCDData(values, unit=unit, uncertainty=uncertainty, mask=mask, wcs=wcs, meta=meta)


# What follows reads FITS files of many makers. Every refusal is one sentence that says what was
# found and what to do.


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if path.is_file():
        return path
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent}, so no file {path.name} in it.")
    others = sorted(each.name for each in path.parent.iterdir())
    near = difflib.get_close_matches(path.name, others, n=3, cutoff=0.5) or others[:5]
    raise FileNotFoundError(
        f"There is no file {path.name} in {path.parent}. "
        + (f"There is: {', '.join(near)}." if near else "That folder is empty.")
    )


@contextmanager
def _opened(path: Path) -> Iterator[fits.HDUList]:
    if path.stat().st_size == 0:
        raise ValueError(f"{path.name} is empty (0 bytes): download it again.")
    with path.open("rb") as file:
        start = file.read(200).lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise ValueError(
            f"{path.name} is a web page, not a FITS file: the archive answered with a message. "
            "Open it in a browser to read it, then download the file again."
        )
    try:
        with warnings.catch_warnings():
            # astropy only warns of a file that is too short, and fails later, unclearly.
            warnings.filterwarnings("error", ".*truncated", AstropyUserWarning)
            with fits.open(path) as hdus:
                yield hdus
    except (OSError, EOFError, TypeError, zlib.error, AstropyUserWarning) as fault:
        raise ValueError(
            f"{path.name} ({path.stat().st_size:,} bytes) is damaged, cut short or not a FITS "
            f"file: download it again. (astropy: {fault})"
        ) from fault


def _names(hdus: fits.HDUList) -> list[str]:
    """Names of the HDUs that hold an image; an unnamed one has the name ``""``."""
    return [str(hdu.header.get("EXTNAME", "")) for hdu in hdus if _is_image(hdu)]


def _is_image(hdu) -> bool:
    return bool(hdu.is_image) and hdu.header["NAXIS"] >= 2


def _choose(hdus: fits.HDUList, hdu: str | int | None, path: Path) -> int:
    """Index of the HDU that holds the map."""
    images = [index for index, each in enumerate(hdus) if _is_image(each)]
    names = {index: str(hdus[index].header.get("EXTNAME", "")).upper() for index in images}
    listed = ", ".join(names[index] or f"{index} (unnamed)" for index in images) or "none"
    if hdu is not None:
        wanted = [i for i in images if i == hdu or (names[i] and names[i] == str(hdu).upper())]
        if wanted:
            return wanted[0]
        raise ValueError(f"{path.name} has no image HDU {hdu!r}. It has: {listed}.")
    if "SCI" in names.values():
        return next(i for i in images if names[i] == "SCI")
    maps = [i for i in images if not names[i].endswith("ERR")]
    if len(maps) == 1:
        return maps[0]
    if not maps:
        raise ValueError(f"{path.name} holds no map (its images: {listed}).")
    raise ValueError(f"{path.name} holds several maps: say which with hdu=, one of: {listed}.")


def _map(hdus, path, hdu, error, unit, wcs, plane) -> CCDData:
    index = _choose(hdus, hdu, path)
    name = str(hdus[index].header.get("EXTNAME", ""))
    what = f"{path.name}[{name}]" if name else path.name
    header = hdus[index].header
    values = _plane(hdus[index], plane, what)
    sky, swapped = _sky(header, what) if wcs is None else (wcs, False)
    if not sky.has_celestial or sky.naxis != 2:
        raise ValueError(f"The wcs= given for {what} has no two celestial axes.")
    values = values.T if swapped else values
    if not np.isfinite(values).any():
        raise ValueError(f"{what} has not one finite value: there is nothing to see in it.")
    unit = _unit(header.get("BUNIT"), unit, what)
    errors = _errors(hdus, index, path, error, unit, plane)
    if errors is not None:
        errors = errors.T if swapped else errors
        if errors.shape != values.shape:
            raise ValueError(
                f"{what} has {values.shape} pixels and its error map {errors.shape}: they do not "
                "belong together. Name the right one with error=."
            )
    if sky.array_shape not in (None, values.shape):
        raise ValueError(
            f"{what} has {values.shape} rows and columns, the wcs= given {sky.array_shape}: "
            "it belongs to another map, or the axes are swapped."
        )
    sky.array_shape = values.shape
    meta = _meta(hdus, index)
    meta["MAPFILE"] = path.name
    return make_map(values, unit, sky, error=errors, meta=meta)


def _plane(hdu, plane: int | None, what: str) -> np.ndarray:
    values = hdu.data
    while values.ndim > 2 and values.shape[0] == 1:  # the empty Stokes axis of radio maps
        values = values[0]
    if values.ndim == 3:
        if plane is None:
            raise ValueError(
                f"{what} is a cube of {len(values)} planes: say which with plane=, from 0 on."
            )
        if not 0 <= plane < len(values):
            raise ValueError(f"{what} has planes 0 to {len(values) - 1}; plane={plane} was asked.")
        values = values[plane]
    elif values.ndim != 2:
        raise ValueError(f"{what} has {values.ndim} axes; a map has two.")
    elif plane:
        raise ValueError(f"{what} is a single map, without planes: leave plane={plane} out.")
    kept = np.float32 if values.dtype.itemsize <= 4 and values.dtype.kind == "f" else np.float64
    return values.astype(kept)


def _sky(header: fits.Header, what: str) -> tuple[WCS, bool]:
    """The celestial WCS, and whether the file has declination along its first axis."""
    cards = fits.Header([card for card in header.cards if _WCS_CARD.fullmatch(card.keyword)])
    if "RADECSYS" in cards:
        cards.rename_keyword("RADECSYS", "RADESYS")
    try:
        with warnings.catch_warnings():
            # It reports repaired spellings, such as DEG for deg. The repair is what we want.
            warnings.simplefilter("ignore", FITSFixedWarning)
            full = WCS(cards)
        if full.has_celestial:
            # Longitude always comes first in .celestial, whatever the order in the file.
            return full.celestial, full.wcs.lat < full.wcs.lng
    except (WcsError, ValueError) as fault:
        raise ValueError(
            f"The sky coordinates in the header of {what} make no sense ({fault}): "
            "give the right ones with wcs=."
        ) from fault
    raise ValueError(f"{what} does not say where it is on the sky (no celestial CTYPE): give wcs=.")


def _unit(text: str | None, given: str | u.UnitBase | None, what: str) -> u.UnitBase:
    if given is not None:
        text = given
    elif text is None or not str(text).strip():
        raise ValueError(f'{what} does not say its unit (no BUNIT): give unit=, e.g. "K km/s".')
    if isinstance(text, u.UnitBase):
        return text
    spelling = re.sub(r"10\s*(?:\*\*|\^)\s*\(?([+-]?\d+)\)?", r"1e\1", str(text).strip())
    spelling = re.sub(r"\b(spaxel|pixel)s?\b", "pix", spelling, flags=re.IGNORECASE)
    spelling = re.sub(r"(?<=[A-Za-z])\.(?=[A-Za-z])", " ", spelling)
    spelling = re.sub(r"\belectrons\b", "electron", spelling, flags=re.IGNORECASE)
    above, *below = spelling.split("/")
    if len(below) > 1:  # erg/s/cm2, which the FITS standard does not like
        spelling = f"{above}/({' '.join(below)})"
    shouted = {"KM/S": "km/s", "K KM/S": "K km/s", "MJY/SR": "MJy/sr"}
    try:
        return u.Unit(shouted.get(spelling, spelling))
    except (ValueError, TypeError) as fault:
        raise ValueError(
            f'The unit {text!r} of {what} cannot be read: give unit=, e.g. "K km/s" or "MJy/sr".'
        ) from fault


def _errors(hdus, index, path, error, unit, plane) -> np.ndarray | None:
    """The 1-sigma errors of the map at this index, in its unit, or None."""
    names = {name.upper() for name in _names(hdus)}
    name = str(hdus[index].header.get("EXTNAME", "")).upper()
    if error is None:
        usual = "ERR" if name == "SCI" else f"{name}_ERR"
        lonely = [each for each in names if each.endswith("_ERR")]
        error = usual if usual in names else lonely[0] if not name and len(lonely) == 1 else None
        if error is None and not name:
            sibling = path.with_name(re.sub(r"_(mom\d|ew|tpeak)(\.fits)", r"_e\1\2", path.name))
            error = sibling if sibling != path and sibling.is_file() else None
        if error is None:
            return None
    if str(error).upper() in names:
        source = hdus[_choose(hdus, str(error), path)]
        return _converted(source, unit, plane, f"{path.name}[{error}]")
    if not Path(error).is_file():
        raise ValueError(
            f"error={str(error)!r} is neither an HDU of {path.name} "
            f"({', '.join(sorted(names - {''})) or 'it has no named ones'}) nor a file."
        )
    with _opened(Path(error)) as others:
        source = others[_choose(others, None, Path(error))]
        return _converted(source, unit, plane, Path(error).name)


def _converted(hdu, unit: u.UnitBase, plane: int | None, what: str) -> np.ndarray:
    errors = _plane(hdu, plane, what)
    if not str(hdu.header.get("BUNIT", "")).strip():
        return errors
    own = _unit(hdu.header["BUNIT"], None, what)
    try:
        return errors * errors.dtype.type(own.to(unit))
    except u.UnitConversionError:
        raise ValueError(
            f"The errors in {what} are in {own}, the map in {unit}: that is no error of this map."
        ) from None


def _meta(hdus: fits.HDUList, index: int) -> fits.Header:
    """The map's header and, below it, what the primary header says of the whole file."""
    meta = hdus[index].header.copy(strip=True)
    if index:
        meta.extend(hdus[0].header.copy(strip=True), unique=True)
    for keyword in {card.keyword for card in meta.cards}:
        if _WCS_CARD.fullmatch(keyword) or _FILE_CARD.fullmatch(keyword):
            meta.remove(keyword, remove_all=True)
    return meta


_KEPT = (
    *("OBJECT", "TELESCOP", "INSTRUME", "FILTER", "SIMULATE"),
    *("PSFFWHM", "NOISEFWH", "RESNOTE", "BMAJ", "BMIN", "BPA"),
)


def _image_hdu(name: str, values: np.ndarray, image: CCDData) -> fits.CompImageHDU:
    header = image.wcs.to_header()
    header.remove("MJDREF", ignore_missing=True)
    for keyword in _KEPT:
        if keyword in image.meta:
            header[keyword] = image.meta[keyword], image.meta.comments[keyword]
    header["BUNIT"] = image.unit.to_string("fits")
    mantissa, exponent = np.frexp(np.asarray(values, dtype=np.float32))
    rounded = np.ldexp(np.round(mantissa * 2**13) / 2**13, exponent).astype(np.float32)
    hdu = fits.CompImageHDU(
        rounded, header, compression_type="GZIP_2", quantize_level=0, tile_shape=values.shape
    )
    hdu.header["EXTNAME"] = name
    return hdu


def _label(image: CCDData) -> str:
    return f"The map from {image.meta['MAPFILE']}" if "MAPFILE" in image.meta else "The map"
