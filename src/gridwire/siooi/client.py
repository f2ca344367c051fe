"""The async client of АС СиОИ. It wires the pieces together: prepare, submit, follow, settle."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import SecretStr

from gridwire import clock, settings
from gridwire.auth.credentials import check_credential
from gridwire.auth.login_session import LoginSession, NoSession, login
from gridwire.auth.refusal_file import RefusalFile
from gridwire.errors import ConfigurationError, GridwireError, InvalidInput, ReadOnly, TransportError
from gridwire.intents.upload_records import Upload, blocked
from gridwire.observe.events import Events, Listener
from gridwire.observe.redact import secret_path
from gridwire.outcome import OrderRef, Outcome, Unknown
from gridwire.siooi import letters, polling, rules, wire
from gridwire.siooi.account import PREFIX, TABLE, Account, SiooiSettings, account_of, existing_folder
from gridwire.siooi.checks import check_profile, check_reach
from gridwire.siooi.documents import Checker
from gridwire.siooi.errors import JobNotSettled
from gridwire.siooi.ledger import Ledger
from gridwire.siooi.models import JobRef, JobStatus, Prepared, Result, job_of
from gridwire.siooi.places import MAX_ANSWER_BYTES
from gridwire.siooi.polling import OnStatus, Poller
from gridwire.siooi.profile import Profile
from gridwire.siooi.sending import OnProgress, Sender
from gridwire.siooi.wire import Session
from gridwire.transport.exchange import Flow, Response
from gridwire.transport.http import HttpTransport
from gridwire.transport.tls import Network
from gridwire.transport.xml import Element

TIMEOUT_S = 30.0
ANSWERS_WITHIN_S = 5.0
"""A client that is closed waits this long for the answers to documents that have left."""
WRITTEN_WITHIN_S = 15.0
"""And this long for their outcomes to be in the journal, which waits ten seconds for a file that another program holds."""


class Siooi:
    """A session with АС СиОИ, as an async context manager bound to the event loop it was opened on.

    ``profile`` says how the installation is spoken to (`gridwire.siooi.load_profile`), ``login`` and ``password`` who speaks;
    an `Account`, as a `Sandbox` gives it, is all three. Nothing is asked of the venue before the first call.

    ``journal`` is the file of the upload journal: one that all programs of this user share if None (for a venue on this
    machine one that lives as long as the client). ``schemas`` is the folder with the forms' schemas, ``{form_code}.xsd``.
    ``read_only`` refuses to send. ``proxy``, ``ca_bundle``, ``client_cert``, ``client_cert_passphrase`` and ``timeout`` (seconds
    for one attempt; an upload may take a second more per 64 KiB) are as in `gridwire.transport.tls.Network` and outrank the profile's.
    ``on_event`` is told what happens.
    """

    def __init__(
        self,
        profile: Profile | Account,
        login: str | None = None,
        password: SecretStr | str | None = None,
        *,
        journal: str | Path | None = None,
        schemas: str | Path | None = None,
        proxy: str | None = None,
        ca_bundle: str | None = None,
        client_cert: str | None = None,
        client_cert_passphrase: SecretStr | str | None = None,
        timeout: float = TIMEOUT_S,
        trust_env: bool = False,
        read_only: bool = False,
        on_event: Listener | None = None,
    ) -> None:
        account = _account(profile, login, password)
        check_credential("login", account.login)
        check_credential("password", account.password)
        check_profile(account.profile)
        check_reach(account.profile)
        self.profile: Profile = account.profile
        self._account = account
        self._read_only = read_only
        self._events = Events(on_event)
        tls = account.profile.tls
        network = Network(
            proxy=proxy,
            ca_bundle=ca_bundle or tls.ca_bundle,
            ca_pem=account.ca_pem,
            client_cert=client_cert or tls.client_cert,
            client_cert_passphrase=client_cert_passphrase,
            timeout_s=timeout,
            trust_env=trust_env,
            min_tls=tls.min_version,
        )
        self._http = HttpTransport(network, max_body_bytes=MAX_ANSWER_BYTES)
        self._numbers = itertools.count(1)
        self._ledger = Ledger(journal, account.profile, account.login, self._events)
        self._sessions: LoginSession[Session] = LoginSession(
            self._login,
            self._http.send,
            account.profile.session_ttl_s,
            account.profile.relogin_margin_s,
            _refusals(self._ledger, account),
            life_s=lambda session: session.life_s,
        )
        self._checker = Checker(
            account.profile, account.login, None if schemas is None else existing_folder(schemas, "schemas")
        )
        self._sender = Sender(account, self._http, self._sessions, self._ledger, self._events)
        self._poller = Poller(account, self._http, self._sessions, self._ledger, self._events)

    @classmethod
    def from_env(cls, *, file: Path | None = None, **arguments: Any) -> Self:
        """A client from settings: ``arguments`` outrank the environment, which outranks ``gridwire.toml`` and the keyring.

        Settings are named as in `SiooiSettings`, and in the environment with the prefix ``GRIDWIRE_SIOOI_``. Other arguments of
        the constructor pass through. The profile must be named: there is no default. Raises `ConfigurationError` naming the
        setting.
        """
        known = {name: arguments.pop(name) for name in list(arguments) if name in SiooiSettings.model_fields}
        found = settings.load(SiooiSettings, prefix=PREFIX, table=TABLE, overrides=known, file=file)
        names = (
            "journal",
            "schemas",
            "proxy",
            "ca_bundle",
            "client_cert",
            "client_cert_passphrase",
            "timeout",
            "read_only",
        )
        options = {name: getattr(found, name) for name in names}
        return cls(account_of(found), **options, **arguments)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._sender.land(ANSWERS_WITHIN_S)
            await self._sessions.aclose()
        finally:
            try:
                await self._http.__aexit__(kind, error, trace)  # what is still in the air ends as `Unknown`
                await self._sender.land(WRITTEN_WITHIN_S)
            finally:
                await self._ledger.aclose()

    # Before anything leaves

    async def prepare(
        self,
        xml: bytes | str | Path | Element,
        *,
        form_code: str,
        object_key: str,
        period: str,
        allow_unvalidated: bool = False,
        on_progress: OnProgress | None = None,
    ) -> Prepared:
        """Check and hash a document, and look into the journal. Needs no network, and sends nothing.

        ``xml`` is the document as bytes, the path of its file (a str is a path), or an element. It is held against the schema
        of its form; without one, only ``allow_unvalidated=True`` lets it pass. ``object_key`` and ``period`` are your own names
        of what it is about, always the same for the same thing: duplicates are told by them. ``on_progress`` hears how many
        bytes of how many were checked.

        Raises `InvalidInput` for a document that cannot be right, with every fault's line and path. An earlier upload that
        stands in the way is named in ``warning`` and in ``summary()``.
        """
        document, content, validated = await self._checker.check(
            xml,
            form_code=form_code,
            object_key=object_key,
            period=period,
            venue=self._ledger.venue,
            allow_unvalidated=allow_unvalidated,
            on_progress=on_progress,
        )
        obstacle = await self._ledger.obstacle(document)
        return Prepared(document, content, validated, None if obstacle is None else blocked(obstacle))

    # Sending

    async def submit(
        self,
        document: Prepared,
        *,
        confirm: bool,
        force: bool = False,
        i_accept_duplicate: bool = False,
        on_progress: OnProgress | None = None,
    ) -> Outcome:
        """Send a prepared document, once. A loaded document is signed, and only the venue's support can delete it.

        ``confirm=True`` says that somebody has read ``document.summary()``. `Accepted` means that it is in the venue's queue:
        ``order`` is its `JobRef`, to be followed with `wait`. `Rejected` means that it is certainly not there. `Unknown` means
        that it may be: it is in the journal, in the way of a second one, until a person settles it.

        A document that was sent before is not sent again, unless that one failed or is known not to be there. The outcome is then
        what the journal knows of the first: `Accepted` with its `JobRef` (also if it was loaded since), or `Unknown`; ``raw``
        holds the `Obstacle` with the earlier upload. Another document about the same form, object and period, or the same one
        under other names, is rejected with the code ``duplicate``. ``force=True, i_accept_duplicate=True`` sends it nevertheless,
        as a person's new intent; only what is being sent at this moment is waited for even so.
        ``on_progress`` hears how many bytes of how many were sent.
        """
        if self._read_only:
            raise ReadOnly("Submitting would send a document, and this client is read-only. Nothing was sent.")
        if confirm is not True:
            raise InvalidInput(
                "submit() needs confirm=True: a loaded document is signed and cannot be corrected. Read its summary() first. "
                "Nothing was sent."
            )
        if not (isinstance(force, bool) and isinstance(i_accept_duplicate, bool)):
            raise InvalidInput(
                f"force={force!r} and i_accept_duplicate={i_accept_duplicate!r} must be True or False: whoever sends a document "
                "over an earlier one says so exactly. Nothing was sent."
            )
        if force != i_accept_duplicate:
            raise InvalidInput(
                "A document is sent over an earlier one only with both force=True and i_accept_duplicate=True: the venue may "
                "then hold it twice, and only its support can delete one. Nothing was sent."
            )
        if not isinstance(document, Prepared):
            raise InvalidInput(
                f"submit() takes what prepare() made, not a {type(document).__name__}. Nothing was sent."
            )
        if (document.document.venue, document.document.account) != (self._ledger.venue, self._ledger.account):
            raise InvalidInput(
                "This document was prepared for another account or profile. Prepare it here. Nothing was sent."
            )
        self._http.check_open()
        return await self._sender.submit(document, force=force, on_progress=on_progress)

    # Following

    async def status(self, job: OrderRef | str) -> JobStatus:
        """Where a job stands now; the journal is told. A str is an upload's ref.

        Of a job that the venue has forgotten, or whose document its support deleted, the end is told that the journal knows.

        Raises `SiooiSecurityError`, `SiooiFailure`, `SiooiRateLimited`, `SiooiProtocolError`, `TransportError` or `AuthError`.
        """
        found, row = await self._job(job)
        return await self._poller.ask(found, doubtful=_is_doubtful(row))

    async def wait(
        self, job: OrderRef | str, *, deadline: float = rules.WAIT_DEADLINE_S, on_status: OnStatus | None = None
    ) -> Result:
        """Follow a job until it has ended: `Succeeded`, `Failed` with the venue's errors, or `Expired`.

        One whose end is in the journal is asked about once, for the venue's words, and its end is returned. If the venue says that
        it still runs, it is followed; a second document is not sent then, also where a person had settled it as absent, and an
        event (``job.contradicts_journal``) says so. A document that support deleted is `Failed`, whatever the venue says of the job.

        It is asked about after 2 s, then ever more slowly up to half a minute, through lost answers and ended sessions.
        ``on_status`` hears each answer. Raises `JobNotSettled` after ``deadline`` seconds, and what only a person can mend:
        refused credentials, missing rights.
        """
        _check_deadline(deadline)
        found, row = await self._job(job)
        known = rules.known_status(found, row, clock.now())
        if known is not None:
            return await self._poller.end_of(found, row, known, deadline_s=deadline, on_status=on_status)
        return await self._poller.wait(
            found,
            heard_s=polling.heard_s(row),
            deadline_s=deadline,
            on_status=on_status,
            doubtful=_is_doubtful(row),
        )

    async def resume(
        self, *, deadline: float = rules.WAIT_DEADLINE_S, on_status: OnStatus | None = None
    ) -> list[Result]:
        """Follow every job that had not ended when the last program did, all at once, oldest first in the list.

        One that does not end before ``deadline``, or of which `wait` raises, is left out and told of by an event
        (``job.not_settled``, ``job.failed_to_follow``); it is still `pending`, and holds no other one up.
        """
        _check_deadline(deadline)
        jobs = await self.pending()
        found = await asyncio.gather(
            *(self._unless_unsettled(job, self.wait(job, deadline=deadline, on_status=on_status)) for job in jobs)
        )
        return [result for result in found if result is not None]

    async def pending(self) -> list[JobRef]:
        """The jobs of this account that have not ended as far as the journal knows, oldest first."""
        return [job_of(row) for row in await self._ledger.pending()]

    # The journal, and a person's word

    async def uploads(self) -> list[Upload]:
        """Every upload of this account in the journal, oldest first."""
        return await self._ledger.rows()

    def unknown(self) -> list[Unknown]:
        """The uploads whose outcome is not known, oldest first: of this client, and what a crash left of earlier ones.

        Raises `JournalError` where the journal that was opened is not there any more.
        """
        self._ledger.check()
        return list(self._ledger.unknown.values())

    async def resolve(self, ref: str, finding: Literal["absent", "present"], *, by: str, note: str) -> Upload:
        """Settle an unknown or expired upload by what a person, ``by``, found at the venue. No person can take it back.

        ``absent``: the document is not there, and may be sent again, unless the venue says later that its job lives or has loaded
        it. ``present``: it was loaded. ``note`` says how they know.
        """
        now = clock.now()
        row = await self._ledger.ask(lambda uploads: uploads.resolve(ref, finding, by=by, note=note, at=now))
        self._ledger.unknown.pop(row.ref, None)
        return row

    async def deleted_by_support(self, ref: str, *, by: str, note: str) -> Upload:
        """Say that the venue's support deleted a loaded document (``note``: the number of their letter).

        The corrected document for the same form, object and period may be sent from then on.
        """
        now = clock.now()
        return await self._ledger.ask(lambda uploads: uploads.deleted_by_support(ref, by=by, note=note, at=now))

    async def support_request(self, job: OrderRef | str) -> str:
        """The letter, in Russian, that asks the venue's support to delete a loaded document. Nothing is sent."""
        return letters.deletion_request(await self._row(job))

    async def logout(self) -> None:
        """End the session at the venue, where the profile has a call for it. The next call logs in again."""
        session = self._sessions.peek()
        if session is None:
            return
        self._sessions.invalidate(session)
        request = wire.logout_request(self.profile, session)
        if request is not None:
            try:
                with secret_path(self.profile.shows_sessions):
                    await self._http.send(request)
            except TransportError as error:
                self._events.emit("logout.lost", f"The session could not be ended: {error}", level=logging.WARNING)

    async def _job(self, job: OrderRef | str) -> tuple[JobRef, Upload]:
        """A job to ask about, and its row. Raises `InvalidInput` where no job id is known."""
        row = await self._row(job)
        found = job_of(row)
        if not found.id and isinstance(job, OrderRef):  # the journal could not be told of it
            found = replace(found, id=job.id)
        if not found.id:
            raise InvalidInput(
                f"Upload {row.ref} is {row.state} and has no job id, so there is nothing to ask the venue about. `journal` shows "
                "what became of it; an unknown one is settled by who looks for it at the venue."
            )
        return found, row

    async def _row(self, job: OrderRef | str) -> Upload:
        ref = job.intent.key if isinstance(job, OrderRef) else job
        row = await self._ledger.row(ref)
        if not self._ledger.is_ours(row):
            raise InvalidInput(
                f"Upload {row.ref} is of {row.document.account} at {row.document.venue}, not of this client."
            )
        return row

    async def _unless_unsettled(self, job: JobRef, waiting: Coroutine[Any, Any, Result]) -> Result | None:
        try:
            return await waiting
        except JobNotSettled as error:
            self._events.emit("job.not_settled", str(error), level=logging.WARNING, ref=job.ref)
        except Exception as error:  # noqa: BLE001 - the other jobs are followed on, whatever this one's trouble is
            what = str(error) if isinstance(error, GridwireError) else f"{type(error).__name__} in following it."
            text = f"Job {job.job_id} (upload {job.ref}) is no longer followed, and still pending: {what}"
            self._events.emit("job.failed_to_follow", text, level=logging.ERROR, ref=job.ref)
        return None

    def _login(self) -> Flow[Session]:
        account, profile = self._account, self.profile

        def read(response: Response) -> Session | NoSession:
            said, values = wire.read_login(profile, response, account.password)
            found = rules.session_of(profile, said, values)
            if isinstance(found, NoSession):
                return found
            life_s = wire.session_life_s(profile, response, clock.now())
            if life_s is None and profile.login.lifetime is not None:
                self._events.emit(
                    "session.life_unread",
                    f"The login does not say how long its session lives where the profile looks for it; {profile.session_ttl_s:g} s, as "
                    "session_ttl_s says, are assumed.",
                    level=logging.WARNING,
                )
            return Session(found, next(self._numbers), life_s)

        request = wire.login_request(profile, account.login, account.password)
        return login(request, read, where=f"АС СиОИ at {profile.host}")


def _refusals(ledger: Ledger, account: Account) -> RefusalFile | None:
    """Beside the journal, where that outlives the client."""
    path = ledger.lasting_path
    if path is None:
        return None
    return RefusalFile(path.with_name(f"{path.name}.refused"), f"{ledger.venue}/{account.login}", account.password)


def _check_deadline(deadline: object) -> None:
    if isinstance(deadline, bool) or not isinstance(deadline, (int, float)) or not deadline > 0:  # also for NaN
        raise InvalidInput(f"deadline={deadline!r} is no length of time: give the longest wait in seconds, like 3600.")


def _is_doubtful(row: Upload) -> bool:
    """Whether the job id in a row is from an answer that settled nothing."""
    return row.state == "unknown" and row.job_id is not None


def _account(profile: Profile | Account, login: str | None, password: SecretStr | str | None) -> Account:
    if isinstance(profile, Account):
        if login is not None or password is not None:
            raise ConfigurationError(
                "An account holds login and password already; give either it or a profile with both."
            )
        return profile
    if not isinstance(profile, Profile):
        raise ConfigurationError(
            "Siooi takes a profile, made by load_profile(file), with login and password; or an account, like "
            f"Sandbox(...).siooi. This is a {type(profile).__name__}."
        )
    if login is not None and not isinstance(login, str):
        raise ConfigurationError(f"The login must be a str, not a {type(login).__name__}.")
    if password is not None and not isinstance(password, (str, SecretStr)):
        raise ConfigurationError(f"The password must be a str or a SecretStr, not a {type(password).__name__}.")
    if not login or password is None:
        raise ConfigurationError("Login and password are needed: Siooi(profile, login, password).")
    return Account(profile, login, password if isinstance(password, SecretStr) else SecretStr(password))
