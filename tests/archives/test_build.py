"""From the files of a galaxy to its table, and the command that does both."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from archive_server import copy_survey
from astropy.io import fits
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scipy.signal import fftconvolve
from scipy.special import j1

from helpers import build as building
from helpers import survey
from helpers.build import ENVIRONMENTS, build, read_table
from helpers.features import DETECTED, feature_table, learning_frame
from helpers.galaxies import get_galaxy
from helpers.maps import cube_moments, errors, read_cube, read_map
from helpers.resolution import common_maps, kernel_for, match_resolution, read_kernel

KEY = "ngc1087"


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """NGC 7496, playing NGC 1087, with a mask of environments."""
    folder = tmp_path_factory.mktemp("Daten ü")
    copy_survey(survey.EMBEDDED, "ngc7496", KEY, folder)
    galaxy = get_galaxy(KEY)
    wcs, (rows, columns) = galaxy.grid(1 * u.arcsec)
    mask = np.full((rows, columns), 7, np.float32)
    mask[:, : columns // 2] = 6
    mask[rows // 2 - 3 : rows // 2 + 4, columns // 2 - 3 : columns // 2 + 4] = 1
    name = f"{KEY.upper()}_env_mask_simple.fits.gz"
    fits.PrimaryHDU(mask, wcs.to_header()).writeto(folder / KEY / name)
    return folder


@pytest.fixture(scope="module")
def table(files):
    return build(KEY, files)


def copied(files: Path, to: Path) -> Path:
    (to / KEY).mkdir(parents=True)
    for path in (files / KEY).iterdir():
        if path.is_file():
            (to / KEY / path.name).write_bytes(path.read_bytes())
    return to


# ------------------------------------------------------------------------------------ the table


def test_the_table_is_that_of_the_same_steps_by_hand(files, table):
    by_hand = feature_table(KEY, common_maps(KEY, survey.native_maps(KEY, files)))
    assert list(table["pixel_id"]) == list(by_hand["pixel_id"])
    assert len(table) > 1000 and table.meta["left_out"] == {}
    for name in ("ha", "sii_ha", "pah113_77", "co_width"):
        assert table[name].unit == by_hand[name].unit
        here = np.asarray(by_hand[f"{name}_flag"]) == DETECTED
        np.testing.assert_array_equal(here, np.asarray(table[f"{name}_flag"]) == DETECTED)
        np.testing.assert_allclose(table[name][here], by_hand[name][here], rtol=1e-3)
    assert len(learning_frame(table)) > 800


def test_what_it_wrote_is_what_it_returned(files, table):
    again = read_table(KEY, files)
    assert again.colnames == table.colnames
    np.testing.assert_array_equal(again["pixel_id"], table["pixel_id"])
    np.testing.assert_allclose(again["ha"].value, table["ha"].value)
    assert again.meta["cuts"] == [list(cut) for cut in table.meta["cuts"]] or again.meta["cuts"]
    assert set(survey.common_maps(KEY, files)) == set(survey.COMMON_MAPS)


def test_environments_are_those_of_the_mask(files, table):
    codes = np.asarray(table["environment"])
    assert set(codes) <= {0, *ENVIRONMENTS} and {1, 6, 7} <= set(codes)
    centre = np.asarray(table["radius"]) < 0.1
    assert set(codes[centre]) <= {1}
    east = np.asarray(table["ra"]) > get_galaxy(KEY).center.ra.deg + 10 / 3600
    assert set(codes[east]) == {6}, "the left half of the mask, and east is left"


def test_a_second_build_takes_the_maps_put_aside(files, table, monkeypatch):
    made = []
    monkeypatch.setattr(building, "common_maps", lambda *a, **k: made.append(a) or {})
    again = build(KEY, files)
    assert not made
    np.testing.assert_array_equal(again["pixel_id"], table["pixel_id"])


def test_a_changed_file_is_brought_to_150_pc_anew(files, tmp_path):
    folder = copied(files, tmp_path / "a")
    first = build(KEY, folder)
    path = survey.map_file(KEY, "F770W", folder)[0]
    with fits.open(path, "update") as hdus:
        hdus["SCI"].data *= 2
    second = build(KEY, folder)
    ratio = (second["pah77"] / first["pah77"])[np.asarray(first["pah77_flag"]) == DETECTED]
    assert 1.9 < np.median(ratio) < 2.2
    assert len(list((folder / KEY / ".150pc").glob("F770W.*.fits"))) == 1


def test_what_is_lacking_is_said_and_not_crashed_on(files, tmp_path):
    folder = copied(files, tmp_path / "a")
    survey.map_file(KEY, "F2100W", folder)[0].unlink()
    for path in (folder / KEY).glob("*_eew.fits"):
        path.unlink()
    table = build(KEY, folder)
    assert "has no errors" in table.meta["left_out"]["co_ew"]
    lacking = {name for _, name in table.meta["absent"]}
    assert lacking == {"F2100W", "co_ew"}
    assert np.isnan(table["r_pah"]).all() and np.isfinite(table["pah77"]).any()


def test_nothing_at_all_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"python data/fetch\.py ngc1087"):
        build(KEY, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"python data/fetch\.py build ngc1087"):
        read_table(KEY, tmp_path)


def test_without_co_all_pixels_can_be_asked_for(files, tmp_path):
    folder = copied(files, tmp_path / "a")
    for path in (folder / KEY).glob("*_12m+7m+tp_*"):
        path.unlink()
    with pytest.raises(ValueError, match='Ask for all pixels with co="all"'):
        build(KEY, folder)
    assert len(build(KEY, folder, co="all")) > 2000


def test_the_way_of_the_documentation_leads_to_groups(files, table, project, monkeypatch, capsys):
    text = (project / "docs" / "fetching.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    monkeypatch.setattr(building, "read_table", lambda name: read_table(name, files))
    found: dict = {}
    exec(compile(code, "fetching.md", "exec"), found)
    assert len(found["labels"]) == len(found["frame"]) > 800
    assert set(found["labels"]) == set(range(6))


# ---------------------------------------------------------------------------------- large maps


@pytest.mark.parametrize("name", ["F770W", "HA6562", "co_mom0"])
def test_in_tiles_a_map_comes_out_the_same(name, monkeypatch):
    maps = {name: survey.native_map("NGC 7496", name)}
    hole = np.hypot(*(np.indices(maps[name].shape) - maps[name].shape[0] / 3)) < 12
    maps[name].mask |= hole
    whole = common_maps("NGC 7496", maps)[name]
    monkeypatch.setattr("helpers.resolution.LARGE", 0)
    monkeypatch.setattr("helpers.resolution.TILE", 90)
    tiled = common_maps("NGC 7496", maps)[name]
    np.testing.assert_allclose(tiled.data, whole.data, rtol=1e-6, atol=1e-6 * np.nanmax(whole.data))
    np.testing.assert_allclose(errors(tiled), errors(whole), rtol=1e-6)
    assert dict(tiled.meta) == dict(whole.meta) and np.isnan(whole.data).any()


def test_a_large_map_of_another_place_is_refused(monkeypatch):
    monkeypatch.setattr("helpers.resolution.LARGE", 0)
    with pytest.raises(ValueError, match="do not overlap"):
        common_maps("NGC 628", {"F770W": survey.native_map("NGC 7496", "F770W")})


# ------------------------------------------------------------------------------------- kernels


def test_a_gaussian_kernel_from_a_file_does_what_the_gaussian_does(tmp_path):
    image = survey.native_map("NGC 7496", "F770W")
    fwhm, target = 0.269 * u.arcsec, 1.65 * u.arcsec
    sigma = np.sqrt(target**2 - fwhm**2).value / 2.3548 / 0.05
    at = np.arange(-150, 151)
    kernel = np.exp(-(at[:, None] ** 2 + at**2) / 2 / sigma**2)
    hdu = fits.PrimaryHDU(kernel)
    hdu.header["PIXSCALE"] = 0.05
    hdu.writeto(tmp_path / "kernel_F770W_to_150pc.fits")
    ours = match_resolution(image, fwhm, target, noise="pixel")
    read = read_kernel(tmp_path / "kernel_F770W_to_150pc.fits")
    theirs = match_resolution(image, fwhm, target, noise="pixel", kernel=kernel_for(image, *read))
    np.testing.assert_allclose(theirs.data, ours.data, atol=2e-3 * np.nanmax(ours.data))
    found = building._kernels(tmp_path)
    assert list(found) == ["F770W"]


def test_the_error_of_the_gaussian_approximation():
    """The ring of an Airy pattern, for instance, is no Gaussian's: how much light goes astray?"""
    step, target = 0.05, 1.65
    at = step * np.arange(-200, 201)
    radius = np.hypot(at[:, None], at) + 1e-9
    astray = {}
    for band, fwhm in (("F770W", 0.269), ("F2100W", 0.674)):
        x = np.pi * radius / (fwhm / 1.029)
        psf = (2 * j1(x) / x) ** 2
        sigma = np.sqrt(target**2 - fwhm**2) / 2.3548
        kernel = np.exp(-(radius**2) / 2 / sigma**2)
        made = fftconvolve(psf / psf.sum(), kernel / kernel.sum(), mode="same")
        wanted = np.exp(-(radius**2) / 2 / (target / 2.3548) ** 2)
        astray[band] = np.abs(made - wanted / wanted.sum()).sum() / 2
    assert 0.02 < astray["F770W"] < 0.06 < astray["F2100W"] < 0.12, astray


def test_kernels_that_are_none_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"No file in .* has the name of a band"):
        building._kernels(tmp_path)
    path = tmp_path / "F770W.fits"
    fits.PrimaryHDU(np.ones((4, 4))).writeto(path)
    with pytest.raises(ValueError, match="does not say how large its pixels are"):
        read_kernel(path)
    with fits.open(path, "update") as hdus:
        hdus[0].header["PIXSCALE"] = 0.1
    with pytest.raises(ValueError, match="a kernel is a square of odd side"):
        read_kernel(path)


# --------------------------------------------------------------------------------- the command


def run(shelves_or_none, *words, **options) -> subprocess.CompletedProcess:
    own = ["--registry", str(shelves_or_none.registry)] if shelves_or_none else []
    command = [sys.executable, "data/fetch.py", *words, *own]
    root = Path(building.__file__).resolve().parents[1]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, **options)


def test_from_the_command_to_the_table(shelves, tmp_path):
    to = ("--to", str(tmp_path / "Ordner ü"))
    dry = run(shelves, KEY, *to, "--dry-run")
    assert dry.returncode == 0 and "To fetch: 18 file(s), at most 2." in dry.stdout, dry
    assert not (tmp_path / "Ordner ü").exists()
    got = run(shelves, KEY, *to)
    assert got.returncode == 0 and "Next: python data/fetch.py build ngc1087" in got.stdout, got
    assert "not in the archives: 150pc_broad_mom0" in got.stdout
    assert run(None, "verify", *to).stdout.startswith("18 of 18 files are as they were")
    made = run(None, "build", KEY, *to)
    assert made.returncode == 0 and "a table of 1" in made.stdout, made
    table = read_table(KEY, tmp_path / "Ordner ü")
    assert len(table) > 1000 and set(np.unique(table["environment"])) <= {0, 1, 6, 7}
    listed = run(None, "list", *to)
    assert "18 files" in listed.stdout and ", table" in listed.stdout
    assert run(None, "clean", KEY, *to).returncode == 0
    assert not list((tmp_path / "Ordner ü").rglob("*.*"))


def test_what_the_command_refuses_it_says(tmp_path, shelves):
    to = ("--to", str(tmp_path / "a"))
    for words, says in (
        (("ngc9999",), "no galaxy 'ngc9999'"),
        ((KEY, "--surveys", "sdss"), "no survey 'sdss'"),
        (("build", KEY), "python data/fetch.py ngc1087"),
        (("build",), "Say which galaxy"),
        (("clean",), "Say which galaxy, or --yes"),
        ((KEY, "--jobs", "0"), "give 1 or more"),
    ):
        done = run(shelves, *words, *to)
        assert done.returncode == 1 and says in done.stderr, done
        assert "Traceback" not in done.stderr
    assert run(None).returncode == 1


def test_more_than_a_gigabyte_is_asked_for(shelves, tmp_path):
    with shelves.registry.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["product"] == "maps" and row["sure"] == "read":
            row["bytes"] = "2000000000"
    with shelves.registry.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    words = (KEY, "--surveys", "muse", "--to", str(tmp_path / "a"))
    done = run(shelves, *words, stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and "above 1 GB: say --yes" in done.stderr
    assert run(shelves, *words, "--yes").returncode == 0


def test_an_interrupted_build_goes_on(files, tmp_path):
    folder = copied(files, tmp_path / "a")
    command = [sys.executable, "data/fetch.py", "build", KEY, "--to", str(folder)]
    root = Path(building.__file__).resolve().parents[1]
    begun = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL)
    aside = folder / KEY / ".150pc"
    while len(list(aside.glob("*.fits"))) < 3:
        assert begun.poll() is None
        time.sleep(0.02)
    begun.send_signal(signal.SIGKILL)
    begun.wait()
    kept = {path.name: path.stat().st_mtime_ns for path in aside.glob("*.fits")}
    assert not (folder / f"{KEY}_table.ecsv").exists()
    build(KEY, folder)
    for name, changed in kept.items():
        assert (aside / name).stat().st_mtime_ns == changed
    assert len(read_table(KEY, folder)) > 1000


def test_a_bare_python_finds_the_courses_own(tmp_path):
    """Without packages it hands over to .venv's Python; here it is told that none is needed."""
    root = Path(building.__file__).resolve().parents[1]
    text = (root / "data" / "fetch.py").read_text(encoding="utf-8")
    assert "course.install(course.LAB_LOCK)" in text
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import sys; sys.path[:0] = ['data', '.']; import fetch"],
        cwd=root,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, "the command imports nothing but the standard library at first"


# ----------------------------------------------------------------------- real and strange files


def test_the_real_cube_of_ngc_628_is_built_as_far_as_it_goes(realdata, tmp_path):
    channels, velocity = read_cube(realdata / "ngc0628_co21" / "ngc0628_co21_cutout.fits.gz")
    free = np.abs(velocity - np.median(velocity)) > 40 * u.km / u.s
    home = tmp_path / "ngc0628"
    home.mkdir()
    for name, image in cube_moments(channels, velocity, free).items():
        head, product = "ngc0628_12m+7m+tp_co21_broad", name.removeprefix("co_")
        header = image.wcs.to_header()
        for card in ("BMAJ", "BMIN", "BPA"):
            header[card] = image.meta[card]
        header["BUNIT"], header["OBJECT"] = image.unit.to_string("fits"), "NGC628"
        fits.PrimaryHDU(image.data, header).writeto(home / f"{head}_{product}.fits")
        fits.PrimaryHDU(errors(image), header).writeto(home / f"{head}_e{product}.fits")
    table = build("NGC 628", tmp_path)
    assert len(table) > 20 and np.isfinite(table["co_flux"]).all()
    assert "may not be convolved" in table.meta["left_out"]["co_ew"]
    assert np.isnan(table["ha"]).all()


CARDS = st.dictionaries(
    st.sampled_from(
        ["CTYPE1", "CTYPE2", "CRVAL1", "CRPIX1", "CDELT1", "CD1_1", "CUNIT1", "BUNIT", "BMAJ",
         "OBJECT", "FILTER", "EQUINOX", "RADESYS", "PC1_2", "PSFFWHM", "BLANK", "BSCALE", "BZERO"]
    ),
    st.one_of(
        st.none(), st.booleans(), st.integers(-(10**6), 10**6),
        st.floats(allow_nan=False, allow_infinity=False, width=32),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12),
        st.sampled_from(["RA---TAN", "DEC--TAN", "GLON-CAR", "RA---SIP", "deg", "K km/s", "FK5"]),
    ),
    max_size=6,
)  # fmt: skip


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cards=CARDS)
@example(cards={"BMAJ": 0})
@example(cards={"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR"})
def test_no_header_crashes_the_reader_or_the_build(tmp_path, cards):
    home = tmp_path / "ngc0628"
    home.mkdir(exist_ok=True)
    galaxy = get_galaxy("NGC 628")
    wcs, _ = galaxy.grid(1.5 * u.arcsec)
    names = ("ngc0628_12m+7m+tp_co21_broad_mom0.fits", "ngc0628_12m+7m+tp_co21_broad_emom0.fits")
    for k, name in enumerate(names):
        header = wcs.to_header()
        header["BUNIT"], header["BMAJ"], header["BMIN"] = "K km/s", 3.14 / 3600, 3.14 / 3600
        header["BPA"] = 0.0
        hdu = fits.PrimaryHDU(np.full((147, 147), 10.0 if k == 0 else 0.5, np.float32), header)
        for card, value in cards.items() if k == 0 else ():
            hdu.header[card] = value
        hdu.writeto(home / name, overwrite=True, output_verify="ignore")
    for act in (lambda: read_map(home / names[0]), lambda: build(galaxy, tmp_path)):
        try:
            act()
        except (ValueError, TypeError) as fault:
            text = str(fault)
            assert (len(text) > 30 and text[0].isupper()) or "NGC 628" in text or names[0] in text
            assert "\n" not in text
