"""edsn_pie/client.py: what the client is made of, and what it does when it is opened, warmed up and closed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import gridwire.edsn_pie
from gridwire.edsn_pie import ConsumerOptions, EdsnPie
from gridwire.edsn_pie.errors import EdsnAuthError, EdsnProtocolError, EdsnTransientError
from gridwire.errors import ConfigurationError, WrongLoop
from tests.acceptance.edsn_pie.ground import TICKET, ground
from tests.support.amqp_world import until
from tests.support.keys import rsa_key


async def test_nothing_is_asked_of_the_venue_before_the_first_call() -> None:
    async with ground() as g:
        await asyncio.sleep(3600)
        assert len(g.venue.log) == 0
        assert g.pie.profile == g.account().profile


async def test_a_warmed_up_client_has_its_token() -> None:
    async with ground() as g:
        await g.pie.warm_up()
        await g.pie.get_ticket(TICKET)
        assert [call.operation for call in g.venue.log] == ["token", "get_ticket"]


def ours() -> set[Any]:
    """The tasks that are not the simulator's."""
    return {task for task in asyncio.all_tasks() if "RequestHandler" not in repr(task)}


async def test_a_closed_client_says_so_and_leaves_nothing_behind() -> None:
    async with ground() as g:
        before = ours()
        async with EdsnPie(g.account()) as pie:
            await pie.get_ticket(TICKET)
        for call in (lambda: pie.get_ticket(TICKET), pie.token):
            with pytest.raises(WrongLoop, match="Nothing was sent"):
                await call()
        assert ours() == before


async def test_closing_ends_a_fetch_under_way() -> None:
    async with ground() as g:
        g.venue.identity_faults.add("silence_before_execute", times=None)
        async with EdsnPie(g.account()) as pie:
            waiting = asyncio.create_task(pie.token())
            await asyncio.sleep(1)
        with pytest.raises(WrongLoop):
            await waiting


async def test_a_token_with_enough_life_left_can_be_had() -> None:
    async with ground() as g:
        g.venue.identity.knobs.token_life_s = 300
        first = await g.pie._identity.get()
        assert await g.pie._identity.get(least_s=120) is first
        await asyncio.sleep(170)
        assert await g.pie._identity.get(least_s=120) is first
        await asyncio.sleep(20)
        second = await g.pie._identity.get(least_s=120)
        assert second is not first
        assert second.usable_until == asyncio.get_running_loop().time() + 300
        assert await g.pie._identity.get(least_s=3000) is second, "no more than half its life can be asked of a token"
        assert g.statuses("token") == [200] * 2


async def test_tokens_with_a_short_life_are_not_bought_anew_on_every_connection() -> None:
    async with ground() as g:
        g.venue.identity.knobs.token_life_s = 100
        assert g.venue.broker is not None
        async with g.pie.notifications() as stream:
            reader = asyncio.create_task(anext(stream))
            for number in range(10):
                await until(lambda number=number: stream.counts.connections > number)  # type: ignore[misc]
                g.venue.broker.drop()
            await until(lambda: stream.counts.connections > 10)
            await reader
        assert g.statuses("token") == [200]


async def test_leaving_a_client_closes_all_its_streams_although_it_is_cancelled() -> None:
    async with ground() as g:
        assert g.venue.broker is not None
        pie = EdsnPie(g.account())
        await pie.__aenter__()
        options = ConsumerOptions(stop_timeout_s=5)
        streams = [pie.notifications(options) for _ in range(2)]

        async def hang(_: object) -> None:
            await asyncio.sleep(1000)

        runs = [asyncio.create_task(stream.run(hang)) for stream in streams]
        await until(lambda: all(stream.counts.connections for stream in streams))
        began = asyncio.get_running_loop().time()
        leaving = asyncio.create_task(pie.__aexit__(None, None, None))
        await asyncio.sleep(1)
        leaving.cancel()
        await asyncio.wait([leaving, *runs])
        assert all(stream.closed for stream in streams)
        assert asyncio.get_running_loop().time() - began < 9, "side by side, not one after the other"
        await asyncio.sleep(1)
        assert not g.venue.broker.connections


@pytest.mark.parametrize("fault", [("status", {"status": 503}), ("html", {})])
async def test_a_token_with_little_life_left_serves_while_the_provider_gives_none(fault: Any) -> None:
    async with ground() as g:
        first = await g.pie._identity.get()
        await asyncio.sleep(795)
        g.venue.identity_faults.add(fault[0], times=None, **fault[1])
        assert await g.pie._identity.get(least_s=120) is first
        assert (await g.pie.get_ticket(TICKET)).id == TICKET
        g.venue.identity_faults.clear()
        await asyncio.sleep(31)
        assert await g.pie._identity.get(least_s=120) is not first
        assert g.told("token.dropped") == []


async def test_a_token_that_ends_while_its_successor_is_asked_for_is_not_used_again() -> None:
    async with ground() as g:
        await g.pie._identity.get()
        await asyncio.sleep(880)
        g.venue.identity_faults.add("status", status=429, retry_after="25", times=None)
        with pytest.raises(EdsnTransientError):
            await g.pie._identity.get(least_s=120)


async def test_a_change_of_tokens_goes_on_with_the_old_one_while_the_provider_gives_none() -> None:
    async with ground() as g:
        running = asyncio.create_task(g.pie.run(lambda _: None))
        await asyncio.sleep(800)
        g.venue.identity_faults.add("status", status=503, times=None)
        await asyncio.sleep(60)
        assert (g.told("link.draining"), len(g.told("link.streaming"))) == ([], 1), "the old link serves on"
        assert (await g.pie.get_ticket(TICKET)).id == TICKET
        g.venue.identity_faults.clear()
        await asyncio.sleep(35)
        assert (len(g.told("link.draining")), len(g.told("link.streaming"))) == (1, 2)
        assert g.told("link.lost") == []
        assert len(g.told("token.fetched")) == 2
        running.cancel()
        await asyncio.wait([running])


async def test_a_token_replaced_meanwhile_is_not_thrown_away() -> None:
    async with ground() as g:
        first = await g.pie.token()
        g.pie._identity.refused(first)
        second = await g.pie.token()
        g.pie._identity.refused(first)
        assert await g.pie.token() == second != first
        assert len(g.told("token.dropped")) == 1


async def test_the_life_left_is_known_of_the_current_token_alone() -> None:
    async with ground() as g:
        assert g.pie._identity.left_s("x") is None
        token = await g.pie.token()
        await asyncio.sleep(100)
        assert g.pie._identity.left_s(token) == pytest.approx(800, abs=0.1)
        assert g.pie._identity.left_s(token + "x") is None


async def test_the_life_of_a_token_counts_from_the_try_that_brought_it() -> None:
    async with ground() as g:
        g.venue.identity.knobs.token_life_s = 300
        g.venue.identity_faults.add("status", status=429, retry_after="25", times=2)
        token = await g.pie._identity.get()
        assert token.usable_until - asyncio.get_running_loop().time() == pytest.approx(300, abs=0.1)
        await asyncio.sleep(265)
        assert await g.pie._identity.get() is token
        await asyncio.sleep(10)
        assert len(g.venue.log.calls("token")) == 3


async def test_an_unreachable_provider_is_transient_and_says_what_the_network_said() -> None:
    async with ground() as g:
        pie = await g.client(g.account(idp_url="http://127.0.0.1:1"))
        with pytest.raises(EdsnTransientError, match="nothing listens there") as caught:
            await pie.token()
        assert caught.value.retry_after_s is None


async def test_a_certificate_nobody_vouches_for_is_not_tried_again() -> None:
    async with ground(tls=True) as g:
        pie = await g.client(g.account(ca_pem=None))
        with pytest.raises(EdsnTransientError, match="its certificate cannot be trusted"):
            await pie.token()
        assert g.told("token.retried") == []


def test_a_client_takes_an_account() -> None:
    with pytest.raises(ConfigurationError, match=r"EdsnPie takes an account.*This is a str"):
        EdsnPie("pie")  # type: ignore[arg-type]


def test_arguments_that_are_no_settings_pass_through_from_env() -> None:
    told: list[Any] = []
    pie = EdsnPie.from_env(
        environment="test",
        client_id="pie",
        private_key="-----BEGIN",
        on_event=told.append,
        trust_env=True,
        read_only=True,
    )
    assert pie.profile.environment == "test"
    assert pie._network.trust_env
    with pytest.raises(TypeError, match="unexpected keyword"):
        EdsnPie.from_env(environment="test", client_id="pie", private_key="x", retry="always")


async def test_a_refusal_is_told_to_every_waiter_without_asking_again() -> None:
    async with ground() as g:
        pie = await g.client(g.account(private_key=rsa_key()))
        found = await asyncio.gather(*(pie.token() for _ in range(10)), return_exceptions=True)
        assert {type(error) for error in found} == {EdsnAuthError}
        assert len(g.venue.log.calls("token")) == 1


def test_public_names_can_be_had_and_others_not() -> None:
    assert all(hasattr(gridwire.edsn_pie, name) for name in gridwire.edsn_pie.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = gridwire.edsn_pie.Nothing


PAGES: list[Any] = [
    ("html", {}),
    ("raw", {"status": 404, "content": b"<html>maintenance</html>"}),
    ("raw", {"status": 302, "content": b""}),
    ("raw", {"status": 403, "content": b"<html>Request blocked</html>"}),
    ("raw", {"status": 401, "content": b""}),
]


@pytest.mark.parametrize(("fault", "more"), PAGES)
async def test_a_passing_page_where_the_provider_was_does_not_end_a_stream_that_stood(fault: Any, more: Any) -> None:
    async with ground() as g:
        broker = g.venue.broker
        assert broker is not None
        running = asyncio.create_task(g.pie.run(lambda _: None))
        await asyncio.sleep(1)
        g.venue.identity_faults.add(fault, times=1, **more)
        g.pie._identity.refused(await g.pie.token())
        broker.drop()
        await asyncio.sleep(29)
        assert "answered without a token" in g.told("link.lost")[-1].text
        await asyncio.sleep(32)
        assert len(g.told("link.streaming")) == 2
        assert g.statuses("token") == [200, None, 200], "asked again once, after the pause"
        running.cancel()
        await asyncio.wait([running])


@pytest.mark.parametrize(("fault", "more"), PAGES)
async def test_the_same_page_before_the_first_link_ends_the_stream(fault: Any, more: Any) -> None:
    async with ground() as g:
        g.venue.identity_faults.add(fault, times=1, **more)
        with pytest.raises(EdsnProtocolError, match="Check idp_url"):
            await g.pie.run(lambda _: None)


async def test_an_account_that_goes_on_being_refused_ends_the_stream_also_after_its_link_stood() -> None:
    async with ground() as g:
        broker = g.venue.broker
        assert broker is not None
        running = asyncio.create_task(g.pie.run(lambda _: None))
        await asyncio.sleep(1)
        g.venue.identity_faults.add("raw", times=None, status=401, content=b'{"error": "invalid_client"}')
        g.pie._identity.refused(await g.pie.token())
        broker.drop()
        with pytest.raises(EdsnAuthError):
            await running
