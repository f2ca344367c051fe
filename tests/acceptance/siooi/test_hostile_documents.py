"""Documents and schemas that would reach for files and addresses are refused, and nothing is touched."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from gridwire.errors import ConfigurationError, InvalidInput
from gridwire.transport.xml import DocumentRefused
from tests.acceptance.siooi.office import office, prepared

SECRET = "строго секретно"
_watched: list[tuple[str, Any]] = []
_watching = False


def _hear(event: str, arguments: Any) -> None:
    if _watching and event in ("open", "socket.connect", "socket.getaddrinfo"):
        _watched.append((event, arguments[0]))


sys.addaudithook(_hear)


@contextmanager
def watched() -> Iterator[list[str]]:
    """The files opened and the hosts asked for in the block."""
    global _watching
    _watched.clear()
    touched: list[str] = []
    _watching = True
    try:
        yield touched
    finally:
        _watching = False
        touched += [str(what) for _, what in _watched]


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha" * 100}">' for n in range(12))


@pytest.mark.parametrize(
    "prologue",
    [
        '<!DOCTYPE document [<!ENTITY x SYSTEM "file://{secret}">]>',
        '<!DOCTYPE document SYSTEM "http://127.0.0.1:9/evil.dtd">',
        '<!DOCTYPE document [<!ENTITY % p SYSTEM "file://{secret}"> %p;]>',
        "<!DOCTYPE document [" + BOMB.replace("{", "{{").replace("}", "}}") + "]>",
        "<!DOCTYPE document>",
    ],
    ids=["xxe", "external-dtd", "parameter-entity", "bomb", "doctype"],
)
@pytest.mark.parametrize("poisoned", [False, True], ids=["", "poisoned-default-parser"])
async def test_G16_a_document_type_is_refused_and_nothing_is_touched(
    tmp_path: Path, prologue: str, poisoned: bool
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET, encoding="utf-8")
    async with office(tmp_path) as desk, desk.client() as client:
        text = desk.venue.document().decode().replace("<document", prologue.format(secret=secret) + "<document")
        text = text.replace(
            "Трансформатор Т-1", "&x;" if "ENTITY x" in prologue else "&e11;" if "e11" in prologue else "T"
        )
        if poisoned:
            etree.set_default_parser(etree.XMLParser(resolve_entities=True, load_dtd=True, no_network=False))
        try:
            with watched() as touched, pytest.raises(DocumentRefused) as caught:
                await prepared(client, text.encode())
        finally:
            etree.set_default_parser()
        assert SECRET not in str(caught.value)
        assert not [name for name in touched if "secret" in name or "evil" in name or "127.0.0.1" in name]
        assert len(desk.venue.log) == 0


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.1:9/types.xsd", "../outside.xsd", "/etc/passwd", "file:///etc/passwd", "..%2foutside.xsd"],
)
@pytest.mark.parametrize("how", ["include", "import"])
async def test_G16_a_schema_that_reaches_out_of_its_folder_is_refused(tmp_path: Path, how: str, location: str) -> None:
    (tmp_path / "outside.xsd").write_text('<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"/>')
    folder = tmp_path / "schemas"
    folder.mkdir()
    space = ' namespace="urn:x"' if how == "import" else ""
    (folder / "F101.xsd").write_text(
        f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:{how} schemaLocation="{location}"{space}/>'
        '<xs:element name="document"/></xs:schema>'
    )
    async with office(tmp_path) as desk, desk.client(schemas=folder) as client:
        with watched() as touched, pytest.raises(ConfigurationError, match=r"was not read"):
            await prepared(client)
        assert not [name for name in touched if "outside" in name or "passwd" in name or "127.0.0.1" in name]
        assert len(desk.venue.log) == 0


@pytest.mark.parametrize("form", ["../F101", "/etc/passwd", "F101/../F101", "F 101"])
async def test_G16_a_form_code_is_no_path(tmp_path: Path, form: str) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        with watched() as touched, pytest.raises((InvalidInput, ConfigurationError)):
            await prepared(client, form_code=form)
        assert not [name for name in touched if name.endswith(("passwd", "F101.xsd"))]
        assert len(desk.venue.log) == 0


@pytest.mark.parametrize("form", ["../F101", "F" * 300, "ф" * 150, "a/b", ".", "F\n", ""])
async def test_G16_a_form_code_is_no_path_without_a_schema_either(tmp_path: Path, form: str) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        with pytest.raises(InvalidInput, match="form_code="):
            await client.prepare(
                desk.venue.document(), form_code=form, object_key="o", period="p", allow_unvalidated=True
            )


@pytest.mark.parametrize("document", ["a\0b.xml", None, 5, ["x"]])
async def test_what_is_no_document_is_refused_in_a_sentence(tmp_path: Path, document: Any) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        with pytest.raises(InvalidInput, match=r"Nothing was sent\."):
            await client.prepare(document, form_code="F101", object_key="TPP-1", period="2026-Q3")


async def test_G16_hostile_answers_of_the_venue_are_not_read(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client("soap") as client:
        content = b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>'
        desk.venue.faults.add("raw", operation="send", content=content, content_type="text/xml", executed=True)
        with watched() as touched:
            outcome = await client.submit(await prepared(client), confirm=True)
        assert type(outcome).__name__ == "Unknown"
        assert not [name for name in touched if "passwd" in name]


async def test_G17_every_fault_of_a_document_is_named_with_line_and_path(tmp_path: Path) -> None:
    async with office(tmp_path) as desk, desk.client() as client:
        content = desk.venue.document(values=("12", "много", "3", "ещё"))
        with pytest.raises(DocumentRefused) as caught:
            await prepared(client, content)
        assert [(fault.line, fault.path) for fault in caught.value.faults] == [
            (6, "/document/row[2]/wear[1]"), (8, "/document/row[4]/wear[1]"),
        ]  # fmt: skip
        assert all(fault.type == "SCHEMAV_CVC_DATATYPE_VALID_1_2_1" for fault in caught.value.faults)
        assert "Nothing was sent" in str(caught.value)
        assert "line 6, /document/row[2]/wear[1]: " in str(caught.value)
        assert len(desk.venue.log) == 0
