"""The order path, the same for every venue: guard, credential, journal, message, one write, an honest outcome.

An order's stations, and what a failure at each means:

==========  =====================================================  ================================================
station     what happens                                           if it fails
==========  =====================================================  ================================================
encode      values become bytes                                    `InvalidInput` is raised
guard       limits, kill switch, ``client_ref``                    `Rejected` by ``guard``
credential  a ready one is taken, or one is fetched                `Rejected` by ``security`` or ``wire``
wire        a connection stands, or one is opened                  `Rejected` by ``wire``
journal     the ``sending`` line is on its way to the disk         `Rejected` by ``guard``; a cancellation goes on
write       bytes go to an open connection: **the line**           `Rejected` by ``wire`` if it was closed before
answer      the venue's answer is awaited                          `Unknown`
parse       the answer is judged by the venue's table              as that table says
==========  =====================================================  ================================================

After the line the caller's task may be cancelled: the intent then stays in the journal as unknown, and `CancelledError`
goes on. The outcome is written down within two milliseconds after it was handed to the caller.

This room knows neither tickets nor HTTP: a venue hands it `Credentials`, an `OrderWire` and compiled `Form` objects.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from time import perf_counter_ns
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar
from uuid import UUID

from gridwire import clock
from gridwire.errors import AuthError, NoAnswer, NotSent
from gridwire.intents.guard import Guard
from gridwire.intents.journal import Journal, line
from gridwire.intents.records import JournalError, rejection
from gridwire.observe.timings import Timings
from gridwire.outcome import Accepted, Intent, Outcome, Rejected, Unknown

A = TypeVar("A")
"""What a venue's order wire answers with."""
C = TypeVar("C")
"""A venue's single-use credential."""
A_contra = TypeVar("A_contra", contravariant=True)
C_contra = TypeVar("C_contra", contravariant=True)

_KEYS_AHEAD = 256
LEAVE_WITHIN_S = 10.0

_TRIES = 3
"""How often an order waits anew because its connection ended while it waited for a credential."""


class Credentials(Protocol[C]):
    """Single-use credentials, ready ahead of need."""

    def take(self) -> C | None:
        """A ready one, without waiting; None if there is none."""
        ...

    async def fetch(self) -> C:
        """One fetched now. Raises `AuthError`."""
        ...

    def usable(self, credential: C) -> bool:
        """Whether one that was fetched a while ago may still be sent."""
        ...


class OrderWire(Protocol[A]):
    """Where orders go. Between `expect` and `write` nothing is awaited."""

    def ready(self) -> bool:
        """Whether a message can be written now."""
        ...

    async def make_ready(self) -> None:
        """Bring a connection up. Raises `NotSent`."""
        ...

    def expect(self, keys: Sequence[str]) -> Sequence[asyncio.Future[A]]:
        """Register for the answers to these intents, which one write will carry."""
        ...

    def write(self, payload: bytes) -> None:
        """Hand the message to the connection. Raises `NotSent` if none of it can have left."""
        ...

    def doubt(self) -> None:
        """An answer was another order's: what stands ready and is idle must not carry the next one."""
        ...


class Form(Protocol[A_contra, C_contra]):
    """A compiled kind of order of one venue."""

    operation: str

    def record(self, key: str, at_us: int, encoded: Sequence[bytes], client_ref: str | None) -> bytes:
        """The journal's ``sending`` record, as JSON."""
        ...

    def render(self, key: str, credential: C_contra | None, encoded: Sequence[bytes]) -> bytes:
        """The whole message."""
        ...

    def answered(self, answer: A_contra, intent: Intent, credential_age_s: float | None) -> Outcome:
        """Judge an answer by the venue's table."""
        ...

    def failed(self, error: NotSent | NoAnswer | AuthError, intent: Intent) -> Outcome:
        """Judge the lack of one."""
        ...

    def cancelled(self, intent: Intent) -> Outcome:
        """Judge a request whose caller went away after its first byte had left."""
        ...


Kind: TypeAlias = Literal["new", "change", "cancel", "other"]


@dataclass(frozen=True, slots=True)
class Effect:
    """What an intent means for the orders in the journal once it is settled, and for what counts as open."""

    kind: Kind
    restated: Mapping[str, Any]
    rests: bool = True
    """Whether anything of a new order can rest once it was accepted."""
    of: str | None = None
    """Key of the order that a change or a cancellation is about, where the journal knows it."""
    price: Decimal | None = None
    quantity: int = 0
    before: tuple[Decimal | None, int] = (None, 0)
    """Price and quantity of that order as last stated."""


@dataclass(slots=True)
class Draft(Generic[A, C]):
    """An order about to be sent."""

    form: Form[A, C]
    encoded: Sequence[bytes]
    restated: Mapping[str, Any]
    kind: Kind
    contract: str | None
    side: str | None
    price: Decimal | None
    quantity: int
    rests: bool = True
    """Whether anything of it can rest once it was accepted."""
    of: str | None = None
    """Key of the order that a change or a cancellation is about, where the journal knows it."""
    before: tuple[Decimal | None, int] = (None, 0)
    """Price and quantity of that order as last stated."""
    client_ref: str | None = None
    claimed: bool = False
    """Whether this order has reserved its ``client_ref``: a cancellation leaves also where that failed."""
    left_s: float | None = None
    """When it left, by the loop's clock; None before."""
    left_boot_us: int | None = None
    """The same by the machine's boot clock."""


class OrderPath(Generic[A, C]):
    """Sends drafts. One per desk."""

    def __init__(
        self,
        *,
        venue: str,
        wire: OrderWire[A],
        credentials: Credentials[C] | None,
        age_of: Callable[[C], float],
        journal: Journal,
        guard: Guard,
        on_unknown: Callable[[Unknown], None],
        on_trouble: Callable[[str], None],
    ) -> None:
        self._venue = venue
        self._wire = wire
        self._credentials = credentials
        self._age_of = age_of
        self._journal = journal
        self._guard = guard
        self._on_unknown = on_unknown
        self._on_trouble = on_trouble
        self._loop = asyncio.get_running_loop()
        self._keys: list[str] = []
        self._more_keys()
        self.timings: Timings = Timings()

    def _more_keys(self) -> None:
        entropy = os.urandom(16 * _KEYS_AHEAD)
        self._keys += [str(UUID(bytes=entropy[at : at + 16], version=4)) for at in range(0, len(entropy), 16)]

    async def send(self, draft: Draft[A, C]) -> Outcome:
        """Send one order. Returns its outcome.

        Raises `CancelledError`, and `WrongLoop` where the client was closed before the order left.
        """
        started = perf_counter_ns()
        key = self._keys.pop()
        refused = self._checked(draft, key)
        if refused is not None:
            return refused
        guarded = perf_counter_ns()
        credentials, ready, waited = self._credentials, self._wire.ready(), False
        credential = credentials.take() if ready and credentials is not None else None
        if not ready or (credentials is not None and credential is None):
            try:
                credential, waited = await self._prepare_in_time(ready)
            except (AuthError, NotSent) as error:
                self._release(draft)
                return draft.form.failed(error, self._intent(draft, key, clock.now()))
            except BaseException:
                self._release(draft)
                raise
            refused = self._guarded(draft, key)  # while we waited, the desk may have been halted
            if refused is not None:
                self._release(draft)
                return refused
        return await self._transmit(draft, key, credential, (started, guarded, perf_counter_ns()), waited)

    async def _transmit(
        self, draft: Draft[A, C], key: str, credential: C | None, marks: tuple[int, int, int], waited: bool
    ) -> Outcome:
        """Journal, write, await, judge. Until the write nothing is awaited, so what was checked still holds."""
        form, at_us = draft.form, clock.now_us()
        if draft.of is not None:  # that it was accepted, and under which id, has to be on disk before it is changed
            self._journal.flush()
        try:
            record = form.record(key, at_us, draft.encoded, draft.client_ref)
            if draft.kind != "cancel":
                self._journal.append(record)
            elif (why := self._journal.append_or_keep(record)) is not None:
                self._loop.call_soon(self._on_trouble, kept_in_memory(key, draft.restated, why))
        except JournalError as error:
            self._release(draft)
            return Rejected("journal", str(error), "guard", self._intent(draft, key, clock.moment(at_us)))
        journalled = perf_counter_ns()
        payload = form.render(key, credential, draft.encoded)
        rendered = perf_counter_ns()
        (future,) = self._wire.expect((key,))
        intent: Intent | None = None
        try:
            self._wire.write(payload)
            written = perf_counter_ns()
            # What is needed for the answer and not for the message is made while the venue works.
            self._leave(draft, key)
            intent = self._intent(draft, key, clock.moment(at_us))
            age_s = self._age_of(credential) if credential is not None else None
            answer = await future
            came = perf_counter_ns()
            judged = form.answered(answer, intent, age_s)
        except (NotSent, NoAnswer) as error:
            ended = form.failed(error, intent or self._intent(draft, key, clock.moment(at_us)))
            return self._ended(draft, ended, key)
        except asyncio.CancelledError:
            self._ended(draft, form.cancelled(intent or self._intent(draft, key, clock.moment(at_us))), key)
            raise
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not lose an order that may have left
            if draft.left_s is None:  # it happened in the write: part of the message may have left
                future.cancel()
                self._leave(draft, key)
            lost = NoAnswer(
                f"{type(error).__name__} happened here when the order was leaving or had left.", reason="garbage"
            )
            return self._ended(draft, form.failed(lost, intent or self._intent(draft, key, clock.moment(at_us))), key)
        outcome = self._ended(draft, judged, key)
        self.timings.add((*marks, journalled, rendered, written, came, perf_counter_ns()), waited)
        return outcome

    # before the line

    def _checked(self, draft: Draft[A, C], key: str) -> Rejected | None:
        if not self._keys:
            self._more_keys()
        elif len(self._keys) == _KEYS_AHEAD // 2:
            self._loop.call_soon(self._more_keys)
        refused = self._guarded(draft, key)
        if refused is None and draft.client_ref is not None:
            try:
                if not self._journal.claim(draft.client_ref, key):
                    return Rejected(
                        "client_ref", ref_used(draft.client_ref), "guard", self._intent(draft, key, clock.now())
                    )
                draft.claimed = True
            except JournalError as error:
                if draft.kind != "cancel":  # which leaves also where nothing can be written down
                    return Rejected("journal", str(error), "guard", self._intent(draft, key, clock.now()))
        return refused

    def _guarded(self, draft: Draft[A, C], key: str) -> Rejected | None:
        if draft.kind == "cancel":
            return None
        breach = self._guard.check(
            draft.contract, draft.side, draft.price, draft.quantity, self._loop.time(), key=draft.of or key
        )
        if breach is None:
            return None
        return Rejected(
            breach.rule,
            breach.text,
            "guard",
            self._intent(draft, key, clock.now()),
            repeatable=breach.retry_after_s is not None,
            retry_after_s=breach.retry_after_s,
        )

    async def _prepare_in_time(self, ready: bool) -> tuple[C | None, bool]:
        """The same within the time in which an order leaves or does not leave at all: prices grow old."""
        try:
            async with asyncio.timeout(LEAVE_WITHIN_S):
                return await self._prepare(ready)
        except TimeoutError:
            text = f"No connection and credential were ready within {LEAVE_WITHIN_S:g} s. Nothing was sent."
            raise NotSent(text, reason="timeout") from None

    async def _prepare(self, ready: bool) -> tuple[C | None, bool]:
        """Bring up what is missing; whether a credential had to be waited for.

        The connection comes first, so that no credential ages meanwhile.
        """
        credentials, credential, waited = self._credentials, None, False
        for _ in range(_TRIES):
            if not ready:
                await self._wire.make_ready()
            if credentials is None or (credential is not None and credentials.usable(credential)):
                return credential, waited
            credential = credentials.take()
            if credential is not None:
                return credential, waited
            credential, waited = await credentials.fetch(), True
            ready = self._wire.ready()  # it may have ended, or another order has taken it
            if ready:
                return credential, waited
        raise NotSent("Connections to the venue end as soon as they stand. Nothing was sent.", reason="closed")

    def _release(self, draft: Draft[A, C]) -> None:
        if draft.claimed and draft.client_ref is not None:  # else another intent may have it
            self._journal.release(draft.client_ref)

    # after it

    def _leave(self, draft: Draft[A, C], key: str) -> None:
        draft.left_s = now = self._loop.time()
        draft.left_boot_us = clock.boot_us()
        if draft.kind != "cancel":
            self._guard.sent(now)
        count_leaving(self._guard, draft, key)

    def _ended(self, draft: Draft[A, C], outcome: Outcome, key: str) -> Outcome:
        if isinstance(outcome, Unknown):
            if outcome.cause == "foreign_answer":
                self._wire.doubt()
            self._on_unknown(outcome)
        count_ended(self._guard, draft, outcome, key)
        if isinstance(outcome, Rejected) and outcome.origin == "wire":
            self._release(draft)
        sent = outcome.intent.created if outcome.intent is not None else clock.now()
        lines = partial(outcome_lines, outcome, key, draft, sent, draft.left_boot_us)
        self._journal.soon(lines, partial(self._not_written, key))
        return outcome

    def _not_written(self, key: str, error: JournalError) -> None:
        self._on_trouble(not_written(key, error))

    def _intent(self, draft: Draft[A, C], key: str, now: datetime) -> Intent:
        return Intent(self._venue, draft.form.operation, key, now, draft.client_ref, draft.restated)


def count_leaving(guard: Guard, draft: Draft[Any, Any] | Effect, key: str) -> None:
    """Count what leaves as open: it may rest from now on."""
    if draft.kind == "new":
        guard.opened(key, draft.price, draft.quantity)
    elif draft.kind == "change" and draft.of is not None and draft.price is not None:
        guard.changing(key, draft.of, draft.price, draft.quantity, before=draft.before)


def count_ended(guard: Guard, draft: Draft[Any, Any] | Effect, outcome: Outcome, key: str) -> None:
    """Count what became of it; what is unknown goes on counting as the most it can be."""
    if isinstance(outcome, Unknown):
        return
    refused = isinstance(outcome, Rejected)
    if draft.kind == "new":
        if refused or not draft.rests:
            guard.closed(key)
    elif draft.kind == "change":
        if refused:
            guard.settled(key)
        else:
            guard.settled(key, draft.price, draft.quantity)
    elif draft.kind == "cancel" and draft.of is not None and not refused:
        guard.closed(draft.of)


def not_written(key: str, error: JournalError) -> str:
    """The sentence about an outcome that is not in the journal yet."""
    # Should the process end before, the row is unknown at the next start: honest, not wrong.
    return f"The outcome of {key} could not be written down yet: {error} It is written before the next call is."


def kept_in_memory(key: str, restated: Mapping[str, Any], error: JournalError) -> str:
    """The sentence about a cancellation that leaves though its row is not in the journal yet."""
    return (
        f"The cancellation {key} of {restated.get('bid_id', 'an order')} is sent though it could not be written down: {error} "
        "It is kept in memory, and written as soon as the journal can be. Should this program end before, the journal goes on "
        "showing the order as it was."
    )


def ref_used(client_ref: str) -> str:
    """The sentence about a ``client_ref`` that is in the journal already."""
    return (
        f"An intent with client_ref={client_ref!r} is in the journal already, so this one was not sent. `gridwire journal "
        "list` shows what became of it."
    )


def outcome_lines(
    outcome: Outcome, key: str, draft: Draft[Any, Any] | Effect, sent: datetime, sent_boot_us: int | None
) -> tuple[bytes] | tuple[bytes, bytes]:
    """The journal's records of an outcome, and of what it means for the order that the intent was about.

    ``sent`` is when the request left, ``sent_boot_us`` the same by the machine's boot clock: of two changes of one order the
    one sent later holds, whichever is answered first.
    """
    order = outcome.order.id if isinstance(outcome, Accepted) and outcome.order is not None else None
    if isinstance(outcome, Unknown):
        return (line("unknown", key, n=outcome.cause),)
    if isinstance(outcome, Rejected):
        return (line("rejected", key, n=rejection(outcome)),)
    if draft.kind == "new" and draft.rests:
        return (line("accepted", key, i=order),)
    if draft.of is None:
        return (line("done", key, i=order),)
    # In one write: a process killed in between would leave a cancelled order that seems to rest.
    told = (
        line("closed", draft.of, n="cancelled")
        if draft.kind == "cancel"
        else line("accepted", draft.of, f=plain(draft.restated), u=clock.microseconds(sent), ub=sent_boot_us)
    )
    return told, line("done", key, i=order)


def plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as the journal keeps them: numbers with fractions, instants and days as text; also within lists."""
    return {name: _plain(value) for name, value in fields.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return plain(value)
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
