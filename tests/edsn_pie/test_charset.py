"""The character set of a notification: the one that its content type names, then UTF-8."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from gridwire.edsn_pie import TicketCreated, UnknownNotification
from gridwire.edsn_pie.decoder import decode
from gridwire.transport.amqp_message import AmqpMessage

ID = "Zaak-é€"


def event(**more: Any) -> str:
    said = {
        "specversion": "1.0",
        "id": "x",
        "source": "/pie",
        "type": "nl.edsn.ticket.created",
        "data": {"ticketId": ID},
    }
    return json.dumps(said | more, ensure_ascii=False)


@pytest.mark.parametrize(
    ("encoded", "content_type"),
    [
        ("utf-8", None),
        ("utf-8", "application/json; charset=iso-8859-15x"),
        ("utf-8", "application/json; charset=utf-7"),
        ("utf-8-sig", "application/json; charset=windows-1252"),
        ("utf-8", "application/json; charset=ascii"),
        ("iso-8859-15", "application/json; charset=iso-8859-15"),
        ("windows-1252", 'application/cloudevents+json;charset="Windows-1252"'),
        ("utf-16", "application/json; charset=utf-16"),
        ("utf-16-le", None),
    ],
)
def test_the_charset_of_the_content_type_counts(encoded: str, content_type: str | None) -> None:
    for body in (event().encode(encoded), gzip.compress(event().encode(encoded))):
        told = decode(AmqpMessage(body, content_type))
        assert isinstance(told, TicketCreated)
        assert (told.ticket_id, told.raw) == (ID, body)


def test_the_charset_of_a_binary_event_and_of_one_in_base64_counts_too() -> None:
    data = json.dumps({"ticketId": ID}, ensure_ascii=False).encode("windows-1252")
    content_type = "application/json; charset=windows-1252"
    properties = {"cloudEvents:type": "pie.ticket.created", "cloudEvents:id": "1", "cloudEvents:source": "/pie"}
    binary = AmqpMessage(data, content_type, properties=properties)
    told = json.loads(event(datacontenttype=content_type, data_base64=base64.b64encode(data).decode()))
    del told["data"]
    for message in (binary, AmqpMessage(told), AmqpMessage(json.dumps(told).encode(), "application/cloudevents+json")):
        found = decode(message)
        assert isinstance(found, TicketCreated)
        assert found.ticket_id == ID


@pytest.mark.parametrize(
    ("content_type", "reason"),
    [
        (None, "The body is not UTF-8."),
        ("application/json; charset=utf-8", "The body is not UTF-8."),
        ("application/json; charset=ascii", "The body is not UTF-8, nor what its content type names (ascii)."),
    ],
)
def test_a_body_in_none_of_them_is_whole_and_told(content_type: str | None, reason: str) -> None:
    body = event().encode("windows-1252")
    told = decode(AmqpMessage(body, content_type))
    assert isinstance(told, UnknownNotification)
    assert (told.reason, told.raw) == (reason, body)


def test_a_payload_in_base64_that_is_no_text_is_kept() -> None:
    told = json.loads(event(data_base64=base64.b64encode(b"\xff\xfe\xfd").decode()))
    del told["data"]
    assert decode(AmqpMessage(told)).data == b"\xff\xfe\xfd"
