"""A ticket service of a hundred lines on a real loopback port, strict about what stock CAS is strict about.

It runs on the loop's own time, so it lives through days on a virtual loop. It shares no code with gridwire.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web

USER = "TRADER"
PASSWORD = "s3cret-of-the-desk"
SERVICE = "https://teststp.epias.com.tr"

Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answer(status: int, text: str = "", **headers: str) -> Fault:
    """A scripted answer."""

    async def reply(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return reply


@dataclass
class CasServer:
    users: dict[str, str] = field(default_factory=lambda: {USER: PASSWORD})
    tgt_idle_s: float = 2700.0
    latency_s: float = 0.0
    login_faults: deque[Fault] = field(default_factory=deque)
    ticket_faults: deque[Fault] = field(default_factory=deque)
    calls: list[tuple[float, str]] = field(default_factory=list)
    """(loop time, login | ticket | logout) of every call, in order."""
    passwords: list[str] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    issued: dict[str, float] = field(default_factory=dict)
    sessions: dict[str, float] = field(default_factory=dict)
    url: str = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/cas/v1/tickets", self._login)
        app.router.add_post("/cas/v1/tickets/{tgt}", self._ticket)
        app.router.add_delete("/cas/v1/tickets/{tgt}", self._logout)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/cas/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def count(self, what: str) -> int:
        return sum(kind == what for _, kind in self.calls)

    @property
    def logins(self) -> int:
        return self.count("login")

    def most_in_a_minute(self) -> int:
        times = [at for at, _ in self.calls]
        return max((sum(start <= at < start + 60 for at in times) for start in times), default=0)

    async def _met(self, what: str, faults: deque[Fault], request: web.Request) -> web.StreamResponse | None:
        self.calls.append((asyncio.get_running_loop().time(), what))
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        return await faults.popleft()(request) if faults else None

    async def _login(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        self.passwords.append(str(form.get("password")))
        fault = await self._met("login", self.login_faults, request)
        if fault is not None:
            return fault
        if "password" in request.query_string or self.users.get(str(form["username"])) != form["password"]:
            return web.json_response({"authentication_exceptions": ["FailedLoginException"]}, status=401)
        tgt = f"TGT-{len(self.calls)}-{'x' * 40}-cas02.epias.com.tr"
        self.sessions[tgt] = asyncio.get_running_loop().time()
        return web.Response(status=201, text=tgt, headers={"location": f"{self.url}/tickets/{tgt}"})

    async def _ticket(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        self.services.append(str(form.get("service")))
        fault = await self._met("ticket", self.ticket_faults, request)
        if fault is not None:
            return fault
        tgt, now = request.match_info["tgt"], asyncio.get_running_loop().time()
        if now - self.sessions.get(tgt, -1e9) > self.tgt_idle_s:
            return web.Response(status=404, text=f"{tgt} could not be found or is considered invalid")
        self.sessions[tgt] = now
        ticket = f"ST-{len(self.issued) + 1}-hSwyzWCP0xC0eRi0bmna-cas01"
        self.issued[ticket] = now
        return web.Response(text=ticket)

    async def _logout(self, request: web.Request) -> web.StreamResponse:
        self.calls.append((asyncio.get_running_loop().time(), "logout"))
        self.sessions.pop(request.match_info["tgt"], None)
        return web.Response(text=request.match_info["tgt"])
