"""How much of a long campaign the test run plays; ``make campaigns`` plays all of it."""

from __future__ import annotations

import os

SLICE = 10


def share_of(whole: int) -> int:
    """A tenth of a campaign, or all of it with ``GRIDWIRE_CAMPAIGN=whole``."""
    return whole if os.environ.get("GRIDWIRE_CAMPAIGN") == "whole" else whole // SLICE
