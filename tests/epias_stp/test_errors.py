"""Errors quote what support asks for, and never a ticket."""

from __future__ import annotations

import pytest

from gridwire import errors
from gridwire.epias_stp.enums import ResultType
from gridwire.epias_stp.errors import (
    Facts,
    StpBusinessError,
    StpError,
    StpProtocolError,
    StpRateLimited,
    StpSecurityError,
    StpSystemError,
)

FACTS = Facts(
    operation="bid_save",
    transaction_id="our-id",
    http_status=200,
    result_code="BID-0001",
    result_description="Teklif",
    result_type=ResultType.BUSINESS_ERROR,
    echoed_transaction_id="our-id",
)


@pytest.mark.parametrize(
    ("leaf", "branch"),
    [
        (StpBusinessError, errors.BusinessError),
        (StpSystemError, errors.VenueFailure),
        (StpSecurityError, errors.SecurityError),
        (StpProtocolError, errors.ProtocolError),
    ],
)
def test_every_leaf_hangs_on_its_branch_and_carries_the_facts(leaf: type[StpError], branch: type[Exception]) -> None:
    error = leaf("STP refused it.", FACTS, kind="business_error")
    assert isinstance(error, branch)
    assert isinstance(error, StpError)
    assert error.kind == "business_error"
    assert (error.operation, error.transaction_id, error.http_status) == ("bid_save", "our-id", 200)
    assert (error.result_code, error.result_description) == ("BID-0001", "Teklif")
    assert (error.result_type, error.echoed_transaction_id) == (ResultType.BUSINESS_ERROR, "our-id")
    assert str(error) == "STP refused it. [bid_save, resultCode BID-0001, transactionId our-id, HTTP 200]"


def test_a_limit_says_how_long_to_wait() -> None:
    error = StpRateLimited("Too many calls.", FACTS, retry_after_s=7.0)
    assert isinstance(error, errors.RateLimited)
    assert (error.retry_after_s, error.kind) == (7.0, "rate_limited")


def test_what_is_not_known_is_not_said_and_a_foreign_id_is() -> None:
    assert (
        str(StpProtocolError("Odd.", Facts("bid_save", "our-id"), kind="html"))
        == "Odd. [bid_save, transactionId our-id]"
    )
    foreign = Facts("bid_save", "our-id", echoed_transaction_id="theirs")
    assert "answer names theirs" in str(StpProtocolError("Odd.", foreign, kind="unreadable"))


def test_a_ticket_in_the_venues_words_is_masked() -> None:
    planted = "ST-30247-uNWazHn52sKZU71v5Ar4-cas02.epias.com.tr"
    error = StpSecurityError(
        f"Bilet {planted}", Facts("bid_save", "our-id", result_code=planted), kind="security_error"
    )
    assert planted not in str(error) + repr(error) + str(error.args)
