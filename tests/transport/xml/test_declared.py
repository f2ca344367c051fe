"""Bytes that are not in the encoding that they declare are refused by both names; those that are, never."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridwire.transport.xml import DocumentRefused, inspect
from gridwire.transport.xml.declared import PIECE

TEXT = "\n<док>\n<имя>Трансформатор № 1 «Южная»</имя></док>"


def saved(declared: str | None, encoding: str, text: str = TEXT) -> bytes:
    """A document that declares one encoding and is saved in another."""
    head = "" if declared is None else f'<?xml version="1.0" encoding="{declared}"?>'
    return (head + text).encode(encoding)


@pytest.mark.parametrize(
    ("document", "declares", "holds"),
    [
        (saved("windows-1251", "utf-8"), "windows-1251", r"UTF-8 \(line 2\)"),
        (saved("CP1251", "utf-8", "<a>№</a>"), "CP1251", "its bytes are UTF-8"),
        (saved("windows-1251", "cp1251") + "<!-- Южная -->".encode(), "windows-1251", r"UTF-8 \(line 3\)"),
        (saved("UTF-8", "cp1251"), "UTF-8", "line 2 holds bytes that UTF-8 does not have, like those of windows-1251"),
        (saved(None, "cp1251"), "no encoding, which means UTF-8", "line 2 holds bytes that UTF-8 does not have"),
        (saved("UTF-16", "utf-8"), "UTF-16", "are not: they are those of UTF-8"),
        (saved("UTF-16", "cp1251"), "UTF-16", "are not"),
        (saved("UTF-8", "utf-16"), "UTF-8", "its bytes are UTF-16 or UTF-32"),
        (saved("windows-1251", "utf-16-be"), "windows-1251", "its bytes are UTF-16 or UTF-32"),
        (saved("windows-1251", "utf-8-sig"), "windows-1251", "the byte order mark of UTF-8"),
        (saved("UTF-16", "utf-8-sig"), "UTF-16", "the byte order mark of UTF-8"),
        (codecs.BOM_UTF16_LE + saved("UTF-8", "utf-8"), "UTF-8", "its bytes are UTF-16 or UTF-32"),
        (saved("US-ASCII", "utf-8"), "US-ASCII", "line 2 holds bytes that US-ASCII does not have"),
        (saved("windows-1251", "ascii", "\n<a>") + b"\x98</a>", "windows-1251", "line 2 holds a byte"),
    ],
)  # fmt: skip
def test_a_contradiction_is_refused_by_both_names(document: bytes, declares: str, holds: str) -> None:
    with pytest.raises(DocumentRefused, match=rf"^The document declares {declares}, and .*{holds}.*Nothing was sent\."):
        inspect(document)


@pytest.mark.parametrize("declared", ["UTF-8", "windows-1251"])
def test_letters_that_were_read_by_the_wrong_encoding_before_are_refused(declared: str) -> None:
    garbage = TEXT.replace("Т", "т").encode().decode("cp1251")
    with pytest.raises(DocumentRefused, match=r"become two others|its bytes are UTF-8"):
        inspect(saved(declared, declared, garbage))


@pytest.mark.parametrize("declared", ["UTF-8", "windows-1251"])
def test_a_contradiction_far_down_and_across_two_pieces_is_found(declared: str) -> None:
    other = "cp1251" if declared == "UTF-8" else "utf-8"
    head = f'<?xml version="1.0" encoding="{declared}"?>\n<a>\n'.encode()
    for shift in range(8):
        start = head + b" " * (PIECE - len(head) - shift)
        with pytest.raises(DocumentRefused, match=f"declares {declared}, and .*line 3"):
            inspect(start + "Южная".encode(other) + b"</a>")


@given(st.text(st.characters(codec="cp1251", exclude_categories=["Cc"], exclude_characters="<&>"), max_size=60))
def test_what_is_in_the_encoding_it_declares_is_not_refused(text: str) -> None:
    whole = f"<a>Трансформатор Т-1 {text}</a>"
    for encoding in ("utf-8", "windows-1251"):
        assert inspect(saved(encoding, encoding, whole)).size_bytes
    assert inspect(saved(None, "utf-8-sig", whole)).size_bytes


@pytest.mark.parametrize(
    "text", ["ТП «Южная» № 7, 35 °C", "СССР", "П", "«»", "Рсс Сп", "ПС-110 кВ — Р, С; Р° и С№", "Її Ґґ Єє Ўў"]
)
def test_short_and_odd_words_of_windows_1251_are_taken(text: str) -> None:
    assert inspect(saved("windows-1251", "cp1251", f"<a>{text}</a>")).encoding == "windows-1251"
    assert inspect(saved("UTF-8", "utf-8", f"<a>{text}</a>")).encoding == "UTF-8"
