"""The upload journal's rules: which step follows which, and what is a duplicate of what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.errors import InvalidInput
from gridwire.intents.upload_records import (
    ALLOWED,
    BLOCKING,
    JOB_STATES,
    STATES,
    AlreadySent,
    Document,
    Obstacle,
    Reason,
    State,
    StepRefused,
    Upload,
    after,
    blocked,
    foremost,
    is_about_the_same,
    is_told_again,
    obstacle,
)


def document(**changed: Any) -> Document:
    whole: dict[str, Any] = {
        "venue": "siooi/test", "account": "ivanov", "form": "F1", "object_key": "ПС 110 Южная", "period": "2026-Q3",
        "exact_sha256": "a" * 64, "canonical_sha256": "b" * 64, "size_bytes": 10, **changed,
    }  # fmt: skip
    return Document(**whole)


SECONDS = [datetime(2026, 12, 1, 6, 0, second, tzinfo=UTC) for second in range(10)]


def upload(state: State = "succeeded", at: int = 0, job_id: str | None = None, **changed: Any) -> Upload:
    return Upload(f"ref-{state}-{at}", document(**changed), state, "run", SECONDS[at], SECONDS[at], job_id=job_id)


OTHER = {"exact_sha256": "c" * 64, "canonical_sha256": "d" * 64, "object_key": "ПС 220"}
"""What makes a document a different one."""


class TestTable:
    def test_the_docstring_has_the_same_table(self) -> None:
        import gridwire.intents.upload_records as module

        text = (module.__doc__ or "").partition("=\nfrom")[2]
        found: dict[str | None, set[str]] = {}
        name = None
        for line in text.splitlines()[2:]:
            if line.startswith("="):
                break
            name = line[:18].strip() or name
            words = {word.strip("(),;") for word in line[18:].replace(",", " ").replace(";", " ").split()}
            found.setdefault(None if name == "(nothing)" else name, set()).update(words & STATES)
        assert found.pop("others") == set()
        assert found == {state: set(states) for state, states in ALLOWED.items()}

    def test_every_state_is_named_and_reached(self) -> None:
        assert set(get_args(State)) == STATES
        assert set(ALLOWED) - {None} <= STATES

    def test_nothing_becomes_sending_twice(self) -> None:
        assert [state for state, states in ALLOWED.items() if "sending" in states] == ["prepared"]

    def test_what_stands_in_the_way_stays_so_until_the_outcome_is_known(self) -> None:
        """A row begins to stand in the way by ``sending``, and again by the word that its job lives after all.

        It stops only by failure, a refusal, or a person's word.
        """
        again = {
            (end, lives) for end in ("failed", "resolved_absent") for lives in ("queued", "processing", "succeeded")
        }
        for state, states in ALLOWED.items():
            for following in states:
                if following in BLOCKING and state not in BLOCKING:
                    assert (state, following) in {("prepared", "sending"), *again}
                if state in BLOCKING and following not in BLOCKING:
                    assert following in {"failed", "refused", "not_sent", "resolved_absent", "withdrawn"}

    @pytest.mark.parametrize("state", sorted(STATES - set(ALLOWED)))
    def test_an_end_is_never_taken_back(self, state: State) -> None:
        assert after(state) == frozenset()

    @pytest.mark.parametrize("state", sorted(STATES))
    def test_only_of_a_job_the_same_may_be_told_again(self, state: State) -> None:
        assert is_told_again(state, state) == (state in JOB_STATES)
        assert not any(is_told_again(state, other) for other in STATES - {state})


class TestDocument:
    def test_letters_composed_in_another_way_are_the_same_key(self) -> None:
        assert document(object_key="Бои\u0306").object_key == "Бой"
        assert document(object_key="Бои\u0306") == document(object_key="Бой")

    @pytest.mark.parametrize("name", ["venue", "account", "form", "object_key", "period"])
    @pytest.mark.parametrize("value", ["", " F1", "F1\n", "F\t1", "x" * 201, " "])
    def test_a_name_that_could_hide_a_duplicate_is_refused(self, name: str, value: str) -> None:
        with pytest.raises(InvalidInput, match=f"^{name}=.*Nothing was sent"):
            document(**{name: value})

    @pytest.mark.parametrize("name", ["exact_sha256", "canonical_sha256"])
    @pytest.mark.parametrize("value", ["", "a" * 63, "A" * 64, "g" * 64])
    def test_a_hash_that_is_none_is_refused(self, name: str, value: str) -> None:
        with pytest.raises(InvalidInput, match=f"{name} must be 64"):
            document(**{name: value})

    def test_an_empty_document_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="empty"):
            document(size_bytes=0)
        assert document(size_bytes=1).size_bytes == 1

    def test_a_name_may_be_as_long_as_said(self) -> None:
        assert len(document(object_key="ж" * 200).object_key) == 200


class TestObstacle:
    @pytest.mark.parametrize("state", sorted(STATES))
    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            ({}, "same_bytes"),
            ({"account": "petrov", "form": "F2", "object_key": "x", "period": "y"}, "same_bytes"),
            ({"exact_sha256": "c" * 64}, "same_content"),
            ({"exact_sha256": "c" * 64, "account": "petrov"}, "same_content"),
            ({"exact_sha256": "c" * 64, "canonical_sha256": "d" * 64}, "same_object_and_period"),
            ({**OTHER, "venue": "siooi/other"}, None),
            ({"venue": "siooi/other"}, None),
            (OTHER, None),
            ({**OTHER, "object_key": "ПС 110 Южная", "period": "2026-Q4"}, None),
            ({**OTHER, "object_key": "ПС 110 Южная", "form": "F2"}, None),
            ({**OTHER, "object_key": "ПС 110 Южная", "account": "petrov"}, None),
        ],
    )
    def test_what_stands_in_the_way_of_what(self, state: State, changed: dict[str, str], reason: Reason | None) -> None:
        row = upload(state)
        expected = Obstacle(row, reason) if reason is not None and state in BLOCKING else None
        assert obstacle(document(**changed), row) == expected

    def test_about_the_same_is_account_form_object_and_period(self) -> None:
        assert is_about_the_same(document(), document(exact_sha256="c" * 64, size_bytes=7))
        for name in ("venue", "account", "form", "object_key", "period"):
            assert not is_about_the_same(document(), document(**{name: "other"}))

    def test_what_is_being_sent_comes_first_then_the_strongest_then_the_oldest(self) -> None:
        sending = Obstacle(upload("sending", 9), "same_object_and_period")
        bytes_ = Obstacle(upload("succeeded", 5), "same_bytes")
        older = Obstacle(upload("failed", 4), "same_bytes")
        content = Obstacle(upload("unknown", 1), "same_content")
        assert foremost([]) is None
        assert foremost([content, bytes_]) is bytes_
        assert foremost([bytes_, older]) is older
        assert foremost([content, bytes_, sending]) is sending
        doubtful = Obstacle(upload("expired", 4), "same_bytes")
        assert foremost([doubtful, bytes_]) is bytes_

    @pytest.mark.parametrize("state", sorted(BLOCKING))
    @pytest.mark.parametrize("reason", get_args(Reason))
    def test_the_sentence_says_what_it_is_and_what_to_do(self, state: State, reason: Reason) -> None:
        text = str(AlreadySent(Obstacle(upload(state, job_id="J7"), reason)))
        assert text == blocked(Obstacle(upload(state, job_id="J7"), reason))
        assert f"(upload ref-{state}-0, job J7, form F1, object ПС 110 Южная, period 2026-Q3, by ivanov)" in text
        assert text.endswith(" Nothing was sent.")
        assert "job" not in blocked(Obstacle(upload("succeeded"), reason))


class TestStepRefused:
    def test_it_says_what_may_follow(self) -> None:
        error = StepRefused(upload("succeeded"), "failed")
        assert str(error) == (
            "Upload ref-succeeded-0 is succeeded and cannot become failed; the journal keeps what it has. "
            "It may be: withdrawn."
        )
        assert error.upload.state == "succeeded"

    def test_after_an_end_there_is_nothing_to_say(self) -> None:
        assert str(StepRefused(upload("refused"), "sending")).endswith("the journal keeps what it has.")


@given(st.lists(st.sampled_from(sorted(STATES)), max_size=12))
def test_no_way_through_the_table_is_sent_twice(wanted: list[State]) -> None:
    row, sent = replace(upload("prepared")), 0
    for state in wanted:
        if state in after(row.state):
            row = replace(row, state=state)
            sent += state == "sending"
    assert sent <= 1
