"""A folder of schemas, and bait beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bait import Bait

FORM = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
<xs:include schemaLocation="common/types.xsd"/>
<xs:element name="doc"><xs:complexType>
  <xs:sequence><xs:element name="r" minOccurs="0" maxOccurs="unbounded"><xs:complexType>
    <xs:sequence><xs:element name="a" type="xs:int"/><xs:element name="b" type="amount" minOccurs="0"/></xs:sequence>
    <xs:attribute name="id" type="xs:ID"/><xs:attribute name="key" type="xs:int"/>
  </xs:complexType></xs:element></xs:sequence>
</xs:complexType>
<xs:unique name="keys"><xs:selector xpath="r"/><xs:field xpath="@key"/></xs:unique></xs:element>
</xs:schema>"""
TYPES = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
<xs:simpleType name="amount"><xs:restriction base="xs:decimal"><xs:fractionDigits value="2"/></xs:restriction></xs:simpleType>
</xs:schema>"""


@pytest.fixture
def schemas_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "schemas"
    (folder / "common").mkdir(parents=True)
    (folder / "F1.xsd").write_text(FORM)
    (folder / "common" / "types.xsd").write_text(TYPES)
    return folder


@pytest.fixture
def bait(tmp_path: Path) -> Iterator[Bait]:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "types.xsd").write_text(TYPES)
    (folder / "secret.txt").write_text("SECRET")
    opened = Bait(folder)
    yield opened
    opened.close()
