"""One policy for the odd forms of an HTTP answer, for orders over a lane and for all that goes over httpx.

h11 decides what is an answer: httpx reads with it, and a lane asks it about every answer that is not of the plain form.
The page docs/protocols/http.md has the table of forms: which are read, which are refused, and why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import h11

from gridwire.transport import inflate

MAX_HEAD_BYTES = 100 * 1024
"""Of status line and headers together. httpcore has the same bound."""

RawHeaders: TypeAlias = list[tuple[bytes, bytes]]
Framing: TypeAlias = Literal["length", "chunked", "interim"]

_PLAIN_START = re.compile(rb"HTTP/1\.[01] [0-9]{3}(?: [\t -~]*)?\r\n")
"""A status line that every reader reads alike (RFC 9112, section 4)."""

_GZIP_NAMES = frozenset({"gzip", "x-gzip"})
# IANA's registry of HTTP content codings (RFC 9110, section 16.6.1). Names that are not in it say nothing about the bytes.
_CODINGS = _GZIP_NAMES | {"aes128gcm", "br", "compress", "dcb", "dcz", "deflate", "exi", "pack200-gzip", "x-compress", "zstd"}  # fmt: skip
_PLAIN_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")
_LAST_CHUNK = re.compile(rb"0+\r\n\r\n")


class NotAnAnswer(Exception):
    """The bytes are no HTTP answer that can be read in one way only. ``cut`` tells that they ended too early."""

    def __init__(self, text: str, *, cut: bool = False) -> None:
        super().__init__(text)
        self.cut = cut


class CodedBody(Exception):
    """The body is in a content coding that was not asked for and is not undone. ``too_large`` tells why."""

    def __init__(self, text: str, *, too_large: bool = False) -> None:
        super().__init__(text)
        self.too_large = too_large


@dataclass(slots=True)
class Whole:
    """A whole answer, its trailer fields left out."""

    status: int
    headers: RawHeaders
    body: bytes


@dataclass(slots=True)
class Reader:
    """Reads one answer with h11."""

    _connection: h11.Connection = field(init=False)
    _head: h11.Response | None = field(default=None, init=False)
    _body: bytearray = field(default_factory=bytearray, init=False)
    _came: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._connection.send(h11.Request(method="POST", target="/", headers=[("host", "x")]))
        self._connection.send(h11.EndOfMessage())

    def feed(self, data: bytes) -> Whole | None:
        """The answer once it is whole. No bytes are the end of the connection. Raises `NotAnAnswer`."""
        self._came += len(data)
        try:
            self._connection.receive_data(data)
            while True:
                event = self._connection.next_event()
                if isinstance(event, h11.Response):
                    # h11 looks at its bound only while it waits for more
                    if self._came - len(self._connection.trailing_data[0]) > MAX_HEAD_BYTES:
                        raise NotAnAnswer(f"a head of more than {MAX_HEAD_BYTES} bytes")
                    self._head = event
                elif isinstance(event, h11.Data):
                    self._body += event.data
                elif isinstance(event, h11.EndOfMessage) and self._head is not None:
                    headers = [(bytes(name), bytes(value)) for name, value in self._head.headers]
                    return Whole(self._head.status_code, headers, bytes(self._body))
                elif not isinstance(event, h11.InformationalResponse):
                    break
        except h11.RemoteProtocolError as error:
            raise NotAnAnswer(refusal(error), cut=not data) from None
        if not data:
            raise NotAnAnswer("the connection ended before the whole answer had come", cut=True)
        return None


def refusal(error: Exception) -> str:
    """Why h11 or httpx refuses an answer, without the bytes it quotes: a header may hold a secret."""
    words = str(error).partition(": bytearray")[0].strip().rstrip(".")
    return words or type(error).__name__


def plain_framing(raw: bytes, status: int, headers: Iterable[tuple[bytes, bytes]]) -> Framing | None:
    """How the answer that ``raw`` begins with is framed, where that is beyond doubt.

    None also where its body may be in a content coding, and where its head may be too long.
    """
    found: Framing | None = None
    for name, value in headers:
        size = len(name)
        if not 14 <= size <= 17:
            continue
        if size == 14 and name.lower() == b"content-length":
            if found is not None or len(value) > 16:
                return None
            found = "length"
        elif size == 17 and name.lower() == b"transfer-encoding":
            if found is not None or value.lower() != b"chunked":
                return None
            found = "chunked"
        elif size == 16 and name.lower() == b"content-encoding":
            return None
    if _PLAIN_START.match(raw) is None:
        return None
    if len(raw) > MAX_HEAD_BYTES and raw.find(b"\r\n\r\n") + 4 > MAX_HEAD_BYTES:
        return None
    if 100 <= status < 200:
        return "interim" if found is None and status != 101 else None
    return found if status >= 200 else None


def are_plain_chunks(answer: bytes) -> bool:
    """Whether the body of a whole answer is chunks without extensions and trailer fields (RFC 9112, section 7.1)."""
    at = answer.find(b"\r\n\r\n") + 4
    while (found := _PLAIN_CHUNK.match(answer, at)) is not None:
        size = int(found[1], 16)
        if size == 0:
            return _LAST_CHUNK.match(answer, at) is not None
        at = found.end() + size + 2
    return False


def content(headers: Mapping[str, str], body: bytes, most: int) -> bytes:
    """The body without its content coding, of at most ``most`` bytes. Raises `CodedBody`.

    gridwire asks for no coding (``Accept-Encoding: identity``). A name that is in no registry (``utf-8``, ``none``, ``8bit``)
    is taken for none, and ``gzip`` is undone if the bytes are of gzip.
    """
    # RFC 9110, section 8.4: a list, in the order in which they were applied
    named = [name.strip().lower() for name in headers.get("content-encoding", "").split(",")]
    applied = [name for name in named if name in _CODINGS]
    if not applied or (set(applied) <= _GZIP_NAMES and not body.startswith(inflate.GZIP)):
        return body
    if len(applied) > 1:
        raise CodedBody(
            f"it answered in {len(applied)} content codings, one upon the other ({', '.join(applied)}); nobody asked for "
            "them, and only gzip alone is undone"
        )
    if applied[0] not in _GZIP_NAMES:
        raise CodedBody(f"it answered in the coding {applied[0]}, which nobody asked for")
    try:
        return inflate.inflated(body, "gzip", most)
    except inflate.NotInflated as error:
        if error.why == "too_large":
            raise CodedBody(f"it answered with more than {most} bytes in the coding gzip", too_large=True) from None
    raise CodedBody("it answered in the coding gzip, which nobody asked for, and the bytes are damaged")
