"""Golden tests 28 to 32: what becomes of each message."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from pydantic import SecretStr

from gridwire.edsn_pie.link import broker_of, log_in
from gridwire.edsn_pie.stream import ConsumerOptions, GivenBack, HandlerFailed, LinkState, Received
from gridwire.transport.amqp import Delivery, Settled
from gridwire.transport.amqp_failure import Condition
from tests.support.amqp_world import QUEUE, USER, amqp_world, handle, next_received, number_of


@pytest.mark.parametrize(
    ("how", "failed", "code"),
    [
        (Settled.ACCEPTED, False, 36),
        (Settled.REJECTED, False, 37),
        (Settled.RELEASED, False, 38),
        (Settled.MODIFIED, True, 39),
        (Settled.MODIFIED, False, 39),
    ],
)
async def test_G28_each_settlement_has_its_code_and_the_flag_of_failure(how: Settled, failed: bool, code: int) -> None:
    async with amqp_world() as world:
        got: list[tuple[Delivery, bytes]] = []
        arrived = asyncio.Event()

        def take(delivery: Delivery, data: bytes) -> None:
            got.append((delivery, data))
            arrived.set()

        world.put(1)
        client = await log_in(
            world.settings, broker_of(world.settings), USER, world.network, SecretStr(await world.tokens.get())
        )
        link = await client.attach(QUEUE, name="link", taker=take)
        client.ask(link, 1)
        await arrived.wait()
        condition = Condition("amqp:decode-error", "damaged") if how is Settled.REJECTED else None
        assert got[0][0].settle(how, failed=failed, condition=condition)
        assert not got[0][0].settle(Settled.ACCEPTED)  # once is all
        client.flush()
        await client.close(1)
        assert list(world.broker.settlements) == [("message-1", code, failed)]
        assert world.queue.depth == (0 if code in (36, 37) else 1)
        if code == 39:
            assert world.queue.waiting[0].message.delivery_count == int(failed)


async def test_G28_without_an_inbox_a_message_that_always_fails_goes_back_each_time() -> None:
    async with amqp_world() as world:
        world.put(1)
        failures, given_back, moments = 0, 0, []
        async with world.consumer() as consumer:
            async for item in consumer:
                if isinstance(item, Received):
                    moments.append(asyncio.get_running_loop().time())
                    with pytest.raises(RuntimeError):
                        async with item:
                            raise RuntimeError("the database is away")
                failures += isinstance(item, HandlerFailed)
                given_back += isinstance(item, GivenBack)
                if given_back == 2:
                    break
        assert failures == 10
        assert [round(b - a) for a, b in itertools.pairwise(moments)] == [1, 2, 4, 8, 16, 1, 2, 4, 8]
        assert {how for _, how, _ in world.broker.settlements} == {Settled.RELEASED}
        assert world.queue.depth == 1


@pytest.mark.parametrize(
    ("give_up", "code"),
    [("released", Settled.RELEASED), ("modified", Settled.MODIFIED), ("rejected", Settled.REJECTED)],
)
async def test_G28_what_is_told_after_the_last_failure_can_be_chosen(give_up: str, code: int) -> None:
    async with amqp_world() as world:
        world.put(1)
        async with world.consumer(ConsumerOptions(most_failures=1, give_up=give_up)) as consumer:  # type: ignore[arg-type]
            item = await next_received(consumer)
            with pytest.raises(RuntimeError):
                async with item:
                    raise RuntimeError("no")
            while not isinstance(await anext(consumer), GivenBack):
                pass
            await asyncio.sleep(0.1)
            assert world.broker.settlements[0] == ("message-1", code, give_up == "modified")


async def test_G29_credit_never_exceeds_the_window_and_is_given_again_after_a_reconnect() -> None:
    async with amqp_world() as world:
        world.put(*range(200))
        world.broker.faults.add("drop", after=33)
        world.broker.faults.add("close", after=21, condition="amqp:connection:forced")
        async with world.consumer(credit=20) as consumer:
            assert sorted(await handle(consumer, 200)) == list(range(200))
            assert consumer.counts.connections == 3
        assert world.broker.widest_window == 20
        assert world.queue.accepted == 200
        assert world.queue.unsettled == 0


async def test_G29_credit_comes_back_on_settlement_and_not_on_arrival() -> None:
    async with amqp_world() as world:
        world.put(*range(50))
        async with world.consumer(credit=4) as consumer:
            held = [await next_received(consumer) for _ in range(4)]
            await asyncio.sleep(5)
            assert world.queue.unsettled == 4
            assert world.queue.depth == 46
            async with held[0]:
                pass
            assert number_of(await next_received(consumer)) == 4
            assert world.queue.unsettled == 4


async def test_G30_a_slow_handler_leaves_the_broker_without_credit() -> None:
    async with amqp_world() as world:
        world.put(*range(100))
        seen: list[int] = []
        left: list[int] = []

        async def slow(number: int) -> None:
            seen.append(world.queue.unsettled)
            for _ in range(3):  # while it works; whatever was asked for has been used up
                await asyncio.sleep(10)
                ((_, link),) = world.queue.consumers
                left.append(link.credit)
                # This one, and what waits for the next handler: neither grows however many the queue holds.
                assert consumer.counts.received - consumer.counts.handled <= 4
                assert world.queue.unsettled <= 4
            world.put(1000 + number)

        async with world.consumer(credit=4) as consumer:
            await handle(consumer, 12, slow)
            assert max(seen) <= 4
            assert set(left) == {0}
            assert consumer.counts.received <= 16
        assert world.queue.depth == 100  # 12 accepted, 12 put; all others are back


async def test_G31_a_token_that_expires_under_the_connection_is_replaced_and_nothing_is_doubled() -> None:
    async with amqp_world() as world:
        world.put(*range(10))
        world.broker.faults.add("close", condition="amqp:unauthorized-access", after=6)
        async with world.consumer(ConsumerOptions(rollover="on_close"), credit=10) as consumer:
            first = await next_received(consumer)
            assert number_of(first) == 0
            lost = await world.seen("link.lost")
            assert lost.text.endswith("again in 0.0 s")
            async with first:  # its connection is gone: it is done all the same
                pass
            assert sorted(await handle(consumer, 9)) == list(range(1, 10))
            await asyncio.sleep(1)
            assert consumer.counts.handled == 10
        assert len(world.tokens.issued) == 2
        assert world.queue.accepted == 10
        assert world.queue.depth == 0


async def test_G31_a_message_whose_acceptance_was_lost_is_accepted_unseen_when_it_comes_again() -> None:
    async with amqp_world() as world:
        world.put(1, 2, 3)
        async with world.consumer(credit=3) as consumer:

            async def cut(number: int) -> None:
                if number == 1:
                    world.broker.drop()

            assert await handle(consumer, 3, cut) == [1, 2, 3]
            await asyncio.sleep(5)
            assert consumer.counts.handled == 3
            assert consumer.counts.duplicates >= 1
            assert world.queue.accepted == 3


async def test_G31_a_message_that_comes_again_while_its_handler_works_is_not_handled_twice() -> None:
    async with amqp_world() as world:
        world.put(1, 2)
        world.broker.faults.add("close", condition="amqp:unauthorized-access", after=2)
        async with world.consumer(ConsumerOptions(rollover="on_close")) as consumer:
            first = await next_received(consumer)
            async with first:
                await world.seen("link.streaming", 2)
                assert number_of(await next_received(consumer)) == 2
                await asyncio.sleep(1)
                assert world.queue.accepted == 0
            await asyncio.sleep(1)
            assert ("message-1", 36, False) in world.broker.settlements
            assert consumer.counts.handled == 1


async def test_G31_a_second_loss_for_the_token_soon_after_waits() -> None:
    async with amqp_world() as world:
        world.put(*range(9))
        world.broker.faults.add("close", condition="amqp:unauthorized-access", after=1, times=3)
        async with world.consumer(ConsumerOptions(rollover="on_close")) as consumer:
            told: list[object] = []
            runner = asyncio.create_task(consumer.run(lambda _: asyncio.sleep(0), on_event=told.append))
            await world.seen("link.streaming", 4)
            await asyncio.sleep(1)
        await runner
        pauses = [event.retry_in_s for event in told if isinstance(event, LinkState) and event.state == "lost"]
        assert pauses[0] == 0
        assert all(pause is not None and pause > 0 for pause in pauses[1:])
        assert len(pauses) == 3
        assert len(world.tokens.issued) == 4


async def test_G32_a_connection_is_changed_before_its_token_expires_and_nothing_is_lost_or_doubled() -> None:
    async with amqp_world(life_s=300) as world:
        world.put(*range(400))
        states: list[str] = []

        async def work(number: int) -> None:
            await asyncio.sleep(2)

        async with world.consumer(ConsumerOptions(), credit=5) as consumer:
            numbers: list[int] = []
            async for item in consumer:
                if isinstance(item, LinkState):
                    states.append(item.state)
                if isinstance(item, Received):
                    async with item:
                        await work(0)
                        numbers.append(number_of(item))
                    if len(numbers) == 400:
                        break
            assert consumer.counts.rollovers == 3
            assert consumer.counts.duplicates == 0
        assert sorted(numbers) == list(range(400))
        assert "lost" not in states
        assert states.count("draining") == 3
        assert [contact.outcome for contact in world.broker.contacts] == [0, 0, 0, 0]
        assert len(world.tokens.issued) == 4
        assert world.queue.accepted == 400
        assert {how for _, how, _ in world.broker.settlements} <= {Settled.ACCEPTED, Settled.RELEASED}
        assert not any(failed for _, _, failed in world.broker.settlements)


async def test_G32_a_handler_that_outlasts_the_change_is_not_run_again() -> None:
    async with amqp_world(life_s=100) as world:
        world.put(1)
        async with world.consumer() as consumer:
            item = await next_received(consumer)
            async with item:
                await asyncio.sleep(200)
                assert consumer.counts.connections >= 2
            await asyncio.sleep(5)
            assert consumer.counts.handled == 1
        assert world.queue.accepted == 1
        assert world.queue.depth == 0


async def test_G32_an_outage_of_ten_seconds_loses_nothing_and_gives_nothing_back() -> None:
    async with amqp_world() as world:
        world.put(*range(8))
        back_at = asyncio.get_running_loop().time() + 10
        handled: list[int] = []

        async def handler(notification: object) -> None:
            if asyncio.get_running_loop().time() < back_at:
                raise ConnectionError("the database is away")
            handled.append(notification.ticket_id)  # type: ignore[attr-defined]
            if len(handled) == 8:
                done.set()

        done = asyncio.Event()
        consumer = world.consumer()
        runner = asyncio.create_task(consumer.run(handler, concurrency=4))
        await done.wait()
        await consumer.aclose()
        await runner
        assert sorted(handled) == [f"T-{n}" for n in range(8)]  # type: ignore[comparison-overlap]
        assert consumer.counts.given_back == 0
        assert world.queue.accepted == 8
