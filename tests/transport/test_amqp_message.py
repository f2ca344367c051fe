"""A message as text and back."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from gridwire.transport.amqp_message import AmqpMessage, dump, load

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64), st.floats(allow_nan=False), st.text(), st.binary(), st.uuids(),
    st.datetimes(timezones=st.just(UTC)),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
)


@given(VALUES, st.dictionaries(st.text(), VALUES, max_size=3), st.none() | st.text())
def test_every_value_comes_back_as_it_was(body: object, properties: dict[str, object], subject: str | None) -> None:
    message = AmqpMessage(body=body, subject=subject, message_id="m", properties=properties, delivery_count=3)
    assert load(dump(message)) == message


def test_times_and_ids_keep_their_types() -> None:
    message = AmqpMessage(body=UUID(int=1), created=datetime(2026, 12, 1, tzinfo=UTC))
    assert load(dump(message)) == message


def test_a_value_of_a_type_that_text_cannot_carry_becomes_its_text() -> None:
    assert load(dump(AmqpMessage(body=1j))).body == "1j"


def test_lone_surrogates_survive() -> None:
    assert load(dump(AmqpMessage(body="\ud800"))).body == "\ud800"


def test_a_message_does_not_show_its_body() -> None:
    assert "secret" not in repr(AmqpMessage(body="secret", properties={"x": "secret"}))
