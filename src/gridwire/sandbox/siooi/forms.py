"""The forms of the simulated venue: their schemas, and documents that fit them. They are ours, not the venue's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_SCHEMA = """\
<?xml version="1.0" encoding="UTF-8"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified">
  <xs:element name="document">
    <xs:complexType>
      <xs:sequence>
        <xs:element name="object" type="xs:token"/>
        <xs:element name="period" type="Period"/>
        <xs:element name="row" type="Row" maxOccurs="unbounded"/>
      </xs:sequence>
      <xs:attribute name="form" type="xs:token" use="required" fixed="{form}"/>
    </xs:complexType>
  </xs:element>
  <xs:simpleType name="Period">
    <xs:restriction base="xs:token"><xs:pattern value="20[0-9]{{2}}-(Q[1-4]|0[1-9]|1[0-2])"/></xs:restriction>
  </xs:simpleType>
  <xs:complexType name="Row">
    <xs:sequence>
      <xs:element name="equipment" type="xs:string"/>
      <xs:element name="{value}" type="{type}"/>
    </xs:sequence>
    <xs:attribute name="code" type="xs:token" use="required"/>
  </xs:complexType>
</xs:schema>
"""

SCHEMAS: Mapping[str, str] = {
    "F101": _SCHEMA.format(form="F101", value="wear", type="xs:decimal"),
    "F102": _SCHEMA.format(form="F102", value="hours", type="xs:nonNegativeInteger"),
}
"""By form code: F101 is the wear of equipment in percent, F102 its hours of operation."""

OBJECTS = ("TPP-1", "TPP-2", "HPP-7")
_VALUES = {"F101": "wear", "F102": "hours"}


def document(
    form: str = "F101",
    object_key: str = "TPP-1",
    period: str = "2026-Q3",
    values: tuple[str, ...] = ("12.5", "40"),
    encoding: str = "UTF-8",
) -> bytes:
    """A document of one of the forms; with values that are no numbers it breaks its schema."""
    name = _VALUES[form]
    rows = "".join(
        f'  <row code="{at:03}"><equipment>Трансформатор Т-{at}</equipment><{name}>{value}</{name}></row>\n'
        for at, value in enumerate(values, 1)
    )
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?>\n<document form="{form}">\n  <object>{object_key}</object>\n'
        f"  <period>{period}</period>\n{rows}</document>\n"
    )
    return text.encode(encoding)


def write_schemas(folder: Path) -> None:
    """Put the schemas into ``folder``, as ``{form_code}.xsd``."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for form, text in SCHEMAS.items():
        (folder / f"{form}.xsd").write_text(text, encoding="utf-8")


def write_documents(folder: Path) -> None:
    """Put one document per form and object into ``folder``, named ``FORM__OBJECT__PERIOD.xml``."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for object_key in OBJECTS[:2]:
        for form in SCHEMAS:
            values = ("12.5", "40") if form == "F101" else ("1200", "8760")
            content = document(form, object_key, values=values)
            (folder / f"{form}__{object_key}__2026-Q3.xml").write_bytes(content)
