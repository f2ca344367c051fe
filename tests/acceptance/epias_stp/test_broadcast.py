"""Golden test T60 of the specification: the broadcaster, over the sandbox's WebSocket."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from gridwire.epias_stp import EpiasStp, Message
from gridwire.errors import ConfigurationError, CredentialsRefused, WrongLoop
from gridwire.transport.websocket import Connection
from tests.acceptance.epias_stp.floor import BID, TODAY, Floor, Wire, accepted, floor, until


async def some(stream: Any, count: int) -> list[Any]:
    """The next ``count`` events."""
    async with asyncio.timeout(600):
        return [await anext(stream) for _ in range(count)]


async def collect(stream: Any) -> list[Any]:
    """Everything to the end."""
    async with asyncio.timeout(600):
        return [event async for event in stream]


async def until_next_connection(f: Floor, stream: Any) -> list[Any]:
    """Everything up to and with the next ``connected``."""
    seen: list[Any] = []
    async with asyncio.timeout(600):
        while not (seen and seen[-1] == Connection("connected")):
            seen.append(await anext(stream))
    await until(lambda: f.venue.broadcast.connected == 1)
    return seen


async def test_T60_heartbeats_are_dropped_and_messages_come_in_order(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        stream = f.stp.broadcast()
        assert await until_next_connection(f, stream) == [Connection("connected")]
        for number in range(50):
            f.venue.broadcast.publish("X")
            f.venue.broadcast.publish(f"message {number}")
            f.venue.broadcast.publish(" X\n")
        messages = await some(stream, 50)
        assert [message.text for message in messages] == [f"message {number}" for number in range(50)]

        await asyncio.sleep(600)  # sixty heart-beats, and no silence
        f.venue.broadcast.publish("after them")
        (message,) = await some(stream, 1)
        assert isinstance(message, Message)
        assert message.text == "after them"
        assert message.received.utcoffset() is not None
        assert len(f.venue.log.calls("endpoint_get")) == 1


async def test_T60_silence_is_noticed_and_dialled_again_with_a_new_address_and_a_new_ticket(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        loop = asyncio.get_running_loop()
        stream = f.stp.broadcast(silence_s=35)
        await until_next_connection(f, stream)
        f.venue.broadcast.publish("before")
        f.venue.broadcast.silent = True
        began = loop.time()
        before, lost = await some(stream, 2)
        assert before.text == "before"
        assert (lost.state, lost.reason) == ("lost", "nothing came for 35 s, not even a heart-beat")
        assert loop.time() - began == pytest.approx(35, abs=0.5)
        f.venue.broadcast.silent = False
        assert await until_next_connection(f, stream) == [Connection("connected")]
        f.venue.broadcast.publish("after")
        (after,) = await some(stream, 1)
        assert after.text == "after"
        first, second = f.venue.log.calls("endpoint_get")
        assert first.ticket != second.ticket
        assert first.transaction_id != second.transaction_id
        assert (first.ticket_problem, second.ticket_problem) == ("", "")


async def test_T60_a_dropped_connection_is_told_in_the_stream_and_dialled_again() -> None:
    async with floor() as f:
        stream = f.stp.broadcast()
        for attempt in range(3):
            seen = await until_next_connection(f, stream)
            assert [event.state for event in seen] == ["lost", "connected"][0 if attempt else 1 :]
            f.venue.broadcast.drop()
        assert len({call.ticket for call in f.venue.log.calls("endpoint_get")}) == 3


async def test_T60_an_address_that_cannot_be_had_is_asked_for_again() -> None:
    async with floor() as f:
        f.venue.faults.add("result", operation="endpoint_get", times=4)
        f.venue.faults.add("html", operation="endpoint_get")
        stream = f.stp.broadcast()
        seen = await until_next_connection(f, stream)
        assert [event.state for event in seen] == ["lost", "lost", "connected"]
        assert "SYS-0001" in seen[0].reason
        assert "A web page came instead of STP's answer" in seen[1].reason
        assert all(event.retry_in_s is not None for event in seen[:-1])


async def test_T60_what_the_market_does_is_told() -> None:
    async with floor() as f:
        stream = f.stp.broadcast()
        await until_next_connection(f, stream)
        accepted(await f.stp.bids.save(TODAY, **BID))
        (message,) = await some(stream, 1)
        assert TODAY in message.text


async def test_an_unencrypted_address_ends_the_stream_and_says_who_named_it() -> None:
    async with floor() as f:
        answer = {
            "resultCode": "0", "resultType": "SUCCESS", "resultDescription": "",
            "body": {"broadcastAddress": "ws://10.0.0.7:8080/x?token=secret", "headers": []},
        }  # fmt: skip
        f.venue.faults.add("raw", operation="endpoint_get", content=json.dumps(answer).encode())
        with pytest.raises(ConfigurationError) as caught:
            await collect(f.stp.broadcast())
        said = str(caught.value)
        assert said.startswith("STP named an unencrypted address for its broadcast (ws://10.0.0.7:8080/x).")
        assert "ask EPİAŞ support" in said
        assert "Use wss" not in said


async def test_T60_refused_credentials_end_the_stream_with_that_error() -> None:
    async with floor() as f:
        stp = await f.client(replace(f.account(), password=SecretStr("wrong")))
        stream = stp.broadcast()
        with pytest.raises(CredentialsRefused):
            await anext(stream)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        assert f.venue.cas.count("login_refused") == 1


async def test_T60_the_stream_ends_with_its_client_and_is_not_begun_without_one() -> None:
    async with floor() as f:
        stp = EpiasStp(f.account())
        with pytest.raises(WrongLoop, match="not open"):
            stp.broadcast()
        async with stp:
            stream = stp.broadcast()
            await until_next_connection(f, stream)
            reader = asyncio.create_task(collect(stream))
            await asyncio.sleep(1)
        assert await reader == [Connection("closed")]
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        await until(lambda: f.venue.broadcast.connected == 0)
