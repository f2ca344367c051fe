"""The three answers: what each holds, and that none can be mistaken for a yes or a no."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gridwire import Accepted, Intent, OrderRef, Outcome, Rejected, Unknown
from gridwire.errors import GridwireError, OrderRejected, OutcomeUnknown

INTENT = Intent(
    venue="epias_stp",
    operation="bid_save",
    key="6f1c2f0e-0d0e-4b53-9a27-3f0a5d8d2a11",
    created=datetime(2026, 12, 1, 6, 0, tzinfo=UTC),
    restated={"contract": "GG20261201", "quantity": 155},
)
ORDER = OrderRef(venue="epias_stp", id="4711", intent=INTENT)
REJECTED = Rejected(code="PRICE_ABOVE_MAXIMUM", reason="The price is above the contract's maximum.", origin="venue")
UNKNOWN = Unknown(intent=INTENT, cause="timeout", reason="No answer within 10 s after the bid was sent.")


def test_accepted_hands_over_the_order() -> None:
    assert Accepted(INTENT, ORDER).accepted() is ORDER


def test_accepted_without_an_order_is_an_operator_write() -> None:
    assert Accepted(INTENT).accepted() is None


def test_rejected_says_who_refused_and_why_when_made_to_raise() -> None:
    with pytest.raises(OrderRejected) as caught:
        REJECTED.accepted()
    assert caught.value.outcome is REJECTED
    assert str(caught.value) == "The price is above the contract's maximum. [venue, PRICE_ABOVE_MAXIMUM]"


def test_unknown_names_its_cause_and_the_key_for_the_venues_support_when_made_to_raise() -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        UNKNOWN.accepted()
    assert caught.value.outcome is UNKNOWN
    assert "[timeout, 6f1c2f0e-0d0e-4b53-9a27-3f0a5d8d2a11]" in str(caught.value)


@pytest.mark.parametrize("outcome", [Accepted(INTENT, ORDER), REJECTED, UNKNOWN], ids=lambda o: type(o).__name__)
def test_no_outcome_is_true_or_false(outcome: Outcome) -> None:
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(outcome)


def test_an_outcome_that_was_made_to_raise_is_caught_by_the_root_of_the_tree() -> None:
    with pytest.raises(GridwireError):
        UNKNOWN.accepted()


def test_the_venues_raw_answer_stays_out_of_repr() -> None:
    assert "secret" not in repr(Accepted(INTENT, ORDER, raw={"secret": 1}))
    assert "secret" not in repr(Rejected("1", "no", "venue", raw={"secret": 1}))
    assert "secret" not in repr(Unknown(INTENT, "timeout", "no answer", raw=({"secret": 1},)))


def test_what_is_not_said_is_the_careful_answer() -> None:
    assert INTENT.attempts == 1
    assert not Accepted(INTENT).possibly_duplicate
    assert not REJECTED.repeatable
    assert "6f1c2f0e" not in repr(ORDER)
