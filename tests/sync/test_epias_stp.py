"""sync/epias_stp.py on the sandbox: the same models, outcomes and errors, from scripts, notebooks and threads."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

import gridwire.sync
from gridwire import clock, epias_stp
from gridwire.epias_stp.models import ContractSummary
from gridwire.epias_stp.services import bids, contracts, operator
from gridwire.errors import ConfigurationError, GridwireError, ReadOnly, WrongLoop
from gridwire.outcome import Accepted, Rejected, Unknown
from gridwire.sandbox import Sandbox as AsyncSandbox
from gridwire.sync import EpiasStp, Sandbox
from gridwire.sync import epias_stp as face
from gridwire.sync.base import Blocking


def test_a_first_minute(box: Sandbox, stp: EpiasStp) -> None:
    found = stp.contracts.standard()
    assert all(type(one) is ContractSummary for one in found)
    contract = [one for one in found if one.is_open()][-1]
    outcome = stp.bids.save(contract.name, direction="BUY", price="12000.50", quantity=155)
    assert type(outcome) is Accepted
    assert outcome.order is not None
    depth = stp.contracts.depth(contract.name)
    assert [(level.price, level.owner) for level in depth.buys] == [(Decimal("12000.50"), True)]
    assert type(stp.bids.update(outcome.order, price="12000.50", quantity=100)) is Accepted
    assert type(stp.bids.cancel(outcome.order)) is Accepted
    assert type(stp.bids.cancel(outcome.order)) is Rejected
    assert stp.profile == box.epias_stp.profile


def test_every_read_of_a_participant_is_there(stp: EpiasStp, contract: str) -> None:
    stp.warm_up()
    assert stp.contracts.weekly()
    assert stp.contracts.regional()
    assert stp.contracts.depth_summary(contract) == []
    assert stp.contract_statuses.all()
    assert stp.matches.of(contract) == []
    stp.logout()


def test_operators_calls_carry_their_arguments(box: Sandbox, stp: EpiasStp, contract: str) -> None:
    venue = box.venue("epias_stp")
    stp.bids.save(contract, direction="BUY", price="100.00", quantity=5)
    stp.bids.save(contract, direction="SELL", price="100.00", quantity=5)
    match_id = next(iter(venue.market.matches))
    with EpiasStp(venue.account("OPERATOR1")) as operators:
        details = operators.contracts.get(contract)
        limits = operators.contract_configuration.get(contract)
        gate = limits.gates[0]
        assert details.contract_name == contract
        assert gate.contract_gate_id is not None
        assert limits.dap_scope_date is not None
        assert limits.dap_final_date is not None
        operators.market_prices.calculate_grp("STANDART", date.fromisoformat(contract.removeprefix("GG")))
        outcomes = [
            operators.contract_gates.update(gate.contract_gate_id, end_date=gate.end_date),
            operators.contract_gates.change_status(gate.contract_gate_id, gate_status="PASSIVE"),
            operators.contracts.save(
                "STANDART", direction="BUY", quantity=10, gas_days=date(2027, 1, 5), physical_point_ids=[101]
            ),
            operators.contract_configuration.save(
                contract,
                dap_scope_date=limits.dap_scope_date,
                dap_final_date=limits.dap_final_date,
                grp_scope_date=limits.dap_scope_date,
                grp_final_date=limits.dap_final_date,
                market_ceiling_price="9000.00",
            ),
            *operators.matches.change_status(
                [epias_stp.match_change(match_id, status="CANCEL", description="wrong price")]
            ),
            *operators.payments.order(
                [epias_stp.payment(1, eic="40X000000000101A", amount="1.00", request_time=clock.now())]
            ),
        ]
    assert {type(outcome) for outcome in outcomes} <= {Accepted, Rejected}
    assert [call.operation for call in venue.log][-6:] == [
        "contract_gate_update", "contract_gate_change_status", "contract_save", "contract_conf_save",
        "match_change_status", "payment_order",
    ]  # fmt: skip


def test_a_notebook_whose_own_loop_runs_can_block(box: Sandbox) -> None:
    async def cell() -> bool:
        with EpiasStp(box.epias_stp) as stp:
            return len(stp.contracts.standard()) >= 2  # how many are open depends on the hour

    assert asyncio.run(cell())


def test_cells_open_and_close_without_a_block(box: Sandbox) -> None:
    stp = EpiasStp(box.epias_stp).open()
    assert stp.contracts.standard()
    stp.close()
    with pytest.raises(WrongLoop, match="closed"):
        stp.contracts.standard()
    assert stp.unknown() == []


def test_several_threads_trade_at_once(box: Sandbox, stp: EpiasStp, contract: str) -> None:
    def trade(number: int) -> str | None:
        outcome = stp.bids.save(contract, direction="BUY", price=f"{100 + number}.00", quantity=1)
        order = outcome.accepted()
        return order.id if order else None

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(trade, range(24)))
    assert len(set(numbers)) == 24
    assert len(box.venue("epias_stp").log.executed("bid_save")) == 24


def test_two_clients_have_a_thread_each(box: Sandbox) -> None:
    with EpiasStp(box.epias_stp) as one, EpiasStp(box.venue("epias_stp").account("TRADER2")) as other:
        contract = [c.name for c in one.contracts.standard() if c.is_open()][-1]
        one.bids.save(contract, direction="BUY", price="100.00", quantity=5)
        other.bids.save(contract, direction="SELL", price="100.00", quantity=5)
        (match,) = one.matches.of(contract)
        names = [thread.name for thread in threading.enumerate()]
    assert match.my_own_matching
    assert names.count("gridwire-EpiasStp") == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda stp: stp.contracts.depth("GG19990101"),
        lambda stp: stp.contracts.depth(""),
        lambda stp: stp.bids.save("GG20261201", direction="BUY", price=1.5, quantity=1),
        lambda stp: stp.bids.cancel(7),
    ],
)
def test_errors_are_those_of_the_async_client(box: Sandbox, stp: EpiasStp, call: Callable[[Any], Any]) -> None:
    async def awaited() -> None:
        async with epias_stp.EpiasStp(box.epias_stp) as client:
            await call(client)

    with pytest.raises(GridwireError) as expected:
        asyncio.run(awaited())
    with pytest.raises(GridwireError) as caught:
        call(stp)
    assert type(caught.value) is type(expected.value)
    assert without_keys(str(caught.value)) == without_keys(str(expected.value))


def without_keys(text: str) -> str:
    """Every transaction has an id of its own."""
    return " ".join(word for word in text.split() if word.count("-") < 4)


def test_read_only_and_misuse_raise_before_anything_is_sent(box: Sandbox) -> None:
    with EpiasStp(box.epias_stp, read_only=True) as stp, pytest.raises(ReadOnly):
        stp.bids.cancel("1")
    with pytest.raises(WrongLoop, match="not open"):
        EpiasStp(box.epias_stp).contracts.standard()
    with pytest.raises(ConfigurationError, match="takes an account"):
        EpiasStp("TRADER1")  # type: ignore[arg-type]
    assert len(box.venue("epias_stp").log) == 0


def test_from_env_reads_the_same_settings(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in box.describe()["venues"]["epias_stp"]["env"].items():
        monkeypatch.setenv(name, value)
    client = EpiasStp.from_env(application="desk 7")
    assert type(client) is EpiasStp
    with client as stp:
        stp.contracts.standard()
    assert box.venue("epias_stp").log[0].application == "desk 7"
    monkeypatch.delenv("GRIDWIRE_EPIAS_STP_ENVIRONMENT")
    with pytest.raises(ConfigurationError, match="no default"):
        EpiasStp.from_env()


def test_a_lost_answer_is_an_unknown_that_outlives_the_client(box: Sandbox) -> None:
    with EpiasStp(box.epias_stp) as stp:
        contract = [c.name for c in stp.contracts.standard() if c.is_open()][-1]
        box.venue("epias_stp").faults.add("drop_after_execute", operation="bid_save")
        outcome = stp.bids.save(contract, direction="BUY", price="100.00", quantity=1)
    assert type(outcome) is Unknown
    assert stp.unknown() == [outcome]


def test_closing_from_another_thread_ends_a_write_as_remembered(box: Sandbox, contract: str) -> None:
    venue = box.venue("epias_stp")
    venue.faults.add("silence_after_execute", operation="bid_save")
    stp = EpiasStp(box.epias_stp).open()

    def close_when_it_is_at_the_venue() -> None:
        while not venue.log.executed("bid_save"):
            time.sleep(0.005)
        stp.close()

    closer = threading.Thread(target=close_when_it_is_at_the_venue)
    closer.start()
    with pytest.raises(WrongLoop, match="closed while this call was under way"):
        stp.bids.save(contract, direction="BUY", price="100.00", quantity=1)
    closer.join(5)
    (left,) = stp.unknown()
    assert left.cause == "cancelled"
    assert left.intent.restated["contract"] == contract


def test_a_listener_is_told_on_the_clients_own_thread_and_may_not_block_it(box: Sandbox) -> None:
    heard: list[str] = []

    def listen(_: object) -> None:
        try:
            stp.contracts.standard()
        except WrongLoop as error:
            heard.append(f"{threading.current_thread().name}: {error}")

    box.venue("epias_stp").faults.add("status", status=503)
    with EpiasStp(box.epias_stp, on_event=listen) as stp:
        stp.contracts.standard()
    assert any(text.startswith("gridwire-EpiasStp: This is the thread of EpiasStp itself") for text in heard)


def test_a_blocking_call_costs_little_beside_its_request(stp: EpiasStp) -> None:
    stp._bridge.run(int)
    best = min(_seconds(lambda: stp._bridge.run(int)) for _ in range(50))
    assert best < 0.005


def _seconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


PAIRS = [
    (epias_stp.EpiasStp, face.EpiasStp),
    (AsyncSandbox, Sandbox),
    *(
        (getattr(module, name), getattr(face, name))
        for module, names in (
            (bids, ("Bids",)),
            (contracts, ("Contracts", "ContractStatuses", "MarketPrices")),
            (operator, ("ContractConfigurations", "ContractGates", "Matches", "Payments")),
        )
        for name in names
    ),
]


@pytest.mark.parametrize(("theirs", "ours"), PAIRS, ids=lambda pair: pair.__name__)
def test_names_parameters_defaults_and_annotations_are_the_same(theirs: type, ours: type) -> None:
    def methods(owner: type) -> dict[str, Any]:
        return {name: member for name, member in vars(owner).items() if not name.startswith("_")}

    assert list(methods(theirs)) == list(methods(ours))
    for name, member in methods(theirs).items():
        if inspect.isfunction(member) or isinstance(member, classmethod):
            assert inspect.signature(getattr(theirs, name)) == inspect.signature(getattr(ours, name))
    if issubclass(ours, Blocking):
        assert inspect.signature(theirs) == inspect.signature(ours)


def test_the_public_names_can_be_had_and_no_others() -> None:
    assert gridwire.sync.__all__ == ["EdsnPie", "EpiasStp", "Sandbox", "Siooi", "Stream"]
    assert all(hasattr(gridwire.sync, name) for name in gridwire.sync.__all__)
    assert not hasattr(gridwire.sync, "IbexIntraday")
