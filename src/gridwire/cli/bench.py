"""``gridwire bench``: measurements that a user can run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gridwire.cli.output import need_stdout

app: typer.Typer = typer.Typer(help="Measure gridwire on this machine.", no_args_is_help=True, rich_markup_mode=None)


@app.command("imports")
def imports(json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Time the imports and count the base install, beside their budgets. Exit code 1 if one is broken."""
    from gridwire.bench.__main__ import main

    need_stdout()
    raise typer.Exit(main(["imports", *(["--json"] if json else [])]))


@app.command("orders")
def orders(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object; progress goes to stderr.")] = False,
    count: Annotated[int, typer.Option("--orders", min=60, metavar="N", help="Orders per contender.")] = 3000,
    rounds: Annotated[int, typer.Option(min=1, metavar="N", help="Interleaved rounds they are spread over.")] = 6,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a PNG histogram of the times.")] = None,
) -> None:
    """Time an order's way: the desk beside a bare socket and beside httpx with pydantic.

    Ends within two minutes: on a slow machine with fewer orders, and says so.
    """
    from gridwire.bench.__main__ import main
    from gridwire.settings import expanded

    need_stdout()
    words = ["orders", "--orders", str(count), "--rounds", str(rounds), *(["--json"] if json else [])]
    raise typer.Exit(main([*words, *(["--plot", str(expanded(plot, "--plot"))] if plot is not None else [])]))


@app.command("amqp")
def amqp(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object; progress goes to stderr.")] = False,
    messages: Annotated[int, typer.Option(min=500, metavar="N", help="Notifications per contender and round.")] = 5000,
    rounds: Annotated[int, typer.Option(min=1, metavar="N", help="Interleaved rounds; the best of each counts.")] = 6,
) -> None:
    """Count notifications per second of processor time, beside proton's own Container. Exit code 1 below 1.5 times."""
    from gridwire.bench.__main__ import main

    need_stdout()
    words = ["amqp", "--messages", str(messages), "--rounds", str(rounds), *(["--json"] if json else [])]
    raise typer.Exit(main(words))
