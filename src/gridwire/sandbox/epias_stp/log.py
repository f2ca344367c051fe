"""What arrived at the simulator and what it did, for assertions such as "exactly one order"."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from gridwire.sandbox.cas import Why
from gridwire.sandbox.epias_stp.codec import Format
from gridwire.sandbox.log import Log


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """One request. ``ticket`` is the running number of the service ticket, never the ticket itself."""

    at: float
    """Arrival of the request's head, in seconds of the loop's clock."""
    operation: str
    wire: Format | None
    user: str | None
    """The user behind the ticket, even of a ticket that was refused; None for one never issued here."""
    ticket: int | None
    ticket_age_s: float | None
    ticket_problem: Why
    executed: bool = False
    """Whether the engine ran the operation to its end. Refused calls and calls a fault stopped did not."""
    transaction_id: str | None = None
    application: str | None = None
    result_type: str | None = None
    """What the engine decided, also where a fault kept the answer from arriving; None if it was never asked."""
    result_code: str | None = None
    bid_ids: tuple[str, ...] = ()
    fault: str | None = None
    """Kind of the scripted fault that struck this call."""


class CallLog(Log[LoggedCall]):
    """The requests in the order in which they were decided; the last 100,000 of a sandbox left running for days."""

    def calls(self, operation: str | None = None, user: str | None = None) -> list[LoggedCall]:
        """Every request of one operation or user, whatever became of it."""
        return [call for call in self._calls if operation in (None, call.operation) and user in (None, call.user)]

    def executed(self, operation: str | None = None, user: str | None = None) -> list[LoggedCall]:
        """The requests the engine acted on; one save answered or not is one entry here."""
        return [call for call in self.calls(operation, user) if call.executed]

    def refused(self, operation: str | None = None, user: str | None = None) -> list[LoggedCall]:
        """The requests the engine answered with an error."""
        return [call for call in self.calls(operation, user) if call.result_type not in (None, "SUCCESS")]

    def tickets_presented_twice(self) -> list[int]:
        """Numbers of the service tickets that came with more than one request."""
        seen = Counter(call.ticket for call in self._calls if call.ticket is not None)
        return [ticket for ticket, times in seen.items() if times > 1]
