"""TCP connections to a name with several addresses: they are raced (RFC 8305), and one that did not answer is tried last.

asyncio can race too, uvloop cannot, and neither remembers: a first address that swallows packets would cost every
connection its head start.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from itertools import zip_longest
from typing import TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

HEAD_START_S = 0.25
"""Until the next address is tried beside the one before (RFC 8305, section 5: "Connection Attempt Delay")."""
REMEMBERED_S = 600.0
"""How long an address that failed or was overtaken is tried after the others."""
MOST_REMEMBERED = 256

_slow: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, int], float]] = WeakKeyDictionary()
"""Per loop, because its time is: until when an address with its port is tried last."""


class NoHostName(socket.gaierror):
    """No host can have this name; ``strerror`` is a sentence that names it."""

    def __init__(self, host: str) -> None:
        shown = host if len(host) <= 80 else f"{host[:80]}..."
        super().__init__(
            socket.EAI_NONAME,
            f"{shown!r} is no name of a host: between its full stops stand 1 to 63 letters, digits or hyphens",
        )


def check_name(host: str) -> None:
    """Raise `NoHostName` where the resolver and TLS would raise `UnicodeError`: for an empty or a too long label."""
    try:
        host.encode("idna")
    except UnicodeError:
        raise NoHostName(host) from None


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of ``host``, IPv6 and IPv4 in turn (RFC 8305, section 4). Raises `OSError`, also `NoHostName`."""
    with contextlib.suppress(ValueError):
        return [str(ip_address(host))]  # without a thread: they may all be busy
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise NoHostName(host) from None
    families: dict[int, list[str]] = {}
    for family, _, _, _, address in found:
        families.setdefault(family, []).append(str(address[0]))
    in_turn = (address for row in zip_longest(*families.values()) for address in row if address is not None)
    return list(dict.fromkeys(in_turn))


async def connected(host: str, port: int) -> socket.socket:
    """A connected socket. Raises `OSError`: of the last address that was tried. Not bounded in time."""

    async def attempt(address: str) -> socket.socket:
        family, kind, _, _, place = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )[0]
        sock = socket.socket(family, kind)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(sock, place)
        except BaseException:
            sock.close()
            raise
        return sock

    async def close(sock: socket.socket) -> None:
        sock.close()

    return await race(await resolve(host, port), port, attempt, close)


async def race(
    addresses: Sequence[str],
    port: int,
    attempt: Callable[[str], Awaitable[T]],
    discard: Callable[[T], Awaitable[object]],
) -> T:
    """What ``attempt`` gives for the address that connects first; raises what it raised for the last one that failed.

    Each address gets `HEAD_START_S` before the next one is tried beside it, and none after it has failed. What a second
    one gives as well goes to ``discard``.
    """
    waiting = in_order(addresses, port)
    if len(waiting) == 1:
        return await attempt(waiting[0])
    loop, running, failure = (
        asyncio.get_running_loop(),
        dict[asyncio.Task[T], tuple[str, float]](),
        OSError("no address"),
    )
    won: asyncio.Task[T] | None = None
    try:
        while waiting or running:
            if waiting:
                address = waiting.pop(0)
                running[loop.create_task(_awaited(attempt, address))] = address, loop.time()
            done, _ = await asyncio.wait(
                running, timeout=HEAD_START_S if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in sorted(done, key=list(running).index):
                if (error := task.exception()) is None:
                    address, began = running.pop(task)
                    _note(loop, address, port, slow=False)
                    won = task
                    return task.result()
                address, _ = running.pop(task)
                _note(loop, address, port, slow=True)
                failure = error  # type: ignore[assignment]
        raise failure
    finally:
        for task, (address, began) in running.items():
            if loop.time() - began >= HEAD_START_S:
                _note(loop, address, port, slow=True)
            task.cancel()
        if running:
            await _end(list(running), won, discard)


_ending: set[asyncio.Task[None]] = set()
"""Kept here, because the loop itself does not hold its tasks."""


async def _end(
    others: list[asyncio.Task[T]], won: asyncio.Task[T] | None, discard: Callable[[T], Awaitable[object]]
) -> None:
    """Wait for attempts that were cancelled; what they gave all the same is discarded.

    Whoever is cancelled meanwhile learns it at once: the rest is done behind its back, and nobody has what the first one gave.
    """

    async def end(tasks: list[asyncio.Task[T]]) -> None:
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await discard(await task)

    def begin(tasks: list[asyncio.Task[T]]) -> asyncio.Task[None]:
        ending = asyncio.get_running_loop().create_task(end(tasks))
        _ending.add(ending)
        ending.add_done_callback(_ending.discard)
        return ending

    try:
        await asyncio.shield(begin(others))
    except asyncio.CancelledError:
        if won is not None:
            begin([won])
        raise


async def _awaited(attempt: Callable[[str], Awaitable[T]], address: str) -> T:
    return await attempt(address)


def in_order(addresses: Sequence[str], port: int) -> list[str]:
    """``addresses`` with those last that lately failed or were overtaken, the longest ago first."""
    loop = asyncio.get_running_loop()
    until = _slow.get(loop, {})
    return sorted(addresses, key=lambda address: max(until.get((address, port), 0.0) - loop.time(), 0.0))


def _note(loop: asyncio.AbstractEventLoop, address: str, port: int, *, slow: bool) -> None:
    known = _slow.setdefault(loop, {})
    known.pop((address, port), None)
    if slow:
        known[address, port] = loop.time() + REMEMBERED_S
        if len(known) > MOST_REMEMBERED:
            known.pop(next(iter(known)))
