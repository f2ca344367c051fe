"""Bids: enter, change, cancel (STP document 5, ``bid/save``, ``bid/update``, ``bid/cancel``)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from gridwire.epias_stp import rules
from gridwire.epias_stp.calls import Caller
from gridwire.epias_stp.enums import BidStatus, BidType, Direction
from gridwire.epias_stp.ledger import Ledger
from gridwire.epias_stp.operations import OPERATIONS
from gridwire.epias_stp.resolve import Resolver
from gridwire.epias_stp.restated import restated as restated_by
from gridwire.errors import InvalidInput, JournalError
from gridwire.outcome import OrderRef, Outcome


class Bids:
    """``stp.bids``. Each method is one request at most, and returns an `Outcome`.

    All raise `InvalidInput` for an argument that cannot be right and `ReadOnly` on a read-only client; nothing is sent
    then. ``raw`` of an `Accepted` is the answer's `Envelope`.
    """

    def __init__(self, caller: Caller, ledger: Ledger, resolver: Resolver) -> None:
        self._caller = caller
        self._ledger = ledger
        self._resolver = resolver

    async def save(
        self,
        contract: str,
        *,
        direction: Direction | str,
        price: Decimal | str | None = None,
        price_cents: int | None = None,
        quantity: int,
        bid_type: BidType | str = BidType.STANDARD_MATCH,
        bid_status: BidStatus | str = BidStatus.ACTIVE,
        expire_time: datetime | None = None,
        point_name: str | None = None,
        bid_process_name: str | None = None,
        allow_no_price: bool = False,
        allow_any_status: bool = False,
        client_ref: str | None = None,
        transaction_id: str | UUID | None = None,
    ) -> Outcome:
        """Enter a bid. ``price`` in TL per 1000 Sm3 (``price_cents`` in kuruş), ``quantity`` a count of 1000 Sm3.

        `Accepted.order` names the bid. `Unknown` means that the bid may be resting or filled: look at
        ``contracts.depth`` (levels marked ``owner``) and ``matches.of`` (``my_own_matching``) before entering it again.
        ``expire_time`` (aware) belongs to MATCH_WITH_TIME_LIMIT alone. ``transaction_id`` is yours to give, a new one
        otherwise; STP may not recognise a repeated one. ``client_ref`` is your own key: the guard refuses one that is in
        the journal already, so nothing orders twice.
        """
        body = rules.bid_save(
            contract,
            direction=direction,
            price=price,
            price_cents=price_cents,
            quantity=quantity,
            bid_type=bid_type,
            bid_status=bid_status,
            expire_time=expire_time,
            point_name=point_name,
            bid_process_name=bid_process_name,
            allow_no_price=allow_no_price,
            allow_any_status=allow_any_status,
            places=self._caller.profile.price_places,
        )
        return await self._caller.write(
            "bid_save",
            body,
            transaction_id=transaction_id,
            client_ref=client_ref,
            rests=body.bid_type != BidType.MATCH_AND_DESTROY_REST,
        )

    async def update(
        self,
        bid: OrderRef | str,
        *,
        price: Decimal | str | None = None,
        price_cents: int | None = None,
        quantity: int,
        bid_status: BidStatus | str | None = None,
        allow_no_price: bool = False,
        allow_any_status: bool = False,
        client_ref: str | None = None,
        transaction_id: str | UUID | None = None,
    ) -> Outcome:
        """Restate a bid in full: STP has no partial change.

        ``price`` and ``quantity`` are always yours to state, because a reference does not know what was matched or
        changed since; ``bid_status`` stays as the reference restates it. STP keeps no version: a change made elsewhere is
        overwritten. Whether ``quantity`` means the whole bid or its rest is not documented: confirm it with the venue,
        for after a part was matched the wrong reading buys or sells too much.
        """
        bid_id, state = _known(bid)
        body = rules.bid_update(
            bid_id,
            price=price,
            price_cents=price_cents,
            quantity=quantity,
            bid_status=_needed("bid_status", bid_status if bid_status is not None else state.get("bid_status")),
            allow_no_price=allow_no_price,
            allow_any_status=allow_any_status,
            places=self._caller.profile.price_places,
        )
        known = await self._reference(bid, "bid_update")
        restated = {
            **(known.restated if known is not None else {}),
            **state,
            **restated_by(body),
            "price": body.price,  # also where there is none now
        }
        return await self._caller.write(
            "bid_update", body, restated=restated, transaction_id=transaction_id, client_ref=client_ref, of=known
        )

    async def cancel(
        self, bid: OrderRef | str, *, client_ref: str | None = None, transaction_id: str | UUID | None = None
    ) -> Outcome:
        """Cancel a bid. `Unknown` means that it may still be live: cancel it again, or look at the depth.

        A second cancellation of the same bid draws a BUSINESSERROR from the venue, which is `Rejected`.
        """
        bid_id, state = _known(bid)
        body = rules.bid_cancel(bid_id)
        restated = {**state, **restated_by(body)}
        return await self._caller.write(
            "bid_cancel",
            body,
            restated=restated,
            transaction_id=transaction_id,
            client_ref=client_ref,
            of=await self._reference(bid, "bid_cancel"),
        )

    async def known(self) -> list[OrderRef]:
        """The bids of this account that may be resting as far as the journal knows, oldest first.

        Bids entered elsewhere are not among them. An ``id`` of None is a bid found live after its answer got lost.
        """
        return await self._ledger.known()

    async def refresh(self) -> list[OrderRef]:
        """Close the bids that certainly rest no more, so that `known` names them no more; returns them.

        STP tells nobody that a bid was filled or has expired. This looks at own marks and own matches; "How an order
        travels" says when a bid is closed. Sends nothing that changes anything; raises what a read does.
        """
        return await self._resolver.refresh()

    async def _reference(self, bid: OrderRef | str, operation: str) -> OrderRef | None:
        if isinstance(bid, OrderRef):
            return bid
        self._caller.refuse(OPERATIONS[operation])  # before a journal is opened for it
        try:
            return next((one for one in await self._ledger.known() if one.id == bid), None)
        except JournalError:  # a change is refused by it; a cancellation leaves without the bid's reference
            return None


def _known(bid: OrderRef | str) -> tuple[str, dict[str, Any]]:
    if isinstance(bid, str):
        return bid, {}
    if not isinstance(bid, OrderRef):
        raise InvalidInput(
            f"bid= takes the reference of an accepted bid (outcome.order) or its id as text, not a {type(bid).__name__}."
        )
    if bid.id is None:
        raise InvalidInput(
            "This bid's id is not known, and STP has no call that would tell it. Cancel it on the STP screen, quoting the "
            f"transactionId {bid.intent.key}."
        )
    return bid.id, {name: value for name, value in bid.restated.items() if name != "bid_id"}


def _needed(name: str, value: Any) -> Any:
    if value is None:
        raise InvalidInput(
            f"{name}= is missing: a change restates the whole bid, and a bare id does not say what it was. Pass it, or pass "
            "the reference from outcome.order instead of the id."
        )
    return value
