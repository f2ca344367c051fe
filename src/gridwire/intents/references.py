"""The files that reserve callers' references in a journal's directory: ``refs``, with 256 folders by the digest's beginning.

All folders are made before anything is sent. One that is missing later was lost, with the reservations in it: the rows of
the journal say which those were.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from gridwire.intents.records import Row, rejected_as

_FOLDERS = [f"{number:02x}" for number in range(256)]


def reference_file(directory: Path, client_ref: str) -> Path:
    """The file that reserves ``client_ref``. Any text can be one."""
    digest = hashlib.sha256(client_ref.encode()).hexdigest()
    return directory / "refs" / digest[:2] / digest


def restore(directory: Path, rows: Callable[[], Iterable[Row]]) -> None:
    """Make the folders that are missing, with the reservations of ``rows``. Raises `OSError`.

    A folder appears with all that belongs into it or not at all. Call it under the directory's lock.
    """
    refs = directory / "refs"
    there = set(os.listdir(refs))
    missing = [name for name in _FOLDERS if name not in there]
    if not missing:
        return
    lost: dict[Path, str] = {}
    for row in rows():
        if row.client_ref is not None and not _given_back(row):
            lost[reference_file(directory, row.client_ref)] = f"{row.run} {row.key}"
    for name in missing:
        files = {path: text for path, text in lost.items() if path.parent.name == name}
        if not files:
            (refs / name).mkdir(mode=0o700)
            continue
        new = refs / f"{name}.new"
        shutil.rmtree(new, ignore_errors=True)  # of a process that died here
        new.mkdir(mode=0o700)
        for path, text in files.items():
            (new / path.name).write_text(text, encoding="utf-8")
        new.rename(refs / name)


def _given_back(row: Row) -> bool:
    """Whether the row's reference was free again, because nothing of the call had left."""
    return row.state == "rejected" and rejected_as(row.note)[0] == "wire"
