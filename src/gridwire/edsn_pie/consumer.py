"""The stream of notifications: each one once, none forgotten, whatever happens to the connection.

::

    async with consumer:
        async for item in consumer:
            async with item as notification:      # accepted when the block ends well, kept when it raises
                ...

A notification whose block raises comes again after a pause of ours, the fifth failure parks it in the inbox; without an
inbox it goes back to the queue. Several processes that read one queue share its messages; none sees all of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Self, TypeAlias

from gridwire.edsn_pie.deliveries import Deliveries, Entry
from gridwire.edsn_pie.link import QueueLink, TokenSource
from gridwire.edsn_pie.models import Notification
from gridwire.edsn_pie.profile import AmqpSettings
from gridwire.edsn_pie.shelf import Shelf
from gridwire.edsn_pie.stream import (
    BLOCK,
    ConsumerOptions,
    Counts,
    GivenBack,
    HandlerFailed,
    Item,
    LinkState,
    Parked,
    PossibleLoss,
    Received,
    StreamEvent,
    Told,
    check_handler,
)
from gridwire.edsn_pie.telling import told
from gridwire.errors import GridwireError, InvalidInput, WrongLoop
from gridwire.observe.events import Events
from gridwire.transport.amqp import Delivery, Link, Undecodable
from gridwire.transport.amqp_client import AmqpClient
from gridwire.transport.amqp_message import AmqpMessage
from gridwire.transport.tls import Network

MOST_EVENTS = 256
"""More events than this wait for a slow reader only by dropping the oldest; notifications are never dropped."""


class WorkerLost(GridwireError, RuntimeError):
    """A task of `Consumer.run` was cancelled from outside, and nobody would have taken its share of the notifications."""


Handler: TypeAlias = Callable[[Notification], Awaitable[object]]


class Consumer:
    """See the module. ``decode`` never raises; ``user`` is the name that goes with the token.

    ``inbox_owner`` says whose inbox it may use, None anybody's.

    It starts with the first ``async for`` (or `run`) and ends with `aclose`, or leaving its ``async with``. What cannot be
    mended by connecting again is raised: `EdsnAuthError`, `EdsnLinkError`, `EdsnTlsError`, `ConfigurationError`.
    """

    def __init__(
        self,
        settings: AmqpSettings,
        *,
        user: str,
        network: Network,
        tokens: TokenSource,
        decode: Callable[[AmqpMessage], Notification],
        options: ConsumerOptions | None = None,
        events: Events | None = None,
        inbox_owner: str | None = None,
    ) -> None:
        self._settings = settings
        self._user = user
        self._network = network
        self._tokens = tokens
        self._decode = decode
        self._options = options or ConsumerOptions()
        self._events = events or Events()
        self._inbox_owner = inbox_owner
        self.counts: Counts = Counts()
        self._deliveries = Deliveries(self.counts, deduplicate=self._options.deduplicate, give_up=self._options.give_up)
        self._ready: deque[Entry] = deque()
        self._told: deque[Item] = deque(maxlen=MOST_EVENTS)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._settling: list[asyncio.Future[None]] = []
        self._timers: dict[Entry, asyncio.TimerHandle] = {}
        self._workers: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._shelf: Shelf | None = None
        self._queue_link: QueueLink | None = None
        self._client: AmqpClient | None = None
        self._link: Link | None = None
        self._asking: asyncio.Handle | None = None
        self._failure: BaseException | None = None
        self._holding = False
        self._unentered_told = False
        self._stopping = False
        self._closed = False
        self._closing: asyncio.Task[None] | None = None
        self._closers: set[asyncio.Task[Any]] = set()

    # the reader's side

    def __aiter__(self) -> AsyncIterator[Item]:
        return self

    async def __anext__(self) -> Item:
        loop = self._start()
        while True:
            if self._told:
                return self._told.popleft()
            if self._failure is not None:  # before what is ready: done with could not be noted any more
                failure = self._failure
                await self.aclose()
                raise failure
            if self._ready and not self._stopping:
                entry = self._ready.popleft()
                entry.state, entry.entered = "handling", False
                return Received(entry, partial(self._decide, entry))
            if self._closed or self._stopping:
                raise StopAsyncIteration
            self._warn_of_unentered()
            waiter = loop.create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()  # what woke us is for the next one
                elif waiter in self._waiting:
                    self._waiting.remove(waiter)  # or one more would be left by every poll of a quiet queue
                raise

    def _warn_of_unentered(self) -> None:
        """Say why nothing comes any more to whoever takes notifications and forgets to enter them."""
        if self._unentered_told or self._deliveries.undecided < self._settings.credit:
            return
        held = [entry for entry in self._deliveries.entries if entry.state == "handling" and not entry.entered]
        if len(held) < self._settings.credit:
            return
        self._unentered_told = True
        self._events.emit(
            "notification.unentered",
            f"{len(held)} notifications were handed out and none was entered; no more can come before one is. Write "
            "`async with item as notification:` in the loop. They stay in the queue.",
            level=logging.WARNING,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def run(
        self, handler: Handler, *, concurrency: int = 1, on_event: Callable[[StreamEvent], object] | None = None
    ) -> None:
        """Call ``handler`` for each notification, up to ``concurrency`` at a time, until cancelled or `aclose`.

        A handler that raises sees the notification again, also one that raises ``CancelledError`` because what it waited
        for was cancelled by others. Events go to ``on_event`` and to the log. Raises what ends the stream, and
        `WorkerLost` where one of its tasks was cancelled behind its back.
        """
        if not 1 <= concurrency <= 1000:
            raise InvalidInput(f"concurrency must be between 1 and 1000 handlers, not {concurrency}.")
        check_handler(handler)
        loop = asyncio.get_running_loop()
        workers = [loop.create_task(self._work(handler, on_event)) for _ in range(concurrency)]
        self._workers.update(workers)
        try:
            await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            try:
                await self.aclose()
            finally:
                await self._dismiss()
                failures = [worker.exception() for worker in workers if worker.done() and not worker.cancelled()]
        for failure in failures:
            if failure is not None:
                raise failure

    async def _dismiss(self) -> None:
        """Cancel the handlers that still run, so that none ends well after its message was given back."""
        workers = self._workers - self._closers
        self._workers -= workers
        for worker in workers:
            worker.cancel()
        if workers:
            await asyncio.wait(workers)

    async def _work(self, handler: Handler, on_event: Callable[[StreamEvent], object] | None) -> None:
        try:
            await self._serve(handler, on_event)
        except asyncio.CancelledError:
            if self._closed:
                raise
            raise WorkerLost(
                "Notifications are not taken any more: a task of run() was cancelled from outside while the stream was "
                "open. What it worked at went back; end run() by cancelling run() itself, or by aclose()."
            ) from None

    async def _serve(self, handler: Handler, on_event: Callable[[StreamEvent], object] | None) -> None:
        async for item in self:
            if not isinstance(item, Received):
                if on_event is not None:
                    on_event(item)
                continue
            try:
                async with item as notification:
                    await handler(notification)
            except asyncio.CancelledError as error:
                if not self._failed_by(error):
                    raise
            except Exception:  # noqa: BLE001, S110 - it is the caller's code; the stream has told what it raised
                pass

    def _failed_by(self, error: BaseException) -> bool:
        """Whether a handler has failed with it, and was not ended from outside.

        A handler that waited for something that others cancelled raises the error of a cancelled task, and none is.
        """
        if not isinstance(error, asyncio.CancelledError):
            return isinstance(error, Exception)
        task = asyncio.current_task()
        return not self._stopping and task is not None and not task.cancelling()

    async def aclose(self) -> None:
        """Stop: no new messages, wait for running handlers within the time-out, give the rest back, close the link.

        Handlers of `run` that take longer are cancelled. A block of an ``async for`` that takes longer goes on, and its
        message comes again. Called in a handler or a block, it returns at once, and the rest follows when that has ended.
        """
        closing = self.stop()
        if any(entry.state == "handling" and entry is BLOCK.get() for entry in self._deliveries.entries):
            return
        if (closer := asyncio.current_task()) is not None:
            self._closers.add(closer)  # a worker that met the end of the stream, and has an error to raise
        await asyncio.shield(closing)  # whoever is cancelled here leaves nothing half closed

    def stop(self) -> asyncio.Task[None]:
        """Begin to do what `aclose` does, and return at once; the task ends when it is done."""
        if self._closing is None:
            self._closed = self._stopping = True
            self._closing = asyncio.get_running_loop().create_task(self._close(), name="gridwire-pie-closing")
        return self._closing

    @property
    def closed(self) -> bool:
        """Whether it has ended, with everything given back and let go."""
        return self._closing is not None and self._closing.done()

    async def _close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            if self._queue_link is not None:
                self._queue_link.stop_asking()
            self._give_back_unbegun()
            await asyncio.sleep(0)  # whoever has just taken a notification may enter it
            await self._until_settled(self._options.stop_timeout_s)
            await self._dismiss()
            if self._shelf is not None:
                await self._shelf.written()
            for entry in list(self._deliveries.entries):
                self._return(entry)
            task.cancel()
            await asyncio.wait([task])  # whatever it ends with is not the closer's concern
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._shelf is not None:
            await self._shelf.close()
        if self._failure is None:
            self._tell(LinkState("closed"))
        self._wake_all()

    # what becomes of a message

    async def _decide(self, entry: Entry, error: BaseException | None) -> None:
        """Its block has ended."""
        if entry.state == "handling":
            try:
                await self._judge(entry, error)
            finally:  # whatever became of it, it is decided, and somebody may wait for that
                self._settled_one()

    async def _judge(self, entry: Entry, error: BaseException | None) -> None:
        if error is None:
            self.counts.handled += 1
            try:
                if entry.kept and self._shelf is not None:
                    await self._shelf.finish(entry)
            finally:  # also when its reader is cancelled while the disk writes: the inbox will have it as done
                self._deliveries.done(entry, self._now())
        elif not self._failed_by(error):  # cancelled, or the generator was closed: nobody is to blame
            if entry.sole and not entry.kept and not self._stopping:
                entry.state = "ready"
                self._offer(entry)
            else:
                self._return(entry)
        else:
            pause_s = self._deliveries.failed(entry, self._options.most_failures)
            if pause_s is None:
                await self._last_failure(entry, error)
            else:
                self._tell(HandlerFailed(entry.notification, entry.attempts, error, pause_s))
                self._timers[entry] = asyncio.get_running_loop().call_later(pause_s, self._again, entry)

    async def _last_failure(self, entry: Entry, error: BaseException) -> None:
        if self._shelf is not None:
            try:
                await self._shelf.park(entry, error)
            except asyncio.CancelledError:  # its reader, while the disk writes: the inbox will have it as parked
                self._parked(entry, error)
                raise
            except BaseException:
                self._deliveries.give_back(entry)  # the inbox has it as stored, for whoever opens it next
                raise
            self._parked(entry, error)
        elif self._options.give_up == "rejected":
            self._give_up(entry, error)
        else:  # it comes back at once, to us or to another: not before its pause is over
            pause_s = self._deliveries.pause(entry)
            self._tell(HandlerFailed(entry.notification, entry.attempts, error, pause_s))
            self._timers[entry] = asyncio.get_running_loop().call_later(pause_s, self._let_go, entry, error)

    def _let_go(self, entry: Entry, error: BaseException) -> None:
        self._timers.pop(entry, None)
        if not self._stopping and entry.state == "pausing":
            self._give_up(entry, error)
            self._settled_one()

    def _give_up(self, entry: Entry, error: BaseException) -> None:
        self.counts.given_back += 1
        self._deliveries.give_up(entry, error)
        self._tell(GivenBack(entry.notification, entry.attempts, error))

    def _return(self, entry: Entry) -> None:
        """Give it back unhandled. What the broker forgot when it sent it cannot be given back, which is told."""
        self._deliveries.give_back(entry)
        if entry.sole and not entry.kept:
            self._events.emit(
                "notification.lost",
                f"The broker had settled {entry.key or 'a message without an id'} when it sent it, so it will not come "
                "again, and it was not handled: look at the portal. An inbox would have kept it.",
                level=logging.ERROR,
                key=entry.key,
            )

    def _parked(self, entry: Entry, error: BaseException) -> None:
        self.counts.parked += 1
        self._deliveries.done(entry, self._now())
        self._tell(Parked(entry.notification, entry.key or "", entry.attempts, error))

    def _again(self, entry: Entry) -> None:
        self._timers.pop(entry, None)
        if not self._stopping and self._deliveries.pause_over(entry):
            self._offer(entry)

    def _offer(self, entry: Entry) -> None:
        self._ready.append(entry)
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _wake_all(self) -> None:
        for _ in range(len(self._waiting)):
            self._wake()

    def _settled_one(self) -> None:
        """Send what was decided, and ask for as many new messages, a few at a time."""
        if not self._ask_soon() and self._client is not None:
            self._client.flush()
        if self._settling and not self._busy():
            for waiter in self._settling:
                if not waiter.done():
                    waiter.set_result(None)
            self._settling.clear()

    def _ask_soon(self) -> bool:
        """Have a quarter of the window asked for at once; less only when nothing could come without it."""
        link, owed = self._link, self._deliveries.owed
        if link is None or not owed or self._stopping or self._asking is not None:
            return False
        if owed < self._settings.credit // 4 and link.credit > 0:
            return False
        self._asking = asyncio.get_running_loop().call_soon(self._ask)
        return True

    def _ask(self) -> None:
        self._asking = None
        client, link, owed = self._client, self._link, self._deliveries.owed
        if client is None or link is None:
            return
        if self._holding or link.credit + owed <= 0:
            # Below 0: a broker has sent more than we asked for, and a flow would tell it a huge number.
            client.flush()
            return
        self._deliveries.owed = 0
        client.ask(link, owed)

    def _busy(self) -> bool:
        if any(
            entry.state == "storing" or (entry.state == "handling" and entry.entered)
            for entry in self._deliveries.entries
        ):
            return True
        return bool(self._ready) and not self._stopping

    async def _until_settled(self, within_s: float) -> None:
        if self._busy():
            waiter = asyncio.get_running_loop().create_future()
            self._settling.append(waiter)
            await asyncio.wait({waiter}, timeout=within_s)

    def _give_back_unbegun(self) -> None:
        """Return what no handler works at; what is in the inbox stays there."""
        self._ready.clear()
        for entry in list(self._deliveries.entries):
            if entry.state in ("ready", "pausing") and not entry.kept:
                self._return(entry)
        if self._client is not None:
            self._client.flush()

    # what the link tells

    @property
    def received(self) -> int:
        """How many messages have come."""
        return self.counts.received

    def attached(self, client: AmqpClient, link: Link) -> None:
        """Ask for as much of the window as is not taken by what the inbox holds."""
        self._client, self._link = client, link
        self._holding = False
        self.counts.connections += 1
        if room := self._deliveries.link_begun(self._settings.credit):
            client.ask(link, room)
        if self._shelf is not None:
            self._shelf.streaming(True)

    def take(self, delivery: Delivery, data: bytes) -> None:
        """A message came."""
        assert self._client is not None  # noqa: S101 - messages come after attached()
        try:
            message = self._client.decode(data)
        except Undecodable:
            message = AmqpMessage(body=bytes(data))
        entry = self._deliveries.arrive(self._decode(message), message, delivery, self._now())
        if entry is None:
            self._settled_one()
        elif self._stopping or self._failure is not None:
            self._return(entry)
            self._settled_one()
        else:
            self._ask_soon()
            if self._shelf is not None:
                entry.state = "storing"
                self._shelf.store(entry)
            else:
                self._offer(entry)

    def hold(self) -> None:
        """The link is about to end: credit that comes free is not given again."""
        self._holding = True

    def parted(self) -> None:
        """The link is over."""
        if self._shelf is not None and self._link is not None:
            self._shelf.streaming(False)
        self._client = self._link = None
        if self._deliveries.link_lost():
            self._ready = deque(entry for entry in self._ready if entry.state == "ready")

    async def settled(self, within_s: float) -> None:
        """Before a rollover: let handlers end, then give back what none has begun with, or what pauses."""
        self.counts.rollovers += 1
        await self._until_settled(within_s)
        self._deliveries.before_leaving()
        self._ready = deque(entry for entry in self._ready if entry.state == "ready")
        if self._client is not None:
            self._client.flush()

    def tell(self, event: LinkState | PossibleLoss) -> None:
        """Into the stream and onto the log."""
        self._tell(event)

    def _tell(self, event: Told) -> None:
        name, text, level, fields = told(event)
        self._events.emit(name, text, level=level, **fields)
        self._told.append(event)
        self._wake()

    # its task

    def _start(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise WrongLoop("These notifications were first asked for on another event loop. Open one client per loop.")
        if self._task is None and not self._closed:
            self._task = loop.create_task(self._live(), name="gridwire-pie-notifications")
        return loop

    async def _live(self) -> None:
        try:
            last = None
            if self._options.inbox is not None:
                self._shelf = Shelf(self._options.inbox, self._deliveries, self._decode, self._offer, self._shelf_event)
                last = await self._shelf.open(self._inbox_owner)
            self._queue_link = QueueLink(
                self._settings,
                self._user,
                self._network,
                self._tokens,
                self,
                proactive=self._options.rollover == "proactive",
                last_streaming=last,
            )
            await self._queue_link.run()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever ends the stream is raised to its reader
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._failure = error
        self._events.emit("link.failed", str(error), level=logging.ERROR)
        self._wake_all()

    def _shelf_event(self, error: BaseException | None) -> None:
        """The inbox has stored something, or cannot."""
        if error is not None:
            self._fail(error)
            for entry in [entry for entry in self._deliveries.entries if entry.state == "storing"]:
                self._return(entry)  # nobody will store it; the next start gets it from the queue
        self._settled_one()

    def _now(self) -> float:
        assert self._loop is not None  # noqa: S101 - it was set when the stream began
        return self._loop.time()
