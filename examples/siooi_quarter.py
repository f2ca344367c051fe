"""Load a quarter's documents into АС СиОИ, and go on after a crash. Runs on the sandbox as it stands.

Start it as often as you like, from cron for example: what is under way is followed, what was lost is reported and left
alone, and each document is sent once. For a real installation take `Siooi.from_env()` instead of the sandbox.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from gridwire import Accepted, Rejected, Unknown
from gridwire.sandbox import Sandbox
from gridwire.siooi import Expired, Failed, Siooi, Succeeded


async def resume(client: Siooi) -> None:
    """What earlier runs left: jobs under way are followed, lost answers are told to a person."""
    for result in await client.resume():
        print("from an earlier run:", result.job.job_id, type(result).__name__)
    for lost in client.unknown():
        print("LOST, look for it at the venue:", lost.intent.restated["object_key"], lost.intent.key)


async def load(client: Siooi, documents: list[Path]) -> None:
    """Send each document once, then follow the jobs."""
    jobs = []
    for path in documents:
        form, object_key, period = path.stem.split("__")
        document = await client.prepare(path, form_code=form, object_key=object_key, period=period)
        match await client.submit(document, confirm=True):
            case Accepted(order=job) if job is not None:
                print(path.name, "is in the queue")
                jobs.append(job)
            case Rejected(origin=who, reason=why):
                print(path.name, "was not sent," if who == "guard" else f"was refused by {who}:", why)
            case Unknown(cause=cause):
                print(path.name, "may be in the queue, and is not sent again:", cause)
    for result in await asyncio.gather(*(client.wait(job) for job in jobs)):
        match result:
            case Succeeded(document_status=status):
                print("loaded:", result.job.object_key, status)
            case Failed(errors=errors):
                print("not loaded:", result.job.object_key, *errors)
            case Expired(reason=why):
                print("not known:", why)


async def main() -> None:
    """Two runs of the same program on one journal, the first of which is cut short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lose-an-answer", action="store_true", help="have one answer lost on its way")
    lose = parser.parse_args().lose_an_answer
    with TemporaryDirectory() as place:
        journal = Path(place) / "uploads.sqlite"
        async with Sandbox("siooi") as box:
            venue = box.venue("siooi")
            venue.knobs.queue_s = venue.knobs.run_s = 0.5
            if lose:
                venue.faults.add("drop_after_execute", operation="send")
            documents = sorted((venue.folder / "documents").glob("*.xml"))
            async with Siooi(box.siooi, journal=journal, schemas=venue.schemas) as client:
                form, object_key, period = documents[0].stem.split("__")
                document = await client.prepare(documents[0], form_code=form, object_key=object_key, period=period)
                await client.submit(document, confirm=True)  # and now the machine is switched off
            print("--- the next morning")
            async with Siooi(box.siooi, journal=journal, schemas=venue.schemas) as client:
                await resume(client)
                await load(client, documents)
            print(len(venue.log.uploads()), "documents reached the venue, none of them twice")


asyncio.run(main())
