"""A consumer in a process of its own, and what it writes down."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.edsn_pie import soak_consumer
from tests.support.broker_process import RemoteWorld

PATIENCE_S = 300.0


class Notes:
    """What the consumers have written down."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _lines(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

    def handled(self) -> Counter[int]:
        return Counter(int(line) for line in self._lines() if not line.startswith("rss"))

    def weights(self) -> list[tuple[int, int]]:
        """Bytes of memory, with the count of handled messages at that time."""
        return [(int(line.split()[1]), int(line.split()[2])) for line in self._lines() if line.startswith("rss")]

    def wait_for_weight(self, count: int) -> None:
        """Wait until the consumer has noted its memory with so many messages handled."""
        until = time.monotonic() + PATIENCE_S
        while not any(handled >= count for _, handled in self.weights()):
            assert time.monotonic() < until, self.weights()[-1:]
            time.sleep(0.2)

    def growth(self, since: int) -> int:
        """Bytes by which the consumer has grown since it had handled so many messages."""
        weights = self.weights()
        return weights[-1][0] - next(weight for weight, count in weights if count >= since)


def start(world: RemoteWorld, inbox: Path | None, notes: Notes) -> subprocess.Popen[bytes]:
    where = str(inbox) if inbox is not None else "-"
    return subprocess.Popen([sys.executable, "-m", soak_consumer.__name__, str(world.port), where, str(notes.path)])


@contextmanager
def consumer_process(world: RemoteWorld, inbox: Path | None, notes: Notes) -> Iterator[subprocess.Popen[bytes]]:
    """One that is killed at the end."""
    consumer = start(world, inbox, notes)
    try:
        yield consumer
    finally:
        consumer.kill()
        consumer.wait(10)
