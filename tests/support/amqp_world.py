"""A broker, an issuer of tokens, and consumers that meet them: what every test of notifications begins with."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from gridwire import clock
from gridwire.edsn_pie.consumer import Consumer
from gridwire.edsn_pie.decoder import decode
from gridwire.edsn_pie.link import TokenSource
from gridwire.edsn_pie.profile import AmqpSettings
from gridwire.edsn_pie.stream import ConsumerOptions, Item, LinkState, Received
from gridwire.observe.events import Event, Events
from gridwire.sandbox.edsn_pie.broker import AmqpBroker
from gridwire.transport.amqp_message import AmqpMessage
from gridwire.transport.tls import Network

QUEUE = "pie.voorbeeld"
USER = "sa-voorbeeld"


class Tokens:
    """An identity provider in one object: unsigned tokens, whose number stands for the signature."""

    def __init__(self, life_s: float = 900.0) -> None:
        self.life_s = life_s
        self.asked = 0
        self.issued: list[str] = []
        self.revoked: set[str] = set()
        self._current: str | None = None
        self._made_at = 0.0

    def make(self, **claims: Any) -> str:
        exp = clock.now().timestamp() + self.life_s
        body = {"sub": USER, "aud": "pie", "exp": exp, "jti": str(len(self.issued)), **claims}
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "RS256"}, body)]
        token = b".".join([*parts, b"c2ln"]).decode()
        self.issued.append(token)
        return token

    async def get(self) -> str:
        self.asked += 1
        now = asyncio.get_running_loop().time()
        if self._current is None or now - self._made_at >= max(self.life_s / 2, self.life_s - 120):
            self._current, self._made_at = self.make(), now
        return self._current

    def give(self, token: str) -> None:
        """This one from now on."""
        self.issued.append(token)
        self._current, self._made_at = token, asyncio.get_running_loop().time()

    def refused(self, token: str) -> None:
        if token == self._current:
            self._current = None

    def check(self, token: str) -> Mapping[str, Any] | str:
        if token not in self.issued or token in self.revoked:
            return "the signature is wrong"
        payload = token.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        if claims["aud"] != "pie":
            return "the audience is wrong"
        return claims if claims["exp"] > clock.now().timestamp() else "the token has expired"

    def source(self) -> TokenSource:
        return TokenSource(self.get, self.refused)


class World:
    """A running broker with one queue, and what is needed to talk to it."""

    def __init__(self, broker: AmqpBroker, port: int, tokens: Tokens, ca_pem: str | None) -> None:
        self.broker = broker
        self.port = port
        self.tokens = tokens
        self.network = Network(ca_pem=ca_pem)
        self.events: list[Event] = []
        self._told = asyncio.Event()
        self.settings = AmqpSettings(host="127.0.0.1", address=QUEUE, port=port, tls=ca_pem is not None, username=USER)

    @property
    def queue(self) -> Any:
        return self.broker.queues[QUEUE]

    async def seen(self, name: str, times: int = 1) -> Event:
        """Wait until an event of this name was told so often; the consumer's stream is left alone."""
        while len(found := [event for event in self.events if event.name == name]) < times:
            self._told.clear()
            await self._told.wait()
        return found[times - 1]

    def _note(self, event: Event) -> None:
        self.events.append(event)
        self._told.set()

    def put(self, *numbers: int, **more: Any) -> None:
        for number in numbers:
            self.broker.publish(QUEUE, message(number, **more))

    def consumer(self, options: ConsumerOptions | None = None, **settings: Any) -> Consumer:
        return Consumer(
            replace(self.settings, **settings),
            user=USER,
            network=self.network,
            tokens=self.tokens.source(),
            decode=decode,
            options=options,
            events=Events(self._note),
        )


@asynccontextmanager
async def amqp_world(
    *, life_s: float = 900.0, tls: tuple[ssl.SSLContext, str] | None = None, queues: tuple[str, ...] = (QUEUE,)
) -> AsyncIterator[World]:
    tokens = Tokens(life_s)
    broker = AmqpBroker(tokens.check, queues=queues)
    port = await broker.open(tls=tls[0] if tls is not None else None)
    try:
        yield World(broker, port, tokens, tls[1] if tls is not None else None)
    finally:
        await broker.close()


def message(number: int, **more: Any) -> AmqpMessage:
    """A ticket-created event as the sector writes events."""
    body = {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": "urn:ean13:8712423010208:pie",
        "type": "pie.ticket.created",
        "time": "2026-12-01T06:00:00.000Z",
        "data": {"ticketId": f"T-{number}"},
    }
    content = json.dumps({**body, **more}).encode()
    return AmqpMessage(body=content, content_type="application/cloudevents+json", message_id=f"message-{number}")


def number_of(item: Item) -> int:
    assert isinstance(item, Received)
    return int(item.notification.ticket_id.removeprefix("T-"))  # type: ignore[attr-defined]


async def next_received(consumer: Consumer) -> Received:
    """The next notification; what is told in between is passed over."""
    while True:
        item = await anext(consumer)
        if isinstance(item, Received):
            return item


async def handle(consumer: Consumer, count: int, work: Callable[[int], Awaitable[None]] | None = None) -> list[int]:
    """Take ``count`` notifications one after the other. Returns their numbers."""
    found: list[int] = []
    while len(found) < count:
        item = await next_received(consumer)
        async with item:
            number = number_of(item)
            if work is not None:
                await work(number)
            found.append(number)
    return found


async def until_state(consumer: Consumer, state: str) -> LinkState:
    """Read on to this state of the link."""
    while True:
        item = await anext(consumer)
        assert not isinstance(item, Received), "a notification would be lost to the test"
        if isinstance(item, LinkState) and item.state == state:
            return item


async def until(true: Callable[[], bool]) -> None:
    """Look ten times a second, for what nobody tells."""
    while not true():  # noqa: ASYNC110 - the other side of a socket sets no event
        await asyncio.sleep(0.1)
