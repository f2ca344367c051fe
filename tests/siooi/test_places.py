from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gridwire.siooi.places import ErrorList, Place, Seen, pointed
from gridwire.transport.exchange import Response


def seen(content: bytes = b"", charset: str = "utf-8", **headers: str) -> Seen:
    return Seen(Response(200, {name.replace("_", "-"): value for name, value in headers.items()}, content), charset)


def place(**fields: Any) -> Place:
    return Place.model_validate(fields)


@pytest.mark.parametrize(
    ("fields", "answer", "found"),
    [
        ({"cookie": "SID"}, {"set_cookie": "SID=abc; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT, X=1"}, "abc"),
        ({"cookie": "X"}, {"set_cookie": "SID=abc; Path=/, X=1; HttpOnly, X=2"}, "2"),
        ({"cookie": "ID"}, {"set_cookie": "SID=abc"}, None),
        ({"cookie": "SID"}, {"set_cookie": "SID=; Max-Age=0"}, None),
        ({"cookie": "SID"}, {}, None),
        ({"header": "X-Token"}, {"x_token": " t "}, "t"),
        ({"header": "X-Token"}, {}, None),
        ({"json": "/a/0/b~1c"}, {"content": b'{"a": [{"b/c": "v"}]}'}, "v"),
        ({"json": "/n"}, {"content": b'{"n": 7}'}, "7"),
        ({"json": "/n"}, {"content": b'{"n": 7.50}'}, "7.50"),
        ({"json": "/n"}, {"content": b'{"n": true}'}, "true"),
        ({"json": "/n"}, {"content": b'{"n": false}'}, "false"),
        ({"json": "/n"}, {"content": b'{"n": null}'}, None),
        ({"json": "/n"}, {"content": b'{"n": {}}'}, None),
        ({"json": "/n"}, {"content": b"not json"}, None),
        ({"json": "/n/x"}, {"content": b'{"n": "text"}'}, None),
        ({"json": "/9"}, {"content": b"[1]"}, None),
        ({"json": "/01"}, {"content": b"[1, 2]"}, None),
        ({"json": ""}, {"content": b'"whole"'}, "whole"),
        ({"json": "/n"}, {"content": b"[" * 100_000}, None),
        ({"xpath": "//t"}, {"content": b"<r><t> v </t></r>"}, "v"),
        ({"xpath": "//s:t", "namespaces": {"s": "urn:x"}}, {"content": b'<t xmlns="urn:x">v<b>w</b></t>'}, "vw"),
        ({"xpath": "//t/@a"}, {"content": b'<t a="v"/>'}, "v"),
        ({"xpath": "count(//t)"}, {"content": b"<r><t/><t/></r>"}, "2"),
        ({"xpath": "1 div 2"}, {"content": b"<r/>"}, "0.5"),
        ({"xpath": "boolean(//t)"}, {"content": b"<r/>"}, "false"),
        ({"xpath": "not(//t)"}, {"content": b"<r/>"}, "true"),
        ({"xpath": "string(//t)"}, {"content": b"<r><t>v</t></r>"}, "v"),
        ({"xpath": "//t"}, {"content": b"<r>"}, None),
        ({"xpath": "//t"}, {"content": b"{}"}, None),
        ({"xpath": "//t"}, {"content": "<t>я</t>".encode("cp1251")}, None),
        ({"xpath": "//t"}, {"content": '<?xml version="1.0" encoding="windows-1251"?><t>я</t>'.encode("cp1251")}, "я"),
        ({"regex": r"№ (\d+)"}, {"content": "Задание № 17".encode()}, "17"),
        ({"regex": r"№ \d+"}, {"content": "Задание № 17".encode()}, "№ 17"),
        ({"regex": r"(x)?№"}, {"content": "№".encode()}, None),
        ({"regex": "я"}, {"content": "я".encode("cp1251"), "charset": "windows-1251"}, "я"),
        ({"regex": "я"}, {"content": "я".encode("cp1251"), "content_type": 'text/plain; charset="windows-1251"'}, "я"),
        ({"regex": "я"}, {"content": "я".encode("cp1251")}, None),
        ({"regex": "я"}, {"content": "я".encode(), "content_type": "text/plain; charset=klingon"}, "я"),
        ({"regex": "я"}, {"content": "я".encode(), "content_type": "text/plain; charset=undefined"}, "я"),
        ({"regex": "я"}, {"content": "я".encode(), "content_type": "text/plain; charset=a\0b"}, "я"),
        ({"body": True}, {"content": b"\xef\xbb\xbf token\r\n"}, "token"),
        ({"body": True}, {"content": b"  "}, None),
    ],
)  # fmt: skip
def test_a_place_is_found_or_not(fields: dict[str, Any], answer: dict[str, Any], found: str | None) -> None:
    assert place(**fields).find(seen(**answer)) == found


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({}, "it names nothing"),
        ({"body": False}, "it names nothing"),
        ({"json": "/a", "regex": "x"}, "json and regex"),
        ({"json": "", "body": True}, "exactly one"),
        ({"json": "a"}, "begins with a slash"),
        ({"json": "/~2"}, "JSON pointer"),
        ({"regex": "("}, "regular expression"),
        ({"xpath": "//["}, "not an XPath"),
        ({"xpath": "//s:t"}, None),
        ({"header": "X", "namespaces": {"s": "urn:x"}}, "belong to an xpath"),
        ({"header": "X Y"}, "header can carry"),
        ({"cookie": ""}, "header can carry"),
    ],
)
def test_a_place_that_cannot_be_meant_is_refused(fields: dict[str, Any], complaint: str | None) -> None:
    if complaint is None:
        assert place(**fields).find(seen(b"<r/>")) is None  # a prefix nobody declared finds nothing
        return
    with pytest.raises(ValidationError, match=complaint):
        place(**fields)


def errors(**fields: Any) -> ErrorList:
    return ErrorList.model_validate(fields)


def test_errors_in_json() -> None:
    found = errors(json="/e", line="/l", message="/m").find(
        seen(b'{"e": [{"l": 1, "m": "a"}, {"m": ""}, 7, {"l": 2}]}')
    )
    assert found == [{"line": "1", "message": "a"}, {"line": "2"}]
    assert errors(json="/e", message="/m").find(seen(b'{"e": "none"}')) == []


def test_errors_in_xml() -> None:
    where = errors(xpath="//s:e", namespaces={"s": "urn:x"}, line="@l", message="s:m", code="s:none")
    assert where.find(seen(b'<r xmlns="urn:x"><e l="1"><m>a</m></e><e/></r>')) == [{"line": "1", "message": "a"}]
    assert where.find(seen(b"no xml")) == []


def test_errors_in_text() -> None:
    where = errors(regex=r"line (?P<line>\d+): (?P<message>.*)")
    assert where.find(seen(b"line 1: a\nline 2: b")) == [
        {"line": "1", "message": "a"},
        {"line": "2", "message": "b"},
    ]
    assert where.find(seen(b"\xff")) == []


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({}, "exactly one"),
        ({"json": "/e", "xpath": "//e"}, "exactly one"),
        ({"json": "/e"}, "of no part"),
        ({"json": "/e", "message": "m"}, "begins with a slash"),
        ({"xpath": "//e", "message": "["}, "not an XPath"),
        ({"regex": "x"}, "named groups"),
        ({"regex": "(?P<other>x)"}, "named groups"),
        ({"regex": "(?P<line>x)", "message": "/m"}, "named groups"),
    ],
)
def test_errors_that_cannot_be_found_are_refused(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        errors(**fields)


@given(
    st.recursive(
        st.none() | st.text(max_size=3) | st.integers(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    ),
    st.text(max_size=8),
)
def test_a_pointer_never_fails(value: Any, pointer: str) -> None:
    pointed(value, "/" + pointer)


@given(
    st.binary(max_size=60), st.sampled_from(["text/html", "application/json", "text/xml", "", "text/plain; charset=x"])
)
def test_no_answer_makes_a_place_fail(content: bytes, media: str) -> None:
    answer = seen(content, content_type=media)
    for fields in ({"json": "/a/0"}, {"xpath": "//a"}, {"regex": "(a)|b"}, {"body": True}, {"cookie": "A"}):
        found = place(**fields).find(answer)
        assert found is None or found.strip() == found != ""
