"""Endings that only a TCP socket can show."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.sandbox.epias_stp.caller import dumps, envelope, floor


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return ("asyncio", {})


@pytest.mark.parametrize(
    ("kind", "reset"), [("rst_after_execute", True), ("rst_before_execute", True), ("drop_after_execute", False)]
)
async def test_a_reset_is_a_reset_and_a_drop_is_an_end_of_stream(kind: Any, reset: bool) -> None:
    async with floor() as f:
        ticket = await f.one.ticket()
        f.venue.faults.add(kind)
        port = int(f.one.profile.stp_url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = dumps(envelope())
        head = (
            f"POST {f.one.profile.engine_path}/contract-status/list HTTP/1.1\r\nHost: x\r\nstp-service-ticket: {ticket}"
            f"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        if reset:
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.read(), 5)
        else:
            assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        assert f.venue.log[0].fault == kind


async def test_a_call_left_hanging_does_not_hold_up_the_end_of_the_sandbox() -> None:
    loop = asyncio.get_running_loop()
    async with floor() as f:
        f.venue.faults.add("silence_before_execute")
        hanging = asyncio.create_task(f.one.send("contract_status_list", dumps(envelope())))
        async with asyncio.timeout(5):
            while len(f.venue.log) == 0:  # noqa: ASYNC110 - the log is plain memory and tells nobody
                await asyncio.sleep(0.005)
        assert len(f.venue.log) == 1
        hanging.cancel()
        started = loop.time()
    assert loop.time() - started < 3.0
