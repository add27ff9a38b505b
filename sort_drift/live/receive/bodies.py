"""The bytes of a body: how it may be packed, and unpacking it in bounded memory.

Never ``gzip.decompress``: 16 KiB of gzip hold 16 MiB, and 16 MiB of it 16 GiB.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from sort_drift.live.receive.terms import Refused

ACCEPTED = "gzip, identity"
"""Content encodings; of ``Accept-Encoding`` in an answer that refuses another one."""

_GZIP = 31  # wbits of zlib: a gzip header and trailer, and nothing else
_PIECE = 4096  # bytes inflated at once: zlib copies what follows the end of a member, up to a piece
_MEMBERS = 1_000  # of one body: pigz and streaming encoders write a few, an attack 800,000 empty ones


def compressed(header: str | None) -> bool:
    """Return whether a body is gzip, by its ``Content-Encoding``; ``Refused`` (415) for another coding.

    >>> compressed("GZIP"), compressed("identity"), compressed(None)
    (True, False, False)
    """
    coding = (header or "identity").strip().lower()
    if coding in {"gzip", "x-gzip"}:
        return True
    if coding in {"identity", ""}:
        return False
    raise Refused(415, f"Content-Encoding {coding[:40]!r} is not supported; accepted are {ACCEPTED}")


def most(limit: int, *, packed: bool) -> int:
    """Return how many bytes a body may have as it is sent: gzip makes random bytes a little longer."""
    return limit + (limit >> 8) + 1024 if packed else limit


def too_large(limit: int) -> Refused:
    """Return the refusal of a body over ``limit`` bytes."""
    return Refused(413, f"more than {limit:,} bytes in one request; send smaller batches")


def inflate(packed: bytes, limit: int, grow: Callable[[int], None]) -> bytes:
    """Return the content of a gzip body, of one member or several; ``grow`` is told of each piece of it.

    Raises ``Refused``: 413 above ``limit`` bytes, 400 for what is cut, damaged, or no gzip at all.
    """
    pieces: list[bytes] = []
    size = members = at = 0
    stream = None
    while at < len(packed):
        piece = packed[at : at + _PIECE]
        at += len(piece)
        while piece:
            if stream is None:
                if members and not piece.strip(b"\0"):
                    break  # padding behind the last member, as tapes and block devices leave it
                members += 1
                if members > _MEMBERS:
                    raise _damaged(f"more than {_MEMBERS:,} gzip members")
                stream = zlib.decompressobj(_GZIP)
            try:
                content = stream.decompress(piece, limit - size + 1)
            except zlib.error as error:
                raise _damaged(str(error)) from None
            size += len(content)
            if size > limit:
                raise too_large(limit)
            grow(len(content))
            pieces.append(content)
            piece = stream.unconsumed_tail or stream.unused_data
            if stream.eof:
                stream = None
    if stream is not None:
        raise _damaged("it ends in the middle")
    return b"".join(pieces)


def _damaged(why: str) -> Refused:
    return Refused(400, f"the body is not the gzip that its Content-Encoding says: {why}")
