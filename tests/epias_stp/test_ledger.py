"""This account's rows as bids and unknown outcomes."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gridwire.epias_stp.ledger import Ledger, intent_of, order_of, restated_of, unknown_of
from gridwire.errors import GridwireError
from gridwire.intents.journal import Journal, line
from gridwire.intents.records import JournalError, Row
from gridwire.observe.events import Event, Events
from gridwire.outcome import Intent, Unknown

NOW = datetime(2026, 12, 1, 6, tzinfo=UTC)
ME = "sandbox/TRADER1"


def ledger(directory: Path | None, heard: list[Event] | None = None, **options: Any) -> Ledger:
    listener = None if heard is None else heard.append
    return Ledger(directory, **{"account": ME, "throw_away": False, "events": Events(listener), **options})


def row(state: str = "accepted", **more: Any) -> Row:
    whole: dict[str, Any] = {
        "run": "A", "venue": "epias_stp", "account": ME, "operation": "bid_save", "created": NOW, "changed": NOW,
        "client_ref": "mine", "order_id": "77",
        "fields": {"contract": "GG20261201", "price": "12000.50", "quantity": "155"}, **more,
    }  # fmt: skip
    return Row("K", state, **whole)


class TestRows:
    def test_fields_come_back_as_what_they_were(self) -> None:
        fields = {"price": "12000.50", "quantity": "155", "expire_time": "2026-12-01T15:00:00+03:00", "contract": "GG"}
        restated = restated_of(fields)
        assert restated == {
            "price": Decimal("12000.50"), "quantity": 155, "expire_time": datetime(2026, 12, 1, 12, tzinfo=UTC),
            "contract": "GG",
        }  # fmt: skip
        assert type(restated["quantity"]) is int
        assert str(restated["price"]) == "12000.50"

    def test_fields_that_are_not_there_stay_away(self) -> None:
        assert restated_of({"price": None, "quantity": None, "expire_time": None, "bid_id": "77"}) == {
            "price": None, "quantity": None, "expire_time": None, "bid_id": "77",
        }  # fmt: skip
        assert restated_of({}) == {}

    def test_a_bid_is_known_by_its_row(self) -> None:
        bid = order_of(row(attempts=2))
        restated = {"contract": "GG20261201", "price": Decimal("12000.50"), "quantity": 155}
        assert (bid.venue, bid.id, bid.restated) == ("epias_stp", "77", restated)
        assert (
            bid.intent == Intent("epias_stp", "bid_save", "K", NOW, "mine", restated, 2) == intent_of(row(attempts=2))
        )

    @pytest.mark.parametrize(
        ("note", "cause"),
        [("timeout", "timeout"), ("crashed: the process ended", "crashed"), ("", "crashed"), ("no_id", "no_id")],
    )
    def test_an_unknown_keeps_its_cause(self, note: str, cause: str) -> None:
        outcome = unknown_of(row("unknown", note=note))
        assert outcome.cause == cause
        assert ("process that sent this call ended" in outcome.reason) == (cause == "crashed")
        assert "look before you send it again" in outcome.reason


class TestLedger:
    async def test_it_is_opened_once_and_when_needed(self, tmp_path: Path) -> None:
        kept = ledger(tmp_path / "journal")
        assert not (tmp_path / "journal").exists()
        with pytest.raises(GridwireError, match="not open"):
            _ = kept.journal
        journal = await kept.open()
        assert await kept.open() is kept.journal is journal
        await kept.aclose()
        await kept.aclose()
        with pytest.raises(GridwireError, match="not open"):
            _ = kept.journal

    async def test_the_sandboxs_orders_go_to_a_folder_that_ends_with_the_client(self) -> None:
        kept = ledger(None, throw_away=True)
        directory = (await kept.open()).directory
        assert directory.is_dir()
        await kept.aclose()
        assert not directory.exists()

    async def test_a_folder_that_was_named_stays_also_for_the_sandbox(self, tmp_path: Path) -> None:
        kept = ledger(tmp_path, throw_away=True)
        assert (await kept.open()).directory == tmp_path
        await kept.aclose()
        assert (tmp_path / "runs").is_dir()

    async def test_without_a_name_it_is_the_usual_place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        kept = ledger(None)
        assert (await kept.open()).directory == tmp_path / "gridwire" / "journal"
        await kept.aclose()

    async def test_a_place_that_cannot_be_is_told_and_answers_no_question(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        heard: list[Event] = []
        kept = ledger(tmp_path / "file", heard)
        await kept.open()
        assert [(event.name, event.level) for event in heard] == [("journal.trouble", logging.ERROR)]
        for question in (kept.rows, kept.known, kept.rows_of_all_accounts):
            with pytest.raises(JournalError, match="cannot be written or locked"):
                await question()
        with pytest.raises(JournalError, match="cannot be written or locked"):
            kept.check()

    async def test_what_earlier_runs_left_unknown_is_told_of_this_account_alone(self, tmp_path: Path) -> None:
        dead = Journal.open(tmp_path)
        for key, venue, account in (("K", "epias_stp", ME), ("L", "epias_stp", "test/X"), ("M", "edsn", ME)):
            dead.record("sending", key, v=venue, a=account, o="bid_save", f={"contract": "GG"})
        dead.close()
        heard: list[Event] = []
        kept = ledger(tmp_path, heard)
        await kept.open()
        assert list(kept.unknown) == ["K"]
        assert [(event.name, event.fields["count"]) for event in heard] == [("journal.recovered", 1)]
        await kept.aclose()

    async def test_nothing_left_is_nothing_told(self, tmp_path: Path) -> None:
        heard: list[Event] = []
        kept = ledger(tmp_path, heard)
        await kept.open()
        assert heard == []
        await kept.aclose()

    async def test_outcomes_put_off_are_written_before_rows_are_read_and_before_the_end(self, tmp_path: Path) -> None:
        heard: list[JournalError] = []
        kept = ledger(tmp_path)
        journal = await kept.open()
        for key in ("K", "L"):
            journal.record("sending", key, v="epias_stp", a=ME, o="bid_save")
        journal.soon(lambda: [line("accepted", "K", i="77")], heard.append)
        assert [one.state for one in await kept.rows()] == ["accepted", "sending"]
        journal.soon(lambda: [line("accepted", "L", i="78")], heard.append)
        await kept.aclose()
        kept = ledger(tmp_path)
        assert [bid.id for bid in await kept.known()] == ["77", "78"]
        await kept.aclose()
        assert heard == []

    async def test_known_bids_are_this_accounts_that_may_rest(self, tmp_path: Path) -> None:
        kept = ledger(tmp_path)
        journal = await kept.open()
        said = {
            "live": ("bid_save", ME, ["accepted"]), "closed": ("bid_save", ME, ["accepted", "closed"]),
            "found": ("bid_save", ME, ["unknown", "resolved_live"]), "unknown": ("bid_save", ME, ["unknown"]),
            "absent": ("bid_save", ME, ["unknown", "resolved_absent"]), "change": ("bid_update", ME, ["accepted"]),
            "other": ("bid_save", "test/X", ["accepted"]),
        }  # fmt: skip
        for key, (operation, account, states) in said.items():
            journal.record("sending", key, v="epias_stp", a=account, o=operation)
            for state in states:
                journal.record(state, key)
        assert [bid.intent.key for bid in await kept.known()] == ["live", "found"]
        await kept.aclose()

    async def test_an_outcome_can_be_remembered(self, tmp_path: Path) -> None:
        kept = ledger(tmp_path)
        outcome = Unknown(Intent("epias_stp", "bid_save", "K", NOW), "timeout", "no answer")
        kept.remember(outcome)
        assert kept.unknown == {"K": outcome}
