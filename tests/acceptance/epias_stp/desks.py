"""An armed desk at a sandbox, and what the ticket service was asked."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from gridwire.epias_stp import EpiasStp, Limits
from gridwire.epias_stp.desk import StpDesk
from gridwire.sandbox import Sandbox
from gridwire.sandbox.epias_stp import EpiasStpVenue

CONTRACT = "GG20261202"


@asynccontextmanager
async def armed(limits: Limits | None = None, **more: Any) -> AsyncIterator[tuple[EpiasStpVenue, EpiasStp, StpDesk]]:
    async with (
        Sandbox("epias_stp") as box,
        EpiasStp(box.epias_stp) as stp,
        stp.desk(contracts=[CONTRACT], limits=limits or Limits(), **more) as desk,
    ):
        yield box.venue("epias_stp"), stp, desk


def cas_calls(venue: EpiasStpVenue) -> list[float]:
    """When the ticket service was asked for something, whatever it answered."""
    asked = ("login", "login_refused", "banned", "service_ticket", "service_ticket_refused", "logout")
    return [event.at for event in venue.cas.log if event.kind in asked]


def most_in(times: list[float], span_s: float) -> int:
    """The most events in any ``span_s`` seconds."""
    most, first = 0, 0
    for last, at in enumerate(times):
        while times[first] <= at - span_s:
            first += 1
        most = max(most, last - first + 1)
    return most


@contextmanager
def quiet() -> Iterator[None]:
    """Without the log lines of ten thousand calls."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
