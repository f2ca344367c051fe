"""The three conversations with CAS: log in, ask for a service ticket, log out. No I/O.

A login gives a ticket granting ticket (TGT, a session of 45 idle minutes); the TGT buys service tickets (ST, 30 seconds,
one use, one service). Sources: STP document, "authentication"; stock Apereo CAS REST protocol; what clients in the field
saw (EPİAŞ STP specification 3.1 to 3.5).

What CAS answers is untrusted and names tickets, so it is quoted masked, in part, or not at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Literal, NoReturn, TypeAlias
from urllib.parse import urlencode, urlsplit

from pydantic import SecretStr

from gridwire import clock
from gridwire.auth.errors import (
    CasCredentialsError,
    CasProtocolError,
    CasThrottledError,
    CasTicketExpired,
    CasUnavailable,
)
from gridwire.errors import AuthError, InvalidInput, NotSent, ProtocolError, TransportError
from gridwire.observe.redact import mask
from gridwire.transport import xml
from gridwire.transport.exchange import Flow, Request, Response

MAX_BODY_BYTES = 64 * 1024
"""No ticket answer comes near this; a longer body is not searched."""

DEFAULT_PAUSE_S = 60.0
"""Pause after 423 or 429 without a readable ``Retry-After``."""

LONGEST_PAUSE_S = 86_400.0

_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "text/plain"}
_TGT = re.compile(r"TGT-[A-Za-z0-9._-]+")
_ST = re.compile(r"ST-[A-Za-z0-9._-]+")
_FORM_ACTION = re.compile(r"""(?i)\baction\s{0,5}=\s{0,5}["'][^"'<>]{0,500}/(TGT-[A-Za-z0-9._-]+)["']""")
_EXPIRED = re.compile(r"(?i)credential\w{0,10}expired|password\w{0,10}expired|mustchangepassword|passwordmustchange")

_EXCEPTION = re.compile(r"[A-Za-z]{5,60}Exception")
_EXCEPTIONS = frozenset(
    {
        "AccountDisabledException",
        "AccountExpiredException",
        "AccountLockedException",
        "AccountNotFoundException",
        "AccountPasswordMustChangeException",
        "CredentialExpiredException",
        "FailedLoginException",
        "InvalidLoginLocationException",
        "InvalidLoginTimeException",
        "LoginException",
        "MixedPrincipalException",
        "PreventedException",
        "UnauthorizedServiceException",
        "UniquePrincipalRequiredException",
        "UnresolvedPrincipalException",
    }
)
"""What stock CAS and the Java below it call a refused login."""

_NOTHING_LEFT = "No order left this machine."

Step: TypeAlias = Literal["login", "ticket"]
_Verdict: TypeAlias = Literal["refused", "maybe_expired", "throttled", "expired", "unavailable", "protocol"]

_VERDICTS: Mapping[Step, Mapping[int, _Verdict]] = {
    # CAS 4 answers 400 to a wrong password, and to any failure of its own; CAS 5 and later answer 401.
    # 406 was seen at EPİAŞ for a password that had run out.
    "login": {400: "refused", 401: "refused", 406: "maybe_expired", 423: "throttled", 429: "throttled"},
    "ticket": {404: "expired", 423: "throttled", 429: "throttled"},
}
"""Statuses with a meaning of their own; any other 5xx is ``unavailable``, whatever is left is ``protocol``."""

_HINTS: Mapping[tuple[Step, int], str] = {
    ("login", 403): "Something in front of CAS refuses this machine; ask the venue whether its address must be listed.",
    ("login", 404): "Check cas_url: it ends in /cas/v1.",
    ("login", 415): "This CAS wants another form of login than the documented one; report it.",
    ("ticket", 400): "Check the service name: CAS knows services by their exact address.",
    ("ticket", 401): "The user may lack the right for this service; ask the venue.",
    ("ticket", 403): "The user may lack the right for this service; ask the venue.",
}


def login(cas_url: str, username: str, password: SecretStr) -> Flow[str]:
    """Log in and return the TGT.

    The credentials go in a form body, never in the query. Accepts 200 and 201 and finds the TGT, in this order, in the
    body as text, JSON ``tgt``, XML ``tgt``, the ``Location`` header, or the form of the stock HTML page (specification
    3.2). Raises `CasCredentialsError`, `CasThrottledError`, `CasUnavailable` or `CasProtocolError`, and `InvalidInput`
    for credentials that no form can carry.
    """
    # The password is never a variable here: a report of an error may show the variables it passed.
    url = f"{_base(cas_url)}/tickets?format=text"
    request = Request("POST", url, _FORM, _form(username=username, password=password.get_secret_value()) or _refuse())
    response = yield from _ask(request, cas_url, "login")
    if response.status in (200, 201):
        for candidate in (*_in_body(response, "tgt"), *_in_location(response), *_in_page(response)):
            if _TGT.fullmatch(candidate):
                return candidate
    raise _failure("login", response, cas_url)


def service_ticket(cas_url: str, tgt: str, service: str) -> Flow[str]:
    """Ask for one service ticket for ``service`` and return it. It lives 30 s from before this request was sent.

    Reads text, JSON ``st`` and XML ``st`` (specification 3.3). Raises `CasTicketExpired` if CAS no longer knows the
    TGT, else `CasThrottledError`, `CasUnavailable` or `CasProtocolError`.
    """
    request = Request("POST", f"{_base(cas_url)}/tickets/{tgt}", _FORM, _form(service=service) or _refuse())
    response = yield from _ask(request, cas_url, "ticket")
    if response.status in (200, 201):
        for candidate in _in_body(response, "st"):
            if _ST.fullmatch(candidate):
                return candidate
    raise _failure("ticket", response, cas_url, service=service)


def logout(cas_url: str, tgt: str) -> Flow[None]:
    """Destroy the TGT; every ST bought with it dies too. Any answer, or none, is the end: an idle TGT dies by itself."""
    try:
        yield Request("DELETE", f"{_base(cas_url)}/tickets/{tgt}")
    except TransportError:
        return


def _base(cas_url: str) -> str:
    return cas_url.rstrip("/")


def _form(**fields: str) -> bytes | None:
    """The fields as a form body; None where a text holds half of a character."""
    try:
        return urlencode(fields).encode("ascii")
    except UnicodeEncodeError:  # its text would quote the password
        return None


def _refuse() -> NoReturn:
    raise InvalidInput(
        "The user name, password or service name holds half of a character (a lone surrogate), which cannot be sent. "
        "Read it as UTF-8. Nothing was sent."
    )


def _ask(request: Request, cas_url: str, step: Step) -> Flow[Response]:
    # The transport's own text is not chained: it may name the address, and the address may hold the TGT.
    where = f"CAS at {_host(cas_url)}"
    try:
        return (yield request)
    except NotSent as error:
        raise CasUnavailable(
            f"{where} could not be reached ({error.reason}). {_NOTHING_LEFT} Check the network and cas_url.",
            reason="not_sent",
        ) from None
    except TransportError as error:
        may = " It may have opened a session; the login is not repeated." if step == "login" else ""
        raise CasUnavailable(
            f"{where} gave no whole answer ({error.reason}).{may} {_NOTHING_LEFT} Try again later.", reason="no_answer"
        ) from None


def _host(cas_url: str) -> str:
    return urlsplit(cas_url).hostname or "an unnamed host"


# ---------------------------------------------------------------------------------------------------------------------
# Where a ticket may be


def _in_body(response: Response, key: str) -> Iterator[str]:
    text = _text(response)
    yield text
    if text.startswith(("{", '"')):
        try:
            value = json.loads(text, strict=False)
        except (ValueError, RecursionError):
            return
        found = value.get(key) if isinstance(value, dict) else value
        if isinstance(found, str):
            yield found.strip()
    elif text.startswith("<"):
        try:
            root = xml.parse(response.content, charset=response.charset, max_bytes=MAX_BODY_BYTES)
        except ProtocolError:
            return
        for element in (root, *(child for _, child in xml.children(root))):
            if xml.local_name(element) == key:
                yield (element.text or "").strip()


def _in_location(response: Response) -> Iterator[str]:
    yield response.headers.get("location", "").partition("?")[0].rstrip("/").rpartition("/")[2]


def _in_page(response: Response) -> Iterator[str]:
    action = _FORM_ACTION.search(_text(response))
    if action is not None:
        yield action[1]


def _text(response: Response) -> str:
    if len(response.content) > MAX_BODY_BYTES:
        return ""
    return response.text(errors="replace").strip()


# ---------------------------------------------------------------------------------------------------------------------
# What an answer without a ticket means


def _failure(step: Step, response: Response, cas_url: str, *, service: str = "") -> AuthError:
    status = response.status
    verdict = _VERDICTS[step].get(status, "unavailable" if status >= 500 else "protocol")
    where = f"CAS at {_host(cas_url)}"
    said = f"HTTP {status}{_quote(step, response)}"
    if verdict in ("refused", "maybe_expired"):
        return _refusal(verdict == "maybe_expired" or bool(_EXPIRED.search(_text(response))), status, where, said)
    if verdict == "throttled":
        pause_s = _retry_after_s(response)
        return CasThrottledError(
            f"{where} asks for a pause of {pause_s:.0f} s ({said}): too many logins or a locked account. {_NOTHING_LEFT} "
            "gridwire does not ask again before the pause is over; if it comes back, ask the venue whether the account "
            "is locked.",
            retry_after_s=pause_s,
        )
    if verdict == "expired":
        return CasTicketExpired(
            f"{where} no longer knows this session ({said}). {_NOTHING_LEFT} One new login follows."
        )
    if verdict == "unavailable":
        hint = f", or does not know the service {service!r}" if service else ""
        return CasUnavailable(f"{where} fails inside ({said}){hint}. {_NOTHING_LEFT} Try again later.", reason="failed")
    what = "the login" if step == "login" else f"the request for a ticket for {service!r}"
    hint = _HINTS.get((step, status), "Something other than CAS may have answered: a proxy, a login page, a firewall.")
    return CasProtocolError(f"{where} answered {what} without a ticket ({said}). {_NOTHING_LEFT} {hint}")


def _refusal(expired: bool, status: int, where: str, said: str) -> CasCredentialsError:
    doubt = (
        " CAS 4 gives this answer to a wrong password and to failures of its own alike; it is taken as a wrong password."
        if status == 400
        else ""
    )
    remedy = (
        "The password may have expired: renew it in the venue's portal"
        if expired
        else "Correct the user name (the venue writes it in capitals) or the password"
    )
    return CasCredentialsError(
        f"{where} refused the user name or password ({said}).{doubt} {_NOTHING_LEFT} gridwire does not log in again with "
        f"them, because repeated failures lock accounts. {remedy}, then open a new client with them.",
        kind="maybe_expired" if expired else "refused",
    )


def _quote(step: Step, response: Response) -> str:
    """A short, masked quotation of a text or JSON answer; nothing of a page.

    An answer to a login may repeat the password in forms that no search knows, so of it only the names of known
    exceptions are quoted.
    """
    text = _text(response)
    if not text:
        return ""
    if text.startswith("<"):
        return ", with a page"
    if step == "login":
        names = [name for name in dict.fromkeys(_EXCEPTION.findall(text)) if name in _EXCEPTIONS]
        return f", {', '.join(names)}" if names else ", with a text that is not quoted, for it may repeat the password"
    words = " ".join("".join(c if c.isprintable() else " " for c in mask(text)).split())
    return f", {words[:160]!r}"


def _retry_after_s(response: Response) -> float:
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        asked = float(value[:9])
    else:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return DEFAULT_PAUSE_S
        if moment.tzinfo is None:  # an old date format that names no zone
            return DEFAULT_PAUSE_S
        asked = (moment - clock.now()).total_seconds()
    return min(max(asked, 1.0), LONGEST_PAUSE_S)
