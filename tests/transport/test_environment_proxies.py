"""Proxies of the environment are read in one place, for every kind of connection, and refused by the variable's name."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gridwire.epias_stp import EpiasStp
from gridwire.errors import ConfigurationError
from gridwire.outcome import Rejected
from gridwire.sandbox import Sandbox
from gridwire.siooi import Siooi
from gridwire.transport.amqp_client import AmqpClient, Broker
from gridwire.transport.exchange import Request
from gridwire.transport.http import HttpTransport
from gridwire.transport.tls import Network
from gridwire.transport.websocket import Stream
from tests.support.planted import PASSWORD
from tests.support.raw_server import answering, http_answer, raw_server
from tests.transport.servers import Silent

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
TRUSTING = Network(trust_env=True)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def ask_by_http(url: str) -> bytes:
    async with HttpTransport(TRUSTING) as http:
        return (await http.send(Request("GET", url))).content


async def ask_by_websocket(url: str) -> object:
    async def dial() -> tuple[str, dict[str, str]]:
        return url.replace("http", "ws", 1), {}

    stream: Stream[Any] = Stream(dial, Silent, TRUSTING)
    async with stream:
        return await anext(stream)


async def ask_by_amqp(url: str) -> object:
    return await AmqpClient.connect(Broker(url.rpartition("/")[2], 5671, "x"), TRUSTING, [])


@pytest.mark.parametrize("ask", [ask_by_http, ask_by_websocket, ask_by_amqp])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", f"socks5://user:{PASSWORD}@127.0.0.1:9"),
        ("ALL_PROXY", f"socks://user:{PASSWORD}@127.0.0.1:9"),
        ("https_proxy", f"ftp://user:{PASSWORD}@127.0.0.1:9"),
        ("HTTPS_PROXY", "http://"),
        ("HTTPS_PROXY", f"http://user:{PASSWORD}@127.0.0.1:port"),
    ],
)
async def test_a_variable_that_names_no_http_proxy_is_a_setting_error(
    ask: Any, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"in {name.upper()} is no http:// or https:// address") as caught:
        await ask("https://venue.example")
    assert "NO_PROXY" in str(caught.value)
    assert PASSWORD not in str(caught.value)


async def test_a_variable_that_is_not_needed_hurts_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,fe80::/10,[::1],*.example:80, ,.x")
    async with raw_server(answering(http_answer(b"direct"))) as server:
        assert await ask_by_http(server.url) == b"direct"


async def test_a_request_goes_through_the_proxy_of_its_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(http_answer(b"by proxy", "200 OK" if heads[-1].startswith(b"GET") else "403 No"))

    async with raw_server(proxy) as server:
        monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
        monkeypatch.setenv("HTTP_PROXY", server.url.removeprefix("http://"))  # without a scheme, as some write it
        monkeypatch.setenv("HTTPS_PROXY", server.url)
        assert await ask_by_http("http://127.0.0.1:9/x") == b"by proxy"
        with pytest.raises(Exception, match="403"):
            await ask_by_http("https://venue.example/x")
    assert [head.split()[:2] for head in heads] == [
        [b"GET", b"http://127.0.0.1:9/x"],
        [b"CONNECT", b"venue.example:443"],
    ]


async def test_clients_raise_it_before_anything_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Sandbox("epias_stp") as stp_box, Sandbox("siooi") as box:
        monkeypatch.setenv("HTTP_PROXY", "socks5h://127.0.0.1:9")
        async with EpiasStp(stp_box.epias_stp, trust_env=True) as stp:
            with pytest.raises(ConfigurationError, match="HTTP_PROXY"):
                await stp.contracts.standard()
            with pytest.raises(ConfigurationError, match="HTTP_PROXY"):
                await stp.bids.save("GG20261201", direction="BUY", price="1.00", quantity=1)
            assert stp.unknown() == []
            assert await stp._ledger.rows() == []
        venue = box.venue("siooi")
        async with Siooi(venue.account(), schemas=venue.schemas, trust_env=True) as client:
            file = next((venue.folder / "documents").glob("F101*.xml"))
            document = await client.prepare(file, form_code="F101", object_key="TPP-1", period="2026-Q3")
            outcome = await client.submit(document, confirm=True)
            assert isinstance(outcome, Rejected)
            assert "HTTP_PROXY" in outcome.reason
        assert len(stp_box.venue("epias_stp").log) == 0
