"""The reader's side of a consumer: waiting, sharing, options, and what cannot be decoded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gridwire.edsn_pie.consumer import Consumer, WorkerLost
from gridwire.edsn_pie.models import UnknownNotification
from gridwire.edsn_pie.stream import ConsumerOptions, HandlerFailed, LinkState, Received
from gridwire.errors import AuthThrottled, AuthUnavailable, CredentialsRefused, InvalidInput, WrongLoop
from gridwire.transport.amqp_message import AmqpMessage
from tests.support.amqp_world import QUEUE, amqp_world, handle, next_received, until, until_state


async def test_a_reader_that_gives_up_waiting_takes_nothing_from_the_next() -> None:
    async with amqp_world() as world, world.consumer() as consumer:
        await until_state(consumer, "streaming")
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(5):
                    await anext(consumer)
        waiting = asyncio.create_task(anext(consumer))
        other = asyncio.create_task(next_received(consumer))
        await asyncio.sleep(0)
        world.put(1)
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.wait([waiting])
        if not waiting.cancelled():
            async with waiting.result():
                pass
            other.cancel()
        else:
            async with asyncio.timeout(5), await other:
                pass


async def test_a_reader_that_polls_a_quiet_queue_leaves_nothing_behind() -> None:
    async with amqp_world() as world, world.consumer() as consumer:
        await until_state(consumer, "streaming")
        patient = asyncio.create_task(anext(consumer))
        for _ in range(100):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(consumer), 0.01)
        assert len(consumer._waiting) == 1, "the patient reader is still in the row, and nobody else"
        world.put(1)
        item = await patient
        assert isinstance(item, Received)
        async with item:
            pass


async def test_several_handlers_work_at_once_and_no_more_than_asked_for() -> None:
    async with amqp_world() as world:
        world.put(*range(30))
        working, most, done = 0, 0, 0

        async def handler(_: object) -> None:
            nonlocal working, most, done
            working += 1
            most = max(most, working)
            await asyncio.sleep(1)
            working -= 1
            done += 1

        consumer = world.consumer(credit=30)
        runner = asyncio.create_task(consumer.run(handler, concurrency=7))
        await until(lambda: done == 30)
        await consumer.aclose()
        await runner
        assert most == 7


@pytest.mark.parametrize("concurrency", [0, -1, 1001])
async def test_a_senseless_concurrency_is_refused(concurrency: int) -> None:
    async with amqp_world() as world:
        with pytest.raises(InvalidInput, match="between 1 and 1000"):
            await world.consumer().run(asyncio.sleep, concurrency=concurrency)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: ConsumerOptions(most_failures=0),
        lambda: ConsumerOptions(give_up="accepted"),  # type: ignore[arg-type]
        lambda: ConsumerOptions(rollover="never"),  # type: ignore[arg-type]
        lambda: ConsumerOptions(stop_timeout_s=float("nan")),
    ],
)
def test_senseless_options_are_refused(make: Callable[[], ConsumerOptions]) -> None:
    with pytest.raises(InvalidInput):
        make()


async def test_bytes_that_are_no_message_reach_the_handler_and_are_accepted() -> None:
    async with amqp_world() as world, world.consumer() as consumer:
        await until_state(consumer, "streaming")
        world.broker.publish(QUEUE, AmqpMessage(body=b"x"))
        async with await next_received(consumer) as notification:
            assert isinstance(notification, UnknownNotification)
        await until(lambda: world.queue.accepted == 1)


async def test_a_delivery_in_no_encoding_at_all_is_an_unknown_notification() -> None:
    async with amqp_world() as world:
        world.put(1)
        world.queue.waiting[0].encoded = b"\x00\x53\x73\xff\xff damaged"
        async with world.consumer() as consumer:
            async with await next_received(consumer) as notification:
                assert isinstance(notification, UnknownNotification)
                assert notification.raw == b"\x00\x53\x73\xff\xff damaged"
            await until(lambda: world.queue.accepted == 1)


async def test_entering_an_event_does_nothing_and_a_notification_twice_decides_once() -> None:
    async with amqp_world() as world, world.consumer() as consumer:
        event = await anext(consumer)
        assert isinstance(event, LinkState)
        async with event as same:
            assert same is event
        world.put(1)
        item = await next_received(consumer)
        assert "attempt=1" in repr(item)
        assert "T-1" in repr(item)
        for _ in range(2):
            async with item:
                pass
        await until(lambda: world.queue.accepted == 1)
        assert consumer.counts.handled == 1


async def test_attempts_are_counted() -> None:
    async with amqp_world() as world:
        world.put(1)
        async with world.consumer() as consumer:
            for attempt in (1, 2, 3):
                item = await next_received(consumer)
                assert item.attempt == attempt
                with pytest.raises(ValueError, match="no"):
                    async with item:
                        raise ValueError("no")
                event = await anext(consumer)
                assert isinstance(event, HandlerFailed)
                assert event.attempt == attempt
            async with await next_received(consumer):
                pass
            await until(lambda: world.queue.accepted == 1)


async def test_a_block_that_is_cancelled_gives_the_message_back_at_once() -> None:
    async with amqp_world() as world:
        world.put(1)
        async with world.consumer() as consumer:
            item = await next_received(consumer)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1), item:
                    await asyncio.sleep(100)
            again = await next_received(consumer)
            assert again.attempt == 1
            async with again:
                pass


async def test_events_wait_for_a_slow_reader_in_bounded_number() -> None:
    async with amqp_world() as world, world.consumer() as consumer:
        await until_state(consumer, "streaming")
        for number in range(300):
            world.broker.drop()
            await world.seen("link.streaming", number + 2)
        world.put(1)
        assert await handle(consumer, 1) == [1]


async def test_a_consumer_belongs_to_one_loop() -> None:
    async with amqp_world() as world, world.consumer() as consumer:
        await anext(consumer)

        def elsewhere() -> None:
            async def take() -> None:
                await anext(consumer)

            asyncio.run(take())

        with pytest.raises(WrongLoop):
            await asyncio.to_thread(elsewhere)


async def test_a_closed_consumer_has_told_so_and_gives_nothing() -> None:
    async with amqp_world() as world:
        consumer = world.consumer()
        await consumer.aclose()
        event = await anext(consumer)
        assert isinstance(event, LinkState)
        assert event.state == "closed"
        with pytest.raises(StopAsyncIteration):
            await anext(consumer)
        await consumer.aclose()
        assert world.broker.accepted == 0


def failing(consumer: Consumer, errors: list[Exception]) -> None:
    """Let the next tokens fail with these errors."""
    source: Any = consumer._tokens
    get = source.get

    async def first_fail() -> str:
        if errors:
            raise errors.pop(0)
        return await get()  # type: ignore[no-any-return]

    object.__setattr__(source, "get", first_fail)


async def test_an_identity_provider_that_is_away_is_asked_again_and_its_wish_is_kept() -> None:
    async with amqp_world() as world:
        world.put(1)
        async with world.consumer() as consumer:
            failing(consumer, [AuthUnavailable("away"), AuthThrottled("wait", retry_after_s=70.0)])
            lost = [await until_state(consumer, "lost") for _ in range(2)]
            assert [event.reason for event in lost] == ["away", "wait"]
            assert lost[1].retry_in_s == 70
            assert await handle(consumer, 1) == [1]


async def test_a_refused_account_is_the_end() -> None:
    async with amqp_world() as world:
        consumer = world.consumer()
        failing(consumer, [CredentialsRefused("the key is unknown")])
        with pytest.raises(CredentialsRefused, match="the key is unknown"):
            await consumer.run(asyncio.sleep)  # type: ignore[arg-type]
        assert world.broker.accepted == 0


async def test_a_token_that_is_put_and_refused_is_replaced_once() -> None:
    async with amqp_world() as world:
        world.broker.knobs.mechanisms = ("ANONYMOUS",)
        world.tokens.revoked.add(await world.tokens.get())
        world.put(1)
        async with world.consumer(auth="cbs") as consumer:
            assert await handle(consumer, 1) == [1]
        assert len(world.tokens.issued) == 2


async def test_no_event_and_no_text_holds_a_token() -> None:
    async with amqp_world(life_s=300) as world:
        world.put(*range(5))
        world.broker.faults.add("close", condition="amqp:unauthorized-access", after=2)
        world.tokens.revoked.add(await world.tokens.get())
        said: list[str] = []
        async with world.consumer() as consumer:
            taken = 0
            async for item in consumer:
                said.append(repr(item))
                if isinstance(item, Received):
                    async with item:
                        taken += 1
                    if taken == 5:
                        break
            said += [repr(consumer), repr(consumer._tokens), repr(vars(consumer)["_settings"])]
        said += [f"{event.text} {event.fields}" for event in world.events]
        assert not [token for token in world.tokens.issued for text in said if token in text]


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_a_handler_that_meets_what_others_cancelled_has_failed_and_sees_it_again(concurrency: int) -> None:
    async with amqp_world() as world:
        world.put(*range(6))
        calls = 0

        async def handler(_: object) -> None:
            nonlocal calls
            calls += 1
            if calls <= 4:
                others = asyncio.get_running_loop().create_future()
                others.cancel()
                await others

        consumer = world.consumer()
        runner = asyncio.create_task(consumer.run(handler, concurrency=concurrency))
        await until(lambda: runner.done() or world.queue.accepted == 6)
        assert not runner.done()
        assert consumer.counts.failures == 4
        await consumer.aclose()
        await runner


async def test_what_always_meets_a_foreign_cancellation_is_given_up_like_any_failure() -> None:
    async with amqp_world() as world:
        world.put(1)

        async def handler(_: object) -> None:
            raise asyncio.CancelledError

        consumer = world.consumer(ConsumerOptions(most_failures=2))
        runner = asyncio.create_task(consumer.run(handler))
        await world.seen("notification.given_back")
        assert [event.text for event in world.events if event.name == "notification.failed"] == [
            "the handler raised CancelledError; again in 1 s"
        ]
        await consumer.aclose()
        await runner


async def test_a_worker_that_is_cancelled_from_outside_is_no_success() -> None:
    async with amqp_world() as world:
        world.put(1)
        working: list[asyncio.Task[Any]] = []

        async def handler(_: object) -> None:
            task = asyncio.current_task()
            assert task is not None
            working.append(task)
            await asyncio.sleep(100)

        consumer = world.consumer()
        runner = asyncio.create_task(consumer.run(handler, concurrency=2))
        await until(lambda: bool(working))
        working[0].cancel()
        with pytest.raises(WorkerLost, match="cancelled from outside"):
            await runner
        assert world.queue.accepted == 0
        assert world.queue.depth == 1


async def test_a_loss_with_its_pause_is_one_sentence() -> None:
    async with amqp_world() as world:
        await world.broker.close()
        async with world.consumer() as consumer:
            await until_state(consumer, "lost")
            event = await world.seen("link.lost")
            assert "(Connection refused); again in " in event.text
