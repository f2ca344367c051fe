"""observe/redact.py: what comes from elsewhere loses its secrets."""

from __future__ import annotations

import logging

import pytest

from gridwire.observe.redact import guard_loggers, mask, safe_url


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
