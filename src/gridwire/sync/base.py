"""What every blocking client has: a beginning and an end."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from gridwire.sync.bridge import Bridge


class Blocking:
    """A context manager. Between notebook cells, where a ``with`` block does not reach, `open` and `close` do the same.

    Calls may come from several threads at once. Leaving cancels what other threads still have under way: their calls
    raise `WrongLoop`, and a write whose bytes had left is then listed by ``unknown()``. A client that is never closed does
    not keep the process from ending.
    """

    _bridge: Bridge

    def open(self) -> Self:
        """Open it, as entering its ``with`` block does, and return it. It opens once; raises `WrongLoop` otherwise."""
        self._bridge.open()
        return self

    def close(self) -> None:
        """Close it, as leaving its ``with`` block does. A second time does nothing."""
        self._bridge.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
