from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from gridwire.sandbox.epias_stp.records import kurus, lira, movement, weighted_average


def trade(price: int, quantity: int) -> Any:
    return SimpleNamespace(price=price, quantity=quantity)


def test_prices_are_whole_kurus() -> None:
    assert (kurus(Decimal("12000.50")), kurus(Decimal(3)), kurus(Decimal("-0.01"))) == (1_200_050, 300, -1)
    assert str(lira(1_200_050)) == "12000.50"
    for wrong in ("0.001", "NaN", "Infinity"):
        with pytest.raises(ValueError, match="two decimals"):
            kurus(Decimal(wrong))


def test_the_average_is_weighted_by_volume_and_rounded_half_up() -> None:
    assert weighted_average([trade(100, 1), trade(101, 1)]) == 101
    assert weighted_average([trade(100, 3), trade(200, 1)]) == 125
    assert weighted_average([]) is None


@pytest.mark.parametrize(("before", "after", "way"), [(1, 2, "UP"), (2, 1, "DOWN"), (1, 1, "IDLE"), (None, 1, "IDLE")])
def test_a_movement_needs_two_different_prices(before: int | None, after: int, way: str) -> None:
    assert movement(before, after) == way
