"""What comes out of the stream of notifications, besides the notifications themselves.

Everything in the stream can be entered with ``async with``, so that a loop need not sort first: for a notification it
decides about the message, for an event it does nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, TypeAlias

from gridwire.edsn_pie.models import Notification
from gridwire.errors import InvalidInput

LinkName: TypeAlias = Literal["connecting", "streaming", "draining", "lost", "closed"]
GiveUp: TypeAlias = Literal["released", "modified", "rejected"]
Rollover: TypeAlias = Literal["proactive", "on_close"]


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """How notifications are taken.

    ``inbox`` is the file that messages are stored in before they are accepted (None: they are accepted after their
    handler). ``most_failures`` is how often a handler may fail for one message before it is parked, or given back as
    ``give_up`` says. ``deduplicate`` off lets second deliveries reach the handler. ``rollover`` is when a connection whose
    token expires is changed: before (``proactive``), or when the broker ends it. ``stop_timeout_s`` bounds how long
    stopping waits for handlers.
    """

    inbox: Path | None = None
    most_failures: int = 5
    give_up: GiveUp = "released"
    deduplicate: bool = True
    rollover: Rollover = "proactive"
    stop_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.inbox is not None and not isinstance(self.inbox, Path):
            raise InvalidInput(f"inbox is the path of a file or None, not {self.inbox!r}.")
        if type(self.most_failures) is not int or self.most_failures < 1:
            raise InvalidInput(f"most_failures must be a number of times from 1 on, not {self.most_failures!r}.")
        if self.give_up not in ("released", "modified", "rejected"):
            raise InvalidInput(f"give_up is released, modified or rejected, not {self.give_up!r}.")
        if self.rollover not in ("proactive", "on_close"):
            raise InvalidInput(f"rollover is proactive or on_close, not {self.rollover!r}.")
        if type(self.stop_timeout_s) not in (int, float) or not self.stop_timeout_s >= 0:
            raise InvalidInput(f"stop_timeout_s must be a number of seconds from 0 on, not {self.stop_timeout_s!r}.")


class Held(Protocol):
    """What is held of one message until it is decided."""

    @property
    def notification(self) -> Notification:
        """What came."""
        ...

    @property
    def attempts(self) -> int:
        """How often its handler has failed."""
        ...

    entered: bool
    """Whether its block was begun since it was handed out."""


BLOCK: ContextVar[Held | None] = ContextVar("gridwire_pie_block", default=None)
"""The notification in whose block this code runs, or ran last; tasks that are made in the block know it too."""


class Received:
    """One notification to be handled. Entering it gives the notification; how the block ends decides about the message.

    A block that ends well accepts it, one that raises has it come again after a pause, one that is cancelled gives it back.
    """

    __slots__ = ("_decide", "_held")

    def __init__(self, held: Held, decide: Callable[[BaseException | None], Awaitable[None]]) -> None:
        self._held = held
        self._decide = decide

    def __repr__(self) -> str:
        return f"Received({self.notification!r}, attempt={self.attempt})"

    @property
    def notification(self) -> Notification:
        """What came."""
        return self._held.notification

    @property
    def attempt(self) -> int:
        """1 for the first time it is handed out, one more after each failure."""
        return self._held.attempts + 1

    def begin(self) -> Notification:
        """Enter it without ``async with``, which then has to be ended by ``__aexit__``."""
        self._held.entered = True
        BLOCK.set(self._held)
        return self._held.notification

    async def __aenter__(self) -> Notification:
        return self.begin()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._decide(error)


class StreamEvent:
    """Base of what is told and not delivered."""

    __slots__ = ()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


@dataclass(frozen=True, slots=True)
class LinkState(StreamEvent):
    """The link to the broker changed.

    ``streaming``: messages can come. ``draining``: the token is about to be changed. ``lost``: a new connection is tried
    after ``retry_in_s`` seconds. ``closed``: the end; nothing follows.
    """

    state: LinkName
    reason: str = ""
    retry_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class PossibleLoss(StreamEvent):
    """Nobody of ours was connected from ``since`` for so long that notifications may have run out of their one day.

    The interface has no search, so they cannot be asked for afterwards: look at the portal.
    """

    since: datetime
    hours: float


@dataclass(frozen=True, slots=True)
class HandlerFailed(StreamEvent):
    """Your handler raised. The message is kept, and comes again after ``retry_in_s`` seconds, by way of the queue after the last time."""

    notification: Notification = field(repr=False)
    attempt: int
    error: BaseException = field(repr=False)
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class Parked(StreamEvent):
    """Your handler raised every time. The message is in the inbox as *parked*, and no longer in the queue."""

    notification: Notification = field(repr=False)
    key: str
    attempts: int
    error: BaseException = field(repr=False)


@dataclass(frozen=True, slots=True)
class GivenBack(StreamEvent):
    """Your handler raised every time, and there is no inbox: the message went back to the queue, and will come again."""

    notification: Notification = field(repr=False)
    attempts: int
    error: BaseException = field(repr=False)


@dataclass(slots=True)
class Counts:
    """What a consumer has done since it was made."""

    received: int = 0
    handled: int = 0
    duplicates: int = 0
    """Second deliveries of what was handled; accepted without asking the handler."""
    failures: int = 0
    parked: int = 0
    given_back: int = 0
    connections: int = 0
    rollovers: int = 0
    """Connections that were changed because their token was about to expire."""


Told: TypeAlias = LinkState | PossibleLoss | HandlerFailed | Parked | GivenBack
"""What the stream tells."""

Item: TypeAlias = Received | Told
"""What the stream holds."""


def check_handler(handler: object) -> None:
    """Raise `InvalidInput` for what cannot be called with a notification, before one is taken for it."""
    if not callable(handler):
        raise InvalidInput(
            f"The handler must be a function that takes a notification, not {type(handler).__name__}. Nothing was taken."
        )
    try:
        inspect.signature(handler).bind(object())
    except TypeError:
        raise InvalidInput(
            "The handler must take one argument, the notification, and nothing more that has to be given. Nothing was "
            "taken."
        ) from None
    except ValueError:
        pass  # it does not say what it takes
