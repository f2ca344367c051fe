"""transport/http.py: after a failure it is certain whether a byte of the request had left."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import Any, Literal

import pytest

from gridwire.errors import ConfigurationError, NoAnswer, NotSent, WrongLoop
from gridwire.transport.exchange import Request
from gridwire.transport.http import HttpTransport, Progress
from gridwire.transport.tls import Network, is_loopback, ssl_context
from tests.support.raw_server import answering, http_answer, raw_server, read_request
from tests.transport.servers import authority


async def test_answer_of_any_status_comes_back_whole() -> None:
    async with raw_server(answering(http_answer(b"no", "503 Busy", "X-A: 1"))) as server, HttpTransport() as http:
        response = await http.send(Request("POST", server.url + "/x", {"content-type": "text/plain"}, b"hello"))
    assert (response.status, response.content, response.headers["x-a"]) == (503, b"no", "1")


async def test_refused_connection_is_not_sent() -> None:
    progress = Progress()
    async with HttpTransport() as http:
        with pytest.raises(NotSent, match=r"nothing listens there.*Nothing was sent") as caught:
            await http.send(Request("POST", "http://127.0.0.1:9/x", content=b"x"), progress=progress)
    assert caught.value.reason == "refused"
    assert not progress.written


async def test_silence_after_the_request_is_no_answer_and_takes_the_time_allowed() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await asyncio.sleep(3600)

    loop = asyncio.get_running_loop()
    async with raw_server(silent) as server, HttpTransport(Network(timeout_s=7)) as http:
        before = loop.time()
        with pytest.raises(NoAnswer, match="no whole answer within 7 s") as caught:
            await http.send(Request("POST", server.url, content=b"x"))
    assert caught.value.reason == "timeout"
    assert loop.time() - before == pytest.approx(7, abs=0.01)


async def test_wait_for_a_connection_has_a_bound_of_its_own() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            await asyncio.sleep(6)
            writer.write(http_answer(b"late"))

    loop = asyncio.get_running_loop()
    async with raw_server(slow) as server, HttpTransport(connections=1) as http:
        request = Request("POST", server.url, content=b"x")
        first = asyncio.create_task(http.send(request, start_within_s=2))
        await asyncio.sleep(1)
        with pytest.raises(NotSent, match=r"no connection within 2 s\. Nothing was sent") as caught:
            await http.send(request, start_within_s=2)
        assert caught.value.reason == "timeout"
        assert loop.time() == pytest.approx(3, abs=0.01)
        assert (await first).content == b"late", "once begun, an answer may take its time"


@pytest.mark.parametrize("cut", [0, 5, 20, 38, 42])
async def test_answer_cut_anywhere_is_no_answer(cut: int) -> None:
    whole = http_answer(b"body!")
    assert cut < len(whole)
    async with raw_server(answering(whole[:cut])) as server, HttpTransport() as http:
        with pytest.raises(NoAnswer, match="may have acted") as caught:
            await http.send(Request("POST", server.url, content=b"x"))
    assert caught.value.reason == "disconnected"


async def test_garbage_instead_of_http_is_no_answer() -> None:
    async with raw_server(answering(b"\x00\x01\x02 garbage\r\n\r\n")) as server, HttpTransport() as http:
        with pytest.raises(NoAnswer) as caught:
            await http.send(Request("POST", server.url, content=b"x"))
    assert caught.value.reason == "garbage"


async def test_answer_over_the_limit_is_cut_off() -> None:
    async with raw_server(answering(http_answer(b"x" * 5000))) as server, HttpTransport(max_body_bytes=1000) as http:
        with pytest.raises(NoAnswer, match="more than 1000 bytes") as caught:
            await http.send(Request("GET", server.url))
    assert caught.value.reason == "too_large"


async def test_redirects_are_answers_and_not_followed() -> None:
    hop = http_answer(b"", "302 Found", "Location: http://127.0.0.1:9/elsewhere")
    async with raw_server(answering(hop)) as server, HttpTransport() as http:
        response = await http.send(Request("POST", server.url, content=b"x"))
        assert (response.status, server.connections) == (302, 1)


async def test_connection_is_kept_and_one_seen_closed_is_replaced() -> None:
    async def twice_then_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await read_request(reader)
            writer.write(http_answer(b"ok"))

    async with raw_server(twice_then_close) as server, HttpTransport() as http:
        for _ in range(4):
            assert (await http.send(Request("POST", server.url, content=b"x"))).content == b"ok"
            await asyncio.sleep(0.01)
        assert server.connections == 2


async def test_a_request_alone_has_a_connection_that_carries_nothing_else() -> None:
    asked: list[bytes] = []

    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked.append(await read_request(reader))
            writer.write(http_answer(b"%d" % len(asked)) * 2)

    async with raw_server(twice) as server, HttpTransport() as http:
        request = Request("POST", server.url, content=b"x")
        for number in range(1, 4):
            assert (await http.send(request, alone=True)).content == b"%d" % number
        assert server.connections == 3
        assert all(b"connection: close\r\n" in head.lower() for head in asked)


async def test_a_request_alone_gets_a_new_tunnel_through_a_proxy() -> None:
    tunnels: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            writer.write(http_answer(b"%d" % len(tunnels)))

    async with raw_server(serve, authority().context) as server:
        port = int(server.url.rpartition(":")[2])

        async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tunnels.append(await read_request(reader))
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            there, back = await asyncio.open_connection("127.0.0.1", port)
            try:
                await asyncio.wait(
                    {asyncio.create_task(pump(reader, back)), asyncio.create_task(pump(there, writer))},
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                back.close()

        async with (
            raw_server(tunnel) as proxy,
            HttpTransport(Network(proxy=proxy.url, ca_pem=authority().pem)) as http,
        ):
            request = Request("POST", server.url, content=b"x")
            assert [(await http.send(request)).content for _ in range(2)] == [b"1", b"1"]
            assert [(await http.send(request, alone=True)).content for _ in range(2)] == [b"2", b"3"]
            assert [tunnelled.split()[0] for tunnelled in tunnels] == [b"CONNECT"] * 3
            assert (await http.send(request)).content == b"3", "on the first tunnel, which was kept"
            assert len(tunnels) == 3


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)


@pytest.mark.parametrize("tls", [False, True])
async def test_an_answer_left_over_on_a_kept_connection_is_refused(tls: bool) -> None:
    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(http_answer(b"first"))
        writer.write(http_answer(b"first"))
        await read_request(reader)
        writer.write(http_answer(b"second"))

    async with (
        raw_server(twice, authority().context if tls else None) as server,
        HttpTransport(Network(ca_pem=authority().pem)) as http,
    ):
        request = Request("POST", server.url, content=b"x")
        assert (await http.send(request)).content == b"first"
        with pytest.raises(NoAnswer, match="was there before the request had left") as caught:
            await http.send(request)
        assert caught.value.reason == "garbage"
        assert (await http.send(request)).content == b"first", "on a new connection"
        assert server.connections == 2


async def test_a_transport_is_opened_once() -> None:
    http = HttpTransport()
    async with http:
        with pytest.raises(WrongLoop, match="has been opened before"):
            await http.__aenter__()
        http.check_open()
    with pytest.raises(WrongLoop, match="has been opened before"):
        await http.__aenter__()


async def test_cookies_are_neither_kept_nor_sent() -> None:
    asked: list[bytes] = []

    async def bake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked.append(await read_request(reader))
            writer.write(http_answer(b"ok", "200 OK", f"Set-Cookie: c{len(asked)}=1; Path=/"))

    async with raw_server(bake) as server, HttpTransport() as http:
        for alone in (False, False, True, True):
            await http.send(Request("POST", server.url, content=b"x"), alone=alone)
        assert not any(b"cookie" in head.lower() for head in asked)


async def test_cancelled_call_knows_whether_bytes_had_left() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await asyncio.sleep(3600)

    progress = Progress()
    async with raw_server(silent) as server, HttpTransport() as http:
        task = asyncio.create_task(http.send(Request("POST", server.url, content=b"x"), progress=progress))
        assert not progress.written
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert progress.written


async def test_connect_through_a_dead_proxy_is_not_sent() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 502 Bad gateway\r\nContent-Length: 0\r\n\r\n")

    async with raw_server(refuse) as proxy, HttpTransport(Network(proxy=proxy.url)) as http:
        with pytest.raises(NotSent):
            await http.send(Request("POST", "https://venue.invalid/x", content=b"x"))


@pytest.mark.parametrize(
    ("proxy", "what", "reason"),
    [
        ("http://grid:secret@127.0.0.1:9", "nothing listens at the proxy 127.0.0.1:9", "refused"),
        ("http://grid:secret@localhost:9", "nothing listens at the proxy localhost:9", "refused"),
        ("http://grid:secret@proxy.invalid:9", "the name of the proxy proxy.invalid:9 cannot be resolved", "dns"),
    ],
)
async def test_a_proxy_that_cannot_be_reached_is_named_without_its_login(proxy: str, what: str, reason: str) -> None:
    async with HttpTransport(Network(proxy=proxy)) as http:
        with pytest.raises(NotSent) as caught:
            await http.send(Request("POST", "https://venue.invalid/x", content=b"x"))
    assert str(caught.value) == f"https://venue.invalid/x: {what}. Nothing was sent."
    assert caught.value.reason == reason


async def test_a_name_with_several_addresses_that_all_refuse_is_no_other_case(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{last}", 9)) for last in (1, 2)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: found)
    async with HttpTransport() as http:
        with pytest.raises(NotSent, match="nothing listens there") as caught:
            await http.send(Request("POST", "https://venue.invalid:9/x", content=b"x"))
    assert caught.value.reason == "refused"


async def test_cleartext_off_this_machine_is_refused() -> None:
    async with HttpTransport() as http:
        with pytest.raises(ConfigurationError, match="not encrypted"):
            await http.send(Request("POST", "http://venue.invalid/x"))


async def test_use_outside_its_context_or_loop_is_refused() -> None:
    http = HttpTransport()
    with pytest.raises(WrongLoop, match="not open"):
        await http.send(Request("GET", "http://127.0.0.1:9"))

    async with HttpTransport() as opened:

        def elsewhere() -> None:
            asyncio.run(opened.send(Request("GET", "http://127.0.0.1:9")))

        with pytest.raises(WrongLoop, match="another event loop"):
            await asyncio.to_thread(elsewhere)


async def test_tickets_in_urls_and_headers_reach_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore.http11", "httpcore.connection"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    async with raw_server(answering(http_answer(b"ST-1-secretsecret"))) as server, HttpTransport() as http:
        await http.send(
            Request("POST", server.url + "/cas/TGT-9-topsecret?x=pw", {"stp-service-ticket": "ST-7-abcdefg"}, b"pw=abc")
        )
        with pytest.raises(NotSent) as caught:
            await http.send(Request("POST", "http://127.0.0.1:9/cas/TGT-9-topsecret"))
    everything = caplog.text + str(caught.value)
    assert "TGT-***" in everything
    for secret in ("topsecret", "abcdefg", "secretsecret", "x=pw"):
        assert secret not in everything


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"timeout_s": 0}, "seconds above 0"),
        ({"ca_bundle": "/nonexistent.pem"}, "not a file"),
        ({"client_cert": "/nonexistent.pem"}, "not a file"),
        ({"proxy": "socks5://127.0.0.1"}, "http:// or https://"),
    ],
)
def test_network_settings_that_cannot_work_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        Network(**changes)


async def test_unreadable_certificates_are_a_setting_error(tmp_path: Any) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("no certificate")
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        async with HttpTransport(Network(ca_bundle=str(bundle))):
            pass


def test_loopback_is_an_address_or_localhost_and_nothing_else() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("localhost.example.org")
    assert not is_loopback("10.0.0.1")
    assert not is_loopback(None)


async def test_a_watched_body_goes_out_in_pieces_with_its_length() -> None:
    told: list[tuple[int, int]] = []
    content = bytes(range(256)) * 1000
    received: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await read_request(reader))
        writer.write(http_answer(b"ok"))

    async with raw_server(take) as server, HttpTransport() as http:
        progress = Progress()
        request = Request("POST", server.url, {"content-type": "x/y"}, content)
        await http.send(request, progress=progress, on_progress=lambda *of: told.append(of))
        await http.send(Request("GET", server.url), on_progress=lambda *of: told.append(of))
    head, _, body = received[0].partition(b"\r\n\r\n")
    assert body == content
    assert b"content-length: 256000" in head.lower()
    assert b"chunked" not in head.lower()
    assert told == [(65536, 256000), (131072, 256000), (196608, 256000), (256000, 256000)]
    assert progress.written


async def test_a_body_cut_off_between_two_pieces_is_no_answer() -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1000)
        writer.transport.abort()

    async with raw_server(leave) as server, HttpTransport() as http:
        with pytest.raises(NoAnswer) as caught:
            await http.send(Request("POST", server.url, content=b"x" * 9_000_000), on_progress=lambda *_: None)
    assert caught.value.reason == "disconnected"


@pytest.mark.parametrize(("alone", "connections"), [(False, 1), (True, 3)])
async def test_alone_each_request_has_a_connection_of_its_own(alone: bool, connections: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            writer.write(http_answer(b"ok"))

    async with raw_server(serve) as server, HttpTransport() as http:
        for _ in range(3):
            await http.send(Request("POST", server.url, content=b"x"), alone=alone)
        assert server.connections == connections


@pytest.mark.parametrize("oldest", ["1.2", "1.3"])
async def test_the_oldest_tls_can_be_told(oldest: Literal["1.2", "1.3"]) -> None:
    context = await ssl_context(Network(min_tls=oldest))
    assert context.minimum_version == {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[oldest]
