"""Pydantic models for the 91 definitions of the STP document.

The document repeats itself: eleven definitions are a name with a translation, three are a contract's name, three are a bid's
reference, two are a gas day (one with all fields required), and each of the 33 messages has a definition of its own around
its body. Here every shape exists once, and `DEFINITIONS` leads from each of the document's names to what carries it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from gridwire.epias_stp.models.answers import (
    AmountPrice,
    BidAnswer,
    BidReference,
    BroadcastEndpoint,
    ContractConfiguration,
    ContractDepth,
    ContractDetails,
    ContractGate,
    Contracts,
    ContractStatuses,
    ContractSummary,
    DepthSummary,
    DepthSummaryRow,
    GasDay,
    GrpPrices,
    HttpParameter,
    LabelledCode,
    Localization,
    Match,
    MatchDetails,
    Matchings,
    MatchList,
    NamedCode,
    Nothing,
    PaymentOrderResult,
    PaymentResults,
    RegionalContracts,
    RegionalContractSummary,
)
from gridwire.epias_stp.models.base import Listing, StpModel, StpRequest
from gridwire.epias_stp.models.requests import (
    ActiveContractMatchingRequestBody,
    BidCancelRequestBody,
    BidSaveRequestBody,
    BidUpdateRequestBody,
    ContractConfigurationSaveRequestBody,
    ContractGateChangeStatusRequestBody,
    ContractGateUpdateRequestBody,
    ContractNameRequestBody,
    ContractSaveRequestBody,
    EmptyRequestBody,
    GateSetting,
    GrpPriceGetRequestBody,
    MatchChangeStatusRequestBody,
    MatchChangeStatusRequestListBody,
    PaymentOrder,
    PaymentOrderRequestBody,
)

__all__ = [
    "DEFINITIONS",
    "ActiveContractMatchingRequestBody",
    "AmountPrice",
    "AnswerOf",
    "BidAnswer",
    "BidCancelRequestBody",
    "BidReference",
    "BidSaveRequestBody",
    "BidUpdateRequestBody",
    "BroadcastEndpoint",
    "ContractConfiguration",
    "ContractConfigurationSaveRequestBody",
    "ContractDepth",
    "ContractDetails",
    "ContractGate",
    "ContractGateChangeStatusRequestBody",
    "ContractGateUpdateRequestBody",
    "ContractNameRequestBody",
    "ContractSaveRequestBody",
    "ContractStatuses",
    "ContractSummary",
    "Contracts",
    "DepthSummary",
    "DepthSummaryRow",
    "EmptyRequestBody",
    "GasDay",
    "GateSetting",
    "GrpPriceGetRequestBody",
    "GrpPrices",
    "Header",
    "HttpParameter",
    "LabelledCode",
    "Listing",
    "Localization",
    "Match",
    "MatchChangeStatusRequestBody",
    "MatchChangeStatusRequestListBody",
    "MatchDetails",
    "MatchList",
    "Matchings",
    "NamedCode",
    "Nothing",
    "PaymentOrder",
    "PaymentOrderRequestBody",
    "PaymentOrderResult",
    "PaymentResults",
    "RegionalContractSummary",
    "RegionalContracts",
    "RequestOf",
    "StpModel",
    "StpRequest",
]


@dataclass(frozen=True, slots=True)
class Header:
    """One pair of a request's ``headers``: ``transactionId`` or ``application`` (STP document 4.1)."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class RequestOf:
    """A request message: ``headers`` and a ``body``. Written by `gridwire.epias_stp.wire.encode`."""

    body: type[StpRequest]


@dataclass(frozen=True, slots=True)
class AnswerOf:
    """An answer message around a ``body``. Read by `gridwire.epias_stp.wire.decode` into an ``Envelope``."""

    body: type[StpModel]


Carrier: TypeAlias = type[StpModel] | type[StpRequest] | type[Header] | RequestOf | AnswerOf

DEFINITIONS: Mapping[str, Carrier] = {
    "ActiveContractMatchingRequestBody": ActiveContractMatchingRequestBody,
    "ActiveContractMatchingResponseBody": Matchings,
    "AmountPrice": AmountPrice,
    "BidCancelRequestBody": BidCancelRequestBody,
    "BidCancelResponseBody": BidAnswer,
    "BidMatchStatusResponse": NamedCode,
    "BidResponse": BidReference,
    "BidSaveRequestBody": BidSaveRequestBody,
    "BidSaveResponseBody": BidAnswer,
    "BidStatusResponse": NamedCode,
    "BidTypeResponse": NamedCode,
    "BidUpdateReasonResponse": NamedCode,
    "BidUpdateRequestBody": BidUpdateRequestBody,
    "BidUpdateResponseBody": BidAnswer,
    "ContractConfigurationGetRequestBody": ContractNameRequestBody,
    "ContractConfigurationGetResponseBody": ContractConfiguration,
    "ContractConfigurationSaveRequestBody": ContractConfigurationSaveRequestBody,
    "ContractConfigurationSaveResponseBody": Nothing,
    "ContractDepthRequestBody": ContractNameRequestBody,
    "ContractDepthResponseBody": ContractDepth,
    "ContractDepthServiceResponse": AnswerOf(ContractDepth),
    "ContractDepthSummaryResponse": DepthSummaryRow,
    "ContractDepthSummaryResponseBody": DepthSummary,
    "ContractDepthSummaryServiceResponse": AnswerOf(DepthSummary),
    "ContractGateChangeStatusRequestBody": ContractGateChangeStatusRequestBody,
    "ContractGateResponse": ContractGate,
    "ContractGateStatusResponse": NamedCode,
    "ContractGateTypeResponse": NamedCode,
    "ContractGateUpdateRequestBody": ContractGateUpdateRequestBody,
    "ContractGetRequestBody": ContractNameRequestBody,
    "ContractResponseBody": Contracts,
    "ContractSaveRequestBody": ContractSaveRequestBody,
    "ContractServiceResponseBody": ContractDetails,
    "ContractStatusListRequestBody": EmptyRequestBody,
    "ContractStatusListResponse": ContractStatuses,
    "ContractStatusResponse": NamedCode,
    "ContractSummary": ContractSummary,
    "ContractTypeResponse": NamedCode,
    "DirectionResponse": NamedCode,
    "EmptyRequestBody": EmptyRequestBody,
    "GasDay": GasDay,
    "GasDayResponse": GasDay,
    "GrpPriceGetRequestBody": GrpPriceGetRequestBody,
    "GrpPriceResponseBody": GrpPrices,
    "Header": Header,
    "LocalizationResponse": Localization,
    "Match": Match,
    "MatchChangeStatusRequestBody": MatchChangeStatusRequestBody,
    "MatchChangeStatusRequestListBody": MatchChangeStatusRequestListBody,
    "MatchListResponse": MatchList,
    "MatchReasonResponse": NamedCode,
    "MatchResponse": MatchDetails,
    "MatchStatusResponse": NamedCode,
    "PaymentOrder": PaymentOrder,
    "PaymentOrderRequestBody": PaymentOrderRequestBody,
    "PaymentOrderResult": PaymentOrderResult,
    "PaymentResponseBody": PaymentResults,
    "PaymentServiceResponse": AnswerOf(PaymentResults),
    "RegionalContractResponseBody": RegionalContracts,
    "RegionalContractSummary": RegionalContractSummary,
    "StringType": LabelledCode,
    "activeContractMatchingRequest": RequestOf(ActiveContractMatchingRequestBody),
    "activeContractMatchingResponse": AnswerOf(Matchings),
    "bidCancelServiceRequest": RequestOf(BidCancelRequestBody),
    "bidCancelServiceResponse": AnswerOf(BidAnswer),
    "bidSaveServiceRequest": RequestOf(BidSaveRequestBody),
    "bidSaveServiceResponse": AnswerOf(BidAnswer),
    "bidUpdateServiceRequest": RequestOf(BidUpdateRequestBody),
    "bidUpdateServiceResponse": AnswerOf(BidAnswer),
    "contractConfigurationGetServiceRequest": RequestOf(ContractNameRequestBody),
    "contractConfigurationGetServiceResponse": AnswerOf(ContractConfiguration),
    "contractConfigurationSaveServiceRequest": RequestOf(ContractConfigurationSaveRequestBody),
    "contractConfigurationSaveServiceResponse": AnswerOf(Nothing),
    "contractDepthServiceRequest": RequestOf(ContractNameRequestBody),
    "contractGateChangeStatusServiceRequest": RequestOf(ContractGateChangeStatusRequestBody),
    "contractGateSaveServiceResponse": AnswerOf(ContractGate),
    "contractGateUpdateServiceRequest": RequestOf(ContractGateUpdateRequestBody),
    "contractGetServiceRequest": RequestOf(ContractNameRequestBody),
    "contractGetServiceResponse": AnswerOf(ContractDetails),
    "contractRequest": RequestOf(EmptyRequestBody),
    "contractResponse": AnswerOf(Contracts),
    "contractSaveServiceRequest": RequestOf(ContractSaveRequestBody),
    "contractSaveServiceResponse": AnswerOf(ContractDetails),
    "contractStatusListServiceRequest": RequestOf(EmptyRequestBody),
    "contractStatusListServiceResponse": AnswerOf(ContractStatuses),
    "grpPriceGetRequest": RequestOf(GrpPriceGetRequestBody),
    "grpPriceServiceResponse": AnswerOf(GrpPrices),
    "matchChangeStatusServiceRequest": RequestOf(MatchChangeStatusRequestListBody),
    "matchChangeStatusServiceResponse": AnswerOf(MatchList),
    "paymentOrderServiceRequest": RequestOf(PaymentOrderRequestBody),
    "regionalContractResponse": AnswerOf(RegionalContracts),
}
"""What carries each definition of the document, by the document's name for it."""


def build() -> None:
    """Build every model's validator now (about 100 ms), so that the first answer of a session does not pay for it."""
    for carrier in DEFINITIONS.values():
        body = carrier.body if isinstance(carrier, (RequestOf, AnswerOf)) else carrier
        if issubclass(body, (StpModel, StpRequest)):
            body.model_rebuild()
    BroadcastEndpoint.model_rebuild()
