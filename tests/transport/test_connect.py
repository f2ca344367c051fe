"""transport/connect.py: a name's addresses are raced, on every kind of connection, and a bad one is tried last."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gridwire.transport import connect, tunnel
from gridwire.transport.amqp_client import AmqpClient, Broker
from gridwire.transport.amqp_failure import AmqpFailure
from gridwire.transport.exchange import Request
from gridwire.transport.http import HttpTransport
from gridwire.transport.lanes import Lanes
from gridwire.transport.tls import Network
from gridwire.transport.websocket import Connection, Stream
from tests.support.raw_server import Behaviour, http_answer, raw_server, read_request
from tests.transport.servers import Silent, port_of, trusting

A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"


class Attempts:
    """Attempts that take the given seconds and give the address, or fail; -1 is never."""

    def __init__(self, **takes: float | Exception) -> None:
        self._takes = {address: takes[name] for name, address in (("a", A), ("b", B), ("c", C)) if name in takes}
        self.begun: list[tuple[str, float]] = []
        self.ended: list[str] = []
        self.discarded: list[str] = []

    async def __call__(self, address: str) -> str:
        self.begun.append((address, asyncio.get_running_loop().time()))
        takes = self._takes[address]
        try:
            if isinstance(takes, Exception):
                raise takes
            await asyncio.sleep(takes if takes >= 0 else 3600)
        finally:
            self.ended.append(address)
        return address

    async def discard(self, address: str) -> None:
        self.discarded.append(address)

    async def race(self, *addresses: str) -> str:
        return await connect.race(addresses, 1, self, self.discard)


async def test_the_next_address_is_tried_beside_one_that_does_not_answer() -> None:
    tries, tasks = Attempts(a=-1, b=0.1, c=0), asyncio.all_tasks()
    assert await tries.race(A, B, C) == B
    assert tries.begun == [(A, 0), (B, pytest.approx(0.25))]
    assert tries.ended == [B, A], "the one that lost is ended and not left behind"
    assert asyncio.all_tasks() == tasks


async def test_a_failure_begins_the_next_at_once_and_the_last_one_is_told() -> None:
    tries = Attempts(a=ConnectionRefusedError("a"), b=ConnectionResetError("b"))
    with pytest.raises(ConnectionResetError, match="b"):
        await tries.race(A, B)
    assert [at for _, at in tries.begun] == [0, 0]


async def test_two_that_connect_at_once_are_one_and_the_other_is_closed() -> None:
    tries = Attempts(a=0.35, b=0.1)
    assert await tries.race(A, B) == A
    assert tries.discarded == [B]


@pytest.mark.parametrize("gives", [False, True])
async def test_a_cancellation_while_the_others_are_ended_is_no_success(gives: bool) -> None:
    """One attempt takes its time to end, and may even connect meanwhile; the caller is cancelled while it is waited for."""
    discarded: list[str] = []

    async def attempt(address: str) -> str:
        if address == A:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                await asyncio.sleep(2)
                if not gives:
                    raise
        return address

    async def discard(address: str) -> None:
        discarded.append(address)

    tasks, loop = asyncio.all_tasks(), asyncio.get_running_loop()
    racing = loop.create_task(connect.race([A, B], 1, attempt, discard))
    await asyncio.sleep(0.5)
    assert racing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await racing
    assert loop.time() == pytest.approx(0.5, abs=0.1)
    await asyncio.sleep(3)
    assert sorted(discarded) == ([A, B] if gives else [B])
    assert asyncio.all_tasks() == tasks
    assert not connect._ending


async def test_a_bad_address_is_tried_last_for_ten_minutes() -> None:
    tries = Attempts(a=-1, b=0)
    await tries.race(A, B)
    assert connect.in_order([A, B], 1) == [B, A]
    assert connect.in_order([A, B], 2) == [A, B], "another port is another service"
    tries.begun.clear()
    await tries.race(A, B)
    assert [address for address, _ in tries.begun] == [B], "it costs nobody its head start again"
    await asyncio.sleep(connect.REMEMBERED_S + 1)
    assert connect.in_order([A, B], 1) == [A, B]


async def test_an_address_that_connects_again_is_no_longer_bad() -> None:
    await Attempts(a=OSError(), b=0).race(A, B)
    await Attempts(a=0, b=OSError()).race(A, B)
    assert connect.in_order([A, B], 1) == [A, B]


async def test_all_bad_ones_are_tried_the_longest_ago_first() -> None:
    for failing, winning in ((A, C), (B, C)):
        with contextlib.suppress(OSError):
            await Attempts(a=OSError(), b=OSError(), c=0).race(failing, winning)
        await asyncio.sleep(1)
    assert connect.in_order([B, A, C], 1) == [C, A, B]


async def test_whoever_gives_up_leaves_no_attempt_and_learns_what_swallowed_it() -> None:
    tries = Attempts(a=-1, b=-1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.4):
            await tries.race(A, B)
    assert sorted(tries.ended) == [A, B]
    assert connect.in_order([A, B], 1) == [B, A], "B had no time to show what it is"


async def test_what_is_remembered_is_bounded() -> None:
    loop = asyncio.get_running_loop()
    for port in range(2 * connect.MOST_REMEMBERED):
        connect._note(loop, A, port, slow=True)
    assert len(connect._slow[loop]) == connect.MOST_REMEMBERED
    assert connect.in_order([A, B], port) == [B, A]


async def test_an_address_needs_no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", None)
    assert await connect.resolve("127.0.0.1", 1) == ["127.0.0.1"]
    assert await connect.resolve("::1", 1) == ["::1"]


async def test_both_families_of_a_name_come_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    v6, v4 = socket.AF_INET6, socket.AF_INET
    found = [(v6, "::1"), (v6, "::2"), (v6, "::1"), (v4, "127.0.0.1"), (v4, "127.0.0.2"), (v4, "127.0.0.3")]
    rows = [(family, socket.SOCK_STREAM, 6, "", (address, 1)) for family, address in found]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: rows)
    assert await connect.resolve("venue.example", 1) == ["::1", "127.0.0.1", "::2", "127.0.0.2", "127.0.0.3"]


# every kind of connection, on real sockets: the first address takes no connection, and refuses none


@asynccontextmanager
async def one_good_address(monkeypatch: pytest.MonkeyPatch, served: Behaviour) -> AsyncIterator[int]:
    """A port of ``localhost``, whose first address swallows connections and whose second one serves them."""
    async with raw_server(served) as server, contextlib.AsyncExitStack() as stack:
        port = port_of(server)
        hole = stack.enter_context(socket.socket())
        hole.bind(("127.0.0.2", port))
        hole.listen(0)
        for _ in range(4):  # its queue is full: further SYNs are dropped
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.2", port))
        real = socket.getaddrinfo

        def resolve(host: Any, at: Any, *more: Any, **options: Any) -> Any:
            if host not in ("localhost", b"localhost"):
                return real(host, at, *more, **options)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, at)) for one in ("127.0.0.2", "127.0.0.1")]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        try:
            yield port
        finally:
            monkeypatch.setattr(socket, "getaddrinfo", real)


async def http_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readexactly(4) != b"AMQP":
        await read_request(reader)
        writer.write(http_answer(b"ok"))
        await writer.drain()


async def by_http(port: int) -> None:
    async with HttpTransport(Network(timeout_s=5)) as http:
        assert (await http.send(Request("GET", f"http://localhost:{port}/"))).content == b"ok"


async def by_lane(port: int) -> None:
    async with Lanes(f"http://localhost:{port}", Network(timeout_s=5)) as lanes:
        assert lanes.ready()


async def by_amqp(port: int) -> None:
    with pytest.raises(AmqpFailure) as caught:
        await AmqpClient.connect(Broker("localhost", port, "x", tls=False), Network(timeout_s=5), [])
    assert caught.value.stage == "sasl", "it was reached, and is no broker"


async def by_tunnel(port: int) -> None:
    with pytest.raises(tunnel.NoWay, match="sent more than an answer"):
        await tunnel.open_way(
            f"http://localhost:{port}", "broker.example:5671", asyncio.Protocol(), trusting(), "broker.example"
        )


async def by_websocket(port: int) -> None:
    async def dial() -> tuple[str, dict[str, str]]:
        return f"ws://localhost:{port}/", {}

    async with Stream(dial, Silent, Network()) as stream:
        first = await anext(stream)
    assert isinstance(first, Connection)
    assert first.reason == "the handshake was refused with HTTP 200", "it was reached, and is no broadcaster"


async def by_websocket_through_a_proxy(port: int) -> None:
    async def dial() -> tuple[str, dict[str, str]]:
        return "ws://127.0.0.1:9/", {}

    async with Stream(dial, Silent, Network(proxy=f"http://localhost:{port}")) as stream:
        first = await anext(stream)
    assert isinstance(first, Connection)
    assert "too long" not in first.reason
    assert "TimeoutError" not in first.reason


KINDS = [by_http, by_lane, by_amqp, by_tunnel, by_websocket, by_websocket_through_a_proxy]


class TestRealSockets:
    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, Any]]:
        return ("asyncio", {})

    @pytest.mark.parametrize("kind", KINDS)
    async def test_a_first_address_that_swallows_packets_costs_a_quarter_of_a_second(
        self, kind: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with one_good_address(monkeypatch, http_server) as port, asyncio.timeout(8):
            await kind(port)
            if kind is not by_websocket_through_a_proxy:
                assert connect.in_order(["127.0.0.2", "127.0.0.1"], port) == ["127.0.0.1", "127.0.0.2"]
                await kind(port)
