"""`EdsnPie.run` with plain functions: threads of their own, and whatever they raise. Real time, for a thread stops the other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gridwire.edsn_pie import ConsumerOptions
from gridwire.edsn_pie.models import Notification, TicketCreated
from tests.acceptance.edsn_pie.ground import Ground, ground
from tests.support.amqp_world import message

WHO: ContextVar[str] = ContextVar("WHO")
ROOM_S = 10.0
"""More than anything here takes; a test that needs it has failed."""


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return ("asyncio", {})


@asynccontextmanager
async def running(
    g: Ground, handler: Callable[[Notification], object], **more: Any
) -> AsyncIterator[asyncio.Task[None]]:
    async with asyncio.timeout(ROOM_S):
        task = asyncio.create_task(g.pie.run(handler, **more))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait([task])


def put(g: Ground, *numbers: int) -> Any:
    """Messages for the queue of the client, which is returned."""
    broker, amqp = g.venue.broker, g.pie.profile.amqp
    assert broker is not None
    assert amqp is not None
    for number in numbers:
        broker.publish(amqp.address, message(number))
    return broker.queues[amqp.address]


async def test_a_plain_handler_that_raises_stop_iteration_has_failed_like_any_other() -> None:
    async with ground() as g:
        seen: list[str] = []
        twice = asyncio.Event()
        loop = asyncio.get_running_loop()

        def handler(told: Notification) -> None:
            assert isinstance(told, TicketCreated)
            seen.append(told.ticket_id)
            if len(seen) == 1:
                next(iter([]))
            if seen.count(seen[0]) == 2:
                loop.call_soon_threadsafe(twice.set)

        put(g, 1, 2)
        async with running(g, handler):
            await twice.wait()
        assert "T-2" in seen, "the others were not kept back"
        assert "RuntimeError" in g.told("notification.failed")[0].text


async def test_as_many_plain_handlers_work_at_once_as_were_asked_for_and_the_inbox_stores_meanwhile(
    tmp_path: Path,
) -> None:
    async with ground() as g:
        count = 40
        together = threading.Barrier(count + 1, timeout=ROOM_S)
        go = threading.Event()

        def handler(_: Notification) -> None:
            together.wait()
            go.wait(ROOM_S)

        amqp = g.pie.profile.amqp
        assert amqp is not None
        g.pie = await g.client(g.account(amqp=replace(amqp, credit=count + 10)))
        queue = put(g, *range(count))
        options = ConsumerOptions(inbox=tmp_path / "inbox.sqlite")
        async with running(g, handler, concurrency=count, options=options):
            try:
                await asyncio.to_thread(together.wait)
                stored = queue.accepted
                put(g, 100)
                while queue.accepted == stored:  # noqa: ASYNC110 - the other side of a socket sets no event
                    await asyncio.sleep(0.01)
            finally:
                go.set()


async def test_stopping_does_not_wait_for_a_thread_that_goes_on() -> None:
    async with ground() as g:
        begun, go = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def handler(_: Notification) -> None:
            loop.call_soon_threadsafe(begun.set)
            go.wait(2 * ROOM_S)

        put(g, 1)
        try:
            async with running(g, handler, options=ConsumerOptions(stop_timeout_s=0.1)) as task:
                await begun.wait()
                task.cancel()
                await asyncio.wait([task])
                assert not go.is_set()
        finally:
            go.set()


async def test_a_plain_handler_sees_the_context_that_run_was_called_in() -> None:
    async with ground() as g:
        found: list[str] = []
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        WHO.set("the caller")

        def handler(_: Notification) -> None:
            found.append(WHO.get())
            loop.call_soon_threadsafe(done.set)

        put(g, 1)
        async with running(g, handler):
            await done.wait()
        assert set(found) == {"the caller"}
