"""The calls of STP, grouped by the nouns of the market. Made by the client; not constructed by users."""

from __future__ import annotations

from gridwire.epias_stp.services.bids import Bids
from gridwire.epias_stp.services.contracts import Contracts, ContractStatuses, MarketPrices
from gridwire.epias_stp.services.operator import ContractConfigurations, ContractGates, Matches, Payments

__all__ = [
    "Bids",
    "ContractConfigurations",
    "ContractGates",
    "ContractStatuses",
    "Contracts",
    "MarketPrices",
    "Matches",
    "Payments",
]
