from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from tests.sandbox.epias_stp.caller import Floor, dumps, envelope, floor
from tests.support import openapi

TODAY = "GG20261201"


@pytest.fixture
async def f() -> AsyncIterator[Floor]:
    async with floor() as running:
        yield running


async def endpoint(f: Floor, wire: str = "json") -> dict[str, Any]:
    profile, media_type = f.one.profile, f"application/{wire}"
    api, value = openapi.broadcaster(), envelope()
    content = dumps(value) if wire == "json" else api.to_xml("endpoint_get", "request", value)
    answer = await f.http.post(
        f"{profile.stp_url}{profile.broadcaster_path}/endpoint/get",
        content=content,
        headers={"stp-service-ticket": await f.one.ticket(), "Content-Type": media_type, "Accept": media_type},
    )
    read: dict[str, Any] = api.read("endpoint_get", "response", answer.content)
    assert read["resultType"] == "SUCCESS"
    body: dict[str, Any] = read["body"]
    return body


def listen(body: dict[str, Any]) -> connect:
    return connect(body["broadcastAddress"], proxy=None, ping_interval=None)


@pytest.mark.parametrize("wire", ["json", "xml"])
async def test_the_address_is_told_in_both_formats_and_logged(f: Floor, wire: str) -> None:
    body = await endpoint(f, wire)
    assert body["broadcastAddress"].startswith(f.one.profile.stp_url.replace("http", "ws"))
    assert body["broadcastAddress"].startswith(body["broadcastBase"])
    assert body["headers"][0]["name"] == "Authorization"
    assert [call.operation for call in f.venue.log.executed()] == ["endpoint_get"]


async def test_a_token_opens_one_socket_and_only_for_a_minute(f: Floor) -> None:
    body, late = await endpoint(f), await endpoint(f)
    async with listen(body) as socket:
        await socket.ping()
    for address in (body["broadcastAddress"], body["broadcastBase"] + "/stp-broadcaster/socket"):
        with pytest.raises(InvalidStatus):
            await listen({"broadcastAddress": address})
    await asyncio.sleep(61)
    with pytest.raises(InvalidStatus):
        await listen(late)


async def test_heart_beats_come_at_the_configured_pace_between_the_events(f: Floor) -> None:
    f.venue.knobs.heartbeat_s = 5.0
    loop = asyncio.get_running_loop()
    async with listen(await endpoint(f)) as socket:
        started = loop.time()
        assert [await socket.recv(), await socket.recv()] == ["X", "X"]
        assert loop.time() - started == pytest.approx(10.0)
        await socket.send("whatever a client says is ignored")
        await f.one.bid(TODAY, "BUY", "100", 5)
        await f.two.bid(TODAY, "SELL", "100", 5)
        frames = [json.loads(await socket.recv()) for _ in range(3)]
        assert [frame["type"] for frame in frames] == ["depth", "matching", "depth"]
        assert frames[1]["price"] == 100
        f.venue.broadcast.publish("anything")
        assert await socket.recv() == "anything"


async def test_the_beat_lets_time_pass_in_the_market(f: Floor) -> None:
    f.venue.knobs.heartbeat_s = 3600.0
    async with listen(await endpoint(f)) as socket:
        while (frame := await socket.recv()) == "X":
            pass
        assert json.loads(frame)["type"] == "contract"


async def test_heart_beats_can_fall_silent(f: Floor) -> None:
    f.venue.broadcast.silent = True
    async with listen(await endpoint(f)) as socket:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(socket.recv(), 60)


async def test_sockets_can_be_dropped_and_are_closed_with_the_venue(f: Floor) -> None:
    first = await listen(await endpoint(f))
    assert f.venue.broadcast.connected == 1
    f.venue.broadcast.drop()
    with pytest.raises(ConnectionClosedError):
        await first.recv()
    second = await listen(await endpoint(f))
    assert f.venue.broadcast.connected == 1
    await f.venue.broadcast.close()
    with pytest.raises(ConnectionClosed) as closed:
        await second.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    await asyncio.sleep(1)
    assert f.venue.broadcast.connected == 0


async def test_a_socket_far_behind_is_cut_off(f: Floor) -> None:
    await listen(await endpoint(f))
    for number in range(1001):
        f.venue.broadcast.publish({"number": number})
    await asyncio.sleep(1)
    assert f.venue.broadcast.connected == 0
