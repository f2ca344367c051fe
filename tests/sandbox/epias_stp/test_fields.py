from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gridwire.sandbox.epias_stp.fields import Fields
from gridwire.sandbox.epias_stp.texts import Refused


def of_json(**values: Any) -> Fields:
    return Fields(values, from_xml=False)


def of_xml(**values: Any) -> Fields:
    return Fields(values, from_xml=True)


def refusal(read: Callable[[], object]) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(Refused) as caught:
        read()
    return caught.value.code, caught.value.details


def test_json_types_must_be_right() -> None:
    fields = of_json(n=5, d=Decimal("1.50"), t="x", when="2026-12-01T09:00:00.000+03:00", none=None)
    assert (fields.integer("n"), fields.decimal("d"), fields.decimal("n"), fields.text("t")) == (
        5,
        Decimal("1.50"),
        Decimal(5),
        "x",
    )
    assert fields.instant("when") == datetime(2026, 12, 1, 6, tzinfo=UTC)
    assert (fields.optional_text("none"), fields.optional_decimal("absent"), fields.given("none")) == (
        None,
        None,
        False,
    )


@pytest.mark.parametrize("value", ["5", 5.0, True, Decimal(5), 2**63, [], {}])
def test_what_is_no_json_integer_is_refused(value: Any) -> None:
    assert refusal(lambda: of_json(n=value).integer("n")) == ("REQ-0006", ("n",))


@pytest.mark.parametrize("value", ["5", True, float("nan"), [], {}])
def test_what_is_no_json_number_is_refused(value: Any) -> None:
    assert refusal(lambda: of_json(n=value).decimal("n")) == ("REQ-0006", ("n",))


def test_missing_required_fields_are_named() -> None:
    for read in (of_json().integer, of_json().decimal, of_json().text, of_json().instant, of_json().texts):
        assert refusal(lambda read=read: read("x")) == ("REQ-0005", ("x",))  # type: ignore[misc]
    assert refusal(lambda: of_json(t="").text("t")) == ("REQ-0005", ("t",))


def test_xml_leaves_are_parsed() -> None:
    fields = of_xml(n="5", d="1.50", one="a", many=["1", "2"])
    assert (fields.integer("n"), fields.decimal("d")) == (5, Decimal("1.50"))
    assert (fields.texts("one"), fields.integers("many"), fields.texts("absent")) == (["a"], [1, 2], [])
    assert refusal(lambda: of_xml(n="five").integer("n")) == ("REQ-0006", ("n",))
    assert refusal(lambda: of_xml(d="NaN").decimal("d")) == ("REQ-0006", ("d",))
    assert refusal(lambda: of_xml(d="1,5").decimal("d")) == ("REQ-0006", ("d",))


def test_arrays_of_objects_and_dates() -> None:
    rows = of_json(rows=[{"n": 1}, {"n": 2}]).objects("rows")
    assert [row.integer("n") for row in rows] == [1, 2]
    assert of_json(days=["2026-12-01T09:00:00.000+03:00"]).instants("days") == [datetime(2026, 12, 1, 6, tzinfo=UTC)]
    assert refusal(lambda: of_json(rows=["x"]).objects("rows")) == ("REQ-0006", ("rows",))
    assert refusal(lambda: of_json(rows="x").texts("rows")) == ("REQ-0006", ("rows",))
    assert refusal(lambda: of_json(t=5).text("t")) == ("REQ-0006", ("t",))
    assert refusal(lambda: of_json(t="yesterday").instant("t")) == ("REQ-0006", ("t",))
