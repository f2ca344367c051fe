"""A wire between client and sandbox that a test can cut: it passes bytes on and decides per connection when to end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Relay:
    """``url`` is where the client connects. What it wrote is in ``written``, one entry per connection."""

    def __init__(self, target: int) -> None:
        self.url = ""
        self.written: list[bytearray] = []
        self.cut_requests: int | None = None
        """How many bytes of what the client writes next are taken; then the connection ends."""
        self.cut_answers: int | None = None
        """How many bytes of what the venue answers next are passed on; then the connection ends."""
        self.opened: list[asyncio.StreamWriter] = []
        self._target = target

    @property
    def connections(self) -> int:
        """How often a client has connected."""
        return len(self.written)

    @property
    def requests(self) -> int:
        """How many requests have begun to arrive."""
        return sum(bytes(data).count(b"POST /") for data in self.written)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.written.append(written := bytearray())
        self.opened.append(writer)
        to, back = await asyncio.open_connection("127.0.0.1", self._target)
        up = asyncio.create_task(self._up(reader, back, written))
        down = asyncio.create_task(self._down(to, writer))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (up, down):
                task.cancel()
            for end in (back, writer):
                end.close()
            await asyncio.gather(up, down, return_exceptions=True)

    async def _up(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, written: bytearray) -> None:
        while data := await reader.read(65536):
            written += data
            if self.cut_requests is not None:
                back.write(data[: self.cut_requests])
                self.cut_requests -= len(data)
                if self.cut_requests <= 0:
                    self.cut_requests = None
                    await back.drain()
                    return
            else:
                back.write(data)
            await back.drain()

    async def _down(self, to: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await to.read(65536):
            if self.cut_answers is not None:
                writer.write(data[: self.cut_answers])
                self.cut_answers -= len(data)
                if self.cut_answers <= 0:
                    self.cut_answers = None
                    await writer.drain()
                    return
            else:
                writer.write(data)
            await writer.drain()


@asynccontextmanager
async def relay(url: str, *, port: int = 0) -> AsyncIterator[Relay]:
    """A relay to the server at ``url``, listening on ``port`` (0: any free one)."""
    wire = Relay(int(url.rpartition(":")[2]))
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await wire.serve(reader, writer)
        tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield wire
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
