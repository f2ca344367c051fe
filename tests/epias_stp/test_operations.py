"""The table of operations against the carried-over OpenAPI file."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from gridwire.epias_stp.operations import OPERATIONS, RetryClass
from tests.epias_stp.samples import FOLDER

ENGINE = {name: operation for name, operation in OPERATIONS.items() if operation.module == "engine"}


def described() -> dict[str, tuple[str, dict[str, Any]]]:
    document = yaml.safe_load((FOLDER.parent / "stp.openapi.yaml").read_text(encoding="utf-8"))
    return {item["post"]["operationId"]: (path, item["post"]) for path, item in document["paths"].items()}


def root(message: dict[str, Any]) -> str:
    reference: str = message["content"]["application/xml"]["schema"]["$ref"]
    return reference.rpartition("/")[2]


def test_all_nineteen_operations_are_there_and_the_broadcasters_one() -> None:
    assert len(ENGINE) == 19
    assert set(ENGINE) == set(described())
    assert set(OPERATIONS) - set(ENGINE) == {"broadcaster_endpoint_get"}


@pytest.mark.parametrize("name", ENGINE)
def test_path_roots_and_retry_class_are_the_documents(name: str) -> None:
    path, call = described()[name]
    operation = OPERATIONS[name]
    assert operation.path == path
    assert operation.request_root == root(call["requestBody"])
    assert operation.response_root == root(call["responses"]["200"])
    named = "write" if operation.retry_class is RetryClass.CANCEL else operation.retry_class.value
    assert call["x-retry-class"] == named
    assert str(operation) == name


def test_writes_are_those_that_change_something() -> None:
    assert {operation.name for operation in OPERATIONS.values() if operation.is_write} == {
        "bid_save",
        "bid_update",
        "bid_cancel",
        "contract_save",
        "contract_conf_save",
        "contract_gate_change_status",
        "contract_gate_update",
        "match_change_status",
        "payment_order",
    }
    assert OPERATIONS["bid_cancel"].retry_class is RetryClass.CANCEL
    assert OPERATIONS["market_price_calculate_grp"].retry_class is RetryClass.CALC
