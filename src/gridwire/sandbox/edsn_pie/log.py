"""What arrived at the simulator and what it did, for assertions such as "the token was not sent"."""

from __future__ import annotations

from dataclasses import dataclass

from gridwire.sandbox.log import Log


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """One request. ``token`` is the running number of the access token, never the token itself."""

    at: float
    """Arrival, in seconds of the loop's clock."""
    operation: str
    """``token``, ``get_ticket``, ``list_comments``, ``get_comment``, or empty for a path that is none of these."""
    client: str | None
    """The service account, where it was known."""
    status: int | None
    """What was decided, also where a fault kept the answer from arriving; None if nothing was."""
    why: str = ""
    """Why it was refused, in the simulator's own words."""
    path: str = ""
    """The path as it came, still encoded."""
    token: int | None = None
    jti: str | None = None
    """Of the assertion, for ``token``."""
    request_id: str | None = None
    correlation_id: str | None = None
    fault: str | None = None
    """Kind of the scripted fault that struck this call."""


class CallLog(Log[LoggedCall]):
    """The requests in the order of their arrival; the last 100,000 of a sandbox left running for days."""

    def calls(self, operation: str | None = None, client: str | None = None) -> list[LoggedCall]:
        """Every request of one operation or client, whatever became of it."""
        return [call for call in self._calls if operation in (None, call.operation) and client in (None, call.client)]
