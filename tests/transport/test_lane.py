"""transport/lane.py: one request, one answer, or one honest failure; what nobody asked for ends the connection."""

from __future__ import annotations

import asyncio
import errno
import os
import select

import pytest

from gridwire.errors import NoAnswer, NotSent
from gridwire.transport.lane import Answer, Lane
from tests.support.raw_server import answering, http_answer, read_request
from tests.transport.servers import REQUEST, Held, Keeper, descriptors, lane_to, port_of, served, staying, trusting

pytestmark = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])

OK = http_answer(b"body!")


async def settle() -> None:
    await asyncio.sleep(0.05)


# answers


async def test_answer_comes_back_whole_and_the_lane_stands_idle_again(tls: bool) -> None:
    said = http_answer(b"no", "503 Busy", "X-A: 1", "x-a: 2")
    async with lane_to(staying(said, OK), tls=tls) as held:
        first = await held.ask()
        assert (first.status, first.body, first.headers) == (503, b"no", {"content-length": "2", "x-a": "1, 2"})
        assert held.keeper.idle == [held.lane]
        assert (await held.ask()).body == b"body!"
        assert held.keeper.idle == [held.lane, held.lane]
        assert not held.keeper.dead


async def test_answer_in_single_bytes_is_put_together(tls: bool) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for byte in OK:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.01)
        await asyncio.sleep(1)

    async with lane_to(drip, tls=tls) as held:
        assert (await held.ask()).body == b"body!"


async def test_long_answer_over_many_reads_is_put_together(tls: bool) -> None:
    body = os.urandom(300_000)
    async with lane_to(staying(http_answer(body), OK), tls=tls) as held:
        assert (await held.ask()).body == body
        assert (await held.ask()).body == b"body!"


async def test_chunked_answer_is_put_together(tls: bool) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n3\r\ndy!\r\n0\r\n\r\n"
    async with lane_to(staying(chunked), tls=tls) as held:
        assert (await held.ask()).body == b"body!"


async def test_interim_answers_are_passed_over(tls: bool) -> None:
    interim = b"HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with lane_to(staying(interim + OK, OK), tls=tls) as held:
        answer = await held.ask()
        assert (answer.status, answer.body) == (200, b"body!")
        assert "x-interim" not in answer.headers
        assert (await held.ask()).status == 200


@pytest.mark.parametrize(
    "said", [http_answer(b"body!", "200 OK", "Connection: close"), b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nbody!"]
)
async def test_answer_that_ends_the_connection_counts_and_the_lane_does_not_stay(tls: bool, said: bytes) -> None:
    async with lane_to(answering(said), tls=tls) as held:
        assert (await held.ask()).body == b"body!"
        assert held.lane.dead
        assert (held.keeper.idle, held.keeper.dead) == ([], [held.lane])


# no answers


async def failure(held: Held, timeout_s: float = 10.0) -> NoAnswer:
    with pytest.raises(NoAnswer, match=r"The order had left.*may be at the venue") as caught:
        await held.ask(timeout_s)
    assert held.lane.dead
    assert held.keeper.dead == [held.lane]
    assert held.lane.pending is None
    return caught.value


@pytest.mark.parametrize("cut", range(0, len(OK), 3))
async def test_answer_cut_anywhere_is_no_answer(tls: bool, cut: int) -> None:
    async with lane_to(answering(OK[:cut]), tls=tls) as held:
        assert (await failure(held)).reason == "disconnected"


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\x01garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\x00\x01",
    ],
)
async def test_garbage_is_no_answer(tls: bool, garbage: bytes) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(garbage)
        await asyncio.sleep(1)

    async with lane_to(say, tls=tls) as held:
        assert (await failure(held)).reason == "garbage"


@pytest.mark.parametrize("size", [2000, 200_000])
async def test_answer_over_the_limit_is_not_read_to_its_end(tls: bool, size: int) -> None:
    async with lane_to(answering(http_answer(b"x" * size)), tls=tls, max_bytes=1000) as held:
        error = await failure(held)
    assert error.reason == "too_large"
    assert "longer than 1000 bytes" in str(error)


async def test_limit_holds_for_each_answer_and_not_for_all_together(tls: bool) -> None:
    said = http_answer(b"x" * 800)
    async with lane_to(staying(said, said, said), tls=tls, max_bytes=1000) as held:
        for _ in range(3):
            assert len((await held.ask()).body) == 800


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    await asyncio.sleep(3600)


async def test_silence_ends_at_the_deadline(tls: bool) -> None:
    loop = asyncio.get_running_loop()
    async with lane_to(silent, tls=tls) as held:
        began = loop.time()
        error = await failure(held, 7)
        assert loop.time() - began == pytest.approx(7, abs=0.01)
    assert (error.reason, "within 7 s" in str(error)) == ("timeout", True)


async def test_deadline_is_each_request_s_own_though_one_timer_serves_them(tls: bool) -> None:
    async def late_twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for pause_s in (6.0, 6.0, 3600.0):
            await read_request(reader)
            await asyncio.sleep(pause_s)
            writer.write(OK)

    loop = asyncio.get_running_loop()
    async with lane_to(late_twice, tls=tls) as held:
        assert [(await held.ask()).status for _ in range(2)] == [200, 200]
        began = loop.time()
        assert (await failure(held)).reason == "timeout"
        assert loop.time() - began == pytest.approx(10, abs=0.01)


async def test_idle_lane_outlives_the_deadline_of_its_last_request(tls: bool) -> None:
    async with lane_to(staying(OK, OK), tls=tls) as held:
        await held.ask()
        await asyncio.sleep(60)
        assert (await held.ask()).status == 200


async def test_answer_after_the_deadline_goes_to_nobody(tls: bool) -> None:
    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await asyncio.sleep(11)
        writer.write(OK)
        await asyncio.sleep(3600)

    async with lane_to(late, tls=tls) as held:
        assert (await failure(held)).reason == "timeout"
        await asyncio.sleep(5)
        assert held.keeper.idle == []


async def test_bytes_already_on_the_way_when_a_lane_is_retired_are_dropped(tls: bool) -> None:
    async def chatty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await asyncio.sleep(3600)

    async with lane_to(chatty, tls=tls) as held:
        assert held.lane.dead  # it spoke before it was asked
        held.lane.get_buffer(-1)[:5] = b"stray"
        held.lane.buffer_updated(5)
        assert held.keeper.dead == [held.lane]


# answers nobody asked for


@pytest.mark.parametrize("extra", [OK, OK[:20], OK[:-2], b"\r\n\x00garbage"])
async def test_bytes_behind_an_answer_end_the_lane_and_not_the_answer(tls: bool, extra: bytes) -> None:
    async with lane_to(staying(OK + extra), tls=tls) as held:
        assert (await held.ask()).body == b"body!"
        assert held.lane.dead
        assert held.keeper.idle.count(held.lane) == 1
        assert held.keeper.dead == [held.lane]


async def test_second_answer_that_comes_later_ends_the_idle_lane(tls: bool) -> None:
    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(OK)
        await asyncio.sleep(1)
        writer.write(OK)
        await asyncio.sleep(3600)

    async with lane_to(twice, tls=tls) as held:
        await held.ask()
        assert held.lane.silent()
        await asyncio.sleep(2)
        assert held.lane.dead


# callers that go away


async def test_lane_of_a_cancelled_caller_is_usable_again_after_the_answer(tls: bool) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await read_request(reader)
            await asyncio.sleep(1)
            writer.write(OK)
        await asyncio.sleep(3600)

    async with lane_to(slow, tls=tls) as held:
        caller = asyncio.create_task(held.ask())
        await settle()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert held.keeper.idle == []  # the answer is still to come: nobody else may have the lane
        await asyncio.sleep(2)
        assert held.keeper.idle == [held.lane]
        assert (await held.ask()).body == b"body!"


async def test_an_odd_answer_to_a_cancelled_caller_ends_the_lane(tls: bool) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await asyncio.sleep(1)
        writer.write(b"HTTP/1.1 200 OK\nContent-Length: 5\n\nbody!")  # bare line feeds: RFC 9112, section 2.2
        await asyncio.sleep(3600)

    async with lane_to(behave, tls=tls) as held:
        caller = asyncio.create_task(held.ask())
        await settle()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await asyncio.sleep(2)
        assert held.lane.dead
        assert held.lane.pending is None


@pytest.mark.parametrize("ends", ["silence", "disconnect"])
async def test_lane_of_a_cancelled_caller_without_an_answer_is_retired(tls: bool, ends: str) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await asyncio.sleep(3600 if ends == "silence" else 1)

    async with lane_to(behave, tls=tls) as held:
        caller = asyncio.create_task(held.ask())
        await settle()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await asyncio.sleep(11)
        assert held.lane.dead
        assert held.lane.pending is None


# before a byte leaves


async def test_poll_sees_that_the_server_has_left_before_the_loop_does(tls: bool) -> None:
    closing: list[asyncio.StreamWriter] = []

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        closing.append(writer)
        await asyncio.sleep(3600)

    async with lane_to(leave, tls=tls) as held:
        assert held.lane.silent()
        closing[0].transport.abort()
        for _ in range(3):
            await asyncio.sleep(0)
            if not held.lane.silent():
                break
        assert not held.lane.silent() or held.lane.dead


async def test_retired_lane_writes_nothing(tls: bool) -> None:
    async with lane_to(answering(OK), tls=tls) as held:
        held.lane.retire()
        held.lane.expect()
        with pytest.raises(NotSent, match="Nothing was sent") as caught:
            held.lane.write(REQUEST, 10)
        assert caught.value.reason == "closed"
        assert held.lane.pending is None
        assert held.server.requests == []


async def test_connection_that_asyncio_is_closing_takes_nothing(tls: bool) -> None:
    async with lane_to(answering(OK), tls=tls) as held:
        transport = held.lane._transport
        assert transport is not None
        transport.close()
        held.lane.expect()
        with pytest.raises(NotSent):
            held.lane.write(REQUEST, 10)
        assert held.lane.dead


async def test_lane_that_never_connected_writes_nothing(tls: bool) -> None:
    keeper = Keeper()
    context = trusting() if tls else None
    lane = Lane(asyncio.get_running_loop(), keeper, context=context, host="127.0.0.1")
    lane.expect()
    with pytest.raises(NotSent):
        lane.write(REQUEST, 10)
    assert keeper.dead == [lane]
    assert lane.up.cancelled()


# handing bytes to the kernel


@pytest.mark.parametrize("error", [errno.EPIPE, errno.ECONNRESET, errno.EBADF])
async def test_kernel_that_takes_nothing_means_not_sent(tls: bool, error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async with lane_to(answering(OK), tls=tls) as held:
        held.lane.expect()

        def refuse(descriptor: int, data: bytes) -> int:
            raise OSError(error, os.strerror(error))

        with monkeypatch.context() as patched:
            patched.setattr(os, "write", refuse)
            with pytest.raises(NotSent, match="Nothing was sent"):
                held.lane.write(REQUEST, 10)
        assert held.lane.dead
        assert held.lane.pending is None
        await settle()
        assert held.server.requests == []


@pytest.mark.parametrize("taken", [-1, 0, 1, 17, 40])
async def test_what_the_kernel_does_not_take_at_once_goes_later_and_in_order(
    tls: bool, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = asyncio.get_running_loop().create_future()

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        whole.set_result(await read_request(reader))
        writer.write(OK)
        await asyncio.sleep(1)

    write = os.write

    def some(descriptor: int, data: bytes) -> int:
        if taken < 0:
            raise BlockingIOError
        return write(descriptor, data[:taken]) if taken else 0

    async with lane_to(read, tls=tls) as held:
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", some)
            future = held.lane.expect()
            held.lane.write(REQUEST, 10)
        assert (await future).status == 200
    assert whole.result() == REQUEST


async def test_bytes_never_overtake_those_that_still_wait(tls: bool) -> None:
    big = b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\n\r\n" + b"y" * 3_000_000

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1)
        for _ in range(2):
            assert set((await read_request(reader)).partition(b"\r\n\r\n")[2]) == {ord("y")}
        writer.write(OK)
        await asyncio.sleep(1)

    async with lane_to(slow, tls=tls) as held:
        future = held.lane.expect()
        held.lane.write(big, 10)
        transport = held.lane._transport
        assert transport is not None
        assert transport.get_write_buffer_size() > 0
        held.lane.write(big, 10)  # a lane's owner would not; the kernel must not get these first
        assert (await future).status == 200


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    try:
        await asyncio.sleep(3600)
    finally:
        writer.transport.abort()


async def test_request_that_nobody_reads_ends_at_the_deadline(tls: bool) -> None:
    async with lane_to(deaf, tls=tls) as held:
        future = held.lane.expect()
        held.lane.write(b"y" * 5_000_000, 10)
        with pytest.raises(NoAnswer) as caught:
            await future
        assert caught.value.reason == "timeout"


async def test_retiring_a_lane_in_use_settles_its_request(tls: bool) -> None:
    loop = asyncio.get_running_loop()
    async with lane_to(deaf, tls=tls) as held:
        future = held.lane.expect()
        held.lane.write(b"y" * 5_000_000, 10)
        began = loop.time()
        held.lane.retire()
        with pytest.raises(NoAnswer) as caught:
            await future
        assert caught.value.reason == "disconnected"
        assert loop.time() - began < 1


async def test_without_poll_the_loop_s_own_ways_are_used(tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "poll")
    async with lane_to(staying(OK, OK), tls=tls) as held:
        assert held.lane.silent()
        assert (await held.ask()).body == b"body!"


# what is left over


async def test_lanes_leave_no_descriptor_and_no_task(tls: bool) -> None:
    async with served(answering(OK), tls=tls) as server:
        loop, before, tasks = asyncio.get_running_loop(), descriptors(), asyncio.all_tasks()
        for _ in range(20):
            lane = Lane(loop, Keeper(), context=trusting() if tls else None, host="127.0.0.1")
            await loop.create_connection(lambda: lane, "127.0.0.1", port_of(server))  # noqa: B023 - called at once
            assert await lane.up is None
            future = lane.expect()
            lane.write(REQUEST, 10)
            await future
            lane.retire()
        await settle()
        assert descriptors() == before
        assert asyncio.all_tasks() == tasks


def test_repeated_headers_are_joined(tls: bool) -> None:
    answer = Answer(200, [(b"A", b"1"), (b"a", b"\xe9")], b"")
    assert answer.headers == {"a": "1, é"}
