"""The CAS conversations, with plain values."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TypeVar
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from gridwire import clock
from gridwire.auth import cas
from gridwire.auth.errors import (
    CasCredentialsError,
    CasProtocolError,
    CasThrottledError,
    CasTicketExpired,
    CasUnavailable,
)
from gridwire.errors import AuthError, InvalidInput, NoAnswer, NotSent, TransportError
from gridwire.transport.exchange import Flow, Request, Response
from tests.support import planted

T = TypeVar("T")

URL = "https://testcas.epias.com.tr/cas/v1"
TGT = "TGT-237-U0TU0jUHLyOEIrdoDBEEf3AdRFAXGLifK2ITn4LoY3HfhstGtx-cas02.epias.com.tr"
ST = "ST-29962-hSwyzWCP0xC0eRi0bmna-cas01.epias.com.tr"
PASSWORD = "pÄss&w+o%rd=ıŞ"
PAGE = (
    '<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN"><html><head><title>201 Created</title></head><body><h1>TGT Created'
    f'</h1><form action="{URL}/tickets/{TGT}" method="POST">Service:<input type="text" name="service" value=""></form>'
    "</body></html>"
)
NO_HEADERS: Mapping[str, str] = {}


def play(flow: Flow[T], reply: Response | TransportError) -> tuple[Request, T]:
    """Run a one-step conversation; the request it made and what it returned."""
    request = next(flow)
    try:
        if isinstance(reply, Response):
            flow.send(reply)
        else:
            flow.throw(reply)
    except StopIteration as done:
        return request, done.value
    raise AssertionError("the conversation went on")


def login(reply: Response | TransportError, password: str = PASSWORD) -> str:
    return play(cas.login(URL, "TRADER", SecretStr(password)), reply)[1]


def ticket(reply: Response | TransportError) -> str:
    return play(cas.service_ticket(URL, TGT, "https://teststp.epias.com.tr"), reply)[1]


def text(status: int, body: str = "", headers: Mapping[str, str] = NO_HEADERS) -> Response:
    return Response(status, headers, body.encode())


class TestLogin:
    def test_sends_a_form_and_nothing_secret_in_the_address(self) -> None:
        request, _ = play(cas.login(URL + "/", "KULLANICI&1", SecretStr(PASSWORD)), text(201, TGT))
        assert (request.method, request.url) == ("POST", f"{URL}/tickets?format=text")
        assert request.headers == {"content-type": "application/x-www-form-urlencoded", "accept": "text/plain"}
        assert parse_qs(request.content.decode("ascii"), strict_parsing=True) == {
            "username": ["KULLANICI&1"],
            "password": [PASSWORD],
        }

    @pytest.mark.parametrize("status", [200, 201])
    @pytest.mark.parametrize(
        "reply",
        [
            text(0, TGT),
            text(0, f"\ufeff {TGT}\r\n"),
            text(0, json.dumps({"tgt": TGT, "created": "2025-10-22T10:15:30.123+03:00"})),
            text(0, json.dumps(TGT)),
            text(0, f"<tgt>{TGT}</tgt>"),
            text(0, f'\n<?xml version="1.0"?><answer xmlns="urn:x"><created/><tgt> {TGT} </tgt></answer>'),
            text(0, "", {"location": f"{URL}/tickets/{TGT}"}),
            text(0, "created", {"location": f"{URL}/tickets/{TGT}/?format=text"}),
            text(0, PAGE),
            text(0, '{"tgt": 5}', {"location": f"{URL}/tickets/{TGT}"}),
            text(0, '{"tgt"', {"location": f"{URL}/tickets/{TGT}"}),
            text(0, "<tgt/>", {"location": f"{URL}/tickets/{TGT}"}),
            text(0, "TGT-with space", {"location": f"{URL}/tickets/{TGT}"}),
            text(0, "y" * (cas.MAX_BODY_BYTES + 1), {"location": f"{URL}/tickets/{TGT}"}),
        ],
    )
    def test_finds_the_same_ticket_wherever_it_is(self, status: int, reply: Response) -> None:
        assert login(Response(status, reply.headers, reply.content)) == TGT

    def test_takes_any_suffix_and_length(self) -> None:
        assert login(text(200, "TGT-1")) == "TGT-1"
        assert login(text(200, "TGT-" + "a" * 3000)) == "TGT-" + "a" * 3000

    @pytest.mark.parametrize(
        "body", ["", "ST-1-abc", "tgt-1", "TGT-", "TGT-a/../b", "TGT-a?b", "[" * 100_000, '{"a":' * 9000]
    )
    def test_refuses_what_is_no_ticket(self, body: str) -> None:
        with pytest.raises(CasProtocolError, match="without a ticket"):
            login(text(201, body))

    def test_a_login_page_is_no_ticket(self) -> None:
        with pytest.raises(CasProtocolError, match="with a page"):
            login(
                text(200, "<html><form action='/cas/login'><input name=password></form>", {"content-type": "text/html"})
            )

    def test_a_redirect_is_not_followed(self) -> None:
        with pytest.raises(CasProtocolError, match="HTTP 302"):
            login(text(302, "", {"location": f"{URL}/tickets/{TGT}"}))

    @pytest.mark.parametrize(
        ("status", "body", "kind", "says"),
        [
            (401, '{"authentication_exceptions": ["FailedLoginException"]}', "refused", "FailedLoginException"),
            (400, "error.authentication.credentials.bad", "refused", "failures of its own"),
            (400, "", "refused", "failures of its own"),
            (406, "", "maybe_expired", "renew it in the venue's portal"),
            (401, '{"authentication_exceptions": ["CredentialExpiredException: x"]}', "maybe_expired", "renew it"),
            (401, '["java.util.ArrayList",["AccountPasswordMustChangeException"]]', "maybe_expired", "renew it"),
        ],
    )
    def test_refused_credentials(self, status: int, body: str, kind: str, says: str) -> None:
        with pytest.raises(CasCredentialsError, match="No order left this machine") as caught:
            login(text(status, body))
        assert caught.value.kind == kind
        assert says in str(caught.value)

    @pytest.mark.parametrize("status", [423, 429])
    @pytest.mark.parametrize(
        ("header", "pause_s"),
        [
            (None, 60.0),
            ("7", 7.0),
            ("0", 1.0),
            ("999999999999", 86_400.0),
            ("soon", 60.0),
            ("-5", 60.0),
            ("Thu, 01 Jan 1970 00:00:00 -0000", 60.0),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 1.0),
        ],
    )
    def test_throttled(self, status: int, header: str | None, pause_s: float) -> None:
        with pytest.raises(CasThrottledError) as caught:
            login(text(status, "", {} if header is None else {"retry-after": header}))
        assert caught.value.retry_after_s == pause_s

    def test_throttled_until_a_date(self) -> None:
        noon = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
        later = format_datetime(noon + timedelta(seconds=90), usegmt=True)
        with clock.use(lambda: noon), pytest.raises(CasThrottledError) as caught:
            login(text(429, "", {"retry-after": later}))
        assert caught.value.retry_after_s == 90.0

    @pytest.mark.parametrize(
        ("status", "hint"), [(403, "in front of CAS"), (404, "cas_url"), (415, "report"), (409, "proxy")]
    )
    def test_other_answers_are_not_of_the_protocol(self, status: int, hint: str) -> None:
        with pytest.raises(CasProtocolError, match=hint):
            login(text(status))

    @pytest.mark.parametrize("status", [500, 502, 503, 599])
    def test_an_inner_failure_may_pass(self, status: int) -> None:
        with pytest.raises(CasUnavailable) as caught:
            login(text(status, "<html>stack</html>"))
        assert caught.value.reason == "failed"

    def test_the_network_says_how_far_the_login_came(self) -> None:
        with pytest.raises(CasUnavailable, match="could not be reached") as caught:
            login(NotSent(f"{URL}/tickets/{TGT}", reason="dns"))
        assert caught.value.reason == "not_sent"
        with pytest.raises(CasUnavailable, match="may have opened a session") as lost:
            login(NoAnswer(f"{URL}/tickets/{TGT}", reason="timeout"))
        assert lost.value.reason == "no_answer"
        assert TGT not in "".join(traceback.format_exception(lost.value))

    def test_an_unsendable_password_is_refused_without_being_shown(self) -> None:
        with pytest.raises(InvalidInput, match="surrogate") as caught:
            login(text(200), "hid" + "den-\udc80")
        assert "hidden" not in "".join(traceback.format_exception(caught.value))

    def test_an_address_without_a_host_still_makes_a_sentence(self) -> None:
        with pytest.raises(CasUnavailable, match="an unnamed host"):
            play(cas.login("/cas/v1", "A", SecretStr("b")), NotSent("", reason="refused"))


class TestQuotation:
    @pytest.mark.parametrize(
        "body",
        [
            f"no {PASSWORD}",
            f"no {PASSWORD.replace('Äss', 'äSS')}",
            "no p%C3%84ss%26w%2Bo%25rd%3D%C4%B1%C5%9E",
            json.dumps({"p": PASSWORD}),
            "no pÄss&amp;w+o%rd=ıŞ",
            "bad form username=A&password=x",
            "no " + PASSWORD.encode().decode("latin-1"),
            f"no {PASSWORD[:4]}",
            '{"authentication_exceptions": ["SecretException"]}',
        ],
    )
    def test_a_text_that_may_repeat_the_password_is_not_quoted(self, body: str) -> None:
        with pytest.raises(CasCredentialsError, match="HTTP 401, with a text that is not quoted") as caught:
            login(text(401, body))
        assert body not in str(caught.value)
        assert "Secret" not in str(caught.value)

    def test_tickets_in_a_text_are_masked(self) -> None:
        with pytest.raises(CasProtocolError) as caught:
            ticket(text(409, f"{TGT} and {ST} clash"))
        assert "'TGT-*** and ST-*** clash'" in str(caught.value)

    def test_control_characters_and_length_are_tamed(self) -> None:
        with pytest.raises(CasProtocolError) as caught:
            ticket(text(409, "a\x1b[31m\nb" + "c" * 1000))
        assert "a [31m bccc" in str(caught.value)
        assert len(str(caught.value)) < 600


class TestServiceTicket:
    def test_sends_the_service_encoded_in_the_body(self) -> None:
        request, value = play(cas.service_ticket(URL, TGT, "https://stp/?a=b&c=d"), text(200, ST))
        assert (request.method, request.url, value) == ("POST", f"{URL}/tickets/{TGT}", ST)
        assert request.content == b"service=https%3A%2F%2Fstp%2F%3Fa%3Db%26c%3Dd"
        assert TGT not in repr(request)

    @pytest.mark.parametrize("body", [ST, f"{ST}\n", json.dumps({"st": ST}), f"<st>{ST}</st>"])
    def test_reads_text_json_and_xml(self, body: str) -> None:
        assert ticket(text(200, body)) == ST

    def test_reads_the_newer_suffix(self) -> None:
        assert ticket(text(200, "ST-1-a-cashazel-n201")) == "ST-1-a-cashazel-n201"

    def test_a_forgotten_session_has_an_error_of_its_own(self) -> None:
        with pytest.raises(CasTicketExpired) as caught:
            ticket(text(404, f"{TGT} could not be found or is considered invalid"))
        assert "TGT-*** could not be found" in str(caught.value)

    @pytest.mark.parametrize(
        ("reply", "error", "says"),
        [
            (text(400), CasProtocolError, "service name"),
            (text(401), CasProtocolError, "right for this service"),
            (text(302, "", {"location": "/login"}), CasProtocolError, "login page"),
            (text(200, "<html>login</html>"), CasProtocolError, "with a page"),
            (text(200, TGT), CasProtocolError, "TGT-\\*\\*\\*"),
            (text(406), CasProtocolError, "HTTP 406"),
            (text(429), CasThrottledError, "60 s"),
            (text(500), CasUnavailable, "does not know the service 'https://teststp"),
            (NoAnswer(TGT, reason="disconnected"), CasUnavailable, "no whole answer"),
        ],
    )
    def test_other_answers(self, reply: Response | TransportError, error: type[AuthError], says: str) -> None:
        with pytest.raises(error, match=says) as caught:
            ticket(reply)
        assert TGT not in "".join(traceback.format_exception(caught.value))


class TestLogout:
    @pytest.mark.parametrize("reply", [text(200), text(404), text(500), NoAnswer("", reason="timeout")])
    def test_whatever_comes_is_the_end(self, reply: Response | TransportError) -> None:
        request, _ = play(cas.logout(URL, TGT), reply)
        assert (request.method, request.url, request.content) == ("DELETE", f"{URL}/tickets/{TGT}", b"")


HOSTILE = st.one_of(
    st.binary(max_size=400),
    st.sampled_from(
        [b"TGT-", b"<tgt>", b'{"tgt":', b"<!DOCTYPE x [<!ENTITY a 'b'>]><tgt>&a;</tgt>", b'"', b"<a action='"]
    ).flatmap(lambda start: st.binary(max_size=200).map(lambda rest: start + rest)),
    st.recursive(st.none() | st.text() | st.integers(), lambda v: st.dictionaries(st.text(), v) | st.lists(v)).map(
        lambda value: json.dumps({"tgt": value, "st": value}).encode()
    ),
)


@given(
    status=st.integers(100, 599),
    body=HOSTILE,
    location=st.text(max_size=60),
    retry_after=st.text(max_size=40),
    media_type=st.sampled_from(["text/plain", "text/html", "application/xml", ""]),
)
def test_no_answer_breaks_the_reader(
    status: int, body: bytes, location: str, retry_after: str, media_type: str
) -> None:
    reply = Response(status, {"location": location, "retry-after": retry_after, "content-type": media_type}, body)
    for run, prefix in ((login, "TGT-"), (ticket, "ST-")):
        try:
            found = run(reply)
        except AuthError:
            continue
        assert found.startswith(prefix)
        assert set(found) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


def test_no_variable_of_a_failed_login_holds_the_password() -> None:
    """Reports of errors show them: a debugger's, a crash reporter's."""
    for answer in (Response(401, {}, b"no"), Response(200, {}, b"no ticket"), Response(503, {}, b"")):
        flow = cas.login(URL, "TRADER1", SecretStr(planted.PASSWORD))
        next(flow)
        with pytest.raises(AuthError) as caught:
            flow.send(answer)
        frames = [entry.frame for entry in caught.traceback if "gridwire" in str(entry.path)]
        assert frames
        for frame in frames:
            assert planted.leaks(repr(frame.f_locals)) == []
