"""One connection from the client's side: every step bounded, every end told once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from pydantic import SecretStr

from gridwire.edsn_pie.link import broker_of, log_in
from gridwire.errors import ConfigurationError
from gridwire.sandbox.serving import Authority
from gridwire.transport.amqp import MAX_MESSAGE_BYTES, Delivery
from gridwire.transport.amqp_client import AmqpClient, Broker
from gridwire.transport.amqp_failure import AmqpFailure
from gridwire.transport.sasl import plain
from gridwire.transport.tls import Network
from tests.support.amqp_world import QUEUE, USER, World, amqp_world
from tests.support.hostile_broker import HostileBroker, hostile_broker, settling, transfer
from tests.support.raw_server import raw_server

LOGIN = [plain("u", "t")]


async def opened(world: World) -> AmqpClient:
    return await log_in(
        world.settings, broker_of(world.settings), USER, world.network, SecretStr(await world.tokens.get())
    )


def ignore(delivery: Delivery, data: bytes) -> None:
    pass


async def test_nothing_listens() -> None:
    with pytest.raises(AmqpFailure, match=r"127\.0\.0\.1:9 cannot be reached \(Connection refused\)") as caught:
        await AmqpClient.connect(Broker("127.0.0.1", 9, "me", tls=False), Network(), LOGIN)
    assert (caught.value.stage, caught.value.cause) == ("connect", "network")


async def test_a_broker_without_tls_is_told_from_one_with_a_bad_certificate() -> None:
    async with amqp_world() as world:
        broker = replace(broker_of(world.settings), tls=True)
        with pytest.raises(AmqpFailure, match=r"did not complete the TLS handshake|cannot be reached|ended") as caught:
            await AmqpClient.connect(broker, Network(timeout_s=2), LOGIN)
        assert caught.value.cause != "certificate"


async def test_a_connection_that_is_never_opened_is_given_up() -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(100)

    async with raw_server(behave) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(AmqpFailure, match="did not answer within 3 s") as caught:
            await AmqpClient.connect(Broker("127.0.0.1", port, "me", tls=False), Network(timeout_s=3), LOGIN)
        assert (caught.value.stage, caught.value.cause) == ("sasl", "timeout")


async def test_a_tls_handshake_that_is_never_answered_is_given_up() -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(100)

    async with raw_server(behave) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(AmqpFailure, match="could not be reached within 3 s"):
            await AmqpClient.connect(Broker("127.0.0.1", port, "me"), Network(timeout_s=3), LOGIN)


@pytest.mark.parametrize("host", ["broker.example", "10.0.0.1", "2001:db8::1"])
async def test_cleartext_stays_on_this_machine(host: str) -> None:
    with pytest.raises(ConfigurationError, match="without TLS"):
        await AmqpClient.connect(Broker(host, 5672, "me", tls=False), Network(), LOGIN)


async def test_a_certificate_for_this_machine_is_taken_by_address_and_by_name() -> None:
    authority = Authority()
    async with amqp_world(tls=(authority.context, authority.pem)) as world:
        for host in ("127.0.0.1", "localhost"):
            settings = replace(world.settings, host=host)
            client = await log_in(
                settings, broker_of(settings), USER, world.network, SecretStr(await world.tokens.get())
            )
            assert client.offered == ("PLAIN", "XOAUTH2", "OAUTHBEARER")
            await client.close(1)


async def test_the_end_is_told_once_and_with_its_first_reason() -> None:
    async with amqp_world() as world:
        world.broker.faults.add("close", condition="amqp:connection:forced", description="maintenance, token=abc ends")
        client = await opened(world)
        await client.attach(QUEUE, name="x", taker=ignore)
        failure = await client.ended
        assert failure is not None
        assert "amqp:connection:forced (maintenance, token=*** ends)" in str(failure)
        await client.close(1)
        assert await client.ended is failure


async def test_our_own_end_is_no_failure() -> None:
    async with amqp_world() as world:
        client = await opened(world)
        await client.attach(QUEUE, name="x", taker=ignore)
        await client.close(1)
        assert await client.ended is None
        with pytest.raises(AmqpFailure, match="closed by us"):
            await client.attach(QUEUE, name="y", taker=ignore)
        await client.close(1)


async def test_a_broker_that_does_not_say_good_bye_is_left_all_the_same() -> None:
    async with amqp_world() as world:
        world.broker.faults.add("silence")
        client = await opened(world)
        await client.attach(QUEUE, name="x", taker=ignore)
        began = asyncio.get_running_loop().time()
        await client.close(2)
        assert asyncio.get_running_loop().time() - began <= 6
        await asyncio.sleep(0.1)
        assert world.broker.connections == set()


@pytest.mark.parametrize("after_s", [0.0, 1.0, 3.0, 5.0])
async def test_a_good_bye_that_is_cancelled_leaves_no_connection(after_s: float) -> None:
    async with amqp_world() as world:
        world.broker.faults.add("silence")
        client = await opened(world)
        await client.attach(QUEUE, name="x", taker=ignore)
        closing = asyncio.create_task(client.close(2))
        await asyncio.sleep(after_s)
        closing.cancel()
        await asyncio.wait([closing])
        await asyncio.sleep(0.1)
        assert world.broker.connections == set()
        assert await client.ended is None, "it is we who have ended it"


async def test_a_delivery_of_a_connection_that_has_ended_cannot_be_settled() -> None:
    async with amqp_world() as world:
        held: list[Delivery] = []
        world.put(1)
        client = await opened(world)
        link = await client.attach(QUEUE, name="x", taker=lambda delivery, _: held.append(delivery))
        client.ask(link, 1)
        await asyncio.sleep(0.1)
        world.broker.drop()
        await client.ended
        await client.close(1)
        from gridwire.transport.amqp import Settled

        assert not held[0].settle(Settled.ACCEPTED)


async def connected(broker: HostileBroker) -> AmqpClient:
    return await AmqpClient.connect(Broker("127.0.0.1", broker.port, "me", tls=False), Network(timeout_s=3), LOGIN)


async def test_what_the_broker_had_settled_when_it_came_is_known_and_stays_so() -> None:
    async with hostile_broker(
        [transfer(0, b"a", settled=True), transfer(1, b"b"), transfer(2, b"c", settled=True)]
    ) as broker:
        held: list[Delivery] = []
        client = await connected(broker)
        link = await client.attach(QUEUE, name="x", taker=lambda delivery, _: held.append(delivery))
        client.ask(link, 3)
        await asyncio.sleep(0.1)
        assert [delivery.presettled for delivery in held] == [True, False, True]
        await client.close(1)
        assert [delivery.presettled for delivery in held] == [True, False, True]


async def test_a_link_on_which_everything_would_come_settled_is_refused_before_anything_comes() -> None:
    async with hostile_broker([transfer(0, b"a", settled=True)], answer=settling) as broker:
        came: list[bytes] = []
        client = await connected(broker)
        with pytest.raises(AmqpFailure, match="although we have asked it not to") as caught:
            await client.attach(QUEUE, name="x", taker=lambda _, data: came.append(data))
        assert (caught.value.stage, caught.value.cause) == ("attach", "settled")
        await client.close(1)
        await asyncio.sleep(0.1)
        assert came == []
        assert broker.connections[0].wire.transport is None


@pytest.mark.parametrize("settled", [False, True])
async def test_what_is_said_of_a_message_that_is_too_long_tells_whether_the_broker_still_has_it(
    settled: bool, caplog: pytest.LogCaptureFixture
) -> None:
    part = b"x" * 60_000
    count = MAX_MESSAGE_BYTES // len(part) + 1
    frames = [transfer(0, part, settled=settled, more=n < count - 1, first=n == 0) for n in range(count)]
    async with hostile_broker(frames) as broker:
        client = await connected(broker)
        link = await client.attach(QUEUE, name="x", taker=ignore)
        client.ask(link, 1)
        await asyncio.sleep(1)
        assert ("has forgotten it" in caplog.text, "It stays in the queue" in caplog.text) == (settled, not settled)
        assert link.credit == 1
        await client.close(1)
