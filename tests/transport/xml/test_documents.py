"""Documents that are to be sent: what is refused, what is said about it, and that hostile ones touch nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from gridwire.transport.xml import DocumentRefused, Schemas, inspect, parse
from gridwire.transport.xml import documents as module
from gridwire.transport.xml.documents import PIECE
from gridwire.transport.xml.faults import MOST_FAULTS
from tests.support.bait import Bait

ROW = b"<r><a>1</a><b>2.50</b></r>\n"


def large(*, rows: int = 60_000, at: int | None = None, bad: bytes = b"<r><a>x</a></r>\n") -> bytes:
    """A document of more than a MiB, with a faulty row in one place."""
    head = b'<?xml version="1.0" encoding="UTF-8"?>\n<doc>\n'
    if at is None:
        return head + ROW * rows + b"</doc>"
    return head + ROW * at + bad + ROW * (rows - at) + b"</doc>"


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (b"", "is empty"),
        (b"   ", "not well-formed"),
        (b"<a", "not well-formed.*\n  line 1: Couldn't find end of Start Tag a$"),
        (b"<a>\n<b>\n</a>", "not well-formed.*\n  line 3: Opening and ending tag mismatch"),
        (b"<a/><b/>", "not well-formed"),
        (b"<a>", "not well-formed"),
        (b"<a>&nope;</a>", "not well-formed.*\n  line 1: Entity 'nope' not defined"),
        (b"<a>\xff</a>", "declares no encoding, which means UTF-8, and line 1 holds bytes that UTF-8 does not have"),
        (b"<a>&#0;</a>", "not well-formed"),
        (b"text", "not well-formed"),
        (b"<x:a/>", "not well-formed.*\n  line 1, /a: Namespace prefix x on a is not defined"),
        (b'<?xml version="1.0" encoding="windows-1251"?><a>\x98</a>', "windows-1251, and line 1 holds a byte"),
        (b'<?xml version="1.0" encoding="koi8-r"?><a/>', "another encoding than UTF-8 and windows-1251"),
        ("<a/>".encode("utf-16"), "another encoding"),
        (b"<a>" * 65 + b"</a>" * 65, "deeper than 64"),
        (b"<!DOCTYPE a><a/>", "document type or entity"),
        (b"<!-- a --><!DOCTYPE a><a/>", "document type or entity"),
        (b"\x1f\x8b\x08\x00\x00", "is no XML: it is a gzip file"),
        (b"0\x82\x0a\x00\x06\x09", "PKCS #7"),
        (b"<a>" + b"x" * 1000 + b"</a>", "1007 bytes long; at most 500"),
    ],
)
def test_what_is_not_fit_is_refused_with_a_sentence(document: bytes, sentence: str) -> None:
    with pytest.raises(DocumentRefused, match=f"^The document .*{sentence}") as caught:
        inspect(document, max_bytes=500)
    assert "Nothing was sent." in str(caught.value)


def test_a_mark_at_its_beginning_is_refused_if_its_receiver_cannot_read_it() -> None:
    assert inspect(b"\xef\xbb\xbf<a/>").size_bytes == 7
    with pytest.raises(DocumentRefused, match="byte order mark"):
        inspect(b"\xef\xbb\xbf<a/>", refuse_bom=True)


def test_a_namespace_that_is_no_address_is_a_name_all_the_same() -> None:
    assert inspect(b'<a xmlns="form-20175"/>').root == "{form-20175}a"


@pytest.mark.parametrize("encoding", ["UTF-8", "windows-1251"])
def test_the_bytes_hashed_are_the_bytes_given(encoding: str) -> None:
    data = f'<?xml version="1.0" encoding="{encoding}"?>\n<док>№ 1</док>'.encode(encoding)
    found = inspect(data)
    assert (found.root, found.encoding, found.size_bytes) == ("док", encoding, len(data))
    assert found.exact_sha256 == hashlib.sha256(data).hexdigest()
    assert found.canonical_sha256 == inspect("<док>№ 1</док>".encode()).canonical_sha256


class TestSchema:
    @pytest.fixture
    def schema(self, schemas_folder: Path) -> Any:
        return Schemas(schemas_folder).get("F1")

    def test_each_fault_has_line_column_path_kind_and_message(self, schema: Any) -> None:
        data = "<doc>\n<r><a>1</a></r>\n <r><a>Ж</a><b>y</b></r>\n<r><z/></r>\n<r></r><q/></doc>".encode()
        with pytest.raises(DocumentRefused) as caught:
            inspect(data, schema=schema)
        assert [(fault.line, fault.column, fault.path, fault.type) for fault in caught.value.faults] == [
            (3, 9, "/doc/r[2]/a[1]", "SCHEMAV_CVC_DATATYPE_VALID_1_2_1"),
            (3, 17, "/doc/r[2]/b[1]", "SCHEMAV_CVC_DATATYPE_VALID_1_2_1"),
            (4, 4, "/doc/r[3]/z[1]", "SCHEMAV_ELEMENT_CONTENT"),
            (5, 4, "/doc/r[4]", "SCHEMAV_ELEMENT_CONTENT"),
            (5, 8, "/doc/q[1]", "SCHEMAV_ELEMENT_CONTENT"),
        ]
        assert caught.value.faults[0].message == "Element 'a': 'Ж' is not a valid value of the atomic type 'xs:int'."

    def test_it_finds_what_the_check_of_a_tree_finds(self, schema: Any) -> None:
        data = b'<doc><r key="1"><a>1</a></r><r key="1"><a/><b>1.234</b></r><r no="1"><a>1</a><a>2</a></r>text</doc>'
        with pytest.raises(DocumentRefused) as caught:
            inspect(data, schema=schema)
        whole = schema.faults(parse(data))
        assert len(whole) >= 5
        assert sorted((fault.type, fault.message) for fault in caught.value.faults) == sorted(
            (fault.type, fault.message) for fault in whole
        )

    @pytest.mark.parametrize("at", [0, 1, 30_000, 59_999])
    def test_in_a_large_one_the_place_is_found(self, schema: Any, at: int) -> None:
        with pytest.raises(DocumentRefused) as caught:
            inspect(large(at=at), schema=schema)
        (fault,) = caught.value.faults
        assert (fault.line, fault.column, fault.path) == (at + 3, 8, f"/doc/r[{at + 1}]/a[1]")

    def test_a_fault_across_the_end_of_a_piece_is_found(self, schema: Any) -> None:
        document = large(rows=4000, at=0)
        for shift in range(1, 30):
            padded = document.replace(b"<doc>", b"<doc>" + b" " * (PIECE - document.index(b"<r>") - shift), 1)
            with pytest.raises(DocumentRefused) as caught:
                inspect(padded, schema=schema)
            assert [(fault.line, fault.path) for fault in caught.value.faults] == [(3, "/doc/r[1]/a[1]")]

    def test_a_wrong_form_is_not_read_to_its_end(self, schema: Any) -> None:
        done: list[int] = []
        with pytest.raises(DocumentRefused, match="in at least 100 places") as caught:
            inspect(large().replace(b"<a>1", b"<a>x"), schema=schema, progress=lambda at, _: done.append(at))
        assert len(caught.value.faults) == MOST_FAULTS
        assert len(done) == 1
        assert caught.value.faults[-1].line == 102

    def test_what_is_not_well_formed_is_told_like_without_a_schema(self, schema: Any) -> None:
        for document in (b"<doc>\n<r></doc>", b"<doc>\n", b"<doc>\n<r><a>x</a></r>\n<r", large()[:-3]):
            with pytest.raises(DocumentRefused) as bare:
                inspect(document)
            with pytest.raises(DocumentRefused) as caught:
                inspect(document, schema=schema)
            assert caught.value.faults == bare.value.faults
            assert caught.value.faults[0].line is not None

    def test_a_valid_one_is_the_same_with_and_without(self, schema: Any) -> None:
        assert inspect(large(), schema=schema) == inspect(large())


def test_progress_ends_at_the_whole() -> None:
    told: list[tuple[int, int]] = []
    data = large(rows=10_000)
    inspect(data, progress=lambda done, of: told.append((done, of)))
    assert [done for done, _ in told] == [*range(PIECE, len(data), PIECE), len(data)]
    assert {of for _, of in told} == {len(data)}


HOSTILE = {
    "external entity": '<!DOCTYPE a [<!ENTITY x SYSTEM "file://{folder}/secret.txt">]><a>&x;</a>',
    "external entity over http": '<!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1:{port}/x">]><a>&x;</a>',
    "parameter entity": '<!DOCTYPE a [<!ENTITY % x SYSTEM "file://{folder}/secret.txt"> %x;]><a/>',
    "external subset": '<!DOCTYPE a SYSTEM "file://{folder}/secret.txt"><a/>',
    "public subset": '<!DOCTYPE a PUBLIC "-//x//y" "http://127.0.0.1:{port}/x"><a/>',
    "bomb": "<!DOCTYPE a [<!ENTITY a0 'x'>"
    + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 12))
    + "]><a>&a11;</a>",
    "bomb in an attribute": "<!DOCTYPE a [<!ENTITY x 'yyyyyyyyyy'>]><a b='&x;&x;&x;'/>",
}
HARMLESS = {
    "hint at a schema": '<a xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:noNamespaceSchemaLocation="file://{folder}/types.xsd"/>',
    "inclusion": '<a xmlns:x="http://www.w3.org/2001/XInclude"><x:include href="file://{folder}/secret.txt" parse="text"/></a>',
    "style sheet": '<?xml-stylesheet type="text/xsl" href="http://127.0.0.1:{port}/x"?><a/>',
}


@pytest.fixture(params=["library default", "poisoned default"])
def default_parser(request: pytest.FixtureRequest) -> Iterator[None]:
    """Any library in the process may set this, and then files are read by whoever passes no parser of its own."""
    if request.param == "poisoned default":
        etree.set_default_parser(
            etree.XMLParser(resolve_entities=True, no_network=False, load_dtd=True, huge_tree=True)
        )
    yield
    etree.set_default_parser(None)


def test_a_poisoned_default_parser_does_read_files(bait: Bait) -> None:
    """What the tests below would find, were a parser of our own forgotten somewhere."""
    etree.set_default_parser(etree.XMLParser(resolve_entities=True, no_network=False, load_dtd=True))
    try:
        with bait.watch() as touched:
            root = etree.fromstring(HOSTILE["external entity"].format(folder=bait.folder, port=bait.port).encode())
    finally:
        etree.set_default_parser(None)
    assert root.text == "SECRET"
    assert touched == [f"a file in {bait.folder}"]


@pytest.mark.usefixtures("default_parser")
class TestHostile:
    @pytest.mark.parametrize("name", HOSTILE)
    @pytest.mark.parametrize("encoding", ["utf-8", "cp1251"])
    def test_it_is_refused_and_touches_nothing(self, bait: Bait, name: str, encoding: str) -> None:
        data = HOSTILE[name].format(folder=bait.folder, port=bait.port).encode(encoding)
        with bait.watch() as touched:
            with pytest.raises(DocumentRefused, match="document type"):
                inspect(data)
            with pytest.raises(Exception, match="document type"):
                parse(data)
        assert touched == []

    @pytest.mark.parametrize("name", HOSTILE)
    def test_it_would_be_refused_without_looking_at_its_bytes_too(
        self, bait: Bait, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "declares_a_type", lambda _: False)
        data = HOSTILE[name].format(folder=bait.folder, port=bait.port).encode()
        with bait.watch() as touched, pytest.raises(DocumentRefused, match="document type"):
            inspect(data)
        assert touched == []

    @pytest.mark.parametrize("name", HARMLESS)
    def test_what_only_points_elsewhere_is_not_followed(self, bait: Bait, schemas_folder: Path, name: str) -> None:
        data = HARMLESS[name].format(folder=bait.folder, port=bait.port).encode()
        schema = Schemas(schemas_folder).get("F1")
        with bait.watch() as touched:
            assert inspect(data).root == "a"
            with pytest.raises(DocumentRefused, match="breaks its schema"):
                inspect(data, schema=schema)
        assert touched == []

    def test_the_type_is_found_across_the_end_of_a_piece(self) -> None:
        for shift in range(1, 12):
            with pytest.raises(DocumentRefused, match="document type"):
                inspect(b"<!--" + b"x" * (PIECE - 7 - shift) + b"-->" + b"<!DOCTYPE a><a/>")
