"""When a login is made and when not: over real HTTP, on virtual time."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from pydantic import SecretStr

from gridwire.auth.budget import LoginBudget
from gridwire.auth.errors import (
    CasCredentialsError,
    CasLoginBudgetExceeded,
    CasProtocolError,
    CasThrottledError,
    CasUnavailable,
)
from gridwire.errors import InvalidInput, WrongLoop
from tests.auth.support.cas_server import PASSWORD, SERVICE, USER, CasServer, answer
from tests.auth.support.desk import desk, desk_at


async def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def test_a_hundred_calls_on_a_cold_client_make_one_login_and_a_hundred_tickets() -> None:
    async with desk() as d:
        tickets = await asyncio.gather(*(d.tickets.take() for _ in range(100)))
        assert len({ticket.value for ticket in tickets}) == 100
        assert (d.cas.logins, d.cas.count("ticket")) == (1, 100)
        assert set(d.cas.services) == {SERVICE}
        assert set(d.cas.passwords) == {PASSWORD}


async def test_a_ticket_every_forty_minutes_keeps_the_session_alive() -> None:
    async with desk() as d:
        for _ in range(9):
            await d.tickets.take()
            await asyncio.sleep(40 * 60)
        assert d.cas.logins == 1


async def test_a_session_idle_past_its_margin_is_not_tried_again() -> None:
    async with desk() as d:
        await d.tickets.take()
        await asyncio.sleep(44 * 60 + 59)
        await d.tickets.take()
        assert [kind for _, kind in d.cas.calls] == ["login", "ticket", "login", "ticket"]


async def test_a_forgotten_session_costs_one_login_and_one_ticket() -> None:
    async with desk(tgt_margin_s=0.0) as d:
        d.cas.tgt_idle_s = 1000.0
        await d.tickets.take()
        await asyncio.sleep(1001)
        await asyncio.gather(*(d.tickets.take() for _ in range(5)))
        assert d.cas.logins == 2
        assert d.cas.count("ticket") == 1 + 5 + 5
        assert len(d.told("cas.session_ended")) == 1


async def test_a_session_that_is_never_known_ends_after_the_second_login() -> None:
    async with desk(login_budget=LoginBudget(min_gap_s=0.0)) as d:
        d.cas.ticket_faults.extend([answer(404), answer(404)])
        with pytest.raises(CasProtocolError, match="at once did not know it"):
            await d.tickets.take()
        assert (d.cas.logins, d.cas.count("ticket")) == (2, 2)


async def test_a_login_forced_within_a_minute_is_refused_by_us() -> None:
    async with desk() as d:
        await d.tickets.take()
        await asyncio.sleep(20)
        d.cas.sessions.clear()
        with pytest.raises(CasLoginBudgetExceeded, match="blocks users") as caught:
            await d.tickets.take()
        assert caught.value.retry_after_s == pytest.approx(40, abs=0.1)
        assert d.cas.logins == 1
        await asyncio.sleep(caught.value.retry_after_s)
        await d.tickets.take()
        assert d.cas.logins == 2


async def test_ten_logins_an_hour_and_not_one_more() -> None:
    async with desk() as d:
        refused = 0
        for _ in range(55):
            d.cas.sessions.clear()
            try:
                await d.tickets.take()
            except CasLoginBudgetExceeded:
                refused += 1
            await asyncio.sleep(60)
        assert (d.cas.logins, refused) == (10, 45)
        assert d.tickets.stats().logins_left == 0


class TestBadCredentials:
    async def test_one_login_then_the_same_sentence_without_asking(self) -> None:
        async with desk(password="wrong") as d:
            texts = set()
            for _ in range(51):
                with pytest.raises(CasCredentialsError) as caught:
                    await d.tickets.take()
                texts.add(str(caught.value))
            with pytest.raises(CasCredentialsError):
                await d.tickets.arm()
            assert len(texts) == 1
            assert [kind for _, kind in d.cas.calls] == ["login"]
            assert d.tickets.stats().latched
            assert d.told("cas.refused")[0].fields == {"kind": "refused"}

    async def test_corrected_credentials_work_at_once(self) -> None:
        async with desk(password="wrong") as d:
            with pytest.raises(CasCredentialsError):
                await d.tickets.take()
            d.tickets.update_credentials(USER, SecretStr(PASSWORD))
            assert (await d.tickets.take()).value.startswith("ST-")
            assert not d.tickets.stats().latched

    async def test_insisting_on_the_same_ones_waits_for_the_budget(self) -> None:
        async with desk(password="wrong") as d:
            with pytest.raises(CasCredentialsError):
                await d.tickets.take()
            d.tickets.update_credentials(USER, SecretStr("wrong"))
            with pytest.raises(CasLoginBudgetExceeded):
                await d.tickets.take()
            d.cas.users[USER] = "wrong"  # the account was unlocked
            await asyncio.sleep(60)
            await d.tickets.take()

    async def test_guessing_passwords_stays_within_ten_an_hour(self) -> None:
        async with desk(password="wrong") as d:
            for number in range(15):
                with pytest.raises((CasCredentialsError, CasLoginBudgetExceeded)):
                    await d.tickets.take()
                d.tickets.update_credentials(USER, SecretStr(f"guess {number}"))
            assert d.cas.logins == 10

    async def test_another_user_has_a_budget_of_his_own(self) -> None:
        async with desk() as d:
            await d.tickets.take()
            d.cas.users["OTHER"] = "x"
            d.tickets.update_credentials("OTHER", SecretStr("x"))
            await d.tickets.take()
            assert d.cas.logins == 2

    async def test_a_refusal_of_old_credentials_does_not_latch_the_new_ones(self) -> None:
        async with desk(password="wrong") as d:
            d.cas.latency_s = 1.0
            waiting = asyncio.create_task(d.tickets.take())
            await asyncio.sleep(0.5)
            d.tickets.update_credentials(USER, SecretStr(PASSWORD))
            assert (await waiting).value.startswith("ST-")
            assert not d.tickets.stats().latched

    @pytest.mark.parametrize(("username", "password"), [("", "x"), ("X", "")])
    async def test_empty_ones_never_leave(self, username: str, password: str) -> None:
        async with desk() as d:
            with pytest.raises(InvalidInput, match="empty"):
                d.tickets.update_credentials(username, SecretStr(password))
            assert d.cas.calls == []


class TestRepetition:
    @pytest.mark.parametrize("status", [500, 502, 503])
    async def test_a_login_is_repeated_three_times_on_an_inner_failure(self, status: int) -> None:
        async with desk() as d:
            d.cas.login_faults.extend([answer(status)] * 3)
            await d.tickets.take()
            assert d.cas.logins == 4

    async def test_and_not_a_fourth_time(self) -> None:
        async with desk() as d:
            d.cas.login_faults.extend([answer(500)] * 9)
            results = await asyncio.gather(*(d.tickets.take() for _ in range(20)), return_exceptions=True)
            assert {type(result) for result in results} == {CasUnavailable}
            assert d.cas.logins == 4
            with pytest.raises(CasLoginBudgetExceeded):
                await d.tickets.take()

    async def test_repetitions_spend_the_hour(self) -> None:
        async with desk(login_budget=LoginBudget(per_hour=2)) as d:
            d.cas.login_faults.extend([answer(500)] * 9)
            with pytest.raises(CasUnavailable):
                await d.tickets.take()
            assert d.cas.logins == 2

    @pytest.mark.parametrize("status", [302, 403, 404, 415, 200])
    async def test_other_answers_are_never_repeated(self, status: int) -> None:
        async with desk() as d:
            d.cas.login_faults.append(answer(status, "<html>login</html>", location="/elsewhere"))
            with pytest.raises(CasProtocolError):
                await d.tickets.take()
            assert [kind for _, kind in d.cas.calls] == ["login"]

    async def test_a_login_without_an_answer_is_not_repeated(self) -> None:
        async with desk() as d:
            d.cas.login_faults.append(hang_up)
            with pytest.raises(CasUnavailable, match="may have opened a session") as caught:
                await d.tickets.take()
            assert (caught.value.reason, d.cas.logins) == ("no_answer", 1)

    async def test_a_ticket_request_without_an_answer_is_repeated(self) -> None:
        async with desk() as d:
            d.cas.ticket_faults.extend([hang_up, answer(503)])
            await d.tickets.take()
            assert (d.cas.logins, d.cas.count("ticket")) == (1, 3)

    async def test_an_unreachable_service_is_tried_four_times_and_costs_no_budget(self) -> None:
        async with CasServer() as gone:
            pass
        async with desk_at(gone) as d:
            for _ in range(5):
                with pytest.raises(CasUnavailable, match="could not be reached") as caught:
                    await d.tickets.take()
                assert caught.value.reason == "not_sent"
            assert (d.tickets.stats().logins, d.tickets.stats().logins_left) == (0, 10)


class TestThrottled:
    async def test_a_pause_is_kept_without_asking(self) -> None:
        async with desk() as d:
            d.cas.login_faults.append(answer(429, retry_after="120"))
            with pytest.raises(CasThrottledError):
                await d.tickets.take()
            await asyncio.sleep(20)
            with pytest.raises(CasThrottledError, match="100 s of it are left") as caught:
                await d.tickets.take()
            assert caught.value.retry_after_s == pytest.approx(100, abs=0.5)
            assert d.tickets.stats().paused_s == pytest.approx(100, abs=0.5)
            assert d.cas.logins == 1
            await asyncio.sleep(101)
            await d.tickets.take()

    async def test_a_pause_at_a_ticket_request_holds_for_all(self) -> None:
        async with desk() as d:
            await d.tickets.take()
            d.cas.ticket_faults.append(answer(423))
            for _ in range(3):
                with pytest.raises(CasThrottledError):
                    await d.tickets.take()
            assert d.cas.count("ticket") == 2
            assert len(d.told("cas.throttled")) == 1

    async def test_a_pause_that_begins_during_a_repetition_stops_it_uncharged(self) -> None:
        async with desk() as d:
            await d.tickets.take()
            await asyncio.sleep(61)

            async def slow_and_throttled(_: web.Request) -> web.StreamResponse:
                await asyncio.sleep(0.05)
                return web.Response(status=429)

            d.cas.ticket_faults.extend([slow_and_throttled, answer(404)])
            d.cas.login_faults.append(answer(500))
            results = await asyncio.gather(d.tickets.take(), d.tickets.take(), return_exceptions=True)
            assert {type(result) for result in results} == {CasThrottledError}
            assert d.cas.logins == 2


class TestEnds:
    async def test_logout_lets_running_requests_finish_then_ends_the_session(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            d.cas.latency_s = 2.0
            for _ in range(3):
                d.tickets.pop_ready()
            running = asyncio.create_task(d.tickets.take())
            await asyncio.sleep(1)
            await d.tickets.logout()
            assert running.done()
            assert [kind for _, kind in d.cas.calls][-1] == "logout"
            assert d.cas.sessions == {}
            assert (d.tickets.stats().pooled, d.tickets.stats().armed) == (0, False)

    async def test_after_a_logout_the_next_call_logs_in_again(self) -> None:
        async with desk() as d:
            await d.tickets.take()
            await asyncio.sleep(61)
            await d.tickets.logout()
            await d.tickets.take()
            assert [kind for _, kind in d.cas.calls] == ["login", "ticket", "logout", "login", "ticket"]

    async def test_who_asks_during_a_logout_waits_for_its_end(self) -> None:
        async with desk() as d:
            await d.tickets.take()
            await asyncio.sleep(61)
            d.cas.latency_s = 1.0
            running = asyncio.create_task(d.tickets.take())
            await asyncio.sleep(0.5)
            leaving = asyncio.create_task(d.tickets.logout())
            await asyncio.sleep(0)
            await d.tickets.take()
            assert running.done()
            assert leaving.done()
            kinds = [kind for _, kind in d.cas.calls]
            assert kinds == ["login", "ticket", "ticket", "logout", "login", "ticket"]

    async def test_logout_does_not_wait_for_ever(self) -> None:
        async with desk() as d:
            await d.tickets.take()
            d.cas.latency_s = 9.0
            d.cas.ticket_faults.extend([answer(500)] * 9)
            running = asyncio.create_task(d.tickets.take())
            await asyncio.sleep(0)
            d.cas.latency_s = 45.0
            loop = asyncio.get_running_loop()
            before = loop.time()
            await d.tickets.logout()
            assert loop.time() - before <= 41
            with pytest.raises((CasUnavailable, WrongLoop)):
                await running

    async def test_logout_without_a_session_asks_nothing(self) -> None:
        async with desk() as d:
            await d.tickets.logout()
            assert d.cas.calls == []

    async def test_closing_during_a_login_tells_who_waits(self) -> None:
        async with desk() as d:
            d.cas.latency_s = 5.0
            waiting = asyncio.create_task(d.tickets.take())
            await asyncio.sleep(1)
            await d.tickets.aclose()
            with pytest.raises(WrongLoop, match="closed"):
                await waiting
            assert d.cas.count("logout") == 0
