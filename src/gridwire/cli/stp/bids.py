"""``gridwire stp bid save``, ``update`` and ``cancel``: one request each, and an exit code per outcome."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from gridwire.cli.options import choice
from gridwire.cli.stp import values
from gridwire.cli.stp.link import Link
from gridwire.cli.stp.writes import ClientRef, TransactionId, Yes, write
from gridwire.errors import InvalidInput
from gridwire.outcome import Accepted

_TYPES = {
    "standard": "STANDART_MATCH",
    "standart_match": "STANDART_MATCH",
    "immediate": "MATCH_AND_DESTROY_REST",
    "match_and_destroy_rest": "MATCH_AND_DESTROY_REST",
    "timed": "MATCH_WITH_TIME_LIMIT",
    "match_with_time_limit": "MATCH_WITH_TIME_LIMIT",
}
_PRICE_UNIT = "TL/1000 Sm3"

BidId = Annotated[str, typer.Argument(metavar="BID_ID", help="The bid's id, as `bid save` told it.")]
Price = Annotated[
    str | None, typer.Option(metavar="TL", help="TL per 1000 Sm3, with a point: 12000.50. Needed, unless --no-price says so.")
]  # fmt: skip
NoPrice = Annotated[
    bool, typer.Option("--no-price", help="Leave the price out, which STP allows and does not explain.")
]
Quantity = Annotated[str, typer.Option(metavar="COUNT", help="A count of 1000 Sm3.")]
Status = Annotated[
    str,
    typer.Option(metavar="STATUS", help="active, or passive: kept out of the book. --any-status takes every other."),
]
AnyStatus = Annotated[bool, typer.Option("--any-status", help="Send a status that a participant is not known to send.")]


def save(
    link: Link,
    contract: Annotated[str, typer.Argument(metavar="CONTRACT", help="A contract's name, as `contracts` lists it.")],
    side: Annotated[str, choice("buy", "sell", help="Which side you take.")],
    quantity: Quantity,
    price: Price = None,
    no_price: NoPrice = False,
    type: Annotated[
        str,
        typer.Option(
            metavar="TYPE",
            help="What becomes of the part that finds no match: standard (it stays), immediate (it is cancelled), timed (it "
            "stays until --expires); or the venue's own name.",
        ),
    ] = "standard",
    status: Status = "active",
    any_status: AnyStatus = False,
    expires: Annotated[str | None, typer.Option(metavar="TIME", help="With an offset: 2026-12-01T14:00+03:00.")] = None,
    point: Annotated[str | None, typer.Option(metavar="NAME", help="The network point of a regional contract.")] = None,
    process: Annotated[
        str | None, typer.Option(metavar="NAME", help="The bid's process (bidProcessName), which STP does not explain.")
    ] = None,
    client_ref: ClientRef = None,
    transaction_id: TransactionId = None,
    yes: Yes = False,
) -> int:
    """Enter a bid. Exit code 0 accepted, 3 rejected, 4 unknown: it may be at the venue."""
    bid_type = _TYPES.get(type.lower())
    if bid_type is None:
        raise InvalidInput(
            f"--type {type} is not a type of bid that STP documents; these are: {', '.join(_TYPES)}. Nothing was sent."
        )
    until = _expiry(expires, bid_type)
    at = _price(price, no_price=no_price)
    count = values.quantity(quantity)
    state = _status(status, any_status=any_status)
    return write(
        link,
        lambda stp, key: stp.bids.save(
            contract,
            direction=side.upper(),
            price=price,
            quantity=count,
            bid_type=bid_type,
            bid_status=state,
            expire_time=until,
            point_name=point,
            bid_process_name=process,
            allow_no_price=no_price,
            allow_any_status=any_status,
            client_ref=client_ref,
            transaction_id=key,
        ),
        f"{side.capitalize()} {quantity} x 1000 Sm3 of {contract} {at}",
        lambda outcome: f"bid {_id(outcome)} entered",
        yes=yes,
        transaction_id=transaction_id,
    )


def update(
    link: Link,
    bid_id: BidId,
    quantity: Quantity,
    status: Status,
    price: Price = None,
    no_price: NoPrice = False,
    any_status: AnyStatus = False,
    client_ref: ClientRef = None,
    transaction_id: TransactionId = None,
    yes: Yes = False,
) -> int:
    """Restate a bid in full: STP has no partial change, so price, quantity and status are all needed."""
    at = _price(price, no_price=no_price)
    count = values.quantity(quantity)
    state = _status(status, any_status=any_status)
    return write(
        link,
        lambda stp, key: stp.bids.update(
            bid_id,
            price=price,
            quantity=count,
            bid_status=state,
            allow_no_price=no_price,
            allow_any_status=any_status,
            client_ref=client_ref,
            transaction_id=key,
        ),
        f"Change bid {bid_id} to {quantity} x 1000 Sm3 {at}, {status}",
        lambda outcome: f"bid {_id(outcome)} changed",
        yes=yes,
        transaction_id=transaction_id,
    )


def cancel(
    link: Link,
    bid_id: BidId,
    client_ref: ClientRef = None,
    transaction_id: TransactionId = None,
    yes: Yes = False,
) -> int:
    """Cancel a bid."""
    return write(
        link,
        lambda stp, key: stp.bids.cancel(bid_id, client_ref=client_ref, transaction_id=key),
        f"Cancel bid {bid_id}",
        lambda outcome: f"bid {_id(outcome)} cancelled",
        yes=yes,
        transaction_id=transaction_id,
    )


def _id(outcome: Accepted) -> str | None:
    return outcome.order.id if outcome.order is not None else None


def _price(text: str | None, *, no_price: bool) -> str:
    """How the price is spoken of. Raises `InvalidInput` where it is missing, or given and left out at once."""
    if text is None and not no_price:
        raise InvalidInput(
            "--price is missing: write it in TL per 1000 Sm3, like --price 12000.50, or leave it out with --no-price. "
            "Nothing was sent."
        )
    if text is not None and no_price:
        raise InvalidInput("--price and --no-price contradict each other; write one of them. Nothing was sent.")
    return "without a price" if text is None else f"at {values.amount(text, '--price', _PRICE_UNIT)} {_PRICE_UNIT}"


def _status(text: str, *, any_status: bool) -> str:
    if not any_status and text.lower() not in ("active", "passive"):
        raise InvalidInput(
            f"--status {text!r} is none of active, passive. STP's document names other states of a bid too; --any-status sends "
            "them. Nothing was sent."
        )
    return text.upper()


def _expiry(text: str | None, bid_type: str) -> datetime | None:
    timed = bid_type == _TYPES["timed"]
    if timed and text is None:
        raise InvalidInput("--type timed needs --expires, the moment the bid is to expire. Nothing was sent.")
    if text is not None and not timed:
        raise InvalidInput(
            f"--expires belongs to --type timed; a bid of type {bid_type} has none and would not expire then. Nothing was "
            "sent."
        )
    return None if text is None else values.moment(text, "--expires")
