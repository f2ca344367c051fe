"""Body sections in every form that the standard allows, and bytes that are none."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.transport.amqp import encode
from gridwire.transport.amqp_message import AmqpMessage
from gridwire.transport.amqp_sections import BadSections, bodies, content, maybe_several, whole_body

PROPERTIES = b"\x00\x53\x73\xc0\x04\x01\xa1\x01m"
LONG = b"\x80\x00\x00\x00\x00\x00\x00\x00"


def symbol(name: bytes, *, wide: bool = False) -> bytes:
    return (b"\xb3" + struct.pack(">I", len(name)) if wide else b"\xa3" + bytes([len(name)])) + name


@pytest.mark.parametrize(
    ("descriptor", "kind"),
    [
        (b"\x53\x75", "data"),
        (b"\x53\x76", "sequence"),
        (b"\x53\x77", "value"),
        (LONG + b"\x75", "data"),
        (LONG + b"\x76", "sequence"),
        (LONG + b"\x77", "value"),
        (symbol(b"amqp:data:binary"), "data"),
        (symbol(b"amqp:amqp-sequence:list", wide=True), "sequence"),
        (symbol(b"amqp:amqp-value:*"), "value"),
    ],
)
def test_a_section_is_known_by_each_of_its_descriptors(descriptor: bytes, kind: str) -> None:
    section = b"\x00" + descriptor + b"\xa0\x02hi"
    assert bodies(PROPERTIES + section) == [(kind, b"\xa0\x02hi")]
    assert bodies(section + PROPERTIES + section) == [(kind, b"\xa0\x02hi")] * 2
    assert maybe_several(section + section)


@pytest.mark.parametrize(
    "value",
    [
        b"\x40",
        b"\x50\x01",
        b"\x60\x01\x02",
        b"\x70\x01\x02\x03\x04",
        b"\x80" + bytes(8),
        b"\x98" + bytes(16),
        b"\xa1\x01a",
        b"\xb1\x00\x00\x00\x01a",
        b"\xc1\x01\x00",
        b"\xd0\x00\x00\x00\x04\x00\x00\x00\x00",
        b"\xe0\x03\x01\x50\x07",
        b"\x00\xa1\x01d\x00\xa1\x01e\xa1\x01v",
    ],
)
def test_a_value_of_every_width_is_passed_over(value: bytes) -> None:
    assert bodies(b"\x00\x53\x77" + value + PROPERTIES) == [("value", value)]
    assert bodies(b"\x00\x53\x99" + value) == [], "a section that is not known is not ours to read"
    for end in range(len(value)):
        with pytest.raises(BadSections):
            bodies(b"\x00\x53\x77" + value[:end])


@pytest.mark.parametrize("value", [b"\xa0\x02hi", b"\xb0\x00\x00\x00\x02hi"])
def test_the_bytes_of_a_data_section_come_without_their_length(value: bytes) -> None:
    assert content(value) == b"hi"


@pytest.mark.parametrize(
    "data", [b"\x01", b"\x00", b"\x00\x53", b"\x00\x52\x75\xa0\x01a", b"\x00\x53\x77\x10", PROPERTIES + b"\xff\xff"]
)
def test_what_is_no_section_is_told(data: bytes) -> None:
    with pytest.raises(BadSections):
        bodies(data)


def test_a_text_is_not_the_content_of_a_data_section() -> None:
    with pytest.raises(BadSections):
        content(b"\xa1\x02hi")


DATA, SEQUENCE, VALUE = b"\x00\x53\x75", b"\x00\x53\x76", b"\x00\x53\x77"


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (PROPERTIES, None),
        (DATA + b"\xa0\x01a" + DATA + b"\xa0\x01b", b"ab"),
        (SEQUENCE + b"\x45" + SEQUENCE + b"\x45", [b"\x45", b"\x45"]),
        (VALUE + b"\xa1\x01a", [b"\xa1\x01a"]),
    ],
)
def test_all_sections_are_in_the_body(data: bytes, body: object) -> None:
    assert whole_body(data, lambda value: [value]) == body


@pytest.mark.parametrize(
    "data", [DATA + b"\xa0\x00" + VALUE + b"\x40", VALUE + b"\x40" + VALUE + b"\x40", SEQUENCE + b"\x40"]
)
def test_a_body_that_is_not_one_is_told(data: bytes) -> None:
    with pytest.raises(BadSections):
        whole_body(data, lambda _: None)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_sections_or_an_error(data: bytes) -> None:
    try:
        found = bodies(data)
    except BadSections:
        return
    assert sum(len(value) for _, value in found) <= len(data)
    assert len(found) < 2 or maybe_several(data), "no second body may be passed over by the cheap look"


@pytest.mark.parametrize("body", [b'{"a":1}', "text", {"a": 1}, None, b""])
def test_an_ordinary_message_is_not_looked_at_twice(body: object) -> None:
    assert not maybe_several(encode(AmqpMessage(body=body, message_id="m", properties={"n": 7, "t": "x"})))
