"""A folder, a port and the interpreter's own events, watched: whoever opens a file there or connects is seen.

The interpreter's audit events do not know what a library opens by itself, so the kernel is asked too (inotify).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_IN_ACCESS, _IN_OPEN = 0x1, 0x20
_watching: list[list[str]] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event in ("open", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.posix_spawn"):
        _watching[-1].append(f"{event} {arguments[:2]!r}")


_hooked: list[bool] = []


class Bait:
    """``folder`` is watched by the kernel, ``port`` by a server, the process by its audit events."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.setblocking(False)
        self.port: int = self._server.getsockname()[1]
        self._kernel = ctypes.CDLL(None, use_errno=True)
        self._events: int = self._kernel.inotify_init1(os.O_NONBLOCK)
        assert self._kernel.inotify_add_watch(self._events, os.fsencode(folder), _IN_ACCESS | _IN_OPEN) >= 0
        if not _hooked:
            sys.addaudithook(_audit)  # for good: one cannot be taken off again
            _hooked.append(True)

    @contextlib.contextmanager
    def watch(self) -> Iterator[list[str]]:
        """What was touched while the context was open, complete at its end."""
        touched: list[str] = []
        self._opened()
        _watching.append(touched)
        try:
            yield touched
        finally:
            _watching.remove(touched)
            if self._opened():
                touched.append(f"a file in {self.folder}")
            with contextlib.suppress(BlockingIOError):
                self._server.accept()[0].close()
                touched.append("the port")

    def _opened(self) -> bool:
        try:
            return bool(os.read(self._events, 65536))
        except BlockingIOError:
            return False

    def close(self) -> None:
        os.close(self._events)
        self._server.close()
