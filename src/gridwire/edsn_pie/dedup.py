"""Which notifications have been handled, so that a second delivery of one is recognised.

A broker delivers again whatever it did not see accepted. Messages live a day in the queue, so what was handled is
remembered a little longer than that, and as a digest: the memory it takes is bounded, whatever the keys are.
"""

from __future__ import annotations

from hashlib import blake2b

KEEP_S = 25 * 3600.0
MOST = 16_384


class Handled:
    """The keys of what was handled, the least recently met one forgotten first. ``now`` is the loop's time."""

    def __init__(self, *, most: int = MOST, keep_s: float = KEEP_S) -> None:
        self._most = most
        self._keep_s = keep_s
        self._until: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def add(self, key: str, now: float) -> None:
        """``key`` is done with."""
        digest = _digest(key)
        self._until.pop(digest, None)
        self._until[digest] = now + self._keep_s
        if len(self._until) > self._most:
            del self._until[next(iter(self._until))]

    def meet(self, key: str, now: float) -> bool:
        """Whether ``key`` was handled; if so, it is remembered anew."""
        digest = _digest(key)
        until = self._until.pop(digest, None)
        if until is None or until <= now:
            return False
        self._until[digest] = now + self._keep_s
        return True


def _digest(key: str) -> bytes:
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=12).digest()
