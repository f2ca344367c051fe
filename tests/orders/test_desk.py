"""orders/desk.py: the stations of an order, at a venue that is none: three plain objects behind its protocols."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gridwire.errors import AuthError, AuthUnavailable, NoAnswer, NotSent
from gridwire.intents.guard import Guard, Limits
from gridwire.intents.journal import Journal, read
from gridwire.intents.records import JournalError, quote
from gridwire.orders.desk import LEAVE_WITHIN_S, Draft, OrderPath, plain
from gridwire.outcome import Accepted, Intent, OrderRef, Outcome, Rejected, Unknown
from tests.intents.runs import files_no_longer_than, logs


@dataclass
class Credentials:
    """Numbers, each good for one order."""

    ready: list[int] = field(default_factory=list)
    fetched: int = 100
    too_old: set[int] = field(default_factory=set)
    failure: Exception | None = None
    wait_s: float = 0.0

    def take(self) -> int | None:
        return self.ready.pop() if self.ready else None

    async def fetch(self) -> int:
        await asyncio.sleep(self.wait_s)
        if self.failure is not None:
            raise self.failure
        self.fetched += 1
        return self.fetched

    def usable(self, credential: int) -> bool:
        return credential not in self.too_old


@dataclass
class Wire:
    """Answers what the test lets it answer."""

    free: int = 1
    opens: Callable[[Wire], None] = lambda wire: setattr(wire, "free", wire.free + 1)
    opened: int = 0
    doubted: int = 0
    written: list[bytes] = field(default_factory=list)
    says: Callable[[bytes], Any] = lambda payload: b"yes"
    future: asyncio.Future[bytes] | None = None

    def ready(self) -> bool:
        return self.free > 0

    async def make_ready(self) -> None:
        self.opened += 1
        self.opens(self)

    def doubt(self) -> None:
        self.doubted += 1

    def expect(self, keys: Sequence[str]) -> Sequence[asyncio.Future[bytes]]:
        self.future = asyncio.get_running_loop().create_future()
        return (self.future,)

    def write(self, payload: bytes) -> None:
        said = self.says(payload)
        if isinstance(said, NotSent | ValueError):
            raise said
        self.written.append(payload)
        assert self.future is not None
        if isinstance(said, Exception):
            self.future.set_exception(said)
        elif said is not None:
            self.future.set_result(said)


class Form:
    """An order in four words."""

    operation = "order"

    def record(self, key: str, at_us: int, encoded: Sequence[bytes], client_ref: str | None) -> bytes:
        row = {"s": "sending", "k": key, "t": at_us, "v": "none", "a": "me", "o": self.operation, "f": {"price": "5"}}
        return quote(row if client_ref is None else {**row, "r": client_ref}).encode()

    def render(self, key: str, credential: int | None, encoded: Sequence[bytes]) -> bytes:
        return b" ".join([key.encode(), str(credential).encode(), *encoded])

    def answered(self, answer: bytes, intent: Intent, credential_age_s: float | None) -> Outcome:
        if answer == b"broken":
            raise RuntimeError("a mistake of ours")
        if answer == b"another's":
            return Unknown(intent, "foreign_answer", "it was another's", ())
        if answer == b"unreadable":
            return Unknown(intent, "unreadable", "it made no sense", ())
        if answer == b"no":
            return Rejected("no", "it said no", "venue", intent)
        return Accepted(intent, OrderRef("none", "1", intent, intent.restated), credential_age_s)

    def failed(self, error: NotSent | NoAnswer | AuthError, intent: Intent) -> Outcome:
        if isinstance(error, NoAnswer):
            return Unknown(intent, "unreadable" if error.reason == "garbage" else "timeout", str(error))
        return Rejected(type(error).__name__, str(error), "wire" if isinstance(error, NotSent) else "security", intent)

    def cancelled(self, intent: Intent) -> Outcome:
        return Unknown(intent, "cancelled", "cancelled")


DRAFT: Draft[bytes, int] = Draft(
    form=Form(), encoded=[b"a", b"b"], restated={"price": Decimal(5)}, kind="new", contract="C", side="BUY",
    price=Decimal(5), quantity=2,
)  # fmt: skip


class Sending:
    def __init__(self, path: OrderPath[bytes, int], wire: Wire, credentials: Credentials, journal: Journal) -> None:
        self.path = path
        self.wire = wire
        self.credentials = credentials
        self.journal = journal
        self.guard = path._guard
        self.unknown: list[Unknown] = []
        self.troubles: list[str] = []

    async def send(self, **changes: Any) -> Outcome:
        return await self.path.send(replace(DRAFT, **changes))

    async def states(self) -> list[str]:
        await asyncio.sleep(0.01)
        return [row.state for row in self.journal.rows()]


@asynccontextmanager
async def at(
    tmp_path: Path, *, credentials: Credentials | None = None, limits: Limits | None = None
) -> AsyncIterator[Sending]:
    journal = await asyncio.to_thread(Journal.open, tmp_path)
    wire, unknown, troubles = Wire(), list[Unknown](), list[str]()
    path: OrderPath[bytes, int] = OrderPath(
        venue="none",
        wire=wire,
        credentials=credentials,
        age_of=lambda credential: credential / 10,
        journal=journal,
        guard=Guard(limits or Limits(orders_per_second=10_000), None),
        on_unknown=unknown.append,
        on_trouble=troubles.append,
    )
    made = Sending(path, wire, credentials or Credentials(), journal)
    made.unknown, made.troubles = unknown, troubles
    try:
        yield made
    finally:
        await asyncio.to_thread(journal.close)


async def test_credential_ready_ahead_is_spent_and_its_age_told(tmp_path: Path) -> None:
    async with at(tmp_path, credentials=Credentials([7])) as at_:
        outcome = await at_.send()
        assert isinstance(outcome, Accepted)
        assert outcome.raw == 0.7
        assert at_.wire.written[0].split()[1:] == [b"7", b"a", b"b"]
        assert at_.path.timings.waited() == 0
        assert await at_.states() == ["accepted"]


async def test_venue_without_credentials_needs_none(tmp_path: Path) -> None:
    async with at(tmp_path) as at_:
        for free in (1, 0):
            at_.wire.free = free
            outcome = await at_.send()
            assert isinstance(outcome, Accepted)
            assert outcome.raw is None
        assert at_.wire.opened == 1
        assert at_.path.timings.waited() == 0


async def test_connection_comes_before_the_credential(tmp_path: Path) -> None:
    async with at(tmp_path, credentials=Credentials([7])) as at_:
        at_.wire.free = 0
        taken_at_opening: list[list[int]] = []

        def opens(wire: Wire) -> None:
            taken_at_opening.append(list(at_.credentials.ready))
            wire.free = 1

        at_.wire.opens = opens
        assert isinstance(await at_.send(), Accepted)
        assert taken_at_opening == [[7]]


async def test_connection_lost_while_waiting_for_a_credential_is_opened_again_and_the_credential_kept(
    tmp_path: Path,
) -> None:
    async with at(tmp_path, credentials=Credentials(wait_s=1)) as at_:
        sending = asyncio.create_task(at_.send())
        await asyncio.sleep(0.5)
        at_.wire.free = 0
        assert isinstance(await sending, Accepted)
        assert (at_.wire.opened, at_.credentials.fetched) == (1, 101)
        assert at_.path.timings.waited() == 1


async def test_credential_that_grew_too_old_meanwhile_is_not_used(tmp_path: Path) -> None:
    async with at(tmp_path, credentials=Credentials(wait_s=1, too_old={101})) as at_:
        sending = asyncio.create_task(at_.send())
        await asyncio.sleep(0.5)
        at_.wire.free = 0
        assert isinstance(await sending, Accepted)
        assert at_.wire.written[0].split()[1] == b"102"


async def test_connections_that_never_stand_end_the_order_and_not_the_patience(tmp_path: Path) -> None:
    async with at(tmp_path, credentials=Credentials(too_old={101, 102, 103})) as at_:
        at_.wire.free = 0
        at_.wire.opens = lambda wire: None
        outcome = await at_.send(client_ref="mine")
        assert isinstance(outcome, Rejected)
        assert "end as soon as they stand" in outcome.reason
        assert at_.wire.opened == 3
        assert at_.wire.written == []
        assert await at_.states() == []
        at_.wire.free = 1
        assert isinstance(await at_.send(client_ref="mine"), Accepted)


async def test_order_leaves_in_time_or_not_at_all(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with at(tmp_path, credentials=Credentials(wait_s=1000)) as at_:
        before = loop.time()
        outcome = await at_.send(client_ref="mine")
        assert isinstance(outcome, Rejected)
        assert (outcome.origin, at_.wire.written) == ("wire", [])
        assert loop.time() - before == pytest.approx(LEAVE_WITHIN_S, abs=0.01)
        at_.credentials.wait_s = 0
        assert isinstance(await at_.send(client_ref="mine"), Accepted)


async def test_credential_that_cannot_be_had_rejects_the_order(tmp_path: Path) -> None:
    async with at(tmp_path, credentials=Credentials(failure=AuthUnavailable("down"))) as at_:
        outcome = await at_.send(client_ref="mine")
        assert isinstance(outcome, Rejected)
        assert outcome.origin == "security"
        at_.credentials.failure = None
        assert isinstance(await at_.send(client_ref="mine"), Accepted)


@pytest.mark.parametrize("error", [asyncio.CancelledError, ZeroDivisionError])
async def test_whatever_ends_the_wait_frees_the_reference(tmp_path: Path, error: type[BaseException]) -> None:
    async with at(tmp_path, credentials=Credentials(failure=error())) as at_:  # type: ignore[arg-type]
        for ref in ("mine", None):
            with pytest.raises(error):
                await at_.send(client_ref=ref)
        at_.credentials.failure = None
        assert isinstance(await at_.send(client_ref="mine"), Accepted)


async def test_limits_are_looked_at_again_after_a_wait(tmp_path: Path) -> None:
    limits = Limits(orders_per_second=2)
    async with at(tmp_path, credentials=Credentials(wait_s=1), limits=limits) as at_:
        outcomes = await asyncio.gather(*(at_.send() for _ in range(5)))
        assert sorted(type(one).__name__ for one in outcomes) == ["Accepted"] * 2 + ["Rejected"] * 3
        assert len(at_.wire.written) == 2


async def test_connection_closed_at_the_write_is_not_sent(tmp_path: Path) -> None:
    async with at(tmp_path) as at_:
        at_.wire.says = lambda payload: NotSent("closed. Nothing was sent.", reason="closed")
        outcome = await at_.send(client_ref="mine")
        assert isinstance(outcome, Rejected)
        assert outcome.origin == "wire"
        assert await at_.states() == ["rejected"]
        assert at_.guard.open_notional == 0
        at_.wire.says = lambda payload: b"yes"
        assert isinstance(await at_.send(client_ref="mine"), Accepted)


@pytest.mark.parametrize(
    "said", [NoAnswer("silence", reason="timeout"), ValueError("from the wire"), b"broken", KeyError()]
)
async def test_whatever_goes_wrong_after_the_line_is_unknown(tmp_path: Path, said: Any) -> None:
    async with at(tmp_path) as at_:
        at_.wire.says = lambda payload: said
        outcome = await at_.send()
        assert isinstance(outcome, Unknown)
        assert at_.unknown == [outcome]
        assert await at_.states() == ["unknown"]
        assert at_.guard.open_notional == 10  # it may rest


async def test_caller_who_leaves_after_the_line_leaves_an_unknown(tmp_path: Path) -> None:
    async with at(tmp_path) as at_:
        at_.wire.says = lambda payload: None
        sending = asyncio.create_task(at_.send())
        await asyncio.sleep(0.1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert [one.cause for one in at_.unknown] == ["cancelled"]
        assert await at_.states() == ["unknown"]
        assert at_.guard.open_notional == 10


async def test_rule_broken_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    async with at(tmp_path, limits=Limits(max_quantity=1)) as at_:
        outcome = await at_.send(client_ref="mine")
        assert isinstance(outcome, Rejected)
        assert (outcome.code, outcome.origin) == ("max_quantity", "guard")
        assert await at_.states() == []
        assert isinstance(await at_.send(client_ref="mine", quantity=1), Accepted)


async def test_reference_is_used_once(tmp_path: Path) -> None:
    async with at(tmp_path) as at_:
        assert isinstance(await at_.send(client_ref="mine"), Accepted)
        outcome = await at_.send(client_ref="mine")
        assert isinstance(outcome, Rejected)
        assert (outcome.code, len(at_.wire.written)) == ("client_ref", 1)
        assert "`gridwire journal list` shows" in outcome.reason.replace("\n", " ")


async def test_journal_that_cannot_be_written_stops_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with at(tmp_path) as at_:

        def full(*_: Any, **__: Any) -> Any:
            raise JournalError("The disk is full. Nothing was sent.")

        for method, ref in (("append", "mine"), ("claim", "mine"), ("append", None)):
            with monkeypatch.context() as patched:
                patched.setattr(at_.journal, method, full)
                outcome = await at_.send(client_ref=ref)
            assert isinstance(outcome, Rejected)
            assert (outcome.code, outcome.origin) == ("journal", "guard")
        assert at_.wire.written == []
        assert at_.guard.open_notional == 0
        assert isinstance(await at_.send(client_ref="mine"), Accepted)


async def test_outcome_that_cannot_be_written_down_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with at(tmp_path) as at_:

        def full(*_: Any, **__: Any) -> Any:
            raise JournalError("full")

        outcome = await at_.send()
        assert isinstance(outcome, Accepted)
        with monkeypatch.context() as patched:
            patched.setattr(at_.journal, "_write", full)
            await asyncio.sleep(0.01)
        assert [outcome.intent.key in text for text in at_.troubles] == [True]
        assert await at_.states() == ["accepted"]  # as this run knows; to others it is under way
        assert [row.state for row in read(tmp_path).rows.values()] == ["sending"]
        at_.journal.flush()
        assert [row.state for row in read(tmp_path).rows.values()] == ["accepted"]


async def test_ids_are_made_ahead_and_never_repeat(tmp_path: Path) -> None:
    async with at(tmp_path) as at_:
        for _ in range(600):
            await at_.send()
        keys = {payload.split()[0] for payload in at_.wire.written}
        assert len(keys) == 600
        assert all(key[14:15] == b"4" and len(key) == 36 for key in keys)
        at_.path._keys[:] = at_.path._keys[:1]  # even where the loop had no turn to make more
        await at_.send()
        await at_.send()
        assert len({payload.split()[0] for payload in at_.wire.written}) == 602


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("kind", ["change", "cancel", "other"])
@pytest.mark.parametrize("said", [b"yes", b"no", NoAnswer("lost", reason="timeout")])
async def test_what_is_done_to_an_order_counts_as_the_most_it_can_be(
    tmp_path: Path, kind: Any, known: bool, said: Any
) -> None:
    async with at(tmp_path, limits=Limits(max_open_notional="1000")) as at_:
        first = await at_.send()
        assert isinstance(first, Accepted)
        of = first.intent.key if known else None
        at_.wire.says = lambda payload: said
        await at_.send(kind=kind, of=of, price=Decimal(50), before=(Decimal(5), 2), rests=False)
        acted, lost = said == b"yes", isinstance(said, NoAnswer)
        if of is None or kind == "other" or said == b"no":
            expected = 10
        elif kind == "change":
            expected = 100
        else:
            expected = 0 if acted and not lost else 10
        assert at_.guard.open_notional == expected


async def test_change_without_a_price_changes_no_count(tmp_path: Path) -> None:
    async with at(tmp_path) as at_:
        assert isinstance(await at_.send(kind="change", of="x", price=None), Accepted)
        assert at_.guard.open_notional == 0


async def test_order_that_rests_nowhere_counts_only_while_it_is_not_answered(tmp_path: Path) -> None:
    async with at(tmp_path) as at_:
        assert isinstance(await at_.send(rests=False), Accepted)
        assert at_.guard.open_notional == 0
        assert await at_.states() == ["done"]
        at_.wire.says = lambda payload: NoAnswer("lost", reason="timeout")
        await at_.send(rests=False)
        assert at_.guard.open_notional == 10


def test_journal_keeps_fractions_and_instants_as_text() -> None:
    moment = datetime(2026, 12, 1, tzinfo=UTC)
    assert plain({"a": Decimal("1.50"), "b": moment, "c": None, "d": 7, "e": "x"}) == {
        "a": "1.50", "b": "2026-12-01T00:00:00+00:00", "d": 7, "e": "x",
    }  # fmt: skip


async def test_an_answer_that_was_another_s_tells_the_wire_and_no_other_doubt_does(tmp_path: Path) -> None:
    async with at(tmp_path) as at_:
        at_.wire.says = lambda payload: b"unreadable"
        assert isinstance(await at_.send(), Unknown)
        assert at_.wire.doubted == 0
        at_.wire.says = lambda payload: b"another's"
        outcome = await at_.send()
        assert isinstance(outcome, Unknown)
        assert at_.wire.doubted == 1
        assert at_.unknown[-1] is outcome


async def test_a_cancellation_that_could_not_claim_its_reference_leaves_it_to_whoever_has_it(tmp_path: Path) -> None:
    async with at(tmp_path) as at_:
        assert isinstance(await at_.send(client_ref="mine"), Accepted)
        await at_.states()
        size = logs(tmp_path)[0].stat().st_size
        at_.wire.says = lambda payload: NotSent("closed", reason="closed")
        with files_no_longer_than(0):  # so that no reservation can be written either
            refused = await at_.send(kind="cancel", client_ref="mine")
        assert (type(refused), logs(tmp_path)[0].stat().st_size) == (Rejected, size)
        at_.wire.says = lambda payload: b"yes"
        again = await at_.send(client_ref="mine")
        assert isinstance(again, Rejected)
        assert again.code == "client_ref"
