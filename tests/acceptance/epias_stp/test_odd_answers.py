"""The same answer in an odd form of HTTP or another character set means the same to `stp.bids` and to the desk."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gridwire.epias_stp import EpiasStp, Limits
from gridwire.epias_stp.errors import StpProtocolError
from gridwire.outcome import Accepted, Outcome, Rejected, Unknown
from tests.acceptance.epias_stp.floor import BID, TODAY, Floor, floor
from tests.support.http_forms import FORMS, Form
from tests.support.raw_server import raw_server, read_request

DESK = {name: value for name, value in BID.items() if name != "direction"}


@asynccontextmanager
async def trading_against(f: Floor, answer: Callable[[int], bytes]) -> AsyncIterator[EpiasStp]:
    """A client of a server that answers its nth request with ``answer(n)`` and closes the connection."""
    numbers = itertools.count(1000)

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer(next(numbers)))
        await writer.drain()

    async with raw_server(behave) as served:
        yield await f.client(f.account(stp_url=served.url))


async def both_ways(stp: EpiasStp) -> list[Outcome]:
    """A bid by each of the two paths."""
    saved = await stp.bids.save(TODAY, **BID)
    async with stp.desk(contracts=[TODAY], limits=Limits(max_quantity=1000)) as desk:
        return [saved, await desk.buy(TODAY, **DESK)]


def envelope(number: int, *, said: str = "OK", kind: str = "SUCCESS", code: str = "0") -> dict[str, object]:
    body = {"bidResponse": {"id": str(number)}} if kind == "SUCCESS" else None
    return {"resultCode": code, "resultDescription": said, "resultType": kind, "body": body}


def answer(body: bytes, content_type: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize("form", FORMS, ids=str)
async def test_a_form_is_an_acceptance_on_both_paths_or_unknown_on_both(form: Form) -> None:
    async with floor() as f, trading_against(f, lambda n: form.write(json.dumps(envelope(n)).encode())) as stp:
        for outcome in await both_ways(stp):
            assert isinstance(outcome, Accepted if form.refused is None else Unknown), outcome


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-9", "windows-1254", "utf-16-le", "utf-16"])
async def test_an_answer_is_read_in_the_character_set_that_it_names(charset: str) -> None:
    def write(n: int) -> bytes:
        body = json.dumps(envelope(n, said="İşlem başarılı: ş"), ensure_ascii=False).encode(charset)
        return answer(body, f'application/json; charset="{charset.upper()}"')

    async with floor() as f, trading_against(f, write) as stp:
        for outcome in await both_ways(stp):
            assert isinstance(outcome, Accepted), outcome
            assert outcome.raw.result_description == "İşlem başarılı: ş"


async def test_xml_is_read_by_its_header_before_its_declaration() -> None:
    text = (
        '<?xml version="1.0" encoding="utf-16"?>\n<bidSaveServiceResponse><resultCode>STP-11</resultCode>'
        "<resultType>BUSINESSERROR</resultType><resultDescription>Fiyat yüksek: ğ</resultDescription>"
        "</bidSaveServiceResponse>"
    )
    async with (
        floor() as f,
        trading_against(f, lambda _: answer(text.encode("iso-8859-9"), "text/xml;charset=ISO-8859-9")) as stp,
    ):
        for outcome in await both_ways(stp):
            assert isinstance(outcome, Rejected), outcome
            assert "Fiyat yüksek: ğ" in outcome.reason


async def test_a_raw_line_break_within_a_text_is_read_as_it_is() -> None:
    body = json.dumps(envelope(0, kind="BUSINESSERROR", code="STP-11", said="too high@@at com.example.Rule"))
    raw = body.replace("@@", "\r\n\t").encode()
    async with floor() as f, trading_against(f, lambda _: answer(raw, "application/json")) as stp:
        for outcome in await both_ways(stp):
            assert isinstance(outcome, Rejected), outcome
            assert "at com.example.Rule" in outcome.reason


async def test_bytes_in_no_character_set_that_was_named_are_unknown_and_an_error_of_a_read() -> None:
    body = json.dumps(envelope(7, said="ş"), ensure_ascii=False).encode("iso-8859-9")
    async with floor() as f, trading_against(f, lambda _: answer(body, "application/json; charset=utf-8")) as stp:
        for outcome in await both_ways(stp):
            assert isinstance(outcome, Unknown), outcome
        with pytest.raises(StpProtocolError, match="not UTF-8"):
            await stp.contracts.standard()
