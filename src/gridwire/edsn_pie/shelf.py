"""The inbox at work in a consumer: one writer, in a thread, that stores what came together in one go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from gridwire import clock
from gridwire.edsn_pie.deliveries import Deliveries, Entry
from gridwire.edsn_pie.models import Notification, UnknownNotification
from gridwire.intents.inbox import MOST_AT_ONCE, Inbox, Kept
from gridwire.observe.redact import said
from gridwire.transport.amqp_message import AmqpMessage, dump, load

T = TypeVar("T")

LOOK_EVERY_S = 30.0
"""How often the inbox is looked at for messages that were retried by a person, and the link's time noted."""


@dataclass(slots=True)
class _Job:
    """A change of the inbox, and who waits for it."""

    entry: Entry
    kind: str
    note: str
    done: asyncio.Future[None]


class Shelf:
    """See the module.

    ``offer`` hands an entry to readers; ``report`` is told after each change, with an error if it failed.
    """

    def __init__(
        self,
        path: Path,
        deliveries: Deliveries,
        decode: Callable[[AmqpMessage], Notification],
        offer: Callable[[Entry], None],
        report: Callable[[BaseException | None], None],
    ) -> None:
        self._path = path
        self._deliveries = deliveries
        self._decode = decode
        self._offer = offer
        self._report = report
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gridwire-inbox")
        self._opening: asyncio.Future[Inbox] | None = None
        self._jobs: list[_Job] = []
        self._doing: list[_Job] = []
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._streaming = False
        self._note = False
        self._closing = False
        self._left = False
        """Whether the inbox may hold more than was handed out at the last look."""
        self._failure: BaseException | None = None

    async def open(self, owner: str | None = None) -> datetime | None:
        """Take the file, if it is ``owner``'s, and hand out what a former process left.

        Returns when anyone was last connected.
        """
        self._opening = self._in_thread(partial(Inbox.open, self._path, reader=True, owner=owner))
        inbox = await asyncio.shield(self._opening)  # whoever is cancelled here closes what is being opened
        last = await self._in_thread(inbox.last_streaming)
        await self._look(inbox)
        self._task = asyncio.get_running_loop().create_task(self._write(inbox), name="gridwire-pie-inbox")
        return last

    def store(self, entry: Entry) -> None:
        """Store it; the message is accepted and handed to readers once that is done."""
        if entry.key is None:
            self._deliveries.name(entry, f"unnamed:{uuid4()}")
        self._add(entry, "store")

    async def finish(self, entry: Entry) -> None:
        """Its handler has succeeded. Returns when that is on the disk."""
        await self._add(entry, "finish")

    async def park(self, entry: Entry, error: BaseException) -> None:
        """Its handler has failed too often. Returns when that is on the disk, and is not undone by being cancelled."""
        await self._add(entry, "park", said(error))

    async def written(self) -> None:
        """Wait until everything that was asked for is on the disk, or cannot be."""
        waiting = [job.done for job in [*self._jobs, *self._doing]]
        if waiting:
            await asyncio.wait(waiting)

    def streaming(self, streaming: bool) -> None:
        """The link stands, or no longer does. Either way messages could come until now."""
        self._streaming = streaming
        self._note = True
        self._more.set()

    async def close(self) -> None:
        """Write what waits and let the file go."""
        self._closing = True
        self._more.set()
        if self._task is not None:
            await asyncio.wait([self._task])
        if self._opening is not None:
            await asyncio.wait([self._opening])
            if self._opening.exception() is None:
                await self._in_thread(self._opening.result().close)
        self._thread.shutdown(wait=False)

    def _in_thread(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Run it in the inbox's own thread: the loop's are for everybody, and may all be busy."""
        return asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _add(self, entry: Entry, kind: str, note: str = "") -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._failure is not None:
            future.set_exception(self._failure)
            future.exception()  # whoever stores does not wait for it
            return future
        self._jobs.append(_Job(entry, kind, note, future))
        self._more.set()
        return future

    async def _write(self, inbox: Inbox) -> None:
        loop = asyncio.get_running_loop()
        look_at = loop.time() + LOOK_EVERY_S
        while self._jobs or self._note or not self._closing:
            try:
                async with asyncio.timeout_at(look_at):
                    await self._more.wait()
            except TimeoutError:
                look_at = loop.time() + LOOK_EVERY_S
                await self._guarded(self._look(inbox))
            self._more.clear()
            if self._note:
                self._note = False
                await self._guarded(self._in_thread(partial(inbox.note_streaming, clock.now())))
            self._doing, self._jobs = self._jobs, []
            if self._doing:
                await self._guarded(self._do(inbox, self._doing))
            if self._failure is not None:
                for job in [*self._doing, *self._jobs]:
                    if not job.done.done():
                        job.done.set_exception(self._failure)
                        job.done.exception()
                return
            self._doing = []
            if self._left and not self._closing and self._deliveries.undecided < MOST_AT_ONCE // 2:
                await self._guarded(self._look(inbox))

    async def _guarded(self, work: Any) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - a writer that dies silently would stop every message
            self._failure = error
            self._report(error)

    async def _do(self, inbox: Inbox, jobs: list[_Job]) -> None:
        new = [job.entry for job in jobs if job.kind == "store"]
        if new:
            texts = [(entry.key or "", dump(entry.message)) for entry in new]
            before = await self._in_thread(partial(inbox.store, texts, at=clock.now()))
            now = asyncio.get_running_loop().time()
            for entry in new:
                self._stored(entry, before.get(entry.key or ""), now)
        finished = [job.entry.key or "" for job in jobs if job.kind == "finish"]
        if finished:
            await self._in_thread(partial(inbox.finish, finished, at=clock.now()))
        for job in jobs:
            if job.kind == "park":
                key, attempts = job.entry.key or "", job.entry.attempts
                park = partial(inbox.park, key, attempts=attempts, note=job.note, at=clock.now())
                await self._in_thread(park)
            if not job.done.done():
                job.done.set_result(None)
        self._report(None)

    def _stored(self, entry: Entry, before: str | None, now: float) -> None:
        if entry.state == "gone":  # given back as we stop: who opens the inbox next will find it
            return
        if before in ("done", "parked"):
            self._deliveries.known(entry, now)
            return
        self._deliveries.stored(entry)
        self._offer(entry)

    async def _look(self, inbox: Inbox) -> None:
        """Hand out what is stored and not with us: left by a former process, or retried by a person."""
        if self._streaming:
            await self._in_thread(partial(inbox.note_streaming, clock.now()))
        last: Kept | None = None
        self._left = True
        while self._deliveries.undecided < MOST_AT_ONCE:
            found = await self._in_thread(partial(inbox.pending, last))
            if not found:
                self._left = False
                return
            last = found[-1]
            changing = {job.entry.key for job in self._jobs}
            for kept in found:
                if self._deliveries.undecided >= MOST_AT_ONCE:
                    return
                if kept.key not in changing and not self._deliveries.is_live(kept.key):
                    notification, message = self._read(kept)
                    entry = self._deliveries.enter(kept.key, notification, message)
                    self._deliveries.stored(entry)
                    self._offer(entry)

    def _read(self, kept: Kept) -> tuple[Notification, AmqpMessage]:
        """What was stored. What was damaged since is handed out as such, and keeps no other from its handler."""
        try:
            message = load(kept.message)
            return self._decode(message), message
        except ValueError as error:
            reason = f"It was damaged in the inbox {self._path} and cannot be read again ({type(error).__name__})."
            raw = kept.message
            return UnknownNotification(envelope="none", key=kept.key, raw=raw, reason=reason), AmqpMessage(body=raw)
