"""Notifications from the venue to the handler, with the identity provider's real tokens, through ``EdsnPie`` alone."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gridwire.edsn_pie import (
    TEST,
    CommentCreated,
    ConsumerOptions,
    EdsnPie,
    LinkState,
    Notification,
    Received,
    TicketCreated,
)
from gridwire.edsn_pie.consumer import Consumer
from gridwire.edsn_pie.errors import EdsnAuthError
from gridwire.edsn_pie.link_errors import EdsnLinkError
from gridwire.errors import ConfigurationError, ReadOnly, Unconfirmed
from gridwire.sandbox.edsn_pie.venue import ORGANISATION, queue_of
from tests.acceptance.edsn_pie.ground import TICKET, Ground, ground

QUEUE = queue_of(ORGANISATION)


async def take(consumer: Consumer, count: int) -> list[Notification]:
    """The next notifications, each accepted."""
    found: list[Notification] = []
    async for item in consumer:
        async with item as told:
            if isinstance(told, Notification):
                found.append(told)
        if len(found) == count:
            return found
    raise AssertionError("the stream has ended")


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(3600):
        while not true():  # noqa: ASYNC110 - what is waited for is the venue's record
            await asyncio.sleep(0.01)


def names(found: list[Notification]) -> list[str | None]:
    return [told.ticket_id for told in found if isinstance(told, (TicketCreated, CommentCreated))]


@pytest.mark.parametrize("tls", [False, True])
async def test_each_new_ticket_and_comment_is_told_once_and_can_be_fetched(tls: bool) -> None:
    async with ground(tls=tls) as g:
        async with g.pie.notifications() as stream:
            assert names(await take(stream, 3)) == ["PIE-000001", "PIE-000002", "PIE-000003"]
            ticket = g.venue.board.open_ticket("Nieuw", organisation=ORGANISATION)
            comment = g.venue.board.add_comment(ticket, "Eerste")
            opened, written = await take(stream, 2)
            assert (await g.pie.fetch(opened)).raw["subject"] == "Nieuw"
            assert (await g.pie.fetch(written)).id == comment
        assert g.venue.broker is not None
        queue = g.venue.broker.queues[QUEUE]
        assert (queue.accepted, queue.depth, queue.unsettled) == (5, 0, 0)
        assert g.statuses("token") == [200], "one token serves broker and API"


async def test_a_queue_is_its_organisations_alone() -> None:
    async with ground() as g:
        g.venue.board.open_ticket("of another", organisation="Polder Netbeheer")
        other = await g.client("pie-service-2")
        async with other.notifications() as stream:
            assert names(await take(stream, 1)) == ["PIE-000004"]


async def test_tokens_are_changed_under_the_open_connection_and_nothing_is_lost_or_doubled() -> None:
    async with ground() as g:
        g.venue.identity.knobs.token_life_s = 300
        async with g.pie.notifications() as stream:
            await take(stream, 3)
            for number in range(12):
                ticket = g.venue.board.open_ticket(str(number), organisation=ORGANISATION)
                assert names(await take(stream, 1)) == [ticket]
                await asyncio.sleep(200)
            assert stream.counts.rollovers >= 7
            # One that was handled while its connection ended is delivered twice; the handler has seen each once.
            assert stream.counts.handled == 15
        assert g.venue.broker is not None
        assert {contact.outcome for contact in g.venue.broker.contacts} == {0}
        assert g.venue.broker.queues[QUEUE].accepted == 15


async def test_a_call_over_rest_that_had_the_token_replaced_leaves_handlers_their_time_before_the_change() -> None:
    async with ground() as g:
        loop = asyncio.get_running_loop()
        done: list[str] = []

        async def slow(told: object) -> None:
            await asyncio.sleep(20)
            done.append(str(getattr(told, "ticket_id", told)))

        stream = g.pie.notifications()
        work = asyncio.create_task(stream.run(slow))
        began = loop.time()
        await asyncio.sleep(835)  # of a life of 900 s: REST has a new token by now, the connection changes at 840 s
        await g.pie.get_ticket(TICKET)
        await asyncio.sleep(1)
        await g.pie.get_ticket(TICKET)
        assert len(g.told("token.fetched")) == 2
        before = len(done)
        ticket = g.venue.board.open_ticket("told just before the change", organisation=ORGANISATION)
        await until(lambda: len(done) > before)
        assert loop.time() - began < 860
        await asyncio.sleep(60)
        assert stream.counts.rollovers == 1
        assert done[before:] == [ticket]
        assert stream.counts.received == 4, "its acceptance went out on the connection it came by, so it came once"
        await stream.aclose()
        await work


async def test_a_token_that_the_broker_refuses_is_replaced_once() -> None:
    async with ground() as g:
        await g.pie.token()
        g.venue.identity.revoke_all()
        async with g.pie.notifications() as stream:
            assert len(await take(stream, 3)) == 3
        assert g.venue.broker is not None
        assert [contact.outcome for contact in g.venue.broker.contacts] == [1, 0]
        assert g.statuses("token") == [200, 200]
        assert len(g.told("token.dropped")) == 1


async def test_an_account_without_the_role_ends_with_one_clear_error() -> None:
    async with ground() as g:
        pie = await g.client("pie-service-3")
        with pytest.raises(EdsnAuthError, match=r"refused the token, and then one fresh.*consumer role"):
            await take(pie.notifications(), 1)


async def test_what_ends_the_stream_is_raised_by_run_whichever_worker_met_it() -> None:
    async with ground() as g:
        pie = await g.client("pie-service-3")
        with pytest.raises(EdsnAuthError, match="consumer role"):
            await pie.run(print, concurrency=3)


async def test_a_queue_that_is_not_there_is_an_error_and_no_wait() -> None:
    async with ground() as g:
        amqp = g.venue.amqp()
        assert amqp is not None
        from dataclasses import replace

        pie = await g.client(g.account(amqp=replace(amqp, address="pie.nobody")))
        with pytest.raises(EdsnLinkError, match=r"does not let us read the queue 'pie\.nobody'"):
            await take(pie.notifications(), 1)


async def test_what_cannot_be_is_said_before_anything_is_taken() -> None:
    async with ground() as g:
        reader = await g.client(read_only=True)
        with pytest.raises(ReadOnly, match="Nothing was taken"):
            reader.notifications()
        blind = await g.client(g.account(amqp=None))
        with pytest.raises(ConfigurationError, match="No broker is named: set amqp_host and amqp_address"):
            blind.notifications()
        with pytest.raises(ConfigurationError, match="No broker is named"):
            await blind.run(print)
        assert len(g.venue.log) == 0
    production = g.pie.profile.__class__(
        "production", TEST.idp_url.replace("acc.", ""), "https://api.cmf.energysector.nl", facts=TEST.facts,
        amqp=amqp_somewhere(),
    )  # fmt: skip
    async with ground() as g:
        from gridwire.edsn_pie import Account

        account = Account(production, "pie", g.account().private_key)
        async with EdsnPie(account, confirmed=["audience", "scope", "assertion"]) as pie:
            with pytest.raises(Unconfirmed, match="'amqp_auth'"):
                pie.notifications()


def amqp_somewhere() -> Any:
    from gridwire.edsn_pie import AmqpSettings

    return AmqpSettings("broker.example.nl", "pie.voorbeeld")


async def test_handlers_run_side_by_side_and_may_be_plain_functions() -> None:
    async with ground() as g:
        seen: list[str] = []
        running = most = 0

        async def slow(told: Notification) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(5)
            running -= 1
            assert isinstance(told, TicketCreated)
            seen.append(told.ticket_id)

        work = asyncio.create_task(g.pie.run(slow, concurrency=2))
        await until(lambda: len(seen) == 3)
        assert most == 2
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

        threads: list[str] = []
        g.venue.board.open_ticket("for a plain function", organisation=ORGANISATION)
        work = asyncio.create_task(g.pie.run(lambda told: threads.append(threading.current_thread().name)))
        await until(lambda: bool(threads))
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert threads[0] != threading.main_thread().name

        g.venue.board.open_ticket("for a function that returns a coroutine", organisation=ORGANISATION)

        def indirect(told: Notification) -> object:
            return slow(told)

        work = asyncio.create_task(g.pie.run(indirect))
        await until(lambda: len(seen) == 4)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work


async def test_a_handler_that_fails_sees_its_notification_again() -> None:
    async with ground() as g:
        seen: list[str] = []

        async def fails_once(told: Notification) -> None:
            assert isinstance(told, TicketCreated)
            seen.append(told.ticket_id)
            if seen.count(told.ticket_id) == 1:
                raise OSError("the database is away")

        work = asyncio.create_task(g.pie.run(fails_once))
        await until(lambda: len(seen) == 6)
        await asyncio.sleep(60)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert sorted(seen) == sorted(["PIE-000001", "PIE-000002", "PIE-000003"] * 2)
        assert len(g.told("notification.failed")) == 3


async def test_the_clients_inbox_is_used_unless_options_name_another(tmp_path: Path) -> None:
    async with ground(inbox=tmp_path / "mine.sqlite") as g:
        async with g.pie.notifications() as stream:
            await take(stream, 1)
        assert (tmp_path / "mine.sqlite").exists()
        g.venue.board.open_ticket("for the other", organisation=ORGANISATION)
        async with g.pie.notifications(ConsumerOptions(inbox=tmp_path / "other.sqlite")) as stream:
            await take(stream, 1)
        assert (tmp_path / "other.sqlite").exists()
        async with g.pie.notifications() as stream:
            assert names(await take(stream, 2))[0] == "PIE-000002", "what was stored and not handled comes first"


async def test_the_usual_inbox_is_one_for_each_account_and_not_taken_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with ground(inbox=True) as g:
        async with g.pie.notifications(ConsumerOptions(stop_timeout_s=0)) as stream:
            await take(stream, 1)
        account = g.account()
        assert account.profile.amqp is not None
        queue = replace(account.profile.amqp, address="pie.another")
        other = await g.client(replace(account, profile=replace(account.profile, amqp=queue)), inbox=True)
        assert other._inbox != g.pie._inbox
        (mine,) = (tmp_path / "gridwire" / "inbox").glob("*.sqlite")
        async with other.notifications(ConsumerOptions(inbox=mine)) as stream:
            with pytest.raises(
                ConfigurationError, match=r"belongs to edsn_pie sandbox pie-service-1 .*No message was taken"
            ):
                await take(stream, 1)


async def test_closing_the_client_ends_the_stream_and_gives_back_what_nobody_has_begun_with() -> None:
    async with ground() as g:
        async with EdsnPie(g.account()) as pie:
            stream = pie.notifications()
            item = await anext(stream)
            while not isinstance(item, Received):
                item = await anext(stream)
        assert g.venue.broker is not None
        await until(lambda: g.venue.broker is not None and not g.venue.broker.connections)
        assert g.venue.broker.queues[QUEUE].depth == 3
        rest = [item async for item in stream]
        assert rest[-1] == LinkState("closed")


async def test_pointers_of_the_profile_are_used() -> None:
    from gridwire.edsn_pie import IdPointers

    async with ground() as g:
        pie = await g.client(g.account(pointers=IdPointers(ticket=("/subject",))))
        async with pie.notifications() as stream:
            assert names(await take(stream, 1)) == ["PIE-000001"]


WITHOUT = """
import asyncio, sys
sys.modules["proton"] = None
from gridwire.edsn_pie import EdsnPie
from gridwire.errors import MissingExtra
from gridwire.sandbox import Sandbox
async def main():
    async with Sandbox("edsn_pie") as box:
        assert box.venue("edsn_pie").broker is None
        async with EdsnPie(box.edsn_pie) as pie:
            print((await pie.get_ticket("PIE-000001")).id)
            try:
                pie.notifications()
            except MissingExtra as error:
                print(error)
asyncio.run(main())
"""


def test_without_the_extra_everything_but_notifications_works() -> None:
    ran = subprocess.run([sys.executable, "-W", "error", "-c", WITHOUT], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    ticket, sentence = ran.stdout.splitlines()
    assert ticket == "PIE-000001"
    assert sentence.startswith("AMQP needs an extra: pip install 'gridwire[edsn]'. It is compiled on installation")


async def test_an_iterator_left_early_ends_with_its_block() -> None:
    async with ground() as g:
        async with aclosing(g.pie.notifications()) as stream:
            async for item in stream:
                async with item as told:
                    if isinstance(told, TicketCreated):
                        break
        assert stream.closed
        assert g.venue.broker is not None
        assert g.venue.broker.queues[QUEUE].depth == 2


async def test_grounds_have_brokers(tmp_path: Path) -> None:
    async with ground() as g:
        assert isinstance(g, Ground)
        env = g.box.describe()["venues"]["edsn_pie"]["env"]
        assert env["GRIDWIRE_EDSN_PIE_AMQP_ADDRESS"] == QUEUE == "pie.voorbeeld-energie"
        assert env["GRIDWIRE_EDSN_PIE_AMQP_TLS"] == "false"
