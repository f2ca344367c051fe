"""A simulator of EPİAŞ STP: ticket service, trading engine and broadcaster, on plain dicts and XML elements.

Nothing of the client's models, wire or rules is used here, so that client and simulator cannot share one misreading.
Where the venue's document is silent, each choice is named where it is made; the choices are not facts about the venue.
"""

from __future__ import annotations

from gridwire.sandbox.epias_stp.venue import EpiasStpVenue

__all__ = ["EpiasStpVenue"]
