"""A way through an HTTP proxy, for a protocol that is not HTTP (CONNECT: RFC 9110, section 9.3.6).

The proxy moves bytes between us and the host it was asked for. What goes through is encrypted for that host, so the proxy
sees where we go and nothing else.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from base64 import b64encode
from typing import cast
from urllib.parse import SplitResult, unquote, urlsplit

from gridwire.errors import TransportError
from gridwire.transport import connect
from gridwire.transport.amqp_failure import os_words

MOST_BYTES = 64 * 1024
"""An answer that is longer than this before its body is none."""

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r\n]")
_END = re.compile(rb"\r?\n\r?\n")
"""The empty line after a head. RFC 9112, section 2.2: a line may end without its CR."""
_PASSED_OVER = re.compile(rb"HTTP/1\.[01] 1(?!01)\d\d[ \r\n]")
"""An answer that says that another one comes (RFC 9110, section 15.2); after 101 none does."""


class NoWay(TransportError):
    """The proxy did not open the way. Nothing of what was to go through it was sent."""

    def __init__(self, text: str) -> None:
        super().__init__(text, reason="proxy")


async def open_way(proxy: str, authority: str, protocol: asyncio.Protocol, context: ssl.SSLContext, host: str) -> None:
    """Connect ``protocol`` with ``host`` over TLS, through the ``http://`` address ``proxy``.

    ``authority`` is host and port; a name with other letters than those of ASCII is asked for in its form for the DNS. Not
    bounded: the caller sets a time-out. Raises `NoWay`, and `OSError` (also `ssl.SSLError`) of what lies behind the proxy.
    """
    loop = asyncio.get_running_loop()
    parts = urlsplit(proxy)
    name = place(proxy)
    request = _request(_in_ascii(authority), parts)
    try:
        sock = await connect.connected(parts.hostname or "", parts.port or 80)
        transport, asked = await loop.create_connection(lambda: _Asked(request), sock=sock)
    except OSError as error:
        raise NoWay(f"The proxy {name} cannot be reached ({os_words(error)}).") from None
    try:
        _check(await asked.answer, name, authority)
        # Its stub cannot say that a transport comes back where one was given.
        through = cast("asyncio.Transport", await loop.start_tls(transport, protocol, context, server_hostname=host))
    except BaseException:
        transport.abort()
        raise
    protocol.connection_made(through)


def place(proxy: str) -> str:
    """Host and port of a proxy, without the login that its address may hold."""
    return urlsplit(proxy).netloc.rpartition("@")[2]


def _in_ascii(authority: str) -> str:
    """As the resolver and TLS spell it too: a target in other letters is none (RFC 9112, section 3.2.3)."""
    if authority.isascii():
        return authority  # addresses too, which are no names
    host, _, port = authority.rpartition(":")
    return f"{host.encode('idna').decode()}:{port}"


def _request(authority: str, proxy: SplitResult) -> bytes:
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.username is not None:
        login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {b64encode(login.encode()).decode()}")
    return "\r\n".join([*lines, "", ""]).encode()


def _check(head: bytes, name: str, authority: str) -> None:
    found = _STATUS.match(head)
    if found is None:
        raise NoWay(f"What is at {name} is no HTTP proxy: it answered with something else.")
    status = int(found[1])
    if status == 407:
        raise NoWay(f"The proxy {name} wants a login (HTTP 407): put a user and a password it takes into its address.")
    if not 200 <= status < 300:
        raise NoWay(
            f"The proxy {name} did not open the way to {authority} (HTTP {status}); ask who runs it to allow it."
        )
    end = _END.search(head)
    if end is None or end.end() < len(head):
        raise NoWay(f"The proxy {name} sent more than an answer, before anything was asked of {authority}.")


class _Asked(asyncio.Protocol):
    """Ask the proxy, and take the head of its answer; those that only announce it are passed over."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._head = b""
        self._came = 0
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        self._came += len(data)
        self._head += data
        while (end := _END.search(self._head)) is not None and _PASSED_OVER.match(self._head):
            self._head = self._head[end.end() :]
        if end is not None or self._came > MOST_BYTES:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def _end(self) -> None:
        if not self.answer.done():
            self.answer.set_result(self._head)
