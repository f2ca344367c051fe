"""The sandbox's broker in a process of its own, for `gridwire.bench.amqp`.

Prints one line of JSON when it listens. Each line of its standard input is a number: so many messages are put into the
queue, and the line is answered. It ends with its standard input.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys

from gridwire.sandbox.edsn_pie.broker import AmqpBroker
from gridwire.transport.amqp_message import AmqpMessage

QUEUE, USER, TOKEN = "bench", "bench", "a-token-of-no-value"


def _message(number: int) -> AmqpMessage:
    body = {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": "urn:ean13:8712423010208:pie",
        "type": "pie.ticket.created",
        "time": "2026-12-01T06:00:00.000Z",
        "data": {"ticketId": f"T-{number}"},
    }
    return AmqpMessage(
        body=json.dumps(body).encode(), content_type="application/cloudevents+json", message_id=f"message-{number}"
    )


async def _serve() -> None:
    broker = AmqpBroker(lambda token: {"sub": USER} if token == TOKEN else "unknown", queues=(QUEUE,))
    print(json.dumps({"port": await broker.open()}), flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    numbers = itertools.count()
    while line := await reader.readline():
        for _ in range(int(line)):
            broker.publish(QUEUE, _message(next(numbers)))
        print("{}", flush=True)
    await broker.close()


if __name__ == "__main__":
    asyncio.run(_serve())
