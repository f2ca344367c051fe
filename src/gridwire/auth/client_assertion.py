"""OAuth with a signed assertion instead of a password (RFC 7523): the key, the assertion, the token request.

No I/O but reading a key file. An assertion is a JWT that the client signs with its private key: ``iss`` and ``sub`` are the client, ``aud`` is who it is
for, ``jti`` is fresh, ``exp`` is near. It is made anew for every request, because a provider may refuse one that it has
seen. Sources: RFC 7523, RFC 6749 section 5; the defaults are those of a public sample for EDSN's identity provider (EDSN
specification A3, A4).

Keys are parsed once: handing PyJWT a PEM text costs 36 ms for each assertion, a parsed key 0.3 ms.
"""

from __future__ import annotations

import base64
import codecs
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import urlencode
from uuid import uuid4

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt import InvalidKeyError
from jwt.algorithms import ECAlgorithm, RSAAlgorithm, RSAPSSAlgorithm
from pydantic import SecretStr

from gridwire import clock
from gridwire.auth.key_kinds import complaint, of_jwk
from gridwire.errors import ConfigurationError, TransportError
from gridwire.flaws import flaw
from gridwire.observe.redact import excerpt, one_line
from gridwire.settings import expanded
from gridwire.transport.exchange import Flow, Request, Response

PrivateKey: TypeAlias = RSAPrivateKey | EllipticCurvePrivateKey
Signer: TypeAlias = Callable[[bytes], Awaitable[bytes]]
"""Signs these bytes and returns the raw JWS signature, for keys that never leave a key store."""

KeySource: TypeAlias = SecretStr | Path | PrivateKey | Signer
"""The text of a key (PEM or JWK), the path of its file, a parsed key, or a signer."""

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
LEAST_RSA_BITS = 2048
LIFE_S = 300
SHORTEST_LIFE_S, LONGEST_LIFE_S = 30, 900
ASSUMED_TOKEN_LIFE_S = 300.0
MAX_ANSWER_BYTES = 256 * 1024

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

MOST_NAMES = 10
_NAME = re.compile(r"[A-Za-z][A-Za-z_]{0,29}")
"""The name of a member, as opposed to a random text."""

_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
_HASHES = {"256": RSAAlgorithm.SHA256, "384": RSAAlgorithm.SHA384, "512": RSAAlgorithm.SHA512}


@dataclass(frozen=True, slots=True)
class AssertionOptions:
    """The form of assertions. ``life_s`` is from ``iat`` to ``exp``, 30 to 900 s: providers refuse long ones."""

    algorithm: str = "RS256"
    key_id: str | None = None
    """``kid`` of the header; left out where None."""
    typ: str = "JWT"
    """``typ`` of the header; newer providers want ``client-authentication+jwt``."""
    life_s: int = LIFE_S
    not_before: bool = False
    """Whether to send ``nbf``, the same as ``iat``."""

    def __post_init__(self) -> None:
        """Refuse what no provider may accept, and what would prove nothing."""
        if self.algorithm not in ALGORITHMS:
            raise ConfigurationError(
                f"algorithm={self.algorithm!r} cannot sign an assertion, which is made with a private key by one of "
                f"{', '.join(ALGORITHMS)}. Nothing was sent."
            )
        if isinstance(self.life_s, bool) or not isinstance(self.life_s, int):
            raise ConfigurationError(f"An assertion's life is a whole number of seconds, not {self.life_s!r}.")
        if not SHORTEST_LIFE_S <= self.life_s <= LONGEST_LIFE_S:
            raise ConfigurationError(
                f"An assertion may live {SHORTEST_LIFE_S} to {LONGEST_LIFE_S} s, not {self.life_s} s. Nothing was sent."
            )
        if not self.typ or self.key_id == "":
            raise ConfigurationError("typ and key_id of an assertion must not be empty; leave key_id out for none.")


# ---------------------------------------------------------------------------------------------------------------------
# The key


def load_key(source: SecretStr | Path | PrivateKey, passphrase: SecretStr | None = None) -> PrivateKey:
    """The private key in ``source``. Takes milliseconds to a quarter of a second, so not on an event loop.

    PEM in PKCS#8 (plain or encrypted) or PKCS#1, or a JWK (RFC 7517), which PingAM lets people download; line ends that an environment variable turned into a backslash and an n
    are mended. Raises `ConfigurationError`, which never quotes the key.
    """
    if isinstance(source, Path):
        try:
            data = expanded(source, "private_key_file").read_bytes()
        except (OSError, ConfigurationError) as error:  # the latter: a zero byte; nobody's home folder
            why = getattr(error, "strerror", None) or "it is no path, or begins in a home folder that is not there"
            shown = str(source)
            if shown.endswith(("\r", "\n")):
                why, shown = "its path ends with a line end (CR or LF), which is to be taken away", repr(shown)
            raise ConfigurationError(
                f"The private key in {shown} cannot be read: {why}. Check the path (private_key_file), and that the user "
                "who runs this program may read the file. Nothing was sent."
            ) from None
        return _checked(_parsed(_bare(data), passphrase, source))
    if isinstance(source, SecretStr):
        data = source.get_secret_value().encode("utf-8", "replace")
        return _checked(_parsed(_bare(data), passphrase, None))
    return _checked(source)


def _bare(data: bytes) -> bytes:
    """A key without quotes that a file of settings left around it: none begins with one, so they are no part of it."""
    whole = data.removeprefix(codecs.BOM_UTF8).strip()
    return whole[1:-1] if len(whole) > 1 and whole[0] == whole[-1] and whole[0] in b"\"'`" else data


def _parsed(data: bytes, passphrase: SecretStr | None, file: Path | None) -> Any:
    where = f"in {file}" if file is not None else "given as text"
    jwk, what_else = of_jwk(data)
    if jwk is None and what_else is None:
        what_else = complaint(data, file)
    if what_else is not None:
        raise ConfigurationError(f"The private key {where} {what_else}. Nothing was sent.")
    phrase = passphrase.get_secret_value() if passphrase is not None else None
    if jwk is not None:
        return _of_jwk(jwk, where, phrase)
    pem = data.replace(b"\\r", b"").replace(b"\\n", b"\n").strip()
    try:
        return load_pem_private_key(pem, phrase.encode() if phrase else None)  # an empty passphrase is none
    except TypeError:  # cryptography's word for a passphrase that is missing, or one too many
        needed = "is encrypted: give its passphrase" + (", which is empty" if phrase == "" else "")
        what = "is not encrypted: leave passphrase out" if phrase else needed
        raise ConfigurationError(f"The private key {where} {what}. Nothing was sent.") from None
    except (ValueError, UnsupportedAlgorithm):  # their texts may quote what they could not read
        hint = "" if not phrase else f" or the passphrase is wrong{_of_passphrase(phrase)}"
        raise ConfigurationError(f"The private key {where} is damaged{hint}. Nothing was sent.") from None


def _of_jwk(jwk: Mapping[str, Any], where: str, phrase: str | None) -> Any:
    if phrase:
        raise ConfigurationError(
            f"The private key {where} is a JWK, which is never encrypted: leave passphrase out. Nothing was sent."
        )
    kinds: dict[str, type[RSAAlgorithm | ECAlgorithm]] = {"RSA": RSAAlgorithm, "EC": ECAlgorithm}
    kind = kinds.get(str(jwk.get("kty")))
    if kind is None:
        raise ConfigurationError(
            f"The private key {where} is a JWK of the kind {one_line(str(jwk.get('kty')), 20)}; an RSA or EC key is needed. "
            "Nothing was sent."
        )
    try:
        return kind.from_jwk(dict(jwk))
    except (
        InvalidKeyError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        UnsupportedAlgorithm,
    ):  # which may quote it
        raise ConfigurationError(
            f"The private key {where} is a JWK that is damaged or not whole. Nothing was sent."
        ) from None


def _of_passphrase(phrase: str) -> str:
    found = flaw(phrase)
    return f" (it {found})" if found is not None else ""


def _checked(key: Any) -> PrivateKey:
    if isinstance(key, RSAPrivateKey):
        if key.key_size < LEAST_RSA_BITS:
            raise ConfigurationError(
                f"The private key has {key.key_size} bits, which can be broken; at least {LEAST_RSA_BITS} are needed. Make "
                "a new key for the service account. Nothing was sent."
            )
        return key
    if isinstance(key, EllipticCurvePrivateKey):
        return key
    raise ConfigurationError(
        f"A {type(key).__name__} cannot sign assertions; an RSA or EC private key is needed. Nothing was sent."
    )


def check_fit(key: PrivateKey, algorithm: str) -> None:
    """Raise `ConfigurationError` unless ``key`` can sign by ``algorithm``."""
    if isinstance(key, RSAPrivateKey):
        if algorithm.startswith("ES"):
            raise ConfigurationError(f"algorithm={algorithm} needs an EC key, and this one is RSA. Nothing was sent.")
        return
    curve = key.curve.name
    if _CURVES.get(algorithm) != curve:
        fitting = next((name for name, its in _CURVES.items() if its == curve), None)
        hint = f"use algorithm={fitting}" if fitting else "it fits none of the algorithms"
        raise ConfigurationError(
            f"The private key is EC on {curve}, and algorithm={algorithm}: {hint}. Nothing was sent."
        )


def describe_key(key: PrivateKey) -> str:
    """Kind and size, for people."""
    return f"RSA, {key.key_size} bits" if isinstance(key, RSAPrivateKey) else f"EC, {key.curve.name}"


# ---------------------------------------------------------------------------------------------------------------------
# The assertion


def claims_of(client_id: str, audience: str, options: AssertionOptions) -> dict[str, Any]:
    """The claims of a new assertion: ``jti`` is fresh, ``iat`` is now."""
    now = int(clock.now().timestamp())
    claims: dict[str, Any] = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "jti": str(uuid4()),
        "iat": now,
        "exp": now + options.life_s,
    }
    if options.not_before:
        claims["nbf"] = now
    return claims


def signing_input(claims: Mapping[str, Any], options: AssertionOptions) -> bytes:
    """What is signed: header and claims as base64url of compact JSON, with a dot between (RFC 7515 section 5.1)."""
    header: dict[str, Any] = {"alg": options.algorithm, "typ": options.typ}
    if options.key_id is not None:
        header["kid"] = options.key_id
    return b".".join(_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))


def sign(payload: bytes, key: PrivateKey, algorithm: str) -> bytes:
    """The raw JWS signature of ``payload``. The key must fit: see `check_fit`."""
    if isinstance(key, EllipticCurvePrivateKey):
        curve = {"ES256": ECAlgorithm.SHA256, "ES384": ECAlgorithm.SHA384, "ES512": ECAlgorithm.SHA512}[algorithm]
        return ECAlgorithm(curve).sign(payload, key)
    kind = RSAPSSAlgorithm if algorithm.startswith("PS") else RSAAlgorithm
    return kind(_HASHES[algorithm[2:]]).sign(payload, key)


def joined(payload: bytes, signature: bytes) -> SecretStr:
    """The whole assertion. Whoever has it can have a token until it expires."""
    return SecretStr((payload + b"." + _base64url(signature)).decode("ascii"))


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


# ---------------------------------------------------------------------------------------------------------------------
# The token request

Kind: TypeAlias = Literal["refused", "settings", "transient", "protocol"]
"""``refused``: the client, its key or its assertion. ``settings``: the form of the request. ``transient``: ask again, with a
new assertion. ``protocol``: no answer of a token endpoint."""

_ERRORS: Mapping[str, Kind] = {
    "invalid_client": "refused",
    "unauthorized_client": "refused",
    "invalid_grant": "refused",
    "access_denied": "refused",
    "invalid_scope": "settings",
    "invalid_request": "settings",
    "unsupported_grant_type": "settings",
    "temporarily_unavailable": "transient",
    "server_error": "transient",
}
"""RFC 6749 sections 4.1.2.1 and 5.2."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A token, and what was said about it."""

    token: str = field(repr=False)
    life_s: float
    """From before the request was sent."""
    life_assumed: bool
    """Whether the provider named no usable life, so that 300 s are assumed."""
    scope: str | None
    """The granted scope where the provider named it; None means the one asked for (RFC 6749 section 5.1)."""
    server_time: datetime | None = None
    """The provider's clock by its ``Date`` header."""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Members that the standard does not name."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no token. ``said`` quotes the provider, masked and shortened."""

    kind: Kind
    said: str
    status: int | None = None
    error: str | None = None
    """The provider's ``error`` word, or the ``reason`` of the transport's error where there was no answer."""
    retry_after: str | None = None
    """The ``Retry-After`` header as it came."""
    server_time: datetime | None = None


def request_token(token_url: str, client_id: str, assertion: SecretStr, scope: str | None) -> Flow[Grant | Refusal]:
    """Ask for a token once. Exactly the five fields of the grant go in the body, ``scope`` only if not None.

    No ``Authorization`` header: with one, providers complain of two methods of authentication. Redirects are answers.
    """
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    try:
        # The assertion is never a variable here: a report of an error may show the variables it passed.
        response = yield Request("POST", token_url, headers, _form(client_id, assertion, scope))
    except TransportError as error:
        # Where "…/access_token: " stands before it, masking would hide what follows.
        _, _, what = str(error).rpartition(f"{token_url}: ")
        return Refusal("transient", what.rstrip("."), error=error.reason)
    return read_answer(response, assertion.get_secret_value())


def _form(client_id: str, assertion: SecretStr, scope: str | None) -> bytes:
    fields = {"grant_type": "client_credentials", "client_id": client_id, "client_assertion_type": ASSERTION_TYPE}
    last = {} if scope is None else {"scope": scope}
    return urlencode({**fields, "client_assertion": assertion.get_secret_value(), **last}).encode("ascii")


def read_answer(response: Response, assertion: str = "") -> Grant | Refusal:
    """What a token endpoint's answer means. ``assertion`` is what was sent: text that repeats it is not quoted."""
    said, status, server_time = _quote(response, assertion), response.status, response.date
    body = _object(response)
    error = body.get("error") if body is not None else None
    word = one_line(error, 60) or None if isinstance(error, str) else None
    retry_after = response.headers.get("retry-after")
    if status == 200 and word is None:
        grant = _grant(body, server_time)
        return grant or Refusal("protocol", said, status, None, None, server_time)
    if status == 429 or status >= 500:
        kind: Kind = "transient"
    elif word is not None:
        kind = _ERRORS.get(word, "refused" if status in (400, 401, 403) else "protocol")
    else:  # whatever the status, an identity provider says its reason as an error: this may be a gateway before it
        kind = "protocol"
    return Refusal(kind, said, status, word, retry_after, server_time)


def _grant(body: Mapping[str, Any] | None, server_time: datetime | None) -> Grant | None:
    if body is None:
        return None
    token, kind, scope = body.get("access_token"), body.get("token_type", "Bearer"), body.get("scope")
    # What cannot stand in a header is no token; a token of another kind cannot be used as a bearer's.
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token.strip():
        return None
    if not isinstance(kind, str) or kind.lower() != "bearer":
        return None
    life_s = _seconds(body.get("expires_in"))
    standard = {"access_token", "token_type", "expires_in", "scope"}
    return Grant(
        token,
        ASSUMED_TOKEN_LIFE_S if life_s is None else life_s,
        life_s is None,
        scope if isinstance(scope, str) else None,
        server_time,
        {name: value for name, value in body.items() if name not in standard},
    )


def _seconds(value: object) -> float | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:12])
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
        return None
    return float(value)


def missing_scope(asked: str | None, granted: str | None) -> set[str]:
    """The words of the scope asked for that were not granted; none where the provider did not say what it granted."""
    return set() if asked is None or granted is None else set(asked.split()) - set(granted.split())


def _object(response: Response) -> Mapping[str, Any] | None:
    if len(response.content) > MAX_ANSWER_BYTES:
        return None
    try:
        value = response.json()
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _quote(response: Response, assertion: str) -> str:
    """A short, masked quotation of an error's text; nothing of a page, and of a success only what it is made of.

    A success that we cannot read may hold a token all the same, under a name that we do not know.
    """
    head = f"HTTP {response.status}"
    text = response.text(errors="replace")[:4096].strip()
    if not text:
        return head
    if text.startswith("<"):
        return f"{head} with a page"
    body = _object(response)
    if response.status < 400:
        return f"{head} with {_made_of(response, body)}"
    if (assertion and assertion[:40] in text) or '"access_token"' in text:
        return f"{head} with a text that repeats a secret"
    description = body.get("error_description") if body is not None else None
    if isinstance(description, str):
        text = description
    words = " ".join("".join(c if c.isprintable() else " " for c in excerpt(text, (assertion,))).split())
    return f"{head}, {words[:160]!r}"


def _made_of(response: Response, body: Mapping[str, Any] | None) -> str:
    """Size, media type and the names of members, as far as they are names: a value may stand where a name belongs."""
    kind = one_line(response.media_type, 40) or "no media type"
    size = f"{len(response.content)} bytes of {kind}"
    if body is None:
        return size
    names = [name for name in body if _NAME.fullmatch(name)]
    others = len(body) - len(names[:MOST_NAMES])
    return f"{size}, members: {', '.join(names[:MOST_NAMES]) or 'none'}" + (f" and {others} more" if others else "")
