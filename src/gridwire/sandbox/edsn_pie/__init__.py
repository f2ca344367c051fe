"""A simulator of EDSN Partners in Energie: identity provider, REST API and the events that go to the queue.

Nothing of the client's models, wire or rules is used here, so that client and simulator cannot share one misreading.
Where the venue's guide is silent, each choice is a knob or is named where it is made; the choices are not facts about the
venue.
"""

from __future__ import annotations

from gridwire.sandbox.edsn_pie.venue import EdsnPieVenue

__all__ = ["EdsnPieVenue"]
