"""Every scripted fault, seen from the wire and from the venue's log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.sandbox.epias_stp.caller import Floor, dumps, envelope, floor

BID = {
    "contractName": "GG20261201",
    "price": 100,
    "quantity": 5,
    "bidType": "STANDART_MATCH",
    "bidStatus": "ACTIVE",
    "direction": "BUY",
}


@pytest.fixture
async def f() -> AsyncIterator[Floor]:
    async with floor() as running:
        yield running


async def send(f: Floor) -> httpx.Response:
    return await f.one.send("bid_save", dumps(envelope(BID)))


async def sent(f: Floor) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a bid over a bare connection."""
    body = dumps(envelope(BID))
    ticket = await f.one.ticket()
    host, port = f.one.profile.stp_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST {f.one.profile.engine_path}/bid/save HTTP/1.1\r\nHost: {host}\r\nstp-service-ticket: {ticket}\r\n"
        f"Content-Type: application/json\r\nAccept: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    return reader, writer


async def raw(f: Floor) -> bytes:
    """Send a bid over a bare connection and return every byte until the server ends it."""
    reader, writer = await sent(f)
    received = await reader.read()
    writer.close()
    return received


def bids(f: Floor) -> int:
    return len(f.venue.market.bids)


@pytest.mark.parametrize(
    ("kind", "executed"),
    [
        ("close_before_read", False),
        ("drop_before_execute", False),
        ("drop_after_execute", True),
        ("rst_before_execute", False),
        ("rst_after_execute", True),
    ],
)
async def test_a_connection_can_end_without_an_answer(f: Floor, kind: Any, executed: bool) -> None:
    f.venue.faults.add(kind, operation="bid_save")
    with pytest.raises(httpx.TransportError):
        await send(f)
    assert bids(f) == int(executed)
    (call,) = f.venue.log
    assert (call.fault, call.executed) == (kind, executed)
    assert (await send(f)).json()["resultType"] == "SUCCESS"
    assert bids(f) == int(executed) + 1


@pytest.mark.parametrize(("kind", "executed"), [("silence_before_execute", False), ("silence_after_execute", True)])
async def test_silence_lasts_until_the_client_gives_up(f: Floor, kind: Any, executed: bool) -> None:
    f.venue.faults.add(kind)
    started = asyncio.get_running_loop().time()
    ticket = await f.one.ticket()
    with pytest.raises(httpx.ReadTimeout):
        await f.one.send("bid_save", dumps(envelope(BID)), ticket=ticket)
    assert asyncio.get_running_loop().time() - started == pytest.approx(5.0, abs=1.0)
    assert f.venue.log[0].executed is executed


async def test_silence_can_be_bounded(f: Floor) -> None:
    f.venue.faults.add("silence_before_execute", seconds=3.0)
    started = asyncio.get_running_loop().time()
    with pytest.raises(httpx.RemoteProtocolError):
        await send(f)
    assert asyncio.get_running_loop().time() - started == 3.0


@pytest.mark.parametrize("at_byte", [None, 0, 10, 10_000])
async def test_an_answer_can_stop_in_the_middle(f: Floor, at_byte: int | None) -> None:
    f.venue.faults.add("half_answer", at_byte=at_byte)
    head, _, body = (await raw(f)).partition(b"\r\n\r\n")
    promised = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    expected = {None: promised // 2, 0: 0, 10: 10, 10_000: promised}[at_byte]
    assert len(body) == expected
    assert bids(f) == 1


async def test_an_answer_can_come_slowly(f: Floor) -> None:
    f.venue.faults.add("slow_answer", seconds=1.0, chunk=50)
    started = asyncio.get_running_loop().time()
    answer = await send(f)
    assert answer.json()["resultType"] == "SUCCESS"
    assert asyncio.get_running_loop().time() - started == -(-len(answer.content) // 50)
    f.venue.faults.add("slow_answer")
    assert (await send(f)).json()["resultType"] == "SUCCESS"


async def test_a_kept_alive_connection_can_end_after_the_answer(f: Floor) -> None:
    f.venue.faults.add("close_after_answer", seconds=2.0)
    received = await raw(f)
    assert b'"SUCCESS"' in received
    assert b"connection: close" not in received.lower()
    f.venue.faults.add("close_after_answer")
    assert (await send(f)).json()["resultType"] == "SUCCESS"


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize(("status", "retry_after"), [(502, None), (401, None), (429, "7"), (200, None)])
async def test_a_status_can_come_without_an_envelope(
    f: Floor, status: int, retry_after: str | None, executed: bool
) -> None:
    f.venue.faults.add("status", status=status, retry_after=retry_after, executed=executed)
    answer = await send(f)
    assert (answer.status_code, answer.content) == (status, b"")
    assert answer.headers.get("retry-after") == retry_after
    assert bids(f) == int(executed)


async def test_pages_redirects_and_raw_bytes(f: Floor) -> None:
    f.venue.faults.add("html")
    page = await send(f)
    assert (page.status_code, page.text[:15]) == (200, "<!DOCTYPE html>")
    f.venue.faults.add("redirect", location="https://elsewhere.invalid/")
    away = await send(f)
    assert (away.status_code, away.headers["location"]) == (302, "https://elsewhere.invalid/")
    f.venue.faults.add("raw", content=b'{"resultCode":', status=500)
    cut = await send(f)
    assert (cut.status_code, cut.content, cut.headers["content-type"]) == (500, b'{"resultCode":', "application/json")
    assert bids(f) == 0


async def test_a_ban_holds_for_its_time(f: Floor) -> None:
    f.venue.faults.add("ban", user="TRADER1", seconds=60.0)
    assert [(await send(f)).status_code for _ in range(2)] == [403, 403]
    await asyncio.sleep(61)
    assert (await send(f)).status_code == 200


async def test_leaves_can_come_in_wrong_types(f: Floor) -> None:
    f.venue.faults.add("wrong_types", times=2)
    assert (await send(f)).json()["body"] == {"bidResponse": {"id": {"unexpected": "1000001"}}}
    depth = await f.one.send("activecontracts_depth", dumps(envelope({"contractName": "GG20261201"})))
    assert depth.json()["body"]["contractBuyDepths"] == [{"price": "many", "amount": "many", "owner": "many"}]
    f.venue.faults.add("wrong_types")
    refused = await f.one.send("activecontracts_depth", dumps(envelope({"contractName": "GG1"})))
    assert refused.json()["resultType"] == "BUSINESSERROR"


async def test_an_answer_can_name_another_transaction(f: Floor) -> None:
    f.venue.faults.add("wrong_transaction_id")
    assert (await send(f)).json()["transactionId"] == "00000000-0000-4000-8000-000000000000"
    assert bids(f) == 1


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize(
    ("result_type", "code", "status"),
    [("SYSTEMERROR", "SYS-0001", None), ("SECURITYERROR", "SEC-0002", 401), ("SUCCESS", "0", None), ("ODD", "9", 400)],
)
async def test_the_result_can_be_overridden(
    f: Floor, result_type: str, code: str, status: int | None, executed: bool
) -> None:
    f.venue.faults.add("result", result_type=result_type, result_code=code, status=status, executed=executed)
    answer = await send(f)
    assert answer.status_code == (status or 200)
    said = json.loads(answer.content)
    assert (said["resultType"], said["resultCode"], "body" in said) == (result_type, code, False)
    assert bids(f) == int(executed)
    assert f.venue.log[0].executed is executed


@pytest.mark.parametrize("kind", ["drop_after_execute", "half_answer", "slow_answer", "close_after_answer", None])
async def test_a_client_that_left_early_disturbs_nobody(f: Floor, kind: Any) -> None:
    f.venue.knobs.latency_s = 5.0
    if kind is not None:
        f.venue.faults.add(kind)
    ticket = await f.one.ticket()
    with pytest.raises(httpx.ReadTimeout):
        await f.http.post(
            f.one.profile.stp_url + f.one.profile.engine_path + "/bid/save",
            content=dumps(envelope(BID)),
            headers={"stp-service-ticket": ticket, "Content-Type": "application/json"},
            timeout=1.0,
        )
    assert bids(f) == 0
    await asyncio.sleep(10)
    assert bids(f) == 1
    assert f.venue.log[0].transaction_id


async def test_a_call_stopped_before_the_engine_is_logged_with_its_transaction(f: Floor) -> None:
    f.venue.faults.add("status", status=503)
    content = envelope(BID)
    await f.one.send("bid_save", dumps(content))
    assert f.venue.log[0].transaction_id == content["headers"][0]["value"]
    assert (f.venue.log[0].application, f.venue.log[0].result_type) == ("tests", None)


async def test_a_client_that_leaves_in_the_middle_of_an_answer_is_no_error_of_the_venue(
    f: Floor, caplog: pytest.LogCaptureFixture
) -> None:
    f.venue.faults.add("slow_answer", operation="bid_save", chunk=1, seconds=0.1)
    reader, writer = await sent(f)
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()
    await asyncio.sleep(60)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
