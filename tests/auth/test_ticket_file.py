"""The session that survives the process: many starts on virtual time, then real processes."""

# ruff: noqa: ASYNC240 - the files are tiny and local, and nothing else runs meanwhile

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from gridwire import clock
from gridwire.auth.errors import CasCredentialsError, CasLoginBudgetExceeded, CasThrottledError, CasUnavailable
from gridwire.auth.login_store import LoginRecord, LoginStore
from gridwire.auth.ticket_file import MAX_FILE_BYTES, TicketFile, default_path
from gridwire.errors import ConfigurationError
from gridwire.observe.events import Event, Events
from tests.auth.support.cas_server import PASSWORD, USER, CasServer, answer
from tests.auth.support.desk import desk_at

posix = pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX")
root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="giving a file away needs root")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "gridwire" / "cas-tickets.json"


@pytest.fixture
def watched(path: Path) -> tuple[LoginStore, list[Event]]:
    events: list[Event] = []
    return TicketFile(path).store("https://cas/cas/v1/", USER, Events(events.append)), events


async def start(cas: CasServer, path: Path, **options: Any) -> str:
    """One start of a program."""
    async with desk_at(cas, ticket_file=TicketFile(path), **options) as d:
        return (await d.tickets.take()).value


class TestManyStarts:
    async def test_thirty_starts_in_a_row_make_one_login(self, path: Path) -> None:
        async with CasServer() as cas:
            tickets = {await start(cas, path) for _ in range(30)}
            assert (len(tickets), cas.logins) == (30, 1)

    async def test_starts_at_the_same_time_make_one_login(self, path: Path) -> None:
        async with CasServer(latency_s=0.3) as cas:
            tickets = await asyncio.gather(*(start(cas, path) for _ in range(8)))
            assert (len(set(tickets)), cas.logins) == (8, 1)

    async def test_a_program_restarted_in_a_loop_stays_within_the_budget(self, path: Path) -> None:
        async with CasServer() as cas:
            for _ in range(100):
                cas.sessions.clear()  # the venue forgets us each time
                with suppress(CasLoginBudgetExceeded):
                    await start(cas, path)
                await asyncio.sleep(30)
            logins = [at for at, kind in cas.calls if kind == "login"]
            assert len(logins) == 10
            assert min(b - a for a, b in pairwise(logins)) >= 60

    async def test_a_program_killed_during_its_login_has_spent_it(self, path: Path) -> None:
        async with CasServer(latency_s=5.0) as cas:
            victim = asyncio.create_task(start(cas, path))
            await asyncio.sleep(1)
            victim.cancel()
            await asyncio.wait([victim])
            with pytest.raises(CasLoginBudgetExceeded):
                await start(cas, path)

    async def test_thirty_programs_with_a_wrong_password_try_it_once(self, path: Path) -> None:
        async with CasServer() as cas:
            for _ in range(30):
                with pytest.raises(CasCredentialsError):
                    await start(cas, path, password="wrong-one")
            assert cas.logins == 1
            assert "wrong-one" not in path.read_text()
            assert (await start(cas, path)).startswith("ST-")  # corrected: at once
            assert cas.logins == 2

    async def test_a_refused_password_is_tried_again_after_an_hour(self, path: Path) -> None:
        async with CasServer() as cas:
            with pytest.raises(CasCredentialsError):
                await start(cas, path, password="new")
            cas.users[USER] = "new"  # unlocked
            with pytest.raises(CasCredentialsError, match="less than an hour ago"):
                await start(cas, path, password="new")
            await asyncio.sleep(3601)
            await start(cas, path, password="new")

    async def test_or_when_a_person_insists(self, path: Path) -> None:
        async with CasServer() as cas:
            with pytest.raises(CasCredentialsError):
                await start(cas, path, password="new")
            cas.users[USER] = "new"
            async with desk_at(cas, ticket_file=TicketFile(path), password="new") as d:
                with pytest.raises(CasCredentialsError):
                    await d.tickets.take()
                d.tickets.update_credentials(USER, SecretStr("new"))
                await asyncio.sleep(61)
                await d.tickets.take()
            assert cas.logins == 2

    async def test_a_pause_holds_for_the_next_program(self, path: Path) -> None:
        async with CasServer() as cas:
            cas.login_faults.append(answer(429, retry_after="300"))
            for _ in range(3):
                with pytest.raises(CasThrottledError):
                    await start(cas, path)
                await asyncio.sleep(61)
            assert cas.logins == 1

    async def test_a_session_used_for_hours_is_still_found(self, path: Path) -> None:
        async with CasServer() as cas:
            async with desk_at(cas, ticket_file=TicketFile(path)) as d:
                for _ in range(12):
                    await d.tickets.take()
                    await asyncio.sleep(20 * 60)
            await start(cas, path)
            assert cas.logins == 1

    async def test_an_idle_session_is_left_alone(self, path: Path) -> None:
        async with CasServer() as cas:
            await start(cas, path)
            await asyncio.sleep(41 * 60)
            await start(cas, path)
            assert [kind for _, kind in cas.calls] == ["login", "ticket", "login", "ticket"]

    async def test_a_session_another_program_renewed_is_taken_over(self, path: Path) -> None:
        async with CasServer() as cas, desk_at(cas, ticket_file=TicketFile(path)) as first:
            await first.tickets.take()
            await asyncio.sleep(61)
            cas.sessions.clear()
            await start(cas, path)
            assert cas.logins == 2
            await first.tickets.take()
            assert cas.logins == 2

    async def test_logout_takes_the_session_out_of_the_file(self, path: Path) -> None:
        async with CasServer() as cas:
            await start(cas, path)
            async with desk_at(cas, ticket_file=TicketFile(path)) as d:
                await d.tickets.logout()
            assert cas.sessions == {}
            assert cas.count("logout") == 1
            assert "TGT-" not in path.read_text()

    async def test_logout_leaves_a_newer_session_of_another_program_alone(self, path: Path) -> None:
        async with CasServer() as cas, desk_at(cas, ticket_file=TicketFile(path)) as first:
            await first.tickets.take()
            await asyncio.sleep(61)
            cas.sessions.clear()
            await start(cas, path)
            await first.tickets.logout()
            assert len(cas.sessions) == 1
            await start(cas, path)
            assert cas.logins == 2

    async def test_users_and_services_are_kept_apart(self, path: Path) -> None:
        async with CasServer(users={USER: PASSWORD, "OTHER": "x"}) as cas, CasServer() as second:
            await start(cas, path)
            await start(cas, path, username="OTHER", password="x")
            await start(second, path)
            assert (cas.logins, second.logins) == (2, 1)
            await start(cas, path)
            assert cas.logins == 2

    async def test_a_wall_clock_set_back_blocks_nobody_for_long(self, path: Path) -> None:
        async with CasServer() as cas:
            await start(cas, path)
            cas.sessions.clear()
            with pytest.raises(CasCredentialsError):
                await start(cas, path, username="OTHER", password="wrong-one")
            loop = asyncio.get_running_loop()
            yesterday = datetime(2026, 11, 30, tzinfo=UTC)
            with clock.use(lambda: yesterday + timedelta(seconds=loop.time())):
                with pytest.raises(CasLoginBudgetExceeded) as caught:
                    await start(cas, path)
                assert caught.value.retry_after_s <= 60
                with pytest.raises(CasLoginBudgetExceeded):
                    await start(cas, path, username="OTHER", password="wrong-one")
                await asyncio.sleep(61)
                await start(cas, path)
                with pytest.raises(CasCredentialsError):
                    await start(cas, path, username="OTHER", password="wrong-one")
            assert cas.logins == 4


class TestFile:
    @posix
    async def test_is_private_and_holds_no_password(self, path: Path) -> None:
        async with CasServer() as cas:
            await start(cas, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert sorted(entry.name for entry in path.parent.iterdir()) == ["cas-tickets.json", "cas-tickets.json.lock"]
        text = path.read_text()
        assert PASSWORD not in text
        assert json.loads(text)["accounts"][0]["username"] == USER

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"\x00\xff",
            b"[]",
            b'{"version": 2, "accounts": []}',
            b'{"version": 1, "accounts": [{"cas_url": "u", "username": "n", "record": {"tgt": "TGT-1/../x"}}]}',
            b'{"version": 1, "accounts": [{"cas_url": "u", "username": "n", "record": {"logins": [NaN]}}]}',
            b'{"version": 1, "accounts": [{"cas_url": "u", "username": "n", "record": {"tgt": "TGT-1\\n"}}]}',
            b'{"version": 1, "accounts": [{"cas_url": "u", "username": "n", "record": {"refused": {"salt": "zz"}}}]}',
            b"[" * 100_000,
            b" " * (MAX_FILE_BYTES + 1),
        ],
    )
    async def test_that_cannot_be_read_is_replaced_with_a_warning_and_counts_as_a_login(
        self, path: Path, watched: tuple[LoginStore, list[Event]], content: bytes
    ) -> None:
        store, events = watched
        path.parent.mkdir(parents=True, mode=0o700)
        path.write_bytes(content)
        path.chmod(0o600)
        os.utime(path, (store.now() - 30, store.now() - 30))
        async with store.exclusive() as record:
            assert record.tgt is None
            assert record.logins == [pytest.approx(store.now() - 30)]
            await store.save(record)
        assert [event.name for event in events] == ["ticket_file.replaced"]
        async with store.exclusive() as record:
            assert len(record.logins) == 1
        assert len(events) == 1

    @posix
    async def test_that_others_could_read_loses_its_sessions_but_not_its_budget(
        self, path: Path, watched: tuple[LoginStore, list[Event]]
    ) -> None:
        store, events = watched
        async with store.exclusive() as record:
            record.tgt, record.tgt_used, record.logins = "TGT-1-a", store.now(), [store.now()]
            await store.save(record)
        path.chmod(0o644)
        async with store.exclusive() as record:
            assert (record.tgt, len(record.logins)) == (None, 1)
            await store.save(record)
        assert "could be read by others (mode 644)" in events[0].text
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    @root
    async def test_of_someone_else_is_replaced(self, path: Path, watched: tuple[LoginStore, list[Event]]) -> None:
        store, events = watched
        path.parent.mkdir(parents=True, mode=0o700)
        path.write_text('{"version": 1, "accounts": []}')
        os.chown(path, 12345, -1)
        async with store.exclusive() as record:
            await store.save(record)
        assert "belongs to user 12345" in events[0].text
        assert path.stat().st_uid == os.geteuid()

    @root
    async def test_in_a_directory_of_someone_else_is_not_used(
        self, path: Path, watched: tuple[LoginStore, list[Event]]
    ) -> None:
        store, events = watched
        path.parent.mkdir(parents=True, mode=0o700)
        os.chown(path.parent, 12345, -1)
        async with store.exclusive() as record:
            await store.save(record)
        assert "belongs to user 12345" in events[0].text
        assert list(path.parent.iterdir()) == []

    @posix
    async def test_in_a_directory_others_may_write_to_is_not_used_and_memory_takes_its_place(
        self, path: Path, watched: tuple[LoginStore, list[Event]]
    ) -> None:
        store, events = watched
        path.parent.mkdir(parents=True)
        path.parent.chmod(0o777)
        async with store.exclusive() as record:
            record.logins = [1.0]
            await store.save(record)
        await store.touch("TGT-1-a", 5.0)
        async with store.exclusive() as record:
            assert record.logins == [1.0]
        assert [event.name for event in events] == ["ticket_file.unusable"]
        assert "others may write" in events[0].text

    @posix
    @pytest.mark.parametrize("what", ["symlink", "directory", "pipe"])
    async def test_that_is_no_plain_file_is_not_followed(
        self, path: Path, watched: tuple[LoginStore, list[Event]], what: str
    ) -> None:
        store, events = watched
        path.parent.mkdir(parents=True, mode=0o700)
        if what == "symlink":
            elsewhere = path.with_name("elsewhere")
            elsewhere.write_text("mine")
            path.symlink_to(elsewhere)
        elif what == "directory":
            path.mkdir()
        else:
            os.mkfifo(path)
        async with store.exclusive() as record:
            record.tgt = "TGT-1-a"
            await store.save(record)
        assert events[0].name == "ticket_file.replaced"
        if what == "symlink":
            assert elsewhere.read_text() == "mine"
        if what == "directory":  # cannot be replaced: the record goes on in memory
            assert events[-1].name == "ticket_file.unusable"
        async with store.exclusive() as record:
            assert record.tgt == "TGT-1-a"

    async def test_that_vanishes_is_made_again(self, path: Path, watched: tuple[LoginStore, list[Event]]) -> None:
        store, events = watched
        for _ in range(2):
            async with store.exclusive() as record:
                assert record == LoginRecord()
                await store.save(record)
            path.unlink()
        assert events == []

    async def test_forgets_accounts_of_yesterday_and_keeps_at_most_a_hundred(self, path: Path) -> None:
        events = Events()
        for number in range(110):
            store = TicketFile(path).store(f"https://cas-{number}", USER, events)
            async with store.exclusive() as record:
                record.logins = [store.now()]
                await store.save(record)
        assert len(json.loads(path.read_text())["accounts"]) == 100
        await asyncio.sleep(86_500)
        store = TicketFile(path).store("https://cas-new", USER, events)
        async with store.exclusive() as record:
            await store.save(record)
        assert len(json.loads(path.read_text())["accounts"]) == 1


class TestTouch:
    async def test_writes_the_last_use_of_the_session_it_holds(self, watched: tuple[LoginStore, list[Event]]) -> None:
        store, _ = watched
        async with store.exclusive() as record:
            record.tgt, record.tgt_used = "TGT-1-a", store.now() - 500
            await store.save(record)
        used = store.now() - 5
        for tgt, at in (("TGT-1-a", used), ("TGT-1-a", used - 100), ("TGT-2-b", used + 1)):
            await store.touch(tgt, at)
        async with store.exclusive() as record:
            assert record.tgt_used == pytest.approx(used)

    async def test_gives_way_to_a_login(self, path: Path, watched: tuple[LoginStore, list[Event]]) -> None:
        store, _ = watched
        other = TicketFile(path).store("https://cas/cas/v1", USER, Events())
        async with store.exclusive() as record:
            record.tgt = "TGT-1-a"
            await store.save(record)
            await store.touch("TGT-1-a", 9.0)  # our own login
            await other.touch("TGT-1-a", 9.0)  # another program's
        async with store.exclusive() as record:
            assert record.tgt_used == 0.0

    @posix
    async def test_leaves_complaints_to_the_next_login(
        self, path: Path, watched: tuple[LoginStore, list[Event]]
    ) -> None:
        store, events = watched
        path.parent.mkdir(parents=True)
        path.parent.chmod(0o777)
        await store.touch("TGT-1-a", 9.0)
        assert events == []


class TestLock:
    async def test_is_waited_for_but_not_for_ever(self, path: Path, watched: tuple[LoginStore, list[Event]]) -> None:
        store, _ = watched
        other = TicketFile(path).store("https://cas/cas/v1", USER, Events())
        async with store.exclusive():
            with pytest.raises(CasUnavailable, match="Another program of this user"):
                async with other.exclusive():
                    raise AssertionError
        async with other.exclusive():
            pass

    async def test_a_waiter_that_is_cancelled_takes_nothing(
        self, path: Path, watched: tuple[LoginStore, list[Event]]
    ) -> None:
        store, _ = watched

        async def enter() -> None:
            async with store.exclusive():
                raise AssertionError

        for steps in range(4):
            waiter = asyncio.create_task(enter())
            for _ in range(steps):
                await asyncio.sleep(0)
            waiter.cancel()
            await asyncio.wait([waiter])
            assert waiter.cancelled()
        await asyncio.sleep(1)
        async with TicketFile(path).store("https://cas/cas/v1", USER, Events()).exclusive():
            pass

    async def test_a_writer_that_is_cancelled_finishes_its_file_first(
        self, path: Path, watched: tuple[LoginStore, list[Event]]
    ) -> None:
        store, events = watched

        async def write() -> None:
            async with store.exclusive() as record:
                record.logins = [store.now()]
                try:
                    await store.save(record)
                finally:
                    await store.save(record)

        for steps in range(40):
            writer = asyncio.create_task(write())
            for _ in range(steps):
                await asyncio.sleep(0)
            writer.cancel()
            await asyncio.wait([writer])
        assert events == []
        async with store.exclusive() as record:
            await store.save(record)
        assert sorted(entry.name for entry in path.parent.iterdir()) == ["cas-tickets.json", "cas-tickets.json.lock"]

    async def test_a_writer_cancelled_in_the_middle_of_the_file(
        self, path: Path, watched: tuple[LoginStore, list[Event]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, events = watched
        begun, go_on = threading.Event(), threading.Event()
        real = Path.replace

        def slow(self: Path, target: Path) -> Path:
            begun.set()
            go_on.wait(5)
            return real(self, target)

        monkeypatch.setattr(Path, "replace", slow)

        async def write() -> None:
            async with store.exclusive() as record:
                await store.save(record)

        writer = asyncio.create_task(write())
        await asyncio.to_thread(begun.wait, 5)
        writer.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not writer.done()  # it still holds the lock
        go_on.set()
        await asyncio.wait([writer])
        assert writer.cancelled()
        assert path.exists()
        assert events == []

    async def test_a_place_that_fails_while_a_waiter_is_cancelled_is_quiet(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        store = TicketFile(tmp_path / "file" / "cas.json").store("https://cas", USER, Events())

        async def enter() -> None:
            async with store.exclusive():
                raise AssertionError

        waiter = asyncio.create_task(enter())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        told: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        waiter.cancel()
        await asyncio.wait([waiter])
        await asyncio.sleep(1)
        assert waiter.cancelled()
        assert told == []

    async def test_works_where_fcntl_is_missing(
        self, path: Path, watched: tuple[LoginStore, list[Event]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fcntl = pytest.importorskip("fcntl")

        def locking(descriptor: int, mode: int, count: int) -> None:
            assert (mode, count) == (2, 1)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

        monkeypatch.setitem(sys.modules, "fcntl", None)
        monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
        store, _ = watched
        other = TicketFile(path).store("https://cas/cas/v1", USER, Events())
        async with store.exclusive() as record:
            await store.save(record)
            with pytest.raises(CasUnavailable):
                async with other.exclusive():
                    raise AssertionError
        assert path.exists()

    @posix
    async def test_a_file_system_without_locks_leaves_the_record_in_memory(
        self, watched: tuple[LoginStore, list[Event]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def flock(*_: object) -> None:
            raise OSError(37, "No locks available")

        monkeypatch.setattr("fcntl.flock", flock)
        store, events = watched
        async with store.exclusive() as record:
            assert record == LoginRecord()
        assert "No locks available" in events[0].text


class TestDefaultPath:
    @pytest.fixture(autouse=True)
    def linux(self) -> None:
        if sys.platform != "linux":
            pytest.skip("the rule for Linux")

    def test_follows_the_state_home(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        assert default_path() == TicketFile().path == tmp_path / "gridwire" / "cas-tickets.json"

    @pytest.mark.parametrize("value", ["", "relative/path"])
    def test_else_it_is_below_the_home_directory(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
    ) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", value)
        monkeypatch.setenv("HOME", str(tmp_path))
        assert default_path() == tmp_path / ".local" / "state" / "gridwire" / "cas-tickets.json"

    def test_without_a_home_directory_a_path_must_be_given(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("XDG_STATE_HOME", raising=False)

        def home() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", home)
        with pytest.raises(ConfigurationError, match="give its path with the setting ticket_file"):
            TicketFile()


class TestProcesses:
    """Real programs, in real time."""

    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, Any]]:
        return ("asyncio", {})

    async def run(self, cas: CasServer, path: Path, password: str = PASSWORD) -> str:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-m", "tests.auth.support.one_start", cas.url, str(path), password),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await asyncio.wait_for(child.communicate(), 30)
        return out.decode()

    async def test_starting_together_make_one_login(self, path: Path) -> None:
        async with CasServer(latency_s=0.05) as cas:
            tickets = await asyncio.gather(*(self.run(cas, path) for _ in range(4)))
            assert all(ticket.startswith("ST-") for ticket in tickets)
            assert (len(set(tickets)), cas.logins) == (4, 1)

    async def test_with_a_wrong_password_try_it_once(self, path: Path) -> None:
        async with CasServer() as cas:
            results = await asyncio.gather(*(self.run(cas, path, "wrong") for _ in range(2)))
            assert results == ["CasCredentialsError"] * 2
            assert cas.logins == 1

    @posix
    async def test_one_killed_in_its_login_frees_the_lock_and_has_spent_the_login(self, path: Path) -> None:
        async with CasServer(latency_s=30.0) as cas:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.auth.support.one_start", cas.url, str(path), PASSWORD)
            )
            for _ in range(200):
                if cas.logins:
                    break
                await asyncio.sleep(0.05)
            child.kill()
            await child.wait()
            assert cas.logins == 1
            assert await self.run(cas, path) == "CasLoginBudgetExceeded"
            assert cas.logins == 1
