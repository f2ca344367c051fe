"""An asyncio protocol under an AMQP engine: bytes, the login before them, and the engine's timers.

Both roles use it. What was done to the engine reaches the socket with the next `AmqpWire.flush`, at most one turn of the
loop later, so that a burst of settlements leaves in one write.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from gridwire.errors import TransportError
from gridwire.transport.amqp import Engine
from gridwire.transport.sasl_frames import BadFrame

TICK_S = 0.05


class Exchange(Protocol):
    """A login that comes before the engine's bytes."""

    @property
    def rest(self) -> bytes:
        """What arrived after it."""
        ...

    def receive(self, data: bytes) -> bytes:
        """What to answer."""
        ...


class Keeper(Protocol):
    """Whoever looks after a wire."""

    def logging_in(self, exchange: Exchange) -> None:
        """The login has received something; `AmqpWire.start_engine` ends it."""
        ...

    def login_failed(self, error: Exception) -> None:
        """What arrived is no login, or says no."""
        ...

    def lost(self, error: Exception | None) -> None:
        """The connection is gone; nothing more will be told."""
        ...


class AmqpWire(asyncio.Protocol):
    """See the module."""

    def __init__(self, keeper: Keeper, engine: Engine, exchange: Exchange, *, first: bytes = b"") -> None:
        self._keeper = keeper
        self._engine = engine
        self._exchange: Exchange | None = exchange
        self._first = first
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Handle | None = None
        self._tick_from = 0.0
        self._heard = False
        self._full = False
        self._silenced = False

    @property
    def transport(self) -> asyncio.Transport | None:
        """The socket while it is there."""
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what begins the login."""
        self._transport = cast("asyncio.Transport", transport)
        if self._first:
            self._transport.write(self._first)

    def data_received(self, data: bytes) -> None:
        """Hand it to the login or to the engine."""
        self._heard = True
        if self._exchange is None:
            self._engine.receive(data)
            self.flush_now()
            return
        try:
            self.write(self._exchange.receive(data))
        except (BadFrame, TransportError) as error:
            self._keeper.login_failed(error)
            return
        self._keeper.logging_in(self._exchange)

    def start_engine(self) -> None:
        """The login is over: everything from here on is the engine's."""
        rest = self._exchange.rest if self._exchange is not None else b""
        self._exchange = None
        if rest:
            self._engine.receive(rest)
        self.flush_now()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers and tell the keeper."""
        self._transport = None
        for handle in (self._timer, self._flushing):
            if handle is not None:
                handle.cancel()
        self._timer = self._flushing = None
        self._keeper.lost(exc)
        self._engine.release()

    def pause_writing(self) -> None:
        """The peer does not read: keep the rest in the engine, whose windows bound it."""
        self._full = True

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._full = False
        self.flush()

    def write(self, data: bytes) -> None:
        """Send ``data`` as it is."""
        if data and self._transport is not None:
            self._transport.write(data)

    def flush(self) -> None:
        """Send what the engine holds, before the loop waits again."""
        if self._flushing is None and self._transport is not None:
            self._flushing = self._loop.call_soon(self.flush_now)

    def flush_now(self) -> None:
        """Send what the engine holds, and let its timers run."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._exchange is not None or self._transport is None or self._silenced:
            return
        while not self._full:
            out = self._engine.output()
            if out is None:
                self._transport.close()
                return
            if not out:
                break
            self._transport.write(out)
        if self._engine.over:
            return
        if self._loop.time() >= self._tick_from:
            self._tick()
        elif self._heard and (self._timer is None or self._timer.when() > self._tick_from):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._tick_from, self._due)

    def retime(self) -> None:
        """The peer has said how often it wants to hear from us: look at the timers anew."""
        self._tick_from = 0.0
        self.flush()

    def _tick(self) -> None:
        """Let the engine see what has come and gone. It counts silence from the last time it was asked, so ask often."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._loop.time()
        self._tick_from = now + TICK_S
        self._heard = False
        deadline = self._engine.tick(now)
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._due)

    def _due(self) -> None:
        self._timer = None
        self._tick_from = 0.0
        self.flush_now()  # begins with the engine's timers, and sends what they made
        self.flush()

    def abort(self) -> None:
        """End the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    def silence(self) -> None:
        """Send nothing any more, not even what keeps a connection alive. For simulators."""
        self._silenced = True
        if self._timer is not None:
            self._timer.cancel()
