"""What is checked before anything is sent, and the request bodies of a participant's calls. Pure functions.

Every function takes a caller's arguments and returns a body that the wire can carry, or raises `InvalidInput` with a
sentence that names the argument and the right spelling. Whatever depends on the venue's state (limits of a contract, open
gates, whether a name exists) is not decided here: contract names in particular are opaque, and a name is never refused
because a cached list does not hold it. Operator and settlement calls are in `gridwire.epias_stp.operator_rules`.

Sources: STP document, definitions of section 7 and the field notes of section 5; the rules about ``expire_time`` and about
the states a participant may send are inferred from names.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import TypeVar
from uuid import UUID, uuid4

from gridwire.enums import OpenEnum
from gridwire.epias_stp.enums import BidStatus, BidType, Direction
from gridwire.epias_stp.models.base import check_text
from gridwire.epias_stp.models.requests import (
    ActiveContractMatchingRequestBody,
    BidCancelRequestBody,
    BidSaveRequestBody,
    BidUpdateRequestBody,
    ContractNameRequestBody,
)
from gridwire.errors import InvalidInput
from gridwire.periods import aware
from gridwire.units import count, price

E = TypeVar("E", bound=OpenEnum)
T = TypeVar("T")

PRICE_UNIT = "TL/1000 Sm3"
QUANTITY_UNIT = "1000 Sm3"

_SENT_BY_PARTICIPANTS = (BidStatus.ACTIVE, BidStatus.PASSIVE)


def bid_save(
    contract: str,
    *,
    direction: Direction | str,
    price: Decimal | str | None = None,
    price_cents: int | None = None,
    quantity: int,
    bid_type: BidType | str,
    bid_status: BidStatus | str = BidStatus.ACTIVE,
    expire_time: datetime | None = None,
    point_name: str | None = None,
    bid_process_name: str | None = None,
    allow_no_price: bool = False,
    allow_any_status: bool = False,
    places: int | None = 2,
) -> BidSaveRequestBody:
    """A new bid. ``price`` is TL/1000 Sm3 (``price_cents`` hundredths of it), ``quantity`` a count of 1000 Sm3.

    ``expire_time`` belongs to MATCH_WITH_TIME_LIMIT alone, and is needed there. ``places`` is how many decimals a price
    may have; None switches that check off. Raises `InvalidInput`.
    """
    kind = type_of_bid(bid_type)
    return BidSaveRequestBody(
        contract_name=name_text(contract, "contract"),
        price=_price(price, price_cents, places, allow_no_price),
        quantity=count(quantity, unit=QUANTITY_UNIT),
        bid_type=kind,
        bid_status=status(bid_status, allow_any=allow_any_status),
        direction=side(direction, "direction"),
        expire_time=expiry(expire_time, kind),
        point_name=optional_text(point_name, "point_name"),
        bid_process_name=optional_text(bid_process_name, "bid_process_name"),
    )


def bid_update(
    bid_id: str,
    *,
    price: Decimal | str | None = None,
    price_cents: int | None = None,
    quantity: int,
    bid_status: BidStatus | str,
    allow_no_price: bool = False,
    allow_any_status: bool = False,
    places: int | None = 2,
) -> BidUpdateRequestBody:
    """A bid's new state, restated in full: STP has no partial change and no version to compare with.

    Whether ``quantity`` means the whole bid or what is left of it is not documented. Raises `InvalidInput`.
    """
    return BidUpdateRequestBody(
        bid_id=name_text(bid_id, "bid_id"),
        price=_price(price, price_cents, places, allow_no_price),
        quantity=count(quantity, unit=QUANTITY_UNIT),
        bid_status=status(bid_status, allow_any=allow_any_status),
    )


def bid_cancel(bid_id: str) -> BidCancelRequestBody:
    """The cancellation of a bid. Raises `InvalidInput` for an empty id."""
    return BidCancelRequestBody(bid_id=name_text(bid_id, "bid_id"))


def contract_name(contract: str) -> ContractNameRequestBody:
    """A call about one contract: depth, depth summary, master data, configuration. Raises `InvalidInput`."""
    return ContractNameRequestBody(contract_name=name_text(contract, "contract"))


def matchings(contracts: Iterable[str]) -> ActiveContractMatchingRequestBody:
    """The matches of these contracts; at least one. Raises `InvalidInput`."""
    names = [name_text(contract, "contracts") for contract in listed(contracts, "contracts")]
    return ActiveContractMatchingRequestBody(contract_names=names)


def transaction_id(given: str | UUID | None = None) -> str:
    """The id of a call in the form that is sent: ``given``, or a new random one (UUID version 4).

    EPİAŞ support asks for it. Nothing says that STP recognises a repeated one. Raises `InvalidInput`.
    """
    if given is None:
        return str(uuid4())
    try:
        return str(UUID(str(given)))
    except ValueError:
        raise InvalidInput(
            f"transaction_id={given!r} is not a UUID, which STP requires (uuid.uuid4() makes one)."
        ) from None


def name_text(value: str, name: str) -> str:
    """``value`` if it is a text with something in it, without blanks around; sent as it is, its case never changed."""
    if not isinstance(value, str):
        raise InvalidInput(f'{name}={value!r} is of type {type(value).__name__}; a str is needed: {name}="{value}".')
    if not value.strip():
        raise InvalidInput(f"{name} is empty.")
    if value != value.strip():
        raise InvalidInput(f"{name}={value!r} begins or ends with a blank; remove it.")
    return check_text(value, name)


def optional_text(value: str | None, name: str) -> str | None:
    """The same for an argument that may be left out."""
    return None if value is None else name_text(value, name)


def side(value: Direction | str, name: str) -> Direction:
    """BUY or SELL; nothing else, because a wrong side is the dearest typing error there is."""
    if isinstance(value, str) and value in (Direction.BUY, Direction.SELL):
        return Direction(value)
    raise InvalidInput(f'{name}={value!r} is not a side; write {name}="BUY" or {name}="SELL".')


def listed(values: Iterable[T], name: str, *, least: int = 1) -> list[T]:
    """``values`` as a list with at least ``least`` entries."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise InvalidInput(f"{name}={values!r} is of type {type(values).__name__}; a list is needed.")
    items = list(values)
    if len(items) < least:
        raise InvalidInput(f"{name} is empty; give at least one.")
    return items


def type_of_bid(value: BidType | str) -> BidType:
    """One of STP's bid types; a new one of the venue only as ``BidType(...)``."""
    return _choice(value, BidType, "bid_type")


def _choice(value: E | str, kind: type[E], name: str) -> E:
    """A known value as text, or any value wrapped in ``kind`` by a caller who knows that the venue takes it."""
    if isinstance(value, kind):
        return value
    if isinstance(value, str) and kind(value).known:
        return kind(value)
    spellings = ", ".join(f'"{member.value}"' for member in kind)
    raise InvalidInput(
        f"{name}={value!r} is not a {name} that STP documents; these are: {spellings}. "
        f"Should the venue have a new one, write {name}={kind.__name__}({value!r})."
    )


def status(value: BidStatus | str, *, allow_any: bool = False) -> BidStatus:
    """The state of a bid that a participant may send; any other only with ``allow_any``."""
    chosen = _choice(value, BidStatus, "bid_status")
    if chosen not in _SENT_BY_PARTICIPANTS and not allow_any:
        raise InvalidInput(
            f'bid_status="{chosen}" is a state that STP gives a bid; send "ACTIVE" or "PASSIVE" '
            "(allow_any_status=True sends it all the same; to cancel, call cancel)."
        )
    return chosen


def _price(given: Decimal | str | None, cents: int | None, places: int | None, allow_none: bool) -> Decimal | None:
    exact = price(given, cents, unit=PRICE_UNIT, places=places)
    if exact is None and not allow_none:
        raise InvalidInput(
            f'A bid needs price="12000.50" or price_cents=1200050 ({PRICE_UNIT}). What STP does with a bid without a price '
            "is not documented; allow_no_price=True sends one all the same."
        )
    return exact


def expiry(value: datetime | None, kind: BidType) -> datetime | None:
    """The expiry of a bid of this type: needed for MATCH_WITH_TIME_LIMIT, refused for the others."""
    timed = kind == BidType.MATCH_WITH_TIME_LIMIT
    if value is None:
        if timed:
            raise InvalidInput("A bid of type MATCH_WITH_TIME_LIMIT needs expire_time=, the moment it is to expire.")
        return None
    if kind.known and not timed:
        raise InvalidInput(
            f'expire_time= belongs to bid_type="MATCH_WITH_TIME_LIMIT"; a {kind} bid has none and would not expire then.'
        )
    return aware(value, "expire_time")
