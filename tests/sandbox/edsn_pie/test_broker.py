"""The broker in memory does what brokers do: queues, one day, redelivery, tokens, and wrong on request."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import SecretStr

from gridwire.edsn_pie.link import broker_of, log_in
from gridwire.errors import InvalidInput
from gridwire.sandbox.edsn_pie.broker import AmqpBroker
from gridwire.transport.amqp import Delivery, Link, Settled
from gridwire.transport.amqp_client import AmqpClient
from gridwire.transport.amqp_failure import AmqpFailure
from tests.support.amqp_world import QUEUE, USER, World, amqp_world, message


class Reader:
    """An attached client that settles only what a test says."""

    def __init__(self) -> None:
        self.client: AmqpClient
        self.link: Link
        self.deliveries: list[tuple[Delivery, str | None, int]] = []

    @classmethod
    async def open(cls, world: World, *, credit: int = 10) -> Reader:
        reader = cls()
        token = await world.tokens.get()
        reader.client = await log_in(world.settings, broker_of(world.settings), USER, world.network, SecretStr(token))
        reader.link = await reader.client.attach(QUEUE, name="reader", taker=reader._take)
        reader.client.ask(reader.link, credit)
        await asyncio.sleep(0.1)
        return reader

    def _take(self, delivery: Delivery, data: bytes) -> None:
        found = self.client.decode(data)
        self.deliveries.append((delivery, found.message_id, found.delivery_count))

    async def settle(self, at: int, how: Settled, *, failed: bool = False) -> None:
        self.deliveries[at][0].settle(how, failed=failed)
        self.client.flush()
        await asyncio.sleep(0.1)

    @property
    def got(self) -> list[tuple[str | None, int]]:
        return [(message_id, count) for _, message_id, count in self.deliveries]


async def test_messages_come_in_order_as_far_as_credit_goes() -> None:
    async with amqp_world() as world:
        world.put(1, 2, 3)
        reader = await Reader.open(world, credit=2)
        assert reader.got == [("message-1", 0), ("message-2", 0)]
        assert world.queue.depth == 1
        reader.client.ask(reader.link, 5)
        await asyncio.sleep(0.1)
        assert len(reader.got) == 3
        await reader.client.close(1)


async def test_what_is_released_comes_again_at_its_place_and_a_failed_delivery_is_counted() -> None:
    async with amqp_world() as world:
        world.put(1, 2, 3, 4)
        reader = await Reader.open(world, credit=3)
        await reader.settle(1, Settled.MODIFIED, failed=True)
        await reader.settle(0, Settled.RELEASED)
        assert [stored.message.message_id for stored in world.queue.waiting] == ["message-1", "message-2", "message-4"]
        reader.client.ask(reader.link, 2)
        await asyncio.sleep(0.1)
        assert reader.got[3:] == [("message-1", 0), ("message-2", 1)]
        assert (world.queue.released, world.queue.modified) == (1, 1)
        await reader.client.close(1)


async def test_what_a_lost_consumer_held_comes_again_and_counts_as_failed() -> None:
    async with amqp_world() as world:
        world.put(1, 2)
        await Reader.open(world)
        world.broker.drop()
        await asyncio.sleep(0.1)
        assert world.queue.depth == 2
        reader = await Reader.open(world)
        assert reader.got == [("message-1", 1), ("message-2", 1)]
        await reader.client.close(1)


async def test_two_consumers_share_a_queue() -> None:
    async with amqp_world() as world:
        first, second = await Reader.open(world), await Reader.open(world)
        world.put(*range(6))
        await asyncio.sleep(0.1)
        assert len(first.got) == len(second.got) == 3
        for reader in (first, second):
            await reader.client.close(1)


async def test_a_message_lives_a_day() -> None:
    async with amqp_world() as world:
        world.put(1)
        await asyncio.sleep(24 * 3600 - 1)
        assert world.queue.depth == 1
        await asyncio.sleep(1)
        assert world.queue.depth == 0
        assert world.queue.expired == 1


async def test_a_connection_ends_when_its_token_expires() -> None:
    async with amqp_world(life_s=100) as world:
        reader = await Reader.open(world)
        began = asyncio.get_running_loop().time()
        failure = await reader.client.ended
        assert asyncio.get_running_loop().time() - began == pytest.approx(100, abs=1)
        assert failure is not None
        assert failure.condition is not None
        assert failure.condition.name == "amqp:unauthorized-access"
        await reader.client.close(1)


async def test_a_connection_outlives_its_token_where_the_broker_does_not_look() -> None:
    async with amqp_world(life_s=100) as world:
        world.broker.knobs.closes_at_expiry = False
        reader = await Reader.open(world)
        await asyncio.sleep(1000)
        assert not reader.client.ended.done()
        await reader.client.close(1)


async def test_an_expired_token_and_no_token_are_refused_and_the_records_say_why() -> None:
    async with amqp_world() as world:
        for token in (world.tokens.make(exp=0), world.tokens.make(aud="elders"), "unknown", ""):
            with pytest.raises(AmqpFailure):
                await log_in(world.settings, broker_of(world.settings), USER, world.network, SecretStr(token))
        assert [contact.reason for contact in world.broker.contacts] == [
            "the token has expired", "the audience is wrong", "the signature is wrong", "no token was sent",
        ]  # fmt: skip


async def test_a_queue_is_closed_to_who_has_put_no_token() -> None:
    async with amqp_world() as world:
        world.broker.knobs.mechanisms = ("ANONYMOUS",)
        from gridwire.transport.sasl import anonymous

        client = await AmqpClient.connect(broker_of(world.settings), world.network, [anonymous()])
        with pytest.raises(AmqpFailure, match="no token was put"):
            await client.attach(QUEUE, name="x", taker=lambda *_: None)
        await client.close(1)


async def test_a_token_that_is_put_is_judged() -> None:
    async with amqp_world() as world:
        world.broker.knobs.mechanisms = ("ANONYMOUS",)
        from gridwire.transport.sasl import anonymous

        client = await AmqpClient.connect(broker_of(world.settings), world.network, [anonymous()])
        with pytest.raises(AmqpFailure, match=r"did not take the token \(status 401, the signature is wrong") as caught:
            await client.put_token("forged", "pie")
        assert caught.value.outcome == 1
        await client.close(1)


async def test_a_slow_broker_sends_one_message_at_a_time() -> None:
    async with amqp_world() as world:
        world.put(1, 2, 3)
        world.broker.faults.add("slow", seconds=10)
        reader = await Reader.open(world)
        counts = []
        for _ in range(3):
            counts.append(len(reader.got))
            await asyncio.sleep(10)
        assert counts == [1, 2, 3]
        await reader.client.close(1)


async def test_a_silent_client_is_dropped() -> None:
    async with amqp_world() as world:
        world.broker.knobs.idle_timeout_s = 5
        reader = await Reader.open(world)
        reader.client._wire.silence()
        await asyncio.sleep(6)
        assert world.broker.connections == set()
        await reader.client.close(1)


async def test_faults_strike_in_order_and_are_counted_down() -> None:
    broker = AmqpBroker(lambda token: {}, queues=("q",))
    broker.faults.add("drop", times=2)
    broker.faults.add("close")
    assert [fault.kind for _ in range(3) if (fault := broker.faults.take())] == ["drop", "drop", "close"]
    assert broker.faults.take() is None
    broker.faults.add("drop", times=None)
    assert all(broker.faults.take() for _ in range(10))
    broker.faults.clear()
    assert broker.faults.take() is None
    with pytest.raises(InvalidInput, match="has no fault 'explode'"):
        broker.faults.add("explode")  # type: ignore[arg-type]


async def test_a_client_that_speaks_something_else_is_dropped() -> None:
    async with amqp_world() as world:
        for said in (b"GET / HTTP/1.1\r\n\r\n", b"AMQP\x03\x01\x00\x00" + b"\xff" * 20):
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(said)
            await reader.read()
            writer.close()
        assert not world.broker.contacts


async def test_publishing_to_the_broker_is_refused() -> None:
    async with amqp_world() as world:
        token = await world.tokens.get()
        client = await log_in(world.settings, broker_of(world.settings), USER, world.network, SecretStr(token))
        sender = client._engine.sender("sender")
        sender.open(source="x", target=QUEUE)
        with pytest.raises(AmqpFailure, match="takes no messages"):
            await client._until(client._attached(sender))
        await client.close(1)
        world.broker.publish(QUEUE, message(1))
        assert world.queue.depth == 1
