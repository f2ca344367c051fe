"""observe/redact.py: what comes from elsewhere loses its secrets."""

from __future__ import annotations

import html
import json
import logging
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
