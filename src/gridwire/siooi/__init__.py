"""АС СиОИ: collection documents on the technical condition of power facilities, loaded exactly once.

The venue tells its wire on request only, so the client is complete and the wire is a profile that its user fills from the
letter of the venue's support. A loaded document is «Подписан» and cannot be corrected; nothing is ever sent twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gridwire.siooi.account import Account as Account
    from gridwire.siooi.checks import load_profile as load_profile
    from gridwire.siooi.client import Siooi as Siooi
    from gridwire.siooi.enums import JobState as JobState
    from gridwire.siooi.enums import ResultCode as ResultCode
    from gridwire.siooi.models import Expired as Expired
    from gridwire.siooi.models import Failed as Failed
    from gridwire.siooi.models import FileError as FileError
    from gridwire.siooi.models import JobRef as JobRef
    from gridwire.siooi.models import JobStatus as JobStatus
    from gridwire.siooi.models import Prepared as Prepared
    from gridwire.siooi.models import Succeeded as Succeeded
    from gridwire.siooi.profile import Profile as Profile

_HOME = {
    "Account": "account",
    "Expired": "models",
    "Failed": "models",
    "FileError": "models",
    "JobRef": "models",
    "JobState": "enums",
    "JobStatus": "models",
    "Prepared": "models",
    "Profile": "profile",
    "ResultCode": "enums",
    "Siooi": "client",
    "Succeeded": "models",
    "load_profile": "checks",
}

__all__ = sorted(_HOME)  # noqa: PLE0605 - the table above is the list


def __getattr__(name: str) -> Any:
    """Import on first use: the sandbox reads profiles without paying for the client."""
    import importlib

    if name not in _HOME:
        raise AttributeError(f"module 'gridwire.siooi' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"gridwire.siooi.{_HOME[name]}"), name)
    globals()[name] = value
    return value
