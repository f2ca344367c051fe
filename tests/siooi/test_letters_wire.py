"""What letters ask of a wire: digests, a charset per request and direction, values in paths, the life of a session."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from pydantic import SecretStr

from gridwire.siooi import digests, wire
from gridwire.siooi.lifetimes import LONGEST_S, Lifetime
from gridwire.siooi.places import Seen
from gridwire.transport.exchange import Response
from tests.siooi.test_wire import DOCUMENT, PASSWORD, SESSION, profile

NOW = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
CONTENT = b"<r/>"


@pytest.mark.parametrize("name", digests.HASHES)
def test_a_digest_is_that_of_the_bytes_that_are_sent(name: str) -> None:
    digest = hashlib.new(name, CONTENT).digest()
    fields = {way: f"{{document.{name}.{way}}}" for way in ("hex", "HEX", "base64")}
    chosen = profile(
        send__fields={"form": "{form_code}", **fields}, send__body="base64_json", send__file={"field": "f"}
    )
    sent = json.loads(wire.send_request(chosen, SESSION, **DOCUMENT).content)  # type: ignore[arg-type]
    assert sent == {
        "form": "F/1", "hex": digest.hex(), "HEX": digest.hex().upper(), "base64": base64.b64encode(digest).decode(),
        "f": base64.b64encode(CONTENT).decode(),
    }  # fmt: skip


def test_a_digest_may_stand_in_address_header_and_file_name() -> None:
    md5 = hashlib.md5(CONTENT, usedforsecurity=False)
    chosen = profile(
        send__query={"n": "{document.size}"},
        send__headers={"Content-MD5": "{document.md5.base64}"},
        send__path="/{document.md5.hex}",
        send__file={"field": "f", "name": "{document.md5.HEX}.xml"},
    )
    request = wire.send_request(chosen, SESSION, **DOCUMENT)  # type: ignore[arg-type]
    assert request.url == f"http://127.0.0.1:1/json/{md5.hexdigest()}?n=4"
    assert request.headers["Content-MD5"] == base64.b64encode(md5.digest()).decode()
    assert f'filename="{md5.hexdigest().upper()}.xml"'.encode() in request.content
    assert digests.values(["form_code"], CONTENT) == {}


def test_each_request_has_a_charset_of_its_own() -> None:
    chosen = profile(
        charset="windows-1251",
        login__charset="windows-1251",
        login__fields={"имя": "{login}", "пароль": "{password}"},
        send__charset="utf-8",
        send__fields={"форма": "{form_code}"},
        status__query={"имя": "я{job_id}"},
        logout__charset="utf-8",
        logout__query={"имя": "я"},
    )
    request = wire.login_request(chosen, "Я", SecretStr("ı№"))
    assert request.headers["content-type"] == "application/json; charset=windows-1251"
    assert json.loads(request.content.decode("ascii")) == {
        "имя": "Я",
        "пароль": "ı№",
    }  # a letter that it lacks is escaped
    request = wire.login_request(chosen, "Я", SecretStr("№"))
    assert json.loads(request.content.decode("windows-1251")) == {"имя": "Я", "пароль": "№"}
    assert 'name="форма"'.encode() in wire.send_request(chosen, SESSION, **DOCUMENT).content  # type: ignore[arg-type]
    for asked, charset in (
        (wire.status_request(chosen, SESSION, job_id="7", form_code="F"), "windows-1251"),
        (wire.logout_request(chosen, SESSION), "utf-8"),
    ):
        assert asked is not None
        assert "имя" in unquote(urlsplit(asked.url).query, encoding=charset, errors="strict")
    basic = profile(login__body="basic", login__fields=None, login__charset="windows-1251")
    header = wire.login_request(basic, "Я", SecretStr("№")).headers["authorization"]
    assert base64.b64decode(header.removeprefix("Basic ")) == "Я:№".encode("windows-1251")


def test_each_answer_has_a_charset_of_its_own() -> None:
    chosen = profile(
        send__answer_charset="windows-1251",
        status__answer_charset="windows-1251",
        send__result_text={"json": "/т"},
        status__state={"json": "/с"},
        job_states={"готово": "SUCCEEDED"},
    )
    told = json.dumps({"code": 0, "jobId": "1", "т": "да", "с": "готово"}, ensure_ascii=False)
    for charset in ("windows-1251", "utf-8"):
        headers = {"content-type": "application/json" + ("; charset=utf-8" if charset == "utf-8" else "")}
        response = Response(200, headers, told.encode(charset))
        assert wire.read_send(chosen, response, []).said.text == "да"
        assert wire.read_status(chosen, response, []).state == "SUCCEEDED"
    answer = Response(200, {"set-cookie": "SANDBOXSID=1"}, b'{"code": "0"}')
    assert wire.read_login(chosen, answer, PASSWORD)[0].raw_code == "0"


def test_a_value_without_injection_goes_where_templates_name_it_and_nowhere_else() -> None:
    chosen = profile(
        session=[{"name": "sid", "extract": {"cookie": "C"}}],
        send__path="/{session.sid}/put",
        status__query={"t": "{session.sid}"},
    )
    assert chosen.shows_sessions
    assert not profile().shows_sessions
    request = wire.send_request(chosen, SESSION, **DOCUMENT)  # type: ignore[arg-type]
    assert request.url == "http://127.0.0.1:1/json/s%261/put"
    asked = wire.status_request(chosen, SESSION, job_id="7", form_code="F")
    assert asked.url.endswith("?t=s%261")
    logout = wire.logout_request(chosen, SESSION)
    assert logout is not None
    for one in (request, asked, logout):
        assert "s&1" not in str(dict(one.headers))
        assert b"s&1" not in one.content


@pytest.mark.parametrize(
    ("unit", "text", "life_s"),
    [
        ("seconds", "1800", 1800),
        ("seconds", " 90,5 ", 90.5),
        ("milliseconds", "1500", 1.5),
        ("minutes", "30", 1800),
        ("hours", "0.5", 1800),
        ("hours", "1e9", LONGEST_S),
        ("seconds", "0", None),
        ("seconds", "-5", None),
        ("seconds", "nan", None),
        ("seconds", "soon", None),
        ("seconds", "", None),
        ("instant", "2026-12-01T06:10:00Z", 600),
        ("instant", "2026-12-01T09:10:00+03:00", 600),
        ("instant", "2026-12-01T09:10:00", 600),
        ("instant", "2026-12-01 09:10", 600),
        ("instant", "2026-12-01T05:00:00Z", None),
        ("instant", "1800", None),
        ("instant", "9999-12-31", LONGEST_S),
    ],
)
def test_the_life_of_a_session_is_read(unit: str, text: str, life_s: float | None) -> None:
    place = Lifetime.model_validate({"json": "/e", "unit": unit})
    answer = Response(200, {}, json.dumps({"e": text}).encode())
    assert place.seconds(Seen(answer), NOW) == life_s


def test_an_instant_counts_from_the_venues_clock_where_its_answer_tells_it() -> None:
    place = Lifetime.model_validate({"body": True, "unit": "instant"})
    answer = Response(200, {"date": "Tue, 01 Dec 2026 07:00:00 GMT"}, b"2026-12-01T07:05:00Z")
    assert place.seconds(Seen(answer), NOW) == 300


def test_a_profile_without_a_place_for_it_reads_no_life() -> None:
    chosen: Any = profile()
    assert wire.session_life_s(chosen, Response(200, {}, b'{"expires": 5}'), NOW) is None
    chosen = profile(login__lifetime={"json": "/expires"})
    assert wire.session_life_s(chosen, Response(200, {}, b'{"expires": 5}'), NOW) == 5
