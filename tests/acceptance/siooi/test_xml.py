"""Golden tests 16 and 17 where they are decided: documents and schemas that would draw in others, and what is reported.

Every single attack, in both encodings and with the library's default parser poisoned, is in tests/transport/xml.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from gridwire.errors import ConfigurationError
from gridwire.transport import xml
from tests.support.bait import Bait

FORM = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{drawn}<xs:element name="r"><xs:complexType><xs:sequence>
<xs:element name="n" type="xs:int" maxOccurs="9"/></xs:sequence></xs:complexType></xs:element></xs:schema>"""


@pytest.fixture
def bait(tmp_path: Path) -> Iterator[Bait]:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.xsd").write_text(FORM.format(drawn=""))
    opened = Bait(folder)
    yield opened
    opened.close()


@pytest.fixture
def poisoned() -> Iterator[None]:
    etree.set_default_parser(etree.XMLParser(resolve_entities=True, no_network=False, load_dtd=True))
    yield
    etree.set_default_parser(None)


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file://{folder}/secret.xsd">]><r>&x;</r>',
        '<!DOCTYPE r SYSTEM "http://127.0.0.1:{port}/r.dtd"><r/>',
        "<!DOCTYPE r><r/>",
        '<!DOCTYPE r [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]><r>&c;</r>',
    ],
)
def test_G16_documents_that_draw_in_others_are_refused_and_touch_nothing(bait: Bait, document: str) -> None:
    data = document.format(folder=bait.folder, port=bait.port).encode()
    with bait.watch() as touched:
        with pytest.raises(xml.DocumentRefused, match="document type"):
            xml.inspect(data)
        with pytest.raises(xml.XmlRefused, match="document type"):
            xml.parse(data)
    assert touched == []


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:{port}/x.xsd", "../outside/secret.xsd", "file://{folder}/secret.xsd"]
)
@pytest.mark.parametrize("by", ["include", 'import namespace="urn:x"'])
def test_G16_schemas_that_draw_in_others_are_refused_and_touch_nothing(
    bait: Bait, tmp_path: Path, location: str, by: str
) -> None:
    folder = tmp_path / "schemas"
    folder.mkdir()
    place = location.format(port=bait.port, folder=bait.folder)
    (folder / "F1.xsd").write_text(FORM.format(drawn=f'<xs:{by} schemaLocation="{place}"/>'))
    with bait.watch() as touched, pytest.raises(ConfigurationError, match="was not read"):
        xml.Schemas(folder).get("F1")
    assert [what for what in touched if "F1.xsd" not in what] == []


def test_G17_a_fault_against_the_schema_is_reported_with_line_and_path(tmp_path: Path) -> None:
    (tmp_path / "F1.xsd").write_text(FORM.format(drawn=""))
    schema = xml.Schemas(tmp_path).get("F1")
    with pytest.raises(xml.DocumentRefused) as refused:
        xml.inspect("<r>\n  <n>1</n>\n  <n>один</n>\n</r>".encode(), schema=schema)
    (fault,) = refused.value.faults
    assert (fault.line, fault.path, fault.type) == (3, "/r/n[2]", "SCHEMAV_CVC_DATATYPE_VALID_1_2_1")
    assert str(refused.value) == (
        "The document breaks its schema F1.xsd. Nothing was sent.\n"
        "  line 3, /r/n[2]: Element 'n': 'один' is not a valid value of the atomic type 'xs:int'."
    )
