"""A stream of events for ``for`` loops."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Generic, Self, TypeAlias, TypeVar, final

from gridwire.errors import WrongLoop
from gridwire.sync.bridge import Bridge
from gridwire.transport.websocket import Connection
from gridwire.transport.websocket import Stream as AsyncStream

M = TypeVar("M")


@final
class _End:
    """Stands for the end of the stream on its way between the threads."""


_END: Final = _End()
_Item: TypeAlias = M | Connection | _End


class Stream(Generic[M]):
    """An endless iterator of the venue's events and `Connection` events: ``for event in stream``.

    It starts with the first event asked for and ends with `close` (or leaving its ``with`` block), also from another
    thread. Refused credentials and settings that cannot work end it with that error; everything else is dialled again.
    No event is lost to a timeout or to Ctrl-C.
    """

    def __init__(self, bridge: Bridge, stream: AsyncStream[M]) -> None:
        self._bridge = bridge
        self._stream = stream
        self._held: deque[_Item[M]] = deque()  # events whose reader was interrupted

    def __iter__(self) -> Iterator[M | Connection]:
        return self

    def __next__(self) -> M | Connection:
        item = self._take(None)
        if isinstance(item, _End):
            raise StopIteration
        return item

    def next(self, timeout_s: float | None = None) -> M | Connection:
        """The next event. Raises `TimeoutError` if none comes within ``timeout_s``, `WrongLoop` when it is closed."""
        item = self._take(timeout_s)
        if isinstance(item, _End):
            raise WrongLoop("This stream is closed; ask the client for a new one.")
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

    def _take(self, timeout_s: float | None) -> _Item[M]:
        async def take() -> _Item[M]:
            if self._held:
                return self._held.popleft()
            try:
                async with asyncio.timeout(timeout_s):
                    return await anext(self._stream)
            except StopAsyncIteration:
                return _END
            except TimeoutError:
                raise TimeoutError(f"No event came within {timeout_s:g} s. The stream goes on.") from None

        return self._bridge.call_keeping(take, self._held.append)
