"""How a call of STP travels: ticket, request, judgement, and for reads another try.

A write is one request. It is sent again only where not one byte of it had left, or where the caller switched a second
attempt on; each attempt has a ticket of its own, all have the same transactionId.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar, cast
from uuid import UUID

from gridwire import clock
from gridwire.auth.tickets import TicketManager
from gridwire.epias_stp import judgement, rules, wire
from gridwire.epias_stp.judgement import BEFORE_FIRST_BYTE, Attempt, Failure
from gridwire.epias_stp.models import StpModel, StpRequest
from gridwire.epias_stp.operations import OPERATIONS, Operation
from gridwire.epias_stp.outcomes import VENUE, error_of, outcome_of, read_again, write_again
from gridwire.epias_stp.profile import Profile
from gridwire.errors import AuthError, ConfigurationError, GridwireError, NoAnswer, NotSent, ReadOnly
from gridwire.observe.events import Events
from gridwire.outcome import Intent, Outcome, Unknown
from gridwire.settings import require_confirmed
from gridwire.transport.exchange import Request
from gridwire.transport.http import HttpTransport, Progress
from gridwire.transport.retry import Again, RetryQuota, retrying

M = TypeVar("M", bound=StpModel)

READ_DEADLINE_S = 150.0
"""Bound of a read with all its attempts; long enough for two pauses of 60 s after HTTP 429."""

WRITE_DEADLINE_S = 30.0
"""Bound for connecting again and again before the first byte of a write."""

FINISH_S = 30.0
"""Longest wait for requests under way before a session is ended."""


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
        self, http: HttpTransport, tickets: TicketManager, profile: Profile, policy: Policy, events: Events
    ) -> None:
        self._http = http
        self._tickets = tickets
        self.profile: Profile = profile
        self._policy = policy
        self._events = events
        self._quota = RetryQuota()
        self._under_way: set[asyncio.Future[None]] = set()
        self.unknown: list[Unknown] = []
        """Writes of this client whose outcome is not known."""

    async def finished(self) -> None:
        """Wait until the requests that are under way now have an answer, but not longer than `FINISH_S`."""
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=FINISH_S)

    async def read(self, name: str, body: StpRequest, model: type[M]) -> M:
        """Make a call that changes nothing and return its answer's ``model``.

        Raises the error of the last attempt: `StpError` leaves, `TransportError`, or `AuthError`.
        """
        operation = OPERATIONS[name]
        transaction_id = rules.transaction_id()
        payload = self._encode(operation, body, transaction_id)
        attempt: Attempt | None = None

        async def once() -> M:
            nonlocal attempt
            attempt = await self._attempt(operation, payload, transaction_id, Progress(), after=attempt)
            if attempt.failure is not None or attempt.envelope is None:
                raise error_of(attempt)
            return cast("M", attempt.envelope.model())

        def tell(error: BaseException, pause_s: float) -> None:
            self._events.emit("call.retried", f"{name} is tried again in {pause_s:.1f} s: {error}", operation=name)

        return await retrying(
            once,
            rule=lambda error: read_again(operation, error),
            deadline_s=READ_DEADLINE_S,
            quota=self._quota,
            on_retry=tell,
        )

    async def write(
        self,
        name: str,
        body: StpRequest,
        *,
        restated: Mapping[str, Any] | None = None,
        transaction_id: str | UUID | None = None,
    ) -> Outcome:
        """Make a call that changes something. Raises only for what is certain before anything is sent."""
        operation = OPERATIONS[name]
        self._refuse(operation)
        key = rules.transaction_id(transaction_id)
        payload = self._encode(operation, body, key)
        intent = Intent(VENUE, name, key, clock.now(), restated=dict(restated or {}))
        attempts: list[Attempt] = []
        try:
            await self._send(operation, payload, key, attempts)
        except asyncio.CancelledError:
            if any(attempt.failure not in BEFORE_FIRST_BYTE for attempt in attempts):
                self._remember(_settle(attempts, intent))
            raise
        outcome = _settle(attempts, intent)
        self._remember(outcome)
        return outcome

    async def _send(self, operation: Operation, payload: bytes, key: str, attempts: list[Attempt]) -> None:
        """Make the attempts that are allowed, and leave each in ``attempts``, also one cut short by cancellation."""

        async def once() -> None:
            progress = Progress()
            try:
                last = attempts[-1] if attempts else None
                attempt = await self._attempt(operation, payload, key, progress, after=last)
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
            await retrying(once, rule=rule, deadline_s=WRITE_DEADLINE_S, quota=self._quota)
        except _Failed:
            return
        except GridwireError:  # the client was closed before another attempt: those that were made decide
            if not attempts:
                raise

    async def _attempt(
        self, operation: Operation, payload: bytes, key: str, progress: Progress, *, after: Attempt | None
    ) -> Attempt:
        """One request with its own ticket, judged. Raises nothing that the venue, the network or CAS did.

        After an attempt whose ticket may have been dead, the next one comes from CAS, which knows whether the session is.
        """
        self._under_way.add(done := asyncio.get_running_loop().create_future())
        try:
            return await self._exchange(operation, payload, key, progress, after)
        finally:
            self._under_way.discard(done)
            done.set_result(None)

    async def _exchange(
        self, operation: Operation, payload: bytes, key: str, progress: Progress, after: Attempt | None
    ) -> Attempt:
        try:
            ticket = await self._tickets.take(fresh=after is not None and after.failure in _TICKET_REFUSED)
        except AuthError as error:
            return judgement.failed(operation, error, transaction_id=key)
        age_s = ticket.age_s
        try:
            request = self._request(operation, payload, ticket.value)
            start_within_s = self._tickets.usable_s - age_s  # a ticket that grew too old in a queue is not presented
            response = await self._http.send(request, progress=progress, start_within_s=start_within_s)
            attempt = judgement.answered(operation, response, transaction_id=key, ticket_age_s=age_s, now=clock.now())
        except (NotSent, NoAnswer) as error:
            return judgement.failed(operation, error, transaction_id=key, ticket_age_s=age_s)
        if attempt.failure is Failure.SECURITY_ERROR:
            self._tickets.report_rejected(age_s)
        if attempt.warning is not None:
            self._events.emit("answer.foreign", attempt.warning, level=logging.WARNING, transaction_id=key)
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

    def _encode(self, operation: Operation, body: StpRequest, transaction_id: str) -> bytes:
        return wire.encode(
            operation,
            body,
            transaction_id=transaction_id,
            application=self._policy.application,
            fmt=self._policy.message_format,
        )

    def _refuse(self, operation: Operation) -> None:
        if self._policy.read_only:
            raise ReadOnly(f"{operation} would change something, and this client is read-only. Nothing was sent.")
        fields = ("engine_path", "service", *(("quantity_unit",) if operation.name.startswith("bid_") else ()))
        require_confirmed(
            venue="EPİAŞ STP",
            environment=self.profile.environment,
            facts=self.profile.facts,
            fields=fields,
            confirmed=self._policy.confirmed,
            use=f"call {operation}",
        )
        if self.profile.environment == "production":
            raise ConfigurationError(
                f"{operation} was not sent: this version keeps unknown outcomes in memory only, so a crash would forget an "
                "order that may be at the venue. Writes at production are refused until they are journalled."
            )

    def _remember(self, outcome: Outcome) -> None:
        if isinstance(outcome, Unknown):
            self.unknown.append(outcome)
            self._events.emit(
                "outcome.unknown",
                outcome.reason,
                level=logging.WARNING,
                cause=outcome.cause,
                operation=outcome.intent.operation,
                transaction_id=outcome.intent.key,
            )


def _settle(attempts: list[Attempt], intent: Intent) -> Outcome:
    """The outcome of all attempts; those of which no byte left count only where they are all there is."""
    left = [attempt for attempt in attempts if attempt.failure not in BEFORE_FIRST_BYTE]
    return outcome_of(left or attempts[-1:], replace(intent, attempts=max(len(left), 1)))
