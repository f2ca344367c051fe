"""Elements written out: encodings, declarations, and letters an encoding lacks."""

from __future__ import annotations

import pytest

from gridwire.transport.xml import is_name, new, parse, serialise, sub
from gridwire.transport.xml.elements import Encoding


@pytest.mark.parametrize("encoding", ["UTF-8", "windows-1251"])
@pytest.mark.parametrize("double_quoted", [False, True])
def test_what_is_written_is_read_back(encoding: Encoding, double_quoted: bool) -> None:
    root = new("документ", {None: "urn:x", "p": "urn:p"})
    sub(root, "{urn:p}имя", "«Южная» № 5 ☃ é")
    data = serialise(root, encoding=encoding, double_quoted=double_quoted)
    quote = '"' if double_quoted else "'"
    declaration = f"<?xml version={quote}1.0{quote} encoding={quote}{encoding}{quote}?>\n"
    assert data.startswith(declaration.encode())
    assert b"<!DOCTYPE" not in data
    read = parse(data)
    assert read[0].text == "«Южная» № 5 ☃ é"
    assert (b"&#9731;" in data) == (encoding == "windows-1251")


@pytest.mark.parametrize(
    ("name", "can"),
    [("a", True), ("Код", True), ("_x.1-", True), ("表", True), ("", False), ("a b", False), ("1a", False), ("a:b", False),
     ("{urn:x}a", False), ("a\x00", False), ("<", False), ("-a", False)],
)  # fmt: skip
def test_a_name_is_one_that_an_element_can_have(name: str, can: bool) -> None:
    assert is_name(name) == can
