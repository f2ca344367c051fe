"""``gridwire stp bid save``, ``update`` and ``cancel``: one request each, and an exit code per outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridwire.cli.exits import ExitCode
from gridwire.cli.options import choice
from gridwire.cli.output import ReaderGone, clean, out, out_json, tell
from gridwire.cli.stp.link import Link
from gridwire.errors import InvalidInput
from gridwire.outcome import Accepted, Outcome, Rejected, Unknown

if TYPE_CHECKING:
    from gridwire.epias_stp import EpiasStp

_TYPES = {
    "standard": "STANDART_MATCH",
    "standart_match": "STANDART_MATCH",
    "immediate": "MATCH_AND_DESTROY_REST",
    "match_and_destroy_rest": "MATCH_AND_DESTROY_REST",
    "timed": "MATCH_WITH_TIME_LIMIT",
    "match_with_time_limit": "MATCH_WITH_TIME_LIMIT",
}

BidId = Annotated[str, typer.Argument(metavar="BID_ID", help="The bid's id, as `bid save` told it.")]
Price = Annotated[str, typer.Option(metavar="TL", help="TL per 1000 Sm3, with a point: 12000.50.")]
Quantity = Annotated[int, typer.Option(metavar="COUNT", help="A count of 1000 Sm3.")]
Status = Annotated[str, choice("active", "passive", help="A passive bid is kept out of the book.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before a write at production.")]


def save(
    link: Link,
    contract: Annotated[str, typer.Argument(metavar="CONTRACT", help="A contract's name, as `contracts` lists it.")],
    side: Annotated[str, choice("buy", "sell", help="Which side you take.")],
    price: Price,
    quantity: Quantity,
    type: Annotated[
        str,
        typer.Option(
            metavar="TYPE",
            help="What becomes of the part that finds no match: standard (it stays), immediate (it is cancelled), timed (it "
            "stays until --expires); or the venue's own name.",
        ),
    ] = "standard",
    status: Status = "active",
    expires: Annotated[str | None, typer.Option(metavar="TIME", help="With an offset: 2026-12-01T14:00+03:00.")] = None,
    point: Annotated[str | None, typer.Option(metavar="NAME", help="The network point of a regional contract.")] = None,
    yes: Yes = False,
) -> int:
    """Enter a bid. Exit code 0 accepted, 3 rejected, 4 unknown: it may be at the venue."""
    bid_type = _TYPES.get(type.lower())
    if bid_type is None:
        raise InvalidInput(
            f"--type {type} is not a type of bid that STP documents; these are: {', '.join(_TYPES)}. Nothing was sent."
        )
    until = None if expires is None else _moment(expires)
    return _write(
        link,
        lambda stp: stp.bids.save(
            contract,
            direction=side.upper(),
            price=price,
            quantity=quantity,
            bid_type=bid_type,
            bid_status=status.upper(),
            expire_time=until,
            point_name=point,
        ),
        f"{side.capitalize()} {quantity} x 1000 Sm3 of {contract} at {price} TL/1000 Sm3",
        yes,
    )


def update(link: Link, bid_id: BidId, price: Price, quantity: Quantity, status: Status, yes: Yes = False) -> int:
    """Restate a bid in full: STP has no partial change, so price, quantity and status are all needed."""
    return _write(
        link,
        lambda stp: stp.bids.update(bid_id, price=price, quantity=quantity, bid_status=status.upper()),
        f"Change bid {bid_id} to {quantity} x 1000 Sm3 at {price} TL/1000 Sm3, {status}",
        yes,
    )


def cancel(link: Link, bid_id: BidId, yes: Yes = False) -> int:
    """Cancel a bid."""
    return _write(link, lambda stp: stp.bids.cancel(bid_id), f"Cancel bid {bid_id}", yes)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInput(
            f"--expires {text} is not a moment: write date, time and offset, like 2026-12-01T14:00+03:00. Nothing was sent."
        )
    return moment


def _write(link: Link, act: Callable[[EpiasStp], Awaitable[Outcome]], what: str, yes: bool) -> int:
    link.confirm(what, yes=yes)
    reached: list[ExitCode] = []

    async def work(stp: EpiasStp) -> ExitCode:
        try:
            outcome = await act(stp)
        except asyncio.CancelledError:
            # Ctrl-C. If bytes had left, the client has kept what is known.
            if not stp.unknown():
                tell("Interrupted before anything was sent.")
                raise
            outcome = stp.unknown()[-1]
        reached.append(_code(outcome))
        with suppress(ReaderGone):
            _report(outcome, as_json=link.json)
        return reached[0]

    try:
        return link.run(work)
    except (Exception, KeyboardInterrupt):
        # The code must say what became of the bid, even if something failed while the client was closed.
        if not reached:
            raise
        return reached[0]


def _code(outcome: Outcome) -> ExitCode:
    match outcome:
        case Accepted():
            return ExitCode.DONE
        case Rejected():
            return ExitCode.REJECTED
        case Unknown():
            return ExitCode.UNKNOWN


def _report(outcome: Outcome, *, as_json: bool) -> None:
    match outcome:
        case Accepted() if not as_json:
            out(clean(_accepted(outcome)))
        case Rejected():
            tell(outcome.reason, label="Rejected", style="red")
        case Unknown():
            tell(f"{outcome.reason} {_look(outcome)}".rstrip(), label="Unknown", style="yellow")
    if as_json:
        out_json(as_dict(outcome))


def _accepted(outcome: Accepted) -> str:
    intent = outcome.intent
    done = {"bid_save": "entered", "bid_update": "changed", "bid_cancel": "cancelled"}[intent.operation]
    bid = outcome.order.id if outcome.order is not None else None
    return f"Accepted: bid {bid} {done} [transactionId {intent.key}]"


def _look(outcome: Unknown) -> str:
    contract = outcome.intent.restated.get("contract")
    if contract is None:
        return ""
    return (
        f"`gridwire stp depth {contract}` and `gridwire stp matches {contract}` mark what is yours: a level or a match at "
        "this price that you do not know from another bid is this one."
    )


def as_dict(outcome: Outcome) -> dict[str, Any]:
    """The outcome for programs. ``bid_id`` is that of an accepted bid, or the one to change or cancel."""
    intent = outcome.intent
    restated = dict(intent.restated) if intent is not None else {}
    bid_id = restated.pop("bid_id", None)
    facts: dict[str, Any] = {
        "outcome": type(outcome).__name__.lower(),
        "operation": intent.operation if intent is not None else None,
        "transaction_id": intent.key if intent is not None else None,
        "bid_id": outcome.order.id if isinstance(outcome, Accepted) and outcome.order is not None else bid_id,
        "bid": restated,
    }
    match outcome:
        case Accepted():
            return {**facts, "possibly_duplicate": outcome.possibly_duplicate}
        case Rejected():
            return {
                **facts,
                "origin": outcome.origin,
                "code": outcome.code,
                "reason": outcome.reason,
                "repeatable": outcome.repeatable,
                "retry_after_s": outcome.retry_after_s,
            }
        case Unknown():
            return {**facts, "cause": outcome.cause, "reason": outcome.reason}
