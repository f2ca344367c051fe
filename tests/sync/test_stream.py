"""sync/stream.py: a broadcast in a ``for`` loop, which no timeout and no Ctrl-C makes lose an event."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from gridwire.epias_stp import Message
from gridwire.errors import WrongLoop
from gridwire.sync import EpiasStp, Sandbox
from gridwire.transport.websocket import Connection


def test_events_come_in_a_for_loop(stp: EpiasStp, contract: str) -> None:
    with stp.broadcast() as stream:
        for event in stream:
            if event == Connection("connected"):
                stp.bids.save(contract, direction="BUY", price="100.00", quantity=1)
            else:
                break
    assert isinstance(event, Message)
    assert contract in event.text


def test_next_waits_as_long_as_asked_and_the_stream_goes_on(stp: EpiasStp, contract: str) -> None:
    with stp.broadcast() as stream:
        assert stream.next(timeout_s=5) == Connection("connected")
        with pytest.raises(TimeoutError, match=r"within 0\.02 s"):
            stream.next(timeout_s=0.02)
        stp.bids.save(contract, direction="BUY", price="100.00", quantity=1)
        assert isinstance(stream.next(timeout_s=5), Message)


def test_a_closed_stream_ends_loops_and_refuses_the_rest(stp: EpiasStp) -> None:
    stream = stp.broadcast()
    assert next(stream) == Connection("connected")
    stream.close()
    assert list(stream) == []
    with pytest.raises(WrongLoop, match="closed"):
        stream.next()


def test_closing_the_client_closes_its_streams(box: Sandbox) -> None:
    with EpiasStp(box.epias_stp) as stp:
        stream = stp.broadcast()
        next(stream)
    stream.close()
    with pytest.raises(WrongLoop, match="closed"):
        next(stream)
    with pytest.raises(WrongLoop, match="closed"):
        stp.broadcast()
    with pytest.raises(WrongLoop, match="not open"):
        EpiasStp(box.epias_stp).broadcast()


def test_another_thread_can_close_it_under_a_waiting_reader(stp: EpiasStp) -> None:
    stream = stp.broadcast()
    next(stream)
    closer = threading.Timer(0.05, stream.close)
    closer.start()
    assert list(stream) == [Connection("closed")]
    closer.join(5)


def test_ctrl_c_leaves_the_stream_usable_and_loses_no_event(stp: EpiasStp, contract: str) -> None:
    main = threading.main_thread().ident or 0
    prices = [f"{100 + number}.00" for number in range(6)]

    def trade() -> None:
        for price in prices:
            signal.pthread_kill(main, signal.SIGINT)
            stp.bids.save(contract, direction="BUY", price=price, quantity=1)

    seen: list[str] = []
    with stp.broadcast() as stream:
        next(stream)
        trader = threading.Thread(target=trade)
        interrupted = 0
        end = time.monotonic() + 10
        while len(seen) < len(prices) and time.monotonic() < end:
            try:
                if trader.ident is None:
                    trader.start()
                event = stream.next(timeout_s=5)
            except KeyboardInterrupt:
                interrupted += 1
                continue
            if isinstance(event, Message):
                seen.append(event.text)
        trader.join(5)
    assert interrupted > 0
    assert [price for price, text in zip(prices, seen, strict=True) if price not in text] == []
