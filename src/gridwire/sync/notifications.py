"""The stream of notifications for ``for`` loops."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

from gridwire.edsn_pie.models import Notification
from gridwire.edsn_pie.stream import Counts, GivenBack, HandlerFailed, LinkState, Parked, PossibleLoss
from gridwire.edsn_pie.stream import Item as AsyncItem
from gridwire.edsn_pie.stream import Received as AsyncReceived
from gridwire.errors import WrongLoop
from gridwire.sync.bridge import Bridge
from gridwire.sync.stream import ENDED, Pull

if TYPE_CHECKING:
    from gridwire.edsn_pie.consumer import Consumer as AsyncConsumer


class Received:
    """One notification to be handled. Entering it gives the notification; how the block ends decides about the message.

    A block that ends well accepts it, one that raises has it come again after a pause, one that is interrupted gives it
    back.
    """

    def __init__(self, bridge: Bridge, received: AsyncReceived) -> None:
        self._bridge = bridge
        self._received = received

    @property
    def notification(self) -> Notification:
        """What came."""
        return self._received.notification

    @property
    def attempt(self) -> int:
        """1 for the first time it is handed out, one more after each failure."""
        return self._received.attempt

    def __enter__(self) -> Notification:
        return self._received.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bridge.call(self._received.__aexit__, kind, error, trace)


Item: TypeAlias = Received | LinkState | PossibleLoss | HandlerFailed | Parked | GivenBack
"""What the stream holds."""


class Consumer(Pull[AsyncItem]):
    """An endless iterator of notifications, and of what happens to the link: ``for item in pie.notifications()``.

    Each item is to be entered by ``with``. It starts with the first item asked for and ends with `close` (or leaving its
    ``with`` block), also from another thread. What cannot be mended by connecting again is raised.
    """

    def __init__(self, bridge: Bridge, consumer: AsyncConsumer) -> None:
        super().__init__(bridge, consumer)
        self.counts: Counts = consumer.counts

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        return self._blocking(self.pull())

    def next(self, timeout_s: float | None = None) -> Item:
        """The next item. Raises `TimeoutError` if none comes within ``timeout_s``, `WrongLoop` when it is closed."""
        try:
            return self._blocking(self.pull(timeout_s))
        except StopIteration:
            raise WrongLoop(ENDED) from None

    def _blocking(self, item: AsyncItem) -> Item:
        return Received(self._bridge, item) if isinstance(item, AsyncReceived) else item
