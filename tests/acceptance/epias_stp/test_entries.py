"""A call that carries several entries has an outcome for each, by what the answer says of it and by nothing else."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from gridwire.epias_stp import match_change, payment
from gridwire.errors import InvalidInput
from gridwire.outcome import Accepted, Outcome, Rejected, Unknown
from tests.acceptance.epias_stp.conftest import Watch
from tests.acceptance.epias_stp.floor import Floor, Wire, Writes, floor
from tests.conftest import EPOCH

EIC = "40X000000000101A"
ORDERS = [payment(n, eic=EIC, amount=f"{n}.50", request_time=EPOCH) for n in (31, 32)]
CHANGES = [match_change(one, status="CANCELLED", description="itiraz") for one in ("7", "8")]


def result(number: Any, status: Any = "ACCEPTED", **changes: Any) -> dict[str, Any]:
    return {
        "paymentOrderId": number,
        "eic": EIC,
        "amount": number + 0.5,
        "status": {"value": status, "text": "…"},
        **changes,
    }


def match(number: str, status: Any = "CANCELLED") -> dict[str, Any]:
    return {"matchId": number, "matchStatus": {"name": status}}


def says(f: Floor, operation: str, body: Any) -> None:
    """Let the next call be answered with success and ``body``."""
    message = {"resultCode": "0", "resultDescription": "OK", "resultType": "SUCCESS"} | (
        {} if body is ... else {"body": body}
    )
    f.venue.faults.add(
        "raw", operation=operation, content=json.dumps(message).encode(), content_type="application/json"
    )


def verdicts(outcomes: list[Outcome]) -> list[str]:
    return [one.cause if isinstance(one, Unknown) else type(one).__name__ for one in outcomes]


async def test_a_payment_without_cover_is_rejected_and_the_others_are_not(wire: Wire) -> None:
    async with floor(user="OPERATOR1", message_format=wire) as f:
        owner = next(one for one in f.venue.market.organisations() if one.eic == EIC)
        f.venue.market.balances[owner.id] = 3250  # kuruş: enough for the second alone
        orders = [payment(1, eic=EIC, amount="100.00", request_time=EPOCH), ORDERS[1]]
        refused, paid = await f.stp.payments.order(orders)
        assert isinstance(paid, Accepted)
        assert (paid.intent.restated["payment_order_id"], paid.order) == (32, None)
        assert isinstance(refused, Rejected)
        assert (refused.code, refused.origin, refused.repeatable) == ("REJECTED", "venue", False)
        assert refused.intent is not None
        assert refused.intent.restated["payment_order_id"] == 1
        assert "This payment was not ordered." in refused.reason
        assert [row.state for row in await f.stp._ledger.rows()] == ["rejected", "done"]
        assert f.stp.unknown() == []


YES, NO, ODD = "Accepted", "Rejected", "contradictory"
PAYMENTS = [
    ({"results": [result(32), result(31)]}, [YES, YES]),
    ({"results": [result(31, "REJECTED"), result(32)]}, [NO, YES]),
    ({"results": [result(31)]}, [YES, ODD]),
    ({"results": result(31)}, [YES, ODD]),
    ({"results": [result(31), result(32, "WAITING")]}, [YES, ODD]),
    ({"results": [result(31, status=None), result(32, "")]}, [ODD, ODD]),
    ({"results": [result(31, amount=31.51), result(32, "REJECTED", eic="40X000000000102B")]}, [ODD, ODD]),
    ({"results": [result(31), result(31, "REJECTED"), result(32)]}, [ODD, YES]),
    ({"results": [result(31), result(32), result(33)]}, ["foreign_answer"] * 2),
    ({"results": [result(31), {**result(32), "paymentOrderId": None}]}, ["foreign_answer"] * 2),
    ({"results": [result(31), result(32, amount="much")]}, ["unreadable"] * 2),
    ({"results": "none"}, ["unreadable"] * 2),
    ({"results": []}, [ODD, ODD]),
    ({"results": None}, [ODD, ODD]),
    ({}, [ODD, ODD]),
    (True, [ODD, ODD]),
    (None, [ODD, ODD]),
    (..., [ODD, ODD]),
]


@pytest.mark.parametrize(("body", "expected"), PAYMENTS)
async def test_a_payment_is_what_its_own_status_says(body: Any, expected: list[str]) -> None:
    async with floor(user="OPERATOR1") as f:
        says(f, "payment_order", body)
        outcomes = await f.stp.payments.order(ORDERS)
        assert verdicts(outcomes) == expected
        numbers = [one.intent.restated["payment_order_id"] for one in outcomes if one.intent is not None]
        assert numbers == [31, 32]
        assert f.stp.unknown() == [one for one in outcomes if isinstance(one, Unknown)]
        states = [row.state for row in await f.stp._ledger.rows()]
        assert states == [{YES: "done", NO: "rejected"}.get(one, "unknown") for one in expected]
        for one in outcomes:
            assert not isinstance(one, Unknown) or "Ask settlement before you order it again." in one.reason


MATCHES = [
    ({"matchList": [match("8"), match("7")]}, [YES, YES]),
    (True, [YES, YES]),
    ({"matchList": [match("7")]}, [YES, ODD]),
    ({"matchList": [match("7", "APPROVED"), match("8")]}, [ODD, YES]),
    ({"matchList": [match("7", None), {"matchId": "8"}]}, [ODD, ODD]),
    ({"matchList": [match("7"), match("9")]}, ["foreign_answer"] * 2),
    ({"matchList": []}, [ODD, ODD]),
    ({}, [ODD, ODD]),
    (None, [ODD, ODD]),
    (..., [ODD, ODD]),
]


@pytest.mark.parametrize(("body", "expected"), MATCHES)
async def test_a_match_is_in_the_state_that_the_answer_says(body: Any, expected: list[str]) -> None:
    async with floor(user="OPERATOR1") as f:
        says(f, "match_change_status", body)
        assert verdicts(await f.stp.matches.change_status(CHANGES)) == expected


@pytest.mark.parametrize(
    ("operation", "body", "expected"),
    [
        ("contract_gate_change_status", {"contractGateId": 11, "gateStatusResponse": {"name": "CLOSED"}}, YES),
        ("contract_gate_change_status", {"gateStatusResponse": {"name": "OPEN"}}, ODD),
        ("contract_gate_change_status", {"contractGateId": 12, "gateStatusResponse": {"name": "CLOSED"}}, ODD),
        ("contract_gate_change_status", True, YES),
        ("contract_gate_update", {"endDate": "2026-12-01T09:00:00.123+03:00"}, YES),
        ("contract_gate_update", {"endDate": "2026-12-01T09:00:00.124+03:00"}, ODD),
        ("contract_save", {"contractName": "HI1", "gasDays": [{"gasDayDate": "2026-12-21T00:00:00.000+03:00"}]}, YES),
        ("contract_save", {"gasDays": [{"gasDayDate": "2026-12-20T00:00:00.000+03:00"}]}, ODD),
        ("contract_save", {"physicalPointIds": [101, 102]}, ODD),
        ("contract_save", {"quantity": 11, "direction": {"name": "BUY"}}, ODD),
        ("contract_save", {"contractType": {"name": "STANDART"}}, ODD),
        ("contract_save", {"contractStatus": {"name": "REJECTED"}}, ODD),
        ("contract_save", {"quantity": "ten"}, "unreadable"),
        ("contract_save", True, YES),
    ],
)
async def test_an_answer_that_tells_of_something_else_than_was_sent_is_no_yes(
    operation: str, body: Any, expected: str
) -> None:
    async with floor(user="OPERATOR1") as f:
        says(f, operation, body)
        calls = {
            "contract_gate_change_status": lambda: f.stp.contract_gates.change_status(11, gate_status="CLOSED"),
            "contract_gate_update": lambda: f.stp.contract_gates.update(
                11, end_date=EPOCH.replace(hour=6, minute=0, second=0, microsecond=123_456)
            ),
            "contract_save": lambda: f.stp.contracts.save(
                "WEEKLY", direction="BUY", quantity=10, gas_days=[date(2026, 12, 21), date(2026, 12, 22)],
                physical_point_ids=[101],
            ),
        }  # fmt: skip
        assert verdicts([await calls[operation]()]) == [expected]


async def test_entries_that_an_answer_could_not_tell_apart_are_refused_before_anything_is_sent(watch: Watch) -> None:
    async with floor(user="OPERATOR1") as f:
        with pytest.raises(InvalidInput, match="orders names payment order 31 more than once"):
            await f.stp.payments.order([*ORDERS, ORDERS[0]])
        with pytest.raises(InvalidInput, match="changes names match 8 more than once"):
            await f.stp.matches.change_status([*CHANGES, CHANGES[1]])
    assert watch.requests == []


async def test_all_entries_of_a_call_that_was_refused_or_lost_share_its_end() -> None:
    async with floor(user="OPERATOR1") as f:
        writes = await Writes.arrange(f)
        assert writes.match_id
        for fault, expected in (
            ({"kind": "result", "result_type": "BUSINESSERROR", "result_code": "PAY-0001"}, NO),
            ({"kind": "silence_after_execute"}, "timeout"),
            ({"kind": "wrong_transaction_id"}, "foreign_answer"),
        ):
            f.venue.faults.add(operation="payment_order", **fault)  # type: ignore[arg-type]
            assert verdicts(await f.stp.payments.order(ORDERS)) == [expected] * 2
        refused = await (await f.client("TRADER1")).payments.order(ORDERS)
        assert [(one.origin, one.repeatable) for one in refused if isinstance(one, Rejected)] == [
            ("security", False)
        ] * 2
