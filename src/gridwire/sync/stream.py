"""A stream of events for ``for`` loops."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Generic, Protocol, Self, TypeVar, final

from gridwire.errors import WrongLoop
from gridwire.sync.bridge import Bridge
from gridwire.transport.websocket import Connection
from gridwire.transport.websocket import Stream as AsyncStream

M = TypeVar("M")
I = TypeVar("I")  # noqa: E741 - an item
I_co = TypeVar("I_co", covariant=True)


@final
class _End:
    """Stands for the end of the stream on its way between the threads."""


_END: Final = _End()


class Source(Protocol[I_co]):
    """An async iterator that can be closed."""

    async def __anext__(self) -> I_co:
        """The next item."""
        ...

    async def aclose(self) -> None:
        """End it."""
        ...


class Pull(Generic[I]):
    """An endless iterator over what an async one on the client's loop yields. Its users see a subclass."""

    def __init__(self, bridge: Bridge, stream: Source[I]) -> None:
        self._bridge = bridge
        self._stream = stream
        self._held: deque[I | _End] = deque()  # items whose reader was interrupted

    def pull(self, timeout_s: float | None = None) -> I:
        """The next item. Raises `StopIteration` at the end, `TimeoutError` if none comes within ``timeout_s``."""

        async def take() -> I | _End:
            if self._held:
                return self._held.popleft()
            try:
                async with asyncio.timeout(timeout_s):
                    return await self._stream.__anext__()
            except StopAsyncIteration:
                return _END
            except TimeoutError:
                raise TimeoutError(f"No event came within {timeout_s:g} s. The stream goes on.") from None

        item = self._bridge.call_keeping(take, self._held.append)
        if isinstance(item, _End):
            raise StopIteration
        return item

    def close(self) -> None:
        """Close the connection and end the iteration."""
        if not self._bridge.closed:  # closing the client closes its streams
            self._bridge.call(self._stream.aclose)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Stream(Pull[M | Connection], Generic[M]):
    """An endless iterator of the venue's events and `Connection` events: ``for event in stream``.

    It starts with the first event asked for and ends with `close` (or leaving its ``with`` block), also from another
    thread. Refused credentials and settings that cannot work end it with that error; everything else is dialled again.
    No event is lost to a timeout or to Ctrl-C.
    """

    def __init__(self, bridge: Bridge, stream: AsyncStream[M]) -> None:
        super().__init__(bridge, stream)

    def __iter__(self) -> Iterator[M | Connection]:
        return self

    def __next__(self) -> M | Connection:
        return self.pull()

    def next(self, timeout_s: float | None = None) -> M | Connection:
        """The next event. Raises `TimeoutError` if none comes within ``timeout_s``, `WrongLoop` when it is closed."""
        try:
            return self.pull(timeout_s)
        except StopIteration:
            raise WrongLoop(ENDED) from None


ENDED = "This stream is closed; ask the client for a new one."
