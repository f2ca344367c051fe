"""What virtual time cannot carry: refused connections, names, certificates, resets, in real time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gridwire.errors import ConfigurationError
from gridwire.sandbox.serving import Authority
from gridwire.sandbox.siooi import SiooiVenue
from gridwire.siooi import Siooi, load_profile
from gridwire.siooi.errors import ProfileNotConfirmed
from tests.acceptance.siooi.office import accepted, office, prepared, rejected, sent, unknown


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Real time."""
    return ("asyncio", {})


async def test_G07_a_refused_connection_is_certain_to_have_got_nothing(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        await _logged_in(client)
        port = urlsplit(desk.venue.origin).port or 0
        document = await prepared(client)
        await desk.venue.close()
        outcome = rejected(await client.submit(document, confirm=True), "wire", "refused")
        assert outcome.repeatable
        assert desk.states() == ["not_sent"]
        await desk.venue.open(port)
        accepted(await client.submit(document, confirm=True))
        assert len(desk.venue.log.calls("send")) == 1


async def test_G07_a_name_that_cannot_be_resolved_is_certain_to_have_got_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with office(tmp_path) as desk:
        described = desk.venue.profile().model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
        described["base_url"] = described["base_url"].replace("127.0.0.1", "localhost")
        account = desk.venue.account(profile=load_profile(described))
        async with Siooi(account, journal=desk.journal, schemas=desk.venue.schemas) as client:
            await _logged_in(client)
            document = await prepared(client)
            with monkeypatch.context() as patch:

                def nobody(*_: Any, **__: Any) -> Any:
                    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

                patch.setattr(socket, "getaddrinfo", nobody)
                rejected(await client.submit(document, confirm=True), "wire", "dns")
            assert desk.states() == ["not_sent"]
            accepted(await client.submit(document, confirm=True))


async def test_G07_a_certificate_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    async with office(tmp_path, tls=True) as desk, desk.client() as client:
        await _logged_in(client)
        document = await prepared(client)
        port = urlsplit(desk.venue.origin).port or 0
        await desk.venue.close()
        impostor = SiooiVenue(seed=1, authority=await asyncio.to_thread(Authority))
        await impostor.open(port)
        try:
            rejected(await client.submit(document, confirm=True), "wire", "tls")
        finally:
            await impostor.close()
        assert len(impostor.log) == 0
        assert desk.states() == ["not_sent"]
        await desk.venue.open(port)
        accepted(await client.submit(document, confirm=True))


async def _logged_in(client: Siooi) -> None:
    await client._sessions.get()


@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize("tls", [False, True])
async def test_a_reset_after_the_request_is_unknown(tmp_path: Path, tls: bool, executed: bool) -> None:
    async with office(tmp_path, tls=tls) as desk, desk.client() as client:
        desk.venue.faults.add("rst_after_execute" if executed else "rst_before_execute", operation="send")
        unknown(await sent(client), "disconnected")
        assert len(desk.venue.log.calls("send")) == 1
        assert len(desk.venue.log.uploads()) == executed


async def test_G20_an_unconfirmed_profile_beyond_this_machine_is_refused_before_its_name_is_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def spy(real: Callable[..., Any]) -> Callable[..., Any]:
        def look_up(*names: Any, **more: Any) -> Any:
            asked.append(names)
            return real(*names, **more)

        return look_up

    monkeypatch.setattr(socket, "getaddrinfo", spy(socket.getaddrinfo))
    async with office(tmp_path) as desk:
        described = desk.venue.profile().model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
        asked.clear()
        for host in (
            "https://siooi.invalid/api",
            "https://127.0.0.1.siooi.invalid",
            "https://10.0.0.1",
            "https://localhost.siooi.invalid",
        ):
            profile = load_profile({**described, "base_url": host})
            with pytest.raises(ProfileNotConfirmed, match="not looked up"):
                Siooi(profile, "clerk", "secret")
        with pytest.raises(ConfigurationError, match="https"):
            load_profile({**described, "base_url": "http://siooi.invalid", "confirmed": True})
        assert asked == []
