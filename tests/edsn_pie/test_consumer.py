"""The reader's side of a consumer: waiting, sharing, options, and what cannot be decoded."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from gridwire.edsn_pie.consumer import Consumer, WorkerLost
from gridwire.edsn_pie.errors import EdsnTransientError, Facts
from gridwire.edsn_pie.models import UnknownNotification
from gridwire.edsn_pie.stream import ConsumerOptions, HandlerFailed, LinkState, Received
from gridwire.errors import AuthThrottled, AuthUnavailable, CredentialsRefused, InvalidInput, WrongLoop
from gridwire.transport.amqp import encode
from gridwire.transport.amqp_message import AmqpMessage
from tests.support.amqp_world import QUEUE, amqp_world, handle, message, next_received, until, until_state
from tests.support.hostile_broker import hostile_broker, transfer


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
        lambda: ConsumerOptions(most_failures="x"),  # type: ignore[arg-type]
        lambda: ConsumerOptions(most_failures=True),
        lambda: ConsumerOptions(stop_timeout_s="x"),  # type: ignore[arg-type]
        lambda: ConsumerOptions(inbox=True),  # type: ignore[arg-type]
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
        failed = [event.text for event in world.events if event.name == "notification.failed"]
        assert [re.sub(r":\d+", "", text) for text in failed] == [
            "the handler raised CancelledError (test_consumer.py, handler); again in 1 s",
            "the handler raised CancelledError (test_consumer.py, handler); again in 2 s",
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
    async with amqp_world() as world, world.consumer() as consumer:
        await until_state(consumer, "streaming")
        await world.broker.close()
        event = await world.seen("link.lost", 2)
        assert "(Connection refused); again in " in event.text


async def test_free_handlers_are_fed_while_others_hang() -> None:
    async with amqp_world() as world:
        world.put(*range(16), *range(100, 112))
        done: list[str] = []

        async def handler(notification: Any) -> None:
            if int(notification.ticket_id.removeprefix("T-")) < 16:
                await asyncio.sleep(3600)
            done.append(notification.ticket_id)

        runner = asyncio.create_task(world.consumer(credit=20).run(handler, concurrency=20))
        await asyncio.sleep(5)
        assert len(done) == 12
        runner.cancel()
        await asyncio.wait([runner])


async def test_whoever_forgets_to_enter_what_is_handed_out_is_told_why_nothing_comes() -> None:
    async with amqp_world() as world:
        world.put(*range(10))
        async with world.consumer(ConsumerOptions(stop_timeout_s=0), credit=4) as consumer:
            items = [await next_received(consumer) for _ in range(4)]
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(60):
                    await next_received(consumer)
            (event,) = [event for event in world.events if event.name == "notification.unentered"]
            assert event.text.startswith("4 notifications were handed out and none was entered")
            for item in items:
                async with item:
                    pass
            assert len(await handle(consumer, 6)) == 6


@pytest.mark.parametrize("handler", [None, "x", lambda: 1, lambda one, two: 1])
async def test_what_cannot_handle_a_notification_is_refused_before_one_is_taken(handler: Any) -> None:
    async with amqp_world() as world:
        with pytest.raises(InvalidInput, match="Nothing was taken"):
            await world.consumer().run(handler)
        assert world.broker.accepted == 0


async def test_a_handler_that_does_not_say_what_it_takes_is_tried() -> None:
    async with amqp_world() as world:
        world.put(1)
        consumer = world.consumer()
        runner = asyncio.create_task(consumer.run(type))  # type: ignore[arg-type]
        failed = await world.seen("notification.failed")
        assert "TypeError: object type can't be used in 'await' expression" in failed.text
        await consumer.aclose()
        await runner


async def test_the_log_says_what_a_handler_raised_and_where() -> None:
    async with amqp_world() as world:
        world.put(1)

        async def handler(_: object) -> None:
            raise KeyError("missing column, password=hunter2")

        consumer = world.consumer()
        runner = asyncio.create_task(consumer.run(handler))
        failed = await world.seen("notification.failed")
        assert re.fullmatch(
            r"the handler raised KeyError: 'missing column, password=\*\*\* \(test_consumer.py:\d+, handler\); again in 1 s",
            failed.text,
        )
        await consumer.aclose()
        await runner


@pytest.mark.parametrize("give_up", ["released", "modified"])
async def test_what_fails_at_once_each_time_does_not_go_round_and_round(give_up: Any) -> None:
    async with amqp_world() as world:
        world.put(1)

        async def handler(_: object) -> None:
            raise ValueError

        consumer = world.consumer(ConsumerOptions(most_failures=1, give_up=give_up))
        runner = asyncio.create_task(consumer.run(handler))
        await asyncio.sleep(60)
        assert 50 <= consumer.counts.failures <= 62
        await consumer.aclose()
        await runner
        assert world.queue.depth == 1


async def test_a_change_of_tokens_does_not_wait_on_for_handlers_of_a_connection_that_is_gone() -> None:
    async with amqp_world(life_s=100) as world:
        world.put(1, 2)
        consumer = world.consumer(ConsumerOptions(stop_timeout_s=0.1))

        async def handler(_: object) -> None:
            await asyncio.sleep(1000)

        runner = asyncio.create_task(consumer.run(handler))
        await world.seen("link.draining")
        began = asyncio.get_running_loop().time()
        world.broker.drop()
        await world.seen("link.streaming", 2)
        assert asyncio.get_running_loop().time() - began < 5
        runner.cancel()
        await asyncio.wait([runner])


def presettled(*numbers: int) -> list[bytes]:
    return [transfer(at, encode(message(number)), settled=True) for at, number in enumerate(numbers)]


async def test_what_came_settled_is_handled_over_a_lost_link_and_a_failure() -> None:
    async with hostile_broker(presettled(1, 2, 3), []) as broker, amqp_world() as world:
        seen: list[str] = []

        async def handler(notification: Any) -> None:
            seen.append(notification.ticket_id)
            await asyncio.sleep(0.5)
            if len(seen) == 1:
                raise ValueError("the database is away")

        consumer = world.consumer(port=broker.port)
        runner = asyncio.create_task(consumer.run(handler))
        await until(lambda: bool(seen))
        broker.connections[0].wire.abort()
        await until(lambda: consumer.counts.handled == 3)
        assert sorted(seen) == ["T-1", "T-1", "T-2", "T-3"]
        await consumer.aclose()
        await runner
        assert not [event for event in world.events if event.name == "notification.lost"]


async def test_what_came_settled_and_was_not_handled_is_told_when_the_program_stops() -> None:
    async with hostile_broker(presettled(1)) as broker, amqp_world() as world:
        async with world.consumer(ConsumerOptions(stop_timeout_s=1), port=broker.port) as consumer:
            item = await next_received(consumer)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1), item:
                    await asyncio.sleep(100)
            again = await next_received(consumer)
            assert again.notification == item.notification
        lost = await world.seen("notification.lost")
        assert lost.fields["key"] == again.notification.key
        assert "look at the portal" in lost.text


async def test_an_identity_provider_whose_certificate_proves_nothing_ends_a_stream_that_never_stood() -> None:
    def untrusted() -> Exception:
        return EdsnTransientError("its certificate cannot be trusted", Facts("token", error_code="tls"))

    async with amqp_world() as world:
        consumer = world.consumer()
        failing(consumer, [untrusted()])
        with pytest.raises(EdsnTransientError, match="cannot be trusted"):
            await consumer.run(takes)
        assert world.broker.accepted == 0
        async with world.consumer() as consumer:
            await until_state(consumer, "streaming")
            failing(consumer, [untrusted()])
            world.broker.drop()
            await world.seen("link.streaming", 2)


async def takes(_: object) -> None:
    pass


async def test_a_message_without_an_id_is_not_taken_for_a_second_delivery_of_the_one_before() -> None:
    bare = b"\x00\x53\x75\xa0\x08garbage!"
    async with hostile_broker([transfer(0, encode(message(1))), transfer(1, bare)]) as broker, amqp_world() as world:
        async with world.consumer(port=broker.port) as consumer:
            async with await next_received(consumer) as first:
                assert first.key is not None
            async with await next_received(consumer) as second:
                assert isinstance(second, UnknownNotification)
                assert (second.raw, second.key) == (b"garbage!", None)
        assert (consumer.counts.handled, consumer.counts.duplicates) == (2, 0)
