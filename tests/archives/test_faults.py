"""Whatever an archive, a network or a disk does: the right file, or one sentence, and never less.

The names of the faults are those of the table in docs/fetching.md.
"""

import gzip
import hashlib
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from archive_server import QUICK, fits_file
from astropy.io import fits

from helpers import archives, download
from helpers.download import Connection, Patience, Refused
from helpers.galaxies import get_galaxy

PATH = "/vault/files/phangs/ngc7496/ngc7496_12m+7m+tp_co21_broad_mom0.fits"
NAME = PATH.rsplit("/", 1)[-1]


@pytest.fixture
def source(archive, tmp_path) -> Path:
    """A file of 1.4 MB in the archive."""
    archive.files[PATH] = fits_file(tmp_path / "stock" / NAME, size=600)
    return archive.files[PATH]


@pytest.fixture
def product(archive) -> archives.Product:
    address = archive.address(PATH.replace("+", "%2B"))
    return archives.Product(
        *(get_galaxy("NGC 7496"), "alma", "broad_mom0", address, NAME, "", "read", None, None)
    )


@pytest.fixture
def home(tmp_path) -> Path:
    return tmp_path / "Ordner mit ü" / "ngc7496"


def fetched(product, home: Path, connection=None, **options) -> Path:
    return download.download(
        product.address,
        home / product.file,
        check=lambda path: archives.verify(path, product),
        connection=connection or Connection(QUICK),
        **options,
    )


def times(count: int, act):
    """A fault that happens so often."""
    left = [count]

    def fault(handler, path, body) -> bool:
        if not body or left[0] <= 0:
            return False
        left[0] -= 1
        return act(handler, path) is not False

    return fault


# ------------------------------------------------------------------ faults, and what comes of them


def cut_with_length(handler, path, most=500_000):
    """Announce all, send a part, hang up."""
    start = int((handler.headers.get("Range") or "bytes=0-")[6:].split("-")[0])
    content = handler.server.archive.files[path].read_bytes()
    code, headers = 200, {"ETag": handler.server.archive.tag(handler.server.archive.files[path])}
    if start:
        code = 206
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
    headers["Content-Length"] = str(len(content) - start)
    handler.send(code, content[start : start + most], headers=headers)
    handler.close_connection = True


def cut_without_length(handler, path):
    content = handler.server.archive.files[path].read_bytes()
    handler.send(200, content[:500_000], say=False)


def reset(handler, path):
    cut_with_length(handler, path)
    handler.connection.close()


def stall(handler, path):
    cut_with_length(handler, path)
    time.sleep(2.5)


def trickle(handler, path):
    content = handler.server.archive.files[path].read_bytes()
    handler.send(200, b"", headers={"Content-Length": str(len(content))})
    for at in range(0, 4000, 10):
        handler.wfile.write(content[at : at + 10])
        time.sleep(0.05)


def slow_but_steady(handler, path):
    content = handler.server.archive.files[path].read_bytes()
    handler.send(200, b"", headers={"Content-Length": str(len(content))})
    for at in range(0, len(content), 50_000):
        handler.wfile.write(content[at : at + 50_000])
        time.sleep(0.05)


def status(code: int, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, path: handler.send(code, b"busy", headers=headers)


def page(handler, path):
    handler.send(200, b"<!DOCTYPE html><html>Please log in</html>", type_="text/html")


def redirect(to: str):
    return lambda handler, path: handler.send(302, b"", headers={"Location": to.format(path=path)})


def packed(handler, path):
    content = gzip.compress(handler.server.archive.files[path].read_bytes())
    handler.send(200, content, headers={"Content-Encoding": "gzip"})


@cache
def packed_zeros() -> bytes:
    return gzip.compress(b"SIMPLE  =".ljust(80) + bytes(200_000_000), 6)


def bomb(handler, path):
    handler.send(200, packed_zeros(), headers={"Content-Encoding": "gzip"})


def no_ranges(handler, path):
    handler.send_file(handler.server.archive.files[path], body=True, ranges=False)


def wrong_range(handler, path):
    if not handler.headers.get("Range"):
        return False
    content = handler.server.archive.files[path].read_bytes()
    headers = {"Content-Range": f"bytes 0-{len(content) - 1}/{len(content)}"}
    return handler.send(206, content, headers=headers)


SOON = {"Retry_After": "0"}
FAULTS = {
    # name: (faults, the sentence, or None where the right file comes)
    "reset in the middle": ([times(2, reset)], None),
    "truncated, length announced": ([times(2, cut_with_length)], None),
    "truncated every time": (
        [times(99, lambda handler, path: cut_with_length(handler, path, 100))],
        "breaks off again and again",
    ),
    "truncated, no length": ([times(1, cut_without_length)], "damaged, cut short"),
    "stall": ([times(1, stall)], None),
    "slow trickle": ([times(99, trickle)], "silent or too slow"),
    "slow but steady": ([times(1, slow_but_steady)], None),
    "404": ([times(99, status(404))], "has no file ngc7496"),
    "403": ([times(99, status(403))], "does not let you have"),
    "429 with Retry-After, then 200": ([times(2, status(429, **SOON))], None),
    "429 with Retry-After in an hour": ([times(1, status(429, Retry_After="3600"))], "60 minutes"),
    "500, then 200": ([times(2, status(500))], None),
    "500 for ever": ([times(99, status(500))], "answers 500 again and again"),
    "captive portal with status 200": ([times(99, page)], "a web page instead of the file"),
    "gzip transfer": ([times(1, packed)], None),
    "gzip bomb": ([times(1, bomb)], "unpacks to more than"),
    "ranges refused": ([times(1, cut_with_length), times(1, no_ranges)], None),
    "ranges answered wrongly": ([times(1, cut_with_length), times(1, wrong_range)], None),
    "redirect to another host": (
        [times(1, redirect("https://127.0.0.1/{path}"))],
        "sends this download on to https://127.0.0.1, which is not",
    ),
    "redirect to http": ([times(1, redirect("http://localhost{path}"))], "http://localhost"),
    "redirect to a file": ([times(1, redirect("file:///etc/passwd"))], "sends this download on to"),
    "redirect without end": ([times(99, redirect("{path}"))], "without end"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_ends_with_the_right_file_or_a_sentence(name, archive, source, product, home):
    faults, sentence = FAULTS[name]
    packed_zeros()  # takes longer than these tests have patience
    archive.faults = list(faults)
    if sentence is None:
        assert fetched(product, home).read_bytes() == source.read_bytes()
        assert [p.name for p in home.iterdir() if p.name != ".incoming"] == [NAME]
        return
    with pytest.raises(Refused, match=re.escape(sentence)) as caught:
        fetched(product, home)
    assert "\n" not in str(caught.value) and "Traceback" not in str(caught.value)
    assert not (home / NAME).exists()
    archive.faults = []
    assert fetched(product, home).read_bytes() == source.read_bytes(), "it does not recover"


def test_what_broke_off_is_continued_and_not_sent_again(archive, source, product, home):
    archive.faults, archive.storage = [times(1, cut_with_length)], None
    fetched(product, home)
    first, second = archive.gets(NAME)
    assert first is None and second == "bytes=500000-"
    assert archive.sent == source.stat().st_size


def test_a_redirect_within_the_archive_is_followed_and_keeps_the_range(archive, source, product):
    start = Connection(QUICK).read(product.address, 5760, 8640)
    assert start == source.read_bytes()[5760:8640]
    ranges = archive.gets()
    assert ranges == ["bytes=5760-8639"] * 2, "the door and the storage were asked"


def test_resuming_asks_the_original_address_again(archive, source, product, home):
    hits = []

    def at_the_storage(handler, path, body):
        hits.append(handler.server is archive.storage)
        if body and handler.server is archive.storage and hits.count(True) == 1:
            cut_with_length(handler, path)
            return True
        return False

    archive.faults = [at_the_storage]
    assert fetched(product, home).read_bytes() == source.read_bytes()
    assert hits == [False, True, False, True]


def test_no_network_and_unknown_hosts_are_said(archive, product, home, monkeypatch):
    nowhere = product.address.replace("localhost", "archive.invalid")
    with pytest.raises(Refused, match=r"archive\.invalid cannot be found: is this machine conn"):
        download.download(nowhere, home / NAME, connection=Connection(QUICK))
    closed = re.sub(r":\d+/", ":9/", product.address)
    with pytest.raises(Refused, match="localhost takes no connection"):
        download.download(closed, home / NAME, connection=Connection(QUICK))


def test_a_certificate_that_nobody_vouches_for_is_refused(
    archive, source, product, home, monkeypatch
):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(Refused, match="certificate of localhost is not trusted"):
        fetched(product, home)


def test_the_wrong_galaxy_or_filter_in_the_right_name_is_not_kept(archive, product, home, tmp_path):
    archive.files[PATH] = fits_file(tmp_path / "stock" / NAME, "NGC 628")
    with pytest.raises(Refused, match="was to show NGC 7496, but its header says NGC0628"):
        fetched(product, home)
    with fits.open(archive.files[PATH], "update") as hdus:
        hdus[0].header["OBJECT"] = "mosaic"
    with pytest.raises(Refused, match=r"its map lies \d+\.\d deg away"):
        fetched(product, home)
    images = [fits.ImageHDU(np.ones((3, 3)), name=name) for name in ("SCI", "ERR")]
    hdus = fits.HDUList([fits.PrimaryHDU(), *images])
    hdus[0].header["TARGNAME"], hdus[0].header["FILTER"] = "NGC-7496", "F1000W"
    hdus.writeto(archive.files[PATH], overwrite=True)
    wanted = archives.replace(product, survey="jwst", product="f770w")
    with pytest.raises(Refused, match="was to be in F770W, but its header says F1000W"):
        fetched(wanted, home)
    assert not (home / NAME).exists()


def test_a_file_that_changed_upstream_is_not_taken_silently(archive, source, product, home):
    old = fetched(product, home)
    archives.record(old)
    old.unlink()
    fits_file(source, size=600, seed=1)
    known = archives.recorded(home)[NAME]
    with pytest.raises(Refused, match="has changed in the archive since its checksum"):
        fetched(product, home, known_hash=known)
    assert not (home / NAME).exists()


def test_an_old_part_of_another_version_is_thrown_away(archive, source, product, home):
    archive.faults = [times(99, lambda h, p: cut_with_length(h, p) if not h.headers.get("Range")
                            else h.send(500, b""))]  # fmt: skip
    with pytest.raises(Refused):
        fetched(product, home)
    assert (home / ".incoming" / NAME / "part").stat().st_size == 500_000
    fits_file(source, size=600, seed=2)
    archive.faults = []
    assert fetched(product, home).read_bytes() == source.read_bytes()
    note = home / ".incoming" / NAME / "part.json"
    for text in ("{", '{"format": 0}', "[]"):
        (home / NAME).unlink()
        note.parent.mkdir()
        note.write_text(text)
        (note.parent / "part").write_bytes(b"SIMPLE  = of long ago")
        assert fetched(product, home).read_bytes() == source.read_bytes()


def test_a_name_with_dots_leads_nowhere(archive, product, home):
    listing = (
        '<vos:node xmlns:vos="http://www.ivoa.net/xml/VOSpace/v2.0" uri="vos://x"><vos:nodes>'
        '<vos:node uri="vos://x/%2e%2e/%2e%2e/etc%2Fpasswd"/><vos:node uri="vos://x/.."/>'
        '<vos:node uri="vos://x/a b"/><vos:node uri="vos://x/good.fits"/></vos:nodes></vos:node>'
    )
    assert set(archives.names_in(listing)) == {"passwd", "good.fits"}
    page = '<html><a href="../../evil.fits">x</a><a href=".hidden">x</a></html>'
    assert set(archives.names_in(page)) == {"evil.fits"}
    archive.dispositions["/ADP"] = "../../NGC7496_MAPS_copt_0.89asec.fits"
    archive.files["/ADP"] = fits_file(home.parent / "stock" / NAME)
    wanted = archives.replace(
        product, address=archive.address("/ADP"), file="NGC7496_MAPS_copt_*asec.fits"
    )
    with pytest.raises(Refused, match=r"is called '\.\./\.\./NGC7496"):
        archives.look_up(wanted, archives.Listings(Connection(QUICK)))
    archive.dispositions["/ADP"] = "NGC7496_MAPS_copt_0.91asec.fits"
    found = archives.look_up(wanted, archives.Listings(Connection(QUICK)))
    assert found.file == "NGC7496_MAPS_copt_0.91asec.fits"


def test_a_listing_that_is_none_is_said(archive, product):
    for text in ("", "<a", "no listing"):
        archive.page("/nodes", text, "text/xml")
        listings = archives.Listings(Connection(QUICK))
        with pytest.raises(Refused, match="The listing of localhost cannot be read"):
            listings.of(archive.address("/nodes"))
    for _ in range(2):  # and it is asked for once
        with pytest.raises(Refused):
            listings.of(archive.address("/nodes"))


def test_a_packed_mask_that_unpacks_without_end_is_not_kept(archive, product, home, tmp_path):
    name = "NGC7496_env_mask_simple.fits.gz"
    path = f"/vault/files/{name}"
    archive.files[path] = tmp_path / name
    archive.files[path].write_bytes(gzip.compress(bytes(600_000_000), 6))
    wanted = archives.replace(product, address=archive.address(path), file=name, survey="masks")
    with pytest.raises(Refused, match="unpacks to more than 500 MB"):
        fetched(wanted, home)
    assert not (home / name).exists()


def test_too_large_a_file_is_refused_before_it_comes(archive, source, product, home):
    with pytest.raises(Refused, match=r"announces 0\.0 GB, more than"):
        fetched(product, home, largest=1000)
    assert not (home / NAME).exists()


# ------------------------------------------------------------------------------------ this machine


@pytest.fixture
def mounts(tmp_path):
    """Mount something small; needs to be root, as in a container."""
    made = []

    def mount(*options: str) -> Path:
        place = tmp_path / f"disk{len(made)}"
        place.mkdir()
        done = subprocess.run(["mount", *options, str(place)], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
        made.append(place)
        return place

    yield mount
    for place in made:
        subprocess.run(["umount", "-l", str(place)], check=False)


def test_a_full_disk_is_said_and_keeps_what_came(archive, source, product, mounts, monkeypatch):
    home = mounts("-t", "tmpfs", "-o", "size=900k", "tmpfs") / "ngc7496"
    with pytest.raises(Refused, match=r"1 MB are to come and 1 MB are free .* make room, or give"):
        fetched(product, home)
    # where the length is not announced, it is noticed in the middle
    archive.faults = [times(1, lambda handler, path: handler.send(
        200, source.read_bytes(), say=False))]  # fmt: skip
    with pytest.raises(Refused, match="is full: make room, or give another folder with --to"):
        fetched(product, home)
    assert not (home / NAME).exists()
    subprocess.run(["mount", "-o", "remount,size=4m", str(home.parent)], check=True)
    assert fetched(product, home).read_bytes() == source.read_bytes()


def test_a_read_only_folder_is_said(archive, source, product, mounts):
    home = mounts("-t", "tmpfs", "-o", "size=4m", "tmpfs")
    subprocess.run(["mount", "-o", "remount,ro", str(home)], check=True)
    with pytest.raises(Refused, match=r"You may not write to .*: give another folder with --to"):
        fetched(product, home / "ngc7496")
    with pytest.raises(Refused, match="You may not write to"):
        archives._fetch_from(product, home, False, Connection(QUICK), None)


ONE = """
import sys
from pathlib import Path
from helpers import archives, download
from helpers.galaxies import get_galaxy
address, home, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
product = archives.Product(
    get_galaxy("NGC 7496"), "alma", "broad_mom0", address, name, "", "read", None, None)
path = download.download(address, home / name, check=lambda p: archives.verify(p, product))
archives.record(path)
"""


def start_one(product, home) -> subprocess.Popen:
    command = [sys.executable, "-c", ONE, product.address, str(home), product.file]
    return subprocess.Popen(command, cwd=Path(archives.__file__).parents[1])


def test_killed_at_any_moment_it_goes_on(archive, source, product, home):
    """kill -9 at ten moments, each followed by another start; at the end the file is right."""
    archive.faults = [lambda h, p, body: body and not h.headers.get("Range")
                      and (slow_but_steady(h, p), True)[1]]  # fmt: skip
    begun = start_one(product, home)
    while not archive.gets(NAME):  # until Python has started
        time.sleep(0.02)
    moments = np.random.default_rng(0).uniform(0, 1.5, 10)
    for moment in moments:
        time.sleep(moment)
        begun.send_signal(signal.SIGKILL)
        begun.wait()
        here = home / NAME
        assert not here.exists() or here.read_bytes() == source.read_bytes()
        asked = len(archive.gets(NAME))
        begun = start_one(product, home)
        while len(archive.gets(NAME)) == asked and begun.poll() is None:
            time.sleep(0.02)
    assert begun.wait(60) == 0
    assert (home / NAME).read_bytes() == source.read_bytes()
    assert archives.recorded(home) == {NAME: hashlib.sha256(source.read_bytes()).hexdigest()}


def test_two_at_once_fetch_once(archive, source, product, home):
    archive.faults = [times(1, slow_but_steady)]
    paths = []
    threads = [
        threading.Thread(target=lambda: paths.append(fetched(product, home))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(paths) == 3 and archive.gets(NAME) == [None]
    assert (home / NAME).read_bytes() == source.read_bytes()


def test_retry_after_may_be_a_date():
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90))
    assert 80 < download._seconds(soon) < 91
    assert download._seconds("nonsense") is None and download._seconds("7") == 7


@pytest.mark.parametrize(
    ("to", "original", "same"),
    [
        ("https://ws-uv.canfar.net/x", "https://ws-cadc.canfar.net/y", True),
        ("https://canfar.net.evil.com/x", "https://ws-cadc.canfar.net/y", False),
        ("https://evilcanfar.net/x", "https://ws-cadc.canfar.net/y", False),
        ("http://ws-cadc.canfar.net/x", "https://ws-cadc.canfar.net/y", False),
        ("https://user@ws-cadc.canfar.net/x", "https://ws-cadc.canfar.net/y", False),
        ("https://10.0.0.1/x", "https://11.0.0.1/y", False),
        ("https://localhost:4/x", "https://localhost:5/y", True),
    ],
)
def test_only_hosts_of_the_same_archive_are_within(to, original, same):
    assert download.within(to, original) is same


def test_the_documentation_lists_every_fault(project):
    text = (project / "docs" / "fetching.md").read_text(encoding="utf-8")
    for name in FAULTS:
        assert f"| {name} |" in text


def test_the_patience_of_the_course_is_bounded():
    patience = Patience()
    waits = patience.pause * (2 ** (patience.tries - 1) - 1)
    assert waits + patience.tries * patience.silence < 300
