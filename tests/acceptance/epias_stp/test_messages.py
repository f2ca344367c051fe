"""T20, T21, T22, T24 and T28: the messages of all operations in both formats, against the venue's samples."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from gridwire.epias_stp import operator_rules, rules, wire_xml
from gridwire.epias_stp.errors import StpProtocolError
from gridwire.epias_stp.models import (
    AmountPrice,
    BidAnswer,
    BroadcastEndpoint,
    ContractConfiguration,
    ContractDepth,
    ContractDetails,
    ContractGate,
    Contracts,
    ContractStatuses,
    DepthSummary,
    GrpPrices,
    Matchings,
    MatchList,
    Nothing,
    PaymentResults,
    RegionalContracts,
)
from gridwire.epias_stp.operations import OPERATIONS
from gridwire.epias_stp.wire import Format, decode, encode
from tests.acceptance.epias_stp.requests import CALLS, at
from tests.epias_stp.samples import APPLICATION, BOTH, SENT_ID, answer, exactly, sample
from tests.support.openapi import OpenApi, broadcaster, stp


def written(name: str, fmt: Format, body: Any = None) -> bytes:
    return encode(OPERATIONS[name], body or CALLS[name](), transaction_id=SENT_ID, application=APPLICATION, fmt=fmt)


def parsed(name: str, file: str) -> Any:
    return decode(OPERATIONS[name], answer(sample(file)), transaction_id=SENT_ID).model()


def contract_of(name: str) -> tuple[OpenApi, str]:
    return (broadcaster(), "endpoint_get") if name == "broadcaster_endpoint_get" else (stp(), name)


def test_T20_every_operation_has_a_call() -> None:
    assert set(CALLS) == set(OPERATIONS)


@pytest.mark.parametrize("name", CALLS)
def test_T20_every_request_says_what_the_sample_says_and_fits_the_contract(name: str) -> None:
    api, operation = contract_of(name)
    expected = exactly(sample(f"{name}.request.json"))
    assert exactly(written(name, "json")) == expected
    assert list(exactly(written(name, "json"))["body"]) == list(expected["body"])
    assert api.read(operation, "request", written(name, "json")) == expected
    assert wire_xml.read(written(name, "xml"))[0] == wire_xml.read(sample(f"{name}.request.xml"))[0]
    if api is stp():  # the broadcaster's file names its root in another case than its sample
        assert api.read(operation, "request", written(name, "xml")) == api.from_xml(
            operation, "request", sample(f"{name}.request.xml")
        )


@pytest.mark.parametrize("name", CALLS)
def test_T20_every_response_reads_alike_in_both_formats(name: str) -> None:
    as_json, as_xml = (parsed(name, f"{name}.response.{fmt}") for fmt in BOTH)
    assert type(as_json) is OPERATIONS[name].response_body
    assert as_json == as_xml


@pytest.mark.parametrize("fmt", BOTH)
def test_T20_responses_hold_the_right_values(fmt: str) -> None:
    def read(name: str) -> Any:
        return parsed(name, f"{name}.response.{fmt}")

    buy = AmountPrice(price=Decimal("1467.1"), amount=155, owner=True)
    depth: ContractDepth = read("activecontracts_depth")
    assert depth.buys == [buy, AmountPrice(price=Decimal(1466), amount=40, owner=False)]
    assert [level.price for level in depth.sells] == [1468]
    row = (summary := read("activecontracts_depth_summary")).rows[0]
    assert isinstance(summary, DepthSummary)
    assert (row.quantity, row.remaining_quantity, row.price) == (155, 55, Decimal("1467.1"))
    assert (row.direction.code, row.bid_status.code, row.bid_state.code) == ("BUY", "ACTIVE", "NEW")
    assert (row.organization.text, row.organization_id) == ("EÜAŞ", 195)
    assert row.create_date == datetime(2018, 8, 30, 6, 15, 42, 390_000, tzinfo=UTC)
    matchings: Matchings = read("activecontracts_matchings")
    assert matchings.matchings[0].my_own_matching
    assert matchings.matchings[0].match_id == "7654321"
    regional: RegionalContracts = read("activecontracts_regional")
    assert regional.contracts[0].locations == ["Malkoçlar"]
    assert (regional.contracts[0].total_amount, regional.contracts[0].remaining_amount) == (1000, 400)
    standard: Contracts = read("activecontracts_standart")
    assert standard.contracts[0].name == "GG20180901"
    assert standard.contracts[0].best_buy == AmountPrice(price=Decimal("1467.1"), amount=155, owner=False)
    assert standard.contracts[0].last_matching_price_direction == "UP"
    weekly: Contracts = read("activecontracts_weekly")
    assert len(weekly.contracts[0].gas_days) == len(weekly.contracts[0].delivery_days) == 5
    details: ContractDetails = read("contract_get")
    assert details.physical_point_ids == [101, 102]
    assert details.gas_days[0].gas_delivery_start_date == at(1, 8)
    assert details == read("contract_save")


@pytest.mark.parametrize("fmt", BOTH)
def test_T20_answers_of_writes_and_of_the_operator_hold_the_right_values(fmt: str) -> None:
    def read(name: str) -> Any:
        return parsed(name, f"{name}.response.{fmt}")

    for name in ("bid_save", "bid_update", "bid_cancel"):
        bid: BidAnswer = read(name)
        assert bid.bid_id == "1234567"
    conf: ContractConfiguration = read("contract_conf_get")
    assert [conf.market_ceiling_price, conf.retrospective_average, conf.lpa] == [2000, 7, 5]
    assert [gate.contract_gate_id for gate in conf.gates] == [11]
    gate: ContractGate = read("contract_gate_update")
    assert gate == read("contract_gate_change_status") == conf.gates[0]
    assert gate.gate_type is not None
    assert (gate.gate_type.code, gate.gate_type.text, gate.end_date) == ("BID_GATE", "Teklif Kapısı", at(2, 14))
    assert read("contract_conf_save") == Nothing()
    statuses: ContractStatuses = read("contract_status_list")
    assert [status.code for status in statuses.contract_statuses] == ["ACTIVE"]
    assert read("market_price_calculate_grp") == GrpPrices(base_price=Decimal(1000), ceiling_price=Decimal(1800))
    matches: MatchList = read("match_change_status")
    assert matches.matches[0].sale_bid is not None
    assert (matches.matches[0].match_id, matches.matches[0].sale_bid.id) == ("7654321", "1234567")
    payments: PaymentResults = read("payment_order")
    assert (payments.results[0].amount, payments.results[0].payment_order_id) == (Decimal("250000.75"), 31)
    endpoint: BroadcastEndpoint = read("broadcaster_endpoint_get")
    assert endpoint.broadcast_address.startswith("wss://")
    assert [header.name for header in endpoint.headers] == ["Authorization"]


DOCUMENT_SHAPES = ["activecontracts_regional", "activecontracts_standart", "contract_get", "contract_save"]


@pytest.mark.parametrize("name", DOCUMENT_SHAPES)
@pytest.mark.parametrize("fmt", BOTH)
def test_T21_the_documents_shape_reads_to_the_same_values(name: str, fmt: str) -> None:
    shown = parsed(name, f"{name}.response.docshape.{fmt}")
    defined = parsed(name, f"{name}.response.{fmt}")
    if not name.startswith("activecontracts"):
        assert [day.gas_day_id for day in shown.gas_days] == [245]
        missing = {"advance_payment_date": shown.gas_days[0].advance_payment_date}
        assert [day.model_copy(update=missing) for day in defined.gas_days] == shown.gas_days
        changed = {"physical_point_ids": [101], "gas_days": shown.gas_days}
        assert defined.model_copy(update=changed) == shown
        return
    old, new = shown.contracts[0], defined.contracts[0]
    assert old.delivery_days == new.delivery_days == [date(2018, 9, 1)]
    assert [day.gas_day_date for day in old.gas_days] == [day.gas_day_date for day in new.gas_days][: len(old.gas_days)]
    assert old.model_extra == {}
    unmarked = {side: getattr(new, side).model_copy(update={"owner": None}) for side in ("best_buy", "best_sell")}
    assert {side: getattr(old, side) for side in unmarked} == unmarked
    same = {
        "name": new.name,
        "type": new.type,
        "gas_days": new.gas_days,
        "best_buy": new.best_buy,
        "best_sell": new.best_sell,
    }
    assert old.model_copy(update=same) == new


def test_T21_one_gas_day_is_written_in_both_shapes_and_either_can_be_left_out() -> None:
    def body(**switches: bool) -> Any:
        return exactly(
            written(
                "contract_save",
                "json",
                operator_rules.contract_save(
                    "STANDART",
                    direction="BUY",
                    quantity=155,
                    gas_days=date(2018, 9, 1),
                    physical_point_ids=[101],
                    **switches,
                ),
            )
        )["body"]

    shown = exactly(sample("contract_save.request.docshape.json"))["body"]
    assert body() == {**shown, "gasDayDates": ["2018-09-01T00:00:00.000+03:00"]}
    assert body(write_gas_day_dates=False) == shown
    assert "gasDayDate" not in body(write_gas_day_date=False)


@pytest.mark.parametrize("fmt", BOTH)
def test_T21_gates_are_written_where_the_documents_sample_has_them(fmt: Format) -> None:
    gate = operator_rules.gate_setting(
        11, gate_type="BID_GATE", start_date=at(31, 8, month=8), end_date=at(2, 14), gate_status="OPEN"
    )
    body = CALLS["contract_conf_save"]().model_copy(update={"gates": [gate]})
    shown = exactly(sample("contract_conf_save.request.docshape.json"))["body"]
    if fmt == "json":
        assert exactly(written("contract_conf_save", fmt, body))["body"] == shown
        assert list(body.wire()) == list(shown)
    else:
        assert b"<gateList><contractGateId>11</contractGateId>" in written("contract_conf_save", fmt, body)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("fmt", BOTH)
def test_T22_headers_hold_exactly_the_transaction_and_the_application(name: str, fmt: Format) -> None:
    content = written(name, fmt)
    message = wire_xml.read(content)[1] if fmt == "xml" else exactly(content)
    assert list(message) == ["headers", "body"]
    assert message["headers"] == [
        {"key": "transactionId", "value": SENT_ID},
        {"key": "application", "value": APPLICATION},
    ]
    assert b'"header"' not in written(name, fmt)
    assert b"<header>" not in written(name, fmt)


def test_T24_headers_are_two_elements_and_lists_repeat_theirs() -> None:
    content = written("contract_save", "xml")
    assert content.count(b"<headers>") == 2
    assert content.count(b"<physicalPointIds>") == content.count(b"<gasDayDates>") == 2


def test_T24_lists_of_one_and_empty_bodies_are_read() -> None:
    assert len(parsed("contract_status_list", "contract_status_list.response.xml").contract_statuses) == 1
    assert parsed("contract_conf_save", "contract_conf_save.response.xml") == Nothing()
    assert written("contract_status_list", "xml").endswith(b"<body/></contractStatusListServiceRequest>")


@pytest.mark.parametrize("name", ["activecontracts_depth", "activecontracts_depth_summary", "payment_order"])
def test_T24_roots_that_begin_with_a_capital_are_read_in_either_case(name: str) -> None:
    content = sample(f"{name}.response.xml")
    root = OPERATIONS[name].response_root
    assert root[0].isupper()
    lowered = content.replace(root.encode(), (root[0].lower() + root[1:]).encode())
    read = decode(OPERATIONS[name], answer(lowered), transaction_id=SENT_ID)
    assert read.model() == parsed(name, f"{name}.response.xml")


BOMB = (
    b'<!DOCTYPE b [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
    b"<bidSaveServiceResponse><resultCode>&c;</resultCode></bidSaveServiceResponse>"
)
LEAK = b'<!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/hostname">]><bidSaveServiceResponse><resultCode>&a;</resultCode></bidSaveServiceResponse>'


@pytest.mark.parametrize("content", [BOMB, LEAK])
def test_T24_document_types_and_entities_are_refused(content: bytes) -> None:
    with pytest.raises(StpProtocolError, match="document type"):
        decode(OPERATIONS["bid_save"], answer(content), transaction_id=SENT_ID)


def test_T28_misspelled_names_are_the_wires_and_never_the_users() -> None:
    assert OPERATIONS["activecontracts_standart"].path == "/activecontracts/standart"
    body = rules.bid_save("GG20180901", direction="BUY", price="1", quantity=1, bid_type="STANDART_MATCH")
    assert exactly(written("bid_save", "json", body))["body"]["bidType"] == "STANDART_MATCH"
    assert body.bid_type.name == "STANDARD_MATCH"
    content = json.dumps(
        {"resultCode": "0", "resultType": "SUCCESS", "body": {"contractDepthSummaryResponses": {"remaingQuatity": 55}}}
    )
    read = decode(OPERATIONS["activecontracts_depth_summary"], answer(content.encode()), transaction_id=SENT_ID)
    summary = read.model()
    assert isinstance(summary, DepthSummary)
    assert summary.rows[0].remaining_quantity == 55
