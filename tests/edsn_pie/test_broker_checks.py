"""edsn_pie/broker_checks.py: what cannot work at a broker is said when it is set, and what is let through can be sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from pydantic import SecretStr

from gridwire.edsn_pie.link import broker_of, log_in
from gridwire.edsn_pie.profile import AmqpSettings
from gridwire.errors import ConfigurationError
from tests.acceptance.edsn_pie.ground import ground
from tests.support.amqp_world import amqp_world


def deep() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"host": "broker..example.nl"}, "is not the name of a host"),
        ({"host": ".example.nl"}, "is not the name of a host"),
        ({"host": "broker.."}, "is not the name of a host"),
        ({"host": "."}, "is not the name of a host"),
        ({"host": "a" * 64 + ".nl"}, "is not the name of a host"),
        ({"host": ("a" * 60 + ".") * 4 + "a" * 10}, "is not the name of a host"),
        ({"host": "x" * 300}, "is not the name of a host"),
        ({"host": "brök..er"}, "is not the name of a host"),
        ({"host": "my host"}, "is not the name of a host"),
        ({"host": "a?b"}, "is not the name of a host"),
        ({"host": "b:5671"}, "a name alone"),
        ({"host": "[b]"}, "a name alone"),
        ({"host": "a@b"}, "a name alone"),
        ({"host": 7}, "amqp_host is empty"),
        ({"address": "q\ud800"}, "amqp_address='q.ud800' holds"),
        ({"port": "5671"}, r"amqp_port must be a whole number, not '5671' \(str\)"),
        ({"port": True}, "a whole number, not True"),
        ({"port": 0}, "between 1 and 65535, not 0"),
        ({"tls": "no"}, "amqp_tls is True or False, not 'no'"),
        ({"credit": 2.5}, "a whole number, not 2.5"),
        ({"credit": 10_001}, "between 1 and 10000 messages"),
        ({"idle_timeout_s": "60"}, "a number of seconds, not '60'"),
        ({"idle_timeout_s": True}, "a number of seconds"),
        ({"idle_timeout_s": float("nan")}, "must be 0"),
        ({"username": "sa\0x"}, "amqp_username='sa.x00x' holds"),
        ({"username": "sa\n"}, "control characters"),
        ({"username": "a\ud800"}, "control characters"),
        ({"username": "   "}, "must not be empty; leave it out for the client id"),
        ({"username": 7}, "must not be empty"),
        ({"virtual_host": ""}, "leave it out for the host"),
        ({"virtual_host": "v\ud800"}, "amqp_virtual_host='v.ud800' holds"),
        ({"container_id": " "}, "amqp_container_id=' ' must not be empty"),
        ({"link_name": "\ud800"}, "amqp_link_name="),
        ({"source_capabilities": "queue"}, "amqp_source_capabilities must be a list of words"),
        ({"source_capabilities": ("q\ud800",)}, "a list of words in ASCII"),
        ({"desired_capabilities": ("é",)}, "amqp_desired_capabilities must be a list of words in ASCII"),
        ({"desired_capabilities": ("",)}, "a list of words"),
        ({"connection_properties": "a"}, "a table of names and values"),
        ({"connection_properties": {"é": 1}}, "a list of words in ASCII"),
        ({"connection_properties": {7: 1}}, "a list of words in ASCII"),
        ({"connection_properties": {"a": object()}}, "the value of a is a object that cannot be sent"),
        ({"connection_properties": {"day": date(2026, 1, 1)}}, "the value of day is a date"),
        ({"connection_properties": {"n": 2**63}}, "the value of n is a int"),
        ({"connection_properties": {"n": {"m": ["\ud800"]}}}, "the value of n is a dict"),
        ({"connection_properties": {"n": {"m": {1: 2}}}}, "the value of n is a dict"),
        ({"connection_properties": {"n": deep()}}, "the value of n is a list"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_one_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        AmqpSettings(**{"host": "broker.example.nl", "address": "q", **change})
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("broker.example.nl", "broker.example.nl"), ("Broker.Example.nl.", "Broker.Example.nl"), ("brök.nl", "brök.nl"),
        ("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("fe80::1%eth0", "fe80::1%eth0"), ("a_b.internal", "a_b.internal"),
        ("a" * 63 + ".nl", "a" * 63 + ".nl"), ("localhost", "localhost"),
    ],
)  # fmt: skip
def test_a_host_is_kept_as_a_certificate_spells_it(given: str, host: str) -> None:
    """A full stop at the end names the same host, and stands in no certificate."""
    assert broker_of(AmqpSettings(host=given, address="q")).host == host


async def test_what_is_let_through_can_be_sent() -> None:
    values = {"t": "é", "n": -(2**63), "big": 2**63 - 1, "f": 0.5, "yes": True, "none": None, "raw": b"\0"}
    properties = {**values, "list": [1, "a", [False]], "pair": (1, 2), "table": {"é": {"a": 1}}}
    async with amqp_world() as world:
        settings = replace(
            world.settings,
            connection_properties=properties,
            source_capabilities=("queue",),
            desired_capabilities=("ANONYMOUS-RELAY",),
            virtual_host="vhost:é",
            container_id="wij é",
            link_name="naam é",
            username="sa =,é",
        )
        token = SecretStr(await world.tokens.get())
        client = await log_in(settings, broker_of(settings), str(settings.username), world.network, token)
        capabilities = settings.source_capabilities
        link = await client.attach(
            settings.address, name=str(settings.link_name), capabilities=capabilities, taker=lambda _, __: None
        )
        assert link.peer_source == settings.address
        await client.close(1)
        assert [(contact.user, contact.outcome) for contact in world.broker.contacts] == [("sa =,é", 0)]


async def test_nothing_is_asked_for_before_the_settings_of_a_client_are_right() -> None:
    async with ground() as g:
        amqp = g.pie.profile.amqp
        assert amqp is not None
        for change in ({"username": "sa\0x"}, {"virtual_host": "v\ud800"}, {"source_capabilities": ("q\ud800",)}):
            with pytest.raises(ConfigurationError):
                replace(amqp, **change)
        assert len(g.venue.log) == 0
