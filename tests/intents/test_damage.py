"""Damaged logs: what is saved of them, and that they are reported until a person has looked."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path

import pytest

from gridwire import clock
from gridwire.errors import InvalidInput, JournalError
from gridwire.intents.damage import NOTE, content, damaged_logs, log_files, lost_rows, settle, text
from gridwire.intents.journal import Journal, read
from gridwire.intents.records import CUT, Entry, Row, entries, sign
from tests.intents.runs import files_no_longer_than, killed, logs, sending, state_in


def spoil(log: Path, *numbers: int) -> None:
    """Flip a bit in these records, counted from 0, within the key."""
    lines = log.read_bytes().splitlines(keepends=True)
    for number in numbers:
        spoilt = bytearray(lines[number + 1])  # the first line is no record
        spoilt[20] ^= 1
        lines[number + 1] = bytes(spoilt)
    log.write_bytes(b"".join(lines))


def dead_run(directory: Path, *records: tuple[str, str], order_id: str | None = None) -> Path:
    """A run that wrote ``records`` and was killed; returns its log."""
    journal = Journal.open(directory)
    for state, key in records:
        journal.record(state, key, v="stp", a="test/X", o="bid_save", i=order_id if state == "accepted" else None)
    log = directory / "runs" / f"{journal.run}.log"
    killed(journal)
    return log


def by_key(rows: list[Row]) -> dict[str, Row]:
    return {row.key: row for row in rows}


class TestLostRows:
    @pytest.mark.parametrize("later", ["unknown", "accepted"])
    def test_a_call_whose_first_line_is_damaged_is_unknown_before_and_after_it_is_moved(
        self, tmp_path: Path, later: str
    ) -> None:
        spoil(dead_run(tmp_path, ("sending", "the-key-of-a-bid"), (later, "the-key-of-a-bid"), order_id="77"), 0)
        shown = read(tmp_path).rows["the-key-of-a-bid"]
        assert (shown.state, shown.note) == ("unknown", NOTE)
        journal = Journal.open(tmp_path)
        assert [(row.key, row.state) for row in journal.recovered] == [("the-key-of-a-bid", "unknown")]
        assert by_key(journal.rows())["the-key-of-a-bid"] == shown
        assert shown.order_id == ("77" if later == "accepted" else None)
        journal.close()
        assert state_in(tmp_path) == {"the-key-of-a-bid": "unknown"}

    def test_a_person_settles_it_like_any_other(self, tmp_path: Path) -> None:
        spoil(dead_run(tmp_path, ("sending", "the-key-of-a-bid"), ("unknown", "the-key-of-a-bid")), 0)
        journal = Journal.open(tmp_path)
        journal.record("resolved_absent", "the-key-of-a-bid", n="looked")
        journal.close()
        assert Journal.open(tmp_path).recovered == []
        assert state_in(tmp_path) == {"the-key-of-a-bid": "resolved_absent"}

    def test_what_a_good_line_ended_is_ended(self, tmp_path: Path) -> None:
        keys = ("a-long-key-of-one", "a-long-key-of-two")
        log = dead_run(
            tmp_path,
            *(("sending", key) for key in keys),
            ("rejected", keys[0]),
            ("unknown", keys[1]),
            ("done", keys[1]),
        )
        spoil(log, 0, 1)
        assert state_in(tmp_path) == {keys[0]: "rejected", keys[1]: "done"}
        journal = Journal.open(tmp_path)
        assert journal.recovered == []
        assert len(journal.damaged) == 1
        journal.close()

    def test_records_about_another_journals_orders_are_not_taken_for_lost_ones(self, tmp_path: Path) -> None:
        dead_run(tmp_path, ("sending", "cancel"), ("closed", "an order of another journal"), ("done", "cancel"))
        Journal.open(tmp_path).close()
        assert state_in(tmp_path) == {"cancel": "done"}

    def test_what_a_live_run_writes_meanwhile_is_not_taken_for_lost(self, tmp_path: Path) -> None:
        spoil(dead_run(tmp_path, ("sending", "some-long-key-here")), 0)
        first, second = Journal.open(tmp_path), Journal.open(tmp_path)
        sending(second, "of-the-second")
        second.record("accepted", "of-the-second", i="5")
        first.record("closed", "of-the-second")
        assert {row.key: row.state for row in first.rows()} == {"of-the-second": "closed"}
        first.close()
        second.close()


class TestReporting:
    def test_a_damaged_log_is_reported_at_every_opening_until_it_is_settled(self, tmp_path: Path) -> None:
        log = dead_run(tmp_path, ("sending", "some-long-key-here"), ("sending", "another"))
        spoil(log, 0)
        for _ in range(3):
            journal = Journal.open(tmp_path)
            assert [(one.run, len(one.lines)) for one in journal.damaged] == [(log.stem, 1)]
            journal.close()
        (found,) = damaged_logs(tmp_path)
        assert found.ended
        assert "1 line(s)" in text([found])
        assert found.path.name in text([found])
        settle(tmp_path, log.stem, "asked the\nvenue: nothing rests", at=clock.now())
        journal = Journal.open(tmp_path)
        assert journal.damaged == []
        journal.close()
        (kept,) = log_files(tmp_path, ".settled")
        assert b"another" in kept.read_bytes()
        assert kept.read_bytes().endswith(b": asked the venue: nothing rests\n")

    def test_a_log_of_a_live_run_is_reported_and_cannot_be_settled(self, tmp_path: Path) -> None:
        live = Journal.open(tmp_path)
        sending(live, "some-long-key-here")
        spoil(logs(tmp_path)[0], 0)
        (found,) = damaged_logs(tmp_path)
        assert not found.ended
        with pytest.raises(InvalidInput, match="when that has ended"):
            settle(tmp_path, live.run, "looked", at=clock.now())
        with pytest.raises(InvalidInput, match="no damaged log"):
            settle(tmp_path, "nobody's", "looked", at=clock.now())
        live.close()

    def test_a_settlement_that_cannot_be_written_is_none(self, tmp_path: Path) -> None:
        log = dead_run(tmp_path, ("sending", "some-long-key-here"))
        spoil(log, 0)
        Journal.open(tmp_path).close()
        with files_no_longer_than(1), pytest.raises(JournalError, match="Nothing was changed"):
            settle(tmp_path, log.stem, "looked", at=clock.now())
        assert len(damaged_logs(tmp_path)) == 1

    def test_a_reservation_whose_line_may_be_the_damaged_one_stays_taken(self, tmp_path: Path) -> None:
        dead = Journal.open(tmp_path)
        assert dead.claim("mine", "some-long-key-here")
        sending(dead, "some-long-key-here")
        killed(dead)
        spoil(logs(tmp_path)[0], 0)
        journal = Journal.open(tmp_path)
        assert not journal.claim("mine", "M")
        settle(tmp_path, dead.run, "nothing rests", at=clock.now() + timedelta(days=1))
        assert not journal.claim("mine", "M")
        journal.close()


GOOD = sign(b'{"s":"sending","k":"K","t":1796064940825284}')


@pytest.mark.parametrize(
    ("data", "damaged"),
    [
        (b"\0" * 4096, 1),  # what a power cut can leave
        (GOOD + b"\0" * 100, 1),
        (GOOD[:30] + b"\0" * 100, 1),
        (GOOD + GOOD[:-1] + b"\x0b", 1),  # the line feed itself was hit
        (GOOD + GOOD[:-1] + b"J", 1),
        (GOOD + b"rot without an end", 1),
        (GOOD + b"0123abcd x", 1),
        (GOOD + GOOD[:-1], 0),
        (GOOD + b"\n", 1),
        *((GOOD + GOOD[:cut], 0) for cut in (1, 8, 9, 10, 40)),
        (b"", 0),
        (GOOD[:40] + CUT + GOOD, 0),
    ],
    ids=itertools.count(1),
)
def test_a_last_line_is_no_damage_only_where_it_is_the_beginning_of_a_record(data: bytes, damaged: int) -> None:
    assert entries(data, "A")[1] == damaged


def test_a_log_of_nuls_is_kept_and_reported(tmp_path: Path) -> None:
    log = dead_run(tmp_path, ("sending", "some-long-key-here"))
    log.write_bytes(b"\0" * log.stat().st_size)
    assert read(tmp_path).damaged == 1
    journal = Journal.open(tmp_path)
    assert [(one.run, len(one.lines)) for one in journal.damaged] == [(log.stem, 1)]
    journal.close()


def test_no_flipped_bit_of_a_log_goes_unnoticed() -> None:
    """Each bit of each byte, line ends and checksums too; and a log cut anywhere loses its last line alone."""
    records = [
        b'{"s":"sending","k":"K","t":1796064940825284,"b":5,"f":{"price":"100.00"}}',
        b'{"s":"accepted","k":"K","t":1796064940825285,"b":6,"i":"7"}',
    ]
    data = b"".join(map(sign, records))
    assert entries(data, "A")[1] == 0
    for place in range(len(data)):
        for bit in range(8):
            spoilt = bytearray(data)
            spoilt[place] ^= 1 << bit
            assert entries(bytes(spoilt), "A")[1] > 0, (place, bit)
    for end in range(len(data)):
        whole, damaged = entries(data[:end], "A")
        assert (len(whole), damaged) == (data.count(b"\n", 0, end), 0)


def test_a_log_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    assert content(tmp_path / "none.log") == b""
    (tmp_path / "run.log").mkdir()
    with pytest.raises(JournalError, match=r"cannot be read.*what was sent cannot be told"):
        content(tmp_path / "run.log")


def test_an_end_that_is_known_is_not_undone_by_a_later_record_of_the_same_call() -> None:
    ended = Entry("A", 1, {"s": "rejected", "k": "K", "t": 1})
    later = Entry("A", 2, {"s": "unknown", "k": "K", "t": 2})
    assert lost_rows([later, ended])["K"].state == "rejected"
