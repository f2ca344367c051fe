"""``gridwire siooi``: АС СиОИ from the command line."""

from __future__ import annotations

import typer

from gridwire.cli.siooi import documents, jobs, journal, profiles
from gridwire.cli.siooi.link import with_link

app: typer.Typer = typer.Typer(
    help="АС СиОИ: load collection documents once, follow their jobs, settle what is unknown. Times are Moscow's. Where and "
    "who: environment variables GRIDWIRE_SIOOI_…, or gridwire.toml.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_profile = typer.Typer(
    help="The wire of your installation, from the letter of its support.", no_args_is_help=True, rich_markup_mode=None
)

app.command()(with_link(documents.prepare))
app.command()(with_link(documents.submit))
app.command()(with_link(jobs.status))
app.command()(with_link(jobs.wait))
app.command()(with_link(journal.journal))
app.command()(with_link(journal.resolve))
app.command()(with_link(journal.letter))
_profile.command()(with_link(profiles.new))
_profile.command()(with_link(profiles.check))
app.add_typer(_profile, name="profile")
