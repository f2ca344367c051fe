"""auth/client_assertion.py: options, keys, and what a token endpoint's answer means, without a socket."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from pydantic import SecretStr

from gridwire.auth.client_assertion import (
    ALGORITHMS,
    AssertionOptions,
    Grant,
    Refusal,
    check_fit,
    claims_of,
    describe_key,
    joined,
    load_key,
    missing_scope,
    read_answer,
    request_token,
    sign,
    signing_input,
)
from gridwire.errors import ConfigurationError, NoAnswer, NotSent
from gridwire.transport.exchange import Request, Response
from tests.support.keys import ec_key, pem, rsa_key, secret


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"algorithm": "HS256"}, "is made with a private key"),
        ({"life_s": 29}, "30 to 900 s, not 29 s"),
        ({"life_s": 901}, "30 to 900 s, not 901 s"),
        ({"life_s": 60.5}, "a whole number of seconds"),
        ({"life_s": True}, "a whole number of seconds"),
        ({"typ": ""}, "must not be empty"),
        ({"key_id": ""}, "must not be empty"),
    ],
)
def test_options_that_cannot_work_are_one_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        AssertionOptions(**options)


def test_the_bounds_of_a_life_are_allowed() -> None:
    assert [AssertionOptions(life_s=life_s).life_s for life_s in (30, 900)] == [30, 900]


# ---------------------------------------------------------------------------------------------------------------------
# Keys


def test_a_key_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pie.pem"
    path.write_text("Bag Attributes\n" + pem(rsa_key()))
    assert load_key(path).private_numbers() == rsa_key().private_numbers()
    with pytest.raises(ConfigurationError, match=r"other\.pem cannot be read: No such file"):
        load_key(tmp_path / "other.pem")
    with pytest.raises(
        ConfigurationError, match=r"cannot be read: Is a directory\. Check the path \(private_key_file\)"
    ):
        load_key(tmp_path)
    with pytest.raises(ConfigurationError, match="cannot be read: it is no path"):
        load_key(Path("a\0b"))
    for end in ("\r", "\n", "\r\n"):
        with pytest.raises(
            ConfigurationError,
            match=r"pie\.pem(\\r)?(\\n)?' cannot be read: its path ends with a line end \(CR or LF\)",
        ):
            load_key(Path(f"{path}{end}"))


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pie.pem").write_text(pem(rsa_key()))
    assert load_key(Path("~/pie.pem")).private_numbers() == rsa_key().private_numbers()
    with pytest.raises(ConfigurationError, match="cannot be read: it is no path"):
        load_key(Path("~nobody-has-this-name/pie.pem"))


def test_a_certificate_beside_the_key_does_not_disturb() -> None:
    certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    assert load_key(secret(pem(rsa_key()) + certificate))


def test_other_kinds_of_keys_cannot_sign() -> None:
    with pytest.raises(ConfigurationError, match="Ed25519PrivateKey cannot sign assertions"):
        load_key(ed25519.Ed25519PrivateKey.generate())  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="A str cannot sign assertions"):
        load_key("text")  # type: ignore[arg-type]


def test_key_and_algorithm_must_fit() -> None:
    check_fit(rsa_key(), "PS512")
    check_fit(ec_key(ec.SECP384R1), "ES384")
    with pytest.raises(ConfigurationError, match="algorithm=ES256 needs an EC key"):
        check_fit(rsa_key(), "ES256")
    with pytest.raises(ConfigurationError, match="use algorithm=ES384"):
        check_fit(ec_key(ec.SECP384R1), "ES256")
    with pytest.raises(ConfigurationError, match="it fits none of the algorithms"):
        check_fit(ec_key(ec.SECP256K1), "ES256")


def test_keys_are_described_by_kind_and_size() -> None:
    assert describe_key(rsa_key()) == "RSA, 2048 bits"
    assert describe_key(ec_key()) == "EC, secp256r1"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_makes_what_others_can_verify(algorithm: str) -> None:
    curves = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
    key = ec_key(curves[algorithm]) if algorithm in curves else rsa_key()
    options = AssertionOptions(algorithm=algorithm, key_id="k")
    claims = claims_of("pie", "https://idp", options)
    payload = signing_input(claims, options)
    made = joined(payload, sign(payload, key, algorithm)).get_secret_value()
    read = jwt.decode(
        made,
        key.public_key(),
        algorithms=[algorithm],
        audience="https://idp",
        options={"verify_iat": False, "verify_exp": False},
    )
    assert read == claims
    assert "=" not in made


# ---------------------------------------------------------------------------------------------------------------------
# The conversation


def asked(scope: str | None = "roles") -> Generator[Request, Response, Grant | Refusal]:
    return request_token("https://idp/token", "pie", SecretStr("eyJhbGciOiJSUzI1NiJ9.eyJqdGkiOiI3In0.c2ln"), scope)


def answer(body: Any, status: int = 200, **headers: str) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def test_the_flow_sends_one_request_and_returns_what_it_means() -> None:
    flow = asked()
    request = next(flow)
    assert (request.method, request.url) == ("POST", "https://idp/token")
    assert set(request.headers) == {"content-type", "accept"}
    with pytest.raises(StopIteration) as done:
        flow.send(answer({"access_token": "t", "token_type": "BEARER", "expires_in": 60, "scope": "roles", "x": 1}))
    assert done.value.value == Grant("t", 60.0, False, "roles", None, {"x": 1})


@pytest.mark.parametrize(
    "error", [NotSent("nothing listens. Nothing was sent.", reason="refused"), NoAnswer("cut.", reason="disconnected")]
)
def test_no_answer_is_transient_and_keeps_its_reason(error: Exception) -> None:
    flow = asked()
    next(flow)
    with pytest.raises(StopIteration) as done:
        flow.throw(error)
    assert done.value.value == Refusal("transient", str(error).rstrip("."), error=error.reason)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("expires_in", "life_s", "assumed"),
    [
        (899, 899.0, False), ("900", 900.0, False), (1.5, 1.5, False),
        (None, 300.0, True), (0, 300.0, True), (-5, 300.0, True), (True, 300.0, True), ("soon", 300.0, True),
        (1e12, 300.0, True), (float("inf"), 300.0, True), ([], 300.0, True), ("²", 300.0, True),
    ],
)  # fmt: skip
def test_a_life_that_cannot_be_used_is_assumed(expires_in: Any, life_s: float, assumed: bool) -> None:
    found = read_answer(answer({"access_token": "t", "expires_in": expires_in}))
    assert isinstance(found, Grant)
    assert (found.life_s, found.life_assumed, found.scope) == (life_s, assumed, None)


@pytest.mark.parametrize(
    "body",
    [
        {}, {"access_token": None}, {"access_token": ""}, {"access_token": " "}, {"access_token": "a\r\nb"},
        {"access_token": "naïve"}, {"access_token": "t", "token_type": "mac"}, {"access_token": "t", "token_type": 1},
        [], b"", b"not json", b"[" * 100_000, b"<html></html>", b" " * 300_000,
    ],
)  # fmt: skip
def test_a_success_without_a_token_is_none(body: Any) -> None:
    found = read_answer(answer(body))
    assert isinstance(found, Refusal)
    assert found.kind == "protocol"


def test_an_error_word_in_a_success_is_an_error() -> None:
    found = read_answer(answer({"error": "invalid_client", "access_token": "t"}))
    assert isinstance(found, Refusal)
    assert (found.kind, found.error) == ("refused", "invalid_client")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "invalid_client"}, "refused"),
        (403, {"error": "access_denied"}, "refused"),
        (401, {"error": "brand_new"}, "refused"),
        (404, {"error": "brand_new"}, "protocol"),
        (401, {}, "protocol"),
        (401, b"", "protocol"),
        (403, b"<html>", "protocol"),
        (400, {}, "protocol"),
        (400, {"error": ["x"]}, "protocol"),
        (302, {}, "protocol"),
        (400, {"error": "invalid_scope"}, "settings"),
        (400, {"error": "server_error"}, "transient"),
        (429, {"error": "invalid_client"}, "transient"),
        (500, b"<html>", "transient"),
    ],
)
def test_status_and_word_decide_together(status: int, body: Any, kind: str) -> None:
    found = read_answer(answer(body, status, retry_after="5"))
    assert isinstance(found, Refusal)
    assert (found.kind, found.status, found.retry_after) == (kind, status, "5")


def test_quotations_are_short_masked_and_printable() -> None:
    assertion = "eyJhbGciOiJSUzI1NiJ9.eyJqdGkiOiI3In0.c2lnbmF0dXJl"

    def said(body: Any, status: int = 400) -> str:
        found = read_answer(answer(body, status), assertion)
        assert isinstance(found, Refusal)
        return found.said

    assert (
        said({"error": "invalid_client", "error_description": "JWT\x1b has expired"}) == "HTTP 400, 'JWT has expired'"
    )
    assert said(b"plain words") == "HTTP 400, 'plain words'"
    assert said(b"") == "HTTP 400"
    assert said(b"<html>secret</html>", 502) == "HTTP 502 with a page"
    assert said({"error": "x", "error_description": f"bad {assertion}"}) == "HTTP 400 with a text that repeats a secret"
    assert said({"error": "x", "access_token": 5}) == "HTTP 400 with a text that repeats a secret"
    assert said({"error_description": "token=abcdef"}).endswith("'token=***'")
    assert len(said({"error_description": "x" * 5000})) < 180
    assert said({"error_description": 5}) == "HTTP 400, '{\"error_description\": 5}'"


@pytest.mark.parametrize(
    ("body", "made_of"),
    [
        ({"accessToken": "s3cr3tOpaque12345", "expires_in": 300}, "55 bytes of no media type, members: accessToken, expires_in"),
        ({"data": {"jwt": "s3cr3tOpaque12345"}}, "38 bytes of no media type, members: data"),
        ({"access_token": "s3cr3tOpaque12345", "token_type": "mac"}, "members: access_token, token_type"),
        ({"s3cr3tOpaque12345": 1}, "members: none and 1 more"),
        ({**{f"a{'b' * n}": n for n in range(12)}, "x1": 2}, "abbbbbbbbb and 3 more"),
        (b"{'access_token': 's3cr3tOpaque12345'}", "37 bytes of no media type"),
        (b'"s3cr3tOpaque12345"', "19 bytes of no media type"),
        (b"access_token s3cr3tOpaque12345", "30 bytes of no media type"),
    ],
)  # fmt: skip
def test_of_a_success_that_cannot_be_read_no_value_is_quoted(body: Any, made_of: str) -> None:
    """It may hold a token under a name that we do not know."""
    for status in (200, 201, 302):
        found = read_answer(answer(body, status))
        assert isinstance(found, Refusal)
        assert found.said.startswith(f"HTTP {status} with ")
        assert found.said.endswith(made_of)
        assert "s3cr3t" not in repr(found)


def test_the_word_of_an_error_is_one_line_and_bounded() -> None:
    found = read_answer(answer({"error": "invalid_client\n\x1b[31mFORGED " + "x" * 200}, 400))
    assert isinstance(found, Refusal)
    assert found.error is not None
    assert found.error.startswith("invalid_client  [31mFORGED xxx")
    assert len(found.error) == 60
    assert read_answer(answer({"error": " \n"}, 400)).error is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("date", "moment"),
    [
        ("Tue, 01 Dec 2026 06:00:00 GMT", datetime(2026, 12, 1, 6, tzinfo=UTC)),
        ("Tue, 01 Dec 2026 06:00:00 -0000", None),
        ("soon", None),
        ("", None),
    ],
)
def test_the_providers_clock_is_read_from_its_date(date: str, moment: datetime | None) -> None:
    for body in ({"access_token": "t"}, {"error": "invalid_client"}):
        assert read_answer(answer(body, date=date)).server_time == moment


def test_scope_is_compared_word_by_word() -> None:
    assert missing_scope("roles openid", "openid other") == {"roles"}
    assert missing_scope("roles", "a roles") == set()
    assert missing_scope(None, "x") == missing_scope("roles", None) == set()


def test_secrets_stay_out_of_repr() -> None:
    assert "eyJ" not in repr(joined(b"eyJ.eyJ", b"signed"))
    grant = read_answer(answer({"access_token": "very-secret", "refresh_token": "also"}))
    assert "very-secret" not in repr(grant)
    assert "also" not in repr(grant)
