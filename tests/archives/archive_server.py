"""A server on this machine that plays the archives, well and badly.

It speaks https with a throw-away certificate, under the names localhost (the archive), 127.0.0.1
(another host) and with a second port (the archive's storage, to which CANFAR sends on).
"""

import http.server
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import trustme
from astropy.io import fits

from helpers.download import Patience
from helpers.galaxies import RESOLUTION, get_galaxy

QUICK = Patience(connect=3, silence=1.2, tries=3, pause=0.01, longest=2, slowest=5000)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        archive: Archive = self.server.archive
        path = unquote(urlsplit(self.path).path)
        with archive.lock:
            archive.asked.append((self.command, path, self.headers.get("Range")))
        try:
            for fault in archive.faults:
                if fault(self, path, body):
                    return
            self.serve(path, body)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    def serve(self, path: str, body: bool = True) -> None:
        archive: Archive = self.server.archive
        if path in archive.pages:
            self.send(200, archive.pages[path].encode(), body, type_=archive.types[path])
            return
        file = archive.files.get(path)
        if file is None:
            self.send(404, b"no such file", body)
        elif archive.storage and self.server is archive.door and path.startswith("/vault/"):
            to = f"https://localhost:{archive.storage.server_port}{self.path}"
            self.send(303, b"", body, {"Location": to})
        else:
            self.send_file(file, body)

    def send_file(self, file: Path, body: bool, ranges: bool = True) -> None:
        archive: Archive = self.server.archive
        size, wanted = file.stat().st_size, self.headers.get("Range")
        headers = {"ETag": archive.tag(file), "Content-Type": "application/fits"}
        if name := archive.dispositions.get(unquote(urlsplit(self.path).path)):
            headers["Content-Disposition"] = f'attachment; filename="{name}"'
        start, stop, code = 0, size, 200
        fits_still = self.headers.get("If-Range", headers["ETag"]) == headers["ETag"]
        if ranges and wanted and fits_still:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, stop, code = int(first), min(int(last) + 1 if last else size, size), 206
            if start >= size:
                self.send(416, b"", body, {"Content-Range": f"bytes */{size}"})
                return
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        with file.open("rb") as open_file:
            open_file.seek(start)
            self.send(code, open_file.read(stop - start), body, headers)

    def send(self, code, content, body=True, headers=None, type_="text/plain", say=True) -> None:
        self.send_response(code)
        headers = {"Content-Type": type_} | (headers or {})
        if say:
            headers.setdefault("Content-Length", str(len(content)))
        else:
            headers["Connection"] = "close"
            self.close_connection = True
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)
            with self.server.archive.lock:
                self.server.archive.sent += len(content)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


class Archive:
    """The files that a server has, how it behaves, and what it was asked for.

    Attributes
    ----------
    files : dict of str to Path
        By path in the address.
    faults : list of callable
        Each gets the handler, the path and whether a body is wanted, and says whether it answered.
    asked : list of (method, path, Range)
    """

    def __init__(self):
        self.files: dict[str, Path] = {}
        self.pages: dict[str, str] = {}
        self.types: dict[str, str] = {}
        self.dispositions: dict[str, str] = {}
        self.faults: list[Callable] = []
        self.asked: list[tuple[str, str, str | None]] = []
        self.sent, self.lock = 0, threading.Lock()
        self.door = self.storage = None

    def tag(self, file: Path) -> str:
        return f'"{file.stat().st_size}-{file.stat().st_mtime_ns}"'

    def address(self, path: str, host: str = "localhost") -> str:
        return f"https://{host}:{self.door.server_port}{path}"

    def gets(self, ending: str = "") -> list[str | None]:
        return [r for method, path, r in self.asked if method == "GET" and path.endswith(ending)]

    def page(self, path: str, text: str, type_: str) -> None:
        self.pages[path], self.types[path] = text, type_


def fits_file(path: Path, galaxy: str = "NGC 7496", size: int = 60, seed: int = 0) -> Path:
    """A small map in the right place on the sky."""
    galaxy = get_galaxy(galaxy)
    values = np.random.default_rng(seed).normal(size=(size, size)).astype(np.float32)
    hdu = fits.PrimaryHDU(values, header=galaxy.grid()[0].to_header())
    hdu.header["OBJECT"] = galaxy.key.upper()
    hdu.header["BUNIT"] = "K km/s"
    path.parent.mkdir(parents=True, exist_ok=True)
    hdu.writeto(path, overwrite=True)
    return path


def copy_survey(source: Path, key: str, target: str, folder: Path) -> None:
    """The files of a simulated galaxy, under the names and in the place of another one."""
    was, to = get_galaxy(key), get_galaxy(target)
    for path in sorted((source / was.key).iterdir()):
        name = path.name.replace(was.key.upper(), to.key.upper()).replace(was.key, to.key)
        name = name.replace(f"{was.muse_fwhm.value:.2f}", f"{to.muse_fwhm.value:.2f}")
        (folder / to.key).mkdir(parents=True, exist_ok=True)
        with fits.open(path, disable_image_compression=True) as hdus:
            for hdu in hdus:
                for card, value in (("CRVAL1", to.center.ra.deg), ("CRVAL2", to.center.dec.deg)):
                    if card in hdu.header:
                        hdu.header[card] = value
                for card in ("OBJECT", "TARGNAME"):
                    if card in hdu.header:
                        hdu.header[card] = to.key.upper()
                if "BMAJ" in hdu.header:  # as at 150 pc, to which the width of CO cannot be blurred
                    beam = to.angle(RESOLUTION).value / 3600
                    hdu.header["BMAJ"] = hdu.header["BMIN"] = beam
            hdus.writeto(folder / to.key / name)


@contextmanager
def running(authority: trustme.CA) -> Iterator[Archive]:
    """Two servers, the archive's door and its storage, with certificates of this authority."""
    made, servers = Archive(), []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    for _ in range(2):
        server = Server(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.archive = made
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
    made.door, made.storage = servers
    try:
        yield made
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


@contextmanager
def serve(files: dict[str, Path]) -> Iterator[Archive]:
    """An archive of these files, which this process trusts."""
    authority = trustme.CA()
    with authority.cert_pem.tempfile() as bundle, running(authority) as archive:
        before = dict(os.environ)
        os.environ |= {"REQUESTS_CA_BUNDLE": bundle, "NO_PROXY": "*"}
        archive.files |= files
        archive.storage = None
        try:
            yield archive
        finally:
            os.environ.clear()
            os.environ.update(before)
