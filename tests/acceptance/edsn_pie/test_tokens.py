"""Golden tests G01 to G11: assertions, tokens, and what becomes of a refusal."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import PrivateFormat
from pydantic import SecretStr

from gridwire import clock
from gridwire.auth import client_assertion
from gridwire.auth.client_assertion import AssertionOptions
from gridwire.edsn_pie import Account, EdsnPie
from gridwire.edsn_pie.errors import EdsnAuthError, EdsnConfigError, EdsnProtocolError, EdsnTransientError
from gridwire.edsn_pie.profile import Profile
from gridwire.errors import ConfigurationError, CredentialsRefused, GridwireError
from gridwire.sandbox.edsn_pie.identity import Identity
from tests.acceptance.edsn_pie.ground import TICKET, Ground, ground
from tests.conftest import EPOCH
from tests.support.keys import ec_key, pem, rsa_key, secret
from tests.support.raw_server import RawServer, answering, http_answer, raw_server


@pytest.fixture
def forms(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The fields of every token request, as the identity provider read them."""
    seen: list[dict[str, str]] = []
    grant = Identity.grant

    def watching(self: Identity, form: list[tuple[str, str]] | None, *, authorization: bool) -> Any:
        assert form is not None
        assert not authorization
        seen.append(dict(form))
        return grant(self, form, authorization=authorization)

    monkeypatch.setattr(Identity, "grant", watching)
    return seen


def claims_of(g: Ground, form: dict[str, str]) -> dict[str, Any]:
    """The verified claims of an assertion; times are checked by the identity provider, on the suite's own clock."""
    account = g.venue.identity.accounts["pie-service-1"]
    found: dict[str, Any] = jwt.decode(
        form["client_assertion"], account.key, algorithms=[account.algorithm],
        options={"verify_exp": False, "verify_iat": False, "verify_aud": False, "verify_nbf": False},
    )  # fmt: skip
    return found


async def test_G01_an_assertion_has_exactly_the_claims_and_a_new_jti_each_time(forms: list[dict[str, str]]) -> None:
    async with ground() as g:
        await g.pie.token()
        await asyncio.sleep(3600)
        await g.pie.token()
        first, second = (claims_of(g, form) for form in forms)
        assert set(first) == {"iss", "sub", "aud", "jti", "iat", "exp"}
        assert first["iss"] == first["sub"] == "pie-service-1"
        assert first["aud"] == g.venue.identity.token_url
        assert first["exp"] - first["iat"] == 300
        assert first["iat"] == int(EPOCH.timestamp())
        assert second["iat"] >= first["iat"] + 3600
        assert UUID(first["jti"]).version == UUID(second["jti"]).version == 4
        assert first["jti"] != second["jti"]
        assert jwt.get_unverified_header(forms[0]["client_assertion"]) == {"alg": "RS256", "typ": "JWT"}


KEY_FILE = Path(__file__).resolve().parents[2] / "fixtures" / "edsn_pie" / "assertion_key.pem"
GOLDEN = (
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJpc3MiOiJwaWUiLCJzdWIiOiJwaWUiLCJhdWQiOiJodHRwczovL2lkcC90b2tlbiIsImp0aSI6IjAwMDAwMDAwLTAwMDAtMDAw"
    "MC0wMDAwLTAwMDAwMDAwMDAwNyIsImlhdCI6MTc5NjEwNDgwMCwiZXhwIjoxNzk2MTA1MTAwfQ."
    "DyiNQP6ZWJAyaI_x2PDqE0JPyUMQM37FcNedP3ZPwVw10BbpQFh6q5urc1mgMQ3viztTNLtImRe6-GZwc9X6A6qN7MzddRyD9Rah"
    "GVs7EBmzd58WCD8ToytfUu93Jj_2mEk_z4xzrB71Ssb2w7JqbKQZMX4Brsqim7_lEsCPoweZmGiUhUhcksUA_oXVtH2Nf5r9-Vpv"
    "kuB5IxapbdvE47IhEnmXHobtY7xk47KqtqoYc1J8h5Zt5IsHbjTXx-3M9OTvx0Zt1AyckKCxjhfxoU-DAFFPlXe559tESkYXA7vn"
    "Wb5GbNMjJ_SOoOva9gkfAnQSnHWR0SiF-zWhKtzV3A"
)
"""Signed by ``openssl dgst -sha256 -sign`` and not by us: PKCS #1 v1.5 always gives the same bytes."""


def test_G02_the_same_key_clock_and_jti_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_assertion, "uuid4", lambda: UUID(int=7))
    options = AssertionOptions()
    key = client_assertion.load_key(KEY_FILE)

    def made() -> str:
        with clock.use(lambda: EPOCH):
            claims = client_assertion.claims_of("pie", "https://idp/token", options)
        payload = client_assertion.signing_input(claims, options)
        return client_assertion.joined(payload, client_assertion.sign(payload, key, "RS256")).get_secret_value()

    assert made() == made() == GOLDEN


GRANT = json.dumps({"access_token": "opaque-token", "token_type": "bearer", "expires_in": 600}).encode()


async def one_request(answer: bytes, served: list[RawServer], **changes: Any) -> str:
    """Ask a raw token endpoint for a token once; the server keeps what it was sent."""
    async with raw_server(answering(answer, served=served)) as server:
        served.append(server)
        profile = Profile("sandbox", idp_url=server.url, rest_url="http://127.0.0.1:9", **changes)
        async with EdsnPie(Account(profile, "pie-service-1", rsa_key())) as pie:
            return await pie.token()


async def test_G03_the_form_is_exactly_the_five_fields() -> None:
    served: list[RawServer] = []
    assert await one_request(http_answer(GRANT), served) == "opaque-token"
    head, _, body = served[0].requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /am/oauth2/access_token HTTP/1.1\r\n")
    assert b"content-type: application/x-www-form-urlencoded\r\n" in head.lower()
    assert b"accept: application/json\r\n" in head.lower()
    fields = parse_qsl(body.decode("ascii"), strict_parsing=True)
    assert [name for name, _ in fields] == [
        "grant_type", "client_id", "client_assertion_type", "client_assertion", "scope",
    ]  # fmt: skip
    said = dict(fields)
    assert (said["grant_type"], said["client_id"], said["scope"]) == ("client_credentials", "pie-service-1", "roles")
    assert b"client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&" in body
    assert said["client_assertion"].count(".") == 2


async def test_G03_no_scope_leaves_the_field_out() -> None:
    served: list[RawServer] = []
    await one_request(http_answer(GRANT), served, scope=None)
    assert b"scope" not in served[0].requests[0].partition(b"\r\n\r\n")[2]


async def test_G04_the_token_request_has_no_authorization_header_and_follows_no_redirect() -> None:
    served: list[RawServer] = []
    with pytest.raises(EdsnProtocolError, match="HTTP 302"):
        await one_request(http_answer(b"", "302 Found", "Location: http://127.0.0.1:9/else"), served)
    assert len(served[0].requests) == 1
    assert b"authorization" not in served[0].requests[0].partition(b"\r\n\r\n")[0].lower()


async def test_G05_the_issuer_as_audience(forms: list[dict[str, str]]) -> None:
    async with ground() as g:
        g.venue.identity.knobs.audience = "issuer"
        with pytest.raises(EdsnAuthError, match="Audience validation failed"):
            await g.pie.token()
        pie = await g.client(g.account(audience="issuer"))
        assert await pie.token()
        assert claims_of(g, forms[-1])["aud"] == g.venue.profile.idp_url + "/am/oauth2"
        pie = await g.client(g.account(audience=g.venue.identity.issuer))
        assert await pie.token(), "any text goes as it is"


async def test_G05_kid_typ_and_nbf(forms: list[dict[str, str]]) -> None:
    async with ground() as g:
        g.venue.identity.accounts["pie-service-1"].key_id = "key-2026"
        with pytest.raises(EdsnAuthError):
            await g.pie.token()
        options = AssertionOptions(key_id="key-2026", typ="client-authentication+jwt", not_before=True, life_s=60)
        pie = await g.client(g.account(assertion=options))
        assert await pie.token()
        head = jwt.get_unverified_header(forms[-1]["client_assertion"])
        assert head == {"alg": "RS256", "typ": "client-authentication+jwt", "kid": "key-2026"}
        claims = claims_of(g, forms[-1])
        assert claims["nbf"] == claims["iat"] == claims["exp"] - 60


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"])
async def test_G05_every_allowed_algorithm_is_verified_by_the_provider(algorithm: str) -> None:
    curves = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
    key = ec_key(curves[algorithm]) if algorithm in curves else rsa_key()
    async with ground() as g:
        registered = g.venue.identity.accounts["pie-service-1"]
        registered.key, registered.algorithm = key.public_key(), algorithm
        pie = await g.client(g.account(assertion=AssertionOptions(algorithm=algorithm), private_key=key))
        assert await pie.token()


async def test_G05_a_signer_signs_where_the_key_cannot_be_had() -> None:
    asked: list[bytes] = []

    async def sign(payload: bytes) -> bytes:
        asked.append(payload)
        return client_assertion.sign(payload, rsa_key(), "RS256")

    async with ground() as g:
        g.venue.identity.accounts["pie-service-1"].key = rsa_key().public_key()
        pie = await g.client(g.account(private_key=sign))
        assert await pie.token()
        assert len(asked) == 1

        async def broken(payload: bytes) -> Any:
            return None

        pie = await g.client(g.account(private_key=broken))
        with pytest.raises(ConfigurationError, match="The signer returned no bytes"):
            await pie.token()


async def test_G05_a_signer_that_fails_is_asked_again_and_then_told_as_what_it_is() -> None:
    async with ground() as g:
        asked = 0

        async def away(payload: bytes) -> bytes:
            nonlocal asked
            asked += 1
            raise OSError("the key store\nis away")

        pie = await g.client(g.account(private_key=away))
        with pytest.raises(
            EdsnTransientError, match=r"The signer raised OSError \(the key store is away\).*no token was"
        ):
            await pie.token()
        assert asked > 1
        assert not g.statuses("token")

        def plain(payload: bytes) -> bytes:
            return client_assertion.sign(payload, rsa_key(), "RS256")

        pie = await g.client(g.account(private_key=plain))
        with pytest.raises(ConfigurationError, match="The signer is not asynchronous"):
            await pie.token()


@pytest.mark.parametrize("algorithm", ["HS256", "HS512", "none", "None", "RS1", ""])
async def test_G06_algorithms_that_prove_nothing_are_refused_before_anything_is_sent(algorithm: str) -> None:
    async with ground() as g:
        with pytest.raises(ConfigurationError, match=r"cannot sign an assertion.*one of RS256.*Nothing was sent\.$"):
            AssertionOptions(algorithm=algorithm)
        with pytest.raises(ConfigurationError, match=r"cannot sign an assertion"):
            EdsnPie.from_env(
                environment="sandbox", idp_url=g.venue.profile.idp_url, rest_url=g.venue.profile.rest_url,
                client_id="pie-service-1", private_key=pem(rsa_key()), algorithm=algorithm or "-",
            )  # fmt: skip
        assert len(g.venue.log) == 0


async def test_G07_every_form_of_a_key_file_works() -> None:
    key = rsa_key()
    escaped = pem(key).replace("\n", "\\n")
    carried = pem(key).replace("\n", "\\r\\n")
    async with ground() as g:
        g.venue.identity.accounts["pie-service-1"].key = key.public_key()
        for private_key, passphrase in (
            (secret(pem(key)), None),
            (secret(escaped), None),
            (secret(carried), None),
            (secret(pem(key, PrivateFormat.TraditionalOpenSSL)), None),
            (secret(pem(key, PrivateFormat.PKCS8, "correct horse")), secret("correct horse")),
            (key, None),
        ):
            pie = await g.client(g.account(private_key=private_key, passphrase=passphrase))
            assert await pie.token()
        assert g.statuses("token") == [200] * 6


@pytest.mark.parametrize(
    ("private_key", "passphrase", "sentence"),
    [
        (lambda: rsa_key(1024), None, "has 1024 bits, which can be broken; at least 2048"),
        (lambda: secret(pem(rsa_key(1024))), None, "has 1024 bits"),
        (lambda: secret("/etc/keys/pie.pem"), None, "is not PEM: it must begin with -----BEGIN PRIVATE KEY-----"),
        (lambda: secret(pem(rsa_key())[:400] + "\n-----END PRIVATE KEY-----"), None, "is damaged. Nothing"),
        (lambda: secret(pem(rsa_key(), PrivateFormat.PKCS8, "a")), None, "is encrypted: give its passphrase"),
        (lambda: secret(pem(rsa_key(), PrivateFormat.PKCS8, "a")), "b", "is damaged or the passphrase is wrong"),
        (lambda: secret(pem(rsa_key())), "b", "is not encrypted: leave passphrase out"),
        (ec_key, None, "EC on secp256r1, and algorithm=RS256: use algorithm=ES256"),
    ],
)
async def test_G07_a_key_that_cannot_be_used_is_one_sentence_and_no_request(
    private_key: Any, passphrase: str | None, sentence: str
) -> None:
    async with ground() as g:
        phrase = None if passphrase is None else secret(passphrase)
        pie = await g.client(g.account(private_key=private_key(), passphrase=phrase))
        with pytest.raises(ConfigurationError) as caught:
            await pie.get_ticket(TICKET)
        assert sentence in str(caught.value)
        assert "Nothing was sent." in str(caught.value)
        assert len(g.venue.log) == 0


async def test_G08_a_hundred_callers_share_one_request() -> None:
    async with ground() as g:
        tokens = await asyncio.gather(*(g.pie.token() for _ in range(100)))
        assert len(set(tokens)) == 1
        assert g.statuses("token") == [200]
        await asyncio.gather(*(g.pie.get_ticket(TICKET) for _ in range(20)))
        assert {call.token for call in g.venue.log.calls("get_ticket")} == {1}


@pytest.mark.parametrize(("life_s", "fresh_s"), [(900.0, 810.0), (200.0, 170.0), (40.0, 20.0)])
async def test_G09_a_new_token_is_fetched_beside_the_old_one_before_its_end(life_s: float, fresh_s: float) -> None:
    async with ground() as g:
        g.venue.identity.knobs.token_life_s = life_s
        first = await g.pie.token()
        await asyncio.sleep(fresh_s - 1)
        assert await g.pie.token() == first
        await asyncio.sleep(1.1)
        assert await g.pie.token() == first, "it is still good, and nobody waits"
        await asyncio.sleep(1)
        assert await g.pie.token() != first
        assert g.statuses("token") == [200, 200]


async def test_G09_without_a_life_300_s_are_assumed_and_said() -> None:
    async with ground() as g:
        g.venue.identity.knobs.name_life = False
        first = await g.pie.token()
        (told,) = g.told("token.life_assumed")
        assert told.level == logging.WARNING
        assert "300 s are assumed" in told.text
        await asyncio.sleep(268)
        assert await g.pie.token() == first
        await asyncio.sleep(30)
        assert await g.pie.token() != first


async def test_G10_a_refused_client_is_terminal_and_not_asked_about_again_for_a_minute() -> None:
    async with ground() as g:
        account = g.account(private_key=rsa_key())  # not the registered one
        pie = await g.client(account)
        for _ in range(3):
            with pytest.raises(EdsnAuthError) as caught:
                await pie.get_ticket(TICKET)
            assert "JWT is not valid" in str(caught.value)
            assert caught.value.facts.error_code == "invalid_client"
            assert isinstance(caught.value, CredentialsRefused)
        assert g.statuses("token") == [400]
        assert g.statuses("get_ticket") == []
        await asyncio.sleep(61)
        g.venue.identity.accounts["pie-service-1"].key = rsa_key().public_key()
        assert (await pie.get_ticket(TICKET)).id == TICKET


async def test_G10_failures_that_pass_are_asked_again_with_a_new_assertion() -> None:
    async with ground() as g:
        g.venue.identity_faults.add("status", status=503, executed=True)
        g.venue.identity_faults.add("drop_after_execute")
        assert await g.pie.token()
        calls = g.venue.log.calls("token")
        assert len(calls) == 3
        assert len({call.jti for call in calls}) == 3
        assert len(g.told("token.retried")) == 2


@pytest.mark.parametrize(
    ("answer", "kind", "tries"),
    [
        ((400, {"error": "invalid_client", "error_description": "JWT has expired"}), EdsnAuthError, 1),
        ((401, {"error": "unauthorized_client"}), EdsnAuthError, 1),
        ((400, {"error": "invalid_grant"}), EdsnAuthError, 1),
        ((400, {"error": "something_new"}), EdsnAuthError, 1),
        ((400, {"error": "invalid_scope"}), EdsnConfigError, 1),
        ((400, {"error": "invalid_request"}), EdsnConfigError, 1),
        ((400, {"error": "unsupported_grant_type"}), EdsnConfigError, 1),
        ((400, {"error": "temporarily_unavailable"}), EdsnTransientError, 4),
        ((400, {"error": "server_error"}), EdsnTransientError, 4),
        ((429, {}), EdsnTransientError, 3),
        ((503, {}), EdsnTransientError, 4),
        ((200, {}), EdsnProtocolError, 1),
        ((200, {"access_token": ""}), EdsnProtocolError, 1),
        ((200, {"access_token": "a\nb"}), EdsnProtocolError, 1),
        ((200, {"access_token": "a", "token_type": "mac"}), EdsnProtocolError, 1),
        ((404, {}), EdsnProtocolError, 1),
    ],
)
async def test_G10_every_answer_has_its_error_and_its_number_of_tries(
    answer: tuple[int, dict[str, str]], kind: type[GridwireError], tries: int
) -> None:
    async with ground() as g:
        status, body = answer
        g.venue.identity_faults.add("raw", status=status, content=json.dumps(body).encode(), times=None)
        with pytest.raises(kind) as caught:
            await g.pie.token()
        assert type(caught.value) is kind
        assert len(g.venue.log.calls("token")) == tries
        assert body.get("error", "") in str(caught.value)


async def test_G10_a_page_instead_of_a_token_is_no_answer_of_a_token_endpoint() -> None:
    async with ground() as g:
        g.venue.identity_faults.add("html")
        with pytest.raises(EdsnProtocolError, match="with a page"):
            await g.pie.token()


@pytest.mark.parametrize(("ahead_s", "words"), [(600, "600 s behind"), (-600, "600 s ahead of")])
async def test_G10_a_wrong_clock_is_named_as_the_likely_reason(ahead_s: float, words: str) -> None:
    async with ground() as g:
        g.venue.identity.knobs.ahead_s = ahead_s
        with pytest.raises(EdsnAuthError, match=f"This machine's clock is {words} the provider's"):
            await g.pie.token()
        g.venue.identity.knobs.leeway_s = 600
        await asyncio.sleep(60)
        assert await g.pie.token()


async def test_G10_a_scope_that_was_not_granted_is_said() -> None:
    async with ground() as g:
        g.venue.identity.knobs.granted_scope = "openid"
        await g.pie.token()
        (told,) = g.told("token.scope")
        assert "granted 'openid' and not roles" in told.text


@contextmanager
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield


async def test_G11_no_secret_is_in_any_log_repr_event_or_exception(
    caplog: pytest.LogCaptureFixture, forms: list[dict[str, str]]
) -> None:
    said: list[str] = []
    with everything_logged(caplog):
        async with ground() as g:
            own = g.account().private_key
            assert isinstance(own, SecretStr)
            keys = (pem(rsa_key()), own.get_secret_value())
            secrets = {await g.pie.token(), "opensesame", *keys}
            # A part of a key is one too: each line of its base64, which an error of a parser might quote.
            secrets |= {line for key in keys for line in key.splitlines() if not line.startswith("-----")}
            account = replace(g.account(private_key=secret(pem(rsa_key()))), passphrase=secret("opensesame"))
            said += [repr(account), str(account), repr(vars(g.pie)), repr(g.pie), repr(vars(g.pie._identity))]
            echo = {"error": "invalid_client", "error_description": f"bad {forms[0]['client_assertion']}"}
            leak = json.dumps(echo).encode()
            for fault, more in (
                ("raw", {"status": 400, "content": leak}),
                (
                    "raw",
                    {
                        "status": 200,
                        "content": b'{"access_token": 7, "x": "' + forms[0]["client_assertion"].encode() + b'"}',
                    },
                ),
                ("html", {}),
                ("status", {"status": 500}),
                ("drop_after_execute", {}),
            ):
                g.venue.identity_faults.add(fault, times=None, **more)  # type: ignore[arg-type]
                pie = await g.client()
                try:
                    await pie.token()
                except GridwireError as error:
                    said += ["".join(traceback.format_exception(error)), repr(error), str(vars(error))]
                else:
                    raise AssertionError(fault)
                g.venue.identity_faults.clear()
            for private_key, phrase in ((secret(pem(rsa_key())), "opensesame"), (secret("sesame"), None)):
                pie = await g.client(
                    g.account(private_key=private_key, passphrase=None if phrase is None else secret(phrase))
                )
                with pytest.raises(ConfigurationError) as caught:
                    await pie.token()
                said += ["".join(traceback.format_exception(caught.value))]
            with pytest.raises(EdsnAuthError):
                await (await g.client(g.account(private_key=rsa_key()))).token()
            said += [str(event) for event in g.events] + [repr(list(g.venue.log)), repr(g.venue.identity.accounts)]
    everything = "\n".join(said) + caplog.text
    secrets |= {form["client_assertion"] for form in forms}
    for value in secrets:
        assert value not in everything
        assert value.replace("\n", "\\n") not in everything
    assert "eyJ" not in everything
    assert "BEGIN PRIVATE KEY-----\n" not in everything
