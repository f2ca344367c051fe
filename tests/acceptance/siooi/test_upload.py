"""One document, from its file to its outcome, over wires that share nothing but the client."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gridwire import clock
from gridwire.cli.siooi import reasons
from gridwire.cli.siooi.documents import _left, outcome_as_dict
from gridwire.cli.siooi.words import Words
from gridwire.errors import InvalidInput, ReadOnly
from gridwire.outcome import Rejected
from gridwire.sandbox.siooi import profiles
from gridwire.siooi import Failed, Siooi, Succeeded, load_profile
from gridwire.siooi.enums import ResultCode
from gridwire.siooi.wire import SendAnswer
from tests.acceptance.siooi.office import accepted, held_back, office, prepared, rejected, sent, unknown

WIRES = ("json", "soap", "third")


@pytest.mark.parametrize("encoding", ["UTF-8", "windows-1251"])
@pytest.mark.parametrize("wire", WIRES)
async def test_G01_a_document_is_loaded_and_signed_byte_for_byte(tmp_path: Path, wire: str, encoding: str) -> None:
    async with office(tmp_path) as desk, desk.client(wire) as client:
        content = desk.venue.document(encoding=encoding)
        progress: list[tuple[int, int]] = []
        document = await prepared(client, content)
        assert "Подписан" not in document.summary()
        outcome = await client.submit(document, confirm=True, on_progress=lambda *of: progress.append(of))
        job = accepted(outcome)
        assert desk.states() == ["queued"]
        result = await client.wait(job)
        assert isinstance(result, Succeeded)
        assert result.document_status == "Подписан"
        (upload,) = desk.venue.log.uploads()
        assert upload.sha256 == hashlib.sha256(content).hexdigest()
        assert upload.job_id == job.job_id
        assert progress[-1][0] == progress[-1][1] >= len(content)
        assert desk.states() == ["succeeded"]
        assert [event.name for event in desk.named("job.succeeded")] == ["job.succeeded"]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    ("user", "names", "content", "code"),
    [
        ("reader@energo.example", {}, {}, ResultCode.NO_ROLE),
        ("narrow@energo.example", {"form_code": "F102"}, {"form": "F102", "values": ("1",)}, ResultCode.NO_FORM_ACCESS),
        ("narrow@energo.example", {"object_key": "TPP-2"}, {"object_key": "TPP-2"}, ResultCode.NO_OBJECT_ACCESS),
    ],
    ids=["role", "form", "object"],
)
async def test_G03_a_missing_right_is_a_typed_refusal_and_the_document_may_be_sent_again(
    tmp_path: Path, wire: str, user: str, names: dict[str, str], content: dict[str, Any], code: ResultCode
) -> None:
    async with office(tmp_path) as desk, desk.client(wire, user) as client:
        outcome = rejected(await sent(client, desk.venue.document(**content), **names), "venue", code.value)
        assert isinstance(outcome.raw, SendAnswer)
        assert outcome.raw.said.code is code
        assert f"code {outcome.raw.said.raw_code}:" in outcome.reason
        assert desk.states() == ["refused"]
        rejected(await sent(client, desk.venue.document(**content), **names), "venue", code.value)
        assert desk.states() == ["refused", "refused"]
        assert desk.venue.log.uploads() == []


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("executed", [False, True])
async def test_G04_a_code_nobody_mapped_is_unknown_and_kept_as_it_came(
    tmp_path: Path, wire: str, executed: bool
) -> None:
    async with office(tmp_path) as desk, desk.client(wire) as client:
        desk.venue.faults.add("result", operation="send", result_code="777", executed=executed)
        outcome = unknown(await sent(client), "contradictory")
        (answer,) = outcome.raw
        assert (answer.said.code, answer.said.raw_code) == (ResultCode.UNMAPPED, "777")
        assert desk.states() == ["unknown"]
        assert "777" in (await client.uploads())[0].answer
        held_back(unknown(await sent(client), "contradictory"), "unknown")


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ({"code": 999, "jobId": "5"}, "contradictory"),
        ({"code": 101, "jobId": "5"}, "contradictory"),
        ({"code": 101, "jobId": False}, "contradictory"),
        ({"code": 0, "jobId": False}, "no_id"),
        ({"jobId": True}, "no_id"),
    ],
)
async def test_G04_a_rule_about_the_status_alone_takes_no_refusal_for_a_queued_document(
    tmp_path: Path, answer: dict[str, Any], cause: str
) -> None:
    async with office(tmp_path) as desk:
        described = profiles.simulator(desk.venue.origin)
        described["send"]["queued_when"] = [{"status": 200}]
        account = replace(desk.account("json"), profile=load_profile(described))
        desk.venue.faults.add(
            "raw", operation="send", status=200, content_type="application/json", content=json.dumps(answer).encode()
        )
        async with Siooi(account, journal=desk.journal, schemas=desk.venue.schemas) as client:
            unknown(await sent(client), cause)
        assert desk.states() == ["unknown"]


LOST = {
    "drop_after_execute": "disconnected",
    "silence_after_execute": "timeout",
    "half_answer": "disconnected",
}


@pytest.mark.parametrize("wire", WIRES)
async def test_G05_a_job_whose_answer_is_lost_is_unknown_and_the_server_saw_one_upload(
    tmp_path: Path, wire: str
) -> None:
    async with office(tmp_path) as desk, desk.client(wire) as client:
        desk.venue.faults.add("drop_after_execute", operation="send")
        document = await prepared(client)
        outcome = unknown(await client.submit(document, confirm=True), "disconnected")
        assert len(desk.venue.log.calls("send")) == len(desk.venue.log.uploads()) == 1
        assert [one.intent.key for one in client.unknown()] == [outcome.intent.key]
        again = unknown(await client.submit(document, confirm=True), "disconnected")
        assert held_back(again, "unknown").ref == outcome.intent.key
        assert (again.intent, again.reason.count(outcome.intent.key)) == (outcome.intent, 1)
        assert [one.intent.key for one in client.unknown()] == [outcome.intent.key]
        assert len(desk.venue.log.calls("send")) == 1
        assert desk.states() == ["unknown"]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    ("fault", "more", "cause"),
    [
        ("silence_after_execute", {}, "timeout"),
        ("silence_before_execute", {}, "timeout"),
        ("half_answer", {}, "disconnected"),
        ("drop_before_execute", {}, "disconnected"),
        ("rst_after_execute", {}, "disconnected"),
        ("status", {"status": 502, "executed": True}, "http_status"),
        ("status", {"status": 401, "executed": True}, "http_status"),
        ("status", {"status": 403}, "http_status"),
        ("redirect", {"executed": True}, "redirect"),
        ("html", {"executed": True}, "unreadable"),
        ("html", {"status": 403, "executed": True}, "unreadable"),
        ("raw", {"content": b"", "executed": True}, "unreadable"),
        ("raw", {"content": b'{"code": 0', "executed": True, "status": 202}, "unreadable"),
        ("raw", {"content": b"\xff\xfe\x00", "executed": True}, "unreadable"),
        ("raw", {"content": b"<a><!DOCTYPE x></a>", "content_type": "text/xml", "executed": True}, "unreadable"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values()))[:20],
)
async def test_G06_every_answer_that_no_rule_names_is_unknown(
    tmp_path: Path, wire: str, fault: Any, more: dict[str, Any], cause: str
) -> None:
    async with office(tmp_path) as desk, desk.client(wire) as client:
        desk.venue.faults.add(fault, operation="send", **more)
        outcome = unknown(await sent(client), cause)
        assert "does not send it again" in outcome.reason
        assert len(desk.venue.log.calls("send")) == 1
        held_back(unknown(await sent(client), cause), "unknown")
        assert len(desk.venue.log.calls("send")) == 1
        assert desk.states() == ["unknown"]


async def test_http_429_is_certainly_not_in_the_queue(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        desk.venue.faults.add("status", operation="send", status=429)
        assert rejected(await sent(client), "venue", "429").repeatable
        accepted(await sent(client))
        assert desk.states() == ["refused", "queued"]


async def test_success_without_a_job_id_is_unknown(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        desk.venue.faults.add("raw", operation="send", content=b'{"code": 0}', status=202, executed=True)
        unknown(await sent(client), "no_id")
        assert desk.states() == ["unknown"]


async def test_an_unknown_upload_whose_answer_named_a_job_can_be_followed(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        content = b'{"code": 778, "jobId": "1001"}'
        desk.venue.faults.add("raw", operation="send", content=content, status=202, executed=True)
        outcome = unknown(await sent(client), "contradictory")
        (job,) = await client.pending()
        assert job.job_id == "1001"
        assert isinstance(await client.wait(outcome.intent.key), Succeeded)
        assert client.unknown() == []
        assert desk.states() == ["succeeded"]


async def test_G11_a_persons_absent_lets_it_be_sent_again_and_force_alone_does_not(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        desk.venue.faults.add("drop_before_execute", operation="send")
        document = await prepared(client)
        outcome = unknown(await client.submit(document, confirm=True))
        with pytest.raises(InvalidInput, match="only with both"):
            await client.submit(document, confirm=True, force=True)
        with pytest.raises(InvalidInput, match="only with both"):
            await client.submit(document, confirm=True, i_accept_duplicate=True)
        await client.resolve(outcome.intent.key, "absent", by="Иванова", note="в личном кабинете документа нет")
        assert client.unknown() == []
        accepted(await client.submit(document, confirm=True))
        assert desk.states() == ["resolved_absent", "queued"]
        assert len(desk.venue.log.uploads()) == 1
        forced = await client.submit(document, confirm=True, force=True, i_accept_duplicate=True)
        accepted(forced)
        assert len(desk.venue.log.uploads()) == 2
        assert (await client.uploads())[-1].forced_over is not None


@pytest.mark.parametrize(("retry_after", "pause_s"), [("7", 7.0), (None, 60.0), ("soon", 60.0)])
async def test_too_many_uploads_say_when_the_document_may_be_sent_again(
    tmp_path: Path, retry_after: str | None, pause_s: float
) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        began = clock.now()
        desk.venue.faults.add("status", operation="send", status=429, retry_after=retry_after)
        document = await prepared(client)
        no = rejected(await client.submit(document, confirm=True), "venue", "429")
        assert (no.repeatable, no.retry_after_s) == (True, pause_s)
        assert f"in {pause_s:g} s at the earliest" in no.reason
        assert f"Повторить можно через {pause_s:g} с." in reasons.refusal(no, Words("ru"))
        assert outcome_as_dict(no)["retry_after_s"] == pause_s
        told = await _left(client, document, began)  # what a command that was interrupted reads in the journal
        assert isinstance(told, Rejected)
        assert (told.code, told.origin, told.repeatable, told.retry_after_s) == ("429", "venue", True, pause_s)
        accepted(await client.submit(document, confirm=True))


async def test_a_withdrawn_document_is_replaced_by_the_corrected_one(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        assert isinstance(await client.wait(job), Succeeded)
        corrected = desk.venue.document(values=("13.5", "41"))
        blocked = rejected(await sent(client, corrected), "guard", "duplicate")
        assert "support delete it" in blocked.reason
        letter = await client.support_request(job)
        assert all(word in letter for word in ("Удаление", job.job_id, job.object_key, job.period, job.ref))
        with pytest.raises(InvalidInput):
            await client.deleted_by_support(job.ref, by="Иванова", note=" ")
        await client.deleted_by_support(job.ref, by="Иванова", note="обращение 4711 от 27.11.2026")
        second = accepted(await sent(client, corrected))
        assert isinstance(await client.wait(second), Succeeded)
        first, last = await client.uploads()
        assert (first.state, last.state, last.supersedes) == ("withdrawn", "succeeded", first.ref)
        assert "4711" in first.note


async def test_G15_a_session_about_to_end_is_renewed_before_the_document_leaves(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        first = await prepared(client)
        await client.submit(first, confirm=True)
        await asyncio.sleep(539)
        accepted(await sent(client, desk.venue.document(object_key="TPP-2"), object_key="TPP-2"))
        assert desk.venue.registry.logins == 1
        await asyncio.sleep(2)
        accepted(await sent(client, desk.venue.document(object_key="HPP-7"), object_key="HPP-7"))
        assert desk.venue.registry.logins == 2
        assert [call.code for call in desk.venue.log.calls("send")] == ["OK"] * 3


async def test_a_session_refused_during_the_send_is_not_a_reason_to_send_again(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        await client.wait(job)
        desk.venue.registry.end_sessions()
        document = await prepared(client, desk.venue.document(object_key="TPP-2"), object_key="TPP-2")
        outcome = rejected(await client.submit(document, confirm=True), "venue", "SESSION_EXPIRED")
        assert outcome.repeatable
        assert len(desk.venue.log.calls("send")) == 2
        accepted(await client.submit(document, confirm=True))  # the caller's decision; a new login comes first
        assert desk.venue.registry.logins == 2


async def test_G18_an_invalid_document_never_reaches_the_network(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        for wrong in (b"", b"<document", b"no xml", desk.venue.document(values=("many",)), b"\xff\xfe<\x00a\x00"):
            with pytest.raises(InvalidInput):
                await prepared(client, wrong or b" ")
        with pytest.raises(InvalidInput, match="There is no schema F999"):
            await prepared(client, form_code="F999")
        with pytest.raises(InvalidInput):
            await client.submit(desk.venue.document(), confirm=True)  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match="confirm=True"):
            await client.submit(await prepared(client), confirm=False)
        assert len(desk.venue.log) == 0
        assert desk.states() == []


async def test_a_document_without_a_schema_needs_a_persons_word(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client(schemas=None) as client:
        content = desk.venue.document(values=("many",))
        with pytest.raises(InvalidInput, match="no folder of schemas"):
            await prepared(client, content)
        document = await client.prepare(
            content, form_code="F101", object_key="TPP-1", period="2026-Q3", allow_unvalidated=True
        )
        assert "NOT CHECKED" in document.summary()
        result = await client.wait(accepted(await client.submit(document, confirm=True)))
        assert isinstance(result, Failed)


async def test_bytes_that_were_not_hashed_are_not_sent(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        other = replace(await prepared(client), content=desk.venue.document(values=("99",)))
        outcome = rejected(await client.submit(other, confirm=True), "guard")
        assert "not the one that prepare() hashed" in outcome.reason
        assert desk.venue.log.calls("send") == []


async def test_a_read_only_client_sends_nothing(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client(read_only=True) as client:
        with pytest.raises(ReadOnly):
            await sent(client)
        assert len(desk.venue.log) == 0


async def test_uploads_keep_their_pause_and_use_fresh_connections(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        documents = [
            await prepared(client, desk.venue.document(object_key=name), object_key=name)
            for name in ("TPP-1", "TPP-2", "HPP-7")
        ]
        outcomes = await asyncio.gather(*(client.submit(one, confirm=True) for one in documents))
        assert sorted(accepted(one).job_id for one in outcomes) == ["1001", "1002", "1003"]
        at = [call.at for call in desk.venue.log.calls("send")]
        assert [later - at[0] for later in at] == pytest.approx([0, 1, 2], abs=0.1)
        assert desk.venue.registry.logins == 1


@pytest.mark.parametrize("delay_s", [0.0, 0.5])
async def test_a_cancelled_submit_is_remembered(tmp_path: Path, delay_s: float) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        desk.venue.faults.add("silence_after_execute", operation="send")
        document = await prepared(client)
        task = asyncio.create_task(client.submit(document, confirm=True))
        await asyncio.sleep(delay_s)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        if delay_s:
            assert [one.cause for one in client.unknown()] == ["cancelled"]
            assert desk.states() == ["unknown"]
            assert len(desk.venue.log.uploads()) == 1
        else:
            assert client.unknown() == []
            assert desk.states() in ([], ["not_sent"])


async def test_a_listener_that_fails_loses_no_document(tmp_path: Path) -> None:
    def broken(sent: int, total: int) -> None:
        raise RuntimeError(sent)

    async with office(tmp_path) as desk, desk.client() as client:
        accepted(await client.submit(await prepared(client), confirm=True, on_progress=broken))
        assert desk.named("listener.failed")


async def test_documents_come_as_bytes_paths_and_elements(tmp_path: Path) -> None:
    from gridwire.transport import xml

    async with office(tmp_path) as desk, desk.client() as client:
        content = desk.venue.document()
        path = tmp_path / "документ.xml"
        path.write_bytes(content)
        hashes = {
            (
                await client.prepare(one, form_code="F101", object_key="TPP-1", period="2026-Q3")
            ).document.canonical_sha256
            for one in (content, path, str(path), xml.parse(content))
        }
        assert len(hashes) == 1
        with pytest.raises(InvalidInput, match="cannot be read"):
            await client.prepare(tmp_path / "none.xml", form_code="F101", object_key="TPP-1", period="2026-Q3")


async def test_a_document_of_another_account_is_not_sent_under_this_one(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client, desk.client(user="narrow@energo.example") as other:
        document = await prepared(client)
        with pytest.raises(InvalidInput, match="another account"):
            await other.submit(document, confirm=True)
        assert isinstance(client, Siooi)


async def test_a_client_closed_before_a_byte_left_has_sent_nothing(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        first = await prepared(client)
        second = await prepared(client, desk.venue.document(object_key="TPP-2"), object_key="TPP-2")
        accepted(await client.submit(first, confirm=True))
        task = asyncio.create_task(client.submit(second, confirm=True))  # it keeps the pause of a second
        await asyncio.sleep(0.5)
        await client._http.__aexit__(None, None, None)
        rejected(await task, "wire")
        assert desk.states() == ["queued", "not_sent"]
        assert len(desk.venue.log.calls("send")) == 1


async def test_a_submit_cancelled_while_the_journal_is_busy_has_sent_nothing(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        document = await prepared(client)
        await client._sessions.get()
        with closing(sqlite3.connect(desk.journal, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # another program writes, so ours waits for the disk
            task = asyncio.create_task(client.submit(document, confirm=True))
            for _ in range(500):
                await asyncio.sleep(0)
            task.cancel()
            other.execute("ROLLBACK")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert desk.states() in ([], ["not_sent"])
        assert desk.venue.log.calls("send") == []
        accepted(await client.submit(document, confirm=True))


async def test_a_journal_that_breaks_before_the_first_byte_keeps_the_document_here(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        accepted(await sent(client))
        second = await prepared(client, desk.venue.document(object_key="TPP-2"), object_key="TPP-2")
        task = asyncio.create_task(client.submit(second, confirm=True))  # it keeps the pause of a second
        await asyncio.sleep(0.5)
        desk.journal.write_bytes(b"damaged" * 1000)
        rejected(await task, "guard", "journal")
        assert len(desk.venue.log.calls("send")) == 1


async def test_what_the_wire_cannot_carry_is_refused_before_it(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        described = profiles.simulator(desk.venue.origin)
        described["send"]["headers"] = {"X-Object": "{object_key}"}
        account = desk.venue.account(profile=load_profile(described))
        async with Siooi(account, journal=desk.journal, schemas=desk.venue.schemas) as client:
            outcome = rejected(await sent(client, object_key="ТЭЦ-1"), "guard", "profile")
            assert "X-Object" in outcome.reason
            assert desk.states() == []
            assert desk.venue.log.calls("send") == []


@pytest.mark.parametrize(("fault", "state"), [("silence_after_execute", "unknown"), ("slow_answer", "queued")])
async def test_closing_the_client_loses_no_upload_that_has_left(tmp_path: Path, fault: str, state: str) -> None:
    async with office(tmp_path) as desk:
        options = {"chunk": 20, "seconds": 0.3} if fault == "slow_answer" else {}
        desk.venue.faults.add(fault, operation="send", **options)  # type: ignore[arg-type]
        async with desk.client() as client:
            documents = [
                await prepared(client, desk.venue.document(object_key=name), object_key=name)
                for name in ("TPP-1", "TPP-2")
            ]
            first = asyncio.create_task(client.submit(documents[0], confirm=True))
            await asyncio.sleep(0.5)
            second = asyncio.create_task(client.submit(documents[1], confirm=True))
            await asyncio.sleep(0.1)
        if state == "queued":
            accepted(await first)
        else:
            unknown(await first)
            assert [one.intent.key for one in client.unknown()] == [(await first).intent.key]  # type: ignore[union-attr]
        late = rejected(await second, "guard", "closed")
        assert "Nothing was sent" in late.reason
        assert desk.states() == [state]
        assert len(desk.venue.log.calls("send")) == 1


async def test_a_journal_that_fails_replaces_no_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        document = await prepared(client)

        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("a surprise")

        monkeypatch.setattr("gridwire.intents.uploads.Uploads.record", broken)
        accepted(await client.submit(document, confirm=True))
        assert "could not be written down (RuntimeError)" in desk.named("journal.trouble")[0].text
        assert desk.states() == ["sending"]
