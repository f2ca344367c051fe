"""T23: every result an answer can have, for a read and for a write. T25: dates."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gridwire.epias_stp import dates
from gridwire.epias_stp.errors import StpBusinessError, StpProtocolError, StpSecurityError, StpSystemError
from gridwire.epias_stp.judgement import Attempt, answered
from gridwire.epias_stp.operations import OPERATIONS
from gridwire.epias_stp.outcomes import error_of, outcome_of
from gridwire.errors import InvalidInput
from gridwire.outcome import Accepted, Intent, Outcome, Rejected, Unknown
from tests.epias_stp.samples import BOTH, SAVED, SENT_ID, answer, envelope_bytes, sample

NOW = datetime(2026, 12, 1, 6, tzinfo=UTC)


def judged(operation: str, content: bytes, status: int = 200) -> Attempt:
    return answered(
        OPERATIONS[operation], answer(content, status=status), transaction_id=SENT_ID, ticket_age_s=1.0, now=NOW
    )


def write(content: bytes, status: int = 200, operation: str = "bid_save") -> Outcome:
    return outcome_of(judged(operation, content, status), Intent("epias_stp", operation, SENT_ID, NOW))


def read(content: bytes, status: int = 200) -> Exception:
    return error_of(judged("contract_get", content, status))


def in_format(name: str, fmt: str) -> bytes:
    # The samples' XML carries bid/save's root; a read's answer has its own.
    return sample(f"{name}.{fmt}").replace(b"bidSaveServiceResponse", b"errorResponse")


@pytest.mark.parametrize("fmt", BOTH)
@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize(
    ("name", "error", "outcome"),
    [
        ("envelope.business_error", StpBusinessError, Rejected),
        ("envelope.security_error", StpSecurityError, Rejected),
        ("envelope.system_error", StpSystemError, Unknown),
    ],
)
def test_T23_the_venues_errors_hold_at_any_status(
    name: str, error: type[Exception], outcome: type[Any], status: int, fmt: str
) -> None:
    content = in_format(name, fmt)
    raised = read(content, status)
    assert isinstance(raised, error)
    assert SENT_ID in str(raised)
    assert isinstance(write(content, status), outcome)


@pytest.mark.parametrize("fmt", BOTH)
def test_T23_success_is_success(fmt: str) -> None:
    assert isinstance(write(sample(f"bid_save.response.{fmt}")), Accepted)


@pytest.mark.parametrize("status", [400, 401, 500])
def test_T23_success_with_another_status_is_no_answer(status: int) -> None:
    content = envelope_bytes(body=SAVED)
    assert isinstance(read(content, status), StpProtocolError)
    assert write(content, status).cause == "contradictory"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("result_type", "code"),
    [
        ("PARTIAL", "0"),
        (..., "0"),
        (None, "0"),
        ("SUCCESS, BUSINESSERROR, SYSTEMERROR, SECURITYERROR", "0"),
        ("BUSINESSERROR", "0"),
        ("SECURITYERROR", "0"),
        ("SYSTEMERROR", "0"),
        ("SUCCESS", "BID-0001"),
        ("SUCCESS", None),
    ],
)
def test_T23_what_contradicts_itself_is_no_answer(result_type: Any, code: Any) -> None:
    content = envelope_bytes(result_type, code, body=SAVED)
    assert isinstance(read(content), StpProtocolError)
    outcome = write(content)
    assert isinstance(outcome, Unknown)
    assert outcome.cause == "contradictory"


@pytest.mark.parametrize("fmt", BOTH)
def test_T23_a_bare_true_is_success_except_where_an_id_is_needed(fmt: str) -> None:
    content = sample(f"envelope.boolean_body.{fmt}")
    assert isinstance(write(content, operation="contract_conf_save"), Accepted)
    assert isinstance(write(content, operation="bid_cancel"), Accepted)
    outcome = write(content)
    assert isinstance(outcome, Unknown)
    assert outcome.cause == "no_id"


def test_T23_a_null_body_is_success_except_where_an_id_is_needed() -> None:
    for body in (None, ...):
        assert isinstance(write(envelope_bytes(body=body), operation="bid_cancel"), Accepted)
        assert isinstance(write(envelope_bytes(body=body)), Unknown)


@pytest.mark.parametrize(
    ("content", "status", "error", "cause"),
    [
        (b"", 200, StpProtocolError, "unreadable"),
        (b"<html><title>login</title></html>", 200, StpSecurityError, "unreadable"),
        (b"<!DOCTYPE html><html></html>", 200, StpSecurityError, "unreadable"),
        (b"", 302, StpSecurityError, "redirect"),
        (b"<html/>", 401, StpSecurityError, "http_status"),
        (b"<html/>", 502, StpProtocolError, "http_status"),
    ],
)
def test_T23_what_is_not_the_venues_is_an_error_of_reads_and_unknown_for_writes(
    content: bytes, status: int, error: type[Exception], cause: str
) -> None:
    assert isinstance(read(content, status), error)
    outcome = write(content, status)
    assert isinstance(outcome, Unknown)
    assert outcome.cause == cause


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 15, 9, tzinfo=UTC), "2026-01-15T12:00:00.000+03:00"),
        (datetime(2026, 7, 15, 9, tzinfo=UTC), "2026-07-15T12:00:00.000+03:00"),
        (datetime(2016, 1, 15, 9, tzinfo=UTC), "2016-01-15T11:00:00.000+02:00"),
        (datetime(2016, 7, 15, 9, tzinfo=UTC), "2016-07-15T12:00:00.000+03:00"),
        (datetime(2016, 11, 15, 9, tzinfo=UTC), "2016-11-15T12:00:00.000+03:00"),
    ],
)
def test_T25_istanbul_has_no_winter_since_2016(moment: datetime, text: str) -> None:
    assert dates.write(moment, "expire_time") == text
    assert dates.read(text) == moment


@pytest.mark.parametrize(
    "text",
    ["2018-02-20T19:30:33.000+03:00", "2018-02-20T16:30:33Z", "2018-02-20T19:30:33+0300", "2018-02-20T19:30:33.0+03:00",
     "2018-02-20T19:30:33.000000000+03:00", 1519144233000, "1519144233000"],
)  # fmt: skip
def test_T25_every_form_is_the_same_instant(text: Any) -> None:
    assert dates.read(text) == datetime(2018, 2, 20, 16, 30, 33, tzinfo=UTC)


def test_T25_null_is_no_date_and_a_naive_one_is_refused() -> None:
    assert dates.read(None) is None
    with pytest.raises(InvalidInput, match="no time zone"):
        dates.write(datetime(2026, 12, 1, 14), "expire_time")
