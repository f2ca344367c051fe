"""edsn_pie/settings.py and profile.py: which address belongs to which environment, and what makes an account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from pydantic import SecretStr

from gridwire import settings as shared
from gridwire.auth.client_assertion import AssertionOptions
from gridwire.edsn_pie import PRODUCTION, TEST, Account, AmqpSettings, EdsnPie, IdPointers, Profile
from gridwire.edsn_pie.link import broker_of
from gridwire.edsn_pie.profile import PRESETS
from gridwire.edsn_pie.settings import PREFIX, TABLE, PieSettings, account_of, check_account, check_profile
from gridwire.errors import ConfigurationError, Unconfirmed

PEM = "-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----"
SANDBOX = Profile("sandbox", idp_url="http://127.0.0.1:1", rest_url="http://127.0.0.1:2")


def settings(**given: Any) -> PieSettings:
    return PieSettings.model_validate({"environment": "test", "client_id": "pie", "private_key": PEM, **given})


def test_presets_are_the_hosts_that_the_venue_names() -> None:
    assert {name: (p.idp_url, p.rest_url, p.portal_url) for name, p in PRESETS.items()} == {
        "test": (
            "https://acc.idp.cmf.energysector.nl",
            "https://api.acc.cmf.energysector.nl",
            "https://portal.idp.acc.cmf.energysector.nl/gegevens",
        ),
        "production": (
            "https://idp.cmf.energysector.nl",
            "https://api.cmf.energysector.nl",
            "https://portal.idp.cmf.energysector.nl/gegevens",
        ),
    }
    for name, profile in PRESETS.items():
        assert profile.environment == name
        assert profile.token_url == profile.idp_url + "/am/oauth2/access_token" == profile.assertion_audience
        assert (profile.scope, profile.assertion, profile.amqp) == ("roles", AssertionOptions(), None)
        check_profile(profile)


def test_uncertain_fields_are_fields_and_say_whom_to_ask() -> None:
    names = {field.name for field in fields(Profile)} | {f"amqp_{field.name}" for field in fields(AmqpSettings)}
    for profile in PRESETS.values():
        assert set(profile.facts) <= names
        assert all(fact.why and "EDSN" in fact.ask for fact in profile.facts.values())


def test_the_audience_is_a_word_or_a_text() -> None:
    assert replace(TEST, audience="issuer").assertion_audience == "https://acc.idp.cmf.energysector.nl/am/oauth2"
    assert replace(TEST, audience="urn:x").assertion_audience == "urn:x"


@pytest.mark.parametrize(
    ("path", "issuer"),
    [
        ("/", "https://idp.example"),
        ("", "https://idp.example"),
        ("/realms/pie", "https://idp.example/realms/pie"),
        ("/am/oauth2/", "https://idp.example/am/oauth2/"),
    ],
)
def test_an_issuer_may_be_at_the_root_of_its_host(path: str, issuer: str) -> None:
    profile = account_of(settings(idp_url="https://idp.example", issuer_path=path, audience="issuer")).profile
    assert (profile.issuer, profile.assertion_audience) == (issuer, issuer)


def test_settings_replace_single_fields_of_a_preset() -> None:
    account = account_of(
        settings(
            audience="issuer", scope="", algorithm="ES256", key_id="k", assertion_typ="t", assertion_life_s=60,
            assertion_not_before=True, ticket_path="/t/{ticket_id}", comments_path="/t/{ticket_id}/c",
            comment_path="/c/{comment_id}", page_size=20, sender_id="8712345000004", role="SUPPLIER",
            ticket_pointers=["/a"], comment_pointers=["/b"], comment_ticket_pointers=["/c"],
            ticket_types=["case.opened"], comment_types=["case.remark"], ticket_id_names=["no"], comment_id_names=["nr"],
            amqp_host="broker.example.nl", amqp_address="pie.voorbeeld", amqp_auth="xoauth2", amqp_credit=5,
            amqp_source_capabilities=["queue"], amqp_connection_properties={"product": "x"}, amqp_idle_timeout_s=0,
            amqp_patience_s=60, amqp_cbs_type="urn:x:jwt", amqp_cbs_name="pie", amqp_tunnel_to="far.example.nl.",
        )
    )  # fmt: skip
    assert account.profile == replace(
        TEST,
        audience="issuer",
        scope=None,
        assertion=AssertionOptions("ES256", "k", "t", 60, True),
        ticket_path="/t/{ticket_id}",
        comments_path="/t/{ticket_id}/c",
        comment_path="/c/{comment_id}",
        page_size=20,
        sender_id="8712345000004",
        role="SUPPLIER",
        ticket_id_names=("no",),
        comment_id_names=("nr",),
        pointers=IdPointers(("/a",), ("/b",), ("/c",), ("case.opened",), ("case.remark",)),
        amqp=AmqpSettings(
            "broker.example.nl", "pie.voorbeeld", auth="xoauth2", credit=5, source_capabilities=("queue",),
            connection_properties={"product": "x"}, idle_timeout_s=0, patience_s=60, cbs_type="urn:x:jwt", cbs_name="pie",
            tunnel_to="far.example.nl",
        ),
    )  # fmt: skip
    assert (account.client_id, account.private_key) == ("pie", SecretStr(PEM))


def test_the_environment_reads_like_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gridwire.toml").write_text('[edsn_pie]\nenvironment = "test"\nscope = ""\nclient_id = "file"\n')
    monkeypatch.setenv(PREFIX + "CLIENT_ID", "env")
    monkeypatch.setenv(PREFIX + "PRIVATE_KEY", PEM)
    monkeypatch.setenv(PREFIX + "AMQP_HOST", "broker.example.nl")
    monkeypatch.setenv(PREFIX + "AMQP_ADDRESS", "q")
    account = account_of(shared.load(PieSettings, prefix=PREFIX, table=TABLE, overrides={}))
    assert (account.client_id, account.profile.scope, account.profile.environment) == ("env", None, "test")
    assert account.profile.amqp == AmqpSettings("broker.example.nl", "q")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigurationError, match=PREFIX + "ENVIRONMENT") as caught:
        account_of(settings(environment=None))
    assert "money" not in str(caught.value), "nothing here is paid"
    with pytest.raises(ConfigurationError, match=r"What the venue calls acceptance is test here\."):
        account_of(settings(environment="acceptance"))
    with pytest.raises(ConfigurationError, match=PREFIX + "CLIENT_ID"):
        account_of(settings(client_id=None))
    with pytest.raises(ConfigurationError, match=f"{PREFIX}IDP_URL, {PREFIX}REST_URL"):
        account_of(settings(environment="sandbox"))
    with pytest.raises(ConfigurationError, match=PREFIX + "REST_URL"):
        account_of(settings(environment="sandbox", idp_url="http://127.0.0.1:1"))


def test_one_private_key_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="are both set"):
        account_of(settings(private_key_file=tmp_path / "k.pem"))
    found = account_of(settings(private_key=None, private_key_file=tmp_path / "k.pem", passphrase="p"))
    assert found.private_key == tmp_path / "k.pem"
    assert found.passphrase == SecretStr("p")
    with pytest.raises(ConfigurationError, match=f"{PREFIX}PRIVATE_KEY_FILE"):
        account_of(settings(private_key=None))


@pytest.fixture
def stored() -> Iterator[None]:
    """A keyring that holds the key of the service account."""
    before = keyring.get_keyring()

    class Kept(KeyringBackend):  # made here, because keyring chooses among all backends there are when it is first used
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            return PEM if (service, username) == ("gridwire.edsn_pie", "pie") else None

        def set_password(self, service: str, username: str, password: str) -> None:
            raise AssertionError("gridwire only reads")

        def delete_password(self, service: str, username: str) -> None:
            raise AssertionError("gridwire only reads")

    keyring.set_keyring(Kept())  # type: ignore[no-untyped-call]
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("stored")
def test_the_key_comes_from_the_keyring_where_no_other_is_set() -> None:
    assert account_of(settings(private_key=None)).private_key == SecretStr(PEM)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"environment": "sandbox", "idp_url": "https://idp.cmf.energysector.nl", "rest_url": "http://[::1]:2"}, "a sandbox is on this machine"),
        ({"rest_url": "https://127.0.0.1:9"}, "names this machine"),
        ({"rest_url": "https://api.cmf.energysector.nl"}, "belongs to production, while environment is test"),
        ({"idp_url": "https://IDP.cmf.energysector.nl."}, "belongs to production"),
        ({"environment": "production", "idp_url": "https://acc.idp.cmf.energysector.nl"}, "belongs to test"),
        ({"rest_url": "http://api.example.nl"}, "must be reached over TLS"),
        ({"rest_url": "https://api.example.nl/v1"}, "scheme and host alone"),
        ({"rest_url": "ftp://api.example.nl"}, "scheme and host alone"),
        ({"rest_url": "https://u@api.example.nl"}, "rest_url holds an @, which parts a login"),
        ({"idp_url": "https://u:geheim@api.example.nl"}, "idp_url holds an @"),
        ({"rest_url": "https://api.example.nl/?key=geheim"}, "scheme and host alone"),
        ({"amqp_host": "amqps://u:geheim@b:5671", "amqp_address": "q"}, "a name alone"),
        ({"amqp_host": "b?key=geheim", "amqp_address": "q"}, "is not the name of a host"),
        ({"rest_url": "api.example.nl"}, "scheme and host alone"),
        ({"rest_url": "https://[::1"}, "is not an address"),
        ({"rest_url": "https://api.example.nl:99999"}, "is not an address"),
        ({"ticket_path": "/t/{id}"}, r"holds \{ticket_id\}"),
        ({"ticket_path": "t/{ticket_id}"}, "begins with a slash"),
        ({"ticket_path": "/t/{ticket_id"}, r"holds \{ticket_id\}"),
        ({"ticket_path": "/t/{ticket_id}?x=1"}, "begins with a slash"),
        ({"comment_path": "/t/{ticket_id}/c"}, r"holds \{comment_id\}"),
        ({"token_path": "token"}, "token_path must be a path"),
        ({"token_path": "/a b"}, "token_path must be a path"),
        ({"issuer_path": "/x?y"}, "issuer_path must be a path"),
        ({"scope": "rôles"}, "is not a list of words"),
        ({"scope": " "}, "is not a list of words"),
        ({"page_size": 0}, "page_size must be at least 1"),
        ({"role": "a\nb"}, "cannot be sent in a header"),
        ({"sender_id": " "}, "cannot be sent in a header"),
        ({"algorithm": "HS256"}, "cannot sign an assertion"),
        ({"ticket_pointers": ["data/id"]}, "is no JSON pointer"),
        ({"ticket_types": ["A", "b"], "comment_types": ["a"]}, "both name a: a notification tells of one"),
        ({"comment_types": [" "]}, "hold an empty type"),
        ({"amqp_host": "broker.example.nl"}, "amqp_address is empty: it is the name of your queue"),
        ({"amqp_host": "broker.example.nl", "amqp_address": " "}, "amqp_address is empty"),
        ({"amqp_address": "q"}, "amqp_host is empty"),
        ({"amqp_host": "amqps://b", "amqp_address": "q"}, "a name alone"),
        ({"amqp_host": "b:5671", "amqp_address": "q"}, "a name alone"),
        ({"amqp_host": "[2001:db8::1]:5671", "amqp_address": "q"}, "a name alone"),
        ({"amqp_host": "[b]", "amqp_address": "q"}, "a name alone"),
        ({"amqp_host": "[2001:db8::1", "amqp_address": "q"}, "a name alone"),
        ({"amqp_host": "b", "amqp_address": "q\n"}, "control characters"),
        ({"amqp_host": "b", "amqp_address": "q", "amqp_port": 0}, "amqp_port must be between 1 and 65535"),
        ({"amqp_host": "b", "amqp_address": "q", "amqp_auth": "digest"}, "one of plain_token, xoauth2, oauthbearer, cbs, auto, not"),
        ({"amqp_host": "b", "amqp_address": "q", "amqp_username": ""}, "must not be empty"),
        ({"amqp_host": "b", "amqp_address": "q", "amqp_credit": 0}, "between 1 and 10000"),
        ({"amqp_host": "b", "amqp_address": "q", "amqp_idle_timeout_s": -1}, "must be 0"),
        ({"amqp_host": "b", "amqp_address": "q", "amqp_tls": False}, "amqp_host must be reached over TLS"),
        ({"amqp_host": "localhost", "amqp_address": "q"}, r"amqp_host names this machine.*name the broker in amqp_tunnel_to\."),
        ({"amqp_host": "localhost", "amqp_address": "q", "amqp_tunnel_to": "127.0.0.1"}, "amqp_tunnel_to names this machine"),
        ({"amqp_host": "localhost", "amqp_address": "q", "amqp_tunnel_to": "b.nl", "amqp_tls": False}, "amqp_tunnel_to must be reached over TLS"),
        ({"amqp_host": "localhost", "amqp_address": "q", "amqp_tunnel_to": "amqps://b.nl"}, "amqp_tunnel_to is a name alone"),
        ({"amqp_host": "b", "amqp_address": "q", "amqp_tunnel_to": ""}, "amqp_tunnel_to='' must not be empty"),
        ({"amqp_host": "b", "amqp_address": "q", "amqp_patience_s": -1}, "amqp_patience_s must be 0"),
        ({"amqp_host": "b", "amqp_address": "q", "amqp_cbs_type": " "}, "amqp_cbs_type is empty"),
        ({"amqp_host": "b", "amqp_address": "q", "amqp_cbs_name": ""}, "amqp_cbs_name='' must not be empty"),
        ({"environment": "sandbox", "idp_url": "http://127.0.0.1:1", "rest_url": "http://127.0.0.1:2", "amqp_host": "127.0.0.1", "amqp_address": "q", "amqp_tunnel_to": "b.nl"}, "a sandbox is on this machine"),
        ({"amqp_host": "api.cmf.energysector.nl", "amqp_address": "q"}, "belongs to production"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_one_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        account_of(settings(**change))
    assert "geheim" not in str(caught.value)


def test_a_gateway_of_ones_own_is_no_mix() -> None:
    check_profile(replace(PRODUCTION, idp_url="https://idp.gateway.example"))
    check_profile(replace(SANDBOX, amqp=AmqpSettings("127.0.0.1", "q", tls=False)))
    check_profile(replace(SANDBOX, amqp=AmqpSettings("[::1]", "q", tls=False)))
    check_profile(replace(PRODUCTION, amqp=AmqpSettings("127.0.0.1", "q", tunnel_to="broker.example.nl")))
    with pytest.raises(ConfigurationError, match="audience is empty"):
        check_profile(replace(SANDBOX, audience=""))


@pytest.mark.parametrize(
    ("client_id", "said"),
    [
        ("", "is not the id of a service account"),
        ("pïe", "is not the id of a service account"),
        (None, "is not the id of a service account"),
        (7, "is not the id of a service account"),
        (" pie", "client_id has blanks around it"),
        ("pie\r", r"client_id ends with a line end \(CR or LF\)"),
        ("pie\n", r"client_id ends with a line end \(CR or LF\)"),
        ("p\nie", "client_id holds a control character"),
        ('"pie"', "client_id stands in quotes"),
        ("pie\xa0", "client_id has a no-break space"),
    ],
)
def test_a_client_id_is_a_text(client_id: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check_account(Account(SANDBOX, client_id, SecretStr(PEM)))


def test_an_account_shows_no_key() -> None:
    account = Account(TEST, "pie", SecretStr(PEM), SecretStr("sesame"), "-----BEGIN")
    assert "BEGIN" not in repr(account) + str(account)
    assert "sesame" not in repr(account) + str(account)
    assert "pie" in repr(account)


async def test_production_asks_for_confirmation_before_an_assertion_is_made() -> None:
    account = Account(PRODUCTION, "pie", SecretStr(PEM))
    async with EdsnPie(account) as pie:
        with pytest.raises(Unconfirmed, match=r"'audience' is only of medium confidence.*Nothing was sent") as caught:
            await pie.token()
        assert f"set {PREFIX}CONFIRMED=audience,scope,assertion, or pass" in str(caught.value)
    with_broker = replace(account, profile=replace(PRODUCTION, amqp=AmqpSettings("broker.example.nl", "q")))
    async with EdsnPie(with_broker, confirmed=["scope"]) as pie:
        with pytest.raises(
            Unconfirmed, match=f"set {PREFIX}CONFIRMED=scope,audience,assertion,amqp_auth,amqp_port, or pass"
        ):
            pie.notifications()
    async with EdsnPie(account, confirmed=["audience"]) as pie:
        with pytest.raises(Unconfirmed, match="'scope'"):
            await pie.get_ticket("1")
    async with EdsnPie(account, confirmed=["audience", "scope", "assertion"]) as pie:
        with pytest.raises(ConfigurationError, match="is damaged"):
            await pie.token()
    with pytest.raises(ConfigurationError, match=r"like confirmed=\['audience'\], not a text alone"):
        EdsnPie(account, confirmed="audience")
    with pytest.raises(ConfigurationError, match="the fields that can be confirmed are: amqp_auth"):
        EdsnPie(account, confirmed=["audiance"])
    async with EdsnPie(replace(account, profile=TEST)) as pie:
        with pytest.raises(ConfigurationError, match="is damaged"):
            await pie.token()


@pytest.mark.parametrize("host", ["2001:db8::1", "[2001:db8::1]"])
def test_an_ipv6_address_of_the_broker_may_stand_in_brackets(host: str) -> None:
    amqp = AmqpSettings(host=host, address="q")
    assert amqp.host == "2001:db8::1"
    assert str(broker_of(amqp)) == "[2001:db8::1]:5671"
