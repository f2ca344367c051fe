"""The sandbox's broker in a process of its own, for tests that measure or kill the other side.

It takes one line of JSON per command on its standard input: ``{"put": [from, to]}``, ``{"drop": true}``, ``{"tell": true}``,
and answers each with one line.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gridwire.edsn_pie.consumer import Consumer
from gridwire.edsn_pie.decoder import decode
from gridwire.edsn_pie.link import TokenSource
from gridwire.edsn_pie.profile import AmqpSettings
from gridwire.edsn_pie.stream import ConsumerOptions
from gridwire.observe.events import Event, Events
from gridwire.sandbox.edsn_pie.broker import AmqpBroker
from gridwire.transport.tls import Network
from tests.support.amqp_world import QUEUE, USER, Tokens, message


class RemoteWorld:
    """The broker's side of a test, in another process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port: int = self._line()["port"]
        self.events: list[Event] = []

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def ask(self, **command: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._line()

    def settings(self, **more: Any) -> AmqpSettings:
        return AmqpSettings(host="127.0.0.1", port=self.port, tls=False, address=QUEUE, username=USER, **more)

    def consumer(self, options: ConsumerOptions | None = None, *, life_s: float = 900, **settings: Any) -> Consumer:
        tokens = Tokens(life_s)
        return Consumer(
            self.settings(**settings),
            user=USER,
            network=Network(),
            tokens=TokenSource(tokens.get, tokens.refused),
            decode=decode,
            options=options,
            events=Events(self.events.append),
        )


@contextmanager
def broker_process(*, messages: int = 0) -> Iterator[RemoteWorld]:
    """A broker that lets in whoever brings an unexpired token, with so many messages in its queue."""
    command = [sys.executable, "-m", "tests.support.broker_process"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        world = RemoteWorld(process)
        if messages:
            world.ask(put=[0, messages])
        yield world
    finally:
        process.communicate(timeout=10)


class _AnyToken(Tokens):
    def check(self, token: str) -> Any:
        self.issued = [token]
        return super().check(token)


async def _serve() -> None:
    broker = AmqpBroker(_AnyToken().check, queues=(QUEUE,))
    port = await broker.open()
    print(json.dumps({"port": port}), flush=True)  # noqa: T201
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    queue = broker.queues[QUEUE]
    while line := await reader.readline():
        command = json.loads(line)
        if "put" in command:
            for number in range(*command["put"]):
                broker.publish(QUEUE, message(number))
        if command.get("drop"):
            broker.drop()
        answer = {
            "accepted": queue.accepted,
            "depth": queue.depth,
            "unsettled": queue.unsettled,
            "logins": len(broker.contacts),
            "window": broker.widest_window,
        }
        broker.settlements.clear()
        print(json.dumps(answer), flush=True)  # noqa: T201
    await broker.close()


if __name__ == "__main__":
    asyncio.run(_serve())
