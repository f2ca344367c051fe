"""epias_stp/settled.py: the outcome that the journal's row of a settled call stands for."""

from __future__ import annotations

import pytest

from gridwire.epias_stp.outcomes import VENUE
from gridwire.epias_stp.settled import settled_as
from gridwire.intents.records import Row
from gridwire.outcome import Intent, Rejected, Unknown
from tests.conftest import EPOCH


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("venue 429: repeatable after 45 s", ("venue", "429", True, 45.0)),
        ("security 17: repeatable", ("security", "17", True, None)),
        ("venue BID-0001", ("venue", "BID-0001", False, None)),
        ("", ("venue", "rejected", False, None)),
    ],
)
def test_a_late_refusal_says_whether_and_when_the_call_may_be_made_again(
    note: str, expected: tuple[str, str, bool, float | None]
) -> None:
    lost = Unknown(Intent(VENUE, "bid_save", "K", EPOCH), "timeout", "no answer")
    row = Row("K", "rejected", "A", VENUE, "test/X", "bid_save", EPOCH, EPOCH, note=note)
    told = settled_as(row, None, lost)
    assert isinstance(told, Rejected)
    assert (told.origin, told.code, told.repeatable, told.retry_after_s) == expected
