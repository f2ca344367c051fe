"""auth/key_kinds.py: every kind of file that is taken for a private key in PEM, and the way from there."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs12,
)

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


def private(encoding: Encoding, form: PrivateFormat, *, locked: bool = False) -> bytes:
    return rsa_key().private_bytes(encoding, form, _LOCK if locked else NoEncryption())


def public(encoding: Encoding, form: PublicFormat) -> bytes:
    return rsa_key().public_key().public_bytes(encoding, form)


_DER = "is DER; convert it to PEM: openssl pkey -inform DER -in {path} -out key.pem"
_SSH = "is in OpenSSH's own form; convert a copy of it: cp {path} key.pem && ssh-keygen -p -m PKCS8 -f key.pem"
_UTF_16 = "is text in UTF-16; save it as UTF-8: iconv -f UTF-16%s -t UTF-8 {path} > key.pem"
_OTHER = "is not PEM: it must begin with -----BEGIN PRIVATE KEY-----, and this is another kind of file"
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
