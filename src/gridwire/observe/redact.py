"""Keep secrets out of every output.

Two rules. Text that we write ourselves never holds a secret in the first place; `mask` is the net below for text that
comes from elsewhere (an identity provider's error page, an exception of a library). Loggers of libraries are put on an
allow-list: of their records only what is known to be harmless gets through, because a CAS ticket sits in the URL path
and a service ticket in a header.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from urllib.parse import urlsplit

from gridwire.observe.spellings import hide

_DASH = r"(?:-|%2[Dd]|\\u002[Dd])"
_TICKETS = re.compile(
    # Whatever stands before: a path may be encoded, a word glued on. A word that ends so goes on with letters: fast-forward.
    rf"(?i:(TGT|ST|PGT|PT)){_DASH}(?=[0-9])(?:[A-Za-z0-9._-]|{_DASH}){{3,}}"
    rf"|(?<![A-Za-z])(TGT|ST|PGT|PT){_DASH}(?:[A-Za-z0-9._-]|{_DASH}){{3,}}"
)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*)?")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{6,}")
_FIELDS = re.compile(
    r"""(?ix)(["']?\b(?:username|password|passwd|secret|client_secret|client_assertion|assertion|access_token|
    refresh_token|id_token|token|authorization|stp-service-ticket|tgt|st)["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s&,;<>}\]]+)"""
)


def mask(text: str) -> str:
    """``text`` with tickets, tokens and the values of secret fields replaced by ``***``."""
    text = _TICKETS.sub(lambda found: f"{found[1] or found[2]}-***", text)
    text = _JWT.sub("***", text)
    text = _BEARER.sub(r"\1 ***", text)
    return _FIELDS.sub(r"\1***", text)


MOST_OF_AN_ANSWER = 2000
"""Characters of a foreign text that are written down."""
_READ_OF_AN_ANSWER = 4 * MOST_OF_AN_ANSWER
_SEARCHED_OF_AN_ANSWER = 8 * _READ_OF_AN_ANSWER


def excerpt(text: str | bytes, secrets: Collection[str] = ()) -> str:
    """The beginning of a foreign ``text``, fit to be kept: masked, and without the values in ``secrets`` however spelled."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", errors="replace")
    text = text.encode("utf-8", "replace").decode("utf-8")  # half a character can stand in no file
    searched = len(text) <= _SEARCHED_OF_AN_ANSWER
    text = hide(text, secrets, most=_SEARCHED_OF_AN_ANSWER)
    whole = searched and len(text) <= _READ_OF_AN_ANSWER
    text = mask(text[:_READ_OF_AN_ANSWER])
    if not whole:  # the cut may have gone through a secret, which is then no longer known for one
        text = text[:-MOST_OF_AN_ANSWER]
    return text if len(text) <= MOST_OF_AN_ANSWER else f"{text[:MOST_OF_AN_ANSWER]} …"


def one_line(text: str, most: int = 500) -> str:
    """The beginning of a foreign ``text``, masked, without what could begin a new line or move a terminal's cursor."""
    letters = text[: 4 * most]
    return mask("".join(letter if letter.isprintable() else " " for letter in letters))[:most].strip()


def said(error: BaseException, most: int = 500) -> str:
    """An exception of somebody else's code in one line that every file and terminal takes: its name and its words."""
    name = type(error).__name__
    try:
        words = str(error)
    except Exception:  # noqa: BLE001 - its words are made by code that is not ours
        words = ""
    return one_line(f"{name}: {words}" if words else name, most)


_PATH_IS_SECRET: ContextVar[bool] = ContextVar("gridwire_path_is_secret", default=False)


@contextmanager
def secret_path(is_secret: bool = True) -> Iterator[None]:
    """Let no address that is said or logged in here show its path, because a session value of no known form stands in it."""
    token = _PATH_IS_SECRET.set(is_secret)
    try:
        yield
    finally:
        _PATH_IS_SECRET.reset(token)


def safe_url(url: str) -> str:
    """``url`` as scheme, host and masked path: no user information, no query, no fragment."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    path = "/***" if _PATH_IS_SECRET.get() else mask(parts.path)
    return f"{parts.scheme}://{host}{port}{path}"


def shown_url(url: str) -> str:
    """An address as a person wrote it, right or not, for an error about it: what may be a login or a key in it is ``***``."""
    before, at, host = url.rpartition("@")  # the last one: a password may hold others
    if at:
        scheme, slashes, _ = before.partition("//")
        url = f"{scheme}{slashes}***@{host}" if slashes else f"***@{host}"
    return repr(mask(_QUERY.sub(r"\1***", url)))


_QUERY = re.compile(r"([?#]).*", re.DOTALL)


class _AllowList(logging.Filter):
    """Lets through what is known to be harmless of a library's record and drops the rest of its text."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "httpx" and isinstance(record.args, tuple) and len(record.args) == 5:
            method, url, version, status, _phrase = record.args
            record.msg, record.args = "%s %s %s %s", (method, safe_url(str(url)), version, status)
        else:
            words = str(record.msg).split()
            record.msg, record.args = (words[0] if words else ""), ()
        record.exc_info = None
        record.exc_text = None
        return True


_GUARDED = (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
    "websockets.client",
    "websockets.server",
)


def guard_loggers() -> None:
    """Put the loggers of the HTTP and WebSocket libraries on the allow-list. Done once per process, when first used."""
    for name in _GUARDED:
        logger = logging.getLogger(name)
        if not any(isinstance(f, _AllowList) for f in logger.filters):
            logger.addFilter(_AllowList())
