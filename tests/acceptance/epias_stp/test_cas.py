"""Golden tests T1 to T13 of the specification: tickets, over the sandbox's ticket service."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from gridwire.auth import cas
from gridwire.auth.errors import (
    CasCredentialsError,
    CasLoginBudgetExceeded,
    CasProtocolError,
    CasThrottledError,
    CasUnavailable,
)
from gridwire.auth.tickets import TicketManager
from gridwire.epias_stp import EpiasStp
from gridwire.epias_stp.errors import StpSecurityError
from gridwire.errors import AuthError
from gridwire.outcome import Rejected
from gridwire.transport.exchange import run_flow
from gridwire.transport.http import HttpTransport
from tests.acceptance.epias_stp.conftest import Watch
from tests.acceptance.epias_stp.floor import BID, TODAY, Floor, Wire, accepted, floor, until
from tests.sandbox.epias_stp.caller import Caller, dumps, envelope
from tests.support.planted import PASSWORD, leaks

BODIES = ("asked", "text", "json", "xml", "html", "location")
MINUTE = 60.0
HOUR = 3600.0


@asynccontextmanager
async def manager(f: Floor, **changes: Any) -> AsyncIterator[TicketManager]:
    """A ticket manager of the default user, without a client around it."""
    account = f.account()
    settings: dict[str, Any] = {
        "cas_url": account.profile.cas_url,
        "username": account.username,
        "password": account.password,
        "service": account.profile.service,
        "on_event": f.events.append,
    }
    async with HttpTransport() as http:
        tickets = TicketManager(http.send, **{**settings, **changes})
        try:
            yield tickets
        finally:
            await tickets.aclose()


@asynccontextmanager
async def bare(f: Floor, user: str = "TRADER1") -> AsyncIterator[Caller]:
    """A caller without any rule of ours."""
    async with httpx.AsyncClient(trust_env=False) as http:
        yield Caller(f.account(user), http)


async def listing(caller: Caller, ticket: str) -> dict[str, Any]:
    """What STP answers to a harmless call with this ticket."""
    answer = await caller.send("contract_status_list", dumps(envelope()), ticket=ticket)
    found: dict[str, Any] = answer.json()
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Login


async def test_T01_every_form_of_a_login_answer_holds_the_same_tgt() -> None:
    found = set()
    statuses: tuple[Any, ...] = (200, 201)
    bodies: tuple[Any, ...] = BODIES
    for status in statuses:
        for body in bodies:
            async with floor() as f, HttpTransport() as http:
                f.venue.cas.knobs.tgt_status = status
                f.venue.cas.knobs.body = body
                account = f.account()
                found.add(
                    await run_flow(cas.login(account.profile.cas_url, account.username, account.password), http.send)
                )
    assert len(found) == 1
    assert found.pop().startswith("TGT-1-")


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("body", BODIES)
async def test_T01_the_client_trades_with_every_form_of_ticket_answer(body: Any, status: Any) -> None:
    async with floor() as f:
        f.venue.cas.knobs.tgt_status = status
        f.venue.cas.knobs.body = body
        await f.bid()
        assert f.venue.cas.count("login") == 1


async def test_T02_a_hundred_cold_callers_cost_one_login_and_get_a_hundred_tickets(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        await asyncio.gather(*(f.stp.contracts.standard() for _ in range(100)))
        assert f.venue.cas.count("login") == 1
        assert f.venue.cas.count("service_ticket") == 100
        assert len({call.ticket for call in f.venue.log}) == len(f.venue.log) == 100
        assert len({call.transaction_id for call in f.venue.log}) == 100


async def test_T02_a_hundred_cold_bids_are_a_hundred_bids() -> None:
    async with floor() as f:
        outcomes = await asyncio.gather(*(f.stp.bids.save(TODAY, **BID) for _ in range(100)))
        orders = [accepted(outcome).order for outcome in outcomes]
        assert len({order.id for order in orders if order is not None}) == 100
        assert f.venue.cas.count("login") == 1
        assert len({call.ticket for call in f.venue.log}) == len(f.venue.market.bids) == 100


# ---------------------------------------------------------------------------------------------------------------------
# Service tickets


async def test_T03_a_ticket_works_once(watch: Watch) -> None:
    watch.exempt("tickets", because="the venue is shown a ticket twice")
    async with floor() as f, bare(f) as caller:
        ticket = await caller.ticket()
        assert (await listing(caller, ticket))["resultType"] == "SUCCESS"
        assert (await listing(caller, ticket))["resultType"] == "SECURITYERROR"
        assert f.venue.log[1].ticket_problem == "used"
        assert len(f.venue.log.tickets_presented_twice()) == 1


@pytest.mark.parametrize(("age_s", "result"), [(29.9, "SUCCESS"), (30.1, "SECURITYERROR")])
async def test_T04_the_venue_takes_a_ticket_for_30_s(watch: Watch, age_s: float, result: str) -> None:
    watch.exempt("tickets", because="the venue is shown a ticket older than the client ever sends")
    async with floor() as f, bare(f) as caller:
        ticket = await caller.ticket()
        await asyncio.sleep(age_s)
        assert (await listing(caller, ticket))["resultType"] == result


async def test_T04_the_client_drops_a_ticket_at_25_s_by_itself() -> None:
    async with floor() as f, manager(f, pool_size=1) as tickets:
        await tickets.arm()
        await tickets.disarm()
        await asyncio.sleep(24.9)
        assert tickets.pop_ready() is not None
        await tickets.arm()
        await tickets.disarm()
        await asyncio.sleep(25.1)
        assert tickets.pop_ready() is None
        assert tickets.stats().wasted == 1


async def test_T04_a_venue_whose_tickets_live_15_s_is_noticed_once(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        f.venue.cas.knobs.st_ttl_s = 15
        await f.stp.warm_up()
        await asyncio.sleep(16)
        await f.stp.contracts.standard()
        assert [call.ticket_problem for call in f.venue.log] == ["expired", ""]
        assert len(f.told("ticket.ttl_lowered")) == 1
        for second in range(60):
            await asyncio.sleep(second % 17)
            await f.stp.contracts.standard()
        problems = [call.ticket_problem for call in f.venue.log]
        assert problems == ["expired"] + [""] * 61, "it recovers once and learns from it"
        assert max(call.ticket_age_s or 0 for call in list(f.venue.log)[1:]) <= 10


async def test_T04_a_ticket_does_not_grow_too_old_while_its_call_waits_for_a_connection(wire: Wire) -> None:
    async with floor(message_format=wire, timeout=60.0) as f:
        f.venue.knobs.latency_s = 40.0
        bids = [asyncio.create_task(f.stp.bids.save(TODAY, **BID)) for _ in range(20)]  # all connections for writes
        await until(lambda: f.venue.cas.count("service_ticket") == 20)
        await asyncio.sleep(1)
        reads = [asyncio.create_task(f.stp.contracts.standard()) for _ in range(20)]  # and all for reads
        await f.stp.warm_up()
        await until(lambda: len(f.venue.log) == 0 and f.venue.cas.count("service_ticket") >= 41)
        await asyncio.sleep(20)
        late = asyncio.create_task(f.stp.contract_statuses.all())
        bid = asyncio.create_task(f.stp.bids.save(TODAY, **BID))
        await asyncio.gather(*reads, *bids)
        await late
        (call,) = f.venue.log.calls("contract_status_list")
        outcome = await bid  # a bid does not wait so long: its price grows old
        assert isinstance(outcome, Rejected)
        assert (outcome.origin, outcome.repeatable) == ("wire", True)
        assert len(f.venue.log.calls("bid_save")) == len(bids)
        assert call.ticket_age_s is not None
        assert call.ticket_age_s < 25


async def test_T05_a_ticket_for_another_service_is_refused() -> None:
    async with floor() as f, bare(f) as caller:
        f.venue.cas.services.add("https://epys.sandbox.invalid")
        ticket = await caller.ticket("https://epys.sandbox.invalid")
        assert (await listing(caller, ticket))["resultType"] == "SECURITYERROR"
        assert f.venue.log[0].ticket_problem == "foreign_service"


# ---------------------------------------------------------------------------------------------------------------------
# The session


async def test_T06_a_session_used_every_40_minutes_lasts_six_hours_without_another_login() -> None:
    async with floor() as f:
        for _ in range(10):
            await f.stp.contracts.standard()
            await asyncio.sleep(40 * MINUTE)
        assert f.venue.cas.count("login") == 1
        assert f.venue.cas.count("service_ticket_refused") == 0


async def test_T06_an_idle_session_lives_44_59_and_is_gone_at_45_01() -> None:
    async with floor() as f, bare(f) as caller:
        await caller.ticket()
        await asyncio.sleep(44 * MINUTE + 59)
        await caller.ticket()
        await asyncio.sleep(45 * MINUTE + 1)
        with pytest.raises(AssertionError):
            await caller.ticket()
        assert f.venue.cas.count("service_ticket_refused") == 1


async def test_T06_a_session_the_venue_forgot_costs_one_login_and_one_ticket(wire: Wire) -> None:
    async with floor() as f:
        # This client believes in a longer life, so it is CAS that says no.
        stp = await f.client(f.account(tgt_idle_s=5400.0), message_format=wire)
        await stp.contracts.standard()
        await asyncio.sleep(45 * MINUTE + 1)
        accepted(await stp.bids.save(TODAY, **BID))
        assert f.venue.cas.count("service_ticket_refused") == 1
        assert f.venue.cas.count("login") == 2
        assert f.venue.cas.count("service_ticket") == 2
        assert len(f.venue.log) == 2


async def test_T07_a_hard_limit_of_the_session_is_recovered_in_mid_session() -> None:
    async with floor() as f:
        f.venue.cas.knobs.tgt_max_s = 8 * HOUR
        for _ in range(20):
            await f.bid()
            await asyncio.sleep(29 * MINUTE)
        assert f.venue.cas.count("login") == 2
        assert f.venue.cas.count("service_ticket_refused") == 1
        assert [call.ticket_problem for call in f.venue.log] == [""] * 20


def end_sessions(f: Floor) -> None:
    """What ``DELETE /tickets/{TGT}`` by another program of the same user does."""
    now = asyncio.get_running_loop().time()
    for tgt in list(f.venue.cas._tgts):
        f.venue.cas.logout(tgt, now)


@pytest.mark.parametrize("after_s", [0.0, 5.0, 25.0])
async def test_T08_tickets_prefetched_from_a_session_that_was_ended_die_and_the_next_call_logs_in(
    after_s: float, wire: Wire
) -> None:
    async with floor(message_format=wire) as f:
        await f.stp.warm_up()
        await asyncio.sleep(65)  # there are no two logins within a minute
        end_sessions(f)
        await asyncio.sleep(after_s)
        await f.stp.contracts.standard()
        await f.bid()
        assert f.venue.cas.count("login") == 2
        assert {call.ticket_problem for call in f.venue.log} <= {"", "dead_parent"}
        assert len([call for call in f.venue.log if call.ticket_problem]) <= 1, "one dead ticket tells of the others"


async def test_T08_a_program_that_shares_the_session_survives_the_logout_of_another(tmp_path: Path) -> None:
    async with floor(ticket_file=tmp_path / "tickets") as f:
        await f.bid()
        async with EpiasStp(f.account(), ticket_file=tmp_path / "tickets") as other:
            await f.bid(other)
            assert f.venue.cas.count("login") == 1, "one session for both"
            await asyncio.sleep(60)
            await other.logout()
        await f.bid()
        assert (f.venue.cas.count("login"), f.venue.cas.count("logout")) == (2, 1)
        assert [call.ticket_problem for call in f.venue.log] == ["", "", ""]


async def test_T08_an_order_with_a_dead_ticket_is_refused_and_the_next_one_has_a_live_one(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        await f.stp.warm_up()
        await asyncio.sleep(65)
        end_sessions(f)
        outcome = await f.stp.bids.save(TODAY, **BID)
        assert isinstance(outcome, Rejected)
        assert outcome.origin == "security"
        await f.bid()
        assert [call.ticket_problem for call in f.venue.log] == ["dead_parent", ""]


async def test_T07_no_order_meets_a_dead_ticket_twice_when_the_session_reaches_its_limit() -> None:
    async with floor() as f:
        f.venue.cas.knobs.tgt_max_s = HOUR
        await f.stp.contracts.standard()
        await asyncio.sleep(0.5 * HOUR)
        await f.stp.contracts.standard()
        await asyncio.sleep(0.5 * HOUR - 120)
        await f.stp.warm_up()
        await asyncio.sleep(90)
        for _ in range(60):
            await f.stp.bids.save(TODAY, **BID)
            await asyncio.sleep(1)
        assert f.venue.cas.count("login") == 2
        assert len([call for call in f.venue.log if call.ticket_problem]) <= 1


async def test_T08_logging_out_empties_the_pool_first_and_lets_calls_under_way_finish(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        await f.stp.warm_up()
        f.venue.knobs.latency_s = 3.0
        bid = asyncio.create_task(f.stp.bids.save(TODAY, **BID))
        await asyncio.sleep(1)
        await f.stp.logout()
        accepted(await bid)
        (ended,) = [event for event in f.venue.cas.log if event.kind == "logout"]
        assert ended.at >= 3.0, "the call under way came first"
        asked = [event for event in f.venue.cas.log if event.kind == "service_ticket" and event.at > 1.0]
        await asyncio.sleep(HOUR)
        assert [e for e in f.venue.cas.log if e.kind == "service_ticket" and e.at > ended.at] == []
        assert len(asked) <= 1


# ---------------------------------------------------------------------------------------------------------------------
# Refusals


@pytest.mark.parametrize("errors", ["4.x", "5+"])
async def test_T09_a_wrong_password_is_tried_once(errors: Any) -> None:
    async with floor() as f:
        f.venue.cas.knobs.errors = errors
        account = replace(f.account(), password=SecretStr("wrong"))
        stp = await f.client(account)
        for _ in range(51):
            with pytest.raises(CasCredentialsError, match="refused the user name or password"):
                await stp.contracts.standard()
        outcome = await stp.bids.save(TODAY, **BID)
        assert isinstance(outcome, Rejected)
        assert (outcome.origin, outcome.repeatable) == ("security", False)
        assert "No bid was placed" in outcome.reason
        assert f.venue.cas.count("login_refused") == 1
        assert len(f.venue.log) == 0


async def test_T09_correct_credentials_end_the_latch() -> None:
    async with floor() as f, manager(f, password=SecretStr("wrong")) as tickets:
        for _ in range(50):
            with pytest.raises(CasCredentialsError):
                await tickets.take()
        assert tickets.stats().latched
        tickets.update_credentials("TRADER1", SecretStr(PASSWORD))
        assert (await tickets.take()).value.startswith("ST-")
        assert (f.venue.cas.count("login_refused"), f.venue.cas.count("login")) == (1, 1)


@pytest.mark.parametrize(
    ("fault", "error", "logins"),
    [
        ({"kind": "status", "status": 406}, CasCredentialsError, 1),
        ({"kind": "status", "status": 423}, CasThrottledError, 1),
        ({"kind": "status", "status": 423, "retry_after": "90"}, CasThrottledError, 1),
        ({"kind": "status", "status": 429}, CasThrottledError, 1),
        ({"kind": "status", "status": 429, "retry_after": "90"}, CasThrottledError, 1),
        ({"kind": "status", "status": 500}, CasUnavailable, 4),
        ({"kind": "html"}, CasProtocolError, 1),
        ({"kind": "redirect"}, CasProtocolError, 1),
    ],
)
async def test_T10_answers_of_a_login_that_are_none(fault: dict[str, Any], error: type[AuthError], logins: int) -> None:
    async with floor() as f:
        struck = f.venue.cas_faults.add(operation="login", times=10, **fault)
        with pytest.raises(error, match="No order left this machine") as caught:
            await f.stp.contracts.standard()
        assert struck.left == 10 - logins
        if isinstance(caught.value, CasThrottledError):
            assert caught.value.retry_after_s == float(fault.get("retry_after", 60))
        if isinstance(caught.value, CasCredentialsError):
            assert caught.value.kind == "maybe_expired"
            assert "renew it in the venue's portal" in str(caught.value)
        assert len(f.venue.cas.log) == 0, "nothing that an answer points to was asked"
        assert len(f.venue.log) == 0

        f.venue.cas_faults.clear()
        await asyncio.sleep(HOUR)
        await f.bid(await f.client())


@pytest.mark.parametrize("pause_s", [90, None])
async def test_T10_a_pause_that_cas_asks_for_is_kept(pause_s: int | None) -> None:
    async with floor() as f:
        asked = None if pause_s is None else str(pause_s)
        f.venue.cas_faults.add("status", operation="login", status=429, retry_after=asked)
        for _ in range(20):
            with pytest.raises(CasThrottledError):
                await f.stp.contracts.standard()
        outcome = await f.stp.bids.save(TODAY, **BID)
        assert isinstance(outcome, Rejected)
        assert (outcome.origin, outcome.repeatable) == ("security", True)
        assert outcome.retry_after_s == pytest.approx(pause_s or 60)
        assert len(f.venue.cas.log) == 0
        await asyncio.sleep(outcome.retry_after_s or 0)
        await f.bid()


async def test_T10_a_ticket_service_that_fails_is_asked_four_times_at_most() -> None:
    async with floor() as f:
        f.venue.cas_faults.add("status", operation="login", status=500, times=3)
        await f.bid()
        assert f.venue.cas.count("login") == 1
        f.venue.cas_faults.add("status", operation="service_ticket", status=503, times=4)
        outcome = await f.stp.bids.save(TODAY, **BID)
        assert isinstance(outcome, Rejected)
        assert (outcome.origin, outcome.repeatable) == ("security", True)
        await f.bid()


# ---------------------------------------------------------------------------------------------------------------------
# The budget


async def test_T11_a_client_that_logs_in_for_every_call_is_banned_and_ours_never_comes_near() -> None:
    calls = 40
    async with floor() as f:
        f.venue.cas.knobs.login_limit = 10
        for _ in range(calls):  # a client as it should not be
            async with bare(f, "TRADER2") as caller:
                try:
                    await caller.ticket()
                except AssertionError:
                    break
        assert f.venue.cas.count("banned", "TRADER2") == 1
        assert f.venue.cas.count("login", "TRADER2") == 10

        for _ in range(calls):
            await f.stp.contracts.standard()
        assert f.venue.cas.count("login", "TRADER1") == 1


async def test_T11_even_a_session_that_always_ends_at_once_stays_below_the_ban() -> None:
    async with floor() as f:
        f.venue.cas.knobs.login_limit = 10
        f.venue.cas.knobs.tgt_idle_s = 0.0
        refused = 0
        for _ in range(200):
            await asyncio.sleep(30)
            try:
                await f.stp.contracts.standard()
            except CasLoginBudgetExceeded:
                refused += 1
        assert refused > 0
        with pytest.raises(CasLoginBudgetExceeded, match="the venue blocks users who log in too often"):
            await f.stp.contracts.standard()
        assert f.venue.cas.count("banned") == 0


# ---------------------------------------------------------------------------------------------------------------------
# Secrets


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("login", {"kind": "status", "status": 401}),
        ("login", {"kind": "html"}),
        ("login", {"kind": "redirect", "location": "https://x.invalid/TGT-1-abcdefghijklmnopqrst"}),
        ("login", {"kind": "raw", "status": 401, "content": PASSWORD.encode()}),
        (
            "login",
            {
                "kind": "raw",
                "status": 500,
                "content": b'{"password": "Gizli&S\\u00f6z+%41 \\"\\u0130\\u0131\\u015e\\""}',
            },
        ),
        ("login", {"kind": "raw", "status": 500, "content": b"for TGT-77-abcdefghijklmnopqrst-cas"}),
        ("login", {"kind": "drop_before_execute"}),
        (
            "service_ticket",
            {"kind": "raw", "status": 404, "content": b"TGT-77-abcdefghijklmnopqrst could not be found"},
        ),
        (
            "service_ticket",
            {"kind": "raw", "status": 400, "content": b"no ST-77-abcdefghijklmnopqrst for TGT-1-abcdefghijklmn"},
        ),
        ("service_ticket", {"kind": "drop_after_execute"}),
        ("service_ticket", {"kind": "silence_after_execute"}),
    ],
    ids=str,
)
async def test_T12_no_ticket_and_no_password_in_errors_events_or_logs(
    operation: str, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with floor() as f:
        f.venue.cas_faults.add(operation=operation, times=None, **fault)
        outcome = await f.stp.bids.save(TODAY, **BID)
        assert isinstance(outcome, Rejected)
        with pytest.raises(AuthError) as caught:
            await f.stp.contracts.standard()
        said = "".join(traceback.format_exception(caught.value))
        chain: BaseException | None = caught.value
        while chain is not None:
            said += repr(chain)
            chain = chain.__cause__ or chain.__context__
        said += repr(outcome) + outcome.reason + repr(f.events) + repr(f.account()) + caplog.text
        assert leaks(said) == []
        assert not [ticket for ticket in (*f.venue.cas._tgts, *f.venue.cas._sts) if ticket in said]


# ---------------------------------------------------------------------------------------------------------------------
# What goes over the wire


@pytest.mark.parametrize(
    "password",
    ["a&b=c", "1+1 = 2", "100%25", "şifre İĞÜ çok", '"<>\\', PASSWORD],
    ids=["&=", "plus", "percent", "turkish", "quotes", "planted"],
)
@pytest.mark.parametrize("user", ["TRADER&1", "İŞLEM+ÖZEL %41"])
async def test_T13_credentials_survive_the_form(user: str, password: str) -> None:
    async with floor() as f:
        f.venue.cas.passwords[user] = password
        f.venue.market.users[user] = f.venue.market.users["TRADER1"]
        stp = await f.client(replace(f.account(), username=user, password=SecretStr(password)))
        await stp.contracts.standard()
        assert f.venue.cas.count("login", user) == 1
        assert f.venue.log[0].user == user


async def test_T13_the_service_name_survives_the_form() -> None:
    async with floor() as f:
        name = "https://stp.sandbox.invalid/a?b=c&d=e+f%20ğ"
        f.venue.cas.services.add(name)
        f.venue.knobs.service = name
        stp = await f.client(f.account(service=name))
        accepted(await stp.bids.save(TODAY, **BID))
        assert [call.ticket_problem for call in f.venue.log] == [""]


async def test_unregistered_service_is_a_sentence_about_the_profile() -> None:
    async with floor() as f:
        stp = await f.client(f.account(service="https://teststp.sandbox.invalid"))
        with pytest.raises(CasProtocolError, match="Check the service name"):
            await stp.contracts.standard()
        assert len(f.venue.log) == 0


async def test_security_error_of_a_read_says_what_may_be_wrong() -> None:
    async with floor() as f:
        with pytest.raises(StpSecurityError, match=r"ticket or right") as caught:
            await f.stp.contract_configuration.get(TODAY)
        assert caught.value.result_code == "SEC-0002"
        assert len(f.venue.log) == 2, "asked again once, with a new ticket"
