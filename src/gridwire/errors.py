"""Everything gridwire raises.

::

    GridwireError
    ├── InvalidInput            (ValueError)  refused before any byte left
    │   └── ReadOnly            the client was opened with read_only=True
    ├── ConfigurationError      a setting is missing, contradictory or not confirmed; no byte left
    │   ├── Unconfirmed         a profile field below high confidence was about to be relied on
    │   └── MissingExtra        (ImportError)  an optional part of gridwire is not installed
    ├── WrongLoop               (RuntimeError)  used outside its event loop, before it opened or after it closed
    ├── JournalError            the journal cannot be read or written; nothing is sent without it
    ├── TransportError          the network, not the venue, decided
    │   ├── NotSent             no byte of the request left this machine
    │   └── NoAnswer            bytes left and no whole answer came back
    ├── AuthError               the identity provider did not give us what the call needs; no order byte left
    │   ├── CredentialsRefused  wrong user, password or key: latched until the credentials change
    │   ├── AuthThrottled       the provider asks us to wait
    │   ├── LoginBudgetExceeded we refuse to log in again so soon, because the venue blocks those who do
    │   ├── AuthUnavailable     the provider cannot be reached or answers 5xx
    │   └── AuthProtocolError   the provider's answer is not what its protocol says
    ├── VenueError              the venue answered, and not with what was asked for
    │   ├── BusinessError       a request or market rule was broken
    │   ├── VenueFailure        the venue failed inside
    │   ├── SecurityError       ticket, token or permission refused
    │   ├── RateLimited         too many calls
    │   └── ProtocolError       the answer cannot be read as one of this venue's answers
    └── OutcomeError            raised by ``.accepted()`` only
        ├── OrderRejected       certainly not at the venue
        └── OutcomeUnknown      may be at the venue: look before anything is sent again

Calls that change something at a venue do not raise for what the venue or the network did: they return an
`Outcome` (see `gridwire.outcome`). Reads return models or raise from this tree. The venues add leaves of their own
below these (``StpBusinessError``, ``CasCredentialsError`` …).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from gridwire.outcome import Rejected, Unknown


class GridwireError(Exception):
    """Root of the tree. The text says what happened, what it means, and what to do next.

    Errors can be copied, and pickled into another process, with all their fields.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """How to make the same error again without its constructor, whose further arguments `Exception` does not keep."""
        _, args, *state = cast("tuple[Any, ...]", super().__reduce__())
        return _made_again, (type(self), args), *state


def _made_again(kind: type[GridwireError], args: tuple[Any, ...]) -> GridwireError:
    error = kind.__new__(kind, *args)
    builtin: Any = next(one for one in kind.__mro__ if one.__module__ == "builtins")
    builtin.__init__(error, *args)  # ImportError keeps its text here
    return error


class InvalidInput(GridwireError, ValueError):
    """An argument cannot be right (type, unit, sign, missing field, naive time). Nothing was sent."""


class ReadOnly(InvalidInput):
    """A call that changes something was made on a client opened with ``read_only=True``. Nothing was sent."""


class ConfigurationError(GridwireError):
    """A setting is missing or contradicts another one. Nothing was sent."""


class Unconfirmed(ConfigurationError):
    """A profile field whose source is uncertain would have been relied on. Nothing was sent.

    Check the named field with the venue, then list it in ``confirmed=[…]``.
    """


class MissingExtra(ConfigurationError, ImportError):
    """An optional part is not installed; the text holds the line that installs it."""


class WrongLoop(GridwireError, RuntimeError):
    """A client was used on another event loop than it was opened on, or while not open. Nothing was sent."""


class JournalError(GridwireError):
    """The journal cannot be read or written. Nothing is sent without it: a write returns ``Rejected("journal")``."""


class TransportError(GridwireError):
    """The network decided. ``reason`` is one short word for programs."""

    def __init__(self, text: str, *, reason: str) -> None:
        super().__init__(text)
        self.reason = reason


class NotSent(TransportError):
    """No byte of the request left this machine: sending it again is safe.

    ``reason`` is ``refused``, ``dns``, ``tls``, ``timeout``, ``pool`` or ``closed``.
    """


class NoAnswer(TransportError):
    """Bytes of the request left and no whole answer came back: the venue may have acted on it.

    ``reason`` is ``timeout``, ``disconnected``, ``garbage`` or ``too_large``.
    """


class AuthError(GridwireError):
    """The identity provider did not give what the call needs. Nothing reached the venue."""


class CredentialsRefused(AuthError):
    """User, password or key were refused. Latched: no further login is tried with the same credentials."""


class AuthThrottled(AuthError):
    """The identity provider asks for a pause of ``retry_after_s`` seconds."""

    def __init__(self, text: str, *, retry_after_s: float) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class LoginBudgetExceeded(AuthError):
    """gridwire itself refused another login; ``retry_after_s`` says when the next one is allowed."""

    def __init__(self, text: str, *, retry_after_s: float) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class AuthUnavailable(AuthError):
    """The identity provider cannot be reached or fails inside."""


class AuthProtocolError(AuthError):
    """The identity provider answered something its protocol does not know."""


class VenueError(GridwireError):
    """The venue answered, and not with what was asked for."""


class BusinessError(VenueError):
    """A request or market rule was broken; the venue did not act."""


class VenueFailure(VenueError):
    """The venue failed inside; whether it acted is unknown."""


class SecurityError(VenueError):
    """The venue refused the ticket or token, or the user lacks the right."""


class RateLimited(VenueError):
    """Too many calls; ``retry_after_s`` is the venue's wish, or our default where it gave none."""

    def __init__(self, text: str, *, retry_after_s: float) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class ProtocolError(VenueError):
    """The answer cannot be read as one of this venue's answers."""


class OutcomeError(GridwireError):
    """Raised by ``Outcome.accepted()``; never by the call itself."""


class OrderRejected(OutcomeError):
    """The order or document is certainly not at the venue. ``outcome`` holds the details."""

    def __init__(self, text: str, outcome: Rejected) -> None:
        super().__init__(text)
        self.outcome = outcome


class OutcomeUnknown(OutcomeError):
    """The order or document may be at the venue. ``outcome`` holds what is known; do not send it again blindly."""

    def __init__(self, text: str, outcome: Unknown) -> None:
        super().__init__(text)
        self.outcome = outcome
