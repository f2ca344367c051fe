"""Odd forms of one HTTP answer: each with its section, whether gridwire reads it, and a word of the reason if it does not.

The table in docs/protocols/http.md has the same rows in the same order.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """``write`` makes the whole answer from a body; afterwards the server closes the connection."""

    name: str
    section: str
    refused: str | None
    write: Callable[[bytes], bytes]

    def __str__(self) -> str:
        return self.name


def _head(*lines: str, start: str = "HTTP/1.1 200 OK", end: str = "\r\n") -> bytes:
    return end.join([start, "Content-Type: application/json", *lines, "", ""]).encode("latin-1")


def _sized(*lines: str, start: str = "HTTP/1.1 200 OK", end: str = "\r\n") -> Callable[[bytes], bytes]:
    """The body after a head with ``lines``, in which N is its length."""
    return lambda body: _head(*(line.replace("N", str(len(body))) for line in lines), start=start, end=end) + body


def _chunked(
    *lines: str,
    size: str = "%x",
    end: str = "\r\n",
    last: str = "0\r\n\r\n",
    start: str = "HTTP/1.1 200 OK",
    coding: str = "Transfer-Encoding: chunked",
) -> Callable[[bytes], bytes]:
    """The body in two chunks."""

    def write(body: bytes) -> bytes:
        parts = b"".join(
            (size % len(part)).encode() + end.encode() + part + end.encode() for part in (body[:7], body[7:])
        )
        return (
            _head(*(line.replace("N", str(len(body))) for line in lines), coding, start=start) + parts + last.encode()
        )

    return write


def _coded(name: str, code: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda body: _sized("Content-Length: N", f"Content-Encoding: {name}")(code(body))


def _as_it_is(body: bytes) -> bytes:
    return body


def _before(interim: str) -> Callable[[bytes], bytes]:
    return lambda body: interim.encode() + _sized("Content-Length: N")(body)


FORMS = (
    Form("a length, once", "9112 6.2", None, _sized("Content-Length: N")),
    Form("chunks", "9112 7.1", None, _chunked()),
    # how long the body is
    Form("a length twice, the same", "9110 8.6", None, _sized("Content-Length: N", "content-length: N")),
    Form("a length as a list of the same", "9110 8.6", None, _sized("Content-Length: N, N")),
    Form("a length with zeros before it", "9110 8.6", None, _sized("Content-Length: 000N")),
    Form("a length twice, different", "9112 6.3", "conflicting", _sized("Content-Length: N", "Content-Length: 7")),
    Form("a length as a list of different ones", "9112 6.3", "conflicting", _sized("Content-Length: N, 7")),
    Form("a length with a sign", "9110 8.6", "bad Content-Length", _sized("Content-Length: +N")),
    Form("a length of more than 20 digits", "9110 8.6", "bad Content-Length", _sized(f"Content-Length: {'0' * 25}N")),
    Form("chunks together with a length", "9112 6.3", None, _chunked("Content-Length: N")),
    Form("chunks together with another length", "9112 6.3", None, _chunked("Content-Length: 7")),
    Form("no length: to the end of the connection", "9112 6.3", None, _sized("Connection: close")),
    Form("no length, and no word about the connection", "9112 6.3", None, _sized()),
    Form("HTTP/1.0 without a length", "9112 6.3", None, _sized(start="HTTP/1.0 200 OK")),
    Form("HTTP/1.0 with chunks", "9112 6.1", None, _chunked(start="HTTP/1.0 200 OK")),
    Form("transfer coding identity", "9112 7", "Only Transfer-Encoding: chunked", _sized("Transfer-Encoding: identity")),
    Form("transfer coding identity with a length", "9112 6.3", "Only Transfer-Encoding: chunked", _sized("Transfer-Encoding: identity", "Content-Length: N")),
    Form("transfer coding gzip before chunks", "9112 7.2", "Only Transfer-Encoding: chunked", _chunked(coding="Transfer-Encoding: gzip, chunked")),
    Form("chunked named twice in one field", "9112 6.1", "Only Transfer-Encoding: chunked", _chunked(coding="Transfer-Encoding: chunked, chunked")),
    Form("chunked named in two fields", "9112 6.1", "multiple Transfer-Encoding", _chunked("Transfer-Encoding: chunked")),
    # how the chunks are written
    Form("chunked in capitals", "9112 7", None, _chunked(coding="TRANSFER-ENCODING: Chunked")),
    Form("blanks behind a chunk's size", "9112 7.1.1", None, _chunked(size="%x  ")),
    Form("chunk extensions", "9112 7.1.1", None, _chunked(size='%x;a=b;c="d;"', last="0;x\r\n\r\n")),
    Form("chunk sizes with zeros before them", "9112 7.1", None, _chunked(size="%08x")),
    Form("chunk sizes of more than 20 digits", "9112 7.1", "illegal chunk header", _chunked(size="%024x")),
    Form("chunk sizes with a prefix", "9112 7.1", "illegal chunk header", _chunked(size="0x%x")),
    Form("trailer fields", "9112 7.1.2", None, _chunked(last="0\r\nContent-Type: text/html\r\nX: 1\r\n\r\n")),
    Form("trailer fields that are none", "9112 7.1.2", "illegal header line", _chunked(last="0\r\nX 1\r\n\r\n")),
    Form("chunks whose lines end with LF", "9112 7.1", "closed", _chunked(end="\n", last="0\n\n")),
    Form("chunks without the last one", "9112 8", "closed|ended", _chunked(last="")),
    # how the head is written
    Form("lines that end with LF", "9112 2.2", None, _sized("Content-Length: N", end="\n")),
    Form("a header on two lines, the second after a blank", "9112 5.2", None, _sized("X-Trace: a", " b", "Content-Length: N")),
    Form("a header on three lines, after tabs", "9112 5.2", None, _sized("X-Trace: a", "\tb", "\t c", "Content-Length: N")),
    Form("the length on a line of its own", "9112 5.2", None, _sized("Content-Length:", " N")),
    Form("a folded line that follows no header", "9112 2.2", "continuation line", lambda body: _sized("Content-Length: N")(body).replace(b"\r\n", b"\r\n ", 1)),
    Form("a blank before a colon", "9112 5.1", "illegal header line", _sized("Content-Length : N")),
    Form("a header without a colon", "9112 5", "illegal header line", _sized("X-Trace", "Content-Length: N")),
    Form("a header without a name", "9112 5", "illegal header line", _sized(": x", "Content-Length: N")),
    Form("letters beyond ASCII in a header", "9110 5.5", None, _sized("X-Trace: \xe9\xfd", "Content-Length: N")),
    Form("a control character in a header", "9110 5.5", None, _sized("X-Trace: a\x01b", "Content-Length: N")),
    Form("a NUL in a header", "9110 5.5", "illegal header line", _sized("X-Trace: a\x00b", "Content-Length: N")),
    Form("a bare CR in a header", "9112 2.2", "illegal header line", _sized("X-Trace: a\rb", "Content-Length: N")),
    # how it begins
    Form("no reason phrase", "9112 4", None, _sized("Content-Length: N", start="HTTP/1.1 200")),
    Form("a NUL in the reason phrase", "9112 4", "illegal status line", _sized("Content-Length: N", start="HTTP/1.1 200 \x00K")),
    Form("a status without a blank behind it", "9112 4", "illegal status line", _sized("Content-Length: N", start="HTTP/1.1 200OK")),
    Form("another version's number", "9110 2.5", None, _sized("Content-Length: N", start="HTTP/2.0 200 OK")),
    Form("another protocol", "9112 4", "illegal status line", _sized("Content-Length: N", start="RTSP/1.0 200 OK")),
    Form("an empty line before the status", "9112 2.2", "no response line", lambda body: b"\r\n" + _sized("Content-Length: N")(body)),
    Form("interim answers before it", "9110 15.2", None, _before("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")),
    Form("an interim answer with LF", "9112 2.2", None, _before("HTTP/1.1 100 Continue\n\n")),
    Form("a change of protocols nobody asked for", "9110 15.2.2", "upgrade", _before("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")),
    Form("bytes behind it", "9112 9.3", None, lambda body: _sized("Content-Length: N")(body) + b"HTTP/1.1 500"),
    Form("the end before the body's", "9112 8", "closed|ended", lambda body: _sized("Content-Length: N")(body)[:-1]),
    Form("a head of more than 100 KB", "9110 5.4", "", _sized(*(f"X-{n}: {'x' * 6000}" for n in range(30)), "Content-Length: N")),
    # content codings, none of which was asked for
    Form("content coding identity", "9110 8.4", None, _coded("identity", _as_it_is)),
    Form("a content coding that is none: utf-8", "9110 8.4", None, _coded("utf-8", _as_it_is)),
    Form("a content coding that is none: none, 8bit", "9110 8.4", None, _coded("none, 8bit", _as_it_is)),
    Form("a content coding without a name", "9110 8.4", None, _coded("", _as_it_is)),
    Form("gzip", "9110 8.4.1.3", None, _coded("gzip", gzip.compress)),
    Form("gzip under its old name", "9110 8.4.1.3", None, _coded("X-GZIP", gzip.compress)),
    Form("gzip that is said and not done", "9110 8.4.1.3", None, _coded("gzip", _as_it_is)),
    Form("gzip of several members", "9110 8.4.1.3", None, _coded("gzip", lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:]))),
    Form("gzip with zero bytes behind it", "9110 8.4.1.3", None, _coded("gzip", lambda body: gzip.compress(body) + bytes(512))),
    Form("gzip with other bytes behind it", "9110 8.4.1.3", "the bytes are damaged", _coded("gzip", lambda body: gzip.compress(body) + b"trailer")),
    Form("gzip that is damaged", "9110 8.4.1.3", "the bytes are damaged", _coded("gzip", lambda body: gzip.compress(body)[:-3])),
    Form("gzip twice", "9110 8.4", r"2 content codings, one upon the other \(gzip, gzip\)", _coded("gzip, gzip", lambda body: gzip.compress(gzip.compress(body)))),
    Form("deflate", "9110 8.4.1.2", "nobody asked for", _coded("deflate", zlib.compress)),
    Form("br, zstd and every other coding", "9110 8.4", "nobody asked for", _coded("br", _as_it_is)),
)  # fmt: skip
