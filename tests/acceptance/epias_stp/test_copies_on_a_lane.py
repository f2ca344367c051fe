"""A copy of an answer, on a lane that was used again: it is known as one, because the envelope of the first named its order."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gridwire.epias_stp.desk import StpDesk
from gridwire.outcome import Accepted, Outcome, Rejected, Unknown
from gridwire.transport.lanes import LaneLimits
from tests.acceptance.epias_stp.floor import TODAY, Wire, accepted, floor
from tests.support.raw_server import RawServer, http_answer, raw_server, read_request

Answering = Callable[[str], bytes]
"""The first answer on a connection, to the transactionId of its request."""

_KEY = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
JSON, XML, TEXT = (f"content-type: {kind}" for kind in ("application/json", "application/xml", "text/plain"))
BUSY = "429 Too Many Requests"


def said(kind: str = "BUSINESSERROR", code: str = "7", **more: Any) -> bytes:
    return json.dumps({"resultCode": code, "resultDescription": "no", "resultType": kind, **more}).encode()


def success(key: str, number: int) -> bytes:
    return said("SUCCESS", "0", transactionId=key, body={"bidResponse": {"id": str(number)}})


def xml(key: str, inner: str = "", root: str = "bidSaveServiceResponse") -> bytes:
    head = "<resultCode>7</resultCode><resultDescription>no</resultDescription><resultType>BUSINESSERROR</resultType>"
    return f"<{root}>{head}{inner.format(key=key)}</{root}>".encode()


ELSEWHERE: dict[str, tuple[Wire, Answering]] = {
    "in what quotes the request": (
        "json", lambda key: http_answer(b'{"error":"slow","request":{"transactionId":"%b"}}' % key.encode(), BUSY, JSON),
    ),
    "in the content": ("json", lambda key: http_answer(said(body={"transactionId": key}), "200 OK", JSON)),
    "in a list of the content": ("json", lambda key: http_answer(said(body=[{"transactionId": key}]), "200 OK", JSON)),
    "beside a null": (
        "json", lambda key: http_answer(said(transactionId=None, body={"transactionId": key}), "200 OK", JSON),
    ),
    "in the description": (
        "json", lambda key: http_answer(said(resultDescription=f'"transactionId":"{key}"'), BUSY, JSON),
    ),
    "in a list of envelopes": ("json", lambda key: http_answer(b"[%b]" % said(transactionId=key), BUSY, JSON)),
    "in an envelope whose code is a list": (
        "json", lambda key: http_answer(said(code=["7"], transactionId=key), BUSY, JSON),  # type: ignore[arg-type]
    ),
    "in XML that is none of STP's": (
        "json", lambda key: http_answer(f"<x><transactionId>{key}</transactionId></x>".encode(), BUSY, TEXT),
    ),
    "in the content of XML": (
        "xml", lambda key: http_answer(xml(key, "<body><transactionId>{key}</transactionId></body>"), "200 OK", XML),
    ),
    "in a comment of XML": (
        "xml", lambda key: http_answer(xml(key, "<!--<transactionId>{key}</transactionId>-->"), "200 OK", XML),
    ),
    "in a web page": (
        "json", lambda key: http_answer(f"<html><transactionId>{key}</transactionId></html>".encode(), BUSY, TEXT),
    ),
    "in a redirect": (
        "json", lambda key: http_answer(said(transactionId=key), "302 Found", JSON, "location: /login"),
    ),
    "in a success that is called a web page": (
        "json", lambda key: http_answer(success(key, 7), "200 OK", "content-type: text/html"),
    ),
}  # fmt: skip


@asynccontextmanager
async def desk_at(first: Answering, wire: Wire) -> AsyncIterator[tuple[StpDesk, RawServer]]:
    """A desk with one lane, at an engine that sends its first answer again at the second request on that connection."""
    copies: list[bytes] = []
    executed = 100

    async def engine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal executed
        mine = not copies
        while True:
            request = await read_request(reader)
            found = _KEY.search(request.partition(b"\r\n\r\n")[2])
            assert found is not None
            served.requests.append(request)
            if not copies:
                copies.append(first(found.group().decode()))
                writer.write(copies[0])
                continue
            if mine:
                writer.write(copies[0])
                await asyncio.sleep(0.05)
            executed += 1
            writer.write(http_answer(success(found.group().decode(), executed), "200 OK", JSON))

    async with raw_server(engine) as served, floor() as f:
        stp = await f.client(f.account(stp_url=served.url), message_format=wire)
        async with stp.desk(lanes=LaneLimits(standing=1, most=1)) as desk:
            yield desk, served


def order(desk: StpDesk) -> Any:
    return desk.sell(TODAY, price="13000.00", quantity=7)


@pytest.mark.parametrize("where", ELSEWHERE)
async def test_an_answer_that_names_its_order_elsewhere_than_in_its_envelope_ends_the_lane(where: str) -> None:
    wire, first = ELSEWHERE[where]
    async with desk_at(first, wire) as (desk, served):
        assert not isinstance(await order(desk), Accepted)
        second = accepted(await order(desk)).order
        assert second is not None
        assert second.id == "101"
        assert served.connections >= 2


KNOWN: dict[str, tuple[Wire, Answering]] = {
    "json": ("json", lambda key: http_answer(said(transactionId=key), "200 OK", JSON)),
    "json at 429": ("json", lambda key: http_answer(said(transactionId=key), BUSY, JSON)),
    "xml": ("xml", lambda key: http_answer(xml(key, "<transactionId>{key}</transactionId>"), "200 OK", XML)),
    "xml with blanks": ("xml", lambda key: http_answer(xml(key, "<transactionId> {key} </transactionId>"), BUSY, XML)),
}  # fmt: skip


@pytest.mark.parametrize("form", KNOWN)
async def test_the_copy_of_an_answer_whose_envelope_names_its_order_decides_nothing(form: str) -> None:
    wire, first = KNOWN[form]
    async with desk_at(first, wire) as (desk, served):
        assert isinstance(await order(desk), Rejected)
        before = served.connections
        second: Outcome = await order(desk)
        assert isinstance(second, Unknown), second
        assert second.cause == "foreign_answer"
        assert served.connections == before  # it was the same lane


async def test_another_operation_s_busy_answer_refuses_no_order() -> None:
    """In XML the root tells whose it is; its envelope is then not read as this call's, and its status refuses nothing."""

    def first(key: str) -> bytes:
        return http_answer(xml(key, "<transactionId>{key}</transactionId>", "bidUpdateServiceResponse"), BUSY, XML)

    async with desk_at(first, "xml") as (desk, _):
        lost = await order(desk)
        assert isinstance(lost, Unknown), lost
        assert lost.cause == "http_status"
        assert "the answer of another operation" in lost.reason
        second = await order(desk)
        assert isinstance(second, Unknown), second
