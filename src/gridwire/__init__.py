"""gridwire: four energy venues, one way to talk to them, and an honest answer for every order and document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from gridwire.errors import GridwireError as GridwireError
    from gridwire.outcome import Accepted as Accepted
    from gridwire.outcome import AcceptedBefore as AcceptedBefore
    from gridwire.outcome import Intent as Intent
    from gridwire.outcome import OrderRef as OrderRef
    from gridwire.outcome import Outcome as Outcome
    from gridwire.outcome import Rejected as Rejected
    from gridwire.outcome import Unknown as Unknown

_HOME = {
    "Accepted": "outcome",
    "AcceptedBefore": "outcome",
    "GridwireError": "errors",
    "Intent": "outcome",
    "OrderRef": "outcome",
    "Outcome": "outcome",
    "Rejected": "outcome",
    "Unknown": "outcome",
}
_SUBMODULES = frozenset({"edsn_pie", "epias_stp", "sandbox", "siooi", "sync"})

__all__ = ["__version__", *sorted(_HOME)]  # noqa: PLE0604 - the table above is the list


def __getattr__(name: str) -> Any:
    """Import on first use, so that ``import gridwire`` costs nothing."""
    import importlib

    if name in _HOME:
        value = getattr(importlib.import_module(f"gridwire.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    if name in _SUBMODULES:
        return importlib.import_module(f"gridwire.{name}")
    raise AttributeError(f"module 'gridwire' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_SUBMODULES})
