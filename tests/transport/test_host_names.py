"""A name that no host can have is told by name, on every kind of connection, for a host and for a proxy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from gridwire.errors import ConfigurationError, NotSent
from gridwire.transport import connect
from gridwire.transport.amqp_client import AmqpClient, Broker
from gridwire.transport.amqp_failure import AmqpFailure
from gridwire.transport.exchange import Request
from gridwire.transport.http import HttpTransport
from gridwire.transport.lanes import Lanes
from gridwire.transport.tls import Network
from gridwire.transport.websocket import Connection, Stream
from tests.transport.servers import Silent

WRONG = ["a..b", "x" * 70 + ".example", ".example", "ü..example", "ü" * 64]


def network(proxy: str | None) -> Network:
    return Network(timeout_s=3, proxy=None if proxy is None else f"http://{proxy}:1")


async def by_http(host: str, proxy: str | None) -> str:
    async with HttpTransport(network(proxy)) as http:
        with pytest.raises(NotSent) as caught:
            await http.send(Request("GET", f"https://{host}:1/"))
    assert caught.value.reason == "dns"
    return str(caught.value)


async def by_amqp(host: str, proxy: str | None) -> str:
    with pytest.raises(AmqpFailure) as caught:
        await AmqpClient.connect(Broker(host, 1, "x"), network(proxy), [])
    assert caught.value.stage == "connect"
    return str(caught.value)


async def by_amqp_through_a_tunnel(host: str, proxy: str | None) -> str:
    with pytest.raises(AmqpFailure) as caught:
        await AmqpClient.connect(Broker("127.0.0.1", 1, "x", tls_name=host), network(proxy), [])
    return str(caught.value)


async def by_websocket(host: str, proxy: str | None) -> str:
    async def dial() -> tuple[str, dict[str, str]]:
        return f"wss://{host}:1/", {}

    async with Stream(dial, Silent, network(proxy)) as stream:
        first = await anext(stream)
    assert isinstance(first, Connection)
    return first.reason


KINDS = [by_http, by_amqp, by_amqp_through_a_tunnel, by_websocket]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("kind", KINDS)
async def test_the_name_of_a_host_is_told(kind: Callable[[str, str | None], Awaitable[str]], wrong: str) -> None:
    for proxy in (None, "127.0.0.1"):
        assert f"{wrong[:64]}" in (text := await kind(wrong, proxy))
        assert "is no name of a host: between its full stops stand 1 to 63 letters, digits or hyphens" in text


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("kind", KINDS)
async def test_the_name_of_a_proxy_is_told(kind: Callable[[str, str | None], Awaitable[str]], wrong: str) -> None:
    text = await kind("localhost", wrong)
    assert wrong[:64] in text
    assert "is no name of a host" in text


async def test_a_name_that_httpx_alone_refuses_is_no_raw_error() -> None:
    with pytest.raises(ConfigurationError, match=r"The proxy \N{SNOWMAN}\.example:1 has no address that can be called"):
        async with HttpTransport(network("\N{SNOWMAN}.example")) as http:
            await http.send(Request("GET", "https://localhost:1/"))


async def test_lanes_name_it_too() -> None:
    with pytest.raises(NotSent, match=r"The name a\.\.b cannot be resolved"):
        async with Lanes("https://a..b", Network(timeout_s=3)):
            pass


@pytest.mark.parametrize("host", ["a.example.", "exa_mple", "ü.example", "x" * 63, "127.1", "::1", "fe80::1%lo", ""])
def test_what_the_resolver_can_be_asked_for_is_left_to_it(host: str) -> None:
    connect.check_name(host)


def test_a_long_name_is_cut() -> None:
    with pytest.raises(connect.NoHostName) as caught:
        connect.check_name("x" * 10_000)
    assert len(str(caught.value)) < 250
