"""EPİAŞ STP without ``async``: the calls, models and outcomes of `gridwire.epias_stp`.

Made by ``tools/make_sync.py`` from the async classes: change those, and run it again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import SecretStr

from gridwire.auth.tickets import TicketStats
from gridwire.epias_stp.broadcast import Message
from gridwire.epias_stp.client import SILENCE_S
from gridwire.epias_stp.client import EpiasStp as AsyncEpiasStp
from gridwire.epias_stp.desk import Side
from gridwire.epias_stp.desk import StpDesk as AsyncStpDesk
from gridwire.epias_stp.enums import BidStatus, BidType, Direction
from gridwire.epias_stp.models import (
    ContractConfiguration,
    ContractDepth,
    ContractDetails,
    ContractSummary,
    DepthSummaryRow,
    GateSetting,
    GrpPrices,
    Listing,
    Match,
    MatchChangeStatusRequestBody,
    NamedCode,
    PaymentOrder,
    RegionalContractSummary,
)
from gridwire.epias_stp.profile import Account, Profile
from gridwire.epias_stp.services.bids import Bids as AsyncBids
from gridwire.epias_stp.services.contracts import Contracts as AsyncContracts
from gridwire.epias_stp.services.contracts import ContractStatuses as AsyncContractStatuses
from gridwire.epias_stp.services.contracts import MarketPrices as AsyncMarketPrices
from gridwire.epias_stp.services.operator import ContractConfigurations as AsyncContractConfigurations
from gridwire.epias_stp.services.operator import ContractGates as AsyncContractGates
from gridwire.epias_stp.services.operator import Matches as AsyncMatches
from gridwire.epias_stp.services.operator import Payments as AsyncPayments
from gridwire.intents.guard import Limits
from gridwire.observe.events import Listener
from gridwire.observe.timings import Timings
from gridwire.outcome import OrderRef, Outcome, Rejected, Unknown
from gridwire.periods import GasDay
from gridwire.sync.base import Blocking
from gridwire.sync.bridge import Bridge
from gridwire.sync.stream import Stream
from gridwire.transport.lanes import LaneLimits


class StpDesk:
    """A desk as ``stp.desk(…)`` returns it: a context manager, one per account. What sends returns an `Outcome`."""

    def __init__(self, bridge: Bridge, calls: AsyncStpDesk) -> None:
        self._bridge = bridge
        self._calls = calls

    def __enter__(self) -> Self:
        self._bridge.call(self._calls.__aenter__)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bridge.call(self._calls.__aexit__, kind, error, trace)

    def warm_up(self) -> None:
        """Open the desk, unless it is open; for `trading_mode`."""
        self._bridge.call(self._calls.warm_up)

    def cool_down(self) -> None:
        """Close the desk, if `warm_up` opened it."""
        self._bridge.call(self._calls.cool_down)

    def buy(
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
        return self._bridge.call(
            self._calls.buy,
            contract,
            price=price,
            price_cents=price_cents,
            quantity=quantity,
            bid_type=bid_type,
            bid_status=bid_status,
            expire_time=expire_time,
            point_name=point_name,
            client_ref=client_ref,
        )

    def sell(
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
        return self._bridge.call(
            self._calls.sell,
            contract,
            price=price,
            price_cents=price_cents,
            quantity=quantity,
            bid_type=bid_type,
            bid_status=bid_status,
            expire_time=expire_time,
            point_name=point_name,
            client_ref=client_ref,
        )

    def modify(
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
        return self._bridge.call(
            self._calls.modify,
            bid,
            price=price,
            price_cents=price_cents,
            quantity=quantity,
            bid_status=bid_status,
            client_ref=client_ref,
        )

    def activate(self, bid: OrderRef, *, price: Decimal | str | None = None, quantity: int) -> Outcome:
        """Put a passive bid into the book, with the price of its reference unless given, and this quantity."""
        return self._bridge.call(self._calls.activate, bid, price=price, quantity=quantity)

    def deactivate(self, bid: OrderRef, *, price: Decimal | str | None = None, quantity: int) -> Outcome:
        """Take a bid out of the book without cancelling it; what is restated counts when it is activated again."""
        return self._bridge.call(self._calls.deactivate, bid, price=price, quantity=quantity)

    def cancel(self, bid: OrderRef, *, client_ref: str | None = None) -> Outcome:
        """Cancel a bid. The guard does not stand in its way, not even halted.

        ``client_ref`` is your own key of this cancellation, not the bid's; see `buy`.
        """
        return self._bridge.call(self._calls.cancel, bid, client_ref=client_ref)

    def cancel_all(
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
        return self._bridge.call(
            self._calls.cancel_all, contract=contract, ref_prefix=ref_prefix, everything=everything
        )

    def resolve(self, outcome: Unknown) -> Outcome:
        """Look at the venue for what became of an unknown call, sending nothing; settled on evidence only.

        Returns `Accepted` (``order.id`` None where STP does not tell it: the bid is live, and can be cancelled on the STP
        screen quoting the transactionId), `Rejected` with the code ``absent``, for a cancellation that came too late with
        ``filled``, or `Unknown` again with the reason. What was settled before is answered as it was settled. A change or a
        cancellation whose bid has ended is settled too, and stays `Unknown` with the cause ``order_ended``: nothing depends
        on it any more. An own mark or an own trade proves something only where the client was declared ``exclusive``. Raises
        what a read raises, and `InvalidInput` for anything else.
        """
        return self._bridge.call(self._calls.resolve, outcome)

    def refresh(self) -> list[OrderRef]:
        """Close the bids that certainly rest no more, and count them no more; see `Bids.refresh`. Opening a desk does it too."""
        return self._bridge.call(self._calls.refresh)

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
        return self._calls.preview(
            side,
            contract,
            price=price,
            price_cents=price_cents,
            quantity=quantity,
            bid_type=bid_type,
            bid_status=bid_status,
            expire_time=expire_time,
            point_name=point_name,
        )

    @property
    def timings(self) -> Timings:
        """Nanoseconds per stage of the last orders."""
        return self._calls.timings

    @property
    def open_notional(self) -> Decimal:
        """Price times quantity of everything that may be resting, in TL."""
        return self._calls.open_notional

    def halt(self, reason: str = "") -> None:
        """Throw the kill switch: from now on no bid or change leaves this desk; cancellations still do.

        It is the desk's: what ``stp.bids`` or another program enters is not held back.
        """
        self._calls.halt(reason)

    def resume(self) -> None:
        """Take `halt` back."""
        self._calls.resume()


class Bids:
    """``stp.bids``. Each method is one request at most, and returns an `Outcome`.

    All raise `InvalidInput` for an argument that cannot be right and `ReadOnly` on a read-only client; nothing is sent
    then. ``raw`` of an `Accepted` is the answer's `Envelope`.
    """

    def __init__(self, bridge: Bridge, calls: AsyncBids) -> None:
        self._bridge = bridge
        self._calls = calls

    def save(
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
        return self._bridge.call(
            self._calls.save,
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
            client_ref=client_ref,
            transaction_id=transaction_id,
        )

    def update(
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
        return self._bridge.call(
            self._calls.update,
            bid,
            price=price,
            price_cents=price_cents,
            quantity=quantity,
            bid_status=bid_status,
            allow_no_price=allow_no_price,
            allow_any_status=allow_any_status,
            client_ref=client_ref,
            transaction_id=transaction_id,
        )

    def cancel(
        self, bid: OrderRef | str, *, client_ref: str | None = None, transaction_id: str | UUID | None = None
    ) -> Outcome:
        """Cancel a bid. `Unknown` means that it may still be live: cancel it again, or look at the depth.

        A second cancellation of the same bid draws a BUSINESSERROR from the venue, which is `Rejected`.
        """
        return self._bridge.call(self._calls.cancel, bid, client_ref=client_ref, transaction_id=transaction_id)

    def known(self) -> list[OrderRef]:
        """The bids of this account that may be resting as far as the journal knows, oldest first.

        Bids entered elsewhere are not among them. An ``id`` of None is a bid found live after its answer got lost.
        """
        return self._bridge.call(self._calls.known)

    def refresh(self) -> list[OrderRef]:
        """Close the bids that certainly rest no more, so that `known` names them no more; returns them.

        STP tells nobody that a bid was filled or has expired. This looks at own marks and own matches; "How an order
        travels" says when a bid is closed. Sends nothing that changes anything; raises what a read does.
        """
        return self._bridge.call(self._calls.refresh)


class Contracts:
    """``stp.contracts``. Reads raise from the error tree (see `gridwire.errors`); `save` returns an `Outcome`.

    ``transaction_id`` of a read is yours to give, a new one otherwise; what is returned names it, and so does the event
    ``call.answered``.
    """

    def __init__(self, bridge: Bridge, calls: AsyncContracts) -> None:
        self._bridge = bridge
        self._calls = calls

    def standard(self, *, transaction_id: str | UUID | None = None) -> Listing[ContractSummary]:
        """Daily contracts that are open for trading or about to open, with their best prices (``activecontracts/standart``).

        `ContractSummary.is_open` tells the two apart.
        """
        return self._bridge.call(self._calls.standard, transaction_id=transaction_id)

    def weekly(self, *, transaction_id: str | UUID | None = None) -> Listing[ContractSummary]:
        """Weekly contracts that are open for trading or about to open (``activecontracts/weekly``)."""
        return self._bridge.call(self._calls.weekly, transaction_id=transaction_id)

    def regional(self, *, transaction_id: str | UUID | None = None) -> Listing[RegionalContractSummary]:
        """Contracts for gas at named network points, open or about to open (``activecontracts/regional``)."""
        return self._bridge.call(self._calls.regional, transaction_id=transaction_id)

    def depth(self, contract: str, *, transaction_id: str | UUID | None = None) -> ContractDepth:
        """The order book of one contract by price level; levels with an own bid are marked ``owner``."""
        return self._bridge.call(self._calls.depth, contract, transaction_id=transaction_id)

    def depth_summary(self, contract: str, *, transaction_id: str | UUID | None = None) -> Listing[DepthSummaryRow]:
        """The order book of one contract bid by bid."""
        return self._bridge.call(self._calls.depth_summary, contract, transaction_id=transaction_id)

    def get(self, contract: str, *, transaction_id: str | UUID | None = None) -> ContractDetails:
        """Master data of one contract."""
        return self._bridge.call(self._calls.get, contract, transaction_id=transaction_id)

    def save(
        self,
        contract_type: str,
        *,
        direction: Direction | str,
        quantity: int,
        gas_days: date | GasDay | datetime | Iterable[date | GasDay | datetime],
        physical_point_ids: Iterable[int],
        client_ref: str | None = None,
        transaction_id: str | UUID | None = None,
    ) -> Outcome:
        """Make a contract (operator). ``quantity`` counts 1000 Sm3; ``raw.model()`` of an `Accepted` holds its name.

        An answer that says yes to another type, side, quantity or day is `Unknown`. ``client_ref`` and ``transaction_id``
        as for `Bids.save`.
        """
        return self._bridge.call(
            self._calls.save,
            contract_type,
            direction=direction,
            quantity=quantity,
            gas_days=gas_days,
            physical_point_ids=physical_point_ids,
            client_ref=client_ref,
            transaction_id=transaction_id,
        )


class ContractStatuses:
    """``stp.contract_statuses``."""

    def __init__(self, bridge: Bridge, calls: AsyncContractStatuses) -> None:
        self._bridge = bridge
        self._calls = calls

    def all(self, *, transaction_id: str | UUID | None = None) -> Listing[NamedCode]:
        """Every state a contract can be in, with its name in the language asked for."""
        return self._bridge.call(self._calls.all, transaction_id=transaction_id)


class MarketPrices:
    """``stp.market_prices``."""

    def __init__(self, bridge: Bridge, calls: AsyncMarketPrices) -> None:
        self._bridge = bridge
        self._calls = calls

    def calculate_grp(
        self, contract_type: str, gas_day: date | GasDay | datetime, *, transaction_id: str | UUID | None = None
    ) -> GrpPrices:
        """Price limits that follow from the gas reference price of ``gas_day``, in TL per 1000 Sm3 (operator)."""
        return self._bridge.call(self._calls.calculate_grp, contract_type, gas_day, transaction_id=transaction_id)


class ContractConfigurations:
    """``stp.contract_configuration``."""

    def __init__(self, bridge: Bridge, calls: AsyncContractConfigurations) -> None:
        self._bridge = bridge
        self._calls = calls

    def get(self, contract: str, *, transaction_id: str | UUID | None = None) -> ContractConfiguration:
        """Limits, formulas and gates of one contract. Take price and quantity limits from here, never from memory."""
        return self._bridge.call(self._calls.get, contract, transaction_id=transaction_id)

    def save(
        self,
        contract: str,
        *,
        dap_scope_date: datetime,
        dap_final_date: datetime,
        grp_scope_date: datetime,
        grp_final_date: datetime,
        gates: Iterable[GateSetting] | None = None,
        lpa: int | None = None,
        client_ref: str | None = None,
        transaction_id: str | UUID | None = None,
        **settings: Decimal | str | int | None,
    ) -> Outcome:
        """Store a contract's configuration (operator). ``settings`` are named as in `ContractConfiguration`.

        Prices are Decimal or str in TL per 1000 Sm3, quantities int counts of 1000 Sm3.
        """
        return self._bridge.call(
            self._calls.save,
            contract,
            dap_scope_date=dap_scope_date,
            dap_final_date=dap_final_date,
            grp_scope_date=grp_scope_date,
            grp_final_date=grp_final_date,
            gates=gates,
            lpa=lpa,
            client_ref=client_ref,
            transaction_id=transaction_id,
            **settings,
        )


class ContractGates:
    """``stp.contract_gates``: when what may be done with a contract (operator)."""

    def __init__(self, bridge: Bridge, calls: AsyncContractGates) -> None:
        self._bridge = bridge
        self._calls = calls

    def update(
        self,
        gate_id: int,
        *,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        client_ref: str | None = None,
        transaction_id: str | UUID | None = None,
    ) -> Outcome:
        """Move a gate's begin, end, or both. ``raw.model()`` of an `Accepted` is the gate as it is now."""
        return self._bridge.call(
            self._calls.update,
            gate_id,
            start_date=start_date,
            end_date=end_date,
            client_ref=client_ref,
            transaction_id=transaction_id,
        )

    def change_status(
        self, gate_id: int, *, gate_status: str, client_ref: str | None = None, transaction_id: str | UUID | None = None
    ) -> Outcome:
        """Open or close a gate; the venue publishes no list of states. An answer with another state is `Unknown`."""
        return self._bridge.call(
            self._calls.change_status,
            gate_id,
            gate_status=gate_status,
            client_ref=client_ref,
            transaction_id=transaction_id,
        )


class Matches:
    """``stp.matches``."""

    def __init__(self, bridge: Bridge, calls: AsyncMatches) -> None:
        self._bridge = bridge
        self._calls = calls

    def of(self, contracts: str | Iterable[str], *, transaction_id: str | UUID | None = None) -> Listing[Match]:
        """Public matches of one or several active contracts; own ones are marked ``my_own_matching``."""
        return self._bridge.call(self._calls.of, contracts, transaction_id=transaction_id)

    def change_status(
        self,
        changes: Iterable[MatchChangeStatusRequestBody],
        *,
        client_ref: str | None = None,
        transaction_id: str | UUID | None = None,
    ) -> list[Outcome]:
        """Change the states of matches (operator), in one request; make the entries with ``epias_stp.match_change``.

        Returns one outcome for each change, in their order. The answer lists the matches as they are now: one that it
        leaves out, or that is in another state than was sent, is `Unknown`.
        """
        return self._bridge.call(
            self._calls.change_status, changes, client_ref=client_ref, transaction_id=transaction_id
        )


class Payments:
    """``stp.payments``."""

    def __init__(self, bridge: Bridge, calls: AsyncPayments) -> None:
        self._bridge = bridge
        self._calls = calls

    def order(
        self, orders: Iterable[PaymentOrder], *, client_ref: str | None = None, transaction_id: str | UUID | None = None
    ) -> list[Outcome]:
        """Order payments (settlement), in one request; make the entries with ``epias_stp.payment``.

        Returns one outcome for each order, in their order, by the status that the answer gives it: ``ACCEPTED`` is `Accepted`,
        ``REJECTED`` is `Rejected`, another one or none is `Unknown`, as is an answer with another amount or EIC. Both words
        are inferred. A repeated order pays twice: give a ``client_ref``, which is refused when it comes again.
        """
        return self._bridge.call(self._calls.order, orders, client_ref=client_ref, transaction_id=transaction_id)


class EpiasStp(Blocking):
    """A session with STP, as a context manager, on an event loop and in a thread of its own.

    ``account`` says where and who: from a `Sandbox`, or built by `from_env`. Nothing is asked of the venue before the
    first call.

    ``application`` is the name in the venue's log; ``language`` (``tr-tr``, ``en-us``) that of its texts;
    ``message_format`` is ``json`` or ``xml``. ``read_only`` refuses every call that changes something.
    ``exclusive`` declares that all bids of your organisation are entered through this journal: no other machine, program or
    person enters, changes or cancels any. Only then can an own mark or an own trade prove what became of a call whose answer
    was lost; without it what could be somebody else's stays `Unknown`. ``confirmed``
    lists the uncertain profile fields that you have checked with the venue (needed in production: ``cas_url`` before
    anything, because every call may have to log in, the others before a call that changes something). ``proxy``,
    ``ca_bundle``, ``client_cert``, ``client_cert_passphrase`` and ``timeout`` (seconds for one attempt) are as in
    `gridwire.transport.tls.Network`.

    ``resend_on_security_error`` repeats a write once after a SECURITYERROR that drew a ticket older than 10 s,
    ``retry_cancel`` a cancellation once where no readable answer came, or HTTP 5xx or SYSTEMERROR, with another 10 s to
    leave: both are off, and nothing else is ever sent twice.
    ``ticket_file`` lets session and login budget survive the process (True for the usual place, or a path).
    ``journal`` is the directory in which every call that changes something is written down before it leaves: the
    usual place if None; a sandbox's own folder lives as long as the client. With ``journal_durability="power"`` each line is
    on the disk before its call leaves, so that it survives a power cut too: an order then waits for the disk.
    ``on_event`` is told what happens, on the client's own thread.
    """

    def __init__(
        self,
        account: Account,
        *,
        application: str = "gridwire",
        language: Literal["tr-tr", "en-us"] = "tr-tr",
        message_format: Literal["json", "xml"] = "json",
        proxy: str | None = None,
        ca_bundle: str | None = None,
        client_cert: str | None = None,
        client_cert_passphrase: SecretStr | str | None = None,
        timeout: float = 10.0,
        trust_env: bool = False,
        read_only: bool = False,
        exclusive: bool = False,
        confirmed: Collection[str] = (),
        resend_on_security_error: bool = False,
        retry_cancel: bool = False,
        ticket_file: bool | str | Path = False,
        journal: str | Path | None = None,
        journal_durability: Literal["process", "power"] = "process",
        on_event: Listener | None = None,
    ) -> None:
        self._wrap(
            AsyncEpiasStp(
                account,
                application=application,
                language=language,
                message_format=message_format,
                proxy=proxy,
                ca_bundle=ca_bundle,
                client_cert=client_cert,
                client_cert_passphrase=client_cert_passphrase,
                timeout=timeout,
                trust_env=trust_env,
                read_only=read_only,
                exclusive=exclusive,
                confirmed=confirmed,
                resend_on_security_error=resend_on_security_error,
                retry_cancel=retry_cancel,
                ticket_file=ticket_file,
                journal=journal,
                journal_durability=journal_durability,
                on_event=on_event,
            )
        )

    @classmethod
    def from_env(cls, *, file: Path | None = None, **arguments: Any) -> Self:
        """A client from settings: ``arguments`` outrank the environment, which outranks ``gridwire.toml`` and the keyring.

        Settings are named as in `StpSettings`, and in the environment with the prefix ``GRIDWIRE_EPIAS_STP_``. Other
        arguments of the constructor pass through. The environment must be named: there is no default. Raises
        `ConfigurationError` naming the setting.
        """
        client = cls.__new__(cls)
        client._wrap(AsyncEpiasStp.from_env(file=file, **arguments))
        return client

    def _wrap(self, client: AsyncEpiasStp) -> None:
        self._client = client
        self._bridge = Bridge(client)
        self.profile: Profile = client.profile
        self.bids: Bids = Bids(self._bridge, client.bids)
        self.contracts: Contracts = Contracts(self._bridge, client.contracts)
        self.contract_configuration: ContractConfigurations = ContractConfigurations(
            self._bridge, client.contract_configuration
        )
        self.contract_gates: ContractGates = ContractGates(self._bridge, client.contract_gates)
        self.contract_statuses: ContractStatuses = ContractStatuses(self._bridge, client.contract_statuses)
        self.market_prices: MarketPrices = MarketPrices(self._bridge, client.market_prices)
        self.matches: Matches = Matches(self._bridge, client.matches)
        self.payments: Payments = Payments(self._bridge, client.payments)

    def warm_up(self) -> None:
        """Do now what the first call would otherwise wait for: open the journal, log in, build the readers of answers.

        Tickets are kept ready from then on, until `cool_down` or the client's end. Raises `Unconfirmed` at production as
        every call does.
        """
        self._bridge.call(self._client.warm_up)

    def cool_down(self) -> None:
        """Take one `warm_up` back: no tickets are kept ready any more, unless an open desk needs them."""
        self._bridge.call(self._client.cool_down)

    def ticket_stats(self) -> TicketStats:
        """Counts and state of the service tickets: logins, tickets fetched and wasted, tickets ready now."""
        return self._client.ticket_stats()

    def logout(self) -> None:
        """End the CAS session once the requests under way have an answer (waiting up to 30 s).

        Tickets not yet used die with it, also those of other programs that share the session. The next call logs in again,
        which gridwire allows a minute after the last login.
        """
        self._bridge.call(self._client.logout)

    def unknown(self) -> list[Unknown]:
        """The calls whose outcome is not known, oldest first: of this client, and what a crash left of earlier ones.

        Raises `JournalError` where the journal that was opened is not there any more.
        """
        return [*self._client.unknown(), *self._bridge.undelivered]

    def earlier(self, *refused: Rejected) -> list[Outcome] | None:
        """What became of the call that was made before ``refused``, under the same ``client_ref`` or transactionId.

        ``refused`` are all outcomes of one call, with the code ``client_ref`` or ``transaction_id``. None where the earlier
        call said something else: what was refused is then certainly not at the venue. The venue is not asked. Raises
        `InvalidInput` for any other outcome, and `JournalError`.
        """
        return self._bridge.call(self._client.earlier, *refused)

    def desk(
        self,
        *,
        contracts: Collection[str] | None = None,
        bid_type: BidType | str = BidType.STANDARD_MATCH,
        limits: Limits | None = None,
        order_transport: Literal["lane", "httpx"] | None = None,
        lanes: LaneLimits | None = None,
    ) -> StpDesk:
        """A desk for entering bids fast, as a context manager; one per client at a time.

        ``contracts`` are the only ones it may trade (None: any); ``limits`` are its guard's. Orders go in the client's
        ``message_format`` over warm lanes; over httpx with ``order_transport="httpx"`` or a proxy. Raises `ReadOnly` and
        `Unconfirmed` as a bid would.
        """
        return StpDesk(
            self._bridge,
            self._bridge.run(
                self._client.desk,
                contracts=contracts,
                bid_type=bid_type,
                limits=limits,
                order_transport=order_transport,
                lanes=lanes,
            ),
        )

    def broadcast(self, *, silence_s: float = SILENCE_S) -> Stream[Message]:
        """What the market tells as it happens, as an endless iterator of `Message` and `Connection` events.

        ``silence_s`` without any frame is a lost connection; each new one asks for the address anew, with a new ticket.
        """
        return Stream(self._bridge, self._bridge.run(self._client.broadcast, silence_s=silence_s))
