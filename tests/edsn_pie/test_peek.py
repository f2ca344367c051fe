"""``EdsnPie.peek``: what waits, with all of it given back whatever happens."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gridwire.edsn_pie import TicketCreated, UnknownNotification
from gridwire.edsn_pie.errors import EdsnAuthError, EdsnConfigError
from gridwire.edsn_pie.link_errors import EdsnLinkError
from gridwire.errors import ConfigurationError, InvalidInput
from gridwire.transport.amqp import Settled
from gridwire.transport.amqp_message import AmqpMessage
from tests.acceptance.edsn_pie.ground import Ground, ground
from tests.support.amqp_world import until
from tests.support.hostile_broker import hostile_broker, sent

QUEUE = "pie.voorbeeld-energie"


def queue(g: Ground) -> Any:
    assert g.venue.broker is not None
    return g.venue.broker.queues[QUEUE]


async def test_everything_is_shown_in_order_and_given_back() -> None:
    async with ground() as g:
        assert g.venue.broker is not None
        g.venue.broker.publish(QUEUE, AmqpMessage(body=b"?", message_id="odd"))
        found = await g.pie.peek()
        assert [one.ticket_id for one in found if isinstance(one, TicketCreated)] == [
            "PIE-000001",
            "PIE-000002",
            "PIE-000003",
        ]
        assert isinstance(found[-1], UnknownNotification)
        assert {how for _, how, _ in g.venue.broker.settlements} == {Settled.RELEASED}
        assert (queue(g).depth, queue(g).accepted, queue(g).unsettled) == (4, 0, 0)
        assert not g.venue.broker.connections
        assert [one.key for one in await g.pie.peek(2)] == [one.key for one in found[:2]]


async def test_it_ends_when_nothing_comes_for_a_while() -> None:
    async with ground() as g:
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert len(await g.pie.peek(quiet_s=5)) == 3
        assert loop.time() - began == pytest.approx(5, abs=0.5)
        began = loop.time()
        assert len(await g.pie.peek(3, quiet_s=5)) == 3, "no more were asked for"
        assert loop.time() - began < 1


async def test_whoever_is_cancelled_meanwhile_has_given_everything_back() -> None:
    async with ground() as g:
        looking = asyncio.create_task(g.pie.peek(quiet_s=60))
        await until(lambda: queue(g).unsettled == 3)
        looking.cancel()
        await asyncio.wait([looking])
        await asyncio.sleep(0.1)
        assert (queue(g).depth, queue(g).unsettled) == (3, 0)


async def test_what_ends_a_stream_ends_a_look() -> None:
    async with ground() as g:
        assert g.venue.broker is not None
        amqp = g.venue.amqp()
        assert amqp is not None
        with pytest.raises(EdsnLinkError, match=r"does not let us read the queue 'pie\.nobody'"):
            await (await g.client(g.account(amqp=replace(amqp, address="pie.nobody")))).peek()
        with pytest.raises(EdsnConfigError, match="Check amqp_host and amqp_port"):
            await (await g.client(g.account(amqp=replace(amqp, port=1)))).peek()
        g.venue.broker.faults.add("drop", after=2)
        with pytest.raises(EdsnLinkError, match="ended without a word"):
            await g.pie.peek()
        with pytest.raises(ConfigurationError, match="No broker is named"):
            await (await g.client(g.account(amqp=None))).peek()
        g.venue.broker.faults.add("sasl_outcome", code=1)
        assert len(await g.pie.peek()) == 3, "a refused token is replaced once"
        g.venue.broker.faults.add("sasl_outcome", code=1, times=2)
        with pytest.raises(EdsnAuthError, match="and then one fresh"):
            await g.pie.peek()
        assert queue(g).depth == 3


@pytest.mark.parametrize("most", [0, 1001, True, "5"])
async def test_how_many_is_a_number_within_bounds(most: Any) -> None:
    async with ground() as g:
        with pytest.raises(InvalidInput, match="from 1 to 1000"):
            await g.pie.peek(most)
        with pytest.raises(InvalidInput, match="up to 60"):
            await g.pie.peek(quiet_s=0)


async def test_what_the_broker_has_forgotten_when_it_sent_it_is_told() -> None:
    async with hostile_broker([sent(1, settled=True)]) as broker, ground() as g:
        amqp = g.venue.amqp()
        assert amqp is not None
        pie = await g.client(g.account(amqp=replace(amqp, port=broker.port)))
        assert len(await pie.peek()) == 1
        (event,) = g.told("notification.lost")
        assert "what was shown of it now is all there is" in event.text
