from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from gridwire.errors import ConfigurationError, InvalidInput
from gridwire.sandbox.siooi import profiles
from gridwire.siooi import wire
from gridwire.siooi.checks import load_profile
from gridwire.siooi.enums import JobState, ResultCode
from gridwire.siooi.models import FileError
from gridwire.siooi.profile import Profile
from gridwire.siooi.wire import Session
from gridwire.transport.exchange import Response

PASSWORD = SecretStr("Gizli&Söz 41")
DOCUMENT = {"form_code": "F/1", "object_key": "TPP 1", "period": "2026-Q3", "content": b"<r/>"}


def profile(**changes: Any) -> Profile:
    described = profiles.simulator("http://127.0.0.1:1")
    for path, value in changes.items():
        table: Any = described
        *above, last = path.split("__")
        for step in above:
            table = table[step]
        if value is None:
            del table[last]
        else:
            table[last] = value
    return load_profile(described)


SESSION = Session({"sid": "s&1"}, 1)
HIDDEN = wire.secrets_of(SESSION, PASSWORD)


def test_every_form_of_login() -> None:
    fields = {"user": "{login}", "pass": "{password}"}
    request = wire.login_request(profile(login__fields=fields), "a", PASSWORD)
    assert json.loads(request.content) == {"user": "a", "pass": "Gizli&Söz 41"}
    request = wire.login_request(profile(login__fields=fields, login__body="form"), "a", PASSWORD)
    assert request.content == b"user=a&pass=Gizli%26S%C3%B6z+41"
    request = wire.login_request(profile(login__fields=fields, login__body="multipart"), "a", PASSWORD)
    assert "Gizli&Söz 41".encode() in request.content
    shape = {"root": "Login", "action": "urn:l"}
    request = wire.login_request(profile(login__fields=fields, login__body="soap", login__shape=shape), "a", PASSWORD)
    assert request.headers["soapaction"] == '"urn:l"'
    assert b"<Login><user>a</user><pass>" in request.content
    request = wire.login_request(
        profile(login__fields=fields, login__body="xml", login__shape={"root": "L"}), "a", PASSWORD
    )
    assert "soapaction" not in request.headers
    request = wire.login_request(profile(login__body="basic", login__fields=None), "ключ", PASSWORD)
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode() == "ключ:Gizli&Söz 41"
    assert request.content == b""
    assert "Gizli" not in repr(request)


@pytest.mark.parametrize(
    ("inject", "where"),
    [
        ({"cookie": "C"}, "cookie"),
        ({"header": "X-Auth", "template": "Token {v}"}, "X-Auth"),
        ({"query": "k"}, "query"),
    ],
)
def test_a_session_goes_where_the_profile_says(inject: dict[str, str], where: str) -> None:
    chosen = profile(session=[{"name": "sid", "extract": {"cookie": "C"}, "inject": inject}], send__query={"v": "2"})
    for request in (
        wire.send_request(chosen, SESSION, **DOCUMENT),  # type: ignore[arg-type]
        wire.status_request(chosen, SESSION, job_id="7", form_code="F1"),
        wire.logout_request(chosen, SESSION),
    ):
        assert request is not None
        said = {
            "cookie": request.headers.get("cookie"),
            "X-Auth": request.headers.get("X-Auth"),
            "query": "&".join(parse_qs(urlsplit(request.url).query).get("k", [])) or None,
        }
        expected = "C=s&1" if where == "cookie" else "Token s&1" if where == "X-Auth" else "s&1"
        assert said == {"cookie": None, "X-Auth": None, "query": None} | {where: expected}


def test_a_session_in_fields_and_paths() -> None:
    both = [
        {"name": "sid", "extract": {"cookie": "C"}, "inject": {"field": "auth/sid"}},
        {"name": "box", "extract": {"header": "B"}, "inject": {"path": True}},
    ]
    chosen = profile(
        session=both,
        send__body="base64_json",
        send__path="/{session.box}/put",
        status__body="json",
        status__method="POST",
        status__path="/{session.box}/job",
        status__fields={"id": "{job_id}"},
        logout={"path": "/{session.box}/out", "body": "form"},
    )
    session = Session({"sid": "s", "box": "a/b"})
    request = wire.send_request(chosen, session, **DOCUMENT)  # type: ignore[arg-type]
    assert request.url.endswith("/a%2Fb/put")
    assert json.loads(request.content) == {"formCode": "F/1", "auth": {"sid": "s"}, "file": "PHIvPg=="}
    request = wire.status_request(chosen, session, job_id="7", form_code="F1")
    assert json.loads(request.content) == {"id": "7", "auth": {"sid": "s"}}
    logout = wire.logout_request(chosen, session)
    assert logout is not None
    assert logout.content == b"auth%2Fsid=s"
    assert wire.logout_request(profile(logout=None), session) is None


def test_a_document_goes_as_it_is_where_the_body_is_the_document() -> None:
    chosen = profile(
        send__body="raw_xml", send__fields={}, send__file={"content_type": "text/xml"}, send__path="/put/{form_code}",
        send__query={"object": "{object_key}", "period": "{period}"}, send__headers={"X-Form": "{form_code}"},
    )  # fmt: skip
    request = wire.send_request(chosen, SESSION, **DOCUMENT)  # type: ignore[arg-type]
    assert request.content == b"<r/>"
    assert request.url == "http://127.0.0.1:1/json/put/F%2F1?object=TPP+1&period=2026-Q3"
    assert (request.headers["content-type"], request.headers["X-Form"]) == ("text/xml", "F/1")


def test_a_document_in_xml() -> None:
    for encoding, found in (("base64", b">PHIvPg==<"), ("text", b">&lt;r/&gt;<")):
        chosen = profile(
            send__body="xml", send__shape={"root": "Put"}, send__file={"field": "doc", "encoding": encoding}
        )
        assert found in wire.send_request(chosen, SESSION, **DOCUMENT).content  # type: ignore[arg-type]


def test_a_header_that_cannot_carry_a_value_is_refused_without_showing_it() -> None:
    chosen = profile(send__headers={"X-Object": "{object_key}"})
    with pytest.raises(ConfigurationError, match="X-Object") as caught:
        wire.send_request(chosen, SESSION, **{**DOCUMENT, "object_key": "ТЭЦ"})  # type: ignore[arg-type]
    assert "ТЭЦ" not in str(caught.value)
    with pytest.raises(ConfigurationError):
        wire.send_request(profile(), Session({"sid": "a\r\nSet: x"}), **DOCUMENT)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        wire.send_request(chosen, SESSION, **{**DOCUMENT, "object_key": "TPP "})  # type: ignore[arg-type]


def answer(content: bytes, status: int = 200, **headers: str) -> Response:
    return Response(status, headers, content)


def test_a_login_without_all_its_values_is_none() -> None:
    chosen = profile(session=[
        {"name": "a", "extract": {"json": "/a"}, "inject": {"cookie": "a"}},
        {"name": "b", "extract": {"header": "b"}, "inject": {"cookie": "b"}},
    ])  # fmt: skip
    said, values = wire.read_login(chosen, answer(b'{"code": 0, "a": "1"}', b="2"), PASSWORD)
    assert (said.code, values) == (ResultCode.OK, {"a": "1", "b": "2"})
    assert wire.read_login(chosen, answer(b'{"code": 0, "a": "1"}'), PASSWORD)[1] is None
    assert wire.read_login(chosen, answer(b'{"code": 0, "a": "1\\u0000"}', b="2"), PASSWORD)[1] is None


def test_a_page_of_html_is_no_session() -> None:
    chosen = profile(session=[{"name": "a", "extract": {"body": True}, "inject": {"cookie": "a"}}])
    assert wire.read_login(chosen, answer(b"<html>sign in</html>"), PASSWORD)[1] is None
    assert wire.read_login(chosen, answer(b"token-7"), PASSWORD)[1] == {"a": "token-7"}


def test_secrets_are_not_repeated_from_what_a_venue_says() -> None:
    content = '{"code": "Gizli&Söz 41", "message": "Gizli&Söz 41 s&1 password=x"}'.encode()
    said, _ = wire.read_login(profile(), answer(content), PASSWORD)
    assert (said.raw_code, said.text) == ("***", "*** s&1 password=***")
    found = wire.read_send(profile(), answer(content), HIDDEN)
    assert found.said.text == "*** *** password=***"


@pytest.mark.parametrize(
    "spelled", ["Gizli&amp;Söz 41", "Gizli%26S%c3%b6z+41", "R2l6bGkmU8O2eiA0MQ==", "Gizli&#38;S&ouml;z 41"]
)
def test_secrets_are_not_repeated_in_another_spelling(spelled: str) -> None:
    content = json.dumps({"code": spelled, "message": f"it says {spelled}"}).encode()
    found = wire.read_send(profile(), answer(content), HIDDEN)
    assert (found.said.raw_code, found.said.text) == ("***", "it says ***")


def test_a_job_id_must_be_one() -> None:
    for raw, found in (("7", "7"), (" 7 ", "7"), ("", None), ("a\\nb", None), ("x" * 501, None)):
        content = f'{{"code": 0, "jobId": "{raw}"}}'.encode()
        assert wire.read_send(profile(), answer(content), HIDDEN).job_id == found


def test_a_status_with_all_its_parts() -> None:
    content = json.dumps(
        {"code": 0, "state": "ERROR", "errors": [{"line": 3, "element": "/a", "code": "E", "text": "плохо"}, {}]}
    ).encode()
    found = wire.read_status(profile(), answer(content), HIDDEN)
    assert (found.raw_state, found.state) == ("ERROR", JobState.FAILED)
    assert found.errors == (FileError(line="3", element="/a", code="E", message="плохо"),)
    bare = wire.read_status(profile(status__errors=None, status__document_status=None), answer(content), HIDDEN)
    assert (bare.errors, bare.document_status) == ((), None)
    assert wire.read_status(profile(), answer(b'{"state": "?"}'), HIDDEN).state is JobState.UNKNOWN_STATE
    assert wire.read_status(profile(), answer(b"{}"), HIDDEN).state is None


def test_no_part_of_a_status_repeats_a_secret_or_goes_on_for_ever() -> None:
    chosen = profile(status__document_status={"json": "/document"})
    words = "s&1 Gizli&Söz 41 " + "Z" * 100_000
    content = json.dumps({"state": words, "document": words, "errors": [{"line": words, "element": words, "code": words,
                                                                        "text": words}]}).encode()  # fmt: skip
    found = wire.read_status(chosen, answer(content), HIDDEN)
    parts = [
        found.document_status,
        *(getattr(found.errors[0], name) for name in ("line", "element", "code", "message")),
    ]
    assert all(part == "*** *** " + "Z" * (wire.LONGEST_TEXT - 8) for part in parts)
    assert found.raw_state == "*** *** " + "Z" * (wire.LONGEST_CODE - 8)


def test_half_a_character_is_a_question_mark() -> None:
    content = b'{"code": "\\ud800", "state": "ERROR", "message": "a\\udfff", "errors": [{"text": "\\ud83d!"}]}'
    found = wire.read_status(profile(), answer(content), HIDDEN)
    assert (found.said.raw_code, found.said.text, found.errors) == ("?", "a?", (FileError(message="?!"),))


def test_a_thousand_errors_are_enough() -> None:
    content = json.dumps({"state": "ERROR", "errors": [{"line": n} for n in range(1200)]}).encode()
    assert len(wire.read_status(profile(), answer(content), HIDDEN).errors) == 1000


def test_a_profile_need_not_say_where_codes_are() -> None:
    chosen = profile(
        send__result_code=None, send__result_text=None, send__queued_when=[{"status": 200}], send__refused_when=[]
    )
    said = wire.read_send(chosen, answer(b'{"jobId": 7}'), HIDDEN).said
    assert (said.raw_code, said.code, said.text) == (None, None, None)


def test_what_no_encoding_can_carry_is_refused() -> None:
    with pytest.raises(InvalidInput, match="half of a character") as caught:
        wire.login_request(profile(login__body="basic", login__fields=None), "a", SecretStr("Gizli\ud800"))
    assert "Gizli" not in str(caught.value)
    chosen = profile(charset="windows-1251", send__query={"o": "{object_key}"})
    with pytest.raises(InvalidInput, match="windows-1251"):
        wire.send_request(chosen, SESSION, **{**DOCUMENT, "object_key": "ı"})  # type: ignore[arg-type]
