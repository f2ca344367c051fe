"""Bodies that were packed for the way: read within the bound, or told why not."""

from __future__ import annotations

import gzip
import json
import zlib

import proton
import pytest

from gridwire.edsn_pie import TicketCreated, UnknownNotification
from gridwire.edsn_pie.decoder import MAX_BODY_BYTES, decode
from gridwire.edsn_pie.inflate import Packed, inflated
from gridwire.transport.amqp import Decoder, encode
from gridwire.transport.amqp_message import AmqpMessage, dump, load
from tests.support.amqp_world import message

EVENT: bytes = message(7).body


def gz(data: bytes, level: int = 9) -> bytes:
    """Without the time of day, which would be in the names of the tests."""
    return gzip.compress(data, level, mtime=0)


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gz(EVENT), "gzip"),
        (gz(EVENT), "X-GZIP"),
        (gz(EVENT), None),
        (gz(EVENT), "utf-8"),
        (gz(EVENT[:50]) + gz(EVENT[50:]), "gzip"),
        (gz(EVENT) + b"\0\0", "gzip"),
        (zlib.compress(EVENT), "deflate"),
        (bare_deflate(EVENT), "deflate"),
        (EVENT, "gzip"),
        (EVENT, "deflate"),
        (EVENT, "identity"),
        (EVENT, "UTF-8"),
    ],
)
def test_a_body_is_read_however_it_is_packed(body: bytes, encoding: str | None) -> None:
    came = proton.Message(body=body, inferred=True, content_type="application/cloudevents+json")
    if encoding is not None:
        came.content_encoding = encoding
    found = Decoder().decode(bytes(came.encode()))
    assert (found.body, found.content_encoding) == (body, encoding)
    told = decode(load(dump(found)))
    assert isinstance(told, TicketCreated)
    assert (told.ticket_id, told.raw) == ("T-7", body)
    assert Decoder().decode(encode(found)).content_encoding == encoding


def test_a_binary_events_payload_is_unpacked_too() -> None:
    properties = {"cloudEvents:type": "pie.ticket.created", "cloudEvents:id": "1", "cloudEvents:source": "/pie"}
    body = gz(json.dumps({"ticketId": "T-9"}).encode())
    told = decode(AmqpMessage(body, "application/json", "gzip", properties=properties))
    assert isinstance(told, TicketCreated)
    assert (told.ticket_id, told.data) == ("T-9", {"ticketId": "T-9"})


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (gz(EVENT)[:-9], "gzip", "its end is missing"),
        (gz(EVENT)[:20] + b"\xff" * 20, "gzip", "packed by gzip, and damaged"),
        (gz(EVENT) + b"trailer", "gzip", "packed by gzip, and damaged"),
        (b"\x00\xff" * 9, "deflate", "packed by deflate, and damaged"),
        (b"\x1b\xff\xff", "br", "not UTF-8. Its content-encoding is 'br'; gzip and deflate are unpacked here."),
        (b"text", "gzip, br\x1b", "not JSON. Its content-encoding is 'gzip, br'"),
        (
            gz(gz(EVENT)),
            "gzip, gzip",
            "Its content-encoding is 'gzip, gzip'; one packing is undone here",
        ),
        (gz(b"x" * 50_000_000), "gzip", f"larger than the {MAX_BODY_BYTES} bytes"),
    ],
)
def test_what_cannot_be_unpacked_is_whole_and_told(body: bytes, encoding: str, reason: str) -> None:
    told = decode(AmqpMessage(body, content_encoding=encoding))
    assert isinstance(told, UnknownNotification)
    assert reason in told.reason
    assert told.raw == body


def test_nothing_is_unpacked_beyond_the_bound() -> None:
    assert inflated(gz(b"x" * 1000), None, 1000) == b"x" * 1000
    with pytest.raises(Packed, match="larger than the 1000 bytes"):
        inflated(gz(b"x" * 1000) + gz(b"y"), None, 1000)
