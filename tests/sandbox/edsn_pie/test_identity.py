"""The simulated identity provider: what it takes, what it refuses and with which words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jwt
import pytest

from gridwire import clock
from gridwire.sandbox.edsn_pie.identity import ASSERTION_TYPE, Identity, IdentityKnobs, ServiceAccount
from tests.conftest import EPOCH
from tests.support.keys import ec_key, rsa_key

URL = "https://idp/am/oauth2/access_token"


def make(**knobs: Any) -> Identity:
    identity = Identity(1)
    identity.knobs = IdentityKnobs(**knobs)
    identity.token_url, identity.issuer = URL, "https://idp/am/oauth2"
    identity.register(ServiceAccount("pie", "Voorbeeld", rsa_key().public_key()))
    return identity


def claims(**changes: Any) -> dict[str, Any]:
    now = int(EPOCH.timestamp())
    said = {"iss": "pie", "sub": "pie", "aud": URL, "jti": "1", "iat": now, "exp": now + 300, **changes}
    return {name: value for name, value in said.items() if value is not None}


def form(assertion: str | None = None, **changes: str | None) -> list[tuple[str, str]]:
    said = {
        "grant_type": "client_credentials",
        "client_id": "pie",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion or jwt.encode(claims(), rsa_key(), "RS256"),
        "scope": "roles",
        **changes,
    }
    return [(name, value) for name, value in said.items() if value is not None]


def refused(identity: Identity, asked: list[tuple[str, str]] | None, *, authorization: bool = False) -> tuple[str, str]:
    with clock.use(lambda: EPOCH):
        decision = identity.grant(asked, authorization=authorization)
    assert decision.status == 400
    assert set(decision.body) == {"error", "error_description"}
    return decision.body["error"], decision.body["error_description"]


def signed(**changes: Any) -> str:
    return jwt.encode(claims(**changes), rsa_key(), "RS256")


def test_a_good_assertion_buys_a_token_that_can_be_checked_until_its_end() -> None:
    identity = make(token_life_s=600)
    with clock.use(lambda: EPOCH):
        decision = identity.grant(form(), authorization=False)
        assert (decision.status, decision.jti, decision.token) == (200, "1", 1)
        assert (decision.body["token_type"], decision.body["expires_in"], decision.body["scope"]) == (
            "Bearer",
            600,
            "roles",
        )
        token = decision.body["access_token"]
        found = identity.check(token)
        assert not isinstance(found, str)
        assert (found["sub"], found["organisation"], found["roles"]) == ("pie", "Voorbeeld", ["pie-amqp", "pie-api"])
        assert identity.number(token) == 1
        assert identity.check(token[:-4] + "AAAA") == "the token is not one of this provider's"
        assert identity.check("nonsense") == "the token is not one of this provider's"
        assert identity.number("nonsense") is None
        assert identity.number(jwt.encode({"number": "x"}, "k" * 64, "HS256")) is None
    with clock.use(lambda: EPOCH + timedelta(seconds=600)):
        assert identity.check(token) == "the token has expired"
    identity.revoke_all()
    with clock.use(lambda: EPOCH):
        assert identity.check(token) == "the token was revoked"
        later = identity.grant(form(signed(jti="2")), authorization=False).body["access_token"]
        assert not isinstance(identity.check(later), str)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"aud": "https://idp"}, "Audience validation failed"),
        ({"aud": [URL, "https://idp"]}, "Audience validation failed"),
        ({"iss": "other"}, "Client authentication failed"),
        ({"sub": "other"}, "Client authentication failed"),
        ({"exp": int(EPOCH.timestamp())}, "JWT has expired"),
        ({"exp": int(EPOCH.timestamp()) + 86_401}, "JWT expiration time is unreasonable"),
        ({"iat": int(EPOCH.timestamp()) - 86_401}, "JWT is not valid yet, or too old"),
        ({"iat": int(EPOCH.timestamp()) + 60}, "JWT is not valid yet, or too old"),
        ({"nbf": int(EPOCH.timestamp()) + 60}, "JWT is not valid yet, or too old"),
        ({"iat": "now"}, "JWT is not valid"),
        ({"jti": None}, "JWT is not valid"),
        ({"exp": None}, "JWT is not valid"),
        ({"sub": None}, "JWT is not valid"),
    ],
)  # fmt: skip
def test_claims_that_are_wrong_are_refused(changes: dict[str, Any], words: str) -> None:
    assert refused(make(), form(signed(**changes))) == ("invalid_client", words)


def test_signatures_are_verified_by_the_registered_key_and_algorithm_alone() -> None:
    identity = make()
    for assertion in (
        jwt.encode(claims(), rsa_key(3072), "RS256"),
        jwt.encode(claims(), rsa_key(), "RS512"),
        jwt.encode(claims(), ec_key(), "ES256"),
        jwt.encode(claims(), "secret" * 10, "HS256"),
        jwt.encode(claims(), "", "none"),
        signed()[:-6] + "AAAAAA",
        "nonsense",
    ):
        assert refused(identity, form(assertion)) == ("invalid_client", "JWT is not valid")
    identity.accounts["pie"].key_id = "k1"
    assert refused(identity, form()) == ("invalid_client", "JWT is not valid")


def test_a_jti_is_good_once() -> None:
    identity = make()
    with clock.use(lambda: EPOCH):
        assert identity.grant(form(), authorization=False).status == 200
    assert refused(identity, form()) == ("invalid_client", "JWT has been used")
    identity.knobs.refuse_replay = False
    with clock.use(lambda: EPOCH):
        assert identity.grant(form(), authorization=False).status == 200


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (None, "invalid_request"),
        (form(scope="admin"), "invalid_scope"),
        (form(grant_type="password"), "unsupported_grant_type"),
        (form(client_assertion_type="x"), "invalid_request"),
        (form(client_id=None), "invalid_request"),
        (form(client_secret="x"), "invalid_request"),
        ([*form(), ("scope", "roles")], "invalid_request"),
        (form(client_id="nobody"), "invalid_client"),
    ],
)
def test_the_form_must_be_exactly_the_five_fields(asked: list[tuple[str, str]] | None, error: str) -> None:
    assert refused(make(), asked)[0] == error


def test_two_methods_of_authentication_are_one_too_many() -> None:
    assert refused(make(), form(), authorization=True) == (
        "invalid_client",
        "Client authentication failed: multiple methods",
    )


def test_what_an_operator_may_have_configured_otherwise() -> None:
    identity = make(audience="issuer", name_life=False, name_scope=False, token_padding=3000, refused_status=401)
    with clock.use(lambda: EPOCH):
        assert identity.grant(form(), authorization=False).status == 401
        decision = identity.grant(form(signed(aud="https://idp/am/oauth2")), authorization=False)
    assert set(decision.body) == {"access_token", "token_type"}
    assert len(decision.body["access_token"]) > 3000
    with clock.use(lambda: EPOCH):
        decision = make(granted_scope="openid").grant(form(scope=None), authorization=False)
    assert decision.body["scope"] == "openid"
    with clock.use(lambda: EPOCH + timedelta(seconds=310)):
        assert make(leeway_s=60).grant(form(), authorization=False).status == 200


def test_the_same_seed_makes_the_same_tokens_and_shows_none() -> None:
    with clock.use(lambda: EPOCH):
        first, second = (make().grant(form(), authorization=False) for _ in range(2))
    assert first.body == second.body
    assert "eyJ" not in repr(first)
