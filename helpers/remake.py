"""Remake the embedded survey: simulate, bring to one resolution, keep what the notebooks open.

`python course.py data` runs this. The simulation writes every file of every galaxy into a
temporary folder; of these, everything of NGC 7496 is kept and of the two larger galaxies what
the notebooks look at, beside the maps of all three at the common resolution.

`python course.py data --grid` remakes the shipped embeddings of that survey instead.
"""

import argparse
import gzip
import hashlib
import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import vstack

from helpers import simulate, survey
from helpers.embedding import GRID, MIN_DIST, N_NEIGHBORS, Progress, embedding_grid, write_grid
from helpers.features import feature_table, learning_frame
from helpers.forest import UnsupervisedForest
from helpers.galaxies import GALAXIES, Galaxy
from helpers.maps import write_maps
from helpers.pictures import SEEDS, Pictures, near
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
        with _same_arithmetic(), ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
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


@contextmanager
def _same_arithmetic():
    """Let processes that start meanwhile reckon alike on every x86 processor.

    With AVX-512, NumPy's exponential differs in the last digit. That is enough to draw some
    clouds and HII regions one pixel of the scene (19 pc) aside, and to move the outline of CO.
    """
    before = os.environ.get("NPY_DISABLE_CPU_FEATURES")
    os.environ["NPY_DISABLE_CPU_FEATURES"] = "X86_V4 AVX512_ICL AVX512_SPR"
    try:
        yield
    finally:
        del os.environ["NPY_DISABLE_CPU_FEATURES"]
        if before is not None:
            os.environ["NPY_DISABLE_CPU_FEATURES"] = before


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


def remake_grid(folder: Path = GRID.parent) -> None:
    """Lay out the embedded table anew with every choice of the hyper-parameters.

    Finished pictures are kept in a folder beside the file until all are made: started again, it
    goes on where it was.

    Parameters
    ----------
    folder : Path
        Where to write.
    """
    frame = learning_frame(vstack([feature_table(name) for name in GALAXIES]))
    unfinished, pictures = Path(folder) / "unfinished", {}
    for name in Pictures.distances:
        whole = name == "forest"
        numbers, gaps = (N_NEIGHBORS, MIN_DIST) if whole else ((25,), (0.0,))
        neighbours = near(frame, name, max(numbers))
        made = embedding_grid(
            neighbours, numbers, gaps, SEEDS, folder=unfinished, progress=Progress(f"{name}:")
        )
        pictures |= {(name, *setting): points for setting, points in made.items()}
    packages = ("umap-learn", "scikit-learn", "scipy", "numba", "numpy")
    forest = UnsupervisedForest(random_state=0)
    parameters = {k: v for k, v in forest.get_params().items() if k != "n_jobs"}
    made_with = {"forest": parameters, "n_epochs": 300} | {name: version(name) for name in packages}
    write_grid(Path(folder) / GRID.name, frame, pictures, made_with)
    shutil.rmtree(unfinished)
    write_checksums(Path(folder))


def main() -> None:
    """Remake the survey or its embeddings, and say in a sentence how it went."""
    parser = argparse.ArgumentParser(prog="course.py data", description=remake.__doc__)
    parser.add_argument("--grid", action="store_true", help=remake_grid.__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, help="another folder")
    options = parser.parse_args()
    make, usual = (remake_grid, GRID.parent) if options.grid else (remake, survey.EMBEDDED)
    to = options.to or usual
    started = time.perf_counter()
    try:
        make(to)
    except KeyboardInterrupt:
        sys.exit(f"\nStopped; {to} is as it was. Started again, the embeddings go on from here.")
    except OSError as error:
        sys.exit(
            f"{to} could not be remade ({error}) and is as it was: make sure that there are "
            "100 MB of free disk and that you may write there, then start again."
        )
    size = sum(path.stat().st_size for path in to.rglob("*") if path.is_file())
    print(f"Made {to} ({size / 1e6:.1f} MB) in {time.perf_counter() - started:.0f} s.")


if __name__ == "__main__":
    main()
