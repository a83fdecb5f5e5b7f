"""The archives: which files there are of a galaxy, and how to have them here, whole and right.

Addresses stand in ``data/registry.csv``, a row a product, each with how sure we are of it: *read*
in a public source, or *inferred* from names that were. An inferred one is looked up in the
archive's own listing before anything is fetched; and whatever comes is opened and compared with
what was asked for (galaxy, place on the sky, filter, extensions) before it bears its name.
"""

import csv
import fnmatch
import gzip
import html.parser
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from xml.etree import ElementTree

import astropy.units as u
import pooch
from astropy.coordinates import SkyCoord
from astropy.io import fits
from filelock import FileLock

from helpers import fitsfile, fitsrange
from helpers.download import LARGEST, Connection, NoRanges, Refused, download
from helpers.galaxies import SAMPLE, Galaxy, get_galaxy
from helpers.survey import FETCHED, MUSE_KINEMATICS, MUSE_LINES

FOLDER = FETCHED
"""Where fetched files go; git ignores it."""

REGISTRY = FOLDER.parent / "registry.csv"
SURVEYS = ("alma", "muse", "jwst", "hst", "masks")
USUAL = ("alma", "muse", "jwst", "masks")
"""What the course's table is made of; nothing of HST enters it."""

SUMS = "SHA256SUMS"
COLUMNS = (
    *("survey", "product", "galaxy", "address", "file", "listing", "sure", "bytes", "sha256"),
    "source",
)
EXTENSIONS = {
    "muse": [f"{name}_FLUX{err}" for name in MUSE_LINES for err in ("", "_ERR")]
    + [f"{name}{err}" for name in MUSE_KINEMATICS for err in ("", "_ERR")],
    "jwst": ["SCI", "ERR"],
}
"""The extensions that the course needs of files that hold many."""

NEEDED = {"muse": ("HA6562_FLUX", "HA6562_FLUX_ERR"), "jwst": ("SCI", "ERR")}
"""Without these a file is of no use."""

NEAR = 0.3 * u.deg
"""A map whose middle is farther from the galaxy than this is of another one."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


@dataclass(frozen=True)
class Product:
    """One file of one galaxy, in one place.

    Attributes
    ----------
    file : str
        Its name here; the archive's own. May hold ``*`` until it was looked up.
    sure : {"read", "inferred"}
        Where its address is from.
    bytes : int or None
        Its size, where known.
    """

    galaxy: Galaxy
    survey: str
    product: str
    address: str
    file: str
    listing: str
    sure: str
    bytes: int | None
    sha256: str | None


def registry(own: str | Path | None = None) -> list[dict]:
    """The rows of the course's registry; rows of your own replace those of the same product.

    Parameters
    ----------
    own : path, optional
        A CSV file with the same columns. By default ``registry.csv`` in the folder of fetched
        files, if there is one.

    Raises
    ------
    ValueError
        If a row is not of the registry's form.
    """
    rows = _read_rows(REGISTRY)
    own = FOLDER / "registry.csv" if own is None else Path(own)
    if own.is_file():
        mine = _read_rows(own)
        replaced = {(row["survey"], row["product"], row["galaxy"]) for row in mine}
        rest = [r for r in rows if (r["survey"], r["product"], r["galaxy"]) not in replaced]
        rows = mine + rest
    return rows


def _read_rows(path: Path) -> list[dict]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if not set(COLUMNS) <= set(reader.fieldnames or ()):
            raise ValueError(
                f"{path} has the columns {', '.join(reader.fieldnames or ['none'])}; a registry "
                f"needs {', '.join(COLUMNS)} in its first line."
            )
        rows = list(reader)
    for number, row in enumerate(rows, 2):
        wrong = None
        if row["survey"] not in SURVEYS:
            wrong = f"the survey {row['survey']!r}; there are {', '.join(SURVEYS)}"
        elif not str(row["address"]).startswith("https://"):
            wrong = f"the address {row['address']!r}, which is not https"
        elif row["sure"] not in ("read", "inferred"):
            wrong = f"sure={row['sure']!r}; it is read or inferred"
        elif row["bytes"] and not row["bytes"].isdigit():
            wrong = f"bytes={row['bytes']!r}, which is no number"
        elif row["sha256"] and not re.fullmatch("[0-9a-f]{64}", row["sha256"]):
            wrong = f"sha256={row['sha256']!r}, which is no SHA-256 sum"
        if wrong:
            raise ValueError(f"Line {number} of {path} has {wrong}.")
    return rows


def products(
    galaxy: str | Galaxy,
    surveys: Collection[str] = USUAL,
    own: str | Path | None = None,
) -> dict[tuple[str, str], list[Product]]:
    """The places where each product of a galaxy may be had, the best first.

    Raises
    ------
    ValueError
        If the galaxy or a survey is unknown.
    """
    galaxy = get_galaxy(galaxy)
    if unknown := set(surveys) - set(SURVEYS):
        raise ValueError(f"There is no survey {min(unknown)!r}: choose among {', '.join(SURVEYS)}.")
    found: dict[tuple[str, str], list[Product]] = {}
    rows = [r for r in registry(own) if r["survey"] in surveys]
    for row in sorted(rows, key=lambda r: r["galaxy"] == "*"):
        if row["galaxy"] not in ("*", galaxy.name):
            continue
        names = {"key": galaxy.key, "KEY": galaxy.key.upper()}
        address, listing = (row[c].format(**names) for c in ("address", "listing"))
        file = row["file"] or unquote(urlsplit(address).path).rsplit("/", 1)[-1]
        size = int(row["bytes"]) if row["bytes"] else None
        found.setdefault((row["survey"], row["product"]), []).append(
            Product(
                *(galaxy, row["survey"], row["product"], address, file, listing, row["sure"]),
                *(size, row["sha256"] or None),
            )
        )
    return found


# --------------------------------------------------------------------------------- listings


class _Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.names: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.names += [unquote(value or "") for name, value in attrs if name == "href"]


def names_in(listing: str) -> dict[str, int | None]:
    """The files that a listing names (VOSpace XML or a page of links), and their sizes if said.

    Only plain file names are taken: nothing with a slash, or beginning with a dot.

    Raises
    ------
    ValueError
        If it is neither.
    """
    found: dict[str, int | None] = {}
    start = listing.lstrip()[:500].lower()
    if "<html" in start or "<!doctype html" in start:
        page = _Links()
        page.feed(listing)
        found = {name.rsplit("/", 1)[-1]: None for name in page.names}
    else:
        try:
            root = ElementTree.fromstring(listing)
        except ElementTree.ParseError as fault:
            raise ValueError(f"it is neither a page nor VOSpace XML ({fault})") from fault
        for node in root.iter():
            uri = node.get("uri", "")
            if node is root or not node.tag.endswith("}node") or not uri.startswith("vos:"):
                continue
            sizes = [
                each.text
                for each in node.iter()
                if each.get("uri", "").endswith("core#length") and (each.text or "").isdigit()
            ]
            found[unquote(uri).rsplit("/", 1)[-1]] = int(sizes[0]) if sizes else None
    return {name: size for name, size in found.items() if _NAME.fullmatch(name)}


class Listings:
    """Listings of archives, each asked for once."""

    def __init__(self, connection: Connection):
        self.connection = connection
        self._known: dict[str, dict[str, int | None] | Refused] = {}

    def of(self, address: str) -> dict[str, int | None]:
        """The names in a listing, with sizes.

        Raises
        ------
        Refused
            If it cannot be had or read.
        """
        if address not in self._known:
            try:
                self._known[address] = names_in(self.connection.text(address))
            except ValueError as fault:
                host = urlsplit(address).hostname
                self._known[address] = Refused(f"The listing of {host} cannot be read: {fault}.")
            except Refused as fault:
                self._known[address] = fault
        known = self._known[address]
        if isinstance(known, Refused):
            raise known
        return known


def look_up(product: Product, listings: Listings) -> Product | None:
    """The product under the name that the archive's listing has, or None where it has none.

    What was read in a public source is taken as it is, unless its name is a pattern.
    """
    pattern = "*" in product.file
    if pattern and not product.listing:
        return _named_by_the_archive(product, listings.connection)
    if not pattern and (product.sure == "read" or not product.listing):
        return product
    here = listings.of(product.listing)
    names = sorted(fnmatch.filter(here, product.file)) if pattern else [product.file]
    names = [name for name in names if name in here]
    if not names:
        return None
    name = names[-1]  # the newest version, where there are several
    address = product.address.rsplit("/", 1)[0] + "/" + quote(name)
    return replace(product, file=name, address=address, bytes=here[name] or product.bytes)


def _named_by_the_archive(product: Product, connection: Connection) -> Product:
    """With the name that the archive gives the file when it is asked for it by a number."""
    size, name = connection.head(product.address)
    if name is None:
        width = f"{product.galaxy.muse_fwhm.value:.2f}"
        return replace(product, file=product.file.replace("*", width), bytes=size)
    if not fnmatch.fnmatchcase(name, product.file) or not _NAME.fullmatch(name):
        raise Refused(
            f"The file at {product.address} is called {name!r}, but {product.file} was expected: "
            "look the right one up in the archive, and give its address in a registry of your own."
        )
    return replace(product, file=name, bytes=size or product.bytes)


# ---------------------------------------------------------------------------- is it the right one


def verify(path: Path, product: Product, *, subset: bool = False) -> None:
    """Open a file and compare it with what was asked for.

    Raises
    ------
    Refused
        If it is damaged, cut short, of another galaxy or filter, or lacks what is needed.
    """
    name = product.file
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if packed:
        _unpacks(path, name)
    try:
        with fitsfile.opened(path) as hdus:
            names = {fitsfile.hdu_name(hdu).upper() for hdu in hdus}
            headers = [hdu.header for hdu in hdus]
    except (ValueError, PermissionError) as fault:
        raise Refused(_again(name, str(fault).replace(path.name, name))) from fault
    lacking = [each for each in NEEDED.get(product.survey, ()) if each not in names]
    if lacking:
        raise Refused(
            f"{name} has no {' and no '.join(lacking)}, without which it is of no use (it has "
            f"{', '.join(sorted(filter(None, names))[:8]) or 'no named extension'}): it was not "
            "kept; tell the archive, or give another address in a registry of your own."
        )
    _of_this_galaxy(headers, product)
    if product.survey == "jwst":
        said = {str(h["FILTER"]).strip().upper() for h in headers if "FILTER" in h}
        if said and product.product.upper() not in said:
            raise Refused(
                f"{name} was to be in {product.product.upper()}, but its header says "
                f"{', '.join(sorted(said))}: it was not kept; tell the archive."
            )


def _unpacks(path: Path, name: str, largest: int = 500_000_000) -> None:
    """A packed file is small; one that unpacks without end is none of the survey's."""
    size = 0
    try:
        with gzip.open(path) as file:
            while piece := file.read(1 << 20):
                size += len(piece)
                if size > largest:
                    raise Refused(
                        f"{name} unpacks to more than {largest / 1e6:.0f} MB, far more than any "
                        "mask has: it was not kept; tell the archive."
                    )
    except (OSError, EOFError, zlib.error) as fault:
        raise Refused(_again(name, f"{name} is damaged or cut short.")) from fault


def _again(name: str, what: str) -> str:
    what = what.split(": download it again")[0].rstrip(".")
    return f"{what}: it was not kept; start again, and if it stays so, tell the archive."


def _of_this_galaxy(headers: Sequence[fits.Header], product: Product) -> None:
    galaxy, said = product.galaxy, []
    for header in headers:
        said += [str(header[card]) for card in ("OBJECT", "TARGNAME") if card in header]
    for text in said:
        if (other := _catalogue_name(text)) and other != _catalogue_name(galaxy.name):
            raise Refused(
                f"{product.file} was to show {galaxy.name}, but its header says {text}: it was "
                "not kept; look the right file up in the archive, and give its address in a "
                "registry of your own."
            )
    for header in headers:
        if header.get("NAXIS", 0) < 2 or "CTYPE1" not in header:
            continue
        try:
            wcs, swapped = fitsfile.celestial_wcs(header, product.file)
        except ValueError:
            continue
        middle = [(header[f"NAXIS{k}"] - 1) / 2 for k in (1, 2)]
        place = wcs.pixel_to_world(*(middle[::-1] if swapped else middle))
        if isinstance(place, SkyCoord) and (apart := place.icrs.separation(galaxy.center)) > NEAR:
            raise Refused(
                f"{product.file} was to show {galaxy.name}, but its map lies {apart.deg:.1f} deg "
                "away from it: it was not kept; look the right file up in the archive."
            )
        return
    if not said:
        raise Refused(
            f"{product.file} says neither which galaxy it shows (OBJECT) nor where it is on the "
            "sky, so it was not kept: tell the archive."
        )


def _catalogue_name(text: str) -> tuple[str, int] | None:
    """The number in a catalogue of galaxies, from any usual spelling; else None."""
    found = re.search(r"\b(NGC|IC|UGC|ESO|PGC|M)[ _-]*0*(\d+)", text.upper())
    if found is None or found[1] == "M":  # Messier's names are used beside the others
        return None
    return found[1], int(found[2])


# ----------------------------------------------------------------------------------------- fetch


@dataclass
class Outcome:
    """What became of one product.

    Attributes
    ----------
    state : {"here", "fetched", "to fetch", "absent", "failed"}
    path : Path or None
    bytes : int or None
        Of the file here, or to come as far as known.
    why : str
        Why it failed, in a sentence; or which other source it came from.
    """

    survey: str
    product: str
    state: str
    path: Path | None = None
    bytes: int | None = None
    why: str = ""


def local(product: Product, folder: Path) -> Path | None:
    """The file of a product that is here: whole, or the subset of it."""
    home = Path(folder) / product.galaxy.key
    if not home.is_dir():
        return None
    names = [each.name for each in home.iterdir() if each.is_file()]
    for pattern in (product.file, subset_name(product.file)):
        if found := sorted(fnmatch.filter(names, pattern)):
            return home / found[-1]
    return None


def subset_name(file: str) -> str:
    """The name here of some extensions of a file, which is not the file's own."""
    return re.sub(r"\.fits$", "_subset.fits", file)


def plan(
    galaxy: str | Galaxy,
    surveys: Collection[str] = USUAL,
    folder: str | Path = FOLDER,
    *,
    connection: Connection | None = None,
    own: str | Path | None = None,
) -> list[tuple[Outcome, list[Product]]]:
    """Look up what is here, what the archives have, and how large it is. Fetches nothing.

    Returns
    -------
    list of (Outcome, list of Product)
        Of every product what is known, and the places to fetch it from, the best first.
    """
    connection = Connection() if connection is None else connection
    listings, plans = Listings(connection), []
    for (survey, name), places in products(galaxy, surveys, own).items():
        here = next(filter(None, (local(place, Path(folder)) for place in places)), None)
        if here is not None:
            plans.append((Outcome(survey, name, "here", here, here.stat().st_size), places))
            continue
        found, trouble = [], []
        for place in places:
            try:
                found.append(look_up(place, listings))
            except Refused as fault:
                trouble.append(str(fault))
        found = [place for place in found if place is not None]
        outcome = Outcome(survey, name, "to fetch" if found else "absent")
        if not found and trouble:
            outcome.state, outcome.why = "failed", trouble[0]
        elif found:
            outcome.bytes = found[0].bytes
            if outcome.bytes is None:
                try:
                    outcome.bytes, _ = connection.head(found[0].address)
                except Refused as fault:
                    outcome.why = str(fault)
        plans.append((outcome, found))
    return plans


def fetch(
    plans: Sequence[tuple[Outcome, list[Product]]],
    folder: str | Path = FOLDER,
    *,
    subset: bool = True,
    jobs: int = 2,
    connection: Connection | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> list[Outcome]:
    """Fetch what a plan says.

    Parameters
    ----------
    plans
        From `plan`.
    folder : path
    subset : bool
        Fetch, of files that hold many extensions, those alone that the course needs, where the
        archive sends parts of files.
    jobs : int
        Files at a time.
    progress : callable, optional
        Called with a file's name, the bytes that are here and all bytes (or None).

    Returns
    -------
    list of Outcome
        A product that failed says why; the others are not held up by it.
    """
    folder = Path(folder)
    connection = Connection() if connection is None else connection

    def one(job: tuple[Outcome, list[Product]]) -> Outcome:
        outcome, places = job
        if outcome.state != "to fetch":
            return outcome
        troubles = []
        for place in places:
            try:
                path = _fetch_from(place, folder, subset, connection, progress)
            except Refused as fault:
                troubles.append(str(fault))
                continue
            size, why = path.stat().st_size, ""
            if troubles:
                why = f"from {urlsplit(place.address).hostname}, since: {troubles[0]}"
            return Outcome(place.survey, place.product, "fetched", path, size, why)
        return Outcome(outcome.survey, outcome.product, "failed", why=" ".join(troubles))

    with ThreadPoolExecutor(max(1, jobs)) as pool:
        return list(pool.map(one, plans))


def _fetch_from(place: Product, folder: Path, subset: bool, connection, progress) -> Path:
    home = folder / place.galaxy.key
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise Refused(f"You may not write to {folder}: give another folder with --to.") from fault

    def told(done: int, total: int | None) -> None:
        if progress is not None:
            progress(place.file, done, total)

    largest = LARGEST if place.bytes is None else int(1.5 * place.bytes) + 1_000_000
    options = {"connection": connection, "progress": told, "largest": largest}
    wanted = EXTENSIONS.get(place.survey)
    if subset and wanted:
        try:
            parts = fitsrange.find(lambda a, b: connection.read(place.address, a, b), wanted)
            names = {part.name for part in parts}
            if lacking := [each for each in NEEDED[place.survey] if each not in names]:
                raise Refused(f"{place.file} has no {' and no '.join(lacking)}: not fetched.")
            path = home / subset_name(place.file)
            known = recorded(home).get(path.name)
            download(
                place.address,
                path,
                known_hash=known,
                check=lambda file: verify(file, place, subset=True),
                prefix=fitsrange.primary(parts[0].header, [part.name for part in parts[1:]]),
                segments=fitsrange.segments(parts[1:]),
                **options,
            )
            record(path)
            return path
        except (NoRanges, ValueError):
            pass  # then all of it
    path = home / place.file
    known = recorded(home).get(path.name, place.sha256)
    download(
        place.address, path, known_hash=known, check=lambda file: verify(file, place), **options
    )
    record(path)
    return path


# ------------------------------------------------------------------------------------- checksums


def recorded(home: Path) -> dict[str, str]:
    """The SHA-256 sums written down in a galaxy's folder, by file name."""
    try:
        lines = (home / SUMS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    return {name: sum_ for sum_, _, name in (line.partition("  ") for line in lines) if name}


def record(path: Path) -> None:
    """Write down the sum of a verified file, unless it is written down already."""
    home = path.parent
    with FileLock(home / ".incoming" / f"{SUMS}.lock"):
        sums = recorded(home)
        if path.name in sums:
            return
        sums[path.name] = pooch.file_hash(str(path))
        text = "".join(f"{sum_}  {name}\n" for name, sum_ in sorted(sums.items()))
        with tempfile.NamedTemporaryFile(
            "w", dir=home, prefix=".", delete=False, encoding="utf-8", newline="\n"
        ) as file:
            file.write(text)
        os.replace(file.name, home / SUMS)


def check_sums(folder: str | Path = FOLDER) -> dict[Path, str]:
    """Compare every fetched file with the sum written down: ``right``, ``changed`` or ``gone``."""
    found = {}
    for home in sorted(Path(folder).glob("*/")):
        for name, sum_ in recorded(home).items():
            path = home / name
            if not path.is_file():
                found[path] = "gone"
            else:
                found[path] = "right" if pooch.file_hash(str(path)) == sum_ else "changed"
    return found


def clean(galaxy: str | Galaxy | None = None, folder: str | Path = FOLDER) -> int:
    """Remove what was fetched and built: of one galaxy, or of all. Returns the bytes freed."""
    keys = [g.key for g in SAMPLE.values()] if galaxy is None else [get_galaxy(galaxy).key]
    freed = 0
    for key in keys:
        home = Path(folder) / key
        for path in (home, *Path(folder).glob(f"{key}_*")):
            if path.is_dir():
                freed += sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
                shutil.rmtree(path)
            elif path.is_file():
                freed += path.stat().st_size
                path.unlink()
    return freed
