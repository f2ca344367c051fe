"""An event loop with virtual time over real kernel sockets.

Loopback TCP is carried by AF_UNIX sockets, whose delivery is synchronous, so "every socket of this process is quiet" can be
known without waiting; only then, and only when no executor job runs, does time jump to the next timer. TLS, httpx, aiohttp
and websockets run on it unpatched. It cannot do RST, DNS, child processes or uvloop: those are tested on real TCP.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import selectors
import socket
from typing import Any


class _Selector(selectors.DefaultSelector):
    now = 0.0
    jobs = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or (timeout is not None and timeout <= 0):
            return events
        if self.jobs or timeout is None:  # a thread is at work, or nothing is due: wait for real
            return super().select(0.05 if timeout is None else min(timeout, 0.05))
        self.now += timeout
        return []


class _Address:
    """Stands where a listening TCP socket would be asked for its address."""

    family = socket.AF_INET

    def __init__(self, host: str, port: int) -> None:
        self._name = (host, port)

    def getsockname(self) -> tuple[str, int]:
        return self._name


class _Server:
    """An asyncio server that answers with the loopback address it stands for."""

    def __init__(self, server: asyncio.Server, host: str, port: int) -> None:
        self._server = server
        self.sockets = (_Address(host, port),)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    async def __aenter__(self) -> _Server:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        self._paths: dict[int, str] = {}
        self._ports = itertools.count(60000)
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = super().run_in_executor(executor, func, *args)
        self._virtual.jobs += 1
        future.add_done_callback(self._job_done)
        return future

    def _job_done(self, _: object) -> None:
        self._virtual.jobs -= 1

    async def create_server(  # type: ignore[override]
        self,
        factory: Any,
        host: Any = None,
        port: int | None = None,
        *,
        ssl: Any = None,
        backlog: int = 100,
        **_: Any,
    ) -> Any:
        chosen = port or next(self._ports)
        self._paths[chosen] = f"\0virtual-{id(self)}-{chosen}"
        server = await self.create_unix_server(factory, self._paths[chosen], ssl=ssl, backlog=backlog)
        return _Server(server, host if isinstance(host, str) else "127.0.0.1", chosen)

    async def create_connection(  # type: ignore[override]
        self,
        factory: Any,
        host: Any = None,
        port: Any = None,
        *,
        ssl: Any = None,
        sock: Any = None,
        server_hostname: str | None = None,
        **options: Any,
    ) -> Any:
        if sock is not None:
            return await super().create_connection(
                factory, host, port, ssl=ssl, sock=sock, server_hostname=server_hostname, **options
            )
        if port not in self._paths:
            raise ConnectionRefusedError(111, f"nothing listens on {host}:{port}")
        return await self.create_unix_connection(
            factory, self._paths[port], ssl=ssl, server_hostname=(server_hostname or host) if ssl else None
        )

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Put the Unix socket that carries ``address`` in the place of the TCP socket that was to be connected."""
        if sock.family == socket.AF_UNIX:  # asyncio's own call, by create_unix_connection
            await super().sock_connect(sock, address)
            return
        port = address[1]
        if port not in self._paths:
            raise ConnectionRefusedError(111, f"nothing listens on {address[0]}:{port}")
        carrier = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        carrier.setblocking(False)
        with carrier:
            await super().sock_connect(carrier, self._paths[port])
            os.dup2(carrier.fileno(), sock.fileno(), inheritable=False)
