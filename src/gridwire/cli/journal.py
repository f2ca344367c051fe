"""``gridwire journal``: every call that changed something or may have, from all processes on this machine, as one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
FINDINGS = ("live", "done", "absent", "closed")
COLUMNS = (
    Column("sent"), Column("account", spare=2), Column("call"), Column("state"), Column("what", spare=1),
    Column("client_ref", spare=2), Column("key"), Column("note", spare=3),
)  # fmt: skip


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option(metavar="STATE", help="Only rows in this state, like unknown.")] = None,
    directory: Directory = None,
    json: Json = False,
) -> None:
    """List intents, oldest first. A row in `sending` belongs to a process that is alive and waits for its answer."""
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
    row = _find(key, _read(directory)[0])
    if json:
        out_json(_plain(row))
        return
    for name, value in _plain(row).items():
        shown = _listed(value) if isinstance(value, dict) else value
        if shown not in (None, ""):
            out(f"{name:<15}{clean(str(shown))}")


@app.command()
def resolve(
    key: str,
    finding: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="FINDING",
            help="Of an unknown bid: live (it rests), done (it was filled), absent (it never arrived). Of an unknown change, "
            "cancellation or other call: done (it acted), absent (it never did). Of a bid believed to rest: closed (it was "
            "filled, cancelled elsewhere, or has expired).",
        ),
    ],
    note: Annotated[str, typer.Option(metavar="TEXT", help="How you know: who said so, where you looked.")],
    directory: Directory = None,
) -> None:
    """Settle an intent by what a person found out. It sends nothing and cannot be taken back.

    A change that is done restates the bid it was about, and a cancellation that is done closes it.
    """
    from gridwire.intents.journal import Journal, default_directory

    if finding not in FINDINGS:
        raise InvalidInput(f"--as {finding} is no finding; write {_or(FINDINGS)}. Nothing was changed.")
    if not note.strip():
        raise InvalidInput("--note is empty; write how you know. Nothing was changed.")
    _check_directory(directory)
    journal = Journal.open(directory or default_directory())  # what dead processes left is unknown from now on
    try:
        rows = journal.rows()
        row = _find(key, rows)
        _refuse(row, finding)
        journal.tell(*_told(row, rows, finding, f"by a person: {clean(note)}"))
    finally:
        journal.close()
    tell(f"{row.key} is settled as {finding}.")


def _refuse(row: Row, finding: str) -> None:
    from gridwire.intents.records import LIVE

    allowed: tuple[str, ...] = ()
    if row.state == "unknown":
        allowed = ("live", "done", "absent") if row.operation == "bid_save" else ("done", "absent")
    elif row.state in LIVE:
        allowed = ("closed",)
    if finding in allowed:
        return
    if row.state == "sending":
        why = "its process still waits for the answer"
    elif allowed:
        why = f"it is {row.state}, so --as can be {_or(allowed)} and not {finding}"
        if row.state == "unknown" and finding == "live":
            why = f"a {row.operation} cannot rest; write {_or(allowed)}"
    else:
        why = f"it is {row.state} already"
    raise InvalidInput(f"{row.key} cannot be settled by hand: {why}. Nothing was changed.")


def _told(row: Row, rows: list[Row], finding: str, note: str) -> list[bytes]:
    from gridwire.epias_stp.book import settled_by_a_person
    from gridwire.epias_stp.outcomes import VENUE
    from gridwire.intents.journal import line

    if finding == "closed":
        return [line("closed", row.key, n=note)]
    if row.venue != VENUE:
        return [line(f"resolved_{finding}", row.key, n=note)]
    environment = row.account.partition("/")[0]
    beside = [one for one in rows if one.venue == VENUE and one.account.partition("/")[0] == environment]
    return settled_by_a_person(row, beside, finding, note)


def _or(words: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _check_directory(directory: Path | None) -> None:
    if directory is not None and not directory.is_dir():
        raise InvalidInput(f"--directory names {directory}, which is not a folder.")


def _read(directory: Path | None) -> tuple[list[Row], int]:
    from gridwire.intents.journal import default_directory, read

    _check_directory(directory)
    reading = read(directory or default_directory())
    return sorted(reading.rows.values(), key=lambda row: row.created), reading.damaged


def _find(key: str, rows: list[Row]) -> Row:
    if not key:
        raise InvalidInput("KEY is empty; `gridwire journal list` shows all. Nothing was changed.")
    found = [row for row in rows if row.key == key] or [row for row in rows if row.key.startswith(key)]
    if len(found) != 1:
        many = f"{len(found)} intents begin with" if found else "No intent has the key"
        raise InvalidInput(f"{many} {key}; `gridwire journal list` shows all. Nothing was changed.")
    return found[0]


def _plain(row: Row) -> dict[str, object]:
    return {
        "key": row.key,
        "transaction_id": row.key.partition("/")[0],  # a further entry of one call has a number behind it
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
    ref = clean(row.client_ref or "-")
    what = clean(_what(row.fields))
    return [_moment(row.created), row.account, row.operation, row.state, what, ref, row.key, clean(row.note)]


def _what(fields: Mapping[str, Any]) -> str:
    """All that a call says: an order as it is spoken, then the fields that are left by their names."""
    order = " ".join(str(fields[name]) for name in _ORDER if fields.get(name) is not None)
    if fields.get("price") is not None:
        order += f" at {fields['price']}"
    rest = _listed({name: value for name, value in fields.items() if name not in (*_ORDER, "price")})
    return ", ".join(filter(None, (order, rest)))


_ORDER = ("direction", "quantity", "contract")


def _listed(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in fields.items() if value is not None)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_value, value))
    return f"({_listed(value)})" if isinstance(value, dict) else str(value)


def _moment(value: datetime) -> str:
    return local(value, "%Y-%m-%d %H:%M:%S")
