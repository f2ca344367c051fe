"""The demo's run at EPİAŞ STP: starts the simulator, plays the story, explains the lost answer."""

from __future__ import annotations

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from gridwire.cli.demo.faces import NARROW, Face, Lines, Screen, Silent
from gridwire.cli.demo.story import Lost, Story
from gridwire.cli.demo.tally import Tally
from gridwire.cli.demo.traders import Trader
from gridwire.cli.output import clean, console, show
from gridwire.epias_stp import EpiasStp
from gridwire.sandbox import Sandbox


async def play(seconds: float, seed: int, silent: bool) -> Tally:
    """Run two traders for about ``seconds`` and return the account of it. Without ``silent``, show it on stdout."""
    async with Sandbox("epias_stp", seed=seed) as box:
        venue = box.venue("epias_stp")
        one, two = venue.account("TRADER1"), venue.account("TRADER2")
        async with EpiasStp(one, language="en-us") as buyer, EpiasStp(two, language="en-us") as seller:
            traders = Trader(one.username, "BUY", buyer), Trader(two.username, "SELL", seller)
            address = venue.profile.stp_url.partition("//")[2]
            face = _face(f"EPİAŞ STP, simulated at {address}", seconds, silent)
            with face:
                story = Story(venue, traders, seed, face)
                tally = await story.play(seconds)
    if not silent:
        _explain(story.lost)
    return tally


def _face(title: str, seconds: float, silent: bool) -> Face:
    if silent:
        return Silent()
    screen = console()
    if screen.is_terminal and not screen.is_dumb_terminal and screen.width >= NARROW:
        return Screen(title, seconds)
    show(f"{title}, for about {seconds:g} s. Prices are TL per 1000 Sm3, quantities counts of 1000 Sm3.")
    return Lines()


def _explain(lost: Lost | None) -> None:
    if lost is None:
        return
    screen = console()
    paragraphs = [Text(clean(text)) for text in explanation(lost)]
    body = Group(*(part for paragraph in paragraphs for part in (paragraph, Text())))
    show(Group(Text(), Text("The lost answer", style="bold"), Padding(body, (0, 0, 0, 2 if screen.is_terminal else 0))))


def explanation(lost: Lost) -> list[str]:
    """What happened to the lost bid and why its settlement may be believed, in paragraphs."""
    bid, key = lost.bid, lost.outcome.intent.key
    evidence = {
        True: "afterwards the venue marked it so. A bid that nobody else can have entered was there: it had been executed.",
        False: "and afterwards there was none either: it had not been executed.",
        None: "and nobody looked again: it is still unknown.",
    }[lost.executed]
    told = [
        f"{bid.trader} entered a bid for {bid.quantity} of {bid.contract} at {bid.price} (transactionId {key}). The sandbox "
        "executed it and cut the connection before it answered, as networks do. gridwire called it Unknown and did not send "
        "it again: a second bid might have been bought twice.",
        "STP has no call that finds a bid by its transactionId or lists one's bids, so only its marks could settle it. Before, "
        f"no depth level at {bid.price} was marked as {bid.trader}'s (`owner`) and no match at it (`my_own_matching`); "
        f"meanwhile {bid.trader} sent nothing else; {evidence}",
        "What the marks do not tell is the bid's id. Had it not traded, it could have been cancelled on STP's own screen only. "
        "And on a busy account with several bids at one price they prove nothing: ask EPİAŞ, quoting the transactionId.",
    ]
    if lost.match_id is not None:
        told[1] += f" Then TRADER2 sold into it, and match {lost.match_id} was marked as {bid.trader}'s own."
    return told
