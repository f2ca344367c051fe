"""Bodies, read back by parsers that know nothing of how they were made."""

from __future__ import annotations

import base64
import email.policy
import json
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gridwire.errors import InvalidInput
from gridwire.siooi import bodies
from gridwire.siooi.bodies import Document
from gridwire.siooi.profile import XmlShape

names = st.text("abcXYZ_", min_size=1, max_size=6)
values = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cn", "Co"]), max_size=20
)
fields = st.dictionaries(names, values, max_size=4)


def shape(**given: Any) -> XmlShape:
    return XmlShape.model_validate({"root": "Send", **given})


def document(content: bytes = b"<r/>", **given: Any) -> Document:
    return Document(
        **{"field": "file", "name": "F.xml", "content_type": "application/xml", "content": content, **given}
    )


@given(fields)
def test_a_form_reads_back(given: dict[str, str]) -> None:
    body = bodies.form(given, "utf-8")
    assert dict(parse_qsl(body.content.decode("ascii"), keep_blank_values=True, strict_parsing=bool(given))) == given


def test_a_form_in_the_encoding_of_the_profile() -> None:
    assert bodies.form({"ф": "я"}, "windows-1251").content == b"%F4=%FF"
    with pytest.raises(InvalidInput, match="windows-1251 does not have"):
        bodies.form({"a": "ı"}, "windows-1251")


@given(fields, st.binary(max_size=400_000))
def test_json_reads_back(given: dict[str, str], content: bytes) -> None:
    body = bodies.as_json(given, document(content))
    found = json.loads(body.content)
    assert base64.b64decode(found.pop("file"), validate=True) == content
    assert found == given
    assert json.loads(bodies.as_json(given).content) == given


def test_json_goes_as_deep_as_the_names_say() -> None:
    body = bodies.as_json({"a/b": "1", "a/c": "2", "d": "3"}, document(field="e/f"))
    assert json.loads(body.content) == {"a": {"b": "1", "c": "2"}, "d": "3", "e": {"f": "PHIvPg=="}}
    with pytest.raises(InvalidInput, match="below another field"):
        bodies.as_json({"a": "1", "a/b": "2"})
    with pytest.raises(InvalidInput, match="lone surrogate"):
        bodies.as_json({"a": "\ud800"})


@given(fields, st.binary(max_size=2000), values.filter(lambda text: text.strip() == text))
def test_multipart_reads_back(given: dict[str, str], content: bytes, name: str) -> None:
    body = bodies.multipart(given, "utf-8", document(content, name=name))
    _, _, boundary = body.content_type.partition("boundary=")
    pieces = body.content.split(b"--" + boundary.encode())
    assert pieces[0] == b""
    assert pieces[-1] == b"--\r\n"
    assert len(pieces) == len(given) + 3
    for piece, (field, value) in zip(pieces[1:-2], given.items(), strict=True):
        assert piece == f'\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
    head, _, rest = pieces[-2].partition(b"\r\n\r\n")
    assert rest == content + b"\r\n"
    assert head.endswith(b"Content-Type: application/xml")


def test_multipart_is_what_a_mail_parser_reads() -> None:
    body = bodies.multipart({"ф": "я"}, "utf-8", document("<т/>".encode(), name='a"\r\nb.xml'))
    whole = f"Content-Type: {body.content_type}\r\n\r\n".encode() + body.content
    message = BytesParser(policy=email.policy.HTTP).parsebytes(whole)
    first, second = message.iter_parts()
    assert first.get_param("name", header="content-disposition") == "ф"
    assert second.get_filename() == "a%22%0D%0Ab.xml"
    assert second.get_payload(decode=True) == "<т/>".encode()
    with pytest.raises(InvalidInput, match="windows-1251"):
        bodies.multipart({"a": "ı"}, "windows-1251")


@given(fields, st.sampled_from(["utf-8", "windows-1251"]), st.booleans(), st.booleans())
def test_xml_reads_back(given: dict[str, str], charset: str, qualified: bool, soap: bool) -> None:
    body = bodies.as_xml(given, shape(namespace="urn:x", qualified=qualified), charset, soap=soap, document=document())
    root = etree.fromstring(body.content)
    sent = next(root.iter("{urn:x}Send"))
    assert (root.tag == "{http://schemas.xmlsoap.org/soap/envelope/}Envelope") == soap
    space = "{urn:x}" if qualified else ""
    assert sent.tag == "{urn:x}Send"
    found = {child.tag: child.text or "" for child in sent}
    assert base64.b64decode(found.pop(f"{space}file")) == b"<r/>"
    assert found == {f"{space}{name}": value for name, value in given.items()}
    assert body.content_type == f"text/xml; charset={charset}"


def test_xml_without_a_namespace_and_with_levels() -> None:
    body = bodies.as_xml({"a/b": "<&>", "a/c": "1"}, shape(), "utf-8", soap=False)
    assert body.content == (b'<?xml version="1.0" encoding="utf-8"?><Send><a><b>&lt;&amp;&gt;</b><c>1</c></a></Send>')
    with pytest.raises(InvalidInput, match="XML cannot carry"):
        bodies.as_xml({"a": "\x00"}, shape(), "utf-8", soap=False)


def test_soap_1_2_says_its_action_and_may_have_a_header() -> None:
    what = shape(namespace="urn:x", soap="1.2", action="urn:go")
    body = bodies.as_xml({"Header/Security/Token": "t", "a": "1"}, what, "utf-8", soap=True)
    assert body.content_type == 'application/soap+xml; charset=utf-8; action="urn:go"'
    root = etree.fromstring(body.content)
    header, inner = root
    assert header.tag == "{http://www.w3.org/2003/05/soap-envelope}Header"
    assert header[0].tag == "{urn:x}Security"
    assert [element.text for element in root.iter("{*}Token")] == ["t"]
    assert [child.tag for child in inner[0]] == ["{urn:x}a"]


@pytest.mark.parametrize("charset", ["utf-8", "windows-1251"])
@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251"])
def test_a_document_can_travel_as_text(charset: str, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><т>ı & "</т>' if encoding == "utf-8" else "<т>я</т>"
    declared = text if text.startswith("<?xml") else f'<?xml version="1.0" encoding="{encoding}"?>{text}'
    content = declared.encode(encoding)
    body = bodies.as_xml({}, shape(), charset, soap=False, document=document(content, as_text=True))
    assert etree.fromstring(body.content).findtext("file") == declared


def test_a_document_without_a_declaration_is_utf8_and_its_mark_is_left_out() -> None:
    content = b"\xef\xbb\xbf" + "<т/>".encode()
    body = bodies.as_xml({}, shape(), "utf-8", soap=False, document=document(content, as_text=True))
    assert etree.fromstring(body.content).findtext("file") == "<т/>"
