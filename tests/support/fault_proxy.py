"""A TCP proxy that fails after an exact number of bytes. It looks into nothing, so TLS passes through as it is.

::

    async with fault_proxy(port) as proxy:      # proxy.port leads to port
        proxy.arm("up", after=17, act="close")  # the next request ends when 17 of its bytes have gone on
        ...
        proxy.fault.struck                      # whether it came to that

``up`` is from client to server. An armed fault belongs to the connection on which the client sends first from then on;
others pass undisturbed. Its bytes are counted from there.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, cast

Direction = Literal["up", "down"]
Act = Literal["close", "reset", "stall", "flip"]
"""Flush and end both sides; end them with a TCP reset; pass nothing on any more; invert the bits of one byte and go on."""

_LINGER_0 = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Fault:
    """``after`` bytes pass in ``direction``, then ``act``."""

    direction: Direction
    after: int
    act: Act
    up: int = 0
    """Bytes the client sent on this connection since the fault was armed, whether they were passed on or not."""
    down: int = 0
    struck: bool = False


class Side(asyncio.Protocol):
    """One end of a connection."""

    def __init__(self, link: Link, direction: Direction) -> None:
        self._link = link
        self._direction = direction
        self.transport: asyncio.Transport | None = None
        self.unsent = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self._direction == "up":
            self._link.begin()
        elif self.unsent:
            self.transport.write(bytes(self.unsent))

    def pass_on(self, data: bytes) -> None:
        if self.transport is None:
            self.unsent += data
        else:
            self.transport.write(data)

    def close(self, *, reset: bool = False) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        wire = self.transport.get_extra_info("socket")
        if reset and wire.family == socket.AF_INET:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
            self.transport.abort()
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        self._link.relay(self._direction, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.lost()


class Link:
    """One connection through the proxy."""

    def __init__(self, proxy: FaultProxy) -> None:
        self._proxy = proxy
        self.client = Side(self, "up")
        self.server = Side(self, "down")
        self.fault: Fault | None = None
        self.stalled = False
        self._ended = False

    def begin(self) -> None:
        self._proxy.links.add(self)
        task = asyncio.get_running_loop().create_task(self._dial())
        self._proxy.dialling.add(task)
        task.add_done_callback(self._proxy.dialling.discard)

    async def _dial(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.server, "127.0.0.1", self._proxy.target)
        except OSError:
            self.end()
        if self._ended and self.server.transport is not None:
            self.server.transport.close()

    def relay(self, direction: Direction, data: bytes) -> None:
        to = self.server if direction == "up" else self.client
        if direction == "up" and self._proxy.waiting:
            self._proxy.waiting, self.fault = False, self._proxy.fault
        fault = self.fault
        if self.stalled:
            return
        if fault is None or (fault.struck and fault.act == "flip"):
            to.pass_on(data)
            return
        before = fault.up if direction == "up" else fault.down
        if direction == "up":
            fault.up += len(data)
        else:
            fault.down += len(data)
        if fault.struck:  # and about to end
            return
        if direction != fault.direction or before + len(data) < max(fault.after, 1):
            to.pass_on(data)
            return
        fault.struck = True
        passed = fault.after - before
        if fault.act == "flip":
            position = min(passed, len(data) - 1)
            to.pass_on(data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :])
            return
        if passed:
            to.pass_on(data[:passed])
        if fault.act == "stall":
            self.stalled = True
        else:
            self.client.close(reset=fault.act == "reset")
            # The server has whatever was passed on, and acts on it, before it learns that nobody is there any more.
            asyncio.get_running_loop().call_later(0.01, self.end)

    def lost(self) -> None:
        if self.fault is None or not self.fault.struck:  # a connection that was struck ends at its own time
            self.end()

    def end(self, *, reset: bool = False) -> None:
        self._ended = True
        self._proxy.links.discard(self)
        self.client.close(reset=reset)
        self.server.close(reset=reset)


class FaultProxy:
    """See the module."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.links: set[Link] = set()
        self.dialling: set[asyncio.Task[None]] = set()
        self.fault: Fault | None = None
        self.waiting = False

    def arm(self, direction: Direction, *, after: int, act: Act = "close") -> Fault:
        """Let the connection on which the client sends next fail. ``after=0`` strikes at the first byte."""
        self.fault = fault = Fault(direction, after, act)
        self.waiting = True
        return fault

    def disarm(self) -> None:
        """Take the fault back unless it has struck."""
        self.waiting = False
        for link in self.links:
            if link.fault is not None and not link.fault.struck:
                link.fault = None

    def hang_up(self, *, reset: bool = False) -> None:
        """End every connection, as a server does that has waited long enough."""
        for link in list(self.links):
            link.end(reset=reset)


@asynccontextmanager
async def fault_proxy(target: int) -> AsyncIterator[FaultProxy]:
    """A proxy on loopback in front of the loopback port ``target``."""
    proxy = FaultProxy(target)
    server = await asyncio.get_running_loop().create_server(lambda: Link(proxy).client, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        await asyncio.sleep(0.001)  # asyncio leaks a connection that is being accepted when its server closes
        server.close()
        proxy.hang_up()
        await asyncio.gather(*proxy.dialling)
        await asyncio.sleep(0)
