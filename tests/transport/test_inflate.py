"""transport/inflate.py: gzip and deflate within a bound."""

from __future__ import annotations

import gzip
import time
import zlib
from typing import Literal

import pytest

from gridwire.transport.inflate import NotInflated, inflated

BODY = b"body " * 9000  # more than one piece, packed and unpacked


def gz(data: bytes, level: int = 9) -> bytes:
    """Without the time of day, which would be in the names of the tests."""
    return gzip.compress(data, level, mtime=0)


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(0, wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("packed", "word"),
    [
        (gz(BODY), "gzip"),
        (gz(BODY, 0), "gzip"),
        (gz(BODY[:20], 0) + gz(b"") + gz(BODY[20:], 0), "gzip"),
        (gz(BODY[:20]) + b"\0" + gz(BODY[20:]) + bytes(5000), "gzip"),
        (zlib.compress(BODY, 0), "deflate"),
        (bare(BODY), "deflate"),
    ],
)
def test_it_is_unpacked_to_the_last_byte(packed: bytes, word: Literal["gzip", "deflate"]) -> None:
    assert inflated(packed, word, len(BODY)) == BODY
    with pytest.raises(NotInflated, match="too_large"):
        inflated(packed, word, len(BODY) - 1)


@pytest.mark.parametrize(
    ("packed", "word", "why"),
    [
        (b"", "gzip", "cut"),
        (gz(BODY, 0)[:-1], "gzip", "cut"),
        (gz(BODY) + gz(BODY)[:9], "gzip", "cut"),
        (gz(BODY)[:-1] + b"\xff", "gzip", "damaged"),
        (gz(BODY) + b"\0\0x" * 20, "gzip", "damaged"),
        (gz(BODY) + zlib.compress(BODY), "gzip", "damaged"),
        (zlib.compress(BODY)[:-1], "deflate", "cut"),
        (zlib.compress(BODY)[:-1] + b"\xff", "deflate", "damaged"),
        (b"\xff\xff", "deflate", "damaged"),
    ],
)
def test_what_cannot_be_unpacked_is_told(packed: bytes, word: Literal["gzip", "deflate"], why: str) -> None:
    with pytest.raises(NotInflated) as caught:
        inflated(packed, word, 10 * len(BODY))
    assert caught.value.why == why


def test_many_small_members_do_not_hold_the_loop_up() -> None:
    """Copying the rest of the body for each of them would take minutes."""
    one = gz(b"x")
    began = time.process_time()
    assert inflated(one * 100_000, "gzip", 200_000) == b"x" * 100_000
    assert time.process_time() - began < 10
