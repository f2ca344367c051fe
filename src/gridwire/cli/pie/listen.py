"""``gridwire pie listen``: notifications as they come, one line each, and all of what was not understood."""

from __future__ import annotations

import base64
import json
import math
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridwire.cli.output import ReaderGone, StdoutFull, clean, need_stdout, out, tell
from gridwire.cli.pie.link import Link
from gridwire.cli.pipes import pipe, taken, tells
from gridwire.errors import InvalidInput
from gridwire.settings import expanded

if TYPE_CHECKING:
    from gridwire.edsn_pie import EdsnPie, Notification, UnknownNotification


_LINE = 160
"""Most characters of a line of what was not understood."""
_PEEKED = 20
_INTO_A_PIPE = (
    "The next program gets each notification once, and what it has read is no longer in the queue, whatever it does with it. "
    "--peek looks without taking, --count N takes N, --inbox FILE stores what is taken."
)
_UNSEEN_READER = (
    "stdout is a pipe or a socket of which the system does not tell what has been read, so a notification could be lost with "
    "its reader. Nothing was taken. --inbox FILE stores what is taken, --count N takes N, --peek looks without taking."
)
_IN_THE_QUEUE = "The notification that was to be printed went back to the queue and will come again."
_IN_THE_INBOX = "The notification that was to be printed stays in the inbox for the next start."


def listen(
    link: Link,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print one JSON object per line; the same as --json.")] = False,
    count: Annotated[
        int | None, typer.Option(min=1, help="End after this many; go on until Ctrl-C if left out.")
    ] = None,
    inbox: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Store each in this file before the queue may forget it.")
    ] = None,
    peek: Annotated[
        bool,
        typer.Option("--peek", help="Look at what waits, without taking it: 20 of them, or --count. Ends by itself."),
    ] = False,
) -> None:
    """Print notifications of new tickets and comments as they come, until Ctrl-C. Printing one removes it from the queue.

    In a pipe a notification is taken once the next program has read its line. --peek takes none. Events of the connection
    go to stderr. Every other reader of the queue sees what this one did not take.
    """
    inbox = None if inbox is None else expanded(inbox, "--inbox")
    if inbox is not None and inbox.is_dir():
        raise InvalidInput(f"--inbox names {inbox}, which is a folder; a file is needed. Nothing was taken.")
    if peek and inbox is not None:
        raise InvalidInput("--peek takes nothing, so there is nothing to store: leave --inbox out. Nothing was taken.")
    need_stdout("Nothing was taken from the queue.")
    if peek:
        link.run(lambda pie: _peek(pie, link.json or jsonl, _PEEKED if count is None else count))
        return
    in_queue = inbox is None and not link.settings().inbox
    kept = _IN_THE_QUEUE if in_queue else _IN_THE_INBOX
    if in_queue and count is None and (into := pipe()) is not None:
        if not tells(into):
            raise InvalidInput(_UNSEEN_READER)
        tell(_INTO_A_PIPE, label="Note", style="yellow")
    try:
        link.run(lambda pie: _listen(pie, link.json or jsonl, count, inbox))
    except StdoutFull as error:
        raise StdoutFull(str(error), kept) from None


async def _listen(pie: EdsnPie, as_json: bool, count: int | None, inbox: Path | None) -> None:
    from gridwire.edsn_pie import ConsumerOptions, LinkState, Received

    shown = 0
    async with pie.notifications(ConsumerOptions(inbox=inbox)) as stream:
        async for item in stream:
            if isinstance(item, Received):
                try:
                    async with item as told:
                        await _print(told, as_json)
                except _NotPrinted as trouble:
                    raise trouble.error from None
                shown += 1
                if shown == count:
                    return
            elif isinstance(item, LinkState) and item.state == "streaming":
                tell("Listening; Ctrl-C ends it.")


class _NotPrinted(BaseException):
    """Nobody has seen it and nobody will: no failure of a handler, so the notification goes back at once."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


async def _peek(pie: EdsnPie, as_json: bool, count: int) -> None:
    found = await pie.peek(min(count, 1000))
    for told in found:
        out(_text(told, as_json))
    more = " There may be more: --count N shows up to N." if len(found) == count else ""
    tell(f"{len(found)} shown and none taken: they are in the queue for its next reader.{more}")


def _text(told: Notification, as_json: bool) -> str:
    return json.dumps(plain_of(told)) if as_json else line_of(told)


async def _print(told: Notification, as_json: bool) -> None:
    """Print it, and wait for the next program to read it: what is left in a pipe when that ends was seen by nobody."""
    try:
        out(_text(told, as_json))
        if (into := pipe()) is not None:
            await taken(into)
    except (ReaderGone, StdoutFull) as error:
        raise _NotPrinted(error) from None


def line_of(told: Notification) -> str:
    """One notification for people: a line, and for what was not understood all that came below it."""
    from gridwire.edsn_pie import CommentCreated, TicketCreated, UnknownNotification

    at = "-" if told.time is None else told.time.strftime("%Y-%m-%d %H:%M:%S UTC")
    match told:
        case TicketCreated(ticket_id=ticket):
            what = f"ticket {ticket} was created"
        case CommentCreated(comment_id=comment, ticket_id=ticket):
            what = f"comment {comment} was created" + ("" if ticket is None else f" on ticket {ticket}")
        case UnknownNotification(reason=reason):
            what = f"something else: {reason}"
            return "\n".join([clean(f"{at}  {what}"), *_whole(told)])
        case _:
            what = "something else"
    return clean(f"{at}  {what}")


def _whole(told: UnknownNotification) -> list[str]:
    """All that came, in indented lines of bounded length: printing it is what takes it from the queue."""
    body, encoded = _body(told)
    texts = [f"base64: {encoded}"] if encoded is not None else [clean(line) for line in body.splitlines()]
    if told.properties:
        texts.append(clean(f"properties: {json.dumps(_plain_properties(told))}"))
    return [f"    {text[at : at + _LINE]}" for text in texts for at in range(0, len(text), _LINE)]


def _body(told: UnknownNotification) -> tuple[str, str | None]:
    """The body as text, and in base64 where the text is not all of it."""
    came = told.raw_bytes
    if not came:
        return "" if told.raw is None else repr(told.raw), None
    try:
        return came.decode("utf-8"), None
    except UnicodeDecodeError:
        return came.decode("utf-8", "replace"), base64.b64encode(came).decode("ascii")


def _plain_properties(told: UnknownNotification) -> dict[str, Any]:
    return {str(name): _plain(value) for name, value in told.properties.items()}


def _plain(value: object) -> object:
    """As JSON has it, which has no number for what is not finite, and none that every reader reads as a decimal."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(float(value))
    if isinstance(value, Decimal):
        return str(value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def plain_of(told: Notification) -> dict[str, Any]:
    """One notification for programs; what was not understood is there whole, as text and, if need be, in base64."""
    from gridwire.edsn_pie import CommentCreated, TicketCreated, UnknownNotification

    said: dict[str, Any] = {
        "kind": {TicketCreated: "ticket_created", CommentCreated: "comment_created"}.get(type(told), "unknown"),
        "ticket_id": getattr(told, "ticket_id", None),
        "comment_id": getattr(told, "comment_id", None),
        "key": told.key,
        "type": told.type,
        "time": None if told.time is None else told.time.isoformat(),
        "envelope": told.envelope,
    }
    if isinstance(told, UnknownNotification):
        said["reason"] = told.reason
        said["body"], encoded = _body(told)
        if encoded is not None:
            said["body_base64"] = encoded
        said["properties"] = _plain_properties(told)
    return said
