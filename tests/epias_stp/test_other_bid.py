"""An answer to a change or a cancellation that names another bid settles nothing."""

from __future__ import annotations

import json

import pytest

from gridwire import clock
from gridwire.epias_stp import judgement
from gridwire.epias_stp.operations import OPERATIONS
from gridwire.epias_stp.outcomes import outcome_of
from gridwire.outcome import Accepted, Intent, Unknown
from gridwire.transport.exchange import Response

KEY = "6d553b3c-1ffc-44cc-bed6-1dce4d5b48ac"


@pytest.mark.parametrize("operation", ["bid_update", "bid_cancel"])
@pytest.mark.parametrize(("named", "settled"), [("777", False), ("1000001", True), (None, True), ("1\x1b[31m", True)])
def test_only_the_bid_that_was_sent_is_accepted(operation: str, named: str | None, settled: bool) -> None:
    body = {
        "resultCode": "0",
        "resultDescription": "OK",
        "resultType": "SUCCESS",
        "body": {"bidResponse": {"id": named}},
    }
    intent = Intent("epias_stp", operation, KEY, clock.now(), restated={"bid_id": "1000001"})
    attempt = judgement.answered(
        OPERATIONS[operation],
        Response(200, {"content-type": "application/json"}, json.dumps(body).encode()),
        transaction_id=KEY,
        ticket_age_s=1.0,
        now=clock.now(),
    )
    outcome = outcome_of(attempt, intent)
    if settled:
        assert isinstance(outcome, Accepted)
        assert outcome.order is not None
        assert outcome.order.id == "1000001"
    else:
        assert isinstance(outcome, Unknown)
        assert outcome.cause == "foreign_answer"
        assert "about the bid 777, which is not the one that was sent" in outcome.reason
