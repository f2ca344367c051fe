"""The pool: fresh, never shared, polite. Over real HTTP, on virtual time."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from gridwire.auth.errors import CasCredentialsError, CasLoginBudgetExceeded, CasProtocolError, CasUnavailable
from gridwire.auth.tickets import TicketManager
from gridwire.errors import InvalidInput, WrongLoop
from gridwire.transport.exchange import Request, Response
from tests.auth.support.cas_server import PASSWORD, SERVICE, USER, answer
from tests.auth.support.desk import Desk, desk


async def nowhere(_: Request) -> Response:
    raise AssertionError("nothing may be sent")


def manager(**options: Any) -> TicketManager:
    settings: dict[str, Any] = {
        "cas_url": "https://cas.example/cas/v1",
        "username": USER,
        "password": SecretStr(PASSWORD),
        "service": SERVICE,
    }
    return TicketManager(nowhere, **(settings | options))


def age_at_server(d: Desk, ticket: str) -> float:
    return asyncio.get_running_loop().time() - d.cas.issued[ticket]


class TestPool:
    async def test_ten_idle_minutes_armed_cost_at_most_six_calls_a_minute(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            for _ in range(6000):
                await asyncio.sleep(0.1)
                assert d.tickets.stats().pooled <= 4
            assert d.cas.most_in_a_minute() <= 6
            assert d.cas.logins == 1
            ticket = d.tickets.pop_ready()
            assert ticket is not None
            assert ticket.age_s <= 25

    async def test_after_the_first_minute_a_ticket_is_always_ready_and_young(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            await asyncio.sleep(61)
            rng = random.Random(3)
            for _ in range(40):
                await asyncio.sleep(rng.uniform(30, 90))
                ready = d.tickets.pop_ready()
                assert ready is not None
                assert age_at_server(d, ready.value) <= 25
            assert d.cas.logins == 1

    async def test_a_ticket_is_handed_out_once(self) -> None:
        async with desk(pool_size=4, cas_calls_per_minute=60) as d:
            await d.tickets.arm()
            seen: list[str] = []
            for _ in range(200):
                ready = d.tickets.pop_ready()
                seen.append(ready.value if ready is not None else (await d.tickets.take()).value)
                await asyncio.sleep(0.03)
            assert len(set(seen)) == 200

    async def test_spent_tickets_are_replaced_at_once_up_to_ten_a_second(self) -> None:
        async with desk(pool_size=4) as d:
            await d.tickets.arm()
            await asyncio.sleep(62)
            spent_from = asyncio.get_running_loop().time()
            spent = 0
            for _ in range(100):
                spent += d.tickets.pop_ready() is not None
                await asyncio.sleep(0.05)
            calls = [at for at, _ in d.cas.calls if at >= spent_from]
            assert spent >= 45
            assert max(sum(start <= at < start + 1 for at in calls) for start in calls) <= 10

    async def test_orders_use_up_none_of_the_idle_calls(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            await asyncio.sleep(70)
            for _ in range(30):
                assert d.tickets.pop_ready() is not None
                await asyncio.sleep(1)
            await asyncio.sleep(45)
            assert d.tickets.pop_ready() is not None

    async def test_take_hands_out_a_pooled_ticket_without_asking(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            await d.tickets.disarm()
            calls = len(d.cas.calls)
            await d.tickets.take()
            assert len(d.cas.calls) == calls

    async def test_the_freshest_is_handed_out_first(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            await asyncio.sleep(5)
            first, second = d.tickets.pop_ready(), d.tickets.pop_ready()
            assert first is not None
            assert second is not None
            assert first.issued_at >= second.issued_at

    async def test_disarming_stops_the_calls_and_leaves_what_is_fresh(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            await asyncio.sleep(1)
            await d.tickets.disarm()
            calls = len(d.cas.calls)
            assert d.tickets.pop_ready() is not None
            await asyncio.sleep(26)
            assert d.tickets.pop_ready() is None
            assert len(d.cas.calls) == calls
            assert d.tickets.stats() == d.tickets.stats()
            assert (d.tickets.stats().wasted, d.tickets.stats().armed) == (1, False)

    async def test_arming_twice_is_arming_once(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            await d.tickets.arm()
            await asyncio.sleep(10)
            assert len(d.cas.calls) == 3

    async def test_arming_with_fresh_tickets_asks_for_none_first(self) -> None:
        async with desk(pool_size=1) as d:
            await d.tickets.arm()
            await d.tickets.disarm()
            await d.tickets.arm()
            await asyncio.sleep(1)
            assert len(d.cas.calls) == 2

    async def test_disarming_while_arming_stays_disarmed(self) -> None:
        async with desk() as d:
            d.cas.latency_s = 1.0
            arming = asyncio.create_task(d.tickets.arm())
            await asyncio.sleep(0.5)
            await d.tickets.disarm()
            await arming
            await asyncio.sleep(60)
            assert len(d.cas.calls) == 2

    async def test_a_ticket_asked_for_under_the_user_before_is_not_pooled(self) -> None:
        async with desk(pool_size=1) as d:
            d.cas.latency_s = 1.0
            d.cas.users["OTHER"] = "x"
            arming = asyncio.create_task(d.tickets.arm())
            await asyncio.sleep(1.5)
            d.tickets.update_credentials("OTHER", SecretStr("x"))
            await arming
            assert d.tickets.stats().pooled == 0
            await asyncio.sleep(15)
            ready = d.tickets.pop_ready()
            assert ready is not None
            assert ready.value in list(d.cas.issued)[1:]

    async def test_arming_with_a_wrong_password_says_so_and_arms_nothing(self) -> None:
        async with desk(password="wrong") as d:
            with pytest.raises(CasCredentialsError):
                await d.tickets.arm()
            assert not d.tickets.stats().armed

    async def test_before_anything_there_is_no_ready_ticket(self) -> None:
        tickets = manager()
        assert tickets.pop_ready() is None

    async def test_a_cancelled_order_loses_its_ticket(self) -> None:
        async with desk() as d:
            d.cas.latency_s = 1.0
            order = asyncio.create_task(d.tickets.take())
            await asyncio.sleep(1.5)
            order.cancel()
            await asyncio.sleep(5)
            assert d.tickets.stats().pooled == 0


class TestAge:
    async def test_counts_from_before_the_request(self) -> None:
        async with desk() as d:
            await d.tickets.take()
            d.cas.latency_s = 3.0
            ticket = await d.tickets.take()
            assert ticket.age_s == pytest.approx(3.0, abs=0.01)

    async def test_a_ticket_that_took_too_long_is_not_handed_out(self) -> None:
        async with desk(st_ttl_s=10.0) as d:
            await d.tickets.take()
            d.cas.latency_s = 6.0
            with pytest.raises(CasUnavailable, match="too old"):
                await d.tickets.take()
            assert d.tickets.stats().wasted == 1

    async def test_a_rejected_young_ticket_halves_the_life_down_to_twice_the_margin(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            await asyncio.sleep(17)
            d.tickets.report_rejected(17.0)
            assert d.tickets.stats().ttl_s == 15
            assert d.tickets.pop_ready() is None  # 17 s old, usable for 10 s now
            d.tickets.report_rejected(17.0)  # not younger than the life believed in now
            assert d.tickets.stats().ttl_s == 15
            d.tickets.report_rejected(12.0)
            assert d.tickets.stats().ttl_s == 10
            d.tickets.report_rejected(9.9)
            assert d.tickets.stats().ttl_s == 10
            assert [event.fields["ttl_s"] for event in d.told("ticket.ttl_lowered")] == [15, 10]

    async def test_a_very_young_ticket_was_rejected_for_another_reason(self) -> None:
        async with desk() as d:
            d.tickets.report_rejected(3.0)
            assert d.tickets.stats().ttl_s == 30

    @pytest.mark.parametrize("ttl_s", [10.0, 15.0, 20.0])
    async def test_short_lives_stay_polite_and_young(self, ttl_s: float) -> None:
        async with desk(st_ttl_s=ttl_s) as d:
            await d.tickets.arm()
            ready = 0
            for _ in range(300):
                await asyncio.sleep(2)
                ready += d.tickets.stats().pooled > 0
            assert d.cas.most_in_a_minute() <= 6
            assert ready >= 120

    async def test_a_life_lowered_while_armed_is_kept(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            await asyncio.sleep(100)
            d.tickets.report_rejected(20.0)
            for _ in range(100):
                await asyncio.sleep(7)
                ready = d.tickets.pop_ready()
                assert ready is None or ready.age_s <= 10


class TestRefillUnderFailure:
    async def test_a_session_lost_while_idle_is_mended_within_the_calls(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            await asyncio.sleep(100)
            d.cas.sessions.clear()
            await asyncio.sleep(120)
            assert d.cas.logins == 2
            assert d.cas.most_in_a_minute() <= 6
            assert d.tickets.pop_ready() is not None

    async def test_a_session_lost_under_an_order_is_mended_for_the_replacement(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            await asyncio.sleep(100)
            d.cas.sessions.clear()
            d.tickets.pop_ready()
            await asyncio.sleep(0.2)
            assert d.cas.logins == 2

    async def test_a_failing_service_is_asked_ever_more_rarely(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            await asyncio.sleep(62)
            calls = len(d.cas.calls)
            d.cas.ticket_faults.extend([answer(503)] * 500)
            await asyncio.sleep(600)
            assert len(d.cas.calls) - calls <= 60
            assert d.cas.most_in_a_minute() <= 6
            assert d.told("ticket.pool_failed")
            d.cas.ticket_faults.clear()
            await asyncio.sleep(61)
            assert d.tickets.pop_ready() is not None

    async def test_a_login_fails_while_idle_without_inner_repetition(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            await asyncio.sleep(100)
            d.cas.sessions.clear()
            d.cas.login_faults.extend([answer(500)] * 50)
            await asyncio.sleep(900)
            assert d.cas.most_in_a_minute() <= 6
            assert d.cas.logins <= 11

    async def test_an_order_that_waits_makes_an_idle_login_urgent(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            await asyncio.sleep(100)
            d.cas.sessions.clear()
            d.cas.login_faults.extend([answer(500), answer(500)])
            await asyncio.sleep(26)
            assert d.cas.logins == 2
            assert (await d.tickets.take()).value.startswith("ST-")
            assert d.cas.logins == 4

    async def test_a_pause_is_slept_through(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            await asyncio.sleep(62)
            d.cas.ticket_faults.append(answer(429, retry_after="200"))
            await asyncio.sleep(20)
            calls = len(d.cas.calls)
            await asyncio.sleep(150)
            assert len(d.cas.calls) - calls <= 1
            await asyncio.sleep(60)
            assert d.tickets.pop_ready() is not None

    async def test_a_page_in_place_of_a_ticket_pauses_a_minute(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            await asyncio.sleep(62)
            d.cas.ticket_faults.extend([answer(200, "<html>maintenance</html>")] * 2)
            await asyncio.sleep(130)
            assert d.tickets.pop_ready() is not None

    async def test_a_refused_password_stops_the_pool_until_it_is_corrected(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            await asyncio.sleep(100)
            d.cas.sessions.clear()
            d.cas.users[USER] = "new"
            await asyncio.sleep(60)
            assert d.tickets.stats().latched
            calls = len(d.cas.calls)
            await asyncio.sleep(600)
            assert len(d.cas.calls) == calls
            assert d.tickets.pop_ready() is None
            d.tickets.update_credentials(USER, SecretStr("new"))
            await asyncio.sleep(1)
            assert d.tickets.pop_ready() is not None

    async def test_tickets_of_the_user_before_are_never_handed_out(self) -> None:
        async with desk() as d:
            await d.tickets.arm()
            await asyncio.sleep(1)
            d.cas.latency_s = 1.0
            d.tickets.pop_ready()
            await asyncio.sleep(0.5)  # its replacement is under way
            d.cas.users["OTHER"] = "x"
            before = set(d.cas.issued)
            d.tickets.update_credentials("OTHER", SecretStr("x"))
            assert d.tickets.pop_ready() is None
            await asyncio.sleep(10)
            ready = d.tickets.pop_ready()
            assert ready is not None
            assert ready.value not in before
            assert d.cas.logins == 2


class TestSecrets:
    async def test_no_secret_in_repr_events_or_errors(self) -> None:
        async with desk() as d:

            async def tell_all(request: web.Request) -> web.StreamResponse:
                return web.Response(status=409, text=f"{request.path} {PASSWORD} TGT-1-{'x' * 40} ST-9-abc")

            d.cas.login_faults.append(tell_all)
            with pytest.raises(CasProtocolError) as caught:
                await d.tickets.take()
            await asyncio.sleep(61)
            d.cas.ticket_faults.append(answer(404, f"TGT-1-{'x' * 40} could not be found"))
            with pytest.raises(CasLoginBudgetExceeded):
                await d.tickets.take()
            await asyncio.sleep(61)
            ticket = await d.tickets.take()
            await d.tickets.arm()
            shown = " ".join(
                [repr(ticket), repr(d.tickets), repr(d.tickets.stats()), str(caught.value), *map(repr, d.events)]
            )
            assert ticket.value not in shown
            assert PASSWORD not in shown
            assert "ST-9" not in shown
            assert "x" * 20 not in shown

    async def test_a_user_name_in_small_letters_is_told_once_and_sent_as_it_is(self) -> None:
        async with desk(username="Trader") as d:
            d.cas.users["Trader"] = PASSWORD
            await d.tickets.take()
            await d.tickets.take()
            assert len(d.told("cas.username_case")) == 1


class TestConstruction:
    @pytest.mark.parametrize(
        "options",
        [
            {"cas_url": "ftp://x/cas/v1"},
            {"cas_url": "https://u:p@x/cas/v1"},
            {"cas_url": "https://x/cas/v1?a=b"},
            {"cas_url": "https:///cas"},
            {"cas_url": "https://[x/cas"},
            {"service": ""},
            {"username": ""},
            {"margin_s": 0.0},
            {"st_ttl_s": 9.0},
            {"tgt_margin_s": 2700.0},
            {"pool_size": 0},
            {"pool_size": 5},
            {"cas_calls_per_minute": 1},
            {"replacements_per_s": 0},
        ],
    )
    async def test_what_cannot_work_is_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(InvalidInput):
            manager(**options)

    async def test_any_service_name_goes(self) -> None:
        async with desk(service="stp_ŞİRKET & co") as d:
            await d.tickets.take()
            assert d.cas.services == ["stp_ŞİRKET & co"]

    async def test_a_manager_has_jitter_of_its_own(self) -> None:
        assert manager().stats().logins_left == 10

    def test_a_second_loop_is_refused(self) -> None:
        tickets = manager()

        async def use() -> None:
            with pytest.raises(AssertionError):
                await tickets.take()

        asyncio.run(use())

        async def again() -> None:
            with pytest.raises(WrongLoop, match="another event loop"):
                await tickets.take()

        asyncio.run(again())


async def test_an_unexpected_failure_is_told_and_outlived() -> None:
    """The pool's task must not die of a bug in what it calls."""
    issued = 0

    async def send(request: Request) -> Response:
        nonlocal issued
        if request.url.endswith("format=text"):
            return Response(201, {}, b"TGT-1-x")
        issued += 1
        if issued == 2:
            raise RuntimeError("TGT-1-x went wrong")
        return Response(200, {}, f"ST-{issued}-x".encode())

    events: list[Any] = []
    tickets = TicketManager(
        send,
        cas_url="https://cas.example/cas/v1",
        username=USER,
        password=SecretStr(PASSWORD),
        service=SERVICE,
        on_event=events.append,
    )
    await tickets.arm()
    await asyncio.sleep(100)
    assert tickets.pop_ready() is not None
    failed = [event.text for event in events if event.name == "ticket.pool_failed"]
    assert "TGT-*** went wrong" in failed[0]
    await tickets.aclose()


class TestTicketsHandedOutTwice:
    async def test_one_is_asked_for_once_more_and_never_used_twice(self) -> None:
        async with desk() as d:
            first = await d.tickets.take()
            d.cas.ticket_faults.append(answer(200, first.value))
            second = await d.tickets.take()
            assert second.value != first.value
            assert d.cas.count("ticket") == 3
            assert d.tickets.stats().fetched == 2

    async def test_twice_in_a_row_is_an_error_and_no_ticket(self) -> None:
        async with desk() as d:
            first = await d.tickets.take()
            d.cas.ticket_faults.extend([answer(200, first.value), answer(200, first.value)])
            with pytest.raises(CasProtocolError, match="had handed out before, twice in a row") as caught:
                await d.tickets.take()
            assert first.value not in str(caught.value)
            assert (await d.tickets.take()).value != first.value
