"""Some extensions of a FITS file that stays where it is: read the chain of headers, skip the rest.

A FITS file is a chain: a header in blocks of 2880 bytes, the data it announces, the next header.
Only who has read a header knows where the next one begins. So the headers are read one by one, from
a little piece each, until all extensions that are wanted were met; then their bytes are fetched in
as few pieces as possible. (FITS Standard 4.0, sections 3 and 4.4.1.)
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from astropy.io import fits

BLOCK = 2880
PIECE = 2 * BLOCK
"""Bytes to read where a header begins: most headers fit, and a file holds many."""


@dataclass(frozen=True)
class Part:
    """An HDU in the file: its name, and its bytes [start, stop) with header and padding."""

    name: str
    start: int
    stop: int
    header: fits.Header


def find(read: Callable[[int, int], bytes], wanted: Collection[str], most: int = 1000):
    """Follow the chain until all wanted extensions were met.

    Parameters
    ----------
    read : callable
        ``read(start, stop)`` gives these bytes, or fewer at the end of the file.
    wanted : collection of str
        Names of extensions.
    most : int
        HDUs after which it is given up.

    Returns
    -------
    parts : list of Part
        The primary HDU, and those of the wanted ones that the file has, in its order.

    Raises
    ------
    ValueError
        If there is no FITS file.
    """
    left, parts, at = {name.upper() for name in wanted}, [], 0
    for number in range(most):
        text = read(at, at + PIECE)
        if not text:
            break
        while (end := _end(text)) is None:
            more = read(at + len(text), at + len(text) + 4 * BLOCK)
            if not more or len(text) > 1000 * BLOCK:
                raise ValueError("a header has no end")
            text += more
        expected = b"SIMPLE  =" if number == 0 else b"XTENSION="
        if not text.startswith(expected):
            raise ValueError(f"at byte {at} no header begins")
        header = fits.Header.fromstring(text[:end].decode("ascii", "replace"))
        name = str(header.get("EXTNAME", "")).strip().upper()
        stop = at + end + _data_size(header)
        if number == 0 or name in left:
            parts.append(Part(name, at, stop, header))
            left.discard(name)
        if not left:
            break
        at = stop
    return parts


def segments(parts: Collection[Part]) -> list[tuple[int, int]]:
    """Their bytes in few pieces.

    Only what touches is joined: what lies between would be an extension that nobody asked for.
    """
    joined: list[tuple[int, int]] = []
    for part in parts:
        if joined and joined[-1][1] == part.start:
            joined[-1] = joined[-1][0], part.stop
        else:
            joined.append((part.start, part.stop))
    return joined


def primary(header: fits.Header, kept: Collection[str]) -> bytes:
    """The primary header, with cards that say what of the file this is."""
    header = header.copy()
    header["SUBSET"] = True, "some extensions of the archive's file"
    header.add_history(f"Extensions fetched: {', '.join(kept)}")
    return header.tostring().encode("ascii")


def _end(text: bytes) -> int | None:
    """Where the header's last block ends, if the END card is in the text."""
    for at in range(0, len(text) - 79, 80):
        if text[at : at + 80] == b"END".ljust(80):
            end = -(-(at + 80) // BLOCK) * BLOCK
            return end if end <= len(text) else None
    return None


def _data_size(header: fits.Header) -> int:
    """Bytes of data with padding (FITS Standard 4.0, eqs. 1 and 2)."""
    axes = [header[f"NAXIS{k}"] for k in range(1, header["NAXIS"] + 1)]
    count = 1 if axes else 0
    for length in axes:
        count *= length
    count = header.get("GCOUNT", 1) * (header.get("PCOUNT", 0) + count)
    size = abs(header["BITPIX"]) // 8 * count
    return -(-size // BLOCK) * BLOCK
