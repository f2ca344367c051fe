"""EDSN Partners in Energie: the Dutch sector's tickets and comments, and a notification of each new one.

Everything here reads. Ids are texts; times are aware and in UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gridwire.edsn_pie.client import EdsnPie as EdsnPie
    from gridwire.edsn_pie.doctor import Finding as Finding
    from gridwire.edsn_pie.models import Comment as Comment
    from gridwire.edsn_pie.models import CommentCreated as CommentCreated
    from gridwire.edsn_pie.models import Notification as Notification
    from gridwire.edsn_pie.models import Ticket as Ticket
    from gridwire.edsn_pie.models import TicketCreated as TicketCreated
    from gridwire.edsn_pie.models import UnknownNotification as UnknownNotification
    from gridwire.edsn_pie.profile import PRODUCTION as PRODUCTION
    from gridwire.edsn_pie.profile import TEST as TEST
    from gridwire.edsn_pie.profile import Account as Account
    from gridwire.edsn_pie.profile import AmqpSettings as AmqpSettings
    from gridwire.edsn_pie.profile import IdPointers as IdPointers
    from gridwire.edsn_pie.profile import Profile as Profile
    from gridwire.edsn_pie.stream import ConsumerOptions as ConsumerOptions
    from gridwire.edsn_pie.stream import LinkState as LinkState
    from gridwire.edsn_pie.stream import PossibleLoss as PossibleLoss
    from gridwire.edsn_pie.stream import Received as Received

_HOME = {
    "Account": "profile",
    "AmqpSettings": "profile",
    "Comment": "models",
    "CommentCreated": "models",
    "ConsumerOptions": "stream",
    "EdsnPie": "client",
    "Finding": "doctor",
    "IdPointers": "profile",
    "LinkState": "stream",
    "Notification": "models",
    "PRODUCTION": "profile",
    "PossibleLoss": "stream",
    "Profile": "profile",
    "Received": "stream",
    "TEST": "profile",
    "Ticket": "models",
    "TicketCreated": "models",
    "UnknownNotification": "models",
}

__all__ = sorted(_HOME)  # noqa: PLE0605 - the table above is the list


def __getattr__(name: str) -> Any:
    """Import on first use: the sandbox reads profiles without paying for the client."""
    import importlib

    if name not in _HOME:
        raise AttributeError(f"module 'gridwire.edsn_pie' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"gridwire.edsn_pie.{_HOME[name]}"), name)
    globals()[name] = value
    return value
