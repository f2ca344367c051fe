"""What no request could carry is found when a profile is loaded: each complaint names its field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gridwire.siooi.checks import load_profile
from gridwire.siooi.errors import ProfileError
from tests.siooi.test_checks import good

Change = Callable[[dict[str, Any]], object]


def xml(p: dict[str, Any], charset: str = "utf-8", **fields: str) -> dict[str, Any]:
    """Let the upload be XML with these fields."""
    p["charset"] = charset
    p["send"].update(body="xml", shape={"root": "Загрузка"}, fields={"Форма": "{form_code}", **fields})
    p["send"]["file"]["field"] = "Файл"
    return p


@pytest.mark.parametrize(
    "name", ["Код формы", "1Форма", "а№1 ", "a:b", "", "Форма/", "/Форма", "a//b", "-a", "a\u0001", "{urn:x}a", "a<b"]
)
def test_a_name_that_no_element_can_have_is_refused(name: str) -> None:
    for field, change in (
        (f"send.fields.{name}", lambda p: xml(p, **{name: "x"})),
        ("send.file.field", lambda p: (xml(p), p["send"]["file"].update(field=name or " "))),
        ("session[0].inject.field", lambda p: (xml(p), p["session"][0].update(inject={"field": name or " "}))),
    ):
        described = good()
        change(described)
        with pytest.raises(ProfileError) as caught:
            load_profile(described)
        assert field in dict(caught.value.complaints), caught.value
    described = good(soap=True)
    described["login"]["shape"]["root"] = name
    with pytest.raises(ProfileError, match=r"login\.shape\.root: .* is not a name that an XML element can have"):
        load_profile(described)


def test_names_of_every_script_are_taken() -> None:
    described = good()
    xml(described, **{"Контроль/Хэш": "{document.sha256.hex}", "Ελληνικά": "x", "表": "y", "_a.b-1": "z"})
    assert load_profile(described).send.shape is not None
    described = good(soap=True)
    described["send"]["fields"]["Header/Безопасность/Ключ"] = "k"
    assert load_profile(described).charset == "windows-1251"


CASES: list[tuple[str, Change, str]] = [
    ("send.fields.Ελ", lambda p: xml(p, "windows-1251", Ελ="x"), "holds 'Ε', which windows-1251 does not have"),
    ("send.shape.root", lambda p: (xml(p, "windows-1251"), p["send"]["shape"].update(root="表")), "windows-1251"),
    ("send.shape.namespace", lambda p: (xml(p), p["send"]["shape"].update(namespace="\x01")), "XML cannot carry"),
    ("send.fields.a", lambda p: xml(p, a="{period}\x02"), "XML cannot carry"),
    *(
        ("send.shape.namespace", lambda p, n=name: (xml(p), p["send"]["shape"].update(namespace=n)), words)
        for name, words in (
            ("urn:ц", "no URI in the letters of ASCII"), ("a}b", "no URI"), (" ", "no URI"), ("urn:a\nb", "no URI"),
            ("http://www.w3.org/2000/xmlns/", "keeps for itself"), ("http://www.w3.org/XML/1998/namespace", "keeps for itself"),
        )
    ),
    ("status.state", lambda p: p["status"].update(state={"xpath": "//ц:a", "namespaces": {"ц": "urn:ц"}}), "no URI"),
    ("send.job_id", lambda p: p["send"].update(job_id={"xpath": "//q:a", "namespaces": {"q": "http://а.рф"}}), "no URI"),
    ("send.fields.Форма/a", lambda p: xml(p, **{"Форма/a": "x"}), "stands below send.fields.Форма, which is a field"),
    ("send.file.field", lambda p: (xml(p), p["send"]["file"].update(field="Форма/x")), "stands below send.fields.Форма"),
    ("login.fields.user/x", lambda p: p["login"]["fields"].update({"user/x": "1"}), "stands below login.fields.user"),
    ("login.fields.a/", lambda p: p["login"]["fields"].update({"a/": "1"}), "a level without a name"),
    ("login.fields.ı", lambda p: p["login"].update(
        body="form", charset="windows-1251", fields={"ı": "{login}", "p": "{password}"}), "windows-1251 does not have"),
    ("send.fields.a", lambda p: (p.update(charset="windows-1251"), p["send"]["fields"].update(a="表{period}")), "'表'"),
    ("status.query.q", lambda p: (p["status"].update(charset="windows-1251", query={"q": "ı"})), "'ı'"),
    ("send.headers.X-A", lambda p: p["send"].update(headers={"X-A": "ключ"}), "a header cannot carry"),
    ("status.headers.X-A", lambda p: p["status"].update(headers={"X-A": "a\r\nX-B: 1"}), "a header cannot carry"),
    ("login.shape.action", lambda p: p["login"].update(shape={"root": "L", "action": 'a"b'}), "a header cannot carry"),
    ("session[0].inject", lambda p: p["session"][0].update(inject={"header": "X", "template": "ключ {v}"}), "template"),
    ("session[0].inject", lambda p: p["session"][0].pop("inject"), "nothing would carry this value"),
    ("send.path", lambda p: (p["session"][0].update(inject={"path": True}),
                             p["status"].update(path="/{session.sid}/{job_id}")), "without inject, each request names it"),
    ("send.fields.h", lambda p: p["send"]["fields"].update(h="{document.streebog256.hex}"), "HASH md5, sha1, sha256"),
    ("send.fields.h", lambda p: p["send"]["fields"].update(h="{document.md5.base32}"), "ENCODING hex, HEX, base64"),
    ("status.query.h", lambda p: p["status"].update(query={"h": "{document.md5.hex}"}), "which nothing fills"),
    ("login.lifetime.unit", lambda p: p["login"].update(lifetime={"json": "/e", "unit": "days"}), "seconds"),
    ("login.lifetime", lambda p: p["login"].update(lifetime={"unit": "hours"}), "it names nothing"),
    ("send.charset", lambda p: p["send"].update(charset="koi8-r"), "utf-8"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "change", "sentence"), CASES)
def test_what_a_request_could_not_carry_is_named(field: str, change: Change, sentence: str) -> None:
    described = good()
    change(described)
    with pytest.raises(ProfileError) as caught:
        load_profile(described)
    assert sentence in dict(caught.value.complaints)[field]


def test_a_constant_that_may_be_a_key_is_not_repeated() -> None:
    described = good()
    described["send"]["headers"] = {"X-Api-Key": "тайна-4711"}
    with pytest.raises(ProfileError) as caught:
        load_profile(described)
    assert "4711" not in str(caught.value)
