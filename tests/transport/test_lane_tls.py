"""transport/lane.py with TLS: what goes wrong below HTTP."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from gridwire.errors import NoAnswer
from gridwire.transport.lane import Lane
from tests.support.fault_proxy import fault_proxy
from tests.support.raw_server import answering, http_answer
from tests.transport.servers import REQUEST, Keeper, authority, port_of, served, trusting

OK = http_answer(b"body!")


async def settle() -> None:
    await asyncio.sleep(0.05)


class _Bytes(asyncio.Protocol):
    """Answers whatever comes first with fixed bytes."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._said)


@pytest.mark.parametrize("said", [b"\x15\x03\x03\x00\x02\x02\x28", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 40])
async def test_handshake_that_fails_says_so_and_closes(said: bytes) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Bytes(said), "127.0.0.1", 0)
    async with server:
        keeper = Keeper()
        lane = Lane(loop, keeper, context=trusting(), host="127.0.0.1")
        await loop.create_connection(lambda: lane, "127.0.0.1", server.sockets[0].getsockname()[1])
        assert isinstance(await lane.up, ssl.SSLError)
        assert lane.dead
        assert keeper.dead == [lane]
        await settle()


async def test_certificate_nobody_trusts_keeps_the_lane_down() -> None:
    async with served(answering(OK), tls=True) as server:
        loop = asyncio.get_running_loop()
        lane = Lane(loop, Keeper(), context=ssl.create_default_context(), host="127.0.0.1")
        await loop.create_connection(lambda: lane, "127.0.0.1", port_of(server))
        assert isinstance(await lane.up, ssl.SSLCertVerificationError)
        await settle()
    assert server.connections == 0


async def test_connection_that_ends_in_the_handshake_keeps_the_lane_down() -> None:
    async with served(answering(OK), tls=True) as server, fault_proxy(port_of(server)) as proxy:
        loop = asyncio.get_running_loop()
        for after in (0, 1, 100, 700):
            proxy.arm("down", after=after)
            lane = Lane(loop, Keeper(), context=trusting(), host="127.0.0.1")
            await loop.create_connection(lambda: lane, "127.0.0.1", proxy.port)  # noqa: B023 - called at once
            assert isinstance(await lane.up, ConnectionResetError)
            assert lane.dead
            await settle()


async def test_ciphertext_changed_on_the_way_is_no_answer() -> None:
    async with served(answering(OK), tls=True) as server, fault_proxy(port_of(server)) as proxy:
        loop = asyncio.get_running_loop()
        for after in (0, 3, 5, 20, 60):
            lane = Lane(loop, Keeper(), context=trusting(), host="127.0.0.1")
            await loop.create_connection(lambda: lane, "127.0.0.1", proxy.port)  # noqa: B023 - called at once
            assert await lane.up is None
            await settle()
            fault = proxy.arm("down", after=after, act="flip")
            future = lane.expect()
            lane.write(REQUEST, 10)
            with pytest.raises(NoAnswer) as caught:
                await future
            assert caught.value.reason in ("garbage", "timeout", "disconnected")
            assert fault.struck
            assert lane.dead
            await settle()


async def test_server_that_ends_its_tls_ends_the_lane() -> None:
    """Idle, before the answer, and in the middle of it."""
    for said, asked in ((b"", False), (b"", True), (OK[:20], True)):
        async with pipe() as (lane, server, exchange):
            future = lane.expect() if asked else None
            if future is not None:
                lane.write(REQUEST, 10)
                await exchange()
                if said:
                    server.write(said)
            with pytest.raises(ssl.SSLWantReadError):
                server.unwrap()
            await exchange(receive=False)
            await settle()
            assert lane.dead
            if future is not None:
                with pytest.raises(NoAnswer) as caught:
                    await future
                assert caught.value.reason == "disconnected"


async def test_alert_instead_of_an_answer_is_no_answer() -> None:
    async with pipe() as (lane, _server, exchange):
        future = lane.expect()
        lane.write(REQUEST, 10)
        await exchange(b"\x15\x03\x03\x00\x02\x02\x28")
        with pytest.raises(NoAnswer) as caught:
            await future
        assert caught.value.reason == "garbage"


async def test_session_tickets_and_an_answer_in_one_piece_are_both_read() -> None:
    async with pipe(tickets=False) as (lane, server, exchange):
        future = lane.expect()
        lane.write(REQUEST, 10)
        await exchange(send=False)
        server.write(OK)
        await exchange(receive=False)
        assert (await future).body == b"body!"
        assert not lane.dead


async def test_answer_in_several_records_of_one_read_is_put_together() -> None:
    async with pipe() as (lane, server, exchange):
        future = lane.expect()
        lane.write(REQUEST, 10)
        await exchange(send=False)
        for byte in OK:
            server.write(bytes([byte]))
        await exchange(receive=False)
        assert (await future).body == b"body!"


@asynccontextmanager
async def pipe(*, tickets: bool = True) -> AsyncIterator[tuple[Lane, ssl.SSLObject, Any]]:
    """A lane whose server is an `ssl.SSLObject` in the test's hand: its records go out when ``exchange`` is called."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    loop = asyncio.get_running_loop()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = authority().context.wrap_bio(incoming, outgoing, server_side=True)
    lane = Lane(loop, Keeper(), context=trusting(), host="127.0.0.1")
    ours.setblocking(False)
    theirs.setblocking(False)

    async def exchange(raw: bytes = b"", *, receive: bool = True, send: bool = True) -> None:
        if receive:
            incoming.write(await loop.sock_recv(theirs, 65536))
            with suppress(ssl.SSLWantReadError):
                server.read(65536) if shaken else server.do_handshake()
        if send:
            await loop.sock_sendall(theirs, outgoing.read() + raw)

    shaken = False
    await loop.create_connection(lambda: lane, sock=ours)
    await exchange()
    await exchange(send=tickets)
    shaken = True
    assert await lane.up is None
    await settle()
    try:
        yield lane, server, exchange
    finally:
        lane.retire()
        theirs.close()
        await settle()
