"""``gridwire pie ticket``, ``comment`` and ``comments``. The API's fields are shown under its own names: it publishes no schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from gridwire.cli.output import Column, out, out_json, show_table, tell
from gridwire.cli.pie.link import Link
from gridwire.errors import InvalidInput

_COLUMNS = (Column("Field"), Column("Value"))

TicketId = Annotated[str, typer.Argument(metavar="ID", help="A ticket's id, as a notification or the portal names it.")]


def ticket(link: Link, id: TicketId) -> None:
    """Show one ticket."""
    found = link.run(lambda pie: pie.get_ticket(id))
    if link.json:
        out_json({"id": found.id, "ticket": found.raw})
    else:
        show_table(_COLUMNS, list(rows(found.raw)))


def comment(
    link: Link,
    id: Annotated[str, typer.Argument(metavar="ID", help="A comment's id, as a notification names it.")],
    ticket: Annotated[
        str | None,
        typer.Option(
            "--ticket", metavar="ID", help="The ticket it was written on; needed unless comment_path does without it."
        ),
    ] = None,
) -> None:
    """Show one comment."""
    if ticket is None and "{ticket_id}" in _comment_path(link):
        raise InvalidInput(
            "The path of a comment needs its ticket too: give --ticket ID, which the notification names. Nothing was sent."
        )
    found = link.run(lambda pie: pie.get_comment(ticket, id))
    if link.json:
        out_json({"id": found.id, "ticket_id": found.ticket_id, "comment": found.raw})
    else:
        show_table(_COLUMNS, list(rows(found.raw)))


def _comment_path(link: Link) -> str:
    from gridwire.edsn_pie.profile import TEST

    return link.settings().comment_path or TEST.comment_path


def comments(link: Link, id: TicketId) -> None:
    """Show every comment of one ticket, in the order in which the API lists them."""
    found = link.run(lambda pie: pie.list_comments(id))
    if link.json:
        out_json({"ticket_id": id, "comments": [comment.raw for comment in found]})
    elif found:
        for number, comment in enumerate(found):
            if number:
                out("")
            show_table(_COLUMNS, list(rows(comment.raw)))
    else:
        tell(f"Nobody has written a comment on {id}.")


def rows(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of an object, each with its path."""
    for name, item in value.items():
        path = f"{prefix}{name}"
        if isinstance(item, dict):
            yield from rows(item, f"{path}.")
        elif isinstance(item, list):
            yield from rows({f"{path}[{index}]": part for index, part in enumerate(item)})
        else:
            yield path, "-" if item is None else " ".join(str(item).splitlines())
