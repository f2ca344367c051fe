"""Order entry at STP: everything ready before the decision, one write at it.

While a desk is open it keeps service tickets, order lanes and compiled messages ready for both sides of its contracts.
See "How an order travels" in the documentation for what it costs and how that is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Literal, Self

from gridwire.auth.ticket_pool import Ticket
from gridwire.auth.tickets import TicketManager
from gridwire.epias_stp import forms, rules
from gridwire.epias_stp.armed import Armed
from gridwire.epias_stp.calls import Caller
from gridwire.epias_stp.enums import BidStatus, BidType, Direction
from gridwire.epias_stp.forms import StpForm
from gridwire.epias_stp.ledger import Ledger
from gridwire.epias_stp.order_wires import HttpxWire, LaneWire, TicketCredentials
from gridwire.epias_stp.outcomes import VENUE, restated_order
from gridwire.epias_stp.resolve import Resolver
from gridwire.errors import GridwireError, InvalidInput, WrongLoop
from gridwire.intents.guard import Guard, Limits
from gridwire.observe.events import Events
from gridwire.observe.redact import mask
from gridwire.observe.timings import Timings
from gridwire.orders.desk import Draft, OrderPath
from gridwire.outcome import Accepted, Intent, OrderRef, Outcome, Rejected, Unknown
from gridwire.transport.http import HttpTransport
from gridwire.transport.lane import Answer
from gridwire.transport.lanes import Lanes
from gridwire.units import count
from gridwire.units import price as exact_price

Side = Literal["BUY", "SELL"]

LOOK_WITHIN_S = 10.0
"""How long opening a desk may look for bids that rest no more."""


class StpDesk:
    """A desk as ``stp.desk(…)`` returns it: an async context manager, one per account. What sends returns an `Outcome`."""

    def __init__(
        self,
        *,
        caller: Caller,
        tickets: TicketManager,
        armed: Armed,
        ledger: Ledger,
        resolver: Resolver,
        orders_over: Lanes | HttpTransport,
        limits: Limits,
        contracts: Collection[str] | None,
        bid_type: BidType,
        events: Events,
        on_open: Callable[[bool], None],
    ) -> None:
        self._caller = caller
        self._tickets = tickets
        self._armed = armed
        self._warmed = False
        self._ledger = ledger
        self._resolver = resolver
        self._orders_over = orders_over
        self._contracts = None if contracts is None else tuple(contracts)
        self._bid_type = bid_type
        self._places = caller.profile.price_places
        self._events = events
        self._on_open = on_open
        self._context = caller.context(ledger.account)
        self._guard = Guard(limits, self._contracts)
        self._forms: dict[tuple[str | None, ...], StpForm] = {}
        self._path: OrderPath[Answer, Ticket] | None = None

    async def __aenter__(self) -> Self:
        """Arm: tickets, lanes and messages for both sides of every contract."""
        async with contextlib.AsyncExitStack() as stack:
            self._on_open(True)
            stack.callback(self._on_open, False)
            journal = await self._ledger.open()
            await asyncio.to_thread(self._compile)
            await self._armed.want(replacements_per_s=self._guard.limits.orders_per_second)
            stack.push_async_callback(self._armed.release)
            wire: LaneWire | HttpxWire
            if isinstance(self._orders_over, Lanes):
                wire = LaneWire(await stack.enter_async_context(self._orders_over))
            else:
                wire = HttpxWire(self._orders_over, self._caller.profile.stp_url)
                stack.push_async_callback(wire.aclose)
            await self._close_what_is_gone()
            await self._count_open()
            self._caller.guard = self._guard
            stack.callback(setattr, self._caller, "guard", None)
            self._path = OrderPath(
                venue=VENUE,
                wire=wire,
                credentials=TicketCredentials(self._tickets),
                age_of=_age,
                journal=journal,
                guard=self._guard,
                on_unknown=self._caller.remember,
                on_trouble=lambda text: self._events.emit("journal.trouble", text, level=logging.ERROR),
            )
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._path = None
        await self._stack.aclose()

    async def warm_up(self) -> None:
        """Open the desk, unless it is open; for `trading_mode`."""
        if self._path is None:
            await self.__aenter__()
            self._warmed = True

    async def cool_down(self) -> None:
        """Close the desk, if `warm_up` opened it."""
        if self._warmed:
            self._warmed = False
            await self.__aexit__(None, None, None)

    async def _close_what_is_gone(self) -> None:
        """Before anything is counted; where the venue does not answer, what was believed to rest goes on counting."""
        try:
            async with asyncio.timeout(LOOK_WITHIN_S):
                await self._resolver.refresh()
                if self._ledger.exclusive:
                    await self._resolver.note_foreign(self._contracts or ())
        except (GridwireError, TimeoutError) as error:
            why = str(error) or f"STP did not answer within {LOOK_WITHIN_S:g} s."
            self._events.emit(
                "desk.not_refreshed",
                f"Bids that were filled or have expired may still count as open, until refresh() succeeds: {why}",
                level=logging.WARNING,
            )

    async def _count_open(self) -> None:
        """Take what may be resting from the journal, where each bid stands as it was last restated."""
        left, counted = _COUNTS, -1
        bids: list[OrderRef] = []
        changes: list[tuple[str, OrderRef]] = []
        while left and counted != self._caller.counted:  # again if something of this client has left or was answered
            left, counted = left - 1, self._caller.counted
            bids, changes = await self._resolver.open_orders(), await self._resolver.open_changes()
        self._guard.reset()
        for bid in bids:
            self._guard.opened(bid.intent.key, bid.restated.get("price"), bid.restated.get("quantity", 0))
        for key, bid in changes:
            price, quantity = bid.restated.get("price"), bid.restated.get("quantity", 0)
            if price is not None:
                self._guard.changing(key, bid.intent.key, price, quantity, before=(price, quantity))

    def _compile(self) -> None:
        for contract in self._contracts or ():
            for side in (Direction.BUY, Direction.SELL):
                self._save_form(contract, side, self._bid_type, BidStatus.ACTIVE, None)
        for status in (BidStatus.ACTIVE, BidStatus.PASSIVE):
            self._update_form(status)
        self._cancel_form()

    # orders

    async def buy(
        self,
        contract: str,
        *,
        price: Decimal | str | None = None,
        price_cents: int | None = None,
        quantity: int,
        bid_type: BidType | str | None = None,
        bid_status: BidStatus | str = BidStatus.ACTIVE,
        expire_time: datetime | None = None,
        point_name: str | None = None,
        client_ref: str | None = None,
    ) -> Outcome:
        """Enter a buying bid. ``price`` in TL per 1000 Sm3 (``price_cents`` in kuruş), ``quantity`` counts 1000 Sm3.

        ``point_name`` is the network point of a regional contract, one of its ``locations``. ``client_ref`` is your own
        key: the guard refuses one that is in the journal already, so nothing orders twice.
        """
        return await self._sending().send(self._new(
            Direction.BUY, contract, price, price_cents, quantity, bid_type, bid_status, expire_time, point_name,
            client_ref,
        ))  # fmt: skip

    async def sell(
        self,
        contract: str,
        *,
        price: Decimal | str | None = None,
        price_cents: int | None = None,
        quantity: int,
        bid_type: BidType | str | None = None,
        bid_status: BidStatus | str = BidStatus.ACTIVE,
        expire_time: datetime | None = None,
        point_name: str | None = None,
        client_ref: str | None = None,
    ) -> Outcome:
        """Enter a selling bid; see `buy`."""
        return await self._sending().send(self._new(
            Direction.SELL, contract, price, price_cents, quantity, bid_type, bid_status, expire_time, point_name,
            client_ref,
        ))  # fmt: skip

    async def modify(
        self,
        bid: OrderRef,
        *,
        price: Decimal | str | None = None,
        price_cents: int | None = None,
        quantity: int,
        bid_status: BidStatus | str | None = None,
        client_ref: str | None = None,
    ) -> Outcome:
        """Restate a bid. ``price`` and ``quantity`` are yours to state: a reference does not know what was matched since.

        STP keeps no version, and does not say whether ``quantity`` is the whole bid or its rest. ``client_ref`` is your own
        key of this change, not the bid's; see `buy`.
        """
        bid_id, known = _addressed(bid)
        if "contract" not in known:
            bid = await self._ledger.filled(bid)
            known = {**bid.restated, **known}
        exact = self._price(price, price_cents)
        amount = count(quantity, unit=rules.QUANTITY_UNIT)
        status = rules.status(bid_status if bid_status is not None else known.get("bid_status", "ACTIVE"))
        form = self._update_form(status)
        restated = {**known, "price": exact, "quantity": amount, "bid_status": str(status)}
        draft: Draft[Answer, Ticket] = Draft(
            form=form,
            encoded=form.encode((bid_id, exact, amount)),
            restated={**restated, "bid_id": bid_id},
            kind="change",
            contract=known.get("contract"),
            side=known.get("direction"),
            price=exact,
            quantity=amount,
            of=bid.intent.key,
            before=(known.get("price"), known.get("quantity", amount)),
            client_ref=rules.optional_text(client_ref, "client_ref"),
        )
        return restated_order(await self._sending().send(draft), bid, restated)

    async def activate(self, bid: OrderRef, *, price: Decimal | str | None = None, quantity: int) -> Outcome:
        """Put a passive bid into the book, with the price of its reference unless given, and this quantity."""
        return await self.modify(bid, price=_price_of(bid, price), quantity=quantity, bid_status=BidStatus.ACTIVE)

    async def deactivate(self, bid: OrderRef, *, price: Decimal | str | None = None, quantity: int) -> Outcome:
        """Take a bid out of the book without cancelling it; what is restated counts when it is activated again."""
        return await self.modify(bid, price=_price_of(bid, price), quantity=quantity, bid_status=BidStatus.PASSIVE)

    async def cancel(self, bid: OrderRef, *, client_ref: str | None = None) -> Outcome:
        """Cancel a bid. The guard does not stand in its way, not even halted.

        ``client_ref`` is your own key of this cancellation, not the bid's; see `buy`.
        """
        bid_id, known = _addressed(bid)
        form = self._cancel_form()
        draft: Draft[Answer, Ticket] = Draft(
            form=form,
            encoded=form.encode((bid_id,)),
            restated={**known, "bid_id": bid_id},
            kind="cancel",
            contract=known.get("contract"),
            side=known.get("direction"),
            price=known.get("price"),
            quantity=known.get("quantity", 0),
            of=bid.intent.key,
            client_ref=rules.optional_text(client_ref, "client_ref"),
        )
        outcome = await self._sending().send(draft)
        if isinstance(outcome, Accepted):
            self._caller.bid_ended(bid_id)
        return restated_order(outcome, bid, known)

    async def cancel_all(
        self, *, contract: str | None = None, ref_prefix: str | None = None, everything: bool = False
    ) -> list[Outcome]:
        """Cancel the bids of this account that the journal believes to be live, those of other processes too.

        Without arguments these are the bids on the desk's contracts; on all of the account's where the desk names none.
        ``contract`` names another one (any text: of a name on which the journal has no bid, the list is empty; letters count
        as they are), ``everything`` takes the whole account, and ``ref_prefix`` only those whose ``client_ref`` begins with
        it. One whose id is not known is `Rejected` with the code ``no_id``. One of which it is not known whether it rests is
        `Unknown`: it has no id either, so look for it with `resolve`; with the cause ``underway`` it is being sent just now,
        here or by another program. One entered elsewhere is not touched. Another program's desk learns of it at its next
        `refresh`.
        """
        if everything and contract is not None:
            raise InvalidInput("cancel_all() takes contract= or everything=True, not both. Nothing was cancelled.")
        names = None if everything else self._contracts
        if contract is not None:
            names = (rules.name_text(contract, "contract"),)
        prefix = None if ref_prefix is None else rules.name_text(ref_prefix, "ref_prefix")

        def is_meant(intent: Intent) -> bool:
            return (names is None or intent.restated.get("contract") in names) and (
                prefix is None or (intent.client_ref or "").startswith(prefix)
            )

        outcomes: list[Outcome] = []
        bids, questions = await self._resolver.known_and_open()
        for bid in bids:
            if not is_meant(bid.intent):
                continue
            if bid.id is None:
                outcomes.append(Rejected("no_id", _NO_ID.format(key=bid.intent.key), "guard", bid.intent))
            else:
                outcomes.append(await self.cancel(bid))
        self._ledger.journal.flush()  # so that other programs know of it
        # Where damage hides what a call was, it may be a bid on any contract.
        return [*outcomes, *(one for one in questions if one.cause == "damaged" or is_meant(one.intent))]

    async def resolve(self, outcome: Unknown) -> Outcome:
        """Look at the venue for what became of an unknown call, sending nothing; settled on evidence only.

        Returns `Accepted` (``order.id`` None where STP does not tell it: the bid is live, and can be cancelled on the STP
        screen quoting the transactionId), `Rejected` with the code ``absent``, for a cancellation that came too late with
        ``filled``, or `Unknown` again with the reason. What was settled before is answered as it was settled. A change or a
        cancellation whose bid has ended is settled too, and stays `Unknown` with the cause ``order_ended``: nothing depends
        on it any more. An own mark or an own trade proves something only where the client was declared ``exclusive``. Raises
        what a read raises, and `InvalidInput` for anything else.
        """
        if not isinstance(outcome, Unknown):
            raise InvalidInput(
                f"resolve() takes the Unknown that a call returned, not {_a(outcome)}: only what is unknown is settled."
            )
        settled = await self._resolver.resolve(outcome)
        if settled.closed is not None:
            self._guard.closed(settled.closed)
            bid_id = outcome.intent.restated.get("bid_id")
            if bid_id is not None:
                cancelled = outcome.intent.operation == "bid_cancel" and isinstance(settled.outcome, Accepted)
                self._caller.bid_ended(str(bid_id), cancelled=cancelled)
        elif outcome.intent.operation == "bid_update" and not isinstance(settled.outcome, Unknown):
            order = settled.outcome.order if isinstance(settled.outcome, Accepted) else None
            now = order.restated if order is not None else {}
            self._guard.settled(outcome.intent.key, now.get("price"), now.get("quantity", 0))
        return settled.outcome

    async def refresh(self) -> list[OrderRef]:
        """Close the bids that certainly rest no more, and count them no more; see `Bids.refresh`. Opening a desk does it too."""
        return await self._resolver.refresh()

    # what can be seen and switched

    def preview(
        self,
        side: Side,
        contract: str,
        *,
        price: Decimal | str | None = None,
        price_cents: int | None = None,
        quantity: int,
        bid_type: BidType | str | None = None,
        bid_status: BidStatus | str = BidStatus.ACTIVE,
        expire_time: datetime | None = None,
        point_name: str | None = None,
    ) -> bytes:
        """The bytes that would go, head and body, with the ticket masked and a made-up transactionId. Sends nothing."""
        draft = self._new(
            rules.side(side, "side"), contract, price, price_cents, quantity, bid_type, bid_status, expire_time,
            point_name,
        )  # fmt: skip
        form = draft.form
        return mask(form.render(rules.transaction_id(), Ticket("ST-preview", 0.0), draft.encoded).decode()).encode()

    @property
    def timings(self) -> Timings:
        """Nanoseconds per stage of the last orders."""
        return self._sending().timings

    @property
    def open_notional(self) -> Decimal:
        """Price times quantity of everything that may be resting, in TL."""
        return self._guard.open_notional

    def halt(self, reason: str = "") -> None:
        """Throw the kill switch: from now on no bid or change leaves this desk; cancellations still do.

        It is the desk's: what ``stp.bids`` or another program enters is not held back.
        """
        self._guard.halt(reason)
        self._events.emit("desk.halted", f"The desk is halted: {reason or 'halt() was called'}.")

    def resume(self) -> None:
        """Take `halt` back."""
        self._guard.resume()

    # pieces

    def _sending(self) -> OrderPath[Answer, Ticket]:
        if self._path is None:
            raise WrongLoop("This desk is not open: use it as `async with stp.desk(…) as desk:`. Nothing was sent.")
        return self._path

    def _price(self, price: Decimal | str | None, cents: int | None) -> Decimal:
        exact = exact_price(price, cents, unit=rules.PRICE_UNIT, places=self._places)
        if exact is None:
            raise InvalidInput('A bid needs price="12000.50" or price_cents=1200050 (TL/1000 Sm3).')
        return exact

    def _new(
        self,
        side: Direction,
        contract: str,
        price: Decimal | str | None,
        price_cents: int | None,
        quantity: int,
        bid_type: BidType | str | None,
        bid_status: BidStatus | str,
        expire_time: datetime | None,
        point_name: str | None,
        client_ref: str | None = None,
    ) -> Draft[Answer, Ticket]:
        kind = self._bid_type if bid_type is None else rules.type_of_bid(bid_type)
        status = BidStatus.ACTIVE if bid_status is BidStatus.ACTIVE else rules.status(bid_status)
        exact = self._price(price, price_cents)
        amount = count(quantity, unit=rules.QUANTITY_UNIT)
        expires = rules.expiry(expire_time, kind) if expire_time is not None or kind is _TIMED else None
        point = rules.optional_text(point_name, "point_name")
        form = self._forms.get((contract, side, kind, status, point)) if isinstance(contract, str) else None
        if form is None:
            form = self._save_form(contract, side, kind, status, point)
        fixed = form.fixed
        return Draft(
            form,
            form.encode((exact, amount) if expires is None else (exact, amount, expires)),
            {**fixed, "price": exact, "quantity": amount, "expire_time": expires},
            "new",
            contract,
            fixed["direction"],
            exact,
            amount,
            kind is not _IMMEDIATE,
            client_ref=None if client_ref is None else rules.name_text(client_ref, "client_ref"),
        )

    def _save_form(self, contract: str, side: Direction, kind: BidType, status: BidStatus, at: str | None) -> StpForm:
        name = rules.name_text(contract, "contract")
        form = forms.bid_save(self._context, name, side, kind, status, self._places, at)
        if self._contracts is None or name in self._contracts:  # others are refused by the guard: keep none of them
            self._forms[(name, side, kind, status, at)] = form
        return form

    def _update_form(self, status: BidStatus) -> StpForm:
        key = ("update", status)
        if key not in self._forms:
            self._forms[key] = forms.bid_update(self._context, status, self._places)
        return self._forms[key]

    def _cancel_form(self) -> StpForm:
        if ("cancel",) not in self._forms:
            self._forms[("cancel",)] = forms.bid_cancel(self._context)
        return self._forms[("cancel",)]


_COUNTS = 10
"""How often open bids are read again because others were entered meanwhile."""

_TIMED = BidType.MATCH_WITH_TIME_LIMIT
_IMMEDIATE = BidType.MATCH_AND_DESTROY_REST
_NO_ID = "The bid is live, but STP has no call that would tell its id. Cancel it on the STP screen, quoting the transactionId {key}."


def _a(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _age(ticket: Ticket) -> float:
    return ticket.age_s


def _price_of(bid: OrderRef, price: Decimal | str | None) -> Decimal | str | None:
    return price if price is not None or not isinstance(bid, OrderRef) else bid.restated.get("price")


def _addressed(bid: OrderRef) -> tuple[str, dict[str, Any]]:
    if not isinstance(bid, OrderRef):
        raise InvalidInput(f"bid= takes the reference of an accepted bid (outcome.order), not a {type(bid).__name__}.")
    if bid.id is None:
        raise InvalidInput(_NO_ID.format(key=bid.intent.key))
    return bid.id, {name: value for name, value in bid.restated.items() if name != "bid_id"}
