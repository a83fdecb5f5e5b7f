"""One address to one file: resumed where it broke off, and never under its name before it is whole.

`pooch` keeps the file and compares its checksum; what it does not have stands here: resuming by
HTTP ranges, redirects that stay with the archive, patience with a bounded end, and one sentence for
whatever goes wrong.
"""

import email.utils
import errno
import json
import logging
import math
import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pooch
import requests
from filelock import FileLock
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError

REDIRECTS = 5
LARGEST = 4_000_000_000
"""Bytes above which nothing that the course asks for can be (whole JWST images have 2 GB)."""
REST = 60
"""Seconds for which a host that cannot be reached is not asked again."""

_CHUNK = 1 << 18
_BEGINNINGS = (b"SIMPLE  =", b"\x1f\x8b")
_FORMAT = 1

Progress = Callable[[int, int | None], None]


class Refused(RuntimeError):
    """A download did not come about; the message says in a sentence why, and what to do."""


class NoRanges(Refused):
    """The server does not send parts of a file."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for an archive.

    Attributes
    ----------
    connect, silence : float
        Seconds until an answer, and between two pieces of it.
    tries : int
        How often in succession a transfer may break off without having come on.
    pause : float
        Seconds before the second try; doubled before each further one.
    longest : float
        Seconds that a server may ask to wait.
    slowest : float
        Bytes a second, over ``silence``, below which the connection is given up.
    """

    connect: float = 15
    silence: float = 30
    tries: int = 5
    pause: float = 1
    longest: float = 120
    slowest: float = 1000


class Connection:
    """Requests to archives, counted.

    Attributes
    ----------
    requests, received : int
        Requests sent (redirects are requests too) and bytes of content received.
    """

    def __init__(self, patience: Patience | None = None):
        self.patience = Patience() if patience is None else patience
        self.session = requests.Session()
        # a file as it is: ranges and checksums are those of the file, not of a packed form of it
        self.session.headers.update(
            {"User-Agent": "phangs-unsupervised-course", "Accept-Encoding": "identity"}
        )
        self.requests = self.received = 0
        self._unreachable: dict[str, tuple[float, str]] = {}

    def ask(
        self,
        address: str,
        byte_range: tuple[int, int | None] | None = None,
        validator: str | None = None,
        method: str = "GET",
    ) -> requests.Response:
        """Ask once, follow redirects within the archive, and return an answer below 400, or 416.

        Raises
        ------
        Refused
            For an answer that another try would not change.
        requests.RequestException
            For one that it might.
        """
        headers = {}
        if byte_range is not None:
            start, stop = byte_range
            headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
            if validator:
                headers["If-Range"] = validator
        at = address
        for _ in range(REDIRECTS + 1):
            self.requests += 1
            answer = self.session.request(
                method,
                at,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=(self.patience.connect, self.patience.silence),
            )
            if answer.status_code not in (301, 302, 303, 307, 308):
                break
            to = urljoin(at, answer.headers.get("Location", ""))
            answer.close()
            if not within(to, address):
                raise Refused(
                    f"{_host(address)} sends this download on to {_shown(to)}, which is not an "
                    "https address of the same archive, so it was refused: look at the file's "
                    "page in a browser, and tell us if the archive has moved."
                )
            at = to
        else:
            raise Refused(
                f"{_host(address)} sends this download from one address to the next without end "
                f"(more than {REDIRECTS} times): try again later."
            )
        if answer.status_code >= 400 and answer.status_code != 416:  # beyond the end: see there
            with closing(answer):
                self._bad_status(answer, address)
        return answer

    def _bad_status(self, answer: requests.Response, address: str) -> None:
        code, file = answer.status_code, urlsplit(address).path.rsplit("/", 1)[-1]
        if code in (404, 410):
            raise Refused(
                f"{_host(address)} has no file {file} ({code}): it may have been renamed; look it "
                "up in the archive's listing and give its address in a registry of your own."
            )
        if code in (401, 403):
            raise Refused(
                f"{_host(address)} does not let you have {file} ({code}): it may ask for a login, "
                "or block this network; open the address in a browser to see."
            )
        if code not in (408, 425, 429) and code < 500:
            raise Refused(f"{_host(address)} refuses the request for {file} ({code}).")
        wait = _seconds(answer.headers.get("Retry-After"))
        if wait is not None and wait > self.patience.longest:
            when = datetime.now().astimezone().timestamp() + wait
            raise Refused(
                f"{_host(address)} is busy ({code}) and asks to wait {wait / 60:.0f} minutes: try "
                f"again after {datetime.fromtimestamp(when):%H:%M}; what has come is kept."
            )
        raise _Later(f"{_host(address)} answers {code}", wait)

    def read(self, address: str, start: int, stop: int) -> bytes:
        """Bytes [start, stop) of a file, or as many as it has; none beyond its end.

        Raises
        ------
        NoRanges
            If the server sends something else than these.
        Refused
            If it cannot be had.
        """
        for attempt in self._attempts(address):
            with attempt, closing(self.ask(address, (start, stop))) as answer:
                if answer.status_code == 416:
                    return b""
                if answer.status_code != 206 or _range_of(answer)[0] != start:
                    raise NoRanges(f"{_host(address)} does not send parts of files.")
                content = b"".join(self.pieces(answer))
                wanted = min(stop, _range_of(answer)[1] or stop) - start
                if len(content) < wanted:
                    raise requests.ConnectionError("cut short")
                return content[:wanted]

    def text(self, address: str, largest: int = 20_000_000) -> str:
        """A listing, as text.

        Raises
        ------
        Refused
            If it cannot be had, or is larger than a listing can be.
        """
        for attempt in self._attempts(address):
            with attempt, closing(self.ask(address)) as answer:
                content = b""
                for piece in self.pieces(answer):
                    content += piece
                    if len(content) > largest:
                        raise Refused(f"The listing at {_host(address)} has no end: try later.")
                return content.decode(answer.encoding or "utf-8", "replace")

    def head(self, address: str) -> tuple[int | None, str | None]:
        """Bytes and name of a file, as far as the archive says them.

        Raises
        ------
        Refused
            If it does not answer, or has no such file.
        """
        for attempt in self._attempts(address):
            with attempt, closing(self.ask(address, method="HEAD")) as answer:
                named = re.search(
                    r"filename=\"?([^\";]+)", answer.headers.get("Content-Disposition", "")
                )
                return _length(answer), named and named[1].strip()

    def pieces(self, answer: requests.Response):
        """The content, piece by piece; too slow a stream is a broken one."""
        since, amount = time.monotonic(), 0
        pieces = answer.raw.stream(_CHUNK, decode_content=True)
        if not _packed(answer):  # as they come, and not when there is enough of them
            pieces = iter(lambda: answer.raw.read1(_CHUNK, decode_content=False), b"")
        for piece in pieces:
            self.received += len(piece)
            amount += len(piece)
            yield piece
            passed = time.monotonic() - since
            if passed > self.patience.silence:
                if amount < self.patience.slowest * passed:
                    raise requests.Timeout(f"only {amount / passed:.0f} bytes a second")
                since, amount = time.monotonic(), 0

    def _attempts(self, address: str, came_on: Callable[[], bool] = lambda: False):
        """Try again after what another try might change; the last failure becomes a sentence.

        A host that could not be reached at all is not asked again for a minute.
        """
        failed, host = 0, _host(address)
        when, sentence = self._unreachable.get(host, (-math.inf, ""))
        if time.monotonic() - when < REST:
            raise Refused(sentence)
        while True:
            attempt = _Attempt()
            yield attempt
            if came_on():
                failed = 0
            failed += 1
            never_came = isinstance(attempt.error, requests.ConnectionError) and any(
                isinstance(cause, NewConnectionError) for cause in _causes(attempt.error)
            )
            if failed >= (min(2, self.patience.tries) if never_came else self.patience.tries):
                sentence = _why(attempt.error, address)
                if never_came:
                    self._unreachable[host] = time.monotonic(), sentence
                raise Refused(sentence) from attempt.error
            wait = getattr(attempt.error, "wait", None)
            time.sleep(self.patience.pause * 2 ** (failed - 1) if wait is None else wait)


class _Attempt:
    """Holds back what another try might change."""

    error: Exception | None = None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace) -> bool:
        self.error = error
        return isinstance(error, requests.RequestException | HTTPError | OSError) and not (
            isinstance(error, OSError)
            and not isinstance(error, requests.RequestException)
            and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM)
        )


class _Later(requests.RequestException):
    """The server asks to come again."""

    def __init__(self, text: str, wait: float | None):
        super().__init__(text)
        self.wait = wait


def within(address: str, original: str) -> bool:
    """Whether an address is https and of the same archive as another.

    Hosts of one archive share the last two parts of their names, as ws-uv.canfar.net and
    ws-cadc.canfar.net do; numbers and names without a dot must be the same.
    """
    there, here = urlsplit(address), urlsplit(original)
    if there.scheme != "https" or not there.hostname or there.username is not None:
        return False
    names = [host.hostname.lower().split(".") for host in (there, here)]
    if any(len(name) < 2 or name[-1].isdigit() for name in names):
        return names[0] == names[1]
    return names[0][-2:] == names[1][-2:]


def download(
    address: str,
    path: Path,
    *,
    known_hash: str | None = None,
    check: Callable[[Path], None] = lambda path: None,
    prefix: bytes = b"",
    segments: Sequence[tuple[int, int]] | None = None,
    largest: int = LARGEST,
    connection: Connection | None = None,
    progress: Progress | None = None,
) -> Path:
    """Fetch a file, unless it is here; it bears its name only when it is whole and checked.

    A second start waits for the first one. What broke off is continued, also after the process
    was killed, if the file in the archive is still the same.

    Parameters
    ----------
    address : str
        https.
    path : Path
        The file to make.
    known_hash : str, optional
        Its SHA-256 sum.
    check : callable
        Gets the path of the complete file before it has its name; raises `Refused` if it is not
        what was asked for.
    prefix, segments : bytes, sequence of (start, stop), optional
        Instead of the whole file these bytes and then these parts of the file.
    largest : int
        Bytes above which it is given up.
    connection : Connection, optional
    progress : callable, optional
        Called with the bytes that are here and, where known, all bytes.

    Raises
    ------
    Refused
        If the file cannot be had, or is not what was asked for. What was there before stays.
    NoRanges
        If segments were asked for and the server sends no parts.
    """
    path = Path(path)
    connection = Connection() if connection is None else connection
    incoming = path.parent / ".incoming" / path.name
    pooch.get_logger().setLevel(logging.ERROR)  # it reports sums, which are recorded anyway
    try:
        incoming.mkdir(parents=True, exist_ok=True)
        with FileLock(incoming.parent / f"{path.name}.lock"):
            if path.is_file() and (known_hash is None or pooch.file_hash(str(path)) == known_hash):
                return path
            incoming.mkdir(exist_ok=True)
            for old in incoming.iterdir():  # of a process that was killed
                if old.name not in ("part", "part.json"):
                    old.unlink()
            transfer = _Transfer(connection, address, incoming, prefix, segments, largest, progress)

            def fetched(_, output_file: str, __) -> None:
                transfer.run()
                try:
                    check(transfer.part)
                except Refused:
                    transfer.forget()
                    raise
                os.replace(transfer.part, output_file)

            pooch.retrieve(address, known_hash, fname=path.name, path=incoming, downloader=fetched)
            os.replace(incoming / path.name, path)
            shutil.rmtree(incoming)
            return path
    except ValueError as fault:  # pooch: another checksum
        raise Refused(
            f"{path.name} has changed in the archive since its checksum was written down "
            f"({_host(address)}): if you want the new one, take its line out of "
            f"{path.parent / 'SHA256SUMS'} and start again."
        ) from fault
    except OSError as fault:
        raise Refused(_disk(fault, path.parent)) from fault


class _Transfer:
    """The bytes of one download, kept in ``part``, and in ``part.json`` what they are parts of."""

    def __init__(self, connection, address, folder, prefix, segments, largest, progress):
        self.connection, self.address = connection, address
        self.part, self.note = folder / "part", folder / "part.json"
        self.prefix, self.segments = prefix, segments
        self.largest, self.progress = largest, progress or (lambda done, total: None)
        self.before = 0

    def run(self) -> None:
        state = self._state()
        total = state.get("total")
        if total is not None and self._here() == total:
            return
        for attempt in self.connection._attempts(self.address, self._came_on):
            self.before = self._here()
            with attempt:
                if self.segments is None:
                    self._whole()
                else:
                    self._parts()
                return

    def _here(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _came_on(self) -> bool:
        return self._here() - self.before > 4 * _CHUNK

    def _state(self) -> dict:
        """What is known of the bytes that are here; without it they are of no use."""
        wanted = {
            "format": _FORMAT,
            "address": self.address,
            "segments": None if self.segments is None else [list(s) for s in self.segments],
            "prefix": len(self.prefix),
        }
        try:
            state = json.loads(self.note.read_text(encoding="utf-8"))
            if {name: state[name] for name in wanted} == wanted and self.part.is_file():
                return state
        except (OSError, ValueError, KeyError, TypeError):
            pass  # none, or of another version
        self.forget()
        self._remember(wanted)
        return wanted

    def _remember(self, state: dict) -> None:
        new = self.note.with_suffix(".new")
        new.write_text(json.dumps(state), encoding="utf-8")
        os.replace(new, self.note)
        self.known = state

    def forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def _whole(self) -> None:
        state = self._state()
        start = self._here()
        if start and not state.get("validator"):
            start = 0  # nobody could say whether the rest belongs to it
        answer = self.connection.ask(
            self.address, (start, None) if start else None, state.get("validator")
        )
        with closing(answer):
            if answer.status_code == 416:
                self.forget()
                raise requests.ConnectionError("what is here is no beginning of the file")
            if answer.status_code == 206:
                first, total = _range_of(answer)
                if first != start:
                    self.forget()
                    raise requests.ConnectionError("it sent another part than was asked for")
            else:
                start, total = 0, _length(answer)
            validator = None if _packed(answer) else _validator(answer)
            self._remember(self._wanted_of(state) | {"validator": validator, "total": total})
            self._room(total, start)
            self._write(answer, start, total)
        if total is not None and self._here() < total:
            raise requests.ConnectionError("cut short")
        self._remember(self.known | {"total": self._here()})

    @staticmethod
    def _wanted_of(state: dict) -> dict:
        return {name: state[name] for name in ("format", "address", "segments", "prefix")}

    def _parts(self) -> None:
        state = self._state()
        total = len(self.prefix) + sum(stop - start for start, stop in self.segments)
        self._room(total, self._here())
        if self._here() < len(self.prefix):
            self.part.write_bytes(self.prefix)
        begin = len(self.prefix)
        for first, last in self.segments:
            done = min(max(self._here() - begin, 0), last - first)
            begin += last - first
            if done == last - first:
                continue
            answer = self.connection.ask(self.address, (first + done, last), state.get("validator"))
            with closing(answer):
                if answer.status_code != 206 or _range_of(answer)[0] != first + done:
                    self.forget()
                    if state.get("validator"):
                        raise requests.ConnectionError("the file has changed meanwhile")
                    raise NoRanges(f"{_host(self.address)} does not send parts of files.")
                if not state.get("validator"):
                    state = state | {"validator": _validator(answer)}
                    self._remember(state)
                self._write(answer, self._here(), total, last - first - done)
        if self._here() < total:
            raise requests.ConnectionError("cut short")
        self._remember(state | {"total": total})

    def _room(self, total: int | None, here: int) -> None:
        if total is None:
            return
        if total > self.largest:
            raise Refused(
                f"{_host(self.address)} announces {total / 1e9:.1f} GB, more than the "
                f"{self.largest / 1e9:.1f} GB that this file can have, so it was not fetched."
            )
        free = shutil.disk_usage(self.part.parent).free
        if total - here > free:
            raise Refused(
                f"{(total - here) / 1e6:.0f} MB are to come and {free / 1e6:.0f} MB are free in "
                f"{self.part.parents[2]}: make room, or give another folder with --to."
            )

    def _write(self, answer, start: int, total: int | None, most: int | None = None) -> None:
        done, begun = start, start
        with open(self.part, "r+b" if start else "wb") as file:
            file.seek(start)
            file.truncate()
            for piece in self.connection.pieces(answer):
                if done == 0 and not piece.startswith(_BEGINNINGS):
                    raise Refused(_no_fits(piece, answer, self.address))
                if most is not None:
                    piece = piece[: most - (done - begun)]
                file.write(piece)
                done += len(piece)
                packed = answer.raw.tell() if _packed(answer) else done
                if done > self.largest or done > 1000 * max(packed, 100_000):
                    file.truncate(0)
                    raise Refused(
                        f"What {_host(self.address)} sends unpacks to more than "
                        f"{done / 1e6:.0f} MB, far more than this file can have, so it was "
                        "thrown away: tell the archive."
                    )
                self.progress(done, total)


# --------------------------------------------------------------------------- answers and errors


def _host(address: str) -> str:
    return urlsplit(address).hostname or address


def _shown(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.hostname or ''}"


def _packed(answer: requests.Response) -> bool:
    return answer.headers.get("Content-Encoding", "identity").lower() != "identity"


def _length(answer: requests.Response) -> int | None:
    said = answer.headers.get("Content-Length", "")
    return int(said) if said.isdigit() and not _packed(answer) else None


def _range_of(answer: requests.Response) -> tuple[int, int | None]:
    """First byte and size of the whole file, as the answer says."""
    try:
        unit, _, rest = answer.headers.get("Content-Range", "").partition(" ")
        span, _, size = rest.partition("/")
        if unit != "bytes":
            raise ValueError
        return int(span.split("-")[0]), int(size) if size.isdigit() else None
    except ValueError:
        return -1, None


def _validator(answer: requests.Response) -> str | None:
    """What tells this version of the file from another: a strong ETag, or the time of change."""
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified")


def _seconds(retry_after: str | None) -> float | None:
    if retry_after is None:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        when = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _no_fits(piece: bytes, answer: requests.Response, address: str) -> str:
    page = piece.lstrip()[:15].lower().startswith((b"<!doctype", b"<html", b"<?xml", b"<head"))
    if page or "html" in answer.headers.get("Content-Type", ""):
        return (
            f"{_host(address)} answers with a web page instead of the file: the network may ask "
            "you to log in, or the archive is being repaired; open the address in a browser to see."
        )
    return (
        f"What {_host(address)} sends is not a FITS file (it begins with {piece[:12]!r}): try "
        "again later, or tell the archive."
    )


def _causes(error: BaseException | None) -> list[BaseException]:
    """The error and all that it came from; libraries hide the first one at several depths."""
    found: list[BaseException] = []
    left = [error]
    while left:
        each = left.pop()
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            left += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
    return found


def _why(error: Exception | None, address: str) -> str:
    host, kept = _host(address), "what has come is kept, and the next start goes on from there"
    inner = _causes(error)
    if any(isinstance(c, NameResolutionError | socket.gaierror) for c in inner):
        return f"The address {host} cannot be found: is this machine connected to the network?"
    if isinstance(error, requests.exceptions.SSLError):
        return (
            f"The certificate of {host} is not trusted here: the network may ask you to log in "
            "first, or a proxy stands between (then REQUESTS_CA_BUNDLE must name its certificate)."
        )
    if isinstance(error, _Later):
        return f"{error} again and again: the archive has trouble; try again later, {kept}."
    if any(isinstance(c, TimeoutError | requests.Timeout) or "timed out" in str(c) for c in inner):
        return f"{host} is silent or too slow for too long: try again later, {kept}."
    if any(isinstance(c, ConnectionRefusedError) for c in inner) or "refused" in str(error):
        return f"{host} takes no connection: is the network there, and the archive up? Try later."
    return f"The connection to {host} breaks off again and again: try again later, {kept}."


def _disk(fault: OSError, folder: Path) -> str:
    if fault.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", -1)):
        return (
            f"The disk that holds {folder} is full: make room, or give another folder with --to; "
            "what has come is kept."
        )
    if fault.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return f"You may not write to {folder}: give another folder with --to."
    return f"{folder} cannot be written to ({fault.strerror or fault}): give another with --to."
