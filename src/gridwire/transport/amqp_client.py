"""One AMQP connection as a client sees it: reach the broker, log in, attach, receive, settle, end.

Every step is bounded, and whatever ends the connection is one `AmqpFailure` that says at which stage it happened. It
does not reconnect; that needs rules of a venue.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from gridwire.errors import ConfigurationError
from gridwire.observe.redact import one_line
from gridwire.transport import amqp, connect, tunnel
from gridwire.transport.amqp import Delivery, Link, Settled
from gridwire.transport.amqp_failure import AmqpFailure, Cause, Condition, Scope, Stage, os_words
from gridwire.transport.amqp_message import AmqpMessage
from gridwire.transport.amqp_wire import AmqpWire, Exchange
from gridwire.transport.sasl import ClientExchange, Mechanism
from gridwire.transport.tls import Network, is_loopback, renewed_context

_log = logging.getLogger("gridwire")

T = TypeVar("T")
Taker: TypeAlias = Callable[[Delivery, bytes], None]

REFUSAL_WAIT_S = 0.5
"""How long a link that was answered without a source may take to say why."""
CBS = "$cbs"
_CBS_REPLY = "cbs-reply"


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker is and what we tell it about us."""

    host: str
    port: int
    container_id: str
    tls: bool = True
    tls_name: str | None = None
    """The name that the broker's certificate must hold; the host itself if None."""
    virtual_host: str | None = None
    """The ``hostname`` of the connection's open frame; the host itself if None."""
    idle_timeout_s: float = 60.0
    """After this long without a byte the connection is given up; 0 never."""
    desired_capabilities: tuple[str, ...] = ()
    properties: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{in_url(self.host)}:{self.port}"


class AmqpClient:
    """An open connection. Made by `connect`; ended by `close` or by the broker, which `ended` tells."""

    def __init__(self, broker: Broker, mechanisms: Sequence[Mechanism], timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._broker = broker
        self._timeout_s = timeout_s
        self._stage: Stage = "connect"
        self._exchange = ClientExchange(mechanisms, broker.virtual_host or broker.host)
        self._engine = amqp.Engine(
            self,
            container_id=broker.container_id,
            hostname=broker.virtual_host or broker.host,
            idle_timeout_s=broker.idle_timeout_s,
            properties=broker.properties,
            desired_capabilities=broker.desired_capabilities,
        )
        self._wire = AmqpWire(self, self._engine, self._exchange, first=self._exchange.start())
        self._decoder = amqp.Decoder()
        self._takers: dict[Link, Taker] = {}
        self._attaching: dict[Link, asyncio.Future[None]] = {}
        self._crediting: dict[Link, asyncio.Future[None]] = {}
        self._main: Link | None = None
        self._cbs: tuple[Link, ...] = ()
        self._parting: asyncio.Future[None] | None = None
        self._opened: asyncio.Future[None] = loop.create_future()
        self._gone: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[AmqpFailure | None] = loop.create_future()
        """Why the connection or its link is over; None if we ended it."""

    @classmethod
    async def connect(cls, broker: Broker, network: Network, mechanisms: Sequence[Mechanism]) -> AmqpClient:
        """Reach ``broker``, log in and open the connection; ``network.timeout_s`` bounds each of the steps.

        Raises `ConfigurationError` for a connection that would carry a token unencrypted off this machine, and
        `AmqpFailure`.
        """
        if not broker.tls and not is_loopback(broker.host):
            raise ConfigurationError(
                f"The broker {broker} would be spoken to without TLS, and the token would travel unencrypted; gridwire "
                "does so with this machine only. Switch tls on. Nothing was sent."
            )
        proxy = network.proxy_for(broker.host)
        if proxy is not None and not proxy.startswith("http://"):
            raise ConfigurationError(
                f"AMQP goes through a proxy with an http:// address only, and {tunnel.place(proxy)} has another. What is "
                "sent through is encrypted in either case. Nothing was sent."
            )
        if proxy is not None and not broker.tls:
            raise ConfigurationError(
                f"A proxy is set, and the token would travel through it to {broker} unencrypted. Switch tls on, or give "
                "the client no proxy. Nothing was sent."
            )
        context = await renewed_context(network, http=False) if broker.tls else None
        client = cls(broker, mechanisms, network.timeout_s)
        try:
            await client._reach(context, proxy)
            await client._until(client._opened)
        except BaseException:
            client._wire.abort()
            client._engine.release()  # the wire does so only if it was ever connected
            raise
        return client

    async def _reach(self, context: ssl.SSLContext | None, proxy: str | None) -> None:
        host, port = self._broker.host, self._broker.port
        name = self._broker.tls_name or host
        try:
            async with asyncio.timeout(self._timeout_s):
                connect.check_name(host)
                connect.check_name(name)
                if proxy is not None and context is not None:
                    await tunnel.open_way(proxy, str(self._broker), self._wire, context, name)
                else:
                    loop, checked = asyncio.get_running_loop(), name if context is not None else None
                    sock = await connect.connected(host, port)
                    await loop.create_connection(lambda: self._wire, sock=sock, ssl=context, server_hostname=checked)
        except tunnel.NoWay as error:
            raise AmqpFailure(str(error), stage="connect", cause="proxy") from None
        except ssl.SSLCertVerificationError as error:
            raise AmqpFailure(
                f"The certificate of the broker {self._broker} does not prove that it is {name}: "
                f"{error.verify_message.rstrip('.')}. Nothing secret was sent.",
                stage="tls",
                cause="certificate",
                verify_code=error.verify_code,
            ) from None
        except ssl.SSLError as error:
            reason = (error.reason or "no reason given").lower().replace("_", " ")
            raise AmqpFailure(
                f"The broker {self._broker} did not complete the TLS handshake ({reason}); it may speak without TLS at this "
                "port.",
                stage="tls",
                cause="network",
            ) from None
        except TimeoutError:
            raise self._late() from None
        except OSError as error:
            hint = (
                "; it may speak without TLS at this port" if isinstance(error, ConnectionResetError) and context else ""
            )
            raise AmqpFailure(
                f"The broker {self._broker} cannot be reached ({os_words(error)}{hint}).",
                stage="connect",
                cause="network",
            ) from None
        if self._stage == "connect":
            self._stage = "sasl"

    @property
    def offered(self) -> tuple[str, ...]:
        """The SASL mechanisms that the broker offered."""
        return self._exchange.offered

    @property
    def mechanism(self) -> str:
        """The SASL mechanism that was used; empty before the broker offered any."""
        return self._exchange.mechanism

    def flush(self) -> None:
        """Send what was settled and asked for, in the loop's next turn."""
        self._wire.flush()

    def ask(self, link: Link, credit: int) -> None:
        """Ask for ``credit`` more messages, after all settlements have gone, so that the broker never sees more than it should."""
        self._wire.flush_now()
        if not self.ended.done():
            link.flow(credit)
            self._wire.flush()

    def decode(self, data: bytes) -> AmqpMessage:
        """A delivery's message. Raises `gridwire.transport.amqp.Undecodable`."""
        return self._decoder.decode(data)

    # links

    async def attach(self, address: str, *, name: str, capabilities: Sequence[str] = (), taker: Taker) -> Link:
        """Receive from ``address``. No message comes before `Link.flow`. Raises `AmqpFailure` of stage ``attach``."""
        self._stage = "attach"
        link = self._engine.receiver(name)
        self._main = link
        self._takers[link] = taker
        link.open(source=address, target=None, capabilities=capabilities)
        await self._until(self._attached(link))
        return link

    async def put_token(self, token: str, name: str, kind: str = "jwt") -> None:
        """Hand ``token`` to the broker's ``$cbs`` node (OASIS claims-based security). Raises `AmqpFailure`.

        ``name`` says what it is for, ``kind`` what it is.
        """
        self._stage = "sasl"
        reply: asyncio.Future[AmqpMessage] = asyncio.get_running_loop().create_future()

        def take(delivery: Delivery, data: bytes) -> None:
            delivery.settle(Settled.ACCEPTED)
            self._cbs = ()  # answered: a broker may end these links now
            if not reply.done():
                reply.set_result(self._decoder.decode(data))

        self._cbs = receiver, sender = self._engine.receiver("cbs-in"), self._engine.sender("cbs-out")
        self._takers[receiver] = take
        receiver.open(source=CBS, target=_CBS_REPLY)
        sender.open(source=_CBS_REPLY, target=CBS)
        for waiting in [self._attached(link) for link in (receiver, sender)]:
            await self._until(waiting)
        receiver.flow(1)
        await self._credit(sender, lambda: sender.credit > 0)
        claims = {"operation": "put-token", "type": kind, "name": name}
        request = AmqpMessage(body=token, message_id="put-token", properties=claims)
        sender.send(amqp.encode(request, durable=False, reply_to=_CBS_REPLY), "put-token")
        self.flush()
        answer = await self._until(reply)
        for link in (receiver, sender):
            self._takers.pop(link, None)
            link.close()
        self._judge(answer)

    def _judge(self, answer: AmqpMessage) -> None:
        status, words = (
            answer.properties.get("status-code"),
            one_line(str(answer.properties.get("status-description", ""))),
        )
        if status in (200, 202):
            return
        said = f"status {one_line(str(status), 20)}" + (f", {words}" if words else "")
        outcome = 1 if status in (401, 403) else 4
        raise AmqpFailure(
            f"The broker did not take the token ({said}).", stage="sasl", cause="outcome", outcome=outcome
        )

    def _attached(self, link: Link) -> asyncio.Future[None]:
        self._attaching[link] = waiting = asyncio.get_running_loop().create_future()
        self.flush()
        return waiting

    async def _credit(self, link: Link, enough: Callable[[], bool]) -> None:
        while not enough():
            self._crediting[link] = waiting = asyncio.get_running_loop().create_future()
            self.flush()
            await self._until(waiting)

    async def _until(self, waiting: asyncio.Future[T]) -> T:
        """Wait for it, for the end of the connection, or until it takes too long."""
        try:
            async with asyncio.timeout(self._timeout_s):
                either: set[asyncio.Future[Any]] = {waiting, self.ended}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise self._late() from None
        if self.ended.done() and not waiting.done():
            failure = self.ended.result()
            raise failure or AmqpFailure("The connection was closed by us.", stage=self._stage, cause="eof")
        return waiting.result()

    def _late(self) -> AmqpFailure:
        what = {"connect": "reached", "sasl": "logged in to", "open": "opened a connection to"}.get(self._stage, "used")
        return AmqpFailure(
            f"The broker {self._broker} could not be {what} within {self._timeout_s:g} s."
            if self._stage in ("connect", "stream", "tls")
            else f"The broker {self._broker} did not answer within {self._timeout_s:g} s (stage {self._stage}).",
            stage=self._stage,
            cause="timeout",
        )

    # the end

    async def close(self, timeout_s: float) -> None:
        """Say good-bye, give the broker ``timeout_s`` for each answer, and end the connection in any case.

        The link is closed first and by itself: a broker may look at settlements and at the end of a connection in
        different places, and its answer to the link's end shows that it has seen the settlements. Whoever is cancelled
        while waiting for these answers leaves no connection behind either.
        """
        try:
            await self._part(timeout_s)
        finally:
            if not self.ended.done():
                self.ended.set_result(None)
            self._wire.abort()
        await asyncio.wait({self._gone}, timeout=timeout_s)

    async def _part(self, timeout_s: float) -> None:
        if self._main is not None and not self.ended.done():
            self._parting = parting = asyncio.get_running_loop().create_future()
            self._main.close()
            self.flush()
            either: set[asyncio.Future[Any]] = {parting, self.ended}
            await asyncio.wait(either, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if not self.ended.done():
            self._engine.close()
            self._wire.flush()
            self.ended.set_result(None)
            await asyncio.wait({self._gone}, timeout=timeout_s)

    def _end(self, text: str, cause: Cause, condition: Condition | None = None, scope: Scope | None = None) -> None:
        if not self.ended.done():
            self.ended.set_result(
                AmqpFailure(
                    text, stage=self._stage, cause=cause, condition=condition, offered=self.offered, scope=scope
                )
            )

    # what the wire tells

    def logging_in(self, exchange: Exchange) -> None:
        """The login has come further."""
        self._stage = "sasl"
        if self._exchange.done:
            self._stage = "open"
            self._engine.open()
            self._wire.start_engine()

    def login_failed(self, error: Exception) -> None:
        """The broker said no, or something that is no SASL."""
        if not self.ended.done():
            self.ended.set_result(
                error
                if isinstance(error, AmqpFailure)
                else AmqpFailure(f"The login failed: {error}.", stage="sasl", cause="garbage", offered=self.offered)
            )
        self._wire.abort()

    def lost(self, error: Exception | None) -> None:
        """The socket is gone."""
        if not self.ended.done() and self._stage in ("connect", "sasl") and not self._exchange.done:
            self.ended.set_result(self._exchange.cut())
        words = f" ({os_words(error)})" if error is not None else ""
        self._end(f"The connection to the broker {self._broker} ended without a word{words}.", "eof")
        if not self._gone.done():
            self._gone.set_result(None)

    # what the engine tells

    def opened(self) -> None:
        """The broker has opened the connection."""
        self._wire.retime()
        if not self._opened.done():
            self._opened.set_result(None)

    def attached(self, link: Link) -> None:
        """A link stands if the broker names the end that is its own."""
        address = link.peer_source if link.receives else link.peer_target
        waiting = self._attaching.get(link)
        if waiting is None or waiting.done():
            return
        if address is not None and link is self._main and link.peer_presettles:
            text = (
                "The broker sends every message of this link as settled, although we have asked it not to: what does not "
                "reach its handler would be lost. Nothing was taken."
            )
            self._end(text, "settled")
        elif address is not None:
            waiting.set_result(None)
            if link is self._main:
                self._stage = "stream"
        else:
            what = "place for tokens" if link in self._cbs else "queue"
            text = f"The broker answered the link without an address: there is no such {what}, or it is not for us."
            asyncio.get_running_loop().call_later(REFUSAL_WAIT_S, self._end, text, "null_source")

    def delivered(self, link: Link, delivery: Delivery, data: bytes) -> None:
        """A message for whoever attached the link."""
        if (taker := self._takers.get(link)) is not None:
            taker(delivery, data)

    def oversized(self, link: Link, delivery: Delivery) -> None:
        """Leave it undecided as long as the connection lives: given back it would come again at once, rejected it would be lost."""
        fate = "It stays in the queue until its day is over."
        _log.warning(
            "amqp.oversized: a message of more than %d bytes came from the broker %s and was not read. %s Ask its operator "
            "what it was.",
            amqp.MAX_MESSAGE_BYTES,
            self._broker,
            "The broker had settled it, and has forgotten it." if delivery.presettled else fate,
        )
        self.flush()

    def credited(self, link: Link) -> None:
        """Somebody may wait for it."""
        if (waiting := self._crediting.pop(link, None)) is not None and not waiting.done():
            waiting.set_result(None)

    def disposed(self, delivery: Delivery, how: int, *, failed: bool) -> None:
        """We send nothing whose fate we follow."""

    def detached(self, link: Link, condition: Condition | None) -> None:
        """The broker ends a link: that is the end of the connection's purpose, unless we were done with it."""
        if self._parting is not None:
            if link is self._main and not self._parting.done():
                self._parting.set_result(None)
            return
        if link in self._cbs:
            why = condition or "it gave no reason"
            self._end(f"The broker ended the link for the token before it had answered: {why}.", "condition", condition)
        elif link is self._main or (link in self._attaching and not self._attaching[link].done()):
            self._end(f"The broker ended the link: {condition or 'it gave no reason'}.", "condition", condition, "link")

    def session_ended(self, condition: Condition | None) -> None:
        """Some brokers refuse a link by ending the session."""
        text = f"The broker ended the session: {condition or 'it gave no reason'}."
        self._end(text, "condition", condition, "session")

    def closed(self, condition: Condition | None) -> None:
        """The broker says good-bye."""
        text = f"The broker closed the connection: {condition or 'it gave no reason'}."
        self._end(text, "condition", condition, "connection")

    def broken(self, condition: Condition) -> None:
        """Silence for too long, or garbage."""
        if "idle-timeout" in condition.description:
            text = f"Nothing came from the broker {self._broker} for {self._broker.idle_timeout_s:g} s."
            self._end(text, "idle", condition)
        else:
            self._end(f"The broker sent what is not AMQP 1.0: {condition}.", "garbage", condition)


def in_url(host: str) -> str:
    """``host`` as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host
