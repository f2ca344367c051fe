"""The 19 operations of the trading engine, and the broadcaster's one, as one table.

Source: STP document, sections 5 and 6 (paths, message roots), and the official WebSocket client for the broadcaster.
All are POST. The table is the only place where an operation's path, roots, bodies and retry class are written down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeAlias

from gridwire.epias_stp.models import (
    DEFINITIONS,
    AnswerOf,
    BroadcastEndpoint,
    EmptyRequestBody,
    RequestOf,
    StpModel,
    StpRequest,
)

Role: TypeAlias = Literal["participant", "operator", "settlement"]
"""Who is assumed to hold the right for an operation; the document does not say."""

Module: TypeAlias = Literal["engine", "broadcaster"]
"""Which of the profile's base paths an operation's path is appended to."""


class RetryClass(Enum):
    """What a second attempt of an operation could do."""

    READ = "read"
    """Nothing."""
    CALC = "calc"
    """Nothing: it works something out and stores nothing."""
    CANCEL = "cancel"
    """A write that has the same effect twice as once; still never sent again unless the caller allowed it."""
    WRITE = "write"
    """A second bid, a second payment, a lost amendment."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: where it is, how its messages are called, and what they carry."""

    name: str
    path: str
    request_root: str
    response_root: str
    retry_class: RetryClass
    role: Role
    request_body: type[StpRequest]
    response_body: type[StpModel]
    module: Module = "engine"

    @property
    def is_write(self) -> bool:
        """Whether it changes something at the venue."""
        return self.retry_class in (RetryClass.WRITE, RetryClass.CANCEL)

    def __str__(self) -> str:
        return self.name


_READ, _CALC, _CANCEL, _WRITE = RetryClass.READ, RetryClass.CALC, RetryClass.CANCEL, RetryClass.WRITE

_TABLE: tuple[tuple[str, str, str, str, RetryClass, Role], ...] = (
    ("activecontracts_depth", "/activecontracts/depth", "contractDepthServiceRequest", "ContractDepthServiceResponse", _READ, "participant"),
    ("activecontracts_depth_summary", "/activecontracts/depth-summary", "contractDepthServiceRequest", "ContractDepthSummaryServiceResponse", _READ, "participant"),
    ("activecontracts_matchings", "/activecontracts/matchings", "activeContractMatchingRequest", "activeContractMatchingResponse", _READ, "participant"),
    ("activecontracts_regional", "/activecontracts/regional", "contractRequest", "regionalContractResponse", _READ, "participant"),
    ("activecontracts_standart", "/activecontracts/standart", "contractRequest", "contractResponse", _READ, "participant"),
    ("activecontracts_weekly", "/activecontracts/weekly", "contractRequest", "contractResponse", _READ, "participant"),
    ("bid_save", "/bid/save", "bidSaveServiceRequest", "bidSaveServiceResponse", _WRITE, "participant"),
    ("bid_update", "/bid/update", "bidUpdateServiceRequest", "bidUpdateServiceResponse", _WRITE, "participant"),
    ("bid_cancel", "/bid/cancel", "bidCancelServiceRequest", "bidCancelServiceResponse", _CANCEL, "participant"),
    ("contract_get", "/contract/get", "contractGetServiceRequest", "contractGetServiceResponse", _READ, "participant"),
    ("contract_save", "/contract/save", "contractSaveServiceRequest", "contractSaveServiceResponse", _WRITE, "operator"),
    ("contract_conf_get", "/contract-conf/get", "contractConfigurationGetServiceRequest", "contractConfigurationGetServiceResponse", _READ, "operator"),
    ("contract_conf_save", "/contract-conf/save", "contractConfigurationSaveServiceRequest", "contractConfigurationSaveServiceResponse", _WRITE, "operator"),
    ("contract_gate_change_status", "/contract-gate/change-status", "contractGateChangeStatusServiceRequest", "contractGateSaveServiceResponse", _WRITE, "operator"),
    ("contract_gate_update", "/contract-gate/update", "contractGateUpdateServiceRequest", "contractGateSaveServiceResponse", _WRITE, "operator"),
    ("contract_status_list", "/contract-status/list", "contractStatusListServiceRequest", "contractStatusListServiceResponse", _READ, "participant"),
    ("market_price_calculate_grp", "/market-price/calculate-grp", "grpPriceGetRequest", "grpPriceServiceResponse", _CALC, "operator"),
    ("match_change_status", "/match/change-status", "matchChangeStatusServiceRequest", "matchChangeStatusServiceResponse", _WRITE, "operator"),
    ("payment_order", "/payment/order", "paymentOrderServiceRequest", "PaymentServiceResponse", _WRITE, "settlement"),
)  # fmt: skip


def _engine(name: str, path: str, request: str, response: str, retry: RetryClass, role: Role) -> Operation:
    asked, answered = DEFINITIONS[request], DEFINITIONS[response]
    if not isinstance(asked, RequestOf) or not isinstance(answered, AnswerOf):  # pragma: no cover - a slip in the table
        raise TypeError(f"{request} and {response} are not a pair of messages")
    return Operation(name, path, request, response, retry, role, asked.body, answered.body)


OPERATIONS: Mapping[str, Operation] = {row[0]: _engine(*row) for row in _TABLE} | {
    "broadcaster_endpoint_get": Operation(
        name="broadcaster_endpoint_get",
        path="/endpoint/get",
        request_root="endpointGetRequest",
        response_root="endpointGetServiceResponse",
        retry_class=RetryClass.READ,
        role="participant",
        request_body=EmptyRequestBody,
        response_body=BroadcastEndpoint,
        module="broadcaster",
    )
}
"""Every operation by name. ``activecontracts_standart`` keeps the wire's spelling; the client calls it ``standard``."""
