"""АС СиОИ without ``async``: the calls, models and outcomes of `gridwire.siooi`.

Made by ``tools/make_sync.py`` from the async classes: change those, and run it again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import SecretStr

from gridwire.intents.upload_records import Upload
from gridwire.observe.events import Listener
from gridwire.outcome import OrderRef, Outcome, Unknown
from gridwire.siooi import rules
from gridwire.siooi.account import Account
from gridwire.siooi.client import TIMEOUT_S
from gridwire.siooi.client import Siooi as AsyncSiooi
from gridwire.siooi.models import JobRef, JobStatus, Prepared, Result
from gridwire.siooi.polling import OnStatus
from gridwire.siooi.profile import Profile
from gridwire.siooi.sending import OnProgress
from gridwire.sync.base import Blocking
from gridwire.sync.bridge import Bridge
from gridwire.transport.xml import Element


class Siooi(Blocking):
    """A session with АС СиОИ, as a context manager, on an event loop and in a thread of its own.

    ``profile`` says how the installation is spoken to (`gridwire.siooi.load_profile`), ``login`` and ``password`` who speaks;
    an `Account`, as a `Sandbox` gives it, is all three. Nothing is asked of the venue before the first call.

    ``journal`` is the file of the upload journal: one that all programs of this user share if None (for a venue on this
    machine one that lives as long as the client). ``schemas`` is the folder with the forms' schemas, ``{form_code}.xsd``.
    ``read_only`` refuses to send. ``proxy``, ``ca_bundle``, ``client_cert``, ``client_cert_passphrase`` and ``timeout`` (seconds
    for one attempt; an upload may take a second more per 64 KiB) are as in `gridwire.transport.tls.Network` and outrank the profile's.
    ``on_event`` is told what happens, on the client's own thread.
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
        self._wrap(
            AsyncSiooi(
                profile,
                login,
                password,
                journal=journal,
                schemas=schemas,
                proxy=proxy,
                ca_bundle=ca_bundle,
                client_cert=client_cert,
                client_cert_passphrase=client_cert_passphrase,
                timeout=timeout,
                trust_env=trust_env,
                read_only=read_only,
                on_event=on_event,
            )
        )

    @classmethod
    def from_env(cls, *, file: Path | None = None, **arguments: Any) -> Self:
        """A client from settings: ``arguments`` outrank the environment, which outranks ``gridwire.toml`` and the keyring.

        Settings are named as in `SiooiSettings`, and in the environment with the prefix ``GRIDWIRE_SIOOI_``. Other arguments of
        the constructor pass through. The profile must be named: there is no default. Raises `ConfigurationError` naming the
        setting.
        """
        client = cls.__new__(cls)
        client._wrap(AsyncSiooi.from_env(file=file, **arguments))
        return client

    def _wrap(self, client: AsyncSiooi) -> None:
        self._client = client
        self._bridge = Bridge(client)
        self.profile: Profile = client.profile

    def prepare(
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
        return self._bridge.call(
            self._client.prepare,
            xml,
            form_code=form_code,
            object_key=object_key,
            period=period,
            allow_unvalidated=allow_unvalidated,
            on_progress=on_progress,
        )

    def submit(
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
        return self._bridge.call(
            self._client.submit,
            document,
            confirm=confirm,
            force=force,
            i_accept_duplicate=i_accept_duplicate,
            on_progress=on_progress,
        )

    def status(self, job: OrderRef | str) -> JobStatus:
        """Where a job stands now; the journal is told. A str is an upload's ref.

        Of a job that the venue has forgotten, or whose document its support deleted, the end is told that the journal knows.

        Raises `SiooiSecurityError`, `SiooiFailure`, `SiooiRateLimited`, `SiooiProtocolError`, `TransportError` or `AuthError`.
        """
        return self._bridge.call(self._client.status, job)

    def wait(
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
        return self._bridge.call(self._client.wait, job, deadline=deadline, on_status=on_status)

    def resume(self, *, deadline: float = rules.WAIT_DEADLINE_S, on_status: OnStatus | None = None) -> list[Result]:
        """Follow every job that had not ended when the last program did, all at once, oldest first in the list.

        One that does not end before ``deadline``, or of which `wait` raises, is left out and told of by an event
        (``job.not_settled``, ``job.failed_to_follow``); it is still `pending`, and holds no other one up.
        """
        return self._bridge.call(self._client.resume, deadline=deadline, on_status=on_status)

    def pending(self) -> list[JobRef]:
        """The jobs of this account that have not ended as far as the journal knows, oldest first."""
        return self._bridge.call(self._client.pending)

    def uploads(self) -> list[Upload]:
        """Every upload of this account in the journal, oldest first."""
        return self._bridge.call(self._client.uploads)

    def unknown(self) -> list[Unknown]:
        """The uploads whose outcome is not known, oldest first: of this client, and what a crash left of earlier ones.

        Raises `JournalError` where the journal that was opened is not there any more.
        """
        return [*self._client.unknown(), *self._bridge.undelivered]

    def resolve(self, ref: str, finding: Literal["absent", "present"], *, by: str, note: str) -> Upload:
        """Settle an unknown or expired upload by what a person, ``by``, found at the venue. No person can take it back.

        ``absent``: the document is not there, and may be sent again, unless the venue says later that its job lives or has loaded
        it. ``present``: it was loaded. ``note`` says how they know.
        """
        return self._bridge.call(self._client.resolve, ref, finding, by=by, note=note)

    def deleted_by_support(self, ref: str, *, by: str, note: str) -> Upload:
        """Say that the venue's support deleted a loaded document (``note``: the number of their letter).

        The corrected document for the same form, object and period may be sent from then on.
        """
        return self._bridge.call(self._client.deleted_by_support, ref, by=by, note=note)

    def support_request(self, job: OrderRef | str) -> str:
        """The letter, in Russian, that asks the venue's support to delete a loaded document. Nothing is sent."""
        return self._bridge.call(self._client.support_request, job)

    def logout(self) -> None:
        """End the session at the venue, where the profile has a call for it. The next call logs in again."""
        self._bridge.call(self._client.logout)
