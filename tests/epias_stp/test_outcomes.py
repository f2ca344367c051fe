"""What every judged attempt means, and when anything is sent again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.epias_stp.enums import ResultType
from gridwire.epias_stp.errors import StpError, StpProtocolError, StpRateLimited, StpSecurityError
from gridwire.epias_stp.judgement import BEFORE_FIRST_BYTE, Attempt, Failure, answered, cancelled, failed
from gridwire.epias_stp.operations import OPERATIONS, Operation, RetryClass
from gridwire.epias_stp.outcomes import (
    READS,
    RETRIES,
    WRITES,
    Doubtful,
    Refused,
    error_of,
    outcome_of,
    read_again,
    write_again,
)
from gridwire.epias_stp.wire import Envelope
from gridwire.errors import (
    AuthThrottled,
    AuthUnavailable,
    CredentialsRefused,
    LoginBudgetExceeded,
    NoAnswer,
    NotSent,
    WrongLoop,
)
from gridwire.outcome import Accepted, Cause, Intent, Rejected, Unknown
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
from tests.epias_stp.samples import (
    READS as READ_OPERATIONS,
)
from tests.epias_stp.samples import (
    WRITES as WRITE_OPERATIONS,
)

NOW = datetime(2026, 12, 1, 6, tzinfo=UTC)
TIMEOUT = NoAnswer("No answer came within 10 s.", reason="timeout")
REFUSED = NotSent("stp.epias.com.tr refused the connection.", reason="refused")


def intent(operation: Operation = BID_SAVE, **restated: Any) -> Intent:
    return Intent("epias_stp", operation.name, SENT_ID, NOW, restated=restated)


def judged(content: bytes, operation: Operation = BID_SAVE, *, age: float | None = 3.0, **options: Any) -> Attempt:
    return answered(operation, answer(content, **options), transaction_id=SENT_ID, ticket_age_s=age, now=NOW)


def lost(error: Any = TIMEOUT, operation: Operation = BID_SAVE) -> Attempt:
    return failed(operation, error, transaction_id=SENT_ID, ticket_age_s=3.0)


def attempt_of(failure: Failure | None, operation: Operation = BID_CANCEL, *, age: float | None = 3.0) -> Attempt:
    return Attempt(operation, SENT_ID, failure, "something", ticket_age_s=age)


# What a write becomes


def test_success_is_accepted_with_what_the_next_step_needs() -> None:
    outcome = outcome_of(judged(sample("bid_save.response.json")), intent(contract="GG20261201", quantity=155))
    assert isinstance(outcome, Accepted)
    assert outcome.order is not None
    assert (outcome.order.venue, outcome.order.id) == ("epias_stp", "1234567")
    assert outcome.order.restated == {"contract": "GG20261201", "quantity": 155}
    assert isinstance(outcome.raw, Envelope)
    assert not outcome.possibly_duplicate


def test_an_answer_without_an_id_keeps_the_id_that_was_sent() -> None:
    for operation in (BID_UPDATE, BID_CANCEL):
        outcome = outcome_of(judged(envelope_bytes(body=True), operation), intent(operation, bid_id="1234567"))
        assert isinstance(outcome, Accepted)
        assert outcome.order is not None
        assert outcome.order.id == "1234567"
    nameless = outcome_of(judged(envelope_bytes(body=True), BID_CANCEL), intent(BID_CANCEL))
    assert isinstance(nameless, Accepted)
    assert nameless.order is not None
    assert nameless.order.id is None


def test_an_operators_write_makes_no_order() -> None:
    operation = OPERATIONS["contract_conf_save"]
    outcome = outcome_of(judged(sample("contract_conf_save.response.json"), operation), intent(operation))
    assert isinstance(outcome, Accepted)
    assert outcome.order is None


def test_the_venues_refusal_is_a_rejection_in_its_own_words() -> None:
    outcome = outcome_of(judged(sample("envelope.business_error.json")), intent())
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.origin, outcome.repeatable) == ("BID-0001", "venue", False)
    assert "Teklif fiyatı sınırların dışındadır" in outcome.reason
    assert "No bid was placed." in outcome.reason
    assert SENT_ID in outcome.reason
    assert "BID-0001" in outcome.reason


def test_a_refusal_without_a_code_is_named_by_its_kind() -> None:
    outcome = outcome_of(judged(envelope_bytes("BUSINESSERROR", None)), intent())
    assert isinstance(outcome, Rejected)
    assert outcome.code == "business_error"


@pytest.mark.parametrize(
    ("age", "repeatable", "said"),
    [
        (10.1, True, "10 s old and may have expired"),
        (10.0, False, "10 s old, too young"),
        (0.0, False, "lacks the right"),
        (None, False, "ticket or right"),
    ],
)
def test_only_an_old_ticket_makes_a_security_error_repeatable(age: float | None, repeatable: bool, said: str) -> None:
    outcome = outcome_of(judged(sample("envelope.security_error.json"), age=age), intent())
    assert isinstance(outcome, Rejected)
    assert (outcome.origin, outcome.code, outcome.repeatable) == ("security", "SEC-0001", repeatable)
    assert said in outcome.reason


def test_too_many_calls_are_a_rejection_to_repeat_later() -> None:
    outcome = outcome_of(judged(b"slow down", status=429, headers={"retry-after": "7"}), intent())
    assert isinstance(outcome, Rejected)
    assert (outcome.origin, outcome.code, outcome.repeatable, outcome.retry_after_s) == ("venue", "429", True, 7.0)
    assert "Wait 7 s" in outcome.reason


def test_nothing_sent_is_a_rejection_by_the_wire() -> None:
    outcome = outcome_of(lost(REFUSED), intent())
    assert isinstance(outcome, Rejected)
    assert (outcome.origin, outcome.code, outcome.repeatable) == ("wire", "refused", True)
    assert "Nothing was sent." in outcome.reason


@pytest.mark.parametrize(
    ("error", "repeatable", "pause"),
    [
        (CredentialsRefused("Wrong password."), False, None),
        (AuthUnavailable("CAS is down."), True, None),
        (AuthThrottled("Slower.", retry_after_s=60.0), True, 60.0),
        (LoginBudgetExceeded("Not so often.", retry_after_s=30.0), True, 30.0),
    ],
)
def test_no_ticket_is_a_rejection_by_access_control(error: Any, repeatable: bool, pause: float | None) -> None:
    outcome = outcome_of(lost(error), intent())
    assert isinstance(outcome, Rejected)
    assert (outcome.origin, outcome.code) == ("security", "no_ticket")
    assert (outcome.repeatable, outcome.retry_after_s) == (repeatable, pause)
    assert str(error) in outcome.reason


@pytest.mark.parametrize(
    ("attempt", "cause"),
    [
        (lost(), "timeout"),
        (lost(NoAnswer("Cut.", reason="disconnected")), "disconnected"),
        (lost(NoAnswer("Odd.", reason="garbage")), "unreadable"),
        (cancelled(BID_SAVE, transaction_id=SENT_ID), "cancelled"),
        (judged(b"", status=302), "redirect"),
        (judged(b"", status=401), "http_status"),
        (judged(b"", status=403), "http_status"),
        (judged(b"", status=404), "http_status"),
        (judged(b"", status=503), "http_status"),
        (judged(b"<html/>"), "unreadable"),
        (judged(b'{"resultType":'), "unreadable"),
        (judged(envelope_bytes("PARTIAL")), "contradictory"),
        (judged(envelope_bytes(body=SAVED), status=500), "contradictory"),
        (judged(sample("envelope.system_error.json")), "system_error"),
        (judged(envelope_bytes(body=SAVED, transaction_id="other")), "foreign_answer"),
        (judged(envelope_bytes(body={})), "no_id"),
    ],
)
def test_everything_else_is_unknown_and_says_what_to_do(attempt: Attempt, cause: str) -> None:
    outcome = outcome_of(attempt, intent())
    assert isinstance(outcome, Unknown)
    assert outcome.cause == cause
    assert "Look for it among your own bids and matches before you enter it again." in outcome.reason
    assert SENT_ID in outcome.reason
    assert outcome.raw == (attempt.envelope or attempt.detail,)


def test_a_wrong_base_path_is_named_on_404() -> None:
    outcome = outcome_of(judged(b"Not Found", status=404), intent())
    assert isinstance(outcome, Unknown)
    assert "engine_path" in outcome.reason
    assert "/stp-trading-engine-orchestrator/rest" in outcome.reason


def test_a_system_error_says_to_contact_the_venue_with_both_identifiers() -> None:
    outcome = outcome_of(judged(sample("envelope.system_error.json")), intent())
    assert isinstance(outcome, Unknown)
    assert f"Contact EPİAŞ, quoting transactionId {SENT_ID} and resultCode SYS-0001." in outcome.reason


# Second attempts, which only a caller can allow


def test_a_refusal_of_the_second_cancellation_settles_nothing_and_both_answers_are_kept() -> None:
    first, second = lost(operation=BID_CANCEL), judged(sample("envelope.business_error.json"), BID_CANCEL)
    outcome = outcome_of([first, second], intent(BID_CANCEL))
    assert isinstance(outcome, Unknown)
    assert outcome.cause == "possibly_duplicate"
    assert outcome.raw == (first.detail, second.envelope)
    assert "the earlier one had already done it" in outcome.reason


def test_success_of_the_second_is_accepted_and_marked() -> None:
    outcome = outcome_of([lost(operation=BID_CANCEL), judged(sample("bid_cancel.response.json"), BID_CANCEL)], intent())
    assert isinstance(outcome, Accepted)
    assert outcome.possibly_duplicate


@pytest.mark.parametrize("first", [lost(REFUSED), judged(sample("envelope.security_error.json"), age=20.0)])
def test_a_first_attempt_that_certainly_did_nothing_casts_no_doubt(first: Attempt) -> None:
    accepted = outcome_of([first, judged(sample("bid_save.response.json"))], intent())
    assert isinstance(accepted, Accepted)
    assert not accepted.possibly_duplicate
    assert isinstance(outcome_of([first, judged(sample("envelope.business_error.json"))], intent()), Rejected)


FAILURES = st.sampled_from(Failure)


@given(st.lists(FAILURES, min_size=1, max_size=5))
def test_no_write_that_may_have_acted_is_ever_rejected(failures: list[Failure]) -> None:
    outcome = outcome_of([attempt_of(failure) for failure in failures], intent(BID_CANCEL))
    certain = BEFORE_FIRST_BYTE | {Failure.BUSINESS_ERROR, Failure.SECURITY_ERROR, Failure.RATE_LIMITED}
    assert isinstance(outcome, Rejected) == (set(failures) <= certain)
    assert isinstance(outcome, (Rejected, Unknown))


ANSWERS = st.builds(
    envelope_bytes,
    st.sampled_from(["SUCCESS", "BUSINESSERROR", "SYSTEMERROR", "SECURITYERROR", "PARTIAL", None, ...]),
    st.sampled_from(["0", 0, "1", "BID-0001", None, ...]),
    body=st.sampled_from([None, ..., True, False, {}, SAVED, []]),
    transaction_id=st.sampled_from([SENT_ID, None, ..., "other"]),
) | st.sampled_from(
    [b"", b"<html/>", b"{", b"OK", sample("bid_save.response.xml"), sample("envelope.security_error.xml")]
)


@given(
    content=ANSWERS,
    status=st.integers(200, 599),
    media_type=st.sampled_from(["application/json", "text/html", ""]),
    operation=st.sampled_from(WRITE_OPERATIONS),
    age=st.none() | st.floats(0, 40),
)
def test_after_the_first_byte_only_the_venues_answer_or_429_rejects(
    content: bytes, status: int, media_type: str, operation: Operation, age: float | None
) -> None:
    attempt = judged(content, operation, status=status, media_type=media_type, age=age)
    outcome = outcome_of(attempt, intent(operation))
    if isinstance(outcome, Rejected):
        refusing = (ResultType.BUSINESS_ERROR, ResultType.SECURITY_ERROR)
        envelope = attempt.envelope
        refused = envelope is not None and envelope.result_type in refusing and envelope.result_code != "0"
        assert status == 429 or refused
        assert not 300 <= status < 400
        assert envelope is None or envelope.echoed_transaction_id in (None, SENT_ID)
        assert outcome.origin in ("venue", "security")
    if isinstance(outcome, Accepted):
        answer_said = json.loads(content) if content.startswith(b"{") else {"resultType": "SUCCESS"}
        assert answer_said["resultType"] == "SUCCESS"
        assert 200 <= status < 300


# The tables


def test_every_failure_has_a_meaning_for_writes_and_only_three_after_the_first_byte_are_certain() -> None:
    assert set(WRITES) == set(Failure)
    certain = {failure for failure, meaning in WRITES.items() if isinstance(meaning, Refused)}
    assert certain - BEFORE_FIRST_BYTE == {Failure.BUSINESS_ERROR, Failure.SECURITY_ERROR, Failure.RATE_LIMITED}
    assert certain >= BEFORE_FIRST_BYTE
    assert {meaning.cause for meaning in WRITES.values() if isinstance(meaning, Doubtful)} <= set(get_args(Cause))


def test_no_write_is_sent_again_after_its_first_byte_without_a_switch() -> None:
    for (kind, failure), rule in RETRIES.items():
        if kind in (RetryClass.WRITE, RetryClass.CANCEL) and failure is not Failure.NOT_SENT:
            assert rule.switch is not None
            assert rule.most == 1
        if kind is RetryClass.WRITE:
            assert failure in (Failure.NOT_SENT, Failure.SECURITY_ERROR)


@pytest.mark.parametrize("operation", WRITE_OPERATIONS)
@pytest.mark.parametrize("failure", [failure for failure in Failure if failure is not Failure.NOT_SENT])
def test_by_default_nothing_is_sent_twice(operation: Operation, failure: Failure) -> None:
    assert write_again([attempt_of(failure, operation, age=20.0)]) is None


@pytest.mark.parametrize("operation", WRITE_OPERATIONS)
def test_what_never_left_may_leave_three_times_more(operation: Operation) -> None:
    for earlier, allowed in ((1, True), (3, True), (4, False)):
        again = write_again([attempt_of(Failure.NOT_SENT, operation)] * earlier)
        assert (again is not None) is allowed
    again = write_again([attempt_of(Failure.NOT_SENT, operation)])
    assert again is not None
    assert (again.most, again.after_s) == (3, None)


@pytest.mark.parametrize(("age", "allowed"), [(10.1, True), (10.0, False), (None, False)])
def test_a_refused_ticket_is_replaced_once_if_it_was_old_and_the_caller_allows_it(
    age: float | None, allowed: bool
) -> None:
    refused = attempt_of(Failure.SECURITY_ERROR, BID_SAVE, age=age)
    again = write_again([refused], resend_on_security_error=True)
    assert (again is not None) is allowed
    assert write_again([refused, refused], resend_on_security_error=True) is None
    assert write_again([refused], retry_cancel=True) is None


LOST = [Failure.TIMED_OUT, Failure.DISCONNECTED, Failure.UNREADABLE, Failure.SERVER_FAULT, Failure.SYSTEM_ERROR]


@pytest.mark.parametrize("first", LOST)
@pytest.mark.parametrize("second", LOST)
def test_a_lost_cancellation_goes_out_once_more_if_the_caller_allows_it(first: Failure, second: Failure) -> None:
    assert write_again([attempt_of(first)], retry_cancel=True) is not None
    assert write_again([attempt_of(first), attempt_of(second)], retry_cancel=True) is None
    assert write_again([attempt_of(first, BID_SAVE)], retry_cancel=True) is None


@pytest.mark.parametrize(
    "failure",
    [Failure.REDIRECT, Failure.HTML, Failure.ACCESS_DENIED, Failure.HTTP_STATUS, Failure.CONTRADICTORY, Failure.CANCELLED,
     Failure.FOREIGN_ANSWER, Failure.BUSINESS_ERROR, Failure.RATE_LIMITED, Failure.NO_TICKET],
)  # fmt: skip
def test_other_failures_of_a_cancellation_are_final(failure: Failure) -> None:
    allowed = {"retry_cancel": True, "resend_on_security_error": True}
    assert write_again([attempt_of(failure, age=20.0)], **allowed) is None


# Reads


READ_CASES: list[tuple[Attempt, type[Exception], int | None]] = [
    (lost(REFUSED, DEPTH), NotSent, 3),
    (lost(TIMEOUT, DEPTH), NoAnswer, 2),
    (lost(NoAnswer("Cut.", reason="disconnected"), DEPTH), NoAnswer, 2),
    (lost(NoAnswer("Odd.", reason="garbage"), DEPTH), NoAnswer, 2),
    (lost(CredentialsRefused("No."), DEPTH), CredentialsRefused, None),
    (judged(b"", DEPTH, status=302), StpSecurityError, None),
    (judged(b"<html/>", DEPTH), StpSecurityError, None),
    (judged(b"", DEPTH, status=401), StpSecurityError, 1),
    (judged(sample("envelope.security_error.json"), DEPTH), StpSecurityError, 1),
    (judged(b"", DEPTH, status=503), StpProtocolError, 2),
    (judged(b"", DEPTH), StpProtocolError, 2),
    (judged(b"", DEPTH, status=404), StpProtocolError, None),
    (judged(envelope_bytes("PARTIAL"), DEPTH), StpProtocolError, None),
    (judged(envelope_bytes(), DEPTH, status=500), StpProtocolError, None),
    (judged(sample("envelope.business_error.json"), DEPTH), StpError, None),
    (judged(sample("envelope.system_error.json"), DEPTH), StpError, 2),
    (judged(b"", DEPTH, status=429), StpRateLimited, 2),
]


@pytest.mark.parametrize(("attempt", "kind", "most"), READ_CASES)
def test_a_read_raises_from_the_tree_and_is_tried_again_by_the_table(
    attempt: Attempt, kind: type[Exception], most: int | None
) -> None:
    error = error_of(attempt)
    assert isinstance(error, kind)
    for operation in READ_OPERATIONS:
        again = read_again(operation, error)
        assert (again.most if again is not None else None) == most
    if isinstance(error, StpError):
        assert attempt.failure is not None
        assert error.kind == attempt.failure.value
        assert SENT_ID in str(error)
        assert "Nothing was read" in str(error)


def test_a_limited_read_waits_as_long_as_the_venue_asks() -> None:
    error = error_of(judged(b"", DEPTH, status=429, headers={"retry-after": "7"}))
    again = read_again(DEPTH, error)
    assert again is not None
    assert again.after_s == 7.0


def test_a_refused_ticket_of_a_read_is_replaced_at_once() -> None:
    again = read_again(DEPTH, error_of(judged(sample("envelope.security_error.json"), DEPTH)))
    assert again is not None
    assert again.after_s == 0.0


def test_a_system_error_of_a_read_says_to_contact_the_venue() -> None:
    text = str(error_of(judged(sample("envelope.system_error.json"), DEPTH)))
    assert f"Contact EPİAŞ, quoting transactionId {SENT_ID}" in text


def test_errors_of_other_origin_and_errors_of_writes_are_never_retried_as_reads() -> None:
    assert read_again(DEPTH, WrongLoop("x")) is None
    assert read_again(BID_SAVE, error_of(judged(sample("envelope.security_error.json")))) is None


def test_success_has_no_error() -> None:
    with pytest.raises(ValueError, match="no error"):
        error_of(judged(envelope_bytes(), DEPTH))


def test_errors_of_reads_cover_every_failure_with_an_answer() -> None:
    only_writes = {Failure.FOREIGN_ANSWER, Failure.NO_ID}
    without_answer = {Failure.TIMED_OUT, Failure.DISCONNECTED, Failure.CANCELLED} | BEFORE_FIRST_BYTE
    assert set(READS) == set(Failure) - only_writes - without_answer - {Failure.RATE_LIMITED}


def test_a_payment_refused_after_an_attempt_that_may_have_paid_settles_nothing() -> None:
    order = OPERATIONS["payment_order"]
    body = {"results": [{"paymentOrderId": 1, "eic": "E", "amount": 1, "status": {"value": "REJECTED"}}]}
    content = json.dumps({"resultCode": "0", "resultDescription": "OK", "resultType": "SUCCESS", "body": body}).encode()
    sent = intent(order, payment_order_id=1, eic="E", amount=Decimal(1))
    assert isinstance(outcome_of([judged(content, order)], sent), Rejected)
    outcome = outcome_of([lost(operation=order), judged(content, order)], sent)
    assert isinstance(outcome, Unknown)
    assert outcome.cause == "possibly_duplicate"
