"""Energy venues on this machine, over their real wires, with faults on request.

For notebooks, tests and a first minute without credentials::

    async with Sandbox("epias_stp") as box:
        account = box.epias_stp          # what EpiasStp(...) takes
        venue = box.venue("epias_stp")   # the simulator: accounts, faults, log, knobs

Everything is in memory, listens on 127.0.0.1 only, and repeats itself exactly for the same seed and the same calls.
Needs the extra: ``pip install 'gridwire[sandbox]'``.
"""

from __future__ import annotations

from gridwire.errors import MissingExtra

try:
    import aiohttp as _aiohttp  # noqa: F401 - asked for here so that one sentence explains its absence
    import trustme as _trustme  # noqa: F401
except ImportError as _missing:
    raise MissingExtra(
        "The sandbox needs packages that are not installed; nothing was started. Install them with: "
        "pip install 'gridwire[sandbox]'"
    ) from _missing

from gridwire.sandbox.runner import Sandbox

__all__ = ["Sandbox"]
