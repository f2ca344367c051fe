"""What an answer means and whether to ask again. Pure functions.

Two tables: one for the identity provider (specification A4), one for the REST API (A5). All calls of this venue read, so a
lost answer may be asked for again; a token is asked for with a new assertion each time.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from gridwire.auth.client_assertion import Grant, Refusal, missing_scope
from gridwire.edsn_pie import wire
from gridwire.edsn_pie.errors import (
    EdsnAnswerError,
    EdsnAuthError,
    EdsnConfigError,
    EdsnError,
    EdsnNotFound,
    EdsnPathError,
    EdsnPermissionError,
    EdsnProtocolError,
    EdsnRateLimited,
    EdsnRequestError,
    EdsnTransientError,
    EdsnVenueFailure,
    Facts,
)
from gridwire.edsn_pie.profile import Profile
from gridwire.errors import NoAnswer, NotSent
from gridwire.transport.classify import is_redirect, retry_after_s
from gridwire.transport.exchange import Response
from gridwire.transport.retry import Again

MOST_RETRIES = 3
RATE_LIMIT_PAUSE_S = 30.0
"""Pause after 429 without a readable ``Retry-After``."""
SKEW_S = 30.0
"""A difference of clocks below this is not spoken of: providers allow more."""
EARLY_LEAST_S, EARLY_SHARE = 30.0, 0.1
LATE_S = 5.0

_LASTING = frozenset({"tls", "too_large"})
"""Reasons of the transport that the next try meets again."""

_NOWHERE = frozenset({"dns", "refused"})
"""Reasons of the transport that a wrong address has."""

_NO_CALL = "No call left this machine with it."


# ---------------------------------------------------------------------------------------------------------------------
# Tokens


def refresh_after_s(life_s: float) -> tuple[float, float]:
    """Seconds after which a new token is fetched beside the old one, and after which callers wait for it.

    The first comes when less than 30 s or a tenth of the life remains, whichever is longer; of a short life, half of it.
    """
    early_s = min(max(EARLY_LEAST_S, life_s * EARLY_SHARE), life_s / 2)
    return life_s - early_s, life_s - min(LATE_S, early_s / 2)


def skew_s(server_time: datetime | None, now: datetime) -> float | None:
    """How far the provider's clock is ahead of ours, in seconds; ``Date`` has no fractions."""
    return None if server_time is None else (server_time - now).total_seconds()


def token_error(refusal: Refusal, profile: Profile, now: datetime) -> EdsnError:
    """The error that a refusal becomes, with what can be done about it."""
    facts = Facts("token", refusal.status, error_code=refusal.error)
    where = f"EDSN's identity provider ({profile.idp_url.partition('//')[2]})"
    if refusal.kind == "refused":
        return EdsnAuthError(
            f"{where} refused the service account ({refusal.said}). {_NO_CALL} {_clock_hint(refusal, now)}Check that "
            "client_id is the service account's, that the private key is its key and not an older one, and that the "
            f"account is of type OAuth{_portal(profile)}. If all are right, the form of the assertion may be wrong: it named "
            f"{profile.assertion_audience!r} as its audience (aud; set audience), {_key_named(profile)} and was signed by "
            f"algorithm {profile.assertion.algorithm}. Ask EDSN.",
            facts,
        )
    if refusal.kind == "settings":
        scope = "no scope" if profile.scope is None else f"scope {profile.scope!r}"
        return EdsnConfigError(
            f"{where} does not accept the form of the request for a token ({refusal.said}). {_NO_CALL} It asked for {scope}; "
            "ask EDSN which one applies and set scope.",
            facts,
        )
    if refusal.kind == "transient":
        pause_s = None
        if refusal.retry_after is not None:
            asked = Response(refusal.status or 0, {"retry-after": refusal.retry_after})
            pause_s = retry_after_s(asked, now=now, default_s=RATE_LIMIT_PAUSE_S)
        elif refusal.status == 429:
            pause_s = RATE_LIMIT_PAUSE_S
        wish = "" if pause_s is None else f" It is to be left alone for {pause_s:.0f} s."
        later = "" if refusal.error in _LASTING else " Try again later."
        if refusal.error in _NOWHERE:
            later += " If it never worked, check idp_url."
        return EdsnTransientError(
            f"{where} gives no token now ({refusal.said}). {_NO_CALL}{wish}{later}",
            facts,
            retry_after_s=pause_s,
        )
    return EdsnProtocolError(
        f"{where} answered without a token ({refusal.said}). {_NO_CALL} Something else may have answered: a proxy, a login "
        "page, a firewall. Check idp_url and token_path.",
        facts,
    )


def _clock_hint(refusal: Refusal, now: datetime) -> str:
    ahead_s = skew_s(refusal.server_time, now)
    if ahead_s is None or abs(ahead_s) < SKEW_S:
        return ""
    direction = "behind" if ahead_s > 0 else "ahead of"
    return (
        f"This machine's clock is {abs(ahead_s):.0f} s {direction} the provider's, which alone may be the reason: set the "
        "clock. "
    )


def _portal(profile: Profile) -> str:
    return "" if profile.portal_url is None else f" (portal: {profile.portal_url})"


def _key_named(profile: Profile) -> str:
    name = profile.assertion.key_id
    return (
        "named no key (kid; set key_id if several are registered)"
        if name is None
        else f"named the key {name!r} (kid; key_id)"
    )


def token_again(error: BaseException) -> Again | None:
    """Whether to ask for a token again, with a new assertion."""
    if not isinstance(error, EdsnTransientError) or lasting(error):
        return None
    return Again(MOST_RETRIES, error.retry_after_s)


def lasting(error: BaseException) -> bool:
    """Whether asking again for a token would meet the same: a certificate that proves nothing."""
    return isinstance(error, EdsnTransientError) and error.facts.error_code in _LASTING


def scope_warning(grant: Grant, asked: str | None, claimed: Collection[str] | None = None) -> str | None:
    """A sentence about scope that was asked for and not granted; None if there is nothing to say.

    Where the provider does not name what it granted, which by the standard means all of it (RFC 6749 section 5.1), the token's
    own word counts: ``claimed``, None where it has none.
    """
    granted, where = grant.scope, ""
    if granted is None and claimed is not None:
        granted, where = " ".join(sorted(claimed)), ", as the token itself says,"
    missing = missing_scope(asked, granted)
    if not missing:
        return None
    return (
        f"The identity provider granted {granted!r}{where} and not {', '.join(sorted(missing))}: calls may be refused for want "
        "of a role. Check the service account's roles in the portal."
    )


# ---------------------------------------------------------------------------------------------------------------------
# REST


def error_of(
    response: Response, facts: Facts, *, path_doubt: str | None, portal: str | None, now: datetime
) -> EdsnError:
    """The error of an answer other than a success. ``path_doubt`` is why the path may be wrong, None if it is sure."""
    said = _described(response, facts)
    if response.status == 401:
        return EdsnAuthError(
            f"The API refused a token that the identity provider had just given ({said}). Nothing was read. The service "
            f"account may lack every role for this API{_at(portal)}, or scope is not the one it wants.",
            facts,
        )
    if response.status == 403:
        return EdsnPermissionError(
            f"The service account may not read this ({said}). Give it the role for the Partners in Energie API (for "
            f"notifications the application role for AMQP){_at(portal)}; the ticket itself may also belong to another party.",
            facts,
        )
    if response.status in (404, 410):
        return _not_found(said, facts, path_doubt)
    if response.status == 429:
        return EdsnRateLimited(
            f"The API says that these are too many calls ({said}). Nothing was read. Wait, and ask less often.",
            facts,
            retry_after_s=retry_after_s(response, now=now, default_s=RATE_LIMIT_PAUSE_S),
        )
    if response.status >= 500:
        return EdsnVenueFailure(f"The API failed inside ({said}). Nothing was read. Try again later.", facts)
    if is_redirect(response) or response.status < 400:
        return EdsnAnswerError(
            f"Something answered that is not the API ({said}); redirects are never followed with a token. Nothing was read.",
            facts,
        )
    return EdsnRequestError(
        f"The API refused the request ({said}). Nothing was read; the same request fails again.", facts
    )


def _not_found(said: str, facts: Facts, path_doubt: str | None) -> EdsnError:
    if path_doubt is None:
        return EdsnNotFound(f"There is no such ticket or comment for this service account ({said}).", facts)
    return EdsnPathError(
        f"Nothing is at this path ({said}), and the path itself is not confirmed: {path_doubt}. So the ticket or comment may "
        "exist all the same. Ask EDSN for the path and set it.",
        facts,
    )


def _at(portal: str | None) -> str:
    return "" if portal is None else f" at {portal}"


def _described(response: Response, facts: Facts) -> str:
    told = facts.problem
    words = [f"HTTP {response.status}"]
    if told is not None:
        words += [text for text in (told.title, told.detail) if text]
    return ": ".join(words)


def facts_of(
    operation: str, response: Response, *, request_id: str, correlation_id: str, secrets: Collection[str] = ()
) -> Facts:
    """What is known about an answer: its ids, and its problem details where it is an error.

    None of it repeats ``secrets``, which are what was sent: an API may quote a token that it refuses.
    """
    told = wire.problem(response, secrets) if response.status >= 400 else None
    code = told.extensions.get("errorCode") if told is not None else None
    return Facts(
        operation,
        response.status,
        wire.quoted(response.headers.get("x-request-id", request_id), secrets)[:80],
        wire.quoted(response.headers.get("x-correlation-id", correlation_id), secrets)[:80],
        code if isinstance(code, str) else None,
        told,
    )


def read_again(error: BaseException) -> Again | None:
    """Whether to ask the API again: after its own failures, after 429 as it wishes, and where an answer was lost."""
    if isinstance(error, EdsnRateLimited):
        return Again(MOST_RETRIES, error.retry_after_s)
    if isinstance(error, (NotSent, NoAnswer)):
        return None if error.reason in _LASTING else Again(MOST_RETRIES)
    return Again(MOST_RETRIES) if isinstance(error, EdsnVenueFailure) else None


def path_doubt(profile: Profile, template: str, confirmed: frozenset[str]) -> str | None:
    """Why the path of this profile field may be wrong; None if it is confirmed or certain."""
    fact = profile.facts.get(template)
    return None if fact is None or template in confirmed else fact.why
