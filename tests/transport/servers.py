"""What the tests of the order lanes share: an authority, both kinds of connection, and a count of what is left over."""

from __future__ import annotations

import asyncio
import functools
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from gridwire.sandbox.serving import Authority
from gridwire.transport.lane import Answer, Lane
from gridwire.transport.websocket import Step
from tests.support.raw_server import Behaviour, RawServer, raw_server, read_request

REQUEST = b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello"


@functools.lru_cache(maxsize=1)
def authority() -> Authority:
    return Authority()


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=authority().pem)
    return context


def staying(*answers: bytes) -> Behaviour:
    """Answers requests one by one, and then waits until the client leaves."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await read_request(reader)
            writer.write(answer)
            await writer.drain()
        await reader.read()

    return behave


class Keeper:
    """Owns lanes and remembers what they said."""

    def __init__(self) -> None:
        self.idle: list[Lane] = []
        self.dead: list[Lane] = []
        self.unrequested: list[str | None] = []

    def lane_idle(self, lane: Lane) -> None:
        self.idle.append(lane)

    def lane_unrequested(self, key: str | None) -> None:
        self.unrequested.append(key)

    def lane_dead(self, lane: Lane) -> None:
        self.dead.append(lane)


class Held:
    """A lane that is up, its keeper, and its server."""

    def __init__(self, lane: Lane, keeper: Keeper, server: RawServer) -> None:
        self.lane = lane
        self.keeper = keeper
        self.server = server

    async def ask(self, timeout_s: float = 10.0) -> Answer:
        future = self.lane.expect()
        self.lane.write(REQUEST, timeout_s)
        return await future


@asynccontextmanager
async def served(behaviour: Behaviour, *, tls: bool) -> AsyncIterator[RawServer]:
    async with raw_server(behaviour, authority().context if tls else None) as server:
        yield server


@asynccontextmanager
async def lane_to(
    behaviour: Behaviour, *, tls: bool, max_bytes: int = 1_000_000, host: str = "127.0.0.1"
) -> AsyncIterator[Held]:
    async with served(behaviour, tls=tls) as server:
        loop, keeper = asyncio.get_running_loop(), Keeper()
        context = trusting() if tls else None
        lane = Lane(loop, keeper, context=context, host=host, max_bytes=max_bytes)
        await loop.create_connection(lambda: lane, "127.0.0.1", port_of(server))
        await lane.up
        await asyncio.sleep(0.01)  # the server's session tickets are read
        try:
            yield Held(lane, keeper, server)
        finally:
            lane.retire()
            await asyncio.sleep(0.01)


def port_of(server: RawServer) -> int:
    port = urlsplit(server.url).port
    assert port is not None
    return port


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class Silent:
    """A session on a WebSocket that wants nothing."""

    def opened(self, now: float) -> Step[str]:
        return Step()

    def received(self, frame: str | bytes, now: float) -> Step[str]:
        return Step()

    def deadline(self) -> float | None:
        return None

    def due(self, now: float) -> Step[str]:
        return Step()
