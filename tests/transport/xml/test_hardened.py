"""What is looked at before a parser sees a byte."""

from __future__ import annotations

import pytest

from gridwire.transport.xml.hardened import declares_a_type, encoding_of, parser


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


@pytest.mark.parametrize("data", [b"<!DOCTYPE a>", b"x<! doctype", b"<!ENTITY x", b"<a/><!entity"])
def test_a_type_is_found_wherever_it_stands(data: bytes) -> None:
    assert declares_a_type(data)


def test_what_is_none_is_none() -> None:
    assert not declares_a_type(b"<a>DOCTYPE</a><!-- ENTITY -->")


def test_each_parser_is_a_new_one() -> None:
    assert parser() is not parser()
