"""settings.py: what outranks what, and errors that name the setting."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from gridwire import settings
from gridwire.edsn_pie.settings import PieSettings
from gridwire.epias_stp.profile import StpSettings
from gridwire.errors import ConfigurationError, Unconfirmed
from gridwire.intents.inbox import Inbox
from gridwire.intents.journal import Journal
from gridwire.sandbox import Sandbox
from gridwire.settings import Fact
from gridwire.siooi.account import SiooiSettings


class _Schema(BaseModel):
    environment: str | None = None
    username: str | None = None
    password: SecretStr | None = None
    timeout_s: float = 10.0
    confirmed: list[str] = []
    hosts: list[str] | None = None
    extra: dict[str, int] | None = None
    limits: dict[str, int] = {}


def _load(file: Path | None = None, **overrides: object) -> _Schema:
    return settings.load(_Schema, prefix="GW_T_", table="epias_stp", overrides=overrides, file=file)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gridwire.toml"
    path.write_text('[epias_stp]\nenvironment = "test"\nusername = "FILE"\ntimeout_s = 3\n', encoding="utf-8")
    return path


def test_arguments_outrank_environment_which_outranks_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _load(file).username == "FILE"
    monkeypatch.setenv("GW_T_USERNAME", "ENV")
    monkeypatch.setenv("GW_T_CONFIRMED", '["engine_path"]')
    loaded = _load(file)
    assert (loaded.username, loaded.environment, loaded.timeout_s, loaded.confirmed) == (
        "ENV", "test", 3.0, ["engine_path"],
    )  # fmt: skip
    assert _load(file, username="ARG", password=None).username == "ARG"


def test_nearest_file_upwards_is_found(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = file.parent / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert settings.find_file() == file
    assert _load().username == "FILE"
    assert settings.find_file(Path("/")) is None


def test_a_found_file_that_others_can_write_is_not_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    file.chmod(0o666)
    with pytest.raises(ConfigurationError, match=r"where your password goes\. It was not read"):
        _load()
    assert _load(file).username == "FILE", "one that is named is the caller's own choice"
    file.chmod(0o644)
    assert _load().username == "FILE"
    if os.geteuid() == 0:
        os.chown(file, 12_345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        _load()
    monkeypatch.delattr(os, "geteuid")
    assert _load().username == "FILE"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[epias_stp]\ntimeout_s = 'x'", r"timeout_s .*GW_T_TIMEOUT_S.*cannot be used"),
        ("epias_stp = 3", "must be a table"),
        ("[epias_stp", "cannot be read"),
    ],
)
def test_bad_file_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "gridwire.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=sentence):
        _load(path)


def test_bad_environment_variables_name_themselves_without_their_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value, said in (
        ("CONFIRMED", '["engine_path"', 'a list is written like ["one", "two"]; in the environment one,two will do.'),
        ("HOSTS", '["a"', 'a list is written like ["one", "two"]'),
        ("EXTRA", "x=1", 'it is written as JSON in the environment, like {"name": "value"}'),
        ("LIMITS", "x=1", 'it is written as JSON in the environment, like {"name": "value"}'),
    ):
        monkeypatch.setenv(f"GW_T_{name}", value)
        with pytest.raises(ConfigurationError, match=rf"The setting {name.lower()} .*{re.escape(said)}"):
            _load()
        monkeypatch.setenv(f"GW_T_{name}", "")
    monkeypatch.setenv("GW_T_CONFIRMED", "")
    monkeypatch.setenv("GW_T_TIMEOUT_S", "hunter2")
    with pytest.raises(ConfigurationError) as caught:
        _load()
    assert "hunter2" not in str(caught.value)


def test_a_misspelt_setting_is_refused_with_the_one_that_was_meant(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('[epias_stp]\nusernane = "FILE"\n[other]\nanything = 1\n', encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        _load(file)
    assert str(caught.value) == (
        f"usernane in the table [epias_stp] of {file} is no setting; did you mean username? Nothing was sent."
    )
    file.write_text("", encoding="utf-8")
    monkeypatch.setenv("GW_T_PASWORD", "hunter2")
    monkeypatch.setenv("GW_T_QQQ", "1")
    with pytest.raises(ConfigurationError) as caught:
        _load(file)
    assert str(caught.value) == (
        "The environment variable GW_T_PASWORD is no setting; did you mean GW_T_PASSWORD? The environment variable GW_T_QQQ "
        "is no setting: remove it. Nothing was sent."
    )
    monkeypatch.setenv("GW_T_PASWORD", "")
    monkeypatch.delenv("GW_T_QQQ")
    assert _load(file).username is None, "an empty variable counts as not set"


@pytest.mark.parametrize(
    ("schema", "prefix", "table"),
    [
        (StpSettings, "GRIDWIRE_EPIAS_STP_", "epias_stp"),
        (PieSettings, "GRIDWIRE_EDSN_PIE_", "edsn_pie"),
        (SiooiSettings, "GRIDWIRE_SIOOI_", "siooi"),
    ],
)
async def test_what_a_sandbox_exports_is_known_to_its_venue(
    schema: type[BaseModel], prefix: str, table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gridwire.toml").touch()
    async with Sandbox(table, tls=True) as box:
        for name, value in box.describe()["venues"][table]["env"].items():
            monkeypatch.setenv(name, value)
        if "journal" in schema.model_fields:
            monkeypatch.setenv(prefix + "JOURNAL", str(tmp_path))
        settings.load(schema, prefix=prefix, table=table, overrides={}, file=tmp_path / "gridwire.toml")
        monkeypatch.setenv(prefix + "CA_BUNDEL", "x")
        with pytest.raises(ConfigurationError, match=f"did you mean {prefix}CA_BUNDLE"):
            settings.load(schema, prefix=prefix, table=table, overrides={}, file=tmp_path / "gridwire.toml")


@pytest.mark.parametrize(
    ("schema", "name", "meant"),
    [
        (PieSettings, "amqp_queue", "amqp_address"),
        (PieSettings, "amqp_vhost", "amqp_virtual_host"),
        (PieSettings, "amqp_broker", "amqp_host"),
        (PieSettings, "username", "client_id"),
        (PieSettings, "key_file", "private_key_file"),
        (PieSettings, "kid", "key_id"),
        (SiooiSettings, "username", "login"),
        (SiooiSettings, "ca_cert", "ca_bundle"),
        (StpSettings, "login", "username"),
        (StpSettings, "env", "environment"),
    ],
)
def test_what_others_call_a_setting_leads_to_ours(
    schema: type[BaseModel], name: str, meant: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "gridwire.toml").touch()
    monkeypatch.setenv(f"GW_T_{name.upper()}", "x")
    with pytest.raises(ConfigurationError, match=rf"did you mean GW_T_{meant.upper()}\?"):
        settings.load(schema, prefix="GW_T_", table="t", overrides={}, file=tmp_path / "gridwire.toml")


@pytest.mark.parametrize("text", ["a,b", " a , b ,", '["a", "b"]', ' ["a","b"]'])
def test_a_list_in_the_environment_is_words_with_commas_or_json(
    file: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("GW_T_CONFIRMED", text)
    monkeypatch.setenv("GW_T_HOSTS", text)
    assert (_load(file).confirmed, _load(file).hosts) == (["a", "b"], ["a", "b"])


def test_environment_has_no_default() -> None:
    assert settings.check_environment("test", setting="X") == "test"
    for value in (None, ""):
        with pytest.raises(ConfigurationError, match=r"no default.*sandbox.*test.*production"):
            settings.check_environment(value, setting="X")
    with pytest.raises(ConfigurationError, match=r"'prod'; it must be one of sandbox, test, production\.$"):
        settings.check_environment("prod", setting="X")
    with pytest.raises(ConfigurationError, match=r"production \(the archive\)"):
        settings.check_environment(None, setting="X", production="the archive")
    with pytest.raises(ConfigurationError, match=r"test, production\. What the venue calls Acc is test here\.$"):
        settings.check_environment("Acc", setting="X", also={"acc": "test"})


_FACTS = {"engine_path": Fact("medium", "the document contradicts itself", "EPİAŞ support")}


def test_uncertain_facts_must_be_confirmed_in_production_only() -> None:
    def check(environment: str, confirmed: list[str]) -> None:
        settings.require_confirmed(
            venue="EPİAŞ STP",
            environment=environment,
            facts=_FACTS,
            fields=("engine_path", "stp_url"),
            confirmed=confirmed,
            use="send a bid",
            variable="X_CONFIRMED",
        )

    check("test", [])
    check("production", ["engine_path"])
    with pytest.raises(Unconfirmed, match=r"send a bid.*'engine_path'.*contradicts itself.*Ask EPİAŞ support"):
        check("production", [])


def test_confirming_a_field_that_does_not_exist_is_refused() -> None:
    assert settings.known_fields(["engine_path"], _FACTS) == {"engine_path"}
    with pytest.raises(ConfigurationError, match="engin_path; the fields that can be confirmed are: engine_path"):
        settings.known_fields(["engin_path"], _FACTS)
    with pytest.raises(ConfigurationError, match="none in this environment"):
        settings.known_fields(["x"], {})
    with pytest.raises(ConfigurationError, match=r"like confirmed=\['engine_path'\], not a text alone"):
        settings.known_fields("engine_path", _FACTS)


def test_all_that_a_use_needs_is_named_at_once_with_what_to_set() -> None:
    facts = {
        **_FACTS,
        "service": Fact("low", "it is guessed", "EPİAŞ support"),
        "unit": Fact("low", "nobody says", "the exchange"),
    }
    with pytest.raises(Unconfirmed) as caught:
        settings.require_confirmed(
            venue="STP", environment="production", facts=facts, fields=("engine_path", "service", "unit", "stp_url"),
            confirmed={"engine_path"}, use="send a bid", variable="X_CONFIRMED",
        )  # fmt: skip
    assert str(caught.value) == (
        "Refused to send a bid at STP production: 'service' is only of low confidence, because it is guessed; 'unit' is only "
        "of low confidence, because nobody says. Ask EPİAŞ support and the exchange; then set "
        "X_CONFIRMED=engine_path,service,unit, or pass confirmed=['engine_path', 'service', 'unit']. Nothing was sent."
    )


def test_a_place_is_the_same_wherever_the_program_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "link").symlink_to(tmp_path / "real")
    named = [settings.lasting_path(one, "journal") for one in ("real", "~/real", "link", "./x/../real")]
    assert named == [tmp_path.resolve() / "real"] * 4
    for wrong in ("", " ", "a\0b", None, 5):
        with pytest.raises(ConfigurationError, match=r"journal=.*is no path"):
            settings.lasting_path(wrong, "journal")  # type: ignore[arg-type]


@pytest.mark.parametrize("word", ["true", "t", "yes", "y", "on", "1", "false", "f", "no", "n", "off", "0"])
@pytest.mark.parametrize("change", [str.lower, str.upper, str.capitalize])
def test_a_word_for_yes_or_no_is_one_where_a_path_may_stand_too(
    word: str, change: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("READ_ONLY", "INBOX"):
        monkeypatch.setenv(f"GRIDWIRE_EDSN_PIE_{name}", change(word))
    for name in ("READ_ONLY", "TICKET_FILE"):
        monkeypatch.setenv(f"GRIDWIRE_EPIAS_STP_{name}", change(word))
    pie = settings.load(PieSettings, prefix="GRIDWIRE_EDSN_PIE_", table="edsn_pie", overrides={})
    stp = settings.load(StpSettings, prefix="GRIDWIRE_EPIAS_STP_", table="epias_stp", overrides={})
    assert pie.inbox is pie.read_only, "the same as where nothing but yes or no may stand"
    assert stp.ticket_file is stp.read_only


@pytest.mark.parametrize("path", ["./off", "inbox.sqlite", "o", ""])
def test_what_is_no_word_for_yes_or_no_is_a_path(path: str) -> None:
    assert PieSettings(inbox=path).inbox == path


@pytest.mark.parametrize("schema", [PieSettings, StpSettings, SiooiSettings])
def test_the_login_of_a_proxy_is_not_shown(
    schema: type[PieSettings | StpSettings | SiooiSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GW_T_PROXY", "http://grid:hunter2@proxy.example:3128")
    loaded = settings.load(schema, prefix="GW_T_", table="none", overrides={})
    assert loaded.proxy == "http://grid:hunter2@proxy.example:3128"
    assert "hunter2" not in f"{loaded!r} {loaded}"


def test_journal_and_inbox_of_a_relative_name_stay_where_they_were_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    journal, inbox = Journal.open(Path("j")), Inbox.open(Path("inbox.sqlite"), reader=True)
    try:
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert (journal.directory, inbox.path) == (tmp_path.resolve() / "j", tmp_path.resolve() / "inbox.sqlite")
    finally:
        journal.close()
        inbox.close()


@pytest.mark.parametrize(
    ("line", "name", "what"),
    [
        ("ticket_file = 5", "ticket_file", "valid boolean"),
        ("confirmed = ['cas_url', 3]", "confirmed", "of its entry 2: Input should be a valid string"),
        ("st_ttl_s = nan", "st_ttl_s", "finite number"),
        ("timeout = inf", "timeout", "finite number"),
    ],
)
def test_a_setting_that_cannot_be_used_is_called_by_its_own_name(
    line: str, name: str, what: str, tmp_path: Path
) -> None:
    (tmp_path / "gridwire.toml").write_text(f"[epias_stp]\n{line}\n")
    with pytest.raises(ConfigurationError) as caught:
        settings.load(StpSettings, prefix="GW_T_", table="epias_stp", overrides={}, file=tmp_path / "gridwire.toml")
    text = str(caught.value)
    assert text.startswith(f"The setting {name} (environment variable GW_T_{name.upper()}, or {name} in the table")
    assert what in text
    assert text.count("boolean") <= 1


@pytest.mark.parametrize("schema", [PieSettings, StpSettings, SiooiSettings])
def test_no_number_of_any_venue_may_be_none(
    schema: type[PieSettings | StpSettings | SiooiSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [name for name, field in schema.model_fields.items() if "float" in str(field.annotation)]
    assert numbers
    for name in numbers:
        monkeypatch.setenv(f"GW_T_{name.upper()}", "nan")
        with pytest.raises(ConfigurationError, match=rf"The setting {name} .*finite number"):
            settings.load(schema, prefix="GW_T_", table="none", overrides={})
        monkeypatch.delenv(f"GW_T_{name.upper()}")
