"""The journal's lines, and the state machine they drive."""

from __future__ import annotations

import json
import zlib
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.clock import moment
from gridwire.intents.records import (
    ENDED,
    LIVE,
    STATES,
    Entry,
    Reading,
    Row,
    apply,
    decode,
    entries,
    quote,
    rejected_as,
    rejection,
    sign,
    split,
)
from gridwire.outcome import Rejected

# The table of the module's docstring, written out by hand a second time.
TABLE: dict[str | None, set[str]] = {
    None: {"sending"},
    "sending": {"sending", "accepted", "done", "rejected", "unknown"},
    "unknown": {
        "accepted", "done", "rejected", "resolved_live", "resolved_done", "resolved_absent", "resolved_ended",
    },
    "accepted": {"accepted", "closed"},
    "resolved_live": {"accepted", "closed"},
    "done": set(),
    "rejected": set(),
    "closed": set(),
    "resolved_done": set(),
    "resolved_absent": set(),
    "resolved_ended": set(),
}  # fmt: skip
EVERY = sorted(state for state in TABLE if state is not None)


def dump(record: Any) -> bytes:
    return quote(record).encode()


def record(state: str, key: str = "K", at: int = 1, **more: Any) -> dict[str, Any]:
    return {"s": state, "k": key, "t": at, **more}


def entry(state: str, key: str = "K", at: int = 1, run: str = "A", **more: Any) -> Entry:
    return Entry(run, at, record(state, key, at, **more))


def in_state(state: str, run: str = "A", at: int = 0) -> Row:
    return Row("K", state, run, "v", "a", "o", moment(at), moment(at), fields={"price": "1"})


class TestTable:
    @pytest.mark.parametrize(("before", "after"), list(product(TABLE, EVERY)))
    def test_it_allows_what_the_docstring_says_and_nothing_else(self, before: str | None, after: str) -> None:
        row = apply(None if before is None else in_state(before), entry(after))
        assert (row is not None) == (after in TABLE[before])
        assert row is None or row.state == after

    def test_ended_states_have_no_way_out_and_all_others_have_one(self) -> None:
        assert {state for state in EVERY if not TABLE[state]} == ENDED
        assert set(EVERY) == STATES
        assert LIVE.isdisjoint(ENDED)

    def test_a_new_row_restates_its_record(self) -> None:
        row = apply(None, entry("sending", at=7, v="stp", a="test/X", o="bid_save", r="mine", f={"price": "1.50"}))
        assert row == Row(
            "K", "sending", "A", "stp", "test/X", "bid_save", moment(7), moment(7), "mine", fields={"price": "1.50"}
        )

    def test_a_new_row_of_an_old_or_poor_record_has_empty_texts(self) -> None:
        assert apply(None, entry("sending")) == Row("K", "sending", "A", "", "", "", moment(1), moment(1))

    def test_a_second_attempt_counts_and_keeps_everything(self) -> None:
        row = apply(in_state("sending"), entry("sending", v="other"))
        assert row is not None
        assert (row.attempts, row.venue, row.state) == (2, "v", "sending")

    def test_an_answer_adds_id_note_and_fields_and_counts_no_attempt(self) -> None:
        row = apply(in_state("sending"), entry("accepted", at=5, i="77", n="yes", f={"quantity": 2}))
        assert row is not None
        assert (row.order_id, row.note, row.attempts, row.changed, row.created) == (
            "77",
            "yes",
            1,
            moment(5),
            moment(0),
        )
        assert row.fields == {"price": "1", "quantity": 2}

    def test_what_an_answer_leaves_out_stays(self) -> None:
        first = apply(in_state("sending"), entry("accepted", i="77", n="yes"))
        second = apply(first, entry("closed"))
        assert second is not None
        assert (second.order_id, second.note) == ("77", "yes")

    def test_changed_never_goes_back_when_the_clock_does(self) -> None:
        row = apply(in_state("accepted", at=100), entry("closed", at=90))
        assert row is not None
        assert (row.state, row.changed) == ("closed", moment(100))

    def test_of_two_changes_the_one_sent_later_holds_whichever_is_answered_first(self) -> None:
        first = apply(in_state("accepted"), entry("accepted", at=20, u=12, f={"price": "2"}))
        assert first is not None
        assert (first.fields["price"], first.stated) == ("2", moment(12))
        assert apply(first, entry("accepted", at=30, u=11, f={"price": "3"})) is first
        for later in (12, 13):
            row = apply(first, entry("accepted", at=5, u=later, f={"price": "3"}))
            assert row is not None
            assert (row.fields["price"], row.stated, row.changed) == ("3", moment(later), moment(20))

    def test_an_end_holds_whenever_the_last_change_was_sent(self) -> None:
        row = apply(in_state("accepted"), entry("accepted", at=20, u=12))
        closed = apply(row, entry("closed", at=15))
        assert closed is not None
        assert (closed.state, closed.stated) == ("closed", moment(12))

    def test_an_order_found_live_is_restated_whatever_the_clock_says(self) -> None:
        row = apply(in_state("resolved_live", at=100), entry("accepted", at=90, u=80, f={"price": "2"}))
        assert row is not None
        assert (row.state, row.fields["price"]) == ("accepted", "2")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
RECORDS = st.fixed_dictionaries(
    {"s": st.sampled_from(EVERY), "k": st.text(), "t": st.integers(0, 4_102_444_799_999_999)},
    optional={"n": st.text(), "i": st.text(), "r": st.text(), "f": st.dictionaries(st.text(), JSON, max_size=4)},
)


class TestLines:
    @given(RECORDS)
    def test_what_is_written_is_read(self, written: dict[str, Any]) -> None:
        line = sign(dump(written))
        assert line.count(b"\n") == 1
        assert decode(line) == written

    @given(RECORDS, st.data())
    def test_a_line_with_one_flipped_bit_is_not_believed(self, written: dict[str, Any], data: st.DataObject) -> None:
        line = bytearray(sign(dump(written)))
        line[data.draw(st.integers(0, len(line) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        assert decode(bytes(line)) is None

    @given(RECORDS, st.data())
    def test_a_line_cut_anywhere_is_not_believed(self, written: dict[str, Any], data: st.DataObject) -> None:
        line = sign(dump(written))
        assert decode(line[: data.draw(st.integers(0, len(line) - 1))]) is None

    @given(st.binary())
    def test_any_bytes_can_be_read(self, line: bytes) -> None:
        assert decode(line) is None

    @given(st.text(), JSON)
    def test_signed_json_that_is_no_record_is_not_believed(self, name: str, value: Any) -> None:
        assert decode(sign(dump({name: value}))) is None
        assert decode(sign(json.dumps(value).encode())) is None

    def test_signed_bytes_that_are_no_json_are_not_believed(self) -> None:
        assert decode(sign(b"{")) is None
        assert decode(sign(b"\xff")) is None

    @pytest.mark.parametrize(
        "wrong",
        [{"k": 1}, {"k": None}, {"s": "gone"}, {"s": None}, {"t": "1"}, {"t": 1.0}, {"t": True}, {"t": -1},
         {"t": 4_102_444_800_000_000}, {"t": None}, {"u": "1"}, {"u": -1}, {"u": None}, {"f": []}, {"f": None}],
    )  # fmt: skip
    def test_a_record_with_a_wrong_member_is_not_believed(self, wrong: dict[str, Any]) -> None:
        assert decode(sign(dump(record("sending")))) is not None
        assert decode(sign(dump({**record("sending"), **wrong}))) is None

    def test_a_line_is_eight_digits_a_space_json_and_a_line_feed(self) -> None:
        assert sign(b"{}") == b"%08x {}\n" % zlib.crc32(b"{}")
        assert sign(b"") == b"00000000 \n"
        assert decode(b"00000000 \n") is None
        assert decode(sign(dump(record("sending"))).replace(b" ", b"_", 1)) is None

    @given(st.lists(st.binary(min_size=1).filter(lambda piece: b"\n" not in piece)), st.booleans())
    def test_splitting_gives_every_byte_back(self, pieces: list[bytes], torn: bool) -> None:
        data = b"".join(piece + b"\n" for piece in pieces) + (b"half" if torn else b"")
        lines = list(split(data))
        assert b"".join(lines) == data
        assert len(lines) == len(pieces) + torn
        assert all(line.endswith(b"\n") for line in lines[: len(pieces)])


class TestEntries:
    def test_they_come_in_order_and_their_time_never_goes_back(self) -> None:
        data = b"".join(sign(dump(record("sending", str(n), at))) for n, at in enumerate((5, 3, 9, 8)))
        found, damaged = entries(data, "A")
        assert [(one.key, one.at_us, one.run) for one in found] == [
            ("0", 5, "A"), ("1", 5, "A"), ("2", 9, "A"), ("3", 9, "A"),
        ]  # fmt: skip
        assert damaged == 0

    def test_a_damaged_line_is_counted_and_its_neighbours_are_read(self) -> None:
        good = sign(dump(record("sending")))
        found, damaged = entries(good + b"rot\n" + good + b"half a li\n", "A")
        assert (len(found), damaged) == (2, 2)

    def test_a_last_line_without_its_end_is_no_damage(self) -> None:
        good = sign(dump(record("sending")))
        for cut in range(len(good)):
            found, damaged = entries(good + good[:cut], "A")
            assert (len(found), damaged) == (1, 0)


class TestReading:
    def test_an_early_word_of_another_run_waits_for_its_row(self) -> None:
        reading = Reading()
        reading.take([[entry("closed", at=3, run="B")], [entry("sending", at=10), entry("accepted", at=11)]])
        assert reading.rows["K"].state == "closed"
        assert (reading.waiting, reading.damaged) == ([], 0)

    def test_a_word_about_a_row_that_is_nowhere_keeps_waiting(self) -> None:
        reading = Reading()
        reading.take([[entry("closed", run="B")]])
        assert reading.rows == {}
        assert [one.key for one in reading.waiting] == ["K"]
        reading.take([[entry("sending", at=2), entry("accepted", at=3)]])
        assert reading.rows["K"].state == "closed"
        assert reading.waiting == []

    def test_a_word_of_another_run_that_comes_too_soon_waits(self) -> None:
        reading = Reading()
        reading.take([[entry("sending"), entry("unknown", at=5)], [entry("closed", at=3, run="B")]])
        assert reading.rows["K"].state == "unknown"
        assert len(reading.waiting) == 1
        reading.take([[entry("resolved_live", at=9, run="C")]])
        assert reading.rows["K"].state == "closed"

    def test_a_word_of_another_run_about_an_ended_row_is_dropped(self) -> None:
        reading = Reading({"K": in_state("done")})
        reading.take([[entry("accepted", run="B")]])
        assert reading.rows["K"].state == "done"
        assert (reading.waiting, reading.damaged) == ([], 0)

    def test_a_word_of_the_same_run_that_the_table_forbids_is_counted(self) -> None:
        reading = Reading()
        reading.take([[entry("sending"), entry("done", at=2), entry("accepted", at=3)]])
        assert reading.rows["K"].state == "done"
        assert (reading.waiting, reading.damaged) == ([], 1)

    def test_runs_are_merged_in_the_order_of_time(self) -> None:
        # Read one after the other, A's last word would be overwritten by B's older one, or the reverse.
        a = [
            entry("sending", at=1),
            entry("accepted", at=2, f={"price": "1"}),
            entry("accepted", at=6, f={"price": "3"}),
        ]
        b = [entry("accepted", at=4, run="B", f={"price": "2"})]
        for logs in ([a, b], [b, a]):
            reading = Reading()
            reading.take(logs)
            assert reading.rows["K"].fields == {"price": "3"}

    def test_the_order_of_one_run_holds_through_a_clock_set_back(self) -> None:
        data = b"".join(sign(dump(record(*each))) for each in (("sending", "K", 50), ("accepted", "K", 10)))
        log, _ = entries(data, "A")
        reading = Reading()
        reading.take([log, [entry("sending", "L", 20, "B")]])
        assert reading.rows["K"].state == "accepted"

    @given(st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from(EVERY), st.integers(0, 9)), max_size=12))
    def test_no_row_ever_opens_again_and_none_is_lost(self, said: list[tuple[str, str, int]]) -> None:
        logs = {"A": [entry("sending", at=0)], "B": []}
        for run, state, at in said:
            logs[run].append(entry(state, at=max([at, *(one.at_us for one in logs[run])]), run=run))
        reading = Reading()
        states: list[str] = []
        for step in range(len(said) + 1):
            reading = Reading()
            reading.take([logs["A"], logs["B"][:step]])
            states.append(reading.rows["K"].state)
        assert set(reading.rows) == {"K"}
        # Taken in pieces, as takeovers do, an end holds whatever comes after it.
        pieces = Reading()
        seen = []
        for log in (logs["A"], logs["B"]):
            for one in log:
                pieces.take([[one]])
                seen.append(pieces.rows["K"].state)
        assert all(later == earlier for earlier, later in pairwise(seen) if earlier in ENDED)


class TestNoteOfARejection:
    @pytest.mark.parametrize(
        ("outcome", "note"),
        [
            (Rejected("X-1", "no", "venue"), "venue X-1"),
            (Rejected("429", "no", "venue", repeatable=True, retry_after_s=30.0), "venue 429: repeatable after 30 s"),
            (Rejected("refused", "no", "wire", repeatable=True), "wire refused: repeatable"),
            (Rejected("login", "no", "security", repeatable=True, retry_after_s=0.25), "security login: repeatable after 0.25 s"),
        ],
    )  # fmt: skip
    def test_it_is_read_as_it_was_written(self, outcome: Rejected, note: str) -> None:
        assert rejection(outcome) == note
        assert rejected_as(note) == (outcome.origin, outcome.code, outcome.repeatable, outcome.retry_after_s)

    @given(st.text(max_size=30), st.booleans(), st.none() | st.integers(0, 3_600_000))
    def test_any_code_survives(self, code: str, again: bool, after_ms: int | None) -> None:
        after = None if after_ms is None or not again else after_ms / 1000
        told = rejected_as(rejection(Rejected(code, "", "venue", repeatable=again, retry_after_s=after)))
        assert told == ("venue", code, again, after)

    def test_a_note_of_another_form_is_a_code(self) -> None:
        assert rejected_as("BID-1") == ("venue", "BID-1", False, None)
