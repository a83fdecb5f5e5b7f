"""The survey on disk: which file holds which map of which galaxy, and how to open it.

The file names are the archives' own, so the same functions open the embedded (simulated)
survey and files downloaded from the archives into another folder.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData

from helpers.fitsfile import image_names, opened
from helpers.galaxies import Galaxy, get_galaxy
from helpers.maps import read_map, read_maps
from helpers.scene import COMPONENTS

EMBEDDED = Path(__file__).resolve().parents[1] / "data" / "embedded"
"""The simulated survey that comes with the course."""

SEALED = EMBEDDED / "sealed"
"""A second simulated universe. Nobody who works through the course knows what is in it."""

FETCHED = EMBEDDED.parent / "phangs"
"""Where files from the archives go, and what is built of them."""

_chosen: Path = EMBEDDED  # what is opened unless a function is given another folder

CO_MAPS = ("co_mom0", "co_ew", "co_tpeak")
MUSE_LINES = ("HB4861", "OIII5006", "OI6300", "HA6562", "NII6583", "SII6716", "SII6730")
MUSE_KINEMATICS = ("HA6562_VEL", "HA6562_SIGMA")
NIRCAM_BANDS = ("F200W", "F300M", "F335M", "F360M")
MIRI_BANDS = ("F770W", "F1000W", "F1130W", "F2100W")
JWST_BANDS = NIRCAM_BANDS + MIRI_BANDS

COMMON_MAPS = CO_MAPS + MUSE_LINES + JWST_BANDS
"""The maps that are brought to the common resolution and enter the feature table."""

_ALMA_PRODUCTS = {
    "co_mom0": "broad_mom0",
    "co_ew": "broad_ew",
    "co_tpeak": "broad_tpeak",
    "co_strict_mom0": "strict_mom0",
    "co_mom0_150pc": "150pc_broad_mom0",
    "co_ew_150pc": "150pc_broad_ew",
    "co_tpeak_150pc": "150pc_broad_tpeak",
}

MAPS = tuple(_ALMA_PRODUCTS) + MUSE_LINES + MUSE_KINEMATICS + JWST_BANDS
"""Every map the course knows by name, at its telescope's own resolution unless it says 150pc."""


def use(folder: Path) -> None:
    """Open the maps of another folder from now on, wherever none is named."""
    global _chosen
    _chosen = Path(folder)


def home() -> Path:
    """The folder that is opened where none is named: `EMBEDDED`, or what `use` was given."""
    return _chosen


def is_embedded() -> bool:
    """Whether that is the embedded survey."""
    return _chosen == EMBEDDED


def _folder(folder: Path | None) -> Path:
    return _chosen if folder is None else Path(folder)


def map_file(
    galaxy: Galaxy | str, name: str, folder: Path | None = None
) -> tuple[Path, str | None, str | None]:
    """Where a map lies: the archive's file name, and the HDUs of the map and of its error.

    Parameters
    ----------
    galaxy : Galaxy or str
        A galaxy or its name.
    name : str
        One of `MAPS`.
    folder : Path, optional
        The folder that holds one folder a galaxy; here and below the one that `home` tells.

    Returns
    -------
    path : Path
        The file, whether or not it is there.
    hdu, error : str or None
        Names of the HDUs; None where the file holds one image, or the error has its own file.

    Raises
    ------
    ValueError
        If there is no map of that name.
    """
    galaxy = get_galaxy(galaxy)
    home = _folder(folder) / galaxy.key
    if name in _ALMA_PRODUCTS:
        return home / f"{galaxy.key}_12m+7m+tp_co21_{_ALMA_PRODUCTS[name]}.fits", None, None
    if name in MUSE_LINES + MUSE_KINEMATICS:
        hdu = name if name in MUSE_KINEMATICS else f"{name}_FLUX"
        file = f"{galaxy.key.upper()}_MAPS_copt_{{}}asec.fits"
        return _held(home, file, f"{galaxy.muse_fwhm.value:.2f}"), hdu, f"{hdu}_ERR"
    if name in JWST_BANDS:
        camera = "nircam" if name in NIRCAM_BANDS else "miri"
        file = f"hlsp_phangs-jwst_jwst_{camera}_{galaxy.key}_{name.lower()}_{{}}_img.fits"
        return _held(home, file, "v1p1"), "SCI", "ERR"
    raise ValueError(f"There is no map {name!r}. Choose one of: {', '.join(MAPS)}.")


def _held(home: Path, file: str, usual: str) -> Path:
    """The file that is there: of another version, or with some extensions only, if need be."""
    whole = file.format(usual)
    part = whole.replace(".fits", "_subset.fits")
    if not (home / whole).exists():
        for pattern in (part, file.format("*"), file.format("*").replace(".fits", "_subset.fits")):
            if found := sorted(home.glob(pattern)):
                return found[-1]
    return home / whole


def available(galaxy: Galaxy | str, folder: Path | None = None) -> list[str]:
    """The names of the maps that the folder's files hold, in the order of `MAPS`."""
    held: dict[Path, set[str]] = {}
    names = []
    for name in MAPS:
        path, hdu, _ = map_file(galaxy, name, folder)
        if path not in held:
            held[path] = _image_names(path) if path.is_file() else set()
        if path.is_file() and (hdu is None or hdu in held[path]):
            names.append(name)
    return names


def _image_names(path: Path) -> set[str]:
    with opened(path) as hdus:
        return set(image_names(hdus))


def native_map(galaxy: Galaxy | str, name: str, folder: Path | None = None) -> CCDData:
    """Open one map as its telescope delivered it.

    Returns
    -------
    CCDData
        Flux or other quantity with its unit, 1-sigma uncertainty, mask and WCS.

    Raises
    ------
    ValueError
        If there is no map of that name.
    FileNotFoundError
        If the folder lacks the file; the message lists the maps it has.
    """
    galaxy = get_galaxy(galaxy)
    path, hdu, error = map_file(galaxy, name, folder)
    if not path.exists():
        here = ", ".join(available(galaxy, folder)) or "none"
        raise FileNotFoundError(
            f"{name} of {galaxy.name} is not in {path.parent} (expected {path.name}). "
            f"Maps that are there: {here}."
        )
    return read_map(path, hdu=hdu, error=error)


def native_maps(galaxy: Galaxy | str, folder: Path | None = None) -> dict[str, CCDData]:
    """Open the maps that `resolution.common_maps` needs, as far as the folder has them.

    CO comes from the products at 150 pc where they exist, since a line's width and peak
    cannot be convolved afterwards; the other maps come at their own resolution.

    Raises
    ------
    FileNotFoundError
        If the folder has none of them.
    """
    here = available(galaxy, folder)
    maps = {}
    for name in COMMON_MAPS:
        for version in (f"{name}_150pc", name):
            if version in here:
                maps[name] = native_map(galaxy, version, folder)
                break
    if not maps:
        galaxy = get_galaxy(galaxy)
        raise FileNotFoundError(
            f"There is not one map of {galaxy.name} in {_folder(folder) / galaxy.key}: is it the "
            "folder that holds one folder a galaxy?"
        )
    return maps


def common_maps(galaxy: Galaxy | str, folder: Path | None = None) -> dict[str, CCDData]:
    """Open the maps of one galaxy at the common resolution, on the common grid.

    Returns
    -------
    dict of str to CCDData
        By name (`COMMON_MAPS`), all on `Galaxy.grid`: one pixel per resolution element.
    """
    galaxy = get_galaxy(galaxy)
    path = _folder(folder) / f"{galaxy.key}_150pc.fits"
    packed = path.with_name(f"{path.name}.gz")
    return read_maps(path if path.is_file() and not packed.is_file() else packed)


def truth(galaxy: Galaxy | str, folder: Path | None = None) -> dict[str, np.ndarray]:
    """What a simulated galaxy is made of, pixel by pixel, on `Galaxy.grid`.

    Returns
    -------
    dict of str to ndarray
        The share of the light of each of `scene.COMPONENTS`; ``CLASS``, the number of the
        largest of them (-1 outside the map); and what else the simulation noted.
    """
    galaxy = get_galaxy(galaxy)
    with fits.open(_folder(folder) / f"{galaxy.key}_truth.fits.gz") as hdus:
        return {hdu.name: hdu.data for hdu in hdus[1:]}


def true_classes(pixel_ids: Iterable[str], folder: Path | None = None) -> np.ndarray:
    """The component that makes most of the light of each pixel of a simulated survey.

    Parameters
    ----------
    pixel_ids : iterable of str
        As in a feature table: ``"ngc0628-0034-0051"`` is row 34, column 51 of the grid.
    folder : Path, optional

    Returns
    -------
    ndarray of str, of the same length
        Names out of `scene.COMPONENTS`.

    Raises
    ------
    ValueError
        If a pixel lies outside the map, where nothing shines and there is no class.
    """
    pixel_ids = list(pixel_ids)
    places = np.array([pixel.split("-") for pixel in pixel_ids])
    classes = np.empty(len(places), dtype=int)
    for key in np.unique(places[:, 0]):
        here = places[:, 0] == key
        row, column = places[here, 1:].astype(int).T
        classes[here] = truth(key, folder)["CLASS"][row, column]
    outside = np.flatnonzero(classes < 0)
    if len(outside):
        raise ValueError(
            f"{len(outside)} of {len(classes)} pixels lie outside the map and have no class, the "
            f"first of them {pixel_ids[outside[0]]}: leave out pixels that a feature table lacks."
        )
    return np.array(COMPONENTS)[classes]
