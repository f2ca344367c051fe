"""edsn_pie/identity.py: what the key costs."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from gridwire.auth import client_assertion
from tests.acceptance.edsn_pie.ground import ground


async def test_the_key_is_parsed_once_and_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    load_key = client_assertion.load_key

    def counting(*arguments: Any) -> client_assertion.PrivateKey:
        threads.append(threading.get_ident())
        return load_key(*arguments)

    monkeypatch.setattr(client_assertion, "load_key", counting)
    async with ground() as g:
        for number in range(1, 6):
            tokens = await asyncio.gather(*(g.pie.token() for _ in range(50)))
            assert len(set(tokens)) == 1
            assert len(g.statuses("token")) == number, "each round had a token of its own"
            g.pie._identity.refused(tokens[0])
        assert {finding.name: finding.state for finding in await g.pie.examine()}["key"] == "ok"
    assert len(threads) == 1, "parsing takes up to a quarter of a second"
    assert threads[0] != threading.get_ident(), "no other call waits for it"
