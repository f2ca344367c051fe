"""The token of one service account, shared by REST calls and the broker.

The key is parsed in a thread when the first token is needed, and again when its file was replaced. A refusal is remembered for a minute: whoever asks
meanwhile gets it again, and the identity provider is left alone. After a token was given, the first refusals are remembered for seconds only,
because a provider that restarts may refuse what it took before.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from pydantic import SecretStr

from gridwire import clock
from gridwire.auth import client_assertion
from gridwire.auth.client_assertion import AssertionOptions, Grant, KeySource, PrivateKey, Signer
from gridwire.auth.tokens import Lease, TokenCache
from gridwire.edsn_pie import claims, rules
from gridwire.edsn_pie.errors import EdsnAuthError, EdsnConfigError, EdsnError, EdsnProtocolError, EdsnTransientError
from gridwire.edsn_pie.profile import Account
from gridwire.errors import ConfigurationError, GridwireError
from gridwire.observe.events import Events
from gridwire.observe.redact import one_line
from gridwire.settings import expanded
from gridwire.transport.exchange import Send, run_flow
from gridwire.transport.retry import RetryQuota, retrying

_Stamp: TypeAlias = tuple[int, int, int, int]

TOKEN_DEADLINE_S = 60.0
"""Bound of one fetch with all its attempts."""
REFUSAL_HELD_S = 60.0
FIRST_REFUSAL_HELD_S = 4.0
"""After a token was given; it doubles with each refusal that follows, up to `REFUSAL_HELD_S`."""


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """A token and what is known of it."""

    value: str = field(repr=False)
    usable_until: float
    """In seconds of the loop's clock, counted from before it was asked for."""
    grant: Grant
    skew_s: float | None
    """How far the provider's clock was ahead of ours."""


class Identity:
    """See the module. ``allow`` raises where the token must not be asked for yet (`Unconfirmed`)."""

    def __init__(self, send: Send, account: Account, events: Events, allow: Callable[[], None]) -> None:
        self._send = send
        self._account = account
        self._events = events
        self._allow = allow
        self._key: PrivateKey | None = None
        self._key_stamp: _Stamp | None = None
        self._quota = RetryQuota()
        self._tokens: TokenCache[Token] = TokenCache(self._fetch)
        self._refused: tuple[EdsnError, float] | None = None
        self._refusal_held_s = REFUSAL_HELD_S

    async def get(self, *, least_s: float = 0.0) -> Token:
        """The token, with at least ``least_s`` seconds of life left, or half its life if that is less, if a new one can be had.

        One with less is replaced and not thrown away: while the provider gives none, it serves for as long as it lives.

        Raises `EdsnAuthError`, `EdsnConfigError`, `EdsnTransientError`, `EdsnProtocolError`, and `ConfigurationError` for a
        key that cannot be used.
        """
        self._allow()
        token = await self._tokens.get()
        least_s = min(least_s, token.grant.life_s / 2)  # or one with a short life would be replaced each time
        if least_s and token.usable_until - asyncio.get_running_loop().time() < least_s:
            try:
                return await self._tokens.renew(token)
            except (EdsnTransientError, EdsnProtocolError):
                if self._tokens.peek() is not token:
                    raise
        return token

    def refused(self, value: str) -> None:
        """Someone did not take this token: the next caller gets a new one.

        A token that was replaced already changes nothing.
        """
        held = self._tokens.peek()
        if held is not None and held.value == value and self._tokens.invalidate(held):
            self._events.emit("token.dropped", "A token is not used any more; the next call fetches a new one.")

    def left_s(self, value: str) -> float | None:
        """Seconds of life this token has left, by the loop's clock; None if it is not the current one."""
        held = self._tokens.peek()
        if held is None or held.value != value:
            return None
        return held.usable_until - asyncio.get_running_loop().time()

    async def key(self) -> PrivateKey | Signer:
        """The parsed private key, or the signer. Raises `ConfigurationError` if it cannot be used."""
        source = self._account.private_key
        if callable(source):
            return source
        stamp = await _stamp(source)
        if self._key is None or stamp not in (None, self._key_stamp):
            self._key = await self._load(source)
            self._key_stamp = stamp
        return self._key

    async def _load(self, source: KeySource) -> PrivateKey:
        """The key as it is now. One that was put in place of a good one and cannot be used is not: it may be half written."""
        assert not callable(source)  # noqa: S101 - a signer has no key to load
        try:
            parsed = await asyncio.to_thread(client_assertion.load_key, source, self._account.passphrase)
            client_assertion.check_fit(parsed, self._account.profile.assertion.algorithm)
        except ConfigurationError as error:
            if self._key is None:
                raise
            text = f"The file of the private key was replaced, and the key from before is used on: {error}"
            self._events.emit("key.unusable", text, level=logging.WARNING)
            return self._key
        if self._key is not None:
            self._events.emit(
                "key.replaced", "The file of the private key was replaced; assertions are signed with the new one."
            )
        return parsed

    async def aclose(self) -> None:
        """Stop the fetch under way, if there is one."""
        await self._tokens.aclose()

    # -----------------------------------------------------------------------------------------------------------------

    async def _fetch(self) -> Lease[Token]:
        """A new token. Called by the cache, one at a time."""
        loop = asyncio.get_running_loop()
        first = began = loop.time()
        if self._refused is not None and first < self._refused[1] and not await self._key_replaced():
            error = self._refused[0]
            raise type(error)(Exception.__str__(error), error.facts)

        def tell(error: BaseException, pause_s: float) -> None:
            self._events.emit("token.retried", f"A token is asked for again in {pause_s:.1f} s: {error}")

        async def once() -> Grant:
            nonlocal began
            began = loop.time()
            return await self._ask()

        try:
            grant = await retrying(
                once, rule=rules.token_again, deadline_s=TOKEN_DEADLINE_S, quota=self._quota, on_retry=tell
            )
        except (EdsnAuthError, EdsnConfigError) as error:
            self._refused = (error, loop.time() + self._refusal_held_s)
            self._refusal_held_s = min(self._refusal_held_s * 2, REFUSAL_HELD_S)
            raise
        self._refused, self._refusal_held_s = None, FIRST_REFUSAL_HELD_S
        self._tell(grant)
        fresh_s, usable_s = rules.refresh_after_s(grant.life_s)
        earlier_s = began - first  # the cache counts from before the first attempt, the token from before the last
        token = Token(grant.token, began + grant.life_s, grant, rules.skew_s(grant.server_time, clock.now()))
        return Lease(token, usable_s=usable_s + earlier_s, fresh_s=fresh_s + earlier_s)

    async def _key_replaced(self) -> bool:
        """Whether the file holds another key than the one that was refused."""
        return await _stamp(self._account.private_key) not in (None, self._key_stamp)

    async def _ask(self) -> Grant:
        account = self._account
        profile = account.profile
        assertion = await self._assertion(profile.assertion)
        answer = await run_flow(
            client_assertion.request_token(profile.token_url, account.client_id, assertion, profile.scope), self._send
        )
        if isinstance(answer, Grant):
            return answer
        raise rules.token_error(answer, profile, clock.now())

    async def _assertion(self, options: AssertionOptions) -> SecretStr:
        account = self._account
        key = await self.key()
        said = client_assertion.claims_of(account.client_id, account.profile.assertion_audience, options)
        payload = client_assertion.signing_input(said, options)
        if callable(key):
            signature = await _signed(key, payload)
        else:
            signature = client_assertion.sign(payload, key, options.algorithm)
        return client_assertion.joined(payload, signature)

    def _tell(self, grant: Grant) -> None:
        self._events.emit("token.fetched", f"A token was fetched; it lives {grant.life_s:.0f} s.", life_s=grant.life_s)
        if grant.life_assumed:
            self._events.emit(
                "token.life_assumed",
                f"The identity provider named no life for the token; {grant.life_s:.0f} s are assumed.",
                level=logging.WARNING,
            )
        warning = rules.scope_warning(grant, self._account.profile.scope, claims.scopes(grant.token))
        if warning is not None:
            self._events.emit("token.scope", warning, level=logging.WARNING, granted=grant.scope)


async def _stamp(source: KeySource) -> _Stamp | None:
    """What changes when a key file is replaced or written anew; None where there is no file (now)."""
    if not isinstance(source, Path):
        return None
    try:
        found = await asyncio.to_thread(expanded(source, "private_key_file").stat)
    except (OSError, ConfigurationError):  # the latter: a zero byte; nobody's home folder
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


async def _signed(signer: Signer, payload: bytes) -> bytes:
    """What the caller's signer makes of it. A key store that is away is met like a provider that is: asked again."""
    try:
        answer = signer(payload)
        signature = await answer if inspect.isawaitable(answer) else None
    except GridwireError:
        raise
    except Exception as error:  # noqa: BLE001 - it is the caller's code
        raise EdsnTransientError(
            f"The signer raised {type(error).__name__} ({one_line(str(error), 200) or 'no text'}), so there is no assertion, "
            "and no token was asked for. See whether its key store can be reached."
        ) from None
    if not inspect.isawaitable(answer):
        raise ConfigurationError(
            "The signer is not asynchronous: it must be an `async def` that returns the raw JWS signature. Nothing was sent."
        )
    if not isinstance(signature, bytes) or not signature:
        raise ConfigurationError("The signer returned no bytes; it must return the raw JWS signature.")
    return signature
