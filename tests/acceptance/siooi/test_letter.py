"""A letter with all that letters have (see `letter_office`) is spoken by its profile alone: nothing in gridwire was written for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from gridwire.cli import main
from gridwire.outcome import Outcome
from gridwire.siooi import Siooi, Succeeded
from tests.acceptance.siooi.letter_office import LOGIN, PASSWORD, PROFILE, LetterOffice
from tests.acceptance.siooi.office import accepted, rejected, unknown

DOCUMENT = '<?xml version="1.0" encoding="windows-1251"?><Документ><Мощность>110 кВ — № 1</Мощность></Документ>'


async def sent(client: Siooi, period: str = "2026-Q3") -> Outcome:
    document = await client.prepare(
        DOCUMENT.replace("110", period).encode("windows-1251"),
        form_code="Ф-101",
        object_key="ТЭЦ-1",
        period=period,
        allow_unvalidated=True,
    )
    return await client.submit(document, confirm=True)


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest, anyio_backend: Any) -> Any:
    """In virtual time, or in real time over TCP."""
    return ("asyncio", {}) if "real_time" in request.node.name else anyio_backend


@asynccontextmanager
async def talking(tmp_path: Path, life_s: float = 120.0) -> AsyncIterator[tuple[LetterOffice, Siooi]]:
    """The venue, and a client that knows its profile."""
    journal = tmp_path / "uploads.sqlite"
    async with LetterOffice(life_s=life_s) as venue, Siooi(venue.profile(), LOGIN, PASSWORD, journal=journal) as client:
        yield venue, client


async def test_a_document_of_such_a_letter_is_loaded_in_real_time(tmp_path: Path) -> None:
    async with talking(tmp_path) as (venue, client):
        job = accepted(await sent(client))
        assert job.job_id == "№ 1/а"
        result = await client.wait(job)
        assert isinstance(result, Succeeded)
        assert result.document_status == "Подписан"
        assert venue.documents == [DOCUMENT.replace("110", "2026-Q3").encode("windows-1251")]
        assert (venue.logins, venue.refused) == (1, [])


async def test_a_session_is_renewed_by_the_life_that_its_login_told(tmp_path: Path) -> None:
    async with talking(tmp_path, life_s=120.0) as (venue, client):
        for period, then_s in (("2026-Q1", 30), ("2026-Q2", 121), ("2026-Q3", 61), ("2026-Q4", 0)):
            accepted(await sent(client, period))
            await asyncio.sleep(then_s)
        # By the profile's own guess, ten minutes, it would have been kept until the venue refused it.
        assert (venue.logins, venue.refused) == (3, [])


async def test_a_refusal_in_another_encoding_is_read(tmp_path: Path) -> None:
    async with talking(tmp_path) as (venue, client):
        await client._sessions.get()
        venue.tickets.clear()
        refused = rejected(await sent(client), "venue", "SESSION_EXPIRED")
        assert "It says: Билет не действует." in refused.reason


async def test_a_session_value_in_a_path_is_in_no_output(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with talking(tmp_path) as (venue, client):
            accepted(await sent(client))
            venue.broken = True
            lost = unknown(await sent(client, "2026-Q4"), "disconnected")
    said = caplog.text + repr(lost)
    assert "/***" in caplog.text
    assert not [form for form in ("билет/1", quote("билет/1", safe="")) if form in said]


def test_its_profile_is_found_complete(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["siooi", "profile", "check", str(PROFILE), "--lang", "ru"]) == 0
    assert capsys.readouterr().out.startswith("letter: профиль полон.")
