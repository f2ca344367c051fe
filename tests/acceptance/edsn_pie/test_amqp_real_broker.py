"""Golden test 41: a real broker, RabbitMQ as Debian ships it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gridwire.edsn_pie.consumer import Consumer
from gridwire.edsn_pie.decoder import decode
from gridwire.edsn_pie.link import TokenSource
from gridwire.edsn_pie.profile import AmqpSettings
from gridwire.transport.amqp import MAX_MESSAGE_BYTES
from gridwire.transport.tls import Network
from tests.support.amqp_world import handle, message
from tests.support.rabbitmq import QUEUE, USER, RabbitMq

pytestmark = pytest.mark.real


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return ("asyncio", {})


def consumer(rabbitmq: RabbitMq, user: str, secret: str) -> Consumer:
    async def get() -> str:
        return secret

    settings = AmqpSettings(host="127.0.0.1", port=rabbitmq.port, tls=False, address=f"/amq/queue/{QUEUE}")
    tokens = TokenSource(get, lambda _: None)
    return Consumer(settings, user=user, network=Network(), tokens=tokens, decode=decode)


async def test_G41_a_password_reads_a_queue_of_a_real_broker(rabbitmq: RabbitMq) -> None:
    rabbitmq.publish(*(message(number).body for number in range(50)))
    async with consumer(rabbitmq, "guest", "guest") as stream:
        assert await handle(stream, 50) == list(range(50))


async def test_G41_a_token_as_the_password_reads_a_queue_of_a_real_broker(rabbitmq: RabbitMq) -> None:
    rabbitmq.publish(*(message(number).body for number in range(50)))
    async with consumer(rabbitmq, USER, rabbitmq.signer.token()) as stream:
        assert await handle(stream, 50) == list(range(50))


async def test_G41_a_token_of_five_kilobytes_is_taken(rabbitmq: RabbitMq) -> None:
    rabbitmq.publish(message(1).body)
    token = rabbitmq.signer.token(filler="x" * 3600)
    assert len(token) > 5000
    async with consumer(rabbitmq, USER, token) as stream:
        assert await handle(stream, 1) == [1]


async def test_G41_a_message_beyond_our_bound_does_not_stop_those_behind_it(rabbitmq: RabbitMq) -> None:
    rabbitmq.publish(b"x" * (MAX_MESSAGE_BYTES + 1), *(message(number).body for number in range(3)))
    async with consumer(rabbitmq, "guest", "guest") as stream, asyncio.timeout(30):
        assert await handle(stream, 3) == [0, 1, 2]
        rabbitmq.publish(message(3).body)  # what the broker thinks of our answer would have come by now
        assert await handle(stream, 1) == [3]
        assert stream.counts.connections == 1
    async with consumer(rabbitmq, "guest", "guest") as stream, asyncio.timeout(30):
        rabbitmq.publish(message(4).body)
        assert await handle(stream, 1) == [4]
