"""Following a job: 2 seconds after the upload, then ever more slowly up to half a minute, until it has ended.

The venue keeps a finished job for two hours at most. A job it no longer knows is `Expired`, not failed: the document may
be loaded, unless the journal knows how it ended. Questions change nothing at the venue, so they are repeated through lost answers and ended sessions.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from gridwire import clock
from gridwire.auth.login_session import LoginSession
from gridwire.errors import AuthThrottled, AuthUnavailable, GridwireError, JournalError, TransportError
from gridwire.intents.upload_records import Upload, after
from gridwire.observe.events import Events
from gridwire.observe.redact import secret_path
from gridwire.siooi import rules, wire
from gridwire.siooi.account import Account
from gridwire.siooi.enums import JobState, ResultCode
from gridwire.siooi.errors import (
    JobNotSettled,
    SiooiFailure,
    SiooiProtocolError,
    SiooiRateLimited,
    SiooiSecurityError,
)
from gridwire.siooi.ledger import Ledger, kept_of
from gridwire.siooi.models import Expired, Failed, JobRef, JobStatus, Result, Succeeded
from gridwire.siooi.notes import Note
from gridwire.siooi.wire import LARGE_ANSWER_BYTES, Session, StatusAnswer
from gridwire.transport.classify import retry_after_s
from gridwire.transport.exchange import Response
from gridwire.transport.http import HttpTransport

OnStatus: TypeAlias = Callable[[JobStatus], None]

_ASK_AGAIN = (TransportError, SiooiFailure, SiooiRateLimited, SiooiProtocolError, AuthUnavailable, AuthThrottled)
"""What a wait goes on through."""


@dataclass(slots=True)
class _Told:
    """What one wait has warned of already."""

    unmapped: bool = False
    troubles: set[str] = field(default_factory=set)
    silence: float = 0.0


class Poller:
    """Asks about the jobs of one client."""

    def __init__(
        self, account: Account, http: HttpTransport, sessions: LoginSession[Session], ledger: Ledger, events: Events
    ) -> None:
        self._profile = account.profile
        self._password = account.password
        self._http = http
        self._sessions = sessions
        self._ledger = ledger
        self._events = events
        self._written: dict[str, JobState] = {}

    async def ask(self, job: JobRef, *, doubtful: bool) -> JobStatus:
        """Where the job stands; the journal is told.

        ``doubtful``: the id came with an answer that settles nothing, and may be another document's job. Then only a success
        is written down: a failure would let the document leave a second time. Of a job that the venue has forgotten, or whose
        document its support deleted, the end is told that the journal knows.

        Raises `SiooiSecurityError` and the others of `gridwire.siooi.errors`, `AuthError` and `TransportError`.
        """
        response, answer, state = await self._answer(job)
        status = JobStatus(
            job=job,
            state=state,
            raw_state=answer.raw_state,
            code=answer.said.code,
            raw_code=answer.said.raw_code,
            document_status=answer.document_status,
            errors=answer.errors,
            text=answer.said.text,
            asked=clock.now(),
        )
        if not doubtful or status.state is JobState.SUCCEEDED:
            return await self._note(status, response)
        return status

    async def wait(
        self,
        job: JobRef,
        *,
        heard_s: float,
        deadline_s: float,
        on_status: OnStatus | None,
        doubtful: bool,
    ) -> Result:
        """Ask until the job has ended. ``heard_s`` is how long ago the venue last said something about it.

        Raises `JobNotSettled` at the deadline, and what only a person can mend: refused credentials, missing rights.
        """
        loop = asyncio.get_running_loop()
        end, heard_at, told, poll = loop.time() + deadline_s, loop.time() - heard_s, _Told(), 0
        while True:
            pause = rules.pause_s(poll, random.random())  # noqa: S311 - jitter is no secret
            if loop.time() + pause > end:
                raise JobNotSettled(
                    f"Job {job.job_id} (upload {job.ref}) had not ended after {deadline_s:g} s. It stays in the journal and is "
                    "still the venue's: wait again, with resume() or `gridwire siooi wait`."
                )
            await asyncio.sleep(pause)
            poll += 1
            try:
                status = await self.ask(job, doubtful=doubtful)
            except _ASK_AGAIN as error:
                self._trouble(job, error, told)
                self._silent(job, loop.time() - heard_at, told)
                await asyncio.sleep(min(_wish_s(error), max(end - loop.time(), 0.0)))
                continue
            silence, heard_at = loop.time() - heard_at, loop.time()
            if on_status is not None:
                on_status(status)
            result = self._result(status, silence, doubtful)
            if result is not None:
                return result
            self._unmapped(status, told)

    async def end_of(
        self, job: JobRef, row: Upload, known: JobStatus, *, deadline_s: float, on_status: OnStatus | None
    ) -> Result:
        """The end of a job that the journal knows as ``known``, from ``row``.

        The venue is asked once, because it may still have its own words for it: which errors, which status the document has.
        If it says that the job still runs, the job is followed to its end.
        """
        end = asyncio.get_running_loop().time() + deadline_s
        try:
            async with asyncio.timeout(deadline_s):
                status = await self.ask(job, doubtful=False)
        except (GridwireError, TimeoutError) as error:
            why = str(error) or f"no answer within {deadline_s:g} s"
            text = f"The end of job {job.job_id} is told from the journal, for the venue could not be asked: {why}"
            self._events.emit("job.trouble", text, level=logging.WARNING, ref=job.ref)
            status = known
        if on_status is not None:
            on_status(status)
        if status.state in (JobState.QUEUED, JobState.RUNNING) and rules.takes_back(status.state, row):
            left_s = end - asyncio.get_running_loop().time()
            return await self.wait(job, heard_s=0.0, deadline_s=left_s, on_status=on_status, doubtful=False)
        ended = status if status.state in (JobState.SUCCEEDED, JobState.FAILED) else known
        if ended.state is JobState.SUCCEEDED:
            return Succeeded(job, ended.document_status)
        return Failed(job, ended.errors, ended.text)

    async def _answer(self, job: JobRef) -> tuple[Response, StatusAnswer, JobState]:
        first = True
        while True:
            session = await self._sessions.get()
            request = wire.status_request(self._profile, session, job_id=job.job_id, form_code=job.form_code)
            with secret_path(self._profile.shows_sessions):
                response = await self._http.send(request)
            if response.status == 429:
                pause_s = retry_after_s(response, now=clock.now(), default_s=rules.PAUSE_AFTER_429_S)
                raise SiooiRateLimited(
                    f"The venue wants no questions for {pause_s:.0f} s (HTTP 429). The job goes on.",
                    retry_after_s=pause_s,
                )
            read = partial(wire.read_status, self._profile, response, wire.secrets_of(session, self._password))
            answer = await asyncio.to_thread(read) if len(response.content) > LARGE_ANSWER_BYTES else read()
            state = rules.state_of(self._profile, answer)
            if isinstance(state, JobState):
                return response, answer, state
            if state == "session":
                self._sessions.invalidate(session)
            if state != "session" or not first:
                raise _error(job, answer, state)
            first = False  # once more, with the session of a new login

    async def _note(self, status: JobStatus, response: Response) -> JobStatus:
        """Tell the journal. Returns ``status``, or the end that the journal knows where it outranks the venue's word."""
        state, ref = rules.journal_state(status), status.job.ref
        if state is None:
            return status
        row = None
        with contextlib.suppress(JournalError):
            row = await self._ledger.row(ref)  # another program, or a person, may have changed it since the last answer
        if row is not None and (status.state is JobState.NOT_FOUND or row.state == "withdrawn"):
            known = rules.known_status(status.job, row, status.asked)
            if known is not None:
                return known
        news = row is not None and row.state != state and state in after(row.state)
        if self._written.get(ref) is status.state and not news:
            return status
        if row is not None and rules.takes_back(status.state, row):
            self._contradicted(status, row)
        hidden = wire.secrets_of(self._sessions.peek(), self._password)
        note = "; ".join(map(str, status.errors)) if status.state is JobState.FAILED else None
        text = response.text(last=self._profile.read_in(self._profile.status), errors="replace")
        answer = await kept_of(text, hidden)
        if await self._ledger.tell(Note(ref, state, status.asked, status.job.job_id, answer, note)):
            self._written[ref] = status.state
            self._ledger.unknown.pop(ref, None)
        return status

    def _contradicted(self, status: JobStatus, row: Upload) -> None:
        self._events.emit(
            "job.contradicts_journal",
            f"The journal has upload {row.ref} as {row.state}{f' ({row.note})' if row.note else ''}, and the venue says that its job "
            f"{status.job.job_id} is {status.state}. The venue's word counts: no second document is sent. If one was sent "
            "meanwhile, have the venue's support look at both.",
            level=logging.ERROR,
            ref=row.ref,
            job_id=status.job.job_id,
            state=row.state,
        )

    def _result(self, status: JobStatus, silence_s: float, doubtful: bool) -> Result | None:
        job = status.job
        if status.state is JobState.SUCCEEDED:
            self._events.emit(
                "job.succeeded",
                f"Job {job.job_id}: the document is loaded. It cannot be corrected by its user; a wrong one has to be deleted "
                "by the venue's support first.",
                ref=job.ref,
            )
            return Succeeded(job, status.document_status)
        if status.state is JobState.FAILED and doubtful:
            return Expired(
                job,
                f"Job {job.job_id} failed, but its id came with an answer that settles nothing, so it may be another document's. "
                f"Look for the document in the venue's own screens, then settle upload {job.ref} as absent or present. No second "
                "one is sent until then.",
                JobState.FAILED,
            )
        if status.state is JobState.FAILED:
            return Failed(job, status.errors, status.text)
        if status.state is JobState.NOT_FOUND:
            late = "longer ago than the venue keeps jobs" if silence_s > rules.KEPT_S else "not long ago"
            since = f"it was last heard of {silence_s / 60:.0f} minutes ago, {late}"
            return Expired(
                job,
                f"The venue no longer knows job {job.job_id}; {since}. The document may be loaded or not: look for it in the "
                f"venue's own screens, then settle upload {job.ref} as absent or present. No second one is sent until then.",
            )
        return None

    def _unmapped(self, status: JobStatus, told: _Told) -> None:
        raw = status.raw_state or ""
        if status.state is JobState.UNKNOWN_STATE and not told.unmapped:
            told.unmapped = True
            self._events.emit(
                "job.unmapped_state",
                f"Job {status.job.job_id} is in the state {raw!r}, which the profile does not map. It is followed on; add the "
                "state to job_states.",
                level=logging.WARNING,
                ref=status.job.ref,
            )

    def _trouble(self, job: JobRef, error: GridwireError, told: _Told) -> None:
        kind = type(error).__name__
        if kind not in told.troubles:
            told.troubles.add(kind)
            self._events.emit(
                "job.trouble", f"Job {job.job_id} is asked about again: {error}", level=logging.WARNING, ref=job.ref
            )

    def _silent(self, job: JobRef, silence_s: float, told: _Told) -> None:
        for limit_s, name, what in (
            (rules.SILENT_S, "job.silent", "and the venue forgets it soon"),
            (rules.KEPT_S, "job.expired_possible", "so the venue may have forgotten it"),
        ):
            if told.silence <= limit_s < silence_s:
                self._events.emit(
                    name,
                    f"Nothing was heard of job {job.job_id} for {silence_s / 60:.0f} minutes, {what}: finished jobs are kept "
                    "for two hours. It is asked about on.",
                    level=logging.WARNING,
                    ref=job.ref,
                )
        told.silence = silence_s


def heard_s(row: Upload) -> float:
    """Seconds since the venue last said something about an upload."""
    heard = row.answered or row.started or row.created
    return max((clock.now() - heard).total_seconds(), 0.0)


def _wish_s(error: GridwireError) -> float:
    return error.retry_after_s if isinstance(error, (SiooiRateLimited, AuthThrottled)) else 0.0


def _error(job: JobRef, answer: StatusAnswer, trouble: rules.Trouble) -> GridwireError:
    said = answer.said
    what = f"HTTP {said.status}" + (f", code {said.raw_code}" if said.raw_code is not None else "")
    words = f" It says: {said.text}." if said.text else ""
    about = f"The venue does not say where job {job.job_id} stands ({what}).{words}"
    if trouble == "session":
        code = said.code or ResultCode.SESSION_EXPIRED
        text = f"{about} It does not take the session of a new login. The document is not affected."
        return SiooiSecurityError(text, code=code, raw_code=said.raw_code)
    if trouble == "denied":
        code = said.code or ResultCode.NO_ROLE
        text = f"{about} The account lacks a right for it. The document is not affected; have the right granted and ask again."
        return SiooiSecurityError(text, code=code, raw_code=said.raw_code)
    if trouble == "failed":
        return SiooiFailure(f"{about} The venue failed inside or is under maintenance; ask again later.")
    return SiooiProtocolError(
        f"{about} The profile does not describe such an answer: compare its status section with the letter from support. The "
        "document is not affected."
    )
