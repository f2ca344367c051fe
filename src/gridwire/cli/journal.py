"""``gridwire journal``: every call that changed something or may have, from all processes on this machine, as one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridwire.cli.output import Column, clean, local, out, out_json, plain, show_table, tell
from gridwire.errors import InvalidInput

if TYPE_CHECKING:
    from gridwire.intents.records import Row

app: typer.Typer = typer.Typer(
    help="What was sent and what became of it: the journal of all processes on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Directory = Annotated[
    Path | None, typer.Option("--directory", metavar="DIR", help="The journal's folder; the usual place unless set.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
FINDINGS = ("live", "done", "absent")
COLUMNS = (
    Column("sent"), Column("account", spare=2), Column("call"), Column("state"), Column("what", spare=1), Column("key"),
    Column("note", spare=3),
)  # fmt: skip


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option(metavar="STATE", help="Only rows in this state, like unknown.")] = None,
    directory: Directory = None,
    json: Json = False,
) -> None:
    """List intents, oldest first. A row in `sending` belongs to a process that still waits for its answer."""
    from gridwire.intents.records import STATES

    if state is not None and state not in STATES:
        raise InvalidInput(f"--state {state} is no state of the journal; these are: {', '.join(sorted(STATES))}.")
    rows, damaged = _read(directory)
    chosen = [row for row in rows if state in (None, row.state)]
    if json:
        out_json({"rows": [_plain(row) for row in chosen], "damaged_lines": damaged})
        return
    if chosen:
        show_table(COLUMNS, [_cells(row) for row in chosen])
    else:
        tell("The journal holds no such row.")
    if damaged:
        tell(f"{damaged} line(s) of the journal could not be read; they are not among these rows.", label="Note")


@app.command()
def show(key: str, directory: Directory = None, json: Json = False) -> None:
    """Show one intent by its key (STP: the transactionId)."""
    row = _find(key, directory)
    if json:
        out_json(_plain(row))
        return
    for name, value in _plain(row).items():
        shown = (
            ", ".join(f"{field} {content}" for field, content in value.items()) if isinstance(value, dict) else value
        )
        if shown not in (None, ""):
            out(f"{name:<12}{clean(str(shown))}")


@app.command()
def resolve(
    key: str,
    finding: Annotated[
        str,
        typer.Option("--as", metavar="FINDING", help="live (it rests), done (it was executed), absent (never there)."),
    ],
    note: Annotated[str, typer.Option(metavar="TEXT", help="How you know: who said so, where you looked.")],
    directory: Directory = None,
) -> None:
    """Settle an unknown intent by what a person found out. It sends nothing and cannot be taken back."""
    from gridwire.intents.journal import Journal, default_directory

    if finding not in FINDINGS:
        raise InvalidInput(f"--as {finding} is no finding; write live, done or absent. Nothing was changed.")
    if not note.strip():
        raise InvalidInput("--note is empty; write how you know. Nothing was changed.")
    row = _find(key, directory)
    if row.state != "unknown":
        why = "its process still waits for the answer" if row.state == "sending" else f"it is {row.state} already"
        raise InvalidInput(f"{key} cannot be settled by hand: {why}. Nothing was changed.")
    journal = Journal.open(directory or default_directory())
    try:
        journal.record(f"resolved_{finding}", key, n=f"by a person: {clean(note)}")
    finally:
        journal.close()
    tell(f"{key} is settled as {finding}.")


def _read(directory: Path | None) -> tuple[list[Row], int]:
    from gridwire.intents.journal import default_directory, read

    place = directory or default_directory()
    if directory is not None and not place.is_dir():
        raise InvalidInput(f"--directory names {place}, which is not a folder.")
    reading = read(place)
    return sorted(reading.rows.values(), key=lambda row: row.created), reading.damaged


def _find(key: str, directory: Path | None) -> Row:
    rows, _ = _read(directory)
    found = [row for row in rows if row.key == key] or [row for row in rows if row.key.startswith(key)]
    if len(found) != 1:
        many = f"{len(found)} intents begin with" if found else "No intent has the key"
        raise InvalidInput(f"{many} {key}; `gridwire journal list` shows all. Nothing was changed.")
    return found[0]


def _plain(row: Row) -> dict[str, object]:
    return {
        "key": row.key,
        "state": row.state,
        "venue": row.venue,
        "account": row.account,
        "operation": row.operation,
        "sent": plain(row.created),
        "changed": plain(row.changed),
        "attempts": row.attempts,
        "order_id": row.order_id,
        "client_ref": row.client_ref,
        "note": row.note,
        "fields": dict(row.fields),
    }


def _cells(row: Row) -> list[str]:
    fields = row.fields
    said = [fields.get(name) for name in ("direction", "quantity", "contract")]
    what = " ".join(str(one) for one in said if one is not None)
    if fields.get("price") is not None:
        what += f" at {fields['price']}"
    return [_moment(row.created), row.account, row.operation, row.state, clean(what), row.key, clean(row.note)]


def _moment(value: datetime) -> str:
    return local(value, "%Y-%m-%d %H:%M:%S")
