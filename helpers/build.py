"""From a galaxy's files to its table: the same steps as for the embedded survey, resumable.

Maps are opened, brought to 150 pc and put aside one after another, so that no more than one is in
memory and an interrupted build goes on where it was.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.nddata import CCDData
from astropy.table import QTable
from filelock import FileLock

from helpers import fitsfile, survey
from helpers.archives import FOLDER, local, products
from helpers.features import feature_table
from helpers.galaxies import Galaxy, get_galaxy
from helpers.maps import read_maps, write_maps
from helpers.resolution import common_maps, read_kernel

VERSION = 1
"""Of the steps: maps that were put aside by another version are made anew."""

ENVIRONMENTS = {
    1: "centre",
    2: "bar",
    3: "bar end",
    4: "interbar",
    5: "arm inside interbar",
    6: "arm",
    7: "interarm",
    8: "outer disc",
    9: "interbar without arms",
    10: "disc without arms",
}
"""Codes of the survey's environment masks (Querejeta et al. 2021)."""

Progress = Callable[[str, int, int], None]


def build(
    galaxy: str | Galaxy,
    folder: str | Path = FOLDER,
    *,
    co: str = "detected",
    kernels: str | Path | None = None,
    progress: Progress | None = None,
) -> QTable:
    """Make the table of pixels and features of a galaxy from the files that are here.

    Parameters
    ----------
    galaxy : str or Galaxy
        One of the 19 of `helpers.galaxies.SAMPLE`.
    folder : path
        That holds one folder a galaxy, as `helpers.archives.fetch` fills it.
    co : {"detected", "all"}
        As for `helpers.features.feature_table`.
    kernels : path, optional
        A folder of FITS files with convolution kernels to the common resolution, in place of
        Gaussians: each has the name of its band, such as F770W, in its own.
    progress : callable, optional
        Called with the name of a map, and how many of how many are done.

    Returns
    -------
    QTable
        As from `feature_table`, and a column ``environment`` (0 where no mask says anything;
        see `ENVIRONMENTS`). ``meta["left_out"]`` says of each map that could not be used why.
        The same is written beside the galaxy's folder as ``<key>_table.ecsv``, and the maps as
        ``<key>_150pc.fits``, which `helpers.survey.common_maps` opens.

    Raises
    ------
    FileNotFoundError
        If there is not one map of it.
    ValueError
        If no pixel is left, or a kernel is none.
    """
    galaxy, folder = get_galaxy(galaxy), Path(folder)
    chosen = _chosen(galaxy, folder)
    if not chosen:
        raise FileNotFoundError(
            f"There is not one map of {galaxy.name} in {folder / galaxy.key}: fetch it first, "
            f"python data/fetch.py {galaxy.key}."
        )
    given = _kernels(kernels)
    aside = folder / galaxy.key / ".150pc"
    aside.mkdir(exist_ok=True)
    maps: dict[str, CCDData] = {}
    left_out: dict[str, str] = {}
    with FileLock(aside / "lock"):
        for number, (name, version) in enumerate(chosen.items()):
            if progress is not None:
                progress(name, number, len(chosen))
            try:
                maps[name] = _one(galaxy, name, version, folder, aside, given)
            except ValueError as fault:
                left_out[name] = str(fault)
        if progress is not None:
            progress("table", len(chosen), len(chosen))
        if not maps:
            raise ValueError(
                f"None of the maps of {galaxy.name} can be used: {next(iter(left_out.values()))}"
            )
        write_maps(folder / f"{galaxy.key}_150pc.fits", maps, overwrite=True)
    table = feature_table(galaxy, maps, co=co)
    table["environment"] = environments(galaxy, table, folder)
    table.meta["left_out"] = left_out
    path = folder / f"{galaxy.key}_table.ecsv"
    unfinished = path.with_name(f".{path.name}")
    table.write(unfinished, format="ascii.ecsv", overwrite=True)
    unfinished.replace(path)
    return table


def read_table(galaxy: str | Galaxy, folder: str | Path = FOLDER) -> QTable:
    """The table that `build` wrote.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    galaxy = get_galaxy(galaxy)
    path = Path(folder) / f"{galaxy.key}_table.ecsv"
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no table of {galaxy.name} in {folder}: make it first, "
            f"python data/fetch.py build {galaxy.key}."
        )
    return QTable.read(path, format="ascii.ecsv")


def environments(galaxy: str | Galaxy, table: QTable, folder: str | Path = FOLDER) -> np.ndarray:
    """The code of the survey's environment mask at each pixel's centre; 0 where there is none.

    Parameters
    ----------
    table : QTable
        With columns ``ra`` and ``dec``.

    Returns
    -------
    (n_pixels,) array of int8
        See `ENVIRONMENTS`.
    """
    codes = np.zeros(len(table), dtype=np.int8)
    (place, *_) = products(galaxy, ["masks"])["masks", "environment"]
    path = local(place, Path(folder))
    if path is None:
        return codes
    with fitsfile.opened(path) as hdus:
        hdu = hdus[fitsfile.choose_hdu(hdus, None, path)]
        mask, header = np.nan_to_num(np.asarray(hdu.data, dtype=float)), hdu.header
    wcs, _ = fitsfile.celestial_wcs(header, path.name)
    x, y = wcs.all_world2pix(table["ra"].to_value(u.deg), table["dec"].to_value(u.deg), 0)
    x, y = np.round(x).astype(int), np.round(y).astype(int)
    inside = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
    codes[inside] = mask[y[inside], x[inside]]
    return codes


def _chosen(galaxy: Galaxy, folder: Path) -> dict[str, str]:
    """For every map of the table that is here, which version of it."""
    here = survey.available(galaxy, folder)
    return {
        name: version
        for name in survey.COMMON_MAPS
        for version in (f"{name}_150pc", name)
        if version in here and not (version == name and f"{name}_150pc" in here)
    }


def _kernels(folder: str | Path | None) -> dict[str, Path]:
    if folder is None:
        return {}
    found = {}
    for path in sorted(Path(folder).glob("*.fits*")):
        for band in survey.JWST_BANDS:
            if band in path.name.upper().replace(".", "_").split("_"):
                found[band] = path
    if not found:
        raise ValueError(
            f"No file in {folder} has the name of a band in its own, as in "
            f"kernel_F770W_to_150pc.fits; the bands are {', '.join(survey.JWST_BANDS)}."
        )
    return found


def _one(galaxy, name, version, folder, aside, kernels: Mapping[str, Path]) -> CCDData:
    """One map at 150 pc: the one put aside, if it was made of the same file in the same way."""
    path, _, _ = survey.map_file(galaxy, version, folder)
    given = [path, *([kernels[name]] if name in kernels else [])]
    marks = [f"{each.name} {each.stat().st_size} {each.stat().st_mtime_ns}" for each in given]
    mark = hashlib.sha256(f"{VERSION} {marks}".encode()).hexdigest()[:16]
    kept = aside / f"{name}.{mark}.fits"
    if not kept.is_file():
        kernel = {name: read_kernel(kernels[name])} if name in kernels else None
        native = survey.native_map(galaxy, version, folder)
        if native.uncertainty is None:
            raise ValueError(
                f"{path.name} has no errors, and without them nothing can be said of its S/N: "
                "fetch the file of its errors too."
            )
        made = common_maps(galaxy, {name: native}, kernels=kernel)
        for old in aside.glob(f"{name}.*.fits"):
            old.unlink()
        write_maps(kept, made)
    return read_maps(kept)[name]
