"""A namespace that is no URI in ASCII is named for what it is: XML allows it, and the parser does not read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridwire.transport.xml import DocumentRefused, Schemas, XmlRefused, XPath, inspect, is_readable, is_reserved, parse

NOT_READ = ["urn:ц", "http://минэнерго.рф/siooi", "СиОИ", "urn:a b", "http://x/{a}", "http://[x", "urn:x|y", "http://x/%zz",
            "C:\\x", " ", "a}b", "表"]  # fmt: skip
READ = ["", "urn:example", "relative", "http://xn--e1ajkgl.example/siooi", "urn:%D1%86", "a&b", "it's", "http://[::1]/"]
RESERVED = ["http://www.w3.org/2000/xmlns/", "http://www.w3.org/XML/1998/namespace"]


@pytest.mark.parametrize("name", NOT_READ)
@pytest.mark.parametrize(
    "document", ['<a xmlns="{}"/>', '<a><b xmlns:q="{}"/></a>', '<a>\n<q:b xmlns:q="{}">1</q:b></a>']
)
def test_a_document_or_an_answer_with_one_is_refused_by_its_own_reason(name: str, document: str) -> None:
    data = document.format(name).encode()
    with pytest.raises(DocumentRefused, match=r"declares a namespace that is no URI .*Nothing was sent") as refused:
        inspect(data)
    assert "not well-formed" not in str(refused.value)
    assert (refused.value.faults[0].line, name in refused.value.faults[0].message) == (1 + data.count(b"\n"), True)
    with pytest.raises(XmlRefused, match="declares a namespace that is no URI") as unread:
        parse(data)
    assert "not well-formed" not in str(unread.value)
    assert (unread.value.line, name in str(unread.value)) == (1 + data.count(b"\n"), True)


SCHEMA = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a"><xs:complexType><xs:sequence>
<xs:any processContents="skip" minOccurs="0"/></xs:sequence></xs:complexType></xs:element></xs:schema>"""


@pytest.mark.parametrize("behind", ["", " " * 2**21], ids=["small", "large"])
@pytest.mark.parametrize(
    ("document", "words"),
    [
        ('<a><b xmlns="urn:ц"/></a>', "declares a namespace that is no URI"),
        ('<a xmlns:q="http://x/{a}"/>', "declares a namespace that is no URI"),
        ('<a xmlns="urn:ц"/>', "declares a namespace that is no URI"),
        ('<a><b xmlns="http://www.w3.org/2000/xmlns/"/></a>', "not well-formed"),
        ('<a xmlns:q="http://www.w3.org/XML/1998/namespace"/>', "not well-formed"),
        ("<a><x:b/></a>", "not well-formed"),
        ('<a><b x:y="1"/></a>', "not well-formed"),
        ('<a><b xmlns="urn:b" x:y="1"/></a>', "not well-formed"),
        ('<a b="1"/>', "breaks its schema F1.xsd"),
    ],
)
def test_a_schema_that_looks_away_changes_nothing(tmp_path: Path, document: str, words: str, behind: str) -> None:
    (tmp_path / "F1.xsd").write_text(SCHEMA, encoding="utf-8")
    schema = Schemas(tmp_path).get("F1")
    with pytest.raises(DocumentRefused, match=words) as refused:
        inspect((document + behind).encode(), schema=schema)
    assert refused.value.faults[0].line == 1


def test_a_schema_that_looks_away_takes_every_namespace_that_is_read(tmp_path: Path) -> None:
    (tmp_path / "F1.xsd").write_text(SCHEMA, encoding="utf-8")
    schema = Schemas(tmp_path).get("F1")
    for name in ("urn:b", "relative", "urn:%D1%86", "http://b.example/1?x=2#y"):
        data = f'<a><q:b xmlns:q="{name}" q:c="1" xml:lang="ru"/></a>'.encode()
        assert inspect(data, schema=schema).canonical_sha256 == inspect(data).canonical_sha256


def test_what_stands_behind_many_faults_of_the_form_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "F1.xsd").write_text(SCHEMA, encoding="utf-8")
    schema = Schemas(tmp_path).get("F1")
    many = b"<a>" + b"<b/>" * 200 + b" " * 2**18
    with pytest.raises(DocumentRefused, match="breaks its schema"):
        inspect(many + b"</a>", schema=schema)
    with pytest.raises(DocumentRefused, match="not well-formed"):
        inspect(many + b"<c></a>", schema=schema)


def test_what_is_malformed_besides_is_still_called_so() -> None:
    with pytest.raises(DocumentRefused, match="not well-formed"):
        inspect('<a xmlns="urn:ц"><b></a>'.encode())
    with pytest.raises(DocumentRefused, match="not well-formed"):
        inspect(b'<x:a xmlns="urn:a"/>')


@pytest.mark.parametrize("name", RESERVED)
def test_a_name_that_xml_keeps_for_itself_is_not_well_formed(name: str) -> None:
    assert is_reserved(name)
    assert is_readable(name)
    with pytest.raises(DocumentRefused, match="not well-formed"):
        inspect(f'<a xmlns="{name}"/>'.encode())


@pytest.mark.parametrize("name", NOT_READ)
def test_an_xpath_that_could_never_find_anything_is_refused(name: str) -> None:
    assert not is_readable(name)
    with pytest.raises(ValueError, match=r"the namespace of p is .* no URI"):
        XPath("//p:a", {"p": name})


@pytest.mark.parametrize("name", READ)
def test_one_that_the_parser_reads_is_taken(name: str) -> None:
    assert is_readable(name)
    assert not is_reserved(name)
    assert parse(f'<a xmlns="{name.replace("&", "&amp;")}"/>'.encode()).tag == (f"{{{name}}}a" if name else "a")


def test_letters_that_no_document_can_carry_are_not_read() -> None:
    assert not is_readable("urn:\x00")
    assert not is_readable("urn:\ud800")
    assert XPath("//@xml:lang", {"xml": RESERVED[1]}).texts(parse(b'<a xml:lang="ru"/>')) == ["ru"]
