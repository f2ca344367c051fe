"""edsn_pie/errors.py: the tree, and what a text shows."""

from __future__ import annotations

import pytest

from gridwire.edsn_pie import errors
from gridwire.edsn_pie.errors import EdsnError, EdsnNotFound, EdsnRateLimited, EdsnTransientError, Facts, Problem
from gridwire.errors import AuthError, BusinessError, ConfigurationError, GridwireError, InvalidInput, VenueError

LEAVES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, EdsnError)]


@pytest.mark.parametrize("kind", [kind for kind in LEAVES if kind is not EdsnError])
def test_every_leaf_hangs_below_a_shared_error(kind: type[EdsnError]) -> None:
    assert issubclass(kind, (AuthError, VenueError, ConfigurationError, InvalidInput))
    assert kind.__name__ in (errors.__doc__ or "")


def test_a_text_ends_with_what_the_service_desk_asks_for() -> None:
    error = EdsnNotFound("Not there.", Facts("get_ticket", 404, "r-1", "c-1", "E1", Problem(title="No")))
    assert isinstance(error, BusinessError)
    assert str(error) == "Not there. [get_ticket, HTTP 404, error E1, X-Request-ID r-1, X-Correlation-ID c-1]"
    assert error.problem == Problem(title="No")
    assert str(EdsnNotFound("Not there.")) == "Not there."


def test_no_text_holds_a_token() -> None:
    token = "eyJhbGciOiJub25l.eyJzdWIiOiJ4In0.sig"
    error = EdsnNotFound(f"Not {token}", Facts(token))
    assert token not in str(error) + repr(error)


def test_pauses_are_carried() -> None:
    assert EdsnRateLimited("", retry_after_s=5.0).retry_after_s == 5.0
    assert EdsnTransientError("").retry_after_s is None
    assert isinstance(EdsnTransientError(""), GridwireError)
