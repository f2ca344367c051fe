"""A supervised WebSocket; the only module that imports websockets.

The venue gives two things: ``dial()``, awaited before every attempt (it may fetch an address and a fresh ticket), and a
`Session`, which says without I/O what frames mean and when silence is too long. What happens to the connection comes as
`Connection` events in the same stream, so nothing ends silently. A slow reader is answered with back-pressure: frames
wait in a bounded queue, then in the kernel, then the venue; none is dropped by us.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Literal, Protocol, Self, TypeAlias, TypeVar
from urllib.parse import urlsplit

import websockets
from websockets.asyncio.client import ClientConnection, connect

from gridwire.errors import ConfigurationError, CredentialsRefused, GridwireError, WrongLoop
from gridwire.observe.redact import guard_loggers, mask
from gridwire.transport import connect as tcp
from gridwire.transport.tls import Network, certificate_words, refuse_cleartext, renewed_context

E = TypeVar("E", covariant=True)
M = TypeVar("M")

Dial: TypeAlias = Callable[[], Awaitable[tuple[str, Mapping[str, str]]]]

OPEN_TIMEOUT_S = 10.0
MAX_FRAME_BYTES = 4 * 1024 * 1024
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Connection:
    """A change of the connection, told in the stream itself.

    ``state`` is ``connected``, ``lost`` (a new attempt follows after ``retry_in_s`` seconds) or ``closed`` (the end).
    What the venue sent between ``lost`` and the next ``connected`` is not replayed.
    """

    state: Literal["connected", "lost", "closed"]
    reason: str = ""
    retry_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class Step(Generic[E]):
    """What a session wants done: events for the reader, frames for the venue, or the end of this connection."""

    events: tuple[E, ...] = ()
    send: tuple[str | bytes, ...] = ()
    drop: str | None = None
    """A reason to give this connection up and dial again."""


class Session(Protocol[E]):
    """A venue's rules for one connection, without I/O. ``now`` is the loop's time in seconds."""

    def opened(self, now: float) -> Step[E]:
        """The connection stands."""
        ...

    def received(self, frame: str | bytes, now: float) -> Step[E]:
        """A frame came."""
        ...

    def deadline(self) -> float | None:
        """When `due` wants to be called, or None."""
        ...

    def due(self, now: float) -> Step[E]:
        """The deadline passed."""
        ...


@dataclass(slots=True)
class _Failure:
    error: BaseException = field(repr=False)


class _NoRedirects(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Stream(Generic[M]):
    """An endless async iterator of the session's events and `Connection` events.

    It starts with the first ``async for`` and ends with ``aclose()`` (or leaving its ``async with``). Refused
    credentials and settings that cannot work end it with that error; everything else is dialled again, with full-jitter
    pauses of up to a minute.
    """

    def __init__(
        self, dial: Dial, session: Callable[[], Session[M]], network: Network, *, queue_size: int = 1000
    ) -> None:
        self._dial = dial
        self._session = session
        self._network = network
        self._queue: asyncio.Queue[M | Connection | _Failure] = asyncio.Queue(maxsize=queue_size)
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def __aiter__(self) -> AsyncIterator[M | Connection]:
        return self

    async def __anext__(self) -> M | Connection:
        if self._closed:
            raise StopAsyncIteration
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="gridwire-stream")
        elif self._task.get_loop() is not asyncio.get_running_loop():
            raise WrongLoop("This stream was started on another event loop.")
        item = await self._queue.get()
        if isinstance(item, _Failure):
            await self.aclose()
            raise item.error
        if isinstance(item, Connection) and item.state == "closed":
            self._tell_waiting()
        return item

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection and end the iteration; who waits for an event is told ``closed``."""
        self._closed = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])  # whatever it ends with is not the closer's concern
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        """Wake the next reader who waits, if there is one; nobody waits at a full queue."""
        if not self._queue.full():
            self._queue.put_nowait(Connection("closed"))

    async def _run(self) -> None:
        guard_loggers()
        attempt = 0
        while True:
            try:
                connection = await self._connect()
            except (CredentialsRefused, ConfigurationError) as error:
                await self._queue.put(_Failure(error))
                return
            except Exception as error:  # noqa: BLE001 - an address that cannot be parsed must not end the stream silently
                reason, asked_s = _why(error, self._network.ca_bundle)
            else:
                attempt = 0
                reason, asked_s = await self._serve(connection), 0.0
            attempt += 1
            jitter_s = random.uniform(0, min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S))  # noqa: S311 - no secret
            pause_s = max(jitter_s, asked_s)
            await self._queue.put(Connection("lost", reason, pause_s))
            await asyncio.sleep(pause_s)

    async def _connect(self) -> ClientConnection:
        url, headers = await self._dial()
        refuse_cleartext(url)
        parts = urlsplit(url)
        secure, host = parts.scheme == "wss", parts.hostname or ""
        proxy = self._network.proxy_for(host, parts.scheme)
        tcp.check_name(host)
        tcp.check_name(urlsplit(proxy or "").hostname or "")
        context = await renewed_context(self._network) if secure else None
        options: dict[str, Any] = {}
        if proxy is None:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                options["sock"] = await tcp.connected(host, parts.port or (443 if secure else 80))
        elif isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop):  # uvloop does not know the word
            options["happy_eyeballs_delay"] = tcp.HEAD_START_S
        return await _NoRedirects(
            url,
            additional_headers=dict(headers),
            proxy=proxy,
            ssl=context,
            open_timeout=OPEN_TIMEOUT_S,
            max_size=MAX_FRAME_BYTES,
            user_agent_header="gridwire",
            **options,
        )

    async def _serve(self, connection: ClientConnection) -> str:
        """Move frames until the connection ends; returns why it did."""
        loop = asyncio.get_running_loop()
        session = self._session()
        try:
            await self._queue.put(Connection("connected"))
            dropped = await self._apply(session.opened(loop.time()), connection)
            while dropped is None:
                deadline = session.deadline()
                try:
                    async with asyncio.timeout_at(deadline):
                        frame = await connection.recv()
                except TimeoutError:
                    step = session.due(loop.time())
                else:
                    step = session.received(frame, loop.time())
                dropped = await self._apply(step, connection)
            return dropped
        except websockets.ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd is not None else 1006
            words = f" ({mask(closed.rcvd.reason)})" if closed.rcvd is not None and closed.rcvd.reason else ""
            return f"the venue closed the connection with code {code}{words}"
        finally:
            await connection.close()

    async def _apply(self, step: Step[Any], connection: ClientConnection) -> str | None:
        for frame in step.send:
            await connection.send(frame)
        for event in step.events:
            await self._queue.put(event)
        return step.drop


def _why(error: BaseException, ca_bundle: str | None) -> tuple[str, float]:
    """The reason in words, and the pause the other side asked for."""
    if isinstance(error, websockets.InvalidStatus):
        return f"the handshake was refused with HTTP {error.response.status_code}", 0.0
    if isinstance(error, ssl.SSLCertVerificationError):
        return certificate_words(error, ca_bundle), 0.0
    if isinstance(error, tcp.NoHostName):
        return str(error.strerror), 0.0
    if isinstance(error, TimeoutError):
        return "the handshake took too long", 0.0
    if isinstance(error, GridwireError):
        return str(error), float(getattr(error, "retry_after_s", 0.0))
    return f"the connection failed ({type(error).__name__})", 0.0
