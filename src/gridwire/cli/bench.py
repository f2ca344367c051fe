"""``gridwire bench``: measurements that a user can run again."""

from __future__ import annotations

from typing import Annotated

import typer

app: typer.Typer = typer.Typer(help="Measure gridwire on this machine.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Keeps ``imports`` a command of its own while it is the only one."""


@app.command("imports")
def imports(json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Time the imports and count the base install, beside their budgets. Exit code 1 if one is broken."""
    from gridwire.bench.__main__ import main

    raise typer.Exit(main(["imports", *(["--json"] if json else [])]))
