"""The nouns of the simulated market. Prices are whole kuruş per 1000 Sm3; quantities count 1000 Sm3; instants are UTC."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal, TypeAlias

from gridwire.sandbox.matching import Book, Side

Role: TypeAlias = Literal["participant", "operator"]
ContractType: TypeAlias = Literal["STANDART", "WEEKLY", "REGIONAL"]
ContractStatus: TypeAlias = Literal["WAITING", "ACTIVE", "CLOSED"]
BidStatus: TypeAlias = Literal["ACTIVE", "PASSIVE", "CANCEL", "ACCEPTED"]
MatchStatus: TypeAlias = Literal["APPROVED", "CANCELLED"]
Movement: TypeAlias = Literal["UP", "DOWN", "IDLE"]

POINTS = {101: "Malkoçlar", 102: "Durusu", 103: "Türkgözü"}
"""Physical points a regional contract can cover (names of real entry points, numbers of our own)."""

NATIONAL_POINT = "UDN"
"""The national balancing point, where contracts that are not regional trade."""


def lira(kurus: int) -> Decimal:
    """Whole kuruş as lira with two decimals."""
    return Decimal(kurus).scaleb(-2)


def kurus(price: Decimal) -> int:
    """Lira as whole kuruş. Raises `ValueError` for a price with more than two decimals, or none at all."""
    scaled = price.scaleb(2)
    if not price.is_finite() or scaled != scaled.to_integral_value():
        raise ValueError("a price has at most two decimals")
    return int(scaled)


@dataclass(frozen=True, slots=True)
class Organisation:
    """A market participant, or the market operator itself. ``eic`` is its energy identification code."""

    id: int
    name: str
    eic: str


@dataclass(frozen=True, slots=True)
class User:
    """Who calls. Participants trade; operators run the market and may not trade."""

    name: str
    organisation: Organisation
    role: Role


@dataclass(slots=True)
class Gate:
    """When bids are taken. Its dates are the contract's activation and closing time."""

    id: int
    contract_name: str
    start: datetime
    end: datetime
    status: Literal["OPEN", "CLOSED"] = "OPEN"

    def passes(self, now: datetime) -> bool:
        """Whether a bid may be entered or changed now."""
        return self.status == "OPEN" and self.start <= now < self.end


@dataclass(slots=True)
class Match:
    """A trade. ``buy`` and ``sell`` are the two bids."""

    id: str
    contract_name: str
    point_name: str
    price: int
    quantity: int
    time: datetime
    buy: Bid
    sell: Bid
    status: MatchStatus = "APPROVED"
    created_by: str = "SYSTEM"
    reason: Literal["AUTOMATIC", "MANUAL"] = "AUTOMATIC"


@dataclass(slots=True)
class Contract:
    """A tradable contract with its book, its gate, its configuration (by wire name) and its matches, oldest first."""

    name: str
    type: ContractType
    gas_days: tuple[date, ...]
    created: datetime
    quantity: int
    direction: Side
    point_ids: tuple[int, ...]
    gate: Gate
    configuration: dict[str, Any]
    status: ContractStatus = "WAITING"
    book: Book = field(default_factory=Book)
    matches: list[Match] = field(default_factory=list)

    @property
    def locations(self) -> tuple[str, ...]:
        """Names of the points of a regional contract."""
        return tuple(POINTS[point] for point in self.point_ids)

    def approved(self) -> list[Match]:
        """The matches that count for prices and payments."""
        return [match for match in self.matches if match.status == "APPROVED"]

    def remaining(self) -> int:
        """What a regional contract still has to trade."""
        return max(0, self.quantity - sum(match.quantity for match in self.approved()))


@dataclass(slots=True)
class Bid:
    """A bid as the engine keeps it. ``quantity`` is what was matched plus ``remaining``."""

    id: str
    user: User
    contract: Contract
    direction: Side
    price: int
    quantity: int
    remaining: int
    type: str
    status: BidStatus
    created: datetime
    expires: datetime | None
    point_name: str

    @property
    def is_open(self) -> bool:
        """Whether it can still be changed, cancelled or matched."""
        return self.status in ("ACTIVE", "PASSIVE")


def weighted_average(matches: Iterable[Match]) -> int | None:
    """Volume-weighted price, rounded half up to a kuruş; None without a match."""
    volume = money = 0
    for match in matches:
        volume += match.quantity
        money += match.price * match.quantity
    return None if not volume else int((Decimal(money) / volume).to_integral_value(ROUND_HALF_UP))


def movement(before: int | None, after: int | None) -> Movement:
    """Which way a price went; IDLE without two prices to compare."""
    if before is None or after is None or before == after:
        return "IDLE"
    return "UP" if after > before else "DOWN"
