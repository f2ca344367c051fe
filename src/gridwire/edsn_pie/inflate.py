"""The body of a message that was packed for the way. Pure functions.

AMQP 1.0 (part 3, section 3.2.4) names the packing in ``content-encoding`` with the words of HTTP (RFC 9110, section 8.4.1).
"""

from __future__ import annotations

import zlib

_GZIP = b"\x1f\x8b"
"""How gzip begins (RFC 1952, section 2.3.1). No JSON text can begin so."""
_AUTOMATIC = 32 + zlib.MAX_WBITS
"""Read gzip or zlib, whichever it is."""


class Packed(Exception):
    """Says in a sentence why a body cannot be unpacked."""


def inflated(body: bytes, encoding: str | None, most: int) -> bytes:
    """``body`` unpacked. gzip is known by its first bytes, whatever ``encoding`` says, and deflate by its word.

    Everything else is returned as it is: many senders write a charset there, and what is no packing needs no unpacking.
    Raises `Packed` for what is damaged, and as soon as more than ``most`` bytes come of it.
    """
    if body.startswith(_GZIP):
        return _unpacked(body, "gzip", most)
    plain = body.lstrip()[:1] in (b"{", b"[", b"")
    return _unpacked(body, "deflate", most) if "deflate" in words(encoding) and not plain else body


def words(encoding: str | None) -> list[str]:
    """The packings that ``encoding`` lists, in small letters."""
    return [word.strip().lower() for word in (encoding or "").split(",") if word.strip()]


def _unpacked(body: bytes, word: str, most: int) -> bytes:
    found = b""
    try:
        while body:  # gzip may come in several members (RFC 1952, section 2.2)
            bare = word == "deflate" and not _is_zlib(body)
            member = zlib.decompressobj(-zlib.MAX_WBITS if bare else _AUTOMATIC)
            found += member.decompress(body, most + 1 - len(found))
            if len(found) > most:
                raise Packed(f"The body is larger than the {most} bytes that an event may have, once it is unpacked.")
            if not member.eof:
                raise Packed(f"The body is packed by {word}, and its end is missing.")
            body = member.unused_data.lstrip(b"\0")
    except zlib.error:
        raise Packed(f"The body is packed by {word}, and damaged.") from None
    return found


def _is_zlib(body: bytes) -> bool:
    """Some senders mean by deflate the bare stream, without the zlib head that the word stands for (RFC 1950, section 2.2)."""
    return len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
