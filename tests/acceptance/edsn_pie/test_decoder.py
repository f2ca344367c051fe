"""Golden tests G18 to G22: every wrapping that a notification may have, and everything that it may not."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.edsn_pie import CommentCreated, IdPointers, Notification, TicketCreated, UnknownNotification
from gridwire.edsn_pie.decoder import MAX_BODY_BYTES, decode
from gridwire.sandbox.edsn_pie.venue import ORGANISATION, EdsnPieVenue
from gridwire.transport.amqp_message import AmqpMessage

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "6f0f8e4c-1f43-4a3c-8b1c-0d5d6a0a7a11",
    "source": "urn:ean13:8716925800005:pie",
    "type": "pie.ticket.created",
    "time": "2026-12-01T06:00:00.123456Z",
    "datacontenttype": "application/json",
    "dataversion": "1.0.0",
}
STRUCTURED = "application/cloudevents+json; charset=utf-8"


def event(**changes: Any) -> dict[str, Any]:
    return {**EVENT, **changes}


def structured(content: Mapping[str, Any], content_type: str | None = STRUCTURED, **more: Any) -> Notification:
    return decode(AmqpMessage(json.dumps(content).encode(), content_type, **more))


def plain(content: Any, **more: Any) -> Notification:
    return decode(AmqpMessage(json.dumps(content).encode(), "application/json", **more))


def as_ticket(found: Notification) -> TicketCreated:
    assert isinstance(found, TicketCreated), found
    return found


def as_comment(found: Notification) -> CommentCreated:
    assert isinstance(found, CommentCreated), found
    return found


def as_unknown(found: Notification) -> UnknownNotification:
    assert isinstance(found, UnknownNotification), found
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Structured


@pytest.mark.parametrize("content_type", [STRUCTURED, "application/json", None])
def test_G18_a_fat_event_is_read_whole(content_type: str | None) -> None:
    found = as_ticket(
        structured(event(data={"ticketId": "T-1", "subject": "x"}, dataref="https://api/x"), content_type)
    )
    assert (found.envelope, found.ticket_id, found.type) == ("structured", "T-1", "pie.ticket.created")
    assert (found.source, found.event_id) == (EVENT["source"], EVENT["id"])
    assert found.key == json.dumps([EVENT["source"], EVENT["id"]])
    assert found.time == datetime(2026, 12, 1, 6, 0, 0, 123456, tzinfo=UTC)
    assert found.dataref == "https://api/x"
    assert found.data == {"ticketId": "T-1", "subject": "x"}
    assert isinstance(found.raw, bytes)


def test_G18_a_thin_event_has_its_id_in_the_subject() -> None:
    found = as_ticket(structured(event(subject="T-2")))
    assert (found.ticket_id, found.data) == ("T-2", None)
    said = as_comment(structured(event(type="pie.comment.created", subject="C-2")))
    assert (said.comment_id, said.ticket_id) == ("C-2", None)


@pytest.mark.parametrize(
    ("data", "ticket_id", "comment_id"),
    [
        ({"ticketId": "T", "commentId": "C"}, "T", "C"),
        ({"ticketId": 17, "commentId": 18}, "17", "18"),
        ({"ticket": {"id": "T"}, "comment": {"id": "C"}}, "T", "C"),
        ({"ticketId": "T", "id": "C"}, "T", "C"),
        ({"comment": {"id": "C", "ticketId": "T"}}, "T", "C"),
        ({"commentId": "C"}, None, "C"),
    ],
)
def test_G18_ids_of_a_comment_are_found_where_they_may_be(data: Any, ticket_id: str | None, comment_id: str) -> None:
    found = as_comment(structured(event(type="market.comment.created", data=data)))
    assert (found.ticket_id, found.comment_id) == (ticket_id, comment_id)


@pytest.mark.parametrize(
    "kind",
    ["ticket.created", "x.y.Ticket.Created", "TicketCreated", "nl.edsn.pie.ticket.created.v1", "PIE_TICKET_CREATED", "ticket-created"],
)  # fmt: skip
def test_G18_types_are_known_by_their_end(kind: str) -> None:
    assert as_ticket(structured(event(type=kind, data={"id": "T"}))).ticket_id == "T"


@pytest.mark.parametrize(
    "kind", ["pie.ticket.closed", "pie.meter.updated", "created", "ticket.created.not", "TicketRecreatedX"]
)
def test_G18_a_type_that_says_something_else_is_believed(kind: str) -> None:
    found = as_unknown(structured(event(type=kind, data={"ticketId": "T"}), subject="ticket.created"))
    assert (found.envelope, found.type) == ("structured", kind)
    assert kind in found.reason
    assert found.data == {"ticketId": "T"}
    assert found.key is not None


def test_G18_an_events_own_id_is_not_the_tickets() -> None:
    found = as_unknown(structured(event(data={})))
    assert found.reason == "It tells of a new ticket, and its id was found nowhere."
    found = as_unknown(structured(event(type="pie.comment.created")))
    assert found.reason == "It tells of a new comment, and its id was found nowhere."


def test_G18_payloads_in_base64_and_json_within_json_are_unpacked() -> None:
    encoded = base64.b64encode(b'{"ticketId": "T-3"}').decode()
    assert as_ticket(structured(event(data_base64=encoded))).ticket_id == "T-3"
    assert as_ticket(structured(event(data='{"ticketId": "T-4"}'))).ticket_id == "T-4"
    assert as_unknown(structured(event(data_base64="?"))).data is None
    assert as_unknown(structured(event(data="no json"))).data == "no json"


def test_G18_types_can_be_told() -> None:
    pointers = IdPointers(ticket_types=("nl.edsn.case.Opened",), comment_types=(" case.remark-added ",))

    def event(kind: str, data: dict[str, str]) -> AmqpMessage:
        return AmqpMessage(
            body=json.dumps({"specversion": "1.0", "id": "1", "source": "s", "type": kind, "data": data})
        )

    opened = event("NL.EDSN.case.opened", {"ticketId": "T-5"})
    assert isinstance(decode(opened), UnknownNotification)
    assert as_ticket(decode(opened, pointers)).ticket_id == "T-5"
    remark = decode(event("case.remark-added", {"ticketId": "T-5", "commentId": "C-1"}), pointers)
    assert isinstance(remark, CommentCreated)
    assert (remark.ticket_id, remark.comment_id) == ("T-5", "C-1")
    assert isinstance(decode(event("case.closed", {"ticketId": "T-5"}), pointers), UnknownNotification)
    assert isinstance(decode(event("x.ticket.created", {"ticketId": "T-6"}), pointers), TicketCreated)


def test_G18_pointers_can_be_told() -> None:
    pointers = IdPointers(ticket=("/data/a~1b/1/mRID",))
    message = AmqpMessage(json.dumps(event(data={"a/b": [0, {"mRID": "T-5"}]})).encode(), STRUCTURED)
    assert as_ticket(decode(message, pointers)).ticket_id == "T-5"
    for pointer in ("/data/a~1b/9/mRID", "/data/a~1b/x", "/data/a~1b/-1", "/source/x"):
        assert isinstance(decode(message, IdPointers(ticket=(pointer,))), UnknownNotification)


# ---------------------------------------------------------------------------------------------------------------------
# Binary


@pytest.mark.parametrize("prefix", ["cloudEvents:", "cloudEvents_", "cloudevents:"])
@pytest.mark.parametrize("kind", ["ticket", "comment"])
def test_G19_binary_events_have_their_attributes_in_the_properties(prefix: str, kind: str) -> None:
    properties = {prefix + name: value for name, value in event(type=f"pie.{kind}.created").items()}
    body = json.dumps({"ticketId": "T", "commentId": "C"}).encode()
    found = decode(AmqpMessage(body, "application/json", properties={**properties, "other": 1}, message_id="m"))
    assert isinstance(found, TicketCreated if kind == "ticket" else CommentCreated)
    assert found.envelope == "binary"
    assert found.ticket_id == "T"
    assert found.key == json.dumps([EVENT["source"], EVENT["id"]])
    assert found.properties["other"] == 1


def test_G19_a_thin_binary_event_needs_no_body_and_a_time_may_be_a_timestamp() -> None:
    there = datetime(2026, 12, 1, 7, 0, tzinfo=timezone(timedelta(hours=1)))
    properties = {f"cloudEvents:{name}": value for name, value in event(subject="T-9", time=there).items()}
    found = as_ticket(decode(AmqpMessage(b"", None, properties=properties)))
    assert (found.envelope, found.ticket_id, found.data) == ("binary", "T-9", None)
    assert found.time == datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
    assert found.time.tzinfo is UTC


def test_G19_a_whole_event_in_the_body_wins_over_stray_properties() -> None:
    body = json.dumps(event(data={"ticketId": "T"})).encode()
    found = as_ticket(decode(AmqpMessage(body, "application/json", properties={"cloudEvents:type": "pie.x.y"})))
    assert found.envelope == "structured"


@pytest.mark.parametrize(
    "time", ["yesterday", "2026-12-01T06:00:00", 5, datetime(2026, 12, 1), "9999-12-31T23:59:59-23:59"]
)
def test_G19_a_time_that_is_none_is_left_out(time: Any) -> None:
    properties = {f"cloudEvents:{name}": value for name, value in event(subject="T", time=time).items()}
    assert as_ticket(decode(AmqpMessage(None, properties=properties))).time is None


# ---------------------------------------------------------------------------------------------------------------------
# Plain


@pytest.mark.parametrize(
    ("content", "ticket_id"),
    [
        ({"type": "TicketCreated", "id": "T"}, "T"),
        ({"eventType": "ticket.created", "ticketId": "T"}, "T"),
        ({"event": "TICKET_CREATED", "data": {"ticketId": "T"}}, "T"),
        ({"ticketId": "T"}, "T"),
        ({"ticketId": 12}, "12"),
        ({"data": {"ticket": {"id": "T"}}}, "T"),
        ({"ticket": {"id": "T"}, "type": "QUESTION", "ticketId": "T"}, "T"),
    ],
)
def test_G20_plain_json_of_a_ticket(content: Any, ticket_id: str) -> None:
    found = as_ticket(plain(content, message_id="m-1"))
    assert (found.envelope, found.ticket_id, found.key) == ("plain", ticket_id, json.dumps(["m-1"]))
    assert found.data == content


@pytest.mark.parametrize(
    "content",
    [
        {"type": "CommentCreated", "id": "C", "ticketId": "T"},
        {"commentId": "C", "ticketId": "T"},
        {"data": {"comment": {"id": "C", "ticketId": "T"}}},
    ],
)
def test_G20_plain_json_of_a_comment(content: Any) -> None:
    found = as_comment(plain(content))
    assert (found.envelope, found.ticket_id, found.comment_id, found.key) == ("plain", "T", "C", None)


def test_G20_subject_and_properties_say_the_kind_where_the_body_does_not() -> None:
    assert as_ticket(plain({"id": "T"}, subject="TicketCreated")).ticket_id == "T"
    assert as_comment(plain({"id": "C"}, properties={"event-type": "pie.comment.created"})).comment_id == "C"
    assert as_ticket(plain({"ticketId": "T"}, subject="routing.key")).ticket_id == "T"
    assert as_unknown(plain({"ticketId": "T"}, subject="ticket.closed")).reason.startswith("It names no type")
    assert as_unknown(plain({"ticketId": "T", "type": "TicketClosed"})).type == "TicketClosed"
    assert as_unknown(plain({"hello": "world"}, properties={"priority": 3, "type": 4})).data == {"hello": "world"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"ticketId": "T"}',
        bytearray(b'{"ticketId": "T"}'),
        memoryview(b'{"ticketId": "T"}'),
        b'\xef\xbb\xbf{"ticketId": "T"}',
        '{"ticketId": "T"}',
        {"ticketId": "T"},
        [{"ticketId": "T"}],
        [b'{"ticketId": "T"}'],
        [b'{"ticketId"', memoryview(b': "T"}')],
    ],
)
def test_G20_bytes_text_maps_and_sequences_are_bodies(body: Any) -> None:
    found = as_ticket(decode(AmqpMessage(body, message_id="m")))
    assert (found.ticket_id, found.raw) == ("T", body)


@pytest.mark.parametrize("envelope", ["structured", "binary", "plain"])
@pytest.mark.parametrize("thin", [False, True])
def test_G20_what_the_simulator_sends_is_understood(envelope: Any, thin: bool) -> None:
    venue = EdsnPieVenue(seed=1)
    venue.event_knobs.envelope, venue.event_knobs.thin = envelope, thin
    ticket = venue.board.open_ticket("x", organisation=ORGANISATION)
    comment = venue.board.add_comment(ticket, "y")
    first, second = (decode(message) for _, message in list(venue.messages)[-2:])
    assert (first.envelope, as_ticket(first).ticket_id) == (envelope, ticket)
    assert (second.envelope, as_comment(second).comment_id) == (envelope, comment)
    assert first.key != second.key


# ---------------------------------------------------------------------------------------------------------------------
# Neither


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (None, "empty"),
        (b"  \n", "empty"),
        (17, "neither text nor a map"),
        ("", "empty"),
        ([], "of its parts none"),
        ([1, 2], "of its parts none"),
        (b"garbage", "not JSON"),
        (b"\xff\xfd\x00{", "not UTF-8"),
        (b"[1, 2]", "neither a CloudEvent nor a JSON object"),
        (b'"text"', "neither a CloudEvent nor a JSON object"),
        (b"{" + b" " * MAX_BODY_BYTES + b"}", "larger than"),
        (b"x" * 300_000, "larger than"),
        (b"[" * 200_000, "not JSON"),
        (b"1" * 10_000, "not JSON"),
        (b'{"specversion": "1.0"}', "names no type"),
    ],
)
def test_G21_what_cannot_be_read_is_unknown_and_whole(body: Any, reason: str) -> None:
    message = AmqpMessage(body, message_id="m-9", properties={"x": 1})
    found = as_unknown(decode(message))
    assert reason in found.reason
    assert found.key == json.dumps(["m-9"])
    assert (found.raw, found.properties) == (body, {"x": 1})
    assert found.raw_bytes == (body if isinstance(body, bytes) else b"")


def test_G21_text_that_is_unknown_can_be_had_as_bytes() -> None:
    assert as_unknown(decode(AmqpMessage("naïve \ud800"))).raw_bytes == "naïve \ud800".encode("utf-8", "surrogatepass")


class Explosive(dict[str, Any]):
    """A mapping that no reader expects."""

    def get(self, *_: Any) -> Any:
        raise RuntimeError("boom")


def test_G21_a_surprise_is_unknown_too() -> None:
    found = as_unknown(decode(AmqpMessage(b"{}", STRUCTURED, properties={"cloudEvents:type": Explosive()})))
    assert found.envelope == "structured"
    broken: Any = IdPointers()
    object.__setattr__(broken, "ticket", 5)
    found = as_unknown(decode(AmqpMessage(b'{"ticketId": "T"}'), broken))
    assert found.reason == "The message could not be read (TypeError)."


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "ticketId", "commentId", "ticket", "comment", "id", "type", "source", "specversion"]
            )
            | st.text(max_size=4),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
TYPES = st.sampled_from(["pie.ticket.created", "CommentCreated", "ticket.closed", ""]) | st.text(max_size=10)
EVENTS = st.builds(
    lambda data, more, kind: {**EVENT, "type": kind, "data": data, **(more if isinstance(more, dict) else {})},
    JSON, JSON, TYPES | JSON,
)  # fmt: skip
BODIES = (
    st.binary(max_size=200)
    | st.text(max_size=200)
    | JSON
    | st.lists(st.binary(max_size=20), max_size=3)
    | (JSON | EVENTS).map(lambda value: json.dumps(value).encode())
)
PROPERTIES = st.dictionaries(
    st.sampled_from(
        ["cloudEvents:type", "cloudEvents:id", "cloudEvents_source", "cloudEvents:time", "type", "eventType"]
    )
    | st.text(max_size=6),
    TYPES | JSON | st.datetimes(),
    max_size=5,
)


@given(
    st.builds(
        AmqpMessage,
        BODIES,
        st.none() | st.sampled_from([STRUCTURED, "application/json"]) | st.text(max_size=10),
        st.none() | TYPES,
        st.none() | st.text(max_size=5),
        properties=PROPERTIES,
    )
)
def test_G22_the_decoder_never_raises_and_never_loses_the_body(message: AmqpMessage) -> None:
    found = decode(message)
    assert isinstance(found, (TicketCreated, CommentCreated, UnknownNotification))
    assert found.raw is message.body
    if isinstance(found, TicketCreated):
        assert found.ticket_id
    if isinstance(found, CommentCreated):
        assert found.comment_id
    assert found.time is None or found.time.tzinfo is UTC
    assert decode(message).key == found.key
