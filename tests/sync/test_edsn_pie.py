"""sync/edsn_pie.py on the sandbox: the same models and errors, without ``async``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

from gridwire import edsn_pie
from gridwire.edsn_pie import Comment, Ticket, TicketCreated
from gridwire.edsn_pie.errors import EdsnNotFound
from gridwire.errors import InvalidInput, WrongLoop
from gridwire.sync import EdsnPie, Sandbox

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
        assert isinstance(found := pie.get_ticket(TICKET), Ticket)
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


def test_settings_make_a_blocking_client_too(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in box.describe()["venues"]["edsn_pie"]["env"].items():
        monkeypatch.setenv(name, value)
    with EdsnPie.from_env() as pie:
        assert pie.get_ticket(TICKET).id == TICKET


def test_the_face_has_the_parameters_of_the_async_client() -> None:
    for name in ("__init__", "get_ticket", "list_comments", "get_comment", "fetch"):
        ours, theirs = getattr(EdsnPie, name), getattr(edsn_pie.EdsnPie, name)
        assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)
