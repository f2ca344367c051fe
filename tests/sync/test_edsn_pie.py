"""sync/edsn_pie.py on the sandbox: the same models and errors, without ``async``."""

from __future__ import annotations

import contextlib
import inspect
import threading
import time
from collections.abc import Iterator

import pytest

from gridwire import edsn_pie
from gridwire.edsn_pie import Comment, Notification, Ticket, TicketCreated
from gridwire.edsn_pie.errors import EdsnAuthError, EdsnNotFound
from gridwire.edsn_pie.stream import HandlerFailed
from gridwire.errors import InvalidInput, WrongLoop
from gridwire.sandbox.edsn_pie.venue import ORGANISATION
from gridwire.sync import EdsnPie, Sandbox
from gridwire.sync.notifications import Consumer, Received
from tests.sync.conftest import interrupt_main

TICKET = "PIE-000001"


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox("edsn_pie") as opened:
        yield opened


def test_every_call_is_there_and_blocks(box: Sandbox) -> None:
    venue = box.venue("edsn_pie")
    comment = venue.board.add_comment(TICKET, "hello")
    with EdsnPie(box.edsn_pie) as pie:
        pie.warm_up()
        assert pie.profile == box.edsn_pie.profile
        found = pie.get_ticket(TICKET)
        assert isinstance(found, Ticket)
        assert found.id == TICKET
        (listed,) = pie.list_comments(TICKET)
        assert listed == pie.get_comment(TICKET, comment)
        assert isinstance(listed, Comment)
        assert pie.fetch(TicketCreated(envelope="plain", key=None, ticket_id=TICKET)) == found
        assert pie.token().count(".") == 2
        assert {finding.state for finding in pie.examine()} == {"ok"}
        with pytest.raises(EdsnNotFound):
            pie.get_ticket("none")
        with pytest.raises(InvalidInput):
            pie.get_ticket("..")
    with pytest.raises(WrongLoop, match="closed"):
        pie.get_ticket(TICKET)


def test_a_look_takes_nothing(box: Sandbox) -> None:
    with EdsnPie(box.edsn_pie) as pie:
        first, again = pie.peek(quiet_s=0.3), pie.peek(quiet_s=0.3)
    assert [one.key for one in first] == [one.key for one in again] != []


def test_settings_make_a_blocking_client_too(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in box.describe()["venues"]["edsn_pie"]["env"].items():
        monkeypatch.setenv(name, value)
    with EdsnPie.from_env() as pie:
        assert pie.get_ticket(TICKET).id == TICKET


def test_the_face_has_the_parameters_of_the_async_client() -> None:
    names = [name for name, method in vars(edsn_pie.EdsnPie).items() if name[0] != "_" and callable(method)]
    assert {"get_ticket", "run", "notifications", "examine", "warm_up", "token"} <= set(names)
    for name in ("__init__", *names):
        ours, theirs = getattr(EdsnPie, name), getattr(edsn_pie.EdsnPie, name)
        assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


def tickets(stream: Consumer, count: int) -> list[str]:
    """The next new tickets, each accepted."""
    found: list[str] = []
    for item in stream:
        with item as told:
            if isinstance(told, TicketCreated):
                found.append(told.ticket_id)
        if len(found) == count:
            break
    return found


def test_notifications_come_in_a_for_loop_and_may_be_fetched_in_it(box: Sandbox) -> None:
    venue = box.venue("edsn_pie")
    with EdsnPie(box.edsn_pie) as pie, pie.notifications() as stream:
        assert tickets(stream, 3) == ["PIE-000001", "PIE-000002", "PIE-000003"]
        venue.board.open_ticket("Nieuw", organisation=ORGANISATION)
        for item in stream:
            if isinstance(item, Received):
                assert item.attempt == 1
                with item as told:
                    assert told is item.notification
                    found = pie.fetch(told)
                    assert isinstance(found, Ticket)
                    assert found.raw["subject"] == "Nieuw"
                break
        with pytest.raises(TimeoutError, match="The stream goes on"):
            stream.next(timeout_s=0.05)
        venue.board.open_ticket("Nog een", organisation=ORGANISATION)
        assert tickets(stream, 1) == ["PIE-000005"]
        assert stream.counts.handled == 5
    assert venue.broker is not None
    assert venue.broker.queues["pie.voorbeeld-energie"].accepted == 5


def test_a_block_that_raises_keeps_the_notification(box: Sandbox) -> None:
    with EdsnPie(box.edsn_pie) as pie:
        stream = pie.notifications()
        first = next(item for item in stream if isinstance(item, Received))
        with pytest.raises(OSError, match="away"), first:
            raise OSError("away")
        told: list[object] = []
        for item in stream:
            with item:
                told.append(item)
            if isinstance(item, Received) and item.attempt == 2:
                break
        assert any(isinstance(item, HandlerFailed) for item in told)
        stream.close()
        assert [item for item in stream if isinstance(item, Received)] == []
        with pytest.raises(WrongLoop, match="closed"):
            stream.next(timeout_s=5)


def test_run_calls_a_plain_handler_until_the_client_is_closed(box: Sandbox) -> None:
    seen: list[str] = []
    enough = threading.Event()
    with EdsnPie(box.edsn_pie) as pie:

        def handle(told: Notification) -> None:
            found = pie.fetch(told)  # a blocking call, from the handler's own thread
            assert isinstance(found, Ticket)
            seen.append(found.id)
            if len(seen) == 3:
                enough.set()

        def work() -> None:
            with contextlib.suppress(WrongLoop):
                pie.run(handle, concurrency=2)

        thread = threading.Thread(target=work)
        thread.start()
        assert enough.wait(10)
    thread.join(10)
    assert not thread.is_alive()
    assert sorted(seen) == ["PIE-000001", "PIE-000002", "PIE-000003"]


def test_ctrl_c_while_waiting_says_what_is_true_of_notifications(box: Sandbox) -> None:
    with EdsnPie(box.edsn_pie) as pie, pie.notifications() as stream:
        assert len(tickets(stream, 3)) == 3
        threading.Timer(0.05, interrupt_main).start()
        with pytest.raises(KeyboardInterrupt) as caught:
            stream.next()
        assert caught.value.__notes__ == [
            "gridwire cancelled the call of EdsnPie that was under way. Nothing was changed at the venue; a notification that "
            "you were not done with comes again."
        ]
        held = box.venue("edsn_pie").board.open_ticket("Nieuw", organisation=ORGANISATION)
        item = next(item for item in stream if isinstance(item, Received))
        with pytest.raises(KeyboardInterrupt), item:
            raise KeyboardInterrupt
    with EdsnPie(box.edsn_pie) as pie, pie.notifications() as stream:
        assert tickets(stream, 1) == [held], "it was given back"


def test_what_ends_the_stream_is_raised_here_too(box: Sandbox) -> None:
    account = box.venue("edsn_pie").account("pie-service-3")
    with EdsnPie(account) as pie, pytest.raises(EdsnAuthError, match="consumer role"):
        tickets(pie.notifications(), 1)


def test_a_block_may_end_the_stream_and_is_accepted(box: Sandbox) -> None:
    broker = box.venue("edsn_pie").broker
    assert broker is not None
    with EdsnPie(box.edsn_pie) as pie:
        began = time.monotonic()
        stream = pie.notifications()
        for item in stream:
            if isinstance(item, Received):
                with item:
                    stream.close()
        assert time.monotonic() - began < 5
        assert stream.counts.handled == 1
