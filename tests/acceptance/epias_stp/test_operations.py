"""Golden tests T20 to T28 of the specification as far as they concern a wire: every operation in both formats.

That each request and each undisturbed answer fits the carried-over OpenAPI file is checked for the whole suite in
``conftest.py``; the codec's own golden tests hold it against the document's samples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel

from gridwire.epias_stp import EpiasStp, gate_setting, match_change, payment
from gridwire.epias_stp.errors import StpBusinessError
from gridwire.epias_stp.models import GasDay
from gridwire.outcome import Accepted, Rejected
from gridwire.transport import xml
from tests.acceptance.epias_stp.conftest import Watch
from tests.acceptance.epias_stp.floor import BID, TODAY, TOMORROW, Floor, Wire, accepted, floor
from tests.acceptance.epias_stp.test_cas import bare
from tests.sandbox.epias_stp.caller import dumps, envelope
from tests.support import openapi

ISTANBUL = ZoneInfo("Europe/Istanbul")


async def participant(f: Floor, stp: EpiasStp) -> None:
    """Every call of a participant, with what it must return."""
    seller = await f.client("TRADER2")
    buy = await f.bid(stp)
    assert [bid.price for bid in (await stp.contracts.depth(TODAY)).buys] == [Decimal("12000.50")]
    buy = order_of(accepted(await stp.bids.update(buy, price="12001.25", quantity=155)))
    assert buy.restated == {**buy.restated, "price": Decimal("12001.25"), "quantity": 155, "bid_status": "ACTIVE"}
    await f.bid(seller, direction="SELL", price="12001.25", quantity=55)

    (row,) = await stp.contracts.depth_summary(TODAY)
    assert (row.price, row.quantity, row.remaining_quantity) == (Decimal("12001.25"), 155, 100)
    assert (row.direction is not None, row.organization_id) == (True, 101)
    (match,) = await stp.matches.of([TODAY, TOMORROW])
    assert (match.price, match.quantity, match.my_own_matching) == (Decimal("12001.25"), 55, True)
    assert match.matching_time is not None
    assert match.matching_time.utcoffset() is not None

    listed = {contract.name: contract for contract in await stp.contracts.standard()}
    best = listed[TODAY].best_buy
    assert best is not None
    assert (best.price, best.amount, best.owner) == (Decimal("12001.25"), 100, True)
    assert listed[TODAY].best_sell is None
    assert listed[TODAY].last_matching_price == Decimal("12001.25")
    (weekly,) = await stp.contracts.weekly()
    assert len(weekly.gas_days) == 5
    (regional,) = await stp.contracts.regional()
    assert (regional.direction, regional.locations, regional.remaining_amount) == ("BUY", ["Malkoçlar"], 1000)

    details = await stp.contracts.get(TODAY)
    assert (details.contract_name, details.gas_days[0].gas_day_date) == (TODAY, date(2026, 12, 1))
    assert isinstance(details.gas_days[0], GasDay)
    assert [status.name for status in await stp.contract_statuses.all()] == ["WAITING", "ACTIVE", "CLOSED"]

    accepted(await stp.bids.cancel(buy))
    assert (await stp.contracts.depth(TODAY)).buys == []
    timed = await f.bid(stp, bid_type="MATCH_WITH_TIME_LIMIT", expire_time=datetime(2026, 12, 1, 12, tzinfo=ISTANBUL))
    accepted(await stp.bids.cancel(timed.id or ""))


async def operator(f: Floor, stp: EpiasStp) -> None:
    """Every call of the operator, with what it must return."""
    made = accepted(
        await stp.contracts.save(
            "WEEKLY",
            direction="SELL",
            quantity=10,
            gas_days=[date(2026, 12, 21), date(2026, 12, 22)],
            physical_point_ids=[],
        )
    )
    name = made.raw.model().contract_name
    assert name == "HI20261221"
    assert made.order is None
    assert len(made.raw.model().gas_days) == 2
    single = await stp.contracts.save(
        "REGIONAL", direction="BUY", quantity=300, gas_days=date(2026, 12, 24), physical_point_ids=[101, 103]
    )
    assert accepted(single).raw.model().physical_point_ids == [101, 103]

    before = await stp.contract_configuration.get(name)
    begin, end = before.dap_scope_date, before.grp_final_date
    (gate,) = before.gates
    assert begin is not None
    assert end is not None
    assert gate.contract_gate_id is not None
    accepted(
        await stp.contract_configuration.save(
            name,
            dap_scope_date=begin,
            dap_final_date=end,
            grp_scope_date=begin,
            grp_final_date=end,
            lpa=7,
            market_ceiling_price="25000.50",
            market_max_quantity=500,
            retrospective_average="9",
            transmission_ceiling_price_formula="GRF*1,05",
        )
    )
    after = await stp.contract_configuration.get(name)
    assert (after.market_ceiling_price, after.market_max_quantity) == (Decimal("25000.50"), 500)
    assert (after.retrospective_average, after.lpa) == (Decimal(9), Decimal(7))
    assert after.transmission_ceiling_price_formula == "GRF*1,05"
    assert after.market_base_price == before.market_base_price

    moved = accepted(
        await stp.contract_gates.update(gate.contract_gate_id, start_date=datetime(2026, 12, 2, tzinfo=ISTANBUL))
    )
    assert moved.raw.model().start_date == datetime(2026, 12, 2, tzinfo=ISTANBUL)
    closed = accepted(await stp.contract_gates.change_status(gate.contract_gate_id, gate_status="CLOSED"))
    assert closed.raw.model().gate_status.name == "CLOSED"

    limits = await stp.market_prices.calculate_grp("STANDART", date(2026, 12, 1))
    assert limits.base_price is not None
    assert limits.ceiling_price is not None
    assert limits.base_price < limits.ceiling_price

    (changed,) = map(
        accepted,
        await stp.matches.change_status(
            match_change(match_id, status="CANCELLED", description="yanlış giriş")
            for match_id in f.venue.market.matches
        ),
    )
    assert {match.match_status.name for match in changed.raw.model().matches} == {"CANCELLED"}
    eic = f.venue.market.users["TRADER1"].organisation.eic
    now = datetime(2026, 12, 1, 9, tzinfo=ISTANBUL)
    f.venue.market.balances[f.venue.market.users["TRADER1"].organisation.id] = 25_000_075  # kuruş
    paid, refused = await stp.payments.order(
        [payment(n, eic=eic, amount="250000.75", request_time=now) for n in (1, 2)]
    )
    assert isinstance(refused, Rejected)
    assert [(result.payment_order_id, result.status.code) for result in accepted(paid).raw.model().results] == [
        (1, "ACCEPTED"),
        (2, "REJECTED"),
    ]


def order_of(outcome: Accepted) -> Any:
    assert outcome.order is not None
    return outcome.order


async def everything(f: Floor, wire: Wire) -> None:
    await participant(f, await f.client("TRADER1", message_format=wire))
    await operator(f, await f.client("OPERATOR1", message_format=wire))


# ---------------------------------------------------------------------------------------------------------------------


async def test_T20_every_operation_travels_in_the_default_shape(wire: Wire, watch: Watch) -> None:
    async with floor() as f:
        await everything(f, wire)
        mine = [call for call in f.venue.log if call.wire == wire]
        assert {call.operation for call in mine} == set(openapi.stp().operations)
        assert all(call.executed for call in f.venue.log)
        if wire == "xml":  # the helpers of the market speak JSON
            assert {call.operation for call in f.venue.log if call.wire == "json"} == {"bid_save"}
    assert len(watch.requests) == len(watch.answers) == len(f.venue.log)


async def test_T20_the_watch_over_the_suite_sees_what_does_not_fit(wire: Wire) -> None:
    seen = Watch()
    api = openapi.stp()
    body = {"contractName": TODAY, "surprise": 1}
    value = envelope(body)
    content = dumps(value) if wire == "json" else api.to_xml("contract_get", "request", value)

    class Arrival:
        operation = type("Operation", (), {"name": "contract_get"})

    seen._check(Arrival, "request", content)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="surprise"):
        seen.end()


async def test_T21_gates_go_along_only_where_they_are_given(wire: Wire, watch: Watch) -> None:
    watch.exempt("requests", because="gateList is in the document's sample alone")
    async with floor(user="OPERATOR1", message_format=wire) as f:
        before = await f.stp.contract_configuration.get(TODAY)
        begin, end, number = before.dap_scope_date, before.grp_final_date, before.gates[0].contract_gate_id
        assert begin is not None
        assert end is not None
        assert number is not None
        gate = gate_setting(number, gate_type="BID_GATE", start_date=begin, end_date=end, gate_status="CLOSED")
        dates: dict[str, Any] = {
            "dap_scope_date": begin,
            "dap_final_date": end,
            "grp_scope_date": begin,
            "grp_final_date": end,
        }
        accepted(await f.stp.contract_configuration.save(TODAY, **dates))
        accepted(await f.stp.contract_configuration.save(TODAY, **dates, gates=[gate]))
        (after,) = (await f.stp.contract_configuration.get(TODAY)).gates
        assert after.gate_status is not None
        assert (after.gate_status.name, after.start_date, after.end_date) == ("CLOSED", begin, end)
    assert [b"gateList" in body for name, body in watch.requests if name == "contract_conf_save"] == [False, True]


async def test_T21_answers_in_the_shape_of_the_documents_samples_are_read_too(wire: Wire, watch: Watch) -> None:
    watch.exempt("answers", because="the older shape is not the definitions'")
    async with floor() as f:
        shapes: tuple[Literal["definition", "document"], ...] = ("definition", "document")
        seen = []
        for shape in shapes:
            f.venue.knobs.shape = shape
            stp = await f.client(message_format=wire)
            details = await stp.contracts.get(TODAY)
            weekly = (await stp.contracts.weekly())[0]
            standard = {contract.name: contract for contract in await stp.contracts.standard()}[TODAY]
            seen.append(
                (
                    details.gas_days[0].gas_day_date,
                    weekly.delivery_days[0],
                    standard.delivery_days,
                    standard.gas_days[0].gas_day_date,
                    standard.name,
                    standard.closing_time,
                )
            )
        assert seen[0] == seen[1]


async def test_T22_the_message_header_is_headers_with_both_pairs(wire: Wire, watch: Watch) -> None:
    async with floor() as f:
        stp = await f.client(message_format=wire, application="desk 7 & söhne")
        await stp.contracts.standard()
        (request,) = [body for _, body in watch.requests]
        if wire == "json":
            message = json.loads(request)
            pairs = {pair["key"]: pair["value"] for pair in message["headers"]}
            assert list(message) == ["headers", "body"]
            assert [set(pair) for pair in message["headers"]] == [{"key", "value"}] * 2
        else:
            root = xml.parse(request)
            assert [name for name, _ in xml.children(root)] == ["headers", "headers", "body"]
            pairs = {
                pair.findtext("key"): pair.findtext("value") for name, pair in xml.children(root) if name == "headers"
            }
        assert pairs == {"transactionId": f.venue.log[0].transaction_id, "application": "desk 7 & söhne"}
        assert UUID(pairs["transactionId"]).version == 4


@pytest.mark.parametrize("lenient", [False, True])
async def test_T22_the_simulator_refuses_header_unless_told_otherwise(wire: Wire, lenient: bool, watch: Watch) -> None:
    watch.exempt("requests", because="it is spelled as sister services spell it")
    sample = openapi.FIXTURES / "samples" / f"envelope.header_singular.request.{wire}"
    async with floor() as f, bare(f) as caller:
        f.venue.knobs.accept_header_singular = lenient
        content = sample.read_bytes().replace(b"Service Request", b"gridwire")
        await caller.send("bid_cancel", content, wire)
        (call,) = f.venue.log
        assert (call.result_code == "REQ-0002") is not lenient
        assert (call.transaction_id is not None) is lenient


async def test_T22_own_transaction_ids_are_sent_and_echoed(wire: Wire) -> None:
    async with floor(message_format=wire) as f:
        key = UUID("6BA7B810-9DAD-41D1-80B4-00C04FD430C8")
        outcome = accepted(await f.stp.bids.save(TODAY, **BID, transaction_id=key))
        assert outcome.intent.key == str(key) == f.venue.log[0].transaction_id
        assert outcome.raw.echoed_transaction_id == str(key)


async def test_T26_the_ticket_is_sent_with_all_operations_although_the_document_omits_it_with_ten(wire: Wire) -> None:
    async with floor() as f:
        await everything(f, wire)
        carried = {call.operation for call in f.venue.log if call.ticket is not None and call.ticket_problem == ""}
        assert carried == set(openapi.stp().operations)
        assert len({call.ticket for call in f.venue.log}) == len(f.venue.log)


async def test_T27_the_language_changes_texts_and_nothing_else(wire: Wire) -> None:
    async with floor() as f:
        await f.bid()
        said = {}
        for language in ("tr-tr", "en-us"):
            options: dict[str, Any] = {"message_format": wire, "language": language}
            trader, boss = await f.client(**options), await f.client("OPERATOR1", **options)
            answers = [
                *(await trader.contracts.standard()),
                *(await trader.contracts.regional()),
                *(await trader.contracts.depth_summary(TODAY)),
                *(await trader.contract_statuses.all()),
                await trader.contracts.get(TODAY),
                await boss.contract_configuration.get(TODAY),
            ]
            with pytest.raises(StpBusinessError) as refused:
                await trader.contracts.get("GG19990101")
            said[language] = (
                [without_texts(answer) for answer in answers],
                [answer.model_dump_json() for answer in answers],
                (refused.value.result_code, refused.value.kind, refused.value.operation),
                refused.value.result_description,
            )
        turkish, english = said["tr-tr"], said["en-us"]
        assert turkish[0] == english[0]
        assert turkish[1] != english[1]
        assert turkish[2] == english[2] == ("CON-0001", "business_error", "contract_get")
        assert (turkish[3], english[3]) == ("Kontrat bulunamadı", "The contract was not found")


def without_texts(value: Any) -> Any:
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, Mapping):
        return {name: without_texts(item) for name, item in value.items() if name not in ("text", "language")}
    return [without_texts(item) for item in value] if isinstance(value, list) else value


async def test_T28_misspelled_names_are_kept_on_the_wire(wire: Wire, watch: Watch) -> None:
    async with floor(message_format=wire) as f:
        await f.stp.contracts.standard()
        await f.bid()
        (row,) = await f.stp.contracts.depth_summary(TODAY)
        assert row.remaining_quantity == 155
    assert f.venue.log[0].operation == "activecontracts_standart"
    assert openapi.stp().paths["activecontracts_standart"] == "/activecontracts/standart"
    assert any(name == "bid_save" and b"STANDART_MATCH" in body for name, body in watch.requests)
    assert any(b"remaingQuatity" in body for _, body in watch.answers)
