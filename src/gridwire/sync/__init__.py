"""The blocking face of every client: the same names, the same models and outcomes, no ``async``.

::

    from gridwire.sync import EpiasStp, Sandbox

    with Sandbox("epias_stp") as box, EpiasStp(box.epias_stp) as stp:
        print(stp.contracts.standard())

Each client runs its loop in a thread of its own, so it works in a script, in a notebook, and from several threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gridwire.sync.edsn_pie import EdsnPie as EdsnPie
    from gridwire.sync.epias_stp import EpiasStp as EpiasStp
    from gridwire.sync.sandbox import Sandbox as Sandbox
    from gridwire.sync.siooi import Siooi as Siooi
    from gridwire.sync.stream import Stream as Stream

_HOME = {
    "EdsnPie": "edsn_pie",
    "EpiasStp": "epias_stp",
    "Sandbox": "sandbox",
    "Siooi": "siooi",
    "Stream": "stream",
}

__all__ = sorted(_HOME)  # noqa: PLE0605 - the table above is the list


def __getattr__(name: str) -> Any:
    """Import on first use: a client does not pay for the sandbox."""
    import importlib

    if name not in _HOME:
        raise AttributeError(f"module 'gridwire.sync' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"gridwire.sync.{_HOME[name]}"), name)
    globals()[name] = value
    return value
