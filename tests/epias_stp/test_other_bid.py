"""A yes to a change or a cancellation that names another bid, or has a content that is no answer, settles nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gridwire import clock
from gridwire.epias_stp import judgement
from gridwire.epias_stp.operations import OPERATIONS
from gridwire.epias_stp.outcomes import outcome_of
from gridwire.outcome import Accepted, Intent, Outcome, Unknown
from gridwire.transport.exchange import Response

KEY = "6d553b3c-1ffc-44cc-bed6-1dce4d5b48ac"


def judged(operation: str, content: Any, wire: str = "json") -> Outcome:
    said = {"resultCode": "0", "resultDescription": "OK", "resultType": "SUCCESS"}
    if wire == "json":
        payload = json.dumps(said if content is ... else {**said, "body": content}).encode()
    else:
        payload = f"<answer>{''.join(f'<{k}>{v}</{k}>' for k, v in said.items())}{content}</answer>".encode()
    intent = Intent("epias_stp", operation, KEY, clock.now(), restated={"bid_id": "1000001"})
    attempt = judgement.answered(
        OPERATIONS[operation],
        Response(200, {"content-type": f"application/{wire}"}, payload),
        transaction_id=KEY,
        ticket_age_s=1.0,
        now=clock.now(),
    )
    return outcome_of(attempt, intent)


CALLS = pytest.mark.parametrize("operation", ["bid_update", "bid_cancel"])


@CALLS
@pytest.mark.parametrize(
    "content",
    [
        ...,
        None,
        True,
        {},
        {"bidResponse": None},
        {"bidResponse": {}},
        {"bidResponse": {"id": None}},
        {"bidResponse": {"id": ""}},
        {"bidResponse": {"id": "1000001"}},
        {"bidResponse": {"id": " 1000001 "}},
        {"bidResponse": {"id": 1000001}},
    ],
)
def test_a_yes_that_names_the_bid_that_was_sent_or_none_is_accepted(operation: str, content: Any) -> None:
    outcome = judged(operation, content)
    assert isinstance(outcome, Accepted), outcome
    assert outcome.order is not None
    assert outcome.order.id == "1000001"


@CALLS
@pytest.mark.parametrize("content", ["", "<body/>", "<body>true</body>", "<body><bidResponse/></body>"])
def test_so_is_one_in_xml(operation: str, content: str) -> None:
    assert isinstance(judged(operation, content, "xml"), Accepted)


@CALLS
@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"bidResponse": {"id": "777"}}, "the bid 777"),
        ({"bidResponse": {"id": 777}}, "the bid 777"),
        ({"bidResponse": {"id": "01000001"}}, "the bid 01000001"),
        ({"bid": {"id": "777"}}, "another bid"),
        ({"bidResponse": {"id": "1\x1b[31m"}}, "another bid"),
        ({"bidResponse": {"id": "TGT-1-secret"}}, "another bid"),
    ],
)
def test_one_that_names_another_bid_is_unknown(operation: str, content: Any, named: str) -> None:
    outcome = judged(operation, content)
    assert isinstance(outcome, Unknown), outcome
    assert outcome.cause == "foreign_answer"
    assert f"about {named}, which is not the one that was sent" in outcome.reason
    assert "secret" not in outcome.reason


NO_ANSWER = [
    [],
    "x",
    7,
    [{"bidResponse": {"id": "1000001"}}],
    {"bidResponse": [{"id": "777"}]},
    {"bidResponse": "1000001"},
    {"bidResponse": {"id": ["1000001"]}},
    {"bidResponse": {"id": True}},
]


@CALLS
@pytest.mark.parametrize("content", NO_ANSWER)
def test_one_whose_content_is_no_answer_to_it_is_unknown(operation: str, content: Any) -> None:
    outcome = judged(operation, content)
    assert isinstance(outcome, Unknown), outcome
    assert outcome.cause == "unreadable"


@pytest.mark.parametrize("content", [[], "x", 7])
@pytest.mark.parametrize("operation", [name for name, one in OPERATIONS.items() if one.is_write])
def test_no_call_is_accepted_on_a_content_that_is_no_answer(operation: str, content: Any) -> None:
    outcome = judged(operation, content)
    assert isinstance(outcome, Unknown), outcome
    assert outcome.cause == ("no_id" if operation == "bid_save" else "unreadable")
