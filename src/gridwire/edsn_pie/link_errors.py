"""EDSN's leaves of the exception tree for notifications (see `gridwire.errors`).

::

    NotSent             └── EdsnTlsError    the broker's certificate does not prove who it is
    SecurityError       └── EdsnLinkError   the broker does not let this account read this queue

A place where no broker ever was is an `gridwire.edsn_pie.errors.EdsnConfigError`.

Notifications that were not accepted stay in the queue, for a day from when they were put there.
"""

from __future__ import annotations

from gridwire.edsn_pie.errors import EdsnError
from gridwire.errors import NotSent, SecurityError


class EdsnTlsError(EdsnError, NotSent):
    """The broker's certificate does not prove who it is. No token was sent."""

    def __init__(self, text: str) -> None:
        EdsnError.__init__(self, text)
        self.reason = "tls"


class EdsnLinkError(EdsnError, SecurityError):
    """The broker refuses the queue, sends us elsewhere, or cannot check anybody. Waiting does not mend it."""
