"""Enumerations of STP. All but `ResultType` are open: a value the venue adds tomorrow passes through unharmed.

The document declares only the result types and the price directions as enumerations; the bid values are quoted in
example strings of plain text fields (STP document, definitions of bidSave and of the contract summaries).
"""

from __future__ import annotations

from enum import Enum

from gridwire.enums import OpenEnum


class BidType(OpenEnum):
    """What happens to the part of a bid that finds no match (meanings inferred from the names)."""

    STANDARD_MATCH = "STANDART_MATCH"
    """The rest stays in the book. The wire spells it with a T."""
    MATCH_AND_DESTROY_REST = "MATCH_AND_DESTROY_REST"
    """The rest is cancelled at once (immediate or cancel)."""
    MATCH_WITH_TIME_LIMIT = "MATCH_WITH_TIME_LIMIT"
    """The rest stays in the book until ``expire_time``."""


class BidStatus(OpenEnum):
    """State of a bid. A participant sends ACTIVE or PASSIVE; the others are read."""

    ACTIVE = "ACTIVE"
    PASSIVE = "PASSIVE"
    CANCEL = "CANCEL"
    ACCEPTED = "ACCEPTED"
    PROCESSING = "PROCESSING"


class Direction(OpenEnum):
    """Side of a bid or a contract."""

    BUY = "BUY"
    SELL = "SELL"


class PriceDirection(OpenEnum):
    """Where a price went against the one before."""

    UP = "UP"
    DOWN = "DOWN"
    IDLE = "IDLE"


class ResultType(Enum):
    """What an answer says about the call (STP document 4.2). Strict: an unknown value decides nothing about a bid."""

    SUCCESS = "SUCCESS"
    BUSINESS_ERROR = "BUSINESSERROR"
    SYSTEM_ERROR = "SYSTEMERROR"
    SECURITY_ERROR = "SECURITYERROR"
