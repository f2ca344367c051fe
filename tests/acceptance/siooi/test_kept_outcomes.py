"""The disk fills up while a document is on its way: what the venue answered is kept in memory and written when it can be."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from gridwire.intents.uploads import read
from gridwire.outcome import Outcome
from gridwire.siooi import Siooi, Succeeded
from tests.acceptance.siooi.office import accepted, held_back, office, prepared, rejected, sent, unknown
from tests.intents.runs import files_no_longer_than


async def sent_onto_a_full_disk(client: Siooi, disk: ExitStack) -> Outcome:
    """Submit a document; once its bytes have left, the disk is full, until ``disk`` is closed."""
    full: list[object] = []

    def fill(_sent: int, _total: int) -> None:
        if not full:
            full.append(disk.enter_context(files_no_longer_than(0)))

    document = await prepared(client)
    outcome = await client.submit(document, confirm=True, on_progress=fill)
    assert full
    return outcome


async def test_the_job_id_is_named_kept_and_known(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        later = await prepared(client, desk.venue.document(object_key="TPP-2"), object_key="TPP-2")
        with ExitStack() as disk:
            job = accepted(await sent_onto_a_full_disk(client, disk))
            (trouble,) = desk.named("journal.trouble")
            assert trouble.level == logging.ERROR
            assert dict(trouble.fields) == {"ref": job.ref, "job_id": "1001", "state": "queued"}
            assert trouble.text.startswith(
                f"Upload {job.ref} is in the venue's queue, job 1001. It could not be written down: The upload journal "
            )
            assert desk.states() == ["sending"]
            assert [(row.state, row.job_id) for row in await client.uploads()] == [("queued", "1001")]
            assert await client.pending() == [job]
            assert accepted(await sent(client)) == job
            assert (
                held_back(rejected(await sent(client, object_key="o"), "guard", "duplicate"), "queued").job_id == "1001"
            )
            refused = rejected(await client.submit(later, confirm=True), "guard", "journal")
            assert refused.reason.endswith("This document was not sent.")
        assert len(desk.venue.log.calls("send")) == 1
        assert accepted(await client.submit(later, confirm=True)).job_id == "1002"
        assert [(row.state, row.job_id) for row in read(desk.journal)] == [("queued", "1001"), ("queued", "1002")]
        assert [event.fields["ref"] for event in desk.named("journal.written_later")] == [job.ref]


async def test_it_is_written_without_another_call_once_there_is_room(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        with ExitStack() as disk:
            job = accepted(await sent_onto_a_full_disk(client, disk))
            await asyncio.sleep(300)
            assert desk.states() == ["sending"]
            assert desk.named("journal.written_later") == []
        await asyncio.sleep(61)
        assert [(row.state, row.job_id) for row in read(desk.journal)] == [("queued", job.job_id)]
        assert len(desk.named("journal.written_later")) == len(desk.named("journal.trouble")) == 1


@pytest.mark.parametrize(
    ("fault", "more", "state", "job_id"),
    [
        ("drop_after_execute", {}, "unknown", None),
        ("result", {"result_code": "203"}, "refused", None),
        ("raw", {"status": 502, "content": b'{"code": 5, "jobId": "1001"}'}, "unknown", "1001"),
    ],
)
async def test_every_outcome_is_kept_and_written_at_the_end_of_the_client(
    tmp_path: Path, fault: Any, more: dict[str, Any], state: str, job_id: str | None
) -> None:
    async with office(tmp_path) as desk:
        async with desk.client() as client:
            desk.venue.faults.add(fault, operation="send", **more)
            with ExitStack() as disk:
                await sent_onto_a_full_disk(client, disk)
                assert desk.states() == ["sending"]
                (trouble,) = desk.named("journal.trouble")
                assert (trouble.fields["state"], trouble.fields["job_id"]) == (state, job_id)
                assert [(row.state, row.job_id) for row in await client.uploads()] == [(state, job_id)]
        assert [(row.state, row.job_id) for row in read(desk.journal)] == [(state, job_id)]


async def test_a_program_that_ends_before_there_is_room_says_what_stands_in_no_journal(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        with ExitStack() as disk:
            async with desk.client() as client:
                job = accepted(await sent_onto_a_full_disk(client, disk))
        last = desk.named("journal.trouble")[-1]
        assert (last.level, last.fields["ref"], last.fields["job_id"]) == (logging.ERROR, job.ref, "1001")
        assert "This stands in no journal" in last.text
        async with desk.client() as later:
            assert unknown(await sent(later), "crashed").intent.key == job.ref
        assert len(desk.venue.log.calls("send")) == 1


async def test_the_end_of_a_job_is_kept_and_written_later_too(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        with ExitStack() as disk:
            assert isinstance(await client.wait(accepted(await sent_onto_a_full_disk(client, disk))), Succeeded)
            assert desk.states() == ["sending"]
            assert [row.state for row in await client.uploads()] == ["succeeded"]
            assert await client.pending() == []
        await asyncio.sleep(61)
        assert desk.states() == ["succeeded"]


async def test_a_job_that_a_kept_answer_names_is_no_other_uploads(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        second = await prepared(client, desk.venue.document(object_key="TPP-2"), object_key="TPP-2")
        with ExitStack() as disk:
            first = accepted(await client.submit(second, confirm=True))
            again = json.dumps({"code": 0, "jobId": first.job_id}).encode()
            desk.venue.faults.add("raw", operation="send", status=202, content_type="application/json", content=again)
            outcome = await sent_onto_a_full_disk(client, disk)
            assert "became before" in unknown(outcome, "contradictory").reason


async def test_a_journal_on_a_full_disk_can_be_looked_into_by_a_new_program(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        async with desk.client() as client:
            job = accepted(await sent(client))
            desk.venue.faults.add("drop_after_execute", operation="send")
            lost = unknown(await sent(client, desk.venue.document(object_key="TPP-2"), object_key="TPP-2"))
        with files_no_longer_than(0):
            async with desk.client() as client:
                assert [row.state for row in await client.uploads()] == ["queued", "unknown"]
                assert await client.pending() == [job]
                assert [one.intent.key for one in client.unknown()] == [lost.intent.key]
                assert accepted(await sent(client)) == job
                assert (await client.support_request(job)).count(job.job_id) == 1
                third = await sent(client, desk.venue.document(period="2026-Q4"), period="2026-Q4")
                rejected(third, "guard", "journal")
                assert isinstance(await client.wait(job), Succeeded)
        assert len(desk.named("journal.recovered")) == 1
        assert len(desk.venue.log.calls("send")) == 2
