"""Tokens and assertions come out nowhere: not in errors, not in the log, not in what reports of errors show of variables."""

from __future__ import annotations

import asyncio
import json
import traceback
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from gridwire.edsn_pie.errors import EdsnAuthError, EdsnPermissionError
from gridwire.edsn_pie.link import broker_of, log_in
from gridwire.edsn_pie.link_errors import EdsnLinkError
from gridwire.errors import GridwireError
from gridwire.transport.amqp_failure import AmqpFailure
from tests.acceptance.edsn_pie.ground import TICKET, Ground, ground
from tests.support import planted
from tests.support.amqp_world import World, amqp_world, until_state

OPAQUE = "7f1bd2c0-55aa-4d1e-9c57-0f3a9be1d6aa"
"""A token that no search for tokens finds."""


def issue_opaque(g: Ground) -> None:
    """From now on every token is `OPAQUE`."""
    body = {"access_token": OPAQUE, "token_type": "Bearer", "expires_in": 300}
    g.venue.identity_faults.add("raw", times=None, status=200, content=json.dumps(body).encode())


@pytest.mark.parametrize(("status", "kind"), [(401, EdsnAuthError), (403, EdsnPermissionError)])
async def test_an_api_that_quotes_the_token_is_not_quoted_with_it(status: int, kind: type[GridwireError]) -> None:
    async with ground() as g:
        issue_opaque(g)
        problem = {"title": "invalid_token", "detail": f"Access token expired: {OPAQUE}", "token": OPAQUE}
        g.venue.faults.add("raw", times=None, status=status, content=json.dumps(problem).encode())
        with pytest.raises(kind, match="Access token expired: \\*\\*\\*") as caught:
            await g.pie.get_ticket(TICKET)
        assert OPAQUE not in f"{caught.value}{caught.value.facts!r}{g.events}"  # type: ignore[attr-defined]


def opaque(world: World) -> None:
    """From now on the broker is shown `OPAQUE` and takes it."""
    world.tokens.give(OPAQUE)
    world.broker._check = lambda token: {} if token == OPAQUE else "not ours"


async def test_a_broker_that_quotes_the_token_is_not_quoted_with_it(caplog: pytest.LogCaptureFixture) -> None:
    async with amqp_world() as world:
        opaque(world)
        said = f"Access token expired: {OPAQUE}"
        world.broker.faults.add("close", condition="amqp:connection:forced", description=said, times=1)
        async with world.consumer() as consumer:
            lost = await until_state(consumer, "lost")
            assert "Access token expired: ***" in lost.reason
            await until_state(consumer, "streaming")
        assert OPAQUE not in f"{world.events}{caplog.text}"


async def test_the_error_that_ends_the_stream_holds_no_token_either() -> None:
    async with amqp_world() as world:
        opaque(world)
        world.broker.faults.add("refuse_link", times=None, condition="amqp:not-found", description=f"not for {OPAQUE}")
        consumer = world.consumer()
        with pytest.raises(EdsnLinkError, match="not for \\*\\*\\*") as caught:
            await consumer.run(nothing)
        assert OPAQUE not in f"{caught.value}{caught.value.__cause__!r}{world.events}"


async def test_the_doctor_says_nothing_of_it_either() -> None:
    async with ground() as g:
        issue_opaque(g)
        broker = g.venue.broker
        assert broker is not None
        broker._check = lambda token: {} if token == OPAQUE else "not ours"
        broker.faults.add("refuse_link", times=1, condition="amqp:not-found", description=f"not for {OPAQUE}")
        found = await g.pie.examine()
        assert "not for ***" in next(one.text for one in found if one.name == "queue")
        assert OPAQUE not in repr(found)


def shown(error: BaseException | None) -> str:
    """What a report shows of variables: those of every frame of ``error``, of its causes and of what it came up in."""
    found: list[str] = []
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__]
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if "/tests/" not in frame.f_code.co_filename:
                found += [f"{frame.f_code.co_qualname}: {name} = {value!r}" for name, value in frame.f_locals.items()]
    assert found
    return "\n".join(found)


REFUSED = {"status": 400, "content": b'{"error": "invalid_client"}'}
DOWN = {"status": 503}


@pytest.mark.parametrize(
    ("fault", "more"),
    [("raw", REFUSED), ("status", DOWN), ("drop_after_execute", {}), ("silence_before_execute", {}), ("html", {})],
)
async def test_no_variable_of_a_failed_token_request_holds_the_assertion(fault: Any, more: dict[str, Any]) -> None:
    async with ground(timeout=2.0) as g:
        g.venue.identity_faults.add(fault, times=None, **more)
        with pytest.raises(GridwireError) as caught:
            await g.pie.token()
        assert planted.leaks(shown(caught.value)) == []


@pytest.mark.parametrize(
    ("fault", "more"),
    [("raw", REFUSED), ("status", DOWN), ("drop_after_execute", {}), ("silence_before_execute", {}), ("html", {}),
     ("rst_after_execute", {}), ("half_answer", {})],
)  # fmt: skip
async def test_no_variable_of_a_failed_call_holds_the_token(fault: Any, more: dict[str, Any]) -> None:
    async with ground(timeout=2.0) as g:
        token = await g.pie.token()
        g.venue.faults.add(fault, times=None, **more)
        with pytest.raises(GridwireError) as caught:
            await g.pie.get_ticket(TICKET)
        assert token not in shown(caught.value)
        assert planted.leaks(shown(caught.value)) == []


@pytest.mark.parametrize("auth", ["plain_token", "xoauth2", "oauthbearer", "cbs"])
@pytest.mark.parametrize(
    ("fault", "more"),
    [("refuse_link", {"condition": "amqp:not-found"}), ("sasl_outcome", {"code": 1}), ("sasl_outcome", {"code": 3}),
     ("null_source", {})],
)  # fmt: skip
async def test_no_variable_of_an_ended_stream_holds_the_token(auth: Any, fault: Any, more: dict[str, Any]) -> None:
    async with amqp_world() as world:
        world.broker.knobs.mechanisms = ("PLAIN", "XOAUTH2", "OAUTHBEARER", "ANONYMOUS")
        world.broker.faults.add(fault, times=None, **more)
        with pytest.raises(GridwireError) as caught:
            await world.consumer(auth=auth).run(nothing)
        assert not [token for token in world.tokens.issued if token in shown(caught.value)]


@pytest.mark.parametrize(
    ("auth", "fault", "more"),
    [("plain_token", "sasl_outcome", {"code": 4}), ("cbs", "sasl_outcome", {"code": 4}), ("plain_token", "sasl_silence", {}),
     ("plain_token", "small_frames", {}), ("xoauth2", "no_header", {})],
)  # fmt: skip
async def test_no_variable_of_a_login_that_fails_for_now_holds_the_token(
    auth: Any, fault: Any, more: dict[str, Any]
) -> None:
    async with amqp_world(life_s=900) as world:
        world.broker.knobs.mechanisms = ("PLAIN", "ANONYMOUS")
        world.broker.faults.add(fault, times=None, **more)
        token = world.tokens.make(filler="x" * 600)
        settings, network = replace(world.settings, auth=auth), replace(world.network, timeout_s=2.0)
        with pytest.raises(AmqpFailure) as caught:
            await log_in(settings, broker_of(settings), "user", network, SecretStr(token))
        assert token not in shown(caught.value)


async def test_no_variable_of_a_claim_that_is_refused_holds_the_token() -> None:
    async with amqp_world() as world:
        world.broker.knobs.mechanisms = ("ANONYMOUS",)
        world.broker._check = lambda _: "nobody"
        with pytest.raises(EdsnAuthError) as caught:
            await world.consumer(auth="cbs").run(nothing)
        assert not [token for token in world.tokens.issued if token in shown(caught.value)]


async def nothing(_: object) -> None:
    await asyncio.sleep(0)
