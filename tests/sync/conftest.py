"""One sandbox and one client without ``async``, in real time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gridwire.sync import EpiasStp, Sandbox


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
    return stp.contracts.standard()[-1].name
