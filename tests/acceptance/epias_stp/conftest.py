"""Watches the whole acceptance suite from the venue's side.

Whatever a test is about, all its traffic must fit the carried-over OpenAPI files, and no service ticket may be presented
twice or at an age over 25 s. What a test does against these rules on purpose it must say, by name, through `watch`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest

from gridwire.sandbox.epias_stp import EpiasStpVenue
from gridwire.sandbox.epias_stp.engine import Arrival, Engine
from gridwire.sandbox.faults import Fault
from gridwire.sandbox.faulty import Answer
from tests.acceptance.epias_stp.floor import Wire
from tests.support import openapi

OLDEST_TICKET_S = 25.0

_ANSWERS_SOMETHING_ELSE = ("result", "wrong_types", "wrong_transaction_id")
"""Scripted faults that change what is said; all others are answered undisturbed as far as the engine knows."""


class Watch:
    """What arrived at the sandboxes of one test, and what of it is exempt."""

    def __init__(self) -> None:
        self.venues: list[EpiasStpVenue] = []
        self.requests: list[tuple[str, bytes]] = []
        """Operation and body of each request that was read."""
        self.answers: list[tuple[str, bytes]] = []
        """The same of what the engine said."""
        self.complaints: list[str] = []
        self._exempt: dict[str, str] = {}

    def exempt(self, *what: str, because: str) -> None:
        """Let ``requests``, ``answers`` or ``tickets`` of this test break the rules, because it is about that."""
        assert because
        assert set(what) <= {"requests", "answers", "tickets"}
        self._exempt.update(dict.fromkeys(what, because))

    def request(self, arrival: Arrival) -> None:
        """Check a request as it came off the wire; a fault may have kept its body from being read."""
        if arrival.body:
            self.requests.append((arrival.operation.name, arrival.body))
            self._check(arrival, "request", arrival.body)

    def answer(self, arrival: Arrival, fault: Fault | None, answer: Answer) -> None:
        """Check what the engine said, unless a scripted fault said it."""
        if answer.status == 200 and (fault is None or fault.kind not in _ANSWERS_SOMETHING_ELSE):
            self.answers.append((arrival.operation.name, answer.body))
            self._check(arrival, "response", answer.body)

    def _check(self, arrival: Arrival, half: openapi.Half, body: bytes) -> None:
        if f"{'requests' if half == 'request' else 'answers'}" in self._exempt:
            return
        broadcaster = arrival.operation.name == "endpoint_get"
        api = openapi.broadcaster() if broadcaster else openapi.stp()
        name = api.operations[0] if broadcaster else arrival.operation.name
        try:
            api.read(name, half, body)
        except Exception as error:  # noqa: BLE001 - whatever is wrong belongs to the test, not into the simulator
            self.complaints.append(f"{type(error).__name__}: {error}")

    def end(self) -> None:
        """Complain about all that was seen."""
        assert not self.complaints, "traffic that does not fit the OpenAPI file:\n" + "\n".join(self.complaints)
        whole = [call for venue in self.venues for call in venue.log if call.fault != "close_before_read"]
        assert len(self.requests) >= len(whole), "the watch has gone blind"
        if "tickets" in self._exempt:
            return
        for venue in self.venues:
            assert venue.log.tickets_presented_twice() == []
            old = [call for call in venue.log if call.ticket_age_s is not None and call.ticket_age_s > OLDEST_TICKET_S]
            assert not old, f"tickets older than {OLDEST_TICKET_S} s: {old}"


@pytest.fixture(autouse=True)
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Every sandbox of the test, with its traffic; checked when the test is over."""
    watching = Watch()
    opened, recorded, executed = EpiasStpVenue.open, Engine.record, Engine.execute

    async def open_(self: EpiasStpVenue, port: int = 0) -> None:
        watching.venues.append(self)
        await opened(self, port)

    def record(self: Engine, arrival: Arrival, fault: Fault | None) -> None:
        watching.request(arrival)
        recorded(self, arrival, fault)

    def execute(self: Engine, arrival: Arrival, fault: Fault | None) -> Answer:
        watching.request(arrival)
        answer = executed(self, arrival, fault)
        watching.answer(arrival, fault, answer)
        return answer

    monkeypatch.setattr(EpiasStpVenue, "open", open_)
    monkeypatch.setattr(Engine, "record", record)
    monkeypatch.setattr(Engine, "execute", execute)
    yield watching
    watching.end()


@pytest.fixture(params=get_args(Wire))
def wire(request: pytest.FixtureRequest) -> Wire:
    """Both formats."""
    chosen: Wire = request.param
    return chosen
