"""transport/xml.py: hostile documents are refused before anything is opened."""

from __future__ import annotations

import pytest

from gridwire.transport.xml import XmlRefused, children, local_name, new, parse, serialise, sub

_BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><a>&c;</a>'


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (_BOMB, "document type"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        (b'<! doctype a SYSTEM "http://127.0.0.1:9/x"><a/>', "document type"),
        (b"<a><b></a>", "not well-formed"),
        (b"", "not XML|not well-formed"),
        (b"<a>\xff</a>", "not UTF-8"),
        (b'<?xml version="1.0" encoding="windows-1254"?><a>\x81</a>', "not UTF-8 .*nor windows-1254"),
        (b"<a>" * 80 + b"</a>" * 80, "deeper than 64"),
        (b"<a>&unknown;</a>", "not well-formed"),
        (b"<a>" + b"x" * 200 + b"</a>", "more than 100 are not read"),
        (b"<a>\x00</a>", "not"),
    ],
)
def test_document_is_refused_with_a_sentence(document: bytes, sentence: str) -> None:
    with pytest.raises(XmlRefused, match=sentence):
        parse(document, max_bytes=100 if b"xxx" in document else 10_000)


def test_line_of_the_fault_is_named() -> None:
    with pytest.raises(XmlRefused) as caught:
        parse(b"<a>\n<b>\n</a>")
    assert caught.value.line == 3


def test_what_is_built_is_read_back_with_letters_and_markup_intact() -> None:
    root = new("istek")
    sub(root, "ad", "Şirket & <Oğulları> ÇĞİıÖÜ")
    sub(root, "boş")
    data = serialise(root)
    assert data.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
    read = parse(data)
    assert local_name(read) == "istek"
    assert [(name, child.text) for name, child in children(read)] == [
        ("ad", "Şirket & <Oğulları> ÇĞİıÖÜ"),
        ("boş", None),
    ]


def test_names_are_read_without_their_namespace_and_comments_are_dropped() -> None:
    root = parse(b'<n:a xmlns:n="urn:x"><!-- c --><n:b>1</n:b><?pi x?></n:a>')
    assert local_name(root) == "a"
    assert [name for name, _ in children(root)] == ["b"]


def test_text_xml_cannot_carry_is_refused_when_writing() -> None:
    with pytest.raises(ValueError, match="XML compatible"):
        sub(new("a"), "b", "\x00")
