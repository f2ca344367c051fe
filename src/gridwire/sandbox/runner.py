"""Starts and stops the venues of one sandbox."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from gridwire.epias_stp.profile import Account
from gridwire.errors import InvalidInput, MissingExtra
from gridwire.sandbox.serving import Authority

if TYPE_CHECKING:
    from gridwire.edsn_pie.profile import Account as PieAccount
    from gridwire.sandbox.edsn_pie import EdsnPieVenue
    from gridwire.sandbox.epias_stp import EpiasStpVenue
    from gridwire.sandbox.siooi import SiooiVenue
    from gridwire.siooi.account import Account as SiooiAccount


@dataclass(frozen=True, slots=True)
class _Home:
    """Where a venue's class is, imported when it is started, and how many ports it listens on, one after the other."""

    module: str
    name: str
    ports: int

    def load(self) -> Callable[..., Any]:
        found: Callable[..., Any] = getattr(import_module(self.module), self.name)
        return found


_VENUES = {
    "epias_stp": _Home("gridwire.sandbox.epias_stp", "EpiasStpVenue", 2),
    "edsn_pie": _Home("gridwire.sandbox.edsn_pie", "EdsnPieVenue", 3),
    "siooi": _Home("gridwire.sandbox.siooi", "SiooiVenue", 1),
}
_SHORT = {"epias": "epias_stp", "pie": "edsn_pie"}


def _full_name(name: str) -> str:
    full = _SHORT.get(name, name)
    if full not in _VENUES:
        known = ", ".join(sorted({*_VENUES, *_SHORT}))
        raise InvalidInput(f"The sandbox has no venue {name!r}; it has {known}. Nothing was started.")
    return full


def venue_names(*names: str) -> list[str]:
    """The full names of the venues a sandbox of ``names`` runs, each once, in order.

    Without any: all whose packages are installed. Raises `InvalidInput` for a venue that is not there.
    """
    if names:
        return list(dict.fromkeys(map(_full_name, names)))
    return [name for name, home in _VENUES.items() if _is_installed(home)]


def ports_of(name: str) -> int:
    """How many ports the venue of this full name takes, one after the other."""
    return _VENUES[name].ports


def _is_installed(home: _Home) -> bool:
    try:
        home.load()
    except MissingExtra:
        return False
    return True


class Sandbox:
    """Venues on loopback for as long as its ``async with`` block runs.

    ``tls`` serves HTTPS from a throw-away authority, whose certificate the accounts carry. ``seed`` fixes tickets,
    passwords and tokens. ``ports`` maps a venue to the port of its main service (STP, the API of Partners in Energie); its
    other services take the next ones. Any free ports otherwise. Raises `InvalidInput` for a venue that is not there,
    `OSError` for a port in use.
    """

    def __init__(self, *venues: str, tls: bool = False, seed: int = 1, ports: Mapping[str, int] | None = None) -> None:
        self._names = venue_names(*venues)
        self._ports = {_full_name(name): port for name, port in (ports or {}).items()}
        self._tls = tls
        self._seed = seed
        self._venues: dict[str, Any] = {}
        self._ca_bundle: str | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            authority = await asyncio.to_thread(Authority) if self._tls else None
            if authority is not None:
                self._ca_bundle = await asyncio.to_thread(_write_private, authority.pem)
                stack.push_async_callback(asyncio.to_thread, os.unlink, self._ca_bundle)
            for name in self._names:
                venue = _VENUES[name].load()(seed=self._seed, authority=authority)
                await venue.open(self._ports.get(name, 0))
                stack.push_async_callback(venue.close)
                self._venues[name] = venue
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        self._ca_bundle = None

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
        full = _full_name(name)
        if full not in self._venues:
            raise InvalidInput(f"{full} is not running in this sandbox; name it when it is made: Sandbox({full!r}).")
        return self._venues[full]

    @property
    def epias_stp(self) -> Account:
        """The account of STP's default participant, as ``EpiasStp(...)`` takes it."""
        return self.venue("epias_stp").account()

    @property
    def edsn_pie(self) -> PieAccount:
        """The default service account of Partners in Energie, as ``EdsnPie(...)`` takes it."""
        return self.venue("edsn_pie").account()

    @property
    def siooi(self) -> SiooiAccount:
        """The account of the default clerk of АС СиОИ, as ``Siooi(...)`` takes it."""
        return self.venue("siooi").account()

    def describe(self) -> dict[str, Any]:
        """Addresses and environment variables of every running venue, for printing. Holds throw-away passwords."""
        described = {name: venue.describe() for name, venue in self._venues.items()}
        if self._ca_bundle is not None:
            for name, venue in described.items():
                venue["env"][f"GRIDWIRE_{name.upper()}_CA_BUNDLE"] = self._ca_bundle
        return {"venues": described}


def _write_private(pem: str) -> str:
    """A new file that only this user can read."""
    handle, path = tempfile.mkstemp(prefix="gridwire-sandbox-", suffix=".pem")
    os.close(handle)
    Path(path).write_text(pem, encoding="ascii")
    return path
