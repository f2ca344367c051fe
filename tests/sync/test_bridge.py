"""sync/bridge.py: calls cross over, errors come back as they are, and an interruption loses nothing."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from gridwire.errors import InvalidInput, WrongLoop
from gridwire.outcome import Accepted, Intent, OrderRef, Rejected
from gridwire.sync import bridge as module
from gridwire.sync.bridge import Bridge
from tests.sync.conftest import interrupt_main

INTENT = Intent("epias_stp", "bid_save", "key-1", datetime(2026, 12, 1, tzinfo=UTC))


@contextmanager
def opened(client: Any = None) -> Iterator[Bridge]:
    bridge = Bridge(client or AsyncExitStack())
    bridge.open()
    try:
        yield bridge
    finally:
        bridge.close()


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("gridwire-")]


def test_a_call_returns_what_the_coroutine_returns_with_all_arguments() -> None:
    async def work(one: int, *, two: int) -> tuple[int, int, str]:
        return one, two, threading.current_thread().name

    with opened() as bridge:
        assert bridge.call(work, 1, two=2) == (1, 2, "gridwire-AsyncExitStack")
        assert bridge.run(lambda: asyncio.get_running_loop() is not None)
    assert threads() == []


def test_errors_come_back_as_the_same_object() -> None:
    error = InvalidInput("no")

    async def work() -> None:
        raise error

    with opened() as bridge, pytest.raises(InvalidInput) as caught:
        bridge.call(work)
    assert caught.value is error
    assert not hasattr(error, "__notes__")


def test_even_an_error_that_ends_programs_is_the_callers_and_the_loop_goes_on() -> None:
    async def work() -> None:
        raise SystemExit(3)

    with opened() as bridge:
        with pytest.raises(SystemExit):
            bridge.call(work)
        assert bridge.run(int) == 0


def test_not_opened_closed_and_opened_twice_are_told_apart() -> None:
    bridge = Bridge(AsyncExitStack())
    with pytest.raises(WrongLoop, match="not open: use it inside `with`"):
        bridge.run(int)
    assert not bridge.closed
    bridge.close()
    bridge.open()
    with pytest.raises(WrongLoop, match="opened before"):
        bridge.open()
    bridge.close()
    bridge.close()
    assert bridge.closed
    with pytest.raises(WrongLoop, match="is closed"):
        bridge.run(int)


def test_a_blocking_call_on_the_loops_own_thread_is_refused_instead_of_waiting_for_itself() -> None:
    with opened() as bridge:
        with pytest.raises(WrongLoop, match="on_event listener"):
            bridge.run(bridge.run, int)
        with pytest.raises(WrongLoop, match="on_event listener"):
            bridge.run(bridge.close)


def test_what_the_client_raises_at_its_beginning_and_end_comes_to_the_caller() -> None:
    @asynccontextmanager
    async def client(*, late: bool) -> Any:
        if not late:
            raise OSError("port in use")
        yield
        raise OSError("lost at the end")

    bridge = Bridge(client(late=False))
    with pytest.raises(OSError, match="port in use"):
        bridge.open()
    bridge = Bridge(client(late=True))
    bridge.open()
    with pytest.raises(OSError, match="lost at the end"):
        bridge.close()
    bridge.close()
    assert threads() == []


def test_many_threads_call_at_once() -> None:
    async def work(number: int) -> int:
        await asyncio.sleep(0.01)
        return number

    results: list[int] = []
    with opened() as bridge:
        workers = [threading.Thread(target=lambda n=n: results.append(bridge.call(work, n))) for n in range(20)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(5)
    assert sorted(results) == list(range(20))


def test_closing_cancels_what_another_thread_has_under_way() -> None:
    begun = threading.Event()
    errors: list[BaseException] = []

    async def work() -> None:
        begun.set()
        await asyncio.sleep(3600)

    def other() -> None:
        try:
            bridge.call(work)
        except WrongLoop as error:
            errors.append(error)

    with opened() as bridge:
        worker = threading.Thread(target=other)
        worker.start()
        assert begun.wait(5)
    worker.join(5)
    assert "closed while this call was under way" in str(errors[0])


def test_a_client_that_does_not_let_go_is_left_to_the_end_of_the_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    release = threading.Event()

    @asynccontextmanager
    async def client() -> Any:
        yield
        while not release.is_set():  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0.01)

    monkeypatch.setattr(module, "CLOSE_S", 0.05)
    with caplog.at_level(logging.WARNING), opened(client()):
        pass
    assert "did not close within 0.05 s" in caplog.text
    release.set()


def test_ctrl_c_cancels_the_call_and_says_where_to_look() -> None:
    ended: list[str] = []

    async def work() -> None:
        interrupt_main()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("cancelled")

    with opened() as bridge:
        with pytest.raises(KeyboardInterrupt) as caught:
            bridge.call(work)
        assert ended == ["cancelled"]
        assert "unknown() names it" in caught.value.__notes__[0]
        assert bridge.run(int) == 0


def test_whatever_a_signal_handler_raises_cancels_the_call_too() -> None:
    def too_late(*_: object) -> None:
        raise TimeoutError("alarm")

    before = signal.signal(signal.SIGALRM, too_late)
    try:
        with opened() as bridge:
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            with pytest.raises(TimeoutError, match="alarm"):
                bridge.call(asyncio.sleep, 3600)
            assert bridge.run(lambda: len(asyncio.all_tasks())) <= 2
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_write_accepted_while_its_caller_is_interrupted_is_not_forgotten() -> None:
    async def work() -> Accepted:
        interrupt_main()
        return Accepted(INTENT, order=OrderRef("epias_stp", "1000001", INTENT))

    with opened() as bridge:
        with pytest.raises(KeyboardInterrupt):
            bridge.call(work)
        (kept,) = bridge.undelivered
    assert kept.cause == "cancelled"
    assert kept.intent is INTENT
    assert "accepted it under the number 1000001" in kept.reason
    assert isinstance(kept.raw[0], Accepted)


def test_an_operators_write_has_no_number_to_tell_and_a_refused_one_nothing_to_remember() -> None:
    async def work(outcome: Accepted | Rejected) -> Accepted | Rejected:
        interrupt_main()
        return outcome

    with opened() as bridge:
        with pytest.raises(KeyboardInterrupt):
            bridge.call(work, Rejected("BID-0001", "too dear", "venue"))
        assert bridge.undelivered == []
        with pytest.raises(KeyboardInterrupt):
            bridge.call(work, Accepted(INTENT))
        assert "had accepted it. " in bridge.undelivered[0].reason


def test_a_call_interrupted_before_it_began_never_begins() -> None:
    begun: list[bool] = []

    async def work() -> None:
        begun.append(True)

    with opened() as bridge:
        bridge.run(interrupting_the_next(bridge, begun))
        with pytest.raises(KeyboardInterrupt):
            bridge.call(work)
        assert bridge.run(int) == 0
    assert begun == []


def interrupting_the_next(bridge: Bridge, begun: list[bool]) -> Any:
    """Keeps the loop busy until Ctrl-C has reached the caller of the next call."""

    def busy() -> None:
        asyncio.get_running_loop().call_soon(hold)

    def hold() -> None:
        time.sleep(0.05)
        interrupt_main()
        time.sleep(0.05)

    return busy


def test_an_interrupted_call_that_does_not_end_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERRUPT_S", 0.02)
    kept: list[str] = []

    async def work() -> str:
        interrupt_main()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0.1)
        return "late"

    with opened() as bridge:
        with pytest.raises(KeyboardInterrupt):
            bridge.call_keeping(work, kept.append)
        assert kept == []
        bridge.call(asyncio.sleep, 0.2)
    assert kept == ["late"]


def test_ctrl_c_while_opening_leaves_no_thread_behind() -> None:
    @asynccontextmanager
    async def slow() -> Any:
        interrupt_main()
        await asyncio.sleep(0.05)
        yield

    bridge = Bridge(slow())
    with pytest.raises(KeyboardInterrupt):
        bridge.open()
    assert bridge.closed
    for thread in threading.enumerate():
        if thread.name.startswith("gridwire-"):
            thread.join(5)
    assert threads() == []


def test_a_forked_process_is_told_instead_of_waiting_for_a_thread_it_does_not_have() -> None:
    with opened() as bridge:
        mine, childs = socket.socketpair()
        if (child := os.fork()) == 0:
            try:
                bridge.run(int)
            except WrongLoop as error:
                childs.sendall(str(error).encode())
            bridge.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert "forked" in mine.recv(1000).decode()
        mine.close()
        childs.close()


def test_a_call_that_meets_the_closing_is_told_that_it_is_closed() -> None:
    with opened() as bridge:
        portal = bridge._usable()
    with pytest.raises(WrongLoop, match="is closed"):
        bridge._start(portal, int)


def test_a_long_call_is_waited_for_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE_S", 0.005)
    with opened() as bridge:
        assert bridge.call(asyncio.sleep, 0.03, "slept") == "slept"


def test_a_thread_that_ends_under_a_waiting_call_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE_S", 0.01)
    with opened() as bridge:
        gone = threading.Event()
    with pytest.raises(WrongLoop, match="has ended"):
        bridge._wait(gone)
