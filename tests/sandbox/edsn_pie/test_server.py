"""The simulator on its wires, asked by a client that is not ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from gridwire.errors import InvalidInput
from gridwire.sandbox import Sandbox
from gridwire.sandbox.edsn_pie import EdsnPieVenue
from gridwire.sandbox.edsn_pie.events import BASE
from gridwire.sandbox.edsn_pie.identity import ASSERTION_TYPE
from gridwire.sandbox.edsn_pie.server import TOKEN_PATH
from gridwire.sandbox.edsn_pie.venue import ORGANISATION

TICKET = f"{BASE}/tickets/PIE-000001"


@asynccontextmanager
async def served() -> AsyncIterator[tuple[EdsnPieVenue, httpx.AsyncClient, httpx.AsyncClient]]:
    """The venue, and bare clients of its API (with a good token) and of its identity provider."""
    async with Sandbox("pie") as box:
        venue = box.venue("pie")
        identity = venue.identity
        granted = identity._granted(identity.accounts["pie-service-1"], "roles", "j")
        bearer = {"Authorization": f"Bearer {granted.body['access_token']}"}
        async with (
            httpx.AsyncClient(base_url=venue.profile.rest_url, headers=bearer, trust_env=False) as api,
            httpx.AsyncClient(base_url=venue.profile.idp_url, trust_env=False) as idp,
        ):
            yield venue, api, idp


async def test_a_ticket_with_the_ids_of_the_request_given_back() -> None:
    async with served() as (_, api, _idp):
        answer = await api.get(TICKET, headers={"X-Request-ID": "r", "X-Correlation-ID": "c"})
        assert answer.status_code == 200
        assert (answer.headers["x-request-id"], answer.headers["x-correlation-id"]) == ("r", "c")
        assert answer.json()["id"] == "PIE-000001"
        assert "organisation" not in answer.json()
        assert "x-correlation-id" not in (again := await api.get(TICKET)).headers
        assert len(again.headers["x-request-id"]) == 36


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{BASE}/tickets/none", 404),
        ("GET", f"{BASE}/tickets/PIE-000001/comments/none", 404),
        ("GET", f"{BASE}/tickets", 404),
        ("GET", "/", 404),
        ("POST", TICKET, 405),
        ("GET", f"{TICKET}/comments?_limit=x", 422),
        ("GET", f"{TICKET}/comments?_cursor=x", 422),
    ],
)
async def test_refusals_are_problem_details(method: str, path: str, status: int) -> None:
    async with served() as (_, api, _idp):
        answer = await api.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert answer.json()["status"] == status
        assert answer.json()["type"].startswith("https://cmf.energysector.nl/reference-data/error-catalogue/")


async def test_tokens_and_roles_are_looked_at() -> None:
    async with served() as (venue, api, _idp):
        for header in ("", "Bearer x", "Basic x"):
            answer = await api.get(TICKET, headers={"Authorization": header})
            assert answer.status_code == 401
        venue.identity.accounts["pie-service-1"].roles = frozenset()
        bare = venue.identity._granted(venue.identity.accounts["pie-service-1"], None, "j").body["access_token"]
        assert (await api.get(TICKET, headers={"Authorization": f"Bearer {bare}"})).status_code == 403
        assert [call.token for call in venue.log] == [None, None, None, 2]


async def test_an_id_is_one_segment_however_it_is_written() -> None:
    async with served() as (venue, api, _idp):
        venue.board.open_ticket("odd", organisation=ORGANISATION, ticket_id="a/b")
        assert (await api.get(f"{BASE}/tickets/a%2Fb")).status_code == 200
        assert (await api.get(f"{BASE}/tickets/a/b")).status_code == 404


async def test_the_id_goes_by_another_name_where_that_is_wanted() -> None:
    async with served() as (venue, api, _idp):
        venue.rest_knobs.id_name = "mRID"
        venue.rest_knobs.latency_s = 2.0
        assert (await api.get(TICKET)).json()["mRID"] == "PIE-000001"


@pytest.mark.parametrize(
    ("method", "path", "kind", "status"),
    [
        ("GET", TOKEN_PATH, "application/x-www-form-urlencoded", 405),
        ("POST", "/else", "application/x-www-form-urlencoded", 404),
        ("POST", TOKEN_PATH, "application/json", 400),
        ("POST", TOKEN_PATH, "application/x-www-form-urlencoded", 400),
    ],
)
async def test_the_token_endpoint_takes_a_posted_form(method: str, path: str, kind: str, status: int) -> None:
    async with served() as (_, _api, idp):
        answer = await idp.request(method, path, headers={"Content-Type": kind}, content="naïve")
        assert answer.status_code == status


async def test_faults_strike_before_and_after() -> None:
    async with served() as (venue, api, idp):
        for faults, client, path, data in (
            (venue.faults, api, TICKET, None),
            (
                venue.identity_faults,
                idp,
                TOKEN_PATH,
                {"client_id": "pie-service-1", "client_assertion_type": ASSERTION_TYPE},
            ),
        ):
            method = "GET" if data is None else "POST"
            for kind in ("close_before_read", "drop_before_execute", "drop_after_execute"):
                faults.add(kind)
                with pytest.raises(httpx.RemoteProtocolError):
                    await client.request(method, path, data=data)
            faults.add("status", status=503, user="pie-service-1")
            assert (await client.request(method, path, data=data)).status_code == 503
        assert [call.fault for call in venue.log.calls("get_ticket", "pie-service-1")] == [
            "close_before_read", "drop_before_execute", "drop_after_execute", "status",
        ]  # fmt: skip
        assert [call.status for call in venue.log] == [None, None, 200, None, None, None, 400, None]
        assert venue.log[0].fault == "close_before_read"


async def test_it_is_described_and_ends() -> None:
    async with Sandbox("pie", seed=4) as box:
        venue = box.venue("edsn_pie")
        described: dict[str, Any] = box.describe()["venues"]["edsn_pie"]
        amqp = box.edsn_pie.profile.amqp
        assert amqp is not None
        assert described["urls"] == {
            "rest": venue.profile.rest_url,
            "idp": venue.profile.idp_url + TOKEN_PATH,
            "amqp": f"amqp://127.0.0.1:{amqp.port}",
        }
        env = described["env"]
        assert (env["GRIDWIRE_EDSN_PIE_AMQP_PORT"], env["GRIDWIRE_EDSN_PIE_AMQP_TLS"]) == (str(amqp.port), "false")
        assert env["GRIDWIRE_EDSN_PIE_REST_URL"] == venue.profile.rest_url
        assert "\n" not in env["GRIDWIRE_EDSN_PIE_PRIVATE_KEY"]
        assert box.edsn_pie.client_id == env["GRIDWIRE_EDSN_PIE_CLIENT_ID"] == "pie-service-1"
        assert "PRIVATE" not in repr(box.edsn_pie)
        with pytest.raises(InvalidInput, match="pie-service-1, pie-service-2, pie-service-3"):
            venue.account("nobody")
    with pytest.raises(InvalidInput, match="not running"):
        venue.account()


async def test_ports_are_the_one_asked_for_and_the_next() -> None:
    async with Sandbox("pie") as box:
        rest = int(box.edsn_pie.profile.rest_url.rpartition(":")[2])
    async with Sandbox("pie", ports={"pie": rest + 100}) as box:
        assert box.edsn_pie.profile.rest_url == f"http://127.0.0.1:{rest + 100}"
        assert box.edsn_pie.profile.idp_url == f"http://127.0.0.1:{rest + 101}"
        assert box.edsn_pie.profile.amqp is not None
        assert box.edsn_pie.profile.amqp.port == rest + 102
        with pytest.raises(OSError, match=r"."):
            async with Sandbox("pie", ports={"pie": rest + 99}):
                pass
