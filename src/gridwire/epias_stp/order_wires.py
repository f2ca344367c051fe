"""What a desk of STP sends its orders with: service tickets, and warm lanes or httpx."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from gridwire.auth.ticket_pool import Ticket
from gridwire.auth.tickets import TicketManager
from gridwire.epias_stp.forms import repeats
from gridwire.errors import NoAnswer, NotSent
from gridwire.transport.exchange import Request
from gridwire.transport.http import HttpTransport, Progress
from gridwire.transport.lane import Answer
from gridwire.transport.lanes import Lanes

START_WITHIN_S = 5.0
"""How long an order over httpx waits for its connection, so that its ticket does not grow too old meanwhile."""


class TicketCredentials:
    """STP's credentials: a service ticket per order."""

    def __init__(self, tickets: TicketManager) -> None:
        self._tickets = tickets

    def take(self) -> Ticket | None:
        """A pooled ticket, without waiting."""
        return self._tickets.pop_ready()

    async def fetch(self) -> Ticket:
        """A ticket asked for now."""
        return await self._tickets.take()

    def usable(self, credential: Ticket) -> bool:
        """Whether the venue will not call it too old."""
        return credential.age_s <= self._tickets.usable_s


class LaneWire:
    """Orders over warm lanes."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes

    def ready(self) -> bool:
        """Whether a lane stands."""
        return self._lanes.ready()

    async def make_ready(self) -> None:
        """Open one."""
        await self._lanes.open_one()

    def write(self, payload: bytes) -> None:
        """Hand the message to the lane that was taken."""
        self._lanes.write(payload)

    def expect(self, keys: Sequence[str]) -> Sequence[asyncio.Future[Answer]]:
        """One lane carries one intent; it is used again if the answer's envelope names that."""
        return (self._lanes.expect(keys[0], repeats),)

    def doubt(self) -> None:
        """Let the standing lanes go: on one of them something came that was another order's."""
        self._lanes.renew()


class HttpxWire:
    """The same orders over httpx, where a proxy stands in the way of a lane."""

    def __init__(self, http: HttpTransport, base_url: str) -> None:
        self._http = http
        self._base_url = base_url
        self._future: asyncio.Future[Answer] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def ready(self) -> bool:
        """Connections are httpx's affair."""
        return True

    async def make_ready(self) -> None:
        """Nothing to do."""

    def expect(self, keys: Sequence[str]) -> Sequence[asyncio.Future[Answer]]:
        """Register for the answer."""
        self._future = asyncio.get_running_loop().create_future()
        return (self._future,)

    def write(self, payload: bytes) -> None:
        """Begin to send. Whether a byte left is known from the future: `NotSent` or `NoAnswer`."""
        future, self._future = self._future, None
        if future is None:
            raise RuntimeError("expect() must come before write()")
        head, _, body = payload.partition(b"\r\n\r\n")
        start, *lines = head.decode("ascii").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        for name in ("host", "content-length", "user-agent"):
            headers.pop(name, None)
        method, path, _ = start.split(" ")
        progress = Progress()
        request = Request(method, self._base_url + path, headers, body)
        task = asyncio.get_running_loop().create_task(self._exchange(request, progress, future))
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, progress, future))
        future.add_done_callback(partial(self._given_up, progress))

    def doubt(self) -> None:
        """Nothing to do: each order has a connection of its own."""

    async def _exchange(self, request: Request, progress: Progress, future: asyncio.Future[Answer]) -> None:
        try:
            response = await self._http.send(request, progress=progress, start_within_s=START_WITHIN_S, alone=True)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to whom waits for the answer
            if not future.done():
                future.set_exception(error)
            return
        if not future.done():
            pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
            future.set_result(Answer(response.status, pairs, response.content))

    def _ended(self, progress: Progress, future: asyncio.Future[Answer], task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if future.done():
            return
        if progress.written:
            future.set_exception(NoAnswer("The desk was closed before an answer had come.", reason="disconnected"))
        else:
            future.set_exception(NotSent("The desk was closed. Nothing was sent.", reason="closed"))

    @staticmethod
    def _given_up(progress: Progress, future: asyncio.Future[Answer]) -> None:
        progress.given_up = future.cancelled()

    async def aclose(self) -> None:
        """Give up what is under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
