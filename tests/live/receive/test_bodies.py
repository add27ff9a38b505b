"""Packed bodies: inflated piece by piece, within a limit; what is damaged or of another coding is refused."""

from __future__ import annotations

import gzip
import random
import time
import tracemalloc
import zlib

import pytest

from sort_drift.live.receive import bodies
from sort_drift.live.receive.terms import Refused
from sort_drift.live.settings import MIB

LIMIT = MIB


def inflate(packed: bytes, limit: int = LIMIT) -> bytes:
    """Inflate, and check that every byte was accounted for."""
    grown: list[int] = []
    content = bodies.inflate(packed, limit, grown.append)
    assert sum(grown) == len(content)
    return content


def refused(packed: bytes, limit: int = LIMIT) -> Refused:
    """Return the refusal of a body."""
    with pytest.raises(Refused) as caught:
        bodies.inflate(packed, limit, lambda count: None)
    return caught.value


@pytest.mark.fault(25)
@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, LIMIT - 1, LIMIT])
def test_content_comes_back_whole_up_to_the_limit(size):
    """Every size up to the limit, of bytes that do not compress and of bytes that do."""
    for content in (random.Random(size).randbytes(size), bytes(size)):
        assert inflate(gzip.compress(content, mtime=0)) == content


@pytest.mark.fault(25)
def test_one_byte_over_the_limit_is_413():
    """The limit is exact, whatever the content."""
    for content in (random.Random(1).randbytes(LIMIT + 1), bytes(LIMIT + 1)):
        assert refused(gzip.compress(content, mtime=0)).status == 413


def test_a_packed_body_of_the_limit_may_be_sent():
    """Gzip makes random bytes longer than they are, by less than what is allowed on top."""
    for size in (0, 100, LIMIT):
        assert len(gzip.compress(random.Random(2).randbytes(size))) <= bodies.most(size, packed=True)


@pytest.mark.fault(26)
def test_a_bomb_costs_the_limit_and_no_more():
    """Sixty-four megabytes in 64 KB is 413 after the limit; so is a bomb of many members."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join([deflate.compress(bytes(MIB)) for _ in range(64)]) + deflate.flush()
    tracemalloc.start()
    try:
        assert refused(bomb).status == 413
        assert refused(gzip.compress(bytes(MIB), mtime=0) * 2).status == 413
        assert tracemalloc.get_traced_memory()[1] < 12 * MIB  # a piece of 4 KB inflates to 4 MB at most
    finally:
        tracemalloc.stop()


@pytest.mark.fault(26)
def test_several_members_are_one_body():
    """Concatenated gzip is what pigz and appending writers produce; zeros behind it are padding."""
    parts = [b"a" * 5000, b"", b"b" * 10]
    packed = b"".join(map(gzip.compress, parts))
    assert inflate(packed) == b"".join(parts)
    assert inflate(packed + bytes(513)) == b"".join(parts)
    assert inflate(packed + bytes(9_000)) == b"".join(parts)


@pytest.mark.fault(26)
def test_a_million_empty_members_are_refused_at_once():
    """Members cost time, not memory: more than a thousand are 400."""
    began = time.process_time()
    error = refused(gzip.compress(b"", mtime=0) * 800_000, 16 * MIB)
    assert time.process_time() - began < 1
    assert (error.status, "members" in error.message) == (400, True)


@pytest.mark.fault(26)
@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(b"x" * 9_000, mtime=0)[:-1],
        gzip.compress(b"x" * 9_000, mtime=0)[:-8],
        gzip.compress(random.Random(3).randbytes(9_000), mtime=0)[:4_096],
        gzip.compress(b"x" * 9_000, mtime=0)[:-8] + b"\0\0\0\0" + gzip.compress(b"x" * 9_000, mtime=0)[-4:],
        gzip.compress(b"x", mtime=0) + b"garbage",
        b"plain text",
        zlib.compress(b"zlib, not gzip"),
        gzip.compress(b"x", mtime=0)[:5],
    ],
)
def test_what_is_damaged_is_400(packed):
    """Cut at the end or in the middle, a wrong checksum, garbage behind it, no gzip at all."""
    error = refused(packed)
    assert error.status == 400
    assert "not the gzip that its Content-Encoding says" in error.message


@pytest.mark.fault(26)
@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip", "gzip,identity", "x" * 999])
def test_other_codings_are_415(coding):
    """The refusal names what is accepted, and is short."""
    with pytest.raises(Refused, match="accepted are gzip, identity") as caught:
        bodies.compressed(coding)
    assert caught.value.status == 415
    assert len(caught.value.message) < 150


@pytest.mark.fault(26)
def test_gzip_in_gzip_is_unpacked_once():
    """What is left is gzip, which no decoder takes."""
    assert inflate(gzip.compress(gzip.compress(b"x"), mtime=0)).startswith(b"\x1f\x8b")
