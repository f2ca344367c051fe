"""Every answer, and every lack of one, gets its one name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gridwire.epias_stp.judgement import Attempt, Failure, answered, bid_id, cancelled, failed
from gridwire.epias_stp.operations import OPERATIONS, Operation
from gridwire.errors import AuthThrottled, CredentialsRefused, NoAnswer, NotSent
from gridwire.transport.exchange import Response
from tests.epias_stp.samples import (
    BID_CANCEL,
    BID_SAVE,
    BID_UPDATE,
    DEPTH,
    SAVED,
    SENT_ID,
    answer,
    envelope_bytes,
    sample,
)

NOW = datetime(2026, 12, 1, 6, tzinfo=UTC)
HTML = b"<html>login</html>"
ALL_FOUR = "SUCCESS, BUSINESSERROR, SYSTEMERROR, SECURITYERROR"


def judge(content: bytes, operation: Operation = BID_SAVE, **options: Any) -> Attempt:
    return answered(operation, answer(content, **options), transaction_id=SENT_ID, ticket_age_s=3.0, now=NOW)


def test_success_has_no_failure() -> None:
    attempt = judge(sample("bid_save.response.json"))
    assert attempt.failure is None
    assert attempt.warning is None
    assert attempt.envelope is not None
    assert (attempt.http_status, attempt.ticket_age_s) == (200, 3.0)


@pytest.mark.parametrize(
    ("content", "status", "failure"),
    [
        # Without an envelope the status decides, then the body.
        (b"", 302, Failure.REDIRECT),
        (sample("bid_save.response.json"), 302, Failure.REDIRECT),
        (HTML, 429, Failure.RATE_LIMITED),
        (HTML, 401, Failure.ACCESS_DENIED),
        (b"{}", 403, Failure.ACCESS_DENIED),
        (HTML, 500, Failure.SERVER_FAULT),
        (b"", 502, Failure.SERVER_FAULT),
        (b"{", 504, Failure.SERVER_FAULT),
        (HTML, 404, Failure.HTTP_STATUS),
        (b"", 400, Failure.HTTP_STATUS),
        (b"", 101, Failure.HTTP_STATUS),
        (HTML, 200, Failure.HTML),
        (b"", 200, Failure.UNREADABLE),
        (b"", 204, Failure.UNREADABLE),
        (b'{"resultType": "SUCC', 200, Failure.UNREADABLE),
        # The venue's own errors hold at any status but a redirect.
        *((sample("envelope.business_error.json"), status, Failure.BUSINESS_ERROR) for status in (200, 400, 404, 500)),
        *((sample("envelope.security_error.xml"), status, Failure.SECURITY_ERROR) for status in (200, 401, 403)),
        *((sample("envelope.system_error.json"), status, Failure.SYSTEM_ERROR) for status in (200, 500, 503)),
        (sample("envelope.business_error.json"), 429, Failure.RATE_LIMITED),
        (envelope_bytes(None, "429"), 429, Failure.RATE_LIMITED),
        # Contradictions.
        (envelope_bytes(body=SAVED), 201, None),
        (envelope_bytes(body=SAVED), 429, Failure.CONTRADICTORY),
        (envelope_bytes(body=SAVED), 400, Failure.CONTRADICTORY),
        (envelope_bytes(body=SAVED), 500, Failure.CONTRADICTORY),
        (envelope_bytes(code="1", body=SAVED), 200, Failure.CONTRADICTORY),
        (envelope_bytes(code=None, body=SAVED), 200, Failure.CONTRADICTORY),
        (envelope_bytes("BUSINESSERROR", "0"), 200, Failure.CONTRADICTORY),
        (envelope_bytes("SYSTEMERROR", 0), 500, Failure.CONTRADICTORY),
        (envelope_bytes("BUSINESSERROR", None), 200, Failure.BUSINESS_ERROR),
        (envelope_bytes("PARTIAL", "0", body=SAVED), 200, Failure.CONTRADICTORY),
        (envelope_bytes("success", "0", body=SAVED), 200, Failure.CONTRADICTORY),
        (envelope_bytes(None, "0", body=SAVED), 200, Failure.CONTRADICTORY),
        (envelope_bytes(..., "0", body=SAVED), 200, Failure.CONTRADICTORY),
        (envelope_bytes(ALL_FOUR, "0", body=SAVED), 200, Failure.CONTRADICTORY),
        (envelope_bytes(body=False), 200, Failure.CONTRADICTORY),
        # A bid that nobody can name.
        (envelope_bytes(body=True), 200, Failure.NO_ID),
        (envelope_bytes(body=None), 200, Failure.NO_ID),
        (envelope_bytes(body={"bidResponse": {}}), 200, Failure.NO_ID),
        (envelope_bytes(body={"bidResponse": {"id": " "}}), 200, Failure.NO_ID),
        (envelope_bytes(body={"bidResponse": {"id": True}}), 200, Failure.NO_ID),
        (envelope_bytes(body={"bidResponse": ["1"]}), 200, Failure.NO_ID),
        # Somebody else's answer.
        (envelope_bytes(body=SAVED, transaction_id="other"), 200, Failure.FOREIGN_ANSWER),
        (envelope_bytes("BUSINESSERROR", "1", transaction_id="other"), 200, Failure.FOREIGN_ANSWER),
        (envelope_bytes("BUSINESSERROR", "1", transaction_id="other"), 429, Failure.FOREIGN_ANSWER),
        (envelope_bytes(body=SAVED, transaction_id=SENT_ID.upper()), 200, None),
        (envelope_bytes(body=SAVED, transaction_id=""), 200, None),
    ],
)  # fmt: skip
def test_every_answer_to_a_write_has_its_name(content: bytes, status: int, failure: Failure | None) -> None:
    attempt = judge(content, status=status)
    assert attempt.failure is failure
    assert attempt.http_status == attempt.facts.http_status == status
    assert attempt.facts.transaction_id == SENT_ID
    assert attempt.detail or failure is None


@pytest.mark.parametrize("operation", [BID_UPDATE, BID_CANCEL])
@pytest.mark.parametrize("body", [None, True, {}, SAVED])
def test_an_update_or_cancellation_needs_no_id_in_its_answer(operation: Operation, body: Any) -> None:
    assert judge(envelope_bytes(body=body), operation).failure is None


def test_somebody_elses_answer_is_only_a_warning_on_a_read() -> None:
    attempt = judge(envelope_bytes(body={}, transaction_id="other"), DEPTH)
    assert attempt.failure is None
    assert "other" in (attempt.warning or "")


def test_a_false_body_is_no_contradiction_on_a_read() -> None:
    assert judge(envelope_bytes(body=False), DEPTH).failure is None


@pytest.mark.parametrize(
    ("header", "pause"), [({}, 60.0), ({"retry-after": "7"}, 7.0), ({"retry-after": "soon"}, 60.0)]
)
def test_a_limit_says_how_long_to_wait(header: dict[str, str], pause: float) -> None:
    assert judge(b"", status=429, headers=header).retry_after_s == pause


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (NotSent("x", reason="refused"), Failure.NOT_SENT),
        (NoAnswer("x", reason="timeout"), Failure.TIMED_OUT),
        (NoAnswer("x", reason="disconnected"), Failure.DISCONNECTED),
        (NoAnswer("x", reason="garbage"), Failure.UNREADABLE),
        (NoAnswer("x", reason="too_large"), Failure.UNREADABLE),
        (CredentialsRefused("x"), Failure.NO_TICKET),
    ],
)
def test_every_lack_of_an_answer_has_its_name(error: Any, failure: Failure) -> None:
    attempt = failed(BID_SAVE, error, transaction_id=SENT_ID, ticket_age_s=1.0)
    assert attempt.failure is failure
    assert attempt.error is error
    assert attempt.detail == "x"
    assert attempt.facts.http_status is None


def test_a_ticket_service_that_asks_for_a_pause_is_heard() -> None:
    error = AuthThrottled("x", retry_after_s=61.0)
    assert failed(BID_SAVE, error, transaction_id=SENT_ID).retry_after_s == 61.0


def test_a_cancelled_call_has_its_name() -> None:
    assert cancelled(BID_SAVE, transaction_id=SENT_ID, ticket_age_s=2.0).failure is Failure.CANCELLED


def test_an_id_is_read_as_text_or_number() -> None:
    assert bid_id(judge(envelope_bytes(body={"bidResponse": {"id": 7}})).envelope) == "7"
    assert bid_id(None) is None


@pytest.mark.parametrize("name", ["ST-1-abcdefghijkl", "x_tgt-12-abcdef"])
def test_a_ticket_in_the_place_of_a_bid_s_identifier_is_none(name: str) -> None:
    content = b'{"resultCode":"0","resultType":"SUCCESS","resultDescription":"","body":{"bidResponse":{"id":"%b"}}}'
    attempt = answered(
        OPERATIONS["bid_save"],
        Response(200, {}, content % name.encode()),
        transaction_id="8f14e45f-ceea-4e7b-8c1d-0123456789ab",
        ticket_age_s=1.0,
        now=datetime(2026, 12, 1, tzinfo=UTC),
    )
    assert attempt.failure is Failure.NO_ID
