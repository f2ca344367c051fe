"""STP's leaves of the exception tree (see `gridwire.errors`).

All of them quote what EPİAŞ support asks for, the transactionId and the resultCode, and none of them ever holds a ticket:
texts that came from the venue are masked.
"""

from __future__ import annotations

from dataclasses import dataclass

from gridwire.epias_stp.enums import ResultType
from gridwire.errors import BusinessError, ProtocolError, RateLimited, SecurityError, VenueError, VenueFailure
from gridwire.observe.redact import mask


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about the call that failed. Fields that the answer did not have are None."""

    operation: str
    transaction_id: str
    """The id we sent, the same for every attempt of one call."""
    http_status: int | None = None
    result_code: str | None = None
    result_description: str | None = None
    """The venue's own words, in the language asked for; tickets masked."""
    result_type: ResultType | None = None
    echoed_transaction_id: str | None = None
    """The id the answer named; None in most answers."""


class StpError(VenueError):
    """What all errors of an STP answer have in common.

    ``kind`` is one short word for programs: the value of the `gridwire.epias_stp.judgement.Failure` it stands for.
    ``str()`` ends with the call's identifiers.
    """

    def __init__(self, text: str, facts: Facts, *, kind: str) -> None:
        VenueError.__init__(self, mask(text))
        self._facts = facts
        self.kind = kind

    @property
    def operation(self) -> str:
        """Name of the operation, as in ``OPERATIONS``."""
        return self._facts.operation

    @property
    def transaction_id(self) -> str:
        """The id we sent."""
        return self._facts.transaction_id

    @property
    def echoed_transaction_id(self) -> str | None:
        """The id the answer named, if it named one."""
        return self._facts.echoed_transaction_id

    @property
    def http_status(self) -> int | None:
        """Status of the answer; None if there was none."""
        return self._facts.http_status

    @property
    def result_code(self) -> str | None:
        """The venue's code; EPİAŞ publishes no list of them."""
        return self._facts.result_code

    @property
    def result_description(self) -> str | None:
        """The venue's own words. Never branch on them: they change with the language."""
        return self._facts.result_description

    @property
    def result_type(self) -> ResultType | None:
        """The venue's result type, if it was one of the documented four."""
        return self._facts.result_type

    def __str__(self) -> str:
        parts = [self.operation]
        if self.result_code is not None:
            parts.append(f"resultCode {self.result_code}")
        parts.append(f"transactionId {self.transaction_id}")
        if self.echoed_transaction_id not in (None, self.transaction_id):
            parts.append(f"answer names {self.echoed_transaction_id}")
        if self.http_status is not None:
            parts.append(f"HTTP {self.http_status}")
        return mask(f"{super().__str__()} [{', '.join(parts)}]")


class StpBusinessError(StpError, BusinessError):
    """BUSINESSERROR: a request or market rule was broken; the engine did not act."""


class StpSystemError(StpError, VenueFailure):
    """SYSTEMERROR: the engine failed inside; whether it acted is unknown."""


class StpSecurityError(StpError, SecurityError):
    """SECURITYERROR, or something in front of STP that turned the call away.

    ``kind`` is ``security_error`` (the venue's own answer: a stale ticket or a missing right, which cannot be told
    apart), ``access_denied`` (HTTP 401 or 403 without the venue's answer), ``redirect`` or ``html``.
    """


class StpProtocolError(StpError, ProtocolError):
    """The answer is none of STP's, contradicts itself, or is damaged."""


class StpRateLimited(StpError, RateLimited):
    """HTTP 429. ``retry_after_s`` is the venue's wish, or 60 s where it gave none."""

    def __init__(self, text: str, facts: Facts, *, retry_after_s: float) -> None:
        StpError.__init__(self, text, facts, kind="rate_limited")
        self.retry_after_s = retry_after_s
