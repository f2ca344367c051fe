"""Answers are read whatever shape they come in, and nothing of them is lost."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from gridwire.epias_stp.enums import PriceDirection
from gridwire.epias_stp.models import (
    AmountPrice,
    BidAnswer,
    BroadcastEndpoint,
    ContractConfiguration,
    ContractDepth,
    ContractDetails,
    Contracts,
    ContractSummary,
    DepthSummary,
    DepthSummaryRow,
    GasDay,
    LabelledCode,
    Match,
    NamedCode,
    RegionalContractSummary,
)
from gridwire.errors import InvalidInput

DAY = date(2018, 9, 1)
DATE = "2018-09-01T00:00:00.000+03:00"


def test_names_are_the_fields_own_and_prices_exact() -> None:
    contract = ContractSummary.model_validate(
        {"name": "GG20180901", "bestAmountPriceBuying": {"price": Decimal("1467.1"), "amount": 155, "owner": True}}
    )
    assert contract.best_buy == AmountPrice(price=Decimal("1467.1"), amount=155, owner=True)
    assert contract.best_sell is None
    assert contract.gas_days == contract.delivery_days == []


def test_everything_may_be_missing_or_null() -> None:
    nulls = dict.fromkeys(("name", "bestAmountPriceBuying", "deliveryDays", "gasDays", "lastMatchingPrice"))
    assert ContractSummary.model_validate(nulls) == ContractSummary.model_validate({}) == ContractSummary()
    assert ContractSummary().name == ""
    assert Match.model_validate({"myOwnMatching": None, "pointName": None}).my_own_matching is None
    assert Contracts.model_validate(None) == Contracts()


def test_unknown_fields_are_kept_even_when_null() -> None:
    price = AmountPrice.model_validate({"price": 1, "hidden": None, "iceberg": {"a": 1}})
    assert price.model_extra == {"hidden": None, "iceberg": {"a": 1}}


def test_unknown_enumeration_values_pass_through() -> None:
    contract = ContractSummary.model_validate(
        {"lastMatchingPriceDirection": "SIDEWAYS", "weightedAverageDirection": "UP"}
    )
    assert contract.last_matching_price_direction == "SIDEWAYS"
    assert contract.weighted_average_direction is PriceDirection.UP


@pytest.mark.parametrize(
    "wire_name", ["remaingQuatity", "remainingQuantity", "remaingQuantity", "remainingQuatity", "remaining_quantity"]
)
def test_every_spelling_of_the_remaining_quantity_is_read(wire_name: str) -> None:
    assert DepthSummaryRow.model_validate({wire_name: "55"}).remaining_quantity == 55


def test_a_null_under_one_spelling_does_not_hide_the_other() -> None:
    assert DepthSummaryRow.model_validate({"remaingQuatity": None, "remainingQuantity": 5}).remaining_quantity == 5
    details = ContractDetails.model_validate({"gasDays": None, "gasDay": {"gasDayId": 245}})
    assert details.gas_days == [GasDay(gas_day_id=245)]


@pytest.mark.parametrize(
    "given",
    [
        {"gasDays": [{"gasDayDate": DATE}]},
        {"gasDays": {"gasDayDate": DATE}},
        {"gasDay": {"gasDayDate": DATE}},
        {"gasDay": DATE},
        {"gasDay": [DATE, None]},
        {"gasDay": 1535749200000},
    ],
)
def test_gas_days_come_as_objects_texts_numbers_and_lists(given: dict[str, Any]) -> None:
    assert ContractSummary.model_validate(given).gas_days == [GasDay(gas_day_date=DAY)]


@pytest.mark.parametrize("given", [{"deliveryDays": [DATE]}, {"deliveryDay": DATE}, {"deliveryDays": DATE}])
def test_delivery_days_come_single_or_many(given: dict[str, Any]) -> None:
    assert ContractSummary.model_validate(given).delivery_days == [DAY]


@pytest.mark.parametrize("number", ["1467.1", Decimal("1467.1"), "1.4671E3", " 1467.10 ", "+1467.1"])
def test_numbers_come_as_text_or_number(number: Any) -> None:
    assert AmountPrice.model_validate({"price": number}).price == Decimal("1467.1")


@pytest.mark.parametrize("count", ["155", 155, Decimal("155.0"), "155.0", "1.55e2"])
def test_quantities_are_whole_however_they_are_written(count: Any) -> None:
    amount = AmountPrice.model_validate({"amount": count}).amount
    assert amount == 155
    assert type(amount) is int


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", 1467.1),
        ("price", True),
        ("price", "NaN"),
        ("price", "1,5"),
        ("price", "1e400"),
        ("price", Decimal("Infinity")),
        ("price", [1]),
        ("amount", "1.5"),
        ("amount", 2**63),
        ("owner", "perhaps"),
        ("owner", {}),
    ],
)
def test_what_is_no_number_or_flag_is_not_guessed(field: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        AmountPrice.model_validate({field: value})


@pytest.mark.parametrize(("text", "flag"), [("true", True), ("FALSE", False), ("", None), (True, True)])
def test_flags_come_as_text_in_xml(text: Any, flag: bool | None) -> None:
    assert AmountPrice.model_validate({"owner": text}).owner is flag


def test_empty_elements_are_missing_values() -> None:
    gas_day = GasDay.model_validate({"gasDayId": "", "gasDayDate": ""})
    assert gas_day == GasDay()
    assert ContractDetails.model_validate({"physicalPointIds": ["101", "", "102"]}).physical_point_ids == [101, 102]


def test_identifiers_sent_as_numbers_become_text() -> None:
    assert Match.model_validate({"matchId": 7654321, "contract": Decimal("1E+2")}).match_id == "7654321"
    assert Match.model_validate({"contract": Decimal("1E+2")}).contract == "100"
    assert Match.model_validate({"contract": Decimal("1E+99999")}).contract == "1E+99999"
    with pytest.raises(ValidationError):
        Match.model_validate({"matchId": True})


def test_both_lookup_shapes_have_a_code_and_a_text() -> None:
    named = NamedCode.model_validate({"name": "OPEN", "localization": {"language": "tr-TR", "text": "Açık"}})
    labelled = LabelledCode.model_validate({"value": "OPEN", "text": "Açık"})
    assert (named.code, named.text) == (labelled.code, labelled.text) == ("OPEN", "Açık")
    assert NamedCode(name="OPEN").text == ""


def test_the_average_is_read_under_both_names_and_lpa_may_have_decimals() -> None:
    for name in ("retrospectiveAverage", "average"):
        assert ContractConfiguration.model_validate({name: 7, "lpa": "5.25"}).retrospective_average == 7
    assert ContractConfiguration.model_validate({"lpa": "5.25"}).lpa == Decimal("5.25")


@pytest.mark.parametrize("average", [Decimal("41.3333333333333357"), "41.3333333333333357", "4.13333333333333357e1"])
def test_an_average_of_quantities_with_a_fraction_does_not_make_its_list_unreadable(average: Any) -> None:
    row = {"price": 1, "quantity": 5, "lastMatchingsQuantityAverage": average}
    (read,) = DepthSummary.model_validate({"contractDepthSummaryResponses": [row]}).rows
    assert (read.quantity, read.last_matchings_quantity_average) == (5, Decimal("41.3333333333333357"))
    configuration = ContractConfiguration.model_validate({"lqa": average, "marketMaxQuantity": 7})
    assert (configuration.lqa, configuration.market_max_quantity) == (Decimal("41.3333333333333357"), 7)


def test_a_bid_answer_names_the_bid_or_none() -> None:
    assert BidAnswer.model_validate({"bidResponse": {"id": 12}}).bid_id == "12"
    assert BidAnswer.model_validate({"bidResponse": {"id": ""}}).bid_id is None
    assert BidAnswer.model_validate({"bidResponse": {}}).bid_id is None
    assert BidAnswer().bid_id is None


def test_a_book_is_two_lists_of_levels() -> None:
    depth = ContractDepth.model_validate({"contractBuyDepths": {"price": 1, "amount": 2}, "contractSellDepths": None})
    assert depth.buys == [AmountPrice(price=Decimal(1), amount=2)]
    assert depth.sells == []


def test_answers_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        AmountPrice(amount=1).amount = 2  # type: ignore[misc]


def test_the_broadcast_address_and_headers_stay_out_of_repr() -> None:
    endpoint = BroadcastEndpoint.model_validate(
        {"broadcastAddress": "wss://x/?token=planted", "headers": {"name": "Authorization", "value": "planted"}}
    )
    assert endpoint.broadcast_address.endswith("planted")
    assert endpoint.headers[0].value == "planted"
    assert "planted" not in repr(endpoint) + str(endpoint)


@pytest.mark.parametrize("model", [ContractSummary, RegionalContractSummary])
def test_a_contract_without_its_times_is_not_said_to_be_open(model: type[ContractSummary]) -> None:
    opens, closes = datetime(2026, 12, 1, 5, tzinfo=UTC), datetime(2026, 12, 3, 11, tzinfo=UTC)
    wire = {"activationTime": "2026-12-01T08:00:00.000+03:00", "closingTime": "2026-12-03T14:00:00.000+03:00"}
    contract = model.model_validate(wire)
    second = timedelta(seconds=1)
    assert [contract.is_open(at) for at in (opens - second, opens, closes - second, closes)] == [
        False,
        True,
        True,
        False,
    ]
    for missing in wire:
        assert not model.model_validate({**wire, missing: None}).is_open(opens)
    with pytest.raises(InvalidInput, match="at="):
        contract.is_open(datetime(2026, 12, 2))
