"""``gridwire demo``: the first minute. Two traders on a simulated venue, one lost answer, and an honest account of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridwire.cli import loop
from gridwire.cli.exits import ExitCode
from gridwire.cli.output import out_json, show, tell
from gridwire.errors import InvalidInput, MissingExtra

if TYPE_CHECKING:
    from gridwire.cli.demo.tally import Tally

    Play = Callable[[float, int, bool], Coroutine[Any, Any, Tally]]

_SHORT = {"epias": "epias_stp"}
_PLAYS = {"epias_stp": "gridwire.cli.demo.epias_stp", "siooi": "gridwire.cli.demo.siooi"}
"""Each venue's module with its ``play(seconds, seed, silent)``, imported when it is its turn."""


def demo(
    venue: Annotated[
        list[str] | None, typer.Option(help="epias (or epias_stp), siooi; every venue that is installed if left out.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="How long each venue is shown, about.")] = 20,
    seed: Annotated[int, typer.Option(help="The same seed makes the same bids.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end and nothing else.")] = False,
) -> None:
    """Trade on a simulated venue on this machine, lose an answer, and settle what became of it.

    Needs no account and no network. Exit code 0 if every write is accounted for, 1 if not.
    """
    plays, left_out = _plays(venue or [])
    try:
        tallies = {name: loop.run(partial(play, seconds, seed, json)) for name, play in plays.items()}
    except KeyboardInterrupt:
        tell("The demo was stopped before its end; nothing is left of it.")
        raise
    ok = all(tally.ok for tally in tallies.values())
    if json:
        out_json({"ok": ok, "venues": {name: tally.as_dict() for name, tally in tallies.items()}})
    else:
        for name, why in left_out.items():
            tell(f"{name} was left out: {why}")
        for name, tally in tallies.items():
            show(_verdict(name, tally))
    raise typer.Exit(ExitCode.DONE if ok else ExitCode.FAILED)


def _plays(asked: list[str]) -> tuple[dict[str, Play], dict[str, str]]:
    """What can be played, and of what was not asked for by name, why the rest cannot."""
    names = [_SHORT.get(name, name) for name in asked]
    for name in names:
        if name not in _PLAYS:
            known = ", ".join(sorted({*_PLAYS, *_SHORT}))
            raise InvalidInput(f"The demo has no venue {name!r}; it has {known}. Nothing was started.")
    plays: dict[str, Play] = {}
    left_out: dict[str, str] = {}
    for name in dict.fromkeys(names or _PLAYS):
        try:
            plays[name] = import_module(_PLAYS[name]).play
        except MissingExtra as missing:
            if names:
                raise
            left_out[name] = str(missing)
    if not plays:
        raise MissingExtra(" ".join(left_out.values()))
    return plays, left_out


def _verdict(name: str, tally: Tally) -> str:
    if tally.ok:
        return (
            f"Verdict for {name}: consistent. {tally.sent} writes = {tally.accepted} accepted + {tally.rejected} rejected + "
            f"{tally.unknown} unknown. The venue's own log has {tally.executed_at_venue} executions = {tally.accepted} accepted "
            f"+ {tally.found} unknown that had been executed. None was done twice."
        )
    return f"Verdict for {name}: NOT consistent. {'; '.join(tally.complaints)}."
