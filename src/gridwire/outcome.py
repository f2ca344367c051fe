"""What became of a call that changes something at a venue.

There are three answers and no fourth:

===========  ==========================================================  =====================================
answer       what is certain                                             what to do
===========  ==========================================================  =====================================
`Accepted`   the venue said yes in an answer that could be read          use ``order`` for the next step
`Rejected`   it is certainly not at the venue                            read ``reason``; ``repeatable`` says
                                                                         whether the same call can succeed later
`Unknown`    bytes left this machine and no readable answer came: the    look at the venue; send nothing again
             order may be resting, filled, or not there at all           before you know
===========  ==========================================================  =====================================

The rules that every venue's table follows:

* Before the first byte of the write has left, every failure is `Rejected` (``origin`` ``guard``, ``security`` or ``wire``).
* After it, only a parsed answer of the venue, or HTTP 429, gives `Rejected`. Redirects, 401/403 without the venue's
  envelope, HTML, 5xx, silence, a cut connection, and an answer that names another transaction are `Unknown`.
* gridwire never sends the same intent a second time unless the caller switched that on, and then says so in
  ``intent.attempts`` and ``possibly_duplicate``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NoReturn, TypeAlias

from gridwire.errors import OrderRejected, OutcomeUnknown

Origin: TypeAlias = Literal["venue", "security", "guard", "wire"]
"""Who refused: the venue's rules, its access control (or the identity provider), gridwire's own checks, or the network
before any byte left."""

Cause: TypeAlias = Literal[
    "timeout",  # the deadline passed after bytes had left
    "disconnected",  # the connection ended after bytes had left
    "cancelled",  # the caller's task was cancelled after bytes had left
    "redirect",  # 3xx: something in front of the venue answered
    "http_status",  # a status without the venue's envelope (401, 403, 404, 5xx …)
    "unreadable",  # HTML, truncated or hostile JSON/XML, an answer over the size limit
    "contradictory",  # an envelope that contradicts itself or what was sent, or leaves an entry of the call out
    "system_error",  # the venue says that it failed inside
    "foreign_answer",  # the answer names another transaction
    "no_id",  # success without the identifier that makes the order addressable
    "possibly_duplicate",  # a second attempt was allowed by the caller and its answer does not settle the first
    "crashed",  # the process ended between the first byte and the answer
    "underway",  # the same was begun before, here or by another program, and its answer has not come yet
    "expired",  # the venue took it, and no longer knows what became of it
    "order_ended",  # a change or cancellation of an order that has ended since: settled, nothing depends on it any more
    "damaged",  # the line of the journal that said what was sent cannot be read
]


@dataclass(frozen=True, slots=True)
class Intent:
    """What the caller wanted, under the key the venue's support will ask for. Never holds a secret."""

    venue: str
    operation: str
    key: str
    """The correlation id that went to the venue (STP: transactionId; the further entries of a call that carries several have
    ``/2``, ``/3`` … behind it)."""
    created: datetime
    client_ref: str | None = None
    restated: Mapping[str, Any] = field(default_factory=dict)
    """Every field of the call as sent: contract, direction, price, quantity …"""
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class OrderRef:
    """What the next step on an order needs. It stays valid when the venue renumbers the order."""

    venue: str
    id: str | None
    intent: Intent = field(repr=False)
    restated: Mapping[str, Any] = field(default_factory=dict)
    """The order's state as last stated by us, for calls that must restate it in full."""


class _NoTruth:
    __slots__ = ()

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "An outcome is neither true nor false: match it against Accepted, Rejected and Unknown, or call .accepted()."
        )


@dataclass(frozen=True, slots=True)
class Accepted(_NoTruth):
    """The venue took it. ``order`` is None for calls that make no order (operator writes)."""

    intent: Intent
    order: OrderRef | None = None
    raw: Any = field(default=None, repr=False)
    """The venue's parsed answer; each method's docstring says of which type."""
    possibly_duplicate: bool = False

    def accepted(self) -> OrderRef | None:
        """The order's reference."""
        return self.order


@dataclass(frozen=True, slots=True)
class AcceptedBefore(Accepted):
    """The venue took it from an earlier call, whose ``intent`` and ``order`` these are; this call sent nothing."""


@dataclass(frozen=True, slots=True)
class Rejected(_NoTruth):
    """It is certainly not at the venue."""

    code: str
    reason: str
    origin: Origin
    intent: Intent | None = None
    repeatable: bool = False
    """Whether the same call can succeed without a change of its content (after a pause, with a new ticket)."""
    retry_after_s: float | None = None
    """How many seconds to wait before the same call, where that is known: the venue's wish, or what is left of a limit of ours."""
    raw: Any = field(default=None, repr=False)

    def accepted(self) -> NoReturn:
        """Raise `OrderRejected`."""
        raise OrderRejected(f"{self.reason} [{self.origin}, {self.code}]", self)


@dataclass(frozen=True, slots=True)
class Unknown(_NoTruth):
    """Bytes left and nothing readable came back. It may be at the venue."""

    intent: Intent
    cause: Cause
    reason: str
    raw: tuple[Any, ...] = field(default=(), repr=False)
    """What was received, in order, one entry per attempt: a parsed answer, or a sentence about what came instead."""

    def accepted(self) -> NoReturn:
        """Raise `OutcomeUnknown`."""
        raise OutcomeUnknown(f"{self.reason} [{self.cause}, {self.intent.key}]", self)


Outcome: TypeAlias = Accepted | Rejected | Unknown
