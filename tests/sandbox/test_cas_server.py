from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from gridwire.sandbox import Sandbox
from gridwire.sandbox.epias_stp import EpiasStpVenue


class Door:
    def __init__(self, venue: EpiasStpVenue, http: httpx.AsyncClient) -> None:
        self.venue = venue
        self.http = http
        self.url = venue.profile.cas_url + "/tickets"
        self.form = {"username": "TRADER1", "password": venue.account("TRADER1").password.get_secret_value()}

    async def login(self, **query: str) -> httpx.Response:
        return await self.http.post(self.url, params=query, data=self.form)

    async def st(self, tgt: str, service: str | None = None, **query: str) -> httpx.Response:
        form = {"service": service or self.venue.knobs.service}
        return await self.http.post(f"{self.url}/{tgt}", params=query, data=form)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with Sandbox("epias_stp") as box, httpx.AsyncClient(trust_env=False) as http:
        yield Door(box.venue("epias_stp"), http)


async def test_login_answers_201_with_the_ticket_and_its_location(door: Door) -> None:
    answer = await door.login()
    assert answer.status_code == 201
    assert answer.text.startswith("TGT-1-")
    assert answer.headers["location"] == f"{door.url}/{answer.text}"
    assert answer.headers["content-type"].startswith("text/plain")


async def test_login_can_answer_200_as_the_document_promises(door: Door) -> None:
    door.venue.cas.knobs.tgt_status = 200
    answer = await door.login()
    assert answer.status_code == 200
    assert "location" not in answer.headers


async def test_ticket_answers_come_in_the_format_asked_for(door: Door) -> None:
    as_json = await door.login(format="json")
    assert set(as_json.json()) == {"tgt", "created"}
    assert as_json.json()["created"].startswith("2026-12-01T06:00")
    tgt = ElementTree.fromstring((await door.login(format="xml")).text)  # noqa: S314 - our own server's answer
    assert (tgt.tag, (tgt.text or "")[:6]) == ("tgt", "TGT-2-")
    assert (await door.st(tgt.text or "", format="json")).json()["st"].startswith("ST-1-")
    assert (await door.st(tgt.text or "", format="xml")).text.startswith("<st>ST-2-")
    assert (await door.st(tgt.text or "")).text.startswith("ST-3-")


async def test_ticket_answers_can_be_a_page_or_a_location_alone(door: Door) -> None:
    door.venue.cas.knobs.body = "html"
    answer = await door.login()
    assert f'action="{answer.headers["location"]}"' in answer.text
    door.venue.cas.knobs.body = "location"
    answer = await door.login()
    assert answer.content == b""
    tgt = answer.headers["location"].rpartition("/")[2]
    assert (await door.st(tgt)).text.startswith("ST-")


@pytest.mark.parametrize("kind", ["form", "json", "xml"])
async def test_each_content_type_of_the_document_is_taken(door: Door, kind: str) -> None:
    async def post(url: str, fields: dict[str, str]) -> httpx.Response:
        if kind == "form":
            return await door.http.post(url, data=fields)
        if kind == "json":
            return await door.http.post(url, json=fields)
        root = ElementTree.Element("ticketRequest")
        for name, value in fields.items():
            ElementTree.SubElement(root, name).text = value
        return await door.http.post(
            url, content=ElementTree.tostring(root, "utf-8"), headers={"Content-Type": "application/xml"}
        )

    door.venue.cas.passwords["TRADER1"] = door.form["password"] = 'ğüşıöç <&> "İ'
    login = await post(door.url, door.form)
    assert login.status_code == 201
    ticket = await post(f"{door.url}/{login.text}", {"service": door.venue.knobs.service})
    assert (ticket.status_code, ticket.text[:3]) == (200, "ST-")
    assert (await post(door.url, {**door.form, "password": "wrong"})).status_code == 401
    assert (await post(door.url, {"username": "TRADER1"})).status_code == 400


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{", 400), ("application/json", b"[" * 100_000, 400), ("application/json", b"[]", 400), ("application/json", b"\xff", 400),
        ("application/json", b'{"username": 1, "password": "x"}', 400), ("application/xml", b"<a>", 400),
        ("application/xml", b"<!DOCTYPE a><a><username>x</username><password>y</password></a>", 400),
        ("text/plain", b"username=x&password=y", 415), ("text/xml", b"<a/>", 415),
    ],
)  # fmt: skip
async def test_a_login_that_cannot_be_read_is_refused(door: Door, content_type: str, body: bytes, status: int) -> None:
    answer = await door.http.post(door.url, content=body, headers={"Content-Type": content_type})
    assert answer.status_code == status
    assert not door.venue.cas.log


async def test_credentials_are_read_from_the_body_only(door: Door) -> None:
    form_type = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await door.http.post(door.url, params=door.form, headers=form_type)).status_code == 400
    assert (await door.http.post(door.url, data={"username": "TRADER1"})).status_code == 400
    assert not door.venue.cas.log


async def test_special_characters_survive_the_form(door: Door) -> None:
    for password in ("a&b=c", "a+b c", "100%25", "ğüşıöç İ"):
        door.venue.cas.passwords["TRADER1"] = door.form["password"] = password
        assert (await door.login()).status_code == 201


async def test_wrong_credentials_are_answered_in_the_style_of_the_version(door: Door) -> None:
    door.form["password"] = "wrong"
    answer = await door.login()
    assert answer.status_code == 401
    assert answer.json() == {"authentication_exceptions": ["FailedLoginException"]}
    door.venue.cas.knobs.errors = "4.x"
    answer = await door.login()
    assert (answer.status_code, answer.text) == (400, "error.authentication.credentials.bad")


async def test_a_user_who_logs_in_too_often_is_locked_out(door: Door) -> None:
    door.venue.cas.knobs.login_limit = 3
    answers = [(await door.login()).status_code for _ in range(4)]
    assert answers == [201, 201, 201, 423]
    await asyncio.sleep(door.venue.cas.knobs.ban_s + 3600)
    assert (await door.login()).status_code == 201


async def test_a_dead_tgt_is_answered_404_with_the_stock_sentence(door: Door) -> None:
    tgt = (await door.login()).text
    await asyncio.sleep(2701)
    answer = await door.st(tgt)
    assert (answer.status_code, answer.text) == (404, f"{tgt} could not be found or is considered invalid")
    assert (await door.http.get(f"{door.url}/{tgt}")).status_code == 404


async def test_a_service_ticket_needs_a_readable_body_and_a_registered_service(door: Door) -> None:
    tgt = (await door.login()).text
    assert (await door.http.post(f"{door.url}/{tgt}", content=b"service=x")).status_code == 415
    assert (await door.http.post(f"{door.url}/{tgt}", data={"other": "x"})).status_code == 400
    assert (await door.st(tgt, "https://elsewhere")).status_code == 400


async def test_logout_ends_the_tgt_and_its_service_tickets(door: Door) -> None:
    tgt = (await door.login()).text
    ticket = (await door.st(tgt)).text
    assert (await door.http.get(f"{door.url}/{tgt}")).status_code == 200
    assert (await door.http.delete(f"{door.url}/{tgt}")).status_code == 200
    assert (await door.http.get(f"{door.url}/{tgt}")).status_code == 404
    now = asyncio.get_running_loop().time()
    assert door.venue.cas.validate(ticket, door.venue.knobs.service, now).why == "dead_parent"


async def test_other_paths_and_methods_are_not_there(door: Door) -> None:
    base = door.venue.profile.cas_url
    assert (await door.http.post(base.replace("/cas/v1", "/other"), data=door.form)).status_code == 404
    assert (await door.http.post(base + "/users", data=door.form)).status_code == 404
    assert (await door.http.post(door.url + "/a/b", data=door.form)).status_code == 404
    assert (await door.http.get(door.url)).status_code == 405
    assert (await door.http.put(door.url + "/TGT-1", data={})).status_code == 405


@pytest.mark.parametrize(
    ("status", "retry_after"), [(406, None), (423, None), (429, "30"), (429, None), (500, None), (503, "5")]
)
async def test_a_status_can_be_injected_into_login(door: Door, status: int, retry_after: str | None) -> None:
    door.venue.cas_faults.add("status", operation="login", status=status, retry_after=retry_after)
    answer = await door.login()
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry_after)
    assert not door.venue.cas.log
    assert (await door.login()).status_code == 201


@pytest.mark.parametrize(
    ("kind", "status", "header"), [("html", 200, "content-type"), ("redirect", 302, "location"), ("ban", 403, "server")]
)
async def test_pages_and_redirects_can_stand_in_front(door: Door, kind: Any, status: int, header: str) -> None:
    door.venue.cas_faults.add(kind, user="TRADER1", seconds=10.0)
    answer = await door.login()
    assert answer.status_code == status
    assert header in answer.headers
    await asyncio.sleep(11)
    assert (await door.login()).status_code == 201


async def test_an_answer_can_be_lost_after_the_login_counted(door: Door) -> None:
    door.venue.cas_faults.add("drop_after_execute", operation="login")
    with pytest.raises(httpx.RemoteProtocolError):
        await door.login()
    assert door.venue.cas.count("login") == 1


async def test_a_connection_can_end_before_the_body_is_read(door: Door) -> None:
    tgt = (await door.login()).text
    door.venue.cas_faults.add("close_before_read", user="TRADER1")
    with pytest.raises(httpx.TransportError):
        await door.st(tgt)
    assert door.venue.cas.count("service_ticket") == 0
