"""One sandbox and one client without ``async``, in real time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from gridwire.sync import EpiasStp, Sandbox


def interrupt_main() -> None:
    """What Ctrl-C does."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox("epias_stp") as opened:
        yield opened


@pytest.fixture
def stp(box: Sandbox) -> Iterator[EpiasStp]:
    with EpiasStp(box.epias_stp) as opened:
        yield opened


@pytest.fixture
def contract(stp: EpiasStp) -> str:
    return [c.name for c in stp.contracts.standard() if c.is_open()][-1]
