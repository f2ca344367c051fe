"""``gridwire sandbox``: venues on this machine until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer

from gridwire.cli import loop
from gridwire.cli.output import out, out_json, tell
from gridwire.errors import ConfigurationError, InvalidInput
from gridwire.settings import temporary_folder

_LAST_PORT = 65_535

TITLES = {"epias_stp": "EPİAŞ STP", "edsn_pie": "EDSN Partners in Energie", "siooi": "АС СиОИ"}
_TRY = {
    "epias_stp": ["gridwire stp contracts"],
    "edsn_pie": ["gridwire pie ticket PIE-000001"],
    "siooi": ['gridwire siooi submit "$(dirname "$GRIDWIRE_SIOOI_SCHEMAS")/documents" --wait'],
}
_WITH_BROKER = "gridwire pie listen"
_WITH_JOURNAL = ("epias_stp", "siooi")
"""Venues whose clients write down what they send: a folder for orders, a file for uploads."""


def sandbox(
    venues: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[VENUE]...",
            help="epias (or epias_stp), pie (or edsn_pie), siooi; all venues if none is named.",
        ),
    ] = None,
    tls: Annotated[bool, typer.Option("--tls", help="Serve HTTPS from a throw-away authority.")] = False,
    seed: Annotated[int, typer.Option(help="Fixes tickets and passwords.")] = 1,
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=_LAST_PORT,
            help="First port; a venue's other services and the next venues take those that follow. Any free ports if "
            "left out.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON when everything runs.")] = False,
) -> None:
    """Run venues on this machine until Ctrl-C: real wires, nothing real behind them.

    Prints the addresses and the settings to export. Ctrl-C and SIGTERM are its regular end, with exit code 0.
    """
    try:
        loop.run(lambda: _serve(venues or [], tls, seed, port, json))
    except KeyboardInterrupt:
        tell("The sandbox has ended; what was in it is gone.")


async def _serve(names: list[str], tls: bool, seed: int, port: int | None, json: bool) -> None:
    from gridwire.sandbox import Sandbox
    from gridwire.sandbox.runner import ports_of, venue_names

    ordered = venue_names(*names)
    taken = [ports_of(name) for name in ordered]
    if port is not None and port + sum(taken) - 1 > _LAST_PORT:
        raise InvalidInput(
            f"The sandbox needs {sum(taken)} ports from --port on, and {port} is too close to {_LAST_PORT}. Nothing was "
            "started."
        )
    ports = {} if port is None else {name: port + sum(taken[:i]) for i, name in enumerate(ordered)}
    async with AsyncExitStack() as stack:
        try:
            box = await stack.enter_async_context(Sandbox(*ordered, tls=tls, seed=seed, ports=ports))
        except OSError as error:
            raise ConfigurationError(cannot_listen(port, sum(taken), error)) from None
        if "edsn_pie" in ordered and box.venue("edsn_pie").broker is None:
            tell(
                "Partners in Energie runs without the broker of its notifications, which needs an extra: pip install "
                "'gridwire[edsn]'. Tickets and comments are there.",
                label="Note",
                style="yellow",
            )
        described = box.describe()
        # A journal that outlived the venue would list bids and documents that no venue has, and stand in their way.
        journals = await asyncio.to_thread(temporary_folder, "gridwire-sandbox-journal-")
        stack.push_async_callback(asyncio.to_thread, shutil.rmtree, journals, ignore_errors=True)
        for name in set(_WITH_JOURNAL) & set(described["venues"]):
            described["venues"][name]["env"][f"GRIDWIRE_{name.upper()}_JOURNAL"] = str(Path(journals) / name)
        if json:
            out_json(described)
        else:
            introduce(described["venues"])
        await asyncio.Event().wait()


def cannot_listen(port: int | None, ports: int, error: OSError) -> str:
    """The sentence about ``ports`` ports that could not be had; ``port`` is the first, as it was asked for."""
    why = os.strerror(error.errno).lower() if error.errno else str(error)
    if port is None:
        return f"The sandbox could not be started: {why}. Nothing runs."
    return (
        f"The sandbox needs the ports {port} to {port + ports - 1} of 127.0.0.1 and could not have them all: {why}. Nothing was "
        "started. Choose others with --port, or leave it out for any free ones."
    )


def introduce(venues: dict[str, dict[str, dict[str, str]]]) -> None:
    """Print addresses and the lines to export."""
    lines = []
    for name, venue in venues.items():
        lines.append(f"{TITLES[name]} runs on this machine:")
        lines += [f"  {what.upper():<5}{url}" for what, url in venue["urls"].items()]
    lines += ["", "In another terminal, export its settings and look around:", ""]
    for name, venue in venues.items():
        lines += [f"export {setting}={shlex.quote(value)}" for setting, value in venue["env"].items()]
        lines += [*_TRY[name], *([_WITH_BROKER] if "amqp" in venue["urls"] else [])]
    out("\n".join([*lines, "", "Ctrl-C ends it; everything is in memory and gone then."]))
