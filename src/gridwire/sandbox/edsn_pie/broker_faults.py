"""What goes wrong at the broker on request, for which connections, how often.

::

    broker.faults.add("sasl_outcome", code=1)                                # the next login is refused
    broker.faults.add("close", condition="amqp:unauthorized-access", after=5)  # closes after five deliveries
    broker.faults.add("refuse_link", condition="amqp:not-found", scope="session")
    broker.faults.add("silence", times=None)                                 # every connection, until cleared

A connection takes at most one fault, the first of the script, when it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from gridwire.errors import InvalidInput

BrokerFaultKind: TypeAlias = Literal[
    "sasl_outcome",  # the login ends with outcome `code`, whatever was sent
    "sasl_silence",  # the login is never answered
    "small_frames",  # a login frame of more than 512 bytes ends the connection
    "no_header",  # the SASL header is answered with `content`
    "refuse_link",  # the queue's link is refused with `condition`, by ending what `scope` says
    "null_source",  # the link is answered without a source, and nothing follows
    "close",  # `condition` ends what `scope` says, `after` deliveries
    "drop",  # the connection ends without a word, `after` deliveries
    "half_frame",  # as drop, inside a frame
    "garbage",  # bytes that are no AMQP, `after` deliveries
    "huge_frame",  # a frame header that announces 2 GB, `after` deliveries
    "silence",  # nothing is sent any more, `after` deliveries; the connection stays open
    "slow",  # each delivery is sent `seconds` after the one before
]
Scope: TypeAlias = Literal["connection", "session", "link"]


@dataclass(slots=True)
class BrokerFault:
    """One line of the script. ``left`` counts down; None repeats for ever. Fields a kind does not name are ignored."""

    kind: BrokerFaultKind
    left: int | None
    after: int
    code: int
    condition: str
    description: str
    scope: Scope
    seconds: float
    content: bytes


class BrokerFaults:
    """The script of one broker."""

    def __init__(self) -> None:
        self._script: list[BrokerFault] = []

    def add(
        self,
        kind: BrokerFaultKind,
        *,
        times: int | None = 1,
        after: int = 0,
        code: int = 1,
        condition: str = "amqp:internal-error",
        description: str = "as scripted",
        scope: Scope = "connection",
        seconds: float = 1.0,
        content: bytes = b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ) -> BrokerFault:
        """Script a fault for the next ``times`` connections (None: all until `clear`). Raises `InvalidInput` for an unknown kind."""
        if kind not in get_args(BrokerFaultKind):
            known = ", ".join(get_args(BrokerFaultKind))
            raise InvalidInput(f"The broker has no fault {kind!r}. Known faults: {known}.")
        fault = BrokerFault(kind, times, after, code, condition, description, scope, seconds, content)
        self._script.append(fault)
        return fault

    def clear(self) -> None:
        """Take every fault off the script; connections that have one keep it."""
        self._script.clear()

    def take(self) -> BrokerFault | None:
        """The fault of a new connection, counted down."""
        if not self._script:
            return None
        fault = self._script[0]
        if fault.left is not None:
            fault.left -= 1
            if fault.left == 0:
                self._script.pop(0)
        return fault
