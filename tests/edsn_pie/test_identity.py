"""edsn_pie/identity.py: what the key costs, and a key file that is replaced."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from gridwire.auth import client_assertion
from gridwire.edsn_pie import LinkState
from gridwire.edsn_pie.errors import EdsnAuthError
from gridwire.errors import ConfigurationError
from tests.acceptance.edsn_pie.ground import Ground, ground
from tests.support.keys import pem, rsa_key


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


def write(path: Path, text: str) -> None:
    """As a tool that renews keys does it: a new file takes the place of the old one."""
    new = path.with_suffix(".new")
    new.write_text(text)
    os.replace(new, path)


def good_key(g: Ground) -> str:
    return g.account().private_key.get_secret_value()  # type: ignore[union-attr]


async def test_a_key_file_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "pie.pem"
    async with ground() as g:
        write(path, good_key(g))
        pie = await g.client(g.account(private_key=path))
        first = await pie.token()
        other = rsa_key()
        write(path, pem(other))
        for account in g.venue.identity.accounts.values():
            account.key = other.public_key()
        pie._identity.refused(first)
        assert await pie.token() != first
        assert len(g.told("key.replaced")) == 1
        pie._identity.refused(await pie.token())
        await pie.token()
        assert len(g.told("key.replaced")) == 1, "it was not replaced again"


async def test_a_replaced_key_need_not_wait_for_the_refusal_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "pie.pem"
    async with ground() as g:
        write(path, pem(rsa_key()))
        pie = await g.client(g.account(private_key=path))
        for _ in range(3):
            with pytest.raises(EdsnAuthError):
                await pie.token()
        assert len(g.statuses("token")) == 1
        write(path, good_key(g))
        assert (await pie.token()).count(".") == 2
        assert len(g.statuses("token")) == 2


@pytest.mark.parametrize("spoilt", ["", "-----BEGIN PRIVATE KEY-----\nhalf", "gone", "another kind"])
async def test_a_file_that_is_half_written_leaves_the_key_from_before_in_use(spoilt: str, tmp_path: Path) -> None:
    path = tmp_path / "pie.pem"
    async with ground() as g:
        write(path, good_key(g))
        pie = await g.client(g.account(private_key=path))
        pie._identity.refused(await pie.token())
        if spoilt == "gone":
            path.unlink()
        else:
            write(path, pem(rsa_key(1024)) if spoilt == "another kind" else spoilt)
        for _ in range(2):
            pie._identity.refused(await pie.token())
        warnings = g.told("key.unusable")
        assert len(warnings) == (0 if spoilt == "gone" else 1), "said once for each file"
        assert all("the key from before is used on: " in event.text for event in warnings)
        write(path, good_key(g))
        pie._identity.refused(await pie.token())
        await pie.token()
        assert len(g.told("key.replaced")) == 1


async def test_a_first_key_that_cannot_be_used_is_an_error_until_it_can(tmp_path: Path) -> None:
    path = tmp_path / "pie.pem"
    async with ground() as g:
        write(path, "half")
        pie = await g.client(g.account(private_key=path))
        with pytest.raises(ConfigurationError, match="is not PEM"):
            await pie.token()
        write(path, good_key(g))
        assert (await pie.token()).count(".") == 2


async def test_a_scope_that_was_narrowed_in_silence_is_told() -> None:
    async with ground() as g:
        g.venue.identity.knobs.name_scope, g.venue.identity.knobs.granted_scope = False, "openid"
        await g.pie.token()
        (event,) = g.told("token.scope")
        assert "granted 'openid', as the token itself says, and not roles" in event.text


async def test_a_provider_that_refuses_for_a_while_after_it_gave_a_token_is_asked_at_growing_intervals() -> None:
    """It restarts, and does not know its accounts yet. A stream waits for it, and nobody hammers it with refused assertions."""
    async with ground() as g, g.pie.notifications() as stream:
        broker = g.venue.broker
        assert broker is not None
        accounts = dict(g.venue.identity.accounts)

        async def until_streaming() -> None:
            async for item in stream:
                if isinstance(item, LinkState) and item.state == "streaming":
                    return

        async def refusing(seconds: float) -> tuple[int, float]:
            """How often it is asked, and after how many seconds messages can come again."""
            await asyncio.sleep(120)  # the link is healthy, and its pauses begin anew
            before, began = len(g.statuses("token")), loop.time()
            g.venue.identity.accounts.clear()
            g.venue.identity.revoke_all()
            broker.drop()
            loop.call_later(seconds, g.venue.identity.accounts.update, accounts)
            await until_streaming()
            return len(g.statuses("token")) - before, loop.time() - began

        loop = asyncio.get_running_loop()
        await until_streaming()
        asked, took_s = await refusing(2)
        assert (asked, took_s < 15) == (2, True)
        asked, took_s = await refusing(200)
        assert 5 <= asked <= 9
        _, took_s = await refusing(10)
        assert took_s < 60, "what it gave in between begins the count anew"


async def test_an_account_that_never_had_a_token_is_asked_for_once_a_minute() -> None:
    async with ground() as g:
        g.venue.identity.accounts.clear()
        for second in range(200):
            with pytest.raises(EdsnAuthError):
                await g.pie.token()
            assert len(g.statuses("token")) == 1 + second // 60
            await asyncio.sleep(1)
