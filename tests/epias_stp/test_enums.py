"""STP's enumerations: open where they describe, strict where they decide."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from gridwire.epias_stp.enums import BidStatus, BidType, Direction, PriceDirection, ResultType


class Holder(BaseModel):
    kind: BidType


def test_the_wire_spells_the_standard_bid_with_a_t() -> None:
    assert BidType.STANDARD_MATCH == "STANDART_MATCH"
    assert BidType("STANDART_MATCH") is BidType.STANDARD_MATCH


def test_a_members_python_name_is_not_a_known_wire_value() -> None:
    assert not BidType("STANDARD_MATCH").known


def test_the_documented_values_are_all_there() -> None:
    assert {member.value for member in BidStatus} == {"ACTIVE", "PASSIVE", "CANCEL", "ACCEPTED", "PROCESSING"}
    assert {member.value for member in Direction} == {"BUY", "SELL"}
    assert {member.value for member in PriceDirection} == {"UP", "DOWN", "IDLE"}


def test_known_values_map_to_members_inside_models_and_unknown_ones_pass() -> None:
    assert Holder.model_validate({"kind": "STANDART_MATCH"}).kind is BidType.STANDARD_MATCH
    novel = Holder.model_validate_json('{"kind": "ICEBERG"}')
    assert novel.kind == "ICEBERG"
    assert not novel.kind.known
    assert novel.model_dump_json() == '{"kind":"ICEBERG"}'


def test_a_result_type_is_never_made_up() -> None:
    with pytest.raises(ValueError, match="PARTIAL"):
        ResultType("PARTIAL")
