"""Runs of a journal for tests: ones that are killed, and what a directory says."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gridwire.intents.journal import Journal, line, read


def killed(journal: Journal) -> None:
    """Leave everything as SIGKILL would: what was not written is lost, the lock is free."""
    journal._abandon()


def states(journal: Journal) -> dict[str, str]:
    return {row.key: row.state for row in journal.rows()}


def state_in(directory: Path) -> dict[str, str]:
    return {row.key: row.state for row in read(directory).rows.values()}


def logs(directory: Path) -> list[Path]:
    return sorted((directory / "runs").glob("*.log"))


def sending(journal: Journal, key: str, **more: Any) -> None:
    journal.flush()
    journal.append(line("sending", key, v="stp", a="test/X", o="bid_save", **more))


def left_by_a_dead_run(directory: Path, *records: tuple[str, str]) -> str:
    journal = Journal.open(directory)
    for state, key in records:
        journal.record(state, key)
    killed(journal)
    return journal.run


@contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """What a full disk does: the write that passes the limit is cut, the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def descriptors() -> list[int]:
    return [int(name) for name in os.listdir("/proc/self/fd")]


def path_of(descriptor: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


def racing(script: str, place: Path, count: int) -> list[str]:
    """What ``count`` processes print that begin at the same moment."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(place), str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(count)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.stdout.readline() for process in processes if process.stdout is not None]
    for process in processes:
        process.communicate("end\n", timeout=30)
    assert [process.returncode for process in processes] == [0] * count
    return said
