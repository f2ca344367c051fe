"""The bridge between a blocking call and the loop that does the work.

Each blocking client owns one loop in one daemon thread; calls from any thread cross over through anyio's `BlockingPortal`.
The portal runs in a thread of our own making: anyio's ``start_blocking_portal`` ends its thread from a finaliser, and a
client that nobody closed would then hang the interpreter at its exit.

Where a call is in its life, and what an interruption (Ctrl-C in the calling thread) does to it:

==============  =======================================================================================================
state           interrupted then
==============  =======================================================================================================
not begun       it never begins
under way       it is cancelled, as an asyncio task is: a write whose bytes had left is remembered as `Unknown`
ended           its result, which nobody will get, is handed to ``keep``: an `Accepted` write is listed by ``unknown()``
==============  =======================================================================================================
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar

import anyio
from anyio.from_thread import BlockingPortal

from gridwire.errors import WrongLoop
from gridwire.outcome import Accepted, Unknown

P = ParamSpec("P")
T = TypeVar("T")

SLICE_S = 0.5
"""A waiting thread looks up this often: on Windows a wait without an end would not hear Ctrl-C."""

INTERRUPT_S = 5.0
"""How long an interrupted call is given to end before the interruption goes on without it."""

WRITES = "If it was a write and its bytes had left, unknown() names it: look at the venue before sending it again."
"""What it means that a call was cut off, for a client that writes."""

CLOSE_S = 30.0
"""How long closing waits for the client to let go of its connections."""

_log = logging.getLogger("gridwire.sync")


class _Call(Generic[T]):
    """One call. Made by the calling thread, run on the loop; only the loop changes it, but for ``abandoned``."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]], keep: Callable[[T], None], cut: str) -> None:
        self.done = threading.Event()
        self._cut = cut
        self._work = work
        self._keep = keep
        self._task: asyncio.Task[Any] | None = None
        self.abandoned = False
        """Whether its caller is interrupted. Set by the caller at once, so that what has not begun never does."""
        self._results: list[T] = []
        self.error: BaseException | None = None

    async def run(self) -> None:
        """Do the work and hold its result for the calling thread."""
        if self.abandoned:
            return
        self._task = asyncio.current_task()
        try:
            self._results.append(await self._work())
        except asyncio.CancelledError:
            if not self.abandoned:
                raise
        except BaseException as error:  # noqa: BLE001 - it belongs to the calling thread
            self.error = error
        finally:
            self.settle()
            self.done.set()

    def cancel(self) -> None:
        """End it, on behalf of a caller who has abandoned it."""
        if self._task is None:
            self.done.set()
        elif not self.done.is_set():
            self._task.cancel()

    def settle(self) -> None:
        """Hand a result that nobody will get to ``keep``, once; loop and caller may both come to this."""
        if self.abandoned:
            with contextlib.suppress(IndexError):
                self._keep(self._results.pop())

    def result(self) -> T:
        """What came of it, in the calling thread."""
        if self.error is not None:
            raise self.error
        if not self._results:
            raise WrongLoop(f"The client was closed while this call was under way. {self._cut}")
        return self._results[0]


class Bridge:
    """The loop of one client. ``client`` is entered and left on it, in one task.

    ``cut`` says what it means for the user that a call was cut off, by Ctrl-C or because the client was closed.
    """

    def __init__(self, client: AbstractAsyncContextManager[Any], *, cut: str = WRITES) -> None:
        self._client = client
        self._cut = cut
        self._name = type(client).__name__
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._portal: BlockingPortal | None = None
        self._opened = threading.Event()
        self._closing = False
        self._failure: BaseException | None = None
        self.undelivered: list[Unknown] = []
        """Writes that the venue accepted in the very moment in which their caller was interrupted."""

    def open(self) -> None:
        """Start the thread and open the client on it. Raises what the client raises, `WrongLoop` if opened before."""
        with self._lock:
            if self._thread is not None:
                raise WrongLoop(
                    f"This {self._name} was opened before, and a blocking client opens once: make a new one."
                )
            self._thread = threading.Thread(target=self._run, name=f"gridwire-{self._name}", daemon=True)
        try:
            self._thread.start()
            self._wait(self._opened)
        except BaseException:
            self.close()
            raise
        self._raise_failure()

    def close(self) -> None:
        """Cancel what is under way, close the client, end the thread. A second time does nothing."""
        thread = self._thread
        if thread is threading.current_thread():
            raise WrongLoop(_ON_THE_LOOP.format(name=self._name))
        if thread is None:
            return
        self._closing = True
        if not thread.is_alive():
            return
        portal = self._portal
        if portal is not None:
            with contextlib.suppress(RuntimeError):  # another thread is closing it
                portal.start_task_soon(portal.stop, True)
        thread.join(CLOSE_S)
        if thread.is_alive():
            _log.warning("%s did not close within %g s; its thread ends with the process.", self._name, CLOSE_S)
        self._raise_failure()

    def call(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await ``function(*args, **kwargs)`` on the loop. Returns or raises what it does."""
        return self.call_keeping(partial(function, *args, **kwargs), self._remember)

    def call_keeping(self, work: Callable[[], Coroutine[Any, Any, T]], keep: Callable[[T], None]) -> T:
        """Await ``work()`` on the loop. A result that an interruption keeps from its caller goes to ``keep``."""
        portal = self._usable()
        call = _Call(work, keep, self._cut)
        try:
            self._start(portal, call.run)
            self._wait(call.done)
            return call.result()
        except BaseException as interruption:
            # Ctrl-C is one of them; whatever a signal handler raises here is another.
            if interruption is not call.error and not isinstance(interruption, WrongLoop):
                interruption.add_note(f"gridwire cancelled the call of {self._name} that was under way. {self._cut}")
                self._interrupt(portal, call)
            raise

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a plain ``function`` on the loop's thread, for what must not be touched from another one."""

        async def work() -> T:
            return function(*args, **kwargs)

        return self.call(work)

    @property
    def closed(self) -> bool:
        """Whether it was opened and is so no longer."""
        return self._thread is not None and (self._closing or not self._thread.is_alive())

    def _interrupt(self, portal: BlockingPortal, call: _Call[Any]) -> None:
        call.abandoned = True
        with contextlib.suppress(WrongLoop):  # closing has cancelled it already
            wait([self._start(portal, call.cancel)], INTERRUPT_S)
        if call.done.wait(INTERRUPT_S):
            call.settle()

    def _start(self, portal: BlockingPortal, function: Callable[[], Any]) -> Future[Any]:
        try:
            return portal.start_task_soon(function)
        except RuntimeError:
            raise WrongLoop(_CLOSED.format(name=self._name)) from None

    def _usable(self) -> BlockingPortal:
        thread, portal = self._thread, self._portal
        if thread is None:
            raise WrongLoop(
                f"This {self._name} is not open: use it inside `with`, or call open() first. Nothing was sent."
            )
        if thread is threading.current_thread():
            raise WrongLoop(_ON_THE_LOOP.format(name=self._name))
        if portal is None or not thread.is_alive():
            raise WrongLoop(_CLOSED.format(name=self._name))
        return portal

    def _wait(self, done: threading.Event) -> None:
        while not done.wait(SLICE_S):
            if self._thread is None or not (self._thread.is_alive() or done.is_set()):
                raise WrongLoop(f"The thread of this {self._name} has ended. {self._cut}")

    def _run(self) -> None:
        try:
            anyio.run(self._live)
        except BaseException as error:  # noqa: BLE001 - it belongs to the thread that opens or closes
            self._failure = error
        finally:
            self._portal = None
            self._opened.set()

    async def _live(self) -> None:
        # The client is the outer one: calls still under way end before their connections do.
        async with self._client, BlockingPortal() as portal:
            self._portal = portal
            self._opened.set()
            if not self._closing:  # by an opening that was interrupted
                await portal.sleep_until_stopped()

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _remember(self, result: object) -> None:
        """An `Unknown` is remembered by the client itself, and a `Rejected` left nothing at the venue."""
        if isinstance(result, Accepted):
            number = "" if result.order is None else f" under the number {result.order.id}"
            self.undelivered.append(
                Unknown(
                    result.intent,
                    "cancelled",
                    f"The call was interrupted while its answer was handed over: the venue had accepted it{number}. The whole "
                    "answer is in raw.",
                    (result,),
                )
            )


_CLOSED = "This {name} is closed (or belongs to the process from which this one was forked). Nothing was sent. Make a new one."
_ON_THE_LOOP = (
    "This is the thread of {name} itself (an on_event listener, most likely), and a blocking call here would wait for "
    "itself for ever. Nothing was sent. Hand the matter to another thread, through a queue.Queue for example."
)
