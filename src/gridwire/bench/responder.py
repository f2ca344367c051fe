"""The smallest server that an order can be sent to, in a process of its own, so that it costs the measured one nothing.

It answers every ticket request and every order with ready bytes, one thread per connection, blocking sockets. With
``--tls`` the certificate is a throw-away one. Prints one line of JSON when it listens, and ends with its standard input.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import socket
import ssl
import sys
import threading

_BODY = (
    b'{"resultCode":"0","resultDescription":"OK","resultType":"SUCCESS","transactionId":"00000000-0000-4000-8000-000000000000",'
    b'"body":{"bidResponse":{"id":"%d"}}}'
)
_KEY = b'{"key":"transactionId","value":"'
_NO_KEY = b"00000000-0000-4000-8000-000000000000"
_TGT = b"TGT-1-BenchmarkTicketOfNoValue0123456789-bench"
_ST = b"ST-%d-BenchmarkTicketOfNoValue0123456789-bench"
_NUMBERS = itertools.count(1_000_001)
"""Of tickets and bids, which a client does not believe when they come twice. All have seven digits."""


def _answer(status: bytes, media_type: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (status, media_type, len(body), body)


def _numbered(status: bytes, media_type: bytes, body: bytes) -> bytes:
    """An answer with room for one number."""
    whole = _answer(status, media_type, body % 1_000_001)
    return whole.replace(b"1000001", b"%d")


_LOGIN = _answer(b"201 Created", b"text/plain", _TGT)
_TICKET = _numbered(b"200 OK", b"text/plain", _ST)
_ORDER = _numbered(b"200 OK", b"application/json", _BODY)


def answer_to(head: bytes, body: bytes) -> bytes:
    """The ready answer to a request; an order's repeats its transactionId, as STP's definitions have it."""
    path = head.split(b" ", 2)[1].partition(b"?")[0]
    if path == b"/cas/v1/tickets":
        return _LOGIN
    if path.startswith(b"/cas/v1/tickets/"):
        return _TICKET % next(_NUMBERS)
    at = body.find(_KEY) + len(_KEY)
    return (_ORDER % next(_NUMBERS)).replace(_NO_KEY, body[at : at + len(_NO_KEY)])


def serve(connection: socket.socket, context: ssl.SSLContext | None) -> None:
    """Answer requests on one connection until it ends."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = context.wrap_socket(connection, server_side=True) if context is not None else connection
        pending = b""
        while received := stream.recv(65536):
            pending += received
            while (end := pending.find(b"\r\n\r\n")) >= 0:
                head = pending[:end]
                size = end + 4 + _length(head)
                if len(pending) < size:
                    break
                body, pending = pending[end + 4 : size], pending[size:]
                stream.sendall(answer_to(head, body))


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    return 0


def main() -> None:
    """Listen, say where, and serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", metavar="PEM", help="file with key and certificate")
    parser.add_argument("--core", type=int, help="processor to stay on")
    options = parser.parse_args()
    if options.core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {options.core})
    context = None
    if options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.tls)
    listener = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, context), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
