"""edsn_pie/wire.py: paths, lists and problems, without a socket."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from gridwire.edsn_pie import wire
from gridwire.edsn_pie.errors import EdsnAnswerError, EdsnForeignReference, Facts, Problem
from gridwire.edsn_pie.profile import TEST
from gridwire.errors import InvalidInput
from gridwire.transport.exchange import Response

FACTS = Facts("list_comments", 200)
REST = "https://api.example.nl"


def test_ids_fill_a_template_encoded() -> None:
    assert (
        wire.path("/t/{ticket_id}/c/{comment_id}", ticket_id="a/ b", comment_id="~-._é") == "/t/a%2F%20b/c/~-._%C3%A9"
    )
    assert wire.path("/c/{comment_id}", ticket_id="x", comment_id="y") == "/c/y", "a template may do without one"


def test_an_id_of_another_type_is_shown_how_to_write_it() -> None:
    with pytest.raises(InvalidInput, match='a str is needed: ticket_id="17"'):
        wire.check_id(17, "ticket_id")  # type: ignore[arg-type]


def test_queries_of_pages() -> None:
    assert wire.page_query(None, None) == ""
    assert wire.page_query(100, None) == "?_limit=100"
    assert wire.page_query(None, "a&b=") == "?_cursor=a%26b%3D"


@pytest.mark.parametrize(
    "dataref",
    [
        f"{REST}/x", f"{REST}:443/x?y=1", "HTTPS://API.example.nl/x", f"{REST}",
    ],
)  # fmt: skip
def test_a_reference_to_the_api_is_used(dataref: str) -> None:
    assert wire.reference(dataref, REST) == dataref


@pytest.mark.parametrize(
    "dataref",
    ["http://api.example.nl/x", f"{REST}:8443/x", f"{REST}.evil.example/x", f"{REST}@evil.example/x", "", f"{REST}:x/",
     f"{REST}:0/x", f"{REST}/a/..;/x", f"{REST}/a/..%3b/x", f"{REST}/a/..%253Bjsessionid=1/x", f"{REST}/.;x/y"],
)  # fmt: skip
def test_a_reference_elsewhere_is_not(dataref: str) -> None:
    with pytest.raises(EdsnForeignReference, match=r"Nothing was sent"):
        wire.reference(dataref, REST)


@pytest.mark.parametrize("name", ["id", "mRID", "mrid", "ticketId", "ticketMrid"])
def test_a_ticket_is_known_by_any_name_of_its_id(name: str) -> None:
    body = {name: 7, "else": [1]}
    found = wire.ticket(body, "asked", FACTS, TEST)
    assert (found.id, found.raw) == ("7", body)
    assert found.raw is body


def test_what_an_answer_does_not_name_is_what_was_asked_for() -> None:
    assert wire.ticket({"id": None}, "asked", FACTS, TEST).id == "asked"
    assert wire.ticket({"id": " "}, None, FACTS, TEST).id == ""
    found = wire.comment({"commentMrid": "C", "ticketMrid": "T"}, "asked", "other", FACTS, TEST)
    assert (found.id, found.ticket_id) == ("C", "T")
    found = wire.comment({"id": True}, "asked", None, FACTS, TEST)
    assert (found.id, found.ticket_id) == ("asked", None)


@pytest.mark.parametrize(
    ("body", "count", "cursor"),
    [
        (None, 0, None),
        ([{}, {}], 2, None),
        ({"items": [{}], "total": 5, "errors": []}, 1, None),
        ({"comments": [{}], "nextCursor": "n"}, 1, "n"),
        ({"comments": [], "nextCursor": ""}, 0, None),
        ({"comments": [], "nextCursor": None, "_links": {"next": None}}, 0, None),
        ({"_embedded": {"comments": [{}]}, "_links": {"self": {"href": "/x"}}}, 1, None),
        (
            {"_embedded": {"items": [{}], "other": []}, "_links": {"next": {"href": "/x?_limit=1&_cursor=c%20d"}}},
            1,
            "c d",
        ),
        ({"items": [], "_links": []}, 0, None),
    ],
)
def test_lists_are_found_where_they_may_be(body: Any, count: int, cursor: str | None) -> None:
    found = wire.page(body, FACTS)
    assert (len(found.items), found.cursor) == (count, cursor)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("text", "a str where a list should be"),
        ({}, "no list that can be told"),
        ({"a": [], "b": []}, "no list that can be told"),
        ({"items": {"a": 1}}, "no list that can be told"),
        ({"items": [1]}, "a int where a record of the list should be"),
        ({"items": [], "nextCursor": 5}, "nextCursor is not a text"),
        ({"items": [], "_links": {"next": {"href": "/x?page=2"}}}, "the answer says where in a way that is not known"),
        ({"items": [], "_links": {"next": {}}}, "in a way that is not known"),
        ({"items": [], "_links": {"next": "x"}}, "in a way that is not known"),
        ({"items": [], "_links": {"next": {"href": "http://[bad?_cursor=x"}}}, "in a way that is not known"),
        ({"items": [], "_links": {"next": {"href": "/x?_cursor=a\ud800"}}}, "half of a character"),
        ({"items": [], "nextCursor": "a\ud800"}, "half of a character"),
    ],
)
def test_a_list_that_cannot_be_read_whole_is_an_error(body: Any, sentence: str) -> None:
    with pytest.raises(EdsnAnswerError, match=sentence):
        wire.page(body, FACTS)


def test_json_of_a_success() -> None:
    assert wire.read_json(Response(200, {}, b' {"a": 1}'), FACTS) == {"a": 1}
    assert wire.read_json(Response(200, {}, b"  "), FACTS) is None
    assert wire.read_json(Response(204, {}, b"{}"), FACTS) is None
    for body in (b"nonsense", b"\xff", b"[" * 100_000, b"<xml/>"):
        with pytest.raises(EdsnAnswerError, match="is not JSON"):
            wire.read_json(Response(200, {}, body), FACTS)


def test_problems_are_read_with_everything_beside_the_standard() -> None:
    body = {
        "type": "about:blank", "title": "No\x1b", "status": 404, "detail": "Bearer abcdefghi", "instance": 5,
        "errorCode": "E1", "n": 3, "list": ["eyJhbGciOiJub25l.eyJzdWIiOiJ4In0.sig"], "none": None,
    }  # fmt: skip
    assert wire.problem(Response(404, {}, json.dumps(body).encode())) == Problem(
        "about:blank", "No ", 404, "Bearer ***", None,
        {"errorCode": "E1", "n": 3, "list": '["***"]', "none": None},
    )  # fmt: skip
    assert wire.problem(Response(404, {}, b'{"status": true}')) == Problem()
    for content in (b"", b"<html>", b"[]", b"[" * 100_000):
        assert wire.problem(Response(404, {}, content)) is None


def test_a_problem_repeats_nothing_that_was_sent() -> None:
    """A token need not look like one, and may be quoted anywhere and in any spelling."""
    token = 'opaque+7f1bd2c0/"55aa"'
    body = {
        "type": f"about:{token}", "title": f"expired: {token}", "detail": "x" * 480 + token, "instance": f"/t?t={quote(token)}",
        "errorCode": token, token: 1, "nested": {"words": [token]},
    }  # fmt: skip
    found = wire.problem(Response(401, {}, json.dumps(body).encode()), (token,))
    assert found is not None
    assert found.title == "expired: ***"
    assert found.instance == "/t?t=***"
    assert found.extensions == {"errorCode": "***", "***": 1, "nested": '{"words": ["***"]}'}
    assert "7f1bd2c0" not in repr(found)
