"""FITS files as the archives make them: find the image, the sky, the unit and the error in them.

`helpers.maps` puts these together to a map. Every refusal is one sentence that says what was
found and what to do about it.
"""

import difflib
import gzip
import io
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakKeyDictionary

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS, WCSSUB_LATITUDE, WCSSUB_LONGITUDE, FITSFixedWarning, WcsError

_WCS_CARD = re.compile(
    r"(WCSAXES|CTYPE\d|CRVAL\d|CRPIX\d|CDELT\d|CUNIT\d|CROTA\d|CD\d_\d|PC\d_\d|PV\d_\d+"
    r"|[AB]P?_(ORDER|DMAX|\d_\d)|LONPOLE|LATPOLE|RADE(SYS|CSYS)|EQUINOX)"
)
_WCS_NUMBER = re.compile(r"CRVAL|CRPIX|CDELT|CROTA|CD\d|PC\d|PV\d")
_FILE_CARD = re.compile(r"BUNIT|BSCALE|BZERO|EXTNAME|EXTVER|CHECKSUM|DATASUM|INHERIT")
_UNNAMED = ("", "PRIMARY", "COMPRESSED_IMAGE")
_NAMES: WeakKeyDictionary = WeakKeyDictionary()
_UPPER_CASE_UNITS = {
    "KM/S": "km/s",
    "K KM/S": "K km/s",
    "MJY/SR": "MJy/sr",
    "JY/BEAM": "Jy/beam",
    "ELECTRON/S": "electron/s",
}


def existing(path: str | Path) -> Path:
    """The path of a file that is there.

    Raises
    ------
    FileNotFoundError
        If it is not; the message names files of nearly that name.
    TypeError
        If it is no path.
    """
    if not isinstance(path, str | Path):
        raise TypeError(f"The name of a file was expected, not {type(path).__name__}.")
    path = Path(path)
    if path.is_file():
        return path
    if path.is_dir():
        raise FileNotFoundError(f"{path} is a folder: give the name of a file in it.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent}, so no file {path.name} in it.")
    others = sorted(each.name for each in path.parent.iterdir())
    near = difflib.get_close_matches(path.name, others, n=3, cutoff=0.5) or others[:5]
    raise FileNotFoundError(
        f"There is no file {path.name} in {path.parent}. "
        + (f"There is: {', '.join(near)}." if near else "That folder is empty.")
    )


@contextmanager
def opened(path: Path) -> Iterator[fits.HDUList]:
    """Open a FITS file; whatever is wrong with its bytes becomes a ValueError that says so."""
    if path.stat().st_size == 0:
        raise ValueError(f"{path.name} is empty (0 bytes): download it again.")
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            start = file.read(200).lstrip().lower()
            if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
                raise ValueError(
                    f"{path.name} is a web page, not a FITS file: the archive answered with a "
                    "message. Open it in a browser to read it, then download the file again."
                )
            file.seek(0)
            # astropy only warns of a file that is too short, and fails later, unclearly.
            warnings.filterwarnings("error", ".*truncated", AstropyUserWarning)
            # To find its HDUs, astropy goes back and forth: a gzip stream begins anew each time.
            whole = io.BytesIO(gzip.decompress(file.read())) if start[:2] == b"\x1f\x8b" else file
            with fits.open(whole) as hdus:
                yield hdus
    except PermissionError as fault:
        raise PermissionError(
            f"{path} is there, but you may not read it: change its permissions, or copy it."
        ) from fault
    except (OSError, EOFError, zlib.error, AstropyUserWarning) as fault:
        raise ValueError(
            f"{path.name} ({path.stat().st_size:,} bytes) is damaged, cut short or not a FITS "
            f"file: download it again. (astropy: {fault})"
        ) from fault


def hdu_name(hdu) -> str:
    """The EXTNAME as it is written in the file, or ``""`` if nobody named it."""
    if hdu not in _NAMES:  # the header of a compressed image is slow to ask, and asked often
        name = str(hdu.header.get("EXTNAME", ""))
        _NAMES[hdu] = "" if name.upper() in _UNNAMED else name
    return _NAMES[hdu]


def image_names(hdus: fits.HDUList) -> list[str]:
    """Names of the HDUs that hold an image."""
    return [hdu_name(hdu) for hdu in hdus if _is_image(hdu)]


def choose_hdu(hdus: fits.HDUList, hdu: str | int | None, path: Path) -> int:
    """Index of the HDU that holds the map: the one asked for, or the only one."""
    names = {i: hdu_name(each).upper() for i, each in enumerate(hdus) if _is_image(each)}
    listed = ", ".join(name or f"{index} (unnamed)" for index, name in names.items()) or "none"
    if hdu is not None:
        wanted = [i for i, name in names.items() if i == hdu or (name and name == _upper(hdu))]
        if len(wanted) == 1:
            return wanted[0]
        if wanted:
            raise ValueError(
                f"{path.name} has {len(wanted)} images named {hdu}: say which by its number, "
                f"hdu={' or '.join(map(str, wanted))}."
            )
        raise ValueError(f"{path.name} has no image HDU {hdu!r}. It has: {listed}.")
    maps = [i for i, name in names.items() if not name.endswith("ERR")]
    science = [i for i in maps if names[i] == "SCI"]
    for only in (maps, science):
        if len(only) == 1:
            return only[0]
    if not maps:
        raise ValueError(f"{path.name} holds no map (its images: {listed}).")
    raise ValueError(f"{path.name} holds several maps: say which with hdu=, one of: {listed}.")


def plane_of(hdu, plane: int | None, what: str) -> np.ndarray:
    """The image (float, rows by columns), or one plane of it if it is a cube."""
    try:
        values = hdu.data
    except (TypeError, ValueError, OverflowError) as fault:
        raise ValueError(
            f"The values of {what} cannot be read: its header (BITPIX, BSCALE, BZERO, BLANK) makes "
            f"no sense ({' '.join(str(fault).split())}). Mend it, or download the file again."
        ) from fault
    # without the empty axes of radio maps, Stokes and frequency
    values = values.reshape([n for n in values.shape[:-2] if n > 1] + [*values.shape[-2:]])
    if values.ndim == 3:
        if plane is None:
            raise ValueError(
                f"{what} is a cube of {len(values)} planes: say which with plane=, from 0 on."
            )
        if plane not in range(len(values)):
            raise ValueError(f"{what} has planes 0 to {len(values) - 1}; plane={plane} was asked.")
        values = values[int(plane)]
    elif values.ndim != 2:
        raise ValueError(
            f"{what} has {values.ndim} axes; a map has two, a cube three. Make a file of one "
            "cube or map of it."
        )
    elif plane:
        raise ValueError(f"{what} is a single map, without planes: leave plane={plane} out.")
    kept = np.float32 if values.dtype.kind == "f" and values.dtype.itemsize <= 4 else np.float64
    return values.astype(kept)


def celestial_wcs(header: fits.Header, what: str) -> tuple[WCS, bool]:
    """The two celestial axes, longitude first, and whether the file has latitude first.

    Only the cards that place the image on the sky are read: what real headers say of dates and
    observatories is often in an older spelling, which astropy would repair with a warning.
    """
    cards = fits.Header(
        [
            card
            for card in header.cards
            if _WCS_CARD.fullmatch(card.keyword) and card.value is not None
        ]
    )
    if "RADECSYS" in cards:
        cards.rename_keyword("RADECSYS", "RADESYS")
    try:
        with warnings.catch_warnings():
            # It reports repaired spellings, such as DEG for deg. The repair is what we want.
            warnings.simplefilter("ignore", FITSFixedWarning)
            full = WCS(cards)
        # astropy takes a number it cannot read for 0
        if any(isinstance(cards[name], str) for name in cards if _WCS_NUMBER.match(name)):
            raise ValueError("a position or scale is not a number")
        if full.has_celestial:
            if max(full.wcs.lng, full.wcs.lat) > 1:
                raise ValueError("the first two axes are not those of the sky")
            sky = full.sub([WCSSUB_LONGITUDE, WCSSUB_LATITUDE])
            return sky, full.wcs.lat < full.wcs.lng
    except (WcsError, ValueError, TypeError, AttributeError, KeyError) as fault:
        raise ValueError(
            f"The sky coordinates in the header of {what} make no sense "
            f"({' '.join(str(fault).split())}): give the right ones with wcs=."
        ) from fault
    raise ValueError(f"{what} does not say where it is on the sky (no celestial CTYPE): give wcs=.")


def unit_of(header: fits.Header, given: str | u.UnitBase | None, what: str) -> u.UnitBase:
    """The unit given or, without one, the header's, in any of the spellings archives use."""
    text = header.get("BUNIT") if given is None else given
    if text is None or not str(text).strip():
        raise ValueError(f'{what} does not say its unit (no BUNIT): give unit=, e.g. "K km/s".')
    if isinstance(text, u.UnitBase):
        return text
    spelling = re.sub(r"10\s*(?:\*\*|\^)\s*\(?([+-]?\d+)\)?", r"1e\1", str(text).strip())
    spelling = re.sub(r"\b(spaxel|pixel)s?\b", "pix", spelling, flags=re.IGNORECASE)
    spelling = re.sub(r"\b(electron)s\b", r"\1", spelling, flags=re.IGNORECASE)
    spelling = re.sub(r"(?<=[A-Za-z])\.(?=[A-Za-z])", " ", spelling)
    above, *below = spelling.split("/")
    if any(re.search(r"[A-Za-z0-9][ *]+[A-Za-z]", part) for part in below[:-1] if "(" not in part):
        raise ValueError(
            f"The unit {text!r} of {what} can be read in two ways: give unit=, with one slash at "
            'most, e.g. "Jy km / (s beam)".'
        )
    if len(below) > 1:  # erg/s/cm2, which the FITS standard does not like
        spelling = f"{above}/({' '.join(below)})"
    try:
        return u.Unit(_UPPER_CASE_UNITS.get(spelling, spelling))
    except (ValueError, TypeError) as fault:
        raise ValueError(
            f'The unit {text!r} of {what} cannot be read: give unit=, e.g. "K km/s" or "MJy/sr".'
        ) from fault


def errors_of(
    hdus: fits.HDUList,
    index: int,
    path: Path,
    error: str | Path | None,
    unit: u.UnitBase,
    plane: int | None,
) -> np.ndarray | None:
    """The 1-sigma errors of the map at this index, in its unit; None if there are none.

    See `helpers.maps.read_map` for where they are looked for.
    """
    names = [name.upper() for name in image_names(hdus)]
    error = _usual_error(hdu_name(hdus[index]).upper(), names, path) if error is None else error
    if error is None:
        return None
    if _upper(error) in names:
        source = hdus[choose_hdu(hdus, str(error), path)]
        return _in_unit(source, unit, plane, f"{path.name}[{error}]")
    if not Path(error).is_file():
        raise ValueError(
            f"error={str(error)!r} is neither an HDU of {path.name} "
            f"({', '.join(filter(None, names)) or 'it has no named ones'}) nor a file."
        )
    error = Path(error)
    with opened(error) as others:
        return _in_unit(others[choose_hdu(others, None, error)], unit, plane, error.name)


def header_without_wcs(hdus: fits.HDUList, index: int) -> fits.Header:
    """The image's header and, below it, what the primary header says of the whole file.

    Without the cards that a map keeps elsewhere: shape, coordinates and unit.
    """
    header = hdus[index].header.copy(strip=True)
    if index:
        header.extend(hdus[0].header.copy(strip=True), unique=True)
    for keyword in {card.keyword for card in header.cards}:
        if _WCS_CARD.fullmatch(keyword) or _FILE_CARD.fullmatch(keyword):
            header.remove(keyword, remove_all=True)
    return header


def _is_image(hdu) -> bool:
    return bool(hdu.is_image) and hdu.header["NAXIS"] > 0


def _upper(name: str | int | Path) -> str:
    return str(name).upper()


def _usual_error(name: str, names: list[str], path: Path) -> str | Path | None:
    """Where the archives keep the error of the map of this name: an HDU, a file, or nowhere."""
    usual = "ERR" if name == "SCI" else f"{name}_ERR"
    if usual in names:
        return usual
    if name:
        return None
    only = [each for each in names if each.endswith("_ERR")]
    if len(only) == 1:
        return only[0]
    beside = path.with_name(re.sub(r"_(mom\d|ew|tpeak)\.fits", r"_e\1.fits", path.name))
    return beside if beside != path and beside.is_file() else None


def _in_unit(hdu, unit: u.UnitBase, plane: int | None, what: str) -> np.ndarray:
    errors = plane_of(hdu, plane, what)
    if plane is None:
        del hdu.data
    if not str(hdu.header.get("BUNIT", "")).strip():
        return errors
    own = unit_of(hdu.header, None, what)
    try:
        errors *= errors.dtype.type(own.to(unit))
    except u.UnitConversionError:
        raise ValueError(
            f"The errors in {what} are in {own}, the map in {unit}: these are not its errors. "
            "Name the right ones with error=."
        ) from None
    return errors
