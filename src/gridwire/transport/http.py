"""HTTP for everything but the order lane; the only module that imports httpx.

What this shell adds to httpx is certainty: after a failure it knows whether a byte of the request had left
(`NotSent` or `NoAnswer`), because it watches the moment at which httpcore begins to write; and after an answer it knows
whose answer that is. It never retries, never follows a redirect, never reads an answer without a size limit, never keeps a
cookie, and bounds each attempt as a whole.

HTTP/1.1 tells whose an answer is by its place on the connection alone, and httpcore keeps what a server sends beyond an
answer until the connection is used next. So what must not be mistaken gets a connection of its own (``alone``), and on
kept connections an answer that was there before its request had left is refused.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import urlsplit

from gridwire.errors import ConfigurationError, GridwireError, NoAnswer, NotSent, WrongLoop
from gridwire.observe.redact import guard_loggers, safe_url
from gridwire.transport import connect, http_answer
from gridwire.transport.exchange import Request, Response
from gridwire.transport.tls import Network, certificate_words, refuse_cleartext, renewed_context, ssl_context
from gridwire.transport.tunnel import place

# Where rich and click are installed, httpx imports a command line of its own: 50 ms that no client needs. None in its
# place reads as "not installed", which httpx is prepared for.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
import httpcore  # noqa: E402
import httpx  # noqa: E402

if sys.modules["httpx._main"] is None:
    del sys.modules["httpx._main"]

MAX_BODY_BYTES = 8 * 1024 * 1024
PIECE_BYTES = 64 * 1024
"""How much of a body is handed over at a time where its progress is watched."""
KEEPALIVE_S = 15.0
"""Idle connections are closed by us before a server is likely to: a POST on a half-closed one ends as unknown."""


@dataclass(slots=True)
class Progress:
    """How far one attempt came. ``written`` is set before the first byte is handed to the connection."""

    written: bool = False
    given_up: bool = False
    """Set by a caller who wants it no more: what has not begun to leave by then does not leave."""


class HttpTransport:
    """One connection pool to one venue. An async context manager, bound to the loop it was opened on."""

    def __init__(
        self,
        network: Network | None = None,
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
        connections: int = 20,
    ) -> None:
        self.network: Network = network or Network()
        self._max_body_bytes = max_body_bytes
        self._connections = connections
        self._context: ssl.SSLContext | None = None
        self._clients: dict[tuple[str | None, bool], httpx.AsyncClient] = {}
        """By the proxy they go through, and whether their connections carry one request alone."""
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        if self._loop is not None:
            raise WrongLoop(
                "This client has been opened before: each one is opened once. Make a new one, or keep this one open."
            )
        self._loop = asyncio.get_running_loop()
        guard_loggers()
        try:
            self._context = await ssl_context(self.network)
        except BaseException:
            self._loop = None  # it was not opened
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        clients, self._clients, self._context = self._clients, {}, None
        for client in clients.values():
            await client.aclose()

    def _new_client(self, context: ssl.SSLContext, proxy: str | None, *, kept: int) -> httpx.AsyncClient:
        limits = httpx.Limits(
            max_connections=self._connections, max_keepalive_connections=kept, keepalive_expiry=KEEPALIVE_S
        )
        transport = httpx.AsyncHTTPTransport(verify=context, proxy=proxy, trust_env=False, limits=limits)
        # httpcore takes a backend; httpx does not hand one on.
        transport._pool._network_backend = _Backend(self.network, context)
        return httpx.AsyncClient(
            transport=transport,
            trust_env=False,  # the environment is read in Network.proxy_for
            timeout=None,  # noqa: S113 - each attempt is bounded as a whole in send()
            follow_redirects=False,
            headers={"accept-encoding": "identity", "user-agent": "gridwire"},
            cookies=CookieJar(_NoCookies()),
        )

    async def send(
        self,
        request: Request,
        *,
        progress: Progress | None = None,
        timeout_s: float | None = None,
        start_within_s: float | None = None,
        alone: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Response:
        """One attempt. Raises `NotSent` or `NoAnswer`; any HTTP status is a `Response`.

        ``alone`` gives the request a connection that carries nothing else: made for it, and closed after its answer.

        ``progress.written`` tells, also while this call is being cancelled, whether bytes have left. ``start_within_s``
        bounds the wait for a connection: a ticket in the request ages meanwhile. With ``on_progress`` the body goes out in
        pieces; it is called with the bytes handed over so far and their number in all.
        """
        context = self._usable()
        refuse_cleartext(request.url)
        client, proxy = self._client_for(request.url, context, alone=alone)
        progress = progress if progress is not None else Progress()
        where = safe_url(request.url)
        limit_s = timeout_s if timeout_s is not None else self.network.timeout_s
        now = asyncio.get_running_loop().time()
        start_s = limit_s if start_within_s is None else min(limit_s, start_within_s)

        def written() -> None:
            if progress.given_up:
                raise NotSent(f"{where}: nobody waits for it any more. Nothing was sent.", reason="closed")
            progress.written = True
            bound.reschedule(now + limit_s)

        try:
            connect.check_name(urlsplit(request.url).hostname or "")
            async with asyncio.timeout_at(now + start_s) as bound:
                return await self._exchange(client, request, written, on_progress, alone=alone)
        except TimeoutError:
            what = (
                f"no whole answer within {limit_s:g} s" if progress.written else f"no connection within {start_s:g} s"
            )
            failure = _failure(where, progress, "timeout", what)
        except connect.NoHostName as error:
            failure = NotSent(f"{where}: {error.strerror}. Nothing was sent.", reason="dns")
        except httpx.InvalidURL as error:
            failure = NotSent(f"{where} is not an address that can be called: {error}", reason="refused")
        except httpx.HTTPError as error:
            failure = _failure(where, progress, _reason(error), _describe(error, proxy, self.network.ca_bundle))
        except GridwireError:
            raise
        except Exception as error:  # a library's surprise must not lose a request that may have left
            what = f"the connection failed ({type(error).__name__})"
            raise _failure(where, progress, "refused", what) from error
        # Here and not above, where it would carry the frames of the libraries, whose variables are the request's headers.
        raise failure

    @property
    def closed(self) -> bool:
        """Whether it is not open."""
        return self._context is None

    def check_open(self) -> None:
        """Raise `WrongLoop` if nothing can be sent from here."""
        self._usable()

    def _usable(self) -> ssl.SSLContext:
        if self._context is None:
            raise WrongLoop("This client is not open: use it inside `async with`. Nothing was sent.")
        if asyncio.get_running_loop() is not self._loop:
            raise WrongLoop(
                "This client was opened on another event loop. Open one client per loop, or use gridwire.sync from "
                "code without a loop. Nothing was sent."
            )
        return self._context

    def _client_for(self, url: str, context: ssl.SSLContext, *, alone: bool) -> tuple[httpx.AsyncClient, str | None]:
        """The client for ``url``, and the proxy that it goes through. Raises `ConfigurationError` and `NotSent`."""
        parts = urlsplit(url)
        proxy = self.network.proxy_for(parts.hostname or "", parts.scheme)
        client = self._clients.get((proxy, alone))
        if client is None:
            try:
                connect.check_name(urlsplit(proxy or "").hostname or "")
                client = self._new_client(context, proxy, kept=0 if alone else self._connections)
            except connect.NoHostName as error:
                what = f"the proxy cannot be reached, because {error.strerror}"
                raise NotSent(f"{safe_url(url)}: {what}. Nothing was sent.", reason="dns") from None
            except httpx.InvalidURL as error:
                raise ConfigurationError(
                    f"The proxy {place(proxy or '')} has no address that can be called: {error}. Nothing was sent."
                ) from None
            self._clients[proxy, alone] = client
        return client, proxy

    async def _exchange(
        self,
        client: httpx.AsyncClient,
        request: Request,
        written: Callable[[], None],
        on_progress: Callable[[int, int], None] | None,
        *,
        alone: bool,
    ) -> Response:
        watch = _Watch(written)
        answer = await client.send(_outgoing(client, request, watch, on_progress, alone=alone), stream=True)
        try:
            stream = answer.extensions["network_stream"]
            if isinstance(stream, _Stream):
                stream.head_is_read()
            if watch.early:
                raise NoAnswer(
                    f"{safe_url(request.url)}: what came was there before the request had left, so it answers another "
                    "one. It was not read.",
                    reason="garbage",
                )
            headers = {name.lower(): value for name, value in answer.headers.items()}
            body = bytearray()
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > self._max_body_bytes:
                    raise NoAnswer(
                        f"{safe_url(request.url)} answered with more than {self._max_body_bytes} bytes; the rest was "
                        "not read.",
                        reason="too_large",
                    )
            content = http_answer.content(headers, bytes(body), self._max_body_bytes)
            return Response(answer.status_code, headers, content)
        except http_answer.CodedBody as error:
            reason = "too_large" if error.too_large else "garbage"
            raise NoAnswer(f"{safe_url(request.url)}: {error}. It was not read.", reason=reason) from None
        finally:
            await answer.aclose()


def _outgoing(
    client: httpx.AsyncClient,
    request: Request,
    watch: _Watch,
    on_progress: Callable[[int, int], None] | None,
    *,
    alone: bool,
) -> httpx.Request:
    """``request`` as httpx sends it. By itself, so that nothing that fails later has headers and body for variables."""
    headers = dict(request.headers)
    if alone:
        headers["connection"] = "close"
    content: bytes | AsyncIterator[bytes] | None = request.content or None
    if on_progress is not None and request.content:
        content = _pieces(request.content, on_progress)
        headers["content-length"] = str(len(request.content))
    return client.build_request(
        request.method, request.url, headers=headers, content=content, extensions={"trace": watch}
    )


class _Backend(httpcore.AsyncNetworkBackend):
    """Connects for httpcore: races a name's addresses, and takes TLS files as they are when a connection is made."""

    def __init__(self, network: Network, context: ssl.SSLContext) -> None:
        self._inner = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())
        self._network = network
        self._context = context

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        async def attempt(address: str) -> httpcore.AsyncNetworkStream:
            return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)

        async def discard(stream: httpcore.AsyncNetworkStream) -> None:
            await stream.aclose()

        try:
            addresses = await connect.resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        stream = await connect.race(addresses, port, attempt, discard)
        return _Stream(stream, self._network, self._context)


class _Stream(httpcore.AsyncNetworkStream):
    """A connection whose TLS, if it is the venue's and not a proxy's, is begun with the files of this moment.

    It gives an answer's head in pieces that end at its bound, where h11 looks only while it waits for more.
    """

    def __init__(self, inner: httpcore.AsyncNetworkStream, network: Network, context: ssl.SSLContext) -> None:
        self._inner = inner
        self._network = network
        self._context = context
        self._head_left: int | None = None
        """How many bytes more the head may have that is being read; None where none is."""

    def head_is_read(self) -> None:
        """What comes now is the body."""
        self._head_left = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._head_left is None:
            return await self._inner.read(max_bytes, timeout)
        if self._head_left == 0:
            raise httpcore.RemoteProtocolError(f"a head of more than {http_answer.MAX_HEAD_BYTES} bytes")
        data = await self._inner.read(min(max_bytes, self._head_left), timeout)
        self._head_left -= len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._head_left = http_answer.MAX_HEAD_BYTES
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        context = await renewed_context(self._network) if ssl_context is self._context else ssl_context
        stream = await self._inner.start_tls(context, server_hostname, timeout)
        return _Stream(stream, self._network, self._context)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _NoCookies(DefaultCookiePolicy):
    """Keeps none and sends none: a gateway's cookie would tie calls together, and a session's would be a secret."""

    def set_ok(self, cookie: Any, request: Any) -> bool:
        return False

    def return_ok(self, cookie: Any, request: Any) -> bool:
        return False


@dataclass(slots=True)
class _Watch:
    """Listens to httpcore: tells when the request begins to leave, and finds an answer that nobody had to wait for.

    Waiting for bytes from the network takes at least one round of the loop. An answer that is complete in the round in
    which it is first looked for was left over on the connection from another request.
    """

    written: Callable[[], None]
    early: bool = False
    _waited: bool = field(default=False, init=False)

    async def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        if name.endswith("send_request_headers.started"):
            # CONNECT to a proxy carries nothing of the request.
            if info["request"].method != b"CONNECT":
                self.written()
        elif name.endswith("receive_response_headers.started"):
            self._waited = False
            asyncio.get_running_loop().call_soon(self._round)
        elif name.endswith("receive_response_headers.complete"):
            self.early = not self._waited

    def _round(self) -> None:
        self._waited = True


async def _pieces(content: bytes, on_progress: Callable[[int, int], None]) -> AsyncIterator[bytes]:
    """A body in pieces, so that neither encrypting nor copying a large one holds the loop up."""
    for at in range(0, len(content), PIECE_BYTES):
        yield content[at : at + PIECE_BYTES]
        on_progress(min(at + PIECE_BYTES, len(content)), len(content))


def _failure(where: str, progress: Progress, reason: str, what: str) -> NotSent | NoAnswer:
    if not progress.written:
        return NotSent(f"{where}: {what}. Nothing was sent.", reason=reason)
    if reason not in ("timeout", "garbage"):
        reason = "disconnected"
    return NoAnswer(f"{where}: {what}. The request had left, so the venue may have acted on it.", reason=reason)


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.PoolTimeout):
        return "pool"
    if isinstance(error, httpx.TimeoutException):
        return "timeout"
    if isinstance(error, httpx.RemoteProtocolError):
        return "disconnected" if re.search("disconnected|closed", str(error)) else "garbage"
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return "dns"
        if isinstance(cause, ssl.SSLError):
            return "tls"
    return "refused"


def _describe(error: httpx.HTTPError, proxy: str | None, ca_bundle: str | None = None) -> str:
    """What went wrong. Behind ``proxy`` it is the proxy alone whose name we resolve and that we connect with."""
    if isinstance(error, httpx.RemoteProtocolError):
        return f"what came back cannot be read as HTTP in one way only ({http_answer.refusal(error)})"
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return certificate_words(cause, ca_bundle)
        if isinstance(cause, socket.gaierror):
            return (
                f"the name of the proxy {place(proxy)} cannot be resolved" if proxy else "its name cannot be resolved"
            )
        if isinstance(cause, ConnectionRefusedError):
            return f"nothing listens at the proxy {place(proxy)}" if proxy else "nothing listens there"
    words = str(error).strip().rstrip(".") or type(error).__name__
    return f"the connection failed ({words})"


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        if isinstance(error, BaseExceptionGroup):  # of a name with several addresses, one each
            found += error.exceptions
        error = error.__cause__ or error.__context__
    return found
