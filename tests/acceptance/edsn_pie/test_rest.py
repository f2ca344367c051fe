"""Golden tests G12 to G17: the three reads, what is asked again, and where the token never goes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from gridwire import clock
from gridwire.edsn_pie import TEST, Comment, CommentCreated, Ticket, TicketCreated, UnknownNotification
from gridwire.edsn_pie.decoder import decode
from gridwire.edsn_pie.errors import (
    EdsnAnswerError,
    EdsnAuthError,
    EdsnForeignReference,
    EdsnNotFound,
    EdsnPathError,
    EdsnPermissionError,
    EdsnRateLimited,
    EdsnRequestError,
    EdsnVenueFailure,
)
from gridwire.errors import BusinessError, InvalidInput, NoAnswer, RateLimited, SecurityError, VenueFailure
from gridwire.sandbox.edsn_pie.venue import ORGANISATION
from tests.acceptance.edsn_pie.ground import TICKET, ground
from tests.support.raw_server import RawServer, answering, http_answer, raw_server

BASE = "/energy-market/market-participant/market-case/market-case-management/v1/tickets"


async def test_a_ticket_and_its_comments_are_read_over_tls_too() -> None:
    for tls in (False, True):
        async with ground(tls=tls) as g:
            comment = g.venue.board.add_comment(TICKET, "Wij kijken ernaar.")
            ticket = await g.pie.get_ticket(TICKET)
            assert ticket == Ticket(TICKET, ticket.raw)
            assert (ticket.raw["subject"], ticket.raw["status"]) == ("Meetdata ontbreekt", "NEW")
            (listed,) = await g.pie.list_comments(TICKET)
            assert listed == await g.pie.get_comment(TICKET, comment) == Comment(comment, TICKET, listed.raw)
            assert listed.raw["text"] == "Wij kijken ernaar."


@pytest.mark.parametrize(
    ("ticket_id", "encoded"),
    [
        ("a/b", "a%2Fb"),
        ("a b", "a%20b"),
        ("naïve ☕", "na%C3%AFve%20%E2%98%95"),
        ("50%", "50%25"),
        ("x?y#z", "x%3Fy%23z"),
        ("a;b=c&d", "a%3Bb%3Dc%26d"),
        ("..x", "..x"),
        ("a\\b", "a%5Cb"),
    ],
)
async def test_G12_odd_ids_are_one_encoded_segment(ticket_id: str, encoded: str) -> None:
    async with ground() as g:
        g.venue.board.open_ticket("odd", organisation=ORGANISATION, ticket_id=ticket_id)
        assert (await g.pie.get_ticket(ticket_id)).id == ticket_id
        assert [call.path for call in g.venue.log.calls("get_ticket")] == [f"{BASE}/{encoded}"]
        assert await g.pie.list_comments(ticket_id) == []


@pytest.mark.parametrize(
    "ticket_id",
    [
        "../x", "..", ".", "..;", "..;x=1/y", "a/..%3b/b", ".;/b", "a/../b", "a/..", "..\\x", "%2e%2e/x", "%252e%252e%252fx", "a/%2E/b",
        "", " a", "a\n", "a\x00b", "\ud800", "x" * 257, 7, None,
    ],
)  # fmt: skip
async def test_G12_path_tricks_are_refused_in_one_sentence_and_nothing_is_sent(ticket_id: Any) -> None:
    async with ground() as g:
        for call in (
            lambda: g.pie.get_ticket(ticket_id),
            lambda: g.pie.list_comments(ticket_id),
            lambda: g.pie.get_comment(TICKET, ticket_id),
        ):
            with pytest.raises(InvalidInput, match=r"_id.*Nothing was sent\.$") as caught:
                await call()
            assert str(caught.value).count(". ") <= 2
        assert len(g.venue.log) == 0


async def test_G13_a_refused_token_is_replaced_and_the_read_repeated_once() -> None:
    async with ground() as g:
        await g.pie.token()
        g.venue.identity.revoke_all()
        assert (await g.pie.get_ticket(TICKET)).id == TICKET
        first, second = g.venue.log.calls("get_ticket")
        assert (first.status, second.status) == (401, 200)
        assert first.token != second.token
        assert first.correlation_id == second.correlation_id
        assert first.request_id != second.request_id
        assert UUID(str(first.request_id)).version == UUID(str(first.correlation_id)).version == 4
        assert len(g.told("token.dropped")) == 1
        assert g.statuses("token") == [200, 200]


async def test_G13_twice_refused_is_an_error_after_exactly_two_calls() -> None:
    async with ground() as g:
        g.venue.faults.add("status", status=401, times=None)
        with pytest.raises(EdsnAuthError, match="refused a token that the identity provider had just given"):
            await g.pie.get_ticket(TICKET)
        assert len(g.venue.log.calls("get_ticket")) == 2
        assert g.statuses("token") == [200, 200]
        g.venue.faults.clear()
        assert (await g.pie.get_ticket(TICKET)).id == TICKET
        assert g.statuses("token") == [200, 200, 200], "the token that was refused last is not used again"


async def test_G14_problem_details_are_kept_whole_and_quoted() -> None:
    async with ground() as g:
        with pytest.raises(EdsnNotFound) as caught:
            await g.pie.get_ticket("PIE-999999")
        error = caught.value
        assert isinstance(error, BusinessError)
        assert error.problem is not None
        assert error.problem.type == "https://cmf.energysector.nl/reference-data/error-catalogue/client/not-found"
        assert (error.problem.title, error.problem.status) == ("Not Found", 404)
        assert error.problem.detail == "There is no ticket PIE-999999"
        assert error.problem.extensions == {"errorCode": "PIE-404"}
        (call,) = g.venue.log.calls("get_ticket")
        assert (error.facts.request_id, error.facts.correlation_id) == (call.request_id, call.correlation_id)
        assert str(error).startswith(
            "There is no such ticket or comment for this service account (HTTP 404: Not Found: "
        )
        assert str(error).endswith(
            f"[get_ticket, HTTP 404, error PIE-404, X-Request-ID {call.request_id}, X-Correlation-ID {call.correlation_id}]"
        )


@pytest.mark.parametrize(
    ("status", "kind", "shared", "calls"),
    [
        (400, EdsnRequestError, BusinessError, 1),
        (422, EdsnRequestError, BusinessError, 1),
        (409, EdsnRequestError, BusinessError, 1),
        (403, EdsnPermissionError, SecurityError, 1),
        (404, EdsnNotFound, BusinessError, 1),
        (410, EdsnNotFound, BusinessError, 1),
        (500, EdsnVenueFailure, VenueFailure, 4),
        (502, EdsnVenueFailure, VenueFailure, 4),
        (503, EdsnVenueFailure, VenueFailure, 4),
        (429, EdsnRateLimited, RateLimited, 4),
    ],
)
async def test_G14_every_status_has_its_error_and_its_number_of_calls(
    status: int, kind: type[Exception], shared: type[Exception], calls: int
) -> None:
    said = json.dumps({"title": "No", "detail": "token eyJhbGciOiJub25l.eyJzdWIiOiJ4In0.sig", "n": [1]}).encode()
    async with ground() as g:
        more: dict[str, Any] = {"retry_after": "1"} if status == 429 else {}
        g.venue.faults.add(
            "raw", status=status, content=said, content_type="application/problem+json", times=None, **more
        )
        with pytest.raises(shared) as caught:
            await g.pie.get_ticket(TICKET)
        assert type(caught.value) is kind
        assert len(g.venue.log.calls("get_ticket")) == calls
        assert len({call.request_id for call in g.venue.log.calls("get_ticket")}) == calls
        assert "eyJ" not in str(caught.value) + repr(caught.value) + repr(vars(caught.value))


async def test_G14_a_page_of_a_gateway_is_a_failure_that_is_asked_again() -> None:
    async with ground() as g:
        g.venue.faults.add("html", status=502, times=2)
        assert (await g.pie.get_ticket(TICKET)).id == TICKET
        g.venue.faults.add("html", status=502, times=None)
        with pytest.raises(EdsnVenueFailure, match=r"\(HTTP 502\)") as caught:
            await g.pie.get_ticket(TICKET)
        assert caught.value.problem is None
        assert "<html>" not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "more", "sentence"),
    [
        ("html", {"status": 200}, "A web page came"),
        ("redirect", {}, "redirects are never followed"),
        ("raw", {"content": b"{broken"}, "is not JSON"),
        ("raw", {"content": b"[1]"}, "a list where a ticket should be"),
        ("status", {"status": 204}, "nothing where a ticket should be"),
    ],
)
async def test_G14_a_success_that_cannot_be_read_is_no_ticket(fault: Any, more: dict[str, Any], sentence: str) -> None:
    async with ground() as g:
        g.venue.faults.add(fault, **more)
        with pytest.raises(EdsnAnswerError, match=sentence):
            await g.pie.get_ticket(TICKET)
        assert len(g.venue.log.calls("get_ticket")) == 1


async def test_a_service_account_without_the_role_is_told_which_and_where() -> None:
    async with ground() as g:
        pie = await g.client("pie-service-3")
        with pytest.raises(EdsnPermissionError, match="Give it the role for the Partners in Energie API"):
            await pie.get_ticket(TICKET)
        stranger = await g.client("pie-service-2")
        with pytest.raises(EdsnNotFound):
            await stranger.get_ticket(TICKET)


async def test_a_404_on_an_unconfirmed_path_says_so_and_is_not_not_found() -> None:
    facts = TEST.facts
    async with ground() as g:
        pie = await g.client(g.account(facts=facts))
        for call in (
            lambda: pie.get_ticket("PIE-404"),
            lambda: pie.list_comments("PIE-404"),
            lambda: pie.get_comment("PIE-404", "COM-1"),
        ):
            with pytest.raises(EdsnPathError, match="the path itself is not confirmed") as caught:
                await call()
            assert not isinstance(caught.value, EdsnNotFound)
            assert "may exist all the same" in str(caught.value)
        sure = await g.client(g.account(facts=facts), confirmed=["ticket_path"])
        with pytest.raises(EdsnNotFound):
            await sure.get_ticket("PIE-404")
        with pytest.raises(EdsnPathError):
            await sure.list_comments("PIE-404")


async def test_G15_retry_after_in_seconds_and_as_a_date() -> None:
    async with ground() as g:
        loop = asyncio.get_running_loop()
        g.venue.faults.add("status", status=429, retry_after="17")
        began = loop.time()
        assert (await g.pie.get_ticket(TICKET)).id == TICKET
        assert loop.time() - began == pytest.approx(17, abs=0.1)

        when = (clock.now() + timedelta(seconds=40)).strftime("%a, %d %b %Y %H:%M:%S GMT")
        g.venue.faults.add("status", status=429, retry_after=when)
        began = loop.time()
        assert (await g.pie.get_ticket(TICKET)).id == TICKET
        assert loop.time() - began == pytest.approx(40, abs=1.1)


async def test_lost_answers_are_asked_again_and_given_up_after_four_tries() -> None:
    async with ground() as g:
        g.venue.faults.add("drop_after_execute")
        g.venue.faults.add("half_answer")
        assert (await g.pie.get_ticket(TICKET)).id == TICKET
        assert len(g.told("call.retried")) == 2
        g.venue.faults.add("silence_before_execute", times=None)
        before = len(g.venue.log)
        with pytest.raises(NoAnswer):
            await g.pie.get_ticket(TICKET)
        assert len(g.venue.log) - before == 4


@pytest.mark.parametrize("form", ["items", "named", "hal"])
async def test_G16_a_list_is_read_to_its_last_page(form: Any) -> None:
    async with ground() as g:
        g.venue.rest_knobs.most_per_page, g.venue.rest_knobs.list_form = 10, form
        names = [g.venue.board.add_comment(TICKET, str(number)) for number in range(35)]
        found = await g.pie.list_comments(TICKET)
        assert [comment.id for comment in found] == names
        assert {comment.ticket_id for comment in found} == {TICKET}
        paths = [call.path for call in g.venue.log.calls("list_comments")]
        assert paths == [f"{BASE}/{TICKET}/comments?_limit=100"] + [
            f"{BASE}/{TICKET}/comments?_limit=100&_cursor=p{start}" for start in (10, 20, 30)
        ]


async def test_G16_a_bare_array_is_a_whole_list_and_no_comment_is_an_empty_one() -> None:
    async with ground() as g:
        assert await g.pie.list_comments(TICKET) == []
        g.venue.rest_knobs.list_form = "bare"
        g.venue.board.add_comment(TICKET, "one")
        assert len(await g.pie.list_comments(TICKET)) == 1
        g.venue.faults.add("status", status=204)
        assert await g.pie.list_comments(TICKET) == []


async def test_G16_a_cursor_that_comes_back_ends_it_with_an_error_and_not_with_a_part() -> None:
    async with ground() as g:
        g.venue.rest_knobs.repeat_cursor = True
        g.venue.board.add_comment(TICKET, "one")
        with pytest.raises(EdsnAnswerError, match="a page that was read already, after 1 pages and 1 comments"):
            await g.pie.list_comments(TICKET)
        assert len(g.venue.log.calls("list_comments")) == 2


async def test_G16_a_failure_between_pages_is_repeated_for_that_page_alone() -> None:
    async with ground() as g:
        g.venue.rest_knobs.most_per_page = 2
        names = [g.venue.board.add_comment(TICKET, str(number)) for number in range(5)]
        g.venue.faults.add("drop_after_execute", path=f"{BASE}/{TICKET}/comments", times=2)
        assert [comment.id for comment in await g.pie.list_comments(TICKET)] == names


async def test_G17_a_dataref_elsewhere_is_refused_and_the_token_goes_nowhere() -> None:
    served: list[RawServer] = []
    async with ground() as g, raw_server(answering(http_answer(b"{}"), served=served)) as foreign:
        served.append(foreign)
        rest = g.venue.profile.rest_url
        port = rest.rpartition(":")[2]
        good = TicketCreated(envelope="structured", key="k", ticket_id=TICKET)
        for dataref in (
            f"{foreign.url}{BASE}/{TICKET}",
            f"https://127.0.0.1:{port}{BASE}/{TICKET}",
            f"http://127.0.0.1.example.com:{port}/x",
            f"http://user@127.0.0.1:{port}/x",
            f"http://127.0.0.1:{port}@evil.example/x",
            f"http://127.0.0.1:{port}\\@evil.example/x",
            f"//127.0.0.1:{port}/x",
            f"{rest}/a/../b",
            f"{rest}/a/%2e%2e/b",
            "/tickets/1",
            "javascript:alert(1)",
            "http://[::1",
            f"{rest}/x\n",
        ):
            with pytest.raises(EdsnForeignReference, match=r"Nothing was sent") as caught:
                await g.pie.fetch(replace(good, dataref=dataref))
            assert isinstance(caught.value, InvalidInput)
            comment = CommentCreated(envelope="plain", key="k", comment_id="1", ticket_id=TICKET, dataref=dataref)
            with pytest.raises(EdsnForeignReference):
                await g.pie.fetch(comment)
        assert foreign.connections == 0
        assert len(g.venue.log) == 0


async def test_G17_a_dataref_of_the_api_itself_is_used() -> None:
    async with ground() as g:
        g.venue.event_knobs.dataref = True
        ticket = g.venue.board.open_ticket("with a reference", organisation=ORGANISATION)
        comment = g.venue.board.add_comment(ticket, "and a comment")
        first, second = (decode(message) for _, message in list(g.venue.messages)[-2:])
        assert isinstance(first, TicketCreated)
        assert first.dataref is not None
        pie = await g.client(g.account(ticket_path="/wrong/{ticket_id}", comment_path="/wrong/{comment_id}"))
        assert (await pie.fetch(first)).id == ticket
        assert (await pie.fetch(second)).id == comment


async def test_what_a_notification_names_is_fetched_by_its_ids() -> None:
    async with ground() as g:
        ticket = g.venue.board.open_ticket("new", organisation=ORGANISATION)
        comment = g.venue.board.add_comment(ticket, "first")
        first, second = (decode(message) for _, message in list(g.venue.messages)[-2:])
        assert isinstance(found := await g.pie.fetch(first), Ticket)
        assert found.id == ticket
        assert isinstance(said := await g.pie.fetch(second), Comment)
        assert (said.id, said.ticket_id) == (comment, ticket)
        before = len(g.venue.log)
        with pytest.raises(InvalidInput, match="names neither a ticket nor a comment"):
            await g.pie.fetch(UnknownNotification(envelope="none", key=None, reason="x"))
        alone = CommentCreated(envelope="plain", key=None, comment_id=comment)
        with pytest.raises(InvalidInput, match="ticket_id is None"):
            await g.pie.fetch(alone)
        assert len(g.venue.log) == before


async def test_optional_headers_are_sent_where_they_are_set() -> None:
    served: list[RawServer] = []
    async with ground() as g, raw_server(answering(http_answer(b'{"mRID": 7}'), served=served)) as api:
        served.append(api)
        pie = await g.client(g.account(rest_url=api.url, sender_id="8712345000004", role="SUPPLIER"))
        assert (await pie.get_ticket("1")).id == "7"
    head = api.requests[0].decode().lower()
    assert "x-sender-id: 8712345000004\r\n" in head
    assert "x-role: supplier\r\n" in head
    assert "authorization: bearer ey" in head
