"""Golden tests 23 to 27: logging in to the broker with a token."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from gridwire.edsn_pie.errors import EdsnAuthError, EdsnConfigError
from gridwire.edsn_pie.link import broker_of, log_in, mechanisms
from gridwire.edsn_pie.link_errors import EdsnLinkError
from gridwire.edsn_pie.profile import AmqpSettings
from gridwire.errors import ConfigurationError
from gridwire.sandbox.serving import Authority
from gridwire.transport import sasl_frames
from gridwire.transport.amqp import Link, encode
from gridwire.transport.amqp_client import AmqpClient, Broker
from gridwire.transport.amqp_failure import AmqpFailure, Condition
from gridwire.transport.amqp_message import AmqpMessage
from gridwire.transport.sasl import ClientExchange, plain
from gridwire.transport.sasl_frames import Symbol
from gridwire.transport.tls import Network
from tests.support.amqp_world import USER, amqp_world, handle, until_state
from tests.support.hostile_broker import HostileConnection, hostile_broker

SETTINGS = AmqpSettings(host="broker.example", address="q", port=5671)


def initial(auth: str) -> bytes | None:
    settings = AmqpSettings(host="broker.example", address="q", port=5671, auth=auth)  # type: ignore[arg-type]
    (mechanism,) = mechanisms(settings, "sa=1,x", SecretStr("eyJ.tok.en"))
    return mechanism.initial


def test_G23_initial_responses_are_exact_to_the_byte() -> None:
    assert initial("plain_token") == b"\0sa=1,x\0eyJ.tok.en"
    assert initial("xoauth2") == b"user=sa=1,x\x01auth=Bearer eyJ.tok.en\x01\x01"
    assert (
        initial("oauthbearer")
        == b"n,a=sa=3D1=2Cx,\x01host=broker.example\x01port=5671\x01auth=Bearer eyJ.tok.en\x01\x01"
    )


def test_G23_the_login_frame_is_exact_to_the_byte() -> None:
    exchange = ClientExchange([plain("u", "t")], "h")
    assert exchange.start() == bytes.fromhex("414d515003010000")
    offered = sasl_frames.frame(sasl_frames.MECHANISMS, [[Symbol("PLAIN")]])
    sent = exchange.receive(b"AMQP\x03\x01\x00\x00" + offered)
    assert sent == bytes.fromhex("0000001e02010000005341c01103a305504c41494ea00400750074a10168")


@pytest.mark.parametrize("auth", ["plain_token", "xoauth2", "oauthbearer", "cbs"])
async def test_G23_each_way_to_hand_the_token_over_is_taken(auth: str) -> None:
    async with amqp_world() as world:
        world.broker.knobs.mechanisms = {
            "plain_token": ("PLAIN",), "xoauth2": ("XOAUTH2",), "oauthbearer": ("OAUTHBEARER",), "cbs": ("ANONYMOUS",)
        }[auth]  # fmt: skip
        world.put(1)
        async with world.consumer(auth=auth) as consumer:
            assert await handle(consumer, 1) == [1]
        last = world.broker.contacts[-1]
        assert last.outcome == 0
        assert last.claims is not None
        assert last.claims["sub"] == USER
        if auth != "cbs":
            assert last.user == USER


@pytest.mark.parametrize(("with_certificate", "used"), [(False, "ANONYMOUS"), (True, "EXTERNAL")])
async def test_G23_a_claim_logs_in_by_certificate_only_where_there_is_one(
    tmp_path: Path, with_certificate: bool, used: str
) -> None:
    authority = Authority()
    own = tmp_path / "own.pem"
    trustme.CA().issue_cert("sa-voorbeeld").private_key_and_cert_chain_pem.write_to_path(str(own))
    async with amqp_world(tls=(authority.context, authority.pem)) as world:
        world.broker.knobs.mechanisms = ("EXTERNAL", "ANONYMOUS")
        settings = replace(world.settings, auth="cbs")
        network = replace(world.network, client_cert=str(own)) if with_certificate else world.network
        token = SecretStr(await world.tokens.get())
        client = await log_in(settings, broker_of(settings), USER, network, token)
        assert client.mechanism == used
        await client.close(1)


@pytest.mark.parametrize(
    ("offered", "used"),
    [
        (("PLAIN", "XOAUTH2", "OAUTHBEARER"), "OAUTHBEARER"),
        (("PLAIN", "XOAUTH2"), "XOAUTH2"),
        (("ANONYMOUS", "PLAIN"), "PLAIN"),
    ],
)
async def test_G23_auto_takes_the_best_that_is_offered(offered: tuple[str, ...], used: str) -> None:
    async with amqp_world() as world:
        world.broker.knobs.mechanisms = offered
        world.put(1)
        async with world.consumer(auth="auto") as consumer:
            assert await handle(consumer, 1) == [1]
        (contact,) = world.broker.contacts
        assert (contact.mechanism, contact.user, contact.outcome) == (used, USER, 0)


async def test_G24_a_token_of_three_kilobytes_passes() -> None:
    async with amqp_world() as world:
        token = world.tokens.make(filler="x" * 2300)
        assert len(token) > 3000
        client = await log_in(world.settings, broker_of(world.settings), USER, world.network, SecretStr(token))
        await client.close(1)
        assert world.broker.contacts[0].size > 3000


async def test_G24_a_broker_that_hangs_up_on_a_large_frame_is_found_out() -> None:
    async with amqp_world() as world:
        world.broker.faults.add("small_frames")
        token = world.tokens.make(filler="x" * 600)
        with pytest.raises(AmqpFailure, match=r"login frame of \d+ bytes. AMQP 1.0 grants 512") as caught:
            await log_in(world.settings, broker_of(world.settings), USER, world.network, SecretStr(token))
        assert token not in str(caught.value)


async def test_G24_whoever_reads_notifications_sees_why_the_large_frame_does_not_pass() -> None:
    async with amqp_world() as world:
        world.broker.faults.add("small_frames")
        token = world.tokens.make(filler="x" * 600)
        world.tokens.give(token)
        world.put(1)
        async with world.consumer() as consumer:
            lost = await until_state(consumer, "lost")
            assert re.search(r"login frame of \d+ bytes\. AMQP 1\.0 grants 512", lost.reason)
            assert token not in lost.reason
            assert await handle(consumer, 1) == [1], "a broker that was mended is used again"


async def test_G25_a_mechanism_that_is_not_offered_is_an_error_that_lists_those_that_are() -> None:
    async with amqp_world() as world:
        world.broker.knobs.mechanisms = ("SCRAM-SHA-256", "EXTERNAL")
        async with world.consumer() as consumer:
            with pytest.raises(EdsnConfigError, match="does not offer PLAIN; it offers SCRAM-SHA-256, EXTERNAL"):
                await handle(consumer, 1)
        assert not world.broker.contacts


async def test_G25_auto_never_falls_back_to_a_login_without_the_token() -> None:
    async with amqp_world() as world:
        world.broker.knobs.mechanisms = ("ANONYMOUS", "EXTERNAL")
        async with world.consumer(auth="auto") as consumer:
            with pytest.raises(EdsnConfigError, match="OAUTHBEARER or XOAUTH2 or PLAIN; it offers ANONYMOUS, EXTERNAL"):
                await handle(consumer, 1)
        assert not world.broker.contacts


@pytest.mark.parametrize("auth", ["plain_token", "xoauth2", "oauthbearer", "cbs", "auto"])
async def test_G26_no_token_travels_in_cleartext_beyond_this_machine(auth: str) -> None:
    settings = AmqpSettings(host="broker.example", address="q", tls=False, auth=auth)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"without TLS.*Nothing was sent"):
        await log_in(settings, broker_of(settings), USER, Network(), SecretStr("token"))


async def test_G27_a_refused_token_is_replaced_once_and_the_link_stands() -> None:
    async with amqp_world() as world:
        world.tokens.revoked.add(await world.tokens.get())
        world.put(7)
        async with world.consumer() as consumer:
            lost = await until_state(consumer, "lost")
            assert lost.retry_in_s == 0
            assert await handle(consumer, 1) == [7]
        assert [contact.outcome for contact in world.broker.contacts] == [1, 0]
        assert len(world.tokens.issued) == 2


@pytest.mark.parametrize("auth", ["plain_token", "xoauth2", "oauthbearer"])
async def test_G27_twice_refused_is_the_end_after_exactly_two_connects(auth: str) -> None:
    async with amqp_world() as world:
        world.broker.faults.add("sasl_outcome", code=1, times=None)
        async with world.consumer(auth=auth) as consumer:
            with pytest.raises(EdsnAuthError, match="refused the token, and then one fresh") as caught:
                await handle(consumer, 1)
            with pytest.raises(EdsnAuthError):
                await anext(consumer)
        assert world.broker.accepted == 2
        assert len(world.tokens.issued) == 2
        assert re.search(r"names 'pie' as its audience", str(caught.value))
        assert not any(token in str(caught.value) for token in world.tokens.issued)


@pytest.mark.parametrize("code", [2, 4])
async def test_G27_a_broker_that_cannot_check_now_is_asked_again_later(code: int) -> None:
    async with amqp_world() as world:
        world.broker.faults.add("sasl_outcome", code=code, times=3)
        world.put(1)
        async with world.consumer() as consumer:
            assert await handle(consumer, 1) == [1]
        assert [contact.outcome for contact in world.broker.contacts] == [code, code, code, 0]
        assert len(world.tokens.issued) == 1


async def test_G27_a_broker_that_cannot_check_for_good_is_the_end() -> None:
    async with amqp_world() as world:
        world.broker.faults.add("sasl_outcome", code=3)
        async with world.consumer() as consumer:
            with pytest.raises(EdsnLinkError, match="not be able to without repair"):
                await handle(consumer, 1)
        assert world.broker.accepted == 1


async def test_G27_a_login_that_is_never_answered_is_bounded() -> None:
    async with amqp_world() as world:
        world.broker.faults.add("sasl_silence")
        began = asyncio.get_running_loop().time()
        with pytest.raises(AmqpFailure) as caught:
            await AmqpClient.connect(
                Broker("127.0.0.1", world.port, "me", tls=False), Network(timeout_s=3), [plain("u", "t")]
            )
        assert caught.value.cause == "timeout"
        assert caught.value.stage == "sasl"
        assert asyncio.get_running_loop().time() - began == pytest.approx(3)


@pytest.mark.parametrize("which", ["the one to us", "the one from us", "both"])
async def test_G23_a_broker_that_ends_the_link_for_the_token_is_not_waited_for(which: str) -> None:
    def leave(connection: HostileConnection, link: Link) -> None:
        for one in connection.links:
            if which == "both" or (one.receives == (which == "the one from us")):
                one.close(Condition("amqp:internal-error", "the token service is down"))

    async with hostile_broker(take=leave) as broker:
        loop = asyncio.get_running_loop()
        began = loop.time()
        settings = AmqpSettings(host="127.0.0.1", address="q", port=broker.port, tls=False, auth="cbs")
        with pytest.raises(AmqpFailure, match=r"before it had answered: .*the token service is down") as caught:
            await log_in(settings, broker_of(settings), USER, Network(timeout_s=30), SecretStr("t0ken"))
        assert loop.time() - began < 1
        assert (caught.value.stage, caught.value.cause) == ("sasl", "condition")
        assert "t0ken" not in str(caught.value)


async def test_G23_a_broker_that_answers_and_then_ends_the_link_for_the_token_has_answered() -> None:
    def answer(connection: HostileConnection, link: Link) -> None:
        (replies,) = [one for one in connection.links if not one.receives]
        replies.send(encode(AmqpMessage(properties={"status-code": 200})), "reply")
        for one in connection.links:
            one.close()

    async with hostile_broker(take=answer) as broker:
        settings = AmqpSettings(host="127.0.0.1", address="q", port=broker.port, tls=False, auth="cbs")
        client = await log_in(settings, broker_of(settings), USER, Network(timeout_s=30), SecretStr("t0ken"))
        await asyncio.sleep(0.1)
        assert not client.ended.done()
        await client.close(1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda link: link.open(source=None, target=None), "there is no such place for tokens"),
        (lambda link: link.close(Condition("amqp:not-found", "no node $cbs")), r"amqp:not-found \(no node \$cbs\)"),
    ],
)
async def test_G35_a_broker_that_takes_no_claims_is_the_end_and_says_which_setting(
    answer: Callable[[Link], None], words: str
) -> None:
    async with hostile_broker(answer=answer) as broker, amqp_world() as world:
        async with world.consumer(auth="cbs", port=broker.port) as consumer:
            with pytest.raises(EdsnConfigError, match=rf"{words}.* set amqp_auth to another way"):
                await handle(consumer, 1)
        assert len(broker.connections) == 1


async def test_G35_a_token_that_the_link_for_tokens_refuses_twice_is_an_error_about_the_token() -> None:
    def refuse(link: Link) -> None:
        link.close(Condition("amqp:unauthorized-access", "no"))

    async with hostile_broker(answer=refuse) as broker, amqp_world() as world:
        async with world.consumer(auth="cbs", port=broker.port) as consumer:
            with pytest.raises(EdsnAuthError, match="refused the token, and then one fresh"):
                await handle(consumer, 1)
        assert len(broker.connections) == 2
