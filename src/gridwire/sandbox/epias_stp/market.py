"""The simulated STP market: pure state, driven by calls that carry the time.

What the venue's document leaves open is decided here, and is not a fact about the venue:

* ``quantity`` of an update is what shall remain open from now on; a smaller one at the same price keeps the bid's place.
* A fully matched bid becomes ACCEPTED; what is cancelled, expired, or left of MATCH_AND_DESTROY_REST becomes CANCEL.
* A PASSIVE bid is not in the book: nobody sees or matches it. Made ACTIVE, it joins the end of its price's queue.
* A price is required, with at most two decimals. Transaction ids are not compared: the same bid sent twice is two bids.
* A bid belongs to its organisation: any of its users may change it, nobody else sees that it exists.
* A contract is about to open, and listed with those that are open, from a day before its opening.
* An organisation may trade with itself. Weekly names are HI + first day, regional names BG + first day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import count
from typing import Any

from gridwire.sandbox.epias_stp import dates
from gridwire.sandbox.epias_stp.records import (
    NATIONAL_POINT,
    Bid,
    BidStatus,
    Contract,
    ContractType,
    Gate,
    Match,
    MatchStatus,
    Organisation,
    User,
    kurus,
    lira,
    weighted_average,
)
from gridwire.sandbox.epias_stp.texts import Refused
from gridwire.sandbox.matching import Fill, Side

IMMEDIATE, STANDARD, TIMED = "MATCH_AND_DESTROY_REST", "STANDART_MATCH", "MATCH_WITH_TIME_LIMIT"
ABOUT_TO_OPEN = timedelta(days=1)
_PREFIX: dict[ContractType, str] = {"STANDART": "GG", "WEEKLY": "HI", "REGIONAL": "BG"}

Listener = Callable[[dict[str, Any]], None]


def default_configuration(configuration_id: int, gate: Gate) -> dict[str, Any]:
    """What a contract starts with, by wire name. The limits are ours; the regulator's change over time."""
    return {
        "contractConfId": configuration_id,
        "dapScopeDate": gate.start,
        "dapFinalDate": gate.start + timedelta(days=1),
        "grpScopeDate": gate.start + timedelta(days=1),
        "grpFinalDate": gate.end,
        "lqa": 5,
        "lpa": 5,
        "objectionTime": Decimal(30),
        "marketMaxQuantity": 100_000,
        "marketMinQuantity": 1,
        "marketCeilingPrice": Decimal("30000.00"),
        "marketBasePrice": Decimal("0.00"),
        "transmissionMaxQuantity": 200_000,
        "transmissionMinQuantity": 1,
        "ceilingCoefficient": Decimal("1.1"),
        "baseCoefficient": Decimal("0.9"),
        "average": Decimal(7),
        "transmissionCeilingPriceFormula": "GRF*1.10",
        "transmissionCeilingPrice": Decimal("27000.00"),
        "transmissionBasePriceFormula": "GRF*0.90",
        "transmissionBasePrice": Decimal("1000.00"),
        "nbpOpenTime": Decimal(8),
    }


class Market:
    """Contracts, bids, matches and money of one venue in memory."""

    def __init__(self, users: Iterable[User], now: datetime) -> None:
        self.users: dict[str, User] = {user.name: user for user in users}
        self.contracts: dict[str, Contract] = {}
        self.bids: dict[str, Bid] = {}
        self.matches: dict[str, Match] = {}
        self.gates: dict[int, Gate] = {}
        self.balances: dict[int, int] = {user.organisation.id: 0 for user in self.users.values()}
        """Kuruş each organisation may withdraw: sales less purchases less withdrawals."""
        self.listeners: list[Listener] = []
        self._passive: dict[str, Bid] = {}
        self._ids = {"bid": count(1_000_001), "match": count(7_000_001), "gate": count(11), "configuration": count(21)}
        self._rolled: date | None = None
        self.advance(now)

    # time

    def advance(self, now: datetime) -> None:
        """Let what is due by ``now`` happen: new contracts, activations, closings, expiries. Called before every call."""
        self._roll(now)
        for contract in self.contracts.values():
            for order in contract.book.expire(dates.epoch_ms(now)):
                self._end(self.bids[order.id], "CANCEL")
            self._age(contract, now)
        for bid in [bid for bid in self._passive.values() if bid.expires is not None and bid.expires <= now]:
            self._end(bid, "CANCEL")

    def _roll(self, now: datetime) -> None:
        """Keep the usual contracts: the daily ones from the day before to two days ahead, one weekly, one regional."""
        today = dates.gas_day_of(now)
        if today == self._rolled:
            return
        self._rolled = today
        for offset in range(-1, 3):
            self._add("STANDART", (today + timedelta(days=offset),), 0, "BUY", (), now)
        monday = dates.weekly_monday(now)
        self._add("WEEKLY", tuple(monday + timedelta(days=offset) for offset in range(5)), 0, "BUY", (), now)
        self._add("REGIONAL", (today + timedelta(days=1),), 1000, "BUY", (101,), now)

    def _age(self, contract: Contract, now: datetime) -> None:
        gate = contract.gate
        status = contract.status
        contract.status = "WAITING" if now < gate.start else "ACTIVE" if now < gate.end else "CLOSED"
        if contract.status == status:
            return
        if contract.status == "CLOSED":
            for bid in [bid for bid in self.bids.values() if bid.contract is contract and bid.is_open]:
                self._withdraw(bid)
                self._end(bid, "CANCEL")
        self._tell({"type": "contract", "contractName": contract.name, "status": contract.status})

    # contracts

    def contract(self, name: str) -> Contract:
        """The contract of that name, or `Refused`."""
        if name not in self.contracts:
            raise Refused("CON-0001")
        return self.contracts[name]

    def active(self, contract_type: ContractType) -> list[Contract]:
        """The contracts of one type that are between activation and closing, by name."""
        found = (c for c in self.contracts.values() if c.type == contract_type and c.status == "ACTIVE")
        return sorted(found, key=lambda contract: contract.name)

    def listed(self, contract_type: ContractType, now: datetime) -> list[Contract]:
        """The contracts of one type that are about to open, then those that are open, each by name.

        STP document 6.4 to 6.6. It gives no order: this one is ours.
        """
        soon = (
            c
            for c in self.contracts.values()
            if c.type == contract_type and c.status == "WAITING" and c.gate.start <= now + ABOUT_TO_OPEN
        )
        return [*sorted(soon, key=lambda contract: contract.name), *self.active(contract_type)]

    def open_contract(
        self,
        contract_type: ContractType,
        gas_days: tuple[date, ...],
        quantity: int,
        direction: Side,
        point_ids: tuple[int, ...],
        now: datetime,
    ) -> Contract:
        """Create a contract; its name follows from its type and first gas day. `Refused` if that name is taken."""
        ordered = tuple(sorted(set(gas_days)))
        if (contract_type == "WEEKLY" and len(ordered) < 2) or (contract_type == "REGIONAL" and not point_ids):
            raise Refused("CON-0003")
        contract = self._add(contract_type, ordered, quantity, direction, point_ids, now)
        if contract is None:
            raise Refused("CON-0002")
        self._age(contract, now)
        return contract

    def _add(
        self,
        contract_type: ContractType,
        gas_days: tuple[date, ...],
        quantity: int,
        direction: Side,
        point_ids: tuple[int, ...],
        now: datetime,
    ) -> Contract | None:
        name = f"{_PREFIX[contract_type]}{gas_days[0]:%Y%m%d}"
        if name in self.contracts:
            return None
        window = dates.weekly_window if contract_type == "WEEKLY" else dates.daily_window
        start, end = window(gas_days[0])
        if contract_type != "WEEKLY":  # the document's own sample makes a standard contract of two days
            end = window(gas_days[-1])[1]
        gate = Gate(next(self._ids["gate"]), name, start, end)
        configuration = default_configuration(next(self._ids["configuration"]), gate)
        contract = Contract(name, contract_type, gas_days, now, quantity, direction, point_ids, gate, configuration)
        self.contracts[name] = contract
        self.gates[gate.id] = gate
        return contract

    def gate(self, gate_id: int) -> Gate:
        """The gate of that number, or `Refused`."""
        if gate_id not in self.gates:
            raise Refused("GATE-0001")
        return self.gates[gate_id]

    def move_gate(self, gate: Gate, start: datetime | None, end: datetime | None, now: datetime) -> None:
        """Change a gate's dates, and with them its contract's activation and closing."""
        new_start, new_end = start or gate.start, end or gate.end
        if new_end <= new_start:
            raise Refused("GATE-0002")
        gate.start, gate.end = new_start, new_end
        self._age(self.contracts[gate.contract_name], now)

    # bids

    def save_bid(
        self,
        user: User,
        contract: Contract,
        direction: Side,
        price: int,
        quantity: int,
        bid_type: str,
        status: str,
        now: datetime,
        *,
        expires: datetime | None = None,
        point_name: str | None = None,
    ) -> Bid:
        """Take a bid and match it. ``price`` in kuruş per 1000 Sm3, ``quantity`` in 1000 Sm3. `Refused` for rule breaks."""
        if status not in ("ACTIVE", "PASSIVE") or (status == "PASSIVE" and bid_type == IMMEDIATE):
            raise Refused("BID-0006")
        if (bid_type == TIMED) != (expires is not None) or (expires is not None and expires <= now):
            raise Refused("BID-0007")
        self._check(contract, price, quantity, now)
        if contract.type == "REGIONAL" and point_name not in contract.locations:
            raise Refused("BID-0008")
        bid = Bid(
            str(next(self._ids["bid"])), user, contract, direction, price, quantity, quantity, bid_type,
            "PASSIVE", now, expires, point_name or NATIONAL_POINT,
        )  # fmt: skip
        self.bids[bid.id] = bid
        self._passive[bid.id] = bid
        if status == "ACTIVE":
            self._activate(bid, now)
        return bid

    def update_bid(self, user: User, bid_id: str, price: int | None, quantity: int, status: str, now: datetime) -> Bid:
        """Restate an open bid: its price (None keeps it), what shall remain open, and ACTIVE or PASSIVE."""
        bid = self._own_open_bid(user, bid_id)
        if status not in ("ACTIVE", "PASSIVE"):
            raise Refused("BID-0006")
        new_price = bid.price if price is None else price
        self._check(bid.contract, new_price, quantity, now)
        keeps_place = bid.status == "ACTIVE" == status
        if not keeps_place:
            self._withdraw(bid)
        bid.price, bid.quantity, bid.remaining = new_price, bid.quantity - bid.remaining + quantity, quantity
        if keeps_place:
            self._settle(bid, bid.contract.book.modify(bid.id, new_price, quantity), now)
        elif status == "ACTIVE":
            self._activate(bid, now)
        return bid

    def cancel_bid(self, user: User, bid_id: str) -> Bid:
        """Take an open bid off the market. `Refused` if it is not open any more: cancelling twice is an error."""
        bid = self._own_open_bid(user, bid_id)
        self._withdraw(bid)
        self._end(bid, "CANCEL")
        return bid

    def _own_open_bid(self, user: User, bid_id: str) -> Bid:
        bid = self.bids.get(bid_id)
        if bid is None or bid.user.organisation != user.organisation:
            raise Refused("BID-0004")
        if not bid.is_open:
            raise Refused("BID-0005")
        return bid

    def _check(self, contract: Contract, price: int, quantity: int, now: datetime) -> None:
        limits = contract.configuration
        if not contract.gate.passes(now):
            raise Refused("BID-0003")
        if not limits["marketBasePrice"] <= lira(price) <= limits["marketCeilingPrice"]:
            raise Refused("BID-0001")
        most = limits["marketMaxQuantity"]
        if contract.type == "REGIONAL":
            most = min(most, contract.remaining())
        if not max(1, limits["marketMinQuantity"]) <= quantity <= most:
            raise Refused("BID-0002")

    def _activate(self, bid: Bid, now: datetime) -> None:
        del self._passive[bid.id]
        bid.status = "ACTIVE"
        immediate = bid.type == IMMEDIATE
        expires = None if bid.expires is None else dates.epoch_ms(bid.expires)
        fills = bid.contract.book.submit(
            bid.id, bid.direction, bid.price, bid.remaining, immediate=immediate, expires=expires
        )
        self._settle(bid, fills, now)
        if immediate and bid.is_open:
            self._end(bid, "CANCEL")

    def _withdraw(self, bid: Bid) -> None:
        """Take an open bid out of the book, or leave it out; it is passive afterwards."""
        if bid.id in bid.contract.book:
            bid.contract.book.cancel(bid.id)
        bid.status = "PASSIVE"
        self._passive[bid.id] = bid

    def _end(self, bid: Bid, status: BidStatus) -> None:
        self._passive.pop(bid.id, None)
        bid.status = status
        self._tell_depth(bid.contract)

    # matches and money

    def _settle(self, taker: Bid, fills: list[Fill], now: datetime) -> None:
        for fill in fills:
            maker = self.bids[fill.maker]
            buy, sell = (taker, maker) if taker.direction == "BUY" else (maker, taker)
            match = Match(
                str(next(self._ids["match"])), taker.contract.name, taker.point_name, fill.price, fill.quantity, now,
                buy, sell,
            )  # fmt: skip
            self.matches[match.id] = match
            taker.contract.matches.append(match)
            self._book_money(match, 1)
            for bid in (maker, taker):
                bid.remaining -= fill.quantity
                if not bid.remaining:
                    bid.status = "ACCEPTED"
            self._tell(
                {
                    "type": "matching",
                    "matchId": match.id,
                    "contractName": match.contract_name,
                    "price": lira(match.price),
                    "quantity": match.quantity,
                    "matchingTime": dates.to_wire(now),
                }
            )
        self._tell_depth(taker.contract)

    def change_match(self, match: Match, status: MatchStatus, operator: User) -> None:
        """Cancel a match or approve it again; prices and payments follow."""
        if match.status != status:
            self._book_money(match, 1 if status == "APPROVED" else -1)
        match.status, match.reason, match.created_by = status, "MANUAL", operator.name

    def match(self, match_id: str) -> Match:
        """The match of that number, or `Refused`."""
        if match_id not in self.matches:
            raise Refused("MATCH-0001")
        return self.matches[match_id]

    def withdraw_money(self, eic: str, amount: int) -> bool:
        """Pay ``amount`` kuruş out to an organisation; False if it is unknown or has not that much."""
        owner = next((o for o in self.organisations() if o.eic == eic), None)
        if owner is None or self.balances[owner.id] < amount:
            return False
        self.balances[owner.id] -= amount
        return True

    def organisations(self) -> list[Organisation]:
        """Every organisation once, in the order of their users."""
        return list(dict.fromkeys(user.organisation for user in self.users.values()))

    def _book_money(self, match: Match, sign: int) -> None:
        money = sign * match.price * match.quantity
        self.balances[match.buy.user.organisation.id] -= money
        self.balances[match.sell.user.organisation.id] += money

    def price_band(self, contract_type: str, gas_day: date) -> tuple[int, int]:
        """Floor and ceiling in kuruş from the matches of one type and gas day; the configured limits without a match."""
        contracts = [c for c in self.contracts.values() if c.type == contract_type and gas_day in c.gas_days]
        if not contracts:
            raise Refused("CON-0001")
        limits = contracts[0].configuration
        average = weighted_average(match for contract in contracts for match in contract.approved())
        if average is None:
            return kurus(limits["marketBasePrice"]), kurus(limits["marketCeilingPrice"])
        return tuple(  # type: ignore[return-value]
            int((average * limits[name]).to_integral_value(ROUND_HALF_UP))
            for name in ("baseCoefficient", "ceilingCoefficient")
        )

    # listeners

    def _tell_depth(self, contract: Contract) -> None:
        buy, sell = next(contract.book.orders("BUY"), None), next(contract.book.orders("SELL"), None)
        self._tell(
            {
                "type": "depth",
                "contractName": contract.name,
                "bestBuyPrice": lira(buy.price) if buy else None,
                "bestSellPrice": lira(sell.price) if sell else None,
            }
        )

    def _tell(self, event: dict[str, Any]) -> None:
        for listener in self.listeners:
            listener(event)
