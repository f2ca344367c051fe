"""``gridwire stp watch``: a contract as it changes, by polling, and the broadcaster's messages as they come.

On a terminal one table is redrawn in place; in a pipe each change is one line; ``--json`` prints one object per poll and
per message. Ctrl-C is the regular end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from gridwire import clock
from gridwire.cli.output import ReaderGone, clean, console, local, out, out_json, price, table, tell
from gridwire.cli.stp import views
from gridwire.cli.stp.link import Link
from gridwire.errors import (
    AuthError,
    BusinessError,
    CredentialsRefused,
    InvalidInput,
    SecurityError,
    TransportError,
    VenueError,
)

if TYPE_CHECKING:
    from gridwire.epias_stp import EpiasStp, Message
    from gridwire.epias_stp.models import AmountPrice, ContractDepth, Match
    from gridwire.transport.websocket import Connection

MESSAGES = 5
LEVELS = 8
_MAY_PASS = (TransportError, VenueError, AuthError)
_WILL_NOT_PASS = (BusinessError, SecurityError, CredentialsRefused)


def watch(
    link: Link,
    contract: Annotated[str | None, typer.Argument(metavar="CONTRACT", help="The contract to poll.")] = None,
    interval: Annotated[float, typer.Option(min=1.0, metavar="SECONDS", help="Pause between two polls.")] = 5.0,
    broadcast: Annotated[
        bool,
        typer.Option(
            "--broadcast", help="Show the broadcaster's messages too, as they come; CONTRACT may be left out."
        ),
    ] = False,
) -> None:
    """Watch depth and matches of a contract until Ctrl-C."""
    if contract is None and not broadcast:
        raise InvalidInput("Name the contract to watch, or ask for --broadcast. Nothing was sent.")
    try:
        link.run(lambda stp: _watch(stp, contract, interval, broadcast, _face(link.json, contract)))
    except (KeyboardInterrupt, ReaderGone):
        return


async def _watch(stp: EpiasStp, contract: str | None, interval: float, broadcast: bool, face: Face) -> None:
    try:
        with face:
            async with asyncio.TaskGroup() as both:
                if contract is not None:
                    both.create_task(_poll(stp, contract, interval, face))
                if broadcast:
                    both.create_task(_listen(stp, face))
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


async def _poll(stp: EpiasStp, contract: str, interval: float, face: Face) -> None:
    seen = False
    while True:
        try:
            book, found = await stp.contracts.depth(contract), await stp.matches.of(contract)
        except _MAY_PASS as error:
            if not seen or isinstance(error, _WILL_NOT_PASS):
                raise
            face.failed(str(error), interval)
            await asyncio.sleep(max(interval, float(getattr(error, "retry_after_s", 0.0))))
            continue
        seen = True
        face.polled(clock.now(), book, found)
        await asyncio.sleep(interval)


async def _listen(stp: EpiasStp, face: Face) -> None:
    async with stp.broadcast() as stream:
        async for event in stream:
            face.heard(clock.now(), event)


class Face:
    """How a watch shows what it sees; this one as lines of JSON."""

    def __init__(self, contract: str | None) -> None:
        self.contract = contract

    def __enter__(self) -> None:
        """Begin to show."""

    def __exit__(self, *_: object) -> None:
        """End it."""

    def polled(self, at: datetime, book: ContractDepth, found: list[Match]) -> None:
        """A poll was answered."""
        out_json({"at": at, "contract": self.contract, "buys": book.buys, "sells": book.sells, "matches": found})

    def failed(self, why: str, pause_s: float) -> None:
        """A poll failed; the next one follows."""
        tell(f"{why} The next try is in {pause_s:g} s.", label="Note", style="yellow")

    def heard(self, at: datetime, event: Message | Connection) -> None:
        """The broadcaster said something, or its connection changed."""
        message, connection = _apart(event)
        if connection is None:
            out_json({"at": at, "message": message})
        else:
            out_json({"at": at, "connection": connection.state, "reason": connection.reason})


class Lines(Face):
    """One line per change, for pipes and simple terminals."""

    _before = ""

    def polled(self, at: datetime, book: ContractDepth, found: list[Match]) -> None:
        """Tell it if it differs from the poll before."""
        now = f"{self.contract}  buyers {_top(book.buys)}  sellers {_top(book.sells)}  matches {len(found)}"
        if now != self._before:
            self._before = now
            out(clean(f"{local(at, '%H:%M:%S')}  {now}"))

    def heard(self, at: datetime, event: Message | Connection) -> None:
        """Tell it."""
        out(clean(f"{local(at, '%H:%M:%S')}  {_said(event)}"))


class Screen(Face):
    """A table redrawn in place."""

    def __init__(self, contract: str | None, screen: Console) -> None:
        super().__init__(contract)
        self._console = screen
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._book: RenderableType = Text("waiting for the first answer" if contract else "")
        self._matches: RenderableType = Text()
        self._note = Text("Ctrl-C ends", style="dim")
        self._messages: deque[Text] = deque(maxlen=MESSAGES)

    def __enter__(self) -> None:
        self._live.start()
        self._draw()

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def polled(self, at: datetime, book: ContractDepth, found: list[Match]) -> None:
        """Draw the best levels and the newest matches."""
        width, rows = self._console.width, max(3, self._console.height - LEVELS - MESSAGES - 6)
        self._book = table(views.DEPTH, views.depth(book)[:LEVELS], width)
        latest = sorted(found, key=lambda one: (one.matching_time is not None, one.matching_time), reverse=True)[:rows]
        self._matches = table(views.MATCHES, [views.match(one) for one in latest], width)
        self._note = Text(f"{self.contract} as of {local(at, '%H:%M:%S')} in Istanbul, Ctrl-C ends", style="dim")
        self._draw()

    def failed(self, why: str, pause_s: float) -> None:
        """Say that the table is older than it looks."""
        late = clean(f"What is shown is older; the next try is in {pause_s:g} s. {why}")
        self._note = Text(late, style="yellow", no_wrap=True, overflow="ellipsis")
        self._draw()

    def heard(self, at: datetime, event: Message | Connection) -> None:
        """Draw the last few messages."""
        self._messages.append(
            Text(clean(f"{local(at, '%H:%M:%S')}  {_said(event)}"), no_wrap=True, overflow="ellipsis")
        )
        self._draw()

    def frame(self) -> RenderableType:
        """What the terminal shows. The note is last: Ctrl-C echoed behind a line that fills the row would shift it all."""
        parts = [self._book, Text(), self._matches, Text()] if self.contract else []
        return Group(*parts, *self._messages, self._note)

    def _draw(self) -> None:
        self._live.update(self.frame(), refresh=True)


def _face(as_json: bool, contract: str | None) -> Face:
    if as_json:
        return Face(contract)
    screen = console()
    return Screen(contract, screen) if screen.is_terminal and not screen.is_dumb_terminal else Lines(contract)


def _top(levels: list[AmountPrice]) -> str:
    return f"{levels[0].amount} at {price(levels[0].price)}" if levels else "none"


def _said(event: Message | Connection) -> str:
    message, connection = _apart(event)
    return message if connection is None else f"broadcast {connection.state} {connection.reason}".rstrip()


def _apart(event: Message | Connection) -> tuple[str, Connection | None]:
    """The message's text, or the change of the connection."""
    from gridwire.transport.websocket import Connection

    return ("", event) if isinstance(event, Connection) else (event.text, None)
