"""How a call of STP travels: ticket, request, judgement, and for reads another try.

A write is one request. It is sent again only where not one byte of it had left, or where the caller switched a second
attempt on; each attempt has a ticket of its own, all have the same transactionId.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Literal, TypeVar, cast
from urllib.parse import urlsplit
from uuid import UUID

from gridwire import clock
from gridwire.auth.tickets import TicketManager
from gridwire.epias_stp import judgement, rules, wire
from gridwire.epias_stp.errors import StpProtocolError
from gridwire.epias_stp.forms import Context
from gridwire.epias_stp.judgement import BEFORE_FIRST_BYTE, Attempt, Failure
from gridwire.epias_stp.ledger import Ledger
from gridwire.epias_stp.models import StpModel, StpRequest
from gridwire.epias_stp.operations import OPERATIONS, Operation
from gridwire.epias_stp.outcomes import error_of, outcomes_of, read_again, restated_order, write_again
from gridwire.epias_stp.profile import PREFIX, Profile
from gridwire.epias_stp.restated import restated as restated_by
from gridwire.epias_stp.writing import Writing, effect_of, intents_of
from gridwire.errors import AuthError, ConfigurationError, GridwireError, NoAnswer, NotSent, ReadOnly
from gridwire.intents.guard import Guard
from gridwire.intents.records import JournalError
from gridwire.observe.events import Events
from gridwire.orders.desk import Effect, count_ended, count_leaving, not_written, outcome_lines, ref_used
from gridwire.outcome import Accepted, Intent, OrderRef, Outcome, Rejected, Unknown
from gridwire.settings import require_confirmed
from gridwire.transport.classify import http_date
from gridwire.transport.exchange import Request
from gridwire.transport.http import HttpTransport, Progress
from gridwire.transport.retry import Again, RetryQuota, retrying

M = TypeVar("M", bound=StpModel)

READ_DEADLINE_S = 150.0
"""Bound of a read with all its attempts; long enough for two pauses of 60 s after HTTP 429."""

WRITE_DEADLINE_S = 10.0
"""A write has left after this time or it does not leave at all: prices grow old. Logging in, waiting for a ticket and
connecting again and again all count. A second attempt that the caller switched on has the same time once more."""

FINISH_S = 30.0
"""Longest wait for requests under way before a session is ended."""


FOREIGN = "foreign_answer"
"""The kind of the error of a read whose answer names another call."""

LANGUAGES = ("tr-tr", "en-us")
"""What STP answers in (STP document 4, ``Accept-Language``)."""

_TICKET_REFUSED = (Failure.SECURITY_ERROR, Failure.ACCESS_DENIED)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user chose for all calls of one client; see `EpiasStp`."""

    application: str
    language: Literal["tr-tr", "en-us"]
    message_format: Literal["json", "xml"]
    read_only: bool
    confirmed: frozenset[str]
    resend_on_security_error: bool
    retry_cancel: bool

    def __post_init__(self) -> None:
        """Refuse what would fail, or be misread, only when the first call is made."""
        if self.message_format not in wire.MEDIA_TYPES:
            raise ConfigurationError(f'message_format is "json" or "xml", not {self.message_format!r}.')
        if self.language not in LANGUAGES:
            raise ConfigurationError(f'language is "tr-tr" or "en-us", not {self.language!r}.')
        rules.name_text(self.application, "application")


class _Failed(Exception):
    """Tells the retry rule that an attempt of a write failed; never leaves this module."""


class Caller:
    """Makes the calls of one client."""

    def __init__(
        self,
        http: HttpTransport,
        tickets: TicketManager,
        profile: Profile,
        policy: Policy,
        ledger: Ledger,
        events: Events,
    ) -> None:
        self._http = http
        self._tickets = tickets
        self.profile: Profile = profile
        self._policy = policy
        self._ledger = ledger
        self._events = events
        self.guard: Guard | None = None
        """The open desk's: bids that are entered past the desk count there too."""
        self.counted: int = 0
        """How often something was counted there, or would have been."""
        self._quota = RetryQuota()
        self._under_way: set[asyncio.Future[None]] = set()

    async def finished(self) -> None:
        """Wait until the requests that are under way now have an answer, but not longer than `FINISH_S`."""
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=FINISH_S)

    async def read(self, name: str, body: StpRequest, model: type[M], transaction_id: str | UUID | None = None) -> M:
        """Make a call that changes nothing and return its answer's ``model``, which knows the call's ``transaction_id``.

        Raises the error of the last attempt: `StpError` leaves, `TransportError`, or `AuthError`.
        """
        return (await self.read_dated(name, body, model, transaction_id))[0]

    async def read_own(self, name: str, body: StpRequest, model: type[M]) -> tuple[M, datetime | None]:
        """The same for what something is concluded from; with the venue's time of the answer, None if it named none.

        Raises `StpProtocolError` of the kind `FOREIGN` for an answer that names another call.
        """
        return await self.read_dated(name, body, model, own=True)

    async def read_dated(
        self,
        name: str,
        body: StpRequest,
        model: type[M],
        transaction_id: str | UUID | None = None,
        *,
        own: bool = False,
    ) -> tuple[M, datetime | None]:
        """The same with the venue's time of the answer, to the second. ``own`` refuses one that names another call."""
        operation = OPERATIONS[name]
        self.check_login()
        key = rules.transaction_id(transaction_id)
        payload = self._encode(operation, body, key)
        attempt: Attempt | None = None

        async def once() -> tuple[M, datetime | None]:
            nonlocal attempt
            attempt = await self._attempt(operation, payload, key, Progress(), after=attempt)
            if attempt.failure is not None or attempt.envelope is None:
                raise error_of(attempt)
            if own and attempt.warning is not None:
                text = f"{attempt.warning} Nothing is concluded from it."
                raise StpProtocolError(text, attempt.envelope.facts, kind=FOREIGN)
            return cast("M", attempt.envelope.model()), http_date(attempt.date)

        def tell(error: BaseException, pause_s: float) -> None:
            text = f"{name} is tried again in {pause_s:.1f} s: {error}"
            self._events.emit("call.retried", text, operation=name, transaction_id=key)

        answer = await retrying(
            once,
            rule=lambda error: read_again(operation, error),
            deadline_s=READ_DEADLINE_S,
            quota=self._quota,
            on_retry=tell,
        )
        self._events.emit(
            "call.answered",
            f"{name} was answered, transactionId {key}.",
            level=logging.DEBUG,
            operation=name,
            transaction_id=key,
        )
        return answer

    async def write(
        self,
        name: str,
        body: StpRequest,
        *,
        restated: Mapping[str, Any] | None = None,
        transaction_id: str | UUID | None = None,
        client_ref: str | None = None,
        of: OrderRef | None = None,
        rests: bool = False,
    ) -> Outcome:
        """Make a call that changes something. Raises only for what is certain before anything is sent.

        ``restated`` is what the intent restates, by default every field of ``body``. ``of`` is the bid that a change or a
        cancellation is about; ``rests`` says whether a bid may rest once accepted.
        """
        said = restated_by(body) if restated is None else restated
        (outcome,) = await self.write_each(
            name, body, [said], transaction_id=transaction_id, client_ref=client_ref, of=of, rests=rests
        )
        return outcome

    async def write_each(
        self,
        name: str,
        body: StpRequest,
        restated: Sequence[Mapping[str, Any]],
        *,
        transaction_id: str | UUID | None = None,
        client_ref: str | None = None,
        of: OrderRef | None = None,
        rests: bool = False,
    ) -> list[Outcome]:
        """The same for a call that carries several entries, each with an intent, a row and an outcome of its own.

        The key of the first is the transactionId, of the others the transactionId with ``/2``, ``/3`` … behind it.
        """
        operation = OPERATIONS[name]
        self.refuse(operation)
        key = rules.transaction_id(transaction_id)
        payload = self._encode(operation, body, key)
        reference = rules.optional_text(client_ref, "client_ref")
        intents = intents_of(name, key, reference, restated)
        self._http.check_open()
        effect = effect_of(intents[0], of, rests)
        journal = await self._ledger.open()
        counted = partial(self._count, effect, key)
        exclusive = self._ledger.is_alone_at(intents[0])
        writing = Writing(
            operation,
            payload,
            intents,
            journal,
            self._ledger.account,
            effect,
            counted,
            self._trouble,
            exclusive=exclusive,
        )
        try:
            if transaction_id is not None and not await self._first_with(writing, key):
                return _refused(intents, "transaction_id", _ID_USED.format(key=key))
            if reference is not None and not self._claim(writing, reference):
                return _refused(intents, "client_ref", ref_used(reference))
            await self._send(writing)
        except asyncio.CancelledError:
            self._end(writing, of)
            raise
        except JournalError as error:
            if not writing.attempts:
                return _refused(intents, "journal", str(error))
        finally:
            if not writing.left:
                self._release(writing)
        return self._end(writing, of)

    async def _send(self, writing: Writing) -> None:
        """Make the attempts that are allowed, and leave each in ``attempts``, also one cut short by cancellation."""
        operation, key, attempts = writing.operation, writing.intent.key, writing.attempts
        loop = asyncio.get_running_loop()
        leave_by = loop.time() + WRITE_DEADLINE_S

        def until() -> float:
            nonlocal leave_by
            if attempts[-1].failure not in BEFORE_FIRST_BYTE:  # it left in time; another one has a time of its own
                leave_by = loop.time() + WRITE_DEADLINE_S
            return leave_by

        async def once() -> None:
            progress = Progress()
            try:
                last = attempts[-1] if attempts else None
                attempt = await self._attempt(
                    operation,
                    writing.payload,
                    key,
                    progress,
                    after=last,
                    before_sending=writing.before_sending,
                    leave_by=leave_by,
                )
            except asyncio.CancelledError:
                if progress.written:
                    attempts.append(judgement.cancelled(operation, transaction_id=key))
                raise
            attempts.append(attempt)
            if attempt.failure is not None:
                raise _Failed

        def rule(error: BaseException) -> Again | None:
            if not isinstance(error, _Failed):
                return None
            allowed = write_again(
                attempts,
                resend_on_security_error=self._policy.resend_on_security_error,
                retry_cancel=self._policy.retry_cancel,
            )
            # That function has counted; here one more attempt is all that is asked for.
            return None if allowed is None else replace(allowed, most=len(attempts))

        try:
            await retrying(once, rule=rule, deadline_s=WRITE_DEADLINE_S, quota=self._quota, until=until)
        except _Failed:
            return
        except GridwireError:  # the client was closed before another attempt: those that were made decide
            if not attempts:
                raise

    def _end(self, writing: Writing, of: OrderRef | None) -> list[Outcome]:
        """The outcomes of all attempts, written down; those of which no byte left count only where they are all there is."""
        left = writing.left
        outcomes: list[Outcome]
        if not writing.attempts:  # cancelled before a byte had left
            attempt = judgement.cancelled(writing.operation, transaction_id=writing.intent.key)
            outcomes = [Rejected("cancelled", attempt.detail, "wire", intent) for intent in writing.intents]
        else:
            intents = [replace(intent, attempts=max(len(left), 1)) for intent in writing.intents]
            outcomes = outcomes_of(left or writing.attempts[-1:], intents)
        if writing.sent is not None:
            told: list[bytes] = []
            for intent, outcome in zip(writing.intents, outcomes, strict=True):
                told += outcome_lines(outcome, intent.key, writing.effect, writing.sent, writing.sent_boot_us)
            writing.journal.soon(lambda: told, partial(self._not_written, writing.intent.key))
            writing.journal.flush()
            self._count(writing.effect, writing.intent.key, outcomes[0])
        for outcome in outcomes:
            self.remember(outcome)
        if writing.operation.name == "bid_cancel" and isinstance(outcomes[0], Accepted):
            self.bid_ended(str(writing.intent.restated["bid_id"]))
        return [restated_order(outcome, of, writing.intent.restated) for outcome in outcomes]

    async def _first_with(self, writing: Writing, key: str) -> bool:
        """Reserve a key that the caller chose; False if an intent has it already, whoever chose it then."""
        if not self._claim(writing, f"transactionId {key}"):
            return False
        try:
            return not await asyncio.to_thread(writing.journal.has, key)
        except JournalError:
            if writing.effect.kind != "cancel":
                raise
            return True

    def _claim(self, writing: Writing, reference: str) -> bool:
        try:
            claimed = writing.journal.claim(reference, writing.intent.key)
        except JournalError:
            if writing.effect.kind != "cancel":
                raise
            return True  # it leaves also where nothing can be written down: see `Journal.append_or_keep`
        if claimed:
            writing.claimed.append(reference)
        return claimed

    def _count(self, effect: Effect, key: str, outcome: Outcome | None = None) -> None:
        self.counted += 1
        if self.guard is not None and outcome is None:
            count_leaving(self.guard, effect, key)
        elif self.guard is not None and outcome is not None:
            count_ended(self.guard, effect, outcome, key)

    def _not_written(self, key: str, error: JournalError) -> None:
        self._trouble(not_written(key, error))

    def _trouble(self, text: str) -> None:
        self._events.emit("journal.trouble", text, level=logging.ERROR)

    def _release(self, writing: Writing) -> None:
        for reference in writing.claimed:
            writing.journal.release(reference)

    async def _attempt(
        self,
        operation: Operation,
        payload: bytes,
        key: str,
        progress: Progress,
        *,
        after: Attempt | None,
        before_sending: Callable[[], None] | None = None,
        leave_by: float | None = None,
    ) -> Attempt:
        """One request with its own ticket, judged. Raises nothing that the venue, the network or CAS did.

        ``before_sending`` is called when the ticket is there and nothing has been sent. After an attempt whose ticket may have
        been dead, the next one comes from CAS, which knows whether the session is.
        """
        self._under_way.add(done := asyncio.get_running_loop().create_future())
        try:
            return await self._exchange(operation, payload, key, progress, after, before_sending, leave_by)
        finally:
            self._under_way.discard(done)
            done.set_result(None)

    async def _exchange(
        self,
        operation: Operation,
        payload: bytes,
        key: str,
        progress: Progress,
        after: Attempt | None,
        before_sending: Callable[[], None] | None,
        leave_by: float | None,
    ) -> Attempt:
        try:
            async with asyncio.timeout_at(leave_by):
                ticket = await self._tickets.take(fresh=after is not None and after.failure in _TICKET_REFUSED)
        except AuthError as error:
            return judgement.failed(operation, error, transaction_id=key)
        except TimeoutError:
            late = NotSent("There was no ticket within the time in which the call was to leave.", reason="timeout")
            return judgement.failed(operation, late, transaction_id=key)
        age_s = ticket.age_s
        if before_sending is not None:
            before_sending()
        try:
            request = self._request(operation, payload, ticket.value)
            start_within_s = self._tickets.usable_s - age_s  # a ticket that grew too old in a queue is not presented
            if leave_by is not None:
                start_within_s = min(start_within_s, leave_by - asyncio.get_running_loop().time())
            response = await self._http.send(
                request, progress=progress, start_within_s=start_within_s, alone=operation.is_write
            )
        except (NotSent, NoAnswer) as error:
            return judgement.failed(operation, error, transaction_id=key, ticket_age_s=age_s)
        except GridwireError as error:  # the client was closed meanwhile; a row that was written has to end
            if before_sending is None:
                raise
            late = NotSent(str(error), reason="closed")
            return judgement.failed(operation, late, transaction_id=key, ticket_age_s=age_s)
        except Exception as error:  # noqa: BLE001 - a surprise of ours must not leave a call in the journal without an end
            text = f"The request could not be made or sent ({type(error).__name__})."
            lost = NoAnswer(text, reason="garbage") if progress.written else NotSent(text, reason="refused")
            return judgement.failed(operation, lost, transaction_id=key, ticket_age_s=age_s)
        try:
            attempt = judgement.answered(operation, response, transaction_id=key, ticket_age_s=age_s, now=clock.now())
        except Exception as error:  # noqa: BLE001 - a surprise of ours must not lose a call that has left
            lost = NoAnswer(f"The answer could not be judged ({type(error).__name__}).", reason="garbage")
            attempt = judgement.failed(operation, lost, transaction_id=key, ticket_age_s=age_s)
        return self.judged(attempt)

    def judged(self, attempt: Attempt) -> Attempt:
        """Learn from an answer: tickets that die young, answers meant for others. What it is in the light of earlier ones."""
        named = judgement.bid_id(attempt.envelope) if attempt.failure is None else None
        if named is not None and self._ledger.named_before(attempt.operation.name, named):
            attempt = judgement.named_twice(attempt, named)
        if attempt.failure is Failure.SECURITY_ERROR and attempt.ticket_age_s is not None:
            self._tickets.report_rejected(attempt.ticket_age_s)
        if attempt.warning is not None:
            self._events.emit(
                "answer.foreign", attempt.warning, level=logging.WARNING, transaction_id=attempt.transaction_id
            )
        return attempt

    def _request(self, operation: Operation, payload: bytes, ticket: str) -> Request:
        media_type = wire.MEDIA_TYPES[self._policy.message_format]
        base = self.profile.engine_path if operation.module == "engine" else self.profile.broadcaster_path
        return Request(
            "POST",
            f"{self.profile.stp_url}{base}{operation.path}",
            {
                "stp-service-ticket": ticket,
                "accept": media_type,
                "content-type": media_type,
                "accept-language": self._policy.language,
            },
            payload,
        )

    def context(self, account: str) -> Context:
        """What all messages of this client have in common, for compiled ones."""
        return Context(
            host=urlsplit(self.profile.stp_url).netloc,
            base_path=self.profile.engine_path,
            application=self._policy.application,
            language=self._policy.language,
            account=account,
            exclusive=self._ledger.exclusive,
            foreign_prices=self._ledger.foreign_prices,
            seen_contracts=self._ledger.seen_contracts,
            on_judged=self.judged,
            named_before=self._ledger.named_before,
            message_format=self._policy.message_format,
        )

    def _encode(self, operation: Operation, body: StpRequest, transaction_id: str) -> bytes:
        return wire.encode(
            operation,
            body,
            transaction_id=transaction_id,
            application=self._policy.application,
            fmt=self._policy.message_format,
        )

    def refuse(self, operation: Operation) -> None:
        """Raise `ReadOnly` or `Unconfirmed` if this client may not make that call."""
        if self._policy.read_only:
            raise ReadOnly(f"{operation} would change something, and this client is read-only. Nothing was sent.")
        unit = ("quantity_unit",) if operation.name.startswith("bid_") else ()
        self._require_confirmed("cas_url", "engine_path", "service", *unit, use=f"call {operation}")

    def check_login(self) -> None:
        """Raise `Unconfirmed` if the password may not go to the profile's ticket service yet: every call may log in first."""
        self._require_confirmed("cas_url", use="log in")

    def _require_confirmed(self, *fields: str, use: str) -> None:
        require_confirmed(
            variable=PREFIX + "CONFIRMED",
            venue="EPİAŞ STP",
            environment=self.profile.environment,
            facts=self.profile.facts,
            fields=fields,
            confirmed=self._policy.confirmed,
            use=use,
        )

    def bid_ended(self, bid_id: str, *, cancelled: bool = True) -> None:
        """Settle what is unknown about a bid that was cancelled, or ended otherwise: nothing depends on it any more."""
        why = "the bid was cancelled" if cancelled else "the bid has ended"
        told = self._ledger.settle_about(bid_id, why, cancelled=cancelled)
        if told:
            self._ledger.journal.soon(lambda: told, partial(self._not_written, bid_id))

    def remember(self, outcome: Outcome) -> None:
        """Keep and report an outcome that is not known."""
        if isinstance(outcome, Unknown):
            self._ledger.remember(outcome)
            self._events.emit(
                "outcome.unknown",
                outcome.reason,
                level=logging.WARNING,
                cause=outcome.cause,
                operation=outcome.intent.operation,
                transaction_id=outcome.intent.key,
            )


def _refused(intents: Sequence[Intent], code: str, reason: str) -> list[Outcome]:
    return [Rejected(code, reason, "guard", intent) for intent in intents]


_ID_USED = (
    "An intent with the transactionId {key} is in the journal already, so this one was not sent: its answer could not be "
    "told from the other's. Leave transaction_id= out to have a new one made."
)
