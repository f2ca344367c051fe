"""A gas day that came from the venue names the same day in every later call, in both formats and both shapes."""

from __future__ import annotations

from datetime import date

from gridwire.periods import GasDay
from tests.acceptance.epias_stp.conftest import Watch
from tests.acceptance.epias_stp.floor import TODAY, Wire, accepted, floor

DAY = date(2026, 12, 1)
MIDNIGHT = "2026-12-01T00:00:00.000+03:00"


async def test_a_contracts_own_days_name_the_same_day_in_every_later_call(wire: Wire, watch: Watch) -> None:
    async with floor(user="OPERATOR1", message_format=wire) as f:
        for shape in ("definition", "document"):
            watch.exempt("answers", because="the older shape is not the definitions'")
            f.venue.knobs.shape = shape
            listed = {contract.name: contract for contract in await f.stp.contracts.standard()}[TODAY]
            details = await f.stp.contracts.get(TODAY)
            named = [*listed.delivery_days, listed.gas_days[0].gas_day_date, details.gas_days[0].gas_day_date]
            assert named == [DAY] * 3
            for day in named:
                assert day is not None
                await f.stp.market_prices.calculate_grp("STANDART", day)
                await f.stp.market_prices.calculate_grp("STANDART", GasDay.of(day))
        asked = [body.decode() for name, body in watch.requests if name == "market_price_calculate_grp"]
        assert len(asked) == 12
        assert all(MIDNIGHT in body for body in asked)
        made = await f.stp.contracts.save(
            "STANDART", direction="BUY", quantity=1, gas_days=date(2026, 12, 20), physical_point_ids=[101]
        )
        assert accepted(made).raw.model().gas_days[0].gas_day_date == date(2026, 12, 20)
