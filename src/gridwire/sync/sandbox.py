"""The sandbox without ``async``.

Its accounts, knobs, faults and logs may be used from any thread, as what they hold is plain memory. ``market`` and
``broadcast`` reach into open connections and may not: trade with a client of your own instead.

Made by ``tools/make_sync.py`` from the async classes: change those, and run it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from gridwire.epias_stp.profile import Account
from gridwire.sandbox.runner import Sandbox as AsyncSandbox
from gridwire.sync.base import Blocking
from gridwire.sync.bridge import Bridge

if TYPE_CHECKING:
    from gridwire.edsn_pie.profile import Account as PieAccount
    from gridwire.sandbox.edsn_pie import EdsnPieVenue
    from gridwire.sandbox.epias_stp import EpiasStpVenue
    from gridwire.sandbox.siooi import SiooiVenue
    from gridwire.siooi.account import Account as SiooiAccount


class Sandbox(Blocking):
    """Venues on loopback for as long as its ``with`` block runs.

    ``tls`` serves HTTPS from a throw-away authority, whose certificate the accounts carry. ``seed`` fixes tickets,
    passwords and tokens. ``ports`` maps a venue to the port of its main service (STP, the API of Partners in Energie); its
    other services take the next ones. Any free ports otherwise. Raises `InvalidInput` for a venue that is not there,
    `OSError` for a port in use.
    """

    def __init__(self, *venues: str, tls: bool = False, seed: int = 1, ports: Mapping[str, int] | None = None) -> None:
        self._wrap(AsyncSandbox(*venues, tls=tls, seed=seed, ports=ports))

    def _wrap(self, client: AsyncSandbox) -> None:
        self._client = client
        self._bridge = Bridge(client, cut="Nothing left this machine.")

    @overload
    def venue(self, name: Literal["epias_stp", "epias"]) -> EpiasStpVenue: ...
    @overload
    def venue(self, name: Literal["edsn_pie", "pie"]) -> EdsnPieVenue: ...
    @overload
    def venue(self, name: Literal["siooi"]) -> SiooiVenue: ...
    @overload
    def venue(self, name: str) -> Any: ...
    def venue(self, name: str) -> Any:
        """The simulator itself: accounts, faults, log, knobs."""
        return self._client.venue(name)

    @property
    def epias_stp(self) -> Account:
        """The account of STP's default participant, as ``EpiasStp(...)`` takes it."""
        return self._client.epias_stp

    @property
    def edsn_pie(self) -> PieAccount:
        """The default service account of Partners in Energie, as ``EdsnPie(...)`` takes it."""
        return self._client.edsn_pie

    @property
    def siooi(self) -> SiooiAccount:
        """The account of the default clerk of АС СиОИ, as ``Siooi(...)`` takes it."""
        return self._client.siooi

    def describe(self) -> dict[str, Any]:
        """Addresses and environment variables of every running venue, for printing. Holds throw-away passwords."""
        return self._client.describe()
