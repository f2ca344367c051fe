"""``gridwire stp contracts``, ``depth`` and ``matches``: questions that change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from gridwire.cli.output import Column, Row, clean, out_json, show_table, tell
from gridwire.cli.stp import views
from gridwire.cli.stp.link import Link
from gridwire.errors import GridwireError, InvalidInput

if TYPE_CHECKING:
    from gridwire.epias_stp import EpiasStp
    from gridwire.outcome import OrderRef

Contract = Annotated[str, typer.Argument(metavar="CONTRACT", help="A contract's name, as `contracts` lists it.")]


def contracts(
    link: Link,
    weekly: Annotated[bool, typer.Option("--weekly", help="Weekly contracts instead of daily ones.")] = False,
    regional: Annotated[bool, typer.Option("--regional", help="Contracts for gas at named network points.")] = False,
) -> None:
    """List the contracts that are open for trading or about to open, with their best prices."""
    if weekly and regional:
        raise InvalidInput("--weekly and --regional are two lists; ask for one at a time. Nothing was sent.")
    if regional:
        points = link.run(lambda stp: stp.contracts.regional())
        _list(link, points, views.REGIONAL, [views.regional(point) for point in points])
    else:
        found = link.run(lambda stp: stp.contracts.weekly() if weekly else stp.contracts.standard())
        _list(link, found, views.CONTRACTS, [views.contract(one) for one in found])


def _list(link: Link, found: object, columns: Sequence[Column], rows: list[Row]) -> None:
    if link.json:
        out_json({"contracts": found})
    elif rows:
        show_table(columns, rows)
    else:
        tell("No contract of this kind is open for trading or about to open.")


def depth(link: Link, contract: Contract) -> None:
    """Show the order book of one contract by price level; levels with a bid of yours are marked."""
    book = link.run(lambda stp: stp.contracts.depth(contract))
    if link.json:
        out_json({"contract": contract, "buys": book.buys, "sells": book.sells})
    elif book.buys or book.sells:
        show_table(views.DEPTH, views.depth(book))
    else:
        tell(f"Nobody buys or sells {contract}.")


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
) -> None:
    """List the public matches of contracts; your own are marked."""
    found = link.run(lambda stp: stp.matches.of(contract))
    if link.json:
        out_json({"matches": found})
    elif found:
        show_table(views.MATCHES, [views.match(one) for one in found])
    else:
        tell(f"No match yet of {', '.join(contract)}.")
