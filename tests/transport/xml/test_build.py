"""Documents from nested values: exact, in order, and refused where they could not be exact."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal, localcontext
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from gridwire.errors import InvalidInput
from gridwire.transport.xml import DocumentBuilder, inspect, parse


def body(content: Any, **options: Any) -> str:
    """What the builder makes of ``content``, without the declaration and the root."""
    text = DocumentBuilder("d", **options).build(content).decode()
    assert text.startswith("<?xml version='1.0' encoding='UTF-8'?>\n<d")
    return text.partition("?>\n")[2]


class Kind(Enum):
    LINE = "линия"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a & <b>", "a &amp; &lt;b&gt;"),
        ("", ""),
        (True, "true"),
        (False, "false"),
        (-7, "-7"),
        (10**30, "1" + "0" * 30),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.10"), "0.10"),
        (Decimal("123456789012345678901234567890.123456789"), "123456789012345678901234567890.123456789"),
        (date(2026, 12, 1), "2026-12-01"),
        (datetime(2026, 12, 1, 9, 30, tzinfo=UTC), "2026-12-01T09:30:00+00:00"),
        (datetime(2026, 12, 1, 9, 30, tzinfo=timezone(timedelta(hours=3))), "2026-12-01T09:30:00+03:00"),
        (Kind.LINE, "линия"),
    ],
)
def test_a_value_is_written_exactly(value: Any, text: str) -> None:
    with localcontext(prec=3):
        written = body({"v": value, "@a": value})
    expected = f"<v>{text}</v>" if text or value == "" else "<v/>"
    assert f"{expected}</d>" in written
    assert f'<d a="{text}">' in written


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"v": 1.5}, "/d/v: 1.5 is a float, which is not exact; give a Decimal or a str"),
        ({"r": [{"v": "1"}, {"v": 2.5}]}, "/d/r/v: 2.5 is a float"),
        ({"v": Decimal("NaN")}, "/d/v: Decimal cannot be written"),
        ({"v": Decimal("Infinity")}, "/d/v: Decimal cannot be written"),
        ({"v": datetime(2026, 12, 1)}, "/d/v: a time needs its offset"),
        ({"v": time(9)}, "/d/v: time cannot be written"),
        ({"v": b"bytes"}, "/d/v: bytes cannot be written"),
        ({"v": object()}, "/d/v: object cannot be written"),
        ({"v": "\x00"}, "/d/v: All strings must be XML compatible"),
        ({"@v": "\x01"}, "/d/@v: All strings must be XML compatible"),
        ({"v w": "1"}, "/d/v w: Invalid tag name"),
        ({"@1": "1"}, "/d/@1: Invalid attribute name"),
        ({"": "1"}, "/d/: Empty tag name"),
        ({1: "1"}, "/d: the name 1 is no text"),
        ({"x:v": "1"}, "/d/x:v: the prefix x is not in nsmap"),
        ({"#text": 0.5}, "/d/#text: 0.5 is a float"),
        ({"@a": {"b": 1}}, "/d/@a: dict cannot be written"),
    ],
)
def test_what_cannot_be_exact_is_refused_with_its_place(content: Any, sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        DocumentBuilder("d").build(content)
    assert str(caught.value).startswith(sentence)
    assert str(caught.value).endswith("Nothing was sent.")


def test_a_root_that_is_no_name_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"^/d d: Invalid tag name"):
        DocumentBuilder("d d").build({})


def test_what_nests_without_end_is_refused() -> None:
    content: dict[str, Any] = {}
    content["v"] = content
    with pytest.raises(InvalidInput, match="more than 64 levels"):
        DocumentBuilder("d").build(content)


def test_order_repetition_omission_and_nesting_are_as_given() -> None:
    content = {
        "@v": 2,
        "z": "1",
        "a": None,
        "@w": None,
        "r": [{"n": 1}, {"n": 2, "#text": "t"}],
        "e": [],
        "l": ("x", "y"),
        "m": {},
    }
    assert body(content) == '<d v="2"><z>1</z><r><n>1</n></r><r>t<n>2</n></r><l>x</l><l>y</l><m/></d>'


def test_text_of_the_root_alone() -> None:
    assert body({"#text": Decimal("1.0")}) == "<d>1.0</d>"


def test_names_take_their_namespaces_and_attributes_no_default() -> None:
    content = {"@a": 1, "@p:b": 2, "c": 3, "p:d": 4}
    data = DocumentBuilder("d", {None: "urn:x", "p": "urn:p"}).build(content)
    root = parse(data)
    assert root.tag == "{urn:x}d"
    assert dict(root.attrib) == {"a": "1", "{urn:p}b": "2"}
    assert [child.tag for child in root] == ["{urn:x}c", "{urn:p}d"]
    assert data.count(b"xmlns") == 2


def test_a_field_has_a_format_of_its_own() -> None:
    formats = {"day": lambda day: f"{day:%d.%m.%Y}", "share": lambda share: f"{share:.1f}".replace(".", ",")}
    day = date(2026, 12, 1)
    assert body({"@day": day, "r": {"day": day, "other": day}, "share": 0.25}, formats=formats) == (
        '<d day="01.12.2026"><r><day>01.12.2026</day><other>2026-12-01</other></r><share>0,2</share></d>'
    )


class Row(BaseModel):
    model_config = ConfigDict(extra="allow")

    code: str = Field(alias="@code")
    amount: Decimal | None = Field(serialization_alias="сумма")


class Form(BaseModel):
    year: int
    rows: list[Row] = Field(alias="row")


def test_a_model_is_written_by_its_aliases() -> None:
    form = Form.model_validate(
        {"year": 2026, "row": [{"@code": "1", "amount": "1.50"}, {"@code": "2", "amount": None, "extra": 1}]}
    )
    assert body(form) == (
        '<d><year>2026</year><row code="1"><сумма>1.50</сумма></row><row code="2"><extra>1</extra></row></d>'
    )


def test_encoding_and_declaration_are_chosen() -> None:
    data = DocumentBuilder("д", encoding="windows-1251", double_quoted=True).build({"#text": "№ 5"})
    assert data == '<?xml version="1.0" encoding="windows-1251"?>\n<д>№ 5</д>'.encode("cp1251")
    assert inspect(data).encoding == "windows-1251"


def test_an_element_is_for_another_document() -> None:
    assert DocumentBuilder("d").element({"v": 1})[0].text == "1"
