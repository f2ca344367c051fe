from __future__ import annotations

import pytest

from gridwire.transport.xml import XPath, parse

DOCUMENT = parse(b'<r xmlns:s="urn:x"><s:a n="1">one<b>two</b></s:a><s:a n="2"/></r>')
SPACE = {"s": "urn:x"}


@pytest.mark.parametrize(
    ("expression", "texts"),
    [
        ("//s:a", ["onetwo", ""]),
        ("//s:a/@n", ["1", "2"]),
        ("//s:a/text()", ["one"]),
        ("count(//s:a)", ["2"]),
        ("1 div 4", ["0.25"]),
        ("//none = 1", ["false"]),
        ("count(//b) = 1", ["true"]),
        ("string(//b)", ["two"]),
        ("//none", []),
    ],
)
def test_what_an_expression_finds_is_text(expression: str, texts: list[str]) -> None:
    assert XPath(expression, SPACE).texts(DOCUMENT) == texts


def test_elements_are_looked_into_again() -> None:
    found = XPath("//s:a | //s:a/@n", SPACE).elements(DOCUMENT)
    assert [XPath("@n").texts(one) for one in found] == [["1"], ["2"]]


@pytest.mark.parametrize("wrong", ["", "//[", "a b", "//s:a["])
def test_what_is_no_expression_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="not an XPath"):
        XPath(wrong, SPACE)


def test_a_prefix_that_nobody_declared_finds_nothing() -> None:
    assert XPath("//t:a").texts(DOCUMENT) == []
    assert XPath("//t:a").elements(DOCUMENT) == []


def test_expressions_are_equal_by_what_they_say() -> None:
    assert XPath("//s:a", SPACE) == XPath("//s:a", dict(SPACE))
    assert len({XPath("//a"), XPath("//a"), XPath("//a", SPACE)}) == 2
    assert XPath("//a") != "//a"
