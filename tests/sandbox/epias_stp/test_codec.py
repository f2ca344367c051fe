from __future__ import annotations

import json
from decimal import Decimal

import pytest

from gridwire.sandbox.epias_stp import codec
from gridwire.sandbox.epias_stp.texts import Refused

ANSWER = {
    "resultCode": "0",
    "body": {
        "rows": [{"price": Decimal("12000.50"), "n": 3, "own": True}, {"price": Decimal(0), "own": False}],
        "x": None,
    },
}


def test_json_keeps_every_digit_of_a_price() -> None:
    data = codec.write(ANSWER, "json", "root")
    assert b'"price":12000.50' in data
    read = json.loads(data, parse_float=Decimal)
    assert read["body"]["rows"][0] == {"price": Decimal("12000.50"), "n": 3, "own": True}
    assert read["body"]["x"] is None


def test_xml_repeats_arrays_and_leaves_nulls_out() -> None:
    assert codec.write(ANSWER, "xml", "answer") == (
        b"<?xml version='1.0' encoding='UTF-8'?>\n<answer><resultCode>0</resultCode><body>"
        b"<rows><price>12000.50</price><n>3</n><own>true</own></rows>"
        b"<rows><price>0</price><own>false</own></rows></body></answer>"
    )


def test_xml_is_read_by_local_name_with_repeated_elements_as_lists() -> None:
    data = b'<q:r xmlns:q="urn:x"><q:a>1</q:a><q:a>2</q:a><a> 3 </a><q:b><c>x</c></q:b><d/></q:r>'
    assert codec.read(data, "xml", "r") == {"a": ["1", "2", "3"], "b": {"c": "x"}, "d": ""}
    assert codec.read(b"<r/>", "xml", "r") == {}


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        (b"", "json"),
        (b"[1]", "json"),
        (b"null", "json"),
        (b"{", "json"),
        (b"\xff", "json"),
        (b"[" * 100_000, "json"),
        (b"", "xml"),
        (b"<r>", "xml"),
        (b"<other/>", "xml"),
        (b"<r>text</r>", "xml"),
        (b'<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>', "xml"),
    ],
)
def test_what_cannot_be_read_is_refused(data: bytes, wire: codec.Format) -> None:
    with pytest.raises(Refused) as caught:
        codec.read(data, wire, "r")
    assert caught.value.code == "REQ-0001"
