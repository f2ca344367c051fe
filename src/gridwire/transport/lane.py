"""The order lane: warm connections that take ready request bytes and return (status, headers, body).

What this room guarantees to the order path:

* `Lanes.expect` and `Lanes.write` do not wait. Connecting, TLS and DNS happened before; a lane takes one request at a
  time, so overlapping orders use several lanes and none queues behind another's answer.
* Just before a write the lane's descriptor is polled (0.4 us). Readable means that a FIN, an alert or garbage is waiting:
  that lane is retired unused and the next one is taken. A half-closed connection found there costs nothing.
* The moment `write` hands bytes to an open transport is the line between "certainly not sent" and "may have arrived".
  Nothing here retries, redirects or reconnects a request; a lane that fails answers its future with `NoAnswer`.
* A lane is replaced before the server's idle limit by one that already stands (make before break).
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import httptools

from gridwire.errors import NoAnswer, NotSent
from gridwire.transport.tls import Network, refuse_cleartext, ssl_context

MAX_ANSWER_BYTES = 1024 * 1024
"""An answer to an order is a few hundred bytes; a megabyte is no answer."""


class Answer(NamedTuple):
    """A whole HTTP answer. Header names are lower case; of repeated headers the last stands."""

    status: int
    headers: dict[str, str]
    body: bytes


class Lane(asyncio.Protocol):
    """One connection. It is idle, or carries exactly one request, or is dead; it never comes back from dead."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_idle: Callable[[Lane], None],
        on_dead: Callable[[Lane], None],
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self._loop = loop
        self._on_idle = on_idle
        self._on_dead = on_dead
        self._max_bytes = max_bytes
        self._transport: asyncio.Transport | None = None
        self._poll: select.poll | None = None
        self._pending: asyncio.Future[Answer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._keep = True
        self.dead = False
        self.opened_at = 0.0
        self.used_at = 0.0

    # what the pool asks

    @property
    def idle(self) -> bool:
        """Whether a request may be written: alive and carrying none."""
        return not self.dead and self._pending is None

    def silent(self) -> bool:
        """Whether nothing waits to be read. Something to read on an idle connection is its end, or garbage."""
        return self._poll is None or not self._poll.poll(0)

    def expect(self) -> asyncio.Future[Answer]:
        """Register for the one answer that the next write will draw."""
        self._pending = future = self._loop.create_future()
        return future

    def write(self, payload: bytes, timeout_s: float) -> None:
        """Hand ``payload`` to the connection; its future fails with `NoAnswer` after ``timeout_s``.

        Raises `NotSent` if the connection is already known to be closing.
        """
        transport = self._transport
        if transport is None or self.dead or transport.is_closing():
            self._pending = None
            self.retire()
            raise NotSent("The connection closed before the order was written. Nothing was sent.", reason="closed")
        self.used_at = self._loop.time()
        self._timer = self._loop.call_later(timeout_s, self._too_late, timeout_s)
        transport.write(payload)

    def retire(self) -> None:
        """Take this lane out of use and close it; a request it carries ends as `NoAnswer`."""
        if not self.dead:
            self.dead = True
            self._on_dead(self)
            if self._transport is not None:
                self._transport.close()

    def _too_late(self, timeout_s: float) -> None:
        # Whatever still arrives on this connection belongs to nobody, so it ends here.
        transport = self._transport
        self._broken("timeout", f"no whole answer came within {timeout_s:g} s")
        if transport is not None:
            transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its class
        self.opened_at = self.used_at = self._loop.time()
        sock = transport.get_extra_info("socket")
        if sock is not None and hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(sock.fileno(), select.POLLIN | getattr(select, "POLLRDHUP", 0))

    def data_received(self, data: bytes) -> None:
        if self._pending is None:
            self.retire()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._broken("garbage", "what came back is not HTTP")

    def eof_received(self) -> None:
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._poll = None
        self._broken("disconnected", "the connection ended before the whole answer had come")

    def _broken(self, reason: str, what: str) -> None:
        self._fail(NoAnswer(f"The order had left, and {what}: it may be at the venue.", reason=reason))

    def _fail(self, error: NoAnswer) -> None:
        pending = self._settle()
        if pending is not None and not pending.done():
            pending.set_exception(error)
        self.retire()

    def _settle(self) -> asyncio.Future[Answer] | None:
        pending, self._pending = self._pending, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return pending

    # httptools.HttpResponseParser

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        self._count(len(name) + len(value))

    def on_body(self, body: bytes) -> None:
        self._body.append(body)
        self._count(len(body))

    def _count(self, more: int) -> None:
        self._size += more
        if self._size > self._max_bytes:
            self._broken("too_large", f"the answer is longer than {self._max_bytes} bytes")

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200:  # an interim answer; the real one follows
            self._headers = {}
            return
        answer = Answer(status, self._headers, b"".join(self._body))
        self._headers, self._body, self._size = {}, [], 0
        pending = self._settle()
        if self.dead:
            return
        if self._parser.should_keep_alive():
            self._on_idle(self)
        else:
            self.retire()
        if pending is not None and not pending.done():
            pending.set_result(answer)


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """``lanes`` stand ready at all times; under load there may be up to ``most``.

    An idle lane is replaced after ``idle_s``, before the server is likely to close it.
    """

    lanes: int = 2
    most: int = 8
    idle_s: float = 12.0
    connect_timeout_s: float = 5.0
    answer_timeout_s: float = 10.0


class Lanes:
    """The lanes to one host. An async context manager, bound to the loop it was opened on."""

    def __init__(
        self,
        url: str,
        network: Network,
        limits: LaneLimits | None = None,
        *,
        resolve_every_s: float = 60.0,
        on_change: Callable[[str], None] | None = None,
    ) -> None:
        refuse_cleartext(url)
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._secure = parts.scheme == "https"
        self._port = parts.port or (443 if self._secure else 80)
        self._network = network
        self._limits = limits or LaneLimits()
        self._resolve_every_s = resolve_every_s
        self._tell = on_change or (lambda _: None)
        self._free: list[Lane] = []
        self._all: set[Lane] = set()
        self._current: Lane | None = None
        self._wake = asyncio.Event()
        self._address: tuple[str, float] | None = None
        self.handshakes = 0
        self.retired_unused = 0
        self._keeper: asyncio.Task[None] | None = None
        self._context: ssl.SSLContext | None = None

    async def __aenter__(self) -> Lanes:
        self._loop = asyncio.get_running_loop()
        self._context = await ssl_context(self._network) if self._secure else None
        await self._fill()
        self._keeper = self._loop.create_task(self._keep(), name="gridwire-lanes")
        return self

    async def __aexit__(self, *_: object) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        for lane in list(self._all):
            lane.retire()

    # the order path

    def ready(self) -> bool:
        """Whether a lane stands that can take a request now. Lanes found half-closed are retired here, unused."""
        free = self._free
        while free:
            lane = free[-1]
            if lane.idle and lane.silent():
                return True
            free.pop()
            if not lane.dead:
                self.retired_unused += 1
                lane.retire()
        return False

    def expect(self) -> asyncio.Future[Answer]:
        """Take the lane that `ready` found; the future is its answer. `write` must follow without an await."""
        self._current = lane = self._free.pop()
        return lane.expect()

    def write(self, payload: bytes) -> None:
        """Write to the lane taken. Raises `NotSent` if it closed meanwhile."""
        lane, self._current = self._current, None
        assert lane is not None, "expect() comes first"  # noqa: S101 - a mistake of the desk, not of the world
        lane.write(payload, self._limits.answer_timeout_s)

    async def open_one(self) -> None:
        """Bring one more lane up, or wait for one to come free where the most are open. Raises `NotSent`."""
        if len(self._all) < self._limits.most:
            await self._open()
            return
        try:
            async with asyncio.timeout(self._limits.connect_timeout_s):
                while not self.ready():
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            raise NotSent(
                f"All {self._limits.most} order connections are waiting for answers. Nothing was sent.", reason="pool"
            ) from None

    # standing ready

    def _idle_again(self, lane: Lane) -> None:
        self._free.append(lane)
        self._wake.set()

    def _gone(self, lane: Lane) -> None:
        self._all.discard(lane)
        if lane in self._free:
            self._free.remove(lane)
        self._wake.set()

    async def _open(self) -> Lane:
        address = await self._resolve()
        try:
            async with asyncio.timeout(self._limits.connect_timeout_s):
                _, lane = await self._loop.create_connection(
                    lambda: Lane(self._loop, self._idle_again, self._gone),
                    address,
                    self._port,
                    ssl=self._context,
                    server_hostname=self._host if self._secure else None,
                )
        except (OSError, TimeoutError) as error:
            self._address = None
            raise NotSent(_why(error, self._host, self._port), reason=_reason(error)) from None
        self.handshakes += 1
        self._all.add(lane)
        self._free.append(lane)
        return lane

    async def _resolve(self) -> str:
        """The host's address, looked up ahead of need and kept for a minute."""
        if self._address is None or self._address[1] < self._loop.time():
            try:
                found = await self._loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            except OSError:
                raise NotSent(f"The name {self._host} cannot be resolved. Nothing was sent.", reason="dns") from None
            self._address = (str(found[0][4][0]), self._loop.time() + self._resolve_every_s)
        return self._address[0]

    async def _fill(self) -> None:
        while len(self._all) < self._limits.lanes:
            await self._open()

    async def _keep(self) -> None:
        pause_s = 0.2
        while True:
            await self._sleep_until_due()
            try:
                await self._fill()
                for lane in [lane for lane in self._free if lane.used_at + self._limits.idle_s <= self._loop.time()]:
                    await self._open()  # make before break
                    if lane.idle:
                        lane.retire()
                pause_s = 0.2
            except NotSent as error:
                self._tell(str(error))
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 5.0)
                self._wake.set()

    async def _sleep_until_due(self) -> None:
        due = min((lane.used_at for lane in self._free), default=None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(None if due is None else due + self._limits.idle_s):
                await self._wake.wait()
        self._wake.clear()


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    return "tls" if isinstance(error, ssl.SSLError) else "refused"


def _why(error: BaseException, host: str, port: int) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        what = f"its certificate cannot be trusted ({error.verify_message})"
    elif isinstance(error, TimeoutError):
        what = "no connection within the time allowed"
    elif isinstance(error, ConnectionRefusedError):
        what = "nothing listens there"
    else:
        what = f"the connection failed ({type(error).__name__})"
    return f"{host}:{port}: {what}. Nothing was sent."
