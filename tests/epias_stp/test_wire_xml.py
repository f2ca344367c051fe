"""XML of STP: repeated elements instead of wrapped lists, and plain values out of it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.epias_stp import wire_xml
from gridwire.transport.xml import XmlRefused


def test_lists_repeat_their_element_and_an_empty_list_leaves_no_trace() -> None:
    written = wire_xml.write("r", {"a": ["1", 2, Decimal("3.50")], "none": [], "b": {"c": True, "d": False}, "e": {}})
    assert written == (
        b"<?xml version='1.0' encoding='UTF-8'?>\n<r><a>1</a><a>2</a><a>3.50</a><b><c>true</c><d>false</d></b><e/></r>"
    )


def test_elements_become_mappings_lists_texts_and_nones() -> None:
    root, value = wire_xml.read(b"<R><a>1</a><a/><b> x </b><c><d>2</d></c><e/><f> </f></R>")
    assert root == "R"
    assert value == {"a": ["1", None], "b": "x", "c": {"d": "2"}, "e": None, "f": None}


def test_names_are_local_and_nil_is_none() -> None:
    content = (
        b'<x:r xmlns:x="urn:x" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">'
        b'<x:a i:nil="true">old</x:a><x:b>1</x:b></x:r>'
    )
    assert wire_xml.read(content) == ("r", {"a": None, "b": "1"})


def test_comments_do_not_cut_a_text() -> None:
    assert wire_xml.read(b"<r><a>BUSINESS<!-- x -->ERROR</a></r>") == ("r", {"a": "BUSINESSERROR"})


def test_an_empty_root_is_none() -> None:
    assert wire_xml.read(b"<r/>") == ("r", None)


@pytest.mark.parametrize("content", [b"<r>text<a/></r>", b"<r><a/>text</r>", b"<r><a/><b/> text <c/></r>"])
def test_text_between_elements_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="mixes text and elements"):
        wire_xml.read(content)


@pytest.mark.parametrize(
    "content", [b"<r>", b"", b'<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>', b"<a>" * 80 + b"</a>" * 80]
)
def test_hostile_documents_are_refused(content: bytes) -> None:
    with pytest.raises(XmlRefused):
        wire_xml.read(content)


LETTERS = (
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), min_size=1).map(str.strip).filter(bool)
)


@given(st.lists(LETTERS, min_size=2, max_size=5), LETTERS)
def test_what_is_written_reads_back_the_same(items: list[str], single: str) -> None:
    assert wire_xml.read(wire_xml.write("r", {"many": [*items], "one": {"x": single}})) == (
        "r",
        {"many": items, "one": {"x": single}},
    )
