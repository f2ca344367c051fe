"""A job whose end the journal knows is told by that end, also when the venue has forgotten it or cannot be asked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gridwire.sandbox.siooi.registry import Problem
from gridwire.siooi import Expired, Failed, JobRef, JobState, Siooi, Succeeded
from tests.acceptance.siooi.office import Office, accepted, office, sent

WIRES = ("json", "soap", "third")
KEPT_S = 7200.0


async def ended(desk: Office, client: Siooi, *, wrong: bool = False) -> JobRef:
    """A job that has ended, and that the venue no longer knows."""
    job = accepted(await sent(client))
    if wrong:
        desk.venue.registry.jobs[job.job_id].problems = (Problem(5, "/document", "E1", "no such object"),)
    assert isinstance(await client.wait(job), Failed if wrong else Succeeded)
    await asyncio.sleep(KEPT_S + 60)
    return job


@pytest.mark.parametrize("wire", WIRES)
async def test_a_loaded_job_that_the_venue_has_forgotten_is_still_loaded(tmp_path: Path, wire: str) -> None:
    async with office(tmp_path) as desk, desk.client(wire) as client:
        job = await ended(desk, client)
        desk.events.clear()
        assert isinstance(await client.wait(job), Succeeded)
        status = await client.status(job)
        assert (status.state, status.text) == (JobState.SUCCEEDED, "The journal knows it as loaded.")
        async with desk.client(wire) as other:  # another program, after a restart
            assert isinstance(await other.wait(job.ref), Succeeded)
            assert (await other.status(job.ref)).state is JobState.SUCCEEDED
            assert await other.pending() == []
        assert desk.states() == ["succeeded"]
        assert desk.named("journal.trouble") == []
        assert accepted(await sent(client)) == job  # which is not sent again


@pytest.mark.parametrize("wire", WIRES)
async def test_a_failed_job_that_the_venue_has_forgotten_keeps_its_errors(tmp_path: Path, wire: str) -> None:
    async with office(tmp_path) as desk, desk.client(wire) as client:
        job = await ended(desk, client, wrong=True)
        result = await client.wait(job)
        assert isinstance(result, Failed)
        (error,) = result.errors
        assert "no such object" in (error.message or "")
        assert (await client.status(job)).state is JobState.FAILED
        assert desk.states() == ["failed"]


@pytest.mark.parametrize(
    ("finding", "kind", "words"),
    [("present", Succeeded, "found it"), ("absent", Failed, "did not find it"), ("deleted", Failed, "deleted it")],
)
async def test_a_persons_word_is_told_too(tmp_path: Path, finding: Any, kind: type[Any], words: str) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        await asyncio.sleep(KEPT_S + 60)
        assert isinstance(await client.wait(job), Expired)  # nobody knows yet
        assert (await client.status(job)).state is JobState.NOT_FOUND
        await client.resolve(job.ref, "absent" if finding == "absent" else "present", by="Иванова", note="кабинет")
        if finding == "deleted":
            await client.deleted_by_support(job.ref, by="Иванова", note="кабинет, письмо 4711")
        assert isinstance(await client.wait(job), kind)
        text = (await client.status(job)).text or ""
        assert words in text
        assert "Иванова: кабинет" in text


async def test_what_another_program_heard_meanwhile_counts(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client, desk.client() as other:
        job = accepted(await sent(client))
        waiting = asyncio.create_task(client.wait(job))
        desk.venue.faults.add("close_before_read", operation="status", times=None)
        await asyncio.sleep(60)
        desk.venue.faults.clear()
        assert (await other.status(job)).state is JobState.SUCCEEDED
        desk.venue.knobs.kept_s = 0.0
        assert isinstance(await waiting, Succeeded)
        assert desk.states() == ["succeeded"]


async def test_a_venue_that_cannot_be_asked_takes_nothing_back(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = await ended(desk, client)
        desk.events.clear()
        faults: tuple[dict[str, Any], ...] = (
            {"kind": "status", "status": 503}, {"kind": "status", "status": 403}, {"kind": "silence_before_execute"},
            {"kind": "close_before_read"},
        )  # fmt: skip
        for fault in faults:
            desk.venue.faults.add(operation="status", times=None, **fault)
            before = asyncio.get_running_loop().time()
            assert isinstance(await client.wait(job, deadline=5), Succeeded)
            assert asyncio.get_running_loop().time() - before <= 5
            desk.venue.faults.clear()
        told = desk.named("job.trouble")
        assert len(told) == len(faults)
        assert all("is told from the journal" in event.text for event in told)


async def test_what_the_venue_still_knows_is_told_in_its_own_words(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        first = await client.wait(job)
        seen: list[JobState] = []
        second = await client.wait(job, on_status=lambda status: seen.append(status.state))
        assert first == second
        assert seen == [JobState.SUCCEEDED]
        assert isinstance(second, Succeeded)
        assert second.document_status == "Подписан"
