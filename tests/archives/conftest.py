"""Archives of this machine, for tests: empty, or with all files of a galaxy."""

import csv
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import trustme
from archive_server import QUICK, Archive, copy_survey, running
from astropy.io import fits

from helpers import archives, survey
from helpers.download import Connection
from helpers.galaxies import get_galaxy


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def archive(authority, tmp_path, monkeypatch) -> Iterator[Archive]:
    """An archive without files, whose certificate is trusted."""
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    with running(authority) as made:
        yield made


@pytest.fixture
def connection() -> Connection:
    return Connection(QUICK)


@pytest.fixture
def shelves(archive, tmp_path) -> Archive:
    """The archive with all files of a simulated galaxy that plays NGC 1087, and a registry of it.

    ``archive.registry`` is the path of a registry with the course's own rows, but this machine's
    address in place of the archives'.
    """
    stock = tmp_path / "stock"
    copy_survey(survey.EMBEDDED, "ngc7496", "ngc1087", stock)
    galaxy = get_galaxy("NGC 1087")
    door, listed = f"localhost:{archive.door.server_port}", {}
    rows = archives.registry(own=tmp_path / "none.csv")
    for row in rows:
        for column in ("address", "listing"):
            parts = urlsplit(row[column])
            if parts.netloc:
                row[column] = row[column].replace(parts.netloc, door)
        row["sha256"] = row["bytes"] = ""
    archive.registry = tmp_path / "registry.csv"
    with archive.registry.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, archives.COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    here = {path.name: path for path in (stock / galaxy.key).iterdir()}
    mask = stock / galaxy.key / "NGC1087_env_mask_simple.fits.gz"
    values = np.tile(np.float32([1, 6, 7]), (60, 20))
    fits.PrimaryHDU(values, galaxy.grid()[0].to_header()).writeto(mask)
    here[mask.name] = mask
    for places in archives.products(galaxy, archives.SURVEYS, archive.registry).values():
        for place in places:
            path = unquote(urlsplit(place.address).path)
            if place.file in here and "v1p0p1" not in place.file:
                archive.files[path] = here[place.file]
            if place.listing:
                listed.setdefault(urlsplit(place.listing).path, set())
                if path in archive.files:
                    listed[urlsplit(place.listing).path].add(place.file)
    for path, names in listed.items():
        if "/nodes/" in path:
            nodes = "".join(
                f'<vos:node uri="vos://cadc.nrc.ca~vault{path.removeprefix("/vault/nodes")}/'
                f'{name.replace("+", "%2B")}" xsi:type="vos:DataNode"><vos:properties>'
                f'<vos:property uri="ivo://ivoa.net/vospace/core#length">'
                f"{here[name].stat().st_size}</vos:property></vos:properties></vos:node>"
                for name in sorted(names)
            )
            text = (
                '<?xml version="1.0"?><vos:node xmlns:vos="http://www.ivoa.net/xml/VOSpace/v2.0" '
                'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" uri="vos://x" '
                f'xsi:type="vos:ContainerNode"><vos:nodes>{nodes}</vos:nodes></vos:node>'
            )
            archive.page(path, text, "text/xml")
        else:
            links = "".join(f'<a href="{name}">{name}</a>' for name in ("../", *sorted(names)))
            archive.page(path, f"<!DOCTYPE html><html>{links}</html>", "text/html")
    archive.stock = here
    return archive
