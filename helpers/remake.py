"""Remake the embedded survey: simulate, bring to one resolution, keep what the notebooks open.

`python course.py data` runs this. The simulation writes every file of every galaxy into a
temporary folder; of these, everything of NGC 7496 is kept and of the two larger galaxies what
the notebooks look at, beside the maps of all three at the common resolution.
"""

import argparse
import gzip
import hashlib
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from astropy.io import fits

from helpers import simulate, survey
from helpers.galaxies import GALAXIES, Galaxy
from helpers.maps import write_maps
from helpers.resolution import common_maps

SHIPPED = {
    "NGC 628": (
        *("co_mom0", "co_tpeak", "co_ew", "co_mom0_150pc", "co_tpeak_150pc", "co_ew_150pc"),
        *("HA6562", "F770W"),
    ),
    "NGC 1365": ("HA6562", "F770W"),
    "NGC 7496": (
        *("co_mom0", "co_ew", "co_tpeak", "co_strict_mom0"),
        *survey.MUSE_LINES,
        *survey.JWST_BANDS,
    ),
}
"""The maps of each galaxy that are shipped at their telescope's own resolution."""

BITS = (9, 4)
"""Of the shipped maps at 150 pc: steps of 0.2 % in a value, of 6 % in an error."""


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
        new, old = Path(scratch) / "new", Path(scratch) / "old"
        largest_first = sorted(GALAXIES, key=lambda name: -np.prod(GALAXIES[name].grid()[1]))
        jobs = [(name, sealed, new) for name in largest_first for sealed in (False, True)]
        # Threads of the numerical libraries do not survive a fork: start each process afresh.
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            for job in [pool.submit(_make, *job) for job in jobs]:
                job.result()
        write_checksums(new)
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise


def _make(name: str, sealed: bool, new: Path) -> None:
    """Simulate one galaxy of one universe, and keep what is shipped of it."""
    galaxy = GALAXIES[name]
    home = new / "sealed" if sealed else new
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=new.parent) as scratch:
        files = Path(scratch)
        simulate.simulate(galaxy, files, simulate.sealed() if sealed else simulate.COURSE)
        maps = common_maps(galaxy, survey.native_maps(galaxy, files))
        write_maps(home / f"{galaxy.key}_150pc.fits", maps, bits=BITS)
        shutil.copy(files / f"{galaxy.key}_truth.fits", home)
        for kind in ("150pc", "truth"):
            _squeeze(home / f"{galaxy.key}_{kind}.fits")
        if not sealed:
            _ship(galaxy, files, home)


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
            # of NGC 628, notebooks use the errors of the integrated intensity alone
            if product == "mom0.fits" or galaxy.name == "NGC 7496":
                shutil.copy(path.with_name(f"{head}_e{product}"), target.parent)


def _squeeze(path: Path) -> None:
    """Compress a file as a whole: of a small FITS file, headers are the larger part."""
    squeezed = gzip.compress(path.read_bytes(), compresslevel=9, mtime=0)
    path.with_name(path.name + ".gz").write_bytes(squeezed)
    path.unlink()


def main() -> None:
    """Remake the survey, and say in a sentence how it went."""
    parser = argparse.ArgumentParser(prog="course.py data", description=remake.__doc__)
    parser.add_argument("--to", type=Path, default=survey.EMBEDDED, help="another folder")
    to = parser.parse_args().to
    started = time.perf_counter()
    try:
        remake(to)
    except OSError as error:
        sys.exit(
            f"{to} could not be remade ({error}) and is as it was: make sure that there are "
            "100 MB of free disk and that you may write there, then start again."
        )
    size = sum(path.stat().st_size for path in to.rglob("*") if path.is_file())
    print(f"Made {to} ({size / 1e6:.1f} MB) in {time.perf_counter() - started:.0f} s.")


if __name__ == "__main__":
    main()
