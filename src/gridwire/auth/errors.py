"""What a ticket service (CAS) can do to a caller.

::

    AuthError
    ├── CredentialsRefused   └── CasCredentialsError     wrong or expired password: latched until it is changed
    ├── AuthThrottled        └── CasThrottledError       CAS asks for a pause; we keep it without asking again
    ├── LoginBudgetExceeded  └── CasLoginBudgetExceeded  our own limit on logins; CAS was not asked
    ├── AuthUnavailable      └── CasUnavailable          not reached, no whole answer, or 5xx
    ├── AuthProtocolError    └── CasProtocolError        an answer that a ticket service does not give
    └── CasTicketExpired                                 internal: the session is gone, one new login mends it

All of them mean that no call reached the trading venue. No text holds a ticket or a password.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from gridwire.errors import (
    AuthError,
    AuthProtocolError,
    AuthThrottled,
    AuthUnavailable,
    CredentialsRefused,
    LoginBudgetExceeded,
)

RefusalKind: TypeAlias = Literal["refused", "maybe_expired"]
"""``maybe_expired``: CAS hints that the password has run out and must be renewed in the venue's portal."""

UnavailableReason: TypeAlias = Literal["not_sent", "no_answer", "failed"]
"""``not_sent``: no byte reached CAS. ``no_answer``: bytes left, no whole answer came. ``failed``: HTTP 5xx, or too late."""


class CasCredentialsError(CredentialsRefused):
    """CAS refused user name and password. No further login is tried with them."""

    def __init__(self, text: str, *, kind: RefusalKind) -> None:
        super().__init__(text)
        self.kind: RefusalKind = kind


class CasThrottledError(AuthThrottled):
    """CAS asked for a pause of ``retry_after_s`` seconds (or that much of it is left)."""


class CasLoginBudgetExceeded(LoginBudgetExceeded):
    """gridwire refused to log in so soon again; the next login is allowed in ``retry_after_s`` seconds."""


class CasUnavailable(AuthUnavailable):
    """CAS cannot be reached or fails inside. ``reason`` says how far the request came."""

    def __init__(self, text: str, *, reason: UnavailableReason) -> None:
        super().__init__(text)
        self.reason: UnavailableReason = reason


class CasProtocolError(AuthProtocolError):
    """CAS answered with a page, a redirect, or anything else that holds no ticket. Never repeated."""


class CasTicketExpired(AuthError):
    """CAS no longer knows the TGT. Callers of `gridwire.auth.tickets` never see it: one new login follows."""
