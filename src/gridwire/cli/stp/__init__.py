"""``gridwire stp``: EPİAŞ STP from the command line."""

from __future__ import annotations

import typer

from gridwire.cli.stp import bids, reads, watch
from gridwire.cli.stp.link import with_link

app: typer.Typer = typer.Typer(
    help="EPİAŞ STP, the Turkish spot market for natural gas. Prices are TL per 1000 Sm3, quantities counts of 1000 Sm3, "
    "times those of Istanbul. Where and who: environment variables GRIDWIRE_EPIAS_STP_…, or gridwire.toml.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_bid = typer.Typer(
    help="Enter, change and cancel bids. Nothing is ever sent twice.", no_args_is_help=True, rich_markup_mode=None
)

app.command()(with_link(reads.contracts))
app.command()(with_link(reads.depth))
app.command()(with_link(reads.matches))
app.command("bids")(with_link(reads.known_bids))
app.command()(with_link(watch.watch))
_bid.command()(with_link(bids.save))
_bid.command()(with_link(bids.update))
_bid.command()(with_link(bids.cancel))
app.add_typer(_bid, name="bid")
