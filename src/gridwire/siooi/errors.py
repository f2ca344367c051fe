"""АС СиОИ's leaves of the exception tree (see `gridwire.errors`).

::

    ConfigurationError
    ├── ProfileError                       a profile that cannot work; names every field that is wrong
    └── Unconfirmed └── ProfileNotConfirmed  it would reach beyond this machine and nobody has checked it
    VenueError
    ├── SecurityError  └── SiooiSecurityError   session, role or rights refused
    ├── RateLimited    └── SiooiRateLimited     HTTP 429
    ├── VenueFailure   └── SiooiFailure         the venue failed inside, or is under maintenance
    └── ProtocolError  └── SiooiProtocolError   an answer that the profile does not describe
    JobNotSettled (GridwireError)          `wait` reached its deadline; the job is still in the journal

None of them holds a password, a session value, or the text of a document.
"""

from __future__ import annotations

from collections.abc import Sequence

from gridwire.errors import (
    ConfigurationError,
    GridwireError,
    ProtocolError,
    RateLimited,
    SecurityError,
    Unconfirmed,
    VenueFailure,
)
from gridwire.siooi.enums import ResultCode


class ProfileError(ConfigurationError):
    """A profile cannot be used. ``complaints`` holds a pair of field and sentence for each thing that is wrong."""

    def __init__(self, where: str, complaints: Sequence[tuple[str, str]]) -> None:
        lines = "\n".join(f"  {path}: {what}." if path else f"  {what}." for path, what in complaints)
        super().__init__(f"{where} cannot be used as a profile. Nothing was sent.\n{lines}")
        self.complaints: tuple[tuple[str, str], ...] = tuple(complaints)


class ProfileNotConfirmed(Unconfirmed):
    """A profile with ``confirmed = false`` names a host that is not this machine. Not even its name was looked up."""


class SiooiSecurityError(SecurityError):
    """Session, role or rights refused. ``code`` says which, ``raw_code`` is the venue's own word for it."""

    def __init__(self, text: str, *, code: ResultCode, raw_code: str | None) -> None:
        super().__init__(text)
        self.code = code
        self.raw_code = raw_code


class SiooiRateLimited(RateLimited):
    """HTTP 429 to a status call."""


class SiooiFailure(VenueFailure):
    """The venue failed inside or is under maintenance. A status call may be repeated."""


class SiooiProtocolError(ProtocolError):
    """An answer to a status call that the profile does not describe."""


class JobNotSettled(GridwireError):
    """The job had not ended when the deadline of `wait` passed. It stays in the journal: wait again, or `resume`."""
