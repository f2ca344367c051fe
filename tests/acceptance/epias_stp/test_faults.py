"""Every write under every fault the sandbox knows, in both formats: the invariants that hold through all of them.

* The venue executes a transactionId at most once, and by default sees it at most once.
* What it executed is never called `Rejected`.
* What it did not execute is never called `Accepted`.
* What is `Unknown` is remembered, and nothing is raised.

Not here: a venue that lies, executing a bid and answering BUSINESSERROR or HTTP 429. No client can know better.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, get_args

import pytest

from gridwire.outcome import Accepted, Outcome, Rejected, Unknown
from gridwire.sandbox.faults import Kind
from tests.acceptance.epias_stp.floor import WRITES, Wire, Writes, floor


@dataclass(frozen=True)
class Case:
    """One way of going wrong. ``expected`` is ``accepted``, ``rejected``, or the cause of an `Unknown`."""

    kind: str
    expected: str
    settings: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return "-".join([self.kind, *(f"{name}={value}" for name, value in self.settings.items())])


CASES = [
    Case("close_before_read", "disconnected"),
    Case("drop_before_execute", "disconnected"),
    Case("drop_after_execute", "disconnected"),
    Case("rst_before_execute", "disconnected"),
    Case("rst_after_execute", "disconnected"),
    Case("silence_before_execute", "timeout"),
    Case("silence_before_execute", "disconnected", {"seconds": 3}),
    Case("silence_after_execute", "timeout"),
    Case("silence_after_execute", "disconnected", {"seconds": 3}),
    Case("half_answer", "disconnected"),
    Case("half_answer", "disconnected", {"at_byte": 0}),
    Case("half_answer", "disconnected", {"at_byte": 1}),
    Case("half_answer", "disconnected", {"at_byte": 60}),
    Case("half_answer", "accepted", {"at_byte": 100_000}),
    Case("slow_answer", "accepted", {"seconds": 0.01}),
    Case("slow_answer", "timeout", {"seconds": 6.0}),
    Case("close_after_answer", "accepted"),
    Case("close_after_answer", "accepted", {"seconds": 2.0}),
    Case("answer_twice", "accepted"),
    Case("answer_twice", "accepted", {"seconds": 0.5}),
    *(Case("status", "http_status", {"status": status}) for status in (400, 401, 403, 404, 408, 409, 500, 502, 503, 504)),
    *(Case("status", "http_status", {"status": status, "executed": True}) for status in (400, 401, 409, 500, 502, 503, 504)),
    Case("status", "rejected", {"status": 429}),
    Case("status", "rejected", {"status": 429, "retry_after": "5"}),
    Case("status", "unreadable", {"status": 200}),
    Case("status", "unreadable", {"status": 204, "executed": True}),
    Case("html", "unreadable"),
    Case("html", "unreadable", {"executed": True}),
    Case("html", "http_status", {"status": 503, "executed": True}),
    Case("redirect", "redirect"),
    Case("redirect", "redirect", {"executed": True}),
    Case("ban", "http_status", {"seconds": 5}),
    Case("wrong_types", "accepted"),
    Case("wrong_transaction_id", "foreign_answer"),
    Case("wrong_transaction_id", "foreign_answer", {"echo": "somebody else's"}),
    Case("raw", "unreadable", {"content": b'{"status":"UP"}', "content_type": "application/json"}),
    Case("raw", "unreadable", {"content": b"<a/>", "content_type": "application/xml", "executed": True}),
    Case("raw", "http_status", {"content": b"busy", "content_type": "text/plain", "status": 503, "executed": True}),
    Case("result", "system_error"),
    Case("result", "system_error", {"executed": True}),
    Case("result", "system_error", {"executed": True, "status": 500}),
    Case("result", "contradictory", {"executed": True, "result_code": "0"}),
    Case("result", "contradictory", {"executed": True, "result_type": "PARTIALSUCCESS"}),
    Case("result", "contradictory", {"executed": True, "result_type": "BUSINESSERROR", "result_code": "0"}),
    Case("result", "contradictory", {"result_type": "SUCCESS", "result_code": "SYS-0001"}),
    Case("result", "rejected", {"result_type": "BUSINESSERROR", "result_code": "BID-0001"}),
    Case("result", "rejected", {"result_type": "BUSINESSERROR", "result_code": "BID-0001", "status": 400}),
    Case("result", "rejected", {"result_type": "SECURITYERROR", "result_code": "SEC-0001"}),
    Case("result", "rejected", {"result_type": "SECURITYERROR", "result_code": "SEC-0001", "status": 401}),
]  # fmt: skip


def test_every_kind_of_fault_has_a_case() -> None:
    assert {case.kind for case in CASES} == set(get_args(Kind))


@pytest.mark.parametrize("switched_on", [False, True], ids=["default", "switches"])
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_every_write_under_this_fault_keeps_the_invariants(case: Case, wire: Wire, switched_on: bool) -> None:
    switches = {"resend_on_security_error": True, "retry_cancel": True} if switched_on else {}
    async with floor() as f:
        writes = await Writes.arrange(f, message_format=wire, **switches)
        for operation in WRITES:
            before = len(f.venue.log)
            f.venue.faults.add(case.kind, operation=operation, **case.settings)  # type: ignore[arg-type]
            outcome = await writes.call(operation)
            f.venue.faults.clear()
            calls = list(f.venue.log)[before:]
            assert outcome.intent is not None
            seen = f"{operation} was {outcome}"
            executed = [call for call in calls if call.executed]
            assert {call.transaction_id for call in calls} <= {outcome.intent.key, None}, seen
            assert len(executed) <= 1, seen
            assert not (executed and isinstance(outcome, Rejected)), seen
            assert executed or not isinstance(outcome, Accepted), seen
            assert (outcome in writes.client(operation).unknown()) is isinstance(outcome, Unknown), seen
            if switched_on and operation == "bid_cancel":
                assert len(calls) <= 2, seen
                assert len(calls) == outcome.intent.attempts, seen
            else:
                assert len(calls) == outcome.intent.attempts == 1, seen
                assert verdict(outcome) == expected(case, operation), seen


def verdict(outcome: Outcome) -> str:
    return outcome.cause if isinstance(outcome, Unknown) else type(outcome).__name__.lower()


def expected(case: Case, operation: str) -> str:
    if case.kind == "wrong_types" and operation == "bid_save":
        return "no_id"  # the answer names no bid that could be cancelled
    if case.kind == "wrong_types" and operation != "contract_conf_save":
        return "unreadable"  # what the answer says of the change cannot be held against what was sent
    return case.expected


@pytest.mark.parametrize("status", [401, 403])
async def test_ban_that_lasts_leaves_every_write_unknown_and_one_request_each(status: int, wire: Wire) -> None:
    async with floor() as f:
        writes = await Writes.arrange(f, message_format=wire)
        before = len(f.venue.log)
        f.venue.faults.add("ban" if status == 403 else "status", status=status, times=None)
        for operation in WRITES:
            outcome = await writes.call(operation)
            assert isinstance(outcome, Unknown), operation
        assert len(f.venue.log) - before == len(WRITES)
