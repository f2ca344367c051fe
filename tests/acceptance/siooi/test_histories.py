"""Random histories of an office: lost answers, nonsense answers, restarts, a person who looks. Nothing is loaded twice.

The venue may answer anything, but it does not lie: it does not refuse what it took, and does not call failed what it
loaded. That no client could know.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from gridwire.errors import GridwireError
from gridwire.intents.upload_records import Finding
from gridwire.intents.uploads import read
from gridwire.outcome import Accepted, Unknown
from gridwire.sandbox import Sandbox
from gridwire.siooi import Siooi
from tests.support.campaigns import share_of
from tests.support.virtual_loop import VirtualLoop

T = TypeVar("T")


async def wait_for(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


MEMORY = Path("/dev/shm")  # noqa: S108 - waiting for a real disk would take most of the time
HISTORIES = share_of(2000)
"""``make campaigns`` plays all of them, the test run a tenth."""
PARTS = 8
"""They run beside each other where there are cores for it."""
OBJECTS = ("TPP-1", "TPP-2", "HPP-7")
REFUSALS = (201, 202, 203, 204, 205, 206, 301, 103)

nonsense = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"", b"null", b"[]", b"{", b"<html>", b"<r/>", '{"code": "отказ"}'.encode()]),
    st.fixed_dictionaries(
        {},
        optional={
            "code": st.one_of(st.none(), st.integers(-2, 5), st.text(max_size=4), st.just(0), st.booleans()),
            "jobId": st.one_of(st.none(), st.text(max_size=6), st.integers(1000, 1010)),
            "state": st.sampled_from(["NEW", "WORK", "?", "", None]),
        },
    ).map(lambda value: json.dumps(value).encode()),
)
statuses = st.sampled_from([200, 202, 204, 302, 400, 401, 403, 404, 409, 500, 502, 503])
lost = st.sampled_from(
    [
        "drop_before_execute", "drop_after_execute", "silence_before_execute", "silence_after_execute", "half_answer",
        "close_before_read", "html", "redirect", "slow_answer", "close_after_answer",
    ]
)  # fmt: skip


class Office(RuleBasedStateMachine):
    """One venue, one journal, and clients that come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.stack = AsyncExitStack()
        self.client: Siooi | None = None
        self.journal = Path()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize()
    def open(self) -> None:
        place = MEMORY if MEMORY.is_dir() else None
        folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="gridwire-histories-", dir=place))
        self.journal = Path(folder) / "uploads.sqlite"
        self.box = self.run(self.stack.enter_async_context(Sandbox("siooi")))
        self.venue = self.box.venue("siooi")
        self.run(self.start())

    async def start(self) -> None:
        self.client = Siooi(self.box.siooi, journal=self.journal, schemas=self.venue.schemas, timeout=5)
        await self.client.__aenter__()

    @rule(content=nonsense, status=statuses, executed=st.booleans(), operation=st.sampled_from(["send", "status"]))
    def the_venue_will_talk_nonsense(self, content: bytes, status: int, executed: bool, operation: str) -> None:
        self.venue.faults.add("raw", operation=operation, content=content, status=status, executed=executed)

    @rule(kind=lost, operation=st.sampled_from(["login", "send", "send", "status"]), executed=st.booleans())
    def an_exchange_will_go_wrong(self, kind: Any, operation: str, executed: bool) -> None:
        self.venue.faults.add(
            kind, operation=operation, executed=executed, seconds=2.0 if "silence" not in kind else None
        )

    @rule(code=st.sampled_from(REFUSALS), status=st.sampled_from([200, None]))
    def the_venue_will_refuse(self, code: int, status: int | None) -> None:
        self.venue.faults.add("result", operation="send", result_code=str(code), status=status)

    @rule(name=st.sampled_from(OBJECTS), reformatted=st.booleans(), times=st.integers(1, 3))
    def somebody_submits(self, name: str, reformatted: bool, times: int) -> None:
        content = self.venue.document(object_key=name)
        content = content.replace(b"\n", b"\n ") if reformatted else content

        async def submit() -> None:
            assert self.client is not None
            document = await self.client.prepare(content, form_code="F101", object_key=name, period="2026-Q3")
            outcomes = await asyncio.gather(*(self.client.submit(document, confirm=True) for _ in range(times)))
            for outcome in outcomes:
                if isinstance(outcome, (Accepted, Unknown)):
                    assert outcome.intent.key

        self.run(submit())

    @rule(seconds=st.sampled_from([0.5, 3, 12, 700, 7300]))
    def time_passes(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @rule()
    def jobs_are_followed(self) -> None:
        async def follow() -> None:
            assert self.client is not None
            for job in await self.client.pending():
                try:
                    await self.client.wait(job, deadline=60)
                except GridwireError:
                    continue

        self.run(follow())

    @rule()
    def the_session_ends(self) -> None:
        self.venue.registry.end_sessions()

    @rule(while_sending=st.booleans(), name=st.sampled_from(OBJECTS), seconds=st.sampled_from([0.0, 0.001, 1.5]))
    def the_program_starts_again(self, while_sending: bool, name: str, seconds: float) -> None:
        async def again() -> None:
            assert self.client is not None
            if while_sending:
                content = self.venue.document(object_key=name)
                document = await self.client.prepare(content, form_code="F101", object_key=name, period="2026-Q3")
                task = asyncio.ensure_future(self.client.submit(document, confirm=True))
                await asyncio.sleep(seconds)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            await self.client.__aexit__(None, None, None)
            await self.start()

        self.run(again())

    @rule()
    def a_person_looks(self) -> None:
        async def settle() -> None:
            assert self.client is not None
            loaded = {job.sha256 for job in self.venue.registry.jobs.values()}
            for row in await self.client.uploads():
                if row.state in ("unknown", "expired"):
                    finding: Finding = "present" if row.document.exact_sha256 in loaded else "absent"
                    await self.client.resolve(row.ref, finding, by="Иванова", note="в кабинете")

        self.run(settle())

    @invariant()
    def nothing_is_loaded_twice(self) -> None:
        if self.client is None:
            return
        uploads = Counter(job.object_key for job in self.venue.registry.jobs.values())
        assert all(times == 1 for times in uploads.values()), uploads

    @invariant()
    def what_is_loaded_is_in_the_journal(self) -> None:
        if self.client is None:
            return
        blocking = {"queued", "processing", "succeeded", "unknown", "expired", "resolved_present"}
        known = {row.document.object_key for row in read(self.journal) if row.state in blocking}
        assert {job.object_key for job in self.venue.registry.jobs.values()} <= known

    def teardown(self) -> None:
        async def end() -> None:
            if self.client is not None:
                await self.client.__aexit__(None, None, None)
            await self.stack.aclose()

        self.run(end())
        left = asyncio.all_tasks(self.loop)  # of requests that the venue still leaves without an answer
        for task in left:
            task.cancel()
        self.run(wait_for(left))
        self.run(self.loop.shutdown_default_executor())
        self.loop.close()


@pytest.mark.parametrize("part", range(PARTS))
def test_G22_no_history_of_answers_leads_to_a_second_upload(part: int) -> None:
    run_state_machine_as_test(
        Office,
        settings=settings(
            max_examples=HISTORIES // PARTS,
            stateful_step_count=12,
            deadline=None,
            print_blob=False,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
