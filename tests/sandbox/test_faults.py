from __future__ import annotations

from typing import Any, get_args

import pytest

from gridwire.errors import InvalidInput
from gridwire.sandbox.faults import Fault, Faults, Kind


def take(faults: Faults, stage: Any = "call", now: float = 0.0, **call: str) -> Fault | None:
    asked = {"operation": "bid_save", "user": "ALI", "path": "/p", **call}
    return faults.take(stage, operation=asked["operation"], user=asked["user"], path=asked["path"], now=now)


def test_a_fault_strikes_once_unless_told_otherwise() -> None:
    faults = Faults()
    fault = faults.add("status", status=503)
    assert take(faults) is fault
    assert take(faults) is None


def test_a_fault_can_strike_a_number_of_times_or_for_ever() -> None:
    faults = Faults()
    faults.add("html", times=2)
    assert [take(faults) is not None for _ in range(3)] == [True, True, False]
    faults.add("html", times=None)
    assert all(take(faults) for _ in range(10))
    faults.clear()
    assert take(faults) is None


@pytest.mark.parametrize("other", [{"operation": "bid_cancel"}, {"user": "VELI"}, {"path": "/q"}])
def test_filters_must_all_fit(other: dict[str, Any]) -> None:
    faults = Faults()
    faults.add("html", operation="bid_save", user="ALI", path="/p")
    assert take(faults, **other) is None
    assert take(faults) is not None


def test_the_first_added_fault_that_fits_is_taken() -> None:
    faults = Faults()
    first, second = faults.add("html"), faults.add("status")
    assert [take(faults), take(faults)] == [first, second]


def test_arrival_and_call_are_separate_stages() -> None:
    faults = Faults()
    early = faults.add("close_before_read")
    assert take(faults, "call") is None
    assert take(faults, "arrival") is early


def test_a_ban_lasts_from_its_first_strike() -> None:
    faults = Faults()
    faults.add("ban", seconds=60.0)
    assert take(faults, now=100.0) is not None
    assert take(faults, now=159.9) is not None
    assert take(faults, now=160.0) is None
    faults.add("ban")
    assert take(faults, now=1e9) is not None


def test_an_unknown_kind_is_refused_with_the_list_of_known_ones() -> None:
    with pytest.raises(InvalidInput, match="close_before_read"):
        Faults().add("explode")  # type: ignore[arg-type]


def test_each_kind_knows_whether_the_engine_is_reached() -> None:
    before = {kind for kind in get_args(Kind) if Fault(kind).before_execution}
    assert before == {
        "close_before_read", "drop_before_execute", "rst_before_execute", "silence_before_execute",
        "status", "html", "redirect", "ban", "result", "raw",
    }  # fmt: skip
    assert not Fault("status", executed=True).before_execution
