"""transport/lanes.py: a lane stands ready, or the reason why none does is said before anything is sent."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gridwire.errors import ConfigurationError, NoAnswer, NotSent
from gridwire.transport.lane import Answer, Lane
from gridwire.transport.lanes import LaneLimits, Lanes
from gridwire.transport.tls import Network
from tests.support.fault_proxy import fault_proxy
from tests.support.raw_server import http_answer, raw_server, read_request
from tests.transport.servers import REQUEST, authority, descriptors, port_of, served

OK = http_answer(b"body!")


async def faithful(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await read_request(reader)
        writer.write(OK)


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await read_request(reader)
        await asyncio.sleep(2)
        writer.write(OK)


def network(tls: bool = False, timeout_s: float = 10.0) -> Network:
    return Network(ca_pem=authority().pem if tls else None, timeout_s=timeout_s)


async def order(lanes: Lanes) -> Answer:
    """As a desk does it."""
    if not lanes.ready():
        await lanes.open_one()
    future = lanes.expect()
    lanes.write(REQUEST)
    return await future


async def settle() -> None:
    await asyncio.sleep(0.05)


@asynccontextmanager
async def watched(lanes: Lanes) -> AsyncIterator[Lanes]:
    """Open ``lanes``; afterwards no task and no descriptor of theirs is left."""
    async with lanes:
        yield lanes
    await settle()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("gridwire")]
    assert not lanes._all
    assert not lanes._free


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_orders_go_over_standing_lanes_without_a_handshake(tls: bool) -> None:
    async with served(faithful, tls=tls) as server, watched(Lanes(server.url, network(tls))) as lanes:
        await settle()
        assert (lanes.handshakes, server.connections) == (2, 2)
        for _ in range(50):
            assert lanes.ready()
            assert (await order(lanes)).body == b"body!"
        assert (lanes.handshakes, server.connections, lanes.found_closed) == (2, 2, 0)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_an_hour_of_rest_costs_no_order_a_handshake(tls: bool) -> None:
    async with served(faithful, tls=tls) as server, watched(Lanes(server.url, network(tls))) as lanes:
        for pause_s in (60, 1, 11.9, 12.1, 13, 14.9, 3600, 0.1, 24.1):
            await asyncio.sleep(pause_s)
            assert lanes.ready()  # so the order itself opens nothing, whatever the keeper does at this moment
            await order(lanes)
        assert lanes.found_closed == 0
        assert lanes.handshakes < 2 * (3800 / 12) + 20


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_lanes_are_replaced_before_a_server_closes_idle_ones(tls: bool) -> None:
    """Make before break: with two standing lanes there is at no moment none, and none is ever found closed."""
    closed = 0

    async def impatient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal closed
        while True:
            try:
                async with asyncio.timeout(15):
                    await read_request(reader)
            except TimeoutError:
                closed += 1
                return
            writer.write(OK)

    async with served(impatient, tls=tls) as server, watched(Lanes(server.url, network(tls))) as lanes:
        for _ in range(1000):
            await asyncio.sleep(0.37)
            assert lanes.ready()
    assert (closed, lanes.found_closed) == (0, 0)


async def test_lanes_in_use_when_the_keeper_looks_are_replaced_too() -> None:
    """Both were waiting for answers at the moment of replacement, and stand idle afterwards."""
    async with raw_server(slow) as server, watched(Lanes(server.url, network())) as lanes:
        await asyncio.sleep(11)
        await asyncio.gather(order(lanes), order(lanes))
        assert len(lanes._free) == 2
        before = lanes.handshakes
        await asyncio.sleep(12)
        assert lanes.handshakes >= before + 2
        assert all(lane.used_at > 13 for lane in lanes._all)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("both", [False, True], ids=["one closed", "both closed"])
async def test_half_closed_lane_is_found_before_an_order_is_given_to_it(tls: bool, both: bool) -> None:
    async with served(faithful, tls=tls) as server, fault_proxy(port_of(server)) as proxy:
        url = server.url.replace(str(port_of(server)), str(proxy.port))
        async with watched(Lanes(url, network(tls))) as lanes:
            await settle()
            for link in list(proxy.links)[: 2 if both else 1]:
                link.end()
            await asyncio.sleep(0)  # the end is in the kernel; whether a lane was told of it is chance
            for _ in range(4):
                assert (await order(lanes)).body == b"body!"


async def test_poll_finds_what_the_loop_has_not_told_yet() -> None:
    """On a real socket: the FIN has arrived, the loop has not run, the spare lane is used and the count says so."""
    async with raw_server(faithful) as server, watched(Lanes(server.url, network())) as lanes:
        await settle()
        victim = lanes._free[-1]
        transport = victim._transport
        assert transport is not None
        transport.get_extra_info("socket").shutdown(socket.SHUT_RD)  # reads as end of file from now on
        assert not victim.dead
        assert lanes.ready()
        assert (lanes.found_closed, victim in lanes._free) == (1, False)
        assert (await order(lanes)).body == b"body!"
        await settle()
        assert victim.dead
        assert len(lanes._all) == 2  # and the keeper has made another


async def test_overlapping_orders_do_not_wait_for_each_other() -> None:
    loop = asyncio.get_running_loop()
    async with raw_server(slow) as server, watched(Lanes(server.url, network())) as lanes:
        began = loop.time()
        answers = await asyncio.gather(*(order(lanes) for _ in range(6)))
        assert [answer.status for answer in answers] == [200] * 6
        assert loop.time() - began == pytest.approx(2, abs=0.1)
        await asyncio.sleep(30)
        assert len(lanes._all) == 2  # the ones over the standing number are let go


async def test_never_more_lanes_than_allowed_and_nobody_starves() -> None:
    live, most = 0, 0

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal live, most
        live += 1
        most = max(most, live)
        try:
            await slow(reader, writer)
        finally:
            live -= 1

    loop = asyncio.get_running_loop()
    limits = LaneLimits(standing=2, most=4, connect_timeout_s=30)
    async with raw_server(counting) as server, watched(Lanes(server.url, network(), limits)) as lanes:
        began = loop.time()
        answers = await asyncio.gather(*(order(lanes) for _ in range(20)))
        assert [answer.status for answer in answers] == [200] * 20
        assert loop.time() - began == pytest.approx(10, abs=0.5)
    assert most <= 4


async def test_when_all_lanes_stay_busy_the_order_is_not_sent() -> None:
    loop = asyncio.get_running_loop()
    limits = LaneLimits(standing=1, most=2, connect_timeout_s=1)
    async with raw_server(slow) as server, watched(Lanes(server.url, network(), limits)) as lanes:
        busy = [asyncio.create_task(order(lanes)) for _ in range(2)]
        await settle()
        began = loop.time()
        with pytest.raises(
            NotSent, match=r"All 2 order connections are waiting for answers\. Nothing was sent"
        ) as caught:
            await order(lanes)
        assert caught.value.reason == "pool"
        assert loop.time() - began == pytest.approx(1, abs=0.01)
        await asyncio.gather(*busy)
        assert (await order(lanes)).status == 200


async def test_lane_that_dies_makes_room_for_one_who_waits() -> None:
    async def dying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await asyncio.sleep(1)

    loop = asyncio.get_running_loop()
    limits = LaneLimits(standing=1, most=2, connect_timeout_s=5)
    async with raw_server(dying) as server, watched(Lanes(server.url, network(), limits)) as lanes:
        lost = [asyncio.create_task(order(lanes)) for _ in range(2)]
        await settle()
        waiting = asyncio.create_task(order(lanes))
        for task in lost:
            with pytest.raises(NoAnswer):
                await task
        with pytest.raises(NoAnswer):
            await waiting  # it got a connection and was lost with it, at once and not after five seconds
        assert loop.time() < 3


async def test_busy_lanes_of_cancelled_callers_come_back() -> None:
    limits = LaneLimits(standing=1, most=2, connect_timeout_s=5)
    async with raw_server(slow) as server, watched(Lanes(server.url, network(), limits)) as lanes:
        for _ in range(3):
            callers = [asyncio.create_task(order(lanes)) for _ in range(2)]
            await settle()
            for caller in callers:
                caller.cancel()
            assert [str(type(one)) for one in await asyncio.gather(*callers, return_exceptions=True)] == [
                str(asyncio.CancelledError)
            ] * 2
        assert (await order(lanes)).status == 200
        assert len(lanes._all) <= 2


# what keeps a lane from coming up


async def opening_fails(url: str, net: Network, limits: LaneLimits | None = None) -> NotSent:
    with pytest.raises(NotSent, match=r"Nothing was sent\.$") as caught:
        async with Lanes(url, net, limits):
            pass
    await settle()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("gridwire")]
    return caught.value


async def test_nothing_listens_there() -> None:
    error = await opening_fails("http://127.0.0.1:9", network())
    assert error.reason == "refused"
    assert "nothing listens there" in str(error)


async def test_certificate_nobody_trusts() -> None:
    async with served(faithful, tls=True) as server:
        error = await opening_fails(server.url, Network())
    assert error.reason == "tls"
    assert "certificate cannot be trusted" in str(error)


async def test_no_tls_where_tls_should_be() -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_server(web) as server:
        error = await opening_fails(server.url.replace("http:", "https:"), network(tls=True))
    assert (error.reason, "the TLS handshake failed" in str(error)) == ("tls", True)


async def test_handshake_that_is_never_answered() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3600)

    loop = asyncio.get_running_loop()
    async with raw_server(deaf) as server:
        began = loop.time()
        error = await opening_fails(server.url.replace("http:", "https:"), network(tls=True))
    assert error.reason == "timeout"
    assert loop.time() - began == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_connection_that_is_closed_at_once_never_counts_as_a_lane(tls: bool) -> None:
    """A load balancer without a server behind it: accepted, and closed before a byte was said."""

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        return

    async with served(close, tls=tls) as server:
        lanes = Lanes(server.url, network(tls))
        try:
            async with lanes:
                for _ in range(20):
                    await asyncio.sleep(1)
                    with pytest.raises((NotSent, NoAnswer)):
                        await order(lanes)
                    assert not any(lane.dead for lane in lanes._all)
        except NotSent as error:
            assert "the connection failed" in str(error)  # noqa: PT017 - the first one may fail, or a later one
        assert not lanes._all
    assert server.connections < 120  # 20 orders, and a keeper that does not storm a server in trouble


async def test_second_lane_that_fails_does_not_leave_the_first_open() -> None:
    before = descriptors()
    async with raw_server(faithful) as server:
        open_before = descriptors()
        lanes = Lanes(server.url, network())
        loop = asyncio.get_running_loop()
        create, calls = loop.create_connection, Counter[str]()

        async def once(*args: Any, **more: Any) -> Any:
            calls["all"] += 1
            if calls["all"] > 1:
                raise ConnectionResetError
            return await create(*args, **more)

        loop.create_connection = once  # type: ignore[method-assign]
        with pytest.raises(NotSent):
            async with lanes:
                pass
        await settle()
        assert not lanes._all
        assert descriptors() == open_before
    await settle()
    assert descriptors() == before


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_cancelling_at_any_step_of_opening_leaks_nothing(tls: bool) -> None:
    async with served(faithful, tls=tls) as server:
        lanes = Lanes(server.url, network(tls))
        async with lanes:
            await settle()
        await settle()
        for steps in range(60):
            before = descriptors()
            lanes = Lanes(server.url, network(tls))
            opening = asyncio.create_task(lanes.__aenter__())
            for _ in range(steps):
                await asyncio.sleep(0)
            opening.cancel()
            try:
                await opening
            except asyncio.CancelledError:
                pass
            else:
                await lanes.__aexit__(None, None, None)
            await settle()
            assert not lanes._all
            assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("gridwire")]
            assert descriptors() <= before


async def test_keeper_says_what_is_wrong_and_mends_it_when_it_can() -> None:
    troubles: list[str] = []
    async with raw_server(faithful) as server, fault_proxy(port_of(server)) as proxy:
        url = server.url.replace(str(port_of(server)), str(proxy.port))
        async with watched(Lanes(url, network(), on_trouble=troubles.append)) as lanes:
            proxy.target = 9  # nothing listens there: connections through the proxy are accepted and end
            loop = asyncio.get_running_loop()
            create = loop.create_connection

            async def refuse(*args: Any, **more: Any) -> Any:
                raise ConnectionRefusedError

            loop.create_connection = refuse  # type: ignore[method-assign]
            proxy.hang_up()
            await asyncio.sleep(60)
            assert 10 <= len(troubles) <= 25  # it backs off to five seconds
            assert all(text.endswith("nothing listens there. Nothing was sent.") for text in troubles)
            loop.create_connection, proxy.target = create, port_of(server)  # type: ignore[method-assign]
            await asyncio.sleep(6)
            assert lanes.ready()
            assert (await order(lanes)).status == 200


async def test_keeper_without_a_listener_goes_on_as_well() -> None:
    async with raw_server(faithful) as server, watched(Lanes(server.url, network())) as lanes:
        loop = asyncio.get_running_loop()
        create = loop.create_connection

        async def refuse(*args: Any, **more: Any) -> Any:
            raise OSError

        loop.create_connection = refuse  # type: ignore[method-assign]
        for lane in list(lanes._all):
            lane.retire()
        await asyncio.sleep(3)
        loop.create_connection = create  # type: ignore[method-assign]
        await asyncio.sleep(6)
        assert (await order(lanes)).status == 200


# names


class Names:
    """Stands for the resolver of the loop."""

    def __init__(self, *found: str) -> None:
        self.found = list(found)
        self.asked = 0
        self.failure: Exception | None = None
        self.hangs = False

    async def __call__(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked += 1
        if self.hangs:
            await asyncio.sleep(3600)
        if self.failure is not None:
            raise self.failure
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.found]


def named(url: str) -> str:
    """``url`` with a name that has to be resolved."""
    return url.replace("127.0.0.1", "localhost")


def resolving(names: Names) -> None:
    asyncio.get_running_loop().getaddrinfo = names  # type: ignore[method-assign,assignment]


async def test_name_is_looked_up_ahead_and_not_with_an_order() -> None:
    names = Names("127.0.0.1")
    resolving(names)
    async with raw_server(slow) as server, watched(Lanes(named(server.url), network())) as lanes:
        await asyncio.gather(*(order(lanes) for _ in range(8)))
        assert names.asked == 1
        await asyncio.sleep(600)
        assert 8 <= names.asked <= 12  # about once a minute, by the keeper
        asked = names.asked
        await asyncio.gather(*(order(lanes) for _ in range(2)))
        assert names.asked == asked


async def test_name_that_cannot_be_resolved_is_not_sent() -> None:
    for failure in (socket.gaierror(socket.EAI_NONAME, "unknown"), UnicodeError("label too long")):
        names = Names()
        names.failure = failure
        resolving(names)
        error = await opening_fails("http://localhost:1", network())
        assert (error.reason, "cannot be resolved" in str(error)) == ("dns", True)


async def test_resolver_that_hangs_is_not_waited_for() -> None:
    names = Names()
    names.hangs = True
    resolving(names)
    error = await opening_fails("http://localhost:1", network())
    assert error.reason == "timeout"
    assert asyncio.get_running_loop().time() == pytest.approx(5, abs=0.1)


async def test_outage_of_the_resolver_does_not_stop_orders() -> None:
    names = Names("127.0.0.1")
    resolving(names)
    async with raw_server(faithful) as server, watched(Lanes(named(server.url), network())) as lanes:
        await asyncio.sleep(30)
        names.failure = socket.gaierror(socket.EAI_AGAIN, "try again")
        await asyncio.sleep(600)
        assert lanes.ready()
        assert (await order(lanes)).status == 200


async def test_next_address_of_a_name_is_tried_where_the_first_one_fails() -> None:
    names = Names("127.0.0.9", "127.0.0.1")
    resolving(names)
    async with raw_server(faithful) as server:
        loop = asyncio.get_running_loop()
        create = loop.create_connection

        async def partly(factory: Any, host: str, port: int, **more: Any) -> Any:
            if host == "127.0.0.9":
                raise ConnectionRefusedError
            return await create(factory, host, port, **more)

        loop.create_connection = partly  # type: ignore[method-assign,assignment]
        async with watched(Lanes(named(server.url), network())) as lanes:
            assert (await order(lanes)).status == 200


# settings


async def test_answer_is_awaited_as_long_as_the_client_s_timeout_unless_told_otherwise() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3600)

    loop = asyncio.get_running_loop()
    for limits, wanted_s in ((None, 3), (LaneLimits(answer_timeout_s=1), 1)):
        async with raw_server(silent) as server, watched(Lanes(server.url, network(timeout_s=3), limits)) as lanes:
            began = loop.time()
            with pytest.raises(NoAnswer, match=f"within {wanted_s} s"):
                await order(lanes)
            assert loop.time() - began == pytest.approx(wanted_s, abs=0.01)


def test_cleartext_leaves_no_machine() -> None:
    with pytest.raises(ConfigurationError, match="not encrypted"):
        Lanes("http://stp.epias.com.tr", network())


async def test_write_needs_a_lane_taken_before() -> None:
    async with raw_server(faithful) as server, watched(Lanes(named(server.url), network())) as lanes:
        with pytest.raises(RuntimeError, match="expect"):
            lanes.write(REQUEST)


async def test_lane_of_which_nobody_knows_what_left_is_used_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def surprised(*_: object) -> None:
        raise ValueError("half of it")

    async with raw_server(faithful) as server, watched(Lanes(server.url, network())) as lanes:
        monkeypatch.setattr("gridwire.transport.lane.Lane._hand_over", surprised)
        taken = lanes._free[-1]
        lanes.expect().cancel()
        with pytest.raises(ValueError, match="half of it"):
            lanes.write(REQUEST)
        assert taken.dead
        assert taken not in lanes._all


async def test_closing_settles_the_orders_under_way() -> None:
    async with raw_server(slow) as server:
        async with watched(Lanes(server.url, network())) as lanes:
            caller = asyncio.create_task(order(lanes))
            await settle()
        with pytest.raises(NoAnswer):
            await caller


async def test_dead_lane_left_in_the_list_is_passed_over() -> None:
    async with raw_server(faithful) as server, watched(Lanes(server.url, network())) as lanes:
        dead = Lane(asyncio.get_running_loop(), lanes, context=None, host="x")
        dead.retire()
        lanes._free.append(dead)
        assert lanes.ready()
        assert lanes._free[-1] is not dead
