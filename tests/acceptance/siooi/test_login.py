"""Logins: one try, one at a time, in time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr

from gridwire.errors import AuthProtocolError, AuthThrottled, AuthUnavailable, CredentialsRefused
from gridwire.siooi import Account, JobState, Siooi, Succeeded
from tests.acceptance.siooi.office import Office, accepted, office, prepared, rejected, sent

WIRES = ("json", "soap", "third")


def wrong(desk: Office, wire: str) -> Account:
    right: Account = desk.account(wire)
    return Account(right.profile, right.login, SecretStr("Gizli&Söz не тот"))


@pytest.mark.parametrize("wire", WIRES)
async def test_G02_a_wrong_password_is_tried_once(tmp_path: Path, wire: str) -> None:
    async with office(tmp_path) as desk:
        async with Siooi(wrong(desk, wire), journal=desk.journal, schemas=desk.venue.schemas) as client:
            document = await prepared(client)
            for _ in range(3):
                outcome = rejected(await client.submit(document, confirm=True), "security", "BAD_CREDENTIALS")
                assert not outcome.repeatable
                assert "Gizli" not in outcome.reason
        (only,) = desk.venue.log.calls("login")
        assert only.code == "BAD_CREDENTIALS"
        assert desk.venue.log.calls("send") == []
        assert desk.states() == []


@pytest.mark.parametrize("wire", WIRES)
async def test_a_locked_account_is_said_to_be_locked(tmp_path: Path, wire: str) -> None:
    async with office(tmp_path) as desk:
        desk.venue.knobs.lock_after = 0
        async with desk.client(wire) as client:
            outcome = rejected(await sent(client), "security", "BAD_CREDENTIALS")
            assert "locked" in outcome.reason


async def test_a_login_nobody_can_read_is_not_repeated(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        desk.venue.faults.add("html", operation="login")
        for _ in range(2):
            outcome = rejected(await sent(client), "security", "login_unreadable")
            assert "does not log in again" in outcome.reason
        assert len(desk.venue.log.calls("login")) == 1


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [("drop_before_execute", None, AuthUnavailable), ("status", 503, AuthUnavailable), ("status", 429, AuthThrottled)],
)
async def test_a_login_that_says_nothing_about_the_password_may_be_tried_again(
    tmp_path: Path, fault: str, status: int | None, error: type[Exception]
) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        desk.venue.faults.add(fault, operation="login", status=status)  # type: ignore[arg-type]
        outcome = rejected(await sent(client), "security")
        assert outcome.repeatable
        if status == 429:  # the pause is kept, whoever asks
            assert 0 < (rejected(await sent(client), "security", "429").retry_after_s or 0) <= 60
            assert len(desk.venue.log.calls("login")) == 1
            await asyncio.sleep(60)
        accepted(await sent(client))
        assert issubclass(error, Exception)
        assert len(desk.venue.log.calls("login")) == 2


@pytest.mark.parametrize("wire", WIRES)
async def test_G14_a_session_that_ends_while_polling_is_renewed_once(tmp_path: Path, wire: str) -> None:
    async with office(tmp_path) as desk, desk.client(wire) as client:
        desk.venue.knobs.run_s = 60
        job = accepted(await sent(client))
        waiting = asyncio.create_task(client.wait(job))
        await asyncio.sleep(10)
        desk.venue.registry.end_sessions()
        assert isinstance(await waiting, Succeeded)
        assert desk.venue.registry.logins == 2
        assert len(desk.venue.log.calls("send")) == 1


async def test_G14_fifty_polls_make_one_login(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        desk.venue.registry.end_sessions()
        found = await asyncio.gather(*(client.status(job) for _ in range(50)))
        assert {status.state for status in found} == {JobState.QUEUED}
        assert desk.venue.registry.logins == 2


async def test_credentials_refused_while_polling_end_the_wait(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        desk.venue.registry.end_sessions()
        desk.venue.registry.passwords[desk.account("json").login] = "changed meanwhile"
        with pytest.raises(CredentialsRefused):
            await client.wait(job)
        with pytest.raises(CredentialsRefused):
            await client.status(job)
        assert len(desk.venue.log.calls("login")) == 2
        assert desk.states() == ["queued"]


async def test_logging_out_ends_the_session_at_the_venue(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        await client.logout()
        job = accepted(await sent(client))
        await client.logout()
        assert desk.venue.registry.tokens == []
        await client.status(job)
        assert desk.venue.registry.logins == 2


async def test_a_logout_that_is_lost_is_told_and_forgotten(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        accepted(await sent(client))
        desk.venue.faults.add("drop_before_execute", operation="logout")
        await client.logout()
        assert len(desk.named("logout.lost")) == 1


async def test_errors_of_a_login_are_what_status_raises(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        job = accepted(await sent(client))
        desk.venue.registry.end_sessions()
        desk.venue.faults.add("redirect", operation="login")
        with pytest.raises(AuthProtocolError):
            await client.status(job)


async def test_G02_a_password_refused_to_one_program_is_not_tried_by_the_next(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        for number in range(4):
            async with Siooi(wrong(desk, "json"), journal=desk.journal, schemas=desk.venue.schemas) as client:
                outcome = rejected(await sent(client), "security", "BAD_CREDENTIALS")
                assert ("earlier program" in outcome.reason) == (number > 0)
        assert len(desk.venue.log.calls("login")) == 1
        async with desk.client() as client:  # corrected, it is tried at once
            accepted(await sent(client))
        assert len(desk.venue.log.calls("login")) == 2


async def test_a_sandbox_of_its_own_remembers_no_password_after_the_client(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:
        for _ in range(2):
            async with Siooi(wrong(desk, "json"), schemas=desk.venue.schemas) as client:
                rejected(await sent(client), "security", "BAD_CREDENTIALS")
        assert len(desk.venue.log.calls("login")) == 2


@pytest.mark.parametrize("answer", ["html", "odd"])
async def test_a_login_nobody_can_read_is_not_repeated_by_the_next_program(tmp_path: Path, answer: str) -> None:
    async with office(tmp_path) as desk:
        for number in range(3):
            async with desk.client() as client:
                if answer == "html":
                    desk.venue.faults.add("html", operation="login")
                else:
                    odd = "application/json; charset=undefined"
                    desk.venue.faults.add("raw", operation="login", status=200, content_type=odd, content=b"{}")
                for _ in range(2):
                    outcome = rejected(await sent(client), "security")
                assert ("earlier program" in outcome.reason) == (number > 0)
                assert number == 0 or str(desk.journal) in outcome.reason
        assert len(desk.venue.log.calls("login")) == 1


async def test_G02_programs_that_log_in_at_once_try_a_wrong_password_once(tmp_path: Path) -> None:
    async with office(tmp_path) as desk:

        async def program() -> None:
            async with Siooi(wrong(desk, "json"), journal=desk.journal, schemas=desk.venue.schemas) as client:
                rejected(await sent(client), "security", "BAD_CREDENTIALS")

        await asyncio.gather(*(program() for _ in range(6)))
        assert len(desk.venue.log.calls("login")) == 1
