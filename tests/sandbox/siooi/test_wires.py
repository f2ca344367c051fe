"""The simulated venue, spoken to by bare HTTP: what it takes, refuses and forgets over each of its wires."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from lxml import etree

from gridwire.errors import InvalidInput
from gridwire.sandbox import Sandbox
from gridwire.sandbox.siooi import SiooiVenue, forms

CLERK = "clerk@energo.example"
SPACE = {"r": "urn:gridwire:sandbox:siooi"}


@asynccontextmanager
async def venue() -> AsyncIterator[tuple[SiooiVenue, httpx.AsyncClient]]:
    async with Sandbox("siooi") as box, httpx.AsyncClient(base_url=box.venue("siooi").origin) as http:
        yield box.venue("siooi"), http


async def enter(found: SiooiVenue, http: httpx.AsyncClient, user: str = CLERK) -> dict[str, Any]:
    body = {"user": user, "password": found.registry.passwords[user]}
    answer = await http.post("/json/api/login", json=body)
    assert answer.json()["code"] == 0
    return dict(answer.json())


async def put(http: httpx.AsyncClient, content: bytes, form: str = "F101") -> dict[str, Any]:
    answer = await http.post("/json/api/documents", data={"formCode": form}, files={"file": ("x.xml", content)})
    return dict(answer.json())


async def test_json_from_login_to_the_signed_document() -> None:
    async with venue() as (found, http):
        await enter(found, http)
        job = (await put(http, forms.document()))["jobId"]
        states = []
        for _ in range(3):
            states.append((await http.get(f"/json/api/jobs/{job}")).json()["state"])
            await asyncio.sleep(5)
        assert states == ["NEW", "WORK", "DONE"]
        assert (await http.get(f"/json/api/jobs/{job}")).json()["documentStatus"] == "Подписан"
        assert [one.id for one in found.registry.documents(20.0)] == [job]
        assert (await http.post("/json/api/logout")).json()["code"] == 0
        assert (await http.get(f"/json/api/jobs/{job}")).json()["code"] == 103
        assert found.log[0].operation == "login"
        assert len(found.log) == len(found.log.calls())


async def test_soap_answers_in_windows_1251() -> None:
    async with venue() as (found, http):

        async def call(action: str, inner: str, token: str = "none") -> Any:
            body = f'<e:Envelope xmlns:e="x"><e:Body><a>{inner}</a></e:Body></e:Envelope>'
            headers = {"SOAPAction": f'"urn:{action}"', "Authorization": f"Token {token}"}
            return await http.post("/soap/service", content=body.encode(), headers=headers)

        password = found.registry.passwords[CLERK]
        answer = await call("Login", f"<Login>{CLERK}</Login><Password>{password}</Password>")
        token = answer.headers["X-Auth-Token"]
        assert "Успешно".encode("cp1251") in answer.content
        bad = base64.b64encode(forms.document(values=("a",))).decode()
        answer = await call("SendDocument", f"<FormCode>F101</FormCode><Content>{bad}</Content>", token)
        job = etree.fromstring(answer.content).findtext(".//r:JobId", namespaces=SPACE)
        await asyncio.sleep(11)
        answer = await call("GetStatus", f"<JobId>{job}</JobId>", token)
        root = etree.fromstring(answer.content)
        assert root.findtext(".//r:State", namespaces=SPACE) == "Ошибка"
        (error,) = root.findall(".//r:Error", namespaces=SPACE)
        assert error.get("line") == "5"
        for action, inner in (("SendDocument", "<FormCode>F101</FormCode>"), ("SendDocument", "<Content>%</Content>")):
            assert "SRV-0" in (await call(action, inner, token)).text
        answer = await http.post("/soap/service", content=b"<", headers={"SOAPAction": "urn:Login"})
        assert "SRV-0" in answer.text
        assert (await http.get("/soap/service")).status_code == 404


async def test_text_answers_in_words() -> None:
    async with venue() as (found, http):
        auth = httpx.BasicAuth(CLERK, found.registry.passwords[CLERK])
        answer = await http.get("/text/enter", auth=auth)
        key = answer.content.decode("cp1251").rpartition(" ")[2]
        data = {"data": base64.b64encode(forms.document(values=("a",))).decode()}
        answer = await http.post("/text/put", params={"key": key, "form": "F101"}, json=data)
        assert answer.content.decode("cp1251") == "Принято. Задание № 1001"
        await asyncio.sleep(11)
        answer = await http.get("/text/jobs/1001/state", params={"key": key})
        lines = answer.content.decode("cp1251").splitlines()
        assert lines[0] == "Состояние: отклонено"
        assert lines[1].startswith("Строка 5, /document/row[1]/wear[1]: [SCHEMAV")
        for request in (
            http.get("/text/enter"),
            http.get("/text/enter", headers={"Authorization": "Basic %%%"}),
            http.get("/text/enter", headers={"Authorization": "Digest " + base64.b64encode(b"a:b").decode()}),
            http.post("/text/put", params={"key": key}, content=b"{}"),
        ):
            assert "Отказ 99" in (await request).content.decode("cp1251")
        assert (await http.get("/text/elsewhere")).status_code == 404


@pytest.mark.parametrize(
    ("user", "form", "content", "code"),
    [
        ("reader@energo.example", "F101", forms.document(), 201),
        ("narrow@energo.example", "F102", forms.document("F102"), 202),
        ("narrow@energo.example", "F101", forms.document(object_key="TPP-2"), 203),
        (CLERK, "F999", forms.document(), 204),
        (CLERK, "F101", b"no xml", 205),
        (CLERK, "F101", b"<document/>", 205),
        (CLERK, "F101", b"<document><object>TPP-1</object>", 205),
    ],
)
async def test_what_it_refuses(user: str, form: str, content: bytes, code: int) -> None:
    async with venue() as (found, http):
        await enter(found, http, user)
        assert (await put(http, content, form))["code"] == code
        assert found.log.uploads() == []


async def test_requests_that_are_none() -> None:
    async with venue() as (found, http):
        for content in (b"[]", b"{", b'{"user": 1}'):
            assert (await http.post("/json/api/login", content=content)).json()["code"] in (400, 101)
        assert (await http.post("/json/api/documents", content=b"x")).json()["code"] == 400
        assert (await http.post("/json/api/documents", files={"file": b"x"})).json()["code"] == 400
        assert (await http.get("/json/api/login")).status_code == 404
        assert (await http.get("/nowhere")).status_code == 404
        assert found.log.uploads() == []


async def test_knobs() -> None:
    async with venue() as (found, http):
        knobs = found.knobs
        knobs.lock_after = 2
        for code in (101, 101, 102):
            answer = await http.post("/json/api/login", json={"user": CLERK, "password": "no"})
            assert answer.json()["code"] == code
        knobs.lock_after = 9
        await enter(found, http)
        knobs.refuses_duplicates = True
        assert (await put(http, forms.document()))["code"] == 0
        assert (await put(http, forms.document()))["code"] == 206
        knobs.queue_size = 1
        assert (await put(http, forms.document(object_key="TPP-2")))["code"] == 301
        first = found.registry.tokens
        knobs.one_session = True
        await enter(found, http)
        assert len(found.registry.tokens) == 1
        assert found.registry.tokens != first
        await asyncio.sleep(knobs.session_ttl_s)
        assert (await http.get("/json/api/jobs/1001")).json()["code"] == 103
        await enter(found, http)
        await asyncio.sleep(knobs.kept_s)
        await enter(found, http)
        assert (await http.get("/json/api/jobs/1001")).json()["code"] == 404
        assert (await http.get("/json/api/jobs/1")).json()["code"] == 404


async def test_faults_strike_and_are_written_down() -> None:
    async with venue() as (found, http):
        await enter(found, http)
        found.faults.add("close_before_read", operation="send")
        with pytest.raises(httpx.HTTPError):
            await put(http, forms.document())
        found.faults.add("drop_before_execute", operation="send")
        with pytest.raises(httpx.HTTPError):
            await put(http, forms.document())
        found.faults.add("drop_after_execute", operation="send")
        with pytest.raises(httpx.HTTPError):
            await put(http, forms.document())
        found.faults.add("result", operation="send", result_code="555", status=418)
        answer = await http.post("/json/api/documents", data={"formCode": "F101"}, files={"file": forms.document()})
        assert (answer.status_code, answer.json()["code"]) == (418, "555")
        assert [(call.fault, call.executed) for call in found.log.calls("send")] == [
            ("close_before_read", False), ("drop_before_execute", False), ("drop_after_execute", True), ("result", False),
        ]  # fmt: skip


async def test_what_it_hands_out() -> None:
    closed = SiooiVenue(seed=1)
    for wrong in (lambda: closed.folder, lambda: closed.origin):
        with pytest.raises(InvalidInput, match="not running"):
            wrong()
    async with venue() as (found, _):
        described = found.describe()
        assert set(described["urls"]) == {"json", "soap", "text"}
        assert sorted(path.name for path in found.schemas.iterdir()) == ["F101.xsd", "F102.xsd"]
        assert json.loads((found.folder / "simulator-soap.json").read_text())["charset"] == "windows-1251"
        with pytest.raises(InvalidInput, match="no user"):
            found.account("nobody")
        folder = found.folder
    assert not folder.exists()


async def test_a_port_that_is_taken_leaves_nothing_behind() -> None:
    async with Sandbox("siooi") as box:
        port = int(box.venue("siooi").origin.rpartition(":")[2])
        second = SiooiVenue(seed=2)
        second._write_folder = lambda: (_ for _ in ()).throw(OSError("full"))  # type: ignore[method-assign]
        with pytest.raises(OSError, match="full"):
            await second.open(port + 1)
        assert second._listener is None
