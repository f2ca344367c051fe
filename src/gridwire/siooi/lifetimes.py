"""How long a session lives, where the answer to the login says so. Pure functions."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import Field

from gridwire.siooi.places import Place, Seen

Unit: TypeAlias = Literal["milliseconds", "seconds", "minutes", "hours", "instant"]
LONGEST_S = 7 * 86_400.0
_SECONDS = {"milliseconds": Decimal("0.001"), "seconds": Decimal(1), "minutes": Decimal(60), "hours": Decimal(3600)}
_MOSCOW = ZoneInfo("Europe/Moscow")


class Lifetime(Place):
    """The place of a session's life in the answer to the login."""

    unit: Unit = Field(
        default="seconds",
        description="milliseconds, seconds, minutes or hours; or instant, a moment like 2026-12-01T10:00:00+03:00, of Moscow "
        "where it has no offset",
    )

    def seconds(self, seen: Seen, now: datetime) -> float | None:
        """How long the session lives from now, at most a week; None where the answer does not say. ``now`` is our clock."""
        text = self.find(seen)
        try:
            if text is None:
                return None
            if self.unit == "instant":
                end = datetime.fromisoformat(text)
                # The venue's own clock, where its answer tells it: ours may be wrong by more than a session's life.
                left_s = (
                    (end if end.tzinfo else end.replace(tzinfo=_MOSCOW)) - (seen.response.date or now)
                ).total_seconds()
            else:
                left_s = float(Decimal(text.replace(",", ".")) * _SECONDS[self.unit])
        except (ValueError, InvalidOperation, OverflowError):
            return None
        return min(left_s, LONGEST_S) if left_s > 0 else None  # False also for what is no number
