"""A second `submit` of one document, as after a restart: it answers with what the journal knows of the first, and sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gridwire.intents.uploads import Uploads
from gridwire.outcome import Accepted, Outcome, Unknown
from gridwire.siooi import Failed, Siooi, Succeeded
from gridwire.siooi.duplicates import obstacle_in
from tests.acceptance.siooi.office import Office, accepted, held_back, office, prepared, rejected, sent, unknown

Deed = Callable[[Office, Siooi], Awaitable[Outcome]]


async def queued(_desk: Office, client: Siooi) -> Outcome:
    return await sent(client)


async def processing(_desk: Office, client: Siooi) -> Outcome:
    outcome = await sent(client)
    await asyncio.sleep(5)
    await client.status(accepted(outcome))
    return outcome


async def succeeded(_desk: Office, client: Siooi) -> Outcome:
    outcome = await sent(client)
    assert isinstance(await client.wait(accepted(outcome)), Succeeded)
    return outcome


async def lost(desk: Office, client: Siooi) -> Outcome:
    desk.venue.faults.add("drop_after_execute", operation="send")
    return await sent(client)


async def expired(desk: Office, client: Siooi) -> Outcome:
    outcome = await sent(client)
    desk.venue.registry.jobs.clear()
    await client.wait(accepted(outcome))
    return outcome


async def found(desk: Office, client: Siooi) -> Outcome:
    outcome = unknown(await lost(desk, client))
    await client.resolve(outcome.intent.key, "present", by="Иванова", note="в кабинете есть")
    return outcome


@pytest.mark.parametrize(
    ("deed", "state", "kind", "cause"),
    [
        (queued, "queued", Accepted, None),
        (processing, "processing", Accepted, None),
        (succeeded, "succeeded", Accepted, None),
        (found, "resolved_present", Accepted, None),
        (lost, "unknown", Unknown, "disconnected"),
        (expired, "expired", Unknown, "expired"),
    ],
)
@pytest.mark.parametrize("reformatted", [False, True])
async def test_it_answers_with_what_is_known_of_the_first(
    tmp_path: Path, deed: Deed, state: str, kind: type, cause: str | None, reformatted: bool
) -> None:
    async with office(tmp_path) as desk:
        async with desk.client() as client:
            first = await deed(desk, client)
        content = desk.venue.document().replace(b"\n  ", b"\n\t" if reformatted else b"\n  ")
        sends = len(desk.venue.log.calls("send"))
        async with desk.client() as client:  # the next day
            document = await prepared(client, content)
            assert document.warning is not None
            again = await client.submit(document, confirm=True)
            assert isinstance(again, kind)
            assert again.intent == first.intent
            assert held_back(again, state).ref in (document.warning or "")
            if isinstance(again, Unknown):
                assert again.cause == cause
            elif isinstance(first, Accepted):
                assert accepted(again) == accepted(first)
        assert len(desk.venue.log.calls("send")) == sends
        assert desk.states() == [state]


async def test_what_failed_is_sent_again_and_answers_for_itself(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client(schemas=None) as client:
        names = {"form_code": "F101", "object_key": "TPP-1", "period": "2026-Q3"}
        document = await client.prepare(desk.venue.document(values=("x",)), allow_unvalidated=True, **names)  # type: ignore[arg-type]
        assert isinstance(await client.wait(accepted(await client.submit(document, confirm=True))), Failed)
        again = await client.submit(document, confirm=True)
        assert (accepted(again).job_id, obstacle_in(again)) == ("1002", None)


async def test_while_the_first_waits_for_its_answer_the_second_is_unknown_and_force_waits_too(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client, desk.client() as other:
        document = await prepared(client)
        await client._sessions.get()
        desk.venue.faults.add("slow_answer", operation="send", seconds=1.0)
        first = asyncio.create_task(client.submit(document, confirm=True))
        await asyncio.sleep(0.5)
        for one in (client, other):
            for force in (False, True):
                outcome = await one.submit(document, confirm=True, force=force, i_accept_duplicate=force)
                again = unknown(outcome, "underway")
                assert held_back(again, "sending").ref == again.intent.key
                assert one.unknown() == []
        job = accepted(await first)
        assert accepted(await other.submit(document, confirm=True)) == job
        assert len(desk.venue.log.calls("send")) == 1


async def test_a_program_that_died_while_it_sent_is_found_dead_by_one_that_runs_already(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        document = await prepared(client)
        dead = await asyncio.to_thread(Uploads.open, desk.journal)
        row = dead.start(dead.prepare(document.document).ref)
        assert unknown(await client.submit(document, confirm=True), "underway").intent.key == row.ref
        dead._abandon()  # as the kernel does when a process dies
        again = unknown(await client.submit(document, confirm=True), "crashed")
        assert held_back(again, "unknown").ref == row.ref
        assert [one.intent.key for one in client.unknown()] == [row.ref]
        assert len(desk.venue.log.calls("send")) == 0


async def test_a_forced_one_that_is_there_answers_for_an_unknown_one_before_it(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        unknown(await lost(desk, client))
        document = await prepared(client)
        forced = accepted(await client.submit(document, confirm=True, force=True, i_accept_duplicate=True))
        assert accepted(await client.submit(document, confirm=True)) == forced
        assert len(client.unknown()) == 1


@pytest.mark.parametrize(
    ("user", "object_key", "period"),
    [
        ("clerk@energo.example", "HPP-7", "2026-Q3"),
        ("clerk@energo.example", "TPP-1", "2026-Q4"),
        ("narrow@energo.example", "TPP-1", "2026-Q3"),
    ],
    ids=["object", "period", "account"],
)
async def test_the_same_content_under_another_name_is_rejected_and_told_where_it_is(
    tmp_path: Path, user: str, object_key: str, period: str
) -> None:
    async with office(tmp_path) as desk:
        async with desk.client() as client:
            job = accepted(await sent(client))
        async with desk.client(user=user) as client:
            outcome = rejected(await sent(client, object_key=object_key, period=period), "guard", "duplicate")
            assert held_back(outcome, "queued").ref == job.ref
            for word in (job.job_id, "form F101, object TPP-1, period 2026-Q3, by clerk@energo.example"):
                assert word in outcome.reason
        assert len(desk.venue.log.calls("send")) == 1
