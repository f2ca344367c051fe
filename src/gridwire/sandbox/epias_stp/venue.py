"""The simulator a test or notebook holds in its hand: users, knobs, faults, logs, and the two ports they live on."""

from __future__ import annotations

import string
from datetime import datetime
from random import Random
from typing import Any

from pydantic import SecretStr

from gridwire import clock
from gridwire.epias_stp.profile import Account, Profile
from gridwire.errors import InvalidInput
from gridwire.sandbox.cas import Cas
from gridwire.sandbox.cas_server import PATH as CAS_PATH
from gridwire.sandbox.cas_server import CasServer
from gridwire.sandbox.epias_stp.broadcast import Broadcaster
from gridwire.sandbox.epias_stp.engine import Engine, StpKnobs
from gridwire.sandbox.epias_stp.log import CallLog
from gridwire.sandbox.epias_stp.market import Market
from gridwire.sandbox.epias_stp.records import Organisation, User
from gridwire.sandbox.epias_stp.server import StpServer
from gridwire.sandbox.faults import Faults
from gridwire.sandbox.serving import HOST, Authority, Listener

DEFAULT_USER = "TRADER1"
_ANADOLU = Organisation(101, "Anadolu Gaz", "40X000000000101A")
_TRAKYA = Organisation(102, "Trakya Enerji", "40X000000000102B")
_OPERATOR = Organisation(1, "STP", "40X000000000001C")


class EpiasStpVenue:
    """EPİAŞ STP with its ticket service, in memory.

    Users: TRADER1 and TRADER2 are participants of two organisations, OPERATOR1 runs the market.
    """

    def __init__(self, *, seed: int, authority: Authority | None = None) -> None:
        users = [
            User(DEFAULT_USER, _ANADOLU, "participant"),
            User("TRADER2", _TRAKYA, "participant"),
            User("OPERATOR1", _OPERATOR, "operator"),
        ]
        self.knobs: StpKnobs = StpKnobs()
        """How STP behaves; the ticket service's knobs are ``cas.knobs``."""
        self.log: CallLog = CallLog()
        """Every request to STP; the ticket service's log is ``cas.log``."""
        self.cas: Cas = Cas(seed, _passwords(seed, users), {self.knobs.service})
        self.market: Market = Market(users, clock.now())
        """The state itself, for arranging and inspecting without a wire."""
        self.broadcast: Broadcaster = Broadcaster(seed, self.knobs, lambda: self.market.advance(self.knobs.now()))
        self.market.listeners.append(self.broadcast.publish)
        self._cas_server = CasServer(self.cas)
        self._stp_server = StpServer(self.cas, Engine(self.market, self.knobs, self.log), self.broadcast, self.knobs)
        self._authority = authority
        self._listeners: list[Listener] = []

    @property
    def faults(self) -> Faults:
        """Faults of the trading engine and of ``endpoint_get``."""
        return self._stp_server.faults

    @property
    def cas_faults(self) -> Faults:
        """Faults of the ticket service (operations ``login``, ``service_ticket``, ``tgt_status``, ``logout``)."""
        return self._cas_server.faults

    @property
    def profile(self) -> Profile:
        """Where this simulator listens. Raises `InvalidInput` while it does not."""
        if not self._listeners:
            raise InvalidInput("This sandbox is not running; use it inside its async with block.")
        scheme = "https" if self._authority else "http"
        cas, stp = (f"{scheme}://{HOST}:{listener.port}" for listener in self._listeners)
        return Profile(
            environment="sandbox",
            cas_url=cas + CAS_PATH,
            stp_url=stp,
            service=self.knobs.service,
            engine_path=self.knobs.engine_path,
            broadcaster_path=self.knobs.broadcaster_path,
        )

    def account(self, name: str = DEFAULT_USER) -> Account:
        """What a client takes to be this user."""
        if name not in self.market.users:
            raise InvalidInput(f"There is no user {name!r} here; there are {', '.join(self.market.users)}.")
        pem = self._authority.pem if self._authority else None
        return Account(self.profile, name, SecretStr(self.cas.passwords[name]), pem)

    async def open(self, port: int = 0) -> None:
        """Listen: the trading engine on ``port`` and the ticket service on the next one; 0 takes any free ports."""
        tls = self._authority.context if self._authority else None
        self._listeners = [await Listener.open(self._cas_server.handle, port=port + 1 if port else 0, tls=tls)]
        try:
            self._listeners.append(await Listener.open(self._stp_server.handle, port=port, tls=tls, now=self._date))
        except OSError:
            await self.close()
            raise

    def _date(self) -> datetime | None:
        return self.knobs.now() if self.knobs.sends_date else None

    async def close(self) -> None:
        """End every connection and stop listening; state and logs stay readable."""
        await self.broadcast.close()
        while self._listeners:
            await self._listeners.pop().close()

    def describe(self) -> dict[str, Any]:
        """Addresses, and the environment variables that point a client here. Holds a throw-away password."""
        account, profile = self.account(), self.profile
        return {
            "urls": {"cas": profile.cas_url, "stp": profile.stp_url},
            "env": {
                "GRIDWIRE_EPIAS_STP_ENVIRONMENT": profile.environment,
                "GRIDWIRE_EPIAS_STP_CAS_URL": profile.cas_url,
                "GRIDWIRE_EPIAS_STP_STP_URL": profile.stp_url,
                "GRIDWIRE_EPIAS_STP_SERVICE": profile.service,
                "GRIDWIRE_EPIAS_STP_USERNAME": account.username,
                "GRIDWIRE_EPIAS_STP_PASSWORD": account.password.get_secret_value(),
            },
        }


def _passwords(seed: int, users: list[User]) -> dict[str, str]:
    random = Random(f"{seed}:passwords")  # noqa: S311 - they open nothing but a venue in memory
    letters = string.ascii_letters + string.digits
    return {user.name: "".join(random.choices(letters, k=20)) for user in users}
