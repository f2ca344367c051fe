"""transport/classify.py: the kind of an answer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gridwire.transport.classify import BodyKind, body_kind, is_redirect, retry_after_s
from gridwire.transport.exchange import Response

NOW = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "media_type", "kind"),
    [
        (b"", "application/json", BodyKind.EMPTY),
        (b" \r\n", "text/html", BodyKind.EMPTY),
        (b' {"a": 1}', "text/html", BodyKind.JSON),
        (b"\xef\xbb\xbf[1]", "", BodyKind.JSON),
        (b"<?xml version='1.0'?><a/>", "application/json", BodyKind.XML),
        (b"<a/>", "", BodyKind.XML),
        (b"<!DOCTYPE html><html>", "application/xml", BodyKind.HTML),
        (b"\n<HTML lang='tr'>", "", BodyKind.HTML),
        (b"<div>", "text/html", BodyKind.HTML),
        (b"TGT", "text/plain", BodyKind.OTHER),
    ],
)
def test_kind_follows_the_first_bytes(content: bytes, media_type: str, kind: BodyKind) -> None:
    assert body_kind(Response(200, {"content-type": media_type + "; charset=utf-8"}, content)) is kind


def test_only_3xx_is_a_redirect() -> None:
    assert [status for status in (200, 299, 300, 302, 399, 400) if is_redirect(Response(status))] == [300, 302, 399]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5.0),
        ("0", 0.0),
        ("999999999999999999999", 120.0),
        ("-3", 60.0),
        ("soon", 60.0),
        ("", 60.0),
        ("Tue, 01 Dec 2026 06:00:30 GMT", 30.0),
        ("Tue, 01 Dec 2026 05:00:00 GMT", 0.0),
        ("Tue, 01 Dec 2027 05:00:00 GMT", 120.0),
        ("Tue, 01 Dec 2026 06:00:30 -0000", 60.0),
        ("½", 60.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_within_bounds(value: str, seconds: float) -> None:
    assert retry_after_s(Response(429, {"retry-after": value}), now=NOW, default_s=60) == seconds


def test_missing_retry_after_uses_the_default_capped() -> None:
    assert retry_after_s(Response(429), now=NOW, default_s=600) == 120
