"""epias_stp/desk.py: which desks can be opened, and over what their orders go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gridwire.epias_stp import PRODUCTION, BidStatus, EpiasStp
from gridwire.errors import ConfigurationError, InvalidInput, NotSent, ReadOnly, Unconfirmed, WrongLoop
from gridwire.observe.events import Event
from gridwire.outcome import Accepted, Unknown
from gridwire.sandbox import Sandbox
from tests.epias_stp.trading import CONTRACT, accepted, buy, refused, trading

# opening


async def test_one_desk_per_client_at_a_time() -> None:
    async with trading() as t:
        with pytest.raises(ConfigurationError, match="open desk already"):
            async with t.stp.desk():
                pass
        accepted(await buy(t.desk))
        await t.desk.__aexit__(None, None, None)
        async with t.stp.desk() as desk:
            accepted(await buy(desk))
        await t.desk.__aenter__()


async def test_desk_is_used_open_or_not_at_all() -> None:
    async with Sandbox("epias_stp") as box, EpiasStp(box.epias_stp) as stp:
        desk = stp.desk(contracts=[CONTRACT])
        with pytest.raises(WrongLoop, match="not open"):
            await buy(desk)
        async with desk:
            accepted(await buy(desk))
        with pytest.raises(WrongLoop, match="not open"):
            await buy(desk)
        with pytest.raises(WrongLoop, match="not open"):
            _ = desk.timings
        assert not stp.ticket_stats().armed


async def test_desk_that_cannot_be_opened_leaves_the_client_as_it_was() -> None:
    async with Sandbox("epias_stp") as box:
        account = box.epias_stp
        nowhere = replace(account, profile=replace(account.profile, stp_url="http://127.0.0.1:9"))
        async with EpiasStp(nowhere) as stp:
            for _ in range(2):
                with pytest.raises(NotSent, match="nothing listens there"):
                    async with stp.desk(contracts=[CONTRACT]):
                        pass
                assert not stp.ticket_stats().armed


async def test_options_of_a_desk_that_cannot_be_meant() -> None:
    async with Sandbox("epias_stp") as box, EpiasStp(box.epias_stp) as stp:
        for options, words in (
            ({"contracts": CONTRACT}, "a list is needed"),
            ({"contracts": []}, "contracts is empty"),
            ({"contracts": [7]}, "contracts=7"),
            ({"bid_type": "NONE"}, "bid_type="),
        ):
            with pytest.raises(InvalidInput, match=words):
                stp.desk(**options)
        with pytest.raises(ConfigurationError, match="order_transport"):
            stp.desk(order_transport="carrier pigeon")  # type: ignore[arg-type]


async def test_desk_without_named_contracts_trades_any() -> None:
    async with trading(contracts=None) as t:
        accepted(await t.desk.buy("GG20261130", price="100", quantity=1))
        accepted(await t.desk.buy("GG20261130", price="101", quantity=1))
        assert len(t.venue.market.bids) == 2


async def test_read_only_and_unconfirmed_clients_have_no_desk() -> None:
    async with Sandbox("epias_stp") as box:
        async with EpiasStp(box.epias_stp, read_only=True) as stp:
            with pytest.raises(ReadOnly, match="Nothing was sent"):
                stp.desk()
        real = replace(box.epias_stp, profile=PRODUCTION, ca_pem=None)
        async with EpiasStp(real) as stp:
            with pytest.raises(Unconfirmed, match="confirmed"):
                stp.desk()


async def test_httpx_is_chosen_with_a_notice_where_a_proxy_is_configured() -> None:
    events: list[Event] = []
    async with (
        Sandbox("epias_stp") as box,
        EpiasStp(box.epias_stp, proxy="http://127.0.0.1:9", on_event=events.append) as stp,
    ):
        stp.desk()
        assert [event.name for event in events] == ["desk.httpx"]
        with pytest.raises(ConfigurationError, match="past the proxy"):
            stp.desk(order_transport="lane")
        stp.desk(order_transport="httpx")
        assert len(events) == 1  # asked for, it needs no notice


async def test_httpx_is_chosen_where_proxies_of_the_environment_may_be_used() -> None:
    async with trading(client={"trust_env": True}) as t:
        assert "desk.httpx" in t.codes()
        accepted(await buy(t.desk))


async def test_bids_of_the_same_account_elsewhere_count_when_a_desk_opens(tmp_path: Path) -> None:
    async with Sandbox("epias_stp") as box, EpiasStp(box.epias_stp, journal=tmp_path) as first:
        bid = await first.bids.save(CONTRACT, direction="BUY", price="1000", quantity=5, bid_type="STANDART_MATCH")
        assert isinstance(bid, Accepted)
        async with EpiasStp(box.epias_stp, journal=tmp_path) as second, second.desk() as desk:
            assert desk.open_notional == 5_000
            assert [type(one) for one in await desk.cancel_all()] == [Accepted]
            assert desk.open_notional == 0


async def test_passive_bid_counts_as_well() -> None:
    async with trading() as t:
        accepted(await buy(t.desk, price="10.00", quantity=1, bid_status=BidStatus.PASSIVE))
        assert t.desk.open_notional == 10


@pytest.mark.parametrize("transport", ["lane", "httpx"])
@pytest.mark.parametrize("fmt", ["json", "xml"])
async def test_orders_go_in_the_form_of_messages_that_the_client_was_made_for(transport: str, fmt: str) -> None:
    async with trading(
        client={"message_format": fmt}, order_transport=transport, bid_type="MATCH_WITH_TIME_LIMIT"
    ) as t:
        shown = t.desk.preview(
            "BUY", CONTRACT, price="12000.50", quantity=155, expire_time=datetime(2026, 12, 1, 12, tzinfo=UTC)
        )
        assert shown.count(f"application/{fmt}".encode()) == 2
        assert (b"<contractName>" in shown) == (fmt == "xml")
        bid = accepted(await t.desk.buy(CONTRACT, price="12000.50", quantity=155, bid_type="STANDART_MATCH"))
        held = t.venue.market.bids[bid.id or ""]
        assert (held.price, held.remaining, held.direction) == (1200050, 155, "BUY")
        bid = accepted(await t.desk.modify(bid, price="12000.75", quantity=4))
        assert (held.price, held.remaining) == (1200075, 4)
        refused(await t.desk.modify(bid, price="31000.00", quantity=4), "BID-0001", "venue")
        accepted(await t.desk.cancel(bid))
        assert str(held.status) == "CANCEL"
        t.venue.faults.add("drop_after_execute", operation="bid_save")
        assert isinstance(await buy(t.desk, bid_type="STANDART_MATCH"), Unknown)
        assert {call.wire for call in t.venue.log.calls()} == {fmt}
        assert len(t.venue.log.calls("bid_update")) == 2


@pytest.mark.parametrize("switch", ["resend_on_security_error", "retry_cancel"])
async def test_a_switch_that_a_desk_does_not_know_is_said_when_it_opens(switch: str) -> None:
    async with trading(client={switch: True}) as t:
        assert t.codes().count("desk.one_attempt") == 1
        bid = accepted(await buy(t.desk))
        t.venue.faults.add("drop_before_execute", operation="bid_cancel")
        assert isinstance(await t.desk.cancel(bid), Unknown)
        assert len(t.venue.log.calls("bid_cancel")) == 1
    async with trading() as t:
        assert "desk.one_attempt" not in t.codes()
