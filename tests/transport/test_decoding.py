"""transport/decoding.py: one order of character sets for every venue, in JSON and XML."""

from __future__ import annotations

import codecs
import json

import pytest
from pydantic import SecretStr

from gridwire.auth.cas import login
from gridwire.auth.client_assertion import Grant, read_answer
from gridwire.edsn_pie import wire as pie
from gridwire.edsn_pie.errors import Facts
from gridwire.siooi.places import Place, Seen
from gridwire.transport import xml
from gridwire.transport.decoding import charset_of, decoded
from gridwire.transport.exchange import Response

TEXT = "İşlem — Принято"
TURKISH = "İşlem ğ"
RUSSIAN = "Принято"


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        ("application/json", None),
        ("application/json;charset=UTF-8", "utf-8"),
        ('text/xml; charset="windows-1251"; a=b', "windows-1251"),
        ("text/xml; CharSet = 'koi8-r'", "koi8-r"),
        ("text/xml; charset=", None),
        ("application/json;charset=utf-8, application/json;charset=latin1", "utf-8"),
    ],
)
def test_the_charset_of_a_content_type(content_type: str, charset: str | None) -> None:
    assert charset_of(content_type) == charset


@pytest.mark.parametrize(
    ("content", "named", "text"),
    [
        (TEXT.encode(), (), TEXT),
        (TEXT.encode("utf-8-sig"), ("windows-1251",), TEXT),
        ((" {" + TEXT).encode("utf-16"), ("utf-8",), " {" + TEXT),
        ((" {" + TEXT).encode("utf-16-le"), (), " {" + TEXT),
        ((" {" + TEXT).encode("utf-16-be"), ("utf-16",), " {" + TEXT),
        ((" {" + TEXT).encode("utf-32"), (None,), " {" + TEXT),
        (RUSSIAN.encode("cp1251"), ("windows-1251",), RUSSIAN),
        (RUSSIAN.encode("koi8-r"), (None, "koi8-r"), RUSSIAN),
        (RUSSIAN.encode("cp1251"), ("utf-8", "windows-1251"), RUSSIAN),
        (TURKISH.encode("cp1254"), ("windows-1254", "utf-8"), TURKISH),
        (RUSSIAN.encode(), ("utf-16",), RUSSIAN),
        (RUSSIAN.encode(), ("no-such-set", "undefined", "a\0b", "hex"), RUSSIAN),
        (b"a\\u0041+AEE-", ("unicode_escape", "raw_unicode_escape", "utf-7", "cp037"), "a\\u0041+AEE-"),
        (b"", ("utf-8",), ""),
    ],
)
def test_the_first_name_that_the_bytes_do_not_contradict_counts(
    content: bytes, named: tuple[str | None, ...], text: str
) -> None:
    assert decoded(content, *named) == text


def test_a_profile_s_charset_is_the_last_that_is_tried() -> None:
    assert decoded(RUSSIAN.encode("cp1251"), last="windows-1251") == RUSSIAN
    assert decoded(RUSSIAN.encode(), last="windows-1251") == RUSSIAN


def test_bytes_in_none_of_them_are_an_error_or_replaced() -> None:
    with pytest.raises(UnicodeDecodeError):
        decoded(b"a\xff", "ascii", last="utf-16")
    with pytest.raises(UnicodeDecodeError):
        decoded(codecs.BOM_UTF16_LE + b"a")
    assert decoded(b"a\xff", errors="replace") == "a\ufffd"


@pytest.mark.parametrize(
    ("charset", "declared", "saved"),
    [
        ("utf-8", "utf-16", "utf-8"),
        ("windows-1251", None, "cp1251"),
        ("koi8-r", "windows-1251", "koi8-r"),
        (None, "koi8-r", "koi8-r"),
        (None, "no-such-set", "utf-8"),
        (None, "utf-16", "utf-16"),
        (None, None, "utf-16-be"),
        ("us-ascii", "windows-1251", "cp1251"),
    ],
)
def test_xml_is_read_by_header_then_declaration_then_utf_8(
    charset: str | None, declared: str | None, saved: str
) -> None:
    head = "" if declared is None else f"\n<?xml version='1.0'\n encoding='{declared}' ?>\n"
    root = xml.parse(f"{head}<a><b>{RUSSIAN}<![CDATA[<?xml version='1.0'?>]]></b></a>".encode(saved), charset=charset)
    assert root[0].text == f"{RUSSIAN}<?xml version='1.0'?>"


def test_the_line_of_a_fault_is_that_of_the_document() -> None:
    with pytest.raises(xml.XmlRefused) as caught:
        xml.parse("<?xml version='1.0'\n encoding='windows-1251'?>\n<a>\n<б>\n</a>".encode("cp1251"))
    assert caught.value.line == 5


# in every venue


def answer(content_type: str, content: bytes, status: int = 200) -> Response:
    return Response(status, {"content-type": content_type}, content)


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-9", "windows-1254", "utf-16"])
def test_a_cas_ticket_is_found_in_any_character_set(charset: str) -> None:
    for kind, body in (
        ("application/json", '{"tgt": "TGT-1-abcdefgh", "açıklama":\n "ğ\n"}'),
        ("application/xml", '<?xml version="1.0" encoding="utf-8"?><r><tgt>TGT-1-abcdefgh</tgt><ad>ğ</ad></r>'),
    ):
        flow = login("https://cas.example/cas/v1", "user", SecretStr("x"))
        next(flow)
        with pytest.raises(StopIteration) as done:
            flow.send(answer(f"{kind}; charset={charset}", body.encode(charset), 201))
        assert done.value.value == "TGT-1-abcdefgh"


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-15", "windows-1252", "utf-16-le"])
def test_edsn_s_answers_are_read_in_any_character_set(charset: str) -> None:
    facts = Facts("ticket", 200)
    kind = f"application/problem+json; charset={charset}"
    raw = '{"title": "Geen reënte\r\n\tgevonden", "status": 404}'.encode(charset)
    assert pie.read_json(answer(kind, raw), facts)["title"] == "Geen reënte\r\n\tgevonden"
    problem = pie.problem(answer(kind, raw, 404))
    assert problem is not None
    assert problem.title is not None
    assert problem.title.startswith("Geen reënte")


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "utf-16"])
def test_a_token_is_read_in_any_character_set(charset: str) -> None:
    body = json.dumps({"access_token": "abc", "token_type": "Bearer", "expires_in": 300, "é": "é"}, ensure_ascii=False)
    grant = read_answer(answer(f"application/json;charset={charset}", body.encode(charset)))
    assert isinstance(grant, Grant)
    assert grant.token == "abc"


@pytest.mark.parametrize(
    ("kind", "content", "place"),
    [
        ("text/xml; charset=utf-8", f'<?xml version="1.0" encoding="utf-16"?><r><m>{RUSSIAN}</m></r>'.encode(), {"xpath": "//m"}),
        ("text/xml; charset=koi8-r", f"<r><m>{RUSSIAN}</m></r>".encode("koi8-r"), {"xpath": "//m"}),
        ("text/xml", f"<r><m>{RUSSIAN}</m></r>".encode("cp1251"), {"xpath": "//m"}),
        ("application/json;charset=koi8-r", f'{{"m": "{RUSSIAN}"}}'.encode("koi8-r"), {"json": "/m"}),
        ("application/json", f'{{"m": "{RUSSIAN}", "x": "a\nb"}}'.encode("cp1251"), {"json": "/m"}),
        ("text/plain; charset=cp866", f"m={RUSSIAN}".encode("cp866"), {"regex": "m=(.*)"}),
    ],
)  # fmt: skip
def test_siooi_s_answers_are_read_in_any_character_set(kind: str, content: bytes, place: dict[str, str]) -> None:
    assert Place.model_validate(place).find(Seen(answer(kind, content), "windows-1251")) == RUSSIAN
