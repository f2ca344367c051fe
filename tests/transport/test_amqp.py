"""Messages in the engine's encoding, and the seam without the engine."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import proton
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.transport.amqp import MAX_MESSAGE_BYTES, Decoder, Delivery, Engine, Link, Undecodable, encode, plain
from gridwire.transport.amqp_failure import Condition
from gridwire.transport.amqp_message import AmqpMessage
from tests.support.hostile_broker import FALSE, NULL, performative, transfer, uint

WHOLE = AmqpMessage(
    body=b'{"a":1}',
    content_type="application/json",
    subject="s",
    message_id="m",
    correlation_id="c",
    created=datetime(2026, 12, 1, 6, 0, 0, 250_000, tzinfo=UTC),
    properties={"cloudEvents:id": "1", "n": 7, "t": True},
    delivery_count=2,
)


def test_a_message_comes_back_as_it_was() -> None:
    decoder = Decoder()
    assert decoder.decode(encode(WHOLE)) == WHOLE
    assert decoder.decode(encode(AmqpMessage(body="text"))) == AmqpMessage(body="text")  # nothing of the first is left
    assert decoder.decode(encode(WHOLE)) == WHOLE


@pytest.mark.parametrize(
    "body", [None, b"", b"\x00\xff", "", "текст", {"a": [1, "b", None]}, [1, 2], True, 5, 2.5, {"a": b"x"}]
)
def test_every_kind_of_body_is_read(body: Any) -> None:
    assert Decoder().decode(encode(AmqpMessage(body=body, message_id="m"))).body == body


@pytest.mark.parametrize("data", [b"", encode(AmqpMessage()), b"\x00\x53\x73\xff\xff damaged"])
def test_a_delivery_in_which_nothing_can_be_read_is_told(data: bytes) -> None:
    with pytest.raises(Undecodable):
        Decoder().decode(data)


@pytest.mark.parametrize(
    ("id", "text"), [(UUID(int=5), str(UUID(int=5))), (proton.ulong(7), "7"), (b"\x01\xff", "01ff"), ("a", "a")]
)
def test_ids_of_every_type_become_text(id: Any, text: str) -> None:
    message = proton.Message(id=id, correlation_id=id)
    decoded = Decoder().decode(bytes(message.encode()))
    assert decoded.message_id == decoded.correlation_id == text


def test_the_engines_own_types_become_plain_ones() -> None:
    value = {
        proton.symbol("a"): proton.ulong(1),
        "b": proton.Described(proton.symbol("d"), proton.char("x")),
        "c": proton.Array(proton.UNDESCRIBED, proton.Data.INT, 1, 2),  # type: ignore[arg-type]
        "d": proton.timestamp(1000),
        "e": memoryview(b"x"),
        "f": proton.timestamp(2**62),
    }
    found = plain(value)
    assert found == {
        "a": 1,
        "b": "x",
        "c": [1, 2],
        "d": datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
        "e": b"x",
        "f": None,
    }
    assert {type(key) for key in found} == {str}
    assert type(found["a"]) is int
    assert plain(object).startswith("<class")


PROPERTIES = b"\x00\x53\x73\xc0\x04\x01\xa1\x01m"
BY_SYMBOL = b"\x00\xa3\x10amqp:data:binary"


@pytest.mark.parametrize(
    ("sections", "body"),
    [
        (b"\x00\x53\x75\xa0\x02ab" + b"\x00\x53\x75\xb0\x00\x00\x00\x02cd", b"abcd"),
        (b"\x00\x53\x75\xa0\x02ab" + b"\x00\x53\x75\xa0\x00", b"ab"),
        (b"\x00\x53\x75\xa0\x02ab" + b"\x00\x80\x00\x00\x00\x00\x00\x00\x00\x75\xa0\x02cd", b"abcd"),
        (BY_SYMBOL + b"\xa0\x02ab", b"ab"),
        (b"\x00\x53\x75\xa0\x02ab" + BY_SYMBOL + b"\xa0\x02cd", b"abcd"),
        (b"\x00\x53\x76\xc0\x04\x01\xa1\x01a" + b"\x00\x53\x76\x45" + b"\x00\x53\x76\xc0\x03\x01\x54\x07", ["a", 7]),
        (b"\x00\xa3\x11amqp:amqp-value:*\xa1\x01v", "v"),
        (b"\x00\x53\x75\xa0\x09\x00\x53\x75\xa0\x02ab\x00S", b"\x00\x53\x75\xa0\x02ab\x00S"),
        (b"", None),
    ],
)
def test_a_body_in_several_sections_is_one_body(sections: bytes, body: Any) -> None:
    message = Decoder().decode(PROPERTIES + sections)
    assert message == AmqpMessage(body=body, message_id="m")


@pytest.mark.parametrize(
    "sections",
    [
        b"\x00\x53\x77\xa1\x01a" + b"\x00\x53\x77\xa1\x01b",
        b"\x00\x53\x75\xa0\x01a" + b"\x00\x53\x77\xa1\x01b",
        b"\x00\x53\x75\xa0\x01a" + b"\x00\x53\x75\xa1\x01b",
        b"\x00\x53\x76\x45" + b"\x00\x53\x76\xa1\x01b",
        b"\x00\x53\x75\xa0\x05ab",
        b"\xff\xff",
    ],
)
def test_a_body_of_which_a_part_would_be_lost_is_told(sections: bytes) -> None:
    with pytest.raises(Undecodable):
        Decoder().decode(PROPERTIES + sections)


@pytest.mark.parametrize("between", [None, b"\x00\x53\x73\xff\xff damaged"])
def test_a_message_has_nothing_of_the_one_before(between: bytes | None) -> None:
    decoder = Decoder()
    full = AmqpMessage(
        body=b"{}",
        content_type="application/json",
        subject="ticket.created",
        message_id="M-1",
        correlation_id="C-1",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        properties={"type": "x"},
        delivery_count=3,
    )
    assert decoder.decode(encode(full)).message_id == "M-1"
    if between is not None:
        with pytest.raises(Undecodable):
            decoder.decode(between)
    bare = b"\x00\x53\x75\xa0\x02hi"
    assert decoder.decode(bare) == AmqpMessage(body=b"hi")


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_a_message_or_an_error(data: bytes) -> None:
    with contextlib.suppress(Undecodable):
        assert isinstance(Decoder().decode(data), AmqpMessage)


@given(st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_a_damaged_message_is_a_message_or_an_error(at: int, garbage: bytes) -> None:
    data = bytearray(encode(WHOLE))
    data[at % len(data) : at % len(data) + len(garbage)] = garbage
    with contextlib.suppress(Undecodable):
        assert isinstance(Decoder().decode(bytes(data)), AmqpMessage)


WITHOUT = """
import sys
class Gone:
    def find_spec(self, name, *_):
        if name.split(".")[0] in ("proton", "cproton"):
            raise ImportError(name)
sys.meta_path.insert(0, Gone())
import gridwire.edsn_pie.models, gridwire.edsn_pie.stream, gridwire.transport.sasl, gridwire.intents.inbox
from gridwire.errors import MissingExtra
try:
    import gridwire.edsn_pie.consumer
except MissingExtra as error:
    print(error)
"""


def test_without_the_extra_one_sentence_says_what_to_install() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert "pip install 'gridwire[edsn]'" in done.stdout
    assert "apt-get install gcc python3-dev" in done.stdout
    assert done.stdout.count("\n") == 1


@pytest.mark.skipif("GRIDWIRE_BARE_PROTON" not in os.environ, reason="asked for by hand: it compiles the engine anew")
def test_an_engine_that_was_built_without_encryption_and_login_serves_as_well(tmp_path: Path) -> None:
    """``GRIDWIRE_BARE_PROTON=1 .venv/bin/pytest tests/transport/test_amqp.py``: about half a minute."""
    root = Path(__file__).resolve().parents[2]
    bare = {**os.environ, "PKG_CONFIG_LIBDIR": "/nonexistent"}
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-cache-dir", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*install, "--target", str(tmp_path), "python-qpid-proton>=0.40,<0.41"], env=bare, check=True)
    path = os.pathsep.join([str(tmp_path), str(root)])
    environment = {**os.environ, "PYTHONPATH": path}
    environment.pop("GRIDWIRE_BARE_PROTON")
    asked = "import proton; print(proton.__file__, proton.SSL.present(), proton.SASL.extended())"
    found = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == [str(tmp_path / "proton" / "__init__.py"), "False", "False"]
    tests = ["tests/acceptance/edsn_pie/test_amqp_link.py", "tests/acceptance/edsn_pie/test_amqp_login.py"]
    subprocess.run([sys.executable, "-m", "pytest", "-q", *tests], cwd=root, env=environment, check=True)


class Told:
    """A side of an engine that only writes down how it ended."""

    def __init__(self) -> None:
        self.broken_by: list[Condition] = []
        self.closed_by: list[Condition | None] = []

    def broken(self, condition: Condition) -> None:
        self.broken_by.append(condition)

    def closed(self, condition: Condition | None) -> None:
        self.closed_by.append(condition)

    def __getattr__(self, _: str) -> Any:
        return lambda *_args, **_named: None


class Receiving(Told):
    """A side that also writes down what came, and forgets it."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[bytes] = []
        self.oversized_count = 0

    def delivered(self, link: Link, delivery: Delivery, data: bytes) -> None:
        self.came.append(data)
        delivery.settle(None)

    def oversized(self, link: Link, delivery: Delivery) -> None:
        self.oversized_count += 1


def passed_on(source: Engine, target: Engine, change: Any = bytes) -> None:
    while data := source.output():
        target.receive(change(data))


@pytest.mark.parametrize("what", ["link", "condition"])
def test_a_name_that_is_no_text_ends_the_connection_and_raises_nothing(what: str) -> None:
    told = Told()
    ours, peer = Engine(told, container_id="ours"), Engine(Told(), server=True, container_id="peer")
    ours.open()
    peer.open()
    passed_on(ours, peer)
    passed_on(peer, ours)
    if what == "link":
        peer.sender("a-name-to-damage").open(source="a", target="b")
    else:
        peer.close(Condition("amqp:internal-error", "a-name-to-damage"))
    passed_on(peer, ours, lambda data: data.replace(b"a-name-to-damage", b"a-name-to-\xff\xfe\xfdage"))
    assert [condition.name for condition in told.broken_by] == ["amqp:decode-error"]
    assert "UnicodeDecodeError" in told.broken_by[0].description
    ours.tick(1.0)
    ours.output()
    assert len(told.broken_by) == 1, "it is told once, and nothing of it is left to be met again"
    ours.release()
    peer.release()


def receiving(credit: int) -> tuple[Receiving, Engine, Engine, Link]:
    """An engine with a link to it, its peer, and our side of the link."""
    told = Receiving()
    ours, peer = Engine(told, container_id="ours"), Engine(Told(), server=True, container_id="peer")
    ours.open()
    peer.open()
    link = ours.receiver("x")
    link.open(source="a", target=None)
    passed_on(ours, peer)
    peer.receiver("unused").open(source="a", target="b")  # begins the session, as an answer to a link would
    passed_on(peer, ours)
    # The peer's answer to the link: name, handle, role of a sender, modes, source, target, and where it begins to count.
    answer = [b"\xa1\x01x", uint(0), FALSE, b"\x50\x00", b"\x50\x00"]
    ours.receive(performative(0x12, *answer, b"\x00\x53\x28\x45", b"\x00\x53\x29\x45", NULL, NULL, uint(0)))
    link.flow(credit)
    passed_on(ours, peer)
    return told, ours, peer, link


@pytest.mark.parametrize("aborted", [False, True])
def test_of_a_message_that_is_too_long_no_more_than_the_bound_is_held(aborted: bool) -> None:
    told, ours, peer, link = receiving(credit=5)
    part, came, first = b"x" * 60_000, 0, True
    while came < 3 * MAX_MESSAGE_BYTES:
        ours.receive(transfer(0, part, more=True, first=first))
        came, first = came + len(part), False
        assert link._own.session.incoming_bytes == (came if came <= MAX_MESSAGE_BYTES else 0)
    assert told.oversized_count == 0, "it is not settled while it comes: the engine would collect it again"
    ours.receive(transfer(0, b"", first=False, aborted=aborted))
    assert told.oversized_count == (0 if aborted else 1)
    ours.receive(transfer(1, encode(WHOLE)))
    assert told.came == [encode(WHOLE)]
    assert link.credit == 4, "what was not read has given its credit back"
    assert told.broken_by == []
    ours.release()
    peer.release()


def test_a_peer_that_has_sent_more_than_we_asked_for_is_not_asked_for_four_billion() -> None:
    told, ours, peer, link = receiving(credit=2)
    for number in range(5):
        ours.receive(transfer(number, encode(WHOLE)))
    assert (len(told.came), link.credit) == (5, -3)
    ours.receive(transfer(5, b"", aborted=True))
    assert link.credit == -4, "no flow is sent, which could not say a number below 0"
    ours.release()
    peer.release()


@pytest.mark.parametrize("server", [False, True])
def test_a_frame_that_the_engine_can_make_nothing_of_ends_either_role_once(server: bool) -> None:
    told, peers = Told(), Told()
    ours = Engine(told, server=server, container_id="ours")
    peer = Engine(peers, server=not server, container_id="peer")
    ours.open()
    peer.open()
    passed_on(ours, peer)
    passed_on(peer, ours)
    for _ in range(3):
        ours.receive(b"\x00\x00\x00\x0c\x02\x00\x00\x00\x00\x53\x99\x45")
    assert [condition.name for condition in told.broken_by] == ["amqp:connection:framing-error"]
    assert told.closed_by == []
    passed_on(ours, peer)
    assert peers.closed_by == told.broken_by, "the peer is told why"
    assert ours.output() is None, "and nothing keeps the connection open"
    ours.release()
    peer.release()


def test_bytes_after_the_end_are_no_second_end() -> None:
    told = Told()
    ours, peer = Engine(told, container_id="ours"), Engine(Told(), server=True, container_id="peer")
    ours.open()
    peer.open()
    passed_on(ours, peer)
    peer.close()
    passed_on(peer, ours)
    ours.receive(b"more")
    assert (told.closed_by, told.broken_by) == ([None], [])
    ours.release()
    peer.release()


def test_what_a_peer_says_at_the_end_is_one_short_line() -> None:
    told = Told()
    ours, peer = Engine(told, container_id="ours"), Engine(Told(), server=True, container_id="peer")
    ours.open()
    peer.open()
    passed_on(ours, peer)
    peer.close(Condition("amqp:internal-error", "bye\n2026-11-26 CRITICAL \x1b[31m" + "x" * 5000))
    passed_on(peer, ours)
    (condition,) = told.closed_by
    assert condition is not None
    assert condition.description.startswith("bye 2026-11-26 CRITICAL  [31mx")
    assert condition.description.isprintable()
    assert len(condition.description) <= 500


def test_values_nested_too_deep_are_no_message() -> None:
    value: Any = "x"
    for _ in range(100):
        value = [value]
    with pytest.raises(Undecodable):
        Decoder().decode(bytes(proton.Message(body=value).encode()))
