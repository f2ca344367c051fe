"""An upload journal that is deleted, moved or made anew under an open client, or that stands on a full disk."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gridwire.errors import JournalError
from gridwire.intents.uploads import Uploads
from tests.acceptance.siooi.office import accepted, office, prepared, rejected, sent
from tests.intents.runs import files_no_longer_than

OTHER = {"object_key": "TPP-2"}


def delete(journal: Path) -> None:
    for file in journal.parent.glob("uploads.sqlite*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()


def make_anew(journal: Path) -> None:
    delete(journal)
    Uploads.open(journal).close()


def move(journal: Path) -> None:
    journal.rename(journal.with_name("elsewhere.sqlite"))


def unlock(journal: Path) -> None:
    """The runs beside the file: without its lock, another program takes this one for dead."""
    shutil.rmtree(journal.with_name("uploads.sqlite.runs"))


@pytest.mark.parametrize("ruin", [delete, make_anew, move, unlock])
async def test_nothing_is_sent_and_no_question_is_answered(tmp_path: Path, ruin: Callable[[Path], None]) -> None:
    async with office(tmp_path) as o, o.client() as client:
        accepted(await sent(client))
        document = await prepared(client, o.venue.document(object_key="TPP-2"), **OTHER)
        before = len(o.venue.log)
        ruin(o.journal)
        outcome = rejected(await client.submit(document, confirm=True), "guard", "journal")
        assert "deleted, moved or made anew. Nothing is sent" in outcome.reason
        for question in (client.uploads, client.pending, client.resume):
            with pytest.raises(JournalError, match="what was sent before cannot be told"):
                await question()
        with pytest.raises(JournalError, match="what was sent before cannot be told"):
            client.unknown()
        assert len(o.venue.log) == before


async def test_on_a_full_disk_nothing_is_sent_and_what_was_sent_can_be_read(tmp_path: Path) -> None:
    async with office(tmp_path) as o:
        async with o.client() as client:
            job = accepted(await sent(client))
            document = await prepared(client, o.venue.document(object_key="TPP-2"), **OTHER)
        with files_no_longer_than(0):
            async with o.client() as client:
                known = [row.job_id for row in await client.uploads()], [one.id for one in await client.pending()]
                outcome = await client.submit(document, confirm=True)
        assert known == ([job.id], [job.id])
        rejected(outcome, "guard", "journal")
        assert [event.level for event in o.named("journal.trouble")] == [logging.ERROR]
        async with o.client() as client:
            accepted(await client.submit(document, confirm=True))


async def test_a_client_that_began_on_a_full_disk_sends_once_there_is_room(tmp_path: Path) -> None:
    async with office(tmp_path) as o:
        async with o.client() as client:
            await client.uploads()
        async with o.client() as client:
            with files_no_longer_than(0):
                assert await client.uploads() == []
            accepted(await sent(client))
            assert client.unknown() == []
