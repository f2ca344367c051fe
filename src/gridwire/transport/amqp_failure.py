"""Why an AMQP connection did not come about, or ended: one exception with the facts that a table can decide on."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gridwire.errors import TransportError
from gridwire.observe.redact import mask
from gridwire.transport.connect import NoHostName

Stage: TypeAlias = Literal["connect", "tls", "sasl", "open", "attach", "stream"]
"""How far the connection had come: each stage begins when the one before has succeeded."""

Cause: TypeAlias = Literal[
    "network",  # the operating system says no: refused, unreachable, name not found, reset
    "proxy",  # the proxy cannot be reached, or opens no way to the peer
    "certificate",  # the peer's certificate does not prove who it is
    "timeout",  # the stage took too long
    "eof",  # the peer ended the connection without a word
    "idle",  # nothing came, not even an empty frame, for the idle time-out
    "garbage",  # bytes that are not AMQP 1.0, or a frame larger than we allow
    "mechanism",  # none of the SASL mechanisms we may use is offered
    "outcome",  # the SASL exchange ended with a code other than 0
    "condition",  # the peer said why, with an AMQP error condition
    "null_source",  # the link was answered without a source: the queue is not there for us
    "settled",  # the link was answered for settled messages: what is lost on the way would not come again
]


Scope: TypeAlias = Literal["connection", "session", "link"]
"""What the peer ended with a condition."""


@dataclass(frozen=True, slots=True)
class Condition:
    """An AMQP error condition, such as ``amqp:not-found``. ``description`` is the peer's text, masked."""

    name: str
    description: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.description})" if self.description else self.name


class AmqpFailure(TransportError):
    """The connection or link is not there, or no longer. What was received and not settled will be delivered again."""

    def __init__(
        self,
        text: str,
        *,
        stage: Stage,
        cause: Cause,
        condition: Condition | None = None,
        outcome: int | None = None,
        offered: tuple[str, ...] = (),
        scope: Scope | None = None,
        verify_code: int | None = None,
    ) -> None:
        super().__init__(mask(text), reason=cause)
        self.stage: Stage = stage
        self.cause: Cause = cause
        self.condition: Condition | None = condition
        self.outcome: int | None = outcome
        """The SASL outcome: 1 credentials, 2 system, 3 system for good, 4 system for now (AMQP 1.0, section 5.3.3.6)."""
        self.offered: tuple[str, ...] = offered
        """The SASL mechanisms that the peer offered, where that is known."""
        self.scope: Scope | None = scope
        self.verify_code: int | None = verify_code
        """What OpenSSL has against the peer's certificate, as its number (``X509_V_ERR_…``)."""


def os_words(error: Exception) -> str:
    """The operating system's words for it, without addresses."""
    if isinstance(error, NoHostName):
        return str(error.strerror)
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return type(error).__name__
