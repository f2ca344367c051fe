"""How a document is sent: login by age, journal, one request on a fresh connection, an outcome. Nothing is ever sent again.

::

    guard → session → request → journal `sending` → bytes → answer → journal → outcome

Before `sending` every failure is `Rejected`. After the first byte only a rule of the profile makes anything else of it
than `Unknown`, and the journal is told before the caller is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import TypeAlias

from gridwire import clock
from gridwire.auth.login_session import LoginSession
from gridwire.errors import (
    AuthError,
    AuthThrottled,
    AuthUnavailable,
    ConfigurationError,
    CredentialsRefused,
    InvalidInput,
    NoAnswer,
    NotSent,
    WrongLoop,
)
from gridwire.intents.records import JournalError, rejection
from gridwire.intents.upload_records import AlreadySent, Upload
from gridwire.intents.uploads import Told, Uploads
from gridwire.observe.events import Events
from gridwire.observe.redact import secret_path
from gridwire.outcome import Accepted, Intent, Outcome, Rejected, Unknown
from gridwire.siooi import rules, wire
from gridwire.siooi.account import Account
from gridwire.siooi.duplicates import answer_to
from gridwire.siooi.enums import ResultCode
from gridwire.siooi.ledger import Ledger, kept_of, to_its_end
from gridwire.siooi.models import Prepared, intent_of
from gridwire.siooi.notes import Note
from gridwire.siooi.wire import LARGE_ANSWER_BYTES, SendAnswer, Session
from gridwire.transport.classify import retry_after_s
from gridwire.transport.exchange import Request, Response
from gridwire.transport.http import HttpTransport, Progress

SLOWEST_BYTES_PER_S = 64 * 1024
"""An upload may take a second longer for each of these, beyond the client's time-out."""
REPEATED_WITHIN = timedelta(days=3)
"""A job id that comes a second time within it is doubted: the venue forgets jobs after two hours, and may count anew each day.
The other two days are for a wall clock that was a day off when either was sent."""
LARGE_BYTES = 256 * 1024
"""A document over this is encoded in a thread."""

OnProgress: TypeAlias = Callable[[int, int], None]
"""Called with the bytes handed to the connection so far, and their number in all."""


class Sender:
    """Sends the documents of one client."""

    def __init__(
        self, account: Account, http: HttpTransport, sessions: LoginSession[Session], ledger: Ledger, events: Events
    ) -> None:
        self._profile = account.profile
        self._password = account.password
        self._http = http
        self._sessions = sessions
        self._ledger = ledger
        self._events = events
        self._next_at = 0.0
        self._telling = asyncio.Lock()
        self._closing = False
        self._flying = 0
        self._landed = asyncio.Event()
        self._landed.set()

    async def submit(self, prepared: Prepared, *, force: bool, on_progress: OnProgress | None) -> Outcome:
        """Send a document once. Raises only for what is certain before anything is sent."""
        self._flying += 1
        self._landed.clear()
        try:
            return await self._submit(prepared, force, on_progress)
        finally:
            self._flying -= 1
            if not self._flying:
                self._landed.set()

    async def land(self, within_s: float) -> None:
        """Wait at most ``within_s`` for the uploads under way. What has not begun to leave is not sent from now on."""
        self._closing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._landed.wait()

    async def _submit(self, prepared: Prepared, force: bool, on_progress: OnProgress | None) -> Outcome:
        try:
            obstacle = await self._ledger.obstacle(prepared.document)
        except JournalError as error:
            return Rejected("journal", f"{error} This document was not sent.", "guard")
        if obstacle is not None and (not force or obstacle.upload.state == "sending"):
            return answer_to(prepared.document, obstacle)
        await self._my_turn()
        try:
            session = await self._sessions.get()
            request = await self._request(prepared, session)
        except AuthError as error:
            return _no_session(error)
        except (ConfigurationError, InvalidInput) as error:
            return Rejected("profile", str(error), "guard")
        if self._closing:
            return Rejected("closed", "The client was closed before a byte left. Nothing was sent.", "guard")
        started, now = list[Upload](), clock.now()
        try:
            await self._ledger.ask(lambda uploads: started.append(_start(uploads, prepared, force, now)))
        except asyncio.CancelledError:
            for row in started:
                await self._note(row, Rejected("cancelled", "Called off before a byte left.", "wire", intent_of(row)))
            raise
        except AlreadySent as error:  # another program was quicker
            return answer_to(prepared.document, error.obstacle)
        except JournalError as error:
            return Rejected("journal", f"{error} This document was not sent.", "guard")
        return await self._send(request, started[0], session, on_progress)

    async def _my_turn(self) -> None:
        """Keep the pause between two uploads."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._next_at)
        self._next_at = at + self._profile.limits.min_send_interval_s
        await asyncio.sleep(at - now)

    async def _request(self, prepared: Prepared, session: Session) -> Request:
        document = prepared.document

        def build() -> Request:
            if sha256(prepared.content).hexdigest() != document.exact_sha256:
                raise InvalidInput(
                    "The document is not the one that prepare() hashed. Prepare it again. Nothing was sent."
                )
            return wire.send_request(
                self._profile,
                session,
                form_code=document.form,
                object_key=document.object_key,
                period=document.period,
                content=prepared.content,
            )

        return await asyncio.to_thread(build) if document.size_bytes > LARGE_BYTES else build()

    async def _send(self, request: Request, row: Upload, session: Session, on_progress: OnProgress | None) -> Outcome:
        progress, intent = Progress(), intent_of(row)
        raw: list[str] = []
        try:
            outcome = await self._exchange(request, intent, session, progress, raw, on_progress)
        except asyncio.CancelledError:
            if progress.written:
                outcome = rules.doubt(intent, "cancelled", "the call was cancelled after bytes had left")
                self._remember(outcome)
            else:
                outcome = Rejected("cancelled", "Called off before a byte left.", "wire", intent)
            await self._note(row, outcome, raw, session)
            raise
        async with self._telling:
            if isinstance(outcome, Accepted):
                outcome = await self._unless_told_before(outcome)
            self._remember(outcome)
            await self._note(row, outcome, raw, session)
        return outcome

    async def _unless_told_before(self, outcome: Accepted) -> Outcome:
        """`Unknown` where the job is that of another recent upload: one of the two answers is not its own."""
        job_id, intent = _job_id(outcome) or "", outcome.intent
        try:
            other = await self._ledger.told_of(job_id, but=intent.key)
        except (JournalError, WrongLoop):  # `_note` tells of it
            return outcome
        if other is None or clock.now() - (other.started or other.created) > REPEATED_WITHIN:
            return outcome
        return rules.doubt(
            intent,
            "contradictory",
            f"the answer names job {job_id}, which upload {other.ref} became before",
            outcome.raw,
        )

    async def _exchange(
        self,
        request: Request,
        intent: Intent,
        session: Session,
        progress: Progress,
        raw: list[str],
        on_progress: OnProgress | None,
    ) -> Outcome:
        """One request, judged. Raises nothing that the venue or the network did."""
        limit_s = self._http.network.timeout_s + len(request.content) / SLOWEST_BYTES_PER_S
        try:
            with secret_path(self._profile.shows_sessions):
                response = await self._http.send(
                    request,
                    alone=True,
                    progress=progress,
                    timeout_s=limit_s,
                    start_within_s=self._http.network.timeout_s,
                    on_progress=self._listener(on_progress),
                )
            raw.append(response.text(last=self._profile.read_in(self._profile.send), errors="replace"))
            answer = await self._read(response, session)
            pause_s = retry_after_s(response, now=clock.now(), default_s=rules.PAUSE_AFTER_429_S)
            outcome = rules.outcome_of(self._profile, answer, intent, pause_s=pause_s)
            if answer.said.code is ResultCode.SESSION_EXPIRED:
                self._sessions.invalidate(session)
        except NotSent as error:
            return Rejected(error.reason, str(error), "wire", intent, repeatable=True)
        except NoAnswer as error:
            return rules.lost(error, intent)
        except Exception as error:  # noqa: BLE001 - a surprise of ours must not lose a document that has left
            if not progress.written:
                return Rejected("failed", f"Nothing was sent ({type(error).__name__}): {error}", "wire", intent)
            return rules.doubt(intent, "unreadable", f"the answer could not be judged ({type(error).__name__})")
        return outcome

    async def _read(self, response: Response, session: Session) -> SendAnswer:
        read = partial(wire.read_send, self._profile, response, wire.secrets_of(session, self._password))
        return await to_its_end(read) if len(response.content) > LARGE_ANSWER_BYTES else read()

    def _listener(self, on_progress: OnProgress | None) -> OnProgress:
        """``on_progress``, which must not lose an upload that has left: it is the caller's code, and may raise anything."""

        def heard(sent: int, total: int) -> None:
            if on_progress is None:
                return
            try:
                on_progress(sent, total)
            except Exception as error:  # noqa: BLE001
                self._events.emit(
                    "listener.failed",
                    f"on_progress failed ({type(error).__name__}); the upload goes on.",
                    level=logging.ERROR,
                )

        return heard

    def _remember(self, outcome: Outcome) -> None:
        if isinstance(outcome, Unknown):
            self._ledger.unknown[outcome.intent.key] = outcome
            self._events.emit(
                "outcome.unknown", outcome.reason, level=logging.WARNING, cause=outcome.cause, ref=outcome.intent.key
            )

    async def _note(
        self, row: Upload, outcome: Outcome, raw: list[str] | None = None, session: Session | None = None
    ) -> None:
        """Write an outcome down, or keep it until it can be. Raises nothing: the caller must hear the outcome."""
        state, note = _told(outcome)
        answer = await kept_of(raw[0], wire.secrets_of(session, self._password)) if raw else None
        await self._ledger.tell(Note(row.ref, state, clock.now(), _job_id(outcome), answer, note))


def _told(outcome: Outcome) -> tuple[Told, str | None]:
    """What the journal is told of an outcome: a state and its note."""
    if isinstance(outcome, Accepted):
        return "queued", None
    if isinstance(outcome, Unknown):
        return "unknown", outcome.cause
    return "refused" if outcome.origin == "venue" else "not_sent", rejection(outcome)


def _start(uploads: Uploads, prepared: Prepared, force: bool, now: datetime) -> Upload:
    """Put the upload into the journal as `sending`."""
    ref = uploads.prepare(prepared.document, at=now).ref
    try:
        return uploads.start(ref, force=force, i_accept_duplicate=force, at=now)
    except AlreadySent as error:
        uploads.record(ref, "not_sent", note=f"guard {error.obstacle.reason}", at=now)
        raise


def _no_session(error: AuthError) -> Rejected:
    later = isinstance(error, (AuthUnavailable, AuthThrottled))
    pause_s = error.retry_after_s if isinstance(error, AuthThrottled) else None
    return Rejected(_code(error), str(error), "security", repeatable=later, retry_after_s=pause_s)


def _code(error: AuthError) -> str:
    names = {CredentialsRefused: "BAD_CREDENTIALS", AuthThrottled: "429", AuthUnavailable: "login_unavailable"}
    return next((name for kind, name in names.items() if isinstance(error, kind)), "login_unreadable")


def _job_id(outcome: Outcome) -> str | None:
    if isinstance(outcome, Accepted):
        return outcome.order.id if outcome.order is not None else None
    if isinstance(outcome, Unknown):
        return next((one.job_id for one in outcome.raw if isinstance(one, SendAnswer)), None)
    return None
