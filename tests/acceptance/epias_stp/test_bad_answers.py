"""Hostile, damaged and foreign answers: nothing is believed, and the sentence says what it means for the bid."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from gridwire.epias_stp.errors import StpError, StpProtocolError, StpSecurityError
from gridwire.errors import GridwireError, NoAnswer
from gridwire.outcome import Rejected, Unknown
from tests.acceptance.epias_stp.floor import BID, TODAY, TOMORROW, Floor, Wire, accepted, floor
from tests.support.raw_server import RawServer, http_answer, raw_server, read_request

JSON, XML, HTML = "Content-Type: application/json", "Content-Type: application/xml", "Content-Type: text/html"
DOWN = b"<html><head><title>Bak\xc4\xb1m</title></head><body>Giri\xc5\x9f yap\xc4\xb1n</body></html>"
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(8))
    + b"]><bidSaveServiceResponse><resultCode>&i;</resultCode></bidSaveServiceResponse>"
)
EXTERNAL = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b"<bidSaveServiceResponse><resultCode>&x;</resultCode></bidSaveServiceResponse>"
)
OK = b'{"resultCode":"0","resultDescription":"OK","resultType":"SUCCESS","body":{"bidResponse":{"id":"77"}}}'


def deep(levels: int) -> bytes:
    return b'{"resultType":"SUCCESS","resultCode":"0","body":' + b"[" * levels + b"]" * levels + b"}"


UNREADABLE: dict[str, tuple[bytes, str]] = {
    "json over 8 MiB": (http_answer(b'{"x":"' + b"y" * (9 << 20) + b'"}', "200 OK", JSON), "answered with more than"),
    "xml over 8 MiB": (http_answer(b"<a>" + b"y" * (9 << 20) + b"</a>", "200 OK", XML), "answered with more than"),
    "entity bomb": (http_answer(BOMB, "200 OK", XML), "carries a document type or entity declaration"),
    "external entity": (http_answer(EXTERNAL, "200 OK", XML), "carries a document type or entity declaration"),
    "deep json": (http_answer(deep(200), "200 OK", JSON), "nested deeper than 64 levels"),
    "very deep json": (http_answer(deep(200_000), "200 OK", JSON), "nested"),
    "deep xml": (http_answer(b"<a>" * 200 + b"</a>" * 200, "200 OK", XML), "nested deeper than 64 levels"),
    "very deep xml": (http_answer(b"<a>" * 100_000 + b"</a>" * 100_000, "200 OK", XML), "not well-formed|nested"),
    "half a json": (http_answer(OK[:50], "200 OK", JSON), "cannot be read as JSON of STP"),
    "half an xml": (http_answer(b"<bidSaveServiceResponse><resultCode>0", "200 OK", XML), "not well-formed XML"),
    "latin json": (http_answer(b'{"resultType":"SUCCESS","resultCode":"\xfd"}', "200 OK", JSON), "not UTF-8"),
    "latin xml": (http_answer(b"<a>\xfd</a>", "200 OK", XML), "not UTF-8"),
    "half of utf-16": (http_answer(OK.decode().encode("utf-16")[:51], "200 OK", JSON), "cannot be read as JSON"),
    "a field twice": (http_answer(b'{"resultType":"SUCCESS",' + OK[1:], "200 OK", JSON), "names a field twice"),
    "not a number": (http_answer(b'{"x":NaN,' + OK[1:], "200 OK", JSON), "NaN, which is no JSON number"),
    "endless number": (http_answer(b'{"x":' + b"9" * 5000 + b"," + OK[1:], "200 OK", JSON), "a number of 5000 digits"),
    "a list": (http_answer(b"[" + OK + b"]", "200 OK", JSON), "neither a resultType nor a resultCode"),
    "another service": (http_answer(b'{"status":"UP"}', "200 OK", JSON), "neither a resultType nor a resultCode"),
    "nothing": (http_answer(b"", "200 OK", JSON), "The answer is empty"),
    "no content": (http_answer(b"", "204 No Content"), "The answer is empty"),
    "packed": (
        http_answer(gzip.compress(OK), "200 OK", JSON, "Content-Encoding: br"),
        "in the coding br, which nobody asked for",
    ),
    "words": (http_answer(b"Service unavailable, please retry your order", "200 OK"), "cannot be read as JSON"),
    "another operation": (
        http_answer(
            b"<contractGetServiceResponse><resultCode>0</resultCode></contractGetServiceResponse>", "200 OK", XML
        ),
        "the answer of another operation",
    ),
}

FOREIGN: dict[str, tuple[bytes, str, str]] = {
    "page": (http_answer(DOWN, "200 OK", HTML), "A web page came instead of STP's answer", "unreadable"),
    "page as json": (http_answer(DOWN, "200 OK", JSON), "A web page came instead of STP's answer", "unreadable"),
    "page 403": (http_answer(DOWN, "403 Forbidden", HTML), "A web page came instead of STP's answer (HTTP 403)", "http_status"),
    "page 503": (http_answer(DOWN, "503 Busy", HTML), "A web page came instead of STP's answer (HTTP 503)", "http_status"),
    "401": (http_answer(b"", "401 Unauthorized"), "(HTTP 401)", "http_status"),
    "500": (http_answer(b"oops", "500 Error"), "(HTTP 500)", "http_status"),
    "404": (http_answer(b"", "404 Not Found"), "HTTP 404 usually means that the profile's engine_path is wrong", "http_status"),
    "302": (http_answer(b"", "302 Found", "Location: http://127.0.0.1:1/"), "A redirect came instead of STP's answer", "redirect"),
    "success by redirect": (http_answer(OK, "302 Found", JSON), "A redirect came instead of STP's answer", "redirect"),
}  # fmt: skip


@asynccontextmanager
async def answering_as_stp(answer: bytes) -> AsyncIterator[RawServer]:
    """A server in STP's place that gives every request the same answer."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            served.requests.append(await read_request(reader))
            writer.write(answer)
            await writer.drain()

    async with raw_server(behave) as served:
        yield served


async def bid_against(f: Floor, answer: bytes, wire: Wire, **options: Any) -> tuple[Any, int]:
    """The outcome of a bid that is answered like this, and how many requests there were."""
    async with answering_as_stp(answer) as served:
        stp = await f.client(f.account(stp_url=served.url), message_format=wire, **options)
        outcome = await stp.bids.save(TODAY, **BID)
        assert stp.unknown() == ([outcome] if isinstance(outcome, Unknown) else [])
        return outcome, len(served.requests)


async def read_against(f: Floor, answer: bytes, wire: Wire) -> tuple[GridwireError, int]:
    """The error of a read that is answered like this, and how many requests there were."""
    async with answering_as_stp(answer) as served:
        stp = await f.client(f.account(stp_url=served.url), message_format=wire)
        with pytest.raises(GridwireError) as caught:
            await stp.contracts.depth(TODAY)
        return caught.value, len(served.requests)


@pytest.mark.parametrize("name", list(UNREADABLE))
async def test_answer_that_cannot_be_read_leaves_a_bid_unknown_and_says_so(name: str) -> None:
    answer, sentence = UNREADABLE[name]
    async with floor() as f:
        outcome, requests = await bid_against(f, answer, "json")
        assert isinstance(outcome, Unknown)
        assert outcome.cause == "unreadable"
        assert requests == 1
        assert any(part in outcome.reason for part in sentence.split("|")), outcome.reason
        assert "The bid may be resting, matched, or not there at all." in outcome.reason
        assert f"quoting transactionId {outcome.intent.key}" in outcome.reason
        assert len(outcome.reason) < 700, "a sentence, not a dump"


@pytest.mark.parametrize("name", list(UNREADABLE))
async def test_answer_that_cannot_be_read_is_an_error_of_a_read(name: str) -> None:
    answer, sentence = UNREADABLE[name]
    async with floor() as f:
        error, requests = await read_against(f, answer, "xml")
        assert isinstance(error, (StpProtocolError, NoAnswer))
        assert any(part in str(error) for part in sentence.split("|")), str(error)
        assert requests == 3, "read again twice"


@pytest.mark.parametrize("name", list(FOREIGN))
async def test_answer_of_something_in_front_of_stp_leaves_a_bid_unknown(name: str, wire: Wire) -> None:
    answer, sentence, cause = FOREIGN[name]
    async with floor() as f:
        outcome, requests = await bid_against(f, answer, wire, resend_on_security_error=True, retry_cancel=True)
        assert isinstance(outcome, Unknown)
        assert outcome.cause == cause
        assert requests == 1
        assert sentence in outcome.reason
        assert "The bid may be resting, matched, or not there at all." in outcome.reason
        assert "Bakım" not in outcome.reason


@pytest.mark.parametrize(
    ("name", "requests"), [("page", 1), ("page 403", 2), ("401", 2), ("302", 1), ("404", 1), ("500", 3)]
)
async def test_answer_of_something_in_front_of_stp_is_an_error_of_a_read(name: str, requests: int) -> None:
    answer, sentence, _ = FOREIGN[name]
    async with floor() as f:
        error, asked = await read_against(f, answer, "json")
        assert isinstance(error, StpError)
        assert isinstance(error, StpSecurityError) is (name in ("page", "page 403", "401", "302"))
        assert sentence in str(error)
        assert "nothing was changed" in str(error)
        assert asked == requests


async def test_redirect_is_not_followed_with_a_ticket() -> None:
    async with floor() as f, answering_as_stp(http_answer(OK, "200 OK", JSON)) as elsewhere:
        moved = http_answer(b"", "307 Temporary Redirect", f"Location: {elsewhere.url}/bid/save")
        outcome, _ = await bid_against(f, moved, "json")
        assert isinstance(outcome, Unknown)
        assert elsewhere.connections == 0


async def test_answer_to_another_transaction_is_no_answer_to_a_bid(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        f.venue.faults.add("wrong_transaction_id")
        outcome = await f.stp.bids.save(TODAY, **BID)
        assert isinstance(outcome, Unknown)
        assert outcome.cause == "foreign_answer"
        assert (
            "The answer names transactionId 00000000-0000-4000-8000-000000000000, which is not ours" in outcome.reason
        )
        assert len(f.venue.log.executed("bid_save")) == 1
        assert len(f.told("answer.foreign")) == 1

        f.venue.faults.add("wrong_transaction_id")
        await f.stp.contracts.standard()  # a read is only warned of
        assert len(f.told("answer.foreign")) == 2


async def test_success_without_the_bids_number_is_unknown(wire: Wire) -> None:
    nameless = http_answer(OK.replace(b'"id":"77"', b'"id":null'), "200 OK", JSON)
    async with floor() as f:
        outcome, requests = await bid_against(f, nameless, wire)
        assert isinstance(outcome, Unknown)
        assert (outcome.cause, requests) == ("no_id", 1)
        assert "The answer says SUCCESS and names no bid" in outcome.reason


async def test_numbers_of_the_wrong_type_do_not_undo_an_accepted_bid_and_fail_a_read(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        f.venue.faults.add("wrong_types", operation="activecontracts_depth", times=None)
        await f.bid()
        with pytest.raises(StpProtocolError, match="values that do not fit its own definition"):
            await f.stp.contracts.depth(TODAY)
        assert len(f.venue.log.calls("activecontracts_depth")) == 3

        f.venue.faults.add("wrong_types", operation="bid_save")
        outcome = await f.stp.bids.save(TODAY, **BID)
        assert isinstance(outcome, Unknown)
        assert outcome.cause == "no_id"


async def test_answer_in_the_other_format_is_read_all_the_same() -> None:
    async with floor() as f:
        outcome, _ = await bid_against(f, http_answer(OK, "200 OK", JSON), "xml")
        order = accepted(outcome).order
        assert order is not None
        assert order.id == "77"


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "401 Unauthorized", "500 Error"])
async def test_T23_the_venues_own_refusal_holds_at_any_status(status: str, wire: Wire) -> None:
    said = OK.replace(b'"0"', b'"BID-9"').replace(b"SUCCESS", b"BUSINESSERROR").replace(b"OK", b"Yetersiz teminat")
    async with floor() as f:
        outcome, requests = await bid_against(f, http_answer(said, status, JSON), wire)
        assert isinstance(outcome, Rejected)
        assert (outcome.origin, outcome.code, requests) == ("venue", "BID-9", 1)
        assert 'STP refused it under its rules: "Yetersiz teminat"' in outcome.reason
        assert "No bid was placed." in outcome.reason


@pytest.mark.parametrize(
    "said",
    [
        OK.replace(b"SUCCESS", b"PARTIALSUCCESS"),
        OK.replace(b'"0"', b'"17"'),
        OK.replace(b"SUCCESS", b"BUSINESSERROR"),
        OK.replace(b'"resultType":"SUCCESS",', b""),
        OK.replace(b"SUCCESS", b"SUCCESS, BUSINESSERROR, SYSTEMERROR, SECURITYERROR"),
    ],
)
async def test_T23_answers_that_contradict_themselves_leave_a_bid_unknown(said: bytes) -> None:
    async with floor() as f:
        outcome, requests = await bid_against(f, http_answer(said, "200 OK", JSON), "json")
        assert isinstance(outcome, Unknown)
        assert (outcome.cause, requests) == ("contradictory", 1)


async def test_prices_of_many_digits_are_exact(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        for cents in (1, 10, 1_234_567, 2_999_999):
            await f.bid(contract=TOMORROW, price=None, price_cents=cents)
        prices = [level.price for level in (await f.stp.contracts.depth(TOMORROW)).buys]
        assert [str(price) for price in prices] == ["29999.99", "12345.67", "0.10", "0.01"]
        assert sum(price or 0 for price in prices) == Decimal("42345.77")
