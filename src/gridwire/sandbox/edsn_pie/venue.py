"""The simulator a test or notebook holds in its hand: accounts, knobs, faults, logs, and the ports they live on."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from gridwire import clock
from gridwire.edsn_pie.profile import Account, AmqpSettings, Profile
from gridwire.errors import InvalidInput, MissingExtra
from gridwire.sandbox.edsn_pie.board import Board, Created
from gridwire.sandbox.edsn_pie.events import EventKnobs, Writer
from gridwire.sandbox.edsn_pie.identity import AMQP, API, Identity, ServiceAccount
from gridwire.sandbox.edsn_pie.log import CallLog
from gridwire.sandbox.edsn_pie.server import ISSUER_PATH, TOKEN_PATH, RestKnobs, RestServer, TokenServer
from gridwire.sandbox.faults import Faults
from gridwire.sandbox.serving import HOST, Authority, Listener
from gridwire.transport.amqp_message import AmqpMessage

if TYPE_CHECKING:
    from gridwire.sandbox.edsn_pie.broker import AmqpBroker

DEFAULT_CLIENT = "pie-service-1"
ORGANISATION = "Voorbeeld Energie"
_CLIENTS = {
    DEFAULT_CLIENT: (ORGANISATION, frozenset({API, AMQP})),
    "pie-service-2": ("Polder Netbeheer", frozenset({API, AMQP})),
    "pie-service-3": (ORGANISATION, frozenset[str]()),
}
KEPT = 100_000


class EdsnPieVenue:
    """EDSN Partners in Energie with its identity provider and its broker, in memory.

    Service accounts: pie-service-1 and pie-service-2 belong to two organisations, pie-service-3 has no role. All sign with
    one key, made anew by each process. Three tickets are there from the start, and wait in the queue of their organisation.
    The broker needs the extra ``edsn``; without it everything else runs.
    """

    def __init__(self, *, seed: int, authority: Authority | None = None) -> None:
        self.log: CallLog = CallLog()
        """Every request to the API and to the identity provider."""
        self.identity: Identity = Identity(seed)
        """Service accounts, the provider's knobs (``identity.knobs``), and the check of tokens."""
        self.rest_knobs: RestKnobs = RestKnobs()
        self.event_knobs: EventKnobs = EventKnobs()
        self.board: Board = Board()
        """The state itself: open tickets and write comments here."""
        self.messages: deque[tuple[str, AmqpMessage]] = deque(maxlen=KEPT)
        """What was published, oldest first, each with the organisation whose queue it goes to."""
        self.broker: AmqpBroker | None = _broker(self._admit)
        """The broker with its queues, knobs, faults and records; None without the extra ``edsn``."""
        self._writer = Writer(seed, self.event_knobs)
        self._tokens = TokenServer(self.identity, self.log)
        self._rest = RestServer(self.identity, self.board, self.log, self.rest_knobs)
        self._authority = authority
        self._listeners: list[Listener] = []
        self._amqp_port: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._key_pem = ""
        self.board.listeners.append(self._publish)
        for subject in ("Meetdata ontbreekt", "Aansluiting onbekend", "Factuur klopt niet"):
            self.board.open_ticket(subject, organisation=ORGANISATION)

    @property
    def faults(self) -> Faults:
        """Faults of the API (operations ``get_ticket``, ``list_comments``, ``get_comment``)."""
        return self._rest.faults

    @property
    def identity_faults(self) -> Faults:
        """Faults of the identity provider (operation ``token``)."""
        return self._tokens.faults

    @property
    def profile(self) -> Profile:
        """Where this simulator listens. Raises `InvalidInput` while it does not."""
        if not self._listeners:
            raise InvalidInput("This sandbox is not running; use it inside its async with block.")
        scheme = "https" if self._authority else "http"
        rest, idp = (f"{scheme}://{HOST}:{listener.port}" for listener in self._listeners[:2])
        return Profile(environment="sandbox", idp_url=idp, rest_url=rest)

    def amqp(self, client: str = DEFAULT_CLIENT) -> AmqpSettings | None:
        """Where this service account finds its queue; None without a broker."""
        if self._amqp_port is None:
            return None
        return AmqpSettings(
            host=HOST,
            address=queue_of(self.identity.accounts[client].organisation),
            port=self._amqp_port,
            tls=self._authority is not None,
        )

    def account(self, client: str = DEFAULT_CLIENT) -> Account:
        """What a client takes to be this service account."""
        profile = self.profile
        if client not in self.identity.accounts:
            known = ", ".join(self.identity.accounts)
            raise InvalidInput(f"There is no service account {client!r} here; there are {known}.")
        pem = self._authority.pem if self._authority else None
        return Account(replace(profile, amqp=self.amqp(client)), client, SecretStr(self._key_pem), ca_pem=pem)

    async def open(self, port: int = 0) -> None:
        """Listen: the API on ``port``, the identity provider on the next one and the broker on the one after that.

        0 takes any free ports.
        """
        self._loop = asyncio.get_running_loop()
        key = await asyncio.to_thread(_key)
        self._key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
        for client, (organisation, roles) in _CLIENTS.items():
            self.identity.register(ServiceAccount(client, organisation, key.public_key(), roles=roles))
        tls = self._authority.context if self._authority else None
        try:
            for offset, (handler, now) in enumerate(
                ((self._rest.handle, clock.now), (self._tokens.handle, self.identity.now))
            ):
                at = port + offset if port else 0
                self._listeners.append(await Listener.open(handler, port=at, tls=tls, now=now))
            if self.broker is not None:
                self._amqp_port = await self.broker.open(port + 2 if port else 0, tls)
        except OSError:
            await self.close()
            raise
        profile = self.profile
        self.identity.token_url = profile.idp_url + TOKEN_PATH
        self.identity.issuer = profile.idp_url + ISSUER_PATH
        self._writer.rest_url = profile.rest_url
        for organisation, message in self.messages:
            self._enqueue(organisation, message)

    async def close(self) -> None:
        """End every connection and stop listening; state and logs stay readable."""
        self._loop, self._amqp_port = None, None
        if self.broker is not None:
            await self.broker.close()
        while self._listeners:
            await self._listeners.pop().close()

    def describe(self) -> dict[str, Any]:
        """Addresses, and the environment variables that point a client here. Holds a throw-away private key."""
        account, profile, amqp = self.account(), self.profile, self.amqp()
        described: dict[str, Any] = {
            "urls": {"rest": profile.rest_url, "idp": self.identity.token_url},
            "env": {
                "GRIDWIRE_EDSN_PIE_ENVIRONMENT": profile.environment,
                "GRIDWIRE_EDSN_PIE_IDP_URL": profile.idp_url,
                "GRIDWIRE_EDSN_PIE_REST_URL": profile.rest_url,
                "GRIDWIRE_EDSN_PIE_CLIENT_ID": account.client_id,
                # On one line, as people who export keys write them; the client mends it.
                "GRIDWIRE_EDSN_PIE_PRIVATE_KEY": self._key_pem.strip().replace("\n", "\\n"),
            },
        }
        if amqp is not None:
            described["urls"]["amqp"] = f"{'amqps' if amqp.tls else 'amqp'}://{amqp.host}:{amqp.port}"
            described["env"] |= {
                "GRIDWIRE_EDSN_PIE_AMQP_HOST": amqp.host,
                "GRIDWIRE_EDSN_PIE_AMQP_PORT": str(amqp.port),
                "GRIDWIRE_EDSN_PIE_AMQP_TLS": str(amqp.tls).lower(),
                "GRIDWIRE_EDSN_PIE_AMQP_ADDRESS": amqp.address,
            }
        return described

    def _publish(self, created: Created) -> None:
        message = self._writer.message(created)
        self.messages.append((created.organisation, message))
        if self._loop is not None:
            self._enqueue(created.organisation, message)

    def _enqueue(self, organisation: str, message: AmqpMessage) -> None:
        """Into the organisation's queue; from another thread, at the next turn of the venue's loop."""
        broker, loop = self.broker, self._loop
        if broker is None or loop is None:
            return
        queue = queue_of(organisation)
        if _running() is loop:
            broker.publish(queue, message)
        else:
            loop.call_soon_threadsafe(broker.publish, queue, message)

    def _admit(self, token: str) -> Mapping[str, Any] | str:
        """What the broker learns of a token."""
        claims = self.identity.check(token)
        if isinstance(claims, Mapping) and AMQP not in claims["roles"]:
            return f"the role {AMQP} is missing"
        return claims


def queue_of(organisation: str) -> str:
    """The name of an organisation's queue here; EDSN's own form is not known."""
    return "pie." + re.sub(r"[^a-z0-9]+", "-", organisation.lower()).strip("-")


def _broker(check: Callable[[str], Mapping[str, Any] | str]) -> AmqpBroker | None:
    try:
        from gridwire.sandbox.edsn_pie.broker import AmqpBroker
    except MissingExtra:
        return None
    return AmqpBroker(check, queues=tuple(sorted({queue_of(organisation) for organisation, _ in _CLIENTS.values()})))


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


@cache
def _key() -> rsa.RSAPrivateKey:
    """The key of every service account in this process; making one takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
