from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from gridwire import siooi
from gridwire.errors import ConfigurationError, WrongLoop
from gridwire.sandbox.siooi import profiles
from gridwire.siooi import Account, Siooi, load_profile
from gridwire.siooi.account import SiooiSettings, account_of

PROFILE = load_profile(profiles.simulator("http://127.0.0.1:1"))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "p.json"
    path.write_text(json.dumps(profiles.simulator("http://127.0.0.1:1")))
    return str(path)


def test_settings_make_an_account(file: str) -> None:
    account = account_of(SiooiSettings(profile=file, login="robot", password=SecretStr("geheim")))
    assert account == Account(PROFILE, "robot", SecretStr("geheim"))
    assert "geheim" not in repr(account)


@pytest.mark.parametrize(
    ("missing", "words"),
    [("profile", "no default"), ("login", "GRIDWIRE_SIOOI_LOGIN"), ("password", "GRIDWIRE_SIOOI_PASSWORD")],
)
def test_what_is_missing_is_named(file: str, missing: str, words: str) -> None:
    given = {"profile": file, "login": "robot", "password": SecretStr("x")}
    del given[missing]
    with pytest.raises(ConfigurationError, match=words):
        account_of(SiooiSettings.model_validate(given))


def test_a_password_may_be_in_the_keyring(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gridwire.siooi.account.password_from_keyring", lambda table, login, **_: f"{table}/{login}")
    account = account_of(SiooiSettings(profile=file, login="robot"))
    assert account.password.get_secret_value() == "siooi/robot"


async def test_a_client_from_the_environment(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PROFILE", file), ("LOGIN", "robot"), ("PASSWORD", "geheim"), ("READ_ONLY", "true")):
        monkeypatch.setenv(f"GRIDWIRE_SIOOI_{name}", value)
    async with Siooi.from_env(timeout=3.0) as client:
        assert client.profile == PROFILE
    with pytest.raises(ConfigurationError, match="not a folder"):
        Siooi.from_env(schemas="nowhere")
    with pytest.raises(ConfigurationError, match="timeout"):
        Siooi.from_env(timeout=0.0)


def test_a_client_takes_an_account_or_all_three() -> None:
    account = Account(PROFILE, "robot", SecretStr("x"))
    assert Siooi(account).profile == PROFILE
    assert Siooi(PROFILE, "robot", "x").profile == PROFILE
    for arguments, words in (
        ((account, "robot"), "already"),
        ((PROFILE,), "Login and password"),
        ((PROFILE, "robot"), "Login and password"),
        (("profile.toml", "robot", "x"), "This is a str"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            Siooi(*arguments)


async def test_a_closed_client_says_so(tmp_path: Path) -> None:
    client = Siooi(PROFILE, "robot", "x", journal=tmp_path / "j.sqlite")
    async with client:
        assert await client.uploads() == []
    with pytest.raises(WrongLoop, match="closed"):
        await client.uploads()


def test_public_names_come_when_they_are_used() -> None:
    assert {getattr(siooi, name) is not None for name in siooi.__all__} == {True}
    with pytest.raises(AttributeError, match="no attribute"):
        _ = siooi.nothing


def test_a_profile_changed_in_a_program_is_checked_too() -> None:
    changed = PROFILE.model_copy(update={"base_url": "http://siooi.example", "confirmed": True})
    with pytest.raises(ConfigurationError, match="base_url: must begin with https://"):
        Siooi(changed, "robot", "x")
