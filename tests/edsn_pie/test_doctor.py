"""edsn_pie/doctor.py: every finding, good and bad."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from gridwire import clock
from gridwire.edsn_pie import PRODUCTION, TEST, AmqpSettings, EdsnPie, Finding, doctor
from gridwire.errors import Unconfirmed
from gridwire.transport.tls import Network
from tests.acceptance.edsn_pie.ground import Ground, ground
from tests.support.keys import rsa_key
from tests.support.raw_server import answering, http_answer, raw_server


async def found(pie: EdsnPie) -> dict[str, Finding]:
    return {finding.name: finding for finding in await pie.examine()}


async def test_everything_is_looked_at_in_order() -> None:
    async with ground() as g:
        names = [finding.name for finding in await g.pie.examine()]
        assert names == ["profile", "key", "identity provider", "metadata", "token", "claims", "api", "broker", "queue"]
        assert {finding.state for finding in await g.pie.examine()} == {"ok"}


async def test_what_the_provider_publishes_is_held_against_the_profile() -> None:
    async with ground() as g:
        url = g.venue.profile.idp_url
        finding = (await found(g.pie))["metadata"]
        assert finding == Finding(
            "metadata", "ok", f"issuer {url}/am/oauth2, token endpoint {url}/am/oauth2/access_token, signatures RS256"
        )
        g.venue.identity.token_url += "2"
        finding = (await found(await g.client()))["metadata"]
        assert finding.state == "warning"
        assert finding.text.endswith(f"this profile asks at {url}/am/oauth2/access_token")
        g.venue.identity.token_url = g.venue.identity.token_url[:-1]
        for account in g.venue.identity.accounts.values():
            account.algorithm = "ES256"
        finding = (await found(await g.client()))["metadata"]
        assert finding.text.endswith("signatures ES256; this profile signs by RS256")
        g.venue._tokens.publishes = False
        assert (await found(await g.client()))["metadata"].text == "the provider publishes none (HTTP 404)"
        finding = (await found(await g.client(g.account(idp_url="http://127.0.0.1:1"))))["metadata"]
        assert finding.state == "skipped"
    async with ground() as g:
        url = g.venue.profile.idp_url
        finding = (await found(await g.client(g.account(audience="issuer"))))["metadata"]
        assert finding.state == "ok"
        g.venue.identity.issuer = "https://elsewhere.example"
        finding = (await found(await g.client(g.account(audience="issuer"))))["metadata"]
        assert (finding.state, finding.text.rpartition("; ")[2]) == (
            "warning",
            f"this profile names {url}/am/oauth2 as its audience",
        )
    async with ground() as g, raw_server(answering(*[http_answer(b"not json")] * 3)) as idp:
        finding = (await found(await g.client(g.account(idp_url=idp.url))))["metadata"]
        assert finding.text == "the provider publishes none (HTTP 200)"


async def test_what_is_not_confirmed_is_listed() -> None:
    async with ground() as g:
        pie = await g.client(g.account(facts=TEST.facts), confirmed=["audience", "scope"])
        finding = (await found(pie))["profile"]
        assert finding.state == "warning"
        assert (
            "not confirmed with EDSN: amqp_auth, amqp_port, assertion, comment_id_names, comment_path" in finding.text
        )


async def test_a_signer_is_a_key_too() -> None:
    async def sign(payload: bytes) -> bytes:
        return b"x"

    async with ground() as g:
        findings = await found(await g.client(g.account(private_key=sign)))
        assert findings["key"] == Finding("key", "ok", "a signer, signs by RS256")
        assert findings["token"].state == "failed"
        assert findings["claims"].state == "skipped"


async def test_an_unusable_key_fails_the_key_and_the_token() -> None:
    async with ground() as g:
        findings = await found(await g.client(g.account(private_key=rsa_key(1024))))
        assert (findings["key"].state, findings["token"].state) == ("failed", "failed")
        assert findings["api"].state == "ok"
        assert findings["broker"] == Finding("broker", "skipped", "there is no token"), "the reason stands once"
        assert findings["queue"] == Finding("queue", "skipped", "the broker was not reached")


async def test_a_key_that_others_can_read_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pie.pem"
    async with ground() as g:
        key = g.account().private_key
        assert isinstance(key, SecretStr)
        path.write_text(key.get_secret_value())
        cases: tuple[tuple[int, doctor.State], ...] = (
            (0o600, "ok"),
            (0o400, "ok"),
            (0o640, "warning"),
            (0o604, "warning"),
        )
        for mode, state in cases:
            path.chmod(mode)
            finding = (await found(await g.client(g.account(private_key=path))))["key"]
            said = f"; other users of this machine can read {path} (mode {mode:04o}) and ask for tokens with it: chmod 600 {path}"
            assert finding == Finding(
                "key", state, "RSA, 2048 bits, signs by RS256" + (said if state == "warning" else "")
            )
        path.chmod(0o600)
        pie = await g.client(g.account(private_key=path))
        await pie.warm_up()
        path.unlink()
        assert (await found(pie))["key"].state == "ok", "it was read before"
        path.touch(0o644)
        monkeypatch.delattr(os, "geteuid")  # as on Windows, whose rights are not in the mode
        assert doctor._exposed(path) is None


async def test_read_only_is_said_where_it_would_refuse_notifications() -> None:
    async with ground() as g:
        finding = (await found(await g.client(read_only=True)))["profile"]
        assert finding.state == "warning"
        assert finding.text.endswith(
            "; read_only is set, so notifications are refused: taking one would remove it from the queue"
        )
        finding = (await found(await g.client(g.account(amqp=None), read_only=True)))["profile"]
        assert finding.state == "ok", "there are none to be refused"


async def test_an_unreachable_provider_is_a_failure() -> None:
    async with ground() as g:
        findings = await found(await g.client(g.account(idp_url="http://127.0.0.1:1")))
        assert findings["identity provider"].state == "failed"
        assert "nothing listens there" in findings["identity provider"].text


@pytest.mark.parametrize(
    ("ahead_s", "state", "words"),
    [
        (600, "warning", "s behind its"),
        (-600, "warning", "s ahead of its"),
        (0, "ok", "agree"),
        (None, "ok", "does not tell"),
    ],
)
async def test_clocks_are_compared(ahead_s: int | None, state: str, words: str) -> None:
    stamp = clock.now() + timedelta(seconds=ahead_s or 0)
    headers = [] if ahead_s is None else [stamp.strftime("Date: %a, %d %b %Y %H:%M:%S GMT")]
    async with ground() as g, raw_server(answering(http_answer(b"", "404 Not Found", *headers))) as api:
        finding = (await found(await g.client(g.account(rest_url=api.url))))["api"]
        assert finding.state == state
        assert words in finding.text


async def test_a_token_without_life_or_scope_is_a_warning() -> None:
    async def token(g: Ground) -> Finding:
        return (await found(await g.client()))["token"]

    async with ground() as g:
        g.venue.identity.knobs.name_life = False
        assert await token(g) == Finding("token", "warning", "lives 300 s (assumed: none was named), scope 'roles'")
        g.venue.identity.knobs.name_life, g.venue.identity.knobs.granted_scope = True, "openid"
        assert "and not roles" in (await token(g)).text
        g.venue.identity.knobs.name_scope = False
        assert await token(g) == Finding(
            "token",
            "warning",
            "lives 900 s, no scope named; The identity provider granted 'openid', as the token itself says, and not roles: calls "
            "may be refused for want of a role. Check the service account's roles in the portal.",
        )
        g.venue.identity.knobs.granted_scope = None
        assert await token(g) == Finding("token", "ok", "lives 900 s, no scope named")


async def test_an_opaque_token_shows_nothing() -> None:
    body = json.dumps({"access_token": "opaque", "expires_in": 60}).encode()
    async with ground() as g:
        g.venue.identity_faults.add("raw", content=body, times=None)
        findings = await found(g.pie)
        assert findings["claims"].text == "the token is opaque: it shows nothing of itself"


async def test_broker_and_queue_are_tried_without_taking_a_message() -> None:
    for tls in (False, True):
        async with ground(tls=tls) as g:
            findings = await found(g.pie)
            how = "over TLS" if tls else "without TLS, on this machine"
            assert findings["broker"] == Finding(
                "broker",
                "ok",
                f"reached {how}, took the token by plain_token (PLAIN); it offers PLAIN, XOAUTH2, OAUTHBEARER",
            )
            assert findings["queue"] == Finding(
                "queue", "ok", "pie.voorbeeld-energie can be read; no message was asked for"
            )
            assert g.venue.broker is not None
            assert g.venue.broker.queues["pie.voorbeeld-energie"].depth == 3
            assert not g.venue.broker.connections


async def test_what_the_broker_refuses_is_a_failure_with_what_to_do() -> None:
    async with ground() as g:
        amqp = g.venue.amqp()
        assert amqp is not None
        assert (await found(await g.client(g.account(amqp=None))))["broker"].state == "skipped"
        findings = await found(await g.client(g.account(amqp=replace(amqp, address="pie.nobody"))))
        assert findings["broker"].state == "ok"
        assert findings["queue"].state == "failed"
        assert findings["queue"].text == (
            "The broker ended the link: amqp:not-found (no queue 'pie.nobody'). Check that 'pie.nobody' (amqp_address) "
            "is the name of your queue, letter for letter, and that the service account has the AMQP consumer role for it. "
            "Brokers spell a queue differently: 'pie.nobody' (Artemis, ActiveMQ, Qpid, Service Bus), '/amq/queue/pie.nobody' "
            "(RabbitMQ 3), '/queues/pie.nobody' (RabbitMQ 4). The token claims scope 'roles', roles 'pie-amqp, "
            "pie-api'."
        )
        findings = await found(await g.client("pie-service-3"))
        assert findings["token"].state == "ok"
        assert findings["queue"] == Finding("queue", "skipped", "the broker was not reached")
        assert findings["broker"].state == "failed"
        said = re.fullmatch(
            rf"The login with PLAIN failed: .+ The broker 127\.0\.0\.1:{amqp.port} offers PLAIN, XOAUTH2, OAUTHBEARER, and was "
            r"given the token by amqp_auth = plain_token\. The token by its own claims is valid until [0-9: -]+ UTC, names "
            r"'.+' as its subject.*\. Whether its signature is good cannot be told from here\. Ask EDSN whether the service "
            r"account has the AMQP consumer role of pie\.voorbeeld-energie, and how the broker wants the token\.",
            findings["broker"].text,
        )
        assert said, findings["broker"].text
        findings = await found(await g.client(g.account(amqp=replace(amqp, port=1))))
        assert findings["broker"].state == "failed"
        assert findings["broker"].text.endswith(
            "Check amqp_host and amqp_port (127.0.0.1:1), amqp_tls (now off), and whether a firewall lets this machine through."
        )
        assert g.venue.broker is not None
        g.venue.broker.knobs.mechanisms = ("GSSAPI",)
        assert (await found(await g.client()))["broker"].text == (
            "The broker does not offer PLAIN; it offers GSSAPI. Nothing secret was sent. Set amqp_auth to a way that is "
            "offered."
        )


async def test_a_broker_whose_certificate_proves_nothing_is_a_failure_with_what_to_do() -> None:
    async with ground(tls=True) as g:
        amqp = g.venue.amqp()
        assert amqp is not None
        pie = await g.client()
        token = await pie._identity.get()
        account = g.account(amqp=replace(amqp, tls=True))
        (broker, _) = await doctor._broker(token, Network(), account, lambda: None)
        assert broker.state == "failed"
        assert broker.text.endswith("put both into it, as by cat $(python -m certifi) broker-ca.pem > all.pem.")


async def test_a_token_is_not_shown_to_a_broker_before_that_is_confirmed() -> None:
    profile = replace(PRODUCTION, amqp=AmqpSettings("broker.example.invalid", "q"))
    async with ground() as g:
        token = await g.pie._identity.get()
        broker = await doctor._broker(token, Network(), replace(g.account(), profile=profile), refuse)
        assert broker == [
            Finding("broker", "failed", "not yet"), Finding("queue", "skipped", "the broker was not reached")
        ]  # fmt: skip


def refuse() -> None:
    raise Unconfirmed("not yet")


async def test_findings_hold_no_token() -> None:
    async with ground() as g:
        token = await g.pie.token()
        assert token not in repr(await g.pie.examine())
        stranger = await g.client(replace(g.account(), private_key=rsa_key()))
        assert "eyJ" not in repr(await stranger.examine())


async def test_the_times_that_a_token_claims_can_be_read() -> None:
    async with ground() as g:
        text = (await found(g.pie))["claims"].text
        for name in ("iat", "exp"):
            assert re.search(rf"\b{name}=\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC", text)
