"""What a token says about itself, without any check of its signature. Pure functions; no text holds the token."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_MOST = 80


def claims(token: str) -> Mapping[str, Any] | None:
    """The claims of a JWT; None where the token is opaque."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def seconds_left(token: str, now: datetime) -> float | None:
    """How long the token lives by its own word; None where it does not say."""
    moment = _moment((claims(token) or {}).get("exp"))
    return (moment - now).total_seconds() if moment is not None else None


def shown(token: str, now: datetime) -> str:
    """A sentence about what the token claims, for whoever has to find out why it was refused."""
    found = claims(token)
    if found is None:
        return "The token is opaque, so nothing can be told from it here."
    expires, begins = _moment(found.get("exp")), _moment(found.get("nbf"))
    parts = []
    if expires is None:
        parts.append("names no end of its life")
    elif expires <= now:
        parts.append(f"expired at {_text(expires)}, {_ago(now, expires)} ago")
    else:
        parts.append(f"is valid until {_text(expires)}")
    if begins is not None and begins > now:
        parts.append(f"is not valid before {_text(begins)}")
    parts += [f"names {_value(found[name])} as {words}" for name, words in _NAMED if found.get(name)]
    sentence = f"The token by its own claims {', '.join(parts)}."
    if expires is None or expires > now:
        sentence += " Whether its signature is good cannot be told from here."
    return sentence


_SCOPES = ("scope", "scp", "roles")
"""Where tokens say what they are good for: RFC 8693 names the first, products use the others."""


def scopes(token: str) -> set[str] | None:
    """The words of the scope that the token claims; None where it claims none, or is opaque."""
    found = claims(token) or {}
    held = [found[name] for name in _SCOPES[:2] if isinstance(found.get(name), (str, list))]
    words = [str(word) for value in held for word in (value.split() if isinstance(value, str) else value)]
    return set(words) if held else None


def scopes_shown(token: str) -> str:
    """A sentence about what the token is good for by its own claims."""
    found = claims(token)
    if found is None:
        return "The token is opaque, so its scope cannot be told from here."
    told = [f"{name} {_value(found[name])}" for name in _SCOPES if found.get(name)]
    return f"The token claims {', '.join(told)}." if told else "The token claims no scope."


_NAMED = (("aud", "its audience"), ("sub", "its subject"), ("scope", "its scope"))


def _value(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    text = "".join(char if char.isprintable() else "?" for char in text)
    return repr(text if len(text) <= _MOST else text[: _MOST - 1] + "…")


def time_of(value: object) -> str | None:
    """A claim that holds a time, for people; None if it holds none."""
    moment = _moment(value)
    return _text(moment) if moment is not None else None


def _moment(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _ago(now: datetime, then: datetime) -> str:
    seconds = int((now - then).total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
