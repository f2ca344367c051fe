"""What is looked at before a parser sees a byte."""

from __future__ import annotations

import pytest

from gridwire.transport.xml.hardened import declares_a_type, encoding_of, other_kind, parser


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"<a/>", "UTF-8"),
        (b"", "UTF-8"),
        (b"\xef\xbb\xbf<a/>", "UTF-8"),
        (b'<?xml version="1.0"?><a/>', "UTF-8"),
        (b'<?xml version="1.0" encoding="utf-8"?>', "UTF-8"),
        (b"<?xml version='1.0' encoding = 'US-ASCII' ?>", "UTF-8"),
        (b'<?xml version="1.0"\r\n\tencoding="Windows-1251" standalone="yes"?>', "windows-1251"),
        (b'<?xml version="1.0" encoding="cp1251"?>', "windows-1251"),
        (b'\xef\xbb\xbf<?xml version="1.0" encoding="windows-1251"?>', None),
        (b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>', "UTF-8"),
        (b'<?xml version="1.0" encoding="koi8-r"?>', None),
        (b'<?xml version="1.0" encoding="UTF-16"?>', None),
        (b'<?xml version="1.0" ' + b" " * 2000 + b'encoding="koi8-r"?>', None),
        (b"<?xml\n" + b" " * 2000 + b'encoding="koi8-r"?>', None),
        ("<a/>".encode("utf-16"), None),
        ("<a/>".encode("utf-16-be"), None),
        ("<a/>".encode("utf-32-le"), None),
    ],
)
def test_the_encoding_is_what_the_first_bytes_say(data: bytes, encoding: str | None) -> None:
    assert encoding_of(data) == encoding


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE a>", b"<! doctype a>", b"<!ENTITY x", b"\xef\xbb\xbf\n<!DOCTYPE a>",
        b'<?xml version="1.0"?>\r\n<!-- <a> -->\t<?pi <a>?><!-- --><!DOCTYPE a><a/>',
    ],
)  # fmt: skip
def test_a_type_is_found_before_the_root_element(data: bytes) -> None:
    assert declares_a_type(data)


@pytest.mark.parametrize(
    "data",
    [
        b"<a>DOCTYPE</a><!-- ENTITY -->", b"<!-- <!DOCTYPE a> --><a/>", b"<?pi <!DOCTYPE a>?><a/>", b"<!-- <!DOCTYPE a>",
        b"<a><![CDATA[<!DOCTYPE html>]]></a>", b"<a/><!-- <!ENTITY x> -->", b"", b"\xef\xbb\xbf", b"<a b='x'>",
    ],
)  # fmt: skip
def test_letters_that_have_no_effect_are_no_type(data: bytes) -> None:
    assert not declares_a_type(data)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x1f\x8b\x08\x00", "a gzip file"), (b"PK\x03\x04", "a ZIP archive"), (b"%PDF-1.7", "a PDF file"),
        (b"0\x82\x0a\x00", "PKCS #7"),
    ],
)  # fmt: skip
def test_files_of_other_kinds_are_known_by_their_beginning(data: bytes, kind: str) -> None:
    assert kind in (other_kind(data) or "")
    assert other_kind(b"<a/>") is None


def test_each_parser_is_a_new_one() -> None:
    assert parser() is not parser()
