"""The tables: what an answer makes of an upload, of a login, of a poll."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.auth.login_session import NoSession
from gridwire.errors import NoAnswer
from gridwire.outcome import Accepted, Intent, Rejected, Unknown
from gridwire.sandbox.siooi import profiles
from gridwire.siooi import rules
from gridwire.siooi.checks import load_profile
from gridwire.siooi.enums import JobState, ResultCode
from gridwire.siooi.models import JobRef, JobStatus
from gridwire.siooi.profile import Profile
from gridwire.siooi.wire import Said, SendAnswer, StatusAnswer
from gridwire.transport.classify import BodyKind

INTENT = Intent("siooi", "send", "20261201-abcd", datetime(2026, 12, 1, tzinfo=UTC))


def profile(**changes: Any) -> Profile:
    described = profiles.simulator("http://127.0.0.1:1")
    for name, value in changes.items():
        section, _, field = name.partition("__")
        if field:
            described[section][field] = value
        else:
            described[section] = value
    return load_profile(described)


PROFILE = profile()


def said(status: int = 202, raw: str | None = "0", kind: BodyKind = BodyKind.JSON, of: Profile = PROFILE) -> Said:
    return Said(status, kind, raw, of.code(raw), "слова" if raw == "201" else None)


def outcome(status: int = 202, raw: str | None = "0", job: str | None = "7", kind: BodyKind = BodyKind.JSON) -> Any:
    return rules.outcome_of(PROFILE, SendAnswer(said(status, raw, kind), job), INTENT)


def test_in_the_queue() -> None:
    found = outcome()
    assert isinstance(found, Accepted)
    assert isinstance(found.order, JobRef)
    assert (found.order.job_id, found.order.ref) == ("7", INTENT.key)


@pytest.mark.parametrize(
    ("raw", "code", "repeatable"),
    [
        ("201", "NO_ROLE", False),
        ("205", "BAD_XML", False),
        ("103", "SESSION_EXPIRED", True),
        ("301", "QUEUE_FULL", True),
    ],
)
def test_refused_for_certain(raw: str, code: str, repeatable: bool) -> None:
    found = outcome(200, raw, None)
    assert isinstance(found, Rejected)
    assert (found.code, found.origin, found.repeatable) == (code, "venue", repeatable)
    assert ("It says: слова." in found.reason) == (raw == "201")


@pytest.mark.parametrize("kind", list(BodyKind))
def test_429_is_refused_whatever_it_holds(kind: BodyKind) -> None:
    found = outcome(429, None, None, kind)
    assert isinstance(found, Rejected)
    assert (found.code, found.repeatable, found.retry_after_s) == ("429", True, 60.0)
    assert "in 60 s at the earliest" in found.reason


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ((202, "0", None), "no_id"),
        ((202, "999", "7"), "contradictory"),
        ((200, "0", "7"), "contradictory"),  # the rule wants 202
        ((202, None, "7"), "unreadable"),
        ((400, None, None), "http_status"),
        ((403, "201", None), "contradictory"),  # the rule wants 200
        ((500, "201", None), "http_status"),
        ((302, "0", "7"), "redirect"),
        ((202, "0", "7", BodyKind.HTML), "unreadable"),
        ((202, None, None, BodyKind.EMPTY), "unreadable"),
    ],
)
def test_everything_else_is_unknown(arguments: tuple[Any, ...], cause: str) -> None:
    found = outcome(*arguments)
    assert isinstance(found, Unknown)
    assert found.cause == cause
    assert INTENT.key in found.reason


def test_two_rules_at_once_are_a_contradiction() -> None:
    both = profile(send__queued_when=[{"status": 200}], send__refused_when=[{"code": "201"}])
    found = rules.outcome_of(both, SendAnswer(said(200, "201"), "7"), INTENT)
    assert isinstance(found, Unknown)
    assert found.cause == "contradictory"


@pytest.mark.parametrize(("raw", "queued"), [(None, True), ("0", True), ("999", False), ("201", False), ("101", False)])
def test_a_code_that_does_not_mean_ok_outweighs_a_rule_about_the_status(raw: str | None, queued: bool) -> None:
    by_status = profile(send__queued_when=[{"status": 200}])
    found = rules.outcome_of(by_status, SendAnswer(said(200, raw, of=by_status), "7"), INTENT)
    assert isinstance(found, Accepted if queued else Unknown)
    if isinstance(found, Unknown):
        assert found.cause == "contradictory"


@given(
    st.integers(100, 599),
    st.none() | st.sampled_from(["0", "1", "101", "201", "777", ""]),
    st.none() | st.just("7"),
    st.sampled_from(list(BodyKind)),
)
def test_only_named_answers_settle_an_upload(status: int, raw: str | None, job: str | None, kind: BodyKind) -> None:
    found = outcome(status, raw, job, kind)
    if isinstance(found, Accepted):
        assert (status, raw, job) == (202, "0", "7")
        assert kind is not BodyKind.HTML
    elif isinstance(found, Rejected):
        assert status == 429 or (status == 200 and raw == "201" and kind is not BodyKind.HTML)


@pytest.mark.parametrize(
    ("reason", "cause"),
    [("timeout", "timeout"), ("disconnected", "disconnected"), ("garbage", "unreadable"), ("too_large", "unreadable")],
)
def test_a_lost_answer(reason: str, cause: str) -> None:
    found = rules.lost(NoAnswer("x", reason=reason), INTENT)
    assert (found.cause, found.raw) == (cause, ("x",))


VALUES = {"sid": "s"}


@pytest.mark.parametrize(
    ("status", "raw", "values", "kind"),
    [
        (200, "0", VALUES, None),
        (200, "0", None, "unreadable"),
        (201, "0", VALUES, "unreadable"),  # accepted_when wants 200
        (200, "101", None, "refused"),
        (200, "102", None, "locked"),
        (401, None, None, "refused"),
        (403, None, None, "refused"),
        (404, None, None, "unreadable"),
        (302, None, VALUES, "unreadable"),
        (200, "999", VALUES, "unreadable"),
        (200, "201", VALUES, "unreadable"),
        (500, None, None, "unavailable"),
    ],
)
def test_what_a_logins_answer_is(status: int, raw: str | None, values: dict[str, str] | None, kind: str | None) -> None:
    found = rules.session_of(PROFILE, said(status, raw), values)
    if kind is None:
        assert found == VALUES
    else:
        assert isinstance(found, NoSession)
        assert found.kind == kind


def test_a_login_may_be_answered_with_a_redirect_if_the_profile_says_so() -> None:
    chosen = profile(login__accepted_when=[{"status": 302}])
    assert rules.session_of(chosen, said(302, None), VALUES) == VALUES
    open_ = profile(login__accepted_when=[])
    assert rules.session_of(open_, said(201, None), VALUES) == VALUES
    assert isinstance(rules.session_of(open_, said(302, None), VALUES), NoSession)
    assert isinstance(rules.session_of(open_, said(200, None, BodyKind.HTML), VALUES), NoSession)
    page = profile(login__accepted_when=[{"status": 200}])
    assert rules.session_of(page, said(200, None, BodyKind.HTML), VALUES) == VALUES
    busy = profile(
        result_codes={"0": "OK", "9": "MAINTENANCE", "201": "NO_ROLE"}, send__refused_when=[], login__refused_when=[]
    )
    found = rules.session_of(busy, said(200, "9", of=busy), None)
    assert isinstance(found, NoSession)
    assert found.kind == "unavailable"


def status_answer(
    status: int = 200, raw: str | None = "0", state: JobState | None = JobState.RUNNING, **more: Any
) -> StatusAnswer:
    return StatusAnswer(said(status, raw, **more), "x", state, None, ())


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (status_answer(), JobState.RUNNING),
        (status_answer(raw=None), JobState.RUNNING),
        (status_answer(raw="999"), JobState.RUNNING),
        (status_answer(state=JobState.UNKNOWN_STATE), JobState.UNKNOWN_STATE),
        (status_answer(raw="404", state=None), JobState.NOT_FOUND),
        (status_answer(raw="103", state=None), "session"),
        (status_answer(401, None, None), "session"),
        (status_answer(403, None, None), "denied"),
        (status_answer(401, "201", None), "denied"),
        (status_answer(200, "102", None), "denied"),
        (status_answer(503, None, None), "failed"),
        (status_answer(200, "301", None), "failed"),
        (status_answer(404, None, None), "unreadable"),
        (status_answer(302, None, JobState.SUCCEEDED), "unreadable"),
        (status_answer(state=None), "unreadable"),
        (status_answer(state=JobState.SUCCEEDED, kind=BodyKind.HTML), "unreadable"),
    ],
)
def test_what_a_status_answer_is(answer: StatusAnswer, found: str) -> None:
    assert rules.state_of(PROFILE, answer) == found


def test_a_status_of_http_may_mean_that_the_job_is_gone() -> None:
    chosen = profile(http_codes={"404": "JOB_NOT_FOUND"})
    assert rules.state_of(chosen, status_answer(404, None, None)) is JobState.NOT_FOUND


def test_pauses_grow_and_stay_below_half_a_minute() -> None:
    assert [round(rules.pause_s(poll, 0.0), 2) for poll in range(9)] == [2, 3, 4.5, 6.75, 10.12, 15.19, 22.78, 30, 30]
    assert rules.pause_s(10**9, 0.0) == 30
    assert rules.pause_s(0, 1.0) == pytest.approx(1.6)


@pytest.mark.parametrize("state", list(JobState))
def test_the_journal_is_told_what_it_has_words_for(state: JobState) -> None:
    job = JobRef("siooi", "7", INTENT)
    status = JobStatus(job, state, None, None, None, None, (), None, INTENT.created)
    assert rules.journal_state(status) == {
        "QUEUED": "queued", "RUNNING": "processing", "SUCCEEDED": "succeeded", "FAILED": "failed", "NOT_FOUND": "expired",
        "UNKNOWN_STATE": None,
    }[state.value]  # fmt: skip


def test_every_refusal_has_a_sentence() -> None:
    for code in ResultCode:
        text = rules.refusal(Said(200, BodyKind.JSON, "7", code, None))
        # Who is told that the venue has it already must not hear that it has it not.
        assert text.endswith("It is not in the queue.") == (code is not ResultCode.DUPLICATE)
        assert str(code) == code.value
    assert str(JobState.QUEUED) == "QUEUED"
