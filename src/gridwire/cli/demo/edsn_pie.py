"""The demo's run at Partners in Energie: tickets are opened, the connection is cut, a handler fails, and nothing is missed."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from random import Random

from gridwire.cli.output import clean, show
from gridwire.edsn_pie import CommentCreated, EdsnPie, Notification, TicketCreated
from gridwire.edsn_pie.consumer import Consumer
from gridwire.sandbox import Sandbox
from gridwire.sandbox.edsn_pie import EdsnPieVenue
from gridwire.sandbox.edsn_pie.venue import ORGANISATION

_SUBJECTS = ("Meetdata ontbreekt", "Aansluiting onbekend", "Factuur klopt niet", "Switch geweigerd")
_LEAST_STEPS = 8
_PATIENCE_S = 30.0
"""How long the last notifications may take; a pause after a failed handler and a new connection are within it."""


@dataclass(frozen=True, slots=True)
class Account:
    """What the venue published, against what the handler saw."""

    published: int
    handled: int
    failures: int
    """How often the handler raised, on purpose."""
    cuts: int
    complaints: tuple[str, ...] = ()

    @classmethod
    def of(cls, published: list[str], handled: list[str], *, failures: int, cuts: int) -> Account:
        """Hold the names of what was handled against those of what was published."""
        seen = Counter(handled)
        complaints = [f"{name} was forgotten" for name in published if not seen[name]]
        complaints += [f"{name} was handled {times} times" for name, times in seen.items() if times > 1]
        complaints += [f"{name} came from nowhere" for name in seen if name not in published]
        return cls(len(published), len(handled), failures, cuts, tuple(complaints))

    @property
    def ok(self) -> bool:
        """Whether each notification was handled once."""
        return not self.complaints

    def as_dict(self) -> dict[str, int]:
        """The counts for programs."""
        return {name: getattr(self, name) for name in ("published", "handled", "failures", "cuts")}

    def verdict(self, name: str) -> str:
        """The last line."""
        if not self.ok:
            return f"Verdict for {name}: NOT consistent. {'; '.join(self.complaints)}."
        return (
            f"Verdict for {name}: consistent. {self.published} notifications published = {self.handled} handled, each once, "
            f"although the connection was cut {_times(self.cuts)} and the handler failed {_times(self.failures)}."
        )


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


class Story:
    """What happens, and what was seen of it."""

    def __init__(self, venue: EdsnPieVenue, pie: EdsnPie, seed: int, *, silent: bool) -> None:
        self._venue = venue
        self._pie = pie
        self._random = Random(f"{seed}:demo")  # noqa: S311 - it chooses subjects
        self._silent = silent
        self._began = asyncio.get_running_loop().time()
        self._published: list[str] = []
        self._handled: list[str] = []
        self._failures = 0
        self._cuts = 0
        self._all = asyncio.Event()
        self._finished = False

    async def play(self, seconds: float) -> Account:
        """Tell it within about ``seconds``."""
        self._published += list(self._venue.board.tickets)
        stream: Consumer = self._pie.notifications()
        listening = asyncio.create_task(stream.run(self._handle, concurrency=4))
        steps = max(_LEAST_STEPS, round(seconds * 2))
        try:
            for step in range(steps):
                await asyncio.sleep(seconds / steps)
                self._write(step)
                if step in (steps // 3, 2 * steps // 3):
                    self._cut()
            self._finished = True
            self._look()
            await asyncio.wait(
                [listening, asyncio.create_task(self._all.wait())], timeout=_PATIENCE_S, return_when="FIRST_COMPLETED"
            )
            if listening.done():
                listening.result()
        finally:
            listening.cancel()
            await asyncio.wait([listening])
        return Account.of(self._published, self._handled, failures=self._failures, cuts=self._cuts)

    def _write(self, step: int) -> None:
        board = self._venue.board
        if step % 3 == 2:
            name = board.add_comment(self._random.choice(list(board.tickets)), "Wij kijken ernaar.")
        else:
            name = board.open_ticket(self._random.choice(_SUBJECTS), organisation=ORGANISATION)
        self._published.append(name)

    def _cut(self) -> None:
        self._cuts += 1
        self._say("the venue ends every connection without a word")
        if self._venue.broker is not None:
            self._venue.broker.drop()

    async def _handle(self, told: Notification) -> None:
        match told:
            case TicketCreated(ticket_id=name):
                ticket = await self._pie.get_ticket(name)
                what = f"ticket {name}: {ticket.raw['subject']}"
            case CommentCreated(comment_id=name, ticket_id=str(of)):
                comment = await self._pie.get_comment(of, name)
                what = f"comment {name} on {of}: {comment.raw['text']}"
            case _:
                name = what = "something unknown"
        if not self._failures and name == self._published[3]:
            self._failures += 1
            self._say(f"{what}; our database is away, so the message stays with the venue")
            raise OSError("the database is away")
        self._handled.append(name)
        self._say(what)
        self._look()

    def _look(self) -> None:
        if self._finished and len(set(self._handled)) >= len(self._published):
            self._all.set()

    def _say(self, what: str) -> None:
        if not self._silent:
            show(clean(f"{asyncio.get_running_loop().time() - self._began:5.1f} s  {what}"))


async def play(seconds: float, seed: int, silent: bool) -> Account:
    """Publish and listen for about ``seconds`` and return the account of it. Without ``silent``, show it on stdout."""
    async with Sandbox("edsn_pie", seed=seed) as box, EdsnPie(box.edsn_pie) as pie:
        venue = box.venue("edsn_pie")
        venue.identity.knobs.token_life_s = 10.0  # so that tokens are changed under the open connection too
        if not silent:
            show(
                f"Partners in Energie, simulated at {venue.profile.rest_url.partition('//')[2]}, for about {seconds:g} s."
            )
        return await Story(venue, pie, seed, silent=silent).play(seconds)
