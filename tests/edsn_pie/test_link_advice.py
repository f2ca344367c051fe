"""edsn_pie/link_advice.py: each refusal names what may be wrong with the set-up, and shows no token."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import SecretStr

from gridwire.edsn_pie import AmqpSettings
from gridwire.edsn_pie.errors import EdsnAuthError
from gridwire.edsn_pie.link_advice import advice, error_of
from gridwire.edsn_pie.link_errors import EdsnLinkError, EdsnTlsError
from gridwire.edsn_pie.reconnect import Action
from gridwire.sandbox.serving import Authority
from gridwire.transport.amqp import Decoder, Link, encode
from gridwire.transport.amqp_failure import AmqpFailure, Cause, Condition, Stage
from gridwire.transport.amqp_message import AmqpMessage
from gridwire.transport.tls import Network
from tests.support.amqp_world import Tokens, amqp_world, handle, until_state
from tests.support.hostile_broker import HostileConnection, hostile_broker

NOW = datetime.fromisoformat("2026-12-01T06:00:00Z")
SETTINGS = AmqpSettings("broker.example", "pie.q", port=5671)


def failure(stage: Stage, cause: Cause, condition: str = "", **more: Any) -> AmqpFailure:
    named = Condition(condition, "as said") if condition else None
    return AmqpFailure("No.", stage=stage, cause=cause, condition=named, **more)


def told(why: AmqpFailure, **settings: Any) -> str:
    return advice(why, replace(SETTINGS, **settings), SecretStr("opaque"), NOW)


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (failure("sasl", "outcome", outcome=3), "Ask EDSN's service desk."),
        (
            failure("open", "condition", "amqp:connection:redirect"),
            "That is not followed by itself, because the token would go there: ask EDSN, then set amqp_host.",
        ),
        (
            failure("sasl", "outcome", outcome=1, offered=("PLAIN", "XOAUTH2")),
            "The broker broker.example:5671 offers PLAIN, XOAUTH2, and was given the token by amqp_auth = plain_token. The token "
            "is opaque, so nothing can be told from it here. Ask EDSN whether the service account has the AMQP consumer role "
            "of pie.q, and how the broker wants the token.",
        ),
        (
            failure("open", "condition", "amqp:unauthorized-access"),
            "The broker broker.example:5671 was given the token by amqp_auth = plain_token. The token is opaque, so nothing can "
            "be told from it here. Ask EDSN whether the service account has the AMQP consumer role of pie.q, and how the "
            "broker wants the token. The login itself went well, so amqp_virtual_host may be wrong (now: 'broker.example').",
        ),
        (
            failure("open", "condition", "amqp:not-found"),
            "Ask EDSN for its name and set amqp_virtual_host (now: 'broker.example').",
        ),
        (
            failure("sasl", "null_source"),
            "The broker broker.example:5671 seems to take no token by a claim (CBS): set amqp_auth to another way. If it does "
            "take them, it may want another amqp_cbs_type or amqp_cbs_name.",
        ),
        (
            failure("attach", "condition", "amqp:precondition-failed"),
            "The broker takes 'pie.q' (amqp_address) for a queue of another kind than it is. Brokers spell a queue differently: "
            "'pie.q' (Artemis, ActiveMQ, Qpid, Service Bus), '/amq/queue/pie.q' (RabbitMQ 3), '/queues/pie.q' (RabbitMQ 4). It "
            "may also be read by one reader alone, or want other amqp_source_capabilities.",
        ),
        (
            failure("stream", "condition", "amqp:precondition-failed"),
            "Brokers end a link like that when a message was held for too long without being accepted (RabbitMQ: "
            "consumer_timeout, 30 min): let handlers end sooner, keep notifications in an inbox, or lower amqp_credit.",
        ),
        (
            failure("attach", "settled"),
            "Ask EDSN to let the queue 'pie.q' send unsettled messages, and check that amqp_address names a queue: topics and "
            "multicast addresses of some brokers send like that.",
        ),
        (failure("attach", "timeout"), "Try again; if it stays so, ask EDSN's service desk."),
        (
            failure("connect", "network"),
            "Check amqp_host and amqp_port (broker.example:5671), and whether a firewall lets this machine through.",
        ),
    ],
)  # fmt: skip
def test_each_refusal_gets_the_advice_that_fits(why: AmqpFailure, said: str) -> None:
    assert told(why) == said


@pytest.mark.parametrize("address", ["pie.q", "/amq/queue/pie.q", "/queues/pie.q", "/queue/pie.q", "queue://pie.q"])
def test_the_spellings_of_a_queue_are_hinted_at_however_it_was_spelt(address: str) -> None:
    text = told(failure("attach", "condition", "amqp:not-found"), address=address)
    assert f"Check that '{address}' (amqp_address) is the name of your queue" in text
    assert (
        "'pie.q' (Artemis, ActiveMQ, Qpid, Service Bus), '/amq/queue/pie.q' (RabbitMQ 3), '/queues/pie.q' (RabbitMQ 4)."
        in text
    )
    assert text.endswith("The token is opaque, so its scope cannot be told from here.")


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"scope": "roles openid"}, "The token claims scope 'roles openid'."),
        ({"scp": ["a", "b"]}, "The token claims scp 'a, b'."),
        ({"scope": ["a"], "roles": ["consumer"]}, "The token claims scope 'a', roles 'consumer'."),
        ({}, "The token claims no scope."),
    ],
)
def test_a_refused_queue_shows_what_the_token_is_good_for(claims: dict[str, Any], said: str) -> None:
    token = SecretStr(Tokens().make(**claims))
    error = error_of(failure("attach", "null_source"), Action.STOP_QUEUE, SETTINGS, token, NOW)
    assert isinstance(error, EdsnLinkError)
    assert f"{said} Nothing was lost" in str(error)
    assert token.get_secret_value() not in str(error)


def test_a_connection_that_is_closed_for_the_queue_may_be_at_the_wrong_virtual_host() -> None:
    """RabbitMQ looks at the virtual host when the session begins, and closes the connection."""
    text = told(
        failure("attach", "condition", "amqp:unauthorized-access", scope="connection"), virtual_host="vhost:pie"
    )
    assert text.endswith("so amqp_virtual_host may be wrong (now: 'vhost:pie'; RabbitMQ wants vhost:NAME).")
    assert "amqp_virtual_host" not in told(failure("attach", "condition", "amqp:unauthorized-access", scope="link"))


@pytest.mark.parametrize("condition", ["amqp:not-found", "amqp:invalid-field", "amqp:not-allowed"])
async def test_a_wrong_virtual_host_names_the_setting(condition: str) -> None:
    async with hostile_broker() as broker, amqp_world() as world:
        broker.refusal = Condition(condition, "unknown hostname")
        async with world.consumer(port=broker.port, virtual_host="pie-elsewhere") as consumer:
            with pytest.raises(
                EdsnLinkError,
                match=r"knows no virtual host 'pie-elsewhere': .*unknown hostname.* set amqp_virtual_host \(now: 'pie-elsewhere'\)",
            ):
                await handle(consumer, 1)
        assert len(broker.connections) == 1


async def test_an_unauthorized_open_is_told_of_the_virtual_host_too() -> None:
    async with hostile_broker() as broker, amqp_world() as world:
        broker.refusal = Condition("amqp:unauthorized-access", "no")
        async with world.consumer(port=broker.port) as consumer:
            with pytest.raises(
                EdsnAuthError, match=r"refused the token, and then one fresh.*amqp_virtual_host may be wrong"
            ):
                await handle(consumer, 1)


async def test_a_link_that_was_ended_for_messages_held_too_long_says_so_and_goes_on() -> None:
    async with amqp_world() as world:
        world.put(1, 2)
        world.broker.faults.add("close", condition="amqp:precondition-failed", scope="session", after=2)
        async with world.consumer() as consumer:
            assert sorted(await handle(consumer, 2)) == [1, 2]
            lost = await world.seen("link.lost")
            assert "consumer_timeout" in lost.text
            world.put(3)
            assert await handle(consumer, 1) == [3]


@pytest.mark.parametrize(
    ("more", "kind", "name"),
    [
        ({}, "jwt", "amqps://127.0.0.1/pie.voorbeeld"),
        ({"cbs_type": "urn:ietf:params:oauth:token-type:jwt", "cbs_name": "pie"}, "urn:ietf:params:oauth:token-type:jwt", "pie"),
    ],
)  # fmt: skip
async def test_a_claim_says_what_the_token_is_and_what_it_is_for(more: dict[str, Any], kind: str, name: str) -> None:
    def answer(connection: HostileConnection, link: Link) -> None:
        (replies,) = [one for one in connection.links if not one.receives]
        replies.send(encode(AmqpMessage(properties={"status-code": 202})), "reply")

    async with hostile_broker(take=answer) as broker, amqp_world() as world:
        async with world.consumer(auth="cbs", port=broker.port, **more) as consumer:
            await until_state(consumer, "streaming")
        request = Decoder().decode(broker.connections[0].received[0])
        assert request.properties == {"operation": "put-token", "type": kind, "name": name}
        assert request.body == world.tokens.issued[0]


# certificates


def certificate(ca: trustme.CA, name: str, **more: Any) -> Any:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name, **more).configure_cert(context)
    return context


async def test_an_authority_of_the_brokers_own_is_told_what_ca_bundle_does() -> None:
    ours, other = Authority(), Authority()
    async with amqp_world(tls=(ours.context, other.pem)) as world, world.consumer() as consumer:
        with pytest.raises(EdsnTlsError) as caught:
            await handle(consumer, 1)
    text = str(caught.value)
    assert (
        "Check amqp_host (127.0.0.1). If the broker has an authority of its own, name a PEM file with it in ca_bundle."
        in text
    )
    assert (
        "That file replaces the built-in authorities, for the identity provider and the API too: put both into it"
        in text
    )


async def test_a_certificate_of_another_name_and_one_that_is_over_are_told_apart(tmp_path: Path) -> None:
    ca = trustme.CA()
    bundle = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(bundle))
    past = datetime.fromisoformat("2020-01-01T00:00:00Z")
    for context, said in (
        (
            certificate(ca, "elsewhere.example"),
            "Check amqp_host: it must be a name that the certificate holds, and 127.0.0.1 is none.",
        ),
        (
            certificate(ca, "127.0.0.1", not_after=past),
            "Check this machine's clock; an expired certificate is for EDSN to renew.",
        ),
    ):
        async with amqp_world(tls=(context, "")) as world:
            world.network = Network(ca_bundle=str(bundle))
            async with world.consumer() as consumer:
                with pytest.raises(EdsnTlsError) as caught:
                    await handle(consumer, 1)
            assert said in str(caught.value)
            assert "ca_bundle" not in str(caught.value)


async def test_a_tunnel_is_checked_for_the_name_at_its_far_end(tmp_path: Path) -> None:
    ca = trustme.CA()
    bundle = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(bundle))
    async with amqp_world(tls=(certificate(ca, "broker.example.nl"), "")) as world:
        world.network = Network(ca_bundle=str(bundle))
        world.put(1)
        async with world.consumer(tunnel_to="broker.example.nl") as consumer:
            assert await handle(consumer, 1) == [1]
        async with world.consumer(tunnel_to="other.example.nl") as consumer:
            with pytest.raises(
                EdsnTlsError, match=r"does not prove that it is other\.example\.nl.*amqp_tunnel_to is that name"
            ):
                await handle(consumer, 1)
