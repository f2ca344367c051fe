"""Faults on request: what goes wrong, for which calls, how often.

::

    venue.faults.add("drop_after_execute", operation="bid_save")             # once
    venue.faults.add("status", status=503, user="TRADER1", times=3)
    venue.faults.add("silence_before_execute", operation="bid_cancel", times=None)   # until cleared

This module only decides; `gridwire.sandbox.faulty` acts on the connection. Where several faults fit a call, the one
added first is taken; a call meets at most one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from gridwire.errors import InvalidInput

Kind: TypeAlias = Literal[
    "close_before_read",  # the connection ends when the head has arrived; the body is not read
    "drop_before_execute",  # the whole request was read; the connection ends, nothing was executed
    "drop_after_execute",  # executed; the connection ends without an answer
    "rst_before_execute",  # as drop_*, with a TCP reset
    "rst_after_execute",
    "silence_before_execute",  # read, not executed, no answer for `seconds` (None: until the client gives up)
    "silence_after_execute",
    "half_answer",  # executed; Content-Length promises the whole, `at_byte` bytes of the body come (None: half)
    "slow_answer",  # executed; the body comes `chunk` bytes every `seconds`
    "close_after_answer",  # executed and answered as keep-alive; then the connection ends after `seconds`
    "answer_twice",  # executed and answered, and then the same answer again: at once, or after `seconds`
    "status",  # HTTP `status` without the venue's envelope, with Retry-After if `retry_after` is given
    "html",  # a page of HTML with `status` (200 unless told)
    "redirect",  # HTTP 302 to `location`
    "ban",  # this call and all later ones that fit, for `seconds`: HTTP 403 with a page of HTML
    "wrong_types",  # executed; the answer's numbers and texts come as something else
    "wrong_transaction_id",  # executed; the answer names another transaction (`echo`)
    "result",  # an envelope with `result_type`, `result_code` and HTTP `status`, without a body
    "raw",  # exactly the bytes of `content` as `content_type`, with HTTP `status`
]
Stage: TypeAlias = Literal["arrival", "call"]


@dataclass(slots=True)
class Fault:
    """One line of the script. ``left`` counts down; None repeats for ever. Fields a kind does not name are ignored.

    ``executed`` says for ``status``, ``html``, ``redirect``, ``result`` and ``raw`` whether the venue acts before it answers so.
    """

    kind: Kind
    operation: str | None = None
    user: str | None = None
    path: str | None = None
    left: int | None = 1
    executed: bool = False
    seconds: float | None = None
    at_byte: int | None = None
    chunk: int = 16
    status: int | None = None
    retry_after: str | None = None
    location: str = "https://login.sandbox.invalid/"
    result_type: str = "SYSTEMERROR"
    result_code: str = "SYS-0001"
    echo: str = "00000000-0000-4000-8000-000000000000"
    content: bytes = field(default=b"", repr=False)
    content_type: str = "application/json"
    until: float | None = None
    """When a ``ban`` ends, in seconds of the loop's clock; set by its first strike."""

    @property
    def stage(self) -> Stage:
        """``arrival`` faults strike before the body is read, the others after."""
        return "arrival" if self.kind == "close_before_read" else "call"

    @property
    def before_execution(self) -> bool:
        """Whether the call never reaches the engine."""
        if self.kind in ("status", "html", "redirect", "result", "raw"):
            return not self.executed
        return self.kind.endswith("before_execute") or self.kind in ("ban", "close_before_read")


class Faults:
    """The script of one server."""

    def __init__(self) -> None:
        self._script: list[Fault] = []

    def add(
        self,
        kind: Kind,
        *,
        operation: str | None = None,
        user: str | None = None,
        path: str | None = None,
        times: int | None = 1,
        executed: bool = False,
        seconds: float | None = None,
        at_byte: int | None = None,
        chunk: int = 16,
        status: int | None = None,
        retry_after: str | None = None,
        location: str = "https://login.sandbox.invalid/",
        result_type: str = "SYSTEMERROR",
        result_code: str = "SYS-0001",
        echo: str = "00000000-0000-4000-8000-000000000000",
        content: bytes = b"",
        content_type: str = "application/json",
    ) -> Fault:
        """Script a fault for the next ``times`` calls (None: every call until `clear`) that fit all given filters.

        ``operation`` is a name like ``bid_save`` (CAS: ``login``, ``service_ticket``, ``tgt_status``, ``logout``),
        ``user`` the user behind the ticket, ``path`` the exact path on the wire. Returns the fault; its ``left`` tells
        what is still to come. Raises `InvalidInput` for an unknown kind.
        """
        if kind not in get_args(Kind):
            raise InvalidInput(f"There is no fault {kind!r}. Known faults: {', '.join(get_args(Kind))}.")
        fault = Fault(
            kind=kind,
            operation=operation,
            user=user,
            path=path,
            left=times,
            executed=executed,
            seconds=seconds,
            at_byte=at_byte,
            chunk=chunk,
            status=status,
            retry_after=retry_after,
            location=location,
            result_type=result_type,
            result_code=result_code,
            echo=echo,
            content=content,
            content_type=content_type,
        )
        self._script.append(fault)
        return fault

    def clear(self) -> None:
        """Take every fault off the script; calls already struck stay struck."""
        self._script.clear()

    def take(self, stage: Stage, *, operation: str, user: str | None, path: str, now: float) -> Fault | None:
        """The fault that strikes this call at this stage, counted down, or None."""
        for fault in self._script:
            fits = (
                fault.stage == stage
                and fault.operation in (None, operation)
                and fault.user in (None, user)
                and fault.path in (None, path)
            )
            if fits and self._spend(fault, now):
                return fault
        return None

    def _spend(self, fault: Fault, now: float) -> bool:
        if fault.kind == "ban":
            if fault.until is None and fault.seconds is not None:
                fault.until = now + fault.seconds
            return fault.until is None or now < fault.until
        if fault.left is None:
            return True
        fault.left -= 1
        if fault.left == 0:
            self._script.remove(fault)
        return True
