"""``gridwire pie``: EDSN Partners in Energie from the command line."""

from __future__ import annotations

import typer

from gridwire.cli.pie import doctor, listen, parked, reads
from gridwire.cli.pie.link import with_link

app: typer.Typer = typer.Typer(
    help="EDSN Partners in Energie: tickets and comments of the Dutch energy sector, and notifications of new ones. "
    "Nothing here changes a ticket. Times are in UTC, those of `parked` Amsterdam's; each says so. Where and who: environment variables GRIDWIRE_EDSN_PIE_…, or gridwire.toml.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command()(with_link(listen.listen))
app.command()(with_link(reads.ticket))
app.command()(with_link(reads.comment))
app.command()(with_link(reads.comments))
app.command()(with_link(doctor.doctor))
app.add_typer(parked.app, name="parked")
