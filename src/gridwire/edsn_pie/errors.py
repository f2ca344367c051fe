"""EDSN's leaves of the exception tree (see `gridwire.errors`).

::

    InvalidInput        └── EdsnForeignReference  a notification points to another host; the token was not sent there
    ConfigurationError  └── EdsnConfigError       the identity provider does not understand what we ask for
    CredentialsRefused  └── EdsnAuthError         the service account, its key or its token is refused
    AuthUnavailable     └── EdsnTransientError    no token now; later perhaps
    AuthProtocolError   └── EdsnProtocolError     the identity provider's answer holds no token
    SecurityError       └── EdsnPermissionError   the service account lacks a role
    BusinessError       ├── EdsnNotFound          there is no such ticket or comment
                        └── EdsnRequestError      the request itself is refused
    RateLimited         └── EdsnRateLimited       too many calls
    VenueFailure        └── EdsnVenueFailure      the API failed inside, also after several tries
    ProtocolError       ├── EdsnAnswerError       the answer is none that the API gives
                        └── EdsnPathError         nothing is at a path of which we are not sure

Everything here reads; no error of this page means that a ticket or a comment was changed or lost. No text holds a token,
an assertion or a key: what came from outside is masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gridwire.errors import (
    AuthProtocolError,
    AuthUnavailable,
    BusinessError,
    ConfigurationError,
    CredentialsRefused,
    GridwireError,
    InvalidInput,
    ProtocolError,
    RateLimited,
    SecurityError,
    VenueFailure,
)
from gridwire.observe.redact import mask


@dataclass(frozen=True, slots=True)
class Problem:
    """What the API says about a failure (RFC 9457). Members that it did not send are None; all texts are masked."""

    type: str | None = None
    title: str | None = None
    status: int | None = None
    detail: str | None = None
    instance: str | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict)
    """Members beyond the standard's, such as ``errorCode``."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about the call that failed; what EDSN's service desk asks for. Unknown fields are None."""

    operation: str | None = None
    """The client's method, or ``token``."""
    http_status: int | None = None
    request_id: str | None = None
    """The ``X-Request-ID`` of the last attempt: the API's own where it answered with one, else the one we sent."""
    correlation_id: str | None = None
    """The ``X-Correlation-ID`` of the call, the same for all its attempts."""
    error_code: str | None = None
    """The ``error`` of the identity provider, or the ``errorCode`` of a problem."""
    problem: Problem | None = None


class EdsnError(GridwireError):
    """What all errors of this venue have in common. ``str()`` ends with the call's identifiers."""

    def __init__(self, text: str, facts: Facts | None = None) -> None:
        GridwireError.__init__(self, mask(text))
        self.facts: Facts = facts or Facts()

    @property
    def problem(self) -> Problem | None:
        """The API's own description of the failure, if it sent one."""
        return self.facts.problem

    def __str__(self) -> str:
        facts = self.facts
        parts = [facts.operation] if facts.operation else []
        if facts.http_status is not None:
            parts.append(f"HTTP {facts.http_status}")
        if facts.error_code is not None:
            parts.append(f"error {facts.error_code}")
        if facts.request_id is not None:
            parts.append(f"X-Request-ID {facts.request_id}")
        if facts.correlation_id is not None:
            parts.append(f"X-Correlation-ID {facts.correlation_id}")
        text = super().__str__()
        return mask(f"{text} [{', '.join(parts)}]") if parts else text


class EdsnForeignReference(EdsnError, InvalidInput):
    """A notification's ``dataref`` leads away from the configured API. Neither it nor the token was used."""


class EdsnConfigError(EdsnError, ConfigurationError):
    """The identity provider refuses the form of the request: scope, grant or a field. No token was had."""


class EdsnAuthError(EdsnError, CredentialsRefused):
    """The service account, its key, or a token fresh from the identity provider is refused. Not repeated."""


class EdsnTransientError(EdsnError, AuthUnavailable):
    """The identity provider cannot be reached, fails inside, or asks for a pause (``retry_after_s``, None if it named none)."""

    def __init__(self, text: str, facts: Facts | None = None, *, retry_after_s: float | None = None) -> None:
        EdsnError.__init__(self, text, facts)
        self.retry_after_s = retry_after_s


class EdsnProtocolError(EdsnError, AuthProtocolError):
    """Success without a token, or an answer that gives no reason as an identity provider does. A call does not repeat it.

    Something else may have answered: a gateway, a firewall, a login page. Notifications whose link has stood wait for it
    to pass.
    """


class EdsnPermissionError(EdsnError, SecurityError):
    """HTTP 403: the token is good, and the service account may not do this. Roles are given in EDSN's portal."""


class EdsnNotFound(EdsnError, BusinessError):
    """The API knows no such ticket or comment."""


class EdsnPathError(EdsnError, ProtocolError):
    """HTTP 404 at a path that is not confirmed: the path may be wrong as well as the id. The ticket may exist."""


class EdsnRequestError(EdsnError, BusinessError):
    """HTTP 400 or 422, or another refusal of the request itself. Repeating it changes nothing."""


class EdsnRateLimited(EdsnError, RateLimited):
    """HTTP 429, also after pauses. ``retry_after_s`` is the API's wish, or our default where it gave none."""

    def __init__(self, text: str, facts: Facts | None = None, *, retry_after_s: float) -> None:
        EdsnError.__init__(self, text, facts)
        self.retry_after_s = retry_after_s


class EdsnVenueFailure(EdsnError, VenueFailure):
    """HTTP 5xx, also after several tries. Nothing was read; the ticket is where it was."""


class EdsnAnswerError(EdsnError, ProtocolError):
    """The answer cannot be read as one of this API's: not JSON, not an object, a page, a redirect, an endless list."""
