"""The order lanes to one host: always some standing ready, replaced before the server lets them go.

Connecting, TLS and the look-up of the name happen ahead of need. Overlapping orders take different lanes, so none waits
for another's answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from gridwire.errors import NotSent
from gridwire.transport import connect
from gridwire.transport.lane import Answer, Lane
from gridwire.transport.tls import Network, certificate_words, refuse_cleartext, renewed_context, ssl_context

RESOLVE_EVERY_S = 60.0

LONGEST_PAUSE_S = 5.0
"""Between two attempts of the keeper, where connections fail or end as soon as they stand."""

SET_ASIDE_S = 0.05
"""How long a lane with something to read is kept after it was taken out of use, so that it is known what came."""

LOOK_AGAIN_S = 1.0
"""How soon after a round the keeper looks again for lanes that were busy then."""


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """``standing`` lanes are ready at all times; under load there may be up to ``most``.

    An idle lane is replaced after ``idle_s``, before the server is likely to close it.
    """

    standing: int = 2
    most: int = 8
    idle_s: float = 12.0
    connect_timeout_s: float = 5.0
    answer_timeout_s: float | None = None
    """None: as long as the client's ``timeout``."""


class Lanes:
    """An async context manager, bound to the loop it was opened on.

    ``on_trouble`` is told, in a sentence, when a lane could not be replaced; ``on_unrequested`` the key of the last request
    on a lane on which bytes came that no request asked for.
    """

    def __init__(
        self,
        url: str,
        network: Network,
        limits: LaneLimits | None = None,
        *,
        on_trouble: Callable[[str], None] | None = None,
        on_unrequested: Callable[[str | None], None] | None = None,
    ) -> None:
        refuse_cleartext(url)
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._secure = parts.scheme == "https"
        self._port = parts.port or (443 if self._secure else 80)
        self._network = network
        self._limits = limits or LaneLimits()
        self._answer_timeout_s = self._limits.answer_timeout_s or network.timeout_s
        self._on_trouble = on_trouble
        self._on_unrequested = on_unrequested
        self._free: list[Lane] = []
        self._all: set[Lane] = set()
        self._current: Lane | None = None
        self._changed = asyncio.Event()
        self._waiting = 0
        self._opening = 0
        self._stillborn = 0  # lanes in a row that ended within a second, before they were used
        self._addresses: list[str] = []
        self._addresses_until = 0.0
        self._keeper: asyncio.Task[None] | None = None
        self.handshakes: int = 0
        """Connections made since opening."""
        self.found_closed: int = 0
        """Lanes that were found half-closed just before an order would have used them."""

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        if self._secure:
            await ssl_context(self._network)
        try:
            await self._fill()
        except BaseException:
            self._retire_all()
            raise
        self._keeper = self._loop.create_task(self._keep(), name="gridwire-lanes")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        self._retire_all()

    def _retire_all(self) -> None:
        for lane in list(self._all):
            lane.retire()

    # the order path: nothing here waits

    def ready(self) -> bool:
        """Whether a lane can take a request now. Lanes found half-closed are retired here, unused."""
        free = self._free
        while free:
            lane = free[-1]
            if not lane.dead:
                if lane.silent():
                    return True
                self.found_closed += 1
                free.pop()
                self._loop.call_later(
                    SET_ASIDE_S, lane.retire
                )  # what waits there is read first, and told if it is an answer
            else:
                free.pop()
        return False

    def expect(
        self, key: str | None = None, repeats: Callable[[Answer, str], bool] | None = None
    ) -> asyncio.Future[Answer]:
        """Take the lane that `ready` found; the future is its answer. `write` must follow without an await.

        ``key`` and ``repeats`` are as in `Lane.expect`.
        """
        self._current = lane = self._free.pop()
        return lane.expect(key, repeats)

    def write(self, payload: bytes) -> None:
        """Write to the lane taken. Raises `NotSent` if it closed meanwhile; after anything else it is used no more."""
        lane, self._current = self._current, None
        if lane is None:
            raise RuntimeError("expect() must come before write()")
        try:
            lane.write(payload, self._answer_timeout_s)
        except NotSent:
            raise
        except Exception:  # nobody knows how much of the message left
            lane.pending = None
            lane.retire()
            raise

    # off the order path

    def renew(self) -> None:
        """Retire every lane that is idle; the keeper brings up others."""
        for lane in list(self._free):
            lane.retire()

    async def open_one(self) -> None:
        """Bring up one more lane, or wait for one to come free where the most are open already. Raises `NotSent`."""
        self._waiting += 1
        try:
            async with asyncio.timeout(self._limits.connect_timeout_s):
                while len(self._all) + self._opening >= self._limits.most:
                    self._changed.clear()
                    await self._changed.wait()
                    if self.ready():
                        return
        except TimeoutError:
            raise NotSent(
                f"All {self._limits.most} order connections are waiting for answers. Nothing was sent.", reason="pool"
            ) from None
        finally:
            self._waiting -= 1
        await self._open()

    def lane_idle(self, lane: Lane) -> None:
        """Called by a lane whose answer has come."""
        self._stillborn = 0
        self._free.append(lane)
        if self._waiting:
            self._changed.set()

    def lane_dead(self, lane: Lane) -> None:
        """Called by a lane that ended."""
        if lane in self._all and not lane.used and self._loop.time() - lane.used_at < 1.0:
            self._stillborn += 1
        self._all.discard(lane)
        if lane in self._free:
            self._free.remove(lane)
        self._changed.set()

    def lane_unrequested(self, key: str | None) -> None:
        """Called by a lane on which bytes came that no request asked for."""
        if self._on_unrequested is not None:
            self._on_unrequested(key)

    async def _open(self) -> None:
        self._opening += 1
        try:
            async with asyncio.timeout(self._limits.connect_timeout_s):
                lane = await self._connect()
        except (OSError, TimeoutError) as error:
            raise _not_sent(error, self._host, self._port, self._network.ca_bundle) from None
        finally:
            self._opening -= 1
        self.handshakes += 1
        self._all.add(lane)
        self._free.append(lane)
        if self._waiting:
            self._changed.set()

    async def _connect(self) -> Lane:
        """A lane that is up, at the address of the host that comes up first."""
        context = await renewed_context(self._network) if self._secure else None

        async def attempt(address: str) -> Lane:
            lane = Lane(self._loop, self, context=context, host=self._host)
            try:
                await self._loop.create_connection(lambda: lane, address, self._port)
                trouble = await lane.up
                if trouble is not None or lane.dead:  # dead: closed again before we were told that it stood
                    raise trouble or ConnectionResetError
            except BaseException:
                lane.retire()
                raise
            return lane

        async def discard(lane: Lane) -> None:
            lane.retire()

        try:
            return await connect.race(await self._resolve(), self._port, attempt, discard)
        except BaseException:
            self._addresses_until = 0.0
            raise

    async def _resolve(self) -> list[str]:
        if not self._addresses or self._addresses_until <= self._loop.time():
            try:
                found = await connect.resolve(self._host, self._port)
            except OSError:
                if not self._addresses:  # old ones are better than none
                    raise NotSent(
                        f"The name {self._host} cannot be resolved. Nothing was sent.", reason="dns"
                    ) from None
            else:
                self._addresses = found
                self._addresses_until = self._loop.time() + RESOLVE_EVERY_S
        return self._addresses

    async def _fill(self) -> None:
        for _ in range(self._limits.standing - len(self._all)):  # not "while": they may end as soon as they stand
            await self._open()

    async def _keep(self) -> None:
        pause_s = 0.2
        while True:
            await self._until_due()
            if self._stillborn > self._limits.standing:  # something accepts connections and cannot serve them
                await asyncio.sleep(min(0.1 * 2 ** min(self._stillborn, 10), LONGEST_PAUSE_S))
            try:
                await self._fill()
                await self._replace_idle()
                pause_s = 0.2
            except NotSent as error:
                if self._on_trouble is not None:
                    self._on_trouble(str(error))
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                self._changed.set()

    async def _replace_idle(self) -> None:
        """Make before break; lanes over the standing number are let go without a successor."""
        for lane in list(self._free):
            if lane.used_at + self._limits.idle_s > self._loop.time():
                continue
            if len(self._all) <= self._limits.standing:
                await self._open()
            if lane.pending is None:
                lane.retire()

    async def _until_due(self) -> None:
        oldest = min((lane.used_at for lane in self._all), default=None)
        due = None
        if oldest is not None:  # it may be of a lane that waits for its answer: then there is nothing to be done yet
            due = max(oldest + self._limits.idle_s, self._loop.time() + LOOK_AGAIN_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                await self._changed.wait()
        self._changed.clear()


def _not_sent(error: BaseException, host: str, port: int, ca_bundle: str | None) -> NotSent:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason, what = "tls", certificate_words(error, ca_bundle)
    elif isinstance(error, ssl.SSLError):
        reason, what = "tls", "the TLS handshake failed"
    elif isinstance(error, TimeoutError):
        reason, what = "timeout", "no connection within the time allowed"
    elif isinstance(error, ConnectionRefusedError):
        reason, what = "refused", "nothing listens there"
    else:
        reason, what = "refused", f"the connection failed ({type(error).__name__})"
    return NotSent(f"{host}:{port}: {what}. Nothing was sent.", reason=reason)
