"""Golden tests 33 to 37: what ends a link, and what follows."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from gridwire import clock
from gridwire.edsn_pie.link_errors import EdsnLinkError, EdsnTlsError
from gridwire.edsn_pie.stream import ConsumerOptions, LinkState, PossibleLoss, Received
from gridwire.sandbox.serving import Authority
from gridwire.transport.amqp import MAX_MESSAGE_BYTES, Settled, encode
from gridwire.transport.amqp_client import AmqpClient, Broker
from gridwire.transport.amqp_failure import AmqpFailure
from gridwire.transport.amqp_message import AmqpMessage
from gridwire.transport.sasl import plain
from gridwire.transport.tls import Network
from tests.support.amqp_world import QUEUE, amqp_world, handle, message, next_received, number_of, until_state
from tests.support.hostile_broker import (
    FALSE,
    TRUE,
    binary,
    frame,
    hostile_broker,
    listed,
    performative,
    sent,
    settling,
    transfer,
    uint,
)
from tests.support.raw_server import raw_server


async def test_G33_a_silent_broker_is_noticed_within_the_idle_time_out() -> None:
    async with amqp_world() as world:
        world.put(1)
        world.broker.faults.add("silence", after=1)
        loop = asyncio.get_running_loop()
        async with world.consumer(idle_timeout_s=10) as consumer:
            assert await handle(consumer, 1) == [1]
            silent_since = loop.time()
            world.put(2)
            lost = await until_state(consumer, "lost")
            assert loop.time() - silent_since == pytest.approx(10, abs=0.1)
            assert "Nothing came from the broker" in lost.reason
            assert await handle(consumer, 1) == [2]


async def test_G33_a_broker_that_wants_to_hear_from_us_does() -> None:
    async with amqp_world() as world:
        world.broker.knobs.idle_timeout_s = 4
        async with world.consumer(idle_timeout_s=0) as consumer:
            await until_state(consumer, "streaming")
            await asyncio.sleep(600)
            world.put(1)
            assert await handle(consumer, 1) == [1]
            assert consumer.counts.connections == 1


@pytest.mark.parametrize("kind", ["drop", "half_frame", "garbage", "huge_frame"])
async def test_G34_an_end_inside_a_frame_or_garbage_is_passing_trouble(kind: str) -> None:
    async with amqp_world() as world:
        world.put(*range(10))
        world.broker.faults.add(kind, after=3)  # type: ignore[arg-type]
        async with world.consumer(credit=3) as consumer:
            async with asyncio.timeout(90):
                assert sorted(await handle(consumer, 10)) == list(range(10))
            assert consumer.counts.connections == 2
        assert world.queue.accepted == 10


NOT_AMQP = "The broker sent what is not AMQP 1.0"
WELL_FRAMED: dict[str, tuple[bytes, str | None]] = {
    "an unknown performative": (performative(0x99), NOT_AMQP),
    "one zero byte": (frame(b"\x00"), NOT_AMQP),
    "no described value": (frame(b"\xff" * 20), NOT_AMQP),
    "a descriptor that is a text": (frame(b"\x00\xa1\x01x" + listed()), NOT_AMQP),
    "an unknown symbol": (frame(b"\x00\xa3\x0eamqp:nope:list" + listed()), NOT_AMQP),
    "a transfer by its symbol": (frame(b"\x00\xa3\x12amqp:transfer:list" + listed(uint(0), uint(0))), NOT_AMQP),
    "a list that is cut": (frame(b"\x00\x53\x14\xd0\x00\x00\x00\xff\x00\x00\x00\x05\x43"), NOT_AMQP),
    "a transfer that is a map": (frame(b"\x00\x53\x14\xc1\x01\x00"), NOT_AMQP),
    "a list that counts too many": (frame(b"\x00\x53\x14\xc0\x05\xc8\x43\x43\xa0\x01"), NOT_AMQP),
    "a handle that is a text": (performative(0x14, b"\xa1\x01x", uint(0), binary(b"t"), uint(0)), NOT_AMQP),
    "a flow of texts": (performative(0x13, *[b"\xa1\x01x"] * 9), None),
    "an empty disposition": (performative(0x15), None),
    "an empty detach": (performative(0x16), "The broker ended the link"),
    "a detach of an unknown handle": (performative(0x16, uint(7), TRUE), NOT_AMQP),
    "the end of an unknown session": (performative(0x17, channel=5), NOT_AMQP),
    "a flow of an unknown session": (performative(0x13, uint(0), uint(1), uint(0), uint(1), channel=5), NOT_AMQP),
    "a link of an unknown session": (performative(0x12, binary(b"x"), uint(0), FALSE, channel=5), NOT_AMQP),
    "a login after the login": (performative(0x44, b"\x50\x00", kind=1), NOT_AMQP),
    "a second header": (b"AMQP\x00\x01\x00\x00", NOT_AMQP),
    "three letters": (b"abc", NOT_AMQP),
}


@pytest.mark.parametrize("what", WELL_FRAMED)
async def test_G34_frames_that_mean_nothing_leave_no_stream_that_is_deaf(what: str) -> None:
    garbage, reason = WELL_FRAMED[what]
    async with hostile_broker([garbage, sent(1)], [sent(1)]) as broker, amqp_world() as world:
        async with world.consumer(port=broker.port, idle_timeout_s=0) as consumer, asyncio.timeout(10):
            found = ""
            while found != "T-1":  # without an idle time-out nothing else would end the silence
                async with await next_received(consumer) as notification:
                    found = getattr(notification, "ticket_id", "")  # some of these look like a message that is empty
            await asyncio.sleep(1)
        reasons = [event.text for event in world.events if event.name == "link.lost"]
        assert [text for text in reasons if reason is None or reason not in text] == []
        assert len(reasons) == len(broker.connections) - 1 == (0 if reason is None else 1)


async def test_G34_a_message_that_is_too_long_does_not_stop_those_behind_it(caplog: pytest.LogCaptureFixture) -> None:
    async with amqp_world() as world:
        world.broker.publish(QUEUE, AmqpMessage(body=b"x" * (MAX_MESSAGE_BYTES + 1), message_id="long"))
        world.put(1, 2)
        async with world.consumer(credit=1) as consumer, asyncio.timeout(10):
            assert await handle(consumer, 2) == [1, 2]
            assert consumer.counts.connections == 1
        await asyncio.sleep(0.1)
        assert {how for _, how, _ in world.broker.settlements} == {Settled.ACCEPTED}
        assert (world.queue.rejected, world.queue.accepted, world.queue.depth) == (0, 2, 1), (
            "it waits for its day to end"
        )
    assert "a message of more than 16777216 bytes came from the broker" in caplog.text


async def test_G34_a_message_without_end_is_told_once_and_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    part = b"x" * 60_000
    frames = 2 * MAX_MESSAGE_BYTES // len(part)
    script = [transfer(0, part, more=True, first=number == 0) for number in range(frames)]
    end = [transfer(0, b"", first=False), transfer(1, encode(message(1)))]
    async with hostile_broker([*script, *end]) as broker, amqp_world() as world:
        async with world.consumer(port=broker.port) as consumer, asyncio.timeout(30):
            assert await handle(consumer, 1) == [1]
            assert consumer.counts.connections == 1
        assert caplog.text.count("amqp.oversized") == 1
        assert broker.longest_message == MAX_MESSAGE_BYTES, "the broker was told the bound"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"AMQP",
        b"AMQP\x00\x01\x00\x00",
        b"AMQP\x00\x00\x09\x01",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"AMQP\x03\x01\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff",
        b"AMQP\x03\x01\x00\x00\x00\x00\x00\x0d\x02\x01\x00\x00\x00\x53\x40\xc0\x09",
        b"AMQP\x03\x01\x00\x00\x00\x00\x00\x0c\x02\x01\x00\x00\x00\x53\x44\x45",
        b"AMQP\x03\x01\x00\x00\x00\x00\x00\x0c\x02\x01\x00\x00\x01\x53\x44\x45",
        b"AMQP\x03\x01\x00\x00\x00\x00\x00\x10\x02\x01\x00\x00\x00\x53\x44\xc0\x03\x01\x50\x00",
    ],
)
async def test_G34_garbage_instead_of_a_login_is_an_error_and_no_hang(answer: bytes) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(answer)
        await writer.drain()

    async with raw_server(behave) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(AmqpFailure) as caught:
            await AmqpClient.connect(Broker("127.0.0.1", port, "me", tls=False), Network(), [plain("u", "t0ken")])
        assert caught.value.cause in ("garbage", "eof", "mechanism")
        assert "t0ken" not in str(caught.value)


@pytest.mark.parametrize("scope", ["link", "session", "connection"])
@pytest.mark.parametrize("condition", ["amqp:not-found", "amqp:unauthorized-access"])
async def test_G35_a_refused_queue_is_the_end_within_a_second(scope: str, condition: str) -> None:
    async with amqp_world() as world:
        world.broker.faults.add("refuse_link", condition=condition, scope=scope)  # type: ignore[arg-type]
        began = asyncio.get_running_loop().time()
        async with world.consumer() as consumer:
            with pytest.raises(EdsnLinkError, match=r"'pie.voorbeeld'.*consumer role"):
                await handle(consumer, 1)
        assert asyncio.get_running_loop().time() - began < 1


@pytest.mark.parametrize("by", ["link", "session"])
async def test_G35_a_queue_that_is_not_there_is_the_end(by: str) -> None:
    async with amqp_world() as world:
        world.broker.knobs.refuses_by = by  # type: ignore[assignment]
        async with world.consumer(address="pie.elders") as consumer:
            with pytest.raises(EdsnLinkError, match="amqp:not-found"):
                await handle(consumer, 1)


async def test_G35_a_link_without_a_source_is_the_end() -> None:
    async with amqp_world() as world:
        world.broker.faults.add("null_source")
        began = asyncio.get_running_loop().time()
        async with world.consumer() as consumer:
            with pytest.raises(EdsnLinkError):
                await handle(consumer, 1)
        assert asyncio.get_running_loop().time() - began < 1


async def test_G35_a_link_whose_messages_would_come_settled_is_the_end() -> None:
    async with hostile_broker(answer=settling) as broker, amqp_world() as world:
        async with world.consumer(port=broker.port) as consumer:
            with pytest.raises(EdsnLinkError, match=r"sends every message of this link as settled.*Nothing was lost"):
                await handle(consumer, 1)
        assert len(broker.connections) == 1


async def test_G35_a_redirect_is_not_followed() -> None:
    async with amqp_world() as world:
        world.broker.faults.add("close", condition="amqp:connection:redirect", description="try broker-2.example:5671")
        async with world.consumer() as consumer:
            with pytest.raises(EdsnLinkError, match=r"sends us elsewhere: .*broker-2.example:5671"):
                await handle(consumer, 1)


async def test_G35_a_certificate_of_another_authority_is_the_end() -> None:
    ours, other = Authority(), Authority()
    async with amqp_world(tls=(ours.context, other.pem)) as world:
        async with world.consumer() as consumer:
            with pytest.raises(EdsnTlsError, match=r"does not prove that it is 127\.0\.0\.1"):
                await handle(consumer, 1)
        assert not world.broker.contacts


async def test_G35_tls_carries_everything_that_cleartext_does() -> None:
    authority = Authority()
    async with amqp_world(tls=(authority.context, authority.pem)) as world:
        world.put(*range(50))
        world.broker.faults.add("drop", after=20)
        async with world.consumer() as consumer:
            assert sorted(await handle(consumer, 50)) == list(range(50))


@asynccontextmanager
async def no_task_is_left() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0.1)
    assert asyncio.all_tasks() <= before


async def test_G36_a_cancelled_reader_gives_everything_back() -> None:
    async with amqp_world() as world, no_task_is_left():
        world.put(*range(6))

        async def read() -> None:
            async with world.consumer(credit=4) as consumer:
                async for item in consumer:
                    if isinstance(item, Received):
                        async with item:
                            await asyncio.sleep(3600)

        reader = asyncio.create_task(read())
        await world.seen("link.streaming")
        await asyncio.sleep(1)
        assert world.queue.unsettled == 4
        reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reader
        await asyncio.sleep(0.1)
        assert world.queue.depth == 6
        assert [how for _, how, _ in world.broker.settlements] == [Settled.RELEASED] * 4
        assert world.broker.connections == set()


async def test_G36_a_cancelled_run_gives_back_what_no_handler_has_finished() -> None:
    async with amqp_world() as world, no_task_is_left():
        world.put(*range(6))
        started = asyncio.Event()

        async def handler(_: object) -> None:
            started.set()
            await asyncio.sleep(3600)

        consumer = world.consumer(ConsumerOptions(stop_timeout_s=5), credit=4)
        runner = asyncio.create_task(consumer.run(handler, concurrency=2))
        await started.wait()
        began = asyncio.get_running_loop().time()
        runner.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await runner
        assert asyncio.get_running_loop().time() - began < 10
        await asyncio.sleep(0.1)
        assert world.queue.depth == 6
        assert world.queue.accepted == 0


async def test_G36_a_clean_stop_waits_for_the_handlers_that_run() -> None:
    async with amqp_world() as world, no_task_is_left():
        world.put(*range(6))
        started = asyncio.Event()

        async def handler(_: object) -> None:
            started.set()
            await asyncio.sleep(3)

        consumer = world.consumer(credit=4)
        runner = asyncio.create_task(consumer.run(handler, concurrency=2))
        await started.wait()
        await consumer.aclose()
        await runner
        await asyncio.sleep(0.1)
        assert world.queue.accepted == 2
        assert world.queue.depth == 4
        assert world.queue.unsettled == 0


async def test_G37_a_stop_during_a_pause_is_immediate() -> None:
    async with amqp_world() as world, no_task_is_left():
        await world.broker.close()
        loop = asyncio.get_running_loop()
        consumer = world.consumer()
        for _ in range(8):
            await until_state(consumer, "lost")
        began = loop.time()
        await consumer.aclose()
        assert loop.time() == began
        assert isinstance(await anext(consumer), LinkState)
        with pytest.raises(StopAsyncIteration):
            await anext(consumer)


async def test_G37_a_stop_during_a_pause_of_a_handler_is_immediate() -> None:
    async with amqp_world() as world, no_task_is_left():
        world.put(1)
        loop = asyncio.get_running_loop()
        async with world.consumer() as consumer:
            item = await next_received(consumer)
            with pytest.raises(RuntimeError):
                async with item:
                    raise RuntimeError("no")
            began = loop.time()
        assert loop.time() - began < 0.1
        assert world.queue.depth == 1


async def test_G37_a_day_away_is_told_as_a_possible_loss() -> None:
    async with amqp_world() as world, world.consumer() as consumer:
        await until_state(consumer, "streaming")
        await world.broker.close()
        world.put(1)
        while not isinstance(event := await anext(consumer), PossibleLoss):
            pass
        assert event.hours >= 23
        await asyncio.sleep(2 * 3600)
        await world.broker.open(world.port)
        while not isinstance(event := await anext(consumer), LinkState) or event.state != "streaming":
            assert not isinstance(event, PossibleLoss)  # once is enough
        assert world.queue.depth == 0
        assert world.queue.expired == 1
        world.put(2)
        assert number_of(await next_received(consumer)) == 2


@pytest.mark.parametrize("noticed", ["by the end of the connection", "while the connection seems to stand"])
async def test_G37_a_machine_that_slept_while_it_was_connected_is_told_of_the_gap(
    noticed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with amqp_world(life_s=10_000_000) as world:
        world.put(1)
        async with world.consumer() as consumer:
            await handle(consumer, 1)
            awake = clock._source
            monkeypatch.setattr(
                clock, "_source", lambda: awake() + timedelta(hours=48)
            )  # the loop's own clock slept too
            if noticed == "by the end of the connection":
                world.broker.drop()
            async with asyncio.timeout(40):
                while not isinstance(item := await anext(consumer), PossibleLoss):
                    pass
            assert item.hours == pytest.approx(48, abs=0.1)
            await asyncio.sleep(120)
            assert [event.name for event in world.events].count("link.possible_loss") == 1
