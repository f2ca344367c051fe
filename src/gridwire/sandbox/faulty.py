"""Acts out a `Fault` on an aiohttp connection, and sends undisturbed answers.

A TCP reset needs a TCP socket: on a loop that carries loopback over local sockets, ``rst_*`` ends the connection as
``drop_*`` does.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from asyncio import Transport
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from gridwire.sandbox.faults import Fault

_PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
_FOREVER_S = 86_400.0
_LINGER_0 = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, not yet on the wire."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain;charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict)


def page(status: int, title: str) -> Answer:
    """A page of HTML, as a gateway in front of a venue answers."""
    return Answer(status, _PAGE.format(title).encode(), "text/html;charset=UTF-8")


async def respond(request: web.Request, fault: Fault | None, execute: Callable[[], Answer]) -> web.StreamResponse:
    """Call ``execute`` unless the fault forbids it, then answer as the fault wants, or plainly without one."""
    if fault is None:
        return _plain(execute())
    answer = Answer() if fault.before_execution and fault.kind != "result" else execute()
    if fault.kind in ("wrong_types", "wrong_transaction_id", "result"):
        return _plain(answer)  # these change what is said, which the venue has done by now
    if request.transport is None:
        return web.Response()  # the client has left: nothing is there to act on
    return await _ACTS.get(fault.kind, _say)(request, request.transport, fault, answer)


def hang_up(request: web.Request) -> web.Response:
    """End the connection now, without flushing; what is returned never reaches the wire."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _plain(answer: Answer) -> web.Response:
    headers = {"Content-Type": answer.content_type, **answer.headers}
    return web.Response(status=answer.status, body=answer.body, headers=headers)


async def _drop(request: web.Request, link: Transport, fault: Fault, answer: Answer) -> web.StreamResponse:
    return hang_up(request)


async def _reset(request: web.Request, link: Transport, fault: Fault, answer: Answer) -> web.StreamResponse:
    wire = link.get_extra_info("socket")
    if wire.family in (socket.AF_INET, socket.AF_INET6):
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
    return hang_up(request)


async def _silence(request: web.Request, link: Transport, fault: Fault, answer: Answer) -> web.StreamResponse:
    remaining = _FOREVER_S if fault.seconds is None else fault.seconds
    while remaining > 0 and not link.is_closing():
        await asyncio.sleep(min(1.0, remaining))
        remaining -= 1.0
    return hang_up(request)


async def _half(request: web.Request, link: Transport, fault: Fault, answer: Answer) -> web.StreamResponse:
    kept = len(answer.body) // 2 if fault.at_byte is None else min(fault.at_byte, len(answer.body))
    response = await _begin(request, answer)
    if kept:
        await response.write(answer.body[:kept])
    link.close()  # flushes what was written, then ends: the client sees exactly `kept` bytes
    return response


async def _slow(request: web.Request, link: Transport, fault: Fault, answer: Answer) -> web.StreamResponse:
    response = await _begin(request, answer)
    for start in range(0, len(answer.body), fault.chunk):
        await asyncio.sleep(0.1 if fault.seconds is None else fault.seconds)
        await response.write(answer.body[start : start + fault.chunk])
    return response


async def _close_after(request: web.Request, link: Transport, fault: Fault, answer: Answer) -> web.StreamResponse:
    response = await _begin(request, answer)
    await response.write(answer.body)
    await response.write_eof()
    asyncio.get_running_loop().call_later(fault.seconds or 0.0, link.close)
    return response


async def _twice(request: web.Request, link: Transport, fault: Fault, answer: Answer) -> web.StreamResponse:
    response = await _begin(request, answer)
    await response.write(answer.body)
    await response.write_eof()
    head = (
        f"HTTP/1.1 {answer.status} OK\r\nContent-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\n\r\n"
    )
    copy = head.encode("ascii") + answer.body
    if fault.seconds is None:
        link.write(copy)  # nothing was awaited since the first: a client reads both at once
    else:
        asyncio.get_running_loop().call_later(fault.seconds, _write_if_open, link, copy)
    return response


def _write_if_open(link: Transport, data: bytes) -> None:
    if not link.is_closing():
        link.write(data)


async def _say(request: web.Request, link: Transport, fault: Fault, answer: Answer) -> web.StreamResponse:
    if fault.kind == "ban":
        said = page(403, "Access denied")
    elif fault.kind == "html":
        said = page(fault.status or 200, "Please sign in")
    elif fault.kind == "redirect":
        said = Answer(302, headers={"Location": fault.location})
    elif fault.kind == "raw":
        said = Answer(fault.status or 200, fault.content, fault.content_type)
    else:
        said = Answer(fault.status or 500)
    if fault.retry_after is not None:
        said.headers["Retry-After"] = fault.retry_after
    return _plain(said)


async def _begin(request: web.Request, answer: Answer) -> web.StreamResponse:
    headers = {"Content-Type": answer.content_type, **answer.headers, "Content-Length": str(len(answer.body))}
    response = web.StreamResponse(status=answer.status, headers=headers)
    await response.prepare(request)
    return response


_ACTS: dict[str, Callable[[web.Request, Transport, Fault, Answer], Awaitable[web.StreamResponse]]] = {
    "drop_before_execute": _drop,
    "drop_after_execute": _drop,
    "rst_before_execute": _reset,
    "rst_after_execute": _reset,
    "silence_before_execute": _silence,
    "silence_after_execute": _silence,
    "half_answer": _half,
    "slow_answer": _slow,
    "close_after_answer": _close_after,
    "answer_twice": _twice,
}
