"""Following a job: its states, its errors, its disappearance, and everything that may go wrong on the way."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from gridwire.errors import InvalidInput, NoAnswer
from gridwire.sandbox.siooi.registry import Problem
from gridwire.siooi import Expired, Failed, JobState, JobStatus, Siooi, Succeeded, wire
from gridwire.siooi.enums import ResultCode
from gridwire.siooi.errors import (
    JobNotSettled,
    SiooiFailure,
    SiooiProtocolError,
    SiooiRateLimited,
    SiooiSecurityError,
)
from tests.acceptance.siooi.office import Office, accepted, held_back, office, prepared, sent, unknown

WIRES = ("json", "soap", "third")


@pytest.mark.parametrize("wire", WIRES)
async def test_G12_a_job_is_followed_to_its_errors(tmp_path: Path, wire: str) -> None:
    async with office(tmp_path) as desk, desk.client(wire, schemas=None) as client:
        content = desk.venue.document(values=("a", "1", "b", "c"))
        document = await client.prepare(
            content, form_code="F101", object_key="TPP-1", period="2026-Q3", allow_unvalidated=True
        )
        job = accepted(await client.submit(document, confirm=True))
        seen: list[JobState] = []
        result = await client.wait(job, on_status=lambda status: seen.append(status.state))
        assert (
            seen == [JobState.QUEUED, JobState.RUNNING, JobState.RUNNING, JobState.FAILED][: len(seen) - 1] + seen[-1:]
        )
        assert list(dict.fromkeys(seen)) == [JobState.QUEUED, JobState.RUNNING, JobState.FAILED]
        assert isinstance(result, Failed)
        assert [(error.line, error.element) for error in result.errors] == [
            ("5", "/document/row[1]/wear[1]"), ("7", "/document/row[3]/wear[1]"), ("8", "/document/row[4]/wear[1]"),
        ]  # fmt: skip
        assert all(error.code and error.message and error.code in str(error) for error in result.errors)
        assert desk.states() == ["failed"]
        assert "row[3]" in (await client.uploads())[0].note
        # A failed document may be corrected and sent again.
        accepted(await sent_valid(client, desk.venue.document()))
        assert desk.states() == ["failed", "queued"]


async def sent_valid(client: Siooi, content: bytes) -> Any:
    document = await client.prepare(
        content, form_code="F101", object_key="TPP-1", period="2026-Q3", allow_unvalidated=True
    )
    return await client.submit(document, confirm=True)


@pytest.mark.parametrize("wire", WIRES)
async def test_G13_a_job_that_is_gone_after_two_hours_is_expired_not_failed(tmp_path: Path, wire: str) -> None:
    async with office(tmp_path) as desk, desk.client(wire) as client:
        job = accepted(await sent(client))
        await asyncio.sleep(10 + 7200 - 1)
        assert (await client.status(job)).state is JobState.SUCCEEDED
        await client.wait(job)

    second = tmp_path / "second"
    second.mkdir()
    async with office(second) as desk, desk.client(wire) as client:
        job = accepted(await sent(client))
        await asyncio.sleep(10 + 7200 + 1)
        result = await client.wait(job)
        assert isinstance(result, Expired)
        assert "may be loaded or not" in result.reason
        assert "longer ago than the venue keeps jobs" in result.reason
        assert desk.states() == ["expired"]
        again = unknown(await sent(client), "expired")
        assert held_back(again, "expired").ref == again.intent.key == job.ref
        await client.resolve(job.ref, "present", by="Иванова", note="документ в кабинете, статус «Подписан»")
        assert accepted(await sent(client)) == job
        assert desk.states() == ["resolved_present"]


async def test_polls_begin_after_two_seconds_and_slow_down_to_thirty(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        desk.venue.knobs.run_s = 400
        job = accepted(await sent(client))
        assert isinstance(await client.wait(job), Succeeded)
        at = [call.at for call in desk.venue.log.calls("status")]
        gaps = [later - before for before, later in zip([desk.venue.log.calls("send")[0].at, *at], at, strict=False)]
        assert 1.5 < gaps[0] <= 2.05
        assert all(gap <= 30.1 for gap in gaps)
        assert gaps[-1] > 23
        assert len(at) < 30


async def test_states_nobody_mapped_are_followed_with_one_warning(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        content = '{"code": 0, "state": "НА ПРОВЕРКЕ"}'.encode()
        desk.venue.faults.add("raw", operation="status", content=content, times=5)
        seen: list[JobStatus] = []
        assert isinstance(await client.wait(job, on_status=seen.append), Succeeded)
        assert [status.state for status in seen[:5]] == [JobState.UNKNOWN_STATE] * 5
        assert seen[0].raw_state == "НА ПРОВЕРКЕ"
        assert len(desk.named("job.unmapped_state")) == 1


TROUBLES: list[tuple[str, dict[str, Any], type[Exception]]] = [
    ("drop_after_execute", {}, NoAnswer),
    ("status", {"status": 503}, SiooiFailure),
    ("status", {"status": 429, "retry_after": "7"}, SiooiRateLimited),
    ("html", {}, SiooiProtocolError),
    ("redirect", {}, SiooiProtocolError),
    ("raw", {"content": b"{}"}, SiooiProtocolError),
    ("raw", {"content": b'{"code": 4711}'}, SiooiProtocolError),
]


@pytest.mark.parametrize(("fault", "more", "error"), TROUBLES, ids=lambda value: str(value)[:24])
async def test_a_wait_goes_on_through_trouble_that_passes(
    tmp_path: Path, fault: Any, more: dict[str, Any], error: type[Exception]
) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        desk.venue.faults.add(fault, operation="status", times=4, **more)
        with pytest.raises(error):
            await client.status(job)
        assert isinstance(await client.wait(job), Succeeded)
        assert len(desk.named("job.trouble")) == 1


async def test_a_missing_right_ends_the_wait_and_not_the_job(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        desk.venue.faults.add("result", operation="status", result_code="201")
        with pytest.raises(SiooiSecurityError) as caught:
            await client.wait(job)
        assert (caught.value.code, caught.value.raw_code) == (ResultCode.NO_ROLE, "201")
        assert desk.states() == ["queued"]


async def test_a_session_that_is_never_taken_ends_the_wait(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        desk.venue.faults.add("status", operation="status", status=401, times=None)
        with pytest.raises(SiooiSecurityError, match="session of a new login"):
            await client.wait(job)
        assert len(desk.venue.log.calls("login")) == 2


async def test_a_deadline_leaves_the_job_in_the_journal(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        desk.venue.knobs.run_s = 500
        job = accepted(await sent(client))
        with pytest.raises(JobNotSettled):
            await client.wait(job, deadline=60)
        assert desk.states() == ["processing"]
        assert [one.ref for one in await client.pending()] == [job.ref]
        assert await client.resume(deadline=10) == []
        assert len(desk.named("job.not_settled")) == 1
        assert isinstance(await client.wait(job.ref), Succeeded)


async def test_a_long_silence_is_warned_of_twice(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        desk.venue.knobs.kept_s = 100_000
        job = accepted(await sent(client))
        desk.venue.faults.add("status", operation="status", status=503, times=None)
        waiting = asyncio.create_task(client.wait(job))
        await asyncio.sleep(5300)
        assert not desk.named("job.silent")
        await asyncio.sleep(200)
        assert len(desk.named("job.silent")) == 1
        assert not desk.named("job.expired_possible")
        await asyncio.sleep(1800)
        assert len(desk.named("job.expired_possible")) == 1
        desk.venue.faults.clear()
        assert isinstance(await waiting, Succeeded)


async def test_another_program_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        async with desk.client() as client:
            for name in ("TPP-1", "TPP-2"):
                accepted(await sent(client, desk.venue.document(object_key=name), object_key=name))
        async with desk.client() as client:
            results = await client.resume()
            assert [type(one) for one in results] == [Succeeded, Succeeded]
            assert [one.job.object_key for one in results] == ["TPP-1", "TPP-2"]
            assert await client.pending() == []
        assert desk.states() == ["succeeded", "succeeded"]


async def test_uploads_of_others_are_not_followed(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client, desk.client(user="narrow@energo.example") as other:
        job = accepted(await sent(client))
        with pytest.raises(InvalidInput, match="not of this client"):
            await other.status(job)
        with pytest.raises(InvalidInput):
            await client.status("20200101-none")
        assert await other.pending() == []


async def test_what_earlier_runs_do_not_know_is_told_to_the_next(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        desk.venue.faults.add("drop_after_execute", operation="send")
        async with desk.client() as client:
            await sent(client)
        async with desk.client() as client:
            await client.pending()
            (lost,) = client.unknown()
            assert lost.cause == "disconnected"
            assert lost.intent.restated["object_key"] == "TPP-1"
            assert len(desk.named("journal.recovered")) == 1
            await client.resolve(lost.intent.key, "present", by="Иванова", note="в кабинете")
            assert client.unknown() == []


async def test_there_is_nothing_to_ask_about_an_upload_without_a_job(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        desk.venue.faults.add("drop_after_execute", operation="send")
        outcome = await sent(client)
        assert outcome.intent is not None
        for ask in (client.status, client.wait):
            with pytest.raises(InvalidInput, match="has no job id"):
                await ask(outcome.intent.key)
        assert desk.venue.log.calls("status") == []


def kept(folder: Path) -> dict[Path, bytes]:
    """The journal's files."""
    return {path: path.read_bytes() for path in folder.glob("uploads.sqlite*") if path.is_file()}


async def test_a_job_the_journal_could_not_be_told_of_is_followed_all_the_same(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        document = await prepared(client)
        await client._sessions.get()
        desk.venue.faults.add("slow_answer", operation="send", seconds=1.0)
        task = asyncio.create_task(client.submit(document, confirm=True))
        await asyncio.sleep(0.5)
        good = kept(tmp_path)
        desk.journal.write_bytes(b"damaged" * 1000)
        job = accepted(await task)
        assert len(desk.named("journal.trouble")) == 1
        for path, content in good.items():
            path.write_bytes(content)
        assert desk.states() == ["sending"]
        assert isinstance(await client.wait(job), Succeeded)
        assert desk.states() == ["succeeded"]


async def test_a_settled_upload_stays_as_it_was_settled(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        await client.wait(job)
        await client.deleted_by_support(job.ref, by="Иванова", note="4711")
        desk.events.clear()
        async with desk.client() as other:
            assert (await other.status(job)).state is JobState.FAILED
        assert desk.named("journal.trouble") == []
        assert desk.states() == ["withdrawn"]


async def test_a_job_id_from_an_answer_that_settles_nothing_frees_no_document(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        answer = json.dumps({"code": 0, "jobId": "1001"}).encode()
        job = accepted(await sent(client, desk.venue.document(object_key="TPP-2"), object_key="TPP-2"))
        assert job.job_id == "1001"
        desk.venue.faults.add("raw", operation="send", status=502, content_type="application/json", content=answer)
        doubted = unknown(await sent(client), "http_status")
        desk.venue.registry.jobs["1001"].problems = (Problem(5, "/document", "E1", "no"),)
        result = await client.wait(doubted.intent.key)
        assert isinstance(result, Expired)
        assert result.state is JobState.FAILED
        assert "may be another document's" in result.reason
        assert (await client.status(doubted.intent.key)).state is JobState.FAILED
        assert desk.states()[1] == "unknown"
        held_back(unknown(await sent(client), "http_status"), "unknown")


async def test_a_job_id_that_was_another_uploads_is_doubted(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        answer = json.dumps({"code": 0, "jobId": job.job_id}).encode()
        desk.venue.faults.add("raw", operation="send", status=202, content_type="application/json", content=answer)
        second = unknown(
            await sent(client, desk.venue.document(object_key="TPP-2"), object_key="TPP-2"), "contradictory"
        )
        assert f"which upload {job.ref} became before" in second.reason
        assert desk.states() == ["queued", "unknown"]


def said(desk: Office, times: int = 1, **parts: object) -> None:
    """What the next questions about jobs are answered with."""
    content = json.dumps({"code": 0, **parts}).encode()
    kind = "application/json"
    desk.venue.faults.add("raw", operation="status", status=200, content_type=kind, content=content, times=times)


async def test_half_a_character_in_an_error_ends_no_wait(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        said(desk, state="ERROR", errors=[{"text": "a\ud800b"}])
        result = await client.wait(job)
        assert isinstance(result, Failed)
        assert [error.message for error in result.errors] == ["a?b"]
        assert desk.states() == ["failed"]
        assert (await client.uploads())[0].note == "a?b"


async def test_states_that_are_not_mapped_are_warned_of_once(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        for number in range(3):
            said(desk, state=f"S{number}")
        assert isinstance(await client.wait(job), Succeeded)
        (warning,) = desk.named("job.unmapped_state")
        assert "'S0'" in warning.text


async def test_a_large_answer_is_read_beside_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readers: list[threading.Thread] = []
    read = wire.read_status

    def watched(*arguments: Any) -> Any:
        readers.append(threading.current_thread())
        return read(*arguments)

    monkeypatch.setattr(wire, "read_status", watched)
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        for rows in (5, 5000):
            said(desk, state="ERROR", errors=[{"line": n, "text": "x" * 20} for n in range(rows)])
            assert len((await client.status(job)).errors) == min(rows, 1000)
    assert [one is threading.main_thread() for one in readers] == [True, False]


async def test_one_bad_job_holds_no_other_up(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        async with desk.client() as client:
            refs = [
                accepted(await sent(client, desk.venue.document(object_key=name), object_key=name)).ref
                for name in ("TPP-1", "TPP-2")
            ]
        async with desk.client() as client:

            def heard(status: JobStatus) -> None:
                if status.job.ref == refs[0]:
                    raise RuntimeError("the listener's own trouble")

            tasks = asyncio.all_tasks()
            results = await client.resume(on_status=heard)
            assert [result.job.ref for result in results] == refs[1:]
            (trouble,) = desk.named("job.failed_to_follow")
            assert trouble.fields["ref"] == refs[0]
            assert "RuntimeError" in trouble.text
            assert [task for task in asyncio.all_tasks() - tasks if "Siooi." in repr(task)] == []
            assert [job.ref for job in await client.pending()] == refs[:1]


@pytest.mark.parametrize("deadline", ["5", float("nan"), -1, None, True])
async def test_a_deadline_is_a_number_of_seconds(tmp_path: Path, deadline: Any) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        with pytest.raises(InvalidInput, match="deadline="):
            await client.wait(job, deadline=deadline)
        with pytest.raises(InvalidInput, match="deadline="):
            await client.resume(deadline=deadline)
