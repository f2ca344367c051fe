"""transport/websocket.py: it reconnects, says so, and never ends silently."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from gridwire.errors import ConfigurationError, CredentialsRefused, NotSent
from gridwire.transport.tls import Network
from gridwire.transport.websocket import Connection, Step, Stream


class _Echo:
    """Delivers each text frame and gives up after 30 s of silence."""

    def __init__(self) -> None:
        self._last = 0.0

    def opened(self, now: float) -> Step[str]:
        self._last = now
        return Step(send=("hello",))

    def received(self, frame: str | bytes, now: float) -> Step[str]:
        self._last = now
        return Step(events=(str(frame),))

    def deadline(self) -> float:
        return self._last + 30

    def due(self, now: float) -> Step[str]:
        return Step(drop="silent for 30 s")


class _Venue:
    def __init__(self) -> None:
        self.url = ""
        self.dials = 0
        self.heard: list[str] = []

    async def dial(self) -> tuple[str, Mapping[str, str]]:
        self.dials += 1
        return self.url, {"authorization": f"n{self.dials}"}


@asynccontextmanager
async def _venue(*scripts: object) -> AsyncIterator[_Venue]:
    venue = _Venue()
    pending = list(scripts)

    async def handle(socket: ServerConnection) -> None:
        assert socket.request is not None
        venue.heard.append(socket.request.headers["authorization"])
        venue.heard.append(str(await socket.recv()))
        script = pending.pop(0)
        if script == "silent":
            await asyncio.sleep(3600)
        elif isinstance(script, list):
            for frame in script:
                await socket.send(frame)
            await socket.close(4500, "slow ST-1-abcdef")

    async with serve(handle, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        venue.url = f"ws://127.0.0.1:{port}/"
        yield venue


async def _all(stream: Stream[str]) -> list[str | Connection]:
    return [item async for item in stream]


async def test_frames_and_connection_changes_come_in_one_stream_and_each_attempt_dials_anew() -> None:
    async with _venue(["a", "b"], ["c"], "silent") as venue, Stream(venue.dial, _Echo, Network()) as stream:
        seen = [await anext(stream) for _ in range(8)]
    assert [item if isinstance(item, str) else item.state for item in seen] == [
        "connected", "a", "b", "lost", "connected", "c", "lost", "connected",
    ]  # fmt: skip
    lost = seen[3]
    assert isinstance(lost, Connection)
    assert lost.reason == "the venue closed the connection with code 4500 (slow ST-***)"
    assert lost.retry_in_s is not None
    assert venue.heard == ["n1", "hello", "n2", "hello", "n3", "hello"]


async def test_silence_past_the_sessions_deadline_drops_the_connection() -> None:
    loop = asyncio.get_running_loop()
    async with _venue("silent", ["x"]) as venue, Stream(venue.dial, _Echo, Network()) as stream:
        assert await anext(stream) == Connection("connected")
        before = loop.time()
        lost = await anext(stream)
        assert isinstance(lost, Connection)
        assert lost.reason == "silent for 30 s"
        assert loop.time() - before == pytest.approx(30, abs=0.1)
        assert await anext(stream) == Connection("connected")


async def test_failed_dials_are_tried_again_and_told() -> None:
    async with _venue(["x"]) as venue:
        fails = [NotSent("no ticket to be had. Nothing was sent.", reason="refused")]

        async def dial() -> tuple[str, Mapping[str, str]]:
            if fails:
                raise fails.pop()
            return await venue.dial()

        async with Stream(dial, _Echo, Network()) as stream:
            lost = await anext(stream)
            assert isinstance(lost, Connection)
            assert "no ticket" in lost.reason
            assert await anext(stream) == Connection("connected")


@pytest.mark.parametrize("error", [CredentialsRefused("wrong password"), ConfigurationError("no host")])
async def test_what_cannot_get_better_ends_the_stream_with_its_error(error: Exception) -> None:
    async def dial() -> tuple[str, Mapping[str, str]]:
        raise error

    stream = Stream(dial, _Echo, Network())
    with pytest.raises(type(error)):
        await anext(stream)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_refused_and_redirected_handshakes_are_lost_not_followed() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def dial() -> tuple[str, Mapping[str, str]]:
        return f"ws://127.0.0.1:{port}/", {}

    async with Stream(dial, _Echo, Network()) as stream:
        lost = await anext(stream)
    server.close()
    assert isinstance(lost, Connection)
    assert lost.reason == "the handshake was refused with HTTP 302"


async def test_slow_reader_loses_nothing() -> None:
    frames = [str(n) for n in range(200)]
    async with _venue(frames, "silent") as venue, Stream(venue.dial, _Echo, Network(), queue_size=2) as stream:
        got: list[str] = []
        async for item in stream:
            await asyncio.sleep(0.01)
            if isinstance(item, str):
                got.append(item)
            elif item.state == "lost":
                break
    assert got == frames


async def test_closing_tells_everyone_who_waits_and_ends_the_iteration() -> None:
    async with _venue("silent") as venue:
        stream = Stream(venue.dial, _Echo, Network())
        assert await anext(stream) == Connection("connected")
        readers = [asyncio.create_task(_all(stream)) for _ in range(2)]
        await asyncio.sleep(1)
        await stream.aclose()
        async with asyncio.timeout(1):
            assert await asyncio.gather(*readers) == [[Connection("closed")]] * 2
            assert await _all(stream) == []


async def test_unencrypted_address_off_this_machine_ends_the_stream() -> None:
    async def dial() -> tuple[str, Mapping[str, str]]:
        return "ws://venue.invalid/", {}

    with pytest.raises(ConfigurationError, match="wss://"):
        await anext(Stream(dial, _Echo, Network()))
