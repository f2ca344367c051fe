"""``gridwire stp``: EPİAŞ STP from the command line."""

from __future__ import annotations

import typer

from gridwire.cli.stp import bids, contracts, reads, settlement, watch
from gridwire.cli.stp.link import with_link

app: typer.Typer = typer.Typer(
    help="EPİAŞ STP, the Turkish spot market for natural gas. Prices are TL per 1000 Sm3, quantities counts of 1000 Sm3, "
    "times those of Istanbul. Where and who: environment variables GRIDWIRE_EPIAS_STP_…, or gridwire.toml.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _group(name: str, help: str) -> typer.Typer:
    group = typer.Typer(help=help, no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name=name)
    return group


app.command()(with_link(reads.contracts))
app.command()(with_link(reads.depth))
app.command("depth-summary")(with_link(reads.depth_summary))
app.command()(with_link(reads.matches))
app.command("status")(with_link(reads.statuses))
app.command()(with_link(reads.grp))
app.command("bids")(with_link(reads.known_bids))
app.command()(with_link(watch.watch))

_bid = _group("bid", "Enter, change and cancel bids. Nothing is ever sent twice.")
_bid.command()(with_link(bids.save))
_bid.command()(with_link(bids.update))
_bid.command()(with_link(bids.cancel))

_contract = _group("contract", "One contract's master data; make a contract (operator).")
_contract.command()(with_link(contracts.get))
_contract.command()(with_link(contracts.save))

_conf = _group("conf", "One contract's limits, formulas and gates; store them (operator).")
_conf.command("get")(with_link(contracts.configuration))
_conf.command("save")(with_link(contracts.configure))

_gate = _group("gate", "Move, open and close the gates of contracts (operator).")
_gate.command("update")(with_link(contracts.update_gate))
_gate.command("status")(with_link(contracts.change_gate))

_match = _group("match", "Change the state of matches (operator).")
_match.command("change")(with_link(settlement.change_match))

_payment = _group("payment", "Order payments (settlement).")
_payment.command("order")(with_link(settlement.order_payments))
