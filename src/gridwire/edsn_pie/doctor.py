"""What can be found out about a set-up without taking anything from the queue or reading a ticket."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from gridwire import clock
from gridwire.auth.client_assertion import describe_key
from gridwire.edsn_pie import rules
from gridwire.edsn_pie.identity import Identity, Token
from gridwire.edsn_pie.profile import Account, Profile
from gridwire.errors import GridwireError
from gridwire.observe.redact import mask
from gridwire.transport.exchange import Request, Response, Send

State: TypeAlias = Literal["ok", "warning", "failed", "skipped"]

_SHOWN = ("iss", "sub", "aud", "scope", "iat", "nbf", "exp")
"""Claims whose values help and give nothing away; of all others only the names are shown."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``text`` holds no secret."""

    name: str
    state: State
    text: str


async def examine(send: Send, identity: Identity, account: Account, confirmed: Collection[str]) -> list[Finding]:
    """Look at key, clock, identity provider, token and API, in this order. Raises nothing that they do."""
    profile = account.profile
    return [
        _facts(profile, confirmed),
        await _key(identity, account),
        await _reach(send, "identity provider", profile.idp_url),
        *await _token(identity, profile),
        await _reach(send, "api", profile.rest_url),
    ]


def _facts(profile: Profile, confirmed: Collection[str]) -> Finding:
    open_ = sorted(set(profile.facts) - set(confirmed))
    where = f"environment {profile.environment}, identity provider {profile.idp_url}, API {profile.rest_url}"
    if not open_:
        return Finding("profile", "ok", where)
    return Finding("profile", "warning", f"{where}; not confirmed with EDSN: {', '.join(open_)}")


async def _key(identity: Identity, account: Account) -> Finding:
    try:
        key = await identity.key()
    except GridwireError as error:
        return Finding("key", "failed", str(error))
    algorithm = account.profile.assertion.algorithm
    what = "a signer" if callable(key) else describe_key(key)
    return Finding("key", "ok", f"{what}, signs by {algorithm}")


async def _reach(send: Send, name: str, url: str) -> Finding:
    """Any answer will do: it shows the way is open, and what the other side's clock says."""
    try:
        response = await send(Request("GET", f"{url}/"))
    except GridwireError as error:
        return Finding(name, "failed", str(error))
    return _clock(name, response)


def _clock(name: str, response: Response) -> Finding:
    ahead_s = rules.skew_s(response.date, clock.now())
    reached = f"reached (HTTP {response.status})"
    if ahead_s is None:
        return Finding(name, "ok", f"{reached}; it does not tell the time")
    if abs(ahead_s) < rules.SKEW_S:
        return Finding(name, "ok", f"{reached}; clocks agree within {rules.SKEW_S:.0f} s")
    direction = "behind" if ahead_s > 0 else "ahead of"
    return Finding(
        name,
        "warning",
        f"{reached}; this machine's clock is {abs(ahead_s):.0f} s {direction} its: assertions may be refused",
    )


async def _token(identity: Identity, profile: Profile) -> list[Finding]:
    try:
        token = await identity.get()
    except GridwireError as error:
        return [Finding("token", "failed", str(error)), Finding("claims", "skipped", "there is no token")]
    grant = token.grant
    warning = rules.scope_warning(grant, profile.scope)
    life = f"lives {grant.life_s:.0f} s{' (assumed: none was named)' if grant.life_assumed else ''}"
    scope = "no scope named" if grant.scope is None else f"scope {grant.scope!r}"
    state: State = "warning" if warning or grant.life_assumed else "ok"
    text = f"{life}, {scope}" + (f"; {warning}" if warning else "")
    return [Finding("token", state, text), _claims(token)]


def _claims(token: Token) -> Finding:
    claims = claims_of(token.value)
    if claims is None:
        return Finding("claims", "ok", "the token is opaque: it shows nothing of itself")
    shown = [f"{name}={mask(str(claims[name]))[:200]}" for name in _SHOWN if name in claims]
    hidden = sorted(set(claims) - set(_SHOWN))
    return Finding("claims", "ok", ", ".join(shown) + (f"; further claims: {', '.join(hidden)}" if hidden else ""))


def claims_of(token: str) -> dict[str, Any] | None:
    """What a JWT says of itself, unverified; None for a token that is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None
