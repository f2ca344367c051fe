"""observe/redact.py: what comes from elsewhere loses its secrets."""

from __future__ import annotations

import html
import json
import logging
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from gridwire.observe.redact import MOST_OF_AN_ANSWER, excerpt, guard_loggers, mask, safe_url, secret_path, shown_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host.example/cas/v1", "https://host.example/cas/v1"),
        ("https://u:secret@host.example:1/x", "https://***@host.example:1/x"),
        ("https://u:sec@ret//@host", "https://***@host"),
        ("u:secret@host", "***@host"),
        ("https://secret@host?key=secret#x", "https://***@host?***"),
        ("https://host#secret", "https://host#***"),
        ("https://host?a\nsecret", "https://host?***"),
        ("ht tp://host/TGT-237-U0TU0", "ht tp://host/TGT-***"),
        ("", ""),
    ],
)
def test_an_address_is_shown_as_it_was_written_without_what_may_be_secret(url: str, shown: str) -> None:
    assert shown_url(url) == repr(shown)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TGT-237-U0TU0-cas02.epias.com.tr could not be found", "TGT-*** could not be found"),
        ("/tickets/ST-29962-hSwy", "/tickets/ST-***"),
        ('{"password": "a b", "x": 1}', '{"password": ***, "x": 1}'),
        ("username=AYSE&password=p%26w&service=x", "username=***&password=***&service=x"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: *** abc.def-ghi"),
        ("token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln", "token ***"),
        ("the best bid stands at 12000.50", "the best bid stands at 12000.50"),
        ("stp-service-ticket: ST-1-abc", "stp-service-ticket: ***"),
        ("%2Fcas%2Fv1%2Ftickets%2FTGT-237-U0TU0", "%2Fcas%2Fv1%2Ftickets%2FTGT-***"),
        ("ticket_TGT-237-U0TU0 is void", "ticket_TGT-*** is void"),
        ("tgt-237-u0tu0 or xST-1-abc", "tgt-*** or xST-***"),
        ("TGT%2D237%2DU0TU0 and ST\\u002d1\\u002dabc", "TGT-*** and ST-***"),
        ("_ST-abcdef", "_ST-***"),
        ("a fast-forward of the LATEST-news", "a fast-forward of the LATEST-news"),
    ],
)
def test_secrets_are_masked_and_prose_is_not(text: str, expected: str) -> None:
    masked = mask(text)
    if "Bearer" in text:
        assert "def-ghi" not in masked
    else:
        assert masked == expected


def test_url_keeps_host_and_masked_path_only() -> None:
    assert safe_url("https://u:p@cas.example:8443/v1/tickets/TGT-1-abcd?password=x#f") == (
        "https://cas.example:8443/v1/tickets/TGT-***"
    )


def test_library_records_lose_all_but_the_harmless_part(caplog: pytest.LogCaptureFixture) -> None:
    guard_loggers()
    guard_loggers()
    logger = logging.getLogger("httpcore.http11")
    assert len(logger.filters) == 1
    with caplog.at_level(logging.DEBUG):
        logger.debug("send_request_headers.started request=<Request [b'POST', b'/TGT-1-secret']>")
        try:
            raise RuntimeError("ST-1-secret")
        except RuntimeError:
            logger.exception("failed %s", "ST-1-secret")
        logger.debug("")
    assert [record.getMessage() for record in caplog.records] == ["send_request_headers.started", "failed", ""]
    assert "secret" not in caplog.text


def test_a_path_in_which_a_secret_stands_is_neither_said_nor_logged(caplog: pytest.LogCaptureFixture) -> None:
    guard_loggers()
    url = "https://venue.example:1/aB3%2F/files?x=1"
    with caplog.at_level(logging.INFO, logger="httpx"):
        for is_secret in (True, False):
            with secret_path(is_secret):
                logging.getLogger("httpx").info('HTTP Request: %s %s "%s %d %s"', "GET", url, "HTTP/1.1", 200, "OK")
                assert ("aB3" in safe_url(url)) == (not is_secret)
    assert [record.getMessage() for record in caplog.records] == [
        "GET https://venue.example:1/*** HTTP/1.1 200", "GET https://venue.example:1/aB3%2F/files HTTP/1.1 200",
    ]  # fmt: skip


class TestExcerpt:
    @pytest.mark.parametrize("secret", ["Ключ&1<", 'a"b\\c d', "x/y+z=="])
    @pytest.mark.parametrize(
        "spell",
        [str, lambda s: json.dumps(s)[1:-1], html.escape, quote, quote_plus],
        ids=["raw", "json", "html", "url", "form"],
    )
    def test_a_secret_value_goes_however_it_is_spelled(self, secret: str, spell: Callable[[str], str]) -> None:
        assert excerpt(f"before {spell(secret)} after", [secret]) == "before *** after"

    @pytest.mark.parametrize(
        "secret", ['Пар"оль&7/я+x', "a'b c\\d~1", "Ж😀 <№>é", "0123456789abcdefghijklmnopqrstuvwxyz+/="]
    )
    @pytest.mark.parametrize(
        "spell",
        [
            lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
            lambda s: json.dumps(s)[1:-1].replace("/", r"\/"),
            lambda s: json.dumps(json.dumps(s))[3:-3],
            lambda s: html.escape(s, quote=False),
            lambda s: html.escape(html.escape(s)),
            lambda s: json.dumps(html.escape(s), ensure_ascii=False)[1:-1],
            lambda s: html.escape(json.dumps(s, ensure_ascii=False)[1:-1]),
            lambda s: "".join(f"&#{ord(letter)};" for letter in s),
            lambda s: "".join(f"&#X00{ord(letter):X};" for letter in s),
            lambda s: "".join(f"&#x{ord(letter):x};" if letter > "\x7f" else letter for letter in s),
            lambda s: "".join(f"%{byte:02x}" for byte in s.encode()),
            lambda s: quote(s, safe="").replace("%D0", "%d0").replace("%2B", "+"),
            lambda s: quote(quote(s, safe=""), safe=""),
            lambda s: "".join(quote(letter.encode("cp1251", "ignore") or letter.encode(), safe="") for letter in s),
            lambda s: "".join(quote_plus(letter.encode("cp1251", "ignore") or letter.encode()).lower() if letter > "z" else letter for letter in s),
            lambda s: b64encode(s.encode()).decode(),
            lambda s: urlsafe_b64encode(s.encode()).decode().rstrip("="),
            lambda s: quote(b64encode(s.encode()).decode(), safe=""),
            lambda s: json.dumps(b64encode(s.encode("cp1251", "replace")).decode())[1:-1].replace("/", r"\/"),
        ],
    )  # fmt: skip
    def test_no_spelling_that_a_writer_may_choose_shows_it(self, secret: str, spell: Callable[[str], str]) -> None:
        assert excerpt(f'before "{spell(secret)}" after', [secret]) == 'before "***" after'

    @pytest.mark.parametrize("secret", ["пароль 1", "0123456789", "s/e+c?r~e|t", "x1y2z3"])
    @pytest.mark.parametrize("before", ["", "l", "lo", "log", "ivanov:"])
    @pytest.mark.parametrize("behind", ["", "!", "!!", "!!!"])
    @pytest.mark.parametrize("charset", ["utf-8", "cp1251"])
    def test_base64_shows_no_secret_within_something_longer(
        self, secret: str, before: str, behind: str, charset: str
    ) -> None:
        whole = (before + secret + behind).encode(charset)
        for text in (b64encode(whole).decode(), urlsafe_b64encode(whole).decode()):
            shown = excerpt(f"it says {text} there", [secret])
            assert shown.startswith("it says ")
            assert shown.endswith("*** there")
            assert len(shown) <= len("it says *** there") + 4 * (len(before.encode(charset)) + 2) // 3

    @pytest.mark.parametrize("secret", ["ab", "7", "я"])
    def test_of_a_short_secret_only_the_whole_is_taken_for_it(self, secret: str) -> None:
        coded = b64encode(secret.encode()).decode()
        assert excerpt(f"{coded}, {coded.rstrip('=')}.", [secret]) == "***, ***."
        assert excerpt(f"x{coded}", [secret]).startswith("x")

    def test_what_only_looks_alike_stays(self) -> None:
        text = "Пар 0 оль, x+y, %D0%9F&amp;#1; \\u041f AAAA 0/1/2"
        assert excerpt(text, ["Пароль", "x y z", "сеанс", "AAAB12345678"]) == text

    def test_a_long_secret_between_others_is_hidden_in_reasonable_time(self) -> None:
        long = "".join(chr(0x410 + at % 32) for at in range(2000))
        assert excerpt(f"a {quote(long)} b {long} c" + "d" * 9000, [long]).startswith("a *** b *** c")
        assert excerpt("d" * 10**6, [long, ""]) == "d" * MOST_OF_AN_ANSWER + " …"

    @pytest.mark.parametrize("secret", ["secret-value-4711", "Ж" * 40])
    def test_many_secrets_before_the_cut_let_no_part_through(self, secret: str) -> None:
        for shift in range(0, 240, 7):
            shown = excerpt("." * shift + quote(secret) * 3000, [secret])
            assert set(shown) <= set(".* …")

    def test_a_secret_that_another_begins_with_takes_nothing_from_it(self) -> None:
        assert excerpt("abcdef", ["abc", "abcdef", ""]) == "***"

    def test_what_looks_like_a_secret_is_masked_without_being_named(self) -> None:
        assert excerpt(b"token=abc") == "token=***"

    def test_bytes_that_are_no_text_are_kept_as_far_as_they_are(self) -> None:
        assert excerpt("Ж".encode() + b"\xff") == "Ж\ufffd"

    @pytest.mark.parametrize("length", [0, 1, MOST_OF_AN_ANSWER])
    def test_what_is_short_is_kept_whole(self, length: int) -> None:
        assert excerpt("x" * length) == "x" * length

    @pytest.mark.parametrize("length", [MOST_OF_AN_ANSWER + 1, 4 * MOST_OF_AN_ANSWER + 1, 10**6])
    def test_what_is_long_is_cut_and_says_so(self, length: int) -> None:
        assert excerpt("x" * length) == "x" * MOST_OF_AN_ANSWER + " …"

    @pytest.mark.parametrize("before", range(7900, 8001, 7))
    def test_a_secret_that_the_cut_goes_through_is_not_shown(self, before: int) -> None:
        text = "token=" + "y" * (before - 40) + ' password="se cret" ' + "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln" * 3
        shown = excerpt(text)
        assert "cret" not in shown
        assert "eyJ" not in shown
