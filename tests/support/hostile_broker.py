"""A broker that behaves until a link has credit, and then sends frames that a test has written byte by byte."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import proton

from gridwire.transport.amqp import Delivery, Engine, Link, Settled, encode
from gridwire.transport.amqp_failure import Condition
from gridwire.transport.amqp_wire import AmqpWire, Exchange
from gridwire.transport.sasl import ServerExchange
from tests.support.amqp_world import message

TRUE, FALSE, NULL = b"\x41", b"\x42", b"\x40"


def uint(number: int) -> bytes:
    """An AMQP uint."""
    return b"\x70" + struct.pack(">I", number)


def binary(content: bytes) -> bytes:
    """An AMQP binary."""
    return b"\xb0" + struct.pack(">I", len(content)) + content


def listed(*items: bytes) -> bytes:
    """An AMQP list of encoded values."""
    content = b"".join(items)
    return b"\xd0" + struct.pack(">II", len(content) + 4, len(items)) + content


def frame(body: bytes, *, channel: int = 0, kind: int = 0) -> bytes:
    """A whole frame around any bytes."""
    return struct.pack(">IBBH", len(body) + 8, 2, kind, channel) + body


def performative(code: int, *fields: bytes, payload: bytes = b"", channel: int = 0, kind: int = 0) -> bytes:
    """A whole frame with a performative of this descriptor."""
    return frame(b"\x00\x53" + bytes([code]) + listed(*fields) + payload, channel=channel, kind=kind)


def transfer(
    number: int,
    payload: bytes,
    *,
    settled: bool = False,
    more: bool = False,
    first: bool = True,
    aborted: bool = False,
) -> bytes:
    """One transfer on the link with handle 0; those after the ``first`` of a delivery name neither id nor tag."""
    named = [uint(number), binary(str(number).encode()), uint(0)] if first else [NULL, NULL, NULL]
    flags = [TRUE if settled else FALSE, TRUE if more else FALSE, NULL, NULL, FALSE, TRUE if aborted else FALSE]
    return performative(0x14, uint(0), *named, *flags, payload=payload)


def sent(number: int, **more: Any) -> bytes:
    """The whole transfer of notification ``number``, as the first delivery of its session."""
    return transfer(0, encode(message(number)), **more)


class HostileConnection:
    """One client's connection."""

    def __init__(self, broker: HostileBroker) -> None:
        self._broker = broker
        self._exchange = ServerExchange(("PLAIN", "ANONYMOUS"))
        self.engine: Engine = Engine(self, server=True, container_id="hostile")
        self.wire: AmqpWire = AmqpWire(self, self.engine, self._exchange)
        self.settled: list[tuple[int, bool]] = []
        self.broken_by: list[Condition] = []
        self.links: list[Link] = []
        self.received: list[bytes] = []
        self._begun = False

    def logging_in(self, exchange: Exchange) -> None:
        if self._exchange.login is not None:
            self.wire.write(self._exchange.finish(0))
            self.wire.start_engine()

    def login_failed(self, error: Exception) -> None:
        self.wire.abort()

    def opened(self) -> None:
        self.engine.open()
        if self._broker.refusal is not None:
            self.engine.close(self._broker.refusal)
        self.wire.retime()

    def attached(self, link: Link) -> None:
        if not link.opened:
            self._broker.longest_message = link._own.remote_max_message_size
            self.links.append(link)
            self._broker.answer(link)
            if link.receives:
                link.flow(10)
            self.wire.flush()

    def credited(self, link: Link) -> None:
        if not self._begun and link.credit > 0:
            self._begun = True
            self.wire.flush_now()
            number = self._broker.connections.index(self)
            for data in self._broker.script[min(number, len(self._broker.script) - 1)]:
                self.wire.write(data)

    def delivered(self, link: Link, delivery: Delivery, data: bytes) -> None:
        delivery.settle(Settled.ACCEPTED)
        self.received.append(data)
        self._broker.take(self, link)
        self.wire.flush()

    def disposed(self, delivery: Delivery, how: int, *, failed: bool) -> None:
        self.settled.append((how, failed))

    def broken(self, condition: Condition) -> None:
        self.broken_by.append(condition)

    def __getattr__(self, _: str) -> Any:
        return lambda *_args, **_named: None


Taking = Callable[[HostileConnection, Link], None]


class HostileBroker:
    """``script`` holds what each connection sends after its first credit; the last one serves all that follow."""

    def __init__(self, script: Sequence[Sequence[bytes]], answer: Callable[[Link], None], take: Taking) -> None:
        self.script = script
        self.answer = answer
        self.take = take
        self.connections: list[HostileConnection] = []
        self.port = 0
        self.refusal: Condition | None = None
        """Why every connection is closed as soon as it is opened."""
        self.longest_message = 0
        """What the client has said that a message may have, in bytes; 0 before, and where it said nothing."""

    def accept(self) -> AmqpWire:
        connection = HostileConnection(self)
        self.connections.append(connection)
        return connection.wire


def _agree(link: Link) -> None:
    link.open(source=link.peer_source, target=link.peer_target)


def settling(link: Link) -> None:
    """Answer that every message will be sent settled."""
    link.open(source=link.peer_source, target=link.peer_target)
    link._own.snd_settle_mode = proton.Link.SND_SETTLED


@asynccontextmanager
async def hostile_broker(
    *script: Sequence[bytes], answer: Callable[[Link], None] = _agree, take: Taking = lambda _, __: None
) -> AsyncIterator[HostileBroker]:
    """Serve ``script`` on loopback. ``answer`` opens the broker's side of a link, ``take`` sees the client's messages."""
    broker = HostileBroker(script or [()], answer, take)
    server = await asyncio.get_running_loop().create_server(broker.accept, "127.0.0.1", 0)
    broker.port = server.sockets[0].getsockname()[1]
    try:
        yield broker
    finally:
        await asyncio.sleep(0.001)
        server.close()
        for connection in broker.connections:
            connection.wire.abort()
        await asyncio.sleep(0.001)
