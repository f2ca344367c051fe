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
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast, get_args

from gridwire.errors import JournalError, WrongLoop
from gridwire.intents.journal import CRASHED
from gridwire.intents.upload_records import Upload
from gridwire.intents.uploads import Uploads, default_path
from gridwire.observe.events import Events
from gridwire.outcome import Cause, Unknown
from gridwire.settings import lasting_path, temporary_folder
from gridwire.siooi.models import intent_of
from gridwire.siooi.profile import Profile
from gridwire.siooi.rules import doubt

T = TypeVar("T")


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

    def _report(self, rows: list[Upload], trouble: JournalError | None) -> None:
        if trouble is not None:
            self._events.emit("journal.trouble", str(trouble), level=logging.ERROR)
        lost = [row for row in rows if row.state == "unknown" and self.is_ours(row)]
        for row in lost:
            cause, why = _cause(row)
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
        """What ``work`` says of the open journal, in a thread and to its end."""
        uploads = await self.open()
        return await to_its_end(lambda: work(uploads))

    async def aclose(self) -> None:
        """End this run of the journal."""
        self._closed = True
        uploads, self._uploads = self._uploads, None
        if uploads is not None:
            await to_its_end(uploads.close)
        if self._remove is not None:
            await to_its_end(self._remove)


def _cause(row: Upload) -> tuple[Cause, str]:
    """Why an upload of an earlier run is unknown: the cause is its note."""
    if row.note in get_args(Cause) and row.note != CRASHED:
        return cast("Cause", row.note), f"an earlier run got no answer that settles it ({row.note})"
    return "crashed", "the program that sent it ended before its answer was written down"


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
