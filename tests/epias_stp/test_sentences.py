"""The sentences say what it means for what the caller wanted."""

from __future__ import annotations

import pytest

from gridwire.epias_stp import sentences
from gridwire.epias_stp.judgement import Attempt, Failure
from gridwire.epias_stp.operations import OPERATIONS
from tests.epias_stp.samples import BID_SAVE, SENT_ID, WRITES

PAGE = Attempt(OPERATIONS["broadcaster_endpoint_get"], SENT_ID, Failure.HTTP_STATUS, "A page came.", http_status=404)


@pytest.mark.parametrize("operation", WRITES)
def test_every_write_says_what_a_refusal_and_what_doubt_mean(operation: object) -> None:
    name = str(operation)
    said = sentences.unchanged(OPERATIONS[name]), sentences.open_question(OPERATIONS[name])
    assert all(text.endswith(".") for text in said)
    assert ("bid" in said[0]) is name.startswith("bid_")
    assert "may" in said[1]


@pytest.mark.parametrize("failure", Failure)
def test_every_failure_has_a_sentence(failure: Failure) -> None:
    attempt = Attempt(BID_SAVE, SENT_ID, failure, "What came.", ticket_age_s=4.0)
    for text in (
        sentences.refusal(attempt, stale=False),
        sentences.refusal(attempt, stale=True),
        sentences.doubt(attempt),
        sentences.read(attempt),
        sentences.doubt_remains(attempt, attempt),
    ):
        assert text.endswith(".")
        assert "  " not in text


def test_the_broadcasters_path_is_its_own_setting() -> None:
    assert "broadcaster_path" in sentences.read(PAGE)


def test_a_refusal_without_words_stays_a_sentence() -> None:
    said = sentences.refusal(Attempt(BID_SAVE, SENT_ID, Failure.BUSINESS_ERROR), stale=False)
    assert said.startswith("STP refused it under its rules. No bid was placed.")
