"""EPİAŞ STP: the Turkish spot market for natural gas.

Prices are TL per 1000 Sm3 (``Decimal`` or ``str``; ``price_cents`` in kuruş), quantities int counts of 1000 Sm3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gridwire.epias_stp.broadcast import Message as Message
    from gridwire.epias_stp.client import EpiasStp as EpiasStp
    from gridwire.epias_stp.enums import BidStatus as BidStatus
    from gridwire.epias_stp.enums import BidType as BidType
    from gridwire.epias_stp.enums import Direction as Direction
    from gridwire.epias_stp.operator_rules import gate_setting as gate_setting
    from gridwire.epias_stp.operator_rules import match_change as match_change
    from gridwire.epias_stp.operator_rules import payment as payment
    from gridwire.epias_stp.profile import PRODUCTION as PRODUCTION
    from gridwire.epias_stp.profile import TEST as TEST
    from gridwire.epias_stp.profile import Account as Account
    from gridwire.epias_stp.profile import Profile as Profile
    from gridwire.intents.guard import Limits as Limits

_HOME = {
    "Account": "profile",
    "BidStatus": "enums",
    "BidType": "enums",
    "Direction": "enums",
    "EpiasStp": "client",
    "Limits": "client",
    "Message": "broadcast",
    "PRODUCTION": "profile",
    "Profile": "profile",
    "TEST": "profile",
    "gate_setting": "operator_rules",
    "match_change": "operator_rules",
    "payment": "operator_rules",
}

__all__ = sorted(_HOME)  # noqa: PLE0605 - the table above is the list


def __getattr__(name: str) -> Any:
    """Import on first use: the sandbox reads profiles without paying for the client."""
    import importlib

    if name not in _HOME:
        raise AttributeError(f"module 'gridwire.epias_stp' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"gridwire.epias_stp.{_HOME[name]}"), name)
    globals()[name] = value
    return value
