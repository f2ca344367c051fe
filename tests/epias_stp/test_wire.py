"""Messages: requests in one form, envelopes out of whatever comes, and one error for what is none."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.epias_stp import rules, wire_json, wire_xml
from gridwire.epias_stp.enums import ResultType
from gridwire.epias_stp.errors import StpProtocolError
from gridwire.epias_stp.models import BidAnswer, Contracts, EmptyRequestBody
from gridwire.epias_stp.operations import OPERATIONS
from gridwire.epias_stp.wire import Envelope, decode, encode
from gridwire.errors import InvalidInput
from tests.epias_stp.samples import (
    APPLICATION,
    BID_CANCEL,
    BID_SAVE,
    BOTH,
    DEPTH,
    SAVED,
    SENT_ID,
    answer,
    envelope_bytes,
    sample,
)

STANDARD = OPERATIONS["activecontracts_standart"]


def read(content: bytes, **options: Any) -> Envelope:
    return decode(BID_SAVE, answer(content, **options), transaction_id=SENT_ID)


def test_a_request_is_headers_then_body_and_nothing_else() -> None:
    body = rules.bid_save(
        "GG20261201", direction="BUY", price="12000.5", quantity=155, bid_type="STANDART_MATCH", point_name="Malkoçlar"
    )
    assert encode(BID_SAVE, body, transaction_id=SENT_ID, application=APPLICATION) == (
        b'{"headers":[{"key":"transactionId","value":"6d553b3c-1ffc-44cc-bed6-1dce4d5b48ac"},'
        b'{"key":"application","value":"SDK_SAMPLE"}],'
        b'"body":{"contractName":"GG20261201","price":12000.50,"quantity":155,"bidType":"STANDART_MATCH",'
        b'"bidStatus":"ACTIVE","direction":"BUY","pointName":"Malko\\u00e7lar"}}'
    )


def test_an_empty_body_is_written_in_both_formats() -> None:
    request: dict[str, Any] = {"transaction_id": "t", "application": "a"}
    assert encode(STANDARD, EmptyRequestBody(), **request).endswith(b'"body":{}}')
    assert encode(STANDARD, EmptyRequestBody(), **request, fmt="xml").endswith(b"<body/></contractRequest>")


def test_the_body_of_another_operation_is_refused() -> None:
    with pytest.raises(TypeError, match="bid_cancel takes a BidCancelRequestBody"):
        encode(BID_CANCEL, EmptyRequestBody(), transaction_id="t", application="a")


def test_an_application_name_that_xml_cannot_carry_is_refused() -> None:
    with pytest.raises(InvalidInput, match="application"):
        encode(STANDARD, EmptyRequestBody(), transaction_id="t", application="a\x00")


@pytest.mark.parametrize("fmt", BOTH)
def test_an_envelope_is_read_before_its_body(fmt: str) -> None:
    envelope = read(sample(f"bid_save.response.{fmt}"))
    assert envelope.fmt == fmt
    assert (envelope.result_code, envelope.result_description) == ("0", "OK")
    assert envelope.result_type is ResultType.SUCCESS
    assert envelope.transaction_id == envelope.echoed_transaction_id == SENT_ID
    assert envelope.http_status == 200
    assert envelope.body == SAVED
    model = envelope.model()
    assert isinstance(model, BidAnswer)
    assert model.bid_id == "1234567"


@pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 500])
def test_an_envelope_is_read_at_any_status(status: int) -> None:
    envelope = read(sample("envelope.business_error.json"), status=status)
    assert envelope.result_type is ResultType.BUSINESS_ERROR
    assert envelope.facts.http_status == status
    assert envelope.facts.result_code == "BID-0001"


@pytest.mark.parametrize(
    ("code", "expected"), [("0", "0"), (0, "0"), (" 7 ", "7"), (None, None), ("", None), (..., None)]
)
def test_the_code_may_be_a_number_or_missing(code: Any, expected: str | None) -> None:
    assert read(envelope_bytes(code=code)).result_code == expected


def test_an_unknown_result_type_is_kept_as_it_came_and_is_none_of_ours() -> None:
    envelope = read(envelope_bytes("PARTIAL"))
    assert envelope.result_type is None
    assert envelope.raw_result_type == "PARTIAL"


def test_the_media_type_does_not_mislead() -> None:
    assert read(sample("bid_save.response.xml"), media_type="application/json").fmt == "xml"
    assert read(sample("bid_save.response.json"), media_type="text/plain").fmt == "json"


@pytest.mark.parametrize(
    ("content", "media_type", "kind"),
    [
        (b"<html><body>login</body></html>", "", "html"),
        (b"<!DOCTYPE html><html/>", "application/xml", "html"),
        (envelope_bytes(), "text/html", "html"),
        (b"", "", "unreadable"),
        (b"  \n", "", "unreadable"),
        (b"null", "", "unreadable"),
        (b"[]", "", "unreadable"),
        (b"OK", "", "unreadable"),
        (envelope_bytes()[:-5], "", "unreadable"),
        (b'{"timestamp": 1, "status": 404, "error": "Not Found"}', "", "unreadable"),
        (envelope_bytes(code=True), "", "unreadable"),
        (envelope_bytes(code=[]), "", "unreadable"),
        (envelope_bytes(["SUCCESS"]), "", "unreadable"),
        (envelope_bytes(transaction_id={}), "", "unreadable"),
        (envelope_bytes(description=[1]), "", "unreadable"),
        (b'{"resultType": "SUCCESS", "resultType": "SYSTEMERROR"}', "", "unreadable"),
        (b'{"resultCode": "\xff"}', "", "unreadable"),
        (b'{"resultCode": 1e999999999}', "", None),
        (b"[" * 100_000, "", "unreadable"),
        (b"<bidSaveServiceResponse>", "", "unreadable"),
        (b"<bidSaveServiceResponse/>", "", "unreadable"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><x/>', "", "unreadable"),
        (sample("bid_cancel.response.xml"), "", "other_operation"),
        (b"<a>b<c/></a>", "", "unreadable"),
    ],
)
def test_what_is_no_answer_of_stp_is_one_error(content: bytes, media_type: str, kind: str | None) -> None:
    if kind is None:
        assert read(content).result_code == "1E+999999999"
        return
    with pytest.raises(StpProtocolError) as caught:
        read(content, media_type=media_type, status=502)
    assert caught.value.kind == kind
    assert (caught.value.http_status, caught.value.operation) == (502, "bid_save")
    assert SENT_ID in str(caught.value)


def test_xml_roots_are_compared_without_case_and_unknown_ones_pass() -> None:
    lowered = sample("payment_order.response.xml").replace(b"PaymentServiceResponse", b"paymentServiceResponse")
    operation = OPERATIONS["payment_order"]
    assert decode(operation, answer(lowered), transaction_id=SENT_ID).result_code == "0"
    assert read(sample("envelope.boolean_body.xml")).flag is True


@pytest.mark.parametrize(
    ("body", "flag"),
    [(True, True), (False, False), (None, None), ({}, None), ("true", True), ("False", False), ("x", None)],
)
def test_a_bare_boolean_is_a_flag(body: Any, flag: bool | None) -> None:
    assert read(envelope_bytes(body=body)).flag is flag


def test_a_body_that_is_missing_or_true_gives_a_write_an_empty_model() -> None:
    bodies: list[Any] = [..., None, {}, True]
    assert [read(envelope_bytes(body=body)).model() for body in bodies] == [BidAnswer()] * 4


@pytest.mark.parametrize("body", [True, False, [], "text", 5])
def test_a_body_that_is_no_object_is_not_read_as_an_empty_list(body: Any) -> None:
    envelope = decode(STANDARD, answer(envelope_bytes(body=body)), transaction_id=SENT_ID)
    with pytest.raises(StpProtocolError, match="where its content should be"):
        envelope.model()


def test_no_body_is_an_empty_list_for_a_read() -> None:
    assert decode(STANDARD, answer(envelope_bytes()), transaction_id=SENT_ID).model() == Contracts()


def test_values_that_fit_no_definition_name_their_place() -> None:
    body = {"contractBuyDepths": [{"price": "much"}]}
    envelope = decode(DEPTH, answer(envelope_bytes(body=body)), transaction_id=SENT_ID)
    with pytest.raises(StpProtocolError, match=r"contractBuyDepths\.0\.price"):
        envelope.model()


def test_a_ticket_in_an_answer_is_masked_and_its_text_is_bounded() -> None:
    envelope = read(envelope_bytes(description="ST-1-planted-cas01" + "x" * 5000, body={"secret": "planted"}))
    assert "planted" not in repr(envelope)
    assert len(envelope.result_description) <= 2000


@pytest.mark.parametrize("planted", ["ST-1-planted", "x.ST-1-planted", "TGT-2-planted", "eyJhbGciOiJ.planted.x"])
def test_a_ticket_or_token_alone_in_a_code_is_masked_too(planted: str) -> None:
    assert "planted" not in str(read(envelope_bytes(code=planted)).result_code)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "resultType": st.sampled_from(["SUCCESS", "BUSINESSERROR", "PARTIAL"]) | JSON,
        "resultCode": st.sampled_from(["0", "1"]) | JSON,
        "resultDescription": JSON,
        "transactionId": JSON,
        "body": JSON,
    },
)
XML_PIECES = st.lists(
    st.sampled_from(
        [b"<", b">", b"</", b"/>", b"a", b"bidSaveServiceResponse", b"resultCode", b"0", b"&amp;", b"&x;", b" "]
    ),
    max_size=30,
).map(b"".join)


@given(
    content=st.binary(max_size=120)
    | XML_PIECES.map(b"<".__add__)
    | ENVELOPES.map(lambda fields: json.dumps(fields).encode()),
    operation=st.sampled_from(sorted(OPERATIONS)),
    status=st.sampled_from([200, 404, 500]),
)
def test_reading_an_answer_raises_nothing_but_one_error(content: bytes, operation: str, status: int) -> None:
    with contextlib.suppress(StpProtocolError):
        decode(OPERATIONS[operation], answer(content, status=status), transaction_id=SENT_ID).model()


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Zs", "Zl", "Zp"]), min_size=1, max_size=12
)
PRICES = st.decimals(min_value=0, max_value=10**9, places=2, allow_nan=False)


@given(contract=NAMES, point=NAMES | st.none(), price=PRICES, quantity=st.integers(1, 2**63 - 1))
def test_what_is_encoded_says_the_same_in_both_formats(
    contract: str, point: str | None, price: Decimal, quantity: int
) -> None:
    body = rules.bid_save(
        contract, direction="SELL", price=price, quantity=quantity, bid_type="STANDART_MATCH", point_name=point
    )
    request: dict[str, Any] = {"transaction_id": SENT_ID, "application": contract}
    as_json = wire_json.read(encode(BID_SAVE, body, **request))
    root, as_xml = wire_xml.read(encode(BID_SAVE, body, **request, fmt="xml"))
    assert root == BID_SAVE.request_root
    assert as_json["body"] == body.wire()
    assert as_xml["headers"] == as_json["headers"]
    assert as_xml["body"] == {name: str(value) for name, value in body.wire().items()}
