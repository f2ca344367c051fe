"""Bytes that were packed by gzip or deflate, over HTTP and over AMQP. A pure function."""

from __future__ import annotations

import zlib
from typing import Literal

GZIP = b"\x1f\x8b"
"""How gzip begins (RFC 1952, section 2.3.1)."""

_GZIP_BITS = 16 + zlib.MAX_WBITS
"""Read a gzip head and its checksum, and nothing else."""
_PIECE_BYTES = 4096
"""zlib copies what follows a member; of many small members in one large body that would be most of the work."""


class NotInflated(Exception):
    """The bytes cannot be unpacked: ``cut`` where their end is missing, ``too_large`` where too much comes of them."""

    def __init__(self, why: Literal["cut", "damaged", "too_large"]) -> None:
        super().__init__(why)
        self.why = why


def inflated(body: bytes, word: Literal["gzip", "deflate"], most: int) -> bytes:
    """``body`` unpacked; all members of gzip, and zero bytes behind them passed over. Raises `NotInflated`.

    Nothing is unpacked beyond ``most`` bytes.
    """
    bits = {"gzip": _GZIP_BITS, "deflate": zlib.MAX_WBITS if _is_zlib(body) else -zlib.MAX_WBITS}[word]
    found, at, member = bytearray(), 0, zlib.decompressobj(bits)
    try:
        while at < len(body):
            if member.eof:  # gzip may come in several members (RFC 1952, section 2.2), and padded to a block's size
                if body[at] == 0:
                    at += 1
                    continue
                member = zlib.decompressobj(bits)
            piece = body[at : at + _PIECE_BYTES]
            found += member.decompress(piece, most + 1 - len(found))
            if len(found) > most:
                raise NotInflated("too_large")
            at += len(piece) - len(member.unused_data)
    except zlib.error:
        raise NotInflated("damaged") from None
    if not member.eof:
        raise NotInflated("cut")
    return bytes(found)


def _is_zlib(body: bytes) -> bool:
    """Some senders mean by deflate the bare stream, without the zlib head that the word stands for (RFC 1950, section 2.2)."""
    return len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
