"""``gridwire siooi status`` and ``wait``: where jobs stand, and following them to their end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridwire.cli.exits import ExitCode, code_of
from gridwire.cli.output import clean, out, out_json, tell
from gridwire.cli.siooi.link import Link, Ticker
from gridwire.cli.siooi.words import Words
from gridwire.errors import GridwireError

if TYPE_CHECKING:
    from gridwire.siooi import Expired, Failed, JobRef, JobStatus, Siooi, Succeeded

    Result = Succeeded | Failed | Expired

Ref = Annotated[str, typer.Argument(metavar="UPLOAD", help="The upload, as submit and journal name it.")]


def status(link: Link, upload: Ref) -> int:
    """Ask once where the job of an upload stands."""

    async def work(client: Siooi) -> JobStatus:
        return await client.status(upload)

    found = link.run(work)
    if link.json:
        out_json(status_as_dict(found))
        return ExitCode.DONE
    said = f" ({found.document_status})" if found.document_status else ""
    out(clean(link.words("following", job=found.job.job_id, state=link.words.state(found.state.value)) + said))
    for error in found.errors:
        out(clean(f"  {error}"))
    return ExitCode.DONE


def wait(
    link: Link,
    uploads: Annotated[
        list[str] | None,
        typer.Argument(metavar="[UPLOAD]...", help="Uploads to follow; all that have not ended unless named."),
    ] = None,
    deadline: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=1, help="Longest wait; six hours unless set.")
    ] = None,
) -> int:
    """Follow jobs to their end, also after a restart. Exit code 0 loaded, 3 not loaded, 4 not known."""
    codes: list[ExitCode] = []

    async def work(client: Siooi) -> None:
        named: Sequence[JobRef | str] = list(dict.fromkeys(uploads or [])) or await client.pending()
        results = await follow(client, named, link, codes, deadline_s=deadline)
        if link.json:
            out_json({"results": results})
        elif not named:
            tell(link.words("nothing_pending"))

    link.run(work)
    return max(codes, default=ExitCode.DONE)


async def follow(
    client: Siooi, jobs: Sequence[JobRef | str], link: Link, codes: list[ExitCode], *, deadline_s: float | None
) -> list[dict[str, Any]]:
    """Follow all at once, say the end of each when it comes, and note its code."""
    from gridwire.siooi.errors import JobNotSettled
    from gridwire.siooi.rules import WAIT_DEADLINE_S

    words = link.words
    with Ticker(silent=link.json) as ticker:

        def heard(status: JobStatus) -> None:
            ticker.say(words("following", job=status.job.job_id, state=words.state(status.state.value)))

        async def one(job: JobRef | str) -> dict[str, Any]:
            ref = job if isinstance(job, str) else job.ref
            try:
                result = await client.wait(job, deadline=deadline_s or WAIT_DEADLINE_S, on_status=heard)
            except JobNotSettled as error:
                codes.append(ExitCode.VENUE)
                number = "?" if isinstance(job, str) else job.job_id
                if not link.json:
                    tell(words("unsettled", job=number, ref=ref), label=words("label_note"), style="yellow")
                return {"ref": ref, "result": "unsettled", "reason": str(error)}
            except GridwireError as error:
                codes.append(code_of(error))
                if not link.json:
                    tell(f"{ref}: {error}", label=words("label_error"), style="red")
                return {"ref": ref, "result": "error", "reason": str(error)}
            codes.append(_code(result))
            if not link.json:
                _report(result, words)
            return result_as_dict(result)

        return list(await asyncio.gather(*(one(job) for job in jobs)))


def _code(result: Result) -> ExitCode:
    return {"Succeeded": ExitCode.DONE, "Failed": ExitCode.REJECTED}.get(type(result).__name__, ExitCode.UNKNOWN)


def _report(result: Result, words: Words) -> None:
    from gridwire.siooi import Failed, Succeeded

    job, ref = result.job.job_id, result.job.ref
    if isinstance(result, Succeeded):
        said = f" ({result.document_status})" if result.document_status else ""
        out(clean(words("succeeded", job=job, ref=ref, status=said)))
    elif isinstance(result, Failed):
        tell(words("failed", job=job), label=words("rejected"), style="red")
        for error in result.errors:
            tell(f"  {error}")
        if result.text and not result.errors:
            tell(f"  {result.text}")
    else:
        sentence = "doubtful" if result.state.value == "FAILED" else "expired"
        tell(words(sentence, job=job, ref=ref), label=words("unknown"), style="yellow")


def result_as_dict(result: Result) -> dict[str, Any]:
    """A job's end for programs."""
    facts: dict[str, Any] = {
        "ref": result.job.ref,
        "job_id": result.job.job_id,
        "result": type(result).__name__.lower(),
    }
    for name in ("document_status", "text", "reason"):
        if hasattr(result, name):
            facts[name] = getattr(result, name)
    errors = getattr(result, "errors", None)
    return facts if errors is None else facts | {"errors": errors_as_dicts(errors)}


def status_as_dict(status: JobStatus) -> dict[str, Any]:
    """A status for programs."""
    return {
        "ref": status.job.ref,
        "job_id": status.job.job_id,
        "state": status.state.value,
        "raw_state": status.raw_state,
        "code": status.code.value if status.code is not None else None,
        "raw_code": status.raw_code,
        "document_status": status.document_status,
        "errors": errors_as_dicts(status.errors),
        "text": status.text,
    }


def errors_as_dicts(errors: Sequence[Any]) -> list[dict[str, str | None]]:
    """The venue's errors for programs."""
    return [{name: getattr(one, name) for name in ("line", "element", "code", "message")} for one in errors]
