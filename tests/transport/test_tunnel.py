"""Through an HTTP proxy to a broker: real proxies on loopback that let pass, refuse, or answer with nonsense."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trustme
from pydantic import SecretStr

from gridwire.edsn_pie.link import broker_of, log_in
from gridwire.errors import ConfigurationError
from gridwire.sandbox.serving import Authority
from gridwire.transport.amqp_client import AmqpClient, Broker
from gridwire.transport.amqp_failure import AmqpFailure
from gridwire.transport.sasl import plain
from gridwire.transport.tls import Network
from gridwire.transport.tunnel import MOST_BYTES
from tests.support.amqp_world import USER, World, amqp_world, handle, until_state
from tests.support.raw_server import RawServer, raw_server, read_request

LOGIN = [plain("u", "t")]


OPENED = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n"


@asynccontextmanager
async def proxy_to(port: int, *answer: bytes) -> AsyncIterator[RawServer]:
    """A proxy that leads to ``port`` whatever it is asked; its ``requests`` are what it was asked."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.requests.append(await read_request(reader))
        there, back = await asyncio.open_connection("127.0.0.1", port)
        for piece in answer or (OPENED,):
            writer.write(piece)
            await asyncio.sleep(0.01)
        try:
            pumps = [asyncio.create_task(pump(reader, back)), asyncio.create_task(pump(there, writer))]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            back.close()

    async with raw_server(behave) as server:
        yield server


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)


@asynccontextmanager
async def world_behind_a_proxy(*answer: bytes) -> AsyncIterator[tuple[World, RawServer]]:
    authority = Authority()
    own = (authority.context, authority.pem)
    async with amqp_world(tls=own) as world, proxy_to(world.port, *answer) as proxy:
        world.network = replace(world.network, proxy=proxy.url)
        yield world, proxy


async def test_notifications_come_through_a_proxy() -> None:
    async with world_behind_a_proxy() as (world, proxy):
        world.put(3)
        async with world.consumer() as consumer:
            assert await handle(consumer, 1) == [3]
        authority = f"127.0.0.1:{world.port}"
        assert proxy.requests == [f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()]
        assert world.broker.contacts[0].outcome == 0


async def test_a_way_that_breaks_is_opened_again() -> None:
    async with world_behind_a_proxy() as (world, proxy):
        world.put(1)
        async with world.consumer() as consumer:
            assert await handle(consumer, 1) == [1]
            world.broker.drop()
            await until_state(consumer, "lost")
            world.put(2)
            assert await handle(consumer, 1) == [2]
        assert proxy.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OPENED,),
        (b"HTTP/1.1 102 Processing\r\nA: b\r\n\r\n", b"HTTP/1.1 100\r\n\r", b"\nHTTP/1.1 200 OK\r\n\r\n"),
        (b"HTTP/1.0 200 OK\n\n",),
        (b"HTTP/1.0 200\nVia: 1.0 old\n", b"\n"),
        (b"HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\r\nVia: 1.1 mixed\n\r\n",),
    ],
)
async def test_heads_before_the_answer_and_lines_without_cr_are_understood(answer: tuple[bytes, ...]) -> None:
    async with world_behind_a_proxy(*answer) as (world, _):
        client = await AmqpClient.connect(
            broker_of(world.settings), world.network, [plain(USER, await world.tokens.get())]
        )
        await client.close(1)


async def test_a_name_in_other_letters_is_asked_for_as_the_resolver_spells_it() -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("xn--bcher-kva.example").configure_cert(context)
    greeted: list[str | None] = []
    context.sni_callback = lambda _sock, name, _context: greeted.append(name)
    async with (
        amqp_world(tls=(context, authority.cert_pem.bytes().decode())) as world,
        proxy_to(world.port) as proxy,
    ):
        broker = broker_of(replace(world.settings, host="b\u00fccher.example"))
        login = [plain(USER, await world.tokens.get())]
        client = await AmqpClient.connect(broker, replace(world.network, proxy=proxy.url), login)
        await client.close(1)
        asked = f"xn--bcher-kva.example:{world.port}"
        assert proxy.requests == [f"CONNECT {asked} HTTP/1.1\r\nHost: {asked}\r\n\r\n".encode()]
        assert greeted == ["xn--bcher-kva.example"]


async def test_the_proxy_is_told_its_login_and_no_error_is() -> None:
    async with world_behind_a_proxy() as (world, proxy):
        world.network = replace(world.network, proxy=proxy.url.replace("//", "//grid:p%40ss@"))
        client = await log_in(
            world.settings, broker_of(world.settings), USER, world.network, SecretStr(await world.tokens.get())
        )
        await client.close(1)
        login = b64encode(b"grid:p@ss").decode()
        assert f"Proxy-Authorization: Basic {login}\r\n".encode() in proxy.requests[0]
        assert "grid" not in repr(world.network)


async def test_a_broker_behind_a_proxy_still_has_to_prove_who_it_is() -> None:
    async with world_behind_a_proxy() as (world, _):
        with pytest.raises(AmqpFailure, match=r"certificate of the broker .* does not prove") as caught:
            await AmqpClient.connect(broker_of(world.settings), replace(world.network, ca_pem=None), LOGIN)
        assert (caught.value.stage, caught.value.cause) == ("tls", "certificate")
        assert not world.broker.contacts


async def test_a_proxy_over_tls_is_refused_with_its_reason() -> None:
    network = Network(proxy="https://grid:secret@proxy.example:3129")
    with pytest.raises(ConfigurationError, match=r"http:// address only, and proxy\.example:3129") as caught:
        await AmqpClient.connect(Broker("127.0.0.1", 9, "me"), network, LOGIN)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "did not open the way to 127.0.0.1:9 (HTTP 403)"),
        (b"HTTP/1.0 407 Login\r\n\r\n", "wants a login (HTTP 407)"),
        (b"HTTP/1.1 301\r\nLocation: http://elsewhere\r\n\r\n", "did not open the way to 127.0.0.1:9 (HTTP 301)"),
        (b"AMQP\x00\x01\x00\x00\r\n\r\n", "is no HTTP proxy"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "is no HTTP proxy"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "is no HTTP proxy"),
        (b"", "is no HTTP proxy"),
        (b"x" * (MOST_BYTES + 1), "is no HTTP proxy"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * (MOST_BYTES // 25 + 1), "is no HTTP proxy"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 No\r\n\r\n", "did not open the way to 127.0.0.1:9 (HTTP 403)"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "did not open the way to 127.0.0.1:9 (HTTP 101)"),
        (b"HTTP/1.0 403 No\n\n", "did not open the way to 127.0.0.1:9 (HTTP 403)"),
        (b"HTTP/1.1 200 OK\r\n\r\nAMQP", "sent more than an answer"),
        (b"HTTP/1.1 200 OK\r\n\r\nAMQP\r\n\r\n", "sent more than an answer"),
        (b"HTTP/1.0 200 OK\n\nAMQP", "sent more than an answer"),
    ],
)
async def test_what_a_proxy_refuses_is_one_sentence(answer: bytes, words: str) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer)
        await writer.drain()

    async with raw_server(behave) as server:
        network = Network(proxy=server.url.replace("//", "//grid:secret@"))
        with pytest.raises(AmqpFailure) as caught:
            await AmqpClient.connect(Broker("127.0.0.1", 9, "me"), network, LOGIN)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
    assert (caught.value.stage, caught.value.cause) == ("connect", "proxy")


async def test_a_proxy_that_is_away_is_tried_again() -> None:
    async with world_behind_a_proxy() as (world, _):
        world.network = replace(world.network, proxy="http://127.0.0.1:9")
        async with world.consumer() as consumer:
            lost = await until_state(consumer, "lost")
            assert lost.reason.startswith(
                "The proxy 127.0.0.1:9 cannot be reached (Connection refused). Check the setting proxy, whether it lets "
                f"127.0.0.1:{world.port} through, and amqp_host and amqp_port. It is tried again"
            )
            assert lost.retry_in_s is not None


async def test_a_proxy_that_never_answers_is_given_up() -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(100)

    async with raw_server(behave) as server:
        with pytest.raises(AmqpFailure, match="could not be reached within 3 s"):
            await AmqpClient.connect(Broker("127.0.0.1", 9, "me"), Network(proxy=server.url, timeout_s=3), LOGIN)


async def test_a_token_does_not_go_through_a_proxy_unencrypted() -> None:
    with pytest.raises(ConfigurationError, match=r"through it to 127\.0\.0\.1:9 unencrypted.*Nothing was sent"):
        await AmqpClient.connect(Broker("127.0.0.1", 9, "me", tls=False), Network(proxy="http://127.0.0.1:1"), LOGIN)


@pytest.mark.parametrize(
    ("environment", "host", "proxy"),
    [
        ({}, "broker.example", None),
        ({"HTTPS_PROXY": "http://p.example:3128"}, "broker.example", "http://p.example:3128"),
        ({"https_proxy": "p.example:3128"}, "broker.example", "http://p.example:3128"),
        ({"ALL_PROXY": "https://p.example"}, "broker.example", "https://p.example"),
        ({"HTTP_PROXY": "http://p.example:3128"}, "broker.example", None),
        ({"HTTPS_PROXY": "http://p.example:3128", "NO_PROXY": "broker.example"}, "broker.example", None),
    ],
)
def test_proxies_of_the_environment_count_only_on_request(
    environment: dict[str, str], host: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "ALL_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Network(trust_env=True).proxy_for(host) == proxy
    assert Network().proxy_for(host) is None
    assert Network(proxy="http://mine:1", trust_env=True).proxy_for(host) == "http://mine:1"


def test_a_proxy_that_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for proxy in ("socks5://p:1", "http://", "http://p:0", "http://p:x", "p:3128", "http://[::1"):
        with pytest.raises(ConfigurationError, match="proxy must be an http:// or https:// address"):
            Network(proxy=proxy)
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:secret@p:1")
    with pytest.raises(ConfigurationError, match="in HTTPS_PROXY is no http:// or https:// address") as caught:
        Network(trust_env=True).proxy_for("broker.example")
    assert "secret" not in str(caught.value)
