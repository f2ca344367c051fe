"""The body of a message that was packed for the way. Pure functions.

AMQP 1.0 (part 3, section 3.2.4) names the packing in ``content-encoding`` with the words of HTTP (RFC 9110, section 8.4.1).
"""

from __future__ import annotations

from typing import Literal

from gridwire.transport import inflate


class Packed(Exception):
    """Says in a sentence why a body cannot be unpacked."""


def inflated(body: bytes, encoding: str | None, most: int) -> bytes:
    """``body`` unpacked. gzip is known by its first bytes, whatever ``encoding`` says, and deflate by its word.

    Everything else is returned as it is: many senders write a charset there, and what is no packing needs no unpacking.
    Raises `Packed` for what is damaged, and as soon as more than ``most`` bytes come of it.
    """
    is_gzip = body.startswith(inflate.GZIP)  # no JSON text can begin so
    if not is_gzip and ("deflate" not in words(encoding) or body.lstrip()[:1] in (b"{", b"[", b"")):
        return body
    word: Literal["gzip", "deflate"] = "gzip" if is_gzip else "deflate"
    try:
        return inflate.inflated(body, word, most)
    except inflate.NotInflated as error:
        raise Packed(
            {
                "cut": f"The body is packed by {word}, and its end is missing.",
                "damaged": f"The body is packed by {word}, and damaged.",
                "too_large": f"The body is larger than the {most} bytes that an event may have, once it is unpacked.",
            }[error.why]
        ) from None


def words(encoding: str | None) -> list[str]:
    """The packings that ``encoding`` lists, in small letters."""
    return [word.strip().lower() for word in (encoding or "").split(",") if word.strip()]
