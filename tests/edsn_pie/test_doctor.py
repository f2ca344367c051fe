"""edsn_pie/doctor.py: every finding, good and bad."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from gridwire import clock
from gridwire.edsn_pie import TEST, EdsnPie, Finding
from gridwire.edsn_pie.doctor import claims_of
from tests.acceptance.edsn_pie.ground import Ground, ground
from tests.support.keys import rsa_key
from tests.support.raw_server import answering, http_answer, raw_server


async def found(pie: EdsnPie) -> dict[str, Finding]:
    return {finding.name: finding for finding in await pie.examine()}


async def test_everything_is_looked_at_in_order() -> None:
    async with ground() as g:
        names = [finding.name for finding in await g.pie.examine()]
        assert names == ["profile", "key", "identity provider", "token", "claims", "api"]
        assert {finding.state for finding in await g.pie.examine()} == {"ok"}


async def test_what_is_not_confirmed_is_listed() -> None:
    async with ground() as g:
        pie = await g.client(g.account(facts=TEST.facts), confirmed=["audience", "scope"])
        finding = (await found(pie))["profile"]
        assert finding.state == "warning"
        assert "not confirmed with EDSN: amqp_auth, amqp_port, assertion, comment_path" in finding.text


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
        assert (await token(g)).text == "lives 900 s, no scope named"


async def test_an_opaque_token_shows_nothing() -> None:
    body = json.dumps({"access_token": "opaque", "expires_in": 60}).encode()
    async with ground() as g:
        g.venue.identity_faults.add("raw", content=body, times=None)
        findings = await found(g.pie)
        assert findings["claims"].text == "the token is opaque: it shows nothing of itself"


def test_claims_are_read_of_what_is_a_jwt() -> None:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    assert claims_of(f"{part({})}.{part({'sub': 'x'})}.c2ln") == {"sub": "x"}
    for token in ("opaque", "a.b", f"a.{part([1])}.c", "a.!!!.c", "a.e30x.c", "a.b.c.d"):
        assert claims_of(token) is None


async def test_findings_hold_no_token() -> None:
    async with ground() as g:
        token = await g.pie.token()
        assert token not in repr(await g.pie.examine())
        stranger = await g.client(replace(g.account(), private_key=rsa_key()))
        assert "eyJ" not in repr(await stranger.examine())
