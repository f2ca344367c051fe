"""A document or an answer is refused for the reason that is true of it, and not for letters that have no effect."""

from __future__ import annotations

import pytest

from gridwire.transport.xml import DocumentRefused, XmlRefused, inspect, parse

HARMLESS = (
    b"<a><![CDATA[<!DOCTYPE html><p>x</p>]]></a>",
    b"<a><![CDATA[<!ENTITY x SYSTEM 'file:///etc/passwd'>]]></a>",
    b"<!-- <!DOCTYPE a> --><a/>",
    b"<a><!-- <!ENTITY x> --></a><!-- <!DOCTYPE a> -->",
    b"<a><?note <!DOCTYPE a>?></a>",
)
LONG = b"QUJD" * 3_000_000


@pytest.mark.parametrize("data", HARMLESS)
def test_a_document_type_that_is_only_text_is_none(data: bytes) -> None:
    assert inspect(data).root == "a"
    assert parse(data).tag == "a"


@pytest.mark.parametrize(
    "data", [b"<a><!DOCTYPE b></a>", b"<a/><!DOCTYPE a>", b"x<!DOCTYPE a><a/>", b"<a><!ENTITY x 'y'></a>"]
)
def test_one_where_none_may_stand_is_not_well_formed(data: bytes) -> None:
    with pytest.raises(DocumentRefused, match="not well-formed"):
        inspect(data)
    with pytest.raises(XmlRefused, match="not well-formed"):
        parse(data)


@pytest.mark.parametrize(
    "data",
    [
        b"<a><![CDATA[" + LONG + b"]]></a>",
        b'<a scan="' + LONG + b'"/>',
        b"<a><!--" + LONG + b"--></a>",
        b"<" + b"a" * 60_000 + b"/>",
    ],
    ids=["CDATA", "attribute", "comment", "name"],
)
def test_what_is_too_long_for_the_parser_is_not_called_malformed(data: bytes) -> None:
    with pytest.raises(DocumentRefused, match="longer than the XML parser takes") as caught:
        inspect(data)
    assert "not well-formed" not in str(caught.value)


def test_a_long_text_that_the_parser_takes_is_taken() -> None:
    assert inspect(b"<a>" + LONG + b"</a>").size_bytes == len(LONG) + 7


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x1f\x8b\x08\x00\x00\x00", "a gzip file"),
        (b"PK\x03\x04\x14\x00", "a ZIP archive"),
        (b"%PDF-1.7\n", "a PDF file"),
        (b"0\x82\x0a\x00\x06\x09*\x86H", "a signed container"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an older office program"),
    ],
)
def test_a_file_of_another_kind_is_named(data: bytes, kind: str) -> None:
    with pytest.raises(DocumentRefused, match=f"^The document is no XML: .*{kind}"):
        inspect(data)
