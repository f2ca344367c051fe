"""STP's port: the trading engine, the broadcaster's address call and its WebSocket, by path."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from aiohttp import web

from gridwire.sandbox.cas import Cas
from gridwire.sandbox.epias_stp.broadcast import SOCKET_PATH, Broadcaster
from gridwire.sandbox.epias_stp.engine import Arrival, Engine, StpKnobs
from gridwire.sandbox.epias_stp.operations import BY_PATH, EVERYONE, Call, Operation
from gridwire.sandbox.faults import Faults
from gridwire.sandbox.faulty import hang_up, page, respond

_ENDPOINT = "/endpoint/get"
_TICKET_HEADER = "stp-service-ticket"


class StpServer:
    """The handler of STP's port."""

    def __init__(self, cas: Cas, engine: Engine, broadcaster: Broadcaster, knobs: StpKnobs) -> None:
        self.faults: Faults = Faults()
        self._cas = cas
        self._engine = engine
        self._broadcaster = broadcaster
        self._knobs = knobs

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request. Its ticket is checked, and used up, when its head has arrived."""
        if request.path == SOCKET_PATH:
            return await self._broadcaster.handle(request)
        operation = self._operation(request)
        if operation is None:
            return web.Response(status=404, body=page(404, "Not found").body, content_type="text/html")
        if request.method != "POST":
            return web.Response(status=405)
        now = asyncio.get_running_loop().time()
        ticket = self._cas.validate(request.headers.get(_TICKET_HEADER), self._knobs.service, now)
        arrival = Arrival(
            now, operation, request.content_type, request.headers.get("Accept", ""),
            request.headers.get("Accept-Language"), ticket,
        )  # fmt: skip
        fault = self.faults.take("arrival", operation=operation.name, user=ticket.user, path=request.path, now=now)
        if fault is not None:
            self._engine.record(arrival, fault)
            return hang_up(request)
        arrival = replace(arrival, body=await request.read())
        if self._knobs.latency_s:
            await asyncio.sleep(self._knobs.latency_s)
        fault = self.faults.take("call", operation=operation.name, user=ticket.user, path=request.path, now=now)
        if fault is not None and fault.before_execution and fault.kind != "result":
            self._engine.record(arrival, fault)
        return await respond(request, fault, lambda: self._engine.execute(arrival, fault))

    def _operation(self, request: web.Request) -> Operation | None:
        if request.path == self._knobs.broadcaster_path + _ENDPOINT:
            return self._endpoint(request)
        if not request.path.startswith(self._knobs.engine_path + "/"):
            return None
        return BY_PATH.get(request.path.removeprefix(self._knobs.engine_path))

    def _endpoint(self, request: web.Request) -> Operation:
        origin = request.url.origin()
        base = str(origin.with_scheme("wss" if origin.scheme == "https" else "ws")).rstrip("/")

        def run(call: Call) -> dict[str, object]:
            return self._broadcaster.endpoint(base, asyncio.get_running_loop().time())

        return Operation("endpoint_get", _ENDPOINT, "endpointGetRequest", "endpointGetServiceResponse", EVERYONE, run)
