"""Archives of this machine with all files of a galaxy: looked up, fetched, whole or in part."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from archive_server import QUICK
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from helpers import archives, fitsrange, survey
from helpers.download import Connection, Refused
from helpers.galaxies import GALAXIES, SAMPLE, get_galaxy


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "phangs"


def planned(shelves, folder, connection, **options):
    return archives.plan(
        "NGC 1087", folder=folder, connection=connection, own=shelves.registry, **options
    )


# --------------------------------------------------------------------------------- the registry


def test_every_product_of_every_galaxy_has_a_place():
    for galaxy in SAMPLE:
        found = archives.products(galaxy, archives.SURVEYS)
        assert {survey for survey, _ in found} == set(archives.SURVEYS)
        for places in found.values():
            for place in places:
                assert "{" not in place.address + place.file + place.listing
                assert "+" not in place.address, "a plus is written %2B"


def test_the_registry_gives_the_names_that_the_course_opens():
    for galaxy in SAMPLE.values():
        files = {
            place.file.replace("*", f"{galaxy.muse_fwhm.value:.2f}")
            for places in archives.products(galaxy).values()
            for place in places
        }
        for name in survey.MAPS:
            assert survey.map_file(galaxy, name)[0].name in files


def test_muse_widths_agree_with_the_names_of_the_files():
    for galaxy in SAMPLE.values():
        file = archives.products(galaxy)["muse", "maps"][0].file
        width = re.fullmatch(r"\w+_MAPS_copt_(\d\.\d\d|\*)asec\.fits", file)[1]
        assert width in ("*", f"{galaxy.muse_fwhm.value:.2f}")


def test_a_registry_of_your_own_replaces_rows(tmp_path):
    own = tmp_path / "registry.csv"
    row = dict.fromkeys(archives.COLUMNS, "")
    row |= {"survey": "jwst", "product": "f770w", "galaxy": "*", "sure": "read"}
    row["address"] = "https://example.org/mine_{key}.fits"

    def write(**changes):
        with own.open("w", newline="") as file:
            writer = csv.DictWriter(file, archives.COLUMNS)
            writer.writeheader()
            writer.writerow(row | changes)

    write()
    (place,) = archives.products("NGC 1087", own=own)["jwst", "f770w"]
    assert place.address == "https://example.org/mine_ngc1087.fits"
    for change, says in (
        ({"survey": "sdss"}, "Line 2 of .* has the survey 'sdss'"),
        ({"address": "http://example.org"}, "which is not https"),
        ({"sure": "maybe"}, "it is read or inferred"),
        ({"bytes": "many"}, "which is no number"),
        ({"sha256": "abc"}, "no SHA-256 sum"),
    ):
        write(**change)
        with pytest.raises(ValueError, match=says):
            archives.products("NGC 1087", own=own)
    own.write_text("galaxy,address\n")
    with pytest.raises(ValueError, match="a registry needs survey, product"):
        archives.products("NGC 1087", own=own)


def test_unknown_galaxies_and_surveys_are_said():
    with pytest.raises(ValueError, match="no galaxy 'M 31'"):
        archives.products("M 31")
    with pytest.raises(ValueError, match="no survey 'sdss': choose among alma"):
        archives.products("NGC 628", ["sdss"])


# ------------------------------------------------------------------------------------ the fetch


def test_a_galaxy_comes_whole_and_right(shelves, folder, connection):
    plans = planned(shelves, folder, connection)
    states = {(o.survey, o.product): o.state for o, _ in plans}
    assert states["alma", "150pc_broad_ew"] == "absent", "it is not in the listing"
    assert states["muse", "maps"] == states["masks", "environment"] == "to fetch"
    outcomes = archives.fetch(plans, folder, connection=connection, jobs=3)
    assert {o.state for o in outcomes} == {"fetched", "absent"}
    home = folder / "ngc1087"
    for outcome in outcomes:
        if outcome.state != "fetched":
            continue
        name = outcome.path.name.replace("_subset", "")
        was = shelves.stock[name]
        with fits.open(was) as old, fits.open(outcome.path, checksum=True) as new:
            new.verify("exception")
            for hdu in new[1:]:
                np.testing.assert_array_equal(hdu.data, old[hdu.name].data)
            if "_subset" not in outcome.path.name:
                assert outcome.path.read_bytes() == was.read_bytes()
    assert set(archives.check_sums(folder).values()) == {"right"}
    assert len(archives.check_sums(folder)) == len([o for o in outcomes if o.state == "fetched"])
    assert survey.available("NGC 1087", folder) == [
        name for name in survey.available("NGC 7496") if not name.endswith("150pc")
    ]
    # and again: nothing is asked for but listings of what is absent
    before = len(shelves.gets(".fits"))
    again = archives.fetch(planned(shelves, folder, connection), folder, connection=connection)
    assert len(shelves.gets(".fits")) == before
    assert {o.state for o in again} == {"here", "absent"}
    assert not list(home.glob(".incoming/*.fits"))


def test_surveys_can_be_chosen_and_dry_runs_fetch_nothing(shelves, folder, connection):
    plans = planned(shelves, folder, connection, surveys=["jwst"])
    assert {o.survey for o, _ in plans} == {"jwst"} and len(plans) == 8
    assert all(o.bytes == shelves.stock[p[0].file].stat().st_size for o, p in plans)
    assert not folder.exists() and not shelves.gets(".fits")


def test_a_damaged_file_is_noticed(shelves, folder, connection):
    plans = planned(shelves, folder, connection, surveys=["masks"])
    (outcome,) = archives.fetch(plans, folder, connection=connection)
    outcome.path.write_bytes(b"damaged")
    assert set(archives.check_sums(folder).values()) == {"changed"}
    outcome.path.unlink()
    assert set(archives.check_sums(folder).values()) == {"gone"}


def test_another_source_stands_in_where_the_first_fails(shelves, folder, connection):
    plans = planned(shelves, folder, connection, surveys=["muse"])
    ((outcome, (first,)),) = plans
    name = "NGC1087_MAPS_copt_0.92asec.fits"
    path = f"/vault/files/phangs/RELEASES/PHANGS-MUSE/DR1.0/MUSEDAP/{name}"
    shelves.files[path] = shelves.stock[name]
    listing = "/vault/nodes/phangs/RELEASES/PHANGS-MUSE/DR1.0/MUSEDAP"
    shelves.page(
        listing,
        shelves.pages[listing].replace(
            "<vos:nodes>", f'<vos:nodes><vos:node uri="vos://x/{name}"></vos:node>'
        ),
        "text/xml",
    )
    del shelves.files[first.address.split(str(shelves.door.server_port))[1]]
    ((outcome, places),) = planned(shelves, folder, connection, surveys=["muse"])
    assert len(places) == 2
    (outcome,) = archives.fetch([(outcome, places)], folder, connection=connection)
    assert outcome.state == "fetched" and "since: localhost has no file" in outcome.why
    assert outcome.path.name == "NGC1087_MAPS_copt_0.92asec_subset.fits"


def test_one_failure_does_not_hold_up_the_others(shelves, folder, connection):
    shelves.files = {p: f for p, f in shelves.files.items() if "f770w" not in p}
    outcomes = archives.fetch(
        planned(shelves, folder, connection, surveys=["jwst"]), folder, connection=connection
    )
    failed = [o for o in outcomes if o.state == "failed"]
    assert [o.product for o in failed] == ["f770w"] and "has no file" in failed[0].why
    assert sum(o.state == "fetched" for o in outcomes) == 7


# ---------------------------------------------------------------------------- parts of files


def many_extensions(path: Path, count: int = 200, side: int = 120) -> Path:
    """A file like those of PHANGS-MUSE: seven lines among many other maps."""
    galaxy, rng = get_galaxy("NGC 1087"), np.random.default_rng(0)
    wanted = archives.EXTENSIONS["muse"]
    names = [f"MAP{k}" for k in range(count - len(wanted))]
    for k, name in enumerate(wanted):
        names.insert(10 * (k // 2) + k % 2 + 5, name)
    hdus = [fits.PrimaryHDU()]
    hdus[0].header["OBJECT"] = "NGC1087"
    for name in names:
        values = rng.normal(size=(side, side))
        hdus.append(fits.ImageHDU(values, galaxy.grid()[0].to_header(), name=name))
    fits.HDUList(hdus).writeto(path)
    return path


def test_only_the_extensions_that_are_needed_travel(archive, tmp_path, folder, connection):
    path = many_extensions(tmp_path / "maps.fits")
    archive.files["/ADP"], archive.storage = path, None
    product = archives.replace(
        archives.products("NGC 1087")["muse", "maps"][0],
        address=archive.address("/ADP"),
        bytes=path.stat().st_size,
        sha256=None,
    )
    got = archives._fetch_from(product, folder, True, connection, None)
    with fits.open(path) as old, fits.open(got) as new:
        new.verify("exception")
        assert {hdu.name for hdu in new} == {"PRIMARY", *archives.EXTENSIONS["muse"]}
        assert new[0].header["SUBSET"] is True
        for hdu in new[1:]:
            np.testing.assert_array_equal(hdu.data, old[hdu.name].data)
            assert hdu.header == old[hdu.name].header
    needed = got.stat().st_size
    assert connection.received < needed + 200 * fitsrange.PIECE
    assert connection.received < 0.25 * path.stat().st_size
    assert connection.requests < 130, "the chain is left when all was met"


def test_a_server_without_ranges_sends_the_whole_file(shelves, folder, connection):
    def whole(handler, path, body):
        if not body or path not in handler.server.archive.files:
            return False
        handler.send_file(handler.server.archive.files[path], body, ranges=False)
        return True

    shelves.faults, shelves.storage = [whole], None
    (outcome,) = archives.fetch(
        planned(shelves, folder, connection, surveys=["muse"]), folder, connection=connection
    )
    assert outcome.path.name == "NGC1087_MAPS_copt_0.92asec.fits"
    assert outcome.path.read_bytes() == shelves.stock[outcome.path.name].read_bytes()


def test_a_file_that_lacks_what_is_needed_is_not_kept(archive, tmp_path, folder, connection):
    path = tmp_path / "maps.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((9, 9)), name="BIN_ID")]).writeto(path)
    archive.files["/ADP"] = path
    product = archives.replace(
        archives.products("NGC 1087")["muse", "maps"][0], address=archive.address("/ADP")
    )
    for subset in (True, False):
        with pytest.raises(Refused, match="has no HA6562_FLUX and no HA6562_FLUX_ERR"):
            archives._fetch_from(product, folder, subset, connection, None)
    assert not list((folder / "ngc1087").glob("*.fits"))


def test_the_interrupted_fetch_of_parts_goes_on(archive, tmp_path, folder):
    path = many_extensions(tmp_path / "maps.fits", 40)
    archive.files["/ADP"], archive.storage = path, None
    broken = [2]

    def cut(handler, at, body):
        span = handler.headers.get("Range", "")
        first, _, last = span.removeprefix("bytes=").partition("-")
        if not body or not last or int(last) - int(first) < 50_000 or not broken[0]:
            return False
        broken[0] -= 1
        content = path.read_bytes()[int(first) : int(first) + 40_000]
        size = path.stat().st_size
        headers = {
            "Content-Range": f"bytes {first}-{last}/{size}",
            "Content-Length": str(int(last) + 1 - int(first)),
            "ETag": archive.tag(path),
        }
        handler.send(206, content, headers=headers)
        handler.close_connection = True
        return True

    archive.faults = [cut]
    product = archives.replace(
        archives.products("NGC 1087")["muse", "maps"][0],
        address=archive.address("/ADP"),
        sha256=None,
    )
    got = archives._fetch_from(product, folder, True, Connection(QUICK), None)
    with fits.open(path) as old, fits.open(got) as new:
        for hdu in new[1:]:
            np.testing.assert_array_equal(hdu.data, old[hdu.name].data)
    assert broken == [0]


@given(
    axes=st.lists(st.integers(0, 40), max_size=3),
    bits=st.sampled_from([8, 16, 32, -32, -64]),
    cards=st.integers(0, 90),
)
def test_the_chain_is_that_of_astropy(axes, bits, cards):
    dtype = {8: "u1", 16: ">i2", 32: ">i4", -32: ">f4", -64: ">f8"}[bits]
    images = []
    for name in ("A", "B"):
        hdu = fits.ImageHDU(np.zeros(axes[::-1], dtype) if axes else None, name=name)
        for k in range(cards):
            hdu.header[f"CARD{k}"] = k
        images.append(hdu)
    table = fits.BinTableHDU.from_columns(
        [fits.Column("x", "PJ()", array=np.array([[1, 2], [3]], dtype=object))], name="T"
    )
    hdus = fits.HDUList([fits.PrimaryHDU(), images[0], table, images[1]])
    stream = io.BytesIO()
    hdus.writeto(stream)
    content = stream.getvalue()
    parts = fitsrange.find(lambda a, b: content[a:b], ["A", "B"])
    stream.seek(0)
    with fits.open(stream) as opened:
        for part in parts:
            info = opened[part.name or 0].fileinfo()
            assert part.start == info["hdrLoc"]
            assert part.stop == info["datLoc"] + info["datSpan"]


@pytest.mark.parametrize("content", [b"", b"no fits", b"SIMPLE  =" + bytes(10_000)])
def test_what_is_no_fits_file_has_no_chain(content):
    if not content:
        assert fitsrange.find(lambda a, b: b"", ["A"]) == []
        return
    with pytest.raises(ValueError, match=r"no end|no header"):
        fitsrange.find(lambda a, b: content[a:b], ["A"])


# ------------------------------------------------------------------------------------ cleaning


def test_cleaning_removes_what_was_fetched_and_nothing_else(tmp_path):
    folder = tmp_path / "phangs"
    for name in ("ngc0628/a.fits", "ngc1365/b.fits", "ngc0628_table.fits", "mine/c.fits"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(bytes(10))
    assert archives.clean("NGC 628", folder) == 20
    assert archives.clean(folder=folder) == 10
    assert [p.name for p in folder.rglob("*.fits")] == ["c.fits"]
    assert set(GALAXIES) < set(SAMPLE)
