"""What partial reading saves, and what building a table costs, with files of the real sizes.

    python benchmarks/fetching.py            # with the course's own Python
    python benchmarks/fetching.py --write    # and write the figures into docs/fetching.md

The files are noise on a smooth disc, under the archives' names; the server is on this machine.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
from astropy.io import fits

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "archives")]

from helpers import archives, survey  # noqa: E402
from helpers.download import Connection  # noqa: E402
from helpers.galaxies import get_galaxy  # noqa: E402

GALAXY = get_galaxy("NGC 1365")
NIRCAM, MIRI, MUSE = (0.031, (7000, 9000)), (0.11, (2200, 2800)), (0.2, (1400, 1400))
"""Sides of the pixels (arcsec), and rows and columns, of the largest maps of the survey."""


def disc(side: float, shape: tuple[int, int], scale: float, noise: float, seed: int):
    """A header and an image: a disc that fades outwards, with noise."""
    wcs, _ = GALAXY.grid(side * archives.u.arcsec)
    header = wcs.to_header()
    header["CRPIX1"], header["CRPIX2"] = (shape[1] + 1) / 2, (shape[0] + 1) / 2
    y, x = np.ogrid[: shape[0], : shape[1]]
    radius = side * np.hypot(y - shape[0] / 2, x - shape[1] / 2)
    image = (scale * np.exp(-radius / 40)).astype(np.float32)
    rng = np.random.default_rng(seed)
    image += noise * rng.standard_normal(shape, dtype=np.float32)
    return header, image


def write_galaxy(home: Path) -> None:
    """The files of NGC 1365, at the survey's full sizes."""
    home.mkdir(parents=True)
    for number, band in enumerate(survey.JWST_BANDS):
        side, shape = NIRCAM if band in survey.NIRCAM_BANDS else MIRI
        header, image = disc(side, shape, 10.0, 0.05, number)
        header["BUNIT"] = "MJy/sr"
        primary = fits.PrimaryHDU()
        primary.header["TARGNAME"], primary.header["FILTER"] = "NGC-1365", band
        error = fits.ImageHDU(np.full(shape, 0.05, np.float32), header, name="ERR")
        hdus = [primary, fits.ImageHDU(image, header, name="SCI"), error]
        fits.HDUList(hdus).writeto(survey.map_file(GALAXY, band, home.parent)[0])
    hdus = [fits.PrimaryHDU()]
    hdus[0].header["OBJECT"] = "NGC1365"
    for number, line in enumerate(survey.MUSE_LINES):
        scale = 3.0e4 if line == "HA6562" else 1.0e4
        header, image = disc(*MUSE, scale, 100.0, 100 + number)
        header["BUNIT"] = "1e-20 erg / (s cm2 spaxel)"
        hdus.append(fits.ImageHDU(image.astype(float), header, name=f"{line}_FLUX"))
        error = np.full(MUSE[1], 100.0)
        hdus.append(fits.ImageHDU(error, header, name=f"{line}_FLUX_ERR"))
    fits.HDUList(hdus).writeto(survey.map_file(GALAXY, "HA6562", home.parent)[0])
    for name, unit in (("co_mom0", "K km/s"), ("co_ew", "km/s"), ("co_tpeak", "K")):
        path = survey.map_file(GALAXY, f"{name}_150pc", home.parent)[0]
        header, image = disc(0.5, (600, 600), 30.0, 0.3, 200)
        header["BMAJ"] = header["BMIN"] = GALAXY.angle(150 * archives.u.pc).value / 3600
        header["BUNIT"], header["OBJECT"] = unit, "NGC1365"
        fits.PrimaryHDU(image, header).writeto(path)
        product = path.name.split("_")[-1]
        error = path.with_name(path.name.replace(f"_{product}", f"_e{product}"))
        fits.PrimaryHDU(np.full((600, 600), 0.3, np.float32), header).writeto(error)


def high_water(pid: int) -> int:
    """The largest memory (bytes) that a process has had; 0 when it has just ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
        return 1024 * int(text.partition("VmHWM:")[2].split()[0])
    except (OSError, IndexError):
        return 0


def building(folder: Path) -> str:
    write_galaxy(folder / GALAXY.key)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    command = [sys.executable, "data/fetch.py", "build", GALAXY.key, "--to", str(folder)]
    started, peak = time.perf_counter(), 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        while child.poll() is None:
            peak = max(peak, high_water(child.pid))
            time.sleep(0.05)
        printed = child.stdout.read()
    if child.returncode:
        sys.exit(printed)
    first = time.perf_counter() - started
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    again = time.perf_counter() - started
    print(printed.splitlines()[-1])
    return (
        f"NGC 1365 at the survey's full sizes (four images of 9,000 x 7,000 pixels, four of 2,800 "
        f"x 2,200, 14 maps of 1,400 x 1,400 spaxels; {size / 1e9:.1f} GB, noise on a smooth disc): "
        f"{first:.0f} s and at most {peak / 1e9:.2f} GB of memory as a whole process; "
        f"the same once more, with the maps put aside, {again:.0f} s."
    )


def partial(folder: Path) -> str:
    from archive_server import serve  # the tests' archive

    rows = []
    for count, side in ((200, 360), (54, 700)):
        path = folder / f"maps{count}.fits"
        wanted = [
            name for name in archives.EXTENSIONS["muse"] if count > 60 or "OI6300" not in name
        ]
        names = [f"MAP{k}" for k in range(count - len(wanted))]
        for k, name in enumerate(wanted):
            names.insert(min(len(names), (count // 22) * 2 * (k // 2) + k % 2 + 5), name)
        header, image = disc(0.2, (side, side), 1.0, 0.1, 0)
        hdus = [fits.ImageHDU(image.astype(float), header, name=name) for name in names]
        primary = fits.PrimaryHDU()
        primary.header["OBJECT"] = "NGC1365"
        fits.HDUList([primary, *hdus]).writeto(path)
        with serve({"/maps": path}) as archive:
            product = archives.replace(
                archives.products(GALAXY)["muse", "maps"][0],
                **{"address": archive.address("/maps"), "file": f"maps{count}.fits"},
                **{"bytes": path.stat().st_size, "sha256": None},
            )
            connection = Connection()
            got = archives._fetch_from(product, folder / "got", True, connection, None)
        with fits.open(got) as hdus:
            kept = len(hdus) - 1
        whole = path.stat().st_size
        rows.append(
            f"| {count} | {kept} | {whole / 1e6:.1f} MB | {connection.received / 1e6:.1f} MB | "
            f"{connection.requests} | {1 - connection.received / whole:.0%} |"
        )
    return "\n".join(
        [
            "| extensions | needed | whole file | received | requests | saved |",
            "|---|---|---|---|---|---|",
            *rows,
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write into docs/fetching.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        saved = partial(Path(scratch))
        print(saved)
        built = building(Path(scratch) / "phangs")
        print(built)
    if not arguments.write:
        return
    made = (
        f"({date.today()}, Python {platform.python_version()} on {platform.system()} "
        f"{platform.machine()}, {os.cpu_count()} cores.)"
    )
    page = ROOT / "docs" / "fetching.md"
    text = page.read_text(encoding="utf-8")
    for mark, figures in (("measured", saved), ("built", f"{built} {made}")):
        before, _, rest = text.partition(f"<!-- {mark} -->")
        text = (
            f"{before}<!-- {mark} -->\n{figures}\n<!-- end -->{rest.partition('<!-- end -->')[2]}"
        )
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
