"""``gridwire demo``: the first minute. Simulated venues on which things go wrong, and an honest account of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from importlib import import_module
from typing import Annotated, Any, Protocol, TypeAlias

import typer

from gridwire.cli import loop
from gridwire.cli.exits import ExitCode
from gridwire.cli.output import out_json, show, tell
from gridwire.errors import InvalidInput, MissingExtra


class Account(Protocol):
    """What a play comes to: whether it adds up, in numbers and in one sentence."""

    @property
    def ok(self) -> bool:
        """Whether everything is accounted for."""
        ...

    def as_dict(self) -> dict[str, int]:
        """The counts for programs."""
        ...

    def verdict(self, name: str) -> str:
        """The last line, about the venue of this name."""
        ...


Play: TypeAlias = Callable[[float, int, bool], Coroutine[Any, Any, Account]]

_SHORT = {"epias": "epias_stp", "pie": "edsn_pie"}
_PLAYS = {
    "epias_stp": "gridwire.cli.demo.epias_stp",
    "edsn_pie": "gridwire.cli.demo.edsn_pie",
    "siooi": "gridwire.cli.demo.siooi",
}
"""Each venue's module with its ``play(seconds, seed, silent)``, imported when it is its turn."""


def demo(
    venue: Annotated[
        list[str] | None,
        typer.Option(help="epias (or epias_stp), pie (or edsn_pie), siooi; every venue that is installed if left out."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="How long each venue is shown, about.")] = 20,
    seed: Annotated[int, typer.Option(help="The same seed makes the same bids.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end and nothing else.")] = False,
) -> None:
    """Use simulated venues on this machine, have things go wrong, and account for every order and notification.

    Needs no account and no network. Exit code 0 if everything is accounted for, 1 if not.
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
            show(tally.verdict(name))
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
