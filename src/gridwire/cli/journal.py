"""``gridwire journal``: every call that changed something or may have, from all processes on this machine, as one.

The folder is that of the settings, as for every other command, unless ``--directory`` names one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridwire.cli.output import Column, clean, local, out, out_json, plain, show_table, tell
from gridwire.errors import ConfigurationError, InvalidInput

if TYPE_CHECKING:
    from gridwire.intents.damage import DamagedLog
    from gridwire.intents.records import Row

app: typer.Typer = typer.Typer(
    help="What was sent and what became of it: the journal of all processes on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Directory = Annotated[
    Path | None,
    typer.Option("--directory", metavar="DIR", help="The journal's folder; that of the settings unless given."),
]
Config = Annotated[Path | None, typer.Option(metavar="FILE", help="A gridwire.toml; the nearest one unless set.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="The key or its beginning, a bid's id, or a client_ref.")]
LONGEST = 500
"""So many letters of a damaged line are shown; --json has everything."""
FINDINGS = ("live", "done", "absent", "closed")
COLUMNS = (
    Column("sent"), Column("account", spare=4), Column("call"), Column("state"), Column("what", spare=2),
    Column("bid", spare=1), Column("client_ref", spare=3), Column("key"), Column("note", spare=5),
)  # fmt: skip


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option(metavar="STATE", help="Only rows in this state, like unknown.")] = None,
    directory: Directory = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """List intents, oldest first. A row in `sending` belongs to a process that is alive and waits for its answer."""
    from gridwire.intents.damage import damaged_logs, text
    from gridwire.intents.records import STATES

    if state is not None and state not in STATES:
        raise InvalidInput(f"--state {state} is no state of the journal; these are: {', '.join(sorted(STATES))}.")
    folder = _folder(directory, config)
    rows, damaged = _read(folder)
    logs = damaged_logs(folder)
    chosen = [row for row in rows if state in (None, row.state)]
    if json:
        lines = max(damaged, sum(len(log.lines) for log in logs))
        out_json({"directory": str(folder), "rows": [_plain(row) for row in chosen], "damaged_lines": lines})
        return
    if not folder.exists():
        tell(_no_folder(folder))
    elif chosen:
        show_table(COLUMNS, [_cells(row) for row in chosen])
        tell(f"The journal in {folder}.")
    else:
        tell(f"The journal in {folder} holds no such row.")
    if logs:
        tell(text(logs), label="Warning", style="yellow")
    elif damaged:
        tell(f"{damaged} line(s) of the journal contradict others; they are not among these rows.", label="Note")


@app.command()
def damaged(
    settle: Annotated[
        str | None, typer.Option("--settle", metavar="RUN", help="Report this log no more: a person has looked.")
    ] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What you found at the venue, and how.")] = "",
    directory: Directory = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """List the lines of the journal that cannot be read, or settle one damaged log once you have looked at the venue.

    What such a line said is lost: it may be an order that rests at the venue. Nothing is deleted.
    """
    from gridwire import clock
    from gridwire.intents import damage
    from gridwire.intents.damage import text
    from gridwire.intents.journal import Journal

    folder = _folder(directory, config)
    if settle is not None:
        if not note.strip():
            raise InvalidInput("--note is empty; write what you found at the venue. Nothing was changed.")
        Journal.open(folder).close()  # what dead processes left is in the archive from now on
        damage.settle(folder, settle, clean(note), at=clock.now())
        tell(f"The damaged log {settle} is settled; it is kept as {settle}{damage.SETTLED}.")
        return
    logs = damage.damaged_logs(folder)
    if json:
        out_json({"directory": str(folder), "logs": [_plain_log(log) for log in logs]})
        return
    for log in logs:
        out(f"{log.run}  {log.path}")
        for number, line in log.lines:
            out(f"  line {number}: {clean(line.decode('utf-8', 'replace'))[:LONGEST]}")
    tell(text(logs) if logs else f"The journal in {folder} has no damaged log that is not settled.")


def _plain_log(log: DamagedLog) -> dict[str, object]:
    lines = [{"number": number, "text": line.decode("utf-8", "replace")} for number, line in log.lines]
    return {"run": log.run, "path": str(log.path), "ended": log.ended, "lines": lines}


@app.command()
def show(key: Key, directory: Directory = None, config: Config = None, json: Json = False) -> None:
    """Show an intent by its key (STP: the transactionId), the id of its bid, or its client_ref.

    All intents of one client_ref or bid are shown, like the entries of one payment call; --json has them as `rows` then.
    """
    folder = _folder(directory, config)
    found = _named(key, _read(folder)[0])
    if not found and not folder.exists():
        raise InvalidInput(_no_folder(folder))
    if len(found) != 1 and not (found and key in (found[0].order_id, found[0].client_ref)):
        raise InvalidInput(_not_one(key, found))
    if json:
        out_json(_plain(found[0]) if len(found) == 1 else {"rows": [_plain(row) for row in found]})
        return
    for number, row in enumerate(found):
        if number:
            out("")
        for name, value in _plain(row).items():
            shown = _listed(value) if isinstance(value, dict) else value
            if shown not in (None, ""):
                out(f"{name:<15}{clean(str(shown))}")


@app.command()
def resolve(
    key: Key,
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
    config: Config = None,
) -> None:
    """Settle an intent by what a person found out. It sends nothing and cannot be taken back.

    A change that is done restates the bid it was about, and a cancellation that is done closes it. What is unknown of the
    changes and cancellations of a bid that has ended is settled with it.
    """
    from gridwire.intents.journal import Journal

    if finding not in FINDINGS:
        raise InvalidInput(f"--as {finding} is no finding; write {_or(FINDINGS)}. Nothing was changed.")
    if not note.strip():
        raise InvalidInput("--note is empty; write how you know. Nothing was changed.")
    journal = Journal.open(_folder(directory, config))  # what dead processes left is unknown from now on
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
        allowed = ("live", "done", "absent") if row.operation in ("bid_save", "") else ("done", "absent")
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

    if row.venue != VENUE:
        return [line("closed" if finding == "closed" else f"resolved_{finding}", row.key, n=note)]
    environment = row.account.partition("/")[0]
    beside = [one for one in rows if one.venue == VENUE and one.account.partition("/")[0] == environment]
    return settled_by_a_person(row, beside, finding, note)


def _or(words: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _folder(directory: Path | None, config: Path | None) -> Path:
    """The journal that is meant: the one named, that of the settings, or the usual place."""
    from gridwire import settings
    from gridwire.cli.options import config_file
    from gridwire.epias_stp.profile import PREFIX, TABLE, StpSettings
    from gridwire.intents.journal import default_directory

    if directory is not None:
        try:
            return settings.lasting_path(settings.existing(directory, "--directory", "folder"), "--directory")
        except ConfigurationError as error:
            raise InvalidInput(str(error)) from None
    found = settings.load(StpSettings, prefix=PREFIX, table=TABLE, overrides={}, file=config_file(config))
    return settings.lasting_path(found.journal, "journal") if found.journal else default_directory()


def _read(folder: Path) -> tuple[list[Row], int]:
    from gridwire.intents.journal import read

    reading = read(folder)
    return sorted(reading.rows.values(), key=lambda row: row.created), reading.damaged


def _no_folder(folder: Path) -> str:
    return (
        f"There is no folder {folder}, so no program has written a journal there. Is it the one you mean? --directory, --config "
        "or the setting journal names another."
    )


def _find(key: str, rows: list[Row]) -> Row:
    """The one row that is meant, to change it."""
    found = _named(key, rows)
    if len(found) != 1:
        raise InvalidInput(f"{_not_one(key, found)} Nothing was changed.")
    return found[0]


def _not_one(key: str, found: list[Row]) -> str:
    many = f"{len(found)} intents are named by" if found else "No intent has the key, bid id or client_ref"
    return f"{many} {key}; `gridwire journal list` shows all."


def _named(key: str, rows: list[Row]) -> list[Row]:
    if not key:
        raise InvalidInput("KEY is empty; `gridwire journal list` shows all.")
    by_id = [row for row in rows if row.order_id == key]
    return (
        [row for row in rows if row.key == key]
        or [row for row in by_id if row.operation in ("bid_save", "")]  # not the calls about that bid
        or by_id
        or [row for row in rows if row.client_ref == key]
        or [row for row in rows if row.key.startswith(key)]
    )


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
    what, bid, ref = clean(_what(row.fields)), clean(row.order_id or "-"), clean(row.client_ref or "-")
    return [_moment(row.created), row.account, row.operation, row.state, what, bid, ref, row.key, clean(row.note)]


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
