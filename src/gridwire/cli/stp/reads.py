"""``gridwire stp contracts``, ``depth``, ``matches`` and the like: questions that change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridwire.cli.output import Column, Row, clean, out_json, show_table, tell
from gridwire.cli.stp import values, views
from gridwire.cli.stp.link import Link
from gridwire.cli.stp.writes import TransactionId
from gridwire.errors import GridwireError, InvalidInput

if TYPE_CHECKING:
    from gridwire.epias_stp import EpiasStp
    from gridwire.epias_stp.models import Listing
    from gridwire.outcome import OrderRef

Contract = Annotated[str, typer.Argument(metavar="CONTRACT", help="A contract's name, as `contracts` lists it.")]


def contracts(
    link: Link,
    weekly: Annotated[bool, typer.Option("--weekly", help="Weekly contracts instead of daily ones.")] = False,
    regional: Annotated[bool, typer.Option("--regional", help="Contracts for gas at named network points.")] = False,
    transaction_id: TransactionId = None,
) -> None:
    """List the contracts that are open for trading or about to open, with their best prices."""
    if weekly and regional:
        raise InvalidInput("--weekly and --regional are two lists; ask for one at a time. Nothing was sent.")
    if regional:
        points = link.run(lambda stp: stp.contracts.regional(transaction_id=transaction_id))
        _list(link, points, views.REGIONAL, [views.regional(point) for point in points])
    else:
        found = link.run(
            lambda stp: (stp.contracts.weekly if weekly else stp.contracts.standard)(transaction_id=transaction_id)
        )
        _list(link, found, views.CONTRACTS, [views.contract(one) for one in found])


def _list(link: Link, found: Listing[Any], columns: Sequence[Column], rows: list[Row]) -> None:
    if link.json:
        out_json({"contracts": found, "transaction_id": found.transaction_id})
    elif rows:
        show_table(columns, rows)
    else:
        tell("No contract of this kind is open for trading or about to open.")


def depth(link: Link, contract: Contract, transaction_id: TransactionId = None) -> None:
    """Show the order book of one contract by price level; levels with a bid of yours are marked."""
    book = link.run(lambda stp: stp.contracts.depth(contract, transaction_id=transaction_id))
    if link.json:
        out_json({"contract": contract, "buys": book.buys, "sells": book.sells, "transaction_id": book.transaction_id})
    elif book.buys or book.sells:
        show_table(views.DEPTH, views.depth(book))
    else:
        tell(f"Nobody buys or sells {contract}.")


def depth_summary(link: Link, contract: Contract, transaction_id: TransactionId = None) -> None:
    """Show the order book of one contract bid by bid."""
    found = link.run(lambda stp: stp.contracts.depth_summary(contract, transaction_id=transaction_id))
    if link.json:
        out_json({"contract": contract, "bids": found, "transaction_id": found.transaction_id})
    elif found:
        show_table(views.SUMMARY, [views.resting(one) for one in found])
    else:
        tell(f"Nobody buys or sells {contract}.")


def statuses(link: Link, transaction_id: TransactionId = None) -> None:
    """List every state that a contract can be in, with its name."""
    found = link.run(lambda stp: stp.contract_statuses.all(transaction_id=transaction_id))
    if link.json:
        out_json({"statuses": found, "transaction_id": found.transaction_id})
    elif found:
        show_table(views.STATUSES, [(one.code, one.text) for one in found])
    else:
        tell("STP lists no state of a contract.")


def grp(
    link: Link,
    type: Annotated[str, typer.Argument(metavar="TYPE", help="The venue's name of a type of contract: STANDART …")],
    day: Annotated[str, typer.Argument(metavar="DAY", help="A gas day: 2026-12-01.")],
    transaction_id: TransactionId = None,
) -> None:
    """Work out the price limits that the gas reference price (GRP) gives for a day (operator)."""
    gas_day = values.day(day, "DAY")
    found = link.run(lambda stp: stp.market_prices.calculate_grp(type, gas_day, transaction_id=transaction_id))
    if link.json:
        out_json({"type": type, "day": gas_day, "prices": found, "transaction_id": found.transaction_id})
    else:
        views.show_fields(found)


def known_bids(link: Link) -> None:
    """List the bids of this account that may be resting, as far as the journal knows; STP itself lists none.

    Those of which STP shows that they were filled or have expired are closed first.
    """

    async def work(stp: EpiasStp) -> list[OrderRef]:
        try:
            await stp.bids.refresh()
        except GridwireError as error:
            tell(f"Some of these may have been filled or have expired: {clean(str(error))}", label="Note")
        return await stp.bids.known()

    found = link.run(work)
    if link.json:
        out_json({"bids": [{"id": bid.id, "transaction_id": bid.intent.key, **bid.restated} for bid in found]})
    elif found:
        show_table(views.BIDS, [views.known_bid(bid) for bid in found])
    else:
        tell("The journal knows of no bid of this account that may be resting.")


def matches(
    link: Link,
    contract: Annotated[list[str], typer.Argument(metavar="CONTRACT", help="One contract or several.")],
    transaction_id: TransactionId = None,
) -> None:
    """List the public matches of contracts; your own are marked."""
    found = link.run(lambda stp: stp.matches.of(contract, transaction_id=transaction_id))
    if link.json:
        out_json({"matches": found, "transaction_id": found.transaction_id})
    elif found:
        show_table(views.MATCHES, [views.match(one) for one in found])
    else:
        tell(f"No match yet of {', '.join(contract)}.")
