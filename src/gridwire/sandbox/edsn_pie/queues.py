"""The broker's queues: messages in order, each for one day, redelivered until somebody settles them for good."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gridwire.transport.amqp import Link, Settled, encode
from gridwire.transport.amqp_message import AmqpMessage

if TYPE_CHECKING:
    from gridwire.sandbox.edsn_pie.broker_connection import BrokerConnection


@dataclass(slots=True)
class Stored:
    """One message in a queue. ``expires`` is the loop's time."""

    number: int
    message: AmqpMessage
    expires: float
    encoded: bytes = b""

    def wire(self) -> bytes:
        """Its bytes, with the count of failed deliveries in its header."""
        if not self.encoded:
            self.encoded = encode(self.message)
        return self.encoded

    def failed(self) -> None:
        """A delivery of it has failed."""
        self.message = replace(self.message, delivery_count=self.message.delivery_count + 1)
        self.encoded = b""


@dataclass(slots=True)
class MessageQueue:
    """Where consumers attach. ``accepted``, ``rejected`` and ``expired`` count what has left it for good."""

    name: str
    keep_s: float
    waiting: deque[Stored] = field(default_factory=deque)
    consumers: list[tuple[BrokerConnection, Link]] = field(default_factory=list)
    published: int = 0
    accepted: int = 0
    rejected: int = 0
    released: int = 0
    modified: int = 0
    expired: int = 0
    unsettled: int = 0

    def put(self, message: AmqpMessage) -> None:
        """Add a message and give it to whoever waits."""
        self.published += 1
        self.waiting.append(Stored(self.published, message, asyncio.get_running_loop().time() + self.keep_s))
        self.pump()

    def expire(self) -> None:
        """Drop what is older than a day. What is out for delivery is not looked at."""
        now = asyncio.get_running_loop().time()
        while self.waiting and self.waiting[0].expires <= now:
            self.waiting.popleft()
            self.expired += 1

    @property
    def depth(self) -> int:
        """How many messages wait, without those that are out for delivery."""
        self.expire()
        return len(self.waiting)

    def pump(self) -> None:
        """Deal out what waits, one to each consumer in turn, as far as their credit goes."""
        self.expire()
        progress = True
        while progress and self.waiting:
            progress = False
            for consumer in list(self.consumers):
                connection, link = consumer
                if self.waiting and connection.wants(link):
                    self.consumers.remove(consumer)  # whoever was served goes to the end of the row
                    self.consumers.append(consumer)
                    self.unsettled += 1
                    connection.deliver(link, self, self.waiting.popleft())
                    progress = True

    def settle(self, stored: Stored, how: int, *, failed: bool) -> None:
        """A consumer has settled a message."""
        self.unsettled -= 1
        if how == Settled.ACCEPTED:
            self.accepted += 1
        elif how == Settled.REJECTED:
            self.rejected += 1
        else:
            self.modified += how == Settled.MODIFIED
            self.released += how == Settled.RELEASED
            self.back([stored], failed=failed)

    def back(self, returned: list[Stored], *, failed: bool) -> None:
        """Messages come back to their places in the queue."""
        for stored in sorted(returned, key=lambda one: one.number, reverse=True):
            if failed:
                stored.failed()
            behind = []
            while self.waiting and self.waiting[0].number < stored.number:
                behind.append(self.waiting.popleft())
            self.waiting.appendleft(stored)
            self.waiting.extendleft(reversed(behind))
        asyncio.get_running_loop().call_soon(self.pump)
