"""Listens on loopback: one aiohttp application per port, with TLS from an authority of its own on request."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import datetime
from email.utils import format_datetime

import trustme
from aiohttp import web

from gridwire import clock

HOST = "127.0.0.1"
_SHUTDOWN_S = 0.5

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Listener:
    """One port and the handler of everything that arrives there."""

    def __init__(self, runner: web.AppRunner, server: asyncio.AbstractServer, port: int) -> None:
        self._runner = runner
        self._server = server
        self.port = port

    @classmethod
    async def open(
        cls,
        handler: Handler,
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        most_bytes: int = 1024 * 1024,
        now: Callable[[], datetime | None] = clock.now,
    ) -> Listener:
        """Listen on ``port`` of 127.0.0.1 (0: any free one). Bodies over ``most_bytes`` are refused.

        ``now`` is the ``Date`` of the answers; None leaves it out.
        """

        async def handled(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except ConnectionResetError:  # the client left in the middle of an answer, which is no error of a venue
                return web.Response()

        async def stamp(request: web.Request, response: web.StreamResponse) -> None:
            response.headers.popall("Date", None)  # the library's, which knows no virtual time
            if (moment := now()) is not None:
                response.headers["Date"] = format_datetime(moment, usegmt=True)

        application = web.Application(client_max_size=most_bytes)
        application.on_response_prepare.append(stamp)
        application.router.add_route("*", "/{path:.*}", handled)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(runner.server, HOST, port, ssl=tls)  # type: ignore[arg-type]
        return cls(runner, server, server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and end every connection; calls still hanging are cut off."""
        self._server.close()
        await self._runner.cleanup()


class Authority:
    """A throw-away certificate authority and one server certificate for loopback."""

    def __init__(self) -> None:
        authority = trustme.CA()
        self.pem: str = authority.cert_pem.bytes().decode("ascii")
        self.context: ssl.SSLContext = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(self.context)
