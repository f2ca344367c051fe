"""``gridwire pie parked``: notifications whose handler has failed too often, and handing them out again.

These commands look into the inbox alone; they need no account, no network and no broker.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridwire.cli.output import Column, clean, out, out_json, plain, show_table, tell
from gridwire.cli.pie.link import Link, with_link
from gridwire.errors import ConfigurationError, InvalidInput
from gridwire.settings import existing

if TYPE_CHECKING:
    from gridwire.intents.inbox import Inbox, Kept

app: typer.Typer = typer.Typer(
    help="Notifications that were parked in the inbox after their handler had failed every time. Times are those of "
    "Amsterdam.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

InboxFile = Annotated[
    Path | None, typer.Option("--inbox", metavar="FILE", help="The inbox; the one of the settings unless given.")
]
ZONE = "Europe/Amsterdam"
COLUMNS = (
    Column("parked"),
    Column("what"),
    Column("failures", right=True, spare=2),
    Column("key"),
    Column("why", spare=1),
)


def list_(link: Link, inbox: InboxFile = None) -> None:
    """List what is parked, oldest first, with the last failure. The texts are those of your handler's exceptions."""
    place = _place(link, inbox)
    with _open(place) as opened:
        entries = [_plain(one) for one in _parked(opened)] if link.json else []
        rows = [] if link.json else [_cells(one) for one in _parked(opened)]
    if link.json:
        out_json({"parked": entries})
    elif rows:
        show_table(COLUMNS, rows)
    else:
        tell(f"Nothing is parked in {place}.")


def retry(
    link: Link,
    key: Annotated[list[str] | None, typer.Argument(help="Keys from the list, or their beginnings.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Everything that is parked.")] = False,
    inbox: InboxFile = None,
) -> None:
    """Hand parked notifications to the handler again. The program that takes notifications has them within half a minute."""
    from gridwire import clock

    if bool(key) == all_:
        raise InvalidInput("Name the keys to be retried, or give --all. Nothing was changed.")
    place = _place(link, inbox)
    done: list[str] = []
    with _open(place) as opened:
        if opened is not None and all_:
            for page in opened.all_parked():
                done += opened.retry([one.key for one in page], at=clock.now())
        else:
            chosen = [_find(word, opened) for word in key or []]
            done = opened.retry(chosen, at=clock.now()) if opened is not None else []
    if link.json:
        out_json({"retried": done})
    else:
        for one in done:
            out(clean(one))
    tell(f"{len(done)} will be handled again." if done else f"Nothing is parked in {place}.")


app.command("list")(with_link(list_))
app.command("retry")(with_link(retry))


def _place(link: Link, path: Path | None) -> Path:
    """The file that is meant: the one named, or the one that a program with these settings takes notifications by."""
    from gridwire.edsn_pie.settings import usual_inbox

    if path is None:
        return usual_inbox(link.settings())
    try:
        return existing(path, "--inbox", "file")
    except ConfigurationError as error:
        raise InvalidInput(str(error)) from None


@contextmanager
def _open(place: Path) -> Iterator[Inbox | None]:
    """The inbox, or None where it was never made."""
    from gridwire.intents.inbox import Inbox

    opened = Inbox.open(place) if place.is_file() else None
    try:
        yield opened
    finally:
        if opened is not None:
            opened.close()


def _parked(opened: Inbox | None) -> Iterator[Kept]:
    """All that is parked, however much."""
    if opened is not None:
        yield from chain.from_iterable(opened.all_parked())


def _find(word: str, opened: Inbox | None) -> str:
    exact = opened.find(word) if opened is not None else None
    if exact is not None and exact.state == "parked":
        return word
    found = [one.key for one in _parked(opened) if one.key.startswith(word)]
    if len(found) != 1:
        many = (
            f"{len(found)} parked notifications have keys that begin with"
            if found
            else "No parked notification has the key"
        )
        raise InvalidInput(f"{many} {word}; `gridwire pie parked list` shows all. Nothing was changed.")
    return found[0]


def _what(one: Kept) -> str:
    """The kind and the id, as far as they can be read again."""
    from gridwire.edsn_pie.decoder import decode
    from gridwire.edsn_pie.models import CommentCreated, TicketCreated
    from gridwire.transport.amqp_message import load

    try:
        notification = decode(load(one.message))
    except ValueError:
        return "damaged"
    if isinstance(notification, CommentCreated):
        return f"comment {notification.comment_id}"
    return f"ticket {notification.ticket_id}" if isinstance(notification, TicketCreated) else "unknown"


def _plain(one: Kept) -> dict[str, object]:
    return {
        "key": one.key,
        "what": _what(one),
        "arrived": plain(one.arrived, ZONE),
        "parked": plain(one.changed, ZONE),
        "failures": one.attempts,
        "why": one.note,
    }


def _cells(one: Kept) -> list[str]:
    return [_moment(one), clean(_what(one)), str(one.attempts), clean(one.key), clean(one.note)]


def _moment(one: Kept) -> str:
    from zoneinfo import ZoneInfo

    return one.changed.astimezone(ZoneInfo(ZONE)).strftime("%Y-%m-%d %H:%M:%S %Z")
