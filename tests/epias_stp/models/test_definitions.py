"""All 91 definitions and 341 fields of the document are carried by a model and readable on it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gridwire.epias_stp import models, wire
from gridwire.epias_stp.enums import BidStatus, BidType, Direction
from gridwire.epias_stp.models import DEFINITIONS, AnswerOf, Header, RequestOf, StpModel, StpRequest
from gridwire.epias_stp.operations import OPERATIONS
from tests.epias_stp.samples import SENT_ID, answer, definitions

BY_NAME = {definition["name"]: definition for definition in definitions()}
MOMENT = "2018-02-20T19:30:33.000+03:00"
ENUMS = {"bidType": BidType.STANDARD_MATCH, "bidStatus": BidStatus.ACTIVE, "direction": Direction.BUY,
         "directionName": Direction.BUY}  # fmt: skip
DAYS = ("gasDay", "gasDayDate", "gasDayDates")


def fields(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = BY_NAME[name].get("fields") or []
    return found


def value(kind: dict[str, Any]) -> Any:
    """A value of the document's type, as JSON has it."""
    if "ref" in kind:
        return {field["name"]: value(field["type"]) for field in fields(kind["ref"])}
    match kind["type"]:
        case "array":
            return [value(kind["items"])]
        case "integer":
            return 7
        case "number":
            return Decimal("1.5")
        case "boolean":
            return True
    return kind["enum"][0] if "enum" in kind else MOMENT if kind.get("format") == "date-time" else "text"


def typed(field: dict[str, Any]) -> Any:
    """The same as Python types, which requests insist on."""
    plain = value(field["type"])
    if field["name"] in ENUMS:
        return ENUMS[field["name"]]
    moment = datetime(2018, 2, 20, 16, 30, 33, tzinfo=UTC)
    if field["name"] in DAYS:
        return [moment.date()] if isinstance(plain, list) else moment.date()
    if plain == MOMENT:
        return moment
    if plain == [MOMENT]:
        return [moment]
    if isinstance(plain, list) and isinstance(plain[0], dict):
        inner = field["type"]["items"]["ref"]
        return [request(inner)]
    return plain


def request(name: str) -> StpRequest:
    carrier = DEFINITIONS[name]
    assert isinstance(carrier, type)
    assert issubclass(carrier, StpRequest)
    return carrier.model_validate({field["name"]: typed(field) for field in fields(name)})


def test_the_counts_are_the_documents() -> None:
    assert len(DEFINITIONS) == 91
    assert set(DEFINITIONS) == set(BY_NAME)
    assert sum(len(fields(name)) for name in BY_NAME) == 341


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_field_is_readable(name: str) -> None:
    wanted = {field["name"] for field in fields(name)}
    carrier = DEFINITIONS[name]
    if carrier is Header:
        assert wanted == {"key", "value"}
    elif isinstance(carrier, RequestOf):
        assert wanted == {"headers", "body"}
        assert fields(name)[0]["type"]["ref"] in DEFINITIONS
    elif isinstance(carrier, AnswerOf):
        content = json.dumps(value({"ref": name}), default=float).encode()
        operation = next(one for one in OPERATIONS.values() if one.response_root == name)
        read = wire.decode(operation, answer(content), transaction_id=SENT_ID)
        assert (read.result_code, read.result_description, read.echoed_transaction_id) == ("text",) * 3
        assert read.raw_result_type == "SUCCESS"
        assert isinstance(read.model(), carrier.body)
        assert wanted == {"resultCode", "resultDescription", "resultType", "transactionId", "body"}
    elif isinstance(carrier, type) and issubclass(carrier, StpRequest):
        assert set(request(name).wire()) == wanted
    else:
        assert isinstance(carrier, type)
        assert issubclass(carrier, StpModel)
        parsed = carrier.model_validate(value({"ref": name}))
        assert parsed.model_extra == {}
        written = parsed.model_dump(by_alias=True, exclude_unset=True)
        assert set(written) == wanted
        assert all(item not in (None, []) for item in written.values())


def test_lookalikes_share_a_model() -> None:
    named = [name for name, carrier in DEFINITIONS.items() if carrier is models.NamedCode]
    assert len(named) == 11
    assert DEFINITIONS["GasDay"] is DEFINITIONS["GasDayResponse"]
    assert DEFINITIONS["BidSaveResponseBody"] is DEFINITIONS["BidCancelResponseBody"]
    assert len({carrier for carrier in DEFINITIONS.values() if isinstance(carrier, type)}) < 45


def test_models_are_built_late_and_on_request() -> None:
    models.build()
    assert all(
        carrier.__pydantic_complete__
        for carrier in DEFINITIONS.values()
        if isinstance(carrier, type) and issubclass(carrier, (StpModel, StpRequest))
    )
    assert StpModel.model_config["defer_build"]
    assert StpRequest.model_config["defer_build"]
