"""The broadcaster: ``POST {broadcaster_path}/endpoint/get`` tells an address, and a WebSocket there tells the market.

A text frame ``X`` is a heart-beat, as the venue's own sample client knows it. The other frames are JSON objects of a
format **invented here**, because the venue's is published nowhere: ``{"type": "matching" | "depth" | "contract", …}``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from random import Random
from typing import Any

from aiohttp import WSCloseCode, web

from gridwire.sandbox.epias_stp.codec import as_json
from gridwire.sandbox.epias_stp.engine import StpKnobs

SOCKET_PATH = "/stp-broadcaster/socket"
_TOKEN_TTL_S = 60.0
_QUEUE = 1000
_CLOSE_S = 1.0


class Broadcaster:
    """Every open broadcast socket. ``silent`` stops the heart-beats; frames still go out."""

    def __init__(self, seed: int, knobs: StpKnobs, on_beat: Callable[[], None]) -> None:
        self.silent = False
        self._knobs = knobs
        self._on_beat = on_beat
        self._random = Random(f"{seed}:broadcast")  # noqa: S311 - guards nothing but a venue in memory
        self._tokens: dict[str, float] = {}
        self._sockets: dict[web.WebSocketResponse, tuple[asyncio.Queue[str], asyncio.Transport]] = {}

    @property
    def connected(self) -> int:
        """How many sockets are open."""
        return len(self._sockets)

    def endpoint(self, base: str, now: float) -> dict[str, Any]:
        """The body of ``endpoint/get``: an address whose token opens one socket within a minute."""
        token = f"{self._random.getrandbits(128):032x}"
        self._tokens[token] = now + _TOKEN_TTL_S
        return {
            "headers": [{"name": "Authorization", "value": token}],
            "broadcastAddress": f"{base}{SOCKET_PATH}?token={token}",
            "broadcastBase": base,
        }

    def publish(self, event: dict[str, Any] | str) -> None:
        """Send a frame to every socket; a socket that is 1000 frames behind is closed."""
        frame = event if isinstance(event, str) else as_json(event)
        for queue, transport in list(self._sockets.values()):
            try:
                queue.put_nowait(frame)
            except asyncio.QueueFull:
                transport.abort()

    def drop(self) -> None:
        """End every socket without a closing handshake."""
        for _, transport in list(self._sockets.values()):
            transport.abort()

    async def close(self) -> None:
        """Close every socket properly."""
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One socket, from its handshake to its end."""
        now = asyncio.get_running_loop().time()
        transport = request.transport
        if transport is None or now > self._tokens.pop(request.query.get("token", ""), now - 1):
            return web.Response(status=403)
        socket = web.WebSocketResponse(timeout=_CLOSE_S)
        await socket.prepare(request)
        queue: asyncio.Queue[str] = asyncio.Queue(_QUEUE)
        self._sockets[socket] = queue, transport
        reader = asyncio.create_task(_read(socket))
        try:
            await self._write(socket, queue, reader)
        finally:
            self._sockets.pop(socket, None)
            reader.cancel()
        return socket

    async def _write(
        self, socket: web.WebSocketResponse, queue: asyncio.Queue[str], reader: asyncio.Task[None]
    ) -> None:
        loop = asyncio.get_running_loop()
        beat = loop.time() + self._knobs.heartbeat_s
        while not reader.done() and not socket.closed:
            frame = await _next(queue, reader, beat - loop.time())
            if frame is None and loop.time() >= beat:
                beat += self._knobs.heartbeat_s
                self._on_beat()
                frame = None if self.silent else "X"
            if frame is not None:
                with contextlib.suppress(ConnectionError):  # the reader is about to notice, and ends this
                    await socket.send_str(frame)


async def _read(socket: web.WebSocketResponse) -> None:
    """Answer pings and the closing handshake; whatever a client says is ignored."""
    async for _ in socket:
        pass


async def _next(queue: asyncio.Queue[str], reader: asyncio.Task[None], wait_s: float) -> str | None:
    """The next frame, or None when the time is up or the client is gone."""
    getter = asyncio.ensure_future(queue.get())
    await asyncio.wait({getter, reader}, timeout=max(0.0, wait_s), return_when=asyncio.FIRST_COMPLETED)
    if getter.done():
        return getter.result()
    getter.cancel()
    return None
