"""What an AMQP engine tells whoever uses it. Both roles are told the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gridwire.transport.amqp_failure import Condition

if TYPE_CHECKING:
    from gridwire.transport.amqp import Delivery, Link


class Side(Protocol):
    """Whoever uses an engine: what the peer did. No method may call back into `Engine.receive` or `Engine.tick`."""

    def opened(self) -> None:
        """The peer opened the connection."""
        ...

    def attached(self, link: Link) -> None:
        """The peer opened its side of a link, ours or its own."""
        ...

    def delivered(self, link: Link, delivery: Delivery, data: bytes) -> None:
        """A whole message came."""
        ...

    def oversized(self, link: Link, delivery: Delivery) -> None:
        """A message exceeds `gridwire.transport.amqp.MAX_MESSAGE_BYTES` and was thrown away; what is not settled in here is only forgotten."""
        ...

    def credited(self, link: Link) -> None:
        """The credit of a link changed."""
        ...

    def disposed(self, delivery: Delivery, how: int, *, failed: bool) -> None:
        """The peer settled a message of ours; ``how`` is 0 where it did not say."""
        ...

    def detached(self, link: Link, condition: Condition | None) -> None:
        """The peer closed a link."""
        ...

    def session_ended(self, condition: Condition | None) -> None:
        """The peer ended the session, and all links with it."""
        ...

    def closed(self, condition: Condition | None) -> None:
        """The peer closed the connection."""
        ...

    def broken(self, condition: Condition) -> None:
        """The engine gave the connection up: silence for too long, or bytes that are not AMQP."""
        ...
