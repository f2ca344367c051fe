"""One order connection: takes ready request bytes, returns (status, headers, body).

TLS is done here with `ssl.MemoryBIO` on a plain asyncio transport, because asyncio's own TLS layer adds 20 to 35 us to
each round trip (measured; see docs/decisions). What this room guarantees:

* A lane is idle, carries exactly one request, or is dead; it never comes back from dead.
* `write` hands the bytes to an open connection or raises `NotSent`. That moment is the line between "certainly not sent"
  and "may have arrived". Nothing here retries, redirects or reconnects.
* After an answer that does not repeat the request's key the lane ends: a copy of that answer could come later, and would be
  taken for the next request's (HTTP/1.1 has nothing but the order to tell answers apart, RFC 9112 section 9.3). The venue
  says what repeats a key, since it is the one who must know the copy again.
* Whatever goes wrong after it (end of connection, silence, garbage, too long an answer) ends the one future with `NoAnswer`.
* An answer of the plain form is read by httptools, which is fast. Any other is read by `gridwire.transport.http_answer`, as
  over httpx, and ends the lane.
* `silent` polls the descriptor in 0.4 us: readable means that a FIN, an alert or garbage is waiting, so an idle lane is
  found half-closed before an order is given to it.
"""

from __future__ import annotations

import asyncio
import os
import select
import ssl
from collections.abc import Callable
from typing import Protocol, cast

import httptools

from gridwire.errors import NoAnswer, NotSent
from gridwire.transport import http_answer

MAX_ANSWER_BYTES = 1024 * 1024
"""An answer to an order is a few hundred bytes; a megabyte is no answer."""

_READ_BYTES = 16384
"""One TLS record."""

_CLOSED = "The connection closed before the order was written. Nothing was sent."


class _NotPlain(Exception):
    """The answer is of a form that httptools does not decide about."""


class Answer:
    """A whole HTTP answer."""

    __slots__ = ("_raw_headers", "body", "status")

    def __init__(self, status: int, raw_headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status: int = status
        self._raw_headers = raw_headers
        self.body: bytes = body

    @property
    def headers(self) -> dict[str, str]:
        """Headers with lower-case names; repeated ones are joined by commas (RFC 9110, section 5.3)."""
        found: dict[str, str] = {}
        for raw_name, raw_value in self._raw_headers:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            found[name] = f"{found[name]}, {value}" if name in found else value
        return found

    @property
    def content_type(self) -> bytes:
        """The Content-Type in lower case; empty if it has none."""
        kind = b""
        for name, value in self._raw_headers:
            if len(name) == 12 and name.lower() == b"content-type":
                kind += value
        return kind.lower()


class Owner(Protocol):
    """Who keeps a lane."""

    def lane_idle(self, lane: Lane) -> None:
        """The lane can take another request."""
        ...

    def lane_dead(self, lane: Lane) -> None:
        """The lane will never take a request again."""
        ...

    def lane_unrequested(self, key: str | None) -> None:
        """Bytes came that no request asked for. ``key`` is that of the lane's last request."""
        ...


class Lane(asyncio.BufferedProtocol):
    """See the module. Created by a connection factory; usable once `up` is done."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        owner: Owner,
        *,
        context: ssl.SSLContext | None,
        host: str,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self._loop = loop
        self._owner = owner
        self._max_bytes = max_bytes
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self._fd = -1
        self._transport: asyncio.Transport | None = None
        self._polled: Callable[[int], list[tuple[int, int]]] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: http_answer.RawHeaders = []
        self._body: list[bytes] = []
        self._raw = b""
        """All bytes of the answer under way, for the other reader."""
        self._reader: http_answer.Reader | None = None
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._timeout_s = 0.0
        self._tls: ssl.SSLObject | None = None
        self._shaking = context is not None
        if context is not None:
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self.up: asyncio.Future[Exception | None] = loop.create_future()
        """Done when the lane can be used, with None, or when it never can, with what kept it from coming up."""
        self.pending: asyncio.Future[Answer] | None = None
        self.dead: bool = False
        self.used: bool = False
        """Whether it has carried a request."""
        self.key: str | None = None
        """The key of its last request."""
        self._repeats: Callable[[Answer, str], bool] | None = None
        self.used_at: float = 0.0
        """Loop time of the last write, or of coming up."""

    def silent(self) -> bool:
        """Whether nothing waits to be read."""
        polled = self._polled
        return polled is None or not polled(0)

    def expect(
        self, key: str | None = None, repeats: Callable[[Answer, str], bool] | None = None
    ) -> asyncio.Future[Answer]:
        """Register for the one answer that the next write will draw.

        With ``repeats`` the lane is used again only after an answer for which ``repeats(answer, key)`` is true: one that the
        reader of the next answer will know as that of ``key``.
        """
        self.key = key
        self._repeats = repeats
        self.pending = future = self._loop.create_future()
        return future

    def write(self, payload: bytes, timeout_s: float) -> None:
        """Hand ``payload`` to the connection; its future fails with `NoAnswer` after ``timeout_s`` seconds.

        Raises `NotSent` if the connection is already known to be closing; the future is then forgotten.
        """
        transport = self._transport
        if transport is None or self.dead or transport.is_closing():
            self.pending = None
            self.retire()
            raise NotSent(_CLOSED, reason="closed")
        if self._tls is not None:
            self._tls.write(payload)
            payload = self._outgoing.read()
        self.used = True
        self.used_at = now = self._loop.time()
        self._timeout_s = timeout_s
        self._deadline = now + timeout_s
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._look_at_clock)
        self._hand_over(transport, payload)

    def _hand_over(self, transport: asyncio.Transport, payload: bytes) -> None:
        """Give the bytes to the kernel at once; a loop may keep what it is given until its next round.

        Raises `NotSent` where the kernel took nothing because the connection is gone.
        """
        taken = 0
        if self._fd >= 0 and not transport.get_write_buffer_size():
            try:
                taken = os.write(self._fd, payload)
            except BlockingIOError:
                pass
            except OSError:
                self.pending = None
                self.retire()
                raise NotSent(_CLOSED, reason="closed") from None
        if taken < len(payload):
            transport.write(payload[taken:])

    def retire(self) -> None:
        """Take this lane out of use and close it."""
        if self.dead:
            return
        self.dead = True
        self._polled = None
        self._fd = -1
        self.up.cancel()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None and self.pending is None:
            self._transport.close()
        elif self._transport is not None:
            self._transport.abort()  # closing waits until all bytes are taken, which may be never, and somebody waits
        self._owner.lane_dead(self)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, or be ready at once without TLS."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its class
        sock = transport.get_extra_info("socket")
        if sock is not None and hasattr(select, "poll"):
            poll = select.poll()
            poll.register(sock.fileno(), select.POLLIN)
            self._polled = poll.poll
            self._fd = sock.fileno()
        if self._shaking:
            self._shake()
        else:
            self._ready()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes are received into: a fresh buffer for each read costs more than the read."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Decrypt if need be, and parse."""
        if self.dead:
            return
        data = self._buffer[:nbytes]
        if self._tls is None:
            self._parse(data)
            return
        self._incoming.write(data)
        if self._shaking:
            self._shake()
        if not self._shaking:
            self._decrypt(self._tls)

    def eof_received(self) -> None:
        """Let the transport close itself; `connection_lost` follows."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of the connection, from either side."""
        if exc is None:
            self._finished()
        self._broken("disconnected", "the connection ended before the whole answer had come")

    # TLS

    def _shake(self) -> None:
        assert self._tls is not None  # noqa: S101 - told to the type checker
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._flush()  # the alert that tells the server why
            self._come_up(error)
            self.retire()
        else:
            self._shaking = False
            self._flush()
            self._ready()

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data and self._transport is not None:
            self._transport.write(data)

    def _decrypt(self, tls: ssl.SSLObject) -> None:
        try:
            while not self.dead:
                plain = tls.read(_READ_BYTES)
                if not plain:
                    self._finished()
                    self._broken("disconnected", "the server ended the encrypted connection")
                    return
                self._parse(plain)
                if not self._incoming.pending and not tls.pending():  # saves an exception on every answer
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self._broken("garbage", "what came back could not be decrypted")
        if self._outgoing.pending:  # an answer to a key update
            self._flush()

    def _ready(self) -> None:
        self.used_at = self._loop.time()
        self._come_up(None)

    def _come_up(self, trouble: Exception | None) -> None:
        if not self.up.done():
            self.up.set_result(trouble)

    # HTTP

    def _parse(self, data: bytes | memoryview) -> None:
        if self.pending is None:
            self._unrequested()
            return
        self._size += len(data)
        if self._size > self._max_bytes:
            self._broken("too_large", f"the answer is longer than {self._max_bytes} bytes")
            return
        piece = bytes(data)
        if self._reader is not None:
            self._read(self._reader, piece)
            return
        self._raw = self._raw + piece if self._raw else piece
        try:
            self._parser.feed_data(piece)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._read_again()
            return
        if self.pending is not None and b"\r\n\r\n" in self._raw and self._plain_framing() is None:
            self._read_again()  # at once, because httptools would wait for the end of the connection

    def on_message_begin(self) -> None:
        """Called by httptools: an answer begins. One that nobody asked for must not be taken for the next order's."""
        if self.pending is None:
            self._unrequested()

    def _unrequested(self) -> None:
        if not self.dead:
            self.retire()
            self._owner.lane_unrequested(self.key)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by httptools."""
        self._headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        """Called by httptools."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Called by httptools: hand the answer over and stand idle again. An exception in here ends its reading."""
        if self.pending is None:
            return
        framing = self._plain_framing()
        if framing == "interim":  # the answer follows (RFC 9110, section 15.2)
            self._headers, self._raw = [], self._raw.partition(b"\r\n\r\n")[2]
            return
        if framing is None or (framing == "chunked" and not http_answer.are_plain_chunks(self._raw)):
            raise _NotPlain
        answer = Answer(self._parser.get_status_code(), self._headers, b"".join(self._body))
        self._headers, self._body, self._size, self._raw = [], [], 0, b""
        pending, self.pending = self.pending, None
        if not pending.done():
            pending.set_result(answer)  # before anything else can fail; whoever waits goes on when this has returned
        if self._parser.should_keep_alive() and self._is_known_again(answer):
            self._owner.lane_idle(self)
        else:
            self.retire()

    def _is_known_again(self, answer: Answer) -> bool:
        return self._repeats is None or (self.key is not None and self._repeats(answer, self.key))

    def _plain_framing(self) -> http_answer.Framing | None:
        return http_answer.plain_framing(self._raw, self._parser.get_status_code(), self._headers)

    # answers of another form

    def _read_again(self) -> None:
        if self.pending is None:  # what was wrong came behind the answer
            self._unrequested()
            return
        self._reader = http_answer.Reader()
        self._read(self._reader, self._raw)

    def _finished(self) -> None:
        """The server has sent its last byte, which ends an answer that states no length (RFC 9112, section 6.3)."""
        if self._reader is not None and self.pending is not None and not self.dead:
            self._read(self._reader, b"")

    def _read(self, reader: http_answer.Reader, data: bytes) -> None:
        try:
            whole = reader.feed(data)
            if whole is None:
                return
            answer = Answer(whole.status, whole.headers, whole.body)
            answer.body = http_answer.content(answer.headers, whole.body, self._max_bytes)
        except http_answer.NotAnAnswer as error:
            if error.cut:
                self._broken("disconnected", f"the answer was not whole ({error})")
            else:
                self._broken("garbage", f"what came back cannot be read as HTTP in one way only ({error})")
            return
        except http_answer.CodedBody as error:
            self._broken("too_large" if error.too_large else "garbage", str(error))
            return
        pending = self._settle()
        self.retire()
        if pending is not None and not pending.done():
            pending.set_result(answer)

    # endings

    def _look_at_clock(self) -> None:
        # One timer serves many requests: setting and cancelling one for each costs 2 us an order.
        self._timer = None
        if self.pending is None:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._look_at_clock)
            return
        # Whatever still arrives on this connection belongs to nobody, so it ends here.
        self._broken("timeout", f"no whole answer came within {self._timeout_s:g} s")

    def _broken(self, reason: str, what: str) -> None:
        self._come_up(ConnectionResetError(what))
        self.retire()
        pending = self._settle()
        if pending is not None and not pending.done():
            pending.set_exception(NoAnswer(f"The order had left, and {what}: it may be at the venue.", reason=reason))

    def _settle(self) -> asyncio.Future[Answer] | None:
        pending, self.pending = self.pending, None
        return pending
