"""SASL frames are read back as they were written, and nothing else is taken for one."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.transport.sasl_frames import MECHANISMS, MOST_BYTES, OUTCOME, BadFrame, Symbol, frame, take

NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
FIELDS = st.lists(
    st.one_of(
        st.none(),
        st.text(max_size=400),
        st.binary(max_size=6000),
        st.integers(0, 255),
        NAMES.map(Symbol),
        st.lists(NAMES.map(Symbol), max_size=5),
    ),
    max_size=4,
)


@given(st.integers(0x40, 0x44), FIELDS, st.binary(max_size=20))
def test_what_was_written_is_read_back(descriptor: int, fields: list[object], rest: bytes) -> None:
    written = frame(descriptor, fields)  # type: ignore[arg-type]
    assert take(written + rest) == (descriptor, fields, rest)
    assert take(written[:-1]) is None


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_frame_an_unfinished_one_or_an_error(data: bytes) -> None:
    try:
        taken = take(data)
    except BadFrame:
        return
    assert taken is None or isinstance(taken[1], list)


@given(st.binary(max_size=120))
def test_arbitrary_content_of_a_well_formed_frame_raises_nothing_else(body: bytes) -> None:
    whole = (len(body) + 8).to_bytes(4, "big") + b"\x02\x01\x00\x00" + body
    with contextlib.suppress(BadFrame):
        take(whole)


def test_wide_encodings_of_other_implementations_are_read() -> None:
    names = b"\x00\x00\x00\x05PLAIN\x00\x00\x00\x08EXTERNAL"
    array = b"\xf0" + (len(names) + 5).to_bytes(4, "big") + b"\x00\x00\x00\x02\xb3" + names
    listed = b"\xd0" + (len(array) + 4).to_bytes(4, "big") + b"\x00\x00\x00\x01" + array
    body = b"\x00\x80\x00\x00\x00\x00\x00\x00\x00\x40" + listed
    whole = (len(body) + 8).to_bytes(4, "big") + b"\x02\x01\x00\x00" + body
    assert take(whole) == (MECHANISMS, [["PLAIN", "EXTERNAL"]], b"")


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x07\x02\x01\x00\x00",  # shorter than its head
        (MOST_BYTES + 1).to_bytes(4, "big") + b"\x02\x01\x00\x00",
        b"\x00\x00\x00\x08\x02\x00\x00\x00",  # an AMQP frame
        b"\x00\x00\x00\x08\x01\x01\x00\x00",  # its content begins within its head
        b"\x00\x00\x00\x08\x02\x01\x00\x00",  # empty
        b"\x00\x00\x00\x0c\x02\x01\x00\x00\x40\x53\x44\x45",  # not described
        b"\x00\x00\x00\x0c\x02\x01\x00\x00\x00\xa1\x00\x45",  # described by a text
        b"\x00\x00\x00\x0c\x02\x01\x00\x00\x00\x53\x44\x40",  # null instead of a list
        b"\x00\x00\x00\x0f\x02\x01\x00\x00\x00\x53\x44\xc0\x03\x01\x70",  # a type of its own
        b"\x00\x00\x00\x12\x02\x01\x00\x00\x00\x53\x40\xc0\x06\x01\xe0\x03\x01\xa1",  # an array of texts
        b"\x00\x00\x00\x11\x02\x01\x00\x00\x00\x53\x40\xc0\x04\x01\xa1\x09x",  # a text beyond the end
        b"\x00\x00\x00\x13\x02\x01\x00\x00\x00\x53\x40\xc0\x06\x01\xe0\x03\x01\xa3\x09",  # a name beyond the end
    ],
)
def test_damaged_frames_are_told_apart(data: bytes) -> None:
    with pytest.raises(BadFrame):
        take(data)


def test_an_empty_list_is_one_with_all_fields_missing() -> None:
    assert take(b"\x00\x00\x00\x0c\x02\x01\x00\x00\x00\x53\x44\x45") == (OUTCOME, [], b"")


def test_lists_within_lists_do_not_exhaust_the_stack() -> None:
    listed = b"\x40"
    for _ in range(3000):
        listed = b"\xd0" + (len(listed) + 4).to_bytes(4, "big") + b"\x00\x00\x00\x01" + listed
    body = b"\x00\x53\x40" + listed
    with pytest.raises(BadFrame, match="lists within lists"):
        take((len(body) + 8).to_bytes(4, "big") + b"\x02\x01\x00\x00" + body)
