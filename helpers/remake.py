"""Remake the embedded survey: simulate, bring to one resolution, keep what the notebooks open.

`python course.py data` runs this. The simulation writes every file of every galaxy into a
temporary folder; of these, everything of NGC 7496 is kept and of the two larger galaxies what
the notebooks look at, beside the maps of all three at the common resolution.
"""

import argparse
import hashlib
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty

from helpers import simulate, survey
from helpers.galaxies import GALAXIES, Galaxy
from helpers.maps import write_maps
from helpers.resolution import common_maps

SHIPPED = {
    "NGC 628": (
        *("co_mom0", "co_tpeak", "co_ew", "co_strict_mom0"),
        *("co_mom0_150pc", "co_tpeak_150pc", "co_ew_150pc"),
        *("HA6562", "F770W", "F2100W"),
    ),
    "NGC 1365": ("co_mom0", "HA6562", "F770W"),
    "NGC 7496": survey.MAPS,
}
"""The maps of each galaxy that are shipped at their telescope's own resolution."""

VALUE_BITS, ERROR_BITS = 12, 6
"""Bits of the mantissa that shipped maps keep: steps of 0.02 % in a value, 2 % in an error."""


def remake(folder: Path = survey.EMBEDDED) -> None:
    """Make everything in ``data/embedded`` anew.

    Parameters
    ----------
    folder : Path
        Where to write. What is there is replaced only once all is made.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        new = Path(scratch) / "new"
        for universe, home in (
            (simulate.COURSE, new),
            (simulate.sealed(), new / "sealed"),
        ):
            for galaxy in GALAXIES.values():
                files = Path(scratch) / universe.name
                simulate.simulate(galaxy, files, universe)
                home.mkdir(parents=True, exist_ok=True)
                maps = common_maps(galaxy, survey.native_maps(galaxy, files))
                write_maps(home / f"{galaxy.key}_150pc.fits", _rounded(maps))
                shutil.copy(files / f"{galaxy.key}_truth.fits", home)
                if universe is simulate.COURSE:
                    _ship(galaxy, files, home)
                shutil.rmtree(files / galaxy.key)
        write_checksums(new)
        old = Path(scratch) / "old"
        if folder.exists():
            folder.rename(old)
        new.rename(folder)


def write_checksums(folder: Path) -> None:
    """Write the SHA-256 sum of every file below a folder into its ``SHA256SUMS``."""
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "SHA256SUMS"
    )
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}" for name in names]
    (folder / "SHA256SUMS").write_text("\n".join(sums) + "\n", encoding="utf-8", newline="\n")


def _ship(galaxy: Galaxy, files: Path, home: Path) -> None:
    """Copy the shipped maps of one galaxy, and their errors, without touching their bits."""
    wanted: dict[Path, set[str]] = {}
    for name in SHIPPED[galaxy.name]:
        path, hdu, error = survey.map_file(galaxy, name, files)
        if path.exists():
            wanted.setdefault(path, set()).update({hdu, error} - {None})
    for path, hdus in wanted.items():
        target = home / galaxy.key / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if hdus:
            with fits.open(path, disable_image_compression=True) as source:
                kept = [hdu for hdu in source if hdu.name in {"PRIMARY", *hdus}]
                fits.HDUList(kept).writeto(target)
        else:
            shutil.copy(path, target)
            head, product = path.name.rsplit("_", 1)
            shutil.copy(path.with_name(f"{head}_e{product}"), target.parent)


def _rounded(maps: dict[str, CCDData]) -> dict[str, CCDData]:
    """Keep the bits that carry information: what is left compresses to a third."""
    rounded = {}
    for name, sky_map in maps.items():
        error = sky_map.uncertainty
        rounded[name] = CCDData(
            _round(sky_map.data, VALUE_BITS),
            uncertainty=None
            if error is None
            else StdDevUncertainty(_round(error.array, ERROR_BITS)),
            mask=sky_map.mask,
            unit=sky_map.unit,
            wcs=sky_map.wcs,
            meta=sky_map.meta,
        )
    return rounded


def _round(values: np.ndarray, bits: int) -> np.ndarray:
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(mantissa * 2**bits) / 2**bits, exponent).astype(np.float32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="course.py data", description=remake.__doc__)
    parser.add_argument("--to", type=Path, default=survey.EMBEDDED, help="another folder")
    to = parser.parse_args().to
    started = time.perf_counter()
    remake(to)
    size = sum(path.stat().st_size for path in to.rglob("*") if path.is_file())
    print(f"Made {to} ({size / 1e6:.1f} MB) in {time.perf_counter() - started:.0f} s.")
