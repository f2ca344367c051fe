"""The canonical hash: one for all formattings of a document, and another for every other document."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gridwire.transport.xml.canonical import WHITE, Canonical, TooDeep, TypeDeclared
from gridwire.transport.xml.documents import inspect
from gridwire.transport.xml.elements import serialise


def canonical(text: str | bytes) -> str:
    return inspect(text.encode() if isinstance(text, str) else text).canonical_sha256


ORIGINAL = '<f:doc xmlns:f="urn:f"><row b="2" a="1 &lt;&quot;&amp;"><v>Южная &amp; №1 &lt;&gt;</v><v/></row></f:doc>'


@pytest.mark.parametrize(
    "same",
    [
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n' + ORIGINAL,
        "\ufeff" + ORIGINAL,
        ORIGINAL.replace("f:", "other:").replace(":f=", ":other="),
        ORIGINAL.replace('b="2" a="1 &lt;&quot;&amp;"', "a='1 &lt;\"&#38;'\n   b='2' "),
        ORIGINAL.replace("<v/>", "<v></v>"),
        ORIGINAL.replace("<v/>", "<v><!-- nothing --></v>"),
        ORIGINAL.replace("><", ">\n\t  <"),
        ORIGINAL.replace("><", ">\r\n<"),
        ORIGINAL.replace("Южная &amp; №1 &lt;&gt;", "\n  <![CDATA[Южная & №1 <>]]>\n"),
        ORIGINAL.replace("Ю", "&#x42E;").replace("№", "&#8470;"),
        ORIGINAL.replace("Южная", "Ю<!-- -->жная"),
        ('<?xml version="1.0" encoding="windows-1251"?>' + ORIGINAL).encode("cp1251"),
    ],
)
def test_formatting_makes_no_difference(same: str | bytes) -> None:
    assert canonical(same) == canonical(ORIGINAL)


@pytest.mark.parametrize(
    "other",
    [
        ORIGINAL.replace("№1", "№2"),
        ORIGINAL.replace("Южная &amp;", "Южная  &amp;"),
        ORIGINAL.replace("urn:f", "urn:g"),
        ORIGINAL.replace("<v/>", ""),
        ORIGINAL.replace("<v/>", "<w/>"),
        ORIGINAL.replace("<v/>", "<v>\u00a0</v>"),
        ORIGINAL.replace("<v/>", "<?v w?><v/>"),
        ORIGINAL.replace("<v/>", "<?v?><v/>"),
        ORIGINAL.replace('b="2"', 'c="2"'),
        ORIGINAL.replace('b="2"', ""),
        ORIGINAL.replace("<row", '<row xmlns="urn:f"'),
        '<f:doc xmlns:f="urn:f"><row b="2" a="1 &lt;&quot;&amp;"><v/><v>Южная &amp; №1 &lt;&gt;</v></row></f:doc>',
    ],
)
def test_content_does(other: str) -> None:
    assert canonical(other) != canonical(ORIGINAL)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<a>x b=&quot;1&quot;<c/></a>", '<a>x<c b="1"/></a>'),
        ("<a>&lt;b&gt;</a>", "<a><b/></a>"),
        ("<a>&amp;lt;</a>", "<a>&lt;</a>"),
        ('<a b="1&quot; c=&quot;2"/>', '<a b="1" c="2"/>'),
        ("<a><b/>c</a>", "<a><b>c</b></a>"),
        ("<a>c<b/></a>", "<a><b>c</b></a>"),
        ("<a>c<b/></a>", "<a><b/>c</a>"),
        ("<a>&lt;?p q?&gt;</a>", "<a><?p q?></a>"),
    ],
)
def test_text_that_looks_like_markup_is_none(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


# Small alphabets, so that equal documents are drawn often.
NAMES = st.sampled_from(["a", "b", "{urn:x}a", "{urn:y}b"])
TEXTS = st.sampled_from(["", " ", "x", " x\n", "<", "&", ">", '"', "Ж", "x<a></a>"])
ATTRIBUTES = st.dictionaries(NAMES, TEXTS, max_size=2)
TREES: st.SearchStrategy[Any] = st.recursive(
    st.tuples(NAMES, ATTRIBUTES, st.lists(TEXTS, max_size=1)),
    lambda inner: st.tuples(NAMES, ATTRIBUTES, st.lists(TEXTS | inner, max_size=3)),
    max_leaves=5,
)


def tree(drawn: Any) -> Any:
    name, attributes, content = drawn
    element = etree.Element(name, attributes)
    for item in content:
        if not isinstance(item, str):
            element.append(tree(item))
        elif len(element):
            element[-1].tail = (element[-1].tail or "") + item
        else:
            element.text = (element.text or "") + item
    return element


@given(TREES, TREES, st.data())
@settings(max_examples=400, deadline=None)
def test_hashes_are_equal_exactly_where_standard_canonical_forms_are(one: Any, other: Any, data: Any) -> None:
    if data.draw(st.booleans()):
        other = one[0], dict(reversed(one[1].items())), [*one[2], data.draw(st.sampled_from(["", " ", "\n"]))]
    left, right = serialise(tree(one)), serialise(tree(other), encoding="windows-1251")

    def standard(document: bytes) -> str:
        out = io.StringIO()
        etree.canonicalize(from_file=io.BytesIO(document), out=out, strip_text=True, rewrite_prefixes=True)
        return out.getvalue()

    assert (canonical(left) == canonical(right)) == (standard(left) == standard(right))


class TestTarget:
    def test_pieces_of_text_are_one_text_and_flushing_changes_nothing(self) -> None:
        whole, pieces = Canonical(9), Canonical(9)
        whole.start("a", {})
        whole.data(" x y ")
        whole.end("a")
        whole.close()
        pieces.start("a", {})
        for piece in (" ", "x", " ", "y", " "):
            pieces.data(piece)
            pieces.flush()
        pieces.end("a")
        assert pieces.hexdigest() == whole.hexdigest() == hashlib.sha256(b"<a>x y</>").hexdigest()
        assert whole.root == "a"

    def test_its_form_is_written_down(self) -> None:
        target = Canonical(9)
        target.start("{u}a", {"{u}c": "1", "b": '<&">'})
        target.data("&<>")
        target.pi("p", "q")
        target.pi("r")
        target.start("d", {})
        target.end("d")
        target.end("{u}a")
        form = '<{u}a b="&lt;&amp;&quot;>" {u}c="1">&amp;&lt;&gt;<?p q?><?r?><d></></>'
        assert target.hexdigest() == hashlib.sha256(form.encode()).hexdigest()
        assert target.root == "{u}a"

    def test_more_levels_than_allowed_and_types_are_refused(self) -> None:
        target = Canonical(1)
        target.start("a", {})
        with pytest.raises(TooDeep):
            target.start("b", {})
        with pytest.raises(TypeDeclared):
            target.doctype("a", None, None)

    def test_levels_are_counted_and_not_elements(self) -> None:
        target = Canonical(2)
        target.start("a", {})
        for _ in range(9):
            target.start("b", {})
            target.end("b")
        target.start("b", {})
        with pytest.raises(TooDeep):
            target.start("b", {})

    def test_white_space_is_that_of_xml(self) -> None:
        assert WHITE == " \t\r\n"
