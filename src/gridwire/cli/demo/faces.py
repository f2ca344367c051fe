"""How the demo shows itself: a table that lives on a terminal, plain lines in a pipe, or nothing (``--json``)."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gridwire.cli.demo.story import View
from gridwire.cli.demo.traders import Bid
from gridwire.cli.output import Column, Row, clean, console, count, local, price, show, table
from gridwire.cli.stp import views
from gridwire.outcome import Accepted, Outcome, Rejected, Unknown

if TYPE_CHECKING:
    from gridwire.epias_stp.models import ContractSummary

NARROW = 70
"""Below this many columns a frame would have to cut its lines, so there is none."""

WIDE = 112
"""From this many columns on, bids stand beside contracts and matches."""

_STATES = {
    "resting": "",
    "partly matched": "cyan",
    "matched": "bold cyan",
    "cancelled": "dim",
    "rejected": "red",
    "UNKNOWN": "bold yellow",
}
_CONTRACTS = (
    Column("Contract"),
    Column("Buyers", right=True),
    Column("Buy at", right=True),
    Column("Sell at", right=True),
    Column("Sellers", right=True),
    Column("Last", right=True, spare=1),
)
_BIDS = (
    Column("Bid"),
    Column("Trader"),
    Column("Side"),
    Column("Contract", spare=1),
    Column("Amount", right=True),
    Column("Price", right=True),
    Column("Rests", right=True, spare=2),
    Column("State"),
)
_MATCHES = (
    Column("Match"),
    Column("Contract"),
    Column("Amount", right=True),
    Column("Price", right=True),
    Column("Time", spare=1),
)


class Face(Protocol):
    """What the story tells while it runs."""

    def __enter__(self) -> None:
        """Begin to show."""
        ...

    def __exit__(self, *_: object) -> None:
        """End it."""
        ...

    def looked(self, view: View) -> None:
        """The market was read."""
        ...

    def said(self, what: str, outcome: Outcome | None) -> None:
        """Something happened; ``outcome`` where it was a write."""
        ...


class Silent:
    """Shows nothing."""

    def __enter__(self) -> None:
        """Nothing begins."""

    def __exit__(self, *_: object) -> None:
        """Nothing ends."""

    def looked(self, view: View) -> None:
        """Not shown."""

    def said(self, what: str, outcome: Outcome | None) -> None:
        """Not shown."""


class Lines(Silent):
    """Every happening as one line, with the seconds since the beginning."""

    def __init__(self) -> None:
        self._started = asyncio.get_running_loop().time()

    def said(self, what: str, outcome: Outcome | None) -> None:
        """Print it, on a terminal broken at words."""
        show(clean(f"{asyncio.get_running_loop().time() - self._started:5.1f} s  {what}"))


class Screen:
    """One frame, redrawn in place, never higher than the terminal."""

    def __init__(self, title: str, seconds: float) -> None:
        self._title = title
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._console = console()
        self._view = View()
        self._told: deque[Text] = deque(maxlen=3)
        self._said: deque[Text] = deque(maxlen=5)
        self._live = Live(
            console=self._console, get_renderable=self.frame, refresh_per_second=4, vertical_overflow="crop"
        )

    def __enter__(self) -> None:
        """Draw the first frame."""
        self._live.start()

    def __exit__(self, *_: object) -> None:
        """Leave the last frame standing."""
        self._live.stop()

    def looked(self, view: View) -> None:
        """Draw it with the next frame."""
        self._view = view

    def said(self, what: str, outcome: Outcome | None) -> None:
        """Draw it with the next frame. What is about the lost answer stays in sight."""
        text = Text(clean(f"{self._loop.time() - self._started:5.1f} s  {what}"))
        match outcome:
            case None | Unknown():
                text.stylize("bold green" if outcome is None else "bold yellow")
                self._told.append(text)
            case Accepted() | Rejected():
                text.stylize("dim" if isinstance(outcome, Accepted) else "red")
                self._said.append(text)

    def frame(self) -> RenderableType:
        """The whole frame at the terminal's present size."""
        width, height = self._console.size
        most = 6 if height >= 30 else 4
        told = _last_lines(list(self._told), width, most - 1, self._console)
        spoken = told + _last_lines(list(self._said), width, most - len(told), self._console)
        spoken += [Text()] * (most - len(spoken))
        return frame(self._view, spoken, self._head(), width=width, height=height - 1)

    def _head(self) -> Text:
        passed = min(self._loop.time() - self._started, self._seconds)
        done = round(10 * passed / self._seconds) if self._seconds else 10
        bar = ("━" * done, "cyan"), ("━" * (10 - done), "dim")
        return Text.assemble((self._title, "bold"), "  ", *bar, f" {passed:.0f} of {self._seconds:g} s", no_wrap=True)


def frame(view: View, spoken: list[Text], head: Text, *, width: int, height: int) -> RenderableType:
    """Contracts, bids, matches and the lines ``spoken``, in at most ``height`` lines of ``width`` cells."""
    wide = width >= WIDE
    room = height - 3 - len(spoken)  # head and its blank line, counts
    column = (width - 4) // 2 if wide else width
    contracts = table(_CONTRACTS, [_contract_row(one) for one in view.contracts], column)
    left = room - len(view.contracts) - 1
    if wide:
        bids = table(_BIDS, [_bid_row(bid) for bid in _newest(view.bids, room - 2)], column)
        matches = table(_MATCHES, _match_rows(view, left - 3), column)
        body = Table.grid(padding=(0, 4, 0, 0))
        body.add_column(width=column)
        body.add_column()
        body.add_row(Group(contracts, Text(), matches), bids)
        parts: list[RenderableType] = [head, Text(), body, Text()]
    else:
        lines = left - 5  # two headings, three blank lines
        own = max(2, lines * 6 // 10)
        bids = table(_BIDS, [_bid_row(bid) for bid in _newest(view.bids, own)], column)
        parts = [
            head,
            Text(),
            contracts,
            Text(),
            bids,
            Text(),
            table(_MATCHES, _match_rows(view, lines - own), column),
            Text(),
        ]
    return Group(*parts, *spoken, counts(view))


def counts(view: View) -> Text:
    """The counts so far in one line."""
    number = view.counts
    unknown = f"{number['unknown']} unknown" + (f" ({number['resolved']} settled)" if number["unknown"] else "")
    return Text.assemble(
        (f"{number['sent']} writes: ", "bold"),
        (f"{number['accepted']} accepted", "green"),
        ", ",
        (f"{number['rejected']} rejected", "red" if number["rejected"] else "dim"),
        ", ",
        (unknown, "yellow" if number["unknown"] else "dim"),
        no_wrap=True,
    )


def _last_lines(said: list[Text], width: int, most: int, screen: Console) -> list[Text]:
    lines: list[Text] = []
    for text in reversed(said):
        wrapped = list(text.wrap(screen, width))
        if len(lines) + len(wrapped) > most:
            break
        lines = wrapped + lines
    return lines


def _newest(bids: tuple[Bid, ...], most: int) -> list[Bid]:
    """The newest bids, last one first; one whose outcome is not known stays in sight."""
    latest = bids[::-1]
    ordered = sorted(latest, key=lambda bid: bid.state != "UNKNOWN")
    return ordered[: max(1, most)]


def _contract_row(one: ContractSummary) -> Row:
    return views.contract(one)[: len(_CONTRACTS)]


def _bid_row(bid: Bid) -> Row:
    state = Text(bid.state, style=_STATES.get(bid.state, ""))
    side = Text(bid.side.lower(), style="green" if bid.side == "BUY" else "red")
    number = (bid.order.id if bid.order is not None else None) or ("-" if bid.state == "rejected" else "?")
    return [number, bid.trader, side, bid.contract, str(bid.quantity), price(bid.price), count(bid.left), state]


def _match_rows(view: View, most: int) -> list[Row]:
    newest = list(reversed(view.matches))[: max(1, most)]
    return [
        [one.match_id, one.contract, count(one.quantity), price(one.price), local(one.matching_time, "%H:%M:%S")]
        for one in newest
    ]
