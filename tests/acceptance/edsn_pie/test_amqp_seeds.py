"""Drawn troubles: faults of the broker, handlers that fail or take long, tokens that expire, stops and starts."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from gridwire.edsn_pie.consumer import Consumer
from gridwire.edsn_pie.models import Notification, TicketCreated
from gridwire.edsn_pie.stream import ConsumerOptions
from gridwire.sandbox.edsn_pie.broker_faults import BrokerFaults
from tests.support.amqp_world import QUEUE, World, amqp_world, message, until

MESSAGES = 60
_STRIKING = ("close", "drop", "half_frame", "garbage", "huge_frame", "silence")
_CONDITIONS = (
    "amqp:connection:forced",
    "amqp:internal-error",
    "amqp:unauthorized-access",
    "amqp:resource-limit-exceeded",
)


def draw_faults(faults: BrokerFaults, random: Random) -> None:
    for _ in range(random.randrange(8)):
        kind = random.choice([*_STRIKING, "sasl_outcome", "slow", "none", "sasl_silence"])
        if kind == "sasl_outcome":
            faults.add("sasl_outcome", code=random.choice((2, 4)))
        elif kind == "slow":
            faults.add("slow", seconds=random.uniform(0.1, 3), after=random.randrange(1, 5))
        elif kind == "sasl_silence":
            faults.add("sasl_silence")
        elif kind != "none":
            after = random.randrange(1, 15)  # 0 with "unauthorized" would be a refused queue, which is the end
            scope = random.choice(("connection", "session", "link"))
            condition = random.choice(_CONDITIONS)
            faults.add(kind, after=after, scope=scope, condition=condition)  # type: ignore[arg-type]


class Desk:
    """Handles notifications as the seed wants it, and notes which handlers have ended well."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.handled: Counter[str] = Counter()
        self.working: set[str] = set()

    async def __call__(self, notification: Notification) -> None:
        assert isinstance(notification, TicketCreated)
        ticket = notification.ticket_id
        assert ticket not in self.working, "one message was in two handlers at once"
        self.working.add(ticket)
        try:
            await asyncio.sleep(self._random.choice((0, 0.01, 0.5, 5)))
            if self._random.random() < 0.15:
                raise ConnectionError("the database is away")
        finally:
            self.working.discard(ticket)
        self.handled[ticket] += 1


async def put_all(world: World, random: Random) -> None:
    for number in range(MESSAGES):
        world.broker.publish(QUEUE, message(number))
        await asyncio.sleep(random.choice((0, 0, 0.1, 2)))


def options(random: Random, inbox: Path | None) -> ConsumerOptions:
    return ConsumerOptions(
        inbox=inbox,
        most_failures=12,  # so many in a row are not drawn
        rollover=random.choice(("proactive", "on_close")),
        stop_timeout_s=random.choice((0, 1, 10)),
    )


def consumer_of(world: World, random: Random, inbox: Path | None) -> Consumer:
    credit = random.choice((1, 2, 5, 20, 100))
    return world.consumer(options(random, inbox), credit=credit, idle_timeout_s=random.choice((0.0, 5.0, 60.0)) or 10.0)


@pytest.mark.parametrize("seed", range(120))
async def test_each_message_is_handled_once_through_whatever_is_drawn(seed: int) -> None:
    random = Random(seed)
    before = asyncio.all_tasks()
    async with amqp_world(life_s=random.choice((20, 100, 900))) as world:
        world.broker.knobs.refuses_by = random.choice(("link", "session"))
        draw_faults(world.broker.faults, random)
        desk = Desk(random)
        consumer = consumer_of(world, random, None)
        runner = asyncio.create_task(consumer.run(desk, concurrency=random.choice((1, 3, 10))))
        await put_all(world, random)
        async with asyncio.timeout(3600):
            await until(lambda: runner.done() or (len(desk.handled) == MESSAGES and world.queue.accepted == MESSAGES))
        await consumer.aclose()
        await runner
        assert set(desk.handled.values()) == {1}
        assert world.queue.accepted == MESSAGES
        assert world.queue.unsettled == world.queue.depth == 0
        assert consumer.counts.given_back == 0
    await asyncio.sleep(1)
    assert asyncio.all_tasks() <= before


@pytest.mark.parametrize("seed", range(1000, 1080))
async def test_each_message_is_handled_once_with_an_inbox_and_restarts(seed: int, tmp_path: Path) -> None:
    random = Random(seed)
    inbox = tmp_path / "inbox.sqlite"
    async with amqp_world(life_s=random.choice((20, 100, 900))) as world:
        draw_faults(world.broker.faults, random)
        desk = Desk(random)
        putting = asyncio.create_task(put_all(world, random))
        for _ in range(random.randrange(1, 5)):
            consumer = consumer_of(world, random, inbox)
            runner = asyncio.create_task(consumer.run(desk, concurrency=random.choice((1, 3, 10))))
            await asyncio.sleep(random.uniform(0, 20))
            await consumer.aclose()
            await runner
        consumer = consumer_of(world, random, inbox)
        runner = asyncio.create_task(consumer.run(desk, concurrency=3))
        await putting
        async with asyncio.timeout(3600):
            await until(lambda: runner.done() or (len(desk.handled) == MESSAGES and world.queue.accepted >= MESSAGES))
        await consumer.aclose()
        await runner
        assert set(desk.handled.values()) == {1}
        assert world.queue.accepted == MESSAGES
        assert world.queue.unsettled == world.queue.depth == 0
