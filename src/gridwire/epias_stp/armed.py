"""Who wants service tickets to be ready: an open desk, a client that was warmed up. The last one who goes puts out the light."""

from __future__ import annotations

from gridwire.auth.tickets import TicketManager


class Armed:
    """The ticket manager of one client stays armed as long as somebody wants it."""

    def __init__(self, tickets: TicketManager) -> None:
        self._tickets = tickets
        self._wanted = 0

    async def want(self, *, replacements_per_s: int | None = None) -> None:
        """Arm; see `TicketManager.arm`. Each call needs a `release` of its own, unless it raised."""
        await self._tickets.arm(replacements_per_s=replacements_per_s)
        self._wanted += 1

    async def release(self) -> None:
        """Take one `want` back; the last disarms."""
        self._wanted = max(self._wanted - 1, 0)
        if not self._wanted:
            await self._tickets.disarm()

    async def end(self) -> None:
        """Disarm whoever wants what."""
        self._wanted = 0
        await self._tickets.disarm()
