"""What can be found out about a set-up without taking anything from the queue or reading a ticket."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias
from uuid import uuid4

from pydantic import SecretStr

from gridwire import clock
from gridwire.auth.client_assertion import describe_key
from gridwire.edsn_pie import claims, rules
from gridwire.edsn_pie.claims import claims as claims_in
from gridwire.edsn_pie.claims import time_of
from gridwire.edsn_pie.identity import Identity, Token
from gridwire.edsn_pie.link_advice import advice
from gridwire.edsn_pie.profile import ISSUER, Account, AmqpSettings, Profile
from gridwire.errors import GridwireError
from gridwire.observe.redact import excerpt, mask
from gridwire.settings import expanded
from gridwire.transport.amqp_failure import AmqpFailure
from gridwire.transport.exchange import Request, Response, Send
from gridwire.transport.tls import Network

State: TypeAlias = Literal["ok", "warning", "failed", "skipped"]

CLOSE_S = 2.0
METADATA_PATH = "/.well-known/openid-configuration"

_SHOWN = ("iss", "sub", "aud", "scope", "iat", "nbf", "exp")
"""Claims whose values help and give nothing away; of all others only the names are shown."""
_TIMES = ("iat", "nbf", "exp")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``text`` holds no secret."""

    name: str
    state: State
    text: str


async def examine(
    send: Send,
    identity: Identity,
    account: Account,
    *,
    network: Network,
    confirmed: Collection[str],
    read_only: bool,
    allow_broker: Callable[[], None],
) -> list[Finding]:
    """Look at key, clock, identity provider, token, API and broker, in this order. Raises nothing that they do.

    ``allow_broker`` raises where the token must not be shown to the broker yet (`Unconfirmed`).
    """
    profile = account.profile
    found = [
        _facts(profile, confirmed, read_only),
        await _key(identity, account),
        await _reach(send, "identity provider", profile.idp_url),
        await _metadata(send, profile),
    ]
    token, told = await _token(identity, profile)
    return [
        *found,
        *told,
        await _reach(send, "api", profile.rest_url),
        *await _broker(token, network, account, allow_broker),
    ]


def _facts(profile: Profile, confirmed: Collection[str], read_only: bool) -> Finding:
    open_ = sorted(set(profile.facts) - set(confirmed))
    text = f"environment {profile.environment}, identity provider {profile.idp_url}, API {profile.rest_url}"
    if open_:
        text += f"; not confirmed with EDSN: {', '.join(open_)}"
    refused = read_only and profile.amqp is not None
    if refused:
        text += "; read_only is set, so notifications are refused: taking one would remove it from the queue"
    return Finding("profile", "warning" if open_ or refused else "ok", text)


async def _key(identity: Identity, account: Account) -> Finding:
    try:
        key = await identity.key()
    except GridwireError as error:
        return Finding("key", "failed", str(error))
    algorithm = account.profile.assertion.algorithm
    text = f"{'a signer' if callable(key) else describe_key(key)}, signs by {algorithm}"
    exposed = _exposed(account.private_key) if isinstance(account.private_key, Path) else None
    return Finding("key", "ok" if exposed is None else "warning", text if exposed is None else f"{text}; {exposed}")


def _exposed(file: Path) -> str | None:
    """A sentence if other users of this machine can read the key's file."""
    if not hasattr(os, "geteuid"):
        return None  # Windows keeps rights elsewhere
    try:
        rights = stat.S_IMODE(expanded(file, "private_key_file").stat().st_mode)
    except OSError:
        return None  # it was removed after the key was read, and nobody can read it now
    if not rights & (stat.S_IRGRP | stat.S_IROTH):
        return None
    return (
        f"other users of this machine can read {file} (mode {rights:04o}) and ask for tokens with it: chmod 600 {file}"
    )


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


async def _metadata(send: Send, profile: Profile) -> Finding:
    """What the provider publishes of itself (RFC 8414), if it does: it settles questions that EDSN's guide leaves open."""
    url = profile.issuer + METADATA_PATH
    try:
        response = await send(Request("GET", url, {"accept": "application/json"}))
    except GridwireError as error:
        return Finding("metadata", "skipped", str(error))
    try:
        told = response.json() if response.status == 200 else None
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        return Finding("metadata", "skipped", f"the provider publishes none (HTTP {response.status})")
    endpoint, signs = told.get("token_endpoint"), told.get("token_endpoint_auth_signing_alg_values_supported")
    text = f"issuer {_plain(told.get('issuer'))}, token endpoint {_plain(endpoint)}, signatures {_plain(signs)}"
    if endpoint is not None and endpoint != profile.token_url:
        return Finding("metadata", "warning", f"{text}; this profile asks at {profile.token_url}")
    issuer = told.get("issuer")
    if isinstance(issuer, str) and profile.audience == ISSUER and issuer != profile.assertion_audience:
        return Finding(
            "metadata", "warning", f"{text}; this profile names {profile.assertion_audience} as its audience"
        )
    if isinstance(signs, list) and profile.assertion.algorithm not in signs:
        return Finding("metadata", "warning", f"{text}; this profile signs by {profile.assertion.algorithm}")
    return Finding("metadata", "ok", text)


def _plain(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return mask("".join(letter if letter.isprintable() else "?" for letter in text))[:200]


async def _token(identity: Identity, profile: Profile) -> tuple[Token | None, list[Finding]]:
    try:
        token = await identity.get()
    except GridwireError as error:
        return None, [Finding("token", "failed", str(error)), Finding("claims", "skipped", "there is no token")]
    grant = token.grant
    warning = rules.scope_warning(grant, profile.scope, claims.scopes(token.value))
    life = f"lives {grant.life_s:.0f} s{' (assumed: none was named)' if grant.life_assumed else ''}"
    scope = "no scope named" if grant.scope is None else f"scope {grant.scope!r}"
    state: State = "warning" if warning or grant.life_assumed else "ok"
    text = f"{life}, {scope}" + (f"; {warning}" if warning else "")
    return token, [Finding("token", state, text), _claims(token)]


def _claims(token: Token) -> Finding:
    claims = claims_in(token.value)
    if claims is None:
        return Finding("claims", "ok", "the token is opaque: it shows nothing of itself")
    shown = [
        f"{name}={(name in _TIMES and time_of(claims[name])) or _plain(claims[name])}"
        for name in _SHOWN
        if name in claims
    ]
    hidden = sorted(set(claims) - set(_SHOWN))
    return Finding("claims", "ok", ", ".join(shown) + (f"; further claims: {', '.join(hidden)}" if hidden else ""))


async def _broker(token: Token | None, network: Network, account: Account, allow: Callable[[], None]) -> list[Finding]:
    """Log in and attach to the queue without asking for a message, so that none is taken."""
    amqp = account.profile.amqp
    if amqp is None:
        return [Finding("broker", "skipped", "no broker is named (amqp_host, amqp_address): REST alone")]
    no_queue = Finding("queue", "skipped", "the broker was not reached")
    try:
        allow()
        from gridwire.edsn_pie import link
    except GridwireError as error:
        return [Finding("broker", "failed", str(error)), no_queue]
    if token is None:
        return [Finding("broker", "skipped", "there is no token"), no_queue]
    broker, secret = link.broker_of(amqp), SecretStr(token.value)
    try:
        client = await link.log_in(amqp, broker, amqp.username or account.client_id, network, secret)
    except AmqpFailure as failure:
        return [Finding("broker", "failed", _with_advice(failure, amqp, secret)), no_queue]
    except GridwireError as error:
        return [Finding("broker", "failed", _without(secret, error)), no_queue]
    over = "over TLS" if amqp.tls else "without TLS, on this machine"
    offered = ", ".join(client.offered) or "no mechanism"
    found = [
        Finding(
            "broker", "ok", f"reached {over}, took the token by {amqp.auth} ({client.mechanism}); it offers {offered}"
        )
    ]
    try:
        await client.attach(
            amqp.address,
            name=f"gridwire-doctor-{uuid4()}",
            capabilities=amqp.source_capabilities,
            taker=lambda _delivery, _data: None,  # no credit is given, so nothing comes
        )
        found.append(Finding("queue", "ok", f"{amqp.address} can be read; no message was asked for"))
    except AmqpFailure as failure:
        found.append(Finding("queue", "failed", _with_advice(failure, amqp, secret)))
    finally:
        await client.close(CLOSE_S)
    return found


def _with_advice(failure: AmqpFailure, amqp: AmqpSettings, token: SecretStr) -> str:
    """What failed and what to do about it, with what the broker offered and what the token says of itself."""
    return f"{_without(token, failure)} {advice(failure, amqp, token, clock.now())}"


def _without(token: SecretStr, error: GridwireError) -> str:
    """What an error says, without the token that a broker may quote."""
    return excerpt(str(error), (token.get_secret_value(),))
