"""Faults: their places and their sentences."""

from __future__ import annotations

import pytest

from gridwire.errors import InvalidInput
from gridwire.transport.xml.faults import DocumentRefused, Fault, Lines, Locator, pieces


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault(3, 8, "/r/n[2]", "T", "wrong"), "line 3, /r/n[2]: wrong"),
        (Fault(None, None, "/r", "T", "wrong"), "/r: wrong"),
        (Fault(3, None, "", "T", "wrong"), "line 3: wrong"),
        (Fault(None, None, "", "T", "wrong"), "wrong"),
    ],
)
def test_a_fault_says_where_it_is(fault: Fault, text: str) -> None:
    assert str(fault) == text


def test_the_first_faults_are_listed_and_the_rest_counted() -> None:
    faults = [Fault(n, None, "", "T", f"fault {n}") for n in range(1, 8)]
    error = DocumentRefused("It is wrong.", faults)
    assert str(error) == "It is wrong. Nothing was sent." + "".join(f"\n  line {n}: fault {n}" for n in range(1, 6)) + (
        "\n  and 2 more"
    )
    assert error.faults == tuple(faults)
    assert isinstance(error, InvalidInput)
    assert str(DocumentRefused("It is wrong.")) == "It is wrong. Nothing was sent."


def test_the_locator_knows_what_was_touched_last() -> None:
    locator = Locator()
    paths = []
    for step in ("+{u}doc", "+r", "-", "+r", "+a", "-", "+b", "-", "+a", "-", "-", "-"):
        if step.startswith("+"):
            locator.start(step[1:], {})
        else:
            locator.end("")
        paths.append(locator.path)
    locator.close()
    assert paths == [
        "/doc", "/doc/r[1]", "/doc/r[1]", "/doc/r[2]", "/doc/r[2]/a[1]", "/doc/r[2]/a[1]", "/doc/r[2]/b[1]", "/doc/r[2]/b[1]",
        "/doc/r[2]/a[2]", "/doc/r[2]/a[2]", "/doc/r[2]", "/doc",
    ]  # fmt: skip


def test_no_piece_ends_more_than_one_tag() -> None:
    data = b"<a>1</a> <b/>x"
    assert list(pieces(data, 0, len(data))) == [(0, b"<a>"), (3, b"1</a>"), (8, b" <b/>"), (13, b"x")]
    assert list(pieces(data, 1, 5)) == [(1, b"a>"), (3, b"1<")]
    assert list(pieces(data, 2, 2)) == []


@pytest.mark.parametrize(("encoding", "text"), [("UTF-8", "ab\nЖЖx\n\ny"), ("windows-1251", "ab\nЖЖx\n\ny")])
def test_lines_and_columns_count_characters_from_one(encoding: str, text: str) -> None:
    data = text.encode(encoding)
    offsets = [len(text[:n].encode(encoding)) for n in range(len(text))]
    expected = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (2, 4), (3, 1), (4, 1)]
    assert [Lines(data, encoding).position(offset) for offset in offsets] == expected
    lines = Lines(data, encoding)
    assert [lines.position(offset) for offset in offsets] == expected
