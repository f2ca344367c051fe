"""The identity provider as pure state: which service accounts there are, what it makes of an assertion, which tokens live.

It really verifies: the signature against the account's registered key and algorithm, issuer, subject, audience, times
against `gridwire.clock.now`, and that the ``jti`` is new. Its rules and its words follow the open ancestor of the product
that EDSN's address layout points to; the product itself may differ.

Access tokens are JWTs that only this provider can check, as `Identity.check` does for the API and the broker. Tokens never
appear in ``repr`` or in the log; the log numbers them instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Literal, TypeAlias

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from gridwire import clock

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey

FIELDS = frozenset({"grant_type", "client_id", "client_assertion_type", "client_assertion", "scope"})
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_DAY_S = 86_400
_KEPT = 100_000

API, AMQP = "pie-api", "pie-amqp"
"""The roles that the simulated API and broker ask for."""


@dataclass(slots=True)
class ServiceAccount:
    """One client of the provider. All may be changed while it runs, as people do in the portal."""

    client_id: str
    organisation: str
    key: PublicKey = field(repr=False)
    algorithm: str = "RS256"
    key_id: str | None = None
    """A ``kid`` that its assertions must carry; None takes any and none."""
    scopes: frozenset[str] = frozenset({"roles"})
    roles: frozenset[str] = frozenset({API, AMQP})


@dataclass(slots=True)
class IdentityKnobs:
    """What an operator of the real provider could have configured otherwise. All may be changed while it runs."""

    token_life_s: float = 900.0
    name_life: bool = True
    """Whether answers carry ``expires_in``."""
    granted_scope: str | None = None
    """The ``scope`` of answers; None repeats what was asked for."""
    name_scope: bool = True
    audience: Literal["token_endpoint", "issuer"] = "token_endpoint"
    """The one ``aud`` that is taken, compared as exact text."""
    ahead_s: float = 0.0
    """How far the provider's clock is ahead of everybody else's."""
    leeway_s: float = 0.0
    """How wrong a client's clock may be."""
    longest_life_s: float = _DAY_S
    """How far ``exp`` may be ahead."""
    refuse_replay: bool = True
    refused_status: Literal[400, 401] = 400
    """The open ancestor answers 400 to a bad assertion, RFC 6749 suggests 401."""
    token_padding: int = 0
    """Extra characters in each token, for peers that stumble over long ones."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the provider answers: ``status`` and the members of a JSON object. ``why`` is for the log."""

    status: int
    body: Mapping[str, Any] = field(repr=False)
    why: str = ""
    jti: str | None = None
    token: int | None = None


class _Refused(Exception):
    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


class Identity:
    """See the module. ``token_url`` and ``issuer`` are set when it listens."""

    def __init__(self, seed: int) -> None:
        self.accounts: dict[str, ServiceAccount] = {}
        self.knobs: IdentityKnobs = IdentityKnobs()
        self.token_url: str = ""
        self.issuer: str = ""
        self._secret = f"sandbox identity provider, seed {seed}".ljust(64, ".").encode()
        self._numbers = count(1)
        self._seen: dict[str, None] = {}
        self._revoked: set[int] = set()

    def now(self) -> datetime:
        """The provider's clock."""
        return clock.now() + timedelta(seconds=self.knobs.ahead_s)

    def register(self, account: ServiceAccount) -> None:
        """Make a service account, or replace its key and roles."""
        self.accounts[account.client_id] = account

    def grant(self, form: list[tuple[str, str]] | None, *, authorization: bool) -> Decision:
        """Answer a token request. ``form`` is None where the body was no form; ``authorization``: that header came too."""
        jti: str | None = None
        try:
            fields = _fields(form, authorization)
            account = self.accounts.get(fields["client_id"])
            if account is None:
                raise _Refused("invalid_client", "Client authentication failed")
            claims = self._verified(fields["client_assertion"], account)
            jti = str(claims["jti"])
            asked = fields.get("scope")
            words = frozenset((asked or "").split())
            if not words <= account.scopes:
                raise _Refused("invalid_scope", f"Unknown/invalid scope(s): {sorted(words - account.scopes)}")
            return self._granted(account, asked, jti)
        except _Refused as no:
            status = self.knobs.refused_status if no.error == "invalid_client" else 400
            return Decision(status, {"error": no.error, "error_description": str(no)}, str(no), jti)

    def metadata(self) -> dict[str, Any]:
        """What the provider publishes of itself."""
        return {
            "issuer": self.issuer,
            "token_endpoint": self.token_url,
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": sorted(
                {one.algorithm for one in self.accounts.values()}
            ),
        }

    def check(self, token: str) -> Mapping[str, Any] | str:
        """The claims of a token that is good now, or why it is not: for whoever is presented with one.

        The claims hold ``sub`` (the client), ``organisation``, ``roles``, ``scope``, ``exp``, ``iat`` and ``number``.
        """
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._secret, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False, "verify_aud": False}
            )  # fmt: skip
        except jwt.InvalidTokenError:
            return "the token is not one of this provider's"
        if claims["number"] in self._revoked:
            return "the token was revoked"
        if claims["exp"] <= self.now().timestamp():
            return "the token has expired"
        return claims

    def number(self, token: str) -> int | None:
        """The running number of a token, dead or alive; None for one never issued here."""
        try:
            claims = jwt.decode(token, self._secret, algorithms=["HS256"], options={"verify_signature": False})
        except jwt.InvalidTokenError:
            return None
        number = claims.get("number")
        return number if isinstance(number, int) else None

    def revoke_all(self) -> None:
        """Let every token issued so far be refused from now on."""
        latest = next(self._numbers)
        self._revoked.update(range(1, latest + 1))

    # -----------------------------------------------------------------------------------------------------------------

    def _verified(self, assertion: str, account: ServiceAccount) -> Mapping[str, Any]:
        try:
            head = jwt.get_unverified_header(assertion)
            claims: dict[str, Any] = jwt.decode(
                assertion, account.key, algorithms=[account.algorithm],
                options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False,
                         "require": ["iss", "sub", "aud", "exp", "jti"]},
            )  # fmt: skip
        except jwt.InvalidTokenError:
            raise _Refused("invalid_client", "JWT is not valid") from None
        if account.key_id is not None and head.get("kid") != account.key_id:
            raise _Refused("invalid_client", "JWT is not valid")
        self._check_claims(claims, account)
        return claims

    def _check_claims(self, claims: Mapping[str, Any], account: ServiceAccount) -> None:
        now, leeway_s = self.now().timestamp(), self.knobs.leeway_s
        if not claims["iss"] == claims["sub"] == account.client_id:
            raise _Refused("invalid_client", "Client authentication failed")
        wanted = self.token_url if self.knobs.audience == "token_endpoint" else self.issuer
        if claims["aud"] != wanted:
            raise _Refused("invalid_client", "Audience validation failed")
        issued = claims.get("iat", now)
        if not isinstance(claims["exp"], int) or not isinstance(issued, (int, float)):
            raise _Refused("invalid_client", "JWT is not valid")
        if claims["exp"] <= now - leeway_s:
            raise _Refused("invalid_client", "JWT has expired")
        if claims["exp"] > now + self.knobs.longest_life_s + leeway_s:
            raise _Refused("invalid_client", "JWT expiration time is unreasonable")
        if issued < now - _DAY_S or max(issued, claims.get("nbf", issued)) > now + leeway_s + 1:
            raise _Refused("invalid_client", "JWT is not valid yet, or too old")
        if claims["jti"] in self._seen and self.knobs.refuse_replay:
            raise _Refused("invalid_client", "JWT has been used")
        self._seen[claims["jti"]] = None
        if len(self._seen) > _KEPT:
            del self._seen[next(iter(self._seen))]

    def _granted(self, account: ServiceAccount, asked: str | None, jti: str) -> Decision:
        now, number = self.now().timestamp(), next(self._numbers)
        scope = self.knobs.granted_scope if self.knobs.granted_scope is not None else asked
        claims = {
            "iss": self.issuer,
            "sub": account.client_id,
            "organisation": account.organisation,
            "roles": sorted(account.roles),
            "scope": scope,
            "iat": now,
            "exp": now + self.knobs.token_life_s,
            "number": number,
            "padding": "x" * self.knobs.token_padding,
        }
        body: dict[str, Any] = {
            "access_token": jwt.encode(claims, self._secret, "HS256"),
            "token_type": "Bearer",
        }
        if self.knobs.name_life:
            body["expires_in"] = int(self.knobs.token_life_s)
        if self.knobs.name_scope and scope is not None:
            body["scope"] = scope
        return Decision(200, body, "", jti, number)


def _fields(form: list[tuple[str, str]] | None, authorization: bool) -> dict[str, str]:
    if form is None:
        raise _Refused("invalid_request", "The body is not a form")
    if authorization:
        raise _Refused("invalid_client", "Client authentication failed: multiple methods")
    fields = dict(form)
    if len(fields) != len(form) or not FIELDS - {"scope"} <= set(fields) <= FIELDS:
        raise _Refused("invalid_request", f"The fields must be {sorted(FIELDS)}, each once")
    if fields["grant_type"] != "client_credentials":
        raise _Refused("unsupported_grant_type", "Grant type is not supported")
    if fields["client_assertion_type"] != ASSERTION_TYPE:
        raise _Refused("invalid_request", "Unknown client_assertion_type")
    return fields
