"""What a real broker does when things go wrong, and what becomes of it here: RabbitMQ as Debian ships it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from typing import Any

import pytest

from gridwire.edsn_pie.consumer import Consumer
from gridwire.edsn_pie.decoder import decode
from gridwire.edsn_pie.errors import EdsnAuthError
from gridwire.edsn_pie.link import TokenSource
from gridwire.edsn_pie.link_errors import EdsnLinkError
from gridwire.edsn_pie.profile import AmqpSettings
from gridwire.observe.events import Event, Events
from gridwire.transport.tls import Network
from tests.support.amqp_world import handle, message, next_received, until, until_state
from tests.support.rabbitmq import CLOSED_QUEUE, QUEUE, USER, RabbitMq, Signer

pytestmark = pytest.mark.real


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return ("asyncio", {})


class Asked:
    """Hands out one token, however often it was refused, and counts."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.times = 0

    async def get(self) -> str:
        self.times += 1
        return self.token


def consumer(
    rabbitmq: RabbitMq,
    asked: Asked,
    *,
    user: str = USER,
    queue: str = QUEUE,
    events: list[Event] | None = None,
    **more: Any,
) -> Consumer:
    settings = AmqpSettings(
        **{"address": f"/amq/queue/{queue}", **more},
        host="127.0.0.1",
        port=rabbitmq.port,
        tls=False,
        idle_timeout_s=2.0,
    )
    tokens = TokenSource(asked.get, lambda _: None, lambda _: None)
    seen = Events(events.append) if events is not None else None
    return Consumer(settings, user=user, network=Network(), tokens=tokens, decode=decode, events=seen)


@pytest.mark.parametrize(
    ("claims", "shown"),
    [
        ({"life_s": -120.0}, r"by its own claims expired at .*, 2 min ago"),
        ({"aud": ["elders"]}, r"is valid until .* names 'elders' as its audience"),
        ({}, r"is valid until .* Whether its signature is good cannot be told from here"),
    ],
    ids=["expired", "wrong audience", "tampered"],
)
async def test_a_bad_token_is_refused_with_what_it_claims(
    rabbitmq: RabbitMq, claims: dict[str, Any], shown: str
) -> None:
    signer = rabbitmq.signer if claims else Signer()  # another key: as good as a tampered token
    asked = Asked(signer.token(**claims))
    async with consumer(rabbitmq, asked) as stream:
        with pytest.raises(EdsnAuthError, match=rf"refused the token, and then one fresh.*{shown}") as caught:
            await handle(stream, 1)
    assert asked.times == 2
    assert asked.token not in str(caught.value)


@pytest.mark.parametrize("queue", [CLOSED_QUEUE, "pie.not-there"])
async def test_a_refused_queue_is_an_error_within_a_second(rabbitmq: RabbitMq, queue: str) -> None:
    """This version refuses a link by ending its session."""
    began = time.monotonic()
    async with consumer(rabbitmq, Asked(rabbitmq.signer.token()), queue=queue) as stream:
        with pytest.raises(EdsnLinkError, match=queue):
            await handle(stream, 1)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        (
            {"address": QUEUE},
            r"for a queue of another kind than it is\. .*'/amq/queue/pie\.notifications' \(RabbitMQ 3\)",
        ),
        ({"address": f"/queues/{QUEUE}"}, r"unknown_destination.*'/amq/queue/pie\.notifications' \(RabbitMQ 3\)"),
        ({"virtual_host": "vhost:elsewhere"}, r"amqp_virtual_host may be wrong \(now: 'vhost:elsewhere'"),
    ],
    ids=["a bare name", "the form of RabbitMQ 4", "a wrong virtual host"],
)
async def test_a_wrong_address_is_refused_with_the_advice_that_fits(
    rabbitmq: RabbitMq, settings: dict[str, Any], advice: str
) -> None:
    async with consumer(rabbitmq, Asked("guest"), user="guest", **settings) as stream:
        with pytest.raises(EdsnLinkError, match=advice):
            await handle(stream, 1)


async def test_a_refused_queue_shows_what_the_token_may_do(rabbitmq: RabbitMq) -> None:
    asked = Asked(rabbitmq.signer.token(scope=["pie.read:*/other"]))
    async with consumer(rabbitmq, asked, queue=CLOSED_QUEUE) as stream:
        with pytest.raises(EdsnLinkError, match=r"The token claims scope 'pie\.read:\*/other'\."):
            await handle(stream, 1)


async def test_a_queue_that_is_taken_away_and_made_anew_does_not_end_the_stream(rabbitmq: RabbitMq) -> None:
    events: list[Event] = []
    async with consumer(rabbitmq, Asked("guest"), user="guest", events=events) as stream:
        rabbitmq.publish(message(1).body)
        assert await handle(stream, 1) == [1]
        await asyncio.to_thread(rabbitmq.control, "delete_queue", QUEUE)
        reading = asyncio.create_task(handle(stream, 1))
        await until(lambda: any("is tried again for 300 s" in event.text for event in events))
        await asyncio.to_thread(rabbitmq.control, "import_definitions", str(rabbitmq.folder / "definitions.json"))
        await asyncio.to_thread(rabbitmq.publish, message(2).body)
        async with asyncio.timeout(90):
            assert await reading == [2]


async def test_a_frozen_broker_is_noticed_within_the_idle_time_out(rabbitmq: RabbitMq) -> None:
    rabbitmq.publish(message(1).body)
    async with consumer(rabbitmq, Asked("guest"), user="guest") as stream:
        assert await handle(stream, 1) == [1]
        rabbitmq.signal(signal.SIGSTOP)
        frozen_at = time.monotonic()
        try:
            async with asyncio.timeout(10):
                lost = await until_state(stream, "lost")
            assert time.monotonic() - frozen_at < 2 + 1
            assert "Nothing came" in lost.reason
        finally:
            rabbitmq.signal(signal.SIGCONT)
        rabbitmq.publish(message(2).body)
        async with asyncio.timeout(60):
            assert await handle(stream, 1) == [2]


async def test_a_killed_broker_is_used_again_soon_after_it_is_back(rabbitmq: RabbitMq) -> None:
    events: list[Event] = []
    async with consumer(rabbitmq, Asked("guest"), user="guest", events=events) as stream:
        reading = asyncio.create_task(handle(stream, 20))
        await asyncio.to_thread(rabbitmq.publish, *(message(100 + number).body for number in range(10)))
        rabbitmq.kill()
        await asyncio.to_thread(rabbitmq.start)
        back_at = time.monotonic()
        await until(lambda: [event.name for event in events].count("link.streaming") >= 2)
        assert time.monotonic() - back_at < 5
        await asyncio.to_thread(rabbitmq.publish, *(message(110 + number).body for number in range(10)))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(20):
                await asyncio.shield(reading)
        assert reading.done()
        assert sorted(reading.result()) == list(range(100, 120))


async def test_many_messages_through_a_small_window_stay_within_it(rabbitmq: RabbitMq) -> None:
    """This version sometimes sends more than was asked for; what is asked for after that must not become endless."""
    rabbitmq.publish(*(message(1000 + number).body for number in range(1500)))
    async with consumer(rabbitmq, Asked("guest"), user="guest") as stream:
        most = 0
        for number in range(1500):
            async with await next_received(stream):
                if number % 10 == 0:
                    await asyncio.sleep(0.002)
                most = max(most, stream._deliveries.undecided)
        assert most < 100
        assert stream.counts.handled == 1500
