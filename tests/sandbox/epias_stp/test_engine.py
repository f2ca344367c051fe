"""Envelope, formats, tickets, languages and shapes, as they are on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.sandbox.epias_stp.caller import Floor, dumps, envelope, floor
from tests.support import openapi

DEPTH = {"contractName": "GG20261201"}
PAIRS = envelope()["headers"]


@pytest.fixture
async def f() -> AsyncIterator[Floor]:
    async with floor() as running:
        yield running


def said(answer: httpx.Response) -> tuple[str, str]:
    assert answer.status_code == 200
    value = json.loads(answer.content)
    return value["resultType"], value["resultCode"]


@pytest.mark.parametrize(
    ("top", "code"),
    [
        ({"body": DEPTH}, "REQ-0002"),
        ({"headers": [], "body": DEPTH}, "REQ-0002"),
        ({"headers": "x", "body": DEPTH}, "REQ-0002"),
        ({"header": PAIRS, "body": DEPTH}, "REQ-0002"),
        ({"headers": PAIRS[:1], "body": DEPTH}, "REQ-0004"),
        ({"headers": PAIRS[1:], "body": DEPTH}, "REQ-0003"),
        ({"headers": [{"key": "transactionId", "value": "7"}, PAIRS[1]], "body": DEPTH}, "REQ-0003"),
        ({"headers": [{"key": "transactionId", "value": 7}, PAIRS[1]], "body": DEPTH}, "REQ-0003"),
        ({"headers": [PAIRS[0], {"key": "application", "value": ""}], "body": DEPTH}, "REQ-0004"),
        ({"headers": PAIRS, "body": [1]}, "REQ-0006"),
        ({"headers": PAIRS}, "REQ-0005"),
        ([], "REQ-0001"),
    ],
)
async def test_a_wrong_envelope_is_a_business_error(f: Floor, top: Any, code: str) -> None:
    assert said(await f.one.send("activecontracts_depth", dumps(top))) == ("BUSINESSERROR", code)
    assert not f.venue.log[-1].executed


async def test_the_singular_header_is_taken_only_with_the_switch(f: Floor) -> None:
    content = dumps({"header": PAIRS, "body": DEPTH})
    assert said(await f.one.send("activecontracts_depth", content)) == ("BUSINESSERROR", "REQ-0002")
    f.venue.knobs.accept_header_singular = True
    assert said(await f.one.send("activecontracts_depth", content)) == ("SUCCESS", "0")


async def test_a_list_operation_may_leave_its_body_out(f: Floor) -> None:
    assert said(await f.one.send("contract_status_list", dumps({"headers": PAIRS}))) == ("SUCCESS", "0")


async def test_missing_used_expired_and_foreign_tickets_are_security_errors(f: Floor) -> None:
    content = dumps(envelope(DEPTH))
    refused = ("SECURITYERROR", "SEC-0001")
    assert said(await f.one.send("activecontracts_depth", content, ticket="")) == refused
    assert said(await f.one.send("activecontracts_depth", content, ticket="ST-1-made-up")) == refused
    used = await f.one.ticket()
    assert said(await f.one.send("activecontracts_depth", content, ticket=used))[0] == "SUCCESS"
    assert said(await f.one.send("activecontracts_depth", content, ticket=used)) == refused
    old = await f.one.ticket()
    await asyncio.sleep(30.5)
    assert said(await f.one.send("activecontracts_depth", content, ticket=old)) == refused
    f.venue.cas.services.add("https://other")
    foreign = await f.one.ticket("https://other")
    assert said(await f.one.send("activecontracts_depth", content, ticket=foreign)) == refused
    f.venue.cas.passwords["STRANGER"] = "x"
    now = asyncio.get_running_loop().time()
    stranger = f.venue.cas.service_ticket(f.venue.cas.login("STRANGER", "x", now) or "", f.venue.knobs.service, now)
    assert said(await f.one.send("activecontracts_depth", content, ticket=stranger)) == refused

    log = f.venue.log
    assert [call.ticket_problem for call in log] == ["missing", "unknown", "", "used", "expired", "foreign_service", ""]
    assert [log[0].user, log[1].user] == [None, None]
    assert log[4].ticket_age_s == pytest.approx(30.5)
    assert log.tickets_presented_twice() == [1]
    assert [call.executed for call in log] == [False, False, True, False, False, False, False]
    assert len(log.refused("activecontracts_depth")) == 6
    assert len(log.refused(user="TRADER1")) == 3
    assert len(log) == 7


async def test_a_ticket_problem_is_told_before_anything_else(f: Floor) -> None:
    answer = await f.one.send("bid_save", b"not json", ticket="ST-9")
    assert said(answer) == ("SECURITYERROR", "SEC-0001")


async def test_the_transaction_is_echoed_in_every_envelope_unless_switched_off(f: Floor) -> None:
    refused = await f.one.send("activecontracts_depth", dumps(envelope()), ticket="ST-9")
    assert refused.json()["transactionId"]
    f.venue.knobs.echo_transaction_id = False
    assert "transactionId" not in (await f.one.send("activecontracts_depth", dumps(envelope(DEPTH)))).json()


@pytest.mark.parametrize(
    ("content_type", "accept", "status", "answered"),
    [
        ("application/json", "application/xml", 200, "application/xml"),
        ("application/json", "*/*", 200, "application/json"),
        ("application/json", "", 200, "application/json"),
        ("application/json; charset=UTF-8", "text/html, application/xml;q=0.9", 200, "application/xml"),
        ("text/plain", "application/json", 415, None),
        ("application/json", "text/html", 406, None),
    ],
)
async def test_formats_are_chosen_by_content_type_and_accept(
    f: Floor, content_type: str, accept: str, status: int, answered: str | None
) -> None:
    content = dumps(envelope(DEPTH))
    answer = await f.one.send("activecontracts_depth", content, Content_Type=content_type, Accept=accept)
    assert answer.status_code == status
    if answered is None:
        assert answer.content == b""
        assert not f.venue.log[0].executed
    else:
        assert answer.headers["content-type"].startswith(answered)
        openapi.stp().read("activecontracts_depth", "response", answer.content)


@pytest.mark.parametrize("language", ["tr-tr", "en-us", "de-de"])
async def test_the_language_changes_texts_and_nothing_else(f: Floor, language: str) -> None:
    english = language == "en-us"
    listed = await f.one.call("contract_status_list", {}, accept_language=language)
    localization = [status["localization"] for status in listed["body"]["contractStatuses"]]
    assert {entry["language"] for entry in localization} == {"en-US" if english else "tr-TR"}
    assert [entry["text"] for entry in localization] == (
        ["Waiting", "Active", "Closed"] if english else ["Bekliyor", "Aktif", "Kapalı"]
    )
    assert [status["name"] for status in listed["body"]["contractStatuses"]] == ["WAITING", "ACTIVE", "CLOSED"]
    refused = await f.one.call("activecontracts_depth", {"contractName": "GG1"}, accept_language=language)
    assert refused["resultCode"] == "CON-0001"
    assert refused["resultDescription"] == ("The contract was not found" if english else "Kontrat bulunamadı")


async def test_the_module_path_can_be_the_other_word_order(f: Floor) -> None:
    documented = f.one.profile
    f.venue.knobs.engine_path = "/stp-trading-engine-orchestrator/rest"
    assert (await f.one.send("contract_status_list", dumps(envelope()))).status_code == 404
    assert f.venue.profile.engine_path != documented.engine_path
    f.one.profile = f.venue.profile
    assert said(await f.one.send("contract_status_list", dumps(envelope()))) == ("SUCCESS", "0")


async def test_other_paths_and_methods_are_not_there(f: Floor) -> None:
    base = f.one.profile.stp_url + f.one.profile.engine_path
    missing = await f.http.post(base + "/bid/list", content=b"{}")
    assert (missing.status_code, missing.headers["content-type"][:9]) == (404, "text/html")
    assert (await f.http.get(base + "/bid/save")).status_code == 405
    assert len(f.venue.log) == 0


async def test_latency_holds_a_call_before_it_is_executed(f: Floor) -> None:
    f.venue.knobs.latency_s = 2.0
    ticket = await f.one.ticket()
    started = asyncio.get_running_loop().time()
    await f.one.send("contract_status_list", dumps(envelope()), ticket=ticket)
    assert asyncio.get_running_loop().time() - started == 2.0


class TestDocumentShape:
    """Four answers as the samples of the venue's document show them."""

    @pytest.fixture
    async def older(self, f: Floor) -> Floor:
        f.venue.knobs.shape = "document"
        return f

    async def body(self, f: Floor, operation: str, body: Any = None, operator: bool = False) -> Any:
        caller = f.operator if operator else f.one
        answer = await caller.send(operation, dumps(envelope(body)))
        assert said(answer) == ("SUCCESS", "0")
        return answer.json()["body"]

    async def test_a_contract_has_one_gas_day(self, older: Floor) -> None:
        body = await self.body(older, "contract_get", DEPTH)
        assert "gasDays" not in body
        assert set(body["gasDay"]) == {
            "gasDayId", "registrationPeriodId", "gasDayDate", "gasDeliveryStartDate", "gasDeliveryEndDate",
        }  # fmt: skip

    async def test_rows_have_one_delivery_day_and_standard_ones_a_gas_day_date(self, older: Floor) -> None:
        row = (await self.body(older, "activecontracts_standart"))["contracts"][2]
        assert row["deliveryDay"] == row["gasDay"] == "2026-12-01T00:00:00.000+03:00"
        assert {"deliveryDays", "gasDays"}.isdisjoint(row)
        regional = (await self.body(older, "activecontracts_regional"))["contracts"][0]
        assert "gasDay" not in regional
        assert regional["deliveryDay"] == "2026-12-02T00:00:00.000+03:00"

    async def test_levels_have_no_owner(self, older: Floor) -> None:
        bid = {"price": 100, "quantity": 5, "bidType": "STANDART_MATCH", "bidStatus": "ACTIVE", "direction": "BUY"}
        await self.body(older, "bid_save", DEPTH | bid)
        row = (await self.body(older, "activecontracts_standart"))["contracts"][2]
        assert row["bestAmountPriceBuying"] == {"price": 100, "amount": 5}

    async def test_contract_save_takes_the_single_day(self, older: Floor) -> None:
        body = {
            "contractTypeName": "STANDART",
            "gasDayDate": "2026-12-10T00:00:00.000+03:00",
            "quantity": 155,
            "directionName": "BUY",
            "physicalPointIds": [101],
        }
        made = await self.body(older, "contract_save", body, operator=True)
        assert (made["contractName"], made["contractStatus"]["name"]) == ("GG20261210", "WAITING")
        refused = await older.operator.send(
            "contract_save", dumps(envelope({k: v for k, v in body.items() if k != "gasDayDate"}))
        )
        assert said(refused) == ("BUSINESSERROR", "REQ-0005")
