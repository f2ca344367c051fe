"""Paths in settings: those of a file belong to its folder, and ``~`` is the home folder everywhere."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from gridwire import settings
from gridwire.auth.client_assertion import load_key
from gridwire.edsn_pie.settings import PieSettings, usual_inbox
from gridwire.epias_stp import EpiasStp
from gridwire.epias_stp.profile import StpSettings
from gridwire.errors import ConfigurationError
from gridwire.intents.guard import Guard, Limits
from gridwire.outcome import Accepted, AcceptedBefore, Rejected
from gridwire.sandbox import Sandbox
from gridwire.siooi import Siooi, load_profile
from gridwire.siooi.account import SiooiSettings
from gridwire.transport.tls import Network
from tests.epias_stp.trading import CONTRACT

VENUES: dict[str, tuple[type[BaseModel], set[str]]] = {
    "epias_stp": (StpSettings, {"ca_bundle", "client_cert", "ticket_file", "journal"}),
    "edsn_pie": (PieSettings, {"private_key_file", "ca_bundle", "client_cert", "inbox"}),
    "siooi": (SiooiSettings, {"profile", "journal", "schemas", "ca_bundle", "client_cert"}),
}
PATHS = [(table, name) for table, (_, names) in VENUES.items() for name in sorted(names)]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for settings with one below it, in which the program is started, and a home folder beside."""
    (tmp_path / "root" / "cron").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "root" / "cron")
    return tmp_path / "root"


def write(folder: Path, table: str, **values: str) -> Path:
    lines = [f'{name} = "{value}"' for name, value in values.items()]
    path = folder / "gridwire.toml"
    path.write_text("\n".join([f"[{table}]", *lines, ""]), encoding="utf-8")
    return path


def loaded(table: str, name: str, **more: Any) -> str:
    schema = VENUES[table][0]
    found = settings.load(schema, prefix=f"GRIDWIRE_{table.upper()}_", table=table, overrides={}, **more)
    return str(getattr(found, name))


@pytest.mark.parametrize("table", VENUES)
def test_every_setting_that_is_a_path_is_marked_as_one(table: str) -> None:
    schema, names = VENUES[table]
    marked = {
        name
        for name, field in schema.model_fields.items()
        if any(isinstance(one, settings.IsPath) for one in field.metadata)
    }
    assert marked == names
    sounding = {name for name in schema.model_fields if name.endswith(("_file", "_bundle", "_cert", "_dir", "_folder"))}
    assert sounding <= names


@pytest.mark.parametrize(("table", "name"), PATHS)
class TestEachSetting:
    def test_in_a_file_it_belongs_to_the_folder_of_the_file(self, root: Path, table: str, name: str) -> None:
        file = write(root, table, **{name: "below/it"})
        assert loaded(table, name) == str(root / "below" / "it")
        assert loaded(table, name, file=file) == str(root / "below" / "it")
        assert loaded(table, name, file=Path("../gridwire.toml")) == str(root / "below" / "it")

    def test_a_whole_path_and_one_of_the_home_folder_stay_what_they_are(
        self, root: Path, table: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(root, table, **{name: "/somewhere/else"})
        assert loaded(table, name) == "/somewhere/else"
        write(root, table, **{name: "~/mine"})
        assert loaded(table, name) == str(tmp_path / "home" / "mine")
        monkeypatch.setenv(f"GRIDWIRE_{table.upper()}_{name.upper()}", "~/other")
        assert loaded(table, name) == str(tmp_path / "home" / "other")

    def test_in_the_environment_it_belongs_to_the_working_folder(
        self, root: Path, table: str, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(root, table, **{name: "below/it"})
        monkeypatch.setenv(f"GRIDWIRE_{table.upper()}_{name.upper()}", "here")
        assert loaded(table, name) == "here"

    def test_a_home_folder_that_nobody_has_names_the_setting(
        self, root: Path, table: str, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(root, table, **{name: "~nobody-has-this-name/x"})
        with pytest.raises(ConfigurationError, match=rf"^{name}=.*write the whole path"):
            loaded(table, name)
        write(root, table)
        monkeypatch.setenv(f"GRIDWIRE_{table.upper()}_{name.upper()}", "~nobody-has-this-name/x")
        with pytest.raises(ConfigurationError, match=rf"^{name}=.*write the whole path"):
            loaded(table, name)


def test_a_file_that_is_found_by_a_link_means_the_same_places(root: Path) -> None:
    write(root, "epias_stp", journal="journal")
    (root / "cron" / "gridwire.toml").symlink_to(root / "gridwire.toml")
    assert loaded("epias_stp", "journal") == str(root / "journal")


@pytest.mark.parametrize("word", ["t", "1", "on", "no"])
def test_a_word_for_yes_or_no_is_a_name_where_only_a_path_may_stand(root: Path, word: str) -> None:
    write(root, "epias_stp", journal=word)
    assert loaded("epias_stp", "journal") == str(root / word)
    write(root, "epias_stp", ticket_file=word)
    assert loaded("epias_stp", "ticket_file") == str(word in ("t", "1", "on"))


def test_the_inbox_that_the_commands_open_is_that_of_the_client(root: Path) -> None:
    write(root, "edsn_pie", inbox="inbox.sqlite")
    found = settings.load(PieSettings, prefix="GRIDWIRE_EDSN_PIE_", table="edsn_pie", overrides={})
    assert usual_inbox(found) == root / "inbox.sqlite"


async def test_a_document_is_sent_once_wherever_the_program_is_started(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Sandbox("siooi") as box:
        venue, account = box.venue("siooi"), box.siooi
        (root / "profile.json").write_text(account.profile.model_dump_json(by_alias=True, exclude_none=True))
        shutil.copytree(venue.schemas, root / "schemas")
        write(root, "siooi", profile="profile.json", login=account.login, journal="uploads.sqlite", schemas="schemas")
        monkeypatch.setenv("GRIDWIRE_SIOOI_PASSWORD", account.password.get_secret_value())
        outcomes = []
        for folder in (root, root / "cron"):
            monkeypatch.chdir(folder)
            async with Siooi.from_env() as client:
                document = await client.prepare(
                    venue.document(), form_code="F101", object_key="TPP-1", period="2026-Q3"
                )
                outcomes.append(await client.submit(document, confirm=True))
        assert len(venue.log.calls("send")) == 1
    first, second = outcomes
    assert isinstance(first, Accepted)
    assert isinstance(second, AcceptedBefore)
    assert first.order is not None
    assert second.order is not None
    assert second.order.id == first.order.id  # the answer for the second is what became of the first


async def test_a_bid_of_one_folder_is_known_in_the_other(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Sandbox("epias_stp") as box:
        write(root, "epias_stp", journal="j", ticket_file="tickets.json")
        for name, value in box.describe()["venues"]["epias_stp"]["env"].items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("GRIDWIRE_EPIAS_STP_JOURNAL", raising=False)
        async with EpiasStp.from_env() as stp:
            outcome = await stp.bids.save(CONTRACT, direction="BUY", price="1.00", quantity=1, client_ref="mine")
        assert isinstance(outcome, Accepted)
        monkeypatch.chdir(root)
        async with EpiasStp.from_env() as stp:
            (known,) = await stp.bids.known()
            again = await stp.bids.save(CONTRACT, direction="BUY", price="1.00", quantity=1, client_ref="mine")
        assert known.intent.client_ref == "mine"
        assert isinstance(again, Rejected)
        assert sorted(os.listdir(root / "cron")) == []


def test_the_paths_of_a_profile_belong_to_its_folder(root: Path, tmp_path: Path) -> None:
    text = (Path(__file__).parent / "fixtures" / "siooi" / "third_wire.toml").read_text(encoding="utf-8")
    assert "[tls]" not in text
    (root / "profiles").mkdir()
    file = root / "profiles" / "wire.toml"
    file.write_text(f'{text}\n[tls]\nca_bundle = "authorities.pem"\nclient_cert = "~/mine.pem"\n', encoding="utf-8")
    for named in (file, Path("../profiles/wire.toml")):
        profile = load_profile(named)
        assert profile.tls.ca_bundle == str(root / "profiles" / "authorities.pem")
        assert profile.tls.client_cert == str(tmp_path / "home" / "mine.pem")


def test_arguments_take_the_home_folder_too(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / "schemas").mkdir(parents=True)
    (home / "ca.pem").touch()
    assert Network(ca_bundle="~/ca.pem", client_cert="~/ca.pem").ca_bundle == str(home / "ca.pem")
    with pytest.raises(ConfigurationError, match=r"client_cert names .*home/none\.pem, which is not a file"):
        Network(client_cert="~/none.pem")
    with pytest.raises(ConfigurationError, match=r"private key in ~/none\.pem"):
        load_key(Path("~/none.pem"), SecretStr("x"))
    shutil.copy(Path(__file__).parent / "fixtures" / "siooi" / "third_wire.toml", home / "wire.toml")
    profile = load_profile("~/wire.toml")
    Siooi(profile, "robot", "x", schemas="~/schemas", journal="~/uploads.sqlite")


def test_a_kill_switch_is_seen_in_the_home_folder_and_wherever_the_program_goes(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guards = [Guard(Limits(halt_file=named), None) for named in ("~/halt", "halt")]
    monkeypatch.chdir(root)
    assert [guard.halted for guard in guards] == [None, None]
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "halt").touch()
    (root / "cron" / "halt").symlink_to("nowhere")
    assert [guard.halted is not None for guard in guards] == [True, True]


@pytest.mark.parametrize("home", ["", "relative"])
class TestNoHomeFolder:
    @pytest.mark.parametrize(("table", "name"), PATHS)
    def test_it_is_not_taken_for_the_root_or_the_working_folder(
        self, root: Path, home: str, table: str, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", home)
        write(root, table, **{name: "~/x"})
        with pytest.raises(
            ConfigurationError, match=rf"^{name}='~/x' begins in a home folder.*\(HOME\): write the whole path"
        ):
            loaded(table, name)
        write(root, table)
        monkeypatch.setenv(f"GRIDWIRE_{table.upper()}_{name.upper()}", "~")
        with pytest.raises(ConfigurationError, match=rf"^{name}='~' begins in a home folder"):
            loaded(table, name)

    def test_arguments_are_refused_too(self, root: Path, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", home)
        for work in (
            lambda: Network(ca_bundle="~/ca.pem"),
            lambda: load_key(Path("~/key.pem")),
            lambda: Guard(Limits(halt_file="~/halt"), None),
            lambda: settings.lasting_path("~/j", "journal"),
        ):
            with pytest.raises(ConfigurationError, match="home folder"):
                work()


@pytest.mark.parametrize("where", ["", "cron"])
@pytest.mark.parametrize("what", ["a link to nothing", "a ring", "a folder"])
def test_a_file_of_settings_that_is_none_is_not_passed_over(root: Path, where: str, what: str) -> None:
    file = root / where / "gridwire.toml"
    if what == "a folder":
        file.mkdir()
    else:
        file.symlink_to("nothing" if what == "a link to nothing" else "gridwire.toml")
    why = "is not a file" if what == "a folder" else "is a link that leads nowhere"
    with pytest.raises(ConfigurationError, match=rf"gridwire\.toml {why}: .*Nothing was sent\.$"):
        loaded("siooi", "journal")
