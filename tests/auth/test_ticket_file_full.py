"""A ticket file that can be locked and not written, as on a full disk: no login is made that could not be counted."""

# ruff: noqa: ASYNC240 - the files are tiny and local, and nothing else runs meanwhile

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gridwire.auth.errors import CasLoginBudgetExceeded
from gridwire.auth.ticket_file import TicketFile
from tests.auth.support.cas_server import CasServer
from tests.auth.support.desk import desk_at


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "cas-tickets.json"


async def start(cas: CasServer, path: Path) -> str:
    """One start of a program."""
    async with desk_at(cas, ticket_file=TicketFile(path)) as d:
        return (await d.tickets.take()).value


def block(path: Path) -> Path:
    """Put something that stays at the place of the file's next version."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    blocked = path.with_name(path.name + ".new")
    blocked.mkdir()
    return blocked


async def test_a_program_restarted_in_a_loop_does_not_log_in_at_all(path: Path) -> None:
    blocked = block(path)
    async with CasServer() as cas:
        for _ in range(5):
            async with desk_at(cas, ticket_file=TicketFile(path)) as d:
                with pytest.raises(CasLoginBudgetExceeded, match=r"cannot be counted: .* cannot be written") as caught:
                    await d.tickets.take()
                assert caught.value.retry_after_s == 60
                assert d.told("ticket_file.unusable") == []
        assert cas.logins == 0
        blocked.rmdir()
        assert await start(cas, path)
        assert cas.logins == 1


async def test_one_that_fills_up_once_the_login_was_counted_costs_no_session_and_is_told_once(path: Path) -> None:
    async with CasServer(latency_s=1.0) as cas:
        async with desk_at(cas, ticket_file=TicketFile(path)) as d:
            first = asyncio.create_task(d.tickets.take())
            await asyncio.sleep(0.5)
            blocked = block(path)
            await first
            for _ in range(3):
                await asyncio.sleep(120)
                await d.tickets.take()
            assert cas.logins == 1
            assert len(d.told("ticket_file.unusable")) == 1
        with pytest.raises(CasLoginBudgetExceeded):
            await start(cas, path)
        blocked.rmdir()
        assert len(json.loads(path.read_text())["accounts"][0]["record"]["logins"]) == 1
        assert cas.logins == 1
