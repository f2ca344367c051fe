"""The upload journal as this client uses it: opened when first needed, asked in threads, never left half way.

A cancelled caller still has to wait for a step that is under way on the disk: its row would otherwise stand in a state
that nobody knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import unicodedata
import weakref
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from gridwire.errors import JournalError, WrongLoop
from gridwire.intents.upload_records import Document, Obstacle, Upload
from gridwire.intents.uploads import Uploads, default_path
from gridwire.observe.events import Events
from gridwire.observe.redact import excerpt
from gridwire.outcome import Unknown
from gridwire.settings import lasting_path, temporary_folder
from gridwire.siooi.duplicates import cause_of
from gridwire.siooi.models import intent_of
from gridwire.siooi.notes import Kept, Note
from gridwire.siooi.profile import Profile
from gridwire.siooi.rules import doubt
from gridwire.siooi.wire import LARGE_ANSWER_BYTES

T = TypeVar("T")
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
"""Pauses between two attempts to write what could not be written."""


class Ledger:
    """One client's journal.

    Without a path it is the one all programs of this user share; for a venue on this machine, one that is removed with the
    client.
    """

    def __init__(self, path: str | Path | None, profile: Profile, account: str, events: Events) -> None:
        self.venue: str = f"siooi/{profile.name}"
        self.account: str = unicodedata.normalize("NFC", account)  # as the journal writes names
        self._path = None if path is None else lasting_path(path, "journal")
        self._throw_away = path is None and profile.is_local
        self._events = events
        self._uploads: Uploads | None = None
        self._found: list[Upload] | None = None
        """What the journal held when it was opened, until it is reported."""
        self._opening = asyncio.Lock()
        self._closed = False
        self._kept = Kept()
        self._catching_up: asyncio.Task[None] | None = None
        self._remove: Callable[[], object] | None = None
        self.unknown: dict[str, Unknown] = {}
        """Uploads whose outcome is not known, by ref: of this client, and what a crash left of earlier ones."""

    @property
    def lasting_path(self) -> Path | None:
        """Where the journal is; None for one that ends with the client."""
        return self._path or (None if self._throw_away else lasting_path(default_path(), "journal"))

    async def open(self) -> Uploads:
        """The journal; opened in a thread the first time. Raises `JournalError`."""
        async with self._opening:
            if self._closed:
                raise WrongLoop("This client is closed. Open a new one. Nothing was sent.")
            if self._uploads is None:
                await to_its_end(self._open)
            if self._uploads is None:  # pragma: no cover - _open sets it or raises
                raise WrongLoop("The journal is not open. Nothing was sent.")
            found, self._found = self._found, None
            if found is not None:
                self._report(found, self._uploads.trouble)
            return self._uploads

    def _open(self) -> None:
        path = self.lasting_path
        if path is None:
            folder = temporary_folder("gridwire-sandbox-uploads-")
            # Also if nobody closes the client: nothing of a sandbox is worth keeping.
            self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            path = Path(folder) / "uploads.sqlite"
        uploads = Uploads.open(path, must_write=False)
        try:
            self._found = uploads.rows()
        except BaseException:
            uploads.close()
            raise
        self._uploads = uploads  # here, so that whoever is cancelled meanwhile leaves no run behind

    def check(self) -> None:
        """Raise `JournalError` where the journal that was opened is not there any more."""
        if self._uploads is not None:
            self._uploads.check_place()

    def _report(self, rows: list[Upload], trouble: JournalError | None = None) -> None:
        if trouble is not None:
            self._events.emit("journal.trouble", str(trouble), level=logging.ERROR)
        lost = [row for row in rows if row.state == "unknown" and self.is_ours(row) and row.ref not in self.unknown]
        for row in lost:
            cause, why = cause_of(row)
            self.unknown[row.ref] = doubt(intent_of(row), cause, why)
        if lost:
            self._events.emit(
                "journal.recovered",
                f"What became of {len(lost)} upload(s) of earlier runs is unknown. Look for them at the venue, then settle them "
                "with resolve() or `gridwire siooi resolve`.",
                count=len(lost),
            )

    def is_ours(self, row: Upload) -> bool:
        """Whether a row is of this installation and account."""
        return row.document.venue == self.venue and row.document.account == self.account

    async def ask(self, work: Callable[[Uploads], T]) -> T:
        """What ``work`` says of the open journal, in a thread and to its end; what is kept is written before.

        Raises `JournalError` where the journal cannot be written.
        """
        uploads = await self.open()
        recovered = uploads.recovered

        def both() -> T:
            self._kept.write(uploads)
            return work(uploads)

        try:
            return await to_its_end(both)
        finally:
            if uploads.recovered is not recovered:  # it has begun its run only now
                self._report(uploads.recovered)
            self._tell_what_was_kept()

    async def look(self, work: Callable[[Uploads], T]) -> T:
        """What ``work``, which only reads, finds in the journal, also where it cannot be written. What is kept is not in it."""
        uploads = await self.open()
        return await to_its_end(lambda: work(uploads))

    async def tell(self, note: Note) -> bool:
        """Write down what became of an upload; whether it is written. Raises nothing: what cannot be written is kept."""
        self._kept.add(note)
        try:
            await self.ask(lambda _: None)
        except JournalError as error:
            self._events.emit(
                "journal.trouble",
                f"{note} It could not be written down: {error} It is kept in memory and written when the journal can be; until then "
                "nothing else is sent. Let this program run until that is mended.",
                level=logging.ERROR,
                ref=note.ref,
                job_id=note.job_id,
                state=note.state,
            )
            if self._catching_up is None or self._catching_up.done():
                self._catching_up = asyncio.create_task(self._catch_up())
        except WrongLoop as error:
            self._lost(note, str(error))
        return note not in self._kept

    async def _catch_up(self) -> None:
        pause_s = FIRST_PAUSE_S
        while self._kept:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            with contextlib.suppress(JournalError):
                await self.ask(lambda _: None)

    def _tell_what_was_kept(self) -> None:
        late, self._kept.late = self._kept.late, []
        for note in late:
            self._events.emit("journal.written_later", f"{note} This is written down now.", ref=note.ref)
        refused, self._kept.refused = self._kept.refused, []
        for note, error in refused:
            why = (
                str(error)
                if isinstance(error, JournalError)
                else f"It could not be written down ({type(error).__name__})."
            )
            self._events.emit("journal.trouble", f"{note} {why}", level=logging.ERROR, ref=note.ref, job_id=note.job_id)

    def _lost(self, note: Note, why: str) -> None:
        self._events.emit(
            "journal.trouble",
            f"{note} This stands in no journal ({why}). After the next start its outcome is unknown: look for the document at the "
            f"venue, then settle upload {note.ref} with resolve() or `gridwire siooi resolve`.",
            level=logging.ERROR,
            ref=note.ref,
            job_id=note.job_id,
            state=note.state,
        )

    # What is known of uploads, written or not

    async def obstacle(self, document: Document) -> Obstacle | None:
        """What stands in the way of sending ``document``, as far as is known; also where the journal cannot be written.

        A program that died while it sent one is found dead here.
        """
        found = await self.look(lambda uploads: uploads.check(document))
        if found is not None and self._kept.known(found.upload).state == "sending":
            with contextlib.suppress(JournalError):
                self._report(await self.ask(lambda uploads: uploads.recover()))
            found = await self.look(lambda uploads: uploads.check(document))
        return None if found is None else replace(found, upload=self._kept.known(found.upload))

    async def rows(self) -> list[Upload]:
        """Every upload of this account, oldest first."""
        rows = await self.look(lambda uploads: uploads.rows())
        return [self._kept.known(row) for row in rows if self.is_ours(row)]

    async def row(self, ref: str) -> Upload:
        """The upload that ``ref`` names. Raises `InvalidInput` if there is none."""
        return self._kept.known(await self.look(lambda uploads: uploads.get(ref)))

    async def pending(self) -> list[Upload]:
        """The uploads whose jobs have not ended as far as is known, oldest first."""
        refs = {note.ref for note in self._kept}

        def find(uploads: Uploads) -> list[Upload]:
            found = {row.ref: row for row in uploads.pending(self.venue, self.account)}
            found.update({ref: uploads.get(ref) for ref in refs})
            return sorted(found.values(), key=lambda row: (row.created, row.ref))

        rows = [self._kept.known(row) for row in await self.look(find)]
        return [row for row in rows if row.state in ("queued", "processing") or (row.state == "unknown" and row.job_id)]

    async def told_of(self, job_id: str, but: str) -> Upload | None:
        """The latest upload that became this job, other than ``but``. Raises `JournalError`."""
        kept = next((note.ref for note in self._kept if note.job_id == job_id and note.ref != but), None)
        if kept is not None:
            return await self.row(kept)
        row = await self.look(lambda uploads: uploads.by_job(self.venue, job_id))
        return None if row is None or row.ref == but else row

    async def aclose(self) -> None:
        """End this run of the journal, after a last attempt to write what is kept."""
        if self._catching_up is not None:
            self._catching_up.cancel()
            await asyncio.wait([self._catching_up])
        if self._kept and self._uploads is not None:
            with contextlib.suppress(JournalError):
                await self.ask(lambda _: None)
        for note in self._kept:
            self._lost(note, "the journal cannot be written, and the program ends")
        self._closed = True
        uploads, self._uploads = self._uploads, None
        if uploads is not None:
            await to_its_end(uploads.close)
        if self._remove is not None:
            await to_its_end(self._remove)


async def kept_of(answer: str, hidden: Collection[str]) -> str:
    """What the journal keeps of the venue's answer; ``hidden`` are secrets that it must not show."""
    if len(answer) <= LARGE_ANSWER_BYTES:
        return excerpt(answer, hidden)
    return await to_its_end(lambda: excerpt(answer, hidden))


async def to_its_end(job: Callable[[], T]) -> T:
    """Run ``job`` in a thread; if we are cancelled meanwhile, still wait for it."""
    running = asyncio.ensure_future(asyncio.to_thread(job))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():  # whoever cancels again waits too: a step on the disk takes seconds at most
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # nobody is left to tell
        raise
