"""An AMQP 1.0 broker in memory, on loopback.

It has queues whose messages live for a day, asks for a token at the login (or at ``$cbs``), ends connections whose token
expires, counts failed deliveries, and does wrong on request. Its login is not the engine's but gridwire's own, so that it
can be told to refuse in each of the ways that brokers refuse.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gridwire.sandbox.edsn_pie.broker_connection import CBS, BrokerConnection
from gridwire.sandbox.edsn_pie.broker_faults import BrokerFaults
from gridwire.sandbox.edsn_pie.broker_login import Contact
from gridwire.sandbox.edsn_pie.queues import MessageQueue
from gridwire.transport.amqp_message import AmqpMessage

HOST = "127.0.0.1"
MOST_RECORDS = 10_000
ONE_DAY_S = 24 * 3600.0
Check = Callable[[str], "Mapping[str, Any] | str"]
"""What an identity provider says of a token: its claims, or a sentence why it is not good. ``exp`` ends the connection."""


@dataclass(slots=True)
class BrokerKnobs:
    """How the broker behaves; a change counts from the next connection on."""

    mechanisms: tuple[str, ...] = ("PLAIN", "XOAUTH2", "OAUTHBEARER")
    idle_timeout_s: float = 30.0
    """A client that is silent for so long is dropped; 0 never."""
    closes_at_expiry: bool = True
    """Whether a connection ends when the token it was made with expires."""
    refuses_by: Literal["link", "session"] = "link"
    """How a queue that is not there is refused: real brokers do both."""


class AmqpBroker:
    """See the module. ``check`` judges tokens."""

    def __init__(self, check: Check, *, queues: tuple[str, ...], keep_s: float = ONE_DAY_S) -> None:
        self._check = check
        self.knobs: BrokerKnobs = BrokerKnobs()
        self.faults: BrokerFaults = BrokerFaults()
        self.queues: dict[str, MessageQueue] = {name: MessageQueue(name, keep_s) for name in queues}
        self.contacts: deque[Contact] = deque(maxlen=MOST_RECORDS)
        """The last logins, in order."""
        self.settlements: deque[tuple[str | None, int, bool]] = deque(maxlen=MOST_RECORDS)
        """The last settlements as (message-id, state, failed), in order."""
        self.connections: set[BrokerConnection] = set()
        self.accepted: int = 0
        """How many connections were made."""
        self.widest_window: int = 0
        """The most messages any consumer had asked for and not settled at one time."""
        self._server: asyncio.AbstractServer | None = None

    async def open(self, port: int = 0, tls: ssl.SSLContext | None = None) -> int:
        """Listen on ``port`` of 127.0.0.1 (0: any free one). Returns the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: self._accept().wire, HOST, port, ssl=tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and end every connection; queues and records stay readable."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.drop()
        for _ in range(3):  # the sockets end in the loop's next turns
            await asyncio.sleep(0)

    def drop(self) -> None:
        """End every connection without a word."""
        for connection in list(self.connections):
            connection.wire.abort()

    def publish(self, queue: str, message: AmqpMessage) -> None:
        """Put a message into a queue."""
        self.queues[queue].put(message)

    def admit(self, mechanism: str, token: str | None) -> tuple[Mapping[str, Any] | None, str | None]:
        """Judge a login: the token's claims, and why it is refused (None: it is not)."""
        if mechanism in ("ANONYMOUS", "EXTERNAL"):
            return None, None  # may come in, and has to put a token before it may read
        if mechanism != CBS and mechanism not in self.knobs.mechanisms:
            return None, f"{mechanism} is not offered"
        if not token:
            return None, "no token was sent"
        found = self._check(token)
        return (None, found) if isinstance(found, str) else (found, None)

    def _accept(self) -> BrokerConnection:
        self.accepted += 1
        connection = BrokerConnection(self, self.faults.take())
        self.connections.add(connection)
        return connection
