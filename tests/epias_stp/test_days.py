"""Gas days, delivery days and days of payment are dates, in what is read and in what is sent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.epias_stp import dates, operator_rules
from gridwire.epias_stp.models import ContractDetails, ContractSummary, GasDay, RegionalContractSummary
from gridwire.errors import InvalidInput
from gridwire.periods import GasDay as Period

DAY = date(2026, 12, 1)
MIDNIGHT = "2026-12-01T00:00:00.000+03:00"
FORMS = [MIDNIGHT, "2026-11-30T21:00:00.000Z", "2026-11-30T21:00:00+0000", "2026-12-01T23:59:59.999+03:00", "2026-12-01",
         "2026-12-01T00:00:00", 1796072400000, "1796072400000", datetime(2026, 11, 30, 21, tzinfo=UTC), DAY]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_day_is_read_as_the_date_it_has_in_istanbul(form: Any) -> None:
    read = dates.read_day(form)
    assert type(read) is date
    assert read == DAY


@pytest.mark.parametrize("form", FORMS)
def test_every_day_of_an_answer_is_a_date_and_every_instant_stays_one(form: Any) -> None:
    gas_day = {"gasDayDate": form, "advancePaymentDate": form, "gasDeliveryStartDate": "2026-12-01T08:00:00.000+03:00",
               "gasDeliveryEndDate": "2026-12-02T08:00:00.000+03:00"}  # fmt: skip
    for model in (ContractSummary, RegionalContractSummary):
        for days in ({"deliveryDays": [form], "gasDays": [gas_day]}, {"deliveryDay": form, "gasDay": gas_day}):
            listed = model.model_validate(days)
            assert listed.delivery_days == [DAY]
            assert type(listed.delivery_days[0]) is date
            (found,) = listed.gas_days
            assert (found.gas_day_date, found.advance_payment_date) == (DAY, DAY)
            assert type(found.gas_day_date) is type(found.advance_payment_date) is date
            assert found.gas_delivery_start_date == Period(DAY).start
            assert found.gas_delivery_end_date == Period(DAY).end
    assert ContractDetails.model_validate({"gasDays": gas_day}).gas_days[0].gas_day_date == DAY


def test_no_day_is_none_and_what_is_no_day_is_refused() -> None:
    assert dates.read_day(None) is dates.read_day("") is None
    assert GasDay.model_validate({"gasDayDate": None, "advancePaymentDate": ""}) == GasDay()
    for wrong in ("tomorrow", True, "2026-02-30", datetime.max.replace(tzinfo=UTC)):
        with pytest.raises(ValueError, match=r"not a date|cannot be a|outside the calendar"):
            dates.read_day(wrong)


def test_a_day_may_be_given_as_date_gas_day_or_the_instant_that_came_from_the_venue() -> None:
    midnight = datetime(2026, 11, 30, 21, tzinfo=UTC)
    for given_day in (DAY, Period(DAY), midnight, midnight + timedelta(hours=23)):
        assert dates.gas_day(given_day, "gas_day") == DAY
        assert operator_rules.calculate_grp("STANDART", given_day).wire()["gasDay"] == MIDNIGHT
    for wrong in (date(1969, 12, 31), datetime.max.replace(tzinfo=UTC), datetime(2026, 12, 1), "2026-12-01", None):
        with pytest.raises(InvalidInput, match=r"gas_day="):
            dates.gas_day(wrong, "gas_day")  # type: ignore[arg-type]


@given(st.dates(date(1970, 1, 1), date(9998, 12, 30)))
def test_a_day_that_is_sent_back_is_the_same_day(day: date) -> None:
    written = dates.write_day(day)
    assert dates.read_day(written) == day
    assert written.startswith(f"{day}T00:00:00.000+")
    assert dates.write_day(dates.gas_day(Period.of(dates.read_day(written) or DAY), "d")) == written
