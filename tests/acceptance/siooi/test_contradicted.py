"""A journal's end and the venue's word on the job contradict each other: what cannot lead to a second document counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridwire.intents.uploads import Uploads
from gridwire.sandbox.siooi.registry import Problem
from gridwire.siooi import Expired, Failed, JobRef, JobState, Siooi, Succeeded
from tests.acceptance.siooi.office import Office, accepted, held_back, office, sent

WIRES = ("json", "soap", "third")


async def looked_for(desk: Office, client: Siooi, finding: str) -> JobRef:
    """A job that the venue does not know for a while, settled by a person meanwhile; it lives for 100 s from now on."""
    job = accepted(await sent(client))
    kept_s, desk.venue.knobs.kept_s = desk.venue.knobs.kept_s, -1e9
    assert isinstance(await client.wait(job), Expired)
    await client.resolve(job.ref, finding, by="Иванова", note="в кабинете")  # type: ignore[arg-type]
    desk.venue.knobs.kept_s = kept_s
    one = desk.venue.registry.jobs[job.job_id]
    one.done_at += 100
    return job


@pytest.mark.parametrize("wire", WIRES)
async def test_a_job_that_lives_outranks_a_person_who_did_not_find_it(tmp_path: Path, wire: str) -> None:
    async with office(tmp_path) as desk, desk.client(wire) as client:
        job = await looked_for(desk, client, "absent")
        seen: list[JobState] = []
        result = await client.wait(job, on_status=lambda status: seen.append(status.state))
        assert isinstance(result, Succeeded)
        assert seen[0] in (JobState.QUEUED, JobState.RUNNING)
        assert seen[-1] is JobState.SUCCEEDED
        assert desk.states() == ["succeeded"]
        (event, *others) = desk.named("job.contradicts_journal")
        assert not others
        assert event.level == 40
        assert "resolved_absent (Иванова: в кабинете)" in event.text
        assert job.job_id in event.text
        held_back(await sent(client), "succeeded")
        assert desk.named("journal.trouble") == []


async def test_one_question_is_enough_to_hold_a_second_document_back(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client, desk.client() as other:
        job = await looked_for(desk, client, "absent")
        assert (await other.status(job.ref)).state in (JobState.QUEUED, JobState.RUNNING)
        assert desk.states()[0] in ("queued", "processing")
        assert accepted(await sent(client)) == job
        assert await client.pending() == [job]


async def test_a_person_who_looks_while_the_job_is_followed_takes_nothing_from_it(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        desk.venue.registry.jobs[job.job_id].done_at += 100
        first = await client.status(job)
        with_journal = Uploads.open(desk.journal)  # another program, to which the venue had lied
        with_journal.record(job.ref, "expired", job_id=job.job_id)
        with_journal.resolve(job.ref, "absent", by="Иванова", note="в кабинете")
        with_journal.close()
        assert (await client.status(job)).state is first.state  # what this program had heard before
        assert desk.states() != ["resolved_absent"]
        assert len(desk.named("job.contradicts_journal")) == 1


async def test_a_failed_job_that_is_loaded_after_all_is_not_sent_again(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        one = desk.venue.registry.jobs[job.job_id]
        one.problems = (Problem(5, "/document", "E1", "no such object"),)
        assert isinstance(await client.wait(job), Failed)
        one.problems = ()
        assert isinstance(await client.wait(job), Succeeded)
        held_back(await sent(client), "succeeded")
        assert len(desk.named("job.contradicts_journal")) == 1


async def test_a_document_that_a_person_found_too_early_is_followed(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = await looked_for(desk, client, "present")
        desk.venue.registry.jobs[job.job_id].problems = (Problem(5, "/document", "E1", "no such object"),)
        assert isinstance(await client.wait(job), Failed)
        assert desk.states() == ["resolved_present"]
        held_back(await sent(client), "resolved_present")
        assert desk.named("job.contradicts_journal")


@pytest.mark.parametrize("wire", WIRES)
async def test_a_document_that_support_deleted_is_not_loaded_whatever_its_job_says(tmp_path: Path, wire: str) -> None:
    async with office(tmp_path) as desk, desk.client(wire) as client, desk.client(wire) as other:
        job = accepted(await sent(client))
        assert isinstance(await client.wait(job), Succeeded)
        await client.deleted_by_support(job.ref, by="Иванова", note="письмо 5")
        for one in (client, other):
            result = await one.wait(job.ref)
            assert isinstance(result, Failed)
            assert "письмо 5" in (result.text or "")
            status = await one.status(job.ref)
            assert (status.state, status.text) == (JobState.FAILED, result.text)
        assert desk.states() == ["withdrawn"]
        assert desk.named("journal.trouble") == desk.named("job.contradicts_journal") == []
        assert accepted(await sent(client)).job_id != job.job_id
