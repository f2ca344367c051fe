"""How a stream ends, by whom, and what becomes of the notifications that are under way then."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gridwire.edsn_pie.stream import Received
from tests.support.amqp_world import amqp_world, next_received, until


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_a_handler_may_end_the_stream_and_what_it_handled_is_accepted(concurrency: int) -> None:
    async with amqp_world() as world:
        world.put(*range(5))
        began = asyncio.get_running_loop().time()
        handled: list[str] = []
        consumer = world.consumer(credit=1)

        async def handler(notification: Any) -> None:
            handled.append(notification.ticket_id)
            await consumer.aclose()
            await asyncio.sleep(1)

        await consumer.run(handler, concurrency=concurrency)
        assert asyncio.get_running_loop().time() - began < 5
        assert consumer.closed
        assert handled == ["T-0"]
        assert consumer.counts.handled == 1
        await until(lambda: world.queue.accepted == 1)
        assert world.queue.depth == 4


async def test_a_block_may_end_the_stream_and_is_accepted() -> None:
    async with amqp_world() as world:
        world.put(1, 2)
        async with world.consumer() as consumer:
            taken = 0
            async for item in consumer:
                async with item:
                    if isinstance(item, Received):
                        taken += 1
                        await consumer.aclose()
            assert taken == 1
        await until(lambda: world.queue.accepted == 1)
        assert world.queue.depth == 1


async def test_a_task_that_a_handler_makes_may_end_the_stream_too() -> None:
    async with amqp_world() as world:
        world.put(1, 2)
        consumer = world.consumer(credit=1)
        began = asyncio.get_running_loop().time()

        async def handler(_: object) -> None:
            await asyncio.wait_for(asyncio.create_task(consumer.aclose()), 60)

        await consumer.run(handler)
        assert asyncio.get_running_loop().time() - began < 5
        assert consumer.counts.handled == 1
        await until(lambda: world.queue.accepted == 1)


async def test_what_was_taken_and_never_entered_holds_no_end_up() -> None:
    async with amqp_world() as world:
        world.put(1)
        async with world.consumer() as consumer:
            await next_received(consumer)
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 1
        assert world.queue.depth == 1


async def test_what_is_entered_just_after_the_end_began_is_waited_for() -> None:
    async with amqp_world() as world:
        world.put(1)
        async with world.consumer() as consumer:
            item = await next_received(consumer)

            async def work() -> None:
                async with item:
                    await asyncio.sleep(2)

            working = asyncio.create_task(work())
        await working
        assert consumer.counts.handled == 1
        await until(lambda: world.queue.accepted == 1)


async def test_what_is_decided_while_a_token_is_changed_is_told_at_once() -> None:
    async with amqp_world(life_s=100) as world:
        world.put(1, 2)
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def handler(notification: Any) -> None:
            await asyncio.sleep(began + (52 if notification.ticket_id == "T-1" else 65) - loop.time())

        consumer = world.consumer(credit=2)
        runner = asyncio.create_task(consumer.run(handler, concurrency=2))
        await world.seen("link.draining")
        assert loop.time() - began == pytest.approx(50, abs=1)
        await asyncio.sleep(began + 52.2 - loop.time())
        assert (world.queue.accepted, consumer.counts.handled) == (1, 1)
        await world.seen("link.streaming", 2)
        await consumer.aclose()
        await runner
        assert world.queue.accepted == 2
