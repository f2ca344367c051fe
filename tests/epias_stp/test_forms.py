"""epias_stp/forms.py: compiled orders are the model path's bytes; the short way of reading is the long way's result."""

from __future__ import annotations

import json
import random
import re
import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gridwire import clock, units
from gridwire.auth.ticket_pool import Ticket
from gridwire.clock import microseconds
from gridwire.epias_stp import forms, judgement, rules, wire
from gridwire.epias_stp.enums import BidStatus, BidType, Direction
from gridwire.epias_stp.forms import Context, StpForm
from gridwire.epias_stp.judgement import Attempt, Failure
from gridwire.epias_stp.operations import OPERATIONS
from gridwire.epias_stp.outcomes import VENUE, outcome_of
from gridwire.errors import InvalidInput, NoAnswer, NotSent
from gridwire.intents.records import decode, sign
from gridwire.outcome import Accepted, Intent, OrderRef, Rejected, Unknown
from gridwire.transport.exchange import Response
from gridwire.transport.lane import Answer
from gridwire.units import INT64_MAX

KEY = "8f14e45f-ceea-4e7b-8c1d-0123456789ab"
NOW = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
judged: list[Attempt] = []


def remember(attempt: Attempt) -> Attempt:
    judged.append(attempt)
    return attempt


CONTEXT = Context(
    "stp.example:8443",
    "/base/rest",
    "my bot",
    "en-us",
    "test/AYŞE",
    False,
    (),
    (),
    remember,
    lambda operation, bid_id: False,
    "json",
)
CONTEXTS = {"json": CONTEXT, "xml": replace(CONTEXT, message_format="xml")}
FORMATS = pytest.mark.parametrize("fmt", ["json", "xml"])
CONTRACTS = ("GG20261201", "HH-2026/49 ş", 'quo"te\\', "GG'<&>")
TYPES = tuple(BidType)


def price_of(rng: random.Random, places: int | None) -> Decimal:
    whole = rng.choice((0, 1, rng.randrange(10**4), rng.randrange(10**7), rng.randrange(10**12)))
    fraction = rng.randrange(0, (places if places is not None else 9) + 1)
    digits = "".join(rng.choice(string.digits) for _ in range(fraction))
    given = f"{whole}.{digits}" if digits else str(whole)
    exact = units.price(given, None, unit="x", places=places)
    assert exact is not None
    return exact


def moment_of(rng: random.Random) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=rng.randrange(10**16))


def id_of(rng: random.Random) -> str:
    alphabet = string.ascii_letters + string.digits + 'ş"\\/ .-_€😀<&'
    return "x" + "".join(rng.choice(alphabet) for _ in range(rng.randrange(20))) + "y"


def key_of(rng: random.Random) -> str:
    return rules.transaction_id(f"{rng.getrandbits(128):032x}")


@FORMATS
def test_ten_thousand_random_orders_are_the_model_path_s_bytes(fmt: wire.Format) -> None:
    rng, context = random.Random(20261201), CONTEXTS[fmt]
    compiled: dict[Any, StpForm] = {}
    for _ in range(10_000):
        kind = rng.choice(("save", "save", "save", "update", "cancel"))
        places = rng.choice((2, 2, 0, 3, None))
        key, price, quantity = key_of(rng), price_of(rng, places), rng.choice((1, rng.randrange(1, 10**6), INT64_MAX))
        status, values = rng.choice((BidStatus.ACTIVE, BidStatus.PASSIVE)), list[Any]()
        if kind == "save":
            contract, side, type_ = rng.choice(CONTRACTS), rng.choice(tuple(Direction)), rng.choice(TYPES)
            point = rng.choice((None, None, "Malkoçlar", 'a"<&\\>'))
            expires = moment_of(rng) if type_ == BidType.MATCH_WITH_TIME_LIMIT else None
            cached = (contract, side, type_, status, places, point)
            form = compiled.get(cached) or forms.bid_save(context, *cached)
            body: Any = rules.bid_save(
                contract, direction=side, price=price, quantity=quantity, bid_type=type_, bid_status=status,
                expire_time=expires, point_name=point, places=places,
            )  # fmt: skip
            values = [price, quantity] if expires is None else [price, quantity, expires]
        elif kind == "update":
            bid_id, cached = id_of(rng), (status, places)  # type: ignore[assignment]
            form = compiled.get(cached) or forms.bid_update(context, status, places)
            body = rules.bid_update(bid_id, price=price, quantity=quantity, bid_status=status, places=places)
            values = [bid_id, price, quantity]
        else:
            bid_id, cached = id_of(rng), ("cancel",)  # type: ignore[assignment]
            form = compiled.get(cached) or forms.bid_cancel(context)
            body = rules.bid_cancel(bid_id)
            values = [bid_id]
        compiled[cached] = form
        expected = wire.encode(OPERATIONS[form.operation], body, transaction_id=key, application="my bot", fmt=fmt)
        assert form.body(key, form.encode(values)) == expected
        message = form.render(key, Ticket("ST-1", 0.0), form.encode(values))
        head, _, sent = message.partition(b"\r\n\r\n")
        assert sent == expected
        assert head.endswith(b"\r\ncontent-length: %d" % len(expected))


@FORMATS
def test_head_says_what_the_model_path_s_says(fmt: str) -> None:
    form = forms.bid_cancel(CONTEXTS[fmt])
    head = form.render(KEY, Ticket("ST-42-abc", 0.0), form.encode(["77"])).partition(b"\r\n\r\n")[0].decode()
    start, *lines = head.split("\r\n")
    assert start == f"POST /base/rest{OPERATIONS['bid_cancel'].path} HTTP/1.1"
    assert dict(line.split(": ") for line in lines) == {
        "host": "stp.example:8443",
        "user-agent": "gridwire",
        "accept": f"application/{fmt}",
        "accept-encoding": "identity",
        "accept-language": "en-us",
        "content-type": f"application/{fmt}",
        "stp-service-ticket": "ST-42-abc",
        "content-length": str(len(form.body(KEY, form.encode(["77"])))),
    }


def test_without_a_credential_the_header_is_empty() -> None:
    form = forms.bid_cancel(CONTEXT)
    assert b"\r\nstp-service-ticket: \r\n" in form.render(KEY, None, form.encode(["77"]))


@pytest.mark.parametrize(
    "value",
    [
        Decimal("-1"), Decimal("-0"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1e16"),
        Decimal("1e-10"), 12000, 12000.5, "12000.50", None, True,
    ],
)  # fmt: skip
def test_price_that_cannot_be_right_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match="Nothing was sent"):
        forms.encode_price(value)


@pytest.mark.parametrize("value", [0, -1, INT64_MAX + 1, 1.0, "1", True, None, Decimal(1)])
def test_quantity_that_cannot_be_right_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match="Nothing was sent"):
        forms.encode_count(value)


@pytest.mark.parametrize("value", [datetime(2026, 1, 1), datetime(1969, 12, 31, tzinfo=UTC), "2026-01-01", None])
def test_instant_that_cannot_be_right_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput):
        forms.encode_moment(value)


@pytest.mark.parametrize("value", ["", " ", " 1", "1 ", 77, None, "a\x00b", "\ud800", b"77"])
def test_identifier_that_cannot_be_right_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput):
        forms.encode_id(value)


@FORMATS
def test_an_odd_identifier_is_the_same_in_message_and_journal(fmt: wire.Format) -> None:
    form, odd = forms.bid_cancel(CONTEXTS[fmt]), "x\"\\<&>'ş😀y"
    sent = form.body(KEY, form.encode([odd]))
    assert sent == wire.encode(
        OPERATIONS["bid_cancel"], rules.bid_cancel(odd), transaction_id=KEY, application="my bot", fmt=fmt
    )
    record = decode(sign(form.record(KEY, 1, form.encode([odd]), None)))
    assert record is not None
    assert record["f"] == {"bid_id": odd}


@FORMATS
def test_journal_s_row_holds_the_call_as_text_and_no_ticket(fmt: str) -> None:
    form = forms.bid_save(CONTEXTS[fmt], 'quo"te\\', Direction.BUY, BidType.MATCH_WITH_TIME_LIMIT, BidStatus.ACTIVE, 2)
    encoded = form.encode([Decimal("12000.50"), 155, NOW])
    for client_ref in (None, 'my "ref" ş'):
        record = decode(sign(form.record(KEY, microseconds(NOW), encoded, client_ref)))
        assert record is not None
        assert record.get("r") == client_ref
        assert {name: record[name] for name in ("s", "k", "t", "v", "a", "o")} == {
            "s": "sending", "k": KEY, "t": microseconds(NOW), "v": VENUE, "a": "test/AYŞE", "o": "bid_save",
        }  # fmt: skip
        assert record["f"] == {
            "contract": 'quo"te\\',
            "direction": "BUY",
            "bid_type": "MATCH_WITH_TIME_LIMIT",
            "bid_status": "ACTIVE",
            "price": "12000.50",
            "quantity": "155",
            "expire_time": "2026-12-01T09:00:00.000+03:00",
        }


# reading answers


def intent_for(operation: str = "bid_save") -> Intent:
    restated = {} if operation == "bid_save" else {"bid_id": "1000001"}
    return Intent(VENUE, operation, KEY, NOW, None, restated)


FORMS = {
    "bid_save": forms.bid_save(CONTEXT, "GG20261201", Direction.BUY, BidType.STANDARD_MATCH, BidStatus.ACTIVE, 2),
    "bid_update": forms.bid_update(CONTEXT, BidStatus.ACTIVE, 2),
    "bid_cancel": forms.bid_cancel(CONTEXT),
}


def both_ways(operation: str, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> tuple[Any, Any]:
    intent = intent_for(operation)
    answer = Answer(status, headers, body)
    short = FORMS[operation]._plain_success(answer, intent)
    attempt = judgement.answered(
        OPERATIONS[operation],
        Response(status, answer.headers, body),
        transaction_id=KEY,
        ticket_age_s=1.0,
        now=NOW,
    )
    return short, outcome_of(attempt, intent)


def success(*, echo: str | None = "last", key: str = KEY, description: str = "OK", bid_id: str = "1000001") -> bytes:
    said: dict[str, Any] = {}
    head = {"resultCode": "0", "resultDescription": description, "resultType": "SUCCESS"}
    body = {"body": {"bidResponse": {"id": bid_id}}}
    if echo == "first":
        said = {**head, "transactionId": key, **body}
    else:
        said = {**head, **body, **({"transactionId": key} if echo == "last" else {})}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


JSON_TYPE = [(b"Content-Type", b"application/json;charset=UTF-8"), (b"Server", b"x")]


@pytest.mark.parametrize("operation", FORMS)
@pytest.mark.parametrize("echo", ["first", "last", None])
@pytest.mark.parametrize(
    "description", ["OK", "İşlem başarılı", "", "  padded ", "see TGT-12-abcdefghijklmnopqrstuvwxyz-cas"]
)
def test_plain_success_is_read_the_short_way_with_the_long_way_s_result(
    operation: str, echo: str | None, description: str
) -> None:
    short, long = both_ways(operation, 200, JSON_TYPE, success(echo=echo, description=description))
    assert isinstance(short, Accepted)
    assert short == long


SEEDS = [success(), success(echo="first"), success(echo=None), success(bid_id="A.b_c-9"), success(description="İ")]
BITS = [
    b"", b" ", b"\n", b"\x0b", b"\x0c", b"\x00", b"\xff", b"\xc2\x85", b"\xef\xbb\xbf", b'"', b"\\", b"{", b"}", b",", b"0",
    b"1", b"null", b'"transactionId":"%s",' % KEY.encode(), b',"transactionId":"other"', b'"id":"9",',
    b'"resultCode":"1",', b"ERROR", b"TGT-1-x", b"A", KEY.upper().encode(), b"\xe2\x80\xa8", b"\xed\xa0\x80",
]  # fmt: skip
edits = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 12), st.one_of(st.sampled_from(BITS), st.binary(max_size=3))),
    min_size=1,
    max_size=4,
)
TYPES_OF_CONTENT = [b"application/json", b"text/html", b"Text/HTML; charset=x", b"application/xml", b"", b"text/plain"]


@settings(max_examples=400, deadline=None)
@given(
    operation=st.sampled_from(sorted(FORMS)),
    seed=st.sampled_from(SEEDS),
    edits=edits,
    status=st.sampled_from([200, 200, 200, 200, 201, 302, 429, 500]),
    content_type=st.sampled_from(TYPES_OF_CONTENT),
)
@example("bid_save", SEEDS[0], [(0, 0, b"\x0b")], 200, b"application/json")
@example("bid_save", SEEDS[1], [(400, 1, b',"transactionId":"other"}')], 200, b"application/json")
@example("bid_save", SEEDS[0], [(0, 0, b"")], 200, b"text/html")
def test_short_way_never_says_what_the_long_way_does_not(
    operation: str, seed: bytes, edits: list[tuple[int, int, bytes]], status: int, content_type: bytes
) -> None:
    body = bytearray(seed)
    for at, length, bit in edits:
        body[at : at + length] = bit
    short, long = both_ways(operation, status, [(b"content-type", content_type)], bytes(body))
    if short is not None:
        assert short == long


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(sorted(FORMS)),
    st.sampled_from(["first", "last", None]),
    st.one_of(st.just(KEY), st.uuids().map(str), st.just(KEY.upper())),
    st.text(max_size=60),
    st.one_of(st.integers(0, 10**20).map(str), st.text(max_size=20)),
)
def test_short_way_agrees_on_any_text(
    operation: str, echo: str | None, key: str, description: str, bid_id: str
) -> None:
    try:
        body = success(echo=echo, key=key, description=description, bid_id=bid_id)
    except UnicodeEncodeError:
        return
    short, long = both_ways(operation, 200, JSON_TYPE, body)
    if short is not None:
        assert short == long


def test_every_single_byte_missing_or_changed_is_judged_alike() -> None:
    for seed in SEEDS[:2]:
        for at in range(len(seed)):
            for body in (
                seed[:at],
                seed[:at] + seed[at + 1 :],
                seed[:at] + b"\x00" + seed[at + 1 :],
                seed[:at] + b"0" + seed[at:],
            ):
                short, long = both_ways("bid_save", 200, JSON_TYPE, body)
                assert short is None or short == long
                if not isinstance(long, Accepted):
                    assert short is None


# judging through the form


def test_answer_that_is_no_plain_success_goes_the_long_way_and_is_told() -> None:
    judged.clear()
    intent = intent_for()
    with clock.use(lambda: NOW):
        form = FORMS["bid_save"]
        assert isinstance(form.answered(Answer(200, JSON_TYPE, success()), intent, 1.0), Accepted)
        assert judged == []
        spaced = success().replace(b'{"resultCode"', b'{ "resultCode"')
        assert isinstance(form.answered(Answer(200, JSON_TYPE, spaced), intent, 1.0), Accepted)
        refused = re.sub(rb'"resultCode":"0"(.*)SUCCESS', rb'"resultCode":"SEC-1"\1SECURITYERROR', success())
        outcome = form.answered(Answer(200, JSON_TYPE, refused), intent, 11.0)
        assert isinstance(outcome, Rejected)
        assert (outcome.origin, outcome.repeatable) == ("security", True)
        assert [(one.failure, one.ticket_age_s) for one in judged] == [(None, 1.0), (Failure.SECURITY_ERROR, 11.0)]


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Answer(200, [], b"\xff\xfe"), "unreadable"),
        (
            Answer(200, JSON_TYPE, success(description="\udcff".encode("utf-8", "surrogateescape").decode("latin-1"))),
            None,
        ),
        (Answer(200, JSON_TYPE, success(key="0f14e45f-ceea-4e7b-8c1d-0123456789ab")), "foreign_answer"),
        (Answer(302, [], b""), "redirect"),
        (Answer(503, [], b""), "http_status"),
        (Answer(200, [(b"content-type", b"text/html")], success()), "unreadable"),
    ],
)
def test_what_is_no_answer_of_the_venue_is_unknown(answer: Answer, cause: str | None) -> None:
    outcome = FORMS["bid_save"].answered(answer, intent_for(), 1.0)
    if cause is None:
        assert isinstance(outcome, Accepted)
    else:
        assert isinstance(outcome, Unknown)
        assert outcome.cause == cause


def test_description_that_is_not_utf8_goes_the_long_way() -> None:
    body = success().replace(b'"OK"', b'"\xff"')
    short, long = both_ways("bid_save", 200, JSON_TYPE, body)
    assert short is None
    assert isinstance(long, Unknown)


def test_missing_answers_and_cancellation_are_judged_by_the_venue_s_table() -> None:
    form, intent = FORMS["bid_save"], intent_for()
    refused = form.failed(NotSent("x. Nothing was sent.", reason="refused"), intent)
    assert isinstance(refused, Rejected)
    assert (refused.origin, refused.code) == ("wire", "refused")
    lost = form.failed(NoAnswer("lost", reason="timeout"), intent)
    assert isinstance(lost, Unknown)
    assert lost.cause == "timeout"
    cancelled = form.cancelled(intent)
    assert isinstance(cancelled, Unknown)
    assert cancelled.cause == "cancelled"


def test_accepted_names_the_bid_and_restates_it() -> None:
    intent = replace(intent_for(), restated={"price": Decimal("1.00")})
    outcome = FORMS["bid_save"].answered(Answer(200, JSON_TYPE, success()), intent, None)
    assert isinstance(outcome, Accepted)
    assert outcome.order == OrderRef(VENUE, "1000001", intent, {"price": Decimal("1.00")})
