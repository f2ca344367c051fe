"""Answers whose letters a gateway or a framework has written in another way than the venue: they mean the same."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gridwire.outcome import Accepted
from gridwire.siooi import Siooi
from tests.acceptance.siooi.office import FORM, OBJECT, PERIOD, office
from tests.support.raw_server import Behaviour, raw_server, read_request

Change = Callable[[bytes], tuple[str, bytes]]


def text_of(body: bytes) -> str:
    """The SOAP answer of the sandbox, which is in windows-1251, without its declaration."""
    declaration = re.match(rb"\s*<\?xml[^>]*windows-1251[^>]*\?>", body)
    assert declaration is not None
    return body[declaration.end() :].decode("cp1251")


def as_dot_net(body: bytes) -> tuple[str, bytes]:
    """UTF-16 is declared, because the text was a string once; what is sent is UTF-8, and the header says so."""
    return "text/xml; charset=utf-8", f'<?xml version="1.0" encoding="utf-16"?>{text_of(body)}'.encode()


def by_the_header_alone(body: bytes) -> tuple[str, bytes]:
    return "text/xml; charset=koi8-r", text_of(body).encode("koi8-r", "xmlcharrefreplace")


def with_a_raw_line_break(body: bytes) -> tuple[str, bytes]:
    return "application/json", body.replace(b"{", b'{"trace": "Failure\r\n\tat ru.example.Rule", ', 1)


def relaying(port: int, change: Change) -> Behaviour:
    """Hand one request on to the venue, and its answer back with a changed body."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        back, forth = await asyncio.open_connection("127.0.0.1", port)
        forth.write(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        head, _, body = (await back.read()).partition(b"\r\n\r\n")
        forth.close()
        kind, body = change(body) if body else ("text/plain", body)
        kept = [line for line in head.split(b"\r\n") if not re.match(rb"(?i)content-(length|type):|connection:", line)]
        written = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        writer.write(b"\r\n".join(kept) + b"\r\n" + written + body)
        await writer.drain()

    return behave


@pytest.mark.parametrize(
    ("wire", "change"), [("soap", as_dot_net), ("soap", by_the_header_alone), ("json", with_a_raw_line_break)]
)
async def test_a_document_is_taken_and_its_job_is_followed(wire: str, change: Change, tmp_path: Path) -> None:
    async with office(tmp_path) as at:
        account = at.account(wire)
        url = account.profile.base_url
        port = urlsplit(url).port
        assert port is not None
        async with raw_server(relaying(port, change)) as relay:
            there = url.replace(f"127.0.0.1:{port}", relay.url.removeprefix("http://"))
            changed = replace(account, profile=account.profile.model_copy(update={"base_url": there}))
            async with Siooi(changed, journal=at.journal, schemas=at.venue.schemas) as client:
                file = at.venue.folder / "documents" / f"{FORM}__{OBJECT}__{PERIOD}.xml"
                document = await client.prepare(file, form_code=FORM, object_key=OBJECT, period=PERIOD)
                outcome = await client.submit(document, confirm=True)
                assert isinstance(outcome, Accepted), outcome
    assert at.states() == ["queued"]
