"""Notes every line that a process passes of some files, and kills it at one of them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Collection
from types import FrameType
from typing import Any

Point = tuple[str, str, int]
"""What was being done, a file below ``src/gridwire``, and a line of it."""


class Tracer:
    """Notes every line of ``files``, and dies at ``target``: SIGKILL, when it is passed for the first time."""

    def __init__(self, target: Point | None, files: Collection[str]) -> None:
        self._target = target
        self._files = files
        self._doing = ""
        self.passed: dict[Point, None] = {}

    def begin(self, doing: str) -> None:
        self._doing = doing
        sys.settrace(self._called)

    def end(self) -> None:
        sys.settrace(None)

    def _called(self, frame: FrameType, event: str, arg: Any) -> Callable[..., Any] | None:
        name = frame.f_code.co_filename.rpartition("gridwire/")[2]
        if name not in self._files:
            return None

        def lines(frame: FrameType, event: str, arg: Any) -> Any:
            if event == "line":
                point = (self._doing, name, frame.f_lineno)
                if point == self._target:
                    os.kill(os.getpid(), signal.SIGKILL)
                self.passed[point] = None
            return lines

        return lines
