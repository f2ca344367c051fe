"""Golden tests 38 to 40: many descriptors, many messages, no long turn of the loop."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import socket
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from gridwire.edsn_pie.link import broker_of, log_in
from gridwire.transport.amqp_failure import AmqpFailure
from tests.acceptance.edsn_pie.soak_consumer import resident_bytes
from tests.support.amqp_world import amqp_world, handle
from tests.support.broker_process import broker_process


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return ("asyncio", {})


async def test_G38_more_than_a_thousand_open_descriptors_do_not_matter() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    held = [socket.socket() for _ in range(1100)]
    try:
        assert held[-1].fileno() > 1023
        async with amqp_world() as world:
            world.put(*range(20))
            async with world.consumer() as consumer:
                assert await handle(consumer, 20) == list(range(20))
                assert consumer._client is not None
                transport = consumer._client._wire.transport
                assert transport is not None
                assert transport.get_extra_info("socket").fileno() > 1023
    finally:
        for one in held:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_G39_fifty_thousand_messages_leave_no_memory_behind() -> None:
    """The broker is a process of its own, so that what grows is the consumer's."""
    with broker_process(messages=60_000) as world:
        async with world.consumer(credit=100) as consumer:
            await handle(consumer, 10_000)  # the memory of what was handled is full from here on
            await handle(consumer, 7_000)
            gc.collect()
            before = resident_bytes()
            await handle(consumer, 43_000)
            gc.collect()
            grown = resident_bytes() - before
        assert consumer.counts.handled == 60_000
    assert grown < 5 * 1024 * 1024


async def test_G40_no_turn_of_the_loop_is_long(caplog: pytest.LogCaptureFixture) -> None:
    """A machine that is busy with something else holds up any turn; one that is long by itself is long every time."""
    for _ in range(4):
        caplog.clear()
        await two_thousand_in_debug_mode(caplog)
        slow = [record.getMessage() for record in caplog.records if "Executing" in record.getMessage()]
        if not slow:
            return
    pytest.fail(f"turns of the loop were long in every run: {slow}")


async def two_thousand_in_debug_mode(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.1
    try:
        with caplog.at_level(logging.WARNING, logger="asyncio"):
            async with amqp_world() as world:
                world.put(*range(2000))
                world.broker.faults.add("drop", after=700)
                async with world.consumer(credit=50) as consumer:
                    await handle(consumer, 2000)
    finally:
        loop.set_debug(False)


async def test_G39_connections_that_fail_leave_no_memory_behind() -> None:
    async with amqp_world() as world:
        broker = broker_of(world.settings)
        token = world.tokens.make()
        refused = replace(broker, port=1)
        world.broker.faults.add("sasl_outcome", code=1, times=None)

        async def fail(times: int) -> None:
            for _ in range(times):
                for place in (broker, refused):
                    with pytest.raises(AmqpFailure):
                        await log_in(world.settings, place, "user", world.network, SecretStr(token))

        await fail(300)
        gc.collect()
        before = resident_bytes()
        await fail(1000)
        gc.collect()
        assert resident_bytes() - before < 3 * 1024 * 1024
