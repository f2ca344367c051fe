"""One document is sent once, however many programs, formats and crashes there are."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from gridwire.errors import ConfigurationError, InvalidInput
from gridwire.outcome import Rejected
from gridwire.sandbox.siooi import profiles
from gridwire.siooi import Failed, Siooi, load_profile
from gridwire.siooi.duplicates import obstacle_in
from tests.acceptance.siooi.office import accepted, held_back, office, prepared, rejected, sent


async def test_G09_of_clients_that_send_the_same_file_at_once_one_does(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as one, desk.client() as two, desk.client() as three:
        documents = [await prepared(client) for client in (one, two, three)]
        outcomes = await asyncio.gather(
            *(
                client.submit(document, confirm=True)
                for client, document in zip((one, two, three), documents, strict=True)
            )
        )
        (first,) = [outcome for outcome in outcomes if obstacle_in(outcome) is None]
        for outcome in outcomes:
            if outcome is not first:  # it hears of the first, whether that has ended or not
                assert not isinstance(outcome, Rejected)
                assert outcome.intent == accepted(first).intent
        again = [
            await client.submit(document, confirm=True) for client, document in zip((one, two), documents, strict=False)
        ]
        assert {accepted(outcome).job_id for outcome in again} == {accepted(first).job_id}
        assert len(desk.venue.log.calls("send")) == 1


async def test_G10_another_format_of_the_same_content_is_blocked(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        content = desk.venue.document()
        accepted(await sent(client, content))
        text = content.decode()
        for other in (
            text.replace("\n  ", "\n      ").encode(),
            text.replace("UTF-8", "windows-1251").encode("windows-1251"),
            text.replace('form="F101"', "form='F101'").replace('<?xml version="1.0" encoding="UTF-8"?>\n', "").encode(),
        ):
            assert other != content
            document = await prepared(client, other, object_key="another", period="2027-Q1")
            assert document.warning is not None
            assert "held back" in document.summary()
            outcome = rejected(await client.submit(document, confirm=True), "guard", "duplicate")
            assert "formatted differently" in outcome.reason
        assert len(desk.venue.log.calls("send")) == 1


@pytest.mark.parametrize("ended", ["accepted", "unknown"])
async def test_G10_other_content_about_the_same_object_and_period_is_blocked(tmp_path: Path, ended: str) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        if ended == "unknown":
            desk.venue.faults.add("drop_before_execute", operation="send")
        await sent(client)
        other = desk.venue.document(values=("99",))
        outcome = rejected(await sent(client, other), "guard", "duplicate")
        assert "same form, object and period" in outcome.reason
        assert outcome.raw.upload.state == ("queued" if ended == "accepted" else "unknown")
        accepted(await sent(client, desk.venue.document("F102", values=("7",)), form_code="F102"))
        accepted(await sent(client, desk.venue.document(period="2026-Q4"), period="2026-Q4"))
        assert len(desk.venue.log.calls("send")) == 3


async def test_G10_after_failed_the_corrected_document_may_be_sent(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client(schemas=None) as client:
        names: dict[str, Any] = {"form_code": "F101", "object_key": "TPP-1", "period": "2026-Q3"}
        wrong = await client.prepare(desk.venue.document(values=("x",)), allow_unvalidated=True, **names)
        assert isinstance(await client.wait(accepted(await client.submit(wrong, confirm=True))), Failed)
        right = await client.prepare(desk.venue.document(), allow_unvalidated=True, **names)
        assert right.warning is None
        accepted(await client.submit(right, confirm=True))
        assert desk.states() == ["failed", "queued"]


async def test_a_journal_that_cannot_be_used_keeps_the_document_here(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        document = await prepared(client)
        desk.journal.write_bytes(b"no journal" * 1000)
        outcome = await client.submit(document, confirm=True)
        assert isinstance(outcome, Rejected)
        assert (outcome.origin, outcome.code) == ("guard", "journal")
        assert desk.venue.log.calls("send") == []


async def test_a_client_cancelled_while_it_opens_its_journal_leaves_no_run_behind(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        async with desk.client() as client:
            task = asyncio.create_task(client.pending())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await client.pending() == []
            assert len(lock_files(tmp_path)) <= 1
        assert lock_files(tmp_path) == []


def lock_files(folder: Path) -> list[str]:
    """Of runs that have not ended."""
    return [path.name for path in (folder / "uploads.sqlite.runs").glob("*.lock")]


async def test_a_journal_stays_the_same_file_wherever_the_program_goes_and_by_whatever_link_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    async with office(tmp_path) as desk:
        async with desk.client(journal="uploads.sqlite") as client:
            monkeypatch.chdir(tmp_path / "elsewhere")  # before the journal is opened
            accepted(await sent(client))
        assert desk.states() == ["queued"]
        (tmp_path / "elsewhere" / "link.sqlite").symlink_to(desk.journal)
        async with desk.client(journal="link.sqlite") as client:
            monkeypatch.chdir(tmp_path)
            held_back(await sent(client), "queued")
        assert len(desk.venue.log.uploads()) == 1
    assert {one for _, folders, _ in os.walk(tmp_path) for one in folders} == {"elsewhere", "uploads.sqlite.runs"}


@pytest.mark.parametrize("force", [1, "yes", None])
async def test_force_is_a_bool_and_nothing_like_one(tmp_path: Path, force: Any) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        accepted(await sent(client))
        document = await prepared(client)
        with pytest.raises(InvalidInput, match="True or False"):
            await client.submit(document, confirm=True, force=force, i_accept_duplicate=force)
        assert len(desk.venue.log.calls("send")) == 1


def test_a_login_is_text() -> None:
    profile = load_profile(profiles.simulator("http://127.0.0.1:1"))
    for login, password in ((5, "x"), ("a", 5)):
        with pytest.raises(ConfigurationError, match="must be a str"):
            Siooi(profile, login, password)  # type: ignore[arg-type]
