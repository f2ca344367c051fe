"""``gridwire bench amqp``: what a notification costs, beside the engine's own way of receiving.

Both contenders read the same messages from one broker in a process of its own, in interleaved rounds, and both accept every
message: gridwire's consumer as a program uses it (an async iterator, with duplicates recognised and ids found), and
proton's Container with a handler that only reads the ticket's id. What counts is the processor's time of this process.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gridwire.errors import MissingExtra

try:
    import proton
    import proton.handlers
    import proton.reactor
except ImportError:
    raise MissingExtra("This measurement needs an extra: pip install 'gridwire[edsn]'") from None

from gridwire.bench.amqp_broker import QUEUE, TOKEN, USER
from gridwire.edsn_pie.consumer import Consumer
from gridwire.edsn_pie.decoder import decode
from gridwire.edsn_pie.link import TokenSource
from gridwire.edsn_pie.profile import AmqpSettings
from gridwire.edsn_pie.stream import Received
from gridwire.transport.tls import Network

CREDIT = 100
TARGET = 1.5
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class AmqpReport:
    """Messages per second of processor time, the best round of each contender, and their ratio."""

    gridwire: float
    container: float
    messages: int
    rounds: int

    @property
    def ratio(self) -> float:
        """How many times as many messages gridwire's consumer takes."""
        return self.gridwire / self.container

    @property
    def kept(self) -> bool:
        """Whether the ratio is what it has to be."""
        return self.ratio >= TARGET

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "gridwire_messages_per_cpu_s": round(self.gridwire),
            "container_messages_per_cpu_s": round(self.container),
            "ratio": round(self.ratio, 2),
            "target": TARGET,
            "kept": self.kept,
            "messages": self.messages,
            "rounds": self.rounds,
        }

    def as_text(self) -> str:
        """For people."""
        return (
            f"messages per second of processor time, best of {self.rounds} rounds of {self.messages} messages\n"
            f"  gridwire's consumer   {self.gridwire:9,.0f}\n"
            f"  proton's Container    {self.container:9,.0f}\n"
            f"  ratio                 {self.ratio:9.2f}   (at least {TARGET})"
        )


def measure(*, messages: int, rounds: int, tell: Tell) -> AmqpReport:
    """Measure both, in turn. Raises `MissingExtra` without proton."""
    best = {"gridwire": 0.0, "container": 0.0}
    with _broker() as (port, put):
        for number in range(rounds):
            tell(f"round {number + 1} of {rounds}")
            for name, contender in (("gridwire", _gridwire), ("container", _container)):
                put(messages)
                best[name] = max(best[name], messages / contender(port, messages))
    return AmqpReport(best["gridwire"], best["container"], messages, rounds)


def _gridwire(port: int, messages: int) -> float:
    async def token() -> str:
        return TOKEN

    async def take() -> float:
        settings = AmqpSettings(host="127.0.0.1", port=port, tls=False, address=QUEUE, credit=CREDIT)
        tokens = TokenSource(token, lambda _: None)
        consumer = Consumer(settings, user=USER, network=Network(), tokens=tokens, decode=decode)
        began, left = time.process_time(), messages
        async with consumer:
            async for item in consumer:
                if isinstance(item, Received):
                    async with item as notification:
                        assert notification.ticket_id  # type: ignore[attr-defined] # noqa: S101 - the ids are found
                    left -= 1
                    if not left:
                        break
        return time.process_time() - began

    return asyncio.run(take())


class _Reader(proton.handlers.MessagingHandler):
    """What the engine's own documentation shows, with a pre-fetch as large as the other contender's window."""

    def __init__(self, port: int, messages: int) -> None:
        super().__init__(prefetch=CREDIT, auto_accept=True)
        self._port = port
        self._left = messages

    def on_start(self, event: Any) -> None:
        connection = event.container.connect(
            f"127.0.0.1:{self._port}", user=USER, password=TOKEN, allowed_mechs="PLAIN", reconnect=False
        )
        event.container.create_receiver(connection, QUEUE)

    def on_message(self, event: Any) -> None:
        assert json.loads(bytes(event.message.body))["data"]["ticketId"]  # noqa: S101 - the id is found
        self._left -= 1
        if not self._left:
            event.connection.close()


def _container(port: int, messages: int) -> float:
    began = time.process_time()
    proton.reactor.Container(_Reader(port, messages)).run()
    return time.process_time() - began


@contextmanager
def _broker() -> Iterator[tuple[int, Callable[[int], None]]]:
    """A broker in a process of its own: its port, and how to put messages into its queue."""
    command = [sys.executable, "-m", "gridwire.bench.amqp_broker"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None  # noqa: S101 - told to the type checker
    assert process.stdout is not None  # noqa: S101 - told to the type checker
    stdin, stdout = process.stdin, process.stdout

    def put(count: int) -> None:
        stdin.write(f"{count}\n")
        stdin.flush()
        stdout.readline()

    try:
        yield json.loads(stdout.readline())["port"], put
    finally:
        process.communicate(timeout=10)
