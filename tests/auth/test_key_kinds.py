"""auth/key_kinds.py: every kind of file that is taken for a private key in PEM, and the way from there."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs12,
)
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from gridwire.auth.client_assertion import load_key
from gridwire.errors import ConfigurationError
from tests.support.keys import pem, rsa_key, secret

_LOCK = BestAvailableEncryption(b"sesame")
_PORTAL = "the private key of the service account is needed, which its portal showed when the account was made"


@cache
def certificate() -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pie")])
    builder = x509.CertificateBuilder(name, name, rsa_key().public_key(), 1)
    builder = builder.not_valid_before(datetime(2026, 1, 1, tzinfo=UTC)).not_valid_after(
        datetime(2036, 1, 1, tzinfo=UTC)
    )
    return builder.sign(rsa_key(), SHA256())


def jwk(**changes: object) -> bytes:
    """The key as PingAM gives it; None takes a member out."""
    whole = {**RSAAlgorithm.to_jwk(rsa_key(), as_dict=True), "kid": "pie-1", "use": "sig", "alg": "RS256", **changes}
    return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


def private(encoding: Encoding, form: PrivateFormat, *, locked: bool = False) -> bytes:
    return rsa_key().private_bytes(encoding, form, _LOCK if locked else NoEncryption())


def public(encoding: Encoding, form: PublicFormat) -> bytes:
    return rsa_key().public_key().public_bytes(encoding, form)


_DER = "is DER; convert it to PEM: openssl pkey -inform DER -in {path} -out key.pem"
_SSH = "is in OpenSSH's own form; convert a copy of it: cp {path} key.pem && ssh-keygen -p -m PKCS8 -f key.pem"
_UTF_16 = "is text in UTF-16; save it as UTF-8: iconv -f UTF-16%s -t UTF-8 {path} > key.pem"
_OTHER = "is not PEM: it must begin with -----BEGIN PRIVATE KEY-----, and this is another kind of file"
_BASE64 = "is the base64 of %s; decode it before it is given: base64 -d {path} > key.pem"
_P12 = "is PKCS#12; take the key out of it: openssl pkcs12 -in {path} -nocerts -out key.pem"
KINDS: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b" \n", f"is empty; {_PORTAL}"),
    "utf-16": (lambda: pem(rsa_key()).encode("utf-16"), _UTF_16 % ""),
    "utf-16, the high byte first": (lambda: b"\xfe\xff" + pem(rsa_key()).encode("utf-16-be"), _UTF_16 % ""),
    "utf-16 without a mark": (lambda: pem(rsa_key()).encode("utf-16-be"), _UTF_16 % "BE"),
    "utf-16 without a mark, the low byte first": (lambda: pem(rsa_key()).encode("utf-16-le"), _UTF_16 % "LE"),
    "zero bytes": (lambda: bytes(1704), _OTHER),
    "a zero byte": (lambda: b"\0", _OTHER),
    "der": (lambda: private(Encoding.DER, PrivateFormat.PKCS8), _DER),
    "der, pkcs1": (lambda: private(Encoding.DER, PrivateFormat.TraditionalOpenSSL), _DER),
    "der, encrypted": (lambda: private(Encoding.DER, PrivateFormat.PKCS8, locked=True), _DER),
    "pkcs12": (lambda: pkcs12.serialize_key_and_certificates(b"pie", rsa_key(), certificate(), None, _LOCK), _P12),
    "openssh": (lambda: private(Encoding.PEM, PrivateFormat.OpenSSH), _SSH),
    "public": (lambda: public(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), f"is a public key; {_PORTAL}"),
    "public, der": (
        lambda: public(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        f"is a public key in DER; {_PORTAL}",
    ),
    "public, ssh": (lambda: public(Encoding.OpenSSH, PublicFormat.OpenSSH), f"is a public key; {_PORTAL}"),
    "certificate": (lambda: certificate().public_bytes(Encoding.PEM), f"is a certificate; {_PORTAL}"),
    "certificate, der": (lambda: certificate().public_bytes(Encoding.DER), f"is a certificate in DER; {_PORTAL}"),
    "request": (
        lambda: b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        f"is PEM, but holds no private key; {_PORTAL}",
    ),
    "binary": (
        lambda: b"0\x82\x01\x02garbage",
        f"is binary, and neither a key nor a certificate that can be read; {_PORTAL}",
    ),
    "words": (lambda: b"hello", _OTHER),
    "words that are base64 too": (lambda: b"hell", _OTHER),
    "base64 of the pem": (lambda: base64.encodebytes(pem(rsa_key()).encode()), _BASE64 % "PEM"),
    "base64 of a jwk": (lambda: base64.b64encode(jwk()), _BASE64 % "a JWK"),
    "base64 of the der": (
        lambda: base64.encodebytes(private(Encoding.DER, PrivateFormat.PKCS8)),
        "is a key without its first and last line: put -----BEGIN PRIVATE KEY----- before it and "
        "-----END PRIVATE KEY----- behind it",
    ),
    "jwk, public": (lambda: jwk(d=None), f"is a JWK of the public key (it has no member d); {_PORTAL}"),
    "jwk, shared secret": (
        lambda: b'{"kty": "oct", "k": "c2VjcmV0"}',
        f"is a JWK of a shared secret, and not of a key pair; {_PORTAL}",
    ),
    "jwk, two keys": (
        lambda: b'{"keys": [%s, %s]}' % (jwk(), jwk()),
        "is a set of 2 private keys; keep the one of the service account alone",
    ),
    "jwk, of another kind": (
        lambda: jwk(kty="OKP", crv="Ed25519"),
        "is a JWK of the kind OKP; an RSA or EC key is needed",
    ),
    "jwk, a member is gone": (lambda: jwk(n=None), "is a JWK that is damaged or not whole"),
    "jwk, a member is a number": (lambda: jwk(n=7), "is a JWK that is damaged or not whole"),
    "jwk, the numbers do not fit": (lambda: jwk(dp="AQAB"), "is a JWK that is damaged or not whole"),
    "json": (lambda: b'{"client_id": "pie"}', f"is JSON, and no JWK; {_PORTAL}"),
    "json, an empty set": (lambda: b'{"keys": []}', f"is JSON, and no JWK; {_PORTAL}"),
    "json, cut off": (
        lambda: jwk()[:100],
        f"begins as JSON and is none; a JWK as its portal showed it, or PEM, is needed ({_PORTAL})",
    ),
    "a letter": (lambda: b"h", _OTHER),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_no_pem_is_told_what_it_is_and_how_it_becomes_one(kind: str, tmp_path: Path) -> None:
    make, said = KINDS[kind]
    path = tmp_path / "pie.key"
    path.write_bytes(make())
    with pytest.raises(ConfigurationError) as caught:
        load_key(path, secret("sesame") if "encrypted" in kind else None)
    assert str(caught.value) == f"The private key in {path} {said.format(path=path)}. Nothing was sent."
    whole = base64.b64encode(private(Encoding.DER, PrivateFormat.PKCS8)).decode()
    assert not [part for part in re.findall(".{16}", whole) if part in str(caught.value)], "no part of the key is shown"


@pytest.mark.skipif(shutil.which("iconv") is None, reason="needs iconv")
@pytest.mark.parametrize("form", ["utf-16", "utf-16-le", "utf-16-be"])
def test_the_advice_on_utf_16_makes_a_key_of_it(form: str, tmp_path: Path) -> None:
    path = tmp_path / "pie.key"
    path.write_bytes(pem(rsa_key()).encode(form))
    with pytest.raises(ConfigurationError) as caught:
        load_key(path)
    advice = str(caught.value).partition("UTF-8: ")[2].partition(". Nothing")[0]
    subprocess.run(["/bin/sh", "-c", advice], cwd=tmp_path, check=True)
    assert load_key(tmp_path / "key.pem").private_numbers() == rsa_key().private_numbers()


def test_what_was_given_as_text_may_be_a_path() -> None:
    with pytest.raises(
        ConfigurationError, match=r"given as text is not PEM: .* If this is a path, give it as private_key_file"
    ):
        load_key(secret("/etc/keys/pie.pem"))
    with pytest.raises(ConfigurationError, match=r"given as text is empty"):
        load_key(secret(" "))


def test_a_mark_of_utf_8_does_not_disturb(tmp_path: Path) -> None:
    path = tmp_path / "pie.pem"
    path.write_text(pem(rsa_key()), encoding="utf-8-sig")
    assert load_key(path).private_numbers() == rsa_key().private_numbers()


@pytest.mark.parametrize(
    "form", ["{}", "\ufeff{}\n", '{{"keys": [{}]}}', '{{"keys": [{}, {{"kty": "RSA", "n": "AQAB", "e": "AQAB"}}]}}']
)
def test_a_jwk_is_a_key_as_text_and_as_a_file(form: str, tmp_path: Path) -> None:
    path = tmp_path / "pie.jwk"
    path.write_text(form.format(jwk().decode()), encoding="utf-8")
    assert load_key(path).private_numbers() == rsa_key().private_numbers()
    assert load_key(secret(path.read_text(encoding="utf-8"))).private_numbers() == rsa_key().private_numbers()
    assert load_key(path, secret("")).private_numbers() == rsa_key().private_numbers()
    with pytest.raises(ConfigurationError, match="is a JWK, which is never encrypted: leave passphrase out"):
        load_key(path, secret("sesame"))


def test_a_jwk_may_be_an_elliptic_curve() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    assert load_key(secret(ECAlgorithm.to_jwk(key))).private_numbers() == key.private_numbers()


@pytest.mark.parametrize("make", [lambda: pem(rsa_key()), lambda: jwk().decode()], ids=["pem", "jwk"])
@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotes_around_a_key_are_no_part_of_it(quote: str, make: Callable[[], str], tmp_path: Path) -> None:
    path = tmp_path / "pie.key"
    for before in ("", "\ufeff"):
        quoted = f"{before}{quote}{make()}{quote}\r\n"
        path.write_text(quoted, encoding="utf-8", newline="")
        assert load_key(secret(quoted)).private_numbers() == rsa_key().private_numbers()
        assert load_key(path).private_numbers() == rsa_key().private_numbers()


@pytest.mark.parametrize(
    ("phrase", "said"),
    [
        ("", "is encrypted: give its passphrase, which is empty"),
        (None, "is encrypted: give its passphrase"),
        ("sesame\n", r"is damaged or the passphrase is wrong (it ends with a line end (CR or LF),"),
        ("'sesame'", r"is damaged or the passphrase is wrong (it stands in quotes,"),
        ("other", "is damaged or the passphrase is wrong. Nothing"),
    ],
)
def test_a_passphrase_that_does_not_fit_is_told_for_what_it_is(phrase: str | None, said: str) -> None:
    locked = secret(private(Encoding.PEM, PrivateFormat.PKCS8, locked=True).decode())
    with pytest.raises(ConfigurationError) as caught:
        load_key(locked, None if phrase is None else secret(phrase))
    assert f"The private key given as text {said}" in str(caught.value)


def test_a_passphrase_that_has_quotes_in_it_is_used_as_it_is() -> None:
    locked = rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"'sesame'\n"))
    assert load_key(secret(locked.decode()), secret("'sesame'\n")).private_numbers() == rsa_key().private_numbers()


def test_an_empty_passphrase_is_none() -> None:
    assert load_key(secret(pem(rsa_key())), secret("")).private_numbers() == rsa_key().private_numbers()
