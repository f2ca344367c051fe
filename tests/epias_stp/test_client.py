"""epias_stp/client.py: what the client is made of, and what it does when it is opened, warmed up and closed."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gridwire.epias_stp import TEST, Account, EpiasStp, Profile, client
from gridwire.epias_stp.profile import StpSettings
from gridwire.errors import ConfigurationError, ProtocolError, WrongLoop
from gridwire.outcome import Unknown
from gridwire.sandbox import Sandbox
from gridwire.transport.websocket import Connection
from tests.acceptance.epias_stp.floor import BID, TODAY, floor, until
from tests.support.planted import PASSWORD


async def test_nothing_is_asked_of_the_venue_before_the_first_call() -> None:
    async with floor() as f:
        await asyncio.sleep(3600)
        assert len(f.venue.cas.log) == 0
        assert f.stp.profile == f.account().profile
        assert f.stp.unknown() == []


async def test_warmed_up_client_pays_for_nothing_at_the_first_order() -> None:
    async with floor() as f:
        await f.stp.warm_up()
        await f.stp.warm_up()
        await until(lambda: f.venue.cas.count("service_ticket") == 2)
        before = f.venue.cas.count("service_ticket")
        f.venue.cas_faults.add("silence_before_execute", times=None)  # it would not get a ticket now
        await f.bid()
        assert f.venue.cas.count("login") == 1
        assert before == 2


async def test_closing_leaves_no_task_behind() -> None:
    async with floor() as f:
        before = asyncio.all_tasks()
        async with EpiasStp(f.account()) as stp:
            await stp.warm_up()
            stream = stp.broadcast()
            assert await anext(stream) == Connection("connected")
            await stp.contracts.standard()
        await until(lambda: f.venue.broadcast.connected == 0)
        ours = [task for task in asyncio.all_tasks() - before if "gridwire-" in task.get_name()]
        assert ours == []
        with pytest.raises(WrongLoop, match="Nothing was sent"):
            await stp.contracts.standard()


async def test_unknown_outcomes_are_given_as_a_copy() -> None:
    async with floor() as f:
        f.venue.faults.add("drop_before_execute")
        outcome = await f.stp.bids.save(TODAY, **BID)
        assert isinstance(outcome, Unknown)
        f.stp.unknown().clear()
        assert f.stp.unknown() == [outcome]


async def test_logged_out_client_logs_in_again_for_the_next_call() -> None:
    async with floor() as f:
        await f.stp.warm_up()
        await f.bid()
        await f.stp.logout()
        assert f.venue.cas.count("logout") == 1
        tickets = f.venue.cas.count("service_ticket")
        await asyncio.sleep(60)
        assert f.venue.cas.count("service_ticket") == tickets, "no longer armed"
        await f.bid()
        assert f.venue.cas.count("login") == 2


async def test_broadcast_without_an_address_is_asked_again() -> None:
    nowhere = b'{"resultCode":"0","resultDescription":"OK","resultType":"SUCCESS","body":{}}'
    async with floor() as f:
        f.venue.faults.add("raw", content=nowhere, content_type="application/json")
        stream = f.stp.broadcast()
        lost, connected = await anext(stream), await anext(stream)
        assert isinstance(lost, Connection)
        assert lost.reason == str(ProtocolError("STP named no address for its broadcast; it is asked again."))
        assert connected == Connection("connected")


async def test_ticket_file_keeps_the_session_for_the_next_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with floor() as f:
        for choice in (True, True, tmp_path / "gridwire" / "cas-tickets.json", str(tmp_path / "other.json")):
            async with EpiasStp(f.account(), ticket_file=choice) as stp:
                await stp.contracts.standard()
        assert f.venue.cas.count("login") == 2, "one for each file"
        assert PASSWORD not in (tmp_path / "other.json").read_text()


def test_client_belongs_to_the_loop_it_was_opened_on() -> None:
    async def opened() -> EpiasStp:
        return await EpiasStp(Account(TEST, "TRADER1", SecretStr(PASSWORD))).__aenter__()

    async def used(stp: EpiasStp) -> None:
        with pytest.raises(WrongLoop, match="another event loop"):
            await stp._http.send(None)  # type: ignore[arg-type]
        with pytest.raises(WrongLoop):
            await stp.contracts.standard()
        await stp.__aexit__(None, None, None)

    stp = asyncio.run(opened())
    asyncio.run(used(stp))


def test_arguments_that_are_no_settings_pass_through_from_env() -> None:
    told: list[Any] = []
    stp = EpiasStp.from_env(
        environment="test",
        username="trader1",
        password=PASSWORD,
        language="en-us",
        resend_on_security_error=True,
        retry_cancel=True,
        on_event=told.append,
    )
    policy = stp._caller._policy
    assert (policy.language, policy.resend_on_security_error, policy.retry_cancel) == ("en-us", True, True)
    assert stp.profile == TEST
    assert [event.name for event in told] == ["cas.username_case"]
    with pytest.raises(TypeError, match="unexpected keyword"):
        EpiasStp.from_env(environment="test", username="TRADER1", password=PASSWORD, retry="always")


def test_every_setting_reaches_the_account_or_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = {field.name for field in dataclasses.fields(Profile)} | {"username", "password"}
    assert {name for name in StpSettings.model_fields if name not in where} == set(client._OPTIONS)
    monkeypatch.setenv("GRIDWIRE_EPIAS_STP_JOURNAL", str(tmp_path / "of-the-environment"))
    options: dict[str, Any] = {"environment": "test", "username": "TRADER1", "password": PASSWORD}
    assert EpiasStp.from_env(**options)._ledger._directory == tmp_path / "of-the-environment"
    monkeypatch.setenv("GRIDWIRE_EPIAS_STP_JOURNAL_DURABILITY", "power")
    assert EpiasStp.from_env(**options)._ledger._durability == "power"
    assert EpiasStp.from_env(journal=str(tmp_path / "mine"), **options)._ledger._directory == tmp_path / "mine"


@pytest.mark.parametrize("timeout", [None, "5", True, 0, -1, float("nan"), float("inf"), b"5"])
def test_a_timeout_that_is_no_number_of_seconds_is_one_sentence(timeout: Any) -> None:
    with pytest.raises(ConfigurationError, match="timeout must be a number of seconds above 0"):
        EpiasStp(Account(TEST, "TRADER1", SecretStr(PASSWORD)), timeout=timeout)


@pytest.mark.parametrize("name", ["journal", "ticket_file"])
@pytest.mark.parametrize("path", [5, b"x", "", "a\0b", 1.5])
def test_a_path_that_is_none_is_one_sentence(name: str, path: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}=.* is no path"):
        EpiasStp(Account(TEST, "TRADER1", SecretStr(PASSWORD)), **{name: path})


async def test_a_client_is_opened_once() -> None:
    async with floor() as f:
        with pytest.raises(WrongLoop, match="has been opened before"):
            await f.stp.__aenter__()
        assert await f.stp.contracts.standard(), "it is none the worse for it"
        closed = EpiasStp(f.account())
        async with closed:
            pass
        with pytest.raises(WrongLoop, match="Make a new one"):
            await closed.__aenter__()


@pytest.mark.parametrize(("durability", "synced"), [("process", False), ("power", True)])
async def test_durability_of_the_journal_can_be_chosen(
    tmp_path: Path, durability: Any, synced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    monkeypatch.setattr("gridwire.intents.journal._sync", calls.append)
    async with (
        Sandbox("epias_stp") as box,
        EpiasStp(box.epias_stp, journal=tmp_path, journal_durability=durability) as stp,
    ):
        await stp.bids.save("GG20261201", direction="BUY", price="1.00", quantity=1)
    assert bool(calls) == synced


def test_a_durability_nobody_knows_is_refused() -> None:
    wrong: Any = "some"
    with pytest.raises(ConfigurationError, match='journal_durability is "process" or "power"'):
        EpiasStp(Account(TEST, "TRADER1", SecretStr(PASSWORD)), journal_durability=wrong)
