"""A consumer to be killed: notes every notification that its handler has finished, and its memory now and then.

Arguments: the broker's port, the inbox or ``-``, the file of notes. A note is one line: the ticket's number, or ``rss`` and
bytes. Each line is written in one piece before the handler returns, so a number without a note was not handled.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from pathlib import Path

from gridwire.edsn_pie.consumer import Consumer
from gridwire.edsn_pie.decoder import decode
from gridwire.edsn_pie.link import TokenSource
from gridwire.edsn_pie.models import Notification, TicketCreated
from gridwire.edsn_pie.profile import AmqpSettings
from gridwire.edsn_pie.stream import ConsumerOptions
from gridwire.transport.tls import Network
from tests.support.amqp_world import QUEUE, USER, Tokens

TOKEN_LIFE_S = 4.0


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def main(port: int, inbox: Path | None, notes: int) -> None:
    tokens = Tokens(TOKEN_LIFE_S)
    settings = AmqpSettings(host="127.0.0.1", port=port, tls=False, address=QUEUE, credit=50)
    source = TokenSource(tokens.get, tokens.refused)
    options = ConsumerOptions(inbox=inbox)
    consumer = Consumer(settings, user=USER, network=Network(), tokens=source, decode=decode, options=options)

    async def handler(notification: Notification) -> None:
        assert isinstance(notification, TicketCreated)
        os.write(notes, f"{notification.ticket_id.removeprefix('T-')}\n".encode())

    async def weigh() -> None:
        while True:
            await asyncio.sleep(1)
            gc.collect()
            os.write(notes, f"rss {resident_bytes()} {consumer.counts.handled}\n".encode())

    weighing = asyncio.create_task(weigh())
    try:
        await consumer.run(handler, concurrency=4)
    finally:
        weighing.cancel()


if __name__ == "__main__":
    _, port_text, inbox_text, notes_text = sys.argv
    descriptor = os.open(notes_text, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    asyncio.run(main(int(port_text), None if inbox_text == "-" else Path(inbox_text), descriptor))
