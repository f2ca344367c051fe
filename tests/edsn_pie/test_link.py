"""edsn_pie/link.py: a broker that refuses after it has worked, and a token that is changed while its link serves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gridwire.edsn_pie.errors import EdsnAuthError, EdsnConfigError, EdsnTransientError, Facts
from gridwire.edsn_pie.link_errors import EdsnLinkError
from gridwire.transport.amqp import Link
from tests.support.amqp_world import Tokens, World, amqp_world, handle, until_state
from tests.support.hostile_broker import hostile_broker, settling
from tests.support.raw_server import raw_server


def lost(world: World) -> list[str]:
    return [event.text for event in world.events if event.name == "link.lost"]


REFUSALS: list[tuple[str, dict[str, Any]]] = [
    ("refuse_link", {"condition": "amqp:not-found", "scope": "link"}),
    ("refuse_link", {"condition": "amqp:unauthorized-access", "scope": "connection"}),
    ("refuse_link", {"condition": "amqp:precondition-failed", "scope": "session"}),
    ("null_source", {}),
    ("sasl_outcome", {"code": 1}),
    ("sasl_outcome", {"code": 3}),
]


@pytest.mark.parametrize(("fault", "more"), REFUSALS)
async def test_a_broker_that_refuses_for_a_while_after_it_has_worked_is_used_again(
    fault: Any, more: dict[str, Any]
) -> None:
    """Its other node is starting, or has not yet the provider's new keys."""
    async with amqp_world() as world, world.consumer() as consumer:
        world.put(1)
        assert await handle(consumer, 1) == [1]
        world.broker.faults.add(fault, times=4, **more)
        world.broker.drop()
        world.put(2)
        assert await handle(consumer, 1) == [2]
        told = [text for text in lost(world) if "is tried again for" in text]
        assert len(told) == (3 if fault == "sasl_outcome" and more["code"] == 1 else 4)
        assert "It is tried again for 300 s (amqp_patience_s); again in" in told[0]


@pytest.mark.parametrize(("fault", "more"), REFUSALS)
@pytest.mark.parametrize("patience_s", [20.0, 300.0])
async def test_a_broker_that_goes_on_refusing_is_the_end_after_the_patience(
    fault: Any, more: dict[str, Any], patience_s: float
) -> None:
    async with amqp_world() as world, world.consumer(patience_s=patience_s) as consumer:
        await until_state(consumer, "streaming")
        world.broker.faults.add(fault, times=None, **more)
        world.broker.drop()
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises((EdsnLinkError, EdsnAuthError), match=rf"It was tried again for {patience_s:.0f} s\. "):
            await handle(consumer, 1)
        assert loop.time() - began == pytest.approx(patience_s, abs=5)
        assert world.broker.accepted < 40
        assert len(world.tokens.issued) <= (world.broker.accepted if fault == "sasl_outcome" else 1)


async def test_without_patience_the_first_refusal_is_the_end() -> None:
    async with amqp_world() as world, world.consumer(patience_s=0) as consumer:
        await until_state(consumer, "streaming")
        world.broker.faults.add("null_source")
        world.broker.drop()
        with pytest.raises(EdsnLinkError, match="does not let us read the queue"):
            await handle(consumer, 1)
        assert world.broker.accepted == 2


async def test_a_link_that_comes_pre_settled_after_it_has_worked_takes_nothing_and_is_tried_on() -> None:
    def answer(link: Link) -> None:
        if len(broker.connections) == 1:
            link.open(source=link.peer_source, target=None)
        else:
            settling(link)

    async with hostile_broker(answer=answer) as broker, amqp_world() as world:
        async with world.consumer(port=broker.port, patience_s=30) as consumer:
            await until_state(consumer, "streaming")
            broker.connections[0].wire.abort()
            with pytest.raises(
                EdsnLinkError, match=r"as settled.* Ask EDSN to let the queue .* send unsettled messages"
            ):
                await handle(consumer, 1)
        assert consumer.counts.received == 0


@pytest.mark.parametrize("refused", [EdsnAuthError, EdsnConfigError])
async def test_an_identity_provider_that_goes_on_refusing_after_a_link_stood_is_the_end_after_the_patience(
    refused: type[EdsnAuthError | EdsnConfigError],
) -> None:
    async with amqp_world() as world, world.consumer(patience_s=20) as consumer:
        await until_state(consumer, "streaming")

        async def refuse() -> str:
            raise refused("The account is unknown.", Facts("token", 401))

        object.__setattr__(consumer._tokens, "get", refuse)
        world.broker.drop()
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(
            refused, match=r"^The account is unknown\. It was asked again for 20 s\. \[token, HTTP 401\]$"
        ):
            await handle(consumer, 1)
        assert loop.time() - began == pytest.approx(20, abs=5)
        assert "It is asked again for 20 s (amqp_patience_s); again in" in lost(world)[1]
        assert len(lost(world)) < 15


async def test_without_patience_the_first_refusal_of_the_identity_provider_is_the_end() -> None:
    async with amqp_world() as world, world.consumer(patience_s=0) as consumer:
        await until_state(consumer, "streaming")
        error = EdsnAuthError("The account is unknown.", Facts("token", 401))

        async def refuse() -> str:
            raise error

        object.__setattr__(consumer._tokens, "get", refuse)
        world.broker.drop()
        with pytest.raises(EdsnAuthError) as raised:
            await handle(consumer, 1)
        assert raised.value is error


# a place where no broker ever was


async def test_a_place_that_was_never_reached_ends_after_the_patience_and_names_its_settings() -> None:
    async with amqp_world() as world:
        await world.broker.close()
        loop = asyncio.get_running_loop()
        async with world.consumer() as consumer:
            first = await until_state(consumer, "lost")
            assert "Check amqp_host and amqp_port (127.0.0.1:" in first.reason
            assert "is tried again for 300 s (amqp_patience_s)" in first.reason
            began = loop.time()
            with pytest.raises(
                EdsnConfigError,
                match=rf"refused\)\. It was tried again for 300 s\. Check amqp_host and amqp_port \(127\.0\.0\.1:{world.port}\)",
            ):
                await handle(consumer, 1)
            assert loop.time() - began == pytest.approx(300, abs=2)


async def test_a_broker_that_starts_after_its_reader_is_found() -> None:
    async with amqp_world() as world:
        await world.broker.close()
        async with world.consumer() as consumer:
            for _ in range(4):
                await until_state(consumer, "lost")
            await world.broker.open(world.port)
            world.put(1)
            assert await handle(consumer, 1) == [1]
            world.tokens.life_s = 100_000  # the outage below is longer than a token's life
            await world.broker.close()
            await asyncio.sleep(3600)
            await world.broker.open(world.port)
            world.put(2)
            assert await handle(consumer, 1) == [2], "what has worked once has no end"


async def test_what_answers_and_is_no_broker_is_the_end_at_once() -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with raw_server(web) as server, amqp_world() as world:
        port = int(server.url.rpartition(":")[2])
        async with world.consumer(port=port) as consumer:
            with pytest.raises(
                EdsnConfigError, match=rf"no AMQP broker.*amqp_port \(127\.0\.0\.1:{port}\), amqp_tls \(now off\)"
            ):
                await handle(consumer, 1)


# the change of a token


class Slow(Tokens):
    """An identity provider that takes its time from the second token on, or fails."""

    def __init__(self, life_s: float) -> None:
        super().__init__(life_s)
        self.delay_s = 0.0
        self.down = False

    async def get(self) -> str:
        if self.issued:
            await asyncio.sleep(self.delay_s)
            if self.down:
                raise EdsnTransientError("The provider is away.")
        return await super().get()


async def test_the_new_token_is_there_before_the_old_link_is_let_go() -> None:
    """Twenty seconds of the provider's are twenty seconds in which the old link serves."""
    async with amqp_world() as world:
        tokens = world.tokens = Slow(900)
        world.broker._check = tokens.check
        tokens.delay_s = 20.0
        loop = asyncio.get_running_loop()
        async with world.consumer() as consumer:
            began = loop.time()
            await until_state(consumer, "streaming")
            await asyncio.sleep(845)  # it is being asked for
            world.put(1)
            assert await handle(consumer, 1) == [1]
            assert consumer.counts.connections == 1
            draining = await until_state(consumer, "draining")
            assert loop.time() - began == pytest.approx(860, abs=1)
            assert draining.reason == "the token is about to expire"
            await until_state(consumer, "streaming")
            assert loop.time() - began == pytest.approx(860, abs=1)
        assert len(tokens.issued) == 2
        assert [contact.claims["jti"] for contact in world.broker.contacts] == ["0", "1"]  # type: ignore[index]


@pytest.mark.parametrize("how", ["hangs", "fails"])
async def test_a_provider_that_gives_no_token_in_time_costs_the_link_only_when_the_old_one_ends(how: str) -> None:
    async with amqp_world() as world:
        tokens = world.tokens = Slow(900)
        world.broker._check = tokens.check
        loop = asyncio.get_running_loop()
        async with world.consumer() as consumer:
            began = loop.time()
            await until_state(consumer, "streaming")
            tokens.delay_s, tokens.down = (3600.0, False) if how == "hangs" else (0.0, True)
            draining = await until_state(consumer, "draining")
            assert loop.time() - began == pytest.approx(890, abs=1)
            assert draining.reason == "the token is about to expire, and there is no new one yet"
            assert not lost(world)
            if how == "fails":
                assert "The provider is away." in (await until_state(consumer, "lost")).reason
            tokens.down = False
            await until_state(consumer, "streaming")
            world.put(1)
            assert await handle(consumer, 1) == [1]


async def test_a_provider_that_is_back_within_the_old_tokens_life_costs_nothing() -> None:
    async with amqp_world() as world:
        tokens = world.tokens = Slow(900)
        world.broker._check = tokens.check
        async with world.consumer() as consumer:
            await until_state(consumer, "streaming")
            tokens.down = True
            await asyncio.sleep(870)
            assert consumer.counts.connections == 1
            tokens.down = False
            await until_state(consumer, "draining")
            await until_state(consumer, "streaming")
            assert not lost(world)


@pytest.mark.parametrize("how", ["link", "closed"])
async def test_an_end_while_the_new_token_is_fetched_is_seen_at_once(how: str) -> None:
    async with amqp_world() as world:
        tokens = world.tokens = Slow(900)
        world.broker._check = tokens.check
        loop = asyncio.get_running_loop()
        async with world.consumer() as consumer:
            await until_state(consumer, "streaming")
            tokens.delay_s = 30.0
            await asyncio.sleep(845)
            at = loop.time()
            if how == "link":
                world.broker.drop()
                await until_state(consumer, "lost")
            else:
                await consumer.aclose()
            assert loop.time() - at < 1


async def test_an_outage_from_before_a_change_of_the_token_makes_no_later_one_longer() -> None:
    async with amqp_world(life_s=100) as world, world.consumer() as consumer:
        await until_state(consumer, "streaming")
        await world.broker.close()
        await asyncio.sleep(120)
        await world.broker.open(world.port)
        await until_state(consumer, "draining")
        await until_state(consumer, "streaming")
        await world.broker.close()
        first = await until_state(consumer, "lost")
        second = await until_state(consumer, "lost")
        assert [(pause or 0) <= 2.0 for pause in (first.retry_in_s, second.retry_in_s)] == [True, True]
