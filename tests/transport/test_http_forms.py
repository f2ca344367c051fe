"""transport/http_answer.py: httpx and an order lane read the same forms of an answer, and refuse the same."""

from __future__ import annotations

import asyncio
import random
import re
from pathlib import Path

import pytest

from gridwire.errors import NoAnswer
from gridwire.transport import http_answer
from gridwire.transport.exchange import Request
from gridwire.transport.http import HttpTransport
from gridwire.transport.tls import Network
from tests.support.http_forms import FORMS, Form
from tests.support.raw_server import Behaviour, answering, raw_server, read_request
from tests.support.raw_server import http_answer as plain_answer
from tests.transport.servers import authority, lane_to

BODY = b'{"resultCode":"0","resultType":"SUCCESS"}'
PAGE = Path(__file__).resolve().parents[2] / "docs" / "protocols" / "http.md"


async def over_httpx(behaviour: Behaviour, *, tls: bool = False) -> tuple[int, bytes, str] | NoAnswer:
    """What one exchange on a connection of its own gives: status, body and Content-Type, or why there is none."""
    network = Network(ca_pem=authority().pem if tls else None)
    context = authority().context if tls else None
    async with raw_server(behaviour, context) as server, HttpTransport(network) as http:
        try:
            answer = await http.send(Request("POST", server.url, content=b"hello"), alone=True)
        except NoAnswer as error:
            return error
    return answer.status, answer.content, answer.headers.get("content-type", "")


async def over_a_lane(behaviour: Behaviour, *, tls: bool = False) -> tuple[int, bytes, str] | NoAnswer:
    """The same over a lane."""
    async with lane_to(behaviour, tls=tls) as held:
        try:
            answer = await held.ask()
        except NoAnswer as error:
            return error
    return answer.status, answer.body, answer.headers.get("content-type", "")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("form", FORMS, ids=str)
async def test_both_paths_read_a_form_or_refuse_it(form: Form, tls: bool) -> None:
    ways = [await way(answering(form.write(BODY)), tls=tls) for way in (over_httpx, over_a_lane)]
    for found in ways:
        if form.refused is None:
            assert found == (200, BODY, "application/json")
        else:
            assert isinstance(found, NoAnswer)
            assert re.search(form.refused, str(found), re.IGNORECASE)
            assert found.reason in ("garbage", "disconnected")
    if form.refused is not None:
        assert len({found.reason for found in ways if isinstance(found, NoAnswer)}) == 1


@pytest.mark.parametrize("lead", ["", "X-Trace: a\r\n b\r\n"], ids=["plain", "folded"])
@pytest.mark.parametrize("over", [0, 1, 2_000, 30_000, 200_000])
async def test_both_paths_bound_a_head_at_the_same_byte(over: int, lead: str) -> None:
    start = f"HTTP/1.1 200 OK\r\n{lead}Content-Length: {len(BODY)}\r\nX: ".encode()
    filling = http_answer.MAX_HEAD_BYTES + over - len(start) - 4
    answer = start + b"x" * filling + b"\r\n\r\n" + BODY
    for way in (over_httpx, over_a_lane):
        found = await way(answering(answer))
        if over:
            assert isinstance(found, NoAnswer)
            assert found.reason == "garbage"
            assert re.search("a head of more than 102400 bytes|Receive buffer too long", str(found))
        else:
            assert found == (200, BODY, "")


async def test_each_answer_of_a_connection_has_a_head_of_its_own() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            await read_request(reader)
            writer.write(plain_answer(b"a" * 60_000, "200 OK", f"X: {'x' * 60_000}"))
        await reader.read()

    async with raw_server(serve) as server, HttpTransport() as http:
        for _ in range(3):
            assert len((await http.send(Request("POST", server.url, content=b"hello"))).content) == 60_000


@pytest.mark.parametrize("form", FORMS, ids=str)
async def test_a_form_is_read_in_single_bytes_too(form: Form) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for byte in form.write(BODY)[:3000]:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.0001)

    ways = [await way(drip) for way in (over_httpx, over_a_lane)]
    assert [isinstance(found, NoAnswer) for found in ways] == [form.refused is not None] * 2


def test_the_page_has_the_same_table() -> None:
    rows = re.findall(r"^\| ([^|]+) \| RFC ([^|]+) \| (read|refused)\b", PAGE.read_text(), re.MULTILINE)
    assert rows == [(form.name, form.section, "read" if form.refused is None else "refused") for form in FORMS]


async def test_a_lane_serves_on_after_a_plain_answer_and_ends_after_another() -> None:
    odd = plain_answer(b"b").replace(b"Content-Length: 1", b"Content-Length: 1\r\nContent-Length: 1")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (plain_answer(b"a"), odd):
            await read_request(reader)
            writer.write(answer)
        await reader.read()

    async with lane_to(serve, tls=False) as held:
        assert (await held.ask()).body == b"a"
        assert not held.lane.dead
        assert (await held.ask()).body == b"b"
        assert held.lane.dead


async def test_a_lane_that_is_closed_by_us_gives_no_half_answer() -> None:
    began = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        began.set()
        await asyncio.sleep(3600)

    async with lane_to(endless, tls=False) as held:
        asking = asyncio.create_task(held.ask(5.0))
        await began.wait()
        with pytest.raises(NoAnswer) as caught:
            await asking
    assert caught.value.reason == "timeout"


async def test_an_answer_inflated_over_the_limit_is_cut_off() -> None:
    bomb = next(form for form in FORMS if form.name == "gzip").write(b"[" + b" " * 5_000_000 + b"]")
    async with lane_to(answering(bomb), tls=False, max_bytes=1_000_000) as held:
        with pytest.raises(NoAnswer, match="more than 1000000 bytes") as lane:
            await held.ask()
    async with raw_server(answering(bomb)) as server, HttpTransport(max_body_bytes=1_000_000) as http:
        with pytest.raises(NoAnswer, match="more than 1000000 bytes") as httpx:
            await http.send(Request("POST", server.url, content=b"x"))
    assert lane.value.reason == httpx.value.reason == "too_large"


def test_a_refusal_quotes_nothing_of_the_answer() -> None:
    with pytest.raises(http_answer.NotAnAnswer) as caught:
        http_answer.Reader().feed(b"HTTP/1.1 200 OK\r\nSet-Cookie : secret\r\n\r\n")
    assert str(caught.value) == "illegal header line"


# bytes changed by chance

PIECES = (
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"0",
    b"5",
    b"ff",
    b"\x00",
    b"chunked",
    b"Content-Length: 5\r\n",
)


def changed(answer: bytes, chance: random.Random) -> bytes:
    """``answer`` with up to three pieces put in, left out or doubled."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(answer))
        end = at + chance.choice([0, 0, 1, 2, 5])
        answer = answer[:at] + chance.choice([*PIECES, answer[at:end] * 2, b""]) + answer[end:]
    return answer


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_comes_both_paths_make_the_same_of_it(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(40):
        answer = changed(chance.choice(FORMS).write(BODY), chance)
        one, two = [await way(answering(answer)) for way in (over_httpx, over_a_lane)]
        if isinstance(one, NoAnswer) or isinstance(two, NoAnswer):
            assert isinstance(one, NoAnswer), answer
            assert isinstance(two, NoAnswer), answer
        else:
            assert one[:2] == two[:2], answer
