"""A consumer with an inbox: stored before accepted, handled after, and nothing lost between the two."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gridwire import clock
from gridwire.edsn_pie.models import UnknownNotification
from gridwire.edsn_pie.stream import ConsumerOptions, HandlerFailed, Parked, PossibleLoss, Received
from gridwire.intents.inbox import Inbox, InboxBusy
from gridwire.intents.records import JournalError
from gridwire.transport.amqp_message import AmqpMessage, dump, load
from tests.support.amqp_world import QUEUE, World, amqp_world, handle, message, next_received, number_of, until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inbox.sqlite"


async def settled(world: World, count: int) -> None:
    await until(lambda: world.queue.accepted >= count)


async def test_a_message_is_accepted_once_it_is_stored_and_before_it_is_handled(path: Path) -> None:
    async with amqp_world() as world:
        world.put(1)
        async with world.consumer(ConsumerOptions(inbox=path)) as consumer:
            item = await next_received(consumer)
            await settled(world, 1)
            other = Inbox.open(path)
            assert [load(kept.message) for kept in other.pending()] == [message(1)]
            async with item:
                pass
            assert other.pending() == []
            other.close()


async def test_what_a_stopped_process_had_not_handled_is_handled_by_the_next(path: Path) -> None:
    async with amqp_world() as world:
        world.put(*range(5))
        async with world.consumer(ConsumerOptions(inbox=path, stop_timeout_s=0)) as consumer:
            await handle(consumer, 2)
            await settled(world, 5)
        assert world.queue.depth == 0
        async with world.consumer(ConsumerOptions(inbox=path)) as consumer:
            assert sorted(await handle(consumer, 3)) == [2, 3, 4]


async def test_a_second_delivery_after_a_restart_is_recognised(path: Path) -> None:
    async with amqp_world() as world:
        world.put(1)
        async with world.consumer(ConsumerOptions(inbox=path)) as consumer:
            await handle(consumer, 1)
        world.put(1, 2)
        async with world.consumer(ConsumerOptions(inbox=path)) as consumer:
            assert await handle(consumer, 1) == [2]
            await settled(world, 3)
            assert consumer.counts.duplicates == 1


async def test_credit_is_bound_by_what_is_handled_and_not_by_what_is_stored(path: Path) -> None:
    async with amqp_world() as world:
        world.put(*range(20))
        async with world.consumer(ConsumerOptions(inbox=path, stop_timeout_s=0), credit=4) as consumer:
            held = await next_received(consumer)
            await asyncio.sleep(60)
            assert world.queue.accepted == 4
            assert world.queue.depth == 16
            async with held:
                pass
            assert number_of(await next_received(consumer)) == 1
            await settled(world, 5)


async def test_a_message_that_always_fails_is_parked_and_can_be_retried(path: Path) -> None:
    async with amqp_world() as world:
        world.put(1, 2)
        heal = False
        done: list[str] = []

        async def handler(notification: object) -> None:
            if notification.ticket_id == "T-1" and not heal:  # type: ignore[attr-defined]
                raise ValueError("token=abc cannot be booked")
            done.append(notification.ticket_id)  # type: ignore[attr-defined]

        told: list[object] = []
        consumer = world.consumer(ConsumerOptions(inbox=path))
        runner = asyncio.create_task(consumer.run(handler, on_event=told.append))
        await world.seen("notification.parked")
        assert done == ["T-2"]
        assert [event.retry_in_s for event in told if isinstance(event, HandlerFailed)] == [1, 2, 4, 8]
        (parked,) = [event for event in told if isinstance(event, Parked)]
        other = Inbox.open(path)
        (kept,) = other.parked()
        assert kept.key == parked.key
        assert kept.note == "ValueError: token=*** cannot be booked"
        assert kept.attempts == 5
        heal = True
        assert other.retry([kept.key], at=clock.now()) == [kept.key]
        other.close()
        await asyncio.sleep(31)
        assert done == ["T-2", "T-1"]
        await consumer.aclose()
        await runner
        assert consumer.counts.parked == 1
        assert world.queue.accepted == 2


async def test_an_outage_of_ten_seconds_parks_nothing(path: Path) -> None:
    async with amqp_world() as world:
        world.put(*range(5))
        consumer = world.consumer(ConsumerOptions(inbox=path))
        back_at = asyncio.get_running_loop().time() + 10
        done: set[str] = set()

        async def handler(notification: object) -> None:
            if asyncio.get_running_loop().time() < back_at:
                raise ConnectionError("the database is away")
            done.add(notification.ticket_id)  # type: ignore[attr-defined]

        runner = asyncio.create_task(consumer.run(handler, concurrency=3))
        await until(lambda: len(done) == 5)
        await consumer.aclose()
        await runner
        assert consumer.counts.parked == 0


async def test_a_lost_link_leaves_what_is_stored_to_its_handlers(path: Path) -> None:
    async with amqp_world() as world:
        world.put(*range(6))
        async with world.consumer(ConsumerOptions(inbox=path), credit=6) as consumer:
            first = await next_received(consumer)
            await settled(world, 6)
            world.broker.drop()
            await world.seen("link.streaming", 2)
            async with first:
                pass
            assert sorted(await handle(consumer, 5)) == [1, 2, 3, 4, 5]
            world.put(7)
            assert await handle(consumer, 1) == [7]


async def test_messages_without_any_id_are_kept_as_well(path: Path) -> None:
    async with amqp_world() as world:
        for body in (b"garbage", b"garbage"):
            world.broker.publish(QUEUE, AmqpMessage(body=body))
        async with world.consumer(ConsumerOptions(inbox=path)) as consumer:
            for _ in range(2):
                async with await next_received(consumer) as notification:
                    assert isinstance(notification, UnknownNotification)
                    assert notification.raw == b"garbage"


async def test_two_processes_cannot_take_one_inbox(path: Path) -> None:
    async with amqp_world() as world:
        held = Inbox.open(path, reader=True)
        async with world.consumer(ConsumerOptions(inbox=path)) as consumer:
            with pytest.raises(InboxBusy):
                await handle(consumer, 1)
        held.close()
        assert world.broker.accepted == 0


async def test_an_inbox_that_cannot_be_written_accepts_nothing(path: Path) -> None:
    async with amqp_world() as world:
        async with world.consumer(ConsumerOptions(inbox=path)) as consumer:
            await anext(consumer)
            await world.seen("link.streaming")
            with sqlite3.connect(path) as other:
                other.execute("DROP TABLE messages")
            world.put(1)
            with pytest.raises(JournalError, match="No message was accepted without it"):
                await next_received(consumer)
        await asyncio.sleep(1)
        assert world.queue.accepted == 0
        assert world.queue.depth == 1


async def test_a_day_between_two_processes_is_told(path: Path) -> None:
    async with amqp_world() as world:
        async with world.consumer(ConsumerOptions(inbox=path)) as consumer:
            await world_streams(world, consumer)
            await asyncio.sleep(2 * 3600)  # counts as connected until its end
        await asyncio.sleep(22 * 3600)
        async with world.consumer(ConsumerOptions(inbox=path)) as consumer:
            await world_streams(world, consumer)
            assert not any(event.name == "link.possible_loss" for event in world.events)
        await asyncio.sleep(24 * 3600)
        async with world.consumer(ConsumerOptions(inbox=path)) as consumer:
            while not isinstance(item := await anext(consumer), PossibleLoss):
                assert not isinstance(item, Received)
            assert item.hours == pytest.approx(24, abs=0.1)


async def world_streams(world: World, consumer: object) -> None:
    before = sum(event.name == "link.streaming" for event in world.events)
    await anext(consumer)  # type: ignore[call-overload]
    await world.seen("link.streaming", before + 1)
    await asyncio.sleep(1)


async def test_a_link_that_is_lost_while_a_message_is_stored_does_not_double_it(path: Path) -> None:
    async with amqp_world() as world:
        numbers = list(range(60))
        world.put(*numbers)
        for after in (1, 2, 3, 5, 8, 13):
            world.broker.faults.add("drop", after=after)
        async with world.consumer(ConsumerOptions(inbox=path), credit=10) as consumer:
            seen = await handle(consumer, 60)
            await settled(world, 60)
            assert consumer.counts.connections >= 5
            assert consumer.counts.handled == 60
        assert sorted(seen) == numbers


async def test_a_reader_that_is_cancelled_while_its_message_is_parked_leaves_it_parked_and_decided(path: Path) -> None:
    async with amqp_world() as world:
        world.put(1, 2)
        async with world.consumer(ConsumerOptions(inbox=path, most_failures=1, stop_timeout_s=100)) as consumer:
            item = await next_received(consumer)

            async def fail() -> None:
                async with item:
                    raise ValueError("no")

            reader = asyncio.create_task(fail())
            await asyncio.sleep(0)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            await world.seen("notification.parked")
            assert consumer.counts.parked == 1
            async with await next_received(consumer):
                pass
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 50, "nobody waits for a handler that has ended"
        inbox = Inbox.open(path)
        assert [kept.note for kept in inbox.parked()] == ["ValueError: no"]
        inbox.close()


async def test_the_window_holds_over_every_link_and_over_a_restart(path: Path) -> None:
    async with amqp_world() as world:
        world.put(*range(60))
        options = ConsumerOptions(inbox=path, stop_timeout_s=0)
        async with world.consumer(options, credit=5) as consumer:
            item = await next_received(consumer)
            for _ in range(4):
                await asyncio.sleep(20)
                assert world.queue.depth + world.queue.unsettled == 55, "five are with us, and no more were asked for"
                world.broker.drop()
            await asyncio.sleep(20)
            async with item:
                pass
            await handle(consumer, 20)
            await asyncio.sleep(5)
            assert 60 - world.queue.depth <= 26
        async with world.consumer(options, credit=5) as consumer:
            await asyncio.wait_for(handle(consumer, 39), 600)
        await settled(world, 60)


@pytest.mark.parametrize("damaged", ["{broken", "[1]", '{"nothing":1}', "", '{"body":{"bytes":5}}', b"\xff\x00"])
async def test_a_damaged_entry_is_handed_out_as_such_and_keeps_no_other_back(path: Path, damaged: str | bytes) -> None:
    inbox = Inbox.open(path)
    inbox.store([("first", damaged), ("second", dump(message(2)))], at=clock.now())  # type: ignore[list-item]
    inbox.close()
    async with amqp_world() as world, world.consumer(ConsumerOptions(inbox=path)) as consumer:
        world.put(3)
        async with await next_received(consumer) as notification:
            assert isinstance(notification, UnknownNotification)
            assert notification.key == "first"
            assert "damaged in the inbox" in notification.reason
            assert damaged in (notification.raw, b"\xff\x00")
        assert await handle(consumer, 2) == [2, 3]
    inbox = Inbox.open(path)
    assert inbox.pending() == []
    inbox.close()


async def test_no_handler_begins_once_the_inbox_is_known_to_be_broken(path: Path) -> None:
    async with amqp_world() as world:
        world.put(*range(10))
        begun: list[object] = []

        async def handler(notification: object) -> None:
            begun.append(notification)
            await asyncio.sleep(1)
            if len(begun) == 3:
                with sqlite3.connect(path) as other:
                    other.execute("DROP TABLE messages")

        with pytest.raises(JournalError, match="cannot be used"):
            await world.consumer(ConsumerOptions(inbox=path)).run(handler)
        assert len(begun) == 3, "nothing done after it could be noted"


async def test_a_broken_inbox_is_told_at_once_and_keeps_nobody_waiting(path: Path) -> None:
    async with amqp_world() as world:
        consumer = world.consumer(ConsumerOptions(inbox=path, stop_timeout_s=1000))
        runner = asyncio.create_task(consumer.run(asyncio.sleep))  # type: ignore[arg-type]
        await world.seen("link.streaming")
        with sqlite3.connect(path) as other:
            other.execute("DROP TABLE messages")
        began = asyncio.get_running_loop().time()
        world.put(*range(5))
        with pytest.raises(JournalError):
            await runner
        assert asyncio.get_running_loop().time() - began < 60
        assert world.queue.accepted == 0
        assert world.queue.depth == 5


@pytest.mark.parametrize("turns", [1, 2, 3, 5, 8])
async def test_stopping_while_the_inbox_is_opened_lets_it_go(path: Path, turns: int) -> None:
    async with amqp_world() as world:
        world.put(1)
        consumer = world.consumer(ConsumerOptions(inbox=path))
        reader = asyncio.create_task(anext(consumer))
        for _ in range(turns):
            await asyncio.sleep(0)
        await consumer.aclose()
        await asyncio.wait([reader])
        async with world.consumer(ConsumerOptions(inbox=path)) as consumer:
            assert await handle(consumer, 1) == [1]


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "note"),
    [(ValueError("caf\udce9.json"), "ValueError: caf .json"), (Unspeakable(), "Unspeakable")],
)
async def test_whatever_a_handler_raises_can_be_noted(path: Path, error: Exception, note: str) -> None:
    async with amqp_world() as world:
        world.put(1, 2)
        failed = False

        async def handler(_: object) -> None:
            nonlocal failed
            if not failed:
                failed = True
                raise error

        consumer = world.consumer(ConsumerOptions(inbox=path, most_failures=1))
        runner = asyncio.create_task(consumer.run(handler))
        await world.seen("notification.parked")
        await until(lambda: consumer.counts.handled == 1)
        await consumer.aclose()
        await runner
        inbox = Inbox.open(path)
        assert [kept.note for kept in inbox.parked()] == [note]
        inbox.close()


async def test_a_message_is_stored_while_every_thread_of_the_loop_is_busy(path: Path) -> None:
    async with amqp_world() as world:
        free = threading.Event()
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        busy = loop.run_in_executor(None, free.wait)
        try:
            world.put(1)
            async with world.consumer(ConsumerOptions(inbox=path)) as consumer:
                assert await handle(consumer, 1) == [1]
        finally:
            free.set()
            await busy


@pytest.mark.parametrize("value", ["soon", 1e30, b"\x00"])
async def test_a_damaged_time_of_the_last_connection_is_one_sentence(path: Path, value: object) -> None:
    inbox = Inbox.open(path)
    inbox.note_streaming(clock.now())
    inbox.close()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE facts SET value = ? WHERE name = 'streaming'", (value,))
    async with amqp_world() as world, world.consumer(ConsumerOptions(inbox=path)) as consumer:
        with pytest.raises(JournalError, match="time of its last connection is no number"):
            await handle(consumer, 1)


async def test_a_backlog_is_handed_out_as_fast_as_it_is_handled_and_never_all_at_once(path: Path) -> None:
    inbox = Inbox.open(path)
    inbox.store([(f"k{number:05}", dump(message(number))) for number in range(3500)], at=clock.now())
    inbox.close()
    async with amqp_world() as world:
        consumer = world.consumer(ConsumerOptions(inbox=path))
        most, seen = 0, []

        async def handler(notification: object) -> None:
            nonlocal most
            most = max(most, consumer._deliveries.undecided)
            seen.append(notification.ticket_id)  # type: ignore[attr-defined]

        began = asyncio.get_running_loop().time()
        runner = asyncio.create_task(consumer.run(handler, concurrency=4))
        await until(lambda: len(seen) == 3500)
        assert asyncio.get_running_loop().time() - began < 30
        assert most <= 1000
        assert seen == [f"T-{number}" for number in range(3500)]
        await consumer.aclose()
        await runner
