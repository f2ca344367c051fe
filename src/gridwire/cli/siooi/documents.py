"""``gridwire siooi prepare`` and ``submit``: one document or a folder of them, and one list to say yes to."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from gridwire import clock
from gridwire.cli import interrupts
from gridwire.cli.exits import ExitCode
from gridwire.cli.exits import code_of as code_of_error
from gridwire.cli.output import Column, clean, out, out_json, show_table, tell
from gridwire.cli.siooi import jobs, reasons
from gridwire.cli.siooi.link import Link, Ticker
from gridwire.cli.siooi.words import Words
from gridwire.errors import GridwireError, InvalidInput
from gridwire.outcome import Accepted, Outcome, Rejected, Unknown
from gridwire.settings import expanded

if TYPE_CHECKING:
    from gridwire.siooi import JobRef, Prepared, Siooi

MANY = 1000
_LARGE_BYTES = 1024 * 1024

Paths = Annotated[
    list[Path],
    typer.Argument(metavar="PATH...", help="XML files, or folders of files named FORM__OBJECT__PERIOD.xml."),
]
Form = Annotated[
    str | None, typer.Option("--form", metavar="CODE", help="The form's code; that of the file's name unless set.")
]
Object = Annotated[str | None, typer.Option("--object", metavar="KEY", help="Your name of the object.")]
Period = Annotated[str | None, typer.Option("--period", metavar="KEY", help="Your name of the period, like 2026-Q3.")]
Unvalidated = Annotated[bool, typer.Option("--allow-unvalidated", help="Let a document pass whose form has no schema.")]


@dataclass(frozen=True)
class Item:
    """A file and what it is about."""

    path: Path
    form: str
    object_key: str
    period: str


@dataclass(frozen=True)
class Sheet:
    """A file that was checked: the document, or why it cannot be sent."""

    item: Item
    document: Prepared | None
    error: str | None = None


def prepare(
    link: Link,
    paths: Paths,
    form: Form = None,
    object: Object = None,
    period: Period = None,
    allow_unvalidated: Unvalidated = False,
) -> int:
    """Check documents and show what would be signed. Needs no network and no password, and sends nothing."""
    items = find(paths, form, object, period)

    async def work(client: Siooi) -> list[Sheet]:
        return await check(client, items, allow_unvalidated, link)

    sheets = link.run(work, offline=True)
    if link.json:
        out_json({"documents": [as_dict(sheet) for sheet in sheets]})
    else:
        show(sheets, link.words)
        tell(link.words("dry_run"))
    return ExitCode.BAD_INPUT if any(sheet.document is None for sheet in sheets) else ExitCode.DONE


def submit(
    link: Link,
    paths: Paths,
    form: Form = None,
    object: Object = None,
    period: Period = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask. A loaded document cannot be corrected.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the jobs to their end.")] = False,
    allow_unvalidated: Unvalidated = False,
    force: Annotated[
        bool, typer.Option("--force", help="Send over an earlier upload; needs --i-accept-duplicate.")
    ] = False,
    i_accept_duplicate: Annotated[
        bool, typer.Option("--i-accept-duplicate", help="The venue may hold it twice then.")
    ] = False,
) -> int:
    """Send documents, each once, after one list was agreed to. Exit code 0 accepted, 3 rejected, 4 unknown.

    If one file of a folder cannot be right, nothing is sent. A document that was sent before is not sent again: what became
    of it then is said, with the exit code of then.
    """
    if force != i_accept_duplicate:
        raise InvalidInput(
            "--force and --i-accept-duplicate go together: the venue may then hold a document twice. Nothing was sent."
        )
    items = find(paths, form, object, period)
    if not yes and not sys.stdin.isatty():
        raise InvalidInput(link.words("needs_yes"))
    sheets = link.run(lambda client: check(client, items, allow_unvalidated, link))
    wrong = [sheet for sheet in sheets if sheet.document is None]
    if wrong or not yes:
        show(sheets, link.words, to_stderr=link.json)
    if wrong:
        tell(link.words("nothing_sent"))
        return ExitCode.BAD_INPUT
    if not yes and not _agreed(link.words, sheets):
        tell(link.words("nothing_sent"))
        return ExitCode.INTERRUPTED
    course, results = Course(sheets, link), list[dict[str, Any]]()

    async def work(client: Siooi) -> None:
        await course.send(client, force)
        if wait:
            results.extend(course.loaded)
            results.extend(await jobs.follow(client, course.accepted, link, course.codes, deadline_s=None))

    try:
        link.run(work)
    except (Exception, KeyboardInterrupt) as error:
        # The code must say what became of documents that left, even if something failed afterwards.
        if not course.told:
            raise
        course.ended_early(error)
    if link.json:
        out_json({"documents": course.told, **({"results": results} if wait else {})})
    return max(course.codes, key=_weight, default=ExitCode.DONE)


def _weight(code: ExitCode) -> int:
    order = (
        ExitCode.DONE, ExitCode.VENUE, ExitCode.SETUP, ExitCode.BAD_INPUT, ExitCode.REJECTED, ExitCode.FAILED,
        ExitCode.INTERRUPTED, ExitCode.UNKNOWN,
    )  # fmt: skip
    return order.index(code)


def find(paths: Sequence[Path], form: str | None, object_key: str | None, period: str | None) -> list[Item]:
    """The files and what they are about. Raises `InvalidInput` naming the first that does not say."""
    files: list[Path] = []
    for given in paths:
        path = expanded(given, "FILE")
        try:
            if path.is_dir():
                files += sorted(one for one in path.iterdir() if one.suffix.lower() == ".xml" and one.is_file())
            elif path.is_file():
                files.append(path)
            else:
                raise InvalidInput(f"{path} is neither a file nor a folder. Nothing was sent.")
        except OSError as error:
            raise InvalidInput(f"{path} cannot be read ({error.strerror}). Nothing was sent.") from None
    if not files or len(files) > MANY:
        what = "There is no XML file" if not files else f"There are {len(files)} files, more than {MANY},"
        raise InvalidInput(f"{what} in {', '.join(map(str, paths))}. Nothing was sent.")
    return [_item(path, form, object_key, period) for path in files]


def _item(path: Path, form: str | None, object_key: str | None, period: str | None) -> Item:
    named = path.stem.split("__")
    parts = named if len(named) == 3 else [None, None, None]
    found = [part if given is None else given for given, part in zip((form, object_key, period), parts, strict=True)]
    if not all(found):
        raise InvalidInput(
            f"{path.name} does not say what it is about. Name it FORM__OBJECT__PERIOD.xml, or give --form, --object and "
            "--period. Nothing was sent."
        )
    return Item(path, *(str(one) for one in found))


async def check(client: Siooi, items: Sequence[Item], allow_unvalidated: bool, link: Link) -> list[Sheet]:
    """Prepare every file; what is wrong with one does not hide the next."""
    sheets = []
    for item in items:
        try:
            document = await client.prepare(
                item.path,
                form_code=item.form,
                object_key=item.object_key,
                period=item.period,
                allow_unvalidated=allow_unvalidated,
            )
        except GridwireError as error:
            sheets.append(Sheet(item, None, str(error)))
        else:
            sheets.append(Sheet(item, document))
    return sheets


def show(sheets: Sequence[Sheet], words: Words, *, to_stderr: bool = False) -> None:
    """The list to say yes to, and below it what stands in the way."""
    columns = [
        Column(words("file")), Column(words("form")), Column(words("object")), Column(words("period")),
        Column(words("size"), right=True, spare=1), Column(words("schema")), Column(words("hash"), spare=2),
    ]  # fmt: skip
    rows = [_cells(sheet, words) for sheet in sheets]
    if to_stderr:
        for row in rows:
            tell("  ".join(row))
    else:
        show_table(columns, rows)
    for sheet in sheets:
        if sheet.error is not None:
            for line in f"{sheet.item.path.name}: {sheet.error}".splitlines():
                tell(line, label=words("label_error") if not line.startswith(" ") else "", style="red")
        elif sheet.document is not None and sheet.document.warning is not None:
            why = words("blocked", why=sheet.document.warning)
            tell(f"{sheet.item.path.name}: {why}", label=words("label_note"), style="yellow")


def _cells(sheet: Sheet, words: Words) -> list[str]:
    item, document = sheet.item, sheet.document
    about = [item.path.name, item.form, item.object_key, item.period]
    if document is None:
        return [*about, "-", "-", "-"]
    checked = words("valid") if document.validated else words("unchecked")
    return [*about, str(document.document.size_bytes), checked, document.document.exact_sha256[:12]]


def _agreed(words: Words, sheets: Sequence[Sheet]) -> bool:
    """Asked while no loop runs: Ctrl-C must end the question, and Ctrl-D is a no."""
    account = next(sheet.document.document.account for sheet in sheets if sheet.document is not None)
    try:
        return typer.confirm(clean(words("confirm", count=len(sheets), account=account)), err=True)
    except typer.Abort:
        tell("")
        return False


class Course:
    """One folder on its way: what became of each document is said, and its code noted, before the next one leaves."""

    def __init__(self, sheets: Sequence[Sheet], link: Link) -> None:
        self._sheets = sheets
        self._link = link
        self.told: list[dict[str, Any]] = []
        """Of the first documents, in their order."""
        self.accepted: list[JobRef] = []
        """Of documents whose jobs have not ended as far as is known."""
        self.loaded: list[dict[str, Any]] = []
        """What the journal knows of documents that were loaded before."""
        self.codes: list[ExitCode] = []

    async def send(self, client: Siooi, force: bool) -> None:
        """Send one after the other. Whatever ends it early, what has left by then is in ``told``."""
        with Ticker(silent=self._link.json) as ticker:
            for sheet in self._sheets:
                if sheet.document is None:  # pragma: no cover - nothing is sent where one is wrong
                    continue
                name, began = sheet.item.path.name, clock.now()

                def heard(sent: int, total: int, name: str = name) -> None:
                    if total > _LARGE_BYTES:
                        percent = sent * 100 // total // 10 * 10
                        ticker.say(self._link.words("sending", file=name, percent=percent))

                try:
                    outcome = await client.submit(
                        sheet.document, confirm=True, force=force, i_accept_duplicate=force, on_progress=heard
                    )
                except (Exception, asyncio.CancelledError):
                    interrupts.settle()  # a second Ctrl-C must not hide what became of this one
                    await self._look(client, sheet, sheet.document, began)
                    raise
                self._tell(sheet, outcome)

    async def _look(self, client: Siooi, sheet: Sheet, document: Prepared, began: datetime) -> None:
        try:
            left = await _left(client, document, began)
        except GridwireError as error:  # without the journal, nobody can say that it did not leave
            self.codes.append(ExitCode.UNKNOWN)
            self.told.append({"file": str(sheet.item.path), "outcome": "unknown", "ref": None, "job_id": None})
            tell(self._link.words("not_known", file=sheet.item.path.name, why=error), label=self._link.words("unknown"))
        else:
            if left is not None:
                self._tell(sheet, left)

    def _tell(self, sheet: Sheet, outcome: Outcome) -> None:
        from gridwire.siooi.duplicates import obstacle_in

        self.codes.append(code_of(outcome))
        self.told.append({"file": str(sheet.item.path), **outcome_as_dict(outcome)})
        earlier = obstacle_in(outcome)
        if isinstance(outcome, Accepted) and outcome.order is not None:
            if earlier is None or earlier.upload.state in ("queued", "processing"):
                self.accepted.append(cast("JobRef", outcome.order))
            else:
                self.loaded.append({"ref": earlier.upload.ref, "job_id": earlier.upload.job_id, "result": "succeeded"})
        if not self._link.json:
            report(sheet.item.path.name, outcome, self._link.words)

    def ended_early(self, error: BaseException) -> None:
        """Say why, and list the documents that did not leave."""
        words = self._link.words
        if isinstance(error, KeyboardInterrupt):
            self.codes.append(ExitCode.INTERRUPTED)
            tell(words("interrupted"))
        else:
            known = isinstance(error, GridwireError)
            self.codes.append(code_of_error(error) if isinstance(error, GridwireError) else ExitCode.FAILED)
            tell(str(error) if known else f"{type(error).__name__}: {error}", label=words("label_error"), style="red")
        for sheet in self._sheets[len(self.told) :]:
            self.told.append({"file": str(sheet.item.path), "outcome": "not_sent", "ref": None, "job_id": None})
            tell(words("not_sent", file=sheet.item.path.name))


async def _left(client: Siooi, document: Prepared, began: datetime) -> Outcome | None:
    """What the journal knows of an upload whose call ended without an outcome; None where no byte of it left."""
    from gridwire.intents.records import rejected_as
    from gridwire.siooi.models import intent_of, job_of
    from gridwire.siooi.rules import doubt

    rows = [row for row in await client.uploads() if row.document == document.document and row.created >= began]
    if not rows or rows[-1].state in ("prepared", "not_sent"):
        return None
    row = rows[-1]
    intent = intent_of(row)
    if row.state in ("unknown", "sending"):
        known = next((one for one in client.unknown() if one.intent.key == row.ref), None)
        return doubt(intent, "cancelled", "the call ended after it had begun") if known is None else known
    if row.state == "refused":
        _, code, again, after_s = rejected_as(row.note)
        why = "The venue refused the document. It is not in the queue."
        return Rejected(code, why, "venue", intent, repeatable=again, retry_after_s=after_s)
    return Accepted(intent, job_of(row))


def code_of(outcome: Outcome) -> ExitCode:
    """The exit code of one outcome."""
    if isinstance(outcome, Unknown):
        return ExitCode.UNKNOWN
    if isinstance(outcome, Rejected) and outcome.code == "journal":  # which cannot say whether it was sent before
        return ExitCode.SETUP
    return ExitCode.REJECTED if isinstance(outcome, Rejected) else ExitCode.DONE


def report(name: str, outcome: Outcome, words: Words) -> None:
    """Say what became of one document, or of the earlier upload that holds it back."""
    from gridwire.siooi.duplicates import obstacle_in

    earlier = obstacle_in(outcome)
    match outcome:
        case Accepted() if earlier is not None:
            row = earlier.upload
            out(clean(words("already", file=name, state=words.state(row.state), job=row.job_id or "-", ref=row.ref)))
        case Unknown() if earlier is not None and earlier.upload.state == "sending":
            tell(words("underway", file=name, ref=earlier.upload.ref), label=words("unknown"), style="yellow")
        case Accepted(order=order):
            job = order.id if order is not None else "?"
            out(clean(words("queued_as", file=name, job=job, ref=outcome.intent.key)))
        case Rejected():
            # Of a document that is, or may be, there already, nobody may say that it is not.
            doubtful = outcome.code in ("duplicate", "DUPLICATE", "journal")
            head = words("held_back" if doubtful else "not_there", file=name)
            tell(f"{head} {reasons.refusal(outcome, words)}", label=words("rejected"), style="red")
        case Unknown():
            ref = outcome.intent.key
            tell(
                f"{words('may_be_there', file=name, ref=ref)} ({reasons.doubt(outcome, words)})",
                label=words("unknown"),
                style="yellow",
            )


def outcome_as_dict(outcome: Outcome) -> dict[str, Any]:
    """An outcome for programs. ``already`` is the state of an earlier upload that it tells of; nothing was sent then."""
    from gridwire.siooi.duplicates import obstacle_in

    earlier = obstacle_in(outcome)
    facts: dict[str, Any] = {
        "outcome": "accepted" if isinstance(outcome, Accepted) else type(outcome).__name__.lower(),
        "ref": outcome.intent.key if outcome.intent is not None else None,
        "job_id": outcome.order.id if isinstance(outcome, Accepted) and outcome.order is not None else None,
        "already": earlier.upload.state if earlier is not None else None,
    }
    match outcome:
        case Rejected():
            names = ("origin", "code", "reason", "repeatable", "retry_after_s")
            return facts | {name: getattr(outcome, name) for name in names}
        case Unknown():
            return facts | {"cause": outcome.cause, "reason": outcome.reason}
        case _:
            return facts


def as_dict(sheet: Sheet) -> dict[str, Any]:
    """A checked file for programs."""
    item, document = sheet.item, sheet.document
    facts: dict[str, Any] = {
        "file": str(item.path), "form": item.form, "object": item.object_key, "period": item.period, "error": sheet.error,
    }  # fmt: skip
    if document is not None:
        known = document.document
        facts |= {
            "size_bytes": known.size_bytes,
            "sha256": known.exact_sha256,
            "canonical_sha256": known.canonical_sha256,
            "validated": document.validated,
            "blocked": document.warning,
        }
    return facts
