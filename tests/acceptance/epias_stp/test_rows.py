"""What is known of a write whose answer was lost: every field, the caller's own reference and the transactionId."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from gridwire.epias_stp import EpiasStp, gate_setting, match_change, payment
from gridwire.outcome import Outcome, Rejected, Unknown
from tests.acceptance.epias_stp.conftest import Watch
from tests.acceptance.epias_stp.floor import TODAY, WRITES, Floor, Writes, accepted, floor
from tests.conftest import EPOCH

REGIONAL: dict[str, Any] = {
    "direction": "SELL", "price": "100.00", "quantity": 1, "point_name": "Malkoçlar", "bid_process_name": "P1",
    "bid_type": "MATCH_WITH_TIME_LIMIT", "expire_time": EPOCH + timedelta(hours=2),
}  # fmt: skip


async def next_run(f: Floor, stp: EpiasStp, user: str, journal: Path) -> EpiasStp:
    """A client of a later run, which finds in the journal what the one before left there."""
    await stp._ledger.aclose()
    later = await f.client(user, journal=journal)
    await later.bids.known()
    return later


def restated_by_key(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {one.intent.key: one.intent.restated for one in outcomes if one.intent is not None}


@pytest.mark.parametrize("operation", WRITES)
async def test_every_write_that_is_in_doubt_names_its_reference_and_its_transaction(
    operation: str, tmp_path: Path
) -> None:
    async with floor(journal=tmp_path) as f:
        writes = await Writes.arrange(f, journal=tmp_path)
        key = uuid4()
        f.venue.faults.add("drop_after_execute", operation=operation)
        lost = await writes.call(operation, client_ref=f"ref-{operation}", transaction_id=key)
        assert isinstance(lost, Unknown), lost
        assert (lost.intent.key, lost.intent.client_ref) == (str(key), f"ref-{operation}")
        assert lost.intent.restated
        calls = len(f.venue.log)
        for repeated, code in (
            ({"client_ref": f"ref-{operation}"}, "client_ref"),
            ({"transaction_id": key}, "transaction_id"),
        ):
            refused = await writes.call(operation, **repeated)
            assert isinstance(refused, Rejected)
            assert (refused.code, refused.origin) == (code, "guard")
        assert len(f.venue.log) == calls
        user = "TRADER1" if operation.startswith("bid_") else "OPERATOR1"
        (again,) = (await next_run(f, writes.client(operation), user, tmp_path)).unknown()
        assert again.intent.restated == lost.intent.restated
        assert (again.intent.key, again.intent.client_ref) == (str(key), f"ref-{operation}")


async def test_operators_writes_name_everything_that_was_sent(tmp_path: Path, watch: Watch) -> None:
    watch.exempt("requests", because="gateList is in the document's sample alone")
    async with floor(user="OPERATOR1", journal=tmp_path) as f:
        f.venue.faults.add("drop_before_execute", operation=None, times=None)
        gate = gate_setting(11, gate_type="BID_GATE", start_date=EPOCH, end_date=EPOCH, gate_status="OPEN")
        spans = dict.fromkeys(("dap_scope_date", "dap_final_date", "grp_scope_date", "grp_final_date"), EPOCH)
        lost = [
            await f.stp.contract_configuration.save(TODAY, **spans, gates=[gate], lqa=5, market_base_price="0.50"),  # type: ignore[arg-type]
            await f.stp.contract_gates.update(11, start_date=EPOCH),
            await f.stp.contract_gates.change_status(11, gate_status="CLOSED"),
        ]
        assert [dict(one.intent.restated) for one in lost if isinstance(one, Unknown)] == [
            {
                "contract": TODAY, **spans, "lqa": 5, "market_base_price": Decimal("0.50"),
                "gates": [{"gate_id": 11, "gate_type": "BID_GATE", "start_date": EPOCH, "end_date": EPOCH, "gate_status": "OPEN"}],
            },
            {"gate_id": 11, "start_date": EPOCH},
            {"gate_id": 11, "gate_status": "CLOSED"},
        ]  # fmt: skip
        later = await next_run(f, f.stp, "OPERATOR1", tmp_path)
        assert restated_by_key(later.unknown()) == restated_by_key(lost)


async def test_each_entry_of_one_call_has_a_row_of_its_own(tmp_path: Path) -> None:
    async with floor(user="OPERATOR1", journal=tmp_path) as f:
        f.venue.faults.add("drop_after_execute", operation="payment_order")
        orders = [payment(n, eic="40X000000000101A", amount=f"{n}.50", request_time=EPOCH) for n in (31, 32, 33)]
        lost = await f.stp.payments.order(orders, client_ref="run-7")
        f.venue.faults.add("drop_before_execute", operation="match_change_status")
        changes = [match_change(one, status="CANCELLED", description="itiraz") for one in ("7", "8")]
        lost += await f.stp.matches.change_status(changes)
        assert {type(one) for one in lost} == {Unknown}
        paid = [one.intent for one in lost if isinstance(one, Unknown)][:3]
        key = paid[0].key
        assert UUID(key).version == 4
        assert [one.key for one in paid] == [key, f"{key}/2", f"{key}/3"]
        assert {one.client_ref for one in paid} == {"run-7"}
        assert f.venue.log.executed("payment_order")[0].transaction_id == key
        later = await next_run(f, f.stp, "OPERATOR1", tmp_path)
        assert restated_by_key(later.unknown()) == restated_by_key(lost)
        assert [one.intent.restated for one in lost if one.intent is not None] == [
            *({"payment_order_id": n, "eic": "40X000000000101A", "amount": Decimal(f"{n}.50"), "request_time": EPOCH} for n in (31, 32, 33)),
            *({"match_id": one, "status": "CANCELLED", "description": "itiraz"} for one in ("7", "8")),
        ]  # fmt: skip
        for refused in await later.payments.order(orders, client_ref="run-7"):
            assert isinstance(refused, Rejected)
            assert (refused.code, refused.origin) == ("client_ref", "guard")
        assert len(f.venue.log.calls("payment_order")) == 1


async def test_a_regional_bid_keeps_its_point_and_process_through_its_life(tmp_path: Path) -> None:
    async with floor(journal=tmp_path) as f:
        (regional,) = await f.stp.contracts.regional()
        kept = {"point_name": "Malkoçlar", "bid_process_name": "P1"}
        f.venue.faults.add("status", operation="bid_save", status=502)
        lost = await f.stp.bids.save(regional.name, **REGIONAL)
        assert isinstance(lost, Unknown)
        assert lost.intent.restated == {
            **REGIONAL,
            "contract": regional.name,
            "bid_status": "ACTIVE",
            "price": Decimal("100.00"),
        }
        bid = accepted(await f.stp.bids.save(regional.name, **REGIONAL)).order
        assert bid is not None
        assert kept.items() <= bid.restated.items()

        later = await next_run(f, f.stp, "TRADER1", tmp_path)
        (known,) = await later.bids.known()
        assert known.restated == bid.restated
        assert [one.intent.restated for one in later.unknown()] == [lost.intent.restated]
        changed = accepted(await later.bids.update(known.id or "", price="101", quantity=1, bid_status="ACTIVE")).order
        assert changed is not None
        assert kept.items() <= changed.restated.items()
        async with later.desk(contracts=[regional.name]) as desk:
            moved = accepted(await desk.modify(changed, price="102.00", quantity=1)).order
            assert moved is not None
            assert kept.items() <= moved.restated.items()
            (known,) = await later.bids.known()
            assert known.restated == {**bid.restated, "price": Decimal("102.00"), "bid_id": bid.id}
            f.venue.faults.add("drop_before_execute", operation="bid_cancel")
            doubted = await desk.cancel(known)
            assert isinstance(doubted, Unknown)
            assert kept.items() <= doubted.intent.restated.items()
