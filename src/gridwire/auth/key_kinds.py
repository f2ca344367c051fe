"""What a file is that was given as a private key and is none in PEM, and how it becomes one. Nothing here quotes it."""

from __future__ import annotations

import base64
import binascii
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key
from cryptography.x509 import load_der_x509_certificate

_PKCS12 = b"\x02\x01\x03\x30"
"""The version, 3, and the beginning of what follows it (RFC 7292 section 4); no key and no certificate begins so."""
_NEEDED = "the private key of the service account is needed, which its portal showed when the account was made"


def complaint(data: bytes, file: Path | None) -> str | None:
    """What ``data`` is instead of a private key in PEM, and what to do; None if it may be one. ``file`` is where it stood."""
    name = shlex.quote(str(file)) if file is not None else "FILE"
    if not data.strip():
        return f"is empty; {_NEEDED}"
    if (form := _utf_16(data)) is not None:
        return f"is text in UTF-16; save it as UTF-8: iconv -f {form} -t UTF-8 {name} > key.pem"
    if b"-----BEGIN" in data:
        return _of_pem(data, name)
    if data.startswith((b"ssh-", b"ecdsa-sha2-")):
        return f"is a public key; {_NEEDED}"
    if data.startswith(b"\x30"):
        return _of_der(data, name)
    if (packed := _of_base64(data, name)) is not None:
        return packed
    return "is not PEM: it must begin with -----BEGIN PRIVATE KEY-----" + (
        ". If this is a path, give it as private_key_file" if file is None else ", and this is another kind of file"
    )


def of_jwk(data: bytes) -> tuple[dict[str, Any] | None, str | None]:
    """The private key that ``data`` holds as a JWK (RFC 7517), or what it is instead; nothing for what is no JWK at all.

    A set with one private key in it is as good as the key.
    """
    text = data.removeprefix(b"\xef\xbb\xbf").strip()
    if not text.startswith(b"{"):
        return None, None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None, f"begins as JSON and is none; a JWK as its portal showed it, or PEM, is needed ({_NEEDED})"
    keys = found.get("keys") if isinstance(found.get("keys"), list) else [found]
    private = [key for key in keys if isinstance(key, dict) and isinstance(key.get("d"), str)]
    if len(private) == 1:
        return private[0], None
    if private:
        return None, f"is a set of {len(private)} private keys; keep the one of the service account alone"
    kinds = [key.get("kty") for key in keys if isinstance(key, dict)]
    if "oct" in kinds:
        return None, f"is a JWK of a shared secret, and not of a key pair; {_NEEDED}"
    if {"RSA", "EC"} & {kind for kind in kinds if isinstance(kind, str)}:
        return None, f"is a JWK of the public key (it has no member d); {_NEEDED}"
    return None, f"is JSON, and no JWK; {_NEEDED}"


def _of_base64(data: bytes, name: str) -> str | None:
    """What is wrong with a key that was encoded once more, as stores of secrets hold files; None where it was not."""
    try:
        inner = base64.b64decode(b"".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    if b"-----BEGIN" in inner or of_jwk(inner)[0] is not None:
        what = "PEM" if b"-----BEGIN" in inner else "a JWK"
        return f"is the base64 of {what}; decode it before it is given: base64 -d {name} > key.pem"
    if _loads(lambda: load_der_private_key(inner, None)):
        return (
            "is a key without its first and last line: put -----BEGIN PRIVATE KEY----- before it and "
            "-----END PRIVATE KEY----- behind it"
        )
    return None


def _utf_16(data: bytes) -> str | None:
    """What iconv must be told of text in UTF-16; without a mark it would have to guess which byte comes first."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    zeros = [byte == 0 for byte in data[:2]]
    if zeros == [True, False]:
        return "UTF-16BE"
    return "UTF-16LE" if zeros == [False, True] else None


def _of_pem(data: bytes, name: str) -> str | None:
    if b"BEGIN OPENSSH PRIVATE KEY" in data:
        return f"is in OpenSSH's own form; convert a copy of it: cp {name} key.pem && ssh-keygen -p -m PKCS8 -f key.pem"
    if b"PRIVATE KEY-----" in data:
        return None
    if b"PUBLIC KEY-----" in data:
        return f"is a public key; {_NEEDED}"
    if b"CERTIFICATE-----" in data:
        return f"is a certificate; {_NEEDED}"
    return f"is PEM, but holds no private key; {_NEEDED}"


def _of_der(data: bytes, name: str) -> str:
    if _PKCS12 in data[:12]:
        return f"is PKCS#12; take the key out of it: openssl pkcs12 -in {name} -nocerts -out key.pem"
    if _loads(lambda: load_der_private_key(data, None)):
        return f"is DER; convert it to PEM: openssl pkey -inform DER -in {name} -out key.pem"
    if _loads(lambda: load_der_public_key(data)):
        return f"is a public key in DER; {_NEEDED}"
    if _loads(lambda: load_der_x509_certificate(data)):
        return f"is a certificate in DER; {_NEEDED}"
    return f"is binary, and neither a key nor a certificate that can be read; {_NEEDED}"


def _loads(load: Callable[[], Any]) -> bool:
    try:
        load()
    except TypeError:  # a private key that wants a passphrase
        return True
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True
