"""``gridwire journal``: which folder it reads, what names an intent, and damaged logs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gridwire.cli.exits import ExitCode
from gridwire.intents.journal import Journal, line
from gridwire.observe.redact import mask
from tests.cli.conftest import Cli, Running
from tests.cli.test_journal import NOTE, sending, states
from tests.cli.test_stp import BUY


def rows(cli: Cli, *more: str) -> list[str]:
    return [row["key"] for row in json.loads(cli("journal", "list", "--json", *more).out)["rows"]]


def journal_with(folder: Path, key: str, **more: str) -> None:
    journal = Journal.open(folder)
    sending(journal, key)
    journal.record("accepted", key, i=more.get("order_id"))
    journal.close()


class TestFolder:
    def test_it_is_that_of_the_settings_as_for_every_other_command(
        self, box: Running, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "gridwire.toml").write_text('[epias_stp]\njournal = "./journal"\n')
        (tmp_path / "deep").mkdir()
        monkeypatch.chdir(tmp_path / "deep")
        assert cli("stp", "bid", "save", box.contract, *BUY, "--json").code == ExitCode.DONE
        listed = cli("journal", "list")
        assert "BUY 155" in listed.out
        assert mask(f"The journal in {tmp_path / 'journal'}.") in listed.err
        (known,) = json.loads(cli("stp", "bids", "--json").out)["bids"]
        shown = json.loads(cli("journal", "show", known["id"], "--json").out)
        assert (shown["order_id"], shown["operation"]) == (known["id"], "bid_save")
        assert json.loads(cli("journal", "list", "--json").out)["directory"] == str(tmp_path / "journal")

    def test_what_is_nearer_outranks(self, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("usual", "file", "other", "variable", "option"):
            place = tmp_path / "state" / "gridwire" / "journal" if name == "usual" else tmp_path / name
            journal_with(place, name)
        assert rows(cli) == ["usual"]
        (tmp_path / "gridwire.toml").write_text('[epias_stp]\njournal = "file"\n')
        assert rows(cli) == ["file"]
        (tmp_path / "mine.toml").write_text('[epias_stp]\njournal = "other"\n')
        assert rows(cli, "--config", "mine.toml") == ["other"]
        monkeypatch.setenv("HOME", str(tmp_path))
        assert rows(cli, "--config", "~/mine.toml") == ["other"]
        monkeypatch.setenv("GRIDWIRE_EPIAS_STP_JOURNAL", "variable")
        assert rows(cli) == ["variable"]
        assert rows(cli, "--directory", "~/option") == ["option"]

    def test_show_and_resolve_read_the_same_one(self, cli: Cli, tmp_path: Path) -> None:
        (tmp_path / "gridwire.toml").write_text('[epias_stp]\njournal = "file"\n')
        journal_with(tmp_path / "file", "K")
        assert cli("journal", "show", "K").code == ExitCode.DONE
        assert cli("journal", "resolve", "K", "--as", "closed", *NOTE).code == ExitCode.DONE
        assert states(cli, str(tmp_path / "file")) == {"K": "closed"}

    def test_settings_that_cannot_be_right_are_refused(self, cli: Cli, tmp_path: Path) -> None:
        (tmp_path / "gridwire.toml").write_text('[epias_stp]\njornal = "file"\n')
        ran = cli("journal", "list")
        assert (ran.code, "did you mean journal?" in ran.err) == (ExitCode.SETUP, True)
        ran = cli("journal", "list", "--config", "none.toml")
        assert (ran.code, "not a file" in ran.err) == (ExitCode.SETUP, True)

    @pytest.mark.parametrize("below", ["", "/below"])
    def test_a_file_is_no_folder(self, cli: Cli, tmp_path: Path, below: str) -> None:
        (tmp_path / "file").write_text("")
        (tmp_path / "gridwire.toml").write_text(f'[epias_stp]\njournal = "file{below}"\n')
        for words in (("list",), ("damaged",), ("show", "K"), ("resolve", "K", "--as", "closed", *NOTE)):
            said = " ".join(cli("journal", *words).err.split())
            assert "or a part of its path, is a file; name a folder (journal)" in said, words
            assert "make the" not in said

    def test_one_that_was_never_begun_is_named_and_not_made(self, cli: Cli, tmp_path: Path) -> None:
        (tmp_path / "gridwire.toml").write_text('[epias_stp]\njournal = "never"\n')
        said = mask(f"There is no folder {tmp_path / 'never'}, so no program has written a journal there.")
        assert said in " ".join(cli("journal", "list").err.split())
        assert said in " ".join(cli("journal", "show", "K").err.split())
        assert json.loads(cli("journal", "list", "--json").out)["rows"] == []
        assert not (tmp_path / "never").exists()


class TestNames:
    @pytest.fixture
    def place(self, tmp_path: Path) -> str:
        journal = Journal.open(tmp_path / "j")
        sending(journal, "77aa")
        journal.record("accepted", "77aa", i="1000001")
        journal.record("accepted", "77aa", f={"price": "101.00"})
        sending(journal, "K", "bid_cancel", bid_id="1000001")
        journal.record("done", "K", i="1000001")
        journal.append(
            b'{"s":"sending","k":"R","t":1796064940825284,"v":"epias_stp","a":"test/X","o":"bid_save","r":"morning-1"}'
        )
        sending(journal, "S")
        journal.record("accepted", "S", i="77")
        journal.close()
        return str(tmp_path / "j")

    @pytest.mark.parametrize(
        ("named", "key"),
        [("1000001", "77aa"), ("morning-1", "R"), ("77", "S"), ("77a", "77aa"), ("K", "K")],
    )
    def test_an_intent_is_named_by_its_key_its_bid_or_its_reference(
        self, cli: Cli, place: str, named: str, key: str
    ) -> None:
        """The calls about a bid carry its id too; the bid is meant."""
        assert json.loads(cli("journal", "show", named, "--json", "--directory", place).out)["key"] == key

    def test_both_are_shown(self, cli: Cli, place: str) -> None:
        text = cli("journal", "list", "--directory", place).out
        assert "1000001" in text
        assert "morning-1" in text
        assert "morning-1" in cli("journal", "show", "R", "--directory", place).out
        assert "1000001" in cli("journal", "show", "77aa", "--directory", place).out

    @pytest.mark.parametrize("by", ["client_ref", "order_id"])
    def test_all_that_a_name_means_are_shown_and_none_is_settled(self, cli: Cli, place: str, by: str) -> None:
        journal, name = Journal.open(Path(place)), {"client_ref": "pay-7", "order_id": "5"}[by]
        for key in ("P", "P/2"):
            journal.append(line("sending", key, v="epias_stp", a="test/X", o="payment_order", r="pay-7"))
            journal.record("done", key, i="5")
        journal.close()
        shown = cli("journal", "show", name, "--directory", place)
        assert shown.code == ExitCode.DONE
        assert [text.split()[1] for text in shown.out.splitlines() if text.startswith("key ")] == ["P", "P/2"]
        found = json.loads(cli("journal", "show", name, "--json", "--directory", place).out)["rows"]
        assert [row["key"] for row in found] == ["P", "P/2"]
        assert "key" in json.loads(cli("journal", "show", "P/2", "--json", "--directory", place).out)
        ran = cli("journal", "resolve", name, "--as", "closed", *NOTE, "--directory", place)
        assert (ran.code, "2 intents are named by" in ran.err, "Nothing was changed" in ran.err) == (2, True, True)

    @pytest.mark.parametrize(("name", "why"), [("none", "No intent has"), ("", "KEY is empty"), ("77a", "2 intents")])
    def test_a_look_that_finds_no_one_intent_says_nothing_of_changes(
        self, cli: Cli, place: str, name: str, why: str
    ) -> None:
        journal = Journal.open(Path(place))
        sending(journal, "77ab")
        journal.close()
        ran = cli("journal", "show", name, "--directory", place)
        assert (ran.code, why in ran.err, "changed" in ran.err) == (2, True, False)

    def test_one_is_settled_by_the_id_of_its_bid(self, cli: Cli, place: str) -> None:
        ran = cli("journal", "resolve", "1000001", "--as", "closed", *NOTE, "--directory", place)
        assert ran.code == ExitCode.DONE
        assert states(cli, place)["77aa"] == "closed"


class TestDamaged:
    @pytest.fixture
    def log(self, tmp_path: Path) -> Path:
        journal = Journal.open(tmp_path / "j")
        sending(journal, "a-bid-of-which-little-is-known")
        journal.record("unknown", "a-bid-of-which-little-is-known", n="timeout")
        journal.close()
        (log,) = (tmp_path / "j" / "runs").glob("*.log")
        log.write_bytes(log.read_bytes().replace(b'"BUY"', b'"B\x00Y"', 1))
        return log

    def test_it_is_listed_until_a_person_settles_it(self, cli: Cli, tmp_path: Path, log: Path) -> None:
        place = ("--directory", str(tmp_path / "j"))
        for _ in range(2):
            listed = cli("journal", "list", *place)
            assert "1 line(s) of the journal cannot be read" in listed.err
            assert "unknown" in listed.out
            assert json.loads(cli("journal", "list", "--json", *place).out)["damaged_lines"] == 1
            shown = cli("journal", "damaged", *place)
            assert log.stem in shown.out
            assert "  line 2: " in shown.out
            assert "a-bid-of-which-little-is-known" in shown.out
            Journal.open(tmp_path / "j").close()
        (told,) = json.loads(cli("journal", "damaged", "--json", *place).out)["logs"]
        assert (told["run"], told["ended"], [line["number"] for line in told["lines"]]) == (log.stem, True, [2])
        assert cli("journal", "damaged", "--settle", log.stem, *place).code == ExitCode.BAD_INPUT
        assert cli("journal", "damaged", "--settle", "another", *NOTE, *place).code == ExitCode.BAD_INPUT
        settled = cli("journal", "damaged", "--settle", log.stem, *NOTE, *place)
        assert (settled.code, "is settled" in settled.err) == (ExitCode.DONE, True)
        assert "cannot be read" not in cli("journal", "list", *place).err
        assert "no damaged log" in cli("journal", "damaged", *place).err
        assert states(cli, str(tmp_path / "j")) == {"a-bid-of-which-little-is-known": "unknown"}

    def test_one_that_nobody_has_moved_yet_is_settled_too(self, cli: Cli, tmp_path: Path, log: Path) -> None:
        place = ("--directory", str(tmp_path / "j"))
        assert cli("journal", "damaged", "--settle", log.stem, *NOTE, *place).code == ExitCode.DONE
        assert json.loads(cli("journal", "damaged", "--json", *place).out)["logs"] == []

    @pytest.mark.parametrize("finding", ["live", "done", "absent"])
    def test_a_call_of_which_only_later_lines_are_left_is_settled_by_hand(
        self, cli: Cli, tmp_path: Path, log: Path, finding: str
    ) -> None:
        place = str(tmp_path / "j")
        ran = cli("journal", "resolve", "a-bid", "--as", finding, *NOTE, "--directory", place)
        assert ran.code == ExitCode.DONE
        assert states(cli, place) == {"a-bid-of-which-little-is-known": f"resolved_{finding}"}
