"""Keeps one link to the queue: a token, a connection, an attached queue, and again when that ends.

What a failure leads to is decided in `gridwire.edsn_pie.reconnect`; what happens to messages, in `deliveries`. Here the two
meet the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, NoReturn, Protocol
from uuid import uuid4

from pydantic import SecretStr

from gridwire import clock
from gridwire.edsn_pie import claims
from gridwire.edsn_pie.errors import EdsnAuthError, EdsnConfigError, EdsnProtocolError
from gridwire.edsn_pie.link_advice import PRECONDITION, advice, error_of
from gridwire.edsn_pie.profile import AmqpSettings
from gridwire.edsn_pie.reconnect import Reconnect, Verdict
from gridwire.edsn_pie.rules import lasting
from gridwire.edsn_pie.stream import LinkState, PossibleLoss
from gridwire.errors import AuthThrottled, AuthUnavailable, GridwireError, LoginBudgetExceeded, TransportError
from gridwire.observe.redact import excerpt
from gridwire.transport import sasl
from gridwire.transport.amqp import Delivery, Link
from gridwire.transport.amqp_client import AmqpClient, Broker, in_url
from gridwire.transport.amqp_failure import AmqpFailure, Condition
from gridwire.transport.tls import Network

ROLLOVER_MARGIN_S = 60.0
ROLLOVER_WAIT_S = 30.0
ROLLOVER_LEAST_S = 10.0
"""So long before the end of its token (or a quarter of what is left) a link is let go, also where no new token came."""
FETCH_AGAIN_S = 5.0
CLOSE_S = 2.0
ALIVE_EVERY_S = 30.0
"""How often a link that stands notes the time of day, which is how a sleep of this machine is noticed."""
STRANGER_PAUSE_S = 30.0
"""Least pause after something that is no identity provider answered in its place; a gateway's page may be gone by then."""
LOSS_AFTER_S = 23 * 3600.0
"""Messages live a day; an hour is left for clocks and for what was put into the queue just before we went."""


@dataclass(frozen=True, slots=True)
class TokenSource:
    """Where tokens come from: ``get`` on every connect, ``refused`` to throw one away, ``left_s`` for its remaining life.

    ``get`` gives one with more than half of its life before it, where such a one can be had: a connection begun with less
    would soon be changed.
    """

    get: Callable[[], Awaitable[str]]
    refused: Callable[[str], None]
    left_s: Callable[[str], float | None] = field(default=lambda token: claims.seconds_left(token, clock.now()))


class Holder(Protocol):
    """Who takes the messages."""

    @property
    def received(self) -> int:
        """How many messages have come so far."""
        ...

    def attached(self, client: AmqpClient, link: Link) -> None:
        """Messages can be asked for."""
        ...

    def take(self, delivery: Delivery, data: bytes) -> None:
        """A message came."""
        ...

    def hold(self) -> None:
        """Ask for no more messages on this link."""
        ...

    def parted(self) -> None:
        """The link is over; deliveries of it cannot be settled any more."""
        ...

    async def settled(self, within_s: float) -> None:
        """Wait until nothing is undecided, at most so long, then give back what nobody has begun with."""
        ...

    def tell(self, event: LinkState | PossibleLoss) -> None:
        """Something happened to the link."""
        ...


def mechanisms(
    settings: AmqpSettings, user: str, token: SecretStr, *, certificate: bool = False
) -> list[sasl.Mechanism]:
    """How to log in, as the settings want it: the first that the broker offers.

    ``certificate`` says whether we show one of our own in TLS, without which EXTERNAL has nothing to stand on.
    """
    if settings.auth == "cbs":  # the token follows on a link of its own
        return [sasl.external(), sasl.anonymous()] if certificate else [sasl.anonymous()]
    bearers: dict[str, Callable[[str, str], sasl.Mechanism]] = {
        "oauthbearer": partial(sasl.oauthbearer, host=settings.far_host, port=settings.port),
        "xoauth2": sasl.xoauth2,
        "plain_token": sasl.plain,
    }
    chosen = list(bearers) if settings.auth == "auto" else [settings.auth]
    return [bearers[name](user, token.get_secret_value()) for name in chosen]


def broker_of(settings: AmqpSettings) -> Broker:
    """The broker's place and what we tell it, from the settings."""
    return Broker(
        host=settings.host,
        port=settings.port,
        container_id=settings.container_id or f"edsn-pie-{uuid4()}",
        tls=settings.tls,
        tls_name=settings.tunnel_to,
        virtual_host=settings.virtual_host or settings.tunnel_to,
        idle_timeout_s=settings.idle_timeout_s,
        desired_capabilities=settings.desired_capabilities,
        properties=settings.connection_properties,
    )


async def log_in(settings: AmqpSettings, broker: Broker, user: str, network: Network, token: SecretStr) -> AmqpClient:
    """An open connection that the broker has taken the token for. Raises `ConfigurationError`, and `AmqpFailure`.

    A failure comes without the frames below: they have the token in the clear, and reports of errors show variables.
    """
    try:
        ways = mechanisms(settings, user, token, certificate=settings.tls and network.client_cert is not None)
        client = await AmqpClient.connect(broker, network, ways)
        if settings.auth == "cbs":
            await _claim(client, settings, token)
    except AmqpFailure as error:
        raise error.with_traceback(None) from None
    return client


async def _claim(client: AmqpClient, settings: AmqpSettings, token: SecretStr) -> None:
    name = settings.cbs_name or f"amqps://{in_url(settings.far_host)}/{settings.address}"
    try:
        await client.put_token(token.get_secret_value(), name, settings.cbs_type)
    except BaseException:
        await client.close(0)
        raise


def without(failure: AmqpFailure, token: SecretStr) -> AmqpFailure:
    """``failure`` without the token, which a broker may quote when it refuses it, and which need not look like one."""
    secrets = (token.get_secret_value(),)
    text, condition = excerpt(str(failure), secrets), failure.condition
    if condition is not None:
        condition = Condition(excerpt(condition.name, secrets), excerpt(condition.description, secrets))
    if text == str(failure) and condition == failure.condition:
        return failure
    # A new one, because the frames that the other came through show what the broker said.
    return AmqpFailure(
        text,
        stage=failure.stage,
        cause=failure.cause,
        condition=condition,
        outcome=failure.outcome,
        offered=failure.offered,
        scope=failure.scope,
        verify_code=failure.verify_code,
    )


class QueueLink:
    """See the module. ``last_streaming`` is when anyone of ours last was connected, None if that is not known."""

    def __init__(
        self,
        settings: AmqpSettings,
        user: str,
        network: Network,
        tokens: TokenSource,
        holder: Holder,
        *,
        proactive: bool = True,
        last_streaming: datetime | None = None,
    ) -> None:
        self._settings = settings
        self._user = user
        self._network = network
        self._tokens = tokens
        self._holder = holder
        self._proactive = proactive
        self._away_since = last_streaming
        self._loss_told = False
        self._alive_at = clock.now()
        self._stood = False
        self._broker = broker_of(settings)
        self._rules = Reconnect(patience_s=settings.patience_s)
        self._next: SecretStr | None = None
        self._client: AmqpClient | None = None
        self._link: Link | None = None

    async def run(self) -> NoReturn:
        """Keep the link until it is cancelled. Raises what cannot be mended by trying again."""
        while True:
            token, failure = SecretStr(""), None
            received = self._holder.received
            try:
                self._look_for_loss()
                self._holder.tell(LinkState("connecting"))
                token, self._next = self._next or SecretStr(await self._tokens.get()), None
                await self._once(token)
            except AmqpFailure as error:
                failure = without(error, token)
            except (AuthUnavailable, AuthThrottled, LoginBudgetExceeded, TransportError) as error:
                if lasting(error) and not self._stood:
                    raise
                await self._wait(error, float(getattr(error, "retry_after_s", None) or 0.0))
            except (EdsnAuthError, EdsnConfigError) as error:
                await self._wait_out(error)
            except EdsnProtocolError as error:
                if not self._stood:
                    raise  # what has never worked may be a setting
                await self._wait(error, STRANGER_PAUSE_S)
            if failure is not None:
                await self._follow(failure, token, served=self._holder.received > received)

    async def _once(self, token: SecretStr) -> None:
        """One connection, from its login to its end. Returns when the token is about to expire, and another is there."""
        loop = asyncio.get_running_loop()
        # Asked for now, because a call over REST may have the token replaced while the connection lives on with it.
        left_s = self._tokens.left_s(token.get_secret_value())
        ends_at = loop.time() + left_s if left_s is not None else None
        client = await log_in(self._settings, self._broker, self._user, self._network, token)
        self._client = client
        try:
            name = self._settings.link_name or f"pie-{uuid4()}"
            capabilities = self._settings.source_capabilities
            self._link = link = await client.attach(
                self._settings.address, name=name, capabilities=capabilities, taker=self._holder.take
            )
            self._stood = True
            self._rules.streaming(loop.time())
            self._look_for_loss()
            self._away_since, self._loss_told = None, False
            self._alive_at = clock.now()
            self._holder.attached(client, link)
            self._holder.tell(LinkState("streaming"))
            await self._stream(client, self._until(ends_at))
            self._next = await self._fetch_next(client, token, ends_at)
            await self._let_go(client, ends_at)
            self._rules.rolled_over()
        finally:
            if self._link is not None:
                self._away_since = self._alive_at  # not now: this machine may have slept since
            await self.close()

    def _until(self, ends_at: float | None) -> float:
        """When to change a token that lives until ``ends_at``, by the loop's clock."""
        now = asyncio.get_running_loop().time()
        left_s = ends_at - now if self._proactive and ends_at is not None else 0.0
        # Half of a short life has to be used, or a token whose life is below the margin would be changed all the time.
        return now + max(left_s - ROLLOVER_MARGIN_S, left_s / 2, 1.0) if left_s > 0 else float("inf")

    async def _stream(self, client: AmqpClient, until: float) -> None:
        """Look after the connection until then. Raises what ended it before."""
        loop = asyncio.get_running_loop()
        while (left_s := until - loop.time()) > 0:
            await asyncio.wait({client.ended}, timeout=min(ALIVE_EVERY_S, left_s))
            _check(client)
            self._note_alive()

    async def _fetch_next(self, client: AmqpClient, token: SecretStr, ends_at: float | None) -> SecretStr | None:
        """The token of the next link, fetched while this one serves; None where none came in time.

        Whatever the identity provider says is no reason to let the link go before: the token it stands on is good yet.
        """
        loop = asyncio.get_running_loop()
        left_s = ends_at - loop.time() if ends_at is not None else 0.0
        latest = loop.time() + left_s - min(ROLLOVER_LEAST_S, left_s / 4)
        while True:
            asking = asyncio.ensure_future(self._tokens.get())
            try:
                either: set[asyncio.Future[Any]] = {asking, client.ended}
                await asyncio.wait(either, timeout=max(0.0, latest - loop.time()), return_when=asyncio.FIRST_COMPLETED)
            finally:
                asking.cancel()
            found = _outcome(asking)
            _check(client)
            if found is not None and found != token.get_secret_value():
                return SecretStr(found)
            if loop.time() >= latest:
                return None
            await self._stream(client, min(latest, loop.time() + FETCH_AGAIN_S))

    def _note_alive(self) -> None:
        """The connection has not ended; if this machine slept meanwhile, it just has not noticed yet."""
        before, self._alive_at = self._alive_at, clock.now()
        self._tell_loss(before)

    async def _let_go(self, client: AmqpClient, ends_at: float | None) -> None:
        """Let what is with us be decided on the connection it came by."""
        told = "the token is about to expire" + ("" if self._next is not None else ", and there is no new one yet")
        self._holder.tell(LinkState("draining", told))
        left_s = ends_at - asyncio.get_running_loop().time() if ends_at is not None else 0.0
        self.stop_asking()
        within_s = max(1.0, min(ROLLOVER_WAIT_S, left_s - CLOSE_S - 1.0))
        settling = asyncio.ensure_future(self._holder.settled(within_s))
        try:
            either: set[asyncio.Future[Any]] = {settling, client.ended}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if settling.done():
                settling.result()
        finally:
            settling.cancel()

    def stop_asking(self) -> None:
        """Ask for no more messages; what is on its way still comes."""
        self._holder.hold()
        if self._client is not None and self._link is not None:
            self._link.stop()
            self._client.flush()

    async def close(self) -> None:
        """End the connection, if there is one."""
        client, self._client, self._link = self._client, None, None
        if client is not None:
            try:
                await client.close(CLOSE_S)
            finally:
                self._holder.parted()

    async def _follow(self, failure: AmqpFailure, token: SecretStr, *, served: bool) -> None:
        verdict = self._rules.judge(failure, asyncio.get_running_loop().time(), served=served)
        if verdict.stop is not None:
            raise error_of(failure, verdict.stop, self._settings, token, clock.now(), verdict.tried_s) from failure
        if verdict.new_token and token.get_secret_value():
            self._tokens.refused(token.get_secret_value())
        await self._pause(self._reason(failure, verdict, token), verdict.pause_s)

    def _reason(self, failure: AmqpFailure, verdict: Verdict, token: SecretStr) -> str:
        text = str(failure)
        if verdict.left_s is not None or (failure.condition is not None and failure.condition.name == PRECONDITION):
            text += f" {advice(failure, self._settings, token, clock.now())}"
        elif verdict.new_token and token.get_secret_value():
            text += f" {claims.shown(token.get_secret_value(), clock.now())}"
        if verdict.left_s is not None:
            text += f" It is tried again for {verdict.left_s:.0f} s (amqp_patience_s)."
        return text

    async def _wait_out(self, error: EdsnAuthError | EdsnConfigError) -> None:
        """The provider gives no token. It, too, may only be restarting; how often it is asked is `Identity`'s to bound."""
        verdict = self._rules.no_token(asyncio.get_running_loop().time())
        if verdict.stop is not None:
            if verdict.tried_s < 1:
                raise error
            text = f"{Exception.__str__(error)} It was asked again for {verdict.tried_s:.0f} s."
            raise type(error)(text, error.facts) from None
        left = f" It is asked again for {verdict.left_s:.0f} s (amqp_patience_s)."
        await self._pause(str(error) + left, verdict.pause_s)

    async def _wait(self, error: GridwireError, least_s: float) -> None:
        await self._pause(str(error), self._rules.pause_s(asyncio.get_running_loop().time(), least_s))

    async def _pause(self, reason: str, pause_s: float) -> None:
        self._holder.tell(LinkState("lost", reason, pause_s))
        await asyncio.sleep(pause_s)

    def _look_for_loss(self) -> None:
        since = self._away_since
        if since is not None and not self._loss_told:
            self._loss_told = self._tell_loss(since)

    def _tell_loss(self, since: datetime) -> bool:
        # Wall time on purpose: the broker counts the day of a message on, also while this machine sleeps.
        away_s = (clock.now() - since).total_seconds()
        if away_s <= LOSS_AFTER_S:
            return False
        self._holder.tell(PossibleLoss(since, round(away_s / 3600, 1)))
        return True


def _check(client: AmqpClient) -> None:
    """Raise what has ended the connection, if it has."""
    if client.ended.done():
        raise client.ended.result() or AmqpFailure("The connection was closed by us.", stage="stream", cause="eof")


def _outcome(asking: asyncio.Future[str]) -> str | None:
    """The token that was asked for; None where none came (yet). The next link tells why, if it is no better then."""
    if not asking.done() or asking.cancelled() or isinstance(asking.exception(), Exception):
        return None
    return asking.result()
