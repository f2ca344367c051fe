"""``gridwire siooi journal``, ``resolve`` and ``letter``: what was sent, and a person's word on it. No network."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridwire.cli.exits import ExitCode
from gridwire.cli.output import Column, clean, local, out, out_json, plain, show_table, tell
from gridwire.cli.siooi.jobs import Ref
from gridwire.cli.siooi.link import ZONE, Link
from gridwire.errors import InvalidInput

if TYPE_CHECKING:
    from gridwire.intents.upload_records import Upload

FINDINGS = ("absent", "present")


def journal(
    link: Link,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help="Only uploads in this state, like unknown.")
    ] = None,
) -> int:
    """List every upload of every program of this user, oldest first."""
    from gridwire.intents.upload_records import STATES
    from gridwire.intents.uploads import read

    if state is not None and state not in STATES:
        raise InvalidInput(f"--state {state} is no state of an upload; these are: {', '.join(sorted(STATES))}.")
    link.note_new_journal()
    rows = [row for row in read(link.journal_path) if state in (None, row.state)]
    if link.json:
        out_json({"journal": str(link.journal_path), "uploads": [as_dict(row) for row in rows]})
        return ExitCode.DONE
    if not rows:
        tell(link.words("no_rows", file=link.journal_path))
        return ExitCode.DONE
    words = link.words
    columns = [
        Column(words("sent")), Column(words("ref")), Column(words("state")), Column(words("form")), Column(words("object")),
        Column(words("period")), Column(words("job")), Column(words("account"), spare=1), Column(words("note"), spare=2),
    ]  # fmt: skip
    show_table(columns, [_cells(row, link) for row in rows])
    tell(words("journal_of", file=link.journal_path))
    return ExitCode.DONE


def resolve(
    link: Link,
    upload: Ref,
    finding: Annotated[
        str | None, typer.Option("--as", metavar="FINDING", help="absent (it is not there) or present (it was loaded).")
    ] = None,
    note: Annotated[
        str | None, typer.Option(metavar="TEXT", help="How you know: where you looked, who said so.")
    ] = None,
    deleted_by_support: Annotated[
        str | None,
        typer.Option("--deleted-by-support", metavar="LETTER", help="Support deleted it; the number of their letter."),
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who says so; this machine's user unless set.")] = None,
) -> int:
    """Settle an upload by what a person found out. It sends nothing and cannot be taken back."""
    from gridwire.intents.uploads import Uploads

    if (finding is None) == (deleted_by_support is None):
        raise InvalidInput(
            "Say either --as absent|present with --note, or --deleted-by-support LETTER. Nothing was changed."
        )
    if finding is not None and finding not in FINDINGS:
        raise InvalidInput(f"--as {finding} is no finding; write absent or present. Nothing was changed.")
    if finding is not None and not (note or "").strip():
        raise InvalidInput("--note is empty; write how you know. Nothing was changed.")
    who = by or _user()
    uploads = Uploads.open(link.journal_path)
    try:
        ref = uploads.get(upload).ref
        if deleted_by_support is not None:
            row = uploads.deleted_by_support(ref, by=who, note=": ".join(filter(None, [deleted_by_support, note])))
        else:
            row = uploads.resolve(ref, "absent" if finding == "absent" else "present", by=who, note=note or "")
    finally:
        uploads.close()
    if link.json:
        out_json(as_dict(row))
    elif deleted_by_support is not None:
        tell(link.words("withdrawn_now", ref=row.ref))
    else:
        tell(link.words("settled", ref=row.ref, state=link.words.state(row.state)))
    return ExitCode.DONE


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user has no name (Python before 3.13: KeyError)
        raise InvalidInput(
            "This machine has no name for its user: say who you are with --by. Nothing was changed."
        ) from None


def letter(link: Link, upload: Ref) -> int:
    """Print the letter, in Russian, that asks the venue's support to delete a loaded document."""
    from gridwire.intents.uploads import read
    from gridwire.siooi.letters import deletion_request

    found = [row for row in read(link.journal_path) if row.ref.startswith(upload)]
    if len(found) != 1:
        raise InvalidInput(
            f"{len(found)} uploads in {link.journal_path} begin with {upload}; `gridwire siooi journal` shows all."
        )
    text = deletion_request(found[0])
    if link.json:
        out_json({"ref": found[0].ref, "letter": text})
    else:
        for line in text.splitlines():
            out(clean(line))
    return ExitCode.DONE


def _cells(row: Upload, link: Link) -> list[str]:
    document = row.document
    return [
        local(row.started, "%Y-%m-%d %H:%M", zone=ZONE),
        row.ref,
        link.words.state(row.state),
        document.form,
        document.object_key,
        document.period,
        row.job_id or "-",
        document.account,
        clean(row.note),
    ]


def as_dict(row: Upload) -> dict[str, Any]:
    """An upload for programs; instants with Moscow's offset."""
    document = row.document
    moments = {name: plain(getattr(row, name), ZONE) for name in ("created", "started", "answered", "changed")}
    return {
        "ref": row.ref,
        "state": row.state,
        "venue": document.venue,
        "account": document.account,
        "form": document.form,
        "object": document.object_key,
        "period": document.period,
        "sha256": document.exact_sha256,
        "size_bytes": document.size_bytes,
        "job_id": row.job_id,
        **moments,
        "note": row.note,
        "forced_over": row.forced_over,
        "supersedes": row.supersedes,
    }
