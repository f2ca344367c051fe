"""Where an order's time goes."""

from __future__ import annotations

from gridwire.observe.timings import STAGES, OrderTiming, Timings


def marks(*stages_ns: int, start: int = 1_000) -> tuple[int, ...]:
    moments = [start]
    for stage in stages_ns:
        moments.append(moments[-1] + stage)
    return tuple(moments)


def test_an_order_is_the_differences_of_its_eight_moments() -> None:
    timings = Timings()
    timings.add(marks(1, 2, 3, 4, 5, 6, 7), credential_waited=True)
    (order,) = timings.orders()
    assert order == OrderTiming((1, 2, 3, 4, 5, 6, 7), credential_waited=True)
    assert len(STAGES) == 7
    assert order.total_ns == 28
    assert order.to_wire_ns == 15


def test_percentiles_are_of_each_stage_and_of_the_total() -> None:
    timings = Timings()
    for n in range(1, 101):
        timings.add(marks(n, 0, 0, 0, 0, 1000 - n, 0), credential_waited=False)
    median = timings.summary()
    assert set(median) == {*STAGES, "total"}
    assert (median["guard"], median["answer"], median["total"]) == (51, 950, 1000)
    assert timings.summary(0.0)["guard"] == 1
    assert timings.summary(99.0)["guard"] == 100
    assert timings.summary(100.0)["guard"] == 100


def test_before_the_first_order_there_is_nothing() -> None:
    timings = Timings()
    assert len(timings) == 0
    assert timings.orders() == []
    assert timings.summary() == {}
    assert timings.waited() == 0


def test_only_the_last_orders_are_kept() -> None:
    timings = Timings(keep=3)
    for n in range(5):
        timings.add(marks(n, 0, 0, 0, 0, 0, 0), credential_waited=n % 2 == 0)
    assert len(timings) == 3
    assert [order.stages_ns[0] for order in timings.orders()] == [2, 3, 4]
    assert timings.waited() == 2
