"""epias_stp/profile.py: which address belongs to which environment, and what makes an account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from pydantic import SecretStr

from gridwire.epias_stp.profile import (
    PRESETS,
    PRODUCTION,
    TEST,
    Account,
    Profile,
    StpSettings,
    account_of,
    check_profile,
)
from gridwire.errors import ConfigurationError
from tests.support.planted import PASSWORD, leaks


@pytest.fixture
def stored() -> Iterator[None]:
    """A keyring that holds TRADER1's password."""
    before = keyring.get_keyring()

    class Kept(KeyringBackend):  # made here, because keyring chooses among all backends there are when it is first used
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            return PASSWORD if (service, username) == ("gridwire.epias_stp", "TRADER1") else None

        def set_password(self, service: str, username: str, password: str) -> None:
            raise AssertionError("gridwire only reads")

        def delete_password(self, service: str, username: str) -> None:
            raise AssertionError("gridwire only reads")

    keyring.set_keyring(Kept())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


def settings(**given: Any) -> StpSettings:
    return StpSettings.model_validate({"username": "TRADER1", "password": "x", **given})


def test_presets_are_the_addresses_of_the_specification() -> None:
    assert {name: (p.cas_url, p.stp_url, p.service) for name, p in PRESETS.items()} == {
        "test": (
            "https://testcas.epias.com.tr/cas/v1",
            "https://teststp.epias.com.tr",
            "https://teststp.epias.com.tr",
        ),
        "production": ("https://cas.epias.com.tr/cas/v1", "https://stp.epias.com.tr", "https://stp.epias.com.tr"),
    }
    for name, profile in PRESETS.items():
        assert profile.environment == name
        assert profile.engine_path == "/stp-orchestrator-trading-engine/rest"
        assert profile.broadcaster_path == "/stp-broadcaster-orchestrator/rest"
        assert (profile.st_ttl_s, profile.tgt_idle_s) == (30, 2700)
        check_profile(profile)


def test_uncertain_fields_are_fields_and_say_whom_to_ask() -> None:
    names = {field.name for field in fields(Profile)}
    for profile in PRESETS.values():
        assert set(profile.facts) == {"cas_url", "engine_path", "service", "quantity_unit"} <= names
        assert all(fact.why and "EPİAŞ" in fact.ask for fact in profile.facts.values())


def test_settings_replace_single_fields_of_a_preset() -> None:
    account = account_of(settings(environment="test", engine_path="/stp-trading-engine-orchestrator/rest", st_ttl_s=15))
    assert account.profile == replace(TEST, engine_path="/stp-trading-engine-orchestrator/rest", st_ttl_s=15.0)
    assert account.username == "TRADER1"


def test_sandbox_needs_its_addresses() -> None:
    with pytest.raises(ConfigurationError, match="GRIDWIRE_EPIAS_STP_STP_URL, GRIDWIRE_EPIAS_STP_SERVICE"):
        account_of(settings(environment="sandbox", cas_url="http://127.0.0.1:1/cas/v1"))
    found = account_of(
        settings(environment="sandbox", cas_url="http://127.0.0.1:1/cas/v1", stp_url="http://[::1]:2", service="s")
    )
    assert (found.profile.environment, found.profile.facts) == ("sandbox", {})


@pytest.mark.parametrize("url", ["http://10.0.0.7:1", "https://teststp.epias.com.tr", "http://localhost.example.com"])
def test_sandbox_is_on_this_machine(url: str) -> None:
    with pytest.raises(ConfigurationError, match="a sandbox is on this machine"):
        account_of(settings(environment="sandbox", cas_url="http://127.0.0.1:1/cas/v1", stp_url=url, service="s"))


def test_a_proxy_host_of_ones_own_is_no_mix() -> None:
    check_profile(replace(PRODUCTION, cas_url="https://cas.gateway.example/cas/v1"))
    check_profile(replace(TEST, service="app-preproduction"))


@pytest.mark.usefixtures("stored")
def test_password_comes_from_the_keyring_where_no_other_is_set() -> None:
    found = account_of(settings(environment="test", password=None))
    assert found.password.get_secret_value() == PASSWORD
    with pytest.raises(ConfigurationError, match=r"under the service gridwire\.epias_stp"):
        account_of(settings(environment="test", password=None, username="SOMEBODY"))
    assert account_of(settings(environment="test")).password.get_secret_value() == "x"


def test_account_shows_no_password() -> None:
    account = Account(TEST, "TRADER1", SecretStr(PASSWORD), "-----BEGIN")
    assert leaks(repr(account) + str(account)) == []
    assert "BEGIN" not in repr(account)
    assert "TRADER1" in repr(account)


@pytest.mark.parametrize("name", ["engine_path", "broadcaster_path"])
@pytest.mark.parametrize(
    "path",
    ["@127.0.0.1:1/x", ":1/x", "stp/rest", "", "/", "/a/", "//evil", "/a?b=", "/a#b", "/a b", "/ç", "/a/../b", "/..", "/a\n", "/a@b"],
)  # fmt: skip
def test_a_path_cannot_change_the_host_or_the_request(name: str, path: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be a path that begins with a slash"):
        account_of(settings(environment="test", **{name: path}))
    with pytest.raises(ConfigurationError, match=name):
        check_profile(replace(PRODUCTION, **{name: path}))  # type: ignore[arg-type]


@pytest.mark.parametrize("environment", ["test", "sandbox"])
@pytest.mark.parametrize("name", ["cas_url", "stp_url", "service"])
@pytest.mark.parametrize(
    "address",
    ["https://u:geheim@127.0.0.1:1", "http://u:geheim@host.example/x?y=geheim", "u:geheim@host.example", "https://u:ge/heim@host.example:x"],
)  # fmt: skip
def test_a_login_in_an_address_is_refused_for_what_it_is_and_not_told(
    environment: str, name: str, address: str
) -> None:
    here = {"cas_url": "http://127.0.0.1:1/cas/v1", "stp_url": "http://127.0.0.1:1", "service": "https://s"}
    given = {**(here if environment == "sandbox" else {}), name: address}
    with pytest.raises(ConfigurationError, match=f"{name} holds an @, which parts a login from its host") as caught:
        account_of(settings(environment=environment, **given))
    assert "heim" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["host.example?key=geheim", "https://host.example:x?key=geheim", "https://h/v1#geheim"]
)
@pytest.mark.parametrize("name", ["cas_url", "stp_url"])
def test_a_wrong_address_is_told_without_its_query(name: str, address: str) -> None:
    with pytest.raises(ConfigurationError, match=name) as caught:
        account_of(settings(environment="test", **{name: address}))
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("tail", ["/", "/x", "?x", "#x", "/?", "?", "#"])
def test_stp_url_is_scheme_and_host_alone(tail: str) -> None:
    with pytest.raises(ConfigurationError, match="stp_url must be scheme and host alone"):
        account_of(settings(environment="test", stp_url=f"https://stp.gateway.example{tail}"))


@pytest.mark.parametrize("tail", ["?x=1", "#", "/../v2", "//v1", "/%2e%2e"])
def test_cas_url_is_host_and_path_alone(tail: str) -> None:
    with pytest.raises(ConfigurationError, match="cas_url must be host and path alone"):
        account_of(settings(environment="test", cas_url=f"https://cas.gateway.example/cas/v1{tail}"))
    for fine in ("https://cas.gateway.example/cas/v1/", "https://cas.gateway.example"):
        assert account_of(settings(environment="test", cas_url=fine)).profile.cas_url == fine


@pytest.mark.parametrize("url", ["https://stp.example\n", "https://stp example", "https://ştp.example"])
def test_an_address_is_printable_ascii(url: str) -> None:
    with pytest.raises(ConfigurationError, match="stp_url"):
        account_of(settings(environment="test", stp_url=url))


@pytest.mark.parametrize(
    ("word", "kept"),
    [("true", True), ("1", True), ("NO", False), ("/somewhere/tickets.json", "/somewhere/tickets.json")],
)
def test_whether_sessions_are_kept_is_yes_no_or_a_path(word: str, kept: bool | str) -> None:
    assert StpSettings(ticket_file=word).ticket_file == kept
    assert StpSettings(ticket_file=kept).ticket_file == kept
