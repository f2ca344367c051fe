"""Keeps a folder in step with Partners in Energie: a file for each new ticket and comment. See --help."""

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

from gridwire.cli.exits import code_of
from gridwire.edsn_pie import Comment, CommentCreated, EdsnPie, Notification, Ticket, TicketCreated
from gridwire.errors import GridwireError
from gridwire.sandbox import Sandbox


class Folder:
    def __init__(self, path: Path, pie: EdsnPie) -> None:
        self.path, self.pie = path, pie

    async def take(self, told: Notification) -> None:
        """Write what a notification is about. If this raises, the notification comes again."""
        if isinstance(told, (TicketCreated, CommentCreated)):
            found: Ticket | Comment = await self.pie.fetch(told)
            ticket = found.id if isinstance(found, Ticket) else found.ticket_id
            folder = f"ticket-{quote(ticket, safe='')}" if ticket else "without-ticket"
            name = "ticket" if isinstance(found, Ticket) else f"comment-{quote(found.id, safe='')}"
            content = json.dumps(found.raw, indent=2, ensure_ascii=False)
        else:  # nothing that EDSN may send one day is thrown away
            folder, content = "unknown", repr(told.raw)
            name = hashlib.sha256((told.key or content).encode()).hexdigest()[:16]
        # With a word before each id, no id is a name that leads out of the folder, and no comment takes a ticket's place.
        place = self.path / folder / f"{name}.json"
        await asyncio.to_thread(self.write, place, content)
        print("wrote", place.relative_to(self.path))

    def write(self, place: Path, content: str) -> None:
        """All of the file or nothing: whoever watches the folder never reads half of one."""
        place.parent.mkdir(parents=True, exist_ok=True)
        half = place.with_suffix(".part")
        with half.open("w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # on the disk before the notification is done with, also if the power fails
        half.replace(place)
        folder = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextlib.asynccontextmanager
async def client(real: bool, inbox: Path) -> AsyncIterator[EdsnPie]:
    """The account of the environment, or one on this machine where somebody opens tickets."""
    if real:
        async with EdsnPie.from_env(inbox=str(inbox)) as pie:
            yield pie
        return
    async with Sandbox("edsn_pie") as box, EdsnPie(box.edsn_pie, inbox=inbox) as pie:
        board = box.venue("edsn_pie").board
        board.add_comment("PIE-000001", "Wij kijken ernaar.")
        yield pie


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument(
        "--env", action="store_true", help="the account in the environment instead of a simulated one"
    )
    arguments.add_argument("--seconds", type=float, help="stop after this long; go on until Ctrl-C if left out")
    chosen = arguments.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    # The inbox stands beside the files: a notification is in it before the queue forgets it, and leaves it when its file
    # is written. Killed in between, the next start goes on there.
    async with client(chosen.env, chosen.folder / "inbox.sqlite") as pie:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(chosen.seconds):
                await pie.run(Folder(chosen.folder, pie).take, concurrency=4)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        try:
            asyncio.run(main())
        except GridwireError as error:  # its text says what happened to the notifications, and what to do
            print(f"Error: {error}", file=sys.stderr)
            sys.exit(code_of(error))
